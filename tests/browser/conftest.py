"""Chromium, the page built from the real jobs' lake, and DuckDB to hold the page against."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from crime_jobs.adhoc.dashboard import MARTS, build_dashboard

BOUNDARIES = Path(__file__).resolve().parents[2] / "data" / "india_states.geojson"

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, headless. Without one the tests fail: a page nobody opened proves nothing."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            f"The browser tests need Chromium, and none of {', '.join(NAMES)} is on PATH: "
            "install it, on Debian with `apt-get install chromium`.",
            pytrace=False,
        )
    # Chromium refuses its sandbox to root.
    arguments = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else QUIET
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def page_file(built_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_dashboard(str(built_lake), BOUNDARIES, tmp_path_factory.mktemp("dashboard"))


@pytest.fixture(scope="session")
def marts(built_lake: Path) -> duckdb.DuckDBPyConnection:
    """The lake's tables as DuckDB views."""
    connection = duckdb.connect()
    for name in MARTS:
        files = f"{built_lake}/{name}/**/*.parquet"
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}')")
    return connection


@dataclass
class Seen:
    """What a page did besides being shown."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass
class Dashboard:
    """The open page, and how to read it back."""

    page: Page
    file: Path
    seen: Seen

    def show(self, **chosen: object) -> None:
        """Choose by the page's own controls."""
        for name in ("group", "place"):
            if name in chosen:
                self.page.select_option(f"#{name}", str(chosen[name]))
        if "measure" in chosen:
            self.page.check(f"input[name=measure][value={chosen['measure']}]", force=True)
        if "year" in chosen:
            first = int(self.page.locator("#trend-table tbody tr").first.get_attribute("data-year") or 0)
            self.page.fill("#year", str(int(str(chosen["year"])) - first))

    def table(self, name: str, key: str) -> dict[str, dict[str, Any]]:
        """Read a table's rows by an attribute: each field's value as in the data, and its shown text."""
        rows = self.page.eval_on_selector_all(
            f"#{name} tbody tr",
            """(rows, key) => rows.map(row => [row.getAttribute(key), Object.fromEntries(
                [...row.querySelectorAll('[data-field]')].flatMap(cell => [
                    [cell.dataset.field, cell.dataset.value], [`${cell.dataset.field}_text`, cell.textContent]]))])""",
            key,
        )
        read = {row_key: {k: _value(k, v) for k, v in cells.items()} for row_key, cells in rows}
        assert len(read) == len(rows), f"{name} has two rows of one {key}"
        return read

    def kpi(self, name: str) -> Any:
        return _value(name, self.page.get_attribute(f"[data-kpi={name}]", "data-value") or "")


def _value(name: str, text: str) -> Any:
    if name.endswith("_text") or name in ("trend", "hot_spot", "scope"):
        return text or None
    return float(text) if text else None


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Dashboard]]:
    """Open a page file as a double click would. At the end: no error on the console, no request, ever."""
    opened: list[tuple[Path, Seen]] = []
    contexts = []

    def open_(file: Path, address: str = "", **options: Any) -> Dashboard:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        seen = Seen()
        opened.append((file, seen))

        def on_request(request: Request) -> None:
            seen.requests.append(request.url)

        context.on("request", on_request)
        context.route(
            "**/*", lambda route: route.continue_() if _own(file, route.request.url) else route.abort()
        )
        page = context.new_page()
        page.on("console", lambda m: seen.errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.goto(file.as_uri() + address)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return Dashboard(page, file, seen)

    yield open_
    for context in contexts:
        context.close()
    for file, seen in opened:
        assert seen.errors == []
        assert [url for url in seen.requests if not _own(file, url)] == []


def _own(file: Path, url: str) -> bool:
    return url.split("#", maxsplit=1)[0] == file.as_uri() or url.startswith("data:")


@pytest.fixture
def dashboard(open_page: Callable[..., Dashboard], page_file: Path) -> Dashboard:
    return open_page(page_file)
