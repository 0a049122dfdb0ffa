"""Where crime is worst: cases, rate, rank and magnitude by country, state and district."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from crime_jobs.job import Config, mart
from crime_jobs.jobs._measures import by_group, levels, with_rate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Lower bound of each magnitude, as the share of places with fewer cases.
MAGNITUDES = ((0.8, "very high"), (0.6, "high"), (0.4, "medium"), (0.2, "low"), (0.0, "very low"))


def crime_by_region(
    facts: DataFrame,
    group_heads: DataFrame,
    population: DataFrame,
    config: Config,  # noqa: ARG001 - the shape of every transform
) -> DataFrame:
    """Compute cases, rate, rank and magnitude of every place, year and crime group.

    Parameters
    ----------
    facts
        ``crime_facts``, or one row an incident with ``cases`` 1.
    group_heads
        ``crime_group_heads``.
    population
        ``population_by_year``.
    config
        Nothing to configure.

    Returns
    -------
    DataFrame
        The columns of ``crime_by_region``. Ranked are states among states and districts among
        districts; railway police and special units, the country and the combined row are not.
    """
    places = ("state_code", "state", "district", "district_kind", "year")
    districts = by_group(facts, group_heads, "crime_facts", *places)
    by_state = districts.groupBy("state_code", "state", "year", "crime_group").agg(
        F.sum("cases").alias("cases")
    )
    above = levels(by_state, "year", "crime_group").withColumn("district", F.lit(None).cast("string"))
    ranked_state = above.withColumn("ranked", F.col("level") == "state")
    below = districts.select(
        F.lit("district").alias("level"),
        *(c for c in districts.columns if c != "district_kind"),
        (F.col("district_kind") == "district").alias("ranked"),
    )
    place = Window.partitionBy("level", "year", "crime_group", "ranked")
    fewer = F.percent_rank().over(place.orderBy("cases"))
    magnitude = F.when(F.col("cases") == 0, "none")
    for bound, name in MAGNITUDES:
        magnitude = magnitude.when(fewer >= bound, name)
    ranked = ranked_state.unionByName(below)
    return (
        with_rate(ranked, population)
        .withColumn("rank_in_year", F.rank().over(place.orderBy(F.desc("cases"))))
        .withColumn("magnitude", magnitude)
        .withColumn("rank_in_year", F.when(F.col("ranked"), F.col("rank_in_year")))
        .withColumn("magnitude", F.when(F.col("ranked"), F.col("magnitude")))
        .drop("ranked")
    )


JOB = mart(
    "crime_by_region",
    "Cases, rate per lakh, rank and magnitude by country, state and district",
    ("crime_facts", "crime_group_heads", "population_by_year"),
    crime_by_region,
)
