"""A query's rows: as Athena writes them into the output location, and in pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

#: Rows between two places of the file that are remembered, and of the largest page.
STEP = 1000

_FIELD = re.compile(rb'(?:"((?:[^"]|"")*)")?(,|\n)')
#: Where Java writes a number with an exponent.
_SMALL, _LARGE = 1e-3, 1e7


@dataclass
class Result:
    """What a query returned.

    Parameters
    ----------
    columns
        ``ColumnInfo`` of each column.
    lines
        Rows of a statement that is no query, each a text; ``None`` for a query.
    """

    columns: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] | None = None
    rows: int = 0
    size: int = 0
    updated: int | None = None
    places: list[int] = field(default_factory=list)

    def page(self, begin: int, size: int, read: Callable[[int, int], bytes]) -> list[dict[str, Any]]:
        """Return rows, the header counted as the first of a query's.

        Parameters
        ----------
        begin
            Number of the first.
        size
            How many at most.
        read
            Gives bytes of the file, from one up to before another.
        """
        if self.lines is not None:
            return [{"Data": [{"VarCharValue": one}]} for one in self.lines[begin : begin + size]]
        found: list[dict[str, Any]] = []
        if begin == 0 and self.columns:
            found.append({"Data": [{"VarCharValue": column["Label"]} for column in self.columns]})
        first, last = max(0, begin - 1), min(begin - 1 + size, self.rows)
        if first < last:
            low, high = first // STEP, (last - 1) // STEP
            text = read(self.places[low], self.places[high + 1])
            rows = _parsed(text, len(self.columns))
            found += [{"Data": row} for row in rows[first - low * STEP : last - low * STEP]]
        return found[:size]

    @property
    def total(self) -> int:
        """How many rows there are, with the header."""
        return len(self.lines) if self.lines is not None else self.rows + bool(self.columns)


def _parsed(text: bytes, columns: int) -> list[list[dict[str, str]]]:
    rows: list[list[dict[str, str]]] = []
    row: list[dict[str, str]] = []
    for found in _FIELD.finditer(text):
        value = found[1]
        row.append({} if value is None else {"VarCharValue": value.replace(b'""', b'"').decode()})
        if len(row) == columns:
            rows.append(row)
            row = []
    return rows


def write_rows(path: Path, batches: Iterable[pa.RecordBatch], result: Result, kinds: list[str]) -> None:
    """Write a query's rows as they come: every value in quotes, a NULL as nothing at all.

    Parameters
    ----------
    path
        The file.
    batches
        The rows.
    result
        Gets the number of rows and bytes, and where in the file which rows are.
    kinds
        DuckDB's types of the columns.
    """
    schema = pa.schema([(column["Name"], pa.string()) for column in result.columns])
    # Empty names and names that are there twice are a schema's, never a dictionary's.
    options = csv.WriteOptions(include_header=True, quoting_style="all_valid")
    with path.open("wb") as sink, csv.CSVWriter(sink, schema, write_options=options) as writer:
        result.places.append(sink.tell())
        pending: list[pa.RecordBatch] = []
        held = 0
        for batch in batches:
            at = 0
            while at < batch.num_rows:
                part = batch.slice(at, STEP - held)
                at, held = at + part.num_rows, held + part.num_rows
                pending.append(part)
                if held == STEP:
                    _write(writer, pending, schema, kinds)
                    result.places.append(sink.tell())
                    result.rows, held, pending = result.rows + held, 0, []
        if held:
            _write(writer, pending, schema, kinds)
            result.places.append(sink.tell())
            result.rows += held
        result.size = sink.tell()


def _write(writer: Any, pending: list[pa.RecordBatch], schema: pa.Schema, kinds: list[str]) -> None:
    for batch in pending:
        columns = [as_text(column, kind) for column, kind in zip(batch.columns, kinds, strict=True)]
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def as_text(column: pa.Array, said: str) -> pa.Array:
    """Return a column's values as Athena writes them.

    Parameters
    ----------
    column
        The values.
    said
        Their type, as DuckDB calls it.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or said == "JSON":
        return column.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date(kind):
        return column.cast(pa.string())
    if pa.types.is_decimal(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        cut = column.cast(pa.timestamp("ms", kind.tz), safe=False)
        end = " UTC" if kind.tz else ""
        return pc.strftime(cut, format=f"%Y-%m-%d %H:%M:%S{end}")
    return pa.array([None if one is None else plain(one, kind) for one in column.to_pylist()], pa.string())


def plain(value: Any, kind: pa.DataType | None = None) -> str:  # noqa: PLR0911 - a kind a line
    """Return a value as Athena writes it.

    Parameters
    ----------
    value
        The value, not ``None``.
    kind
        Its type.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _single(value) if kind is not None and pa.types.is_float32(kind) else double(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, dict):
        inner = [f"{name}={_inner(one)}" for name, one in value.items()]
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        if kind is not None and pa.types.is_map(kind):
            return "{" + ", ".join(f"{_inner(key)}={_inner(one)}" for key, one in value) + "}"
        return "[" + ", ".join(_inner(one, getattr(kind, "value_type", None)) for one in value) + "]"
    return str(value)


def _inner(value: Any, kind: pa.DataType | None = None) -> str:
    return "null" if value is None else plain(value, kind)


def _single(value: float) -> str:
    return double(float(str(np.float32(value))))


def double(value: float) -> str:
    """Return a number as Java writes it.

    Parameters
    ----------
    value
        The number.
    """
    size = abs(value)
    if _SMALL <= size < _LARGE or value == 0:
        return repr(value)
    if size != size:  # noqa: PLR0124 - only NaN is not itself
        return "NaN"
    if size == float("inf"):
        return "Infinity" if value > 0 else "-Infinity"
    digits, _, exponent = f"{np.format_float_scientific(size, trim='0')}".partition("e")
    return f"{'-' if value < 0 else ''}{digits}E{int(exponent)}"


def write_metadata(path: Path, columns: list[dict[str, Any]]) -> None:
    """Write what the columns are; Athena's own file is in a form that it does not document.

    Parameters
    ----------
    path
        The file.
    columns
        ``ColumnInfo`` of each.
    """
    path.write_text(json.dumps({"ColumnInfo": columns}), encoding="utf-8")
