"""CREATE TABLE AS, INSERT INTO and UNLOAD: a query's rows as objects."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import duckdb

from crime_engines.athena.creating import HIVE_JSON, LAZY, PARQUET, STORED
from crime_engines.athena.formats import identifier, kind_of, literal
from crime_engines.athena.kinds import catalog_type, duckdb_type
from crime_engines.athena.model import Query
from crime_engines.athena.statements import Ctas, Insert, Name, Unload
from crime_engines.athena.store import Store
from crime_engines.athena.wrong import QueryFailed
from crime_engines.glue.catalog import Catalog

if TYPE_CHECKING:
    import pyarrow as pa

#: Options that CTAS and UNLOAD take here, and those of Athena's that are refused by name.
_TAKEN = {
    *("format", "external_location", "partitioned_by", "field_delimiter"),
    *("write_compression", "parquet_compression", "compression"),
}
_CODECS = {"NONE", "SNAPPY", "GZIP", "ZSTD"}


@dataclass
class Shape:
    """How rows are written.

    Parameters
    ----------
    format
        ``PARQUET``, ``TEXTFILE`` or ``JSON``.
    codec
        ``NONE``, ``SNAPPY``, ``GZIP`` or ``ZSTD``.
    keys
        Columns that the objects are parted by.
    delimiter
        Between the fields of a text.
    """

    format: str
    codec: str
    keys: list[str]
    delimiter: str = "\x01"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Shape:
        """Return what the options of a statement say.

        Parameters
        ----------
        options
            By name, in small letters.
        """
        if unknown := sorted(set(options) - _TAKEN):
            raise QueryFailed(f"NOT_SUPPORTED: table property {', '.join(unknown)} is not supported here")
        form = str(options.get("format", "PARQUET")).upper()
        if form not in ("PARQUET", "TEXTFILE", "JSON"):
            raise QueryFailed(f"NOT_SUPPORTED: format {form} is not supported here")
        codec = (
            options.get("write_compression")
            or options.get("compression")
            or options.get("parquet_compression")
        )
        found = str(codec or "GZIP").upper()
        if found not in _CODECS or (form != "PARQUET" and found == "SNAPPY"):
            raise QueryFailed(f"NOT_SUPPORTED: {found} of {form} is not supported here")
        keys = options.get("partitioned_by", [])
        if not isinstance(keys, list):
            raise QueryFailed("INVALID_TABLE_PROPERTY: partitioned_by is not an ARRAY")
        return cls(
            form, found, [str(key).lower() for key in keys], str(options.get("field_delimiter", "\x01"))
        )

    @property
    def ending(self) -> str:
        """What the names of text objects end in; Parquet's have none."""
        return "" if self.format == "PARQUET" else {"GZIP": ".gz", "ZSTD": ".zst"}.get(self.codec, "")

    def clause(self) -> str:
        """Return the options of DuckDB's COPY."""
        codec = "uncompressed" if self.codec == "NONE" else self.codec.lower()
        if self.format == "PARQUET":
            return f"FORMAT parquet, COMPRESSION {codec}"
        if self.format == "JSON":
            return f"FORMAT json, COMPRESSION {codec}"
        return (
            f"FORMAT csv, HEADER false, DELIMITER {literal(self.delimiter)}, QUOTE '', ESCAPE '', "
            f"NULLSTR '\\N', COMPRESSION {codec}"
        )


