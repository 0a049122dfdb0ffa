"""Types of columns: as the catalogue has them, as DuckDB has them, as Athena tells of them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crime_jobs.adhoc.dialect import SqlWrong

#: Precision of a type as ``ColumnInfo`` has it.
_PRECISION = {
    "boolean": 0, "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "real": 17, "float": 17,
    "double": 17, "varchar": 2147483647, "char": 2147483647, "string": 2147483647, "date": 0, "timestamp": 3,
    "timestamp with time zone": 3, "varbinary": 1073741824,
}  # fmt: skip

_ARROW: tuple[tuple[Any, str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "tinyint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_int32, "integer"),
    (pa.types.is_integer, "bigint"),
    (pa.types.is_float32, "float"),
    (pa.types.is_floating, "double"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "varbinary"),
    (pa.types.is_large_binary, "varbinary"),
    (pa.types.is_map, "map"),
    (pa.types.is_struct, "row"),
    (pa.types.is_list, "array"),
    (pa.types.is_large_list, "array"),
)


@cache
def _data_type(text: str) -> exp.DataType:
    try:
        return exp.DataType.build(text, dialect="hive")
    except (SqlglotError, ValueError) as error:
        raise SqlWrong("", f"type {text!r} is not a type", 1, 1) from error


@cache
def duckdb_type(text: str) -> str:
    """Return DuckDB's name of a type of the catalogue, as ``array<string>``.

    Parameters
    ----------
    text
        The type.
    """
    made = _data_type(text).sql("duckdb")
    return re.sub(r"^TEXT\(\d+\)$", "TEXT", made)


@cache
def trino_type(text: str) -> str:
    """Return Athena's name of a type of the catalogue, as ``array(varchar)``.

    Parameters
    ----------
    text
        The type.
    """
    made = _data_type(text).sql("trino").lower()
    return "timestamp(3)" if made == "timestamp" else made


def catalog_type(kind: pa.DataType, said: str) -> str:  # noqa: PLR0911 - a kind a line
    """Return the catalogue's name of the type of a result's column.

    Parameters
    ----------
    kind
        Arrow's.
    said
        DuckDB's.
    """
    if said == "HUGEINT":
        return "bigint"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_map(kind):
        return f"map<{catalog_type(kind.key_type, '')},{catalog_type(kind.item_type, '')}>"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"array<{catalog_type(kind.value_type, '')}>"
    if pa.types.is_struct(kind):
        inner = ",".join(f"{field.name}:{catalog_type(field.type, '')}" for field in kind)
        return f"struct<{inner}>"
    name = next((name for is_it, name in _ARROW if is_it(kind)), "varchar")
    return {"integer": "int", "varbinary": "binary", "varchar": "string"}.get(name, name)


def info(name: str, kind: pa.DataType, said: str) -> dict[str, Any]:
    """Return what Athena tells of a result's column.

    Parameters
    ----------
    name
        Its name.
    kind
        Its type, as Arrow has it.
    said
        Its type, as DuckDB has it.
    """
    scale = 0
    if said == "HUGEINT":
        found = "bigint"
    elif pa.types.is_decimal(kind):
        return described(name, "decimal", kind.precision, kind.scale)
    elif pa.types.is_timestamp(kind):
        found, scale = ("timestamp with time zone" if kind.tz else "timestamp"), 0
    elif said == "JSON":
        found = "json"
    else:
        found = next((known for is_it, known in _ARROW if is_it(kind)), "varchar")
    return described(name, found, _PRECISION.get(found, 0), scale)


def described(name: str, kind: str, precision: int | None = None, scale: int = 0) -> dict[str, Any]:
    """Return a ``ColumnInfo``.

    Parameters
    ----------
    name, kind, precision, scale
        Of the column; the precision of the kind if not given.
    """
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": kind,
        "Precision": _PRECISION.get(kind, 0) if precision is None else precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind in ("varchar", "char", "string", "json"),
    }
