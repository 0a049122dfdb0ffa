"""Staged items to CSV and Parquet: once over the lines for the columns, once more for the tables."""

from __future__ import annotations

import csv
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from crime_jobs.errors import JobFailed
from crime_jobs.migrate._columns import Seen, cell, take_in, text
from crime_jobs.migrate._itemfiles import Staged, Value, digests, items_in
from crime_jobs.model import exports
from crime_jobs.model.exports import ExportedColumn, ExportedFile

if TYPE_CHECKING:
    import pyarrow as pa

    from crime_jobs.migrate._place import Place

#: Bytes of staged items that make a file each of CSV and Parquet: gzipped, some ten times as much as CSV.
PART_BYTES = 24 << 20
#: A file of CSV that has grown so large is followed by another.
CSV_BYTES = 256 << 20
#: Rows, and bytes of them as CSV, that are held before they go into the Parquet file as a row group.
GROUP_ROWS, GROUP_BYTES = 50_000, 16 << 20

#: A cell of CSV must be quoted if it has any of these (RFC 4180).
_SPECIAL = re.compile(r'[",\r\n]')
#: The longest cell that is read back: an item has 400 KB, of which JSON makes six times as many at most.
_LONGEST_CELL = 16 << 20


def parts(surveyed: Iterable[ExportedFile]) -> list[tuple[ExportedFile, ...]]:
    """Put staged files together, so that each part is of a good size.

    Parameters
    ----------
    surveyed
        What `Survey` said of each, in their order.

    Returns
    -------
    list of tuple
        Each part's files; at least one part.
    """
    found: list[tuple[ExportedFile, ...]] = []
    held: list[ExportedFile] = []
    size = 0
    for file in surveyed:
        if held and size + file.bytes > PART_BYTES:
            found.append(tuple(held))
            held, size = [], 0
        held.append(file)
        size += file.bytes
    return [*found, tuple(held)]


def csv_line(cells: Iterable[str | None]) -> str:
    """Return a row of CSV.

    Parameters
    ----------
    cells
        ``None`` is an empty cell, an empty text is ``""``.

    Returns
    -------
    str
        With the line end, a line feed.
    """
    return ",".join("" if one is None else _quoted(one) for one in cells) + "\n"


def _quoted(one: str) -> str:
    if one and not _SPECIAL.search(one):
        return one
    return '"' + one.replace('"', '""') + '"'


@dataclass(frozen=True)
class Surveyed:
    """What a staged file holds.

    Parameters
    ----------
    file
        Path, items, bytes, SHA-256.
    seen
        Its attributes.
    """

    file: ExportedFile
    seen: dict[str, Seen]


@dataclass(frozen=True)
class Survey:
    """Looks through staged files, and that they are whole; travels to the executors.

    Parameters
    ----------
    place
        The run's folder.
    """

    place: Place

    def __call__(self, staged: Staged) -> Surveyed:
        """Look through a file.

        Parameters
        ----------
        staged
            The file.

        Returns
        -------
        Surveyed

        Raises
        ------
        JobFailed
            If it has other bytes, or another number of items, than was noted.
        """
        seen: dict[str, Seen] = {}
        count = 0
        with _unchanged(self.place, staged.path, staged.sha256, staged.md5) as (file, sha256):
            for item in items_in(file, staged.path):
                take_in(seen, item)
                count += 1
            size = os.fstat(file.fileno()).st_size
        if count != staged.items:
            raise _changed(self.place, staged.path, f"{count} items, not {staged.items}")
        facts = ExportedFile(path=staged.path, rows=count, bytes=size, sha256=sha256)
        return Surveyed(facts, seen)


@contextmanager
def _unchanged(
    place: Place, name: str, sha256: str | None, md5: str | None = None
) -> Iterator[tuple[BinaryIO, str]]:
    """Open a staged file and give its SHA-256; refuse it if it is not the one that was noted.

    Digests and items are read from one open file: a worker that outlived its killed run may put another one
    into its place at any time (though it never writes into one that is there).
    """
    with place.reading(name) as path, path.open("rb") as file:
        found = digests(file)
        if any(known and known != digest for known, digest in zip((sha256, md5), found, strict=True)):
            raise _changed(place, name, "other bytes")
        yield file, found[0]


def _changed(place: Place, name: str, what: str) -> JobFailed:
    return JobFailed(
        f"{name} of {place} has {what}: it was changed after it was written.",
        hint="Remove that file and run it again with the same run=…: it is then read anew.",
    )


