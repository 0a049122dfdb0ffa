"""Files of a table, as DuckDB reads them: by the SerDe that the table names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crime_engines.athena.kinds import duckdb_type
from crime_engines.athena.wrong import QueryFailed

PARQUET, CSV, TEXT, JSON = "parquet", "csv", "text", "json"

#: Beginnings of the SerDes' names, in small letters, and what their files are.
_SERDES = {
    "org.apache.hadoop.hive.ql.io.parquet.serde.parquethiveserde": PARQUET,
    "org.apache.hadoop.hive.serde2.opencsvserde": CSV,
    "org.apache.hadoop.hive.serde2.lazy.lazysimpleserde": TEXT,
    "org.openx.data.jsonserde.jsonserde": JSON,
    "org.apache.hive.hcatalog.data.jsonserde": JSON,
    "com.amazon.ionhiveserde": "ion",
}

Columns = Sequence[Mapping[str, Any]]


def literal(text: str) -> str:
    """Return a text as DuckDB's SQL has it.

    Parameters
    ----------
    text
        The text.
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as DuckDB's SQL has it.

    Parameters
    ----------
    name
        The name.
    """
    return '"' + name.replace('"', '""') + '"'


def kind_of(storage: Mapping[str, Any]) -> str:
    """Return what a table's files are.

    Parameters
    ----------
    storage
        Glue's storage descriptor.

    Raises
    ------
    QueryFailed
        If they are of a kind that is not read here.
    """
    serde = str((storage.get("SerdeInfo") or {}).get("SerializationLibrary", ""))
    found = _SERDES.get(serde.lower())
    if found not in (PARQUET, CSV, TEXT, JSON):
        raise QueryFailed(f"NOT_SUPPORTED: SerDe {serde or '(none)'} is not supported here")
    return found


def source(
    storage: Mapping[str, Any],
    properties: Mapping[str, str],
    columns: Columns,
    paths: Iterable[str],
    present: Mapping[str, str] | None = None,
    *,
    mixed: bool = False,
) -> str:
    """Return a SELECT of a table's own columns and ``__file``, the file of each row.

    Parameters
    ----------
    storage, properties
        Glue's storage descriptor and the table's properties.
    columns
        The columns.
    paths
        The files, as DuckDB calls them; at least one.
    present
        Of Parquet: the columns that are in the files, by their names in small letters.
    mixed
        Of Parquet: whether the files differ in their columns.
    """
    files = "[" + ", ".join(map(literal, paths)) + "]"
    kind = kind_of(storage)
    if kind == PARQUET:
        return _parquet(columns, files, present or {}, mixed=mixed)
    settings = dict((storage.get("SerdeInfo") or {}).get("Parameters") or {})
    if kind == JSON:
        return _json(columns, files, settings)
    skip = int(properties.get("skip.header.line.count", "0") or 0)
    return _csv(columns, files, settings, skip, quoted=kind == CSV)


def _parquet(columns: Columns, files: str, present: Mapping[str, str], *, mixed: bool) -> str:
    shown = []
    for column in columns:
        name, kind = str(column["Name"]), duckdb_type(str(column["Type"]))
        value = identifier(present[name]) if name in present else "NULL"
        shown.append(f"CAST({value} AS {kind}) AS {identifier(name)}")
    union = ", union_by_name = true" if mixed else ""
    return (
        f"SELECT {', '.join([*shown, '__file'])} FROM read_parquet({files}, hive_partitioning = false, "
        f"filename = '__file'{union})"
    )


def _json(columns: Columns, files: str, settings: Mapping[str, str]) -> str:
    mapped = {
        name.removeprefix("mapping."): key for name, key in settings.items() if name.startswith("mapping.")
    }
    wanted = {str(c["Name"]): mapped.get(str(c["Name"]), str(c["Name"])) for c in columns}
    kinds = {str(c["Name"]): duckdb_type(str(c["Type"])) for c in columns}
    asked = ", ".join(f"{literal(wanted[name])}: {literal(kinds[name])}" for name in wanted)
    shown = ", ".join(f"{identifier(key)} AS {identifier(name)}" for name, key in wanted.items())
    skips = settings.get("ignore.malformed.json", "").lower() == "true"
    return (
        f"SELECT {shown}, __file FROM read_json({files}, format = 'newline_delimited', "
        f"columns = {{{asked}}}, hive_partitioning = false, filename = '__file', "
        f"ignore_errors = {str(skips).lower()})"
    )


def _csv(columns: Columns, files: str, settings: Mapping[str, str], skip: int, *, quoted: bool) -> str:
    names = [str(column["Name"]) for column in columns]
    asked = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    if quoted:
        delimiter = settings.get("separatorChar", ",")
        quote, escape = settings.get("quoteChar", '"'), settings.get("escapeChar", '"')
    else:
        delimiter = _unescaped(settings.get("field.delim", settings.get("serialization.format", "\x01")))
        quote = escape = ""
    shown = ", ".join(
        f"{_value(name, str(column['Type']), settings, quoted=quoted)} AS {identifier(name)}"
        for name, column in zip(names, columns, strict=True)
    )
    escape = quote if escape in ("\\", "\\\\") and quote else escape
    return (
        f"SELECT {shown}, __file FROM read_csv({files}, auto_detect = false, header = false, skip = {skip}, "
        f"columns = {{{asked}}}, delim = {literal(delimiter)}, quote = {literal(quote)}, "
        f"escape = {literal(escape)}, "
        "new_line = '\\n', null_padding = true, strict_mode = false, nullstr = '\x02', "
        "hive_partitioning = false, filename = '__file', parallel = false)"
    )


def _value(name: str, kind: str, settings: Mapping[str, str], *, quoted: bool) -> str:
    """Turn a text into a column's value: for what is none LazySimpleSerDe gives NULL, OpenCSVSerDe fails."""
    held, made = identifier(name), duckdb_type(kind)
    if quoted:
        return held if made in ("TEXT", "VARCHAR") else f"CAST(nullif({held}, '') AS {made})"
    null = literal(settings.get("serialization.null.format", "\\N"))
    if made in ("TEXT", "VARCHAR"):
        return f"nullif({held}, {null})"
    return f"TRY_CAST({held} AS {made})"


def _unescaped(text: str) -> str:
    return {"\\t": "\t", "\\001": "\x01", "1": "\x01", "\\u0001": "\x01", "\\|": "|"}.get(text, text)
