"""The sources held against themselves, each other, the published totals and the facts made from them."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from crime_jobs.job import Config, Job, Run
from crime_jobs.jobs._entries import read_entries, wholes_and_parts
from crime_jobs.model import heads
from crime_jobs.model.places import states
from crime_jobs.model.published import NATIONAL_IPC_TOTALS, SHARED_HEADS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

OK = "ok"


def _scope(*parts: str | Column) -> Column:
    columns = (F.col(p) if isinstance(p, str) else p for p in parts)
    return F.concat_ws(" / ", *(c.cast("string") for c in columns))


def _check(name: str, compared: DataFrame, wrong: str, source: str = "source_file") -> DataFrame:
    """Turn a comparison (``scope``, ``expected``, ``found``) into rows of ``data_quality``."""
    difference = F.coalesce("found", F.lit(0)) - F.coalesce("expected", F.lit(0))
    return compared.select(
        F.lit(name).alias("check_name"),
        F.col(source).alias("source_file"),
        "scope",
        F.col("expected").cast("bigint").alias("expected"),
        F.col("found").cast("bigint").alias("found"),
        difference.cast("bigint").alias("difference"),
        F.when(difference == 0, OK).otherwise(wrong).alias("status"),
    )


def districts_against_totals(entries: DataFrame) -> DataFrame:
    """Hold the sum of each state's districts against the state's own total row, head by head."""
    placed = entries.where("district IS NOT NULL")
    # The long layout need not bring totals; a wide file without them may have them under a name unknown.
    with_totals = placed.where("row_kind = 'total' OR row_number > 0").select("source_file").distinct()
    summed = (
        placed.join(F.broadcast(with_totals), "source_file")
        .groupBy("source_file", "state_code", "year", "head")
        .agg(
            F.sum(F.when(F.col("row_kind") == "total", F.col("cases"))).alias("expected"),
            F.sum(F.when(F.col("row_kind") == "district", F.col("cases"))).alias("found"),
        )
    )
    scoped = summed.withColumn("scope", _scope("state_code", "year", "head"))
    wrong = "districts do not add up to the state's total row"
    missing = F.when(F.col("expected").isNull(), "no total row to compare with")
    checked = _check("districts_against_totals", scoped, wrong)
    return checked.withColumn("status", missing.otherwise(F.col("status")))


def parts_against_wholes(entries: DataFrame) -> DataFrame:
    """Hold a row's parts against the whole that the same row gives: sub-heads, and the row's total."""
    both = wholes_and_parts(entries)
    line = F.when(F.col("row_number") > 0, F.concat(F.lit("line "), F.col("row_number")))
    whole = F.when(F.col("whole") == heads.TOTAL, "total of the row").otherwise(F.col("whole"))
    district = F.nullif(F.col("district"), F.lit(""))
    scoped = both.withColumn("scope", _scope("state_code", district, "year", whole, line))
    is_total = F.col("whole") == heads.TOTAL
    return _check(
        "heads_against_row_total", scoped.where(is_total), "heads do not add up to the row's total"
    ).unionByName(
        _check("parts_against_whole", scoped.where(~is_total), "parts do not add up to their whole")
    )


def duplicate_keys(entries: DataFrame) -> DataFrame:
    """Count the rows of each key: two rows of one district and year both count, and are reported."""
    keys = ["source_file", "state_code", "district", "year"]
    given = entries.where("row_kind = 'district' AND layout <> 'census'")
    # By head first: the long layout has a row a head, and none of its keys may count as often as that.
    by_head = given.groupBy(*keys, "head").agg(F.count("*").alias("found"))
    counted = by_head.groupBy(*keys).agg(F.max("found").alias("found")).withColumn("expected", F.lit(1))
    return _check(
        "one_row_per_key",
        counted.withColumn("scope", _scope("state_code", "district", "year")),
        "more than one row has this key; all are counted",
    )


def women_against_crime(entries: DataFrame) -> DataFrame:
    """Hold the table of crimes against women against the IPC table: the same districts, the same cases."""
    known = entries.where("row_kind = 'district' AND fact IN ('crime', 'women')")
    key = ["state_code", "district", "year"]
    sums = [F.sum(F.when(F.col("fact") == fact, F.col("cases"))).alias(fact) for fact in ("crime", "women")]
    # Every year that either table has, where the landing has both tables.
    files = [F.max(F.when(F.col("fact") == fact, F.col("source_file"))) for fact in ("women", "crime")]
    years = known.groupBy("year").agg(F.coalesce(*files).alias("source_file"))
    both_tables = known.agg(F.count_distinct("fact").alias("tables")).where("tables = 2")
    compared_years = F.broadcast(years.crossJoin(both_tables).drop("tables"))
    places = known.groupBy(*key).agg(
        *(F.count(F.when(F.col("fact") == f, 1)).alias(f) for f in ("crime", "women"))
    )
    present = places.join(compared_years, "year").select(
        "source_file",
        _scope(*key).alias("scope"),
        (F.col("crime") > 0).cast("int").alias("expected"),
        (F.col("women") > 0).cast("int").alias("found"),
    )
    shared = known.where(F.col("head").isin(*SHARED_HEADS)).groupBy(*key, "head").agg(*sums)
    both = shared.where("crime IS NOT NULL AND women IS NOT NULL").join(compared_years, "year")
    same = both.withColumn("scope", _scope(*key, "head"))
    return _check(
        "same_districts_in_women_table", present, "the district is in one of the two tables only"
    ).unionByName(
        _check(
            "women_table_against_ipc_table",
            same.withColumnsRenamed({"crime": "expected", "women": "found"}),
            "the two tables differ",
        )
    )


def slots_against_months(entries: DataFrame) -> DataFrame:
    """Hold the two road files against each other: a state's accidents of a year are the same in both."""
    totals = entries.where((F.col("fact") == "traffic") & (F.col("head") == heads.TOTAL))
    both = totals.groupBy("state_code", "year").agg(
        F.max("source_file").alias("source_file"),
        *(
            F.sum(F.when(F.col("layout") == layout, F.col("cases"))).alias(name)
            for layout, name in (("traffic_month", "expected"), ("traffic_slot", "found"))
        ),
    )
    scoped = both.withColumn("scope", _scope("state_code", "year"))
    return _check("slots_against_months", scoped, "the two road tables differ")


