"""``python -m crime_jobs.migrate.oracle.seed --landing data --out x.sql``: fill the old database.

The counts are the landing files' own rows, all of them, totals too, as they stand there. The records of cases
are generated. The script is Oracle's SQL; sqlplus, SQLcl and H2's RunScript take it. Run schema.sql first.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TextIO

from crime_jobs.errors import BadInput
from crime_jobs.migrate.oracle.cases import Place, records
from crime_jobs.migrate.oracle.literals import Value, literal, wrapped
from crime_jobs.model import heads
from crime_jobs.model.landing import BadFile, decode, read_header
from crime_jobs.model.layouts import Header, legacy_name
from crime_jobs.model.legacy import Table, table_of, tables
from crime_jobs.model.places import district_kind, district_name, find_state, is_total

CASES = 2000
SEED = 2014

Row = tuple[Value, ...]

_KEYS = {"STATE_NAME", "DISTRICT_NAME", "CRIME_YEAR", "ENTRY_NO"}


class Seed:
    """The rows of the old database.

    Parameters
    ----------
    files
        The landing files by name.
    cases
        How many records of cases to make.
    seed
        Which ones.

    Raises
    ------
    BadInput
        If a file is no landing file.
    """

    def __init__(self, files: Mapping[str, bytes], cases: int = CASES, seed: int = SEED) -> None:
        self._cases, self._seed = cases, seed
        self._files = [(name, *_read(name, files[name])) for name in sorted(files)]

    def rows(self) -> Iterator[tuple[Table, Row]]:
        """Make the rows, a table after those that it refers to.

        Yields
        ------
        tuple
            The table, and the values of its columns in order.

        Raises
        ------
        BadInput
            If a cell is not what its column holds.
        """
        known = tables()
        for (code, district), (number, state, kind) in self._districts.items():
            yield known["DISTRICTS"], (number, code, state, district, kind)
        labels = heads.labels()
        for code, number in _head_numbers().items():
            yield known["CRIME_HEADS"], (number, code, labels[code])
        for table in known.values():
            if table.layout:
                yield from self._counts(table, table.layout)
        for record in records(self._places(), self._cases, self._seed):
            yield known["CASE_RECORDS"], record

    def _lines(self, layout: str) -> Iterator[tuple[str, int, Header, list[str]]]:
        for name, header, lines in self._files:
            if header.layout == layout:
                for number, line in lines:
                    yield name, number, header, line

    def _counts(self, table: Table, layout: str) -> Iterator[tuple[Table, Row]]:
        seen: Counter[tuple[str, ...]] = Counter()
        for name, number, header, line in self._lines(layout):
            place = tuple(line[index] for _, index in sorted(header.keys.items()))
            seen[place] += 1
            keys: list[Value] = [line[header.keys["state"]]]
            if "district" in header.keys:
                keys.append(line[header.keys["district"]])
            if "year" in header.keys:
                keys += [_whole(name, number, line[header.keys["year"]]), seen[place]]
            # By name: the years of a census file stand in whatever order they stand.
            places = {legacy_name(layout, code): index for index, _, code in header.measures}
            figures = [_whole(name, number, line[places[c.name]]) for c in table.columns[len(keys) :]]
            yield table, (*keys, *figures)

    @cached_property
    def _districts(self) -> dict[tuple[str, str], tuple[int, str, str]]:
        """State code and district to number, name of the state, and kind."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for layout in (*heads.CRIME_LAYOUTS, *heads.WOMEN_LAYOUTS):
            for name, number, header, line in self._lines(layout):
                text = line[header.keys["district"]].strip()
                if not is_total(text):
                    code, state = _state(name, number, line[header.keys["state"]])
                    found.setdefault((code, district_name(code, text)), (state, district_kind(text)))
        return {place: (number, *found[place]) for number, place in enumerate(sorted(found), start=1)}

    def _places(self) -> list[Place]:
        numbers, found = _head_numbers(), []
        for layout in heads.CRIME_LAYOUTS:
            leaves = heads.leaves(layout)
            for name, number, header, line in self._lines(layout):
                text = line[header.keys["district"]].strip()
                if is_total(text):
                    continue
                code, _ = _state(name, number, line[header.keys["state"]])
                district = self._districts[code, district_name(code, text)][0]
                counted = [
                    (numbers[head], head, _whole(name, number, line[index]))
                    for index, _, head in header.measures
                    if head in leaves
                ]
                year = _whole(name, number, line[header.keys["year"]])
                place = Place(district, code, year, tuple(one for one in counted if one[2]))
                if place.cases:
                    found.append(place)
        if not found and self._cases:
            raise BadInput(
                "The landing files have no crimes of districts, so no records of cases can be drawn.",
                hint="Add the files of crimes under the IPC, or ask for --cases 0.",
            )
        return found


