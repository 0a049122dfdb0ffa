"""What a question's parameters may be: a typing error is told, instead of answered with no rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from crime_jobs.adhoc.questions import Question
from crime_jobs.errors import WrongUsage
from crime_jobs.model.fir_event import GROUPS
from crime_jobs.model.heads import crime_groups, labels, women_groups
from crime_jobs.model.places import COUNTRY, COUNTRY_CODE, TOGETHER_CODE, find_state, fold, states

#: What stands for no choice, in every parameter that has one.
ALL = "all"

_LEVELS = ("country", "combined", "state", "district")
_FACT_TABLES = ("crime_facts", "women_facts")
_FORMS = {
    "year": (re.compile(r"\d{4}|latest"), "a year as 2014, latest, or all"),
    "since": (re.compile(r"\d{4}/\d\d/\d\d"), "a day as 2026/11/24, or all"),
}


def checked(question: Question, given: Mapping[str, str]) -> dict[str, str]:
    """Hold values against what their parameter may be.

    Parameters
    ----------
    question
        The question.
    given
        Values by name.

    Returns
    -------
    dict
        The values; a state may be given by its name in any spelling, and comes back as its code.

    Raises
    ------
    WrongUsage
        If one can't be; a close one is named.
    """
    return {name: _checked(question, name, value.strip()) for name, value in given.items()}


def _checked(question: Question, name: str, value: str) -> str:
    if value.lower() == ALL:
        return ALL
    if name.startswith("state_"):
        return _state(name, value)
    if name in _FORMS:
        form, words = _FORMS[name]
        if not form.fullmatch(value.lower()):
            raise WrongUsage(f"{name}={value} can't be: it is {words}.")
        return value.lower()
    known = _known(question, name)
    if known is None:
        return value
    if value.lower() not in known:
        raise _unknown(name, value, known)
    return value.lower()


def _known(question: Question, name: str) -> Collection[str] | None:
    if name == "crime_group":
        return GROUPS if question.name.startswith("firs_") else crime_groups()
    known: dict[str, Collection[str]] = {
        "women_group": women_groups(),
        "crime_head": labels(),
        "level": _LEVELS,
        "fact_table": _FACT_TABLES,
    }
    return known.get(name)


def _state(name: str, value: str) -> str:
    special = {fold(text): text for text in (COUNTRY_CODE, TOGETHER_CODE)} | {fold(COUNTRY): COUNTRY_CODE}
    if found := special.get(fold(value)):
        return found
    if state := find_state(value):
        return state.code
    raise _unknown(name, value, [*states(), COUNTRY_CODE, *(s.name for s in states().values())])


def _unknown(name: str, value: str, known: Collection[str]) -> WrongUsage:
    names = {one.lower(): one for one in known}
    near = get_close_matches(value.lower(), names, n=1)
    meant = f" Is {names[near[0]]} meant?" if near else ""
    few = f"It is one of {', '.join(known)}, or all." if len(known) <= len(GROUPS) else ""
    return WrongUsage(
        f"{name} has no value {value!r}.{meant}",
        hint=few
        or "`crime-jobs sql crime_groups` lists groups and heads; a state has a name or a code (IN-TN).",
    )
