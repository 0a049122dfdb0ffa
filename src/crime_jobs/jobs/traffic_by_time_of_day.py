"""Road accidents by three hours of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from crime_jobs.job import Config, mart
from crime_jobs.jobs._measures import levels, with_share

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def traffic_by_time_of_day(facts: DataFrame, config: Config) -> DataFrame:  # noqa: ARG001
    """Compute each place's accidents and their share by slot of the day.

    Parameters
    ----------
    facts
        ``traffic_facts``.
    config
        Nothing to configure.

    Returns
    -------
    DataFrame
        The columns of ``traffic_by_time_of_day``. No ``combined`` row: the source counts Andhra
        Pradesh undivided in all years, 2014 too.
    """
    slots = facts.where("breakdown = 'slot'").withColumnRenamed("bucket", "slot")
    by_state = slots.groupBy("state_code", "state", "year", "slot").agg(F.sum("cases").alias("cases"))
    return with_share(levels(by_state, "year", "slot").where("level <> 'combined'"))


JOB = mart(
    "traffic_by_time_of_day",
    "Road accidents by three hours of the day",
    ("traffic_facts",),
    traffic_by_time_of_day,
)
