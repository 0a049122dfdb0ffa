"""Two pictures beside each other: the largest face of the one, and all faces of the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, BadInput, WrongUsage
from crime_jobs.faces import pictures
from crime_jobs.faces import purpose as purposes
from crime_jobs.faces.audit import Audit
from crime_jobs.faces.engine import Engine, UnfitPicture
from crime_jobs.model.faces import FaceSettings, Purpose, Seen

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: What is said with each result.
CAVEAT = (
    "A similarity is not an identification: it says how alike two faces are to this engine, not how likely "
    "it is that they are one person's. A person decides, with other evidence."
)


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Parameters
    ----------
    rows
        A dictionary a face of the second picture, the most alike first.
    engine
        Who compared, and its version.
    """

    rows: tuple[dict[str, Any], ...]
    engine: str


def compare(
    settings: Settings, faces: FaceSettings, one: str, other: str, purpose: Purpose, threshold: float
) -> Comparison:
    """Compare the largest face of a picture with all faces of another.

    Parameters
    ----------
    settings
        Region and profile.
    faces
        Engine and audit.
    one, other
        Paths or ``s3://`` URIs.
    purpose
        What for.
    threshold
        Similarity, in per cent, from which on a face is marked.

    Returns
    -------
    Comparison

    Raises
    ------
    WrongUsage
        If the purpose is barred for whoever answers, or a picture is not there.
    BadInput
        If a picture can't be used, or has no face.
    AwsRefused
        If something refuses or can't be reached.
    """
    engine = Engine(settings, faces)
    identity = engine.identity()
    audit = Audit(settings, faces)
    purposes.demand(purpose, identity, audit, "")
    contents = [_content(place, which, settings) for place, which in ((one, "first"), (other, "second"))]
    sent = [_sent(content, which) for content, which in zip(contents, ("first", "second"), strict=True)]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    told = {"purpose": purpose.value, "one": digests[0], "other": digests[1]}
    name = f"{identity.name} {identity.version}".strip()
    # The line comes first: what can't be audited is not done.
    audit.write("compare", **told, threshold=threshold, engine=name)
    try:
        found = engine.compare(sent[0], sent[1], 0.0)
    except BaseException as error:
        audit.write("compare-failed", **told, error=type(error).__name__)
        if not isinstance(error, UnfitPicture):
            raise
        raise BadInput(
            f"The pictures can't be compared: one of them can't be used, {error.why} ({error.code}).",
            hint="Both need a face of at least 40 pixels.",
        ) from None
    rows = [_row(seen, similarity, threshold) for similarity, seen in found.matches]
    rows += [_row(seen, None, threshold) for seen in found.others]
    audit.write("compared", **told, faces=len(rows), above=sum(row["above"] for row in rows))
    return Comparison(tuple(rows), name)


def _row(seen: Seen, similarity: float | None, threshold: float) -> dict[str, Any]:
    box = seen.box
    return {
        "similarity": None if similarity is None else round(similarity, 2),
        "above": similarity is not None and similarity >= threshold,
        "left": round(box.left, 3),
        "top": round(box.top, 3),
        "width": round(box.width, 3),
        "height": round(box.height, 3),
        "confidence": round(seen.confidence, 2),
    }


def _sent(content: bytes, which: str) -> bytes:
    try:
        return pictures.fit(pictures.read(content))
    except pictures.Unreadable as error:
        raise BadInput(
            f"The {which} picture can't be used: {error.reason}.",
            hint="It is to be a JPEG or PNG of 80 to 10,000 pixels a side.",
        ) from None


def _content(place: str, which: str, settings: Settings) -> bytes:
    """Read a picture; what is said of a failure does not name it."""
    most = pictures.MOST_BYTES + 1
    if "://" not in place:
        try:
            with Path(place).open("rb") as file:
                return file.read(most)
        except OSError as error:
            raise WrongUsage(f"The {which} picture can't be read: {error.strerror}.") from None
    bucket, key = aws.split_uri(place, f"The {which} picture", private=True)
    client = aws.client("s3", settings)
    try:
        with client.get_object(Bucket=bucket, Key=key)["Body"] as body:
            return bytes(body.read(most))
    except ClientError as error:
        code = aws.code_of(error)
        if code in ("NoSuchKey", "NoSuchBucket"):
            raise WrongUsage(f"The {which} picture is not there ({code}).") from None
        raise AwsRefused(f"The {which} picture can't be read from S3 ({code}).") from None
    except BotoCoreError as error:
        raise AwsRefused(
            f"The {which} picture can't be read from S3 ({type(error).__name__}).",
            hint="Is the network up, and is the endpoint right (AWS_ENDPOINT_URL…)?",
        ) from None
