"""The SQL as the application has it: with the typed columns of the FIR, in their order."""

from __future__ import annotations

import re
from importlib import resources
from string import Template

from crime_jobs.model.baseline import MINUTES_PER_YEAR
from crime_jobs.model.fir_event import SQL_COLUMNS, Column

FILES = ("sources.sql", "views.sql", "results.sql")

#: How results write a time.
MOMENT = "yyyy-MM-dd''T''HH:mm:ss''Z''"

#: Minutes of a surge's window; `views.sql` has it too.
SURGE_MINUTES = 15

_TYPES = {"int": "INT", "boolean": "BOOLEAN", "double": "DOUBLE", "timestamp(3)": "TIMESTAMP_LTZ(3)"}


def flink_type(column: Column) -> str:
    """Return a column's type in Flink.

    Parameters
    ----------
    column
        The column.

    Returns
    -------
    str
        Nullable always: a field that can't be read is null, and the views pass its FIR over.
    """
    if re.fullmatch(r"string\(\d+\)", column.type):
        return "STRING"  # a VARCHAR(n) would be cut when it is longer, without a word
    return _TYPES[column.type]


def rendered() -> dict[str, str]:
    """Return the SQL files, with all that does not depend on where the application runs.

    Returns
    -------
    dict
        Text by name; `crime_jobs.stream.analytics.main.statements` fills in the rest.
    """
    values = {
        "columns": ",\n".join(f"    {column.name} {flink_type(column)}" for column in SQL_COLUMNS),
        "share_of_year": f"CAST({SURGE_MINUTES / MINUTES_PER_YEAR:.12e} AS DOUBLE)",
        "moment": MOMENT,
    }
    folder = resources.files("crime_jobs.stream.analytics")
    return {
        name: Template((folder / name).read_text(encoding="utf-8")).safe_substitute(values) for name in FILES
    }
