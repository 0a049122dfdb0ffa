"""Glue's operations on its Data Catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from crime_engines.control import Control
from crime_engines.glue.catalog import Catalog, Database, Table, missing
from crime_engines.glue.expressions import Expression
from crime_engines.node import Node
from crime_engines.protocol import Call, Handler, Refusal, ServiceModel

#: Entries of one page unless fewer are asked for.
PAGE = 100
_PARTITION_PAGE = 1000


class Glue:
    """The service.

    Parameters
    ----------
    node
        The machine.
    control
        Faults to order.
    catalog
        The catalogue, which Athena has too.
    """

    def __init__(self, node: Node, control: Control, catalog: Catalog) -> None:
        del node, control  # faults are answered before a handler is asked
        self.model = ServiceModel("glue")
        self._catalog = catalog
        self.handlers: Mapping[str, Handler] = {
            "CreateDatabase": self.create_database,
            "GetDatabase": self.get_database,
            "GetDatabases": self.get_databases,
            "DeleteDatabase": self.delete_database,
            "CreateTable": self.create_table,
            "GetTable": self.get_table,
            "GetTables": self.get_tables,
            "UpdateTable": self.update_table,
            "DeleteTable": self.delete_table,
            "BatchDeleteTable": self.delete_tables,
            "CreatePartition": self.create_partition,
            "BatchCreatePartition": self.create_partitions,
            "GetPartition": self.get_partition,
            "GetPartitions": self.get_partitions,
            "BatchGetPartition": self.batch_get_partition,
            "DeletePartition": self.delete_partition,
            "BatchDeletePartition": self.delete_partitions,
        }

    def create_database(self, call: Call) -> None:
        """Make a database."""
        self._catalog.add_database(call.region, call.params["DatabaseInput"])

    def get_database(self, call: Call) -> dict[str, Any]:
        """Tell of a database."""
        return {"Database": self._catalog.database(call.region, call.params["Name"]).told}

    def get_databases(self, call: Call) -> dict[str, Any]:
        """List the databases."""
        found: Sequence[Database] = self._catalog.databases(call.region)
        page, token = _page([base.told for base in found], call, PAGE)
        return {"DatabaseList": page, "NextToken": token}

    def delete_database(self, call: Call) -> None:
        """Remove a database and its tables."""
        self._catalog.drop_database(call.region, call.params["Name"])

    def create_table(self, call: Call) -> None:
        """Make a table."""
        self._catalog.add_table(call.region, call.params["DatabaseName"], call.params["TableInput"])

    def get_table(self, call: Call) -> dict[str, Any]:
        """Tell of a table."""
        return {"Table": self._table(call, call.params["Name"]).told}

    def get_tables(self, call: Call) -> dict[str, Any]:
        """List the tables of a database whose whole name matches."""
        base = self._catalog.database(call.region, call.params["DatabaseName"])
        pattern = re.compile(call.params.get("Expression", ".*").replace(".*", "*").replace("*", ".*"))
        found = [table.told for name, table in sorted(base.tables.items()) if pattern.fullmatch(name)]
        page, token = _page(found, call, PAGE)
        return {"TableList": page, "NextToken": token}

    def update_table(self, call: Call) -> None:
        """Change a table."""
        self._catalog.change_table(call.region, call.params["DatabaseName"], call.params["TableInput"])

    def delete_table(self, call: Call) -> None:
        """Remove a table."""
        self._catalog.drop_table(call.region, call.params["DatabaseName"], call.params["Name"])

    def delete_tables(self, call: Call) -> dict[str, Any]:
        """Remove several tables."""
        errors = []
        for name in call.params["TablesToDelete"]:
            try:
                self._catalog.drop_table(call.region, call.params["DatabaseName"], name)
            except Refusal as refusal:
                errors.append({"TableName": name, "ErrorDetail": _detail(refusal)})
        return {"Errors": errors}

    def create_partition(self, call: Call) -> None:
        """Give a table a partition."""
        self._catalog.add_partition(self._table(call), call.params["PartitionInput"])

    def create_partitions(self, call: Call) -> dict[str, Any]:
        """Give a table several partitions; those that can't be had are told."""
        table, errors = self._table(call), []
        for given in call.params["PartitionInputList"]:
            try:
                self._catalog.add_partition(table, given)
            except Refusal as refusal:
                errors.append({"PartitionValues": given.get("Values", []), "ErrorDetail": _detail(refusal)})
        return {"Errors": errors}

    def get_partition(self, call: Call) -> dict[str, Any]:
        """Tell of a partition."""
        found = self._table(call).partitions.get(tuple(call.params["PartitionValues"]))
        if found is None:
            raise missing("Cannot find partition. Partition")
        return {"Partition": found}

    def get_partitions(self, call: Call) -> dict[str, Any]:
        """List the partitions that an expression is true of."""
        table = self._table(call)
        with self._catalog.lock:
            values = sorted(table.partitions)
        if text := call.params.get("Expression", "").strip():
            values = Expression(text, table.keys).true_of(values)
        page, token = _page([table.partitions[one] for one in values], call, _PARTITION_PAGE)
        return {"Partitions": page, "NextToken": token}

    def batch_get_partition(self, call: Call) -> dict[str, Any]:
        """Tell of several partitions."""
        table = self._table(call)
        asked = [one["Values"] for one in call.params["PartitionsToGet"]]
        found = [table.partitions[tuple(one)] for one in asked if tuple(one) in table.partitions]
        left = [{"Values": one} for one in asked if tuple(one) not in table.partitions]
        return {"Partitions": found, "UnprocessedKeys": left}

    def delete_partition(self, call: Call) -> None:
        """Take a partition from a table."""
        if self._table(call).partitions.pop(tuple(call.params["PartitionValues"]), None) is None:
            raise missing("Cannot find partition. Partition")

    def delete_partitions(self, call: Call) -> dict[str, Any]:
        """Take several partitions from a table."""
        table, errors = self._table(call), []
        for given in call.params["PartitionsToDelete"]:
            if table.partitions.pop(tuple(given["Values"]), None) is None:
                refusal = missing("Cannot find partition. Partition")
                errors.append({"PartitionValues": given["Values"], "ErrorDetail": _detail(refusal)})
        return {"Errors": errors}

    def close(self) -> None:
        """Do nothing: nothing runs."""

    def _table(self, call: Call, name: str = "") -> Table:
        params = call.params
        return self._catalog.table(call.region, params["DatabaseName"], name or params["TableName"])


def _detail(refusal: Refusal) -> dict[str, str]:
    return {"ErrorCode": refusal.code, "ErrorMessage": refusal.message}


def _page(found: list[dict[str, Any]], call: Call, size: int) -> tuple[list[dict[str, Any]], str | None]:
    try:
        begin = int(call.params.get("NextToken", "0"))
    except ValueError as error:
        raise Refusal("InvalidInputException", "Pagination token is invalid.") from error
    end = begin + (call.params.get("MaxResults") or size)
    return found[begin:end], str(end) if end < len(found) else None
