"""The answers as one compact document for the page: named axes, and flat arrays over them."""

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

#: What to do where tables contradict each other.
AGAIN = "Run `crime-jobs run all` again, so that all tables come from the same run."

#: Why no single head is compared over 2014.
HEADS_BREAK = "NCRB renamed and split its heads in 2014, so a single head is not compared with 2013"

_LEVELS = ("country", "combined", "state")


def payload(answers: Mapping[str, pa.Table]) -> dict[str, Any]:
    """Lay out what the first view needs: everything but the districts.

    Every figure is copied as it stands in its answer; nothing is computed here. An array over axes
    ``[a, b, c]`` is flat, the last axis fastest; ``None`` where the answer has no row or a null.

    Parameters
    ----------
    answers
        Question to its rows, see `crime_jobs.adhoc.dashboard.ask_all`.

    Returns
    -------
    dict
        ``years``, ``places``, ``groups``, ``heads``, ``region`` (over groups and then heads, places and
        years), ``population``, ``women``, ``slots``, ``months`` and ``split``; only lists, dicts, strings
        and numbers.

    Raises
    ------
    BadInput
        If a key comes twice, or two tables that hold the same figure differ.
    """
    places_table = answers["crime_by_place"]
    if not places_table.num_rows:
        raise BadInput("Table crime_by_region has no figure of a state.", hint=AGAIN)
    years = sorted(set(places_table["year"].to_pylist()))
    places = _places(places_table)
    codes = [place["code"] for place in places]
    groups = _groups(answers["crime_groups"], "crime_facts", heads.crime_groups())
    single = _heads(answers, groups)
    people = answers["population"]
    keys = ("state_code", "year")
    population = _cubes(people, "population_by_year", keys, [codes, years], ("population", "basis"))
    bases, population["basis"] = _coded(population["basis"])
    region, trends, magnitudes = _region(answers, groups, single, [codes, years])
    return {
        "years": years,
        "places": places,
        "groups": groups,
        "heads": single,
        "trends": trends,
        "magnitudes": magnitudes,
        "region": region,
        "population": population | {"bases": bases},
        "women": _women(answers, codes, years),
        "slots": _traffic(answers["traffic_by_hour"], "slot", codes, years),
        "months": _traffic(answers["traffic_by_month"], "month_number", codes, years),
        "split": {"year": SPLIT_YEAR, "together": TOGETHER_CODE, "members": list(TOGETHER_MEMBERS)},
        "country": COUNTRY_CODE,
    }


def _places(table: pa.Table) -> list[dict[str, str]]:
    columns = (table[name].to_pylist() for name in ("level", "state_code", "state"))
    found = {
        code: {"code": code, "name": name, "level": level} for level, code, name in zip(*columns, strict=True)
    }
    return sorted(found.values(), key=lambda p: (_LEVELS.index(p["level"]), p["name"]))


