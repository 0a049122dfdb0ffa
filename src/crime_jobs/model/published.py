"""Figures that NCRB published, to hold the data against."""

from __future__ import annotations

#: Total cognizable crimes under the IPC, all India: NCRB, "Crime in India", table 1.1 of each year's edition.
NATIONAL_IPC_TOTALS = {
    2001: 1_769_308,
    2002: 1_780_330,
    2003: 1_716_120,
    2004: 1_832_015,
    2005: 1_822_602,
    2006: 1_878_293,
    2007: 1_989_673,
    2008: 2_093_379,
    2009: 2_121_345,
    2010: 2_224_831,
    2011: 2_325_575,
    2012: 2_387_188,
    2013: 2_647_722,
    2014: 2_851_563,
}

#: Heads that the IPC table and the table of crimes against women both count, of the same victims.
SHARED_HEADS = (
    "rape",
    "attempt_to_rape",
    "kidnapping_to_compel_marriage",
    "kidnapping_women_girls",
    "dowry_death",
    "assault_on_women",
    "insult_to_modesty",
    "cruelty_by_husband",
    "importation_of_girls",
)
