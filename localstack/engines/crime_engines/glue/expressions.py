"""What a filter is true of, among the values of partitions: ``year > 2010 AND state = 'x'``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crime_engines.protocol import Refusal

_ALLOWED = (
    *(
        exp.And,
        exp.Or,
        exp.Not,
        exp.Paren,
        exp.EQ,
        exp.NEQ,
        exp.GT,
        exp.GTE,
        exp.LT,
        exp.LTE,
        exp.In,
        exp.Like,
    ),
    *(
        exp.Between,
        exp.Is,
        exp.Null,
        exp.Column,
        exp.Identifier,
        exp.Literal,
        exp.Neg,
        exp.Cast,
        exp.DataType,
    ),
)


class Expression:
    """A filter of Glue's.

    Parameters
    ----------
    text
        As given.
    keys
        The table's partition keys.

    Raises
    ------
    Refusal
        If it is not one.
    """

    def __init__(self, text: str, keys: Sequence[Mapping[str, Any]]) -> None:
        self._keys = keys
        names = {str(key["Name"]).lower() for key in keys}
        try:
            self._tree = sqlglot.parse_one(text, dialect="hive", into=exp.Condition)
        except SqlglotError as error:
            raise Refusal("InvalidInputException", f"Unsupported expression '{text}'") from error
        for node in self._tree.walk():
            if not isinstance(node, _ALLOWED) or (
                isinstance(node, exp.Column) and node.name.lower() not in names
            ):
                raise Refusal("InvalidInputException", f"Unsupported expression '{text}'")

    def true_of(self, values: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Return the values that it is true of, in their order.

        Parameters
        ----------
        values
            Of each partition, in the order of the keys.
        """
        return matching(values, self._keys, self._tree.sql(dialect="duckdb"))


def matching(
    values: Sequence[tuple[str, ...]],
    keys: Sequence[Mapping[str, Any]],
    condition: str,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> list[tuple[str, ...]]:
    """Return the partitions that a condition is true of.

    Parameters
    ----------
    values
        Of each partition, in the order of the keys.
    keys
        The partition keys with their types.
    condition
        In DuckDB's SQL, over the keys' names.
    connection
        Where it is asked; one of its own if not given.
    """
    if not values:
        return []
    import pyarrow as pa

    held = {f"v{at}": [one[at] for one in values] for at in range(len(keys))}
    kinds = [exp.DataType.build(str(key["Type"]), dialect="hive").sql("duckdb") for key in keys]
    typed = ", ".join(
        f'TRY_CAST(v{at} AS {kind}) AS "{key["Name"]}"'
        for at, (key, kind) in enumerate(zip(keys, kinds, strict=True))
    )
    with connection.cursor() if connection else duckdb.connect() as asked:
        asked.register("held", pa.table({**held, "nth": range(len(values))}))
        found = asked.execute(
            f"SELECT nth FROM (SELECT nth, {typed} FROM held) WHERE {condition} ORDER BY nth"  # noqa: S608 - a checked tree
        ).fetchall()
    return [values[nth] for (nth,) in found]
