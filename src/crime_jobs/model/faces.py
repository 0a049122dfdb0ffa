"""Faces: what a watch list, a photograph's face and a lead are. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crime_jobs.model.sections import read_table

#: A name that is part of a collection's id and of keys; Rekognition allows ``[a-zA-Z0-9_.\\-]+``
#: (https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateCollection.html).
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"


#: What rows are sealed for; see `crime_jobs.sealing.Sealer`.
SEALED_FOR = "crime-jobs-faces"


class Purpose(StrEnum):
    """What faces are compared for; a watch list has one, and it is said at each use."""

    MISSING_PERSON = "missing-person"
    UNIDENTIFIED_BODY = "unidentified-body"
    CRIMINAL_INVESTIGATION = "criminal-investigation"


class FaceSettings(BaseModel):
    """The table ``[<environment>.faces]`` of ``crime-jobs.toml``; every name has a default.

    Parameters
    ----------
    engine
        What compares the faces: ``rekognition`` is AWS's, ``on-premises`` the engine of one's own. What
        really answers is asked too, see `crime_jobs.faces.purpose`.
    engine_secret, engine_write_secret
        Names or ARNs of secrets with the access key of an on-premises engine, which knows the keys of its
        clients and no role: the first is for matching and comparing, the second for who changes a collection
        (enrolment, withdrawal, expiry). Without one, the credentials of whoever runs it sign.
    people_table, photographs_table, leads_table, audit_table
        DynamoDB tables: watch lists and their people, photographs that were matched, leads, and who did what.
    key
        Alias of the KMS key that names, sources and places of photographs are sealed with.
    threshold
        Least similarity of a lead, in per cent. AWS's guidance for law enforcement is 99
        (https://docs.aws.amazon.com/rekognition/latest/dg/considerations-public-safety-use-cases.html).
    calls_per_second
        Calls of the engine of one run, over all its executors: at most the account's quota for the region, or
        what the engine bears. Runs at the same time have it each.
    price_per_call
        USD of a call that looks at a picture, of the first million a month
        (https://aws.amazon.com/rekognition/pricing/); 0 for an engine of one's own.
    lead_days
        Days after which a lead that nobody decided on is removed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["rekognition", "on-premises"] = "rekognition"
    engine_secret: str = ""
    engine_write_secret: str = ""
    people_table: str = "face_people"
    photographs_table: str = "face_photographs"
    leads_table: str = "face_leads"
    audit_table: str = "face_audit"
    key: str = "alias/crime-jobs-faces"
    threshold: float = Field(default=99.0, ge=80, le=100)
    calls_per_second: float = Field(default=5.0, gt=0)
    price_per_call: float = Field(default=0.001, ge=0)
    lead_days: int = Field(default=90, gt=0, le=36_500)

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        """Read the table from JSON, as a job is told it."""
        return json.loads(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _keys_are_for_ones_own(self) -> FaceSettings:
        if self.engine == "rekognition" and (self.engine_secret or self.engine_write_secret):
            raise ValueError("AWS's engine takes no key of its own: leave out engine_secret")
        return self


class Box(BaseModel):
    """A face's box as shares of the picture's width and height; it may reach beyond the picture."""

    model_config = ConfigDict(frozen=True)

    left: float
    top: float
    width: float = Field(gt=0)
    height: float = Field(gt=0)


class Seen(BaseModel):
    """A face that was found in a picture.

    Parameters
    ----------
    box
        Where it is.
    confidence
        That it is a face at all, in per cent.
    brightness, sharpness
        Its quality, 0 to 100.
    """

    model_config = ConfigDict(frozen=True)

    box: Box
    confidence: float
    brightness: float
    sharpness: float


class Candidate(BaseModel):
    """A face of a watch list that is like one that was searched for.

    Parameters
    ----------
    face_id
        The engine's id of the enrolled face.
    person_id
        Whose it is; see `person_id`.
    similarity
        In per cent.
    """

    model_config = ConfigDict(frozen=True)

    face_id: str
    person_id: str
    similarity: float


class WatchList(BaseModel):
    """A list of people that photographs are held against.

    Parameters
    ----------
    name
        Its name.
    purpose
        What it is for.
    collection
        The engine's collection.
    engine, engine_version
        What made the collection's embeddings; those of another version can't be compared with them.
    revision
        Raised by each enrolment and withdrawal: photographs that were matched before are matched again.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=NAME)
    purpose: Purpose
    collection: str
    engine: str
    engine_version: str
    revision: int = 0


class Lead(BaseModel):
    """A face in a photograph that is like one of a watch list: for a person to look at, never a verdict.

    Parameters
    ----------
    lead_id
        See `lead_id`.
    watch_list, purpose
        What it was held against, and what for.
    photograph
        SHA-256 of the photograph's bytes.
    places
        Where it stands: ``s3://`` URIs, several if the same photograph came several times. Kept sealed.
    seen
        The face.
    candidate
        Who it is like.
    candidate_place
        URI of the photograph that the candidate was enrolled with. Kept sealed.
    threshold
        Least similarity that was asked for.
    engine, engine_version
        What compared them.
    run
        The run that found it.
    found_at
        When, UTC.
    state
        Until a person decides it is pending.
    decided_by, decided_at, reason
        Who decided (an ARN), when, and why.
    """

    model_config = ConfigDict(frozen=True)

    lead_id: str
    watch_list: str
    purpose: Purpose
    photograph: str
    places: tuple[str, ...] = Field(repr=False)
    seen: Seen
    candidate: Candidate
    candidate_place: str = Field(repr=False)
    threshold: float
    engine: str
    engine_version: str
    run: str
    found_at: datetime
    state: Literal["pending", "confirmed", "rejected"] = "pending"
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = Field(default=None, repr=False)


def person_id(watch_list: str, person_key: str) -> str:
    """Return the id that stands for a person wherever the key of the department must not.

    Parameters
    ----------
    watch_list
        Name of the watch list: the same person on two lists has two ids.
    person_key
        The department's key.

    Returns
    -------
    str
        32 hexadecimal digits. A pseudonym, not a secret: whoever can guess the key can make it.
    """
    return hashlib.sha256(f"{watch_list}\0{person_key}".encode()).hexdigest()[:32]


def lead_id(watch_list: str, photograph: str, box: Box, person: str) -> str:
    """Return the id of a lead: the same face of the same photograph and the same person are one lead.

    Parameters
    ----------
    watch_list
        Name of the watch list.
    photograph
        SHA-256 of the photograph's bytes.
    box
        Where the face is.
    person
        `person_id`.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    where = ",".join(f"{share:.2f}" for share in (box.left, box.top, box.width, box.height))
    return hashlib.sha256(f"{watch_list}\0{photograph}\0{where}\0{person}".encode()).hexdigest()[:32]


def is_over(expires: date, now: datetime | None = None) -> bool:
    """Tell whether an enrolment has ended: the day that it expires on is its last, in UTC.

    Parameters
    ----------
    expires
        Its last day.
    now
        By default the present.
    """
    return (now or datetime.now(UTC)).astimezone(UTC).date() > expires


def of(table: Mapping[str, Any]) -> FaceSettings:
    """Read the table of that name of an environment.

    Parameters
    ----------
    table
        `crime_jobs.settings.Settings.faces`.

    Returns
    -------
    FaceSettings

    Raises
    ------
    WrongUsage
        If it has a name that nothing is called by, or a value that can't be.
    """
    return read_table(FaceSettings, "faces", table)
