"""Spark as the jobs configure it, and other ways to run the same jobs, by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from crime_jobs.jobs import _measures

#: What the shared sums keep apart, besides the group.
PLACES = ("state_code", "state", "district", "district_kind", "year")

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
    shared_sums
        Whether the sums by district, year and group are made once for all three marts.
    """

    note: str
    conf: dict[str, str] = field(default_factory=dict)
    packages: str = ""
    java: str = ""
    shared_sums: bool = False


#: Only the quick compiler: half of a short run's CPU time is the JVM compiling code that it soon throws away.
_QUICK_COMPILER = "-XX:TieredStopAtLevel=1"

#: Splits small enough that two cores end at the same time, and no more tasks than there are cores.
_TWO_CORES = {"spark.sql.files.maxPartitionBytes": "32m", "spark.sql.shuffle.partitions": "2"}

VARIANTS = {
    "spark": Variant("as the jobs configure it"),
    "spark-shared": Variant("the sums by district made once for the three marts", shared_sums=True),
    "spark-quick": Variant("the quick compiler only", java=_QUICK_COMPILER),
    "spark-tuned": Variant(
        "sums made once, quick compiler, splits of 32 MB, two shuffle partitions",
        _TWO_CORES,
        java=_QUICK_COMPILER,
        shared_sums=True,
    ),
    "spark-comet": Variant(
        "spark-tuned with Apache DataFusion Comet 0.12.0",
        _TWO_CORES | _COMET_CONF,
        COMET,
        _QUICK_COMPILER,
        shared_sums=True,
    ),
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


def share_sums() -> None:
    """Let the three jobs share one sum of the facts by district, year and crime group, kept in memory.

    It stands in for `crime_jobs.jobs._measures.by_group` in the modules of the marts, which see the same
    rows as before.
    """
    kept: dict[str, DataFrame] = {}

    def districts(facts: DataFrame, group_heads: DataFrame, table: str, *_: str) -> DataFrame:
        if not kept:
            kept["sums"] = _measures.by_group(facts, group_heads, table, *PLACES).persist()
        return kept["sums"]

    def states(facts: DataFrame, group_heads: DataFrame, table: str, *places: str) -> DataFrame:
        sums = districts(facts, group_heads, table)
        return sums.groupBy(*places, "crime_group").agg(F.sum("cases").alias("cases"))

    def no_railways(facts: DataFrame, group_heads: DataFrame, table: str, *places: str) -> DataFrame:
        sums = districts(facts, group_heads, table).where("district_kind = 'district'")
        return sums.select(*places, "crime_group", "cases")

    for mart, sums in (
        ("crime_by_region", districts),
        ("crime_by_period", states),
        ("hot_spots", no_railways),
    ):
        setattr(sys.modules[f"crime_jobs.jobs.{mart}"], "by_group", sums)  # noqa: B010 - not typed as settable
