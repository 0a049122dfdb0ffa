"""Turns measurements into a table on the terminal, ``results.json`` and ``docs/benchmarks.md``."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import Measure

HEADINGS = ("engine", "wall s", "start s", "work s", "x DuckDB", "wall x", "CPU s", "peak MiB", "growth")
_MIB = 2**20

#: What the project asks of itself, and what a row is held against.
_MEMORY_AIM = 4 * 2**30

_HOW_TO_READ = """\
One row an incident (Parquet by year, in order of date) becomes the three marts that come from incidents:
`crime_by_region`, `crime_by_period`, `hot_spots`. Each engine runs in a fresh process, in turns with the
others.

- *wall*: the whole process. *start*: until the engine is ready (Spark: its JVM and session). *work*: from
  there until the marts are written. *x DuckDB* compares the work, *wall x* the wall time.
- *CPU*: user and system time of the whole tree of processes, counted by the kernel.
- *peak*: resident memory summed over the tree, looked at every 100 ms, the most of all runs; pages that two
  processes share count twice.
- *growth*: how many times more CPU time the work takes than at the smaller size, for each time more rows; 1
  is linear, less is better.

`spark` is the jobs as they are configured. What the other rows called spark change is in
`benchmarks/spark_variants.py`, and what came of it in
[decisions/spark-speed.md](decisions/spark-speed.md)."""

_PACKAGES = ("pyspark", "duckdb", "polars", "pandas", "pyarrow")


def machine() -> dict[str, Any]:
    """Say what it ran on.

    Returns
    -------
    dict
        Processor, cores, memory in GiB, system, Python and the engines' versions.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES if find_spec(name)},
    }


def _medians(measures: Iterable[Measure]) -> dict[str, dict[str, float]]:
    by_engine: dict[str, list[Measure]] = {}
    for one in measures:
        by_engine.setdefault(one.engine, []).append(one)
    names = ("wall", "start", "work", "cpu", "work_cpu", "load")
    return {
        engine: {name: statistics.median(getattr(m, name) for m in runs) for name in names}
        | {"peak": max(m.peak for m in runs), "runs": len(runs)}
        for engine, runs in by_engine.items()
    }


def summarise(measures: list[Measure], rows: dict[str, int]) -> list[dict[str, Any]]:
    """Take the median of the runs (of the memory the most) and compare.

    Parameters
    ----------
    measures
        All runs.
    rows
        Size to incidents.

    Returns
    -------
    list of dict
        One for each size and engine. ``work_ratio`` and ``wall_ratio`` are to DuckDB; ``growth`` is how many
        times the CPU time of the size before the work took, divided by how many times its rows there are:
        1 is linear. CPU time and not wall time, which other work on the machine lengthens.
    """
    found: list[dict[str, Any]] = []
    before: dict[str, dict[str, float]] = {}
    rows_before = 0
    for size, count in rows.items():
        medians = _medians(m for m in measures if m.size == size)
        duck = medians.get("duckdb")
        for engine, row in medians.items():
            old = before.get(engine)
            found.append(
                {
                    "size": size,
                    "rows": count,
                    "engine": engine,
                    **row,
                    "work_ratio": row["work"] / duck["work"] if duck else None,
                    "wall_ratio": row["wall"] / duck["wall"] if duck else None,
                    "growth": row["work_cpu"] / old["work_cpu"] / (count / rows_before) if old else None,
                }
            )
        before, rows_before = medians, count
    return found


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    def number(name: str, digits: int) -> str:
        return "" if row[name] is None else f"{row[name]:,.{digits}f}"

    return (
        row["engine"],
        number("wall", 1),
        number("start", 1),
        number("work", 1),
        number("work_ratio", 1),
        number("wall_ratio", 1),
        number("cpu", 1),
        f"{row['peak'] / _MIB:,.0f}",
        number("growth", 2),
    )


def table(summary: list[dict[str, Any]], size: str) -> str:
    """Lay out one size as a Markdown table, which reads well on a terminal too.

    Parameters
    ----------
    summary
        What `summarise` returned.
    size
        Which size.

    Returns
    -------
    str
    """
    lines = [HEADINGS, *(_cells(row) for row in summary if row["size"] == size)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    laid = [
        " | ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    rule = " | ".join("-" * w if not i else "-" * (w - 1) + ":" for i, w in enumerate(widths))
    return "\n".join(f"| {line} |" for line in (laid[0], rule, *laid[1:]))


def write(path: Path, measures: list[Measure], summary: list[dict[str, Any]], left_out: list[str]) -> None:
    """Write ``results.json``: machine, every run, medians, and what was left out and why."""
    document = {
        "machine": machine(),
        "summary": summary,
        "runs": [asdict(one) for one in measures],
        "left_out": left_out,
    }
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


#: Heading of the first section that this module does not write.
OTHERS = "## Submitting to EMR"


def _busy(load: float, cores: int) -> str:
    if load <= cores:
        return ""
    return " The machine had other work: wall times are too long, and CPU time is what to go by."


def page(document: dict[str, Any], command: str) -> str:
    """Lay out ``docs/benchmarks.md``.

    Parameters
    ----------
    document
        What ``results.json`` holds.
    command
        The command that measured it.

    Returns
    -------
    str
        Markdown.
    """
    on, summary = document["machine"], document["summary"]
    versions = ", ".join(f"{name} {on[name]}" for name in _PACKAGES if name in on)
    parts = [
        "# Benchmarks",
        f"Last measured with `{command}`, which makes its input from `data/` and a fixed seed,\n"
        "and fails if two engines differ in one cell.",
        f"Machine: {on['processor']}, {on['cores']} cores, {on['memory_gib']} GiB, {on['system']}; "
        f"Python {on['python']}, {versions}.",
        _HOW_TO_READ,
    ]
    for size in dict.fromkeys(row["size"] for row in summary):
        rows = next(row for row in summary if row["size"] == size)
        loads = [run["load"] for run in document["runs"] if run["size"] == size]
        parts += [
            f"## {rows['rows']:,} incidents",
            f"Median of the runs, {rows['runs']} of each engine. Load average when a run began: "
            f"{min(loads):.1f} to {max(loads):.1f}, the benchmark's own included."
            + _busy(max(loads), on["cores"]),
            table(summary, size),
        ]
    over = [f"{row['engine']} at {row['rows']:,} incidents" for row in summary if row["peak"] > _MEMORY_AIM]
    parts += [f"More than 4 GiB: {', '.join(over)}."] if over else []
    parts += [f"Left out: {reason}." for reason in document["left_out"]]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write ``docs/benchmarks.md`` from the last results; the arguments are the command that made them."""
    root = Path(__file__).resolve().parent.parent
    document = json.loads((root / "build" / "bench" / "results.json").read_text(encoding="utf-8"))
    path = root / "docs" / "benchmarks.md"
    # What other benchmarks have written below stays.
    _, heading, rest = path.read_text(encoding="utf-8").partition(OTHERS)
    path.write_text(
        page(document, " ".join(sys.argv[1:])) + (f"\n{heading}{rest}" if heading else ""), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
