"""Rows as the Data API sends them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

#: What is sent at a time.
PAGE = 1000


@dataclass
class Result:
    """A result set.

    Parameters
    ----------
    columns
        Their metadata.
    rows
        Their values.
    """

    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(len(str(value)) for row in self.rows for value in row if value is not None)

    def page(self, begin: int) -> dict[str, Any]:
        """Return the rows from one on, and where the next page begins.

        Parameters
        ----------
        begin
            Number of the row.
        """
        end = begin + PAGE
        return {
            "Records": [[_field(value) for value in row] for row in self.rows[begin:end]],
            "ColumnMetadata": self.columns,
            "TotalNumRows": len(self.rows),
            "NextToken": str(end) if end < len(self.rows) else None,
        }


def metadata(description: Sequence[psycopg.Column]) -> list[dict[str, Any]]:
    """Return what the columns of a cursor are.

    Parameters
    ----------
    description
        As psycopg tells it.
    """
    found = []
    for column in description:
        known = psycopg.adapters.types.get(column.type_code)
        kind = known.name if known else "unknown"
        found.append(
            {
                "isCaseSensitive": kind in ("varchar", "text", "bpchar"),
                "isCurrency": False,
                "isSigned": kind.startswith(("int", "float", "numeric")),
                "label": column.name,
                "name": column.name,
                "nullable": 1,
                "precision": column.precision or column.display_size or 0,
                "scale": column.scale or 0,
                "schemaName": "",
                "tableName": "",
                "typeName": "super" if kind == "jsonb" else kind,
                "length": 0,
            }
        )
    return found


#: The first that fits: a boolean is an int too.
_KINDS = ((bool, "booleanValue"), (int, "longValue"), (float, "doubleValue"), (bytes, "blobValue"))


def _field(value: Any) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return {name: value}
    if isinstance(value, dict | list):
        return {"stringValue": json.dumps(value, separators=(",", ":"))}
    if isinstance(value, datetime) and value.microsecond:
        return {"stringValue": str(value).rstrip("0") if value.tzinfo is None else str(value)}
    return {"stringValue": str(value)}
