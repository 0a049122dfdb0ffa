"""The tables over the landing CSVs: a folder a layout, and the columns in the order of the files."""

from __future__ import annotations

from dataclasses import dataclass

from crime_jobs.model import heads
from crime_jobs.model.layouts import Layout, layouts

#: Folder of the lake that holds the landing files, a folder a layout: ``crime-jobs hive stage`` fills it.
STAGED = "landing_by_layout"

_CENSUS_YEARS = (2001, 2011)


@dataclass(frozen=True)
class LandingColumn:
    """A column of a landing layout.

    Parameters
    ----------
    name
        Name in Hive and Athena.
    code
        What `crime_jobs.model.layouts` calls it: a key's role, a crime head, a bucket, ``=total``.
    type
        Type that the view gives it; the table over the CSV has strings only.
    comment
        What it is.
    """

    name: str
    code: str
    type: str
    comment: str


def landing_columns() -> dict[str, tuple[LandingColumn, ...]]:
    """Return the columns of each landing layout, in the order that its table has them.

    Returns
    -------
    dict
        Layout to columns. OpenCSVSerde reads by position, so a file whose columns come in another
        order can't be read by the table: `crime_jobs.hivesql` refuses it.
    """
    found = {name: _columns(layout) for name, layout in layouts().items()}
    found["census"] = (
        LandingColumn("state", "state", "string", "state as the file has it"),
        *(
            LandingColumn(f"population_{year}", str(year), "bigint", f"persons, census of {year}")
            for year in _CENSUS_YEARS
        ),
    )
    return found


def _columns(layout: Layout) -> tuple[LandingColumn, ...]:
    keys = (
        LandingColumn(
            "crime_head" if role == "head" else role,
            role,
            "int" if role == "year" else "string",
            f"{'crime head' if role == 'head' else role} as the file has it",
        )
        for role in layout.keys
    )
    measures = (_measure(layout, code) for code in layout.measures.values())
    return (*keys, *measures)


def _measure(layout: Layout, code: str) -> LandingColumn:
    if code == heads.TOTAL:
        name, comment = "total_cases", "total of the row as the file has it"
    elif layout.name == "traffic_slot":
        name, comment = f"slot_{code.replace('-', '_')}", f"accidents, {code} hours"
    elif layout.name == "traffic_month":
        name, comment = f"month_{code}", f"accidents, month {code}"
    elif code == "cases":
        name, comment = code, "cases registered"
    else:
        name, comment = code, f"cases: {heads.labels()[code]}"
    return LandingColumn(name, code, "bigint", comment)
