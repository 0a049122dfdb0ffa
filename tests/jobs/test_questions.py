"""The named questions on the real lake: with all everywhere they are their mart, else what plain SQL finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crime_jobs.adhoc.lake import LakeAsker
from crime_jobs.adhoc.questions import questions
from crime_jobs.model.tables import TABLES

#: The mart that a question is, when it is asked for everything.
MARTS = {
    "crime_by_region": "crime_by_region",
    "crime_over_time": "crime_by_period",
    "crimes_against_women": "crimes_against_women",
    "traffic_by_hour": "traffic_by_time_of_day",
    "traffic_by_month": "traffic_by_month",
    "hot_spots": "hot_spots",
    "data_quality": "data_quality",
    "crime_groups": "crime_group_heads",
    "population": "population_by_year",
}

#: The same by another way: the files read by DuckDB, the choice made by DuckDB's own SQL.
DEFAULTS = {
    "crime_by_region": "level = 'state' AND year = 2014 AND crime_group = 'all_ipc'",
    "crime_over_time": "state_code = 'IN' AND crime_group = 'all_ipc'",
    "crimes_against_women": "state_code = 'IN'",
    "traffic_by_hour": "state_code = 'IN' AND year = 2014",
    "traffic_by_month": "state_code = 'IN' AND year = 2014",
    "hot_spots": "year = 2014 AND crime_group = 'all_ipc'",
    "data_quality": "status <> 'ok'",
    "crime_groups": "true",
    "population": "true",
}


@pytest.fixture(scope="module")
def asker(built_lake: Path) -> Iterator[LakeAsker]:
    found = LakeAsker(str(built_lake))
    yield found
    found.close()


@pytest.fixture(scope="module")
def plain(built_lake: Path) -> duckdb.DuckDBPyConnection:
    """The marts' files, read without any of our code."""
    connection = duckdb.connect()
    for mart in MARTS.values():
        columns = ", ".join(TABLES[mart].names)
        connection.execute(f"CREATE VIEW {mart} AS SELECT {columns} FROM '{built_lake}/{mart}/**/*.parquet'")
    return connection


def answer(asker: LakeAsker, name: str, **values: str) -> list[tuple[Any, ...]]:
    question = questions()[name]
    found = asker.ask(question.sql, question.bind(values)).table()
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True)) if found.num_rows else []


def same(found: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> bool:
    return len(found) == len(wanted) and sorted(map(repr, found)) == sorted(map(repr, wanted))


@pytest.mark.parametrize(("name", "mart"), MARTS.items())
def test_everything_is_the_mart_row_for_row(asker: LakeAsker, plain: duckdb.DuckDBPyConnection, name: str, mart: str) -> None:  # fmt: skip
    wanted = plain.execute(f"SELECT * FROM {mart}").fetchall()
    assert len(wanted) > 100
    assert same(answer(asker, name, **{p.name: "all" for p in questions()[name].parameters}), wanted)


@pytest.mark.parametrize(("name", "chosen"), DEFAULTS.items())
def test_the_defaults_are_what_they_say(asker: LakeAsker, plain: duckdb.DuckDBPyConnection, name: str, chosen: str) -> None:  # fmt: skip
    wanted = plain.execute(f"SELECT * FROM {MARTS[name]} WHERE {chosen}").fetchall()
    assert wanted
    assert same(answer(asker, name), wanted)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    level=st.sampled_from(["country", "combined", "state", "district", "nowhere"]),
    year=st.sampled_from(["2001", "2009", "2014", "1999"]),
    group=st.sampled_from(["all_ipc", "violent", "property", "it's"]),
    state=st.sampled_from(["all", "IN-TN", "IN-KL", "'; DROP TABLE x"]),
)
def test_any_choice_is_the_mart_chosen(
    asker: LakeAsker, plain: duckdb.DuckDBPyConnection, level: str, year: str, group: str, state: str
) -> None:
    found = answer(asker, "crime_by_region", level=level, year=year, crime_group=group, state_code=state)
    wanted = plain.execute(
        "SELECT * FROM crime_by_region WHERE level = $1 AND year::text = $2 AND crime_group = $3 AND $4 IN ('all', state_code)",
        [level, year, group, state],
    ).fetchall()
    assert same(found, wanted)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    a=st.sampled_from(["IN-TN", "IN-KL", "IN", "IN-AP", "IN-XX"]),
    b=st.sampled_from(["IN-TN", "IN-KL", "IN-DL", "IN-XX"]),
    year=st.sampled_from(["2005", "2014"]),
)
def test_two_places_are_the_two_places(asker: LakeAsker, plain: duckdb.DuckDBPyConnection, a: str, b: str, year: str) -> None:  # fmt: skip
    def of(place: str) -> dict[str, tuple[Any, ...]]:
        rows = plain.execute(
            "SELECT crime_group, state, cases, rate_per_lakh FROM crime_by_region WHERE district IS NULL AND state_code = $1 AND year::text = $2",
            [place, year],
        ).fetchall()
        return {row[0]: row[1:] for row in rows}

    left, right, none = of(a), of(b), (None, None, None)
    wanted = [
        (group, int(year), *left.get(group, none), *right.get(group, none)) for group in {*left, *right}
    ]
    assert same(answer(asker, "compare_places", state_a=a, state_b=b, year=year), wanted)


def test_rows_come_in_one_order(asker: LakeAsker) -> None:
    for name in MARTS:
        if name != "data_quality":  # its source has rows that are equal
            assert answer(asker, name) == answer(asker, name)
