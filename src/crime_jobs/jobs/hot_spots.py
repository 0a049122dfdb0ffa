"""Hot spots: districts that are high in a year, and districts that keep rising."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pydantic import Field
from pyspark.sql import Window
from pyspark.sql import functions as F

from crime_jobs.job import Config, mart
from crime_jobs.jobs._measures import broken_series, by_group

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Years over which a rise is measured.
SPAN = 3
#: The year in which NCRB redefined heads.
BREAK_YEAR = 2014


class HotSpotConfig(Config):
    """Configuration of ``hot_spots``.

    Parameters
    ----------
    high_percentile
        A district is high if at least this share of districts has fewer cases (0 to 1).
    min_cases
        Fewer cases than this in the year are no hot spot.
    min_growth_pct
        A district is rising if it grew by this many percent over three years …
    min_base
        … from at least this many cases, with no year of decline between.
    """

    high_percentile: float = Field(default=0.95, ge=0, le=1)
    min_cases: int = Field(default=10, ge=0)
    min_growth_pct: float = Field(default=50.0, gt=0)
    min_base: int = Field(default=50, gt=0)


def hot_spots(facts: DataFrame, group_heads: DataFrame, config: HotSpotConfig) -> DataFrame:
    """Find the districts that are high or rising.

    Parameters
    ----------
    facts
        ``crime_facts``, or one row an incident with ``cases`` 1.
    group_heads
        ``crime_group_heads``.
    config
        The rules.

    Returns
    -------
    DataFrame
        The columns of ``hot_spots``. Only districts, no railway police or special units. No rise is
        seen across a break of the series, nor across a year that a district is missing.
    """
    districts = by_group(
        facts.where("district_kind = 'district'"),
        group_heads,
        "crime_facts",
        "state_code",
        "state",
        "district",
        "year",
    ).join(F.broadcast(broken_series(group_heads, "crime_facts")), "crime_group")
    series = Window.partitionBy("state_code", "district", "crime_group").orderBy("year")
    year_of = Window.partitionBy("year", "crime_group").orderBy("cases")
    history = [F.col("cases"), *(F.lag("cases", n).over(series) for n in range(1, SPAN + 1))]
    base_year = F.col("year") - SPAN
    across_2014 = (F.col("year") >= BREAK_YEAR) & (base_year < BREAK_YEAR)
    unbroken = (F.lag("year", SPAN).over(series) == base_year) & ~(F.col("breaks") & across_2014)
    no_decline = F.lit(True)
    for later, earlier in itertools.pairwise(history):
        no_decline = no_decline & (later >= earlier)
    measured = (
        districts.withColumn("fewer", F.percent_rank().over(year_of))
        .withColumn("base_cases", F.when(unbroken, history[-1]))
        .withColumn("no_decline", no_decline)
    )
    growth = (F.col("cases") - F.col("base_cases")) * 100.0 / F.col("base_cases")
    high = (F.col("fewer") >= config.high_percentile) & (F.col("cases") >= config.min_cases)
    rising = (
        (F.col("base_cases") >= config.min_base) & (growth >= config.min_growth_pct) & F.col("no_decline")
    )
    marked = (
        measured.withColumn("growth_pct", F.when(F.col("base_cases") > 0, F.round(growth, 1)))
        .withColumn("percentile", F.round("fewer", 4))
        .withColumn("high", F.coalesce(high, F.lit(False)))
        .withColumn("rising", F.coalesce(rising, F.lit(False)))
    )
    name = _joined(" and ", F.lit("high"), F.lit("rising"))
    rule = _joined("; ", F.lit(_high(config)), F.lit(_rising(config)))
    kept = marked.where("high OR rising").withColumns({"hot_spot": name, "rule": rule})
    return kept.drop("high", "rising", "no_decline", "breaks", "fewer")


def _joined(separator: str, high: Column, rising: Column) -> Column:
    return F.concat_ws(separator, F.when(F.col("high"), high), F.when(F.col("rising"), rising))


def _high(config: HotSpotConfig) -> str:
    share = f"{config.high_percentile * 100:g} %"
    return f"{config.min_cases} cases or more, and {share} of the districts have fewer"


def _rising(config: HotSpotConfig) -> str:
    return (
        f"up {config.min_growth_pct:g} % or more in {SPAN} years from {config.min_base} cases or more, "
        "no year of decline"
    )


JOB = mart(
    "hot_spots",
    "Districts that are high or keep rising, with the rule that says so",
    ("crime_facts", "crime_group_heads"),
    hot_spots,
    HotSpotConfig,
)