def _groups(table: pa.Table, facts: str, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    wanted = table.filter(pc.equal(table["fact_table"], facts))
    names = ("crime_group", "group_label", "defined_by", "break_2014")
    rows = zip(*(wanted[name].to_pylist() for name in names), strict=True)
    found: dict[str, dict[str, Any]] = {
        row[0]: dict(zip(("code", "label", "defined_by", "break_2014"), row, strict=True)) for row in rows
    }
    order = {code: place for place, code in enumerate(known)}
    return [found[code] for code in sorted(found, key=lambda c: (order.get(c, len(order)), c))]


def _heads(answers: Mapping[str, pa.Table], groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name the single heads, each with the places of the groups that it is in."""
    table = answers["crime_by_head"]
    pairs = zip(table["crime_head"].to_pylist(), table["head_label"].to_pylist(), strict=True)
    labels = dict(sorted(set(pairs), key=lambda pair: (pair[1], pair[0])))
    members = answers["crime_groups"]
    members = members.filter(pc.equal(members["fact_table"], "crime_facts"))
    within: dict[str, set[str]] = {}
    columns = (members[name].to_pylist() for name in ("crime_head", "crime_group"))
    for head, group in zip(*columns, strict=True):
        within.setdefault(head, set()).add(group)
    return [
        {
            "code": code,
            "label": label,
            "break_2014": HEADS_BREAK,
            "groups": [i for i, group in enumerate(groups) if group["code"] in within.get(code, ())],
        }
        for code, label in labels.items()
    ]


def _region(
    answers: Mapping[str, pa.Table],
    groups: Sequence[Mapping[str, Any]],
    single: Sequence[Mapping[str, Any]],
    axes: Sequence[Axis],
) -> tuple[dict[str, list[Any]], list[str], list[str]]:
    """Spread the figures of all groups, then those of all heads, over places and years."""
    common = ("cases", "rate_per_lakh", "change_pct", "trend")
    of_groups = _cubes(
        answers["crime_by_place"],
        "crime_by_region",
        ("crime_group", "state_code", "year"),
        [[group["code"] for group in groups], *axes],
        (*common, "rank_in_year", "magnitude"),
    )
    if any(t is None and c is not None for t, c in zip(of_groups["trend"], of_groups["cases"], strict=True)):
        raise BadInput(
            "The tables crime_by_region and crime_by_period do not hold the same cases.", hint=AGAIN
        )
    of_heads = _cubes(
        answers["crime_by_head"],
        "crime_facts",
        ("crime_head", "state_code", "year"),
        [[head["code"] for head in single], *axes],
        common,
    )
    region = {name: of_groups[name] + of_heads[name] for name in common}
    trends, region["trend"] = _coded(region["trend"])
    magnitudes, region["magnitude"] = _coded(of_groups["magnitude"])
    return region | {"rank_in_year": of_groups["rank_in_year"]}, trends, magnitudes


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
                raise BadInput(f"Table {name} has {entry!r}, which the other tables do not know.", hint=AGAIN)
            at = at * len(axis) + position[entry]
        if at in seen:
            said = ", ".join(f"{k} {v}" for k, v in zip(keys, key, strict=True))
            raise BadInput(f"Table {name} has more than one row of {said}.", hint=AGAIN)
        seen.add(at)
        for value in values:
            cubes[value][at] = short(columns[value][row])
    return cubes


def short(value: Any) -> Any:
    """Write 12.0 as 12: it reads back as the same number.

    Parameters
    ----------
    value
        A figure, a text or ``None``.

    Returns
    -------
    Any
        An `int` for a `float` without a fraction, else `value`.
    """
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _coded(values: Iterable[str | None]) -> tuple[list[str], list[int | None]]:
    """Replace texts by their place in a list of them."""
    texts = list(values)
    names = sorted({text for text in texts if text is not None})
    place = {name: i for i, name in enumerate(names)}
    return names, [None if text is None else place[text] for text in texts]


def _women(answers: Mapping[str, pa.Table], codes: Axis, years: Axis) -> dict[str, Any]:
    table = answers["crimes_against_women"]
    groups = _groups(answers["crime_groups"], "women_facts", heads.women_groups())
    axes: list[Axis] = [[group["code"] for group in groups], codes, years]
    values = ("cases", "rate_per_lakh", "change_pct", "trend")
    keys = ("women_group", "state_code", "year")
    cubes = _cubes(table, "crimes_against_women", keys, axes, values)
    trends, cubes["trend"] = _coded(cubes["trend"])
    pairs = zip(table["year"].to_pylist(), table["scope"].to_pylist(), strict=True)
    scopes = dict(sorted(set(pairs)))
    return {"groups": groups, "trends": trends, "scopes": [scopes.get(year) for year in years], **cubes}


def _traffic(table: pa.Table, bucket: str, codes: Axis, years: Axis) -> dict[str, Any]:
    buckets = sorted(set(table[bucket].to_pylist()))
    values = [name for name in ("cases", "share_pct", "cases_per_day") if name in table.column_names]
    cubes = _cubes(table, f"by {bucket}", ("state_code", "year", bucket), [codes, years, buckets], values)
    return {"buckets": buckets, **cubes}