class Writer:
    """Writes rows.

    Parameters
    ----------
    store
        Where to.
    catalog
        Gets the tables.
    """

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store, self._catalog = store, catalog

    def write(
        self, query: Query, statement: Any, connection: duckdb.DuckDBPyConnection, sql: str, folder: Path
    ) -> None:
        """Write what a query returns.

        Parameters
        ----------
        query
            The query execution: gets the number of rows and its manifest.
        statement
            What it asks for.
        connection
            Where the query runs.
        sql
            The query in DuckDB's SQL.
        folder
            For files on their way.
        """
        if isinstance(statement, Ctas):
            self._ctas(query, statement, connection, sql, folder)
        elif isinstance(statement, Insert):
            self._insert(query, statement, connection, sql, folder)
        elif isinstance(statement, Unload):
            shape = Shape.of(statement.options)
            if "format" not in statement.options:
                raise QueryFailed("INVALID_TABLE_PROPERTY: UNLOAD needs the property format")
            self._empty(statement.target, statement.target)
            columns = _columns(connection, sql)
            _check_keys(shape, columns)
            query.result.updated = self._objects(
                query, connection, sql, folder, statement.target, shape, columns
            )[1]

    def _ctas(
        self, query: Query, statement: Ctas, connection: duckdb.DuckDBPyConnection, sql: str, folder: Path
    ) -> None:
        database, name = _named(statement.name, query)
        base = self._catalog.database(query.region, database)
        if name in base.tables:
            if statement.if_not_exists:
                return
            raise QueryFailed(
                "TABLE_ALREADY_EXISTS: line 1:1: "
                f"Destination table 'awsdatacatalog.{database}.{name}' already exists"
            )
        shape = Shape.of(statement.options)
        place = statement.options.get("external_location") or f"{query.output}tables/{query.id}/"
        self._empty(str(place), f"{database}.{name}")
        columns = _columns(connection, sql)
        for at, column in enumerate(columns):
            if column[0].startswith("_col"):
                raise QueryFailed(
                    f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {at + 1}"
                )
        _check_keys(shape, columns)
        groups: set[tuple[str, ...]] = set()
        if statement.with_data:
            groups, query.result.updated = self._objects(
                query, connection, sql, folder, str(place), shape, columns
            )
        table = self._catalog.add_table(
            query.region, database, _input(name, str(place).rstrip("/"), columns, shape)
        )
        for values in sorted(groups):
            self._catalog.add_partition(table, {"Values": list(values)})

    def _insert(
        self, query: Query, statement: Insert, connection: duckdb.DuckDBPyConnection, sql: str, folder: Path
    ) -> None:
        table = self._catalog.table(query.region, *_named(statement.name, query))
        kind = kind_of(table.storage)
        if kind == "csv" or int(table.parameters.get("skip.header.line.count", "0") or 0):
            raise QueryFailed(
                "NOT_SUPPORTED: INSERT INTO a table of OpenCSVSerde or with headers is not supported here"
            )
        settings = dict((table.storage.get("SerdeInfo") or {}).get("Parameters") or {})
        keys = [str(key["Name"]) for key in table.keys]
        form = {"parquet": "PARQUET", "json": "JSON", "text": "TEXTFILE"}[kind]
        shape = Shape(
            form, "SNAPPY" if form == "PARQUET" else "GZIP", keys, settings.get("field.delim", "\x01")
        )
        wanted = [*table.columns, *table.keys]
        given = _columns(connection, sql)
        names = list(statement.columns) or [str(column["Name"]) for column in wanted][: len(given)]
        if len(names) != len(given) or (not statement.columns and len(given) != len(wanted)):
            raise QueryFailed(
                "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: "
                f"Table has {len(wanted)} columns, the query {len(given)}"
            )
        held = ", ".join(identifier(name) for name in names)
        shown = ", ".join(
            f"CAST({identifier(n) if n in names else 'NULL'} AS {duckdb_type(str(c['Type']))}) "
            f"AS {identifier(n)}"
            for c in wanted
            for n in [str(c["Name"])]
        )
        whole = f"SELECT {shown} FROM ({sql}) AS given({held})"
        groups, query.result.updated = self._objects(
            query, connection, whole, folder, table.location, shape, _columns(connection, whole)
        )
        for values in sorted(groups - set(table.partitions)):
            self._catalog.add_partition(table, {"Values": list(values)})

    def _empty(self, place: str, name: str) -> None:
        if not place.startswith("s3://"):
            raise QueryFailed(f"INVALID_TABLE_PROPERTY: {place} does not begin with s3://")
        if self._store.list(place.rstrip("/") + "/"):
            raise QueryFailed(
                f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{name}' already exists: {place}. "
                "You may need to manually clean the data at location before retrying."
            )

    def _objects(
        self,
        query: Query,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        folder: Path,
        place: str,
        shape: Shape,
        columns: list[tuple[str, str]],
    ) -> tuple[set[tuple[str, ...]], int]:
        """Write the objects and their manifest; return the partitions and the number of rows."""
        target = folder / "rows"
        parted = f", PARTITION_BY ({', '.join(map(identifier, shape.keys))})" if shape.keys else ""
        if shape.format == "TEXTFILE":  # as Hive reads it: without quotes
            sql = f"SELECT {', '.join(_text(name, kind) for name, kind in columns)} FROM ({sql})"
        target.mkdir()
        if parted and shape.format == "JSON":  # DuckDB writes it, but not by partition
            rows = _copied(connection, sql, target, f"FORMAT parquet{parted}")
            _as_json(connection, target, shape)
        else:
            path = target if parted else target / f"part{shape.ending}"
            rows = _copied(connection, sql, path, f"{shape.clause()}{parted}")
        groups, written = set(), []
        for file in sorted(one for one in target.rglob("*") if one.is_file()):
            inner = file.parent.relative_to(target)
            parts = [] if str(inner) == "." else list(inner.parts)
            if parts:
                groups.add(tuple(unquote(part.partition("=")[2]) for part in parts))
            folders = "".join(f"{unquote(part)}/" for part in parts)
            uri = f"{place.rstrip('/')}/{folders}{query.id.replace('-', '_')}_{uuid.uuid4()}{shape.ending}"
            if rows or not shape.keys:
                self._store.upload(file, uri, query.encryption)
                written.append(uri)
        manifest = folder / "manifest"
        manifest.write_text("".join(f"{uri}\n" for uri in written), encoding="utf-8")
        query.manifest = f"{query.output}{query.id}-manifest.csv"
        self._store.upload(manifest, query.manifest, query.encryption)
        query.passes("rows")
        return groups, rows


