"""Every number on the page, read back and held against the marts as DuckDB reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import duckdb

pytestmark = pytest.mark.browser

VIEWS = [
    ("rate", "all_ipc", 2014, "IN"),
    ("cases", "all_ipc", 2001, "IN-TN"),
    ("rate", "violent", 2013, "IN-UP"),
    ("cases", "against_women", 2014, "IN-AP+TS"),
    ("rate", "dowry_death", 2006, "IN-LD"),
    ("cases", "traffic", 2014, "IN-TS"),
    ("rate", "murder", 2010, "IN-AP"),
    ("rate", "theft", 2014, "IN-AP"),
]


def rows(marts: duckdb.DuckDBPyConnection, query: str, *values: object) -> list[dict[str, Any]]:
    found = marts.execute(query, list(values))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def same(page: dict[str, dict[str, Any]], mart: Iterable[dict[str, Any]], key: str, *fields: str) -> None:
    """Hold a table of the page against rows of a mart, cell for cell; there must be some."""
    expected = {str(row[key]): {name: row[name] for name in fields} for row in mart}
    assert expected
    assert {k: {name: cells[name] for name in fields} for k, cells in page.items()} == expected


def indian(value: float | None) -> str:
    """Indian grouping, told apart from the page's own by being written another way."""
    text = str(int(value or 0))
    groups: list[str] = []
    while text:
        size = 2 if groups else 3
        groups.insert(0, text[-size:])
        text = text[:-size]
    return ",".join(groups)


@pytest.mark.parametrize(("measure", "group", "year", "place"), VIEWS)
def test_a_view_shows_what_the_marts_hold(
    dashboard: Any, marts: duckdb.DuckDBPyConnection, measure: str, group: str, year: int, place: str
) -> None:
    dashboard.show(measure=measure, group=group, year=year, place=place)

    above = "SELECT * FROM crime_by_region WHERE district IS NULL AND crime_group = ? AND year = ? "
    ranking = dashboard.table("rank-table", "data-code")
    same(
        ranking,
        rows(marts, above + "AND level = 'state'", group, year),
        "state_code",
        "cases",
        "rate_per_lakh",
    )
    for cells in ranking.values():
        assert cells["cases_text"] == indian(cells["cases"])
        assert cells["rate_per_lakh_text"] == (
            "no rate" if cells["rate_per_lakh"] is None else f"{cells['rate_per_lakh']:,.2f}"
        )

    [place_row] = rows(marts, above + "AND state_code = ?", group, year, place)
    for name in ("cases", "rate_per_lakh", "population"):
        assert dashboard.kpi(name) == place_row[name]
    if place_row["level"] == "state":
        assert dashboard.kpi("rank_in_year") == place_row["rank_in_year"]

    joined = (
        "SELECT p.*, r.rate_per_lakh FROM crime_by_period p JOIN crime_by_region r "
        "USING (level, state_code, year, crime_group) WHERE r.district IS NULL AND p.state_code = ? "
    )
    fields = ("cases", "rate_per_lakh", "change_pct", "trend")
    groups = dashboard.table("groups-table", "data-group")
    counted = {k: cells for k, cells in groups.items() if cells["cases"] is not None}
    same(counted, rows(marts, joined + "AND year = ?", place, year), "crime_group", *fields)
    known = {
        row["crime_group"] for row in rows(marts, "FROM crime_group_heads WHERE fact_table = 'crime_facts'")
    }
    assert groups.keys() == known

    trend = dashboard.table("trend-table", "data-year")
    counted = {k: cells for k, cells in trend.items() if cells["cases"] is not None}
    same(counted, rows(marts, joined + "AND crime_group = ?", place, group), "year", *fields)
    assert len(trend) == 14


@pytest.mark.parametrize(
    ("year", "place"), [(2014, "IN"), (2013, "IN-KL"), (2001, "IN-DD"), (2014, "IN-AP+TS")]
)
def test_crimes_against_women(
    dashboard: Any, marts: duckdb.DuckDBPyConnection, year: int, place: str
) -> None:
    dashboard.show(year=year, place=place)
    of_place = "SELECT * FROM crimes_against_women WHERE state_code = ? "
    same(
        dashboard.table("women-table", "data-group"),
        rows(marts, of_place + "AND year = ?", place, year),
        "women_group",
        *("cases", "rate_per_lakh", "change_pct", "trend"),
    )
    years = dashboard.table("women-years", "data-year")
    for name in ("core_seven", "all_in_scope"):
        page = {k: {"cases": cells[name], "scope": cells["scope"]} for k, cells in years.items()}
        same(page, rows(marts, of_place + "AND women_group = ?", place, name), "year", "cases", "scope")


