"""What FIRs are drawn after: NCRB's cases by district and head, road accidents by month and hour."""

from __future__ import annotations

import calendar
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

from crime_jobs.errors import BadInput
from crime_jobs.model import heads, landing
from crime_jobs.model.fir_sections import Offence, offences

LAYOUT = "ipc_2014"
FILES = (
    "01_District_wise_crimes_committed_IPC_2014.csv",
    "road_accidents_by_month_2001_2014.csv",
    "road_accidents_by_time_of_day_2001_2014.csv",
)
YEAR = 2014

MONTHS, SLOTS, SLOT_HOURS = 12, 8, 3
DAYS_OF_YEAR = 365

#: The road files have the two undivided.
_PROFILE_OF = {"IN-TS": "IN-AP"}

#: Heads whose section can't be told from `sections.csv`. An attempt is charged with the offence and BNS 62;
#: the others' sections that are mild are about something special (snatching, terrorist acts).
_SECTIONS = {
    "attempt_to_rape": (("BNS", "64"), ("BNS", "62")),
    "theft_other": (("BNS", "303(2)"),),
    "sedition": (("BNS", "152"),),
    "against_state_other": (("BNS", "147"),),
}


class Cell(NamedTuple):
    """What NCRB counted: cases of a head in a district."""

    state_code: str
    district: str
    head: str
    cases: int


@dataclass(frozen=True)
class Proportions:
    """Proportions, and draws from them.

    Parameters
    ----------
    cells
        Cases of 2014 by district and head; no totals, no head beside its parts.
    months, hours
        By state code: road accidents of 2014 by month, and by three hours of the day.
    """

    cells: Sequence[Cell]
    months: Mapping[str, Sequence[int]]
    hours: Mapping[str, Sequence[int]]
    _cumulated: dict[int, list[float]] = field(default_factory=dict, repr=False, compare=False)

    def weights(self, month: int) -> list[float]:
        """Return how often each cell comes in a month, beside the others.

        Parameters
        ----------
        month
            1 to 12. Traffic heads have more of the year's cases in some months than in others, as their
            state's road accidents have; others are spread evenly, since NCRB has no figures for them.
        """
        share_of_days = calendar.monthrange(YEAR, month)[1] / DAYS_OF_YEAR
        factors = {
            code: count[month - 1] / sum(count) / share_of_days
            for code, count in self.months.items()
            if sum(count)
        }
        return [
            cell.cases * factors.get(_profile(cell.state_code), 1.0)
            if cell.head in traffic_heads()
            else float(cell.cases)
            for cell in self.cells
        ]

    def cell(self, random: Random, month: int) -> Cell:
        """Draw a district and head."""
        if month not in self._cumulated:
            self._cumulated[month] = list(accumulate(self.weights(month)))
        sums = self._cumulated[month]
        return self.cells[bisect_right(sums, random.random() * sums[-1])]

    def hour(self, random: Random, cell: Cell) -> float:
        """Draw the hour of the day at which one happens: 0 to 24."""
        counts = self.hours.get(_profile(cell.state_code), ()) if cell.head in traffic_heads() else ()
        if not sum(counts):
            return random.random() * 24
        return (random.choices(range(SLOTS), counts)[0] + random.random()) * SLOT_HOURS

    def of_heads(self, wanted: frozenset[str]) -> Proportions:
        """Return the same of some heads alone."""
        return Proportions([cell for cell in self.cells if cell.head in wanted], self.months, self.hours)


def load(folder: Path) -> Proportions:
    """Read the official files.

    Parameters
    ----------
    folder
        Where they are.

    Returns
    -------
    Proportions

    Raises
    ------
    BadInput
        If one is missing or is not what it should be.
    """
    entries = [entry for name in FILES for entry in _entries(folder / name) if entry.year == YEAR]
    good = [entry for entry in entries if entry.row_kind == "district" and entry.leaf and entry.cases]
    cells = [
        Cell(entry.state_code or "", entry.district or "", entry.head or "", entry.cases or 0)
        for entry in good
        if entry.fact == "crime"
    ]
    if not cells:
        raise BadInput(f"{folder / FILES[0]} has no cases of {YEAR}.")
    return Proportions(cells, _profiles(good, FILES[1], MONTHS), _profiles(good, FILES[2], SLOTS))


def _entries(path: Path) -> list[landing.Entry]:
    try:
        return list(landing.parse(path.name, path.read_bytes()))
    except OSError as error:
        raise BadInput(
            f"{path} can't be read: {error.strerror}.",
            hint="The generator draws after NCRB's files: give their folder with --data.",
        ) from error
    except landing.BadFile as error:
        raise BadInput(f"{path}: {error}.") from error


def _profiles(entries: Sequence[landing.Entry], name: str, size: int) -> dict[str, list[int]]:
    # Months and slots are columns of the file, in their order.
    found: dict[str, dict[str, int]] = {}
    for entry in entries:
        if entry.source_file == name and entry.state_code and entry.head:
            found.setdefault(entry.state_code, {})[entry.head] = entry.cases or 0
    names = sorted({head for counts in found.values() for head in counts})
    if found and len(names) != size:
        raise BadInput(f"{name} has {len(names)} columns of figures, not {size}.")
    return {code: [counts.get(head, 0) for head in names] for code, counts in found.items()}


def _profile(state_code: str) -> str:
    return _PROFILE_OF.get(state_code, state_code)


@cache
def traffic_heads() -> frozenset[str]:
    """Return the heads whose month and hour the road files tell."""
    return heads.crime_groups()["traffic"].heads & heads.leaves(LAYOUT)


@cache
def sections_of(head: str) -> tuple[tuple[str, str], ...]:
    """Return the acts and sections that a generated FIR of a head is under.

    Parameters
    ----------
    head
        A head without parts, of 2014's layout.

    Returns
    -------
    tuple of (act, section)
        The mildest of ``sections.csv`` that is not about children; of the head itself, or else of the head
        that it is part of. A head that the BNS has no offence for keeps the section of the IPC.
    """
    if head in _SECTIONS:
        return _SECTIONS[head]
    line = list(_ancestry(head))
    for act in ("BNS", "IPC"):
        for wanted in ({line[0]}, *({code} for code in line[1:]), _parts(line[-1])):
            if found := [one for one in offences().values() if one.act == act and one.crime_head in wanted]:
                chosen = min(found, key=_mildness)
                return ((act, chosen.section),)
    raise ValueError(f"sections.csv has nothing for {head}")


def _mildness(one: Offence) -> tuple[bool, float]:
    return one.protected, 0.0 if one.protected else one.years


def _ancestry(head: str) -> list[str]:
    parents = {found.crime_head: found.parent for found in heads.layout(LAYOUT).values()}
    line = [head]
    while parent := parents.get(line[-1]):
        line.append(parent)
    return line


def _parts(head: str) -> set[str]:
    direct = heads.parts(LAYOUT).get(head, ())
    return {head, *direct, *(part for code in direct for part in _parts(code))}


@cache
def protected_heads() -> frozenset[str]:
    """Return the heads whose FIRs are protected by their sections."""
    known = offences()
    return frozenset(
        head
        for head in heads.leaves(LAYOUT)
        if any(known[pair].protected for pair in sections_of(head) if pair in known)
    )
