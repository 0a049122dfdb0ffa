"""Opened by a double click, by keyboard alone, on a phone, with a screen reader, by a stale bookmark."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from crime_jobs.adhoc.dashboard import render
from crime_jobs.adhoc.questions import find

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

BOUNDARIES = Path(__file__).resolve().parents[2] / "data" / "india_states.geojson"
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Any) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    return [f"{v['id']}: {v['help']}: {[n['target'] for n in v['nodes']][:5]}" for v in found]


def test_axe_finds_something_where_there_is_something(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<main><h1>A page</h1><img src='data:,'></main>")
    assert any(v.startswith("image-alt") for v in violations(page))
    page.close()


OPEN_ALL = """() => {
    document.querySelectorAll('details').forEach(d => { d.open = true });
    document.querySelectorAll('.tools [aria-expanded=false]').forEach(b => b.click());
}"""


@pytest.mark.parametrize(
    ("scheme", "width", "address"),
    [
        ("light", 1280, ""),
        ("dark", 1280, "#group=hurt&place=IN-TS&measure=cases&year=2013"),
        ("light", 360, "#place=IN-AP%2BTS&with=IN-KL"),
        ("dark", 360, "#place=IN-TN&group=violent&head=arson&year=2012"),
    ],
)
def test_axe(open_page: Callable[..., Any], page_file: Path, scheme: str, width: int, address: str) -> None:
    """With everything open: numbers, statements and terms."""
    viewport = {"width": width, "height": 800}
    page = open_page(page_file, address, color_scheme=scheme, viewport=viewport, reduced_motion="reduce").page
    page.evaluate(OPEN_ALL)
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 320])
def test_a_phone_needs_no_sideways_scrolling(
    open_page: Callable[..., Any], page_file: Path, width: int
) -> None:
    page = open_page(page_file, viewport={"width": width, "height": 740}, is_mobile=True, has_touch=True).page
    page.evaluate(OPEN_ALL)
    for address in ("#place=IN", "#place=IN-AP%2BTS&group=traffic", "#place=IN-TN&measure=cases"):
        page.evaluate("hash => { location.hash = hash }", address)
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.tap("#map [data-code=IN-MH]")
    assert page.input_value("#place") == "IN-MH"


def test_one_small_file_alone(page_file: Path) -> None:
    assert [path.name for path in page_file.parent.iterdir()] == ["index.html"]
    assert page_file.stat().st_size < 1_500_000
    text = page_file.read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that notes what it is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_nothing_can_be_run_or_fetched_from_the_page(
    open_page: Callable[..., Any], page_file: Path, listener: tuple[str, list[str]]
) -> None:
    """The content security policy holds: it would stop what escaping let through."""
    address, asked = listener
    seen = open_page(page_file)
    seen.page.context.unroute_all()
    seen.page.evaluate(
        """address => {
            const add = (name, given) => document.body.append(Object.assign(document.createElement(name), given));
            add('script', {textContent: 'window.ran = 1'});
            add('script', {src: `${address}/script`});
            add('img', {src: `${address}/image`});
            add('link', {rel: 'stylesheet', href: `${address}/style`});
            add('iframe', {src: `${address}/frame`});
            navigator.sendBeacon(`${address}/beacon`, 'x');
            return fetch(`${address}/fetch`).catch(() => null);
        }""",
        address,
    )
    seen.page.wait_for_timeout(500)
    assert seen.page.evaluate("window.ran") is None
    assert asked == []
    assert sum("Content Security Policy" in error for error in seen.seen.errors) >= 6
    seen.seen.errors.clear()  # they were asked for
    seen.seen.requests.clear()
    # The listener does listen: the same image from a page without a policy arrives.
    other = seen.page.context.new_page()
    other.set_content(f"<img src='{address}/image'>", wait_until="load")
    assert asked == ["/image"]
    seen.seen.errors.clear()
    seen.seen.requests.clear()


HOSTILE = "</script><script>window.ran=1</script><img src=x onerror=window.ran=2>\"'&{{7*7}}\u2028"


def test_hostile_names_stay_text(
    open_page: Callable[..., Any], answers: dict[str, pa.Table], tmp_path: Path
) -> None:
    given = dict(answers)

    def replaced(name: str, column: str, old: str, new: str = HOSTILE) -> None:
        table = given[name]
        values = [new if value == old else value for value in table[column].to_pylist()]
        assert new in values
        given[name] = table.set_column(
            table.column_names.index(column), column, pa.array(values, pa.string())
        )

    for name in ("crime_by_place", "crime_by_region", "hot_spots"):
        replaced(name, "state", "Kerala")
    for name in ("crime_by_place", "crime_by_region", "hot_spots", "falling_districts", "crime_groups"):
        replaced(name, "crime_group", "murder", "mur'der")
    for name in ("crime_by_region", "hot_spots", "falling_districts"):
        replaced(name, "district", "Kolkata")
    replaced("crime_groups", "group_label", "All IPC crimes")
    replaced("crime_groups", "defined_by", "CII 2013, table 1.1: total cognizable crimes under the IPC")
    quality = given["data_quality"].slice(0, 1).to_pylist()[0] | {
        "check_name": "a < b",
        "scope": HOSTILE,
        "source_file": HOSTILE,
        "status": HOSTILE,
    }
    given["data_quality"] = pa.Table.from_pylist([quality], given["data_quality"].schema)
    file = tmp_path / "index.html"
    file.write_text(render(given, BOUNDARIES), encoding="utf-8")
    page = open_page(file, "#place=IN-KL&year=2014").page
    assert page.evaluate("window.ran") is None
    assert HOSTILE in (page.text_content("#now") or "")
    assert page.evaluate("document.querySelector('#group').options[0].textContent") == HOSTILE
    assert page.get_attribute("#discrepancies li", "data-scope") == HOSTILE
    assert page.locator("img").count() == 0
    page.select_option("#place", "IN")
    assert page.locator("#hot-table tr[data-district]").first.get_attribute("data-district") == HOSTILE
    # A quote in a value stays inside its literal.
    page.select_option("#group", "mur'der")
    page.click("[aria-controls=kpis-sql]")
    asked = {"level": "all", "year": "2014", "state_code": "IN", "crime_group": "mur'der"}
    assert page.inner_text("#kpis-sql pre") == find("crime_by_place").text(asked)
    assert violations(page) == []


def focused(page: Any) -> str:
    found: str = page.evaluate("document.activeElement.id || document.activeElement.dataset.code || ''")
    return found


def tab_to(page: Any, wanted: str, most: int = 40) -> None:
    for _ in range(most):
        if focused(page) == wanted:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {wanted}, it is at {focused(page)!r}")


def test_by_keyboard_alone(dashboard: Any) -> None:
    page = dashboard.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") == 0
    page.keyboard.press("Enter")
    tab_to(page, "group")
    page.keyboard.type("murd")
    assert page.input_value("#group") == "murder"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.input_value("#head") == "murder"
    tab_to(page, "place")
    page.keyboard.type("tamil")
    assert page.input_value("#place") == "IN-TN"
    page.keyboard.press("Tab")
    page.keyboard.type("kerala")
    assert page.input_value("#with") == "IN-KL"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.is_checked("input[name=measure][value=cases]")
    tab_to(page, "year")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#year-shown") == "2013"
    page.keyboard.press("Home")
    assert page.inner_text("#year-shown") == "2001"
    page.keyboard.press("End")
    tab_to(page, "IN-TN")  # the map, at the chosen state
    assert page.locator("#rings .focused").count() == 1
    page.keyboard.press("ArrowUp")
    north = focused(page)
    assert north in ("IN-KA", "IN-AP", "IN-PY", "IN-TS")
    assert page.input_value("#place") == "IN-TN"  # moving is not choosing
    page.keyboard.press("Enter")
    assert page.input_value("#place") == north
    assert focused(page) == north
    page.wait_for_function(
        "name => document.getElementById('live').textContent.includes(name)", arg=name_of(page, north)
    )
    page.keyboard.press("Escape")
    assert page.input_value("#place") == "IN"
    page.keyboard.press("Home")
    assert focused(page) == "IN-AN"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#map')") is None  # one stop in the tab order


def name_of(page: Any, code: str) -> str:
    return page.get_attribute(f"#map [data-code='{code}']", "data-name") or ""


def test_every_state_is_reached_by_arrow_keys(dashboard: Any) -> None:
    """From any state, by arrows alone, to any other: nobody is shut out of an island."""
    page = dashboard.page
    ways: dict[str, list[str]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('#map .state')].map(state => [state.dataset.code,
            ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'].map(key => {
                state.focus();
                state.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
                return document.activeElement.dataset.code;
            })]))"""
    )
    codes = list(ways)
    assert len(codes) == 36
    for start in codes:
        reached, todo = {start}, [start]
        while todo:
            for near in ways[todo.pop()]:
                if near not in reached:
                    reached.add(near)
                    todo.append(near)
        assert reached == set(codes), f"from {start}: {set(codes) - reached}"


