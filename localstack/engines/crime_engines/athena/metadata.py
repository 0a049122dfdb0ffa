"""The Data Catalog, as Athena itself tells of it."""

from __future__ import annotations

import re
from typing import Any

from crime_engines.athena.refusals import page_of
from crime_engines.athena.resolving import CATALOG
from crime_engines.glue.catalog import Catalog, Table
from crime_engines.protocol import Call, Handler, Refusal


class Metadata:
    """The operations that read metadata.

    Parameters
    ----------
    catalog
        The catalogue.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.handlers: dict[str, Handler] = {
            "ListDataCatalogs": self.catalogs,
            "GetDataCatalog": self.get_catalog,
            "ListDatabases": self.databases,
            "GetDatabase": self.get_database,
            "ListTableMetadata": self.tables,
            "GetTableMetadata": self.get_table,
        }

    def catalogs(self, call: Call) -> dict[str, Any]:
        """List the catalogues: there is one."""
        page, token = page_of([{"CatalogName": "AwsDataCatalog", "Type": "GLUE"}], call)
        return {"DataCatalogsSummary": page, "NextToken": token}

    def get_catalog(self, call: Call) -> dict[str, Any]:
        """Tell of the catalogue."""
        if call.params["Name"].lower() != CATALOG:
            raise Refusal("InvalidRequestException", f"Data catalog {call.params['Name']} is not found.")
        return {"DataCatalog": {"Name": "AwsDataCatalog", "Type": "GLUE", "Parameters": {}}}

    def databases(self, call: Call) -> dict[str, Any]:
        """List the databases."""
        _check(call)
        page, token = page_of([_database(base.told) for base in self._catalog.databases(call.region)], call)
        return {"DatabaseList": page, "NextToken": token}

    def get_database(self, call: Call) -> dict[str, Any]:
        """Tell of a database."""
        _check(call)
        try:
            return {
                "Database": _database(self._catalog.database(call.region, call.params["DatabaseName"]).told)
            }
        except Refusal as refusal:
            raise _metadata(refusal) from refusal

    def tables(self, call: Call) -> dict[str, Any]:
        """List the tables of a database."""
        _check(call)
        try:
            base = self._catalog.database(call.region, call.params["DatabaseName"])
        except Refusal as refusal:
            raise _metadata(refusal) from refusal
        pattern = re.compile(call.params.get("Expression", ".*"))
        found = [_table(table) for name, table in sorted(base.tables.items()) if pattern.fullmatch(name)]
        page, token = page_of(found, call)
        return {"TableMetadataList": page, "NextToken": token}

    def get_table(self, call: Call) -> dict[str, Any]:
        """Tell of a table."""
        _check(call)
        params = call.params
        try:
            table = self._catalog.table(call.region, params["DatabaseName"], params["TableName"])
        except Refusal as refusal:
            raise _metadata(refusal) from refusal
        return {"TableMetadata": _table(table)}


def _check(call: Call) -> None:
    name = call.params["CatalogName"]
    if name.lower() != CATALOG:
        raise Refusal("MetadataException", f"Catalog {name} is not found.")


def _metadata(refusal: Refusal) -> Refusal:
    return Refusal("MetadataException", f"{refusal.code}: {refusal.message}")


def _database(told: dict[str, Any]) -> dict[str, Any]:
    return {key: told.get(key) for key in ("Name", "Description", "Parameters")}


def _table(table: Table) -> dict[str, Any]:
    serde = table.storage.get("SerdeInfo") or {}
    parameters = {
        **table.parameters,
        "inputformat": table.storage.get("InputFormat", ""),
        "outputformat": table.storage.get("OutputFormat", ""),
        "location": table.storage.get("Location", ""),
        "serde.serialization.lib": serde.get("SerializationLibrary", ""),
        **{f"serde.param.{key}": value for key, value in (serde.get("Parameters") or {}).items()},
    }
    return {
        "Name": table.name,
        "CreateTime": table.told["CreateTime"],
        "TableType": table.told.get("TableType", "EXTERNAL_TABLE"),
        "Columns": [_column(column) for column in table.columns],
        "PartitionKeys": [_column(column) for column in table.keys],
        "Parameters": parameters,
    }


def _column(column: dict[str, Any]) -> dict[str, Any]:
    return {key: column.get(key) for key in ("Name", "Type", "Comment")}
