"""CREATE EXTERNAL TABLE: from Hive's DDL to what Glue keeps."""

from __future__ import annotations

from typing import Any

from crime_engines.athena.kinds import duckdb_type
from crime_engines.athena.statements import CreateTable
from crime_engines.athena.words import Words
from crime_jobs.adhoc._refused import place
from crime_jobs.adhoc.dialect import SqlWrong, Unsupported

LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"

_TEXT_FORMAT = (
    "org.apache.hadoop.mapred.TextInputFormat",
    "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
)
_PARQUET_FORMAT = (
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
)
#: What STORED AS names: SerDe, and the formats of its files.
STORED = {
    "TEXTFILE": (LAZY, _TEXT_FORMAT),
    "PARQUET": (PARQUET, _PARQUET_FORMAT),
    "JSONFILE": (HIVE_JSON, _TEXT_FORMAT),
}
_DELIMITERS = {
    "FIELDS": "field.delim",
    "LINES": "line.delim",
    "MAP": "mapkey.delim",
    "COLLECTION": "collection.delim",
}


def create_table(words: Words) -> CreateTable:
    """Read a CREATE EXTERNAL TABLE.

    Parameters
    ----------
    words
        What stands behind CREATE.

    Raises
    ------
    SqlWrong
        If it is not one that Athena takes.
    """
    words.need("EXTERNAL", "TABLE")
    if_not_exists = words.skip("IF", "NOT", "EXISTS")
    name = words.table()
    columns = _columns(words)
    comment = words.string() if words.skip("COMMENT") else None
    keys = _columns(words) if words.skip("PARTITIONED", "BY") else []
    if words.word in ("CLUSTERED", "SKEWED"):
        raise Unsupported(f"{words.word} BY", *place(words.text, words.start))
    serde, settings = _row_format(words)
    formats: tuple[str, str] | None = None
    if words.skip("STORED", "AS"):
        serde, formats = _stored(words, serde)
    if words.skip("WITH", "SERDEPROPERTIES"):
        settings |= words.pairs()
    if not words.skip("LOCATION"):
        raise SqlWrong("", "no viable alternative at input 'create external': LOCATION is missing", 1, 1)
    at, location = words.start, words.string()
    if not location.startswith("s3://"):
        raise SqlWrong(
            "", f"The location of a table has to begin with s3://: {location}", *place(words.text, at)
        )
    properties = words.pairs() if words.skip("TBLPROPERTIES") else {}
    words.end()
    if {str(c["Name"]) for c in columns} & {str(c["Name"]) for c in keys}:
        raise SqlWrong("", "Column repeated in partitioning columns", 1, 1)
    inputs, outputs = formats or _TEXT_FORMAT
    storage = {
        "Columns": columns,
        "Location": location,
        "InputFormat": inputs,
        "OutputFormat": outputs,
        "SerdeInfo": {"SerializationLibrary": serde or LAZY, "Parameters": settings},
    }
    given: dict[str, Any] = {
        "Name": name[1],
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": storage,
        "PartitionKeys": keys,
        "Parameters": {"EXTERNAL": "TRUE", **properties},
    }
    if comment:
        given["Description"] = comment
    return CreateTable(name, given, if_not_exists)


def _columns(words: Words) -> list[dict[str, Any]]:
    words.need("(")
    found: list[dict[str, Any]] = []
    while True:
        name, at = words.name(), words.start
        kind = words.kind()
        try:
            duckdb_type(kind)
        except SqlWrong as error:
            raise SqlWrong(
                "", f"mismatched input '{kind}'. Expecting: <type>", *place(words.text, at)
            ) from error
        column: dict[str, Any] = {"Name": name, "Type": {"integer": "int"}.get(kind, kind)}
        if words.skip("COMMENT"):
            column["Comment"] = words.string()
        found.append(column)
        if words.skip(")"):
            return found
        words.need(",")


def _row_format(words: Words) -> tuple[str, dict[str, str]]:
    settings: dict[str, str] = {}
    if not words.skip("ROW", "FORMAT"):
        return "", settings
    if words.skip("SERDE"):
        serde = words.string()
        if words.skip("WITH", "SERDEPROPERTIES"):
            settings = words.pairs()
        return serde, settings
    words.need("DELIMITED")
    while True:
        if words.skip("NULL", "DEFINED", "AS"):
            settings["serialization.null.format"] = words.string()
        elif words.skip("ESCAPED", "BY"):
            settings["escape.delim"] = words.string()
        elif words.word in _DELIMITERS:
            key = _DELIMITERS[words.word]
            words.take()
            words.skip("ITEMS") or words.skip("KEYS")
            words.need("TERMINATED", "BY")
            settings[key] = words.string()
        else:
            break
    if "field.delim" in settings:
        settings["serialization.format"] = settings["field.delim"]
    return LAZY, settings


def _stored(words: Words, serde: str) -> tuple[str, tuple[str, str]]:
    if words.skip("INPUTFORMAT"):
        inputs = words.string()
        words.need("OUTPUTFORMAT")
        return serde, (inputs, words.string())
    at, kind = words.start, words.take().upper()
    if kind not in STORED:
        raise Unsupported(f"STORED AS {kind}", *place(words.text, at))
    own, formats = STORED[kind]
    return serde or own, formats
