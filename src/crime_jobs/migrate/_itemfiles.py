"""Files of items as DynamoDB's own export has them: gzipped, a line ``{"Item": …}`` an item.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html (DynamoDB JSON).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from crime_jobs.errors import BadInput

#: How hard gzip tries: harder takes longer than it saves.
_LEVEL = 6

#: An attribute's value as a line has it: ``{"N": "2014"}``, binary as base64.
Value = Mapping[str, Any]


@dataclass(frozen=True)
class Staged:
    """A file of items.

    Parameters
    ----------
    path
        Below the run's folder.
    items
        How many whoever wrote it says there are.
    bytes
        Its size.
    sha256, md5
        What its bytes must give; hexadecimal, ``None`` where it is not known.
    """

    path: str
    items: int
    bytes: int
    sha256: str | None = None
    md5: str | None = None


def line_of(item: Mapping[str, Any]) -> bytes:
    """Return an item as one line.

    Parameters
    ----------
    item
        As boto3's client gives it: binary as bytes.

    Returns
    -------
    bytes
        With the line end.
    """
    text = json.dumps({"Item": item}, ensure_ascii=False, separators=(",", ":"), default=_base64)
    return text.encode() + b"\n"


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


class ItemFile:
    """Writes a file of items, and knows what it has written.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        #: Items, and bytes of the file.
        self.items = self.bytes = 0
        # Without a name and a time in it, the same items make the same bytes.
        self._zip = gzip.GzipFile("", "wb", _LEVEL, cast("Any", self), mtime=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._zip.close()
        finally:
            self._file.close()

    @property
    def sha256(self) -> str:
        """Of the file, once it is closed."""
        return self._digest.hexdigest()

    def add(self, line: bytes) -> None:
        """Write an item."""
        self._zip.write(line)
        self.items += 1

    def write(self, data: bytes) -> int:
        """Take what gzip made."""
        self._digest.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Hand on to the disk."""
        self._file.flush()


def items_in(file: BinaryIO, name: str) -> Iterator[dict[str, Value]]:
    """Read a file of items.

    Parameters
    ----------
    file
        The file, open.
    name
        What to call it in messages.

    Yields
    ------
    dict
        Attribute name to value.

    Raises
    ------
    BadInput
        If it is damaged; the line is named, never what is in it.
    """
    number = 0
    try:
        with gzip.open(file, "rb") as lines:
            for number, line in enumerate(lines, start=1):  # noqa: B007 - told in the message
                yield json.loads(line)["Item"]
    except (ValueError, KeyError, TypeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(
            f"{name}, after line {max(0, number - 1)}: it is not a file of items ({type(error).__name__}).",
            hint="It was changed or cut after it was written: export the table anew.",
        ) from None  # the error may quote the line


def digests(file: BinaryIO) -> tuple[str, str]:
    """Return the SHA-256 and the MD5 of an open file, hexadecimal; it then stands at its beginning again."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while block := file.read(1 << 20):
        sha256.update(block)
        md5.update(block)
    file.seek(0)
    return sha256.hexdigest(), md5.hexdigest()
