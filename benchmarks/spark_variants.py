"""Spark as the jobs configure it, and other ways to run the same jobs, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from crime_jobs.jobs._base import Run

#: Apache DataFusion Comet for Spark 3.5; Spark's own Ivy fetches it on first use.
COMET = "org.apache.datafusion:comet-spark-spark3.5_2.12:0.12.0"

_COMET_CONF = {
    "spark.plugins": "org.apache.spark.CometPlugin",
    "spark.shuffle.manager": "org.apache.spark.sql.comet.execution.shuffle.CometShuffleManager",
    "spark.memory.offHeap.enabled": "true",
    "spark.memory.offHeap.size": "1g",
    "spark.comet.exec.shuffle.mode": "auto",
}


@dataclass(frozen=True)
class Variant:
    """One way to run the jobs.

    Parameters
    ----------
    note
        What is different, for the table.
    conf
        Spark properties besides the jobs' own.
    packages
        Maven coordinates to put on the driver's class path.
    java
        Options of the JVM besides the jobs' own.
    counted_once
        Whether the facts are summed to a row a place, year and head once, for all three marts.
    """

    note: str
    conf: dict[str, str] = field(default_factory=dict)
    packages: str = ""
    java: str = ""
    counted_once: bool = False


VARIANTS = {
    "spark": Variant("as the jobs configure it"),
    "spark-comet": Variant("with Apache DataFusion Comet 0.12.0", _COMET_CONF, COMET),
}


def properties(variant: Variant, conf: Mapping[str, str]) -> dict[str, str]:
    """Return the Spark properties that make a variant of a configuration.

    Parameters
    ----------
    variant
        Which variant.
    conf
        The configuration of the jobs.

    Returns
    -------
    dict
        What to add to `conf`; empty when nothing is different.
    """
    found = dict(variant.conf)
    if variant.packages:
        found["spark.jars.packages"] = variant.packages
    if variant.java:
        found["spark.driver.extraJavaOptions"] = f"{conf['spark.driver.extraJavaOptions']} {variant.java}"
    return found


def count_once() -> None:
    """Let the jobs of one run share the sums of ``crime_facts`` by place, year and head."""
    read = Run.read

    def shared(run: Run, table: str) -> DataFrame:
        if table != "crime_facts":
            return read(run, table)
        if "counts" not in run.shared:
            facts = read(run, table)
            keys = [name for name in facts.columns if name not in ("cases", "source_file")]
            run.shared["counts"] = facts.groupBy(*keys).agg(F.sum("cases").alias("cases")).persist()
        return run.shared["counts"]

    setattr(Run, "read", shared)  # noqa: B010 - a plain assignment is no method to mypy
