"""What a watch list and a person on it are as rows of their table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from crime_jobs.model.faces import Box, Purpose, WatchList

#: Sort key of the row of the watch list itself.
LIST = "#list"


class State(StrEnum):
    """Where a person on a watch list stands; the last two are all that is left of him."""

    ACTIVE = "active"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


#: States of which nothing but the row is left.
OVER = frozenset({State.WITHDRAWN, State.EXPIRED})


@dataclass(frozen=True)
class Face:
    """A photograph that a person is enrolled with.

    Parameters
    ----------
    digest
        SHA-256 of its bytes.
    face_id
        The engine's id; nothing while it is being enrolled.
    mark
        What the photograph was when it was read: a hash of its place and ``ETag``.
    box
        Where in the photograph the engine saw the face, for those who compare by eye.
    """

    digest: str
    face_id: str
    mark: str
    box: Box | None = None


@dataclass(frozen=True)
class Person:
    """A person on a watch list.

    Parameters
    ----------
    watch_list, person_id
        Which.
    state
        Where he stands.
    expires
        His last day.
    faces
        What he is enrolled with.
    sealed
        `Secrets`, sealed; nothing once he is off the list.
    enrolled_at, enrolled_by
        When first, UTC, and by whom (an ARN).
    ends_as
        While being withdrawn: the state that it ends in.
    keeps
        While being withdrawn: whether the photographs stay, whoever finishes it.
    writes
        How often the row was written.
    """

    watch_list: str
    person_id: str
    state: State
    expires: date
    faces: tuple[Face, ...] = ()
    sealed: str = field(default="", repr=False)
    enrolled_at: str = ""
    enrolled_by: str = ""
    ends_as: State | None = None
    keeps: bool = False
    writes: int = 0


@dataclass(frozen=True)
class Secrets:
    """What only those may read who enrol, review or withdraw.

    Parameters
    ----------
    person_key
        The department's key.
    source, legal_basis
        Where it comes from, and by what right.
    places
        URI of each photograph by the SHA-256 of its bytes.
    """

    person_key: str = field(repr=False)
    source: str = field(repr=False)
    legal_basis: str = field(repr=False)
    places: Mapping[str, str] = field(default_factory=dict, repr=False)


def written(person: Person) -> Person:
    """Return a person as the row is after it was written."""
    return replace(person, writes=person.writes + 1)


def now_text() -> str:
    """Return the present as rows have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def subject(person: Person) -> str:
    """Return what the sealed part of a person's row is about."""
    return f"{person.watch_list}/{person.person_id}"


def key_of(name: str, person: str) -> dict[str, Any]:
    """Return the key of a row."""
    return {"watch_list": {"S": name}, "person_id": {"S": person}}


def list_of(item: Mapping[str, Any]) -> WatchList:
    """Read the row of a watch list."""
    return WatchList(
        name=item["watch_list"]["S"],
        purpose=Purpose(item["purpose"]["S"]),
        collection=item["collection"]["S"],
        engine=item["engine"]["S"],
        engine_version=item["engine_version"]["S"],
        revision=int(item["revision"]["N"]),
    )


def item_of(person: Person) -> dict[str, Any]:
    """Return a person as a row."""
    faces = [{"M": _face_item(face)} for face in person.faces]
    item: dict[str, Any] = {
        **key_of(person.watch_list, person.person_id),
        "state": {"S": person.state.value},
        "expires": {"S": person.expires.isoformat()},
        "faces": {"L": faces},
        "enrolled_at": {"S": person.enrolled_at},
        "enrolled_by": {"S": person.enrolled_by},
        "writes": {"N": str(person.writes)},
    }
    if person.sealed:
        item["sealed"] = {"S": person.sealed}
    if person.ends_as:
        item["ends_as"] = {"S": person.ends_as.value}
    if person.keeps:
        item["keeps"] = {"BOOL": True}
    return item


def _face_item(face: Face) -> dict[str, Any]:
    item = {"digest": {"S": face.digest}, "face_id": {"S": face.face_id}, "mark": {"S": face.mark}}
    return item | ({"box": {"S": face.box.model_dump_json()}} if face.box else {})


def _box_of(item: Mapping[str, Any]) -> Box | None:
    return Box.model_validate_json(item["box"]["S"]) if "box" in item else None


def person_of(item: Mapping[str, Any]) -> Person:
    """Read the row of a person."""
    ends_as = item.get("ends_as", {}).get("S")
    return Person(
        watch_list=item["watch_list"]["S"],
        person_id=item["person_id"]["S"],
        state=State(item["state"]["S"]),
        expires=date.fromisoformat(item["expires"]["S"]),
        faces=tuple(
            Face(one["M"]["digest"]["S"], one["M"]["face_id"]["S"], one["M"]["mark"]["S"], _box_of(one["M"]))
            for one in item["faces"]["L"]
        ),
        sealed=item.get("sealed", {}).get("S", ""),
        enrolled_at=item["enrolled_at"]["S"],
        enrolled_by=item["enrolled_by"]["S"],
        ends_as=State(ends_as) if ends_as else None,
        keeps=bool(item.get("keeps", {}).get("BOOL")),
        writes=int(item["writes"]["N"]),
    )
