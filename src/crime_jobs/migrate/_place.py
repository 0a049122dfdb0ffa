"""A folder on a disk or on S3 that tasks put files into, each whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.errors import JobFailed
from crime_jobs.executors import client

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Begins the names of files that are not finished.
_UNFINISHED = ".unfinished-"


class Place(Protocol):
    """A folder; travels to the executors."""

    def __str__(self) -> str: ...

    def child(self, name: str) -> Place:
        """Return a folder below this one."""

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a path to write to; what was written stands under `name` once the block ends well."""

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Give a path to read a file from."""

    def read_text(self, name: str) -> str | None:
        """Return a file's text, or ``None`` if it is not there."""

    def write_text(self, name: str, text: str) -> None:
        """Write a file, replacing what is there."""

    def sizes(self) -> dict[str, int]:
        """Return the files below with their bytes, by their path from here."""

    def delete(self, name: str) -> None:
        """Remove a file."""

    def seekable(self, name: str) -> BinaryIO:
        """Open a file of which only some of its bytes are wanted."""


@contextmanager
def _failures(doing: str) -> Iterator[None]:
    """Say in a sentence what the disk refused."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error).partition("\n")[0] or type(error).__name__
        hint = "Free some space, or choose another folder; run it again with the same run=…: it goes on."
        raise JobFailed(f"{doing}: {why[:1].lower()}{why[1:]}.", hint=hint) from error


@dataclass(frozen=True)
class DiskPlace:
    """A folder on a disk that every executor has.

    Parameters
    ----------
    folder
        Its path.
    """

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def child(self, name: str) -> DiskPlace:
        """Return a folder below this one."""
        return DiskPlace(self.folder / name)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a path beside the file's own, and rename it at the end: both are on one disk."""
        target = self.folder / name
        # The process's number, so that two attempts of one task do not write into one file.
        unfinished = target.with_name(f"{_UNFINISHED}{os.getpid()}-{target.name}")
        with _failures(f"{target} can't be written"):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield unfinished
                _sync(unfinished)
                unfinished.replace(target)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Give the file's own path."""
        with _failures(f"{self.folder / name} can't be read"):
            yield self.folder / name

    def read_text(self, name: str) -> str | None:
        """Return a file's text, or ``None`` if it is not there."""
        path = self.folder / name
        with _failures(f"{path} can't be read"):
            return path.read_text(encoding="utf-8") if path.exists() else None

    def write_text(self, name: str, text: str) -> None:
        """Write a file, replacing what is there."""
        with self.writing(name) as path:
            path.write_text(text, encoding="utf-8")

    def sizes(self) -> dict[str, int]:
        """Return the files below, also those that a killed run did not finish."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.stat().st_size for path in found}

    def delete(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink(missing_ok=True)

    def seekable(self, name: str) -> BinaryIO:
        """Open a file."""
        return (self.folder / name).open("rb")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@dataclass(frozen=True)
class S3Place:
    """A folder on S3.

    Parameters
    ----------
    bucket, prefix
        Where; the prefix without slashes around it.
    settings
        Region and profile.
    """

    bucket: str
    prefix: str
    settings: Settings

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def child(self, name: str) -> S3Place:
        """Return a folder below this one."""
        return S3Place(self.bucket, self._key(name), self.settings)

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _client(self) -> Any:
        return client("s3", self.settings)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a path in the machine's folder for temporary files, and upload it at the end."""
        with _failures(f"{self}/{name}: its temporary file in {tempfile.gettempdir()} can't be written"):
            folder = tempfile.mkdtemp(prefix="crime-jobs-")
            try:
                path = Path(folder) / Path(name).name
                yield path
                with aws.refusals(f"Uploading {self}/{name}"):
                    _transferred(self._client().upload_file, str(path), self.bucket, self._key(name))
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Give a path in the machine's folder for temporary files that the object was loaded to."""
        with (
            _failures(f"{self}/{name}: its temporary file in {tempfile.gettempdir()} can't be written"),
            tempfile.TemporaryDirectory(prefix="crime-jobs-") as folder,
        ):
            path = Path(folder) / Path(name).name
            with aws.refusals(f"Reading {self}/{name}"):
                _transferred(self._client().download_file, self.bucket, self._key(name), str(path))
            yield path

    def read_text(self, name: str) -> str | None:
        """Return an object's text, or ``None`` if it is not there."""
        with aws.refusals(f"Reading {self}/{name}"):
            try:
                found = self._client().get_object(Bucket=self.bucket, Key=self._key(name))
            except ClientError as error:
                code = aws.code_of(error)
                if code == "NoSuchKey" or (code == "AccessDenied" and not self._lists(name)):
                    return None
                raise
            return cast("bytes", found["Body"].read()).decode()

    def _lists(self, name: str) -> bool:
        """Whether an object is there, for who may list its folder only.

        Of what is not there S3 then says that access is denied: asked for an object, it looks for the right
        to list the whole bucket.
        """
        key = self._key(name)
        found = self._client().list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
        return any(one["Key"] == key for one in found.get("Contents", ()))

    def write_text(self, name: str, text: str) -> None:
        """Write an object, replacing what is there."""
        with aws.refusals(f"Writing {self}/{name}"):
            self._client().put_object(Bucket=self.bucket, Key=self._key(name), Body=text.encode())

    def sizes(self) -> dict[str, int]:
        """Return the objects below with their bytes, by their path from here."""
        start = self._key("")
        with aws.refusals(f"Listing {self}"):
            pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
            return {
                one["Key"].removeprefix(start): one["Size"]
                for page in pages
                for one in page.get("Contents", ())
            }

    def delete(self, name: str) -> None:
        """Remove an object."""
        with aws.refusals(f"Removing {self}/{name}"):
            self._client().delete_object(Bucket=self.bucket, Key=self._key(name))

    def seekable(self, name: str) -> BinaryIO:
        """Open an object; each read is a request for just those bytes."""
        with aws.refusals(f"Reading {self}/{name}"):
            return cast("BinaryIO", _Ranges(self._client(), self.bucket, self._key(name)))


def _transferred(transfer: Any, *arguments: str) -> None:
    """Move a file with boto3's transfer manager, whose errors hide what S3 said."""
    from boto3.exceptions import RetriesExceededError, S3UploadFailedError

    try:
        transfer(*arguments)
    except S3UploadFailedError as error:
        raise error.__context__ or error from error
    except RetriesExceededError as error:
        raise error.last_exception from error


class _Ranges(io.RawIOBase):
    """An object of S3 as a file that can be sought in."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._size: int = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        size = left if size is None or size < 0 else min(size, left)
        if size <= 0:
            return b""
        asked = f"bytes={self._at}-{self._at + size - 1}"
        found = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=asked)["Body"].read()
        self._at += len(found)
        return cast("bytes", found)


def open_place(uri: str, settings: Settings) -> Place:
    """Return the place that a path or URI names.

    Parameters
    ----------
    uri
        A path, ``file:///…`` or ``s3://…``.
    settings
        Region and profile, for S3.

    Returns
    -------
    Place

    Raises
    ------
    WrongUsage
        If it is another kind of URI.
    """
    if "://" not in uri or uri.startswith("file://"):
        # The executors' working folder may be another.
        return DiskPlace(Path(uri.removeprefix("file://")).absolute())
    return S3Place(*aws.split_uri(uri, "The landing folder"), settings)
