"""The map: colours that agree with the values and the legend, breaks marked, what has no rate shown so."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import duckdb

pytestmark = pytest.mark.browser


def states(page: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = page.eval_on_selector_all(
        "#map .state",
        "gs => gs.map(g => ({...g.dataset, label: g.getAttribute('aria-label'),"
        " fill: getComputedStyle(g.querySelector('path')).fill}))",
    )
    return found


def legend(page: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = page.eval_on_selector_all(
        "#legend li",
        "lis => lis.map(li => ({...li.dataset, text: li.textContent,"
        " fill: getComputedStyle(li.querySelector('rect')).fill}))",
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("measure", "group", "year"),
    [("rate", "all_ipc", 2014), ("cases", "violent", 2005), ("rate", "dowry_death", 2013)],
)
def test_colour_and_legend_agree_with_the_value(
    open_page: Callable[..., Any],
    page_file: Path,
    marts: duckdb.DuckDBPyConnection,
    measure: str,
    group: str,
    year: int,
    scheme: str,
) -> None:
    page = open_page(page_file, f"#group={group}&year={year}&measure={measure}", color_scheme=scheme).page
    page.wait_for_timeout(400)  # the colours fade in
    column = {"rate": "rate_per_lakh", "cases": "cases"}[measure]
    values = dict(
        marts.execute(
            f"SELECT state_code, {column} FROM crime_by_region WHERE level = 'state' AND crime_group = ? AND year = ?",
            [group, year],
        ).fetchall()
    )
    if year < 2014:
        values["IN-TS"] = values["IN-AP"]
    classes = {entry["class"]: entry for entry in legend(page)}
    drawn = states(page)
    assert {state["code"] for state in drawn} == values.keys()
    for state in drawn:
        value, entry = values[state["code"]], classes[state["class"]]
        assert state["fill"] == entry["fill"]
        assert (float(state["value"]) if state["value"] else None) == value
        if value is None:
            assert entry["class"] == "none"
        else:
            low, high = entry["low"], entry["high"]
            assert float(low or 0) <= value < float(high or "inf")
    itself = [s for s in drawn if year >= 2014 or s["code"] != "IN-TS"]
    for key, entry in classes.items():
        assert int(entry["count"]) == sum(s["class"] == key for s in itself)


def test_classes_hold_about_a_fifth_each_over_all_years(
    dashboard: Any, marts: duckdb.DuckDBPyConnection
) -> None:
    dashboard.show(group="all_ipc", measure="rate", year=2013)
    bounds = [float(entry["low"]) for entry in legend(dashboard.page) if entry.get("low")]
    assert len(bounds) == 4
    values = [
        row[0]
        for row in marts.execute(
            "SELECT rate_per_lakh FROM crime_by_region WHERE level = 'state' AND crime_group = 'all_ipc' "
            "AND rate_per_lakh IS NOT NULL"
        ).fetchall()
    ]
    counts = [0] * 5
    for value in values:
        counts[sum(bound <= value for bound in bounds)] += 1
    assert all(0.12 < count / len(values) < 0.28 for count in counts), counts


def test_a_colour_means_the_same_in_every_year(dashboard: Any) -> None:
    seen = set()
    for year in (2001, 2007, 2014):
        dashboard.show(group="murder", measure="cases", year=year)
        seen.add(tuple((e["low"], e["high"]) for e in legend(dashboard.page) if e["class"] != "none"))
    assert len(seen) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_classes_differ_in_lightness_alone(
    open_page: Callable[..., Any], page_file: Path, scheme: str
) -> None:
    """Ordered by luminance, each step at least 1.35 to 1: readable without seeing hue, and in grey print."""
    page = open_page(page_file, "#measure=cases&year=2013", color_scheme=scheme).page

    def luminance(fill: str) -> float:
        channels = [int(c) / 255 for c in re.findall(r"\d+", fill)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    found = [luminance(entry["fill"]) for entry in legend(page)]
    assert len(found) == 5
    ordered = found if scheme == "light" else found[::-1]
    assert all((a + 0.05) / (b + 0.05) > 1.35 for a, b in pairwise(ordered))


def test_andhra_pradesh_and_telangana_have_no_rate_in_2014(
    dashboard: Any, marts: duckdb.DuckDBPyConnection
) -> None:
    dashboard.show(group="all_ipc", year=2014, measure="rate")
    drawn = {state["code"]: state for state in states(dashboard.page)}
    for code in ("IN-AP", "IN-TS"):
        assert drawn[code]["class"] == "none"
        assert "hatch" in drawn[code]["fill"]
        assert drawn[code]["label"].endswith(": no rate")
        assert dashboard.table("rank-table", "data-code")[code]["rate_per_lakh_text"] == "no rate"
    assert [entry["text"] for entry in legend(dashboard.page)][-1] == "no rate (2)"
    # The way out is offered: the two together.
    dashboard.show(place="IN-TS")
    assert dashboard.page.inner_text("[data-kpi=rate_per_lakh]") == "no rate"
    dashboard.page.click("#place-note button")
    assert dashboard.page.input_value("#place") == "IN-AP+TS"
    [(rate,)] = marts.execute(
        "SELECT rate_per_lakh FROM crime_by_region WHERE level = 'combined' AND year = 2014 AND crime_group = 'all_ipc'"
    ).fetchall()
    assert dashboard.kpi("rate_per_lakh") == rate
    # As cases, both have their figure.
    dashboard.show(measure="cases")
    assert all(state["class"] != "none" for state in states(dashboard.page))


def test_telangana_is_within_andhra_pradesh_until_2013(dashboard: Any) -> None:
    dashboard.show(year=2013, measure="cases")
    drawn = {state["code"]: state for state in states(dashboard.page)}
    assert drawn["IN-TS"]["value"] == drawn["IN-AP"]["value"] != ""
    assert "within Andhra Pradesh" in drawn["IN-TS"]["label"]
    dashboard.page.click("#map [data-code=IN-TS]")
    assert dashboard.page.input_value("#place") == "IN-AP"
    dashboard.show(place="IN-TS")
    assert "part of Andhra Pradesh until 2013" in dashboard.page.inner_text("#place-note")


def test_a_click_chooses_a_state_even_a_very_small_one(dashboard: Any) -> None:
    for code, name in (
        ("IN-CH", "Chandigarh"),
        ("IN-DL", "Delhi"),
        ("IN-PY", "Puducherry"),
        ("IN-RJ", "Rajasthan"),
    ):
        part = "circle" if code != "IN-RJ" else "path"
        dashboard.page.click(f"#map [data-code={code}] {part}")
        assert dashboard.page.input_value("#place") == code
        assert name in dashboard.page.inner_text("#now")
        assert dashboard.page.get_attribute(f"#map [data-code={code}]", "aria-selected") == "true"
    assert dashboard.page.locator("#map [aria-selected=true]").count() == 1


@pytest.mark.parametrize(
    ("group", "place", "breaks"),
    [("violent", "IN", True), ("hurt", "IN-BR", True), ("all_ipc", "IN", False), ("murder", "IN-AP", True)],
)
def test_the_break_of_2014_is_marked_not_smoothed(
    dashboard: Any, group: str, place: str, breaks: bool
) -> None:
    dashboard.show(group=group, place=place, measure="cases", year=2014)
    page = dashboard.page
    assert page.locator("#trend-chart [data-break='2014']").count() == int(breaks)
    spans = page.eval_on_selector_all(
        "#trend-chart .curve", "ps => ps.map(p => [p.dataset.from, p.dataset.to])"
    )
    assert spans == [["2001", "2013" if breaks else "2014"]]
    assert page.locator("#trend-chart .dot").count() == 14
    row = dashboard.table("trend-table", "data-year")["2014"]
    assert (row["trend"] == "series break") is breaks
    assert (row["change_pct_text"] == "\N{EN DASH}") is breaks
    assert page.is_visible("#trend-break") is breaks
    if breaks:
        assert "2014 does not compare" in page.inner_text("#trend-break")


def test_the_scope_of_2014_is_marked_among_crimes_against_women(dashboard: Any) -> None:
    dashboard.show(year=2014, place="IN", measure="cases")
    page = dashboard.page
    assert page.text_content("#women-chart [data-break='2014'] text") == "2014: wider scope"
    assert page.get_attribute("#women-scope", "data-scope") == "ipc_and_special_laws"
    spans = page.eval_on_selector_all(
        "#women-chart g:not(.other) > .curve", "ps => ps.map(p => [p.dataset.from, p.dataset.to])"
    )
    assert spans == [["2001", "2014"]]  # the seven heads compare
    wide = page.eval_on_selector_all("#women-chart .other > .curve", "ps => ps.map(p => p.dataset.to)")
    assert wide == ["2013"]
    dashboard.show(year=2013)
    assert page.get_attribute("#women-scope", "data-scope") == "ipc_seven_heads"
