"""Where a watch list's manifest and photographs are: S3, or a folder. No name of one is in any error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, BadInput, WrongUsage
from crime_jobs.faces._calls import error_code
from crime_jobs.faces.pictures import Reason, Unreadable

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Bytes of a photograph that are read at most.
MOST_BYTES = 64 * 1024**2
_GONE = {"NoSuchKey", "404", "NoSuchVersion"}


class Gone(BadInput):
    """A photograph that is not there, or is no file."""

    def __init__(self) -> None:
        super().__init__("The photograph is not there.")


@dataclass(frozen=True)
class Photograph:
    """A photograph as it was read.

    Parameters
    ----------
    content
        Its bytes.
    mark
        What it was: see `mark`.
    """

    content: bytes = field(repr=False)
    mark: str

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.content).hexdigest()


class Place(Protocol):
    """A manifest's folder."""

    def manifest(self) -> bytes:
        """Return the manifest."""
        ...

    def marks(self) -> Mapping[str, str]:
        """Return what the photographs below the folder are now, by their names."""
        ...

    def read(self, name: str) -> Photograph:
        """Return a photograph; raise `Gone` if it is not there, `Unreadable` if it can't be opened."""
        ...

    def uri(self, name: str) -> str:
        """Return where a photograph is."""
        ...


def mark(place: str, state: str) -> str:
    """Return what stands for a photograph as it is at a place, and is no name.

    Parameters
    ----------
    place
        Its URI.
    state
        What is another once it is another photograph: an ``ETag``.
    """
    return hashlib.sha256(f"{place}\0{state}".encode()).hexdigest()


def is_shut(code: str) -> bool:
    """Tell whether S3 itself can't open an object, and the next may be open all the same.

    Parameters
    ----------
    code
        Its error: the object is in an archive, encrypted with a key that only the one has who put it there,
        or under a KMS key that is off or gone.
    """
    return code in ("InvalidObjectState", "InvalidRequest") or code.startswith("KMS.")


def open_place(manifest: str, settings: Settings) -> Place:
    """Return the folder of a manifest.

    Parameters
    ----------
    manifest
        ``s3://`` URI or path of the manifest.
    settings
        Region and profile.

    Raises
    ------
    WrongUsage
        If it is neither.
    """
    if "://" not in manifest:
        return _Folder(Path(manifest))
    bucket, key = aws.split_uri(manifest, "The manifest")
    if not key or manifest.endswith("/"):
        raise WrongUsage("The manifest is a folder.", hint="Give the file: s3://bucket/folder/manifest.csv.")
    return _Bucket(bucket, key, settings)


class _Bucket:
    def __init__(self, bucket: str, key: str, settings: Settings) -> None:
        self._s3 = aws.client("s3", settings)
        self._bucket, self._key = bucket, key
        self._folder = key.rpartition("/")[0] + "/" if "/" in key else ""

    def manifest(self) -> bytes:
        try:
            return self._get(self._key, "Reading the manifest").content
        except Gone:
            raise BadInput("The manifest is not there.", hint="Is bucket and key right?") from None
        except Unreadable:
            raise BadInput(
                "S3 can't open the manifest.",
                hint="Is it in an archive, or encrypted with a key that is off or is not the bucket's?",
            ) from None

    def marks(self) -> dict[str, str]:
        found: dict[str, str] = {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._folder)
        with aws.refusals("Listing the photographs"):
            for page in pages:
                for one in page.get("Contents", ()):
                    name = one["Key"].removeprefix(self._folder)
                    found[name] = mark(self.uri(name), one["ETag"])
        return found

    def read(self, name: str) -> Photograph:
        return self._get(self._folder + name, "Reading a photograph")

    def uri(self, name: str) -> str:
        return f"s3://{self._bucket}/{self._folder}{name}"

    def _get(self, key: str, doing: str) -> Photograph:
        try:
            with aws.refusals(doing):
                said = self._s3.get_object(Bucket=self._bucket, Key=key)
                with said["Body"] as body:
                    content = bytes(body.read(MOST_BYTES + 1))
        except AwsRefused as error:
            if (code := error_code(error)) in _GONE:
                raise Gone from None
            if is_shut(code):
                raise Unreadable(Reason.DENIED) from None
            raise
        return Photograph(content, mark(f"s3://{self._bucket}/{key}", said["ETag"]))


class _Folder:
    def __init__(self, manifest: Path) -> None:
        self._path, self._folder = manifest, manifest.parent.resolve()

    def manifest(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            raise WrongUsage("The manifest is not there.", hint="Is the path right?") from None
        except OSError as error:
            raise WrongUsage(f"The manifest can't be read: {error.strerror}.") from None

    def marks(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self._folder.rglob("*"):
            with suppress(OSError):  # gone meanwhile, or not ours to look at; the error would name it
                if path.is_file():
                    name = path.relative_to(self._folder).as_posix()
                    found[name] = mark(self.uri(name), _state(path))
        return found

    def read(self, name: str) -> Photograph:
        path = (self._folder / name).resolve()
        # A link may lead out of the folder, which the manifest's path itself can't.
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise Gone
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
            return Photograph(content, mark(self.uri(name), _state(path)))
        except OSError:
            raise Gone from None

    def uri(self, name: str) -> str:
        return (self._folder / name).as_uri()


def _state(path: Path) -> str:
    told = path.stat()
    return f"{told.st_size}/{told.st_mtime_ns}"
