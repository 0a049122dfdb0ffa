"""What is said of SQL that is wrong: the reason, where, and that line with a caret."""

from __future__ import annotations

import re
from difflib import get_close_matches

from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.model.tables import TABLES

#: Jobs that make tables of another name; each other table is made by the job of its name.
_MADE_BY = {
    "crime_facts": "clean_ncrb",
    "women_facts": "clean_ncrb",
    "traffic_facts": "clean_ncrb",
    "population_census": "clean_ncrb",
    "quarantine": "clean_ncrb",
    "data_quality": "reconcile",
}
#: The widest line that is shown whole.
_WIDE = 100


def job_of(table: str) -> str:
    """Return the job that makes a table.

    Parameters
    ----------
    table
        A name of `crime_jobs.model.tables.TABLES`.
    """
    return _MADE_BY.get(table, table)


def wrong_sql(sql: str, reason: str, line: int | None = None, column: int | None = None) -> WrongUsage:
    """Make the error for SQL that is wrong.

    Parameters
    ----------
    sql
        The statement as it was given.
    reason
        Why.
    line, column
        Where, both from 1; ``None`` where nobody says.

    Returns
    -------
    WrongUsage
    """
    reason = " ".join(reason.split()).rstrip(".")
    if line is None or column is None:
        return WrongUsage(f"The SQL can't be run: {reason}.")
    lines = sql.splitlines()
    if not 1 <= line <= len(lines):
        return WrongUsage(f"The SQL can't be run: line {line}, column {column}: {reason}.")
    shown, at = lines[line - 1].replace("\t", " "), column - 1
    if len(shown) > _WIDE:
        cut = max(0, at - _WIDE // 2)
        shown, at = shown[cut : cut + _WIDE], at - cut
    return WrongUsage(
        f"The SQL can't be run: line {line}, column {column}: {reason}.",
        hint=f"  {shown}\n  {' ' * min(at, len(shown))}^",
    )


def place_of(sql: str, name: str) -> tuple[int, int] | tuple[None, None]:
    """Find the first place of a name in a statement.

    Parameters
    ----------
    sql
        The statement.
    name
        A table's or column's name.

    Returns
    -------
    tuple
        Line and column, both from 1; ``None`` twice if it is not in it.
    """
    for number, line in enumerate(sql.splitlines(), start=1):
        if found := re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", line, flags=re.IGNORECASE):
            return number, found.start() + 1
    return None, None


def missing_table(table: str, where: str, others: list[str], setup: str = "") -> BadInput:
    """Make the error for a table that is not there.

    Parameters
    ----------
    table
        Its name.
    where
        What it is not in.
    others
        What is there.
    setup
        What to do for a table that we know, when another thing than running its job.

    Returns
    -------
    BadInput
    """
    if table in TABLES:
        hint = setup or f"Run `crime-jobs run {job_of(table)}` first, or `crime-jobs run all`."
    else:
        near = get_close_matches(table, others, n=1)
        hint = f"Is {near[0]} meant?" if near else f"There are {', '.join(sorted(others))}."
    return BadInput(f"Table {table} is not in {where}.", hint=hint)
