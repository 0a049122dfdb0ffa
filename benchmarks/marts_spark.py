"""The marts by the project's own jobs, in one session, as ``crime-jobs run`` runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.spark_variants import Variant, properties, share_sums
from crime_jobs import settings as settings_module
from crime_jobs import spark
from crime_jobs.jobs._runner import run_in
from crime_jobs.registry import find

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MARTS = ("crime_by_region", "crime_by_period", "hot_spots")


def start(lake: Path, out: Path, variant: Variant) -> tuple[SparkSession, settings_module.Settings]:
    """Start the session that the jobs start.

    Parameters
    ----------
    lake
        A lake of `benchmarks.incidents`.
    out
        Folder to write the marts to; it becomes a lake whose inputs are links to those of `lake`.
    variant
        What to do otherwise than the jobs do.

    Returns
    -------
    tuple
        The session and the settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    for table in ("crime_facts", "crime_group_heads", "population_by_year"):
        (out / table).symlink_to(lake / table)
    given = {"landing": str(lake), "lake": str(out)}
    settings = settings_module.load("local", given, environ={}, folder=lake)
    if extra := properties(variant, spark.prepare(settings)):
        added = out / "spark.properties"
        added.write_text("".join(f"{key} {value}\n" for key, value in extra.items()), encoding="utf-8")
        settings = settings.model_copy(
            update={"spark_conf": str(added), "sources": settings.sources | {"spark_conf": "the benchmark"}}
        )
    find("all")  # imports the jobs' modules
    if variant.shared_sums:
        share_sums()
    return spark.start(settings, "benchmark"), settings


def run(session: SparkSession, settings: settings_module.Settings) -> None:
    """Run the jobs on what `start` returned."""
    run_in(session, [job for name in MARTS for job in find(name)], settings)


def stop(session: SparkSession) -> None:
    """End the session and its JVM, and wait for the JVM, so that its time is counted."""
    gateway = session.sparkContext._gateway
    process = getattr(gateway, "proc", None)
    session.stop()
    if gateway is not None:
        gateway.shutdown()
    if process is not None:
        process.stdin.close()
        process.wait(timeout=60)
