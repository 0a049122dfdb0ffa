"""Marts from one row an incident: the project's Spark jobs beside DuckDB, Polars and pandas.

``python -m benchmarks.marts`` makes its input once (``build/bench/lakes``), runs every engine in a fresh
process on the same files, in turns, holds all results against each other cell for cell, and writes
``build/bench/results.json``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks import compare, incidents, report
from benchmarks.measure import EngineFailedError, Measure, measure
from benchmarks.spark_variants import VARIANTS

BENCH = Path(__file__).resolve().parent.parent / "build" / "bench"
ENGINES = ("duckdb", "polars", "pandas", "spark")


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.marts", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rows", choices=[*incidents.SIZES, "all"], default="all", help="which size")
    known = [*ENGINES, *(name for name in VARIANTS if name != "spark")]
    parser.add_argument("--engines", default=",".join(ENGINES), help=f"by commas, of: {', '.join(known)}")
    parser.add_argument("--runs", type=int, default=3, help="runs of each engine and size")
    found = parser.parse_args(given)
    found.engines = found.engines.split(",")
    if unknown := set(found.engines) - set(known):
        parser.error(f"unknown engines: {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    if found.runs < 1:
        parser.error("--runs must be 1 or more")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run_size(size: str, lake: Path, engines: list[str], runs: int) -> tuple[list[Measure], list[str]]:
    """Run the engines in turns on one size and compare their marts after every turn."""
    out, measures, left_out = BENCH / "out", list[Measure](), list[str]()
    engines, count = list(engines), incidents.rows_of(lake)
    for turn in range(1, runs + 1):
        for engine in list(engines):
            try:
                one = measure(engine, size, lake, out / engine)
            except EngineFailedError as error:
                if engine != "pandas":  # it may not fit; every other engine must
                    raise
                engines.remove(engine)
                left_out.append(f"{engine} at {size}: {error}")
                _say(left_out[-1])
                continue
            measures.append(one)
            _say(
                f"{size} turn {turn} {engine:<14} wall {one.wall:6.1f} s  work {one.work:6.1f} s  "
                f"CPU {one.cpu:6.1f} s  peak {one.peak / 2**20:6,.0f} MiB  load {one.load:.1f}"
            )
            compare.check_total(out / engine, count)
            compare.check(out / engines[0], out / engine)
    return measures, left_out


def main(given: list[str] | None = None) -> int:
    """Run the benchmark.

    Parameters
    ----------
    given
        Arguments; by default those of the process.

    Returns
    -------
    int
        0 when every engine computed the same marts, 1 otherwise.
    """
    asked = _arguments(given)
    lakes = incidents.make(BENCH)
    sizes = list(incidents.SIZES) if asked.rows == "all" else [asked.rows]
    measures, left_out = list[Measure](), list[str]()
    rows = {size: incidents.rows_of(lakes[size]) for size in sizes}
    summary = list[dict[str, Any]]()
    try:
        for size in sizes:
            found, missing = _run_size(size, lakes[size], asked.engines, asked.runs)
            measures += found
            left_out += missing
            summary = report.summarise(measures, rows)
            report.write(BENCH / "results.json", measures, summary, left_out)
    except (EngineFailedError, compare.EnginesDisagreeError) as error:
        _say(f"error: {error}")
        return 1
    for size, count in rows.items():
        print(f"\n{count:,} incidents, median of {asked.runs} runs\n\n{report.table(summary, size)}")
    print(f"\nAll engines agree, cell for cell. Every run is in {BENCH / 'results.json'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
