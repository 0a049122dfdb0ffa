"""Databases, tables and partitions, as Glue keeps them: the one catalogue behind Glue and Athena."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crime_engines.protocol import ACCOUNT, Refusal

#: Partitions of a table: their values to what Glue keeps of them.
Partitions = dict[tuple[str, ...], dict[str, Any]]

#: What only Glue itself sets of a table.
_INPUT_ONLY = ("CreateTime", "UpdateTime", "DatabaseName", "CatalogId", "VersionId")


def missing(what: str) -> Refusal:
    """Return the error for what is not there.

    Parameters
    ----------
    what
        For example ``Table x``.
    """
    return Refusal("EntityNotFoundException", f"{what} not found.")


@dataclass
class Table:
    """A table.

    Parameters
    ----------
    database
        Its database's name.
    told
        It, as Glue tells of it.
    partitions
        Its partitions.
    """

    database: str
    told: dict[str, Any]
    partitions: Partitions = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.told["Name"])

    @property
    def storage(self) -> dict[str, Any]:
        """Its storage descriptor."""
        found: dict[str, Any] = self.told.get("StorageDescriptor") or {}
        return found

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Its columns without partition keys: ``Name``, ``Type``, ``Comment``."""
        return list(self.storage.get("Columns") or [])

    @property
    def keys(self) -> list[dict[str, Any]]:
        """Its partition keys, as `columns`."""
        return list(self.told.get("PartitionKeys") or [])

    @property
    def parameters(self) -> dict[str, str]:
        """Its properties."""
        return dict(self.told.get("Parameters") or {})

    @property
    def location(self) -> str:
        """Its location, ending in ``/``."""
        return str(self.storage.get("Location", "")).rstrip("/") + "/"

    @property
    def is_view(self) -> bool:
        """Whether it is a view."""
        return self.told.get("TableType") == "VIRTUAL_VIEW"


@dataclass
class Database:
    """A database.

    Parameters
    ----------
    told
        It, as Glue tells of it.
    tables
        Its tables by name.
    """

    told: dict[str, Any]
    tables: dict[str, Table] = field(default_factory=dict)


