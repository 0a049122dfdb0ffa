"""Taking a person off a watch list, with all that was derived: faces, leads, photographs.

First the row says that he is being withdrawn: from then on no lead is added or decided. Then everything is
removed, in any order and as often as needed. Last the row says that he is off the list, and holds nothing
else.
A run that was killed is finished by the next one, of `withdraw` or of `expire`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.faces.audit import Audit, Unexpected
from crime_jobs.faces.decisions import is_printable
from crime_jobs.faces.engine import Engine, person_of
from crime_jobs.faces.leads import Leads
from crime_jobs.faces.manifest import KEY
from crime_jobs.faces.people import OVER, People, Person, State, written
from crime_jobs.faces.purpose import check_engine
from crime_jobs.faces.removing import Remover
from crime_jobs.model.faces import FaceSettings, WatchList

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Characters of a reason.
_MOST_REASON = 500


@dataclass(frozen=True)
class Withdrawn:
    """What was removed.

    Parameters
    ----------
    person_id
        Of whom.
    faces, leads, photographs
        How many.
    kept
        Photographs that stay: in a folder, or because it was said so.
    state
        What is left of the row.
    """

    person_id: str
    faces: int
    leads: int
    photographs: int
    kept: int
    state: str


class _Forgets(Protocol):
    def forget(self, watch_list: str, person_id: str) -> int: ...


class Withdrawal:
    """Takes people off a watch list.

    Parameters
    ----------
    settings
        The environment.
    faces
        What it says of faces.
    name
        The watch list.
    leads
        The queue; that of the environment if not given.

    Raises
    ------
    WrongUsage
        If there is no such list, or its faces are kept by another engine than the one that answers.
    """

    def __init__(
        self, settings: Settings, faces: FaceSettings, name: str, leads: _Forgets | None = None
    ) -> None:
        self.people, self.audit = People(settings, faces), Audit(settings, faces)
        self.leads = leads or Leads(settings, faces)
        self.list: WatchList = self.people.watch_list(name)
        self._engine = Engine(settings, faces, writes=True)
        self._remover = Remover(settings)
        # Another engine would have none of the faces, and it would look as if they were gone.
        check_engine(self.list, self._engine.identity(self.list.collection), same_version=False)

    def find(self, person_key: str) -> Person:
        """Return whom a key is of.

        Parameters
        ----------
        person_key
            The department's key.

        Raises
        ------
        WrongUsage
            If nobody on the list has it; it is not repeated.
        """
        found = self.people.by_key(self.list.name, person_key) if KEY.fullmatch(person_key) else None
        if found is None:
            raise WrongUsage(
                f"Nobody on the watch list {self.list.name} has this key.",
                hint="Is it spelt as in the manifest, and is it this list?",
            )
        return found

    def withdraw(
        self, person: Person, reason: str, *, keep_photographs: bool, person_key: str = ""
    ) -> Withdrawn:
        """Take a person off the list, for good.

        Parameters
        ----------
        person
            Who.
        reason
            Why: goes into the audit, so no name belongs into it.
        keep_photographs
            Whether the photographs stay where they are.
        person_key
            The key that the person was found by: of one who is off the list, nothing here says it.

        Returns
        -------
        Withdrawn
            Of one who is off the list, what was still found: leads of a match that was under way.

        Raises
        ------
        WrongUsage
            If the reason is empty, or names the person by his key.
        JobFailed
            If somebody else changes the same person at the same time.
        AwsRefused
            If something can't be removed: run it again.
        """
        _check_reason(reason)
        key = self.people.secrets(person).person_key if person.sealed else person_key
        if key and key.casefold() in reason.casefold():
            raise WrongUsage("The reason has the person's key in it.", hint="The audit holds no names.")
        return self.end(person, State.WITHDRAWN, reason, keep_photographs=keep_photographs)

    def end(self, person: Person, ends_as: State, reason: str, *, keep_photographs: bool) -> Withdrawn:
        """Take a person off the list.

        Parameters
        ----------
        person
            Who.
        ends_as
            ``WITHDRAWN`` or ``EXPIRED``; a withdrawal that was begun is not ended as an expiry.
        reason
            Why.
        keep_photographs
            Whether the photographs stay; they do, too, if the run that began it was told so.

        Returns
        -------
        Withdrawn
        """
        person = self._begun(person, ends_as, reason, keep_photographs)
        faces = self._remove_faces(person)
        removed = kept = 0
        if person.sealed:
            removed, kept = self._remove_photographs(person, person.keeps)
        leads = self.leads.forget(person.watch_list, person.person_id)
        if person.state is State.WITHDRAWING:
            person = self._ended(person, faces, leads, removed)
        return Withdrawn(person.person_id, faces, leads, removed, kept, person.state.value)

    def faces(self) -> dict[str, list[str]]:
        """Return the ids of the faces in the collection by whose they are."""
        found: dict[str, list[str]] = {}
        for face in self._engine.faces(self.list.collection):
            if person := person_of(face.external_id):
                found.setdefault(person, []).append(face.face_id)
        return found

    def remove_faces(self, ids: Sequence[str]) -> int:
        """Remove faces by their ids; return how many were there."""
        return self._engine.delete_faces(self.list.collection, ids) if ids else 0

    def _begun(self, person: Person, ends_as: State, reason: str, keep: bool) -> Person:
        """Note it, unless that is done already; an expired person who is withdrawn stays off for good."""
        ends = (
            State.WITHDRAWN if State.WITHDRAWN in (ends_as, person.ends_as, person.state) else State.EXPIRED
        )
        if person.state in OVER and person.state is ends:
            return person
        keeps = person.keeps or keep
        if person.state is State.WITHDRAWING and (person.ends_as, person.keeps) == (ends, keeps):
            return person
        return self._write(
            replace(person, state=State.WITHDRAWING, ends_as=ends, keeps=keeps),
            "withdraw" if ends is State.WITHDRAWN else "expire",
            reason=reason,
        )

    def _ended(self, person: Person, faces: int, leads: int, photographs: int) -> Person:
        ends = person.ends_as or State.WITHDRAWN
        over = replace(person, state=ends, ends_as=None, keeps=False, faces=(), sealed="")
        return self._write(
            over, ends.value, also_list=True, faces=faces, leads=leads, photographs=photographs
        )

    def _write(self, person: Person, action: str, *, also_list: bool = False, **facts: str | int) -> Person:
        items = [self.people.put(person)]
        if also_list:
            items.append(self.people.end_change(self.list.name))
        try:
            self.audit.transact(items, action, watch_list=person.watch_list, person=person.person_id, **facts)
        except Unexpected:
            raise JobFailed(
                "The person was changed by somebody else at the same time.",
                hint="Run it again: it goes on where this run stopped.",
            ) from None
        return written(person)

    def _remove_faces(self, person: Person) -> int:
        """Remove what the row tells of, and what a run that was killed has left of him."""
        listed = self._engine.faces(self.list.collection)
        found = {face.face_id for face in listed if person_of(face.external_id) == person.person_id}
        ids = found | {face.face_id for face in person.faces if face.face_id}
        return self._engine.delete_faces(self.list.collection, sorted(ids))

    def _remove_photographs(self, person: Person, keep: bool) -> tuple[int, int]:
        places = sorted(set(self.people.secrets(person).places.values()))
        gone = 0 if keep else sum(self._remover.remove(place) for place in places)
        return gone, len(places) - gone


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > _MOST_REASON or not is_printable(reason):
        raise WrongUsage(
            f"A withdrawal has a reason of 1 to {_MOST_REASON} characters on one line.",
            hint='--reason "found, case closed": no names, the audit keeps it.',
        )
