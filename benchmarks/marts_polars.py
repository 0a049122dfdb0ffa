"""The marts in Polars, lazy: one streaming scan, then everything from the counts."""

from __future__ import annotations

from pathlib import Path

import polars as pl

_PLACE = ["state_code", "state", "district", "district_kind", "year"]
_TOGETHER = ["IN-AP", "IN-TS"]
_HIGH = "10 cases or more, and 95 % of the districts have fewer"
_RISING = "up 50 % or more in 3 years from 50 cases or more, no year of decline"


def _percent_rank(by: list[str]) -> pl.Expr:
    others = pl.len().over(by) - 1
    rank = pl.col("cases").rank("min").over(by) - 1
    return pl.when(others > 0).then(rank / others).otherwise(0.0)


def _rounded(value: pl.Expr, digits: int) -> pl.Expr:
    return value.round(digits, mode="half_away_from_zero")


def _levels(by_state: pl.LazyFrame) -> pl.LazyFrame:
    names = ["level", "state_code", "state", "year", "crime_group", "cases"]

    def total(rows: pl.LazyFrame, level: str, code: str, name: str) -> pl.LazyFrame:
        summed = rows.group_by("year", "crime_group").agg(pl.sum("cases"))
        return summed.with_columns(level=pl.lit(level), state_code=pl.lit(code), state=pl.lit(name)).select(
            names
        )

    members = by_state.filter(pl.col("state_code").is_in(_TOGETHER))
    return pl.concat(
        [
            by_state.with_columns(level=pl.lit("state")).select(names),
            total(by_state, "country", "IN", "India"),
            total(members, "combined", "IN-AP+TS", "Andhra Pradesh and Telangana (together)"),
        ]
    )


def _region(series: pl.LazyFrame, by_district: pl.LazyFrame, population: pl.LazyFrame) -> pl.LazyFrame:
    above = series.with_columns(district=pl.lit(None, dtype=pl.String), ranked=pl.col("level") == "state")
    below = by_district.with_columns(
        level=pl.lit("district"), ranked=pl.col("district_kind") == "district"
    ).drop("district_kind")
    place = ["level", "year", "crime_group", "ranked"]
    p = pl.col("p")
    magnitude = (
        pl.when(pl.col("cases") == 0).then(pl.lit("none"))
        .when(p >= 0.8).then(pl.lit("very high")).when(p >= 0.6).then(pl.lit("high"))
        .when(p >= 0.4).then(pl.lit("medium")).when(p >= 0.2).then(pl.lit("low"))
        .otherwise(pl.lit("very low"))
    )  # fmt: skip
    rank = pl.col("cases").rank("min", descending=True).over(place).cast(pl.Int32)
    return (
        pl.concat([above, below], how="diagonal")
        .with_columns(p=_percent_rank(place), rank_in_year=pl.when("ranked").then(rank))
        .with_columns(magnitude=pl.when("ranked").then(magnitude))
        .join(population, on=["level", "state_code", "year"], how="left")
        .with_columns(rate_per_lakh=_rounded(pl.col("cases") * 100000 / pl.col("population"), 2))
        .drop("p", "ranked")
    )


def _period(series: pl.LazyFrame, broken: pl.LazyFrame) -> pl.LazyFrame:
    by = ["level", "state_code", "crime_group"]
    before = pl.col("cases").shift(1).over(by, order_by="year")
    year_before = pl.col("year").shift(1).over(by, order_by="year")
    split = (pl.col("level") == "state") & pl.col("state_code").is_in(_TOGETHER)
    change = pl.col("change")
    trend = (
        pl.when("broken").then(pl.lit("series break")).when(change.is_null()).then(pl.lit("no base"))
        .when(change >= 5).then(pl.lit("rising")).when(change <= -5).then(pl.lit("falling"))
        .otherwise(pl.lit("steady"))
    )  # fmt: skip
    comparable = ~pl.col("broken") & (pl.col("before") > 0) & (pl.col("year_before") == pl.col("year") - 1)
    grown = (pl.col("cases") - pl.col("before")) * 100.0 / pl.col("before")
    return (
        series.join(broken, on="crime_group")
        .with_columns(
            before=before,
            year_before=year_before,
            broken=(pl.col("year") == 2014) & (pl.col("breaks") | split),
        )
        .with_columns(change=pl.when(comparable).then(grown))
        .with_columns(trend=trend, change_pct=_rounded(change, 1))
        .drop("before", "year_before", "breaks", "broken", "change")
    )


