"""Reads one landing file's bytes into entries: every figure it holds, and every row that can't be used.

Nothing is dropped: each line of the file is either entries or one bad entry with its reason.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from crime_jobs.model import heads
from crime_jobs.model.layouts import Header, UnknownHeader, recognise
from crime_jobs.model.places import district_kind, district_name, find_state, is_total

#: More than India's cases in any year (2.9 million) is no count of one district; persons have their own.
MAX_CASES = 5_000_000
MAX_PERSONS = 1_000_000_000

_LINE_END = re.compile(r"\r\n|\n|\r")
_NUMBER = re.compile(r"[+-]?\d+")
_YEARS = range(1950, 2101)


class Entry(NamedTuple):
    """One figure of a landing file, or one row that can't be used.

    Parameters
    ----------
    source_file, line
        Where it stands; the header is line 1.
    row_number
        The line again, but 0 in the long layout: there a district's year is spread over many lines.
    fact
        ``crime``, ``women``, ``traffic`` or ``population``.
    layout
        The layout of the file.
    row_kind
        ``district`` (also a state's row of a file by state), ``total`` (a state's own total row) or ``bad``.
    state_code, state, district, district_kind, year
        The keys, as the vocabularies have them; districts are ``None`` in files by state.
    head
        Crime head, slot, month, or ``=total`` for the row's own total.
    leaf
        Whether the head has no parts in this layout.
    cases
        The figure: cases, or persons.
    reason, record
        For a bad row, what is wrong and the row as it stands.
    """

    source_file: str
    line: int
    row_number: int
    fact: str
    layout: str
    row_kind: str
    state_code: str | None
    state: str | None
    district: str | None
    district_kind: str | None
    year: int | None
    head: str | None
    leaf: bool
    cases: int | None
    reason: str | None
    record: str | None


class BadFile(ValueError):  # noqa: N818
    """A file that can't be read at all; the message says why, the line where it is known."""


class _BadRow(ValueError):  # noqa: N818
    pass


def decode(content: bytes) -> str:
    """Turn a file's bytes into text.

    Parameters
    ----------
    content
        UTF-8, with or without byte order mark.

    Returns
    -------
    str

    Raises
    ------
    BadFile
        If the bytes are not UTF-8, or there are none.
    """
    if not content.strip():
        raise BadFile("it is empty")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadFile("it is UTF-16, not UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(_LINE_END.split(content[: error.start].decode("utf-8", "replace")))
        raise BadFile(
            f"line {line}: byte 0x{content[error.start]:02X} is not UTF-8; save it as UTF-8"
        ) from error


def _fields(line: str) -> list[str]:
    # A line at a time: an unclosed quote spoils its own line and not the rest of the file.
    try:
        return next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration) as error:
        raise _BadRow(f"not a row of CSV ({error})") from error


def read_header(content: bytes) -> Header:
    """Recognise a file by its first line.

    Parameters
    ----------
    content
        The file's bytes, or at least its first line.

    Returns
    -------
    Header

    Raises
    ------
    BadFile
        If it is empty, not UTF-8, or its header is unknown.
    """
    first = _LINE_END.split(decode(content), maxsplit=1)[0]
    try:
        return recognise([cell.strip() for cell in _fields(first)])
    except (UnknownHeader, _BadRow) as error:
        raise BadFile(f"line 1: {error}") from error


def _number(text: str, column: str, most: int) -> int:
    if not _NUMBER.fullmatch(text.strip()):
        raise _BadRow(f"column {column!r}: {text.strip()[:40]!r} is not a whole number")
    value = int(text)
    if value < 0:
        raise _BadRow(f"column {column!r}: {value} is negative")
    if value > most:
        raise _BadRow(f"column {column!r}: {value} is more than any count can be ({most})")
    return value


def _year(text: str) -> int:
    if not _NUMBER.fullmatch(text.strip()) or int(text) not in _YEARS:
        raise _BadRow(f"{text.strip()[:40]!r} is not a year")
    return int(text)


@cache
def _state(text: str) -> tuple[str, str] | None:
    state = find_state(text)
    return (state.code, state.name) if state else None


def _is_leaf(layout: str, code: str) -> bool:
    if layout in heads.CRIME_LAYOUTS or layout in heads.WOMEN_LAYOUTS:
        return code in heads.leaves(layout)
    return code != heads.TOTAL


def _row(name: str, line: int, header: Header, fields: list[str]) -> Iterator[Entry]:
    if len(fields) != header.width:
        raise _BadRow(f"{len(fields)} fields where the header has {header.width}")
    state = _state(fields[header.keys["state"]])
    if state is None:
        raise _BadRow(f"unknown state {fields[header.keys['state']].strip()[:40]!r}")
    district = kind = None
    row_kind = "district"
    if "district" in header.keys:
        text = fields[header.keys["district"]].strip()
        row_kind = "total" if is_total(text) else "district"
        district, kind = district_name(state[0], text), district_kind(text)
        if not district:
            raise _BadRow("the district is empty")
    most = MAX_PERSONS if header.table == "population" else MAX_CASES
    for index, column, code in header.measures:
        cases = _number(fields[index], column, most)
        layout, head = header.layout, code
        year = int(code) if layout == "census" else _year(fields[header.keys["year"]])
        for layouts in (heads.CRIME_LAYOUTS, heads.WOMEN_LAYOUTS):
            # A year in another year's layout would carry heads and a scope that the year does not have.
            if layout in layouts and (right := heads.layout_of(layouts, year)) != layout:
                raise _BadRow(f"the year {year} belongs to layout {right}, the file has {layout}")
        if layout == "long":
            layout = heads.layout_of(heads.CRIME_LAYOUTS, year)
            found = heads.find_head(layout, fields[header.keys["head"]])
            if found is None:
                raise _BadRow(f"unknown crime head {fields[header.keys['head']].strip()[:60]!r}")
            head = found.crime_head
        yield Entry(
            name, line, 0 if header.layout == "long" else line, header.table, layout,
            row_kind, *state, district, kind, year, head, _is_leaf(layout, head), cases, None, None,
        )  # fmt: skip


def parse(name: str, content: bytes) -> Iterator[Entry]:
    """Read a landing file.

    Parameters
    ----------
    name
        The file's name, as it shall stand in ``source_file``.
    content
        Its bytes.

    Yields
    ------
    Entry
        For each good row one entry a figure, for each bad row one bad entry.

    Raises
    ------
    BadFile
        If the file can't be read at all.
    """
    header = read_header(content)
    lines = _LINE_END.split(decode(content))
    last = len(lines)
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            yield from list(_row(name, number, header, _fields(line)))
        except _BadRow as error:
            cut = " (the file ends in the middle of a line)" if number == last else ""
            yield Entry(
                name, number, number, header.table, header.layout, "bad", None, None, None, None, None,
                None, False, None, f"{error}{cut}", line,
            )  # fmt: skip
