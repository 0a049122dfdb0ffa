"""How far a growing file is read and confirmed: kept in a file, from which a killed run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import deque
from pathlib import Path
from typing import BinaryIO, NamedTuple

from crime_jobs.errors import BadInput, JobFailed

#: So much of what stands before a position tells whether it is still the same file.
_TAIL = 256


class FileId(NamedTuple):
    """Which file, whatever it is called now."""

    device: int
    inode: int


class Position(NamedTuple):
    """A place behind a line.

    Parameters
    ----------
    file
        Which file.
    offset, line
        Offset, and number of lines before it.
    tail, fingerprint
        SHA-256 of so many bytes before it.
    ended
        Whether nothing more comes in that file.
    """

    file: FileId
    offset: int
    line: int
    tail: int = 0
    fingerprint: str = ""
    ended: bool = False


def behind(file: FileId, offset: int, line: int, content: bytes | None) -> Position:
    """Return the position behind a line.

    Parameters
    ----------
    file
        Which file.
    offset, line
        Where the line ends, and its number.
    content
        The line without its end; ``None`` when it was too long to keep.
    """
    tail = ((content or b"") + b"\n")[-_TAIL:] if content is not None else b""
    return Position(file, offset, line, len(tail), hashlib.sha256(tail).hexdigest() if tail else "")


def holds(opened: BinaryIO, position: Position) -> bool:
    """Tell whether a file still has before a position what it had: not cut short, not written anew."""
    descriptor = opened.fileno()
    if os.fstat(descriptor).st_size < position.offset:
        return False
    tail = os.pread(descriptor, position.tail, position.offset - position.tail)
    return not position.fingerprint or hashlib.sha256(tail).hexdigest() == position.fingerprint


def save(path: Path, position: Position) -> None:
    """Write a position: whole or not at all, and for good when this returns.

    Raises
    ------
    JobFailed
        If it can't be written.
    """
    text = json.dumps(position._asdict() | {"file": position.file._asdict()})
    beside = path.with_name(path.name + ".new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise JobFailed(
            f"The position can't be written to {path}: {error.strerror}.",
            hint="Make room or give another --position: FIRs sent again are harmless.",
        ) from error


def load(path: Path) -> Position | None:
    """Read a position.

    Returns
    -------
    Position or None
        ``None`` when there is none yet.

    Raises
    ------
    BadInput
        If the file is something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Position(**values | {"file": FileId(**values["file"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(
            f"{path} holds no position: {type(error).__name__}.",
            hint="Remove it to read from the beginning: FIRs sent again are harmless.",
        ) from error


class Mark:
    """One thing that is under way, and where the source is when it is done."""

    __slots__ = ("done", "position")

    def __init__(self, position: Position) -> None:
        self.position, self.done = position, False


class Tracker:
    """Knows up to where all is done, when things are done in any order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: deque[Mark] = deque()
        self._position: Position | None = None

    def begin(self, position: Position) -> Mark:
        """Note that something is under way; in the order of the source."""
        mark = Mark(position)
        with self._lock:
            self._under_way.append(mark)
        return mark

    def done(self, mark: Mark) -> None:
        """Note that it is done. What is never done holds the position back."""
        with self._lock:
            mark.done = True
            while self._under_way and self._under_way[0].done:
                self._position = self._under_way.popleft().position

    @property
    def position(self) -> Position | None:
        """Up to where all is done; ``None`` before anything is."""
        with self._lock:
            return self._position
