"""One engine, once, in this process: ``python -m benchmarks.worker ENGINE LAKE OUT``."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import psutil

#: Where the worker says when its engine was ready and when the marts were written.
PHASES = "_phases.json"


def _spent() -> float:
    """Return the CPU seconds (user and system) of this process and of those it started."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))


def _mark() -> dict[str, float]:
    return {"at": time.time(), "cpu": _spent()}


def main(engine: str, lake: Path, out: Path) -> None:
    """Start an engine, compute the marts, and write down when each was done.

    Parameters
    ----------
    engine
        ``duckdb``, ``polars``, ``pandas`` or a name of `benchmarks.spark_variants`.
    lake, out
        Where the input is, and the folder for the marts.
    """
    if engine.startswith("spark"):
        from benchmarks import marts_spark
        from benchmarks.spark_variants import VARIANTS

        session, settings = marts_spark.start(lake, out, VARIANTS[engine])
        ready = _mark()
        marts_spark.run(session, settings)
        done = _mark()
        marts_spark.stop(session)
    else:
        module = importlib.import_module(f"benchmarks.marts_{engine}")
        ready = _mark()
        module.run(lake, out)
        done = _mark()
    (out / PHASES).write_text(json.dumps({"ready": ready, "done": done}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
