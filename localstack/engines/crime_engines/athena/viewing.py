"""CREATE VIEW: a query kept under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crime_engines.athena.kinds import catalog_type
from crime_engines.athena.model import Query
from crime_engines.athena.resolving import view_held
from crime_engines.athena.statements import CreateView
from crime_engines.athena.wrong import QueryFailed
from crime_engines.glue.catalog import Catalog

if TYPE_CHECKING:
    import duckdb


def keep_view(
    statement: CreateView, query: Query, catalog: Catalog, connection: duckdb.DuckDBPyConnection, sql: str
) -> None:
    """Keep a view in the catalogue.

    Parameters
    ----------
    statement
        The statement.
    query
        Its execution.
    catalog
        The catalogue.
    connection
        Says what the columns are.
    sql
        The view's query in DuckDB's SQL.
    """
    database, name = (statement.name[0] or query.database).lower(), statement.name[1].lower()
    found = connection.execute(f"SELECT * FROM ({sql}) LIMIT 0")
    said = [str(column[1]) for column in found.description or ()]
    schema = found.to_arrow_table().schema
    columns = [
        {"Name": of.name.lower(), "Type": catalog_type(of.type, kind)}
        for of, kind in zip(schema, said, strict=True)
    ]
    there = catalog.database(query.region, database).tables.get(name)
    if there is not None and not (statement.replace and there.is_view):
        raise QueryFailed(
            f"{'VIEW' if there.is_view else 'TABLE'}_ALREADY_EXISTS: "
            f"line 1:1: '{database}.{name}' already exists"
        )
    given = {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "ViewOriginalText": view_held(statement.text, query.database, columns),
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {"Columns": columns, "Location": ""},
    }
    if there is None:
        catalog.add_table(query.region, database, given)
    else:
        catalog.change_table(query.region, database, given)
