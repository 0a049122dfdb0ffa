"""States, union territories and districts: one code or name for every spelling the sources use."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from crime_jobs.model.vocabulary import read_csv

COUNTRY_CODE = "IN"
COUNTRY = "India"

#: Andhra Pradesh and Telangana together: the one series that the split of June 2014 does not break.
TOGETHER_CODE = "IN-AP+TS"
TOGETHER = "Andhra Pradesh and Telangana (together)"
TOGETHER_MEMBERS = ("IN-AP", "IN-TS")
#: The first year whose crime files count Telangana apart.
SPLIT_YEAR = 2014


@dataclass(frozen=True)
class State:
    """A state or union territory.

    Parameters
    ----------
    code
        ISO 3166-2:IN style code as in ``india_states.geojson``, for example ``IN-TN``.
    name
        The name shown to people.
    """

    code: str
    name: str


def fold(text: str) -> str:
    """Reduce a name to what spellings have in common.

    Parameters
    ----------
    text
        A name as a source writes it.

    Returns
    -------
    str
        Upper case, ``&`` written ``AND``, letters and digits (of any script) only: ``A&N Islands``
        and ``A & N ISLANDS`` both give ``AANDNISLANDS``.
    """
    return "".join(_words(text.replace("&", " AND ")))


def _words(text: str) -> list[str]:
    # Letters, digits and the marks that belong to a letter: a vowel sign of Devanagari is part of its word.
    kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in unicodedata.normalize("NFKC", text))
    return "".join(kept).upper().split()


@cache
def states() -> dict[str, State]:
    """Return the 36 states and union territories by code.

    Returns
    -------
    dict
        Code to `State`, in the order of the codes.
    """
    return {row["state_code"]: State(row["state_code"], row["state"]) for row in read_csv("states.csv")}


@cache
def _states_by_spelling() -> dict[str, State]:
    found: dict[str, State] = {}
    for row in read_csv("states.csv"):
        state = State(row["state_code"], row["state"])
        spellings = [
            row["state"],
            row["state_code"],
            row["former_code"],
            *row["spellings"].split("|"),
        ]
        for spelling in filter(None, spellings):
            if found.setdefault(fold(spelling), state) != state:
                raise ValueError(f"states.csv: {spelling!r} stands for two states")
    return found


def find_state(text: str) -> State | None:
    """Find the state that a source means.

    Parameters
    ----------
    text
        A name or code in any spelling listed in ``vocabulary/states.csv``; case, spaces, dots
        and ``&``/``and`` don't matter.

    Returns
    -------
    State or None
        ``None`` when the spelling is not known: the caller reports it, nothing is guessed.
    """
    return _states_by_spelling().get(fold(text))


def _fold_district(text: str) -> str:
    # The years differ in these two abbreviations for almost every police unit that has them.
    return fold(re.sub(r"\bRLY\b\.?", "RAILWAY", text.upper()))


@cache
def _district_names() -> dict[tuple[str, str], str]:
    return {
        (row["state_code"], _fold_district(row["spelling"])): row["district"]
        for row in read_csv("districts.csv")
    }


_KEEP_UPPER = {"CID", "GRP", "STF", "EOW", "CAW", "SPUWAC", "BIEO", "CP", "PC", "SAS", "SBS", "RPO"}
_KEEP_UPPER |= {"IGI", "DCP", "BBSR", "CTC", "CBCID", "SRP", "KGF", "KMR", "NC", "PS"}


def _title(text: str) -> str:
    """Even out case, abbreviations and punctuation: ``W.RLY AHMEDABAD`` gives ``W Railway Ahmedabad``."""
    upper = re.sub(r"\bRLY\b\.?", "RAILWAY", text.upper().replace("&", " AND "))
    # "C. I. D." and "G.R.P" are one word each.
    upper = re.sub(r"\b(?:[A-Z]\. ?){2,}(?:[A-Z]\b\.?)?", lambda m: _initials(m.group()), upper)
    named = (w if w in _KEEP_UPPER else "and" if w == "AND" else w.capitalize() for w in _words(upper))
    return " ".join(named)


def _initials(text: str) -> str:
    return re.sub(r"[. ]", "", text) + " "


@cache
def district_name(state_code: str, text: str) -> str:
    """Give a district (or police unit) the one name it has in all years.

    Parameters
    ----------
    state_code
        The state's code.
    text
        The district as the source writes it.

    Returns
    -------
    str
        The name from ``vocabulary/districts.csv`` where the spelling is listed there (renamed and
        respelt districts), otherwise the source's name with its case and spacing evened out. New
        districts are made every year, so an unlisted name is a district, not an error.
    """
    listed = _district_names().get((state_code, _fold_district(text)))
    return listed or _title(text)


def is_total(text: str) -> bool:
    """Tell whether a district column holds a state's own total.

    Parameters
    ----------
    text
        The district column: ``TOTAL``, ``ZZ TOTAL``, ``Total``, ``DELHI UT TOTAL`` and the like.

    Returns
    -------
    bool
        True if the word *total* or *subtotal* stands in it, or *all districts*: no district of India
        is called that. A total row of yet another spelling is found by ``reconcile``.
    """
    words = set(_words(text))
    return bool(words & {"TOTAL", "TOTALS", "SUBTOTAL", "SUBTOTALS"}) or {"ALL", "DISTRICTS"} <= words


_RAILWAY = re.compile(r"\bRAILWAYS?\b|\bRLY\b|\bG\.? ?R\.? ?P\b|\bMETRO\b|^SRP\b", re.IGNORECASE)
_UNIT = re.compile(
    r"\bC\.? ?I\.? ?D\b|CBCID|\bCRIME\b|\bS\.?T\.?F\b|\bEOW\b|ECONOMIC OFF|\bSPL\b|\bBIEO\b|\bCAW\b"
    r"|SPUWAC|VIGILANCE|CYBER CELL|OTHER UNITS|\bTRAFFIC\b|\bDISCOM\b|AIRPORT|ANTI TERROR"
    r"|IRRIGATION|\bI&P\b|\bR\.?P\.?O\b",
    re.IGNORECASE,
)


@cache
def district_kind(text: str) -> str:
    """Tell districts from police units that report like districts.

    Parameters
    ----------
    text
        The district as the source writes it.

    Returns
    -------
    str
        ``railway`` (railway and metro police), ``unit`` (crime branches, CID, special cells and
        the like) or ``district`` (districts, police districts and commissionerates).
    """
    if _RAILWAY.search(text):
        return "railway"
    if _UNIT.search(text):
        return "unit"
    return "district"
