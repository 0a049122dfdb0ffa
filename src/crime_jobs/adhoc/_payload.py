"""The marts as one compact document for the page: named axes, and flat arrays over them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crime_jobs.errors import BadInput
from crime_jobs.model import heads
from crime_jobs.model.places import COUNTRY_CODE, SPLIT_YEAR, TOGETHER_CODE, TOGETHER_MEMBERS

Axis = Sequence[Hashable]

_LEVELS = ("country", "combined", "state")
_AGAIN = "Run `crime-jobs run all` again, so that all tables come from the same run."


def payload(marts: Mapping[str, pa.Table]) -> dict[str, Any]:
    """Lay the marts out for the page.

    Every figure is copied as it stands in its mart; nothing is computed here. An array over axes
    ``[a, b, c]`` is flat, the last axis fastest; ``None`` where the mart has no row or a null.

    Parameters
    ----------
    marts
        See `crime_jobs.adhoc.dashboard.read_marts`.

    Returns
    -------
    dict
        ``years``, ``places``, ``groups``, ``women``, ``region``, ``population``, ``slots``,
        ``months``, ``hot`` and ``split``; only lists, dicts, strings and numbers.

    Raises
    ------
    BadInput
        If a key comes twice, or two marts that hold the same figure differ.
    """
    region = _above_districts(marts["crime_by_region"])
    if not region.num_rows:
        raise BadInput("Table crime_by_region has no figure of a state.", hint=_AGAIN)
    years = sorted(set(region["year"].to_pylist()))
    places = _places(region)
    codes = [place["code"] for place in places]
    groups = _groups(marts["crime_group_heads"], "crime_facts", heads.crime_groups())
    keys = ("crime_group", "state_code", "year")
    axes: list[Axis] = [[group["code"] for group in groups], codes, years]
    figures = _cubes(region, "crime_by_region", keys, axes, ("cases", "rate_per_lakh", "rank_in_year"))
    period = _above_districts(marts["crime_by_period"])
    series = _cubes(period, "crime_by_period", keys, axes, ("cases", "change_pct", "trend"))
    if series.pop("cases") != figures["cases"]:
        raise BadInput(
            "The tables crime_by_region and crime_by_period do not hold the same cases.",
            hint=_AGAIN,
        )
    trends, series["trend"] = _coded(series["trend"])
    people = marts["population_by_year"]
    population = _cubes(
        people,
        "population_by_year",
        ("state_code", "year"),
        [codes, years],
        ("population", "basis"),
    )
    bases, population["basis"] = _coded(population["basis"])
    return {
        "years": years,
        "places": places,
        "groups": groups,
        "trends": trends,
        "region": figures | series,
        "population": population | {"bases": bases},
        "women": _women(marts, codes, years),
        "slots": _traffic(marts["traffic_by_time_of_day"], "slot", codes, years),
        "months": _traffic(marts["traffic_by_month"], "month_number", codes, years),
        "hot": _hot(marts["hot_spots"], axes),
        "split": {"year": SPLIT_YEAR, "together": TOGETHER_CODE, "members": list(TOGETHER_MEMBERS)},
        "country": COUNTRY_CODE,
    }


def _above_districts(table: pa.Table) -> pa.Table:
    return table.filter(pc.is_in(table["level"], value_set=pa.array(_LEVELS)))


def _places(region: pa.Table) -> list[dict[str, str]]:
    columns = (region[name].to_pylist() for name in ("level", "state_code", "state"))
    found = {
        code: {"code": code, "name": name, "level": level} for level, code, name in zip(*columns, strict=True)
    }
    return sorted(found.values(), key=lambda p: (_LEVELS.index(p["level"]), p["name"]))


def _groups(table: pa.Table, facts: str, known: Mapping[str, Any]) -> list[dict[str, str]]:
    wanted = table.filter(pc.equal(table["fact_table"], facts))
    names = ("crime_group", "group_label", "defined_by", "break_2014")
    rows = zip(*(wanted[name].to_pylist() for name in names), strict=True)
    found = {
        row[0]: dict(zip(("code", "label", "defined_by", "break_2014"), row, strict=True)) for row in rows
    }
    order = {code: place for place, code in enumerate(known)}
    return [found[code] for code in sorted(found, key=lambda c: (order.get(c, len(order)), c))]


def _cubes(
    table: pa.Table, name: str, keys: Sequence[str], axes: Sequence[Axis], values: Sequence[str]
) -> dict[str, list[Any]]:
    """Spread columns over axes; a key that is not on its axis or comes twice is refused."""
    positions = [{entry: place for place, entry in enumerate(axis)} for axis in axes]
    size = math.prod(len(axis) for axis in axes)
    columns = {value: table[value].to_pylist() for value in values}
    cubes: dict[str, list[Any]] = {value: [None] * size for value in values}
    seen: set[int] = set()
    for row, key in enumerate(zip(*(table[k].to_pylist() for k in keys), strict=True)):
        at = 0
        for entry, position, axis in zip(key, positions, axes, strict=True):
            if entry not in position:
                raise BadInput(
                    f"Table {name} has {entry!r}, which the other tables do not know.", hint=_AGAIN
                )
            at = at * len(axis) + position[entry]
        if at in seen:
            said = ", ".join(f"{k} {v}" for k, v in zip(keys, key, strict=True))
            raise BadInput(f"Table {name} has more than one row of {said}.", hint=_AGAIN)
        seen.add(at)
        for value in values:
            cubes[value][at] = _short(columns[value][row])
    return cubes


def _short(value: Any) -> Any:
    """Write 12.0 as 12: it reads back as the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _coded(values: Iterable[str | None]) -> tuple[list[str], list[int | None]]:
    """Replace texts by their place in a list of them."""
    texts = list(values)
    names = sorted({text for text in texts if text is not None})
    place = {name: i for i, name in enumerate(names)}
    return names, [None if text is None else place[text] for text in texts]


