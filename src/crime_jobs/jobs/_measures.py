"""What several marts do alike: sums by group, the levels of place, rates and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from crime_jobs.model.places import COUNTRY, COUNTRY_CODE, TOGETHER, TOGETHER_CODE, TOGETHER_MEMBERS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Persons in a lakh.
LAKH = 100_000


def by_group(facts: DataFrame, group_heads: DataFrame, fact_table: str, *places: str) -> DataFrame:
    """Sum facts by crime group.

    Parameters
    ----------
    facts
        ``crime_facts`` or ``women_facts``; also one row an incident with ``cases`` 1.
    group_heads
        ``crime_group_heads``.
    fact_table
        Which facts these are.
    places
        The columns to keep apart, ``year`` among them.

    Returns
    -------
    DataFrame
        `places`, ``crime_group``, ``cases``. A group has rows only in years that count one of its heads.
    """
    groups = group_heads.where(F.col("fact_table") == fact_table).select("crime_group", "crime_head")
    # Heads are summed before the join multiplies rows: a head is in up to five groups.
    heads = facts.groupBy(*places, "crime_head").agg(F.sum("cases").alias("cases"))
    joined = heads.join(F.broadcast(groups), "crime_head")
    return joined.groupBy(*places, "crime_group").agg(F.sum("cases").alias("cases"))


def levels(by_state: DataFrame, *keys: str) -> DataFrame:
    """Add the country, and Andhra Pradesh with Telangana, to figures by state.

    Parameters
    ----------
    by_state
        ``state_code``, ``state``, `keys` and ``cases``.
    keys
        The columns to keep apart.

    Returns
    -------
    DataFrame
        The same with ``level``: state, country and combined rows.
    """
    total = F.sum("cases").alias("cases")
    state = by_state.select(F.lit("state").alias("level"), "state_code", "state", *keys, "cases")
    country = (
        by_state.groupBy(*keys).agg(total).select(*_named("country", COUNTRY_CODE, COUNTRY), *keys, "cases")
    )
    members = by_state.where(F.col("state_code").isin(*TOGETHER_MEMBERS))
    combined = (
        members.groupBy(*keys).agg(total).select(*_named("combined", TOGETHER_CODE, TOGETHER), *keys, "cases")
    )
    return state.unionByName(country).unionByName(combined)


def _named(level: str, code: str, name: str) -> list[Column]:
    return [
        F.lit(level).alias("level"),
        F.lit(code).alias("state_code"),
        F.lit(name).alias("state"),
    ]


def with_rate(figures: DataFrame, population: DataFrame) -> DataFrame:
    """Add population and rate where there is a population.

    Parameters
    ----------
    figures
        ``level``, ``state_code``, ``year``, ``cases`` and others.
    population
        ``population_by_year``.

    Returns
    -------
    DataFrame
        `figures` with ``population`` and ``rate_per_lakh`` (cases per 100,000 persons).
    """
    persons = population.select("level", "state_code", "year", "population")
    rate = F.round(F.col("cases") * F.lit(LAKH) / F.col("population"), 2)
    return figures.join(F.broadcast(persons), ["level", "state_code", "year"], "left").withColumn(
        "rate_per_lakh", rate
    )


def broken_series(group_heads: DataFrame, fact_table: str) -> DataFrame:
    """Say which groups' series break in 2014.

    Parameters
    ----------
    group_heads
        ``crime_group_heads``.
    fact_table
        Which facts.

    Returns
    -------
    DataFrame
        ``crime_group``, ``breaks boolean``.
    """
    groups = group_heads.where(F.col("fact_table") == fact_table)
    return groups.select("crime_group", (F.col("break_2014") != "").alias("breaks")).distinct()


def with_change(figures: DataFrame, broken: DataFrame, group: str, steady_pct: float) -> DataFrame:
    """Add the change on the year before and the trend, with breaks marked and not smoothed.

    Parameters
    ----------
    figures
        ``level``, ``state_code``, ``year``, `group`, ``cases`` and others.
    broken
        `broken_series` of the facts.
    group
        Name of the group column.
    steady_pct
        A change of less than this many percent either way is ``steady``.

    Returns
    -------
    DataFrame
        `figures` with ``change_pct`` and ``trend``. A series breaks in 2014 where the group's heads
        changed, and for Andhra Pradesh and Telangana, which were one state before.
    """
    series = Window.partitionBy("level", "state_code", group).orderBy("year")
    before, year_before = F.lag("cases").over(series), F.lag("year").over(series)
    split = (F.col("level") == "state") & F.col("state_code").isin(*TOGETHER_MEMBERS)
    marked = figures.join(F.broadcast(broken.withColumnRenamed("crime_group", group)), group)
    breaks = (F.col("year") == F.lit(2014)) & (F.col("breaks") | split)
    change = (F.col("cases") - before) * 100.0 / before
    comparable = ~breaks & (before > 0) & (year_before == F.col("year") - 1)
    return (
        marked.withColumn("change", F.when(comparable, change))
        .withColumn(
            "trend",
            F.when(breaks, "series break")
            .when(F.col("change").isNull(), "no base")
            .when(F.col("change") >= steady_pct, "rising")
            .when(F.col("change") <= -steady_pct, "falling")
            .otherwise("steady"),
        )
        # Rounded last: 4.98 % is shown as 5.0 and is steady all the same.
        .withColumn("change_pct", F.round("change", 1))
        .drop("breaks", "change")
    )


def with_share(figures: DataFrame) -> DataFrame:
    """Add each row's share of its place and year; only for rows that do not overlap, as crime groups do.

    Parameters
    ----------
    figures
        ``level``, ``state_code``, ``year``, ``cases`` and others.

    Returns
    -------
    DataFrame
        `figures` with ``share_pct``; null where the place had none that year.
    """
    whole = F.sum("cases").over(Window.partitionBy("level", "state_code", "year"))
    return figures.withColumn("share_pct", F.when(whole > 0, F.round(F.col("cases") * 100.0 / whole, 2)))
