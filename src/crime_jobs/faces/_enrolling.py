"""Enrolling one person: each photograph looked at, its row written, its face kept, its id noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from crime_jobs.errors import JobFailed
from crime_jobs.faces import pictures
from crime_jobs.faces.audit import Audit, Unexpected
from crime_jobs.faces.engine import Engine, UnfitPicture, external_id
from crime_jobs.faces.manifest import Enrolment
from crime_jobs.faces.people import Face, People, Person, Secrets, State, now_text, written
from crime_jobs.faces.pictures import Unreadable
from crime_jobs.faces.places import Gone, Photograph, Place
from crime_jobs.model.faces import WatchList

ENROLLED, KNOWN, REFUSED = "enrolled", "known", "refused"


@dataclass(frozen=True)
class Wish:
    """A person whom a manifest names.

    Parameters
    ----------
    person_id
        The pseudonym.
    person_key, source, legal_basis, expires
        As the manifest has them.
    photographs
        The lines.
    """

    person_id: str
    person_key: str = field(repr=False)
    source: str = field(repr=False)
    legal_basis: str = field(repr=False)
    expires: date
    photographs: tuple[Enrolment, ...]


@dataclass(frozen=True)
class Told:
    """What became of a line of the manifest.

    Parameters
    ----------
    line
        Its number.
    outcome
        ``enrolled``, ``known`` (it was there) or ``refused``.
    why
        Why it was refused.
    """

    line: int
    outcome: str
    why: str = ""


class _Unusable(Exception):  # noqa: N818 - reads as what it is
    """A photograph that nobody is enrolled with; the words are for the one who wrote the manifest."""


@dataclass
class _State:
    """A person while being enrolled: the row as it is to be, what is sealed in it, the row as it was written.

    If none of the photographs will do it becomes what it ``was``; who was on the list is off it, as expired.
    """

    person: Person
    secrets: Secrets
    was: State = State.EXPIRED
    written: Person | None = None


class Enroller:
    """Enrols people of one watch list; threads may share it, a person each.

    Parameters
    ----------
    engine, people, audit, place
        What it works with.
    watch_list
        The list.
    marks
        What the photographs are now, by name; see `crime_jobs.faces.places.mark`.
    again
        Whether people who were withdrawn come onto the list again.
    changing
        Returns what is written with each row: that the list is being changed.

    Attributes
    ----------
    off
        People who were on the list and no longer are, since none of their photographs will do.
    """

    def __init__(
        self,
        engine: Engine,
        people: People,
        audit: Audit,
        place: Place,
        watch_list: WatchList,
        marks: Mapping[str, str],
        *,
        again: bool,
        changing: Callable[[], dict[str, Any]],
    ) -> None:
        self._engine, self._people, self._audit, self._place = engine, people, audit, place
        self._list, self._marks, self._again, self._changing = watch_list, marks, again, changing
        self.off: list[str] = []

    def enrol(self, wish: Wish, row: Person | None) -> list[Told]:
        """Enrol a person.

        Parameters
        ----------
        wish
            Who.
        row
            His row, if there is one.

        Returns
        -------
        list of Told
            What became of each line.

        Raises
        ------
        AwsRefused
            If AWS or the engine refuses for good.
        JobFailed
            If somebody else changes the same person at the same time.
        """
        if row is not None and (why := self._barred(row)):
            return [Told(one.line, REFUSED, why) for one in wish.photographs]
        state = self._begun(wish, row)
        lines = [self._line(state, one) for one in wish.photographs]
        self._finish(state)
        return lines

    def _barred(self, row: Person) -> str:
        if row.state is State.WITHDRAWING:
            return "the person is being withdrawn: finish that first (`crime-jobs faces withdraw`)"
        if row.state is State.WITHDRAWN and not self._again:
            return "the person was withdrawn: take the line out, or say --again"
        return ""

    def _begun(self, wish: Wish, row: Person | None) -> _State:
        """Return what to begin with; a row that differs from the manifest is brought up to date."""
        if row is None or row.state is not State.ACTIVE:
            person = Person(
                self._list.name,
                wish.person_id,
                State.ACTIVE,
                wish.expires,
                enrolled_at=now_text(),
                enrolled_by=self._audit.who(),
                writes=row.writes if row else 0,
            )
            was = row.state if row else State.EXPIRED
            return _State(person, Secrets(wish.person_key, wish.source, wish.legal_basis), was)
        secrets = self._people.secrets(row)
        told = replace(secrets, source=wish.source, legal_basis=wish.legal_basis)
        state = _State(replace(row, expires=wish.expires), told, row.state, written=row)
        if (row.expires, secrets) != (wish.expires, told):
            self._write(state, "update")
        return state

    def _line(self, state: _State, line: Enrolment) -> Told:
        mark = self._marks.get(line.photograph)
        known = next((f for f in state.person.faces if f.mark == mark and f.face_id), None)
        if known is not None:
            # A run that was killed may have left beside it what stood at its place before.
            if gone := self._replaced(state, known.digest, self._place.uri(line.photograph)):
                self._save(state)
                self._engine.delete_faces(self._list.collection, gone)
            return Told(line.line, KNOWN)
        try:
            if mark is None:  # asked for it, S3 would refuse, not say so, to whoever may not list all
                raise Gone  # noqa: TRY301
            photograph = self._place.read(line.photograph)
            return self._photograph(state, line, photograph)
        except Gone:
            return Told(line.line, REFUSED, "the photograph is not there")
        except (_Unusable, Unreadable) as error:
            return Told(line.line, REFUSED, f"the photograph can't be used: {error}")
        except UnfitPicture as error:
            return Told(line.line, REFUSED, f"the photograph can't be used: {error.why}")

    def _photograph(self, state: _State, line: Enrolment, photograph: Photograph) -> Told:
        digest, uri = photograph.digest, self._place.uri(line.photograph)
        known = next((face for face in state.person.faces if face.digest == digest), None)
        if known and known.face_id:
            # The same picture, at another place or put there anew.
            self._replace(state, known, replace(known, mark=photograph.mark), uri)
            self._write(state, "update")
            return Told(line.line, KNOWN)
        picture = pictures.fit(pictures.read(photograph.content))
        self._check(picture)
        face = Face(digest, "", photograph.mark)
        self._replace(state, known, face, uri)
        self._write(state, "enrol-face", face=digest[:32])  # the row tells of the face before it is there
        kept = self._engine.index(self._list.collection, picture, external_id(state.person.person_id, digest))
        if not kept.faces:
            self._replace(state, face, None, uri)
            # What stood at this place before stays in the row: nothing is kept that no row tells of.
            raise _Unusable(f"its face is too poor ({', '.join(kept.reasons).lower() or 'no reason given'})")
        face_id, seen = kept.faces[0]
        self._replace(state, face, replace(face, face_id=face_id, box=seen.box), uri)
        gone = self._replaced(state, digest, uri)
        try:
            self._save(state)
        except JobFailed:  # he was withdrawn in this moment: the face goes with him
            self._engine.delete_faces(self._list.collection, [face_id])
            raise
        self._engine.delete_faces(self._list.collection, gone)
        return Told(line.line, ENROLLED)

    def _check(self, picture: bytes) -> None:
        seen = self._engine.detect(picture)
        if not seen:
            raise _Unusable("no face is found in it")
        if len(seen) > 1:
            raise _Unusable(f"it has {len(seen)} faces: cut it to the one")

    def _replace(self, state: _State, old: Face | None, new: Face | None, uri: str) -> None:
        faces = tuple(new if face == old else face for face in state.person.faces)
        if old is None and new is not None:
            faces = (*faces, new)
        state.person = replace(state.person, faces=tuple(face for face in faces if face is not None))
        places = dict(state.secrets.places)
        if new is not None:
            places[new.digest] = uri
        elif old is not None:
            places.pop(old.digest, None)
        state.secrets = replace(state.secrets, places=places)

    def _replaced(self, state: _State, digest: str, uri: str) -> list[str]:
        """Take out of the row what stood at the same place before; return the ids of its faces."""
        old = {one for one, place in state.secrets.places.items() if place == uri and one != digest}
        gone = [face.face_id for face in state.person.faces if face.digest in old and face.face_id]
        left = tuple(face for face in state.person.faces if face.digest not in old)
        state.person = replace(state.person, faces=left)
        places = {one: place for one, place in state.secrets.places.items() if one not in old}
        state.secrets = replace(state.secrets, places=places)
        return gone

    def _finish(self, state: _State) -> None:
        """Take out of the row what turned out to be too poor; nothing is kept of a person without a face."""
        if state.written is None or state.written.faces == state.person.faces:
            return
        if state.person.faces:
            self._save(state)
            return
        was_on = state.was is State.ACTIVE
        state.person = replace(state.person, state=State.EXPIRED if was_on else state.was)
        self._write(state, "not-enrolled")
        if was_on:
            self.off.append(state.person.person_id)

    def _write(self, state: _State, action: str, **facts: str) -> None:
        """Write the row together with a line of the audit."""
        is_on = state.person.state is State.ACTIVE
        person = self._people.seal(state.person, state.secrets) if is_on else replace(state.person, sealed="")
        try:
            self._audit.transact(
                [self._people.put(person), self._changing()],
                action,
                watch_list=person.watch_list,
                person=person.person_id,
                expires=person.expires.isoformat(),
                **facts,
            )
        except Unexpected:
            raise _changed() from None
        state.person = state.written = written(person)

    def _save(self, state: _State) -> None:
        """Write the row that has a face's id now; the audit has the face already."""
        person = self._people.seal(state.person, state.secrets)
        saved = self._people.save(person, self._changing())
        if saved is None:
            raise _changed()
        state.person = state.written = saved


def _changed() -> JobFailed:
    return JobFailed(
        "A person was changed by somebody else while being enrolled: withdrawn, or by another run.",
        hint="Run it again: it goes on, and removes faces that nobody tells of.",
    )
