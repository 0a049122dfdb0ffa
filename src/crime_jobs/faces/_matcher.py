"""What a task of Spark does with its photographs: fetch, match, add the leads, and only then note it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crime_jobs.errors import WrongUsage
from crime_jobs.faces import pictures, purpose
from crime_jobs.faces._twins import Twins
from crime_jobs.faces.engine import Engine, Identity, UnfitPicture
from crime_jobs.faces.leads import Leads
from crime_jobs.faces.matching import Asked, Match, Outcome, match
from crime_jobs.faces.people import People, Person, State
from crime_jobs.faces.photographs import Found, Photographs, fetch
from crime_jobs.faces.pictures import Reason, Unreadable
from crime_jobs.model.faces import Candidate, FaceSettings, Lead, WatchList, is_over, lead_id

if TYPE_CHECKING:
    from crime_jobs.budget import Budget
    from crime_jobs.settings import Settings


@dataclass
class Tally:
    """What was counted of some photographs.

    Parameters
    ----------
    photographs
        That were looked at and are matched.
    already
        That turned out to be matched already.
    faces, searched, crowded
        Faces that were found and searched for; photographs with as many faces as the engine tells of.
    new, known, over, dropped
        Leads that are new, or known; those of people whose enrolment ended meanwhile; candidates who are not
        on the list.
    same, spared
        Photographs of the same bytes as another that nobody was found in, and the calls that were not made
        for them; they are counted in the others, too.
    skipped, unreadable, calls
        Faces that were not searched for, and photographs that could not be read, by reason; calls of the
        engine by operation.
    """

    photographs: int = 0
    already: int = 0
    faces: int = 0
    searched: int = 0
    crowded: int = 0
    new: int = 0
    known: int = 0
    over: int = 0
    dropped: int = 0
    same: int = 0
    spared: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Add what was counted of others.

        Parameters
        ----------
        other
            Those.
        """
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def count(self, outcome: Outcome) -> None:
        """Count a photograph.

        Parameters
        ----------
        outcome
            What became of it.
        """
        self.photographs += 1
        self.faces += outcome.faces
        self.searched += outcome.searched
        self.crowded += outcome.is_crowded
        self.dropped += outcome.dropped
        self.skipped.update(outcome.skipped)


@dataclass(frozen=True)
class Matcher:
    """Matches photographs; travels to the executors.

    Parameters
    ----------
    settings, faces
        Where everything is.
    watch_list
        What they are held against.
    asked
        Threshold and bar.
    identity
        Who compares.
    run
        The run's name.
    matched_as
        Fingerprint of all of this; see `fingerprint`.
    budget
        The calls a second of all executors together.
    """

    settings: Settings
    faces: FaceSettings
    watch_list: WatchList
    asked: Asked
    identity: Identity
    run: str
    matched_as: str
    budget: Budget | None = None

    def __call__(self, found: Iterable[Found]) -> Tally:
        """Match some photographs, each whole before the next.

        Parameters
        ----------
        found
            The photographs, `crime_jobs.faces.photographs.BATCH` at most.

        Returns
        -------
        Tally
        """
        return _Batch(self).match(list(found))


def fingerprint(watch_list: WatchList, asked: Asked, identity: Identity) -> str:
    """Return what changes when the same photograph may have other leads.

    Parameters
    ----------
    watch_list
        The list, as it is now: each enrolment raises its revision.
    asked
        Threshold and bar.
    identity
        Who compares.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    told = [
        *(identity.name, identity.version, watch_list.collection, watch_list.revision),
        *(asked.threshold, asked.bar.confidence, asked.bar.side),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


class _Tools:
    """What speaks to AWS and to the engine: kept by a process for all its batches of a run."""

    def __init__(self, matcher: Matcher) -> None:
        given = (matcher.settings, matcher.faces)
        self.engine = Engine(*given, matcher.budget.open().pay if matcher.budget else None)
        # An executor has an environment of its own: without the address, its pictures would go to AWS.
        _check(matcher, self.engine.identity(matcher.watch_list.collection))
        self.people, self.leads = People(*given), Leads(*given)
        self.ledger = Photographs(*given, matcher.watch_list.name)
        self.twins = Twins(*given, matcher.watch_list.name, matcher.matched_as)


def _check(matcher: Matcher, answers: Identity) -> None:
    """Refuse another engine than the driver's, before it is given a picture."""
    purpose.check(matcher.watch_list.purpose, answers)
    if answers != matcher.identity:
        meant, found = (f"{one.name} {one.version}".strip() for one in (matcher.identity, answers))
        raise WrongUsage(
            f"Where the job was started answers {meant}, at an executor {found}: no picture was sent.",
            hint="Give the executors the address too: spark.executorEnv.AWS_ENDPOINT_URL_REKOGNITION "
            "(docs/faces.md). If the engine was changed meanwhile, run it again.",
        )


