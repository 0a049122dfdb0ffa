"""The marts in pandas: text as categories, one group-by, then everything from the counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow.parquet as pq

_TEXT = ["state_code", "state", "district", "district_kind", "crime_head"]
_PLACE = ["state_code", "state", "district", "district_kind", "year"]
_TOGETHER = ["IN-AP", "IN-TS"]
_HIGH = "10 cases or more, and 95 % of the districts have fewer"
_RISING = "up 50 % or more in 3 years from 50 cases or more, no year of decline"


def _rounded(values: pd.Series, digits: int) -> pd.Series:
    scale = 10.0**digits  # half away from zero, as SQL rounds; numpy rounds half to even
    return np.sign(values) * np.floor(values.abs() * scale + 0.5) / scale


def _percent_rank(rows: pd.DataFrame, by: list[str]) -> pd.Series:
    cases = rows.groupby(by)["cases"]
    others = cases.transform("size") - 1
    return ((cases.rank("min") - 1) / others.where(others > 0)).fillna(0.0)


def _summed(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return rows.groupby(by, observed=True, as_index=False)["cases"].sum()


def _counts(lake: Path) -> pd.DataFrame:
    table = pq.read_table(lake / "crime_facts", columns=[*_TEXT, "year", "cases"], read_dictionary=_TEXT)
    facts = table.to_pandas(self_destruct=True, split_blocks=True)
    del table
    counts = _summed(facts, [*_PLACE, "crime_head"])
    counts[_TEXT] = counts[_TEXT].astype(str)
    return counts.astype({"year": "int32"})


def _levels(by_state: pd.DataFrame) -> pd.DataFrame:
    members = by_state[by_state["state_code"].isin(_TOGETHER)]
    together = "Andhra Pradesh and Telangana (together)"
    rest = [
        _summed(rows, ["year", "crime_group"]).assign(level=level, state_code=code, state=name)
        for rows, level, code, name in (
            (by_state, "country", "IN", "India"),
            (members, "combined", "IN-AP+TS", together),
        )
    ]
    return pd.concat([by_state.assign(level="state"), *rest], ignore_index=True)


def _region(series: pd.DataFrame, by_district: pd.DataFrame, population: pd.DataFrame) -> pd.DataFrame:
    above = series.assign(district=None, ranked=series["level"] == "state")
    below = by_district.assign(level="district", ranked=by_district["district_kind"] == "district")
    rows = pd.concat([above, below.drop(columns="district_kind")], ignore_index=True)
    place = ["level", "year", "crime_group", "ranked"]
    rank = rows.groupby(place)["cases"].rank("min", ascending=False)
    rows["rank_in_year"] = rank.where(rows["ranked"]).astype("Int32")
    p = _percent_rank(rows, place)
    names = np.select(
        [rows["cases"] == 0, p >= 0.8, p >= 0.6, p >= 0.4, p >= 0.2],
        ["none", "very high", "high", "medium", "low"],
        "very low",
    )
    rows["magnitude"] = pd.Series(names, index=rows.index, dtype=object).where(rows["ranked"], None)
    rows = rows.merge(population, on=["level", "state_code", "year"], how="left")
    rows["rate_per_lakh"] = _rounded(rows["cases"] * 100000 / rows["population"], 2)
    return rows.astype({"population": "Int64"}).drop(columns="ranked")


def _period(series: pd.DataFrame, broken: pd.DataFrame) -> pd.DataFrame:
    rows = series.merge(broken, on="crime_group").sort_values("year")
    by = rows.groupby(["level", "state_code", "crime_group"])
    before, year_before = by["cases"].shift(1), by["year"].shift(1)
    split = (rows["level"] == "state") & rows["state_code"].isin(_TOGETHER)
    breaks = (rows["year"] == 2014) & (rows["breaks"] | split)
    comparable = ~breaks & (before > 0) & (year_before == rows["year"] - 1)
    change = ((rows["cases"] - before) * 100.0 / before.where(before > 0)).where(comparable)
    trend = np.select(
        [breaks, change.isna(), change >= 5, change <= -5],
        ["series break", "no base", "rising", "falling"],
        "steady",
    )
    return rows.assign(change_pct=_rounded(change, 1), trend=trend).drop(columns="breaks")


def _hot_spots(by_district: pd.DataFrame, broken: pd.DataFrame) -> pd.DataFrame:
    rows = by_district[by_district["district_kind"] == "district"].merge(broken, on="crime_group")
    rows = rows.sort_values("year", ignore_index=True)
    by = rows.groupby(["state_code", "district", "crime_group"])
    n1, n2, n3 = (by["cases"].shift(n) for n in (1, 2, 3))
    unbroken = (by["year"].shift(3) == rows["year"] - 3) & ~(rows["breaks"] & (rows["year"] == 2014))
    base = n3.where(unbroken)
    growth = (rows["cases"] - base) * 100.0 / base.where(base > 0)
    fewer = _percent_rank(rows, ["year", "crime_group"])
    high = (fewer >= 0.95) & (rows["cases"] >= 10)
    rising = (base >= 50) & (growth >= 50) & (rows["cases"] >= n1) & (n1 >= n2) & (n2 >= n3)

    def joined(separator: str, first: str, second: str) -> np.ndarray:
        return np.select([high & rising, high], [first + separator + second, first], second)

    rows = rows.assign(
        percentile=_rounded(fewer, 4),
        base_cases=base.astype("Int64"),
        growth_pct=_rounded(growth, 1),
        hot_spot=joined(" and ", "high", "rising"),
        rule=joined("; ", _HIGH, _RISING),
    )
    return rows[high | rising].drop(columns=["district_kind", "breaks"])


def run(lake: Path, out: Path) -> None:
    """Compute the marts.

    Parameters
    ----------
    lake
        A lake of `benchmarks.incidents`.
    out
        Folder to write ``<mart>/part.parquet`` to.
    """
    heads = pd.read_parquet(lake / "crime_group_heads").query("fact_table == 'crime_facts'")
    broken = heads[["crime_group"]].assign(breaks=heads["break_2014"] != "").drop_duplicates()
    population = pd.read_parquet(
        lake / "population_by_year", columns=["level", "state_code", "year", "population"]
    )
    joined = _counts(lake).merge(heads[["crime_group", "crime_head"]], on="crime_head")
    by_district = _summed(joined, [*_PLACE, "crime_group"])
    series = _levels(_summed(by_district, ["state_code", "state", "year", "crime_group"]))
    marts = {
        "crime_by_region": _region(series, by_district, population),
        "crime_by_period": _period(series, broken),
        "hot_spots": _hot_spots(by_district, broken),
    }
    for mart, frame in marts.items():
        (out / mart).mkdir(parents=True)
        frame.to_parquet(out / mart / "part.parquet", compression="zstd", index=False)
