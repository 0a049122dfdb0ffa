"""Tables about the moving of data itself: what was moved, what was not, where source and target differ."""

from __future__ import annotations

from crime_jobs.model.tables import TABLES, Column, Table

_TASK = Column("task", "string", "name of the migration")
_SOURCE = Column("source_table", "string", "SCHEMA.NAME in the old database")
_TARGET = Column("target_table", "string", "the DynamoDB table")
_KEY = Column("item_key", "string", "the item's key as a JSON array, partition key first")

OPERATIONS: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "migration_statistics",
            "What was moved of one source table, under the names of DMS's table statistics",
            (
                _TASK,
                _SOURCE,
                _TARGET,
                Column("table_state", "string", "as DMS names it: Full load, Table completed, Table error …"),
                Column("full_load_rows", "bigint", "rows that are in the target, confirmed"),
                Column("full_load_error_rows", "bigint", "rows that do not fit into an item"),
                Column("full_load_condtnl_chk_failed_rows", "bigint", "rows whose key another row has"),
                Column("full_load_start_time", "string", "ISO 8601, UTC"),
                Column("full_load_end_time", "string", "ISO 8601, UTC"),
                Column(
                    "validation_state",
                    "string",
                    "as DMS names it: Validated, Mismatched records …",
                ),
                Column("validation_pending_records", "bigint", "rows not compared"),
                Column("validation_failed_records", "bigint", "keys at which source and target differ"),
                Column("validation_suspended_records", "bigint", "rows that were not moved: they do not fit"),
            ),
            key=("task", "source_table"),
        ),
        Table(
            "migration_exceptions",
            "A row of the old database that is not in the target, and why; never what is in it",
            (
                _TASK,
                _SOURCE,
                _TARGET,
                Column("source_key", "string", "the row's primary key as a JSON array"),
                Column("kind", "string", "error (does not fit) or collision (its key is taken)"),
                Column("attribute", "string", "the attribute that does not fit, if it is one"),
                Column("reason", "string", "why"),
            ),
        ),
        Table(
            "validation_differences",
            "An item that differs from its source row, by key and column; never what is in them",
            (
                _TASK,
                _SOURCE,
                _TARGET,
                _KEY,
                Column("kind", "string", "missing in the target, surplus there, or different"),
                Column(
                    "attributes",
                    "string",
                    "the attributes that differ, joined by blanks",
                ),
            ),
            key=("task", "source_table", "item_key"),
        ),
    )
}

#: Every table that a job may publish.
ALL_TABLES = TABLES | OPERATIONS