@pytest.mark.parametrize(
    ("year", "place", "counted_as"),
    [(2014, "IN", "IN"), (2009, "IN-MH", "IN-MH"), (2014, "IN-TS", "IN-AP"), (2014, "IN-AP+TS", "IN-AP")],
)
def test_road_accidents(
    dashboard: Any, marts: duckdb.DuckDBPyConnection, year: int, place: str, counted_as: str
) -> None:
    dashboard.show(year=year, place=place)
    slots = rows(marts, "FROM traffic_by_time_of_day WHERE state_code = ? AND year = ?", counted_as, year)
    same(dashboard.table("slots-table", "data-bucket"), slots, "slot", "cases", "share_pct")
    months = rows(marts, "FROM traffic_by_month WHERE state_code = ? AND year = ?", counted_as, year)
    page = dashboard.table("months-table", "data-bucket")
    same(page, months, "month_number", "cases", "share_pct", "cases_per_day")
    drawn = dashboard.page.eval_on_selector_all(
        "#slots-chart .column",
        "columns => columns.map(c => [Number(c.dataset.value), c.height.baseVal.value])",
    )
    assert [value for value, _ in drawn] == [row["cases"] for row in sorted(slots, key=lambda r: r["slot"])]
    most = max(value for value, _ in drawn)
    tallest = max(height for _, height in drawn)
    assert all(height == pytest.approx(tallest * value / most, abs=0.5) for value, height in drawn)
    if counted_as != place:
        assert "undivided" in dashboard.page.inner_text("#traffic-sub")


@pytest.mark.parametrize(("group", "year", "place"), [("all_ipc", 2014, "IN"), ("rape", 2013, "IN-MP")])
def test_hot_spots(
    dashboard: Any, marts: duckdb.DuckDBPyConnection, group: str, year: int, place: str
) -> None:
    dashboard.show(group=group, year=year, place=place)
    found = rows(
        marts,
        "SELECT *, state_code || '/' || district AS spot FROM hot_spots "
        "WHERE crime_group = ? AND year = ? AND (? = 'IN' OR state_code = ?)",
        *(group, year, place, place),
    )
    dashboard.page.eval_on_selector_all(
        "#hot-table tbody tr",
        "rows => rows.forEach(r => r.dataset.spot = `${r.dataset.code}/${r.dataset.district}`)",
    )
    page = dashboard.table("hot-table", "data-spot")
    same(page, found, "spot", *("cases", "percentile", "base_cases", "growth_pct", "hot_spot"))
    shown = dashboard.page.inner_text("#hot-rules")
    assert all(row["rule"] in shown for row in found)


def test_falling_districts(dashboard: Any, marts: duckdb.DuckDBPyConnection) -> None:
    """By the rule as it is said on the page, over the mart, without the question's window functions."""
    dashboard.show(group="theft", year=2010, place="IN")
    found = rows(
        marts,
        "SELECT d.state_code || '/' || d.district AS spot, d.cases, c.cases AS base_cases, "
        "round((d.cases - c.cases) * 100 / c.cases, 1) AS growth_pct "
        "FROM crime_by_region a JOIN crime_by_region b USING (level, state_code, district, crime_group) "
        "JOIN crime_by_region c USING (level, state_code, district, crime_group) "
        "JOIN crime_by_region d USING (level, state_code, district, crime_group) "
        "WHERE level = 'district' AND crime_group = 'theft' AND (c.year, b.year, a.year, d.year) = (2007, 2008, 2009, 2010) "
        "AND d.rank_in_year IS NOT NULL AND c.cases >= 50 AND d.cases / c.cases <= 2 / 3 "
        "AND c.cases >= b.cases AND b.cases >= a.cases AND a.cases >= d.cases",
    )
    dashboard.page.eval_on_selector_all(
        "#falling-table tbody tr",
        "rows => rows.forEach(r => r.dataset.spot = `${r.dataset.code}/${r.dataset.district}`)",
    )
    same(dashboard.table("falling-table", "data-spot"), found, "spot", "cases", "base_cases", "growth_pct")


def test_every_group_opened_from_a_bookmark(dashboard: Any, marts: duckdb.DuckDBPyConnection) -> None:
    """All states' cases and rates, each group in another year; test_rows holds the whole file against the mart."""
    found = rows(marts, "SELECT DISTINCT crime_group FROM crime_by_region ORDER BY 1")
    groups = [row["crime_group"] for row in found]
    assert len(groups) == 21
    for i, group in enumerate(groups):
        year = 2014 if group == "traffic" else 2001 + i % 14  # traffic is counted apart only since 2014
        expected = rows(
            marts, "FROM crime_by_region WHERE level = 'state' AND crime_group = ? AND year = ?", group, year
        )
        dashboard.go(f"#group={group}&year={year}")
        page = dashboard.table("rank-table", "data-code")
        same(page, expected, "state_code", "cases", "rate_per_lakh")


