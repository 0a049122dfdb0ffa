"""The DDL of Athena's tables, made from the model; ``python -m crime_jobs.adhoc.ddl`` writes ``sql/tables/``.

A file has one statement, because Athena runs one at a time. Partitions are projected, so that no crawler and
no ``MSCK REPAIR`` is needed: https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html.
"""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

from crime_jobs.errors import WrongUsage
from crime_jobs.model.fir_event import SQL_COLUMNS
from crime_jobs.model.landing_tables import STAGED, landing_columns
from crime_jobs.model.tables import TABLES, Table

#: The table over the stream's history, and its partition: the day on which Firehose wrote a file, UTC.
FIRS, DELIVERED_ON = "firs", "delivered_on"
#: Years that partitions are projected for. A year without files costs a listing and no more.
FIRST_YEAR, LAST_YEAR = 2001, 2040
#: No FIR was delivered before.
FIRST_DAY = "2026/01/01"
#: The property that tells our tables from others'.
MADE_BY = ("made_by", "crime-jobs")

_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
_JSON = "org.openx.data.jsonserde.JsonSerDe"
_MADE = "-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.\n"
#: A place as it may stand between quotes: no quote, blank, backslash, `$` or comment.
_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w!.*()=-]+)*", flags=re.ASCII)
_PLACE = re.compile(r"\$\{(lake|history|database)\}")


def database_ddl() -> str:
    """Make the statement of the database.

    Returns
    -------
    str
        With the place ``${database}``.
    """
    comment = _text("Crime statistics, made by crime-jobs")
    return f"{_MADE}CREATE DATABASE IF NOT EXISTS ${{database}}\nCOMMENT {comment}\n"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _listed(columns: list[tuple[str, str, str]]) -> str:
    return ",\n".join(f"  {name} {kind} COMMENT {_text(comment)}" for name, kind, comment in columns)


def _properties(own: dict[str, str]) -> str:
    given = dict([MADE_BY]) | own
    return "TBLPROPERTIES (\n" + ",\n".join(f"  {_text(k)} = {_text(v)}" for k, v in given.items()) + "\n)\n"


def lake_table(table: Table) -> str:
    """Make the statement of a table over the lake's Parquet files.

    Parameters
    ----------
    table
        The table.

    Returns
    -------
    str
        With the place ``${lake}``.
    """
    listed = [(c.name, c.type, c.comment) for c in table.columns]
    plain = _listed([c for c in listed if c[0] not in table.partition_by])
    folders = _listed([c for c in listed if c[0] in table.partition_by])
    place = f"${{lake}}/{table.name}"
    projected: dict[str, str] = {}
    if folders:
        projected = {"projection.enabled": "true"}
        for name in table.partition_by:  # each is a year
            projected[f"projection.{name}.type"] = "integer"
            projected[f"projection.{name}.range"] = f"{FIRST_YEAR},{LAST_YEAR}"
        under = "/".join(f"{name}=${{{name}}}" for name in table.partition_by)
        projected["storage.location.template"] = f"{place}/{under}/"
    return (
        f"{_MADE}CREATE EXTERNAL TABLE IF NOT EXISTS {table.name} (\n{plain}\n)\n"
        f"COMMENT {_text(table.comment)}\n"
        + (f"PARTITIONED BY (\n{folders}\n)\n" if folders else "")
        + f"STORED AS PARQUET\nLOCATION '{place}/'\n{_properties(projected)}"
    )


def landing_table(layout: str) -> str:
    """Make the statement of a table over the landing CSVs of a layout, all of it text, as they came.

    Parameters
    ----------
    layout
        A name of `crime_jobs.model.landing_tables.landing_columns`.

    Returns
    -------
    str
        With the place ``${lake}``: ``crime-jobs hive stage`` puts the files there.
    """
    fields = _listed([(c.name, "string", c.comment) for c in landing_columns()[layout]])
    comment = f"Landing files of layout {layout}, as they came; all columns are text"
    return (
        f"{_MADE}CREATE EXTERNAL TABLE IF NOT EXISTS landing_{layout}_csv (\n{fields}\n)\n"
        f"COMMENT {_text(comment)}\nROW FORMAT SERDE '{_CSV}'\nSTORED AS TEXTFILE\n"
        f"LOCATION '${{lake}}/{STAGED}/{layout}/'\n{_properties({'skip.header.line.count': '1'})}"
    )


