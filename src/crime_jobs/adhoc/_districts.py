"""The districts' answers for the page: too many for the first view, so a part of their own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crime_jobs.adhoc._payload import AGAIN, short
from crime_jobs.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

#: Stands for "no figure" and for "not ranked" among the letters of `magnitudes`.
NO_FIGURE, NOT_RANKED = " ", "."
_LETTERS = "abcdefgh"


def districts(answers: Mapping[str, pa.Table], first: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out what is known by district: figures, hot spots and falls.

    A rank is not carried: it is the place of the district's cases among the ranked ones, which is held
    against the answer here.

    Parameters
    ----------
    answers
        See `crime_jobs.adhoc.dashboard.ask_all`.
    first
        `crime_jobs.adhoc._payload.payload` of the same answers.

    Returns
    -------
    dict
        ``districts`` (place and name), ``cases`` (over groups, districts and years), ``magnitude`` (a letter
        for each of them, an index of ``magnitudes``), ``hot`` and ``falling``.

    Raises
    ------
    BadInput
        If a row names what the other tables don't know, comes twice, or has another rank than its cases give.
    """
    places = {
        "crime_group": {group["code"]: i for i, group in enumerate(first["groups"])},
        "state_code": {place["code"]: i for i, place in enumerate(first["places"])},
        "year": {year: i for i, year in enumerate(first["years"])},
    }
    table = answers["crime_by_region"]
    pairs = zip(table["state_code"].to_pylist(), table["district"].to_pylist(), strict=True)
    named = sorted(set(pairs))
    at = {key: i for i, key in enumerate(named)}
    return {
        "districts": [[_known("crime_by_region", places, "state_code", code), name] for code, name in named],
        **_figures(table, places, at),
        "hot": _hot(answers["hot_spots"], places, at),
        "falling": _falling(answers["falling_districts"], places, at),
    }


def _known(table: str, places: Mapping[str, Mapping[Any, int]], column: str, value: Any) -> int:
    found = places[column].get(value)
    if found is None:
        raise BadInput(f"Table {table} has {value!r}, which the other tables do not know.", hint=AGAIN)
    return found


def _figures(
    table: pa.Table, places: Mapping[str, Mapping[Any, int]], at: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    names = ("crime_group", "state_code", "district", "year", "cases", "magnitude", "rank_in_year")
    columns = [table[name].to_pylist() for name in names]
    kinds = sorted({kind for kind in columns[5] if kind is not None})
    letters = {kind: _LETTERS[i] for i, kind in enumerate(kinds)} | {None: NOT_RANKED}
    wide, long = len(places["year"]), len(at) * len(places["year"])
    cases: list[int | None] = [None] * (len(places["crime_group"]) * long)
    magnitude = [NO_FIGURE] * len(cases)
    ranked: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for group, code, district, year, found, kind, rank in zip(*columns, strict=True):
        place = _known("crime_by_region", places, "crime_group", group) * long
        place += at[code, district] * wide + _known("crime_by_region", places, "year", year)
        if magnitude[place] != NO_FIGURE:
            raise BadInput(
                f"Table crime_by_region has more than one row of {district}, {code}, {year}, {group}.",
                hint=AGAIN,
            )
        cases[place], magnitude[place] = found, letters[kind]
        if (kind is None) != (rank is None):
            _wrong_rank(district, code, year, group)
        if rank is not None:
            ranked.setdefault((group, year), []).append((found, rank))
    for (group, year), found in ranked.items():
        ordered = sorted(number for number, _ in found)
        if any(len(ordered) - bisect_right(ordered, number) + 1 != rank for number, rank in found):
            _wrong_rank("a district", "all states", year, group)
    return {"cases": cases, "magnitude": "".join(magnitude), "magnitudes": kinds}


def _wrong_rank(district: str, code: str, year: int, group: str) -> None:
    raise BadInput(
        f"Table crime_by_region has a rank that its cases do not give: {district}, {code}, {year}, {group}.",
        hint=AGAIN,
    )


def _hot(
    table: pa.Table, places: Mapping[str, Mapping[Any, int]], at: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    """Group hot spots by crime group and year; a row is six numbers in a flat list."""
    rules: dict[tuple[str, str], int] = {}
    cells: dict[tuple[int, int], list[list[Any]]] = {}
    for row in table.to_pylist():
        cell, district = _where("hot_spots", row, places, at)
        rule = rules.setdefault((row["hot_spot"], row["rule"]), len(rules))
        figures = [row[name] for name in ("cases", "percentile", "base_cases", "growth_pct")]
        cells.setdefault(cell, []).append([district, *map(short, figures), rule])
    both = {place for (kind, _), place in rules.items() if " and " in kind}
    for rows in cells.values():
        rows.sort(key=lambda r: (r[-1] not in both, -r[1], r[0]))
    return {
        "fields": ["district", "cases", "percentile", "base_cases", "growth_pct", "rule"],
        "rules": [list(key) for key in rules],
        "rows": _flat(cells, places),
    }


def _falling(
    table: pa.Table, places: Mapping[str, Mapping[Any, int]], at: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    cells: dict[tuple[int, int], list[list[Any]]] = {}
    names = ("cases", "base_cases", "growth_pct")
    for row in table.to_pylist():
        cell, district = _where("falling_districts", row, places, at)
        cells.setdefault(cell, []).append([district, *(short(row[name]) for name in names)])
    return {"fields": ["district", *names], "rows": _flat(cells, places)}


def _where(
    table: str,
    row: Mapping[str, Any],
    places: Mapping[str, Mapping[Any, int]],
    at: Mapping[tuple[str, str], int],
) -> tuple[tuple[int, int], int]:
    """Return a row's crime group and year, and its district, by their places."""
    _known(table, places, "state_code", row["state_code"])
    district = at.get((row["state_code"], row["district"]))
    if district is None:
        raise BadInput(
            f"Table {table} has {row['district']!r} of {row['state_code']}, "
            "which the other tables do not know.",
            hint=AGAIN,
        )
    cell = (
        _known(table, places, "crime_group", row["crime_group"]),
        _known(table, places, "year", row["year"]),
    )
    return cell, district


def _flat(
    cells: Mapping[tuple[int, int], list[list[Any]]], places: Mapping[str, Mapping[Any, int]]
) -> list[list[list[Any]]]:
    return [
        [[figure for row in cells.get((g, y), []) for figure in row] for y in range(len(places["year"]))]
        for g in range(len(places["crime_group"]))
    ]