def _copied(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, options: str) -> int:
    [(rows,)] = connection.execute(f"COPY ({sql}) TO {literal(str(path))} ({options})").fetchall()
    return int(rows)


def _as_json(connection: duckdb.DuckDBPyConnection, target: Path, shape: Shape) -> None:
    for number, file in enumerate([one for one in target.rglob("*") if one.is_file()]):
        held = f"SELECT * FROM read_parquet({literal(str(file))}, hive_partitioning = false)"
        _copied(connection, held, file.parent / f"part{number}{shape.ending}", shape.clause())
        file.unlink()


def _text(name: str, kind: str) -> str:
    made = identifier(name)
    if kind.startswith("TIMESTAMP"):
        return f"strftime({made}, '%Y-%m-%d %H:%M:%S.%g') AS {made}"
    return made


def _named(name: Name, query: Query) -> tuple[str, str]:
    return (name[0] or query.database).lower(), name[1].lower()


def _columns(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, str]]:
    found = connection.execute(f"DESCRIBE {sql}").fetchall()
    return [(str(row[0]), "BIGINT" if row[1] == "HUGEINT" else str(row[1])) for row in found]


def _check_keys(shape: Shape, columns: list[tuple[str, str]]) -> None:
    names = [name.lower() for name, _ in columns]
    if shape.keys and names[-len(shape.keys) :] != shape.keys:
        raise QueryFailed(
            "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in the "
            f"same order as the table properties: [{', '.join(shape.keys)}]"
        )
    if shape.keys and len(shape.keys) == len(names):
        raise QueryFailed("INVALID_TABLE_PROPERTY: a table has to have a column that is no partition key")
    if len(set(names)) != len(names):
        raise QueryFailed("DUPLICATE_COLUMN_NAME: line 1:1: a column name is there twice")


def _input(name: str, place: str, columns: list[tuple[str, str]], shape: Shape) -> dict[str, Any]:
    """Return Glue's ``TableInput`` of a new table."""
    with duckdb.connect() as scratch:
        empty = ", ".join(f"CAST(NULL AS {kind}) AS c{at}" for at, (_, kind) in enumerate(columns))
        schema: pa.Schema = scratch.execute(f"SELECT {empty}").to_arrow_table().schema
    kinds = [catalog_type(of.type, kind) for of, (_, kind) in zip(schema, columns, strict=True)]
    told = [{"Name": column.lower(), "Type": kind} for (column, _), kind in zip(columns, kinds, strict=True)]
    own = [one for one in told if one["Name"] not in shape.keys]
    serde, formats = {
        "PARQUET": (PARQUET, STORED["PARQUET"][1]),
        "JSON": (HIVE_JSON, STORED["JSONFILE"][1]),
        "TEXTFILE": (LAZY, STORED["TEXTFILE"][1]),
    }[shape.format]
    settings = (
        {"field.delim": shape.delimiter} if shape.format == "TEXTFILE" else {"serialization.format": "1"}
    )
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [one for one in told if one["Name"] in shape.keys],
        "Parameters": {"EXTERNAL": "TRUE", "write.compression": shape.codec},
        "StorageDescriptor": {
            "Columns": own,
            "Location": place,
            "InputFormat": formats[0],
            "OutputFormat": formats[1],
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": settings},
        },
    }
