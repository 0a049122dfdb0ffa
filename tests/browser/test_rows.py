"""Every figure has its rows and its query: the statement shown gives the rows shown, and those of the download."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot

from crime_jobs.adhoc.questions import find

if TYPE_CHECKING:
    import duckdb

pytestmark = pytest.mark.browser

VIEWS = [
    "#place=IN&measure=rate&group=all_ipc&year=2014",
    "#place=IN-TN&measure=cases&group=violent&year=2012&with=IN-KL",
    "#place=IN-AP%2BTS&group=rape&year=2013&with=IN-UP",
    "#place=IN-TS&group=murder&head=murder&year=2014",
]
#: A summary of the rows of its query, which are too many to be shown.
SUMMARY = "checks-table"


def tables(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        ".tools", "tools => tools.filter(t => !t.closest('[hidden]')).map(t => t.dataset.for)"
    )
    return found


def shown_queries(page: Any, table: str) -> list[tuple[str, dict[str, str], str]]:
    """The statements beside a table: question, values, text; the panel is opened as a person does."""
    if page.get_attribute(f"[aria-controls='{table}-sql']", "aria-expanded") == "false":
        page.click(f"[aria-controls='{table}-sql']")
    found = page.eval_on_selector_all(
        f"#{table}-sql pre", "ps => ps.map(p => [p.dataset.question, p.dataset.given, p.textContent])"
    )
    return [(question, json.loads(given), text) for question, given, text in found]


def downloaded(page: Any, table: str) -> list[dict[str, str]]:
    """The rows of a table's CSV, taken where the page hands the file over."""
    text = page.evaluate(
        """table => new Promise(resolve => {
            const create = URL.createObjectURL, click = HTMLAnchorElement.prototype.click;
            URL.createObjectURL = blob => { blob.text().then(resolve); return 'data:,'; };
            HTMLAnchorElement.prototype.click = () => {};
            document.querySelector(`.tools[data-for='${table}'] [data-tool=csv]`).click();
            URL.createObjectURL = create;
            HTMLAnchorElement.prototype.click = click;
        })""",
        table,
    )
    return list(csv.DictReader(io.StringIO(text, newline="")))


def run(marts: duckdb.DuckDBPyConnection, statement: str) -> list[dict[str, Any]]:
    """Run a statement as it is shown, in DuckDB, by sqlglot alone: none of our own translation."""
    [translated] = sqlglot.transpile(statement, read="athena", write="duckdb")
    # What DuckDB calls otherwise and sqlglot leaves alone: AT TIME ZONE.
    zoned = re.sub(r"AT_TIMEZONE\((CAST\([^()]+\)), ('[^']+')\)", r"timezone(\2, \1)", translated)
    found = marts.execute(zoned)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def plain(rows: list[dict[str, Any]], columns: list[str]) -> list[tuple[Any, ...]]:
    def cell(value: Any) -> str:
        if value is None or value == "":
            return ""
        try:
            return repr(float(value))
        except ValueError:
            return str(value)

    return sorted(tuple(cell(row[column]) for column in columns) for row in rows)


@pytest.mark.parametrize("view", VIEWS)
def test_the_statement_shown_gives_the_rows_shown(
    dashboard: Any, marts: duckdb.DuckDBPyConnection, view: str
) -> None:
    dashboard.go(view)
    page = dashboard.page
    seen = set()
    for table in tables(page):
        queries = shown_queries(page, table)
        assert queries, table
        for question, given, text in queries:
            assert text == find(question).text(given)
        if table == SUMMARY:
            continue
        rows = [row for _, _, text in queries for row in run(marts, text)]
        file = downloaded(page, table)
        if not rows:
            assert file == [], table
            continue
        columns = list(file[0])
        assert set(columns) <= set(rows[0]), table
        assert plain(file, columns) == plain(rows, columns), table
        seen.add(table)
    assert len(seen) >= 15, seen


def test_the_summary_of_checks_counts_the_rows_of_its_query(
    dashboard: Any, marts: duckdb.DuckDBPyConnection
) -> None:
    [(_, _, text)] = shown_queries(dashboard.page, SUMMARY)
    counted: dict[str, list[int]] = {}
    for row in run(marts, text):
        counted.setdefault(row["check_name"], [0, 0])[row["status"] != "ok"] += 1
    file = downloaded(dashboard.page, SUMMARY)
    assert {row["check_name"]: [int(row["ok"]), int(row["wrong"])] for row in file} == counted