_kept: dict[str, _Tools] = {}


def _tools(matcher: Matcher) -> _Tools:
    if matcher.run not in _kept:
        _kept.clear()
        _kept[matcher.run] = _Tools(matcher)
    return _kept[matcher.run]


class _Batch:
    """A batch that is under way."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher, self._tools = matcher, _tools(matcher)
        self._persons: dict[str, Person | None] = {}

    def match(self, found: list[Found]) -> Tally:
        """Match the photographs that another attempt at this batch has not matched already."""
        tally, before = Tally(), Counter(self._tools.engine.calls)
        done = self._tools.ledger.done_of([one.photograph for one in found], self._matcher.matched_as)
        for one in found:
            if one.photograph in done:
                tally.already += 1
                continue
            try:
                self._one(one, tally)
            except Unreadable as error:
                tally.unreadable[error.reason] += 1
                self._tools.ledger.note_unreadable(one, error.reason, self._matcher.run)
        tally.calls = Counter(self._tools.engine.calls) - before
        return tally

    def _one(self, found: Found, tally: Tally) -> None:
        content = fetch(self._matcher.settings, found)
        digest = hashlib.sha256(content).hexdigest()
        outcome = self._tools.twins.of(digest)
        if outcome is None:
            outcome = self._looked(content)
            added = self._tools.leads.add([self._lead(found, digest, one) for one in outcome.matches])
            tally.new += added.new
            tally.known += added.known
            tally.over += added.over
            self._tools.twins.note(digest, outcome)
        else:
            tally.same += 1
            tally.spared += 1 + outcome.searched
        tally.count(outcome)
        facts = {"digest": digest, "faces": outcome.faces, "searched": outcome.searched}
        self._tools.ledger.note_done(
            found,
            self._matcher.matched_as,
            {**facts, "leads": len(outcome.matches), "run": self._matcher.run},
        )

    def _looked(self, content: bytes) -> Outcome:
        picture = pictures.read(content)
        # Asked for anew with each photograph: who was withdrawn a moment ago is not looked for any more.
        self._persons.clear()
        try:
            return match(picture, self._tools.engine, self._matcher.asked, self._is_listed)
        except UnfitPicture:
            raise Unreadable(Reason.ENGINE) from None

    def _is_listed(self, candidate: Candidate) -> bool:
        """Tell whether a face in the collection is one that its person is enrolled with, and is so still."""
        known = candidate.person_id
        if known not in self._persons:
            self._persons[known] = self._tools.people.person(self._matcher.watch_list.name, known)
        person = self._persons[known]
        return (
            person is not None
            and person.state is State.ACTIVE
            and not is_over(person.expires)
            and any(face.face_id == candidate.face_id for face in person.faces)
        )

    def _lead(self, found: Found, digest: str, one: Match) -> Lead:
        matcher, watch_list = self._matcher, self._matcher.watch_list
        return Lead(
            lead_id=lead_id(watch_list.name, digest, one.seen.box, one.candidate.person_id),
            watch_list=watch_list.name,
            purpose=watch_list.purpose,
            photograph=digest,
            places=(found.uri,),
            seen=one.seen,
            candidate=one.candidate,
            candidate_place=self._place_of(one.candidate),
            threshold=matcher.asked.threshold,
            engine=matcher.identity.name,
            engine_version=matcher.identity.version,
            run=matcher.run,
            found_at=datetime.now(UTC),
        )

    def _place_of(self, candidate: Candidate) -> str:
        """Return where the photograph is that a candidate was enrolled with."""
        person = self._persons[candidate.person_id]
        assert person is not None  # noqa: S101 - `_is_listed` has looked
        digest = next(face.digest for face in person.faces if face.face_id == candidate.face_id)
        return self._tools.people.secrets(person).places.get(digest, "")
