"""Population of each state for every year, between and after the censuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from crime_jobs.jobs._base import Config, mart
from crime_jobs.jobs._measures import levels
from crime_jobs.model.places import SPLIT_YEAR, TOGETHER_MEMBERS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class PopulationConfig(Config):
    """Configuration of ``population_by_year``.

    Parameters
    ----------
    first_census, last_census
        The two census years that carry the estimate.
    last_year
        The last year to extrapolate to.
    """

    first_census: int = 2001
    last_census: int = 2011
    last_year: int = 2014


def population_by_year(census: DataFrame, config: PopulationConfig) -> DataFrame:
    """Estimate the population of every year by steady growth between the two censuses.

    Geometric growth: ``P(y) = P1 * (P2 / P1) ** ((y - y1) / (y2 - y1))``, carried on after the second
    census, rounded to whole persons; census years are the census. It is the method of census
    practice for years between two counts (United Nations, Manual III, 1956, chapter III), not the
    mid-year projection that NCRB prints, so rates differ from NCRB's by some percent.

    Parameters
    ----------
    census
        ``population_census``.
    config
        The years.

    Returns
    -------
    DataFrame
        The columns of ``population_by_year``. The census counted Andhra Pradesh undivided: from 2014
        on it has no row, and the level ``combined`` carries it on. The country is the sum of the states.
    """
    first, last = config.first_census, config.last_census
    by_state = census.groupBy("state_code", "state").agg(
        F.max(F.when(F.col("year") == first, F.col("population"))).alias("p1"),
        F.max(F.when(F.col("year") == last, F.col("population"))).alias("p2"),
    )
    years = F.explode(F.sequence(F.lit(first), F.lit(config.last_year))).alias("year")
    growth = F.pow(F.col("p2") / F.col("p1"), (F.col("year") - first) / F.lit(last - first))
    estimated = by_state.where("p1 > 0 AND p2 > 0").select("*", years)
    states = estimated.select(
        "state_code", "state", "year", F.round(F.col("p1") * growth).cast("bigint").alias("cases")
    )
    basis = (
        F.when(F.col("year").isin(first, last), "census")
        .when(F.col("year") < last, "interpolated")
        .otherwise("extrapolated")
    )
    undivided = (F.col("level") == "state") & F.col("state_code").isin(*TOGETHER_MEMBERS)
    return (
        levels(states, "year")
        .withColumnRenamed("cases", "population")
        .where(~(undivided & (F.col("year") >= SPLIT_YEAR)))
        .withColumn("basis", basis)
    )


JOB = mart(
    "population_by_year",
    "Population of each state and year, estimated between and after the censuses",
    ("population_census",),
    population_by_year,
    PopulationConfig,
)
