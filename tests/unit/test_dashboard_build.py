"""The dashboard's file: asked by the named questions, laid out, escaped, and put in place whole."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.adhoc import _answers
from crime_jobs.adhoc._answers import ask_all, statements
from crime_jobs.adhoc._districts import districts
from crime_jobs.adhoc._payload import payload
from crime_jobs.adhoc.dashboard import build_dashboard, pack, render
from crime_jobs.adhoc.lake import LakeAsker
from crime_jobs.adhoc.questions import find
from crime_jobs.errors import AwsRefused, BadInput, JobFailed
from crime_jobs.registry import registry
from tests.unit import dashboard_lake as small


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def asked(whole: Path) -> dict[str, pa.Table]:
    return ask_all(LakeAsker(str(whole)))[0]


@pytest.fixture
def answers(asked: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return dict(asked)


@pytest.fixture(scope="module")
def two_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write_map(tmp_path_factory.mktemp("map") / "states.geojson", "IN-GA", "IN-SK")


def unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text), wbits=-zlib.MAX_WBITS))


def change(answers: dict[str, pa.Table], name: str, changed: Callable[[list[dict[str, Any]]], Any]) -> None:
    answers[name] = pa.Table.from_pylist(changed(answers[name].to_pylist()), answers[name].schema)


def test_the_jobs_named_are_those_that_make_the_tables() -> None:
    makers = {table: job.name for job in registry().values() for table in job.writes}
    assert {name: makers[name] for name in small.MAKERS} == small.MAKERS


@pytest.mark.parametrize("name", small.MAKERS)
def test_a_missing_table_is_named_with_its_job(tmp_path: Path, name: str) -> None:
    lake = small.write_lake(tmp_path / "lake")
    for path in (lake / name).iterdir():
        path.unlink()
    (lake / name).rmdir()
    with pytest.raises(BadInput) as raised:
        ask_all(LakeAsker(str(lake)))
    assert name in raised.value.message
    assert f"crime-jobs run {small.MAKERS[name]}`" in raised.value.hint


def test_the_payload_is_the_answers(answers: dict[str, pa.Table]) -> None:
    data = payload(answers)
    assert data["years"] == [2013, 2014]
    assert [place["code"] for place in data["places"]] == ["IN", "IN-GA", "IN-SK"]
    of_group = [row["cases"] for row in small.rows_of("crime_by_period")]
    of_heads = [80, 82, 40, 41, 40, 41]
    assert data["region"]["cases"] == of_group + of_heads
    assert data["region"]["rate_per_lakh"] == [12.5, 12.5, 12.5, 12.5, None, None, 80, 82, 40, 41, None, None]
    trends = [data["trends"][code] for code in data["region"]["trend"]]
    assert trends == ["steady"] * 6 + ["no base", "series break"] * 3
    more = districts(answers, data)
    assert more["districts"] == [[1, "North Goa"], [1, "Railways"], [1, "South Goa"]]
    assert more["cases"] == [None, 90, None, 60, None, 40]
    assert more["magnitudes"] == ["high", "low"]
    assert more["magnitude"] == " a . b"
    assert more["hot"]["rows"] == [[[], [0, 90, 0.97, None, None, 0]]]
    assert more["falling"]["rows"] == [[[], []]]


def test_a_place_without_a_row_is_none(answers: dict[str, pa.Table]) -> None:
    change(
        answers,
        "crime_by_place",
        lambda rows: [row for row in rows if (row["state_code"], row["year"]) != ("IN-GA", 2013)],
    )
    assert payload(answers)["region"]["cases"][2] is None


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("crime_by_place", lambda rows: [*rows, rows[0]], "more than one row"),
        ("crimes_against_women", lambda rows: [*rows, rows[0] | {"scope": "wide"}], "more than one row"),
        ("crime_by_place", lambda rows: [rows[0] | {"trend": None}, *rows[1:]], "do not hold the same cases"),
        ("crime_by_place", lambda rows: [*rows, rows[0] | {"crime_group": "new"}], "'new', which the other"),
        ("crime_by_head", lambda rows: [*rows, rows[0] | {"state_code": "IN-XX"}], "IN-XX"),
        ("traffic_by_month", lambda rows: [*rows, rows[0] | {"year": 1999}], "1999"),
        ("crime_by_place", lambda rows: [], "no figure of a state"),
        ("hot_spots", lambda rows: [rows[0] | {"state_code": "IN-XX"}], "IN-XX"),
        ("hot_spots", lambda rows: [rows[0] | {"district": "Nowhere"}], "Nowhere"),
        ("crime_by_region", lambda rows: [*rows, rows[0]], "more than one row"),
        ("crime_by_region", lambda rows: [rows[0] | {"rank_in_year": 7}, *rows[1:]], "its cases do not give"),
        ("crime_by_region", lambda rows: [rows[0] | {"rank_in_year": None}, *rows[1:]], "do not give"),
        ("crime_by_region", lambda rows: [rows[0] | {"year": 1999}, *rows[1:]], "1999"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(
    answers: dict[str, pa.Table], name: str, changed: Any, said: str
) -> None:
    change(answers, name, changed)
    with pytest.raises(BadInput, match=said) as raised:
        districts(answers, payload(answers))
    assert "run all" in raised.value.hint


def test_cases_that_two_marts_hold_differently_are_refused(tmp_path: Path) -> None:
    lake = small.write_lake(tmp_path / "lake")
    rows = small.rows_of("crime_by_period")
    small.write_table(lake, "crime_by_period", [rows[0] | {"cases": 1}, *rows[1:]])
    with pytest.raises(BadInput, match="do not hold the same cases"):
        payload(ask_all(LakeAsker(str(lake)))[0])


@pytest.mark.parametrize(
    ("codes", "named", "said"),
    [
        (("IN-GA",), "IN-SK", "not in the boundaries"),
        (("IN-GA", "IN-SK", "IN-KL"), "IN-KL", "not in table crime_by_region"),
    ],
)
def test_a_map_of_other_states_is_refused_with_code_and_file(
    answers: dict[str, pa.Table], tmp_path: Path, codes: tuple[str, ...], named: str, said: str
) -> None:
    boundaries = small.write_map(tmp_path / "stale.geojson", *codes)
    with pytest.raises(BadInput, match=said) as raised:
        render(answers, boundaries)
    assert named in raised.value.message
    assert str(boundaries) in raised.value.message


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.recursive(
        texts | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
    )
)
def test_packed_data_reads_back_and_holds_no_markup(document: Any) -> None:
    written = pack(document)
    assert unpacked(written) == document
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", written)


def test_nothing_in_the_data_becomes_markup(answers: dict[str, pa.Table], two_states: Path) -> None:
    hostile = "</script><script>alert(1)</script>\"'<!--"
    change(answers, "crime_by_place", lambda rows: [row | {"state": hostile} for row in rows])
    named = dict.fromkeys(("group_label", "defined_by", "break_2014"), hostile)
    change(answers, "crime_groups", lambda rows: [row | named for row in rows])
    wrong = dict.fromkeys(("check_name", "source_file", "scope", "status"), hostile)
    change(answers, "data_quality", lambda rows: [row | wrong for row in rows])
    page = render(answers, two_states, [hostile])
    assert page.count("<script") == page.count("</script>") == 3
    assert "alert(1)</script>" not in page
    assert "<!--" not in page.split("</head>")[1].split("<script>")[0]


def test_the_same_answers_give_the_same_page(answers: dict[str, pa.Table], two_states: Path) -> None:
    first = render(answers, two_states, asked_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert first == render(answers, two_states, asked_at=datetime(2026, 1, 2, tzinfo=UTC))


def test_the_policy_allows_the_page_its_own_script_and_nothing_else(
    answers: dict[str, pa.Table], two_states: Path
) -> None:
    page = render(answers, two_states)
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]+ on\w+=|<[^>]+ style=", page)


def test_statements_are_the_questions_own_with_a_mark_for_each_value() -> None:
    """Marks put aside, what the page shows is `Question.text`, also with quotes in a value."""
    for name, shown in statements().items():
        question = find(name)
        given = {parameter.name: f"o'{parameter.name}" for parameter in question.parameters}
        filled = shown["sql"]
        for parameter, value in given.items():
            mark = f"'{_answers.OPEN}{parameter}{_answers.CLOSE}'"
            assert filled.count(mark) == 1
            quoted = value.replace("'", "''")
            filled = filled.replace(mark, f"'{quoted}'")
        assert filled == question.text(given)


class Refusing:
    """Answers from a lake, but not about FIRs."""

    def __init__(self, lake: Path, error: Exception) -> None:
        self.asker, self.error = LakeAsker(str(lake)), error

    def ask(self, sql: str, parameters: Any = ()) -> Any:
        if "FROM firs" in sql:
            raise self.error
        return self.asker.ask(sql, parameters)

    def close(self) -> None:
        self.asker.close()


@pytest.mark.parametrize("error", [BadInput, JobFailed, AwsRefused])
def test_firs_that_nobody_answers_are_left_out_and_it_is_said(
    whole: Path, two_states: Path, tmp_path: Path, error: Any
) -> None:
    built = build_dashboard(Refusing(whole, error("Nobody knows <them>.")), two_states, tmp_path)
    assert built.left_out == ("The page is whole but for FIRs. Nobody knows <them>.",)
    page = built.page.read_text(encoding="utf-8")
    assert "The page is whole but for FIRs. Nobody knows &lt;them&gt;." in page
    assert 'id="firs-table"' not in page


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """FIRs as Firehose leaves them: one was sent twice."""
    common = {
        "police_station": "Panaji",
        "state_code": "IN-GA",
        "crime_group": "property",
        "sections": "BNS:303",
    }
    sent = [
        common
        | {"fir_key": key, "occurred_at": at, "sent_at": f"2026-11-2{i}T08:00:00Z", "content_hash": str(i)}
        for i, (key, at) in enumerate(
            [("a", "2026-11-20T20:15:00Z"), ("b", "2026-11-20T20:30:00Z"), ("a", "2026-11-20T20:15:00Z")]
        )
    ]
    folder = tmp_path / "history" / "2026" / "11" / "24"
    folder.mkdir(parents=True)
    (folder / "firs-1.gz").write_bytes(
        gzip.compress("".join(json.dumps(row) + "\n" for row in sent).encode())
    )
    return tmp_path / "history"


def test_firs_of_the_history_are_on_the_page(
    whole: Path, two_states: Path, tmp_path: Path, history: Path
) -> None:
    built = build_dashboard(LakeAsker(str(whole), history=str(history)), two_states, tmp_path / "out")
    assert built.left_out == ()
    page = built.page.read_text(encoding="utf-8")
    [text] = re.findall(r'id="first">([^<]+)<', page)
    firs = unpacked(text)["firs"]
    assert firs["asked_at"]
    assert firs["firs_by_group"] == [
        {"state_code": "IN-GA", "crime_group": "property", "law": "BNS", "firs": 2}
    ]
    # 20:15 in Greenwich is a quarter to two in India.
    assert firs["firs_by_hour_and_month"] == [
        {"hour_of_day": 1, "month_number": 11, "firs": 1},
        {"hour_of_day": 2, "month_number": 11, "firs": 1},
    ]


def test_builds_the_page_and_replaces_it_whole(whole: Path, two_states: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    asker = LakeAsker(str(whole))
    built = build_dashboard(asker, two_states, out).page
    assert built == out / "index.html"
    assert [path.name for path in out.iterdir()] == ["index.html"]
    built.write_text("old")
    again = build_dashboard(asker, str(two_states), out).page
    assert again.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_page_that_can_not_be_made_leaves_the_old_one(
    whole: Path, two_states: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("os.fdopen", full)
        with pytest.raises(JobFailed, match="No space left on device"):
            build_dashboard(LakeAsker(str(whole)), two_states, tmp_path)
    with pytest.raises(BadInput):
        build_dashboard(LakeAsker(str(tmp_path / "nothing")), two_states, tmp_path)
    assert (tmp_path / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_file_where_the_folder_should_be(whole: Path, two_states: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(JobFailed, match="can't be written"):
        build_dashboard(LakeAsker(str(whole)), two_states, tmp_path / "out")


def falling(lake: Path, *rows: tuple[str, str, int, int]) -> list[tuple[Any, ...]]:
    """Ask for falling districts over series given as district, group, year, cases."""
    common = {"level": "district", "state_code": "IN-GA", "state": "Goa", "rank_in_year": 1}
    table = [
        common
        | {"district": d, "crime_group": g, "year": y, "cases": n, "rank_in_year": None if d == "unit" else 1}
        for d, g, y, n in rows
    ]
    small.write_table(lake, "crime_by_region", table)
    question = find("falling_districts")
    asked = question.bind({"year": "all", "crime_group": "all", "state_code": "all"})
    found = LakeAsker(str(lake)).ask(question.sql, asked).table().to_pylist()
    return [
        (row["district"], row["crime_group"], row["year"], row["base_cases"], row["growth_pct"])
        for row in found
    ]


def test_falling_districts_by_their_rule(tmp_path: Path) -> None:
    """Each series breaks one part of the rule, but for the first, which just meets all of it."""
    groups = small.rows_of("crime_group_heads")
    broken = groups[0] | {"crime_group": "riots", "break_2014": "counted otherwise"}
    small.write_table(tmp_path, "crime_group_heads", [*groups, broken])

    def series(district: str, *cases: int, first: int = 2010, group: str = "murder") -> list[Any]:
        return [(district, group, first + i, n) for i, n in enumerate(cases)]

    found = falling(
        tmp_path,
        *series("falls", 60, 50, 50, 40),
        *series("too little", 60, 50, 50, 41),
        *series("too few", 49, 40, 30, 20),
        *series("rose between", 60, 40, 41, 30),
        *series("unit", 60, 50, 50, 40),
        *[row for row in series("a year is missing", 60, 50, 50, 45, 40) if row[2] != 2011],
        *series("over the break", 90, 80, 70, 10, first=2011, group="riots"),
        *series("ends at the break", 90, 80, 70, 10, first=2013, group="riots"),
        *series("after the break", 90, 80, 70, 10, first=2014, group="riots"),
        *series("over the year", 90, 80, 70, 10, first=2011),
    )
    assert found == [
        ("falls", "murder", 2013, 60, -33.3),
        ("over the year", "murder", 2014, 90, -88.9),
        ("after the break", "riots", 2017, 90, -88.9),
    ]


def test_heads_add_up_to_country_and_the_two_states_together(tmp_path: Path) -> None:
    common = {
        "district": "A",
        "district_kind": "district",
        "source_file": "a.csv",
        "crime_head": "murder",
        "state": "",
    }
    facts = [
        common | {"state_code": code, "year": year, "cases": cases}
        for code, year, cases in [
            ("IN-AP", 2012, 30), ("IN-AP", 2012, 10), ("IN-AP", 2013, 42), ("IN-AP", 2014, 20),
            ("IN-TS", 2014, 25), ("IN-GA", 2012, 10), ("IN-GA", 2013, 9),
        ]
    ]  # fmt: skip
    small.write_table(tmp_path, "crime_facts", facts)
    small.write_table(tmp_path, "crime_group_heads")
    people = {"level": "state", "state_code": "IN-GA", "state": "Goa", "year": 2013, "population": 1_500_000}
    small.write_table(tmp_path, "population_by_year", [people])
    question = find("crime_by_head")
    every = dict.fromkeys((parameter.name for parameter in question.parameters), "all")
    asker = LakeAsker(str(tmp_path))
    rows = asker.ask(question.sql, question.bind(every)).table().to_pylist()
    figures = {
        (r["state_code"], r["year"]): (r["cases"], r["rate_per_lakh"], r["change_pct"], r["trend"])
        for r in rows
    }
    assert figures == {
        ("IN", 2012): (50, None, None, "no base"),
        ("IN", 2013): (51, None, 2.0, "steady"),
        ("IN", 2014): (45, None, None, "series break"),
        ("IN-AP+TS", 2012): (40, None, None, "no base"),
        ("IN-AP+TS", 2013): (42, None, 5.0, "rising"),
        ("IN-AP+TS", 2014): (45, None, None, "series break"),
        ("IN-AP", 2012): (40, None, None, "no base"),
        ("IN-AP", 2013): (42, None, 5.0, "rising"),
        ("IN-AP", 2014): (20, None, None, "series break"),
        ("IN-TS", 2014): (25, None, None, "series break"),
        ("IN-GA", 2012): (10, None, None, "no base"),
        ("IN-GA", 2013): (9, 0.6, -10.0, "falling"),
    }
    asked = question.bind(every | {"crime_group": "no such group"})
    assert asker.ask(question.sql, asked).table().num_rows == 0
