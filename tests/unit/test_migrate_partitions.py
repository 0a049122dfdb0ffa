"""A table cut into parts: each row is in just one of them, whatever its key."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.migrate import partitions
from crime_jobs.migrate.partitions import MOST_PARTS, Part, cut
from crime_jobs.migrate.source import Source
from crime_jobs.model.tablemapping import Attribute, Kind, SourceColumn, SourceTable, TableMapping

SOURCE = Source("jdbc:none", "", "")
#: A connection for all examples: it holds nothing.
SQL = sqlite3.connect(":memory:")


def mapping_of(
    kind: Kind, *more: str, ranges: tuple[str, tuple[str, ...]] | None = None, other: Kind = "number"
) -> TableMapping:
    """A table with the key K, and more key columns, and a column N."""
    key = ("K", *more)
    columns = (*(SourceColumn(name, kind, kind) for name in key), SourceColumn("N", other, other))
    carried = tuple(Attribute(one.name, f"${{{one.name}}}", one.kind) for one in columns)
    return TableMapping(SourceTable("C", "T", columns, key), "t", "K", None, carried, ranges)


def parts_of(
    monkeypatch: pytest.MonkeyPatch, mapping: TableMapping, answers: Sequence[str | None], part_rows: int
) -> list[Part]:
    """Cut a table about which the database answers so."""
    monkeypatch.setattr(partitions, "ask", lambda *_: tuple(answers))
    return cut(Mock(), SOURCE, mapping, part_rows)


def times_met(parts: Sequence[Part], keys: Sequence[Any], name: str = "K#0") -> list[int]:
    """How many of the parts' conditions each key meets, as SQL has it."""
    hits = " + ".join(f"(CASE WHEN {part.predicate} THEN 1 ELSE 0 END)" for part in parts)
    return [SQL.execute(f'SELECT {hits} FROM (SELECT ? AS "{name}")', (key,)).fetchone()[0] for key in keys]


@given(
    keys=st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=60, unique=True),
    rows=st.integers(1, 20),
)
def test_each_row_with_a_numeric_key_is_in_one_part(keys: list[int], rows: int) -> None:
    """Ranges of the key leave no gap and do not overlap; rows that come later are in one, too."""
    with pytest.MonkeyPatch.context() as patch:
        answers = (str(len(keys)), str(min(keys)), str(max(keys)))
        parts = parts_of(patch, mapping_of("number"), answers, rows)
    later = [min(keys) - 7, max(keys) + 7]
    assert set(times_met(parts, [*keys, *later])) == {1}
    assert [part.number for part in parts] == list(range(len(parts)))
    assert len(parts) <= -(-len(keys) // rows)


@pytest.mark.parametrize(
    ("least", "most"),
    [
        ("0.1", "0.9"),
        ("-0.5", "0.5"),
        ("1", "1"),
        ("-" + "9" * 38, "9" * 38),
        ("1E+3", "1E+6"),
        (".5", "12.25"),
    ],
)
def test_bounds_are_numbers_that_rise_however_wide_the_keys(
    monkeypatch: pytest.MonkeyPatch, least: str, most: str
) -> None:
    """Keys of 38 digits, fractions and forms with an exponent: boundaries are plain, and each is greater."""
    parts = parts_of(monkeypatch, mapping_of("number"), ("1000", least, most), 100)
    upper = [re.findall(r"<= (-?[0-9.]+)(?: OR|$)", part.predicate) for part in parts[:-1]]
    bounds = [Decimal(one) for (one,) in upper]
    assert bounds == sorted(set(bounds))
    assert parts[-1].predicate == (f'"K#0" > {bounds[-1]:f}' if bounds else "1 = 1")
    # Each but the first begins where the one before ends.
    lower = [re.findall(r"> (-?[0-9.]+)", part.predicate) for part in parts[1:]]
    assert [Decimal(one) for (one,) in lower] == bounds


@given(bounds=st.lists(st.integers(-50, 50), max_size=6, unique=True).map(sorted))
def test_each_row_is_in_one_range_of_the_mapping(bounds: list[int]) -> None:
    """Boundaries of parallel-load: the first range has what is NULL, the last all that is greater."""
    mapping = mapping_of("text", ranges=("N", tuple(str(bound) for bound in bounds)))
    parts = cut(Mock(), SOURCE, mapping, 1)
    assert len(parts) == len(bounds) + 1
    assert set(times_met(parts, [None, *range(-60, 60)], "K#1")) == {1}


@given(
    bounds=st.lists(st.text("ab'\"é", min_size=1, max_size=3), max_size=5, unique=True).map(sorted),
    values=st.lists(st.text("ab'\"éz", max_size=4), min_size=1, max_size=10),
)
def test_boundaries_that_are_texts_are_quoted(bounds: list[str], values: list[str]) -> None:
    """A quote in a boundary ends no literal: still each row is in one range."""
    mapping = mapping_of("number", ranges=("N", tuple(bounds)), other="text")
    assert set(times_met(cut(Mock(), SOURCE, mapping, 1), [None, *values], "K#1")) == {1}


@pytest.mark.parametrize(
    ("rows", "part_rows", "number"),
    [("0", 10, 1), ("10", 10, 1), ("11", 10, 2), ("100", 10, 10), ("10000000", 1, MOST_PARTS)],
)
def test_other_keys_are_cut_by_their_hash(
    monkeypatch: pytest.MonkeyPatch, rows: str, part_rows: int, number: int
) -> None:
    """As many buckets as parts, each asked for once: a row has one hash."""
    parts = parts_of(monkeypatch, mapping_of("text", "L"), (rows,), part_rows)
    assert len(parts) == number
    if number == 1:
        assert parts[0].predicate == "1 = 1"
    else:
        one, _, bucket = parts[-1].predicate.rpartition(" = ")
        assert one == f"""ORA_HASH("K#0" || '|' || "K#1", {number - 1})"""
        assert bucket == str(number - 1)
        assert len({part.predicate for part in parts}) == number


def test_an_empty_table_is_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no least key; it is read, and found to be empty."""
    parts = parts_of(monkeypatch, mapping_of("number"), ("0", None, None), 10)
    assert parts == [Part(0, "1 = 1")]
