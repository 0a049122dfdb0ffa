"""Chromium, the page built from the real jobs' lake, and DuckDB to hold the page against."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from crime_jobs.adhoc.dashboard import ask_all, render
from crime_jobs.adhoc.lake import LakeAsker
from crime_jobs.model.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

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


#: FIRs of the stream, by key, when it happened and when it was sent: Greenwich's time; the last is one sent twice.
FIRS = [
    ("IN-TN", "property", "BNS:303", "a", "2026-10-31T20:00:00Z", "2026-11-01T04:00:00Z"),
    ("IN-TN", "property", "BNS:305", "b", "2026-11-01T20:00:00Z", "2026-11-02T04:00:00Z"),
    ("IN-TN", "against_women", "BNS:74;IT:67", "c", "2026-11-02T05:10:00Z", "2026-11-02T06:00:00Z"),
    ("IN-KL", "traffic", "MVA:184", "d", "2026-11-02T05:50:00Z", "2026-11-02T06:00:00Z"),
    ("IN-KL", "traffic", "MVA:184", "d", "2026-11-02T05:50:00Z", "2026-11-03T06:00:00Z"),
]


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stream's history as Firehose leaves it."""
    names = ("state_code", "crime_group", "sections", "fir_key", "occurred_at", "sent_at")
    lines = [
        json.dumps(dict(zip(names, fir, strict=True)) | {"content_hash": str(i)}) + "\n"
        for i, fir in enumerate(FIRS)
    ]
    folder = tmp_path_factory.mktemp("history")
    (folder / "2026/11/03").mkdir(parents=True)
    (folder / "2026/11/03/firs-1.gz").write_bytes(gzip.compress("".join(lines).encode()))
    return folder


@pytest.fixture(scope="session")
def answers(built_lake: Path, history: Path) -> dict[str, pa.Table]:
    """What the page is made of; not to be written to."""
    found, left_out = ask_all(LakeAsker(str(built_lake), history=str(history)))
    assert left_out == []
    return found


@pytest.fixture(scope="session")
def page_file(answers: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dashboard") / "index.html"
    file.write_text(render(answers, BOUNDARIES, asked_at=datetime(2026, 11, 24, 10, tzinfo=UTC)), "utf-8")
    return file


@pytest.fixture(scope="session")
def marts(built_lake: Path, history: Path) -> duckdb.DuckDBPyConnection:
    """The lake's tables as DuckDB views, and the stream's history."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in TABLES:
        if (built_lake / name).is_dir() and any((built_lake / name).rglob("*.parquet")):
            files = f"{built_lake}/{name}/**/*.parquet"
            connection.execute(
                f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}', hive_partitioning=true)"
            )
    connection.execute(
        f"CREATE VIEW firs AS SELECT * REPLACE (CAST(occurred_at AS VARCHAR) AS occurred_at), "
        f"'2026/11/03' AS delivered_on FROM read_json('{history}/**/*.gz', columns={{state_code: 'VARCHAR', "
        "crime_group: 'VARCHAR', sections: 'VARCHAR', fir_key: 'VARCHAR', occurred_at: 'VARCHAR', "
        "sent_at: 'VARCHAR', content_hash: 'VARCHAR', is_zero: 'BOOLEAN', zero_key: 'VARCHAR'})"
    )
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
        for name in ("group", "head", "place", "with"):
            if name in chosen:
                self.page.select_option(f"#{name}", str(chosen[name]))
        if "measure" in chosen:
            self.page.check(f"input[name=measure][value={chosen['measure']}]", force=True)
        if "year" in chosen:
            first = int(self.page.locator("#trend-table tbody tr").first.get_attribute("data-year") or 0)
            self.page.fill("#year", str(int(str(chosen["year"])) - first))

    def go(self, address: str) -> None:
        """Follow an address of the page, as from a bookmark, and wait until it is shown."""
        self.page.evaluate(
            """address => new Promise(resolve => {
                if (location.hash === address) resolve();
                addEventListener('hashchange', () => setTimeout(resolve), {once: true});
                location.hash = address;
            })""",
            address,
        )

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
    if name.endswith("_text") or name in ("trend", "hot_spot", "scope", "magnitude"):
        return text or None
    return float(text) if text else None


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Callable[..., Dashboard]]:
    """Open a page file as a double click would. At the end: no error on the console, no request, ever."""
    opened: list[tuple[Path, Seen]] = []
    contexts: dict[str, BrowserContext] = {}

    def open_(file: Path, address: str = "", **options: Any) -> Dashboard:
        key = repr(sorted(options.items(), key=str))
        context = contexts.get(key)
        if context is None:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            contexts[key] = context
        page = context.new_page()
        seen = Seen()
        opened.append((file, seen))

        def on_request(request: Request) -> None:
            seen.requests.append(request.url)

        page.on("request", on_request)
        page.route(
            "**/*", lambda route: route.continue_() if _own(file, route.request.url) else route.abort()
        )
        page.on("console", lambda m: seen.errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.goto(file.as_uri() + address)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return Dashboard(page, file, seen)

    yield open_
    for context in contexts.values():
        context.close()
    for file, seen in opened:
        assert seen.errors == []
        assert [url for url in seen.requests if not _own(file, url)] == []


def _own(file: Path, url: str) -> bool:
    return url.split("#", maxsplit=1)[0] == file.as_uri() or url.startswith(("data:", "blob:file:"))


@pytest.fixture(scope="module")
def opened(open_page: Callable[..., Dashboard], page_file: Path) -> Dashboard:
    return open_page(page_file)


@pytest.fixture
def dashboard(opened: Dashboard, page_file: Path) -> Dashboard:
    """The page as it opens: one for a module, put back to its first view."""
    opened.page.bring_to_front()
    opened.page.mouse.move(0, 0)
    opened.page.goto("about:blank")
    opened.page.goto(page_file.as_uri())
    opened.page.wait_for_selector("html[data-ready]")
    return opened
