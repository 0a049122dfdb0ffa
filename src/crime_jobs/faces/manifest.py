"""The manifest of a watch list: a CSV that is taken whole or not at all. No I/O.

What is wrong is told by its line and column, never by what stands there: a manifest is full of people.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import PurePosixPath

from crime_jobs.errors import BadInput
from crime_jobs.faces.decisions import is_printable
from crime_jobs.model.faces import is_over

#: The columns, in any order.
COLUMNS = ("photograph", "person_key", "source", "legal_basis", "expires")

#: Bytes of a manifest, photographs of a person, and faults that are told of at most.
MOST_BYTES, MOST_OF_A_PERSON, MOST_FAULTS = 64 * 1024**2, 100, 20

#: What a department's key is made of: no space, so that it can't be mistaken; nothing that a shell takes.
KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,126}[A-Za-z0-9])?")
_KEY_WORDS = "letters, digits and . _ : / - between them, at most 128"

#: Characters of a text, and bytes of a photograph's name: a key of S3 has 1024 with its folder.
_MOST_TEXT, _MOST_NAME = 500, 900
#: Columns in words, in any script.
_WORDS = {"source", "legal_basis"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Enrolment:
    """A line of the manifest.

    Parameters
    ----------
    line
        Its number, the header's is 1.
    photograph
        Where the photograph is, from the manifest's folder.
    person_key, source, legal_basis
        Whose it is, where it comes from, and by what right it is used.
    expires
        The last day on which it is.
    """

    line: int
    photograph: str = field(repr=False)
    person_key: str = field(repr=False)
    source: str = field(repr=False)
    legal_basis: str = field(repr=False)
    expires: date


def parse(content: bytes, now: datetime | None = None) -> list[Enrolment]:
    """Read a manifest.

    Parameters
    ----------
    content
        UTF-8, with or without a mark at its beginning; the header names `COLUMNS` in any order.
    now
        By default the present: an enrolment that is over already is a fault.

    Returns
    -------
    list of Enrolment
        In the manifest's order.

    Raises
    ------
    BadInput
        If anything is wrong with it: what, by line and column. Nothing of what stands there is in it.
    """
    rows = _rows(_text(content))
    header = next(rows, None)
    if header is None:
        raise BadInput("The manifest is empty.", hint=_FORM)
    places = _places(header[1])
    faults: list[str] = []
    found: list[Enrolment] = []
    today = now or datetime.now(UTC)
    for line, cells in rows:
        wrong = _wrong(cells, places, today)
        faults += [f"line {line}: {what}" for what in wrong]
        if not wrong:
            values = {name: cells[at] for name, at in places.items()}
            found.append(Enrolment(line=line, expires=date.fromisoformat(values.pop("expires")), **values))
    faults += _between(found)
    if faults:
        _refuse(faults)
    if not found:
        raise BadInput("The manifest has a header and no line.", hint=_FORM)
    return found


_FORM = (
    "It is a CSV with the columns photograph, person_key, source, legal_basis and expires (docs/faces.md)."
)


def _refuse(faults: Sequence[str]) -> None:
    told = sorted(faults, key=lambda fault: int(fault[5:].partition(":")[0]))[:MOST_FAULTS]
    more = len(faults) - len(told)
    raise BadInput(
        "The manifest is not taken, nothing was enrolled: "
        + "; ".join(told)
        + (f"; and {more} more." if more else "."),
        hint="Correct these lines and run it again.",
    )


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise BadInput(f"The manifest has more than {MOST_BYTES // 1024**2} MB.", hint="Part it in several.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Without the error it came of: that has the bytes.
        raise BadInput(f"The manifest is not UTF-8: line {line}.", hint="Save it as UTF-8.") from None


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            raise BadInput(
                f"The manifest is no CSV: line {line} (quotes, or a field of more than 131,072 characters).",
                hint=_FORM,
            ) from None
        if cells is None:
            return
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _places(header: Sequence[str]) -> dict[str, int]:
    # A manifest without a header begins with a person: so an unknown name is told by its place.
    if unknown := [str(at + 1) for at, name in enumerate(header) if name not in COLUMNS]:
        raise BadInput(
            f"The manifest's header: column {', '.join(unknown)} is none of {', '.join(COLUMNS)}.",
            hint="Are the names spelt so, and is the header the first line?",
        )
    for name in COLUMNS:
        if header.count(name) != 1:
            how = "is missing" if name not in header else "comes twice"
            raise BadInput(f"The manifest's header: column {name} {how}.", hint=_FORM)
    return {name: header.index(name) for name in COLUMNS}


def _wrong(cells: Sequence[str], places: dict[str, int], now: datetime) -> list[str]:
    """Tell what is wrong with a line by itself."""
    if len(cells) != len(places):
        return [f"it has {len(cells)} fields, not {len(places)}"]
    values = {name: cells[at] for name, at in places.items()}
    faults = []
    for name, text in values.items():
        if not text.strip():
            faults.append(f"{name} is empty")
        elif text != text.strip():
            faults.append(f"{name} has spaces around it")
        elif not (is_printable(text) if name in _WORDS else text.isprintable()):
            faults.append(f"{name} has characters that can't be printed")
        elif len(text) > _MOST_TEXT and name != "photograph":
            faults.append(f"{name} has more than {_MOST_TEXT} characters")
        else:
            fault = {"photograph": _photograph, "person_key": _key, "expires": _day}.get(name)
            if fault and (what := fault(text, now)):
                faults.append(what)
    return faults


def _photograph(text: str, _: datetime) -> str:
    parts = text.split("/")
    is_inside = not PurePosixPath(text).is_absolute() and not {"", ".", ".."} & set(parts)
    if not is_inside or "\\" in text or ":" in parts[0]:
        return "photograph is not a path below the manifest's folder"
    return "" if len(text.encode()) <= _MOST_NAME else f"photograph has more than {_MOST_NAME} bytes"


def _key(text: str, _: datetime) -> str:
    return "" if KEY.fullmatch(text) else f"person_key has other characters than {_KEY_WORDS}"


def _day(text: str, now: datetime) -> str:
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        return "expires is not a day as YYYY-MM-DD"
    return "expires is in the past" if is_over(day, now) else ""


def _between(found: Sequence[Enrolment]) -> list[str]:
    """Tell what is wrong with lines beside each other."""
    faults = []
    photographs: dict[str, int] = {}
    first: dict[str, Enrolment] = {}
    count: dict[str, int] = {}
    for one in found:
        if before := photographs.get(one.photograph):
            faults.append(f"line {one.line}: the same photograph as line {before}")
        photographs.setdefault(one.photograph, one.line)
        other = first.setdefault(one.person_key, one)
        faults += [
            f"line {one.line}: the person of line {other.line}, with another {name}"
            for name in ("legal_basis", "expires")
            if getattr(one, name) != getattr(other, name)
        ]
        count[one.person_key] = count.get(one.person_key, 0) + 1
        if count[one.person_key] == MOST_OF_A_PERSON + 1:
            faults.append(
                f"line {one.line}: the person of line {other.line} has more than "
                f"{MOST_OF_A_PERSON} photographs"
            )
    return faults
