"""Holds the engines' marts against each other, cell for cell."""

from __future__ import annotations

from pathlib import Path

import duckdb

from crime_jobs.model.tables import TABLES

MARTS = ("crime_by_region", "crime_by_period", "hot_spots")


class EnginesDisagreeError(Exception):
    """Two engines computed different marts from the same file."""


def _view(con: duckdb.DuckDBPyConnection, name: str, folder: Path, mart: str) -> None:
    columns = ", ".join(
        f"{c.name}::{'VARCHAR' if c.type == 'string' else c.type} AS {c.name}" for c in TABLES[mart].columns
    )
    con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {columns} FROM '{folder / mart}/*.parquet'")


def rows_of(folder: Path) -> dict[str, int]:
    """Return how many rows each mart has.

    Parameters
    ----------
    folder
        Holds ``<mart>/*.parquet``.

    Returns
    -------
    dict
        Mart to rows.
    """
    with duckdb.connect() as con:
        counts = {m: con.execute(f"SELECT count(*) FROM '{folder / m}/*.parquet'").fetchone() for m in MARTS}
    return {mart: int(row[0]) for mart, row in counts.items() if row}


def check(first: Path, second: Path) -> None:
    """Compare all columns of all marts; the order of rows does not matter.

    Parameters
    ----------
    first, second
        Folders that hold ``<mart>/*.parquet`` of one engine each.

    Raises
    ------
    EnginesDisagreeError
        With some of the rows that only one of them has.
    """
    with duckdb.connect() as con:
        for mart in MARTS:
            _view(con, "a", first, mart)
            _view(con, "b", second, mart)
            # A null never equals NaN here: pandas writes nulls for its NaN, so both must come out as nulls.
            only = con.execute(
                "(SELECT 'first', * FROM (FROM a EXCEPT ALL FROM b) ORDER BY ALL LIMIT 5) UNION ALL "
                "(SELECT 'second', * FROM (FROM b EXCEPT ALL FROM a) ORDER BY ALL LIMIT 5)"
            ).fetchall()
            if only:
                rows = "\n".join(f"  only in the {row}" for row in map(str, only))
                raise EnginesDisagreeError(f"{mart}: {first} and {second} differ, for example\n{rows}")


def check_total(folder: Path, incidents: int) -> None:
    """Check that the country's cases of all years are all incidents of the file.

    Parameters
    ----------
    folder
        Holds ``crime_by_period``.
    incidents
        Rows of the input.

    Raises
    ------
    EnginesDisagreeError
        If an incident was lost or counted twice.
    """
    with duckdb.connect() as con:
        row = con.execute(
            f"SELECT sum(cases) FROM '{folder}/crime_by_period/*.parquet' "
            "WHERE level = 'country' AND crime_group = 'all_ipc'"
        ).fetchone()
    if row is None or int(row[0] or 0) != incidents:
        raise EnginesDisagreeError(f"{folder} counts {row}, but the file has {incidents} incidents")
