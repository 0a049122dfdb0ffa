"""Population of each state for every year, between and after the censuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import model_validator
from pyspark.sql import functions as F

from crime_jobs.job import Config, mart
from crime_jobs.jobs._measures import levels
from crime_jobs.model import places
from crime_jobs.model.places import SPLIT_YEAR, TOGETHER_MEMBERS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class PopulationConfig(Config):
    """Configuration of ``population_by_year``.

    Parameters
    ----------
    first_census, last_census
        The two census years that carry the estimate.
    """

    first_census: int = 2001
    last_census: int = 2011

    @model_validator(mode="after")
    def _in_order(self) -> PopulationConfig:
        if self.first_census >= self.last_census:
            raise ValueError("first_census must be before last_census")
        return self


def population_by_year(census: DataFrame, facts: DataFrame, config: PopulationConfig) -> DataFrame:
    """Estimate the population of every year by steady growth between the two censuses.

    Geometric growth: ``P(y) = P1 * (P2 / P1) ** ((y - y1) / (y2 - y1))``, carried on after the second
    census, rounded to whole persons; census years are the census. It is the method of census
    practice for years between two counts (United Nations, Manual III, 1956, chapter III), not the
    mid-year projection that NCRB prints, so rates differ from NCRB's by some percent.

    Parameters
    ----------
    census
        ``population_census``.
    facts
        ``crime_facts``: the estimate goes to their last year.
    config
        The census years.

    Returns
    -------
    DataFrame
        The columns of ``population_by_year``. The census counted Andhra Pradesh undivided: from 2014
        on it has no row, and the level ``combined`` carries it on. The country is the sum of the states,
        and has rows only if the census has every state: a part of India is not India.
    """
    first, last = config.first_census, config.last_census
    by_state = census.groupBy("state_code", "state").agg(
        F.max(F.when(F.col("year") == first, F.col("population"))).alias("p1"),
        F.max(F.when(F.col("year") == last, F.col("population"))).alias("p2"),
    )
    to = facts.agg(F.greatest(F.max("year"), F.lit(last)).alias("to"))
    years = F.explode(F.sequence(F.lit(first), F.col("to"))).alias("year")
    growth = F.pow(F.col("p2") / F.col("p1"), (F.col("year") - first) / F.lit(last - first))
    estimated = by_state.where("p1 > 0 AND p2 > 0").crossJoin(to).select("*", years)
    states = estimated.select(
        "state_code", "state", "year", F.round(F.col("p1") * growth).cast("bigint").alias("cases")
    )
    basis = (
        F.when(F.col("year").isin(first, last), "census")
        .when(F.col("year") < last, "interpolated")
        .otherwise("extrapolated")
    )
    counted = [code for code in places.states() if code != "IN-TS"]  # Telangana is in Andhra Pradesh's count
    whole = states.where(F.col("state_code").isin(*counted)).groupBy("year").agg(F.count("*").alias("n"))
    whole = F.broadcast(
        whole.where(F.col("n") == len(counted)).select("year", F.lit("country").alias("level"))
    )
    undivided = (F.col("level") == "state") & F.col("state_code").isin(*TOGETHER_MEMBERS)
    placed = levels(states, "year")
    not_country = placed.where("level <> 'country'")
    return (
        not_country.unionByName(placed.join(whole, ["level", "year"], "left_semi"))
        .withColumnRenamed("cases", "population")
        .where(~(undivided & (F.col("year") >= SPLIT_YEAR)))
        .withColumn("basis", basis)
    )


JOB = mart(
    "population_by_year",
    "Population of each state and year, estimated between and after the censuses",
    ("population_census", "crime_facts"),
    population_by_year,
    PopulationConfig,
)
