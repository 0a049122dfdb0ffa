"""What databases, schemas and tables there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crime_engines.protocol import Call, Handler, invalid
from crime_engines.redshift.database import Database
from crime_engines.redshift.system import HIDDEN

#: What a namespace has from its start.
DEFAULT = "dev"
_SIZE = 1000


def place_of(request: Mapping[str, Any]) -> str:
    """Return the name of the database that a request is about: each workgroup and cluster has its own.

    Parameters
    ----------
    request
        The request.

    Raises
    ------
    Refusal
        If it names neither a workgroup nor a cluster, or both.
    """
    named = [request[name] for name in ("WorkgroupName", "ClusterIdentifier") if request.get(name)]
    if len(named) != 1:
        raise invalid("Exactly one of WorkgroupName and ClusterIdentifier must be given.")
    return f"{named[0].rpartition('/')[2]}.{request.get('Database') or DEFAULT}"


class Catalog:
    """The operations that list.

    Parameters
    ----------
    database
        The server.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.handlers: Mapping[str, Handler] = {
            "ListDatabases": self.databases,
            "ListSchemas": self.schemas,
            "ListTables": self.tables,
            "DescribeTable": self.table,
        }

    def databases(self, call: Call) -> dict[str, Any]:
        """List the databases of a workgroup or cluster."""
        place = place_of(call.params)
        begin = place.rpartition(".")[0] + "."
        rows = self._rows(
            place, "SELECT datname::text FROM pg_database WHERE starts_with(datname, %s)", begin
        )
        return _page(call, "Databases", sorted(name.removeprefix(begin) for (name,) in rows))

    def schemas(self, call: Call) -> dict[str, Any]:
        """List schemas by a pattern."""
        rows = self._rows(
            _connected(call),
            "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE %s AND nspname <> ALL (%s) "
            "AND nspname NOT LIKE 'pg\\_%%' ORDER BY 1",
            call.params.get("SchemaPattern", "%"),
            list(HIDDEN),
        )
        return _page(call, "Schemas", [name for (name,) in rows])

    def tables(self, call: Call) -> dict[str, Any]:
        """List tables and views by patterns."""
        rows = self._rows(
            _connected(call),
            "SELECT table_schema::text, table_name::text, table_type::text FROM information_schema.tables "
            "WHERE table_schema LIKE %s AND table_name LIKE %s AND table_schema <> ALL (%s) ORDER BY 1, 2",
            call.params.get("SchemaPattern", "%"),
            call.params.get("TablePattern", "%"),
            list(HIDDEN),
        )
        kinds = {"BASE TABLE": "TABLE", "LOCAL TEMPORARY": "LOCAL TEMPORARY"}
        found = [
            {"schema": schema, "name": name, "type": kinds.get(kind, kind)} for schema, name, kind in rows
        ]
        return _page(call, "Tables", found)

    def table(self, call: Call) -> dict[str, Any]:
        """Tell what columns a table has."""
        name = call.params.get("Table", "")
        rows = self._rows(
            _connected(call),
            "SELECT table_schema::text, column_name::text, udt_name::text, is_nullable::text, "
            "coalesce(character_maximum_length, numeric_precision, 0)::int, coalesce(numeric_scale, 0)::int, "
            "column_default::text FROM information_schema.columns "
            "WHERE table_name = %s AND table_schema = %s ORDER BY ordinal_position",
            name,
            call.params.get("Schema", "public"),
        )
        columns = [
            {
                "name": column,
                "label": column,
                "typeName": "super" if kind == "jsonb" else kind,
                "nullable": int(nullable == "YES"),
                "length": length,
                "precision": length,
                "scale": scale,
                "schemaName": schema,
                "tableName": name,
                "columnDefault": default,
                "isCaseSensitive": kind in ("varchar", "bpchar"),
                "isCurrency": False,
                "isSigned": kind.startswith(("int", "float", "numeric")),
            }
            for schema, column, kind, nullable, length, scale, default in rows
        ]
        return {"TableName": name, **_page(call, "ColumnList", columns)}

    def _rows(self, place: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._database.connect(place, owner=True) as connection:
            return connection.execute(query.encode(), values).fetchall()


def _connected(call: Call) -> str:
    params = call.params
    return place_of({**params, "Database": params.get("ConnectedDatabase") or params["Database"]})


def _page(call: Call, name: str, found: list[Any]) -> dict[str, Any]:
    begin, size = int(call.params.get("NextToken", "0")), call.params.get("MaxResults") or _SIZE
    more = str(begin + size) if begin + size < len(found) else None
    return {name: found[begin : begin + size], "NextToken": more}
