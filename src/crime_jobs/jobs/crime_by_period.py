"""How crime moves: cases by year, the change on the year before, the trend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from crime_jobs.job import Config, mart
from crime_jobs.jobs._measures import broken_series, by_group, levels, with_change

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class PeriodConfig(Config):
    """Configuration of the marts with a trend.

    Parameters
    ----------
    steady_pct
        A change of less than this many percent on the year before is ``steady``.
    """

    steady_pct: float = Field(default=5.0, gt=0)


def crime_by_period(facts: DataFrame, group_heads: DataFrame, config: PeriodConfig) -> DataFrame:
    """Compute each place's series of every crime group.

    Parameters
    ----------
    facts
        ``crime_facts``, or one row an incident with ``cases`` 1.
    group_heads
        ``crime_group_heads``.
    config
        What counts as steady.

    Returns
    -------
    DataFrame
        The columns of ``crime_by_period``.
    """
    by_state = by_group(facts, group_heads, "crime_facts", "state_code", "state", "year")
    return with_change(
        levels(by_state, "year", "crime_group"),
        broken_series(group_heads, "crime_facts"),
        "crime_group",
        config.steady_pct,
    )


JOB = mart(
    "crime_by_period",
    "Cases by year with the change on the year before and the trend",
    ("crime_facts", "crime_group_heads"),
    crime_by_period,
    PeriodConfig,
)
