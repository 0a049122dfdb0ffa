"""A column's type holds each of its values, and no value changes on its way to CSV or Parquet."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.migrate._columns import Seen, cell, columns_of, json_text, take_in, text
from crime_jobs.migrate._convert import arrow_type
from crime_jobs.migrate._itemfiles import Value
from crime_jobs.model import legacy
from crime_jobs.model.items import number

# What DynamoDB can hold: 38 digits, from 1E-130 to 9.99E+125.
numbers = st.builds(
    lambda sign, digits, exponent: number(f"{sign}{digits}E{exponent}"),
    st.sampled_from(["", "-"]),
    st.integers(1, 10**38 - 1),
    st.integers(-130, 80),
) | st.integers(-(2**70), 2**70).map(str)


def seen_of(values: Sequence[Value]) -> Seen:
    seen: dict[str, Seen] = {}
    for value in values:
        take_in(seen, {"a": value})
    return seen["a"]


@given(st.lists(numbers, min_size=1, max_size=8))
def test_every_number_is_in_its_column_to_the_last_digit(found: list[str]) -> None:
    values = [{"N": one} for one in found]
    kind = seen_of(values).type
    column = pa.array([cell(kind, value) for value in values], type=arrow_type(kind))
    assert [Decimal(str(one)) for one in column.to_pylist()] == [Decimal(one) for one in found]
    assert [Decimal(text(value)) for value in values] == [Decimal(one) for one in found]


@given(st.lists(numbers, min_size=1), st.lists(numbers, min_size=1))
def test_what_two_files_know_together_is_what_one_would_know(one: list[str], other: list[str]) -> None:
    apart = seen_of([{"N": n} for n in one])
    apart.merge(seen_of([{"N": n} for n in other]))
    assert apart == seen_of([{"N": n} for n in [*one, *other]])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([{"S": "x"}], "string"),
        ([{"B": "AA=="}], "binary"),
        ([{"N": "9223372036854775807"}, {"N": "-9223372036854775808"}], "bigint"),
        ([{"N": "9223372036854775808"}], "decimal(38,0)"),
        ([{"N": "-9223372036854775809"}], "decimal(38,0)"),
        ([{"N": "1.5"}, {"N": "100"}], "decimal(38,1)"),
        ([{"N": "9" * 38}], "decimal(38,0)"),
        # Each would fit, but not both into one column: 38 digits before and one after the point.
        ([{"N": "9" * 38}, {"N": "0.1"}], "string"),
        ([{"N": "1E+100"}], "string"),
        ([{"N": "1E-130"}], "string"),
        ([{"N": "0"}], "bigint"),
        ([{"N": "1"}, {"S": "1"}], "string"),
        ([{"B": "AA=="}, {"S": "1"}], "string"),
        ([{"L": []}], "string"),
        ([{"BOOL": True}, {"NULL": True}], "string"),
    ],
    ids=str,
)
def test_the_type_of_a_column(values: list[Value], kind: str) -> None:
    assert seen_of(values).type == kind


def test_other_types_are_json_with_exact_numbers_and_sorted_sets() -> None:
    nested = {
        "M": {
            "b": {"L": [{"N": "1" * 38}, {"NULL": True}, {"BOOL": False}, {"S": 'एक "x"\n'}]},
            "a": {"NS": ["10", "9", "-1.5"]},
            "c": {"SS": ["z", "y"]},
            "d": {"BS": [base64.b64encode(b"\xff").decode()]},
        }
    }
    assert json_text(nested) == (
        '{"a": [-1.5, 9, 10], "b": [' + "1" * 38 + ', null, false, "एक \\"x\\"\\n"], '
        '"c": ["y", "z"], "d": ["/w=="]}'
    )
    assert json.loads(json_text(nested), parse_int=str)["b"][0] == "1" * 38
    assert text({"BOOL": True}) == "true"
    assert text({"NULL": True}) == "null"


def test_the_key_comes_first_then_what_has_no_known_order_by_name() -> None:
    seen: dict[str, Seen] = {}
    take_in(seen, {"z": {"S": ""}, "sort": {"N": "1"}, "a": {"N": "1.5"}, "id": {"S": "x"}})
    found = columns_of("other", ["id", "sort"], seen)
    assert [(c.name, c.type, c.dynamodb) for c in found] == [
        ("id", "string", ("S",)),
        ("sort", "bigint", ("N",)),
        ("a", "decimal(38,1)", ("N",)),
        ("z", "string", ("S",)),
    ]


def test_a_table_of_counts_has_the_old_databases_columns_even_when_it_is_empty() -> None:
    table = legacy.tables()["YEARLY_COUNTS"]
    names = [c.name for c in columns_of(legacy.target_name(table), ["PLACE_KEY", "YEAR_ENTRY"], {})]
    assert names == ["PLACE_KEY", "YEAR_ENTRY", *(column.name for column in table.columns)]


def test_a_value_that_is_missing_is_none_and_an_empty_text_is_not() -> None:
    def both(value: dict[str, Any] | None) -> Any:
        return cell("string", value)

    assert both(None) is None
    assert both({"S": ""}) == ""
