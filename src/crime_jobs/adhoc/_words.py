"""The data-quality table in plain words, and figures in Indian grouping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crime_jobs.model import heads

OK = "ok"

#: What each check compares, for people: title and one sentence.
CHECKS = {
    "districts_against_totals": (
        "Districts against the state's total",
        "The districts of a state, head by head, add up to the state's own total row.",
    ),
    "heads_against_row_total": (
        "Crime heads against the row's total",
        "The crime heads of a row, each case once, add up to the total in the same row.",
    ),
    "parts_against_whole": (
        "Parts against their whole",
        "Heads that are part of another add up to it, in the same row.",
    ),
    "one_row_per_key": (
        "One row a place and year",
        "No file lists a district twice in the same year.",
    ),
    "same_districts_in_women_table": (
        "The same districts in both tables",
        "Every district of the crime table is in that of crimes against women, and vice versa.",
    ),
    "women_table_against_ipc_table": (
        "Crimes against women in both tables",
        "Heads that both tables count have the same figure in both.",
    ),
    "slots_against_months": (
        "Road accidents by hour and by month",
        "A state's accidents of a year are as many by time of day as by month.",
    ),
    "rows_used": ("Rows used", "Every row of every file could be used; none is in quarantine."),
    "facts_against_state_totals": (
        "The lake against the source",
        "What was loaded adds up to the state's total row: nothing lost, nothing counted twice.",
    ),
    "years_against_published": (
        "Years against the published national figure",
        "All districts of a year add up to the national total that NCRB published.",
    ),
}

_SENTENCES = {
    "districts_against_totals": ("the districts add up to {found}, the state's total row says {expected}"),
    "heads_against_row_total": ("the crime heads add up to {found}, the row's own total says {expected}"),
    "parts_against_whole": "the parts add up to {found}, the whole says {expected}",
    "one_row_per_key": "the file has {found} rows for this place and year; all of them are counted",
    "women_table_against_ipc_table": (
        "the table of crimes against women has {found}, the IPC table {expected}"
    ),
    "slots_against_months": "{found} accidents by time of day, {expected} by month",
    "rows_used": "{found} of {expected} rows could be used, the others are in quarantine",
    "facts_against_state_totals": ("the lake has {found}, the source's total row says {expected}"),
    "years_against_published": "the districts add up to {found}, NCRB published {expected}",
}


@dataclass(frozen=True)
class Check:
    """One check with its count of comparisons."""

    name: str
    title: str
    text: str
    ok: int
    wrong: int


@dataclass(frozen=True)
class Discrepancy:
    """One comparison that did not come out, in words and as it stands in the table."""

    check_name: str
    title: str
    where: str
    sentence: str
    source_file: str
    scope: str
    status: str
    expected: int | None
    found: int | None
    difference: int | None


def indian(number: float | None) -> str:
    """Write a number with Indian digit grouping.

    Parameters
    ----------
    number
        Any number, or ``None``.

    Returns
    -------
    str
        ``2647722`` gives ``26,47,722``; ``None`` gives ``none``.
    """
    if number is None:
        return "none"
    whole, _, fraction = str(abs(number)).partition(".")
    first, last = whole[:-3], whole[-3:]
    pairs = [first[max(0, i - 2) : i] for i in range(len(first), 0, -2)][::-1]
    grouped = ",".join([*pairs, last]) + (f".{fraction}" if fraction else "")
    return f"\N{MINUS SIGN}{grouped}" if number < 0 else grouped


def count_checks(rows: Iterable[Mapping[str, Any]]) -> list[Check]:
    """Count comparisons by check.

    Parameters
    ----------
    rows
        Mappings with ``check_name``, ``status`` and ``count``.

    Returns
    -------
    list of Check
        In the order of `CHECKS`; a check not listed there comes last, under its own name.
    """
    ok: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for row in rows:
        (ok if row["status"] == OK else wrong)[row["check_name"]] += row["count"]
    known = [name for name in CHECKS if name in ok or name in wrong]
    names = known + sorted((ok.keys() | wrong.keys()) - CHECKS.keys())
    return [Check(n, *CHECKS.get(n, (n.replace("_", " "), "")), ok[n], wrong[n]) for n in names]


def discrepancies(rows: Iterable[Mapping[str, Any]], places: Mapping[str, str]) -> list[Discrepancy]:
    """Put the rows that are not ok into words.

    Parameters
    ----------
    rows
        Rows of ``data_quality`` whose status is not ``ok``.
    places
        State code to name.

    Returns
    -------
    list of Discrepancy
        By check, largest difference first.
    """
    order = list(CHECKS)
    found = [_discrepancy(row, places) for row in rows]
    rank = {
        name: order.index(name) if name in order else len(order) for name in {d.check_name for d in found}
    }
    return sorted(found, key=lambda d: (-rank[d.check_name], -abs(d.difference or 0), d.scope, d.source_file))


def _discrepancy(row: Mapping[str, Any], places: Mapping[str, str]) -> Discrepancy:
    name = row["check_name"]
    return Discrepancy(
        check_name=name,
        title=CHECKS.get(name, (name.replace("_", " "), ""))[0],
        where=_where(row["scope"], places),
        sentence=_sentence(row),
        **{key: row[key] for key in ("source_file", "scope", "status", "expected", "found", "difference")},
    )


def _where(scope: str, places: Mapping[str, str]) -> str:
    """Say ``IN-TN / Karur / 2001 / line 555`` as ``Karur, Tamil Nadu, 2001, line 555``."""
    code, *rest = scope.split(" / ")
    labels = heads.labels()
    rest = [labels.get(part, part) for part in rest if part not in ("total of the row", heads.TOTAL)]
    state = places.get(code, code)
    if rest and not rest[0].isdigit():
        return ", ".join([rest[0], state, *rest[1:]])
    return ", ".join([state, *rest])


def _sentence(row: Mapping[str, Any]) -> str:
    if row["check_name"] == "same_districts_in_women_table":
        here, there = "the IPC crime table", "the table of crimes against women"
        if row["found"]:
            here, there = there, here
        return f"it is in {here} but missing in {there}"
    said = _SENTENCES.get(row["check_name"], "{status}: expected {expected}, found {found}")
    text = said.format(status=row["status"], expected=indian(row["expected"]), found=indian(row["found"]))
    if row["check_name"] in ("one_row_per_key", "rows_used") or not row["difference"]:
        return text
    way = "more" if row["difference"] > 0 else "fewer"
    return f"{text}: {indian(abs(row['difference']))} {way}"
