"""Turns measurements into a table on the terminal, ``results.json`` and ``docs/benchmarks.md``."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import Measure

HEADINGS = ("engine", "wall s", "start s", "work s", "x DuckDB", "wall x", "CPU s", "peak MiB", "growth")
_MIB = 2**20
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
        **{name: version(name) for name in _PACKAGES},
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
        times the work of the size before took, divided by how many times its rows there are: 1 is linear.
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
                    "growth": row["work"] / old["work"] / (count / rows_before) if old else None,
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