@pytest.mark.parametrize(
    ("place", "group", "year"), [("IN-TN", "all_ipc", 2014), ("IN-AP+TS", "riots", 2009)]
)
def test_districts_in_order(
    dashboard: Any, marts: duckdb.DuckDBPyConnection, place: str, group: str, year: int
) -> None:
    dashboard.show(place=place, group=group, year=year)
    codes = ("IN-AP", "IN-TS") if place == "IN-AP+TS" else (place, "")
    found = rows(
        marts,
        "SELECT * FROM crime_by_region WHERE level = 'district' AND crime_group = ? AND year = ? "
        "AND state_code IN (?, ?) ORDER BY cases DESC, district",
        *(group, year, *codes),
    )
    page = dashboard.table("districts-table", "data-district")
    same(page, found, "district", "cases", "rank_in_year", "magnitude")
    assert [cells["cases"] for cells in page.values()] == [row["cases"] for row in found]
    assert any(row["rank_in_year"] is None for row in found)  # railway police and the like are among them
    assert "population of districts is not known" in dashboard.page.inner_text("#districts-note")


def test_a_single_head_drives_the_page(dashboard: Any, marts: duckdb.DuckDBPyConnection) -> None:
    """Sums of the facts by hand, not by the question that the page asks."""
    dashboard.show(group="against_body", head="attempt_to_murder", place="IN-MH", year=2012, measure="rate")
    by_state = rows(
        marts,
        "SELECT f.state_code, sum(f.cases) AS cases, round(sum(f.cases) * 100000 / p.population, 2) AS rate_per_lakh "
        "FROM crime_facts f JOIN population_by_year p ON (p.state_code, p.year) = (f.state_code, f.year) "
        "WHERE f.crime_head = 'attempt_to_murder' AND f.year = 2012 GROUP BY f.state_code, p.population",
    )
    same(dashboard.table("rank-table", "data-code"), by_state, "state_code", "cases", "rate_per_lakh")
    here = next(row for row in by_state if row["state_code"] == "IN-MH")
    assert (dashboard.kpi("cases"), dashboard.kpi("rate_per_lakh")) == (here["cases"], here["rate_per_lakh"])
    years = rows(
        marts,
        "SELECT year, sum(cases) AS cases FROM crime_facts WHERE crime_head = 'attempt_to_murder' "
        "AND state_code = 'IN-MH' GROUP BY ALL",
    )
    same(dashboard.table("trend-table", "data-year"), years, "year", "cases")
    assert dashboard.page.inner_text("#now").startswith("Attempt to murder, Maharashtra, 2012")
    assert "not by single head" in dashboard.page.inner_text("#districts-note")


def test_two_places_side_by_side(dashboard: Any, marts: duckdb.DuckDBPyConnection) -> None:
    dashboard.show(group="robbery", place="IN-TN", year=2011, measure="rate", **{"with": "IN-KL"})
    joined = (
        "SELECT {key}, a.cases AS cases_a, a.rate_per_lakh AS rate_a, b.cases AS cases_b, b.rate_per_lakh AS rate_b "
        "FROM crime_by_region a JOIN crime_by_region b USING (year, crime_group) WHERE a.state_code = 'IN-TN' "
        "AND b.state_code = 'IN-KL' AND a.level = 'state' AND b.level = 'state' AND {where}"
    )
    fields = ("cases_a", "rate_a", "cases_b", "rate_b")
    groups = rows(marts, joined.format(key="crime_group", where="year = 2011"))
    same(dashboard.table("compare-table", "data-group"), groups, "crime_group", *fields)
    years = rows(marts, joined.format(key="year", where="crime_group = 'robbery'"))
    same(dashboard.table("compare-years", "data-year"), years, "year", *fields)
    drawn = dashboard.page.eval_on_selector_all(
        "#compare-chart [data-series]",
        "gs => gs.map(g => [g.dataset.series, [...g.querySelectorAll('.dot')].map(d => Number(d.dataset.value))])",
    )
    series = {
        name: [row[column] for row in sorted(years, key=lambda row: row["year"])]
        for name, column in (("Tamil Nadu", "rate_a"), ("Kerala", "rate_b"))
    }
    assert dict(drawn) == series


