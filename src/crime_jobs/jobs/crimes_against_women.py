"""Crimes against women by place and year: what compares over time, and what the year's table holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from crime_jobs.job import mart
from crime_jobs.jobs._measures import broken_series, by_group, levels, with_change, with_rate
from crime_jobs.jobs.crime_by_period import PeriodConfig

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def crimes_against_women(
    facts: DataFrame, group_heads: DataFrame, population: DataFrame, config: PeriodConfig
) -> DataFrame:
    """Compute each place's series of every group of crimes against women.

    Parameters
    ----------
    facts
        ``women_facts``.
    group_heads
        ``crime_group_heads``.
    population
        ``population_by_year``: all persons, since the census file has no women apart.
    config
        What counts as steady.

    Returns
    -------
    DataFrame
        The columns of ``crimes_against_women``. The scope is kept apart: two scopes in one year
        would be two rows.
    """
    by_state = by_group(facts, group_heads, "women_facts", "state_code", "state", "year", "scope")
    series = with_change(
        levels(by_state, "year", "scope", "crime_group"),
        broken_series(group_heads, "women_facts"),
        "crime_group",
        config.steady_pct,
    )
    return (
        with_rate(series, population)
        .select("*", F.col("crime_group").alias("women_group"))
        .drop("crime_group")
    )


JOB = mart(
    "crimes_against_women",
    "Crimes against women by group and year, with rate, trend and the scope of the source",
    ("women_facts", "crime_group_heads", "population_by_year"),
    crimes_against_women,
    PeriodConfig,
)
