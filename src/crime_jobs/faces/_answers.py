"""What an engine is asked with and what it answers, as values; who it is, and what faces are known by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crime_jobs.errors import BadInput
from crime_jobs.model.faces import Box, Candidate, Seen

#: By this header of its answers an engine of one's own says who it is: ``name/version``.
HEADER = "x-crime-jobs-engine"

#: Hosts of AWS: those of the service itself, and of VPC endpoints for it, in every partition.
_AWS = re.compile(r"(^|\.)(amazonaws\.com(\.cn)?|api\.aws|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov)$")


class UnfitPicture(BadInput):
    """A picture that the engine does not look at: the next may do.

    Parameters
    ----------
    why
        In words, without any name.
    code
        Rekognition's error.
    """

    def __init__(self, why: str, code: str) -> None:
        super().__init__(f"The picture can't be used: {why} ({code}).")
        self.why, self.code = why, code


@dataclass(frozen=True)
class S3Place:
    """An object of S3.

    Parameters
    ----------
    bucket, key
        Where it is.
    version
        Which of its versions, where the bucket has some.
    """

    bucket: str = field(repr=False)
    key: str = field(repr=False)
    version: str | None = field(default=None, repr=False)


Picture = bytes | S3Place


@dataclass(frozen=True)
class Identity:
    """Who answers.

    Parameters
    ----------
    name
        ``rekognition`` for AWS's, the name that an engine of one's own gives itself, or ``unknown``.
    version
        Of what makes embeddings; nothing where only a collection says it and there is none yet.
    on_premises
        Whether it is an engine of one's own: it says so, and its address is none of AWS's.
    """

    name: str
    version: str
    on_premises: bool


@dataclass(frozen=True)
class Indexed:
    """What became of a picture that was given to a collection.

    Parameters
    ----------
    faces
        The faces that were kept, each with its id.
    reasons
        Why others were not: Rekognition's words, for example ``LOW_SHARPNESS``.
    """

    faces: tuple[tuple[str, Seen], ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Enrolled:
    """A face in a collection.

    Parameters
    ----------
    face_id
        The engine's id.
    external_id
        Ours: ``<person_id>:<digest[:32]>``; nothing if it was not given one.
    """

    face_id: str
    external_id: str


@dataclass(frozen=True)
class Compared:
    """Two pictures: the largest face of the one beside all of the other.

    Parameters
    ----------
    source
        Box of the face of the first.
    confidence
        That it is a face, in per cent.
    matches
        Faces of the second that are as like as was asked for, with the similarity in per cent, best first.
    others
        The rest of its faces.
    """

    source: Box
    confidence: float
    matches: tuple[tuple[float, Seen], ...]
    others: tuple[Seen, ...]


@dataclass(frozen=True)
class Searched:
    """What a search found.

    Parameters
    ----------
    box
        The face that was looked at: the largest one of the picture; ``None`` if there is none in it.
    candidates
        Whose it is like, the most alike first.
    """

    box: Box | None
    candidates: tuple[Candidate, ...] = ()


def identified(headers: Mapping[str, str], host: str, version: str) -> Identity:
    """Tell who answered.

    Parameters
    ----------
    headers
        Of the answer, with small letters.
    host
        Who was asked.
    version
        Of a collection's embeddings, if one was asked for.

    Returns
    -------
    Identity
        An answer from AWS's own address is AWS's, whatever it says.
    """
    if _AWS.search(host.lower()):
        return Identity("rekognition", version, on_premises=False)
    name, _, said = headers.get(HEADER, "").partition("/")
    if name:
        return Identity(name, version or said, on_premises=True)
    return Identity("unknown", version, on_premises=False)


def external_id(person: str, digest: str) -> str:
    """Return what a face is known by in a collection.

    Parameters
    ----------
    person
        `crime_jobs.model.faces.person_id`.
    digest
        SHA-256 of the photograph's bytes.
    """
    return f"{person}:{digest[:32]}"


def person_of(external: str) -> str:
    """Return whose face it is; nothing if the id is none of ours.

    Parameters
    ----------
    external
        What the face is known by.
    """
    return external[:32] if re.fullmatch(r"[0-9a-f]{32}:[0-9a-f]{32}", external) else ""


def box_of(box: Mapping[str, float]) -> Box:
    """Read a ``BoundingBox`` of Rekognition."""
    return Box(left=box["Left"], top=box["Top"], width=box["Width"], height=box["Height"])


def seen_of(detail: Mapping[str, Any]) -> Seen:
    """Read a ``FaceDetail`` or ``ComparedFace`` of Rekognition."""
    quality = detail.get("Quality", {})
    return Seen(
        box=box_of(detail["BoundingBox"]),
        confidence=float(detail["Confidence"]),
        brightness=float(quality.get("Brightness", 0)),
        sharpness=float(quality.get("Sharpness", 0)),
    )


def searched(said: Mapping[str, Any]) -> Searched:
    """Read the answer of ``SearchFacesByImage``; faces that this library did not enrol are left out."""
    found = (
        Candidate(face_id=match["Face"]["FaceId"], person_id=person, similarity=float(match["Similarity"]))
        for match in said["FaceMatches"]
        if (person := person_of(match["Face"].get("ExternalImageId", "")))
    )
    return Searched(box_of(said["SearchedFaceBoundingBox"]), tuple(found))
