"""A table's DDL, written from what the catalogue keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crime_engines.glue.catalog import Table


def created(table: Table) -> str:
    """Return the statement that makes a table, as SHOW CREATE TABLE writes it.

    Parameters
    ----------
    table
        The table.
    """
    parts = [f"CREATE EXTERNAL TABLE `{table.database}.{table.name}`({_columns(table.columns)})"]
    if description := table.told.get("Description"):
        parts.append(f"COMMENT {_text(str(description))}")
    if table.keys:
        parts.append(f"PARTITIONED BY ({_columns(table.keys)})")
    serde = table.storage.get("SerdeInfo") or {}
    parts.append(f"ROW FORMAT SERDE \n  {_text(str(serde.get('SerializationLibrary', '')))} ")
    if settings := serde.get("Parameters"):
        parts.append(f"WITH SERDEPROPERTIES ( \n{_pairs(settings)}) ")
    parts.append(f"STORED AS INPUTFORMAT \n  {_text(str(table.storage.get('InputFormat', '')))} ")
    parts.append(f"OUTPUTFORMAT \n  {_text(str(table.storage.get('OutputFormat', '')))}")
    parts.append(f"LOCATION\n  {_text(str(table.storage.get('Location', '')))}")
    if properties := {key: value for key, value in table.parameters.items() if key != "EXTERNAL"}:
        parts.append(f"TBLPROPERTIES (\n{_pairs(properties)})")
    return "\n".join(parts)


def _columns(columns: Sequence[Mapping[str, Any]]) -> str:
    made = []
    for column in columns:
        comment = f" COMMENT {_text(str(column['Comment']))}" if column.get("Comment") else ""
        made.append(f"\n  `{column['Name']}` {column['Type']}{comment}")
    return ", ".join(made)


def _pairs(pairs: Mapping[str, str]) -> str:
    return ", \n".join(f"  {_text(key)}={_text(value)}" for key, value in sorted(pairs.items()))


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\t", "\\t").replace("\x01", "\\u0001")
    return f"'{escaped}'"
