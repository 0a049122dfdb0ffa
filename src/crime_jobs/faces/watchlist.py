"""Enrolling: a manifest's people and their faces onto a watch list.

The order of things keeps it whole: a person's row names a photograph before its face is in the collection,
and has the face's id after. Whoever is killed in between leaves a face that its row tells of; the next run
adopts it (`reconcile`). A face that no row tells of is removed. So a run that was killed is finished by the
next, and one that has nothing to do changes nothing.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from crime_jobs.budget import Bucket
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.faces import manifest as manifests
from crime_jobs.faces import purpose as purposes
from crime_jobs.faces._called import check_name, collection_of
from crime_jobs.faces._enrolling import Enroller, Told, Wish
from crime_jobs.faces._reconcile import Reconciled, reconcile
from crime_jobs.faces.audit import Audit, Unexpected
from crime_jobs.faces.engine import Engine
from crime_jobs.faces.people import People, Person, State
from crime_jobs.faces.places import Place, open_place
from crime_jobs.model.faces import FaceSettings, Purpose, WatchList, person_id

if TYPE_CHECKING:
    from crime_jobs.faces.engine import Identity
    from crime_jobs.settings import Settings

#: Calls of a photograph that is enrolled: its faces are counted, then the one is kept.
CALLS = 2
#: People that are enrolled side by side.
_TOGETHER = 4


@dataclass(frozen=True)
class Plan:
    """What a run would do, and cost.

    Parameters
    ----------
    people, photographs
        That the manifest names.
    new
        Photographs that the engine would look at.
    left
        People on the list whom the manifest no longer names: told, and not touched.
    calls
        Calls of the engine.
    usd
        What they cost at the price of the settings.
    seconds
        How long they take at least, at the rate of the settings.
    engine
        Who would look at them.
    """

    people: int
    photographs: int
    new: int
    left: int
    calls: int
    usd: float
    seconds: float
    engine: str


@dataclass(frozen=True)
class Enrolled:
    """What a run did.

    Parameters
    ----------
    lines
        What became of each line of the manifest, in order.
    reconciled
        What an earlier run had left.
    calls
        Calls of the engine that were made, by operation.
    usd
        What those that look at pictures cost, at the price of the settings.
    left
        People on the list whom the manifest no longer names.
    off
        People whom it names and who are no longer on the list, since none of their photographs will do.
    """

    lines: tuple[Told, ...]
    reconciled: Reconciled
    calls: Mapping[str, int]
    usd: float
    left: int
    off: int = 0

    @property
    def counts(self) -> Counter[str]:
        """Lines by what became of them."""
        return Counter(told.outcome for told in self.lines)

    @property
    def paid(self) -> int:
        """Calls that looked at a picture: those that cost something."""
        return _paid(self.calls)


def _paid(calls: Mapping[str, int]) -> int:
    return sum(number for name, number in calls.items() if name in ("detect_faces", "index_faces"))


@dataclass
class _Found:
    """What is there before a run."""

    identity: Identity
    watch_list: WatchList | None
    rows: dict[str, Person] = field(default_factory=dict)


class Enrolling:
    """A run of `crime-jobs faces enrol`.

    Parameters
    ----------
    settings
        The environment.
    faces
        What it says of faces.
    manifest
        ``s3://`` URI or path.
    name
        Of the watch list.
    purpose
        What for.
    again
        Whether people who were withdrawn may come onto the list again.

    Raises
    ------
    WrongUsage
        If the name is none.
    """

    def __init__(
        self,
        settings: Settings,
        faces: FaceSettings,
        manifest: str,
        name: str,
        purpose: Purpose,
        *,
        again: bool = False,
    ) -> None:
        check_name(name)
        self._settings, self._faces = settings, faces
        self._name, self._purpose, self._again = name, purpose, again
        self._place: Place = open_place(manifest, settings)
        self._engine = Engine(settings, faces, Bucket(faces.calls_per_second).pay, writes=True)
        self._people = People(settings, faces)
        self._audit = Audit(settings, faces)
        self._wishes: list[Wish] = []
        self._digest = ""
        self._marks: Mapping[str, str] = {}
        self._found: _Found | None = None

    def plan(self) -> Plan:
        """Read the manifest and say what is to be done; nothing is changed, and no picture is looked at.

        Returns
        -------
        Plan

        Raises
        ------
        BadInput
            If the manifest can't be taken.
        WrongUsage
            If the purpose is barred or not the list's, or the list's faces are of another engine.
        AwsRefused
            If something can't be read.
        """
        found = self._read()
        new = sum(self._is_new(found.rows.get(wish.person_id), wish) for wish in self._wishes)
        calls = CALLS * new
        return Plan(
            people=len(self._wishes),
            photographs=sum(len(wish.photographs) for wish in self._wishes),
            new=new,
            left=len(self._left(found.rows)),
            calls=calls,
            usd=round(calls * self._faces.price_per_call, 4),
            seconds=round(calls / self._faces.calls_per_second, 1),
            engine=f"{found.identity.name} {found.identity.version}".strip(),
        )

    def run(self, tell: Callable[[int, int], None] = lambda *_: None) -> Enrolled:
        """Do what was planned.

        Parameters
        ----------
        tell
            Called after each person with how many are done, and of how many.

        Returns
        -------
        Enrolled

        Raises
        ------
        AwsRefused
            If AWS or the engine refuses: what is done stays, the next run goes on.
        """
        watch_list = self._ready(self._read())
        self._audit.write(
            "enrol",
            watch_list=self._name,
            purpose=self._purpose.value,
            engine=watch_list.engine,
            engine_version=watch_list.engine_version,
            manifest=self._digest,
            people=len(self._wishes),
        )
        # Of these we are going on with what they began; who begins later ends it himself.
        changes = self._people.changes(self._name)
        run = uuid.uuid4().hex

        def changing() -> dict[str, Any]:
            changes.add(run)
            return self._people.changing(self._name, run)

        reconciled = reconcile(self._engine, self._people, watch_list, changing)
        rows = {person.person_id: person for person in self._people.everyone(self._name)}
        enroller = Enroller(
            *(self._engine, self._people, self._audit, self._place, watch_list, self._marks),
            again=self._again,
            changing=changing,
        )
        lines = self._all(enroller, rows, tell)
        if changes:
            self._end(lines, changes)
        return Enrolled(
            tuple(sorted(lines, key=lambda told: told.line)),
            reconciled,
            dict(self._engine.calls),
            round(_paid(self._engine.calls) * self._faces.price_per_call, 4),
            len(self._left(rows)),
            len(enroller.off),
        )

    def _read(self) -> _Found:
        """Read the manifest and what is there, once."""
        if self._found is None:
            content = self._place.manifest()
            self._digest = hashlib.sha256(content).hexdigest()
            self._wishes = _wishes(self._name, manifests.parse(content))
            self._found = self._look()
            self._marks = self._place.marks()
        return self._found

    def _look(self) -> _Found:
        watch_list = self._people.find_list(self._name)
        identity = self._engine.identity(watch_list.collection if watch_list else self._collection)
        purposes.demand(self._purpose, identity, self._audit, self._name)
        if watch_list is None:
            return _Found(identity, None)
        purposes.demand_same(watch_list, self._purpose, self._audit)
        purposes.check_engine(watch_list, identity)
        rows = {person.person_id: person for person in self._people.everyone(self._name)}
        return _Found(identity, watch_list, rows)

    @property
    def _collection(self) -> str:
        return collection_of(self._name, self._faces)

    def _ready(self, found: _Found) -> WatchList:
        """Return the list, with its collection; both are made if they are not there."""
        collection = found.watch_list.collection if found.watch_list else self._collection
        version = self._engine.ensure_collection(
            collection, {"project": "crime-jobs", "environment": self._settings.env, "stream": "faces"}
        )
        if found.watch_list:
            # A collection that was gone is made anew, perhaps with embeddings of another version.
            purposes.check_engine(found.watch_list, replace(found.identity, version=version))
            return found.watch_list
        if next(self._engine.faces(collection), None) is not None:
            raise WrongUsage(
                f"The engine has a collection {collection} with faces, and no watch list here tells of it: "
                "it may be another environment's. Nothing was changed.",
                hint="Give the watch list another name. If the collection is nobody's any more, remove it.",
            )
        made = WatchList(
            name=self._name,
            purpose=self._purpose,
            collection=collection,
            engine=found.identity.name,
            engine_version=version,
        )
        try:
            self._audit.transact(
                [self._people.make_list(made)], "list", watch_list=self._name, purpose=self._purpose.value
            )
        except Unexpected:
            raise JobFailed(
                f"The watch list {self._name} was made by somebody else in the meantime.",
                hint="Run it again.",
            ) from None
        return made

    def _all(
        self, enroller: Enroller, rows: Mapping[str, Person], tell: Callable[[int, int], None]
    ) -> list[Told]:
        lines: list[Told] = []
        pool = ThreadPoolExecutor(_TOGETHER)
        try:
            work = pool.map(lambda wish: enroller.enrol(wish, rows.get(wish.person_id)), self._wishes)
            for done, told in enumerate(work, 1):
                lines += told
                tell(done, len(self._wishes))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C and refusals: who is under way is finished
        return lines

    def _end(self, lines: Iterable[Told], changes: Collection[str]) -> None:
        counts = Counter(told.outcome for told in lines)
        self._audit.transact(
            [self._people.end_change(self._name, changes)],
            "enrolled",
            watch_list=self._name,
            manifest=self._digest,
            **{str(name): number for name, number in counts.items()},
        )

    def _is_new(self, row: Person | None, wish: Wish) -> int:
        """Return how many photographs of a person the engine would have to look at."""
        if row is not None and row.state in (State.WITHDRAWN, State.WITHDRAWING) and not self._again:
            return 0
        known = {face.mark for face in row.faces if face.face_id} if row else set()
        marks = (self._marks.get(one.photograph) for one in wish.photographs)
        return sum(mark is not None and mark not in known for mark in marks)

    def _left(self, rows: Mapping[str, Person]) -> set[str]:
        there = {one for one, person in rows.items() if person.state is State.ACTIVE}
        return there - {wish.person_id for wish in self._wishes}


def _wishes(name: str, lines: Sequence[manifests.Enrolment]) -> list[Wish]:
    """Return the people of a manifest, each with all photographs."""
    found: dict[str, list[manifests.Enrolment]] = {}
    for line in lines:
        found.setdefault(line.person_key, []).append(line)
    return [
        Wish(
            person_id=person_id(name, key),
            person_key=key,
            source="; ".join(dict.fromkeys(one.source for one in photographs)),
            legal_basis=photographs[0].legal_basis,
            expires=photographs[0].expires,
            photographs=tuple(photographs),
        )
        for key, photographs in found.items()
    ]
