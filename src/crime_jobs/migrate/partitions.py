"""How a table is cut into parts, each read by one task and done or not done as a whole."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from crime_jobs.migrate.source import Source, aliases, ask, exact, literal, quoted
from crime_jobs.model.tablemapping import TableMapping

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Parts of a table at most: past that their bookkeeping costs more than it saves.
MOST_PARTS = 5000


@dataclass(frozen=True)
class Part:
    """A part of a table.

    Parameters
    ----------
    number
        From 0.
    predicate
        The rows in it, as a condition on the columns of `crime_jobs.migrate.source.aliases`.
    """

    number: int
    predicate: str


def cut(spark: SparkSession, source: Source, mapping: TableMapping, part_rows: int) -> list[Part]:
    """Cut a table into parts.

    By the boundaries of the mapping's ``parallel-load``, else by equal ranges of the first key column where
    that is a number (its index serves), else by a hash of the key (each part then scans the table).

    Parameters
    ----------
    spark
        The session.
    source
        The database.
    mapping
        The table.
    part_rows
        Rows that a part should have.

    Returns
    -------
    list of Part
        Each row meets the condition of just one.

    Raises
    ------
    JobFailed
        If the database refuses or can't be reached.
    """
    if mapping.ranges:
        column, bounds = mapping.ranges
        numeric = mapping.kinds[column] == "number"
        return _parts(_ranges(aliases(mapping)[column], bounds if numeric else [literal(b) for b in bounds]))
    table = f"{quoted(mapping.source.schema)}.{quoted(mapping.source.name)}"
    first = mapping.source.primary_key[0]
    if mapping.kinds[first] == "number":
        name = quoted(first)
        sql = f"SELECT COUNT(*), {exact(f'MIN({name})')}, {exact(f'MAX({name})')} FROM {table}"  # noqa: S608
        rows, least, most = ask(spark, source, sql)
        number = _number(int(rows or 0), part_rows)
        if number > 1 and least is not None and most is not None:
            return _parts(_ranges(aliases(mapping)[first], _equal(Decimal(least), Decimal(most), number)))
        return _parts(["1 = 1"])
    (rows,) = ask(spark, source, f"SELECT COUNT(*) FROM {table}")  # noqa: S608
    number = _number(int(rows or 0), part_rows)
    if number == 1:
        return _parts(["1 = 1"])
    # As text that no session's settings change: a part must hold the same rows whoever asks.
    columns = ((name, aliases(mapping)[name]) for name in mapping.source.primary_key)
    texts = (exact(alias) if mapping.kinds[name] == "number" else alias for name, alias in columns)
    key = " || '|' || ".join(texts)
    return _parts([f"ORA_HASH({key}, {number - 1}) = {n}" for n in range(number)])


def _number(rows: int, part_rows: int) -> int:
    return max(1, min(MOST_PARTS, -(-rows // part_rows)))


def _equal(least: Decimal, most: Decimal, number: int) -> list[str]:
    width = (most - least) / number
    bounds = ((least + width * n).to_integral_value(ROUND_FLOOR) for n in range(1, number))
    return [f"{bound:f}" for bound in dict.fromkeys(bounds)]


def _ranges(name: str, bounds: Sequence[str]) -> list[str]:
    """Up to and with each bound, then the rest: as DMS takes the boundaries of ``parallel-load``."""
    if not bounds:
        return ["1 = 1"]
    first = f"{name} <= {bounds[0]} OR {name} IS NULL"
    between = [f"{name} > {a} AND {name} <= {b}" for a, b in itertools.pairwise(bounds)]
    return [first, *between, f"{name} > {bounds[-1]}"]


def _parts(predicates: Sequence[str]) -> list[Part]:
    return [Part(number, predicate) for number, predicate in enumerate(predicates)]
