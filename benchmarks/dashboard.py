"""The dashboard: how long it takes to build, what it weighs, how soon it can be seen and how fast it answers.

``make bench-dashboard`` (or ``python -m benchmarks.dashboard LAKE``) needs a lake (``make demo``) and
Chromium. Times are medians of `TIMES` runs.
"""

from __future__ import annotations

import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
TIMES = 7
NAMES = ("chromium", "chromium-browser", "google-chrome")

#: From a choice until everything is drawn anew; the browser's own layout of it is in the second number.
INTERACTION = """async choices => {
    const draw = [], shown = [];
    for (const [id, value] of choices) {
        const control = document.getElementById(id), began = performance.now();
        control.value = value;
        control.dispatchEvent(new Event('change'));
        draw.push(performance.now() - began);
        await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
        shown.push(performance.now() - began);
    }
    return [draw, shown];
}"""
CHOICES = [
    ("place", "IN-TN"), ("group", "murder"), ("place", "IN-UP"), ("group", "violent"), ("with", "IN-KL"),
    ("head", "arson"), ("place", "IN"), ("group", "all_ipc"), ("place", "IN-MH"), ("group", "theft"),
]  # fmt: skip
#: When the page was first painted, its first view drawn, and all of it ready; milliseconds from its start.
FIRST = """() => new Promise(resolve => {
    const look = () => {
        const paint = performance.getEntriesByName('first-contentful-paint')[0];
        const ready = paint && document.documentElement.dataset.ready;
        if (ready) resolve(paint.startTime); else setTimeout(look, 5);
    };
    look();
})"""
MARKS = """() => {
    for (const name of ['first', 'ready']) {
        new MutationObserver((_, observer) => {
            if (!document.documentElement?.dataset[name]) return;
            performance.mark(name);
            observer.disconnect();
        }).observe(document, {attributes: true, subtree: true, attributeFilter: [`data-${name}`]});
    }
}"""


def build(lake: str, out: Path) -> float:
    """Build the page by the command, as a person does.

    Parameters
    ----------
    lake
        The lake.
    out
        Where to.

    Returns
    -------
    float
        Seconds, with Python's start.
    """
    began = time.monotonic()
    command = [
        str(Path(sys.executable).with_name("crime-jobs")),
        "dashboard",
        "--lake",
        lake,
        "--out",
        str(out),
    ]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return time.monotonic() - began


def look(page_file: Path) -> dict[str, list[float]]:
    """Open the page in Chromium, each time in a new browser, and use it.

    Parameters
    ----------
    page_file
        The page.

    Returns
    -------
    dict
        Name of what was measured to its times, in milliseconds.
    """
    found: dict[str, list[float]] = {
        "first paint": [],
        "first view": [],
        "all of it": [],
        "draw": [],
        "shown": [],
    }
    path = next(filter(None, map(shutil.which, NAMES)))
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        for _ in range(TIMES):
            browser = playwright.chromium.launch(executable_path=path, args=arguments)
            page: Any = browser.new_page(viewport={"width": 1280, "height": 900})
            page.add_init_script(f"({MARKS})()")
            page.goto(page_file.as_uri())
            found["first paint"].append(page.evaluate(FIRST))
            for name, mark in (("first view", "first"), ("all of it", "ready")):
                found[name].append(
                    page.evaluate("name => performance.getEntriesByName(name)[0].startTime", mark)
                )
            draw, shown = page.evaluate(INTERACTION, CHOICES)
            found["draw"] += draw
            found["shown"] += shown
            browser.close()
    return found


def main(lake: str) -> None:
    """Measure and print a table.

    Parameters
    ----------
    lake
        The lake to build from.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        seconds = [build(lake, out) for _ in range(3)]
        page = out / "index.html"
        weight = page.read_bytes()
        seen = look(page)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the end\n\n| | |\n|---|---|")
    print(f"| build, with Python's start | {statistics.median(seconds):.1f} s |")
    print(f"| page | {len(weight) / 1e3:.0f} kB ({len(gzip.compress(weight)) / 1e3:.0f} kB gzipped) |")
    for name, label in (
        ("first paint", "first paint from disk"),
        ("first view", "first view drawn"),
        ("all of it", "districts unpacked too"),
        ("draw", "drawing everything anew on a choice"),
        ("shown", "… until the browser has painted it"),
    ):
        print(f"| {label} | {statistics.median(seen[name]):.0f} ms (worst {max(seen[name]):.0f}) |")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build" / "lake"))
