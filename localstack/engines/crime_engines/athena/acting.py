"""DDL and SHOW: what they do to the catalogue, and what they say."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from crime_engines.athena.kinds import described
from crime_engines.athena.projection import is_projected, projected
from crime_engines.athena.resolving import view_text
from crime_engines.athena.showing import created
from crime_engines.athena.statements import (
    AlterPartitions,
    AlterProperties,
    CreateDatabase,
    CreateTable,
    Drop,
    Name,
    Repair,
    Show,
    Statement,
)
from crime_engines.athena.store import Store
from crime_engines.athena.wrong import QueryFailed
from crime_engines.glue.catalog import Catalog, Table, hive_path
from crime_engines.protocol import Refusal

Said = tuple[list[str], list[dict[str, Any]]]
_SEMANTIC = "FAILED: SemanticException"


class Actions:
    """Carries DDL out.

    Parameters
    ----------
    catalog
        The catalogue.
    store
        Where data is.
    """

    def __init__(self, catalog: Catalog, store: Store) -> None:
        self._catalog, self._store = catalog, store

    def act(self, statement: Statement, region: str, database: str) -> Said:
        """Carry a statement out.

        Parameters
        ----------
        statement
            The statement.
        region, database
            Where.

        Returns
        -------
        lines, columns
            What it says.

        Raises
        ------
        QueryFailed
            If it can't be done.
        """
        if isinstance(statement, Show):
            return self._show(statement, region, database)
        lines: list[str] = []
        if isinstance(statement, CreateDatabase):
            self._lenient(statement.if_not_exists, self._catalog.add_database, region, statement.given)
        elif isinstance(statement, CreateTable):
            where = statement.name[0] or database
            self._lenient(statement.if_not_exists, self._catalog.add_table, region, where, statement.given)
        elif isinstance(statement, Drop):
            self._drop(statement, region, database)
        elif isinstance(statement, Repair):
            lines = self._repair(self._table(statement.name, region, database))
        elif isinstance(statement, AlterPartitions):
            self._alter(statement, self._table(statement.name, region, database))
        elif isinstance(statement, AlterProperties):
            table = self._table(statement.name, region, database)
            table.told["Parameters"] = {**table.parameters, **statement.properties}
            if statement.location:
                table.told["StorageDescriptor"] = {**table.storage, "Location": statement.location}
        return lines, [described("result", "string")] if lines else []

    def _lenient(self, lenient: bool, do: Any, *given: Any) -> None:
        try:
            do(*given)
        except Refusal as refusal:
            if refusal.code == "AlreadyExistsException" and lenient:
                return
            raise QueryFailed(
                f"FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                f"{refusal.code}(message:{refusal.message})"
            ) from refusal

    def _table(self, name: Name, region: str, database: str) -> Table:
        base = (name[0] or database).lower()
        try:
            return self._catalog.table(region, base, name[1])
        except Refusal as refusal:
            raise QueryFailed(f"{_SEMANTIC} [Error 10001]: Table not found {base}.{name[1]}") from refusal

    def _drop(self, statement: Drop, region: str, database: str) -> None:
        try:
            if statement.what == "DATABASE":
                found = self._catalog.database(region, statement.name[1])
                if found.tables and not statement.cascade:
                    raise QueryFailed(
                        "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                        f"InvalidOperationException(message:Database {statement.name[1]} is not empty. "
                        "One or more tables exist.)"
                    )
                self._catalog.drop_database(region, statement.name[1])
                return
            base = (statement.name[0] or database).lower()
            table = self._catalog.table(region, base, statement.name[1])
            if table.is_view != (statement.what == "VIEW"):
                other = "VIEW" if table.is_view else "TABLE"
                raise QueryFailed(
                    f"{_SEMANTIC} Cannot use DROP {statement.what} on a {other.lower()}: use DROP {other}"
                )
            self._catalog.drop_table(region, base, statement.name[1])
        except Refusal as refusal:
            if not statement.if_exists:
                name = ".".join(part for part in statement.name if part)
                raise QueryFailed(
                    f"{_SEMANTIC} [Error 10001]: {statement.what.title()} not found {name}"
                ) from refusal

    def _repair(self, table: Table) -> list[str]:
        """Find partitions whose folders are there; those whose folders are gone stay, as in Athena."""
        names = [str(key["Name"]) for key in table.keys]
        if not names:
            raise QueryFailed(f"{_SEMANTIC} Table {table.name} is not partitioned")
        found = set()
        for file in self._store.list(table.location):
            folders = file.uri[len(table.location) :].split("/")[:-1][: len(names)]
            parts = [folder.partition("=") for folder in folders]
            if [part[0].lower() for part in parts] == names and all(part[1] for part in parts):
                found.add((tuple(unquote(part[2]) for part in parts), "/".join(folders)))
        said = []
        for values, place in sorted(found):
            if values not in table.partitions:
                there = {"Location": f"{table.location}{place}"}
                self._catalog.add_partition(table, {"Values": list(values), "StorageDescriptor": there})
                said.append((values, place))
        if not said:
            return []
        where = f"{table.database}.{table.name}"
        return [
            f"Partitions not in metastore:\t{chr(9).join(f'{table.name}:{place}' for _, place in said)}",
            *(f"Repair: Added partition to metastore {where}:{place}" for _, place in said),
        ]

    def _alter(self, statement: AlterPartitions, table: Table) -> None:
        names = [str(key["Name"]) for key in table.keys]
        for one in statement.partitions:
            if set(one.values) != set(names):
                raise QueryFailed(
                    f"{_SEMANTIC} Partition spec {{{one.values}}} does not match the table's keys {names}"
                )
            values = tuple(one.values[name] for name in names)
            if statement.add:
                place = {"StorageDescriptor": {"Location": one.location}} if one.location else {}
                self._lenient(
                    statement.lenient, self._catalog.add_partition, table, {"Values": list(values), **place}
                )
            elif table.partitions.pop(values, None) is None and not statement.lenient:
                spec = hive_path(table.keys, values).rstrip("/")
                raise QueryFailed(f"{_SEMANTIC} [Error 10006]: Partition not found ({spec})")

    def _show(self, statement: Show, region: str, database: str) -> Said:
        what, name = statement.what, statement.name
        if what == "DATABASES":
            lines = [str(base.told["Name"]) for base in self._catalog.databases(region)]
            return _matching(lines, statement.pattern), [described("database_name", "string")]
        if what in ("TABLES", "VIEWS"):
            where = name[0] if name and name[0] else database
            try:
                tables = self._catalog.database(region, where).tables
            except Refusal as refusal:
                raise QueryFailed(f"{_SEMANTIC} [Error 10072]: Database does not exist: {where}") from refusal
            lines = sorted(one for one, table in tables.items() if what == "TABLES" or table.is_view)
            return _matching(lines, statement.pattern), [
                described("tab_name" if what == "TABLES" else "views", "string")
            ]
        if name is None:
            raise QueryFailed(f"{_SEMANTIC} SHOW {what} needs a table")
        table = self._table(name, region, database)
        return _of_a_table(what, table)


def _of_a_table(what: str, table: Table) -> Said:
    if what == "PARTITIONS":
        if not table.keys:
            raise QueryFailed(
                f"FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
                f"Table {table.name} is not a partitioned table"
            )
        values = projected(table, {}) if is_projected(table) else table.partitions
        lines = [hive_path(table.keys, one).rstrip("/") for one in sorted(values)]
        return lines, [described("partition", "string")]
    if what == "COLUMNS":
        return [f"{column['Name']:<20}" for column in [*table.columns, *table.keys]], [
            described("field", "string")
        ]
    if what == "TBLPROPERTIES":
        lines = [f"{key}\t{value}" for key, value in sorted(table.parameters.items())]
        return lines, [described("prpt_name", "string"), described("prpt_value", "string")]
    if what == "CREATE VIEW" or (what == "CREATE TABLE" and table.is_view):
        text = f"CREATE VIEW {table.name} AS\n{view_text(table)}"
        return text.splitlines(), [described("Create View", "varchar")]
    if what == "CREATE TABLE":
        return created(table).splitlines(), [described("createtab_stmt", "string")]
    rows = [_row(column) for column in [*table.columns, *table.keys]]
    if table.keys:
        head = [
            _padded("", "", ""),
            _padded("# Partition Information", "", ""),
            _padded("# col_name", "data_type", "comment"),
        ]
        rows += [*head, _padded("", "", ""), *map(_row, table.keys)]
    return rows, [described(one, "string") for one in ("col_name", "data_type", "comment")]


def _row(column: dict[str, Any]) -> str:
    return _padded(str(column["Name"]), str(column["Type"]), str(column.get("Comment", "")))


def _padded(*values: str) -> str:
    return "\t".join(f"{value:<20}" for value in values)


def _matching(lines: list[str], pattern: str | None) -> list[str]:
    """Keep the names that a pattern of Hive's meets: ``*`` is anything, ``|`` is or."""
    if pattern is None:
        return lines
    made = re.compile("|".join(re.escape(one).replace(r"\*", ".*") for one in pattern.split("|")))
    return [line for line in lines if made.fullmatch(line)]