def test_a_file_is_downloaded_with_a_name_that_says_what_it_is(dashboard: Any) -> None:
    dashboard.go("#place=IN-GA&group=murder&year=2013")
    with dashboard.page.expect_download() as waiting:
        dashboard.page.click(".tools[data-for=districts-table] [data-tool=csv]")
    file = waiting.value
    assert file.suggested_filename == "crime-districts-district-2013-murder-IN-GA.csv"
    rows = list(csv.DictReader(Path(file.path()).read_text("utf-8").splitlines()))
    shown = dashboard.table("districts-table", "data-district")
    assert {row["district"]: float(row["cases"]) for row in rows} == {
        district: cells["cases"] for district, cells in shown.items()
    }


def test_numbers_of_a_chart_open_as_a_table(dashboard: Any) -> None:
    button = dashboard.page.locator("[aria-controls=trend-table-numbers]")
    assert not dashboard.page.is_visible("#trend-table")
    button.focus()
    dashboard.page.keyboard.press("Enter")
    assert dashboard.page.is_visible("#trend-table")
    assert button.get_attribute("aria-expanded") == "true"
    dashboard.page.keyboard.press("Enter")
    assert not dashboard.page.is_visible("#trend-table")


def test_an_open_query_follows_the_choice(dashboard: Any) -> None:
    shown_queries(dashboard.page, "trend-table")
    dashboard.show(place="IN-KL", group="theft")
    [(question, given, text)] = shown_queries(dashboard.page, "trend-table")
    assert (question, given["state_code"], given["crime_group"]) == ("crime_by_place", "IN-KL", "theft")
    assert "'IN-KL'" in text
    command = dashboard.page.inner_text("#trend-table-sql .statements code >> nth=0")
    assert command == (
        "crime-jobs sql crime_by_place --param level=all --param year=all --param state_code=IN-KL "
        "--param crime_group=theft"
    )


def unpacked(file: Path, name: str) -> Any:
    [text] = re.findall(rf'id="{name}">([^<]+)<', file.read_text("utf-8"))
    return json.loads(zlib.decompress(base64.b64decode(text), wbits=-zlib.MAX_WBITS))


def test_every_figure_in_the_file_is_the_marts(page_file: Path, marts: duckdb.DuckDBPyConnection) -> None:
    """All 10,418 figures above the districts and all 204,522 of the districts, cell for cell."""
    first, more = unpacked(page_file, "first"), unpacked(page_file, "more")
    years, places = first["years"], [place["code"] for place in first["places"]]
    groups = [group["code"] for group in first["groups"]]
    read = {
        (group, place, year): tuple(
            first["region"][name][(g * len(places) + p) * len(years) + y]
            for name in ("cases", "rate_per_lakh", "rank_in_year")
        )
        for g, group in enumerate(groups)
        for p, place in enumerate(places)
        for y, year in enumerate(years)
    }
    above = marts.execute(
        "SELECT crime_group, state_code, year, cases, rate_per_lakh, rank_in_year FROM crime_by_region "
        "WHERE level <> 'district'"
    ).fetchall()
    assert {key: value for key, value in read.items() if value[0] is not None} == {
        row[:3]: row[3:] for row in above
    }
    kinds = dict(zip("abcdefgh", more["magnitudes"], strict=False)) | {".": None}
    districts = {}
    for g, group in enumerate(groups):
        for d, (p, name) in enumerate(more["districts"]):
            for y, year in enumerate(years):
                at = (g * len(more["districts"]) + d) * len(years) + y
                if more["cases"][at] is not None:
                    districts[group, places[p], name, year] = more["cases"][at], kinds[more["magnitude"][at]]
    rows = marts.execute(
        "SELECT crime_group, state_code, district, year, cases, magnitude FROM crime_by_region "
        "WHERE level = 'district'"
    ).fetchall()
    assert districts == {row[:4]: row[4:] for row in rows}
    assert len(districts) > 200_000