class Catalog:
    """All databases, apart for each region."""

    def __init__(self) -> None:
        self._databases: dict[tuple[str, str], Database] = {}
        self.lock = threading.RLock()

    def databases(self, region: str) -> list[Database]:
        """Return a region's databases, by name.

        Parameters
        ----------
        region
            The region.
        """
        with self.lock:
            return [base for (where, _), base in sorted(self._databases.items()) if where == region]

    def database(self, region: str, name: str) -> Database:
        """Return a database.

        Parameters
        ----------
        region, name
            Which.

        Raises
        ------
        Refusal
            If it is not there.
        """
        with self.lock:
            found = self._databases.get((region, name.lower()))
            if found is None and name.lower() == "default":  # Athena makes it when it is first used
                return self.add_database(region, {"Name": "default"})
        if found is None:
            raise missing(f"Database {name.lower()}")
        return found

    def add_database(self, region: str, given: Mapping[str, Any]) -> Database:
        """Make a database.

        Parameters
        ----------
        region
            The region.
        given
            Glue's ``DatabaseInput``.

        Raises
        ------
        Refusal
            If there is one of the name.
        """
        name = str(given["Name"]).lower()
        with self.lock:
            if (region, name) in self._databases:
                raise Refusal("AlreadyExistsException", "Database already exists.")
            told = {**given, "Name": name, "CreateTime": datetime.now(UTC), "CatalogId": ACCOUNT}
            self._databases[region, name] = Database(told)
            return self._databases[region, name]

    def drop_database(self, region: str, name: str) -> None:
        """Remove a database with all its tables.

        Parameters
        ----------
        region, name
            Which.
        """
        with self.lock:
            self.database(region, name)
            self._databases.pop((region, name.lower()), None)

    def table(self, region: str, database: str, name: str) -> Table:
        """Return a table.

        Parameters
        ----------
        region, database, name
            Which.

        Raises
        ------
        Refusal
            If it or its database is not there.
        """
        found = self.database(region, database).tables.get(name.lower())
        if found is None:
            raise missing(f"Entity Not Found: Table {name.lower()}")
        return found

    def add_table(self, region: str, database: str, given: Mapping[str, Any]) -> Table:
        """Make a table.

        Parameters
        ----------
        region, database
            Where.
        given
            Glue's ``TableInput``.

        Raises
        ------
        Refusal
            If there is one of the name, or no such database.
        """
        name = str(given["Name"]).lower()
        with self.lock:
            base = self.database(region, database)
            if name in base.tables:
                raise Refusal("AlreadyExistsException", "Table already exists.")
            now = datetime.now(UTC)
            told = {**_lower(given), "Name": name, "DatabaseName": str(base.told["Name"]), "CreateTime": now}
            told |= {"UpdateTime": now, "CatalogId": ACCOUNT, "VersionId": "0"}
            base.tables[name] = Table(str(base.told["Name"]), told)
            return base.tables[name]

    def change_table(self, region: str, database: str, given: Mapping[str, Any]) -> None:
        """Say anew what a table is; its partitions stay.

        Parameters
        ----------
        region, database
            Where.
        given
            Glue's ``TableInput``.
        """
        with self.lock:
            table = self.table(region, database, str(given["Name"]))
            kept = {key: table.told[key] for key in _INPUT_ONLY if key in table.told}
            version = str(int(table.told.get("VersionId", "0")) + 1)
            table.told = {**_lower(given), **kept, "Name": table.name, "VersionId": version}
            table.told["UpdateTime"] = datetime.now(UTC)

    def drop_table(self, region: str, database: str, name: str) -> None:
        """Remove a table; its objects stay.

        Parameters
        ----------
        region, database, name
            Which.
        """
        with self.lock:
            table = self.table(region, database, name)
            self.database(region, database).tables.pop(table.name)

    def add_partition(self, table: Table, given: Mapping[str, Any]) -> None:
        """Give a table a partition.

        Parameters
        ----------
        table
            The table.
        given
            Glue's ``PartitionInput``.

        Raises
        ------
        Refusal
            If there is one with the values, or they are not as many as the table's keys.
        """
        values = tuple(given.get("Values") or ())
        if len(values) != len(table.keys):
            raise Refusal(
                "InvalidInputException",
                "The number of partition keys do not match the number of partition values",
            )
        with self.lock:
            if values in table.partitions:
                raise Refusal("AlreadyExistsException", "Partition already exists.")
            storage = dict(given.get("StorageDescriptor") or {})
            if not storage.get("Location"):
                storage["Location"] = table.location + hive_path(table.keys, values)
            whole = {**table.storage, **storage}
            table.partitions[values] = {
                **given,
                "Values": list(values),
                "StorageDescriptor": whole,
                "DatabaseName": table.database,
                "TableName": table.name,
                "CreationTime": datetime.now(UTC),
                "CatalogId": ACCOUNT,
            }


def hive_path(keys: Iterable[Mapping[str, Any]], values: Iterable[str]) -> str:
    """Return a partition's folder as Hive names it, ending in ``/``.

    Parameters
    ----------
    keys, values
        The partition keys and their values.
    """
    parts = [f"{key['Name']}={value}" for key, value in zip(keys, values, strict=True)]
    return "".join(f"{part}/" for part in parts)


def _lower(given: Mapping[str, Any]) -> dict[str, Any]:
    """Glue keeps names of columns in small letters."""
    told = dict(given)
    if storage := told.get("StorageDescriptor"):
        told["StorageDescriptor"] = {**storage, "Columns": _names(storage.get("Columns") or [])}
    told["PartitionKeys"] = _names(told.get("PartitionKeys") or [])
    return told


def _names(columns: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**column, "Name": str(column["Name"]).lower()} for column in columns]