def merged(found: Iterable[Surveyed]) -> dict[str, Seen]:
    """Return what is known of all files' attributes."""
    seen: dict[str, Seen] = {}
    for one in found:
        for name, about in one.seen.items():
            seen.setdefault(name, Seen()).merge(about)
    return seen


@dataclass(frozen=True)
class Convert:
    """Turns parts into files of CSV and Parquet; travels to the executors.

    Parameters
    ----------
    place
        The run's folder.
    columns
        The columns of both.
    """

    place: Place
    columns: tuple[ExportedColumn, ...]

    def __call__(self, part: tuple[int, tuple[ExportedFile, ...]]) -> list[ExportedFile]:
        """Convert a part.

        Parameters
        ----------
        part
            Its number, and its staged files.

        Returns
        -------
        list of ExportedFile
            A file of CSV and one of Parquet; more if they would be too large.

        Raises
        ------
        JobFailed
            If a staged file has other bytes than when it was surveyed.
        """
        number, files = part
        items = itertools.chain.from_iterable(map(self._items, files))
        made: list[ExportedFile] = []
        for roll in itertools.count():
            first = list(itertools.islice(items, 1))
            if roll and not first:
                break
            made += self._pair(f"part-{number:05d}-{roll:03d}", itertools.chain(first, items))
        return made

    def _items(self, staged: ExportedFile) -> Iterator[Mapping[str, Value]]:
        with _unchanged(self.place, staged.path, staged.sha256) as (file, _):
            yield from items_in(file, staged.path)

    def _pair(self, name: str, items: Iterator[Mapping[str, Value]]) -> list[ExportedFile]:
        names = (f"{exports.CSV}/{name}.csv", f"{exports.PARQUET}/{name}.snappy.parquet")
        with ExitStack() as stack:
            paths = [stack.enter_context(self.place.writing(one)) for one in names]
            rows = self._write(paths[0], paths[1], items)
            found = rows_of_csv(paths[0])
            if found != rows:
                raise JobFailed(f"{names[0]} of {self.place} has {found} rows where {rows} were written.")
            return [_facts(one, path, rows) for one, path in zip(names, paths, strict=True)]

    def _write(self, csv_path: Path, parquet_path: Path, items: Iterator[Mapping[str, Value]]) -> int:
        rows = size = 0
        with (
            csv_path.open("w", encoding="utf-8", newline="") as file,
            _Table(parquet_path, self.columns) as table,
        ):
            file.write(csv_line(column.name for column in self.columns))
            for item in items:
                size += self._row(item, file, table)
                rows += 1
                if size >= CSV_BYTES:
                    break
        return rows

    def _row(self, item: Mapping[str, Value], file: TextIO, table: _Table) -> int:
        values = [item.get(column.name) for column in self.columns]
        line = csv_line(None if value is None else text(value) for value in values)
        file.write(line)
        size = len(line)
        table.add(
            [cell(column.type, value) for column, value in zip(self.columns, values, strict=True)], size
        )
        return size


class _Table:
    """Writes a Parquet file, a row group at a time."""

    def __init__(self, path: Path, columns: Sequence[ExportedColumn]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = pa.schema([(column.name, arrow_type(column.type)) for column in columns])
        self._writer: Any = pq.ParquetWriter(path, self._schema, compression="snappy")
        self._rows: list[list[Any]] = []
        self._bytes = 0

    def __enter__(self) -> _Table:  # noqa: PYI034 - private
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def add(self, row: list[Any], size: int) -> None:
        self._rows.append(row)
        self._bytes += size
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(c, type=f.type) for c, f in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=GROUP_ROWS)
        self._rows, self._bytes = [], 0


def arrow_type(type_: str) -> pa.DataType:
    """Return a column's type as pyarrow has it."""
    import pyarrow as pa

    if type_.startswith("decimal"):
        return pa.decimal128(38, int(type_.removesuffix(")").partition(",")[2]))
    return {"string": pa.string(), "bigint": pa.int64(), "binary": pa.binary()}[type_]


def rows_of_csv(path: Path) -> int:
    """Count the rows of a file of CSV by reading it, the header left out."""
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file, strict=True)) - 1


def _facts(name: str, path: Path, rows: int) -> ExportedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportedFile(path=name, rows=rows, bytes=path.stat().st_size, sha256=digest)


def rows_of_parquet(place: Place, files: Iterable[ExportedFile]) -> int:
    """Count the rows of Parquet files where they lie, from their footers.

    Parameters
    ----------
    place
        The run's folder.
    files
        The files.

    Returns
    -------
    int
    """
    import pyarrow.parquet as pq

    found = 0
    for file in files:
        with place.seekable(file.path) as opened:
            found += pq.read_metadata(opened).num_rows
    return found
