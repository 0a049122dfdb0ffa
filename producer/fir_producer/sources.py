"""Reads lines of JSON: from a file, a file that grows, standard input, or any stream of bytes.

Memory is bounded whatever comes: a line longer than `MAX_LINE` is passed over and told by its position.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from crime_jobs.errors import BadInput
from crime_jobs.model.fir import BadFir, Fir
from fir_producer.positions import FileId, Position, behind, holds

#: The longest line, in bytes.
MAX_LINE = 1 << 20

_CHUNK = 1 << 16

#: How often a file that grows, and a standard input that is silent, are looked at: seconds.
POLL = 0.2

STDIN = "-"

#: What a file is called when it was rotated; one that was packed since can't be read on.
_ROTATED = r"[.-]\d[\d.-]*"


class Line(NamedTuple):
    """A line.

    Parameters
    ----------
    number
        The first is 1.
    end
        Offset after its line end.
    content
        Without line end; ``None`` when it is too long.
    ended
        Whether it has a line end.
    """

    number: int
    end: int
    content: bytes | None
    ended: bool = True


class Item(NamedTuple):
    """A FIR, or why a line is none.

    Parameters
    ----------
    line
        The line's number.
    fir
        The FIR.
    reason
        What is wrong: fields and kinds, never values.
    position
        Up to where all is read when this one is done with.
    """

    line: int
    fir: Fir | None
    reason: str = ""
    position: Position | None = None

    def checked(self) -> Fir:
        """Return the FIR.

        Raises
        ------
        BadFir
            If it is none.
        """
        if self.fir is None:
            raise BadFir(self.reason)
        return self.fir


class Splitter:
    """Cuts bytes into lines.

    Parameters
    ----------
    offset, number
        Where the bytes begin, and how many lines were before.
    """

    def __init__(self, offset: int = 0, number: int = 0) -> None:
        self._offset, self._number = offset, number
        self._rest, self._too_long = b"", False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Take bytes; give the lines that they end."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield self._line(part, ended=True)
        self._keep(rest)

    def end(self) -> Iterator[Line]:
        """Give what stands behind the last line end, if anything does."""
        if self._rest or self._too_long:
            yield self._line(b"", ended=False)

    def _keep(self, part: bytes) -> None:
        self._offset += len(part)
        if self._too_long or len(self._rest) + len(part) > MAX_LINE:
            self._rest, self._too_long = b"", True
        else:
            self._rest += part

    def _line(self, part: bytes, *, ended: bool) -> Line:
        self._keep(part)
        self._offset += ended
        self._number += 1
        content = None if self._too_long else self._rest
        self._rest, self._too_long = b"", False
        return Line(self._number, self._offset, content, ended)


def lines_of(chunks: Iterable[bytes]) -> Iterator[Line]:
    """Cut a stream that ends into lines; the last one needs no line end."""
    splitter = Splitter()
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.end()


def item_of(line: Line, position: Position | None = None) -> Item | None:
    """Read a line.

    Parameters
    ----------
    line
        The line.
    position
        Where it ends.

    Returns
    -------
    Item or None
        ``None`` for an empty line.
    """
    if line.content is None:
        return Item(line.number, None, f"longer than {MAX_LINE} bytes", position)
    content = line.content.removeprefix(b"\xef\xbb\xbf") if line.number == 1 else line.content
    if not content.strip():
        return None
    try:
        return Item(line.number, Fir.parse(content), "", position)
    except BadFir as error:
        return Item(line.number, None, str(error), position)


def read_stdin(stopped: Callable[[], bool]) -> Iterator[Item]:
    """Read standard input to its end, or until stopped.

    Parameters
    ----------
    stopped
        Whether to stop, asked again and again.

    Yields
    ------
    Item
    """

    def chunks() -> Iterator[bytes]:
        while not stopped():
            if select.select([0], [], [], POLL)[0]:
                chunk = os.read(0, _CHUNK)
                if not chunk:
                    return
                yield chunk

    for line in lines_of(chunks()):
        if item := item_of(line):
            yield item


class FileSource:
    """Reads a file of lines; follows it when told, through rotation and truncation.

    Parameters
    ----------
    path
        The file.
    follow
        Whether to wait for more at its end. A last line without line end is then not read before it has one.
    since
        Where to go on; from its beginning by default.
    stopped
        Whether to stop, asked again and again.
    waiting
        Called where more is waited for.
    note
        Called with what the user should know.
    """

    def __init__(
        self,
        path: Path,
        *,
        follow: bool = False,
        since: Position | None = None,
        stopped: Callable[[], bool] = lambda: False,
        waiting: Callable[[], None] = lambda: None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._path, self._follow, self._since = path, follow, since
        self._stopped, self._waiting, self._note = stopped, waiting, note

    def items(self) -> Iterator[Item]:
        """Give what is in it.

        Yields
        ------
        Item

        Raises
        ------
        BadInput
            If the file is not there or can't be read.
        """
        if not self._follow and not self._path.is_file():
            raise BadInput(f"{self._path} is not there, or no file.", hint="Is the name right?")
        position = self._since
        while not self._stopped():
            if not (found := self._next(position)):
                self._wait()
                continue
            path, expected = found
            try:
                with path.open("rb") as opened:
                    if expected in {None, _identity(opened)}:  # else it was rotated just now
                        position = yield from self._read(opened, position)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise BadInput(f"{path} can't be read: {error.strerror}.") from error
            if not self._follow:
                return

    def _wait(self) -> None:
        self._waiting()
        time.sleep(POLL)

    def _next(self, done: Position | None) -> tuple[Path, FileId | None] | None:
        """Find the file to read, and which one it must be; ``None`` while it is not there."""
        files = [path for path in (*_rotated(self._path), self._path) if path.is_file()] if done else []
        ids = [FileId(status.st_dev, status.st_ino) for status in map(Path.stat, files)]
        if done and done.file in ids:
            at = ids.index(done.file) + done.ended
            return (files[at], ids[at]) if at < len(files) else None
        if not self._path.is_file():
            return None
        if done and not done.ended:
            self._note(f"{self._path} is another file than when it was last read, and the old one is gone.")
        return self._path, None

    def _read(self, opened: BinaryIO, since: Position | None) -> Generator[Item, None, Position]:
        """Give the items of a file up to its end; returns how far it was read."""
        file = _identity(opened)
        position = Position(file, 0, 0)
        if since and since.file == file and not since.ended:
            position = self._unless_cut(opened, since)
        splitter = Splitter(position.offset, position.line)
        opened.seek(position.offset)
        superseded = False
        while not self._stopped():
            if chunk := opened.read(_CHUNK):
                position = yield from _items(splitter.feed(chunk), position)
            elif superseded or not self._follow:
                position = yield from _items(splitter.end(), position)
                return position._replace(ended=True)
            elif self._is_superseded(file):
                # Whoever writes has gone over to the new file: what is in the old one now is all of it.
                superseded = True
            else:
                self._wait()
                if self._unless_cut(opened, position, opened.tell()) != position:
                    return Position(file, 0, 0)
        return position

    def _unless_cut(self, opened: BinaryIO, position: Position, read: int = 0) -> Position:
        if holds(opened, position) and os.fstat(opened.fileno()).st_size >= read:
            return position
        self._note(f"{opened.name} was cut short or written anew: it is read from its beginning.")
        return Position(position.file, 0, 0)

    def _is_superseded(self, file: FileId) -> bool:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        return FileId(status.st_dev, status.st_ino) != file and status.st_size > 0


def _items(lines: Iterable[Line], position: Position) -> Generator[Item, None, Position]:
    """Give what lines are, each with the position behind it; returns the last one."""
    for line in lines:
        position = behind(position.file, line.end, line.number, line.content if line.ended else None)
        if item := item_of(line, position):
            yield item
    return position


def _identity(opened: BinaryIO) -> FileId:
    status = os.fstat(opened.fileno())
    return FileId(status.st_dev, status.st_ino)


def _rotated(path: Path) -> list[Path]:
    """Return what a file was before, the oldest first: ``firs.jsonl.2``, ``firs.jsonl-20261124``."""
    name = re.compile(re.escape(path.name) + _ROTATED)
    found = [other for other in path.parent.iterdir() if name.fullmatch(other.name)]
    return sorted(found, key=lambda other: (other.stat().st_mtime_ns, other.name))