@pytest.mark.parametrize(("table", "bucket"), [("slots", "slot"), ("months", "month_number")])
def test_heat_maps_of_the_roads(
    dashboard: Any, marts: duckdb.DuckDBPyConnection, table: str, bucket: str
) -> None:
    dashboard.show(place="IN-MH")
    cells = dashboard.page.eval_on_selector_all(
        f"#{table}-heat td",
        "cs => cs.map(c => [c.parentNode.dataset.year, c.dataset.bucket, Number(c.dataset.value),"
        " c.textContent, c.className])",
    )
    mart = "traffic_by_time_of_day" if table == "slots" else "traffic_by_month"
    found = rows(marts, f"SELECT year, {bucket} AS bucket, cases FROM {mart} WHERE state_code = 'IN-MH'")
    assert {(year, name): value for year, name, value, *_ in cells} == {
        (str(row["year"]), str(row["bucket"])): row["cases"] for row in found
    }
    assert all(text == indian(value) for _, _, value, text, _ in cells)
    classes: dict[str, list[float]] = {}
    for *_, value, _, kind in cells:
        classes.setdefault(kind, []).append(value)
    ordered = [classes[f"num k{k}"] for k in range(5)]
    assert all(max(low) < min(high) for low, high in pairwise(ordered))  # darker is more
    said = dashboard.page.inner_text("#traffic-section")
    assert "no map of hour by month" in said


def test_firs_of_the_stream(dashboard: Any) -> None:
    """Four FIRs, one of them sent twice; hours and months are India's."""
    read = dashboard.table("firs-table", "data-fir")
    assert {key: cells["firs"] for key, cells in read.items()} == {
        "IN-TN/property/BNS": 2,
        "IN-TN/against_women/BNS": 1,
        "IN-KL/traffic/MVA": 1,
    }
    cells = dashboard.page.eval_on_selector_all(
        "#firs-heat td", "cs => cs.map(c => [c.parentNode.dataset.hour, c.dataset.month, c.dataset.value])"
    )
    assert len(cells) == 24 * 12
    assert {tuple(cell) for cell in cells if cell[2]} == {
        ("1", "11", "2"),
        ("10", "11", "1"),
        ("11", "11", "1"),
    }
    assert "4 FIRs" in dashboard.page.inner_text("#firs-sub")


def test_known_totals(open_page: Callable[..., Any], page_file: Any) -> None:
    """Figures of the source itself, in Indian grouping, so that no mart and no test share a mistake."""
    page = open_page(page_file, "#group=all_ipc&year=2013&measure=cases").page
    assert page.inner_text("[data-kpi=cases]") == "26,47,722"
    page = open_page(page_file, "#group=all_ipc&year=2014&measure=cases").page
    assert page.inner_text("[data-kpi=cases]") == "28,58,939"


def test_data_quality_is_the_table(dashboard: Any, marts: duckdb.DuckDBPyConnection) -> None:
    fields = ("check", "source", "scope", "status", "expected", "found", "difference")
    read = dashboard.page.eval_on_selector_all(
        "#discrepancies li",
        "(items, fields) => items.map(li => fields.map(f => li.dataset[f]))",
        list(fields),
    )
    wrong = marts.execute(
        "SELECT check_name, source_file, scope, status, expected, found, difference FROM data_quality "
        "WHERE status <> 'ok'"
    ).fetchall()
    assert wrong
    assert sorted(read) == sorted(["" if cell is None else str(cell) for cell in row] for row in wrong)

    checks = dashboard.page.eval_on_selector_all(
        "#checks-table tbody tr",
        "rows => rows.map(r => [r.dataset.check, ...[...r.querySelectorAll('[data-value]')].map(c => +c.dataset.value)])",
    )
    counted = marts.execute(
        "SELECT check_name, count(*) FILTER (status = 'ok'), count(*) FILTER (status <> 'ok') "
        "FROM data_quality GROUP BY ALL"
    ).fetchall()
    assert sorted(map(tuple, checks)) == sorted(counted)
    total = sum(ok + bad for _, ok, bad in counted)
    assert dashboard.page.inner_text("[data-quality=all]") == indian(total)


@pytest.mark.parametrize(
    "words",
    [
        "India, 2014: the districts add up to 28,58,939, NCRB published 28,51,563: 7,376 more.",
        "India, 2004: the districts add up to 18,32,010, NCRB published 18,32,015: 5 fewer.",
        "Railways, Jammu and Kashmir, 2010: the file has 2 rows for this place and year; all of them are counted.",
        "GRP, Assam, 2014: it is in the IPC crime table but missing in the table of crimes against women.",
    ],
)
def test_discrepancies_are_said_in_plain_words(dashboard: Any, words: str) -> None:
    assert words in dashboard.page.inner_text("#discrepancies")