def test_choosing_in_a_table_keeps_the_focus_or_leads_on(dashboard: Any) -> None:
    page = dashboard.page
    page.focus("#rank-table tr[data-code=IN-GA] button")
    page.keyboard.press("Enter")
    assert page.input_value("#place") == "IN-GA"
    # Its districts stand there now: the way back is at hand.
    assert page.is_visible("#districts-table")
    assert page.evaluate("document.activeElement.textContent") == "India"
    page.keyboard.press("Enter")
    assert page.input_value("#place") == "IN"
    assert page.is_visible("#rank-table")
    page.focus("#groups-table tr[data-group=theft] button")
    page.keyboard.press("Enter")
    assert page.input_value("#group") == "theft"
    assert page.evaluate("document.activeElement.closest('tr').dataset.group") == "theft"


def test_what_has_the_focus_shows_it(dashboard: Any) -> None:
    page = dashboard.page
    for selector in ("#group", "#play", "#year", "#rank-table button", "summary", ".top nav a"):
        page.focus(selector)
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", selector


def test_the_choice_is_told_once_it_has_settled(dashboard: Any) -> None:
    page = dashboard.page
    assert page.get_attribute("#live", "aria-live") == "polite"
    dashboard.show(group="murder", place="IN-TS", measure="rate", year=2014)
    page.wait_for_function(
        "() => document.getElementById('live').textContent.startsWith('Murder, Telangana, 2014')"
    )
    assert page.inner_text("#live").endswith("no rate.")


