"""Which crime head, group and care an act and section stand for: ``vocabulary/sections.csv``, read once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from crime_jobs.model.heads import crime_groups
from crime_jobs.model.vocabulary import read_csv

#: Acts by the abbreviation that an FIR gives.
ACTS = (
    "BNS",  # Bharatiya Nyaya Sanhita, 2023: offences from 1 July 2024
    "IPC",  # Indian Penal Code, 1860: offences before
    "POCSO",  # Protection of Children from Sexual Offences Act, 2012
    "DPA",  # Dowry Prohibition Act, 1961
    "ITPA",  # Immoral Traffic (Prevention) Act, 1956
    "NDPS",  # Narcotic Drugs and Psychotropic Substances Act, 1985
    "ARMS",  # Arms Act, 1959
    "MVA",  # Motor Vehicles Act, 1988
    "ITA",  # Information Technology Act, 2000
    "SCST",  # Scheduled Castes and Scheduled Tribes (Prevention of Atrocities) Act, 1989
    "JJA",  # Juvenile Justice (Care and Protection of Children) Act, 2015
    "OTHER",
)

#: Of an act without sections of its own in the vocabulary.
_ANY = "*"

#: The group of a head is the first of these that holds it: NCRB's groups overlap, a FIR is counted in one.
_ORDER = ("traffic", "against_women", "violent", "against_body", "property", "economic", "public_order")


@dataclass(frozen=True)
class Offence:
    """What a section stands for.

    Parameters
    ----------
    act, section
        As the vocabulary has them: ``124(2)``, or ``*`` for all of an act.
    crime_head
        Code of `crime_jobs.model.heads`, or ``sll_…`` for a special or local law.
    years
        The longest imprisonment; 100 stands for life or death. It decides which offence is the principal one.
    grave
        Of those that the control room hears of at once.
    against_women
        An offence against women.
    protected
        A sexual offence, or one against children: the identity is shown to nobody (BNS 72, POCSO 23, JJA 74).
    """

    act: str
    section: str
    crime_head: str
    years: float
    grave: bool
    against_women: bool
    protected: bool


_UNKNOWN = {"BNS": "other_ipc_2014", "IPC": "other_ipc_2014"}


@cache
def offences() -> dict[tuple[str, str], Offence]:
    """Return the vocabulary by act and section."""
    return {
        (row["act"], row["section"]): Offence(
            row["act"],
            row["section"],
            row["crime_head"],
            float(row["years"]),
            row["grave"] == "1",
            row["against_women"] == "1",
            row["protected"] == "1",
        )
        for row in read_csv("sections.csv")
    }


def offence(act: str, section: str) -> Offence:
    """Return what an act's section stands for.

    Parameters
    ----------
    act
        One of `ACTS`.
    section
        As written, ``103(1)``; looked up without clauses that the vocabulary does not tell apart.

    Returns
    -------
    Offence
        One that the vocabulary lacks is among the other crimes, and not grave.
    """
    known = offences()
    bare = re.sub(r"\(.*", "", section)
    for name in (section, *_shorter(section), bare, _ANY):
        if found := known.get((act, name)):
            return found
    return Offence(
        act,
        section,
        _UNKNOWN.get(act, "sll_other_law"),
        0.0,
        grave=False,
        against_women=False,
        protected=False,
    )


def _shorter(section: str) -> Iterable[str]:
    """Return it without its last clause, then the last two …: ``310(3)(a)`` is one of ``310(3)``."""
    parts = re.findall(r"^[^(]+|\([^)]*\)", section)
    return ("".join(parts[:count]) for count in range(len(parts) - 1, 1, -1))


def principal(found: Iterable[Offence]) -> Offence:
    """Return the principal offence: NCRB counts a case once, under the one punished hardest.

    Parameters
    ----------
    found
        The offences of one FIR, at least one. Of equals the first stands.

    Returns
    -------
    Offence
    """
    return max(found, key=lambda one: one.years)


@cache
def group_of(crime_head: str) -> str:
    """Return the one group that a head is counted in on the stream.

    Parameters
    ----------
    crime_head
        Code of a head.

    Returns
    -------
    str
        One of `crime_jobs.model.fir_event.GROUPS`.
    """
    groups = crime_groups()
    if crime_head in _WOMEN_TOO:
        return "against_women"
    return next((name for name in _ORDER if crime_head in groups[name].heads), "other")


#: Heads of the tables of crimes against women that no group of the crime tables has.
_WOMEN_TOO = frozenset(
    {"miscarriage_without_consent", "death_by_miscarriage", "sll_dowry_prohibition", "sll_immoral_traffic"}
)
