"""The old Oracle database: the tables of its schema CRIME, with types, keys and comments of their columns.

Its tables of counts are wide, as NCRB's own are: a row a line of the source, a column a crime head. Beside
them stand the districts, the heads, and the records of single cases. `crime_jobs.migrate.oracle` has the same
as SQL and as AWS DMS's table mapping; a test holds the three together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from crime_jobs.model import heads
from crime_jobs.model.layouts import MONTHS, Layout, layouts, legacy_name

SCHEMA = "CRIME"

#: Years for which the population is told.
CENSUSES = ("2001", "2011")


@dataclass(frozen=True)
class Column:
    """A column.

    Parameters
    ----------
    name
        Its name; at most 30 bytes, as Oracle before 12.2 has it.
    type
        Oracle's type, for example ``NUMBER(9)``.
    nullable
        Whether it may be NULL.
    comment
        What it holds.
    """

    name: str
    type: str
    nullable: bool
    comment: str


@dataclass(frozen=True)
class Reference:
    """A foreign key of one column.

    Parameters
    ----------
    name
        The constraint's name.
    column
        The column.
    table
        The table whose primary key it holds; its column has the same name.
    """

    name: str
    column: str
    table: str


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    name
        Its name.
    comment
        What it holds.
    columns
        Its columns in order.
    primary_key
        Names of the key's columns.
    layout
        For a table of NCRB's figures the landing layout that a line of it is; see `crime_jobs.model.layouts`.
    references
        Its foreign keys.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    layout: str | None = None
    references: tuple[Reference, ...] = ()

    def column(self, name: str) -> Column:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)


def _text(name: str, size: int, comment: str, *, nullable: bool = False) -> Column:
    # CHAR: so many letters, not bytes; a letter of Devanagari takes three of those.
    return Column(name, f"VARCHAR2({size} CHAR)", nullable, comment)


def _number(name: str, size: str, comment: str, *, nullable: bool = False) -> Column:
    return Column(name, f"NUMBER({size})" if size else "NUMBER", nullable, comment)


_STATE = _text("STATE_NAME", 60, "State or union territory as the source spells it")
_DISTRICT = _text("DISTRICT_NAME", 60, "District or police unit as the source spells it; state totals too")
_YEAR = _number("CRIME_YEAR", "4", "Year of the figures")
_ENTRY = _number("ENTRY_NO", "2", "1; 2 for the second of two lines that the source has under one key")


def _measures(layout: str, codes: Iterable[str]) -> Iterator[Column]:
    labels = heads.labels()
    months = {code: name.title() for name, code in MONTHS.items()}
    for code in codes:
        if layout == "census":
            yield _number(legacy_name(layout, code), "10", f"Persons counted in {code}")
            continue
        if code == heads.TOTAL:
            comment = "The line's own total"
        elif layout == "traffic_slot":
            comment = f"Road accidents from {code.replace('-', ' to ')} hours"
        elif layout == "traffic_month":
            comment = f"Road accidents in {months[code]}"
        else:
            comment = f"Cases: {labels[code]}"
        yield _number(legacy_name(layout, code), "9", comment)


def _counts(name: str, layout: Layout, comment: str) -> Table:
    keys = (_STATE, *((_DISTRICT,) if "district" in layout.keys else ()), _YEAR, _ENTRY)
    columns = (*keys, *_measures(layout.name, layout.measures.values()))
    return Table(name, comment, columns, tuple(key.name for key in keys), layout.name)


_DISTRICTS = Table(
    "DISTRICTS",
    "Districts and police units, each once whatever its spelling was in a year",
    (
        _number("DISTRICT_ID", "6", "Number of the district"),
        _text("STATE_CODE", 8, "State code as in india_states.geojson, for example IN-TN"),
        _text("STATE_NAME", 60, "Name of the state"),
        _text("DISTRICT_NAME", 60, "Name of the district"),
        _text("DISTRICT_KIND", 8, "district, railway or unit"),
    ),
    ("DISTRICT_ID",),
)

_HEADS = Table(
    "CRIME_HEADS",
    "Crime heads of all years",
    (
        _number("HEAD_ID", "4", "Number of the head"),
        _text("HEAD_CODE", 40, "Code of the head, the same in all years"),
        _text("HEAD_NAME", 120, "Name of the head"),
    ),
    ("HEAD_ID",),
)

_POPULATION = Table(
    "POPULATION",
    "Population of the states by the censuses",
    (_STATE, *_measures("census", CENSUSES)),
    ("STATE_NAME",),
    "census",
)

_CASES = Table(
    "CASE_RECORDS",
    "First Information Reports; generated, of no real case",
    (
        _text("STATION_CODE", 12, "Police station"),
        _number("FIR_YEAR", "4", "Year in which the FIR was registered"),
        _number("FIR_NUMBER", "6", "Number of the FIR within station and year"),
        _number("DISTRICT_ID", "6", "District of the station"),
        _number("HEAD_ID", "4", "Crime head", nullable=True),
        _number("REFERENCE_NO", "38", "Number in the register of the court", nullable=True),
        _number("PROPERTY_VALUE", "12,2", "Value of what was taken, rupees", nullable=True),
        _number("DISTANCE_KM", "", "From station to place of occurrence", nullable=True),
        Column("OCCURRED_ON", "DATE", nullable=True, comment="When it happened, to the second"),
        Column("REPORTED_AT", "TIMESTAMP(6)", nullable=False, comment="When it was reported"),
        Column(
            "REGISTERED_AT",
            "TIMESTAMP(6) WITH TIME ZONE",
            nullable=True,
            comment="When the FIR was registered",
        ),
        _text("COMPLAINANT_NAME", 120, "Who reported it", nullable=True),
        _number("COMPLAINANT_AGE", "3", "Age of that person", nullable=True),
        _text("REMARKS", 200, "Note of the station", nullable=True),
        Column("FIR_TEXT", "CLOB", nullable=True, comment="What was reported, in full"),
        Column("TEXT_DIGEST", "RAW(16)", nullable=True, comment="Digest of the text"),
        Column(
            "IDENTITY_PROTECTED", "CHAR(1)", nullable=False, comment="Y: no identity may be shown; else N"
        ),
    ),
    ("STATION_CODE", "FIR_YEAR", "FIR_NUMBER"),
    references=(
        Reference("FK_CASE_RECORDS_DISTRICT", "DISTRICT_ID", "DISTRICTS"),
        Reference("FK_CASE_RECORDS_HEAD", "HEAD_ID", "CRIME_HEADS"),
    ),
)


@cache
def tables() -> dict[str, Table]:
    """Return the tables of the schema.

    Returns
    -------
    dict
        Name to `Table`; a table stands after those that it refers to.
    """
    known = layouts()
    counts = (
        ("YEARLY_COUNTS", "ipc_2001", "Crimes under the Indian Penal Code, 2001 to 2013"),
        ("YEARLY_COUNTS_2014", "ipc_2014", "Crimes under the Indian Penal Code, 2014"),
        ("WOMEN_COUNTS", "women_2001", "Crimes against women, 2001 to 2013"),
        ("WOMEN_COUNTS_2014", "women_2014", "Crimes against women, 2014"),
        ("ACCIDENTS_BY_MONTH", "traffic_month", "Road accidents by month"),
        ("ACCIDENTS_BY_TIME", "traffic_slot", "Road accidents by time of day"),
    )
    found = [_DISTRICTS, _HEADS]
    found += [_counts(name, known[layout], comment) for name, layout, comment in counts]
    found += [_POPULATION, _CASES]
    return {table.name: table for table in found}


def table_of(layout: str) -> Table:
    """Return the table that holds the lines of a landing layout.

    Parameters
    ----------
    layout
        Name of the layout.

    Returns
    -------
    Table

    Raises
    ------
    KeyError
        If the old database has no table for it.
    """
    for table in tables().values():
        if table.layout == layout:
            return table
    raise KeyError(layout)


def target_name(table: Table) -> str:
    """Return the DynamoDB table that a table moves to, for example ``crime-districts``."""
    return f"crime-{table.name.lower().replace('_', '-')}"