def _women(marts: Mapping[str, pa.Table], codes: Axis, years: Axis) -> dict[str, Any]:
    table = marts["crimes_against_women"]
    groups = _groups(marts["crime_group_heads"], "women_facts", heads.women_groups())
    axes: list[Axis] = [[group["code"] for group in groups], codes, years]
    values = ("cases", "rate_per_lakh", "change_pct", "trend")
    keys = ("women_group", "state_code", "year")
    cubes = _cubes(table, "crimes_against_women", keys, axes, values)
    trends, cubes["trend"] = _coded(cubes["trend"])
    pairs = zip(table["year"].to_pylist(), table["scope"].to_pylist(), strict=True)
    scopes = dict(sorted(set(pairs)))
    return {
        "groups": groups,
        "trends": trends,
        "scopes": [scopes.get(year) for year in years],
        **cubes,
    }


def _traffic(table: pa.Table, bucket: str, codes: Axis, years: Axis) -> dict[str, Any]:
    buckets = sorted(set(table[bucket].to_pylist()))
    values = [name for name in ("cases", "share_pct", "cases_per_day") if name in table.column_names]
    cubes = _cubes(table, f"by {bucket}", ("state_code", "year", bucket), [codes, years, buckets], values)
    return {"buckets": buckets, **cubes}


def _hot(table: pa.Table, axes: Sequence[Axis]) -> dict[str, Any]:
    """Group hot spots by crime group and year; a row is six numbers in a flat list."""
    groups, codes, years = ({entry: i for i, entry in enumerate(axis)} for axis in axes)
    districts: dict[tuple[int, str], int] = {}
    rules: dict[tuple[str, str], int] = {}
    cells: dict[tuple[int, int], list[list[Any]]] = {}
    for row in table.to_pylist():
        try:
            cell = groups[row["crime_group"]], years[row["year"]]
            district = districts.setdefault((codes[row["state_code"]], row["district"]), len(districts))
        except KeyError as error:
            raise BadInput(
                f"Table hot_spots has {error}, which the other tables do not know.", hint=_AGAIN
            ) from error
        rule = rules.setdefault((row["hot_spot"], row["rule"]), len(rules))
        figures = [row[name] for name in ("cases", "percentile", "base_cases", "growth_pct")]
        cells.setdefault(cell, []).append([district, *map(_short, figures), rule])
    districts_by_place = list(districts)
    both = {place for (kind, _), place in rules.items() if " and " in kind}
    for rows in cells.values():
        rows.sort(key=lambda r: (r[-1] not in both, -r[1], districts_by_place[r[0]]))
    return {
        "fields": ["district", "cases", "percentile", "base_cases", "growth_pct", "rule"],
        "districts": [list(key) for key in districts],
        "rules": [list(key) for key in rules],
        "rows": [
            [[figure for row in cells.get((g, y), []) for figure in row] for y in range(len(years))]
            for g in range(len(groups))
        ],
    }