def test_a_view_can_be_kept_and_sent_on(open_page: Callable[..., Any], page_file: Path) -> None:
    first = open_page(page_file)
    first.show(group="against_body", place="IN-AP+TS", measure="cases", year=2009, **{"with": "IN-GA"})
    first.show(head="hurt")
    address = first.page.evaluate("location.hash")
    again = open_page(page_file, address).page
    assert again.inner_text("#now") == first.page.inner_text("#now")
    assert again.inner_text("#now").startswith("Hurt")
    assert again.input_value("#with") == "IN-GA"
    assert again.inner_text("#compare-sub") == first.page.inner_text("#compare-sub")


def test_a_stale_bookmark_opens_the_page(open_page: Callable[..., Any], page_file: Path) -> None:
    page = open_page(
        page_file, "#group=gone&head=gone&place=IN-XX&with=IN-XX&measure=constructor&year=1899&x"
    ).page
    assert page.inner_text("#now") == "All IPC crimes, India, 2014"


def test_the_years_play_and_stop(dashboard: Any) -> None:
    page = dashboard.page
    dashboard.show(year=2012)
    page.click("#play")
    assert page.get_attribute("#play", "aria-label") == "Stop playing the years"
    page.wait_for_function("() => document.getElementById('year-shown').textContent === '2014'")
    page.wait_for_function("() => document.getElementById('play').getAttribute('aria-pressed') === 'false'")


