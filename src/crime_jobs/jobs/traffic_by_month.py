"""Road accidents by month, also by day of the month, since months differ in length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from crime_jobs.job import Config, mart
from crime_jobs.jobs._measures import levels, with_share

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def traffic_by_month(facts: DataFrame, config: Config) -> DataFrame:  # noqa: ARG001
    """Compute each place's accidents by month, their share, and accidents a day.

    Parameters
    ----------
    facts
        ``traffic_facts``.
    config
        Nothing to configure.

    Returns
    -------
    DataFrame
        The columns of ``traffic_by_month``. No ``combined`` row, as in ``traffic_by_time_of_day``.
    """
    months = facts.where("breakdown = 'month'").withColumn("month_number", F.col("bucket").cast("int"))
    by_state = months.groupBy("state_code", "state", "year", "month_number").agg(
        F.sum("cases").alias("cases")
    )
    days = F.dayofmonth(F.last_day(F.make_date("year", "month_number", F.lit(1))))
    placed = levels(by_state, "year", "month_number").where("level <> 'combined'")
    return with_share(placed).withColumn("cases_per_day", F.round(F.col("cases") / days, 2))


JOB = mart(
    "traffic_by_month",
    "Road accidents by month and by day of the month",
    ("traffic_facts",),
    traffic_by_month,
)