def _hot_spots(by_district: pl.LazyFrame, broken: pl.LazyFrame) -> pl.LazyFrame:
    by = ["state_code", "district", "crime_group"]
    cases, base = pl.col("cases"), pl.col("base_cases")
    lags = {f"n{n}": cases.shift(n).over(by, order_by="year") for n in (1, 2, 3)}
    unbroken = (pl.col("y3") == pl.col("year") - 3) & ~(pl.col("breaks") & (pl.col("year") == 2014))
    no_decline = (cases >= pl.col("n1")) & (pl.col("n1") >= pl.col("n2")) & (pl.col("n2") >= pl.col("n3"))
    high = (pl.col("fewer") >= 0.95) & (cases >= 10)
    rising = (base >= 50) & (pl.col("growth") >= 50) & no_decline

    def joined(separator: str, first: str, second: str) -> pl.Expr:
        return pl.concat_str(
            pl.when("high").then(pl.lit(first)), pl.when("rising").then(pl.lit(second)),
            separator=separator, ignore_nulls=True,
        )  # fmt: skip

    return (
        by_district.filter(pl.col("district_kind") == "district")
        .join(broken, on="crime_group")
        .with_columns(
            fewer=_percent_rank(["year", "crime_group"]),
            y3=pl.col("year").shift(3).over(by, order_by="year"),
            **lags,
        )
        .with_columns(base_cases=pl.when(unbroken).then(pl.col("n3")))
        .with_columns(growth=pl.when(base > 0).then((cases - base) * 100.0 / base))
        .with_columns(high=high.fill_null(value=False), rising=rising.fill_null(value=False))
        .filter(pl.col("high") | pl.col("rising"))
        .with_columns(percentile=_rounded(pl.col("fewer"), 4), growth_pct=_rounded(pl.col("growth"), 1))
        .with_columns(hot_spot=joined(" and ", "high", "rising"), rule=joined("; ", _HIGH, _RISING))
        .drop("district_kind", "breaks", "y3", *lags, "high", "rising", "fewer", "growth")
    )


def run(lake: Path, out: Path) -> None:
    """Compute the marts.

    Parameters
    ----------
    lake
        A lake of `benchmarks.incidents`.
    out
        Folder to write ``<mart>/part.parquet`` to.
    """
    heads = pl.scan_parquet(lake / "crime_group_heads" / "*.parquet").filter(
        pl.col("fact_table") == "crime_facts"
    )
    groups = heads.select("crime_group", "crime_head")
    broken = heads.select("crime_group", breaks=pl.col("break_2014") != "").unique()
    population = pl.scan_parquet(lake / "population_by_year" / "*.parquet").select(
        "level", "state_code", "year", "population"
    )
    facts = pl.scan_parquet(
        lake / "crime_facts" / "*" / "*.parquet",
        hive_partitioning=True,
        hive_schema={"year": pl.Int32},
    )
    counts = facts.group_by(*_PLACE, "crime_head").agg(pl.sum("cases")).collect(engine="streaming").lazy()
    joined = counts.join(groups, on="crime_head").group_by(*_PLACE, "crime_group").agg(pl.sum("cases"))
    by_district = joined.collect().lazy()
    by_state = by_district.group_by("state_code", "state", "year", "crime_group").agg(pl.sum("cases"))
    series = _levels(by_state).collect().lazy()
    marts = {
        "crime_by_region": _region(series, by_district, population),
        "crime_by_period": _period(series, broken),
        "hot_spots": _hot_spots(by_district, broken),
    }
    for mart, frame in marts.items():
        (out / mart).mkdir(parents=True)
        frame.collect().write_parquet(out / mart / "part.parquet", compression="zstd")