def firs_table() -> str:
    """Make the statement of the table over the stream's history, without the sealed identity.

    Returns
    -------
    str
        With the place ``${history}``. Times are ISO 8601 text, UTC: `from_iso8601_timestamp` reads them.
    """
    kinds = {"timestamp": "string"}
    listed = [(c.name, kinds.get(bare := c.type.partition("(")[0], bare), c.comment) for c in SQL_COLUMNS]
    projected = {
        "projection.enabled": "true",
        f"projection.{DELIVERED_ON}.type": "date",
        f"projection.{DELIVERED_ON}.format": "yyyy/MM/dd",
        f"projection.{DELIVERED_ON}.range": f"{FIRST_DAY},NOW",
        f"projection.{DELIVERED_ON}.interval": "1",
        f"projection.{DELIVERED_ON}.interval.unit": "DAYS",
        "storage.location.template": f"${{history}}/${{{DELIVERED_ON}}}/",
    }
    day = _listed([(DELIVERED_ON, "string", "day on which Firehose wrote the file, as 2026/11/24, UTC")])
    return (
        f"{_MADE}CREATE EXTERNAL TABLE IF NOT EXISTS {FIRS} (\n{_listed(listed)}\n)\n"
        "COMMENT 'FIRs as the stream brought them: the same FIR may be there twice'\n"
        f"PARTITIONED BY (\n{day}\n)\nROW FORMAT SERDE '{_JSON}'\nSTORED AS TEXTFILE\n"
        f"LOCATION '${{history}}/'\n{_properties(projected)}"
    )


def table_names() -> list[str]:
    """Return the names of all tables that `generated` makes."""
    return [*TABLES, FIRS, *(f"landing_{layout}_csv" for layout in landing_columns())]


def generated() -> dict[str, str]:
    """Make all statements.

    Returns
    -------
    dict
        Table (or ``database``) to statement, in the order to run them.
    """
    found = {"database": database_ddl(), FIRS: firs_table()}
    found |= {table.name: lake_table(table) for table in TABLES.values()}
    return found | {f"landing_{name}_csv": landing_table(name) for name in landing_columns()}


def place(uri: str, what: str) -> str:
    """Check a place before it becomes part of a statement: DDL takes no parameters.

    Parameters
    ----------
    uri
        ``s3://bucket/prefix``; ``s3a://`` is taken for it.
    what
        The setting that it comes from, for the message.

    Returns
    -------
    str
        Without a slash at its end.

    Raises
    ------
    WrongUsage
        If it is no such URI, or has a character that has a meaning in SQL.
    """
    found = re.sub(r"^s3[an]://", "s3://", uri).rstrip("/")
    if not _URI.fullmatch(found):
        raise WrongUsage(
            f"The {what} {uri!r} can't be the place of a table.",
            hint="Athena reads s3://bucket/prefix; letters, digits and !_.*()=- may be in it.",
        )
    return found


def filled(statement: str, *, lake: str, history: str, database: str) -> str:
    """Put the places into a statement.

    Parameters
    ----------
    statement
        From `generated`.
    lake, history
        From `place`.
    database
        Name of the database, as `crime_jobs.adhoc.asking.SqlSettings` holds it to.

    Returns
    -------
    str
        Without comments at its head.
    """
    values = {"lake": lake, "history": history, "database": database}
    bare = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
    return _PLACE.sub(lambda found: values[found[1]], bare).strip()


def main() -> None:
    """Write the files, and remove those of tables that are no more."""
    folder = Path(str(files("crime_jobs.adhoc") / "sql" / "tables"))
    wanted = {f"{name}.sql": text for name, text in generated().items()}
    for stale in {path.name for path in folder.glob("*.sql")} - set(wanted):
        (folder / stale).unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{folder / name}\n")


if __name__ == "__main__":
    main()
