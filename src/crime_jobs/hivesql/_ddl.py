"""The DDL of the external tables, made from the tables of the lake and the layouts of landing files."""

from __future__ import annotations

from crime_jobs.model.landing_tables import STAGED, LandingColumn, landing_columns
from crime_jobs.model.tables import TABLES, Table

__all__ = ["GENERATED", "STAGED", "LandingColumn", "lake_ddl", "landing_columns", "landing_ddl"]

#: The variable that names the database: two environments of one account have two.
_USE = "USE ${hivevar:database};\n"

_SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
_MADE = "-- Made by `python -m crime_jobs.hivesql`: change the model and run that, not this file.\n"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _listed(columns: list[tuple[str, str, str]]) -> str:
    return ",\n".join(f"  {name} {kind} COMMENT {_text(comment)}" for name, kind, comment in columns)


def landing_ddl() -> str:
    """Make the script of the external tables over the landing CSVs.

    Returns
    -------
    str
        For each layout a table of strings, ``landing_<layout>_csv``, and over it a typed view,
        ``landing_<layout>``, that leaves out whatever has no number in its year (the header line,
        where the engine ignores ``skip.header.line.count``).
    """
    parts = [
        "-- External tables over the landing CSVs, and typed views over them\n",
        _MADE,
        "-- The files stand in one folder a layout, their copies made by `crime-jobs hive` (docs/hive.md).\n"
        "-- Hive skips the header line, Spark does not: ask the views, they are right in both.\n"
        f"{_USE}",
    ]
    for layout, columns in landing_columns().items():
        name, number = f"landing_{layout}", "population_2001" if layout == "census" else "year"
        fields = _listed([(c.name, "string", c.comment) for c in columns])
        typed = ",\n".join(
            f"  trim({c.name}) AS {c.name}"
            if c.type == "string"
            else f"  CAST(trim({c.name}) AS {c.type}) AS {c.name}"
            for c in columns
        )
        parts.append(
            f"DROP TABLE IF EXISTS {name}_csv;\n\n"
            f"CREATE EXTERNAL TABLE {name}_csv (\n{fields}\n)\n"
            f"COMMENT {_text(f'Landing files of layout {layout}, as they came; all columns are text')}\n"
            f"ROW FORMAT SERDE '{_SERDE}'\nSTORED AS TEXTFILE\n"
            f"LOCATION '${{hivevar:lake}}/{STAGED}/{layout}'\n"
            "TBLPROPERTIES ('skip.header.line.count'='1');\n\n"
            f"CREATE OR REPLACE VIEW {name} AS\nSELECT\n{typed}\nFROM {name}_csv\n"
            f"WHERE trim({number}) RLIKE '^[0-9]+$';\n"
        )
    return "\n".join(parts)


def lake_ddl() -> str:
    """Make the script of the external tables over the lake.

    Returns
    -------
    str
        Each table of `crime_jobs.model.tables` is dropped (its files stay) and made again, so that
        the script can be run again after the lake moved or a table changed.
    """
    head = (
        f"-- External tables over the lake, Parquet\n{_MADE}"
        "-- Dropping an external table leaves its files where they are.\n"
        f"{_USE}"
    )
    return "\n".join([head, *(_lake_table(table) for table in TABLES.values())])


def _lake_table(table: Table) -> str:
    listed = [(c.name, c.type, c.comment) for c in table.columns]
    plain = _listed([c for c in listed if c[0] not in table.partition_by])
    folders = _listed([c for c in listed if c[0] in table.partition_by])
    partitioned = f"PARTITIONED BY (\n{folders}\n)\n" if folders else ""
    repair = f"\nMSCK REPAIR TABLE {table.name};\n" if folders else ""
    return (
        f"DROP TABLE IF EXISTS {table.name};\n\n"
        f"CREATE EXTERNAL TABLE {table.name} (\n{plain}\n)\n"
        f"COMMENT {_text(table.comment)}\n{partitioned}STORED AS PARQUET\n"
        f"LOCATION '${{hivevar:lake}}/{table.name}';\n{repair}"
    )


#: The scripts that are made, and what makes them.
GENERATED = {"10_landing_tables.hql": landing_ddl, "20_lake_tables.hql": lake_ddl}