def test_structure_for_a_screen_reader(dashboard: Any) -> None:
    page = dashboard.page
    levels = page.eval_on_selector_all("h1,h2,h3", "hs => hs.map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert (
        page.locator("main").count() == page.locator("header").count() == page.locator("footer").count() == 1
    )
    assert page.eval_on_selector_all("table", "ts => ts.every(t => t.caption?.textContent.trim() && t.tHead)")
    assert page.eval_on_selector_all(".chart > svg", "ss => ss.every(s => s.getAttribute('aria-label'))")
    assert page.locator(".chart > svg").count() == 5


def test_a_state_leads_to_its_districts_and_back(dashboard: Any) -> None:
    page = dashboard.page
    assert page.inner_text("#crumbs") == "India"
    assert not page.is_visible("#districts-table")
    page.click("#map [data-code=IN-RJ] path")
    assert page.inner_text("#districts-title") == "Districts of Rajasthan"
    assert page.inner_text("#crumbs").split() == ["India", "Rajasthan"]
    assert page.locator("#districts-table tbody tr").count() > 30
    page.check("input[name=list][value=states]", force=True)
    assert page.is_visible("#rank-table")
    assert page.get_attribute("#rank-table tr.chosen", "data-code") == "IN-RJ"
    page.click("#crumbs button")
    assert page.input_value("#place") == "IN"
    assert page.is_visible("#rank-table")
    page.click("#rank-table tr[data-code=IN-KL] button")
    assert page.inner_text("#districts-title") == "Districts of Kerala"


def test_compares_by_itself_until_told(dashboard: Any) -> None:
    page = dashboard.page
    dashboard.show(place="IN-TN", measure="rate")
    assert page.inner_text("#compare-sub").startswith("Tamil Nadu and India:")
    dashboard.show(place="IN")
    leading = page.inner_text("#rank-table tbody tr:first-child button")
    assert page.inner_text("#compare-sub").startswith(f"India and {leading}:")
    dashboard.show(**{"with": "IN-AP"})
    assert (
        page.inner_text("#compare-note") == "Andhra Pradesh: no rate in 2014, as the population is not known."
    )


def test_a_head_goes_with_its_group(dashboard: Any) -> None:
    page = dashboard.page
    dashboard.show(group="violent", year=2014)
    page.click("#heads-table tr[data-head=arson] button")
    assert page.input_value("#head") == "arson"
    assert "head=arson" in page.evaluate("location.hash")
    assert page.inner_text("#now").startswith("Arson")
    dashboard.show(group="theft")
    assert page.input_value("#head") == ""
    assert page.inner_text("#now").startswith("Theft")
    assert "arson" not in page.eval_on_selector_all("#head option", "os => os.map(o => o.value)")


def test_paper_has_the_figures_and_none_of_the_controls(
    open_page: Callable[..., Any], page_file: Path
) -> None:
    page = open_page(page_file, "#place=IN-UP", viewport={"width": 760, "height": 1000}).page
    page.emulate_media(media="print")
    assert not any(page.is_visible(s) for s in ("#controls", ".tools >> nth=0", "#list-switch", ".top nav"))
    assert all(
        page.is_visible(s) for s in ("#now", "#map", "#districts-table", "#slots-heat", "#checks-table")
    )
    last = page.locator("#districts-table tbody tr").last.bounding_box()
    panel = page.locator("#list-section").bounding_box()
    assert last["y"] + last["height"] <= panel["y"] + panel["height"]  # nothing is cut off by scrolling


def test_without_javascript_what_is_wrong_with_the_data_can_be_read(
    open_page: Callable[..., Any], page_file: Path
) -> None:
    page = open_page(page_file, java_script_enabled=False).page
    assert page.locator("#discrepancies li").count() > 0
    assert "JavaScript, which is turned off" in page.inner_text("noscript")
