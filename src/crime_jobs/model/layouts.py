"""The layouts of landing files: which one a header is, columns found by name, never by position."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from crime_jobs.model import heads
from crime_jobs.model.places import fold

#: Slots of the day and months by the names that the road files give them.
SLOTS = {
    "0-3 hrs. (Night)": "00-03",
    "3-6 hrs. (Night)": "03-06",
    "6-9 hrs (Day)": "06-09",
    "9-12 hrs (Day)": "09-12",
    "12-15 hrs (Day)": "12-15",
    "15-18 hrs (Day)": "15-18",
    "18-21 hrs (Night)": "18-21",
    "21-24 hrs (Night)": "21-24",
}
MONTHS = {
    name: f"{number:02d}"
    for number, name in enumerate(
        [
            "JANUARY",
            "FEBRUARY",
            "MARCH",
            "APRIL",
            "MAY",
            "JUNE",
            "JULY",
            "AUGUST",
            "SEPTEMBER",
            "OCTOBER",
            "NOVEMBER",
            "DECEMBER",
        ],
        start=1,
    )
}

_STATE_NAMES = ("STATE/UT", "States/UTs", "State_UT", "state", "STATE_NAME")
_DISTRICT_NAMES = ("DISTRICT", "DISTRICT_NAME")
_YEAR_NAMES = ("YEAR", "CRIME_YEAR")
_POPULATION = re.compile(r"^POPULATIONPERSONS(\d{4})$")

#: Columns that tables which come from the old database have as keys; they hold no figure and are left aside.
KEY_COLUMNS = ("PLACE_KEY", "YEAR_ENTRY", "ENTRY_NO")
_ASIDE = frozenset(fold(name) for name in KEY_COLUMNS)

#: Bytes that a name may have in an Oracle before 12.2.
MAX_NAME = 30

#: The share of a layout's columns that a header must have to be meant as that layout.
_RECOGNISED = 0.5


@dataclass(frozen=True)
class Layout:
    """What a landing file's columns mean.

    Parameters
    ----------
    name
        Name of the layout.
    table
        ``crime``, ``women``, ``traffic`` or ``population``: the facts it feeds.
    keys
        Role (``state``, ``district``, ``year``, ``head``) to the names its column may have.
    measures
        Folded column name to code (crime head, bucket or ``=total``); for the long layout the one
        column ``cases``.
    """

    name: str
    table: str
    keys: dict[str, tuple[str, ...]]
    measures: dict[str, str]

    @property
    def known(self) -> dict[str, str]:
        """Folded column name, the source's or the old database's, to a key's role or a measure's code."""
        named = {fold(name): role for role, names in self.keys.items() for name in names}
        legacy = {fold(legacy_name(self.name, code)): code for code in self.measures.values()}
        return named | legacy | self.measures


def legacy_name(layout: str, code: str) -> str:
    """Return the column that holds a measure in the old database.

    Parameters
    ----------
    layout
        Name of the layout.
    code
        The measure's code in it: a crime head, a slot of the day, a month, a census year or ``=total``.

    Returns
    -------
    str
        For example ``MURDER``, ``H00_03``, ``JANUARY``, ``POPULATION_PERSONS_2001``, ``TOTAL``.
    """
    if code == heads.TOTAL:
        return "TOTAL"
    if layout == "traffic_slot":
        return f"H{code.replace('-', '_')}"
    if layout == "traffic_month":
        return next(name for name, month in MONTHS.items() if month == code)
    if layout == "census":
        return f"POPULATION_PERSONS_{code}"
    return code.upper()[:MAX_NAME]


_PLACE_YEAR = {"state": _STATE_NAMES, "district": _DISTRICT_NAMES, "year": _YEAR_NAMES}
_STATE_YEAR = {"state": _STATE_NAMES, "year": _YEAR_NAMES}


@cache
def layouts() -> dict[str, Layout]:
    """Return every layout that is read, but for the census file, whose columns name their years.

    Returns
    -------
    dict
        Name to `Layout`.
    """
    found = [
        Layout(
            name,
            "women" if name in heads.WOMEN_LAYOUTS else "crime",
            _PLACE_YEAR,
            {folded: head.crime_head for folded, head in heads.layout(name).items()},
        )
        for name in (*heads.CRIME_LAYOUTS, *heads.WOMEN_LAYOUTS)
    ]
    for name, buckets in (("traffic_slot", SLOTS), ("traffic_month", MONTHS)):
        measures = {fold(column): code for column, code in buckets.items()}
        found.append(Layout(name, "traffic", _STATE_YEAR, measures | {"TOTAL": heads.TOTAL}))
    found.append(Layout("long", "crime", _PLACE_YEAR | {"head": ("HEAD", "CRIME_HEAD")}, {"CASES": "cases"}))
    return {layout.name: layout for layout in found}


def _census(folded: list[str]) -> Layout | None:
    years = {name: m.group(1) for name in folded if (m := _POPULATION.match(name))}
    return Layout("census", "population", {"state": _STATE_NAMES}, years) if years else None


@dataclass(frozen=True)
class Header:
    """A header that has been recognised.

    Parameters
    ----------
    layout
        The layout's name.
    table
        The facts it feeds.
    keys
        Role to column index.
    measures
        Column index, the source's column name, and the code it stands for.
    width
        Number of columns.
    """

    layout: str
    table: str
    keys: dict[str, int]
    measures: tuple[tuple[int, str, str], ...]
    width: int


class UnknownHeader(ValueError):  # noqa: N818
    """A header that is not one of the layouts; the message says what is unknown or missing."""


def recognise(columns: list[str]) -> Header:
    """Find out which layout a header is.

    Parameters
    ----------
    columns
        The header's cells: the source's names, or those of the old database (`crime_jobs.model.legacy`).
        Order, case, spaces and punctuation don't matter.

    Returns
    -------
    Header

    Raises
    ------
    UnknownHeader
        If no layout is meant, a column is unknown, missing, or there twice. Nothing is guessed: a
        new column may be a new head that the totals contain.
    """
    folded = [fold(column) for column in columns]
    counted = [name for name in folded if name not in _ASIDE]
    candidates = [*layouts().values(), *filter(None, [_census(folded)])]

    def likeness(layout: Layout) -> float:
        wanted = len(layout.keys) + len(layout.measures)
        known = layout.known
        return len({known[name] for name in counted if name in known}) / max(wanted, len(counted))

    best = max(candidates, key=likeness)
    if likeness(best) < _RECOGNISED:
        raise UnknownHeader(
            f"its header ({', '.join(columns[:4])}, …) is none of the layouts "
            f"{', '.join([*layouts(), 'census'])}"
        )
    known = best.known
    # A figure may stand under the source's name or the old database's: under both, it would count twice.
    meant = [known.get(name, name) for name in folded]
    twice = sorted({c for c, m in zip(columns, meant, strict=True) if meant.count(m) > 1})
    unknown = [c for c, f in zip(columns, folded, strict=True) if f not in known and f not in _ASIDE]
    missing = [
        names[0] if isinstance(names, tuple) else code
        for code, names in [*best.keys.items(), *((c, c) for c in best.measures.values())]
        if code not in meant
    ]
    problems = [
        f"{what} {', '.join(repr(n) for n in names)}"
        for what, names in (
            ("unknown column", unknown),
            ("missing column", missing),
            ("column twice", twice),
        )
        if names
    ]
    if problems:
        raise UnknownHeader(f"as layout {best.name} it has {'; '.join(problems)}")
    index = {what: i for i, what in enumerate(meant)}
    return Header(
        best.name,
        best.table,
        {role: index[role] for role in best.keys},
        tuple((index[code], columns[index[code]], code) for code in best.measures.values()),
        len(columns),
    )