def facts_against_sources(entries: DataFrame, facts: DataFrame) -> DataFrame:
    """Hold the lake's facts against the sources' total rows: nothing lost, nothing twice, on the way here."""
    key = ["source_file", "state_code", "year"]
    stated = entries.where("fact = 'crime' AND row_kind = 'total'").where(F.col("head") == heads.TOTAL)
    expected = stated.groupBy(*key).agg(F.sum("cases").alias("expected"))
    found = facts.groupBy(*key).agg(F.sum("cases").alias("found"))
    scoped = expected.join(found, key, "left").withColumn("scope", _scope("state_code", "year"))
    return _check("facts_against_state_totals", scoped, "the facts are not what the source's total row says")


def states_in_census(entries: DataFrame) -> DataFrame:
    """Hold the census against the list of states; Telangana is in Andhra Pradesh's count."""
    census = entries.where("fact = 'population' AND row_kind <> 'bad'")
    codes = [(code,) for code in states() if code != "IN-TS"]
    wanted = census.groupBy("year").agg(F.max("source_file").alias("source_file"))
    every = wanted.crossJoin(entries.sparkSession.createDataFrame(codes, "state_code string"))
    found = census.groupBy("year", "state_code").agg(F.count("*").alias("found"))
    scoped = every.join(found, ["year", "state_code"], "left").withColumns(
        {"expected": F.lit(1), "found": F.coalesce("found", F.lit(0)), "scope": _scope("state_code", "year")}
    )
    return _check("states_in_census", scoped, "the census does not have this state just once")


def rows_used(entries: DataFrame) -> DataFrame:
    """Hold the rows that could be used against those that the files have."""
    line = F.when(F.col("row_kind") != "bad", F.col("line"))
    counted = entries.groupBy("source_file").agg(
        F.count_distinct("line").alias("expected"), F.count_distinct(line).alias("found")
    )
    scoped = counted.withColumn("scope", F.lit("rows"))
    return _check("rows_used", scoped, "rows are in quarantine")


def years_against_published(facts: DataFrame) -> DataFrame:
    """Hold each year's sum against the national figure that NCRB published."""
    published = facts.sparkSession.createDataFrame(
        list(NATIONAL_IPC_TOTALS.items()), "year int, expected bigint"
    )
    found = facts.groupBy("year").agg(
        F.sum("cases").alias("found"),
        F.array_join(F.sort_array(F.collect_set("source_file")), ", ").alias("source_file"),
    )
    span = facts.agg(F.min("year").alias("first"), F.max("year").alias("last"))
    wanted = published.crossJoin(F.broadcast(span)).where("year BETWEEN first AND last")
    scoped = wanted.join(found, "year", "left").withColumn("scope", _scope(F.lit("IN"), "year"))
    return _check("years_against_published", scoped, "not the national figure that NCRB published")


def data_quality(entries: DataFrame, facts: DataFrame) -> DataFrame:
    """Make every comparison.

    Parameters
    ----------
    entries
        See `crime_jobs.model.landing.Entry`.
    facts
        ``crime_facts`` as they stand in the lake.

    Returns
    -------
    DataFrame
        The columns of ``data_quality``, a row a comparison; ``status`` is ``ok`` or says what is wrong.
    """
    checks = [
        *(check(entries) for check in _OF_SOURCES),
        facts_against_sources(entries, facts),
        years_against_published(facts),
    ]
    return reduce(lambda a, b: a.unionByName(b), checks)


_OF_SOURCES = (
    districts_against_totals,
    parts_against_wholes,
    duplicate_keys,
    women_against_crime,
    slots_against_months,
    states_in_census,
    rows_used,
)


def _work(run: Run, config: Config) -> None:  # noqa: ARG001 - the shape of every job
    run.publish("reconcile", "data_quality", data_quality(read_entries(run), run.read("crime_facts")))


JOB = Job(
    name="reconcile",
    summary="Sources against themselves, each other, published totals and the facts",
    writes=("data_quality",),
    reads=("crime_facts",),
    work=_work,
)
