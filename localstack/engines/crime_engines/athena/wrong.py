"""Errors that a query ends with, in Athena's words."""

from __future__ import annotations

import re

import duckdb

from crime_jobs.adhoc.dialect import SqlWrong


class QueryFailed(Exception):  # noqa: N818 - reads as what happened
    """A query ended with an error; the message is its ``StateChangeReason``.

    Parameters
    ----------
    reason
        The message.
    cancelled
        Whether it ended as cancelled and not as failed.
    """

    def __init__(self, reason: str, *, cancelled: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.cancelled = reason, cancelled


_CAST = re.compile(r"Could not convert string '(?P<value>.*?)' to (?P<kind>\w+)", re.DOTALL)
_GROUPED = re.compile(r'column "(?P<column>[^"]+)" must appear in the GROUP BY clause')
_KINDS = {"INT32": "INT", "INT64": "BIGINT", "DOUBLE": "DOUBLE", "DATE": "DATE", "BOOL": "BOOLEAN"}


def explained(error: duckdb.Error) -> QueryFailed:  # noqa: PLR0911 - an error a line
    """Say in Athena's words what DuckDB says.

    Parameters
    ----------
    error
        DuckDB's error.
    """
    said = str(error).partition("\n\nLINE ")[0].strip()
    text = re.sub(r"^[A-Za-z /]+ Error: ", "", said)
    if found := _CAST.search(said):
        kind = _KINDS.get(found["kind"], found["kind"])
        return QueryFailed(f"INVALID_CAST_ARGUMENT: Cannot cast '{found['value']}' to {kind}")
    if "Division by zero" in said:
        return QueryFailed("DIVISION_BY_ZERO: Division by zero")
    if isinstance(error, duckdb.OutOfRangeException):
        return QueryFailed(f"NUMERIC_VALUE_OUT_OF_RANGE: {text}")
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryFailed(
            f"EXCEEDED_LOCAL_MEMORY_LIMIT: Query exhausted resources at this scale factor: {text}"
        )
    if isinstance(error, duckdb.HTTPException | duckdb.IOException):
        return QueryFailed(f"HIVE_CANNOT_OPEN_SPLIT: {text}")
    if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException):
        name = "HIVE_BAD_DATA" if "CSV" in said or "JSON" in said else "INVALID_FUNCTION_ARGUMENT"
        return QueryFailed(f"{name}: {text}")
    if "More than one row returned by a subquery" in said:
        return QueryFailed("SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows")
    if found := _GROUPED.search(said):
        what = f"'{found['column']}' must be an aggregate expression or appear in GROUP BY clause"
        return QueryFailed(f"EXPRESSION_NOT_AGGREGATE: {what}")
    if isinstance(error, duckdb.BinderException):
        return QueryFailed(f"SYNTAX_ERROR: {text}")
    return QueryFailed(f"GENERIC_INTERNAL_ERROR: {text}")


def table_not_found(name: str, line: int, column: int) -> SqlWrong:
    """Return the error for a table that is not there.

    Parameters
    ----------
    name
        As ``crime.x``.
    line, column
        Where it is named.
    """
    return SqlWrong("TABLE_NOT_FOUND", f"Table 'awsdatacatalog.{name}' does not exist", line, column)
