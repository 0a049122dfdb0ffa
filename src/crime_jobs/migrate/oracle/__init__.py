"""The old Oracle database as SQL and as DMS's table mapping, and rows to fill one with.

``schema.sql`` and ``table-mappings.json`` are static files: people and AWS DMS can take them as they are.
"""

from __future__ import annotations

from importlib.resources import files


def schema_sql() -> str:
    """Return the DDL of the schema: Oracle's SQL, which H2 in its Oracle mode takes too."""
    return (files(__package__) / "schema.sql").read_text(encoding="utf-8")


def table_mappings() -> str:
    """Return AWS DMS's table mapping: which table goes to which DynamoDB table, under which keys."""
    return (files(__package__) / "table-mappings.json").read_text(encoding="utf-8")
