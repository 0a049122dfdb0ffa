"""Crime heads of every layout in one vocabulary, and which head is part of which.

NCRB renamed and split its heads in 2014, and its tables list a head beside its own parts. A *leaf* is a
head without parts in its layout: the leaves of a row add up to the row's total, each case counted once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from crime_jobs.model.places import fold
from crime_jobs.model.vocabulary import read_csv, read_toml

#: Layouts of the crime tables and of the tables of crimes against women, each with its first year.
CRIME_LAYOUTS = {"ipc_2001": 2001, "ipc_2014": 2014}
WOMEN_LAYOUTS = {"women_2001": 2001, "women_2014": 2014}

TOTAL = "=total"


@dataclass(frozen=True)
class Head:
    """A crime head as one layout has it.

    Parameters
    ----------
    layout
        ``ipc_2001``, ``ipc_2014``, ``women_2001`` or ``women_2014``.
    source_name
        The column's name in the source.
    crime_head
        The project's code, the same in all layouts; ``=total`` for the row's own total.
    parent
        Code of the head this one is part of in this layout, or the empty string.
    label
        The name shown to people.
    """

    layout: str
    source_name: str
    crime_head: str
    parent: str
    label: str


@dataclass(frozen=True)
class Group:
    """A crime group: a question people ask, answered by the heads in it.

    Parameters
    ----------
    code, label
        Code in the marts and the name shown to people.
    heads
        Every head code of the group, parts included; a fact belongs to the group if its head is here.
    defined_by
        The NCRB table that defines it.
    break_2014
        Why 2014 does not compare with the years before, or the empty string.
    """

    code: str
    label: str
    heads: frozenset[str]
    defined_by: str
    break_2014: str


@cache
def layout(name: str) -> dict[str, Head]:
    """Return a layout's heads by folded source name.

    Parameters
    ----------
    name
        Name of the layout.

    Returns
    -------
    dict
        `fold` of the source's column name to `Head`; the total is among them where the layout has one.
    """
    return {
        fold(row["source_name"]): Head(**row) for row in read_csv("crime_heads.csv") if row["layout"] == name
    }


def layout_of(layouts: dict[str, int], year: int) -> str:
    """Return the layout in force in a year.

    Parameters
    ----------
    layouts
        `CRIME_LAYOUTS` or `WOMEN_LAYOUTS`.
    year
        The year of the figures.

    Returns
    -------
    str
        The last layout that begins in or before that year; the first one for years before it.
    """
    started = [name for name, first in layouts.items() if first <= year]
    return started[-1] if started else next(iter(layouts))


@cache
def parts(layout_name: str) -> dict[str, tuple[str, ...]]:
    """Return which heads of a layout are made of which others.

    Parameters
    ----------
    layout_name
        Name of the layout.

    Returns
    -------
    dict
        Code of each head that has parts to the codes of its parts.
    """
    found: dict[str, tuple[str, ...]] = {}
    for head in layout(layout_name).values():
        if head.parent:
            found[head.parent] = (*found.get(head.parent, ()), head.crime_head)
    return found


@cache
def leaves(layout_name: str) -> frozenset[str]:
    """Return the heads of a layout that have no parts in it.

    Parameters
    ----------
    layout_name
        Name of the layout.

    Returns
    -------
    frozenset of str
        Codes; summed over a row they give its total.
    """
    codes = {head.crime_head for head in layout(layout_name).values()}
    return frozenset(codes - parts(layout_name).keys() - {TOTAL})


@cache
def find_head(layout_name: str, text: str) -> Head | None:
    """Find a head by its code or by the source's name for it.

    Parameters
    ----------
    layout_name
        The layout that the text comes from: 2014's ``Kidnapping & Abduction`` is a part of what
        the years before call by the same name.
    text
        A code or a source's name.

    Returns
    -------
    Head or None
        ``None`` when the layout has no such head.
    """
    by_code = {head.crime_head: head for head in layout(layout_name).values()}
    return by_code.get(text.strip()) or layout(layout_name).get(fold(text))


@cache
def labels() -> dict[str, str]:
    """Return the name shown to people for each head.

    Returns
    -------
    dict
        Code to label.
    """
    rows = read_csv("crime_heads.csv")
    return {row["crime_head"]: row["label"] for row in rows if row["crime_head"] != TOTAL}


def _with_parts(tops: list[str], layouts: dict[str, int]) -> frozenset[str]:
    known = {h.crime_head for name in layouts for h in layout(name).values()} - {TOTAL}
    if tops == ["*"]:
        return frozenset(known)
    if missing := set(tops) - known:
        raise ValueError(f"a group names heads that no layout has: {sorted(missing)}")
    found, todo = set[str](), list(tops)
    while todo:
        code = todo.pop()
        found.add(code)
        todo.extend(part for name in layouts for part in parts(name).get(code, ()))
    return frozenset(found)


def _groups(file_name: str, layouts: dict[str, int]) -> dict[str, Group]:
    return {
        code: Group(
            code=code,
            label=entry["label"],
            heads=_with_parts(entry["heads"], layouts),
            defined_by=entry["defined_by"],
            break_2014=entry.get("break_2014", ""),
        )
        for code, entry in read_toml(file_name).items()
    }


@cache
def crime_groups() -> dict[str, Group]:
    """Return the groups of the crime tables.

    Returns
    -------
    dict
        Code to `Group`, in the order people are shown them.
    """
    return _groups("crime_groups.toml", CRIME_LAYOUTS)


@cache
def women_groups() -> dict[str, Group]:
    """Return the groups of the tables of crimes against women.

    Returns
    -------
    dict
        Code to `Group`, in the order people are shown them.
    """
    return _groups("women_groups.toml", WOMEN_LAYOUTS)
