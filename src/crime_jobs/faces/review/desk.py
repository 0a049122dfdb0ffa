"""What a reviewer does at the page: look at a lead, decide, go on. Knows nothing of HTTP."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.faces._lead_requests import Lines
from crime_jobs.faces._rows import Person, Secrets, State
from crime_jobs.faces.review.photographs import NotShown, Shown, Store, show
from crime_jobs.model.faces import Lead, WatchList, is_over

#: Leads whose photographs are kept in memory, a few MB each.
_KEPT = 4

_ID = re.compile(r"[0-9a-f]{32}")


class Queue(Protocol):
    """The leads; see `crime_jobs.faces.leads.Leads`."""

    def ids(self, watch_list: str) -> Iterator[str]:
        """List the ids of pending leads."""

    def get(self, lead_id: str) -> Lead:
        """Read a lead."""

    def decide(self, lead_id: str, confirmed: bool, reason: str, audit: Lines) -> Lead:
        """Decide on a lead."""


class Register(Protocol):
    """The people; see `crime_jobs.faces.people.People`."""

    def person(self, name: str, person: str) -> Person | None:
        """Return a person of a list."""

    def secrets(self, person: Person) -> Secrets:
        """Open what is sealed of a person."""


@dataclass(frozen=True)
class View:
    """A lead as a reviewer sees it.

    Parameters
    ----------
    lead
        The lead.
    person, secrets
        Whose enrolment it stands on, and from where and by what right.
    photograph, enrolled
        The photograph that it was found in, and the one that the candidate was enrolled with.
    """

    lead: Lead
    person: Person
    secrets: Secrets = field(repr=False)
    photograph: Shown | NotShown
    enrolled: Shown | NotShown

    @property
    def is_whole(self) -> bool:
        """Whether both photographs can be looked at."""
        return isinstance(self.photograph, Shown) and isinstance(self.enrolled, Shown)


@dataclass(frozen=True)
class Place:
    """Where a lead stands in the queue.

    Parameters
    ----------
    number, of
        Its number, from 1, and how many wait; 0 if it does not wait.
    before, after
        Ids of its neighbours, ``None`` at an end.
    decided
        How many were decided on at this desk.
    """

    number: int
    of: int
    before: str | None
    after: str | None
    decided: int


class Desk:
    """One reviewer's desk; threads may share it.

    Parameters
    ----------
    watch_list
        What leads are of.
    queue, register, store, audit
        Where leads, people and photographs are, and the lines about what is done.
    """

    def __init__(
        self, watch_list: WatchList, queue: Queue, register: Register, store: Store, audit: Lines
    ) -> None:
        self.watch_list = watch_list
        self.who = audit.who()
        self.counts = {"confirmed": 0, "rejected": 0}
        self._queue, self._register, self._store, self._audit = queue, register, store, audit
        self._lock = threading.Lock()
        self._order: list[str] = []
        self._done: set[str] = set()
        self._views: OrderedDict[str, View] = OrderedDict()
        #: Leads that were looked at, and whether both photographs could be.
        self._looked: dict[str, bool] = {}

    def first(self) -> str | None:
        """Read the queue anew, and return the lead that waits longest; ``None`` if none does.

        Raises
        ------
        AwsRefused
            If the queue can't be read.
        """
        order = list(self._queue.ids(self.watch_list.name))
        with self._lock:
            self._order = [one for one in order if one not in self._done]
            return self._order[0] if self._order else None

    def waiting(self) -> int:
        """Return how many wait, as far as is known here."""
        with self._lock:
            return sum(one not in self._done for one in self._order)

    def place(self, lead_id: str) -> Place:
        """Say where a lead stands, also one that was just decided on.

        Parameters
        ----------
        lead_id
            The lead.

        Returns
        -------
        Place
        """
        with self._lock:
            order = self._order
            at = order.index(lead_id) if lead_id in order else -1
            waiting = [one for one in order if one not in self._done]
            before = next((one for one in reversed(order[: max(at, 0)]) if one not in self._done), None)
            after = next((one for one in order[at + 1 :] if one not in self._done), None)
            number = waiting.index(lead_id) + 1 if lead_id in waiting else 0
            return Place(number, len(waiting), before, after, sum(self.counts.values()))

    def look(self, lead_id: str) -> View:
        """Look at a lead: the access is noted before a photograph is fetched.

        Parameters
        ----------
        lead_id
            The lead.

        Returns
        -------
        View

        Raises
        ------
        BadInput
            If it is gone, or its person is off the list.
        WrongUsage
            If it was decided on.
        AwsRefused
            If it can't be read, or the access can't be noted.
        """
        lead = self._pending(lead_id)
        person = self._register.person(lead.watch_list, lead.candidate.person_id)
        if person is None or person.state is not State.ACTIVE or is_over(person.expires):
            raise BadInput(
                "This lead's person was withdrawn from the watch list, or the enrolment has expired.",
                hint="Nothing of it is shown any more. Go on with the next.",
            )
        self._know(lead_id)
        with self._lock:
            view, noted = self._views.get(lead_id), lead_id in self._looked
        if view is not None and view.is_whole:  # what could not be shown is tried again
            return view
        if not noted:
            self._audit.write(
                "viewed",
                lead=lead_id,
                watch_list=lead.watch_list,
                purpose=str(lead.purpose),
                person=person.person_id,
            )
        view = self._seen(lead, person)
        with self._lock:
            self._looked[lead_id] = view.is_whole
            self._views[lead_id] = view
            while len(self._views) > _KEPT:
                self._views.popitem(last=False)
        return view

    def decide(self, lead_id: str, confirmed: bool, reason: str) -> Lead:
        """Decide on a lead that was looked at.

        Parameters
        ----------
        lead_id
            The lead.
        confirmed
            Whether it is accepted.
        reason
            Why, as `crime_jobs.faces.decisions.reason` puts it together.

        Returns
        -------
        Lead
            As decided.

        Raises
        ------
        WrongUsage
            If nobody looked, or somebody else decided before.
        BadInput
            If it is gone, or its person is off the list.
        AwsRefused
            If it can't be recorded.
        """
        with self._lock:
            looked = self._looked.get(lead_id)
        if looked is None or (confirmed and not looked):
            raise WrongUsage(
                "A lead is accepted only by somebody who has seen both photographs.",
                hint="Open it first." if looked is None else "One of them can't be shown.",
            )
        self._pending(lead_id)
        try:
            decided = self._queue.decide(lead_id, confirmed, reason, self._audit)
        except (BadInput, WrongUsage):
            self._finish(lead_id)  # gone, or somebody else's: it waits no longer
            raise
        self._finish(lead_id)
        with self._lock:
            self.counts[decided.state] += 1
        return decided

    def _know(self, lead_id: str) -> None:
        """Give a lead its place, also one that was found since the queue was read."""
        if lead_id in self._order:
            return
        self.first()
        with self._lock:
            if lead_id not in self._order:  # the index has it not yet
                self._order.append(lead_id)

    def _pending(self, lead_id: str) -> Lead:
        """Read a lead of this watch list that waits."""
        if not _ID.fullmatch(lead_id):
            raise BadInput("That is no lead's id.", hint="Go back to the queue.")
        try:
            lead = self._queue.get(lead_id)
        except BadInput:
            self._finish(lead_id)
            raise
        if lead.watch_list != self.watch_list.name:
            raise BadInput("That is no lead of this watch list.", hint="Go back to the queue.")
        if lead.state != "pending":
            self._finish(lead_id)
            raise WrongUsage(
                f"This lead was {lead.state} by {lead.decided_by} at "
                f"{lead.decided_at:%Y-%m-%d %H:%M} UTC. It no longer waits.",
                hint="Nothing is left to do. Speak with whoever decided if you see it otherwise.",
            )
        return lead

    def _finish(self, lead_id: str) -> None:
        with self._lock:
            self._done.add(lead_id)
            self._views.pop(lead_id, None)

    def _seen(self, lead: Lead, person: Person) -> View:
        secrets = self._register.secrets(person)
        return View(
            lead,
            person,
            secrets,
            show(self._store, lead.places, lead.photograph, lead.seen.box),
            self._enrolled(lead, person, secrets),
        )

    def _enrolled(self, lead: Lead, person: Person, secrets: Secrets) -> Shown | NotShown:
        """Show the photograph of the face that the lead is about, if the person is enrolled with it still."""
        faces = {face.digest: face for face in person.faces}
        found = next((face for face in person.faces if face.face_id == lead.candidate.face_id), None)
        if found is None:  # enrolled anew, with another version of the engine: it has another id
            places = {place: digest for digest, place in secrets.places.items()}
            found = faces.get(places.get(lead.candidate_place, ""))
        if found is None:
            return NotShown("The candidate is no longer enrolled with it.")
        place = secrets.places.get(found.digest, lead.candidate_place)
        return show(self._store, [place], found.digest, found.box)
