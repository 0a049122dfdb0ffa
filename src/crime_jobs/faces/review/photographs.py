"""The photographs of a lead as a reviewer sees them: fetched, checked, made anew, kept in memory alone.

Nothing of a file reaches the browser: it is decoded as any photograph from anyone is
(`crime_jobs.faces.pictures`), and what is shown is a JPEG made of its pixels.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from crime_jobs import aws
from crime_jobs.errors import AwsRefused
from crime_jobs.faces import pictures
from crime_jobs.model.faces import Box

if TYPE_CHECKING:
    from PIL.Image import Image

    from crime_jobs.settings import Settings

#: Longest side of what is shown, in pixels: of a whole photograph, of a face.
_WHOLE, _FACE = 1600, 900
#: Of what is around a face, the share of its box that is shown with it at each side: hair, ears and chin.
_MARGIN = 0.4
_QUALITY = 90

_GONE = {"NoSuchKey", "NoSuchBucket", "404", "NoSuchVersion"}
_DENIED = {"AccessDenied", "403", "Forbidden"}


@dataclass(frozen=True)
class Shown:
    """A photograph as it is shown.

    Parameters
    ----------
    whole
        A JPEG of all of it.
    width, height
        Its size in pixels.
    box
        The face in question; ``None`` where that is not known.
    face
        A JPEG of that face, if it can be cut out.
    """

    whole: bytes = field(repr=False)
    width: int
    height: int
    box: Box | None = None
    face: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class NotShown:
    """A photograph that can't be shown.

    Parameters
    ----------
    why
        In words, for the reviewer.
    """

    why: str


class Store(Protocol):
    """Where photographs are fetched from."""

    def fetch(self, uri: str) -> bytes:
        """Return a photograph's bytes, one more than `crime_jobs.faces.pictures.MOST_BYTES` at most."""


class Photographs:
    """Photographs in S3, and those of a manifest's folder on this machine.

    Parameters
    ----------
    settings
        Region and profile.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = aws.client("s3", settings)

    def fetch(self, uri: str) -> bytes:
        """Fetch a photograph.

        Parameters
        ----------
        uri
            ``s3://`` or ``file://`` URI; never in a message.

        Returns
        -------
        bytes
            One more than `crime_jobs.faces.pictures.MOST_BYTES` at most.

        Raises
        ------
        Unreadable
            If it is gone, or may not be read.
        AwsRefused
            If S3 can't be reached, or fails.
        """
        from botocore.exceptions import ClientError

        if uri.startswith("file://"):
            return _of_file(uri)
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with aws.refusals("Fetching a photograph"):
            try:
                body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
                with body:
                    return bytes(body.read(pictures.MOST_BYTES + 1))
            except ClientError as error:
                code = aws.code_of(error)
                if code in _GONE:
                    raise pictures.Unreadable(pictures.Reason.GONE) from None
                if code in _DENIED:
                    raise pictures.Unreadable(pictures.Reason.DENIED) from None
                raise


def _of_file(uri: str) -> bytes:
    try:
        with Path(unquote(urlsplit(uri).path)).open("rb") as file:
            return file.read(pictures.MOST_BYTES + 1)
    except PermissionError:
        raise pictures.Unreadable(pictures.Reason.DENIED) from None
    except OSError:  # of another machine, perhaps
        raise pictures.Unreadable(pictures.Reason.GONE) from None


def show(store: Store, places: Sequence[str], digest: str, box: Box | None) -> Shown | NotShown:
    """Fetch a photograph and make it ready to be shown.

    Parameters
    ----------
    store
        Where it is fetched from.
    places
        Where it stands; the first place that has it is enough.
    digest
        SHA-256 of its bytes: another photograph at its place is not shown.
    box
        The face in question.

    Returns
    -------
    Shown or NotShown
    """
    why = "It stands nowhere."
    for place in places:
        try:
            content = store.fetch(place)
            if hashlib.sha256(content).hexdigest() != digest:
                why = "It was changed since: at its place is another one."
                continue
            picture = pictures.read(content)
        except pictures.Unreadable as error:
            why = _WORDS.get(error.reason, f"It can't be shown: {error.reason}.")
        except AwsRefused as error:
            why = str(error)
        else:
            return _shown(picture, box)
    return NotShown(why)


_WORDS = {
    pictures.Reason.GONE: "It is gone: nothing that this machine can reach is at its place any more.",
    pictures.Reason.DENIED: "You may not read it: your role needs s3:GetObject for it, and its key.",
}


def _shown(picture: pictures.Picture, box: Box | None) -> Shown:
    whole = picture.image.copy()
    whole.thumbnail((_WHOLE, _WHOLE))
    return Shown(_jpeg(whole), whole.width, whole.height, box, _face(picture, box) if box else None)


def _face(picture: pictures.Picture, box: Box) -> bytes | None:
    from PIL import Image

    cut = pictures.crop(picture, box, margin=_MARGIN)
    if cut is None:
        return None
    with Image.open(io.BytesIO(cut.content), formats=("JPEG",)) as image:
        image.thumbnail((_FACE, _FACE))
        return _jpeg(image)


def _jpeg(image: Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=_QUALITY)
    return target.getvalue()