def _read(name: str, content: bytes) -> tuple[Header, list[tuple[int, list[str]]]]:
    try:
        header = read_header(content)
        columns = {column.name for column in table_of(header.layout).columns}
        text = decode(content)
    except BadFile as error:
        raise BadInput(f"{name}: {error}.", hint="Take the file away, or correct it.") from error
    except KeyError as error:
        raise BadInput(
            f"{name}: the old database has no table for files of the layout {error}.",
            hint="Take the file away.",
        ) from error
    if other := {legacy_name(header.layout, code) for _, _, code in header.measures} ^ {
        name for name in columns if name not in _KEYS
    }:
        raise BadInput(
            f"{name}: the old database has other columns ({', '.join(sorted(other))} on one side alone).",
            hint="Take the file away.",
        )
    reader = csv.reader(io.StringIO(text, newline=""))
    lines = [(reader.line_num, line) for line in reader if line][1:]
    for number, line in lines:
        if len(line) != header.width:
            raise BadInput(
                f"{name}, line {number}: {len(line)} fields where the header has {header.width}.",
                hint="Correct the line.",
            )
    return header, lines


def _whole(name: str, line: int, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadInput(
            f"{name}, line {line}: {text.strip()[:40]!r} is not a whole number.", hint="Correct the line."
        ) from None


def _state(name: str, line: int, text: str) -> tuple[str, str]:
    state = find_state(text)
    if state is None:
        raise BadInput(
            f"{name}, line {line}: unknown state {text.strip()[:40]!r}.",
            hint="Correct it, or add the spelling to model/vocabulary/states.csv.",
        )
    return state.code, state.name


def _head_numbers() -> dict[str, int]:
    return {code: number for number, code in enumerate(sorted(heads.labels()), start=1)}


def write_sql(
    out: TextIO, files: Mapping[str, bytes], cases: int = CASES, seed: int = SEED
) -> dict[str, int]:
    """Write the script that fills the old database.

    Parameters
    ----------
    out
        Where to; row by row.
    files
        The landing files by name.
    cases
        How many records of cases to make.
    seed
        Which ones.

    Returns
    -------
    dict
        Table name to the number of its rows.

    Raises
    ------
    BadInput
        If a file can't be used.
    """
    counts = dict.fromkeys(tables(), 0)
    for table, row in Seed(files, cases, seed).rows():
        counts[table.name] += 1
        values = [literal(value, column.type) for value, column in zip(row, table.columns, strict=True)]
        # By position: with the names of up to 92 columns in each statement it would be twice as long.
        out.write(f"INSERT INTO {table.name} VALUES (\n{wrapped(values, ',')}\n);\n")  # noqa: S608 - escaped
    out.write("COMMIT;\n")
    return counts


def read_landing(folder: Path) -> dict[str, bytes]:
    """Read the landing files of a folder.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    dict
        File name to content.

    Raises
    ------
    BadInput
        If there is none.
    """
    found = {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}
    if not found:
        raise BadInput(f"There is no CSV file in {folder}.", hint="Name the landing folder with --landing.")
    return found


def main(arguments: list[str] | None = None) -> None:
    """Write the script to a file.

    Parameters
    ----------
    arguments
        Instead of the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m crime_jobs.migrate.oracle.seed", description=__doc__)
    parser.add_argument("--landing", type=Path, default=Path("data"), help="folder of the landing files")
    parser.add_argument("--out", type=Path, required=True, help="the SQL script to write")
    parser.add_argument("--cases", type=int, default=CASES, help="records of cases to make")
    parser.add_argument("--seed", type=int, default=SEED, help="which records of cases")
    given = parser.parse_args(arguments)
    try:
        files = read_landing(given.landing)
        with given.out.open("w", encoding="utf-8", newline="\n") as out:
            counts = write_sql(out, files, given.cases, given.seed)
    except BadInput as error:
        raise SystemExit(str(error)) from None
    print("".join(f"{name}: {number}\n" for name, number in counts.items()), end="")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
