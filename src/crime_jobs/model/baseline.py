"""How many FIRs a district has as a rule: NCRB's last year of its cases, by the groups of the stream.

A baseline is a CSV file, ``state_code,district,crime_group,cases_per_year``, one row a district and group.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crime_jobs.errors import BadInput
from crime_jobs.model.fir_event import GROUPS
from crime_jobs.model.fir_sections import group_of
from crime_jobs.model.landing import Entry

COLUMNS = ("state_code", "district", "crime_group", "cases_per_year")

MINUTES_PER_YEAR = 365.25 * 24 * 60

#: State code, district, group.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Baseline:
    """Cases a year.

    Parameters
    ----------
    cases
        By state code, district and group.
    """

    cases: Mapping[Key, int]

    def expected(self, state_code: str, district: str, crime_group: str, minutes: float) -> float:
        """Return how many FIRs are expected in a while.

        Parameters
        ----------
        state_code, district, crime_group
            Where, and of which group.
        minutes
            How long.

        Returns
        -------
        float
            A year's cases spread evenly; 0 for a district that the baseline does not have, or a group that
            NCRB counted no case of in it.
        """
        return self.cases.get((state_code, district, crime_group), 0) * minutes / MINUTES_PER_YEAR


def of_entries(entries: Iterable[Entry], year: int | None = None) -> Baseline:
    """Add up NCRB's figures.

    Parameters
    ----------
    entries
        Of one file or more, as `crime_jobs.model.landing.parse` gives them. What is no district's crime is
        passed over, and so are heads that have parts: each case is counted once.
    year
        Which year; by default the last one there is.

    Returns
    -------
    Baseline
    """
    by_year: dict[int, Counter[Key]] = {}
    for entry in entries:
        if entry.fact != "crime" or entry.row_kind != "district" or not entry.leaf or not entry.cases:
            continue
        if entry.state_code and entry.district and entry.head and entry.year:
            key = (entry.state_code, entry.district, group_of(entry.head))
            by_year.setdefault(entry.year, Counter())[key] += entry.cases
    chosen = max(by_year, default=0) if year is None else year
    return Baseline(dict(sorted(by_year.get(chosen, Counter()).items())))


def to_csv(baseline: Baseline) -> str:
    """Write a baseline.

    Parameters
    ----------
    baseline
        The baseline.

    Returns
    -------
    str
        The file's text, in the order of its keys.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*key, cases) for key, cases in sorted(baseline.cases.items()))
    return text.getvalue()


def from_csv(text: str, name: str = "baseline") -> Baseline:
    """Read a baseline.

    Parameters
    ----------
    text
        The file's text.
    name
        Name of the file, for messages.

    Returns
    -------
    Baseline

    Raises
    ------
    BadInput
        If it is not one; the line and the column are named.
    """
    rows = csv.reader(io.StringIO(text))
    if next(rows, None) != list(COLUMNS):
        raise BadInput(
            f"{name}: line 1 is not {','.join(COLUMNS)}.", hint="`crime-jobs stream baseline` writes one."
        )
    cases: dict[Key, int] = {}
    for row in rows:
        where = f"{name}: line {rows.line_num}"
        if len(row) != len(COLUMNS):
            raise BadInput(f"{where}: {len(row)} fields, not {len(COLUMNS)}.")
        state, district, group, count = row
        if group not in GROUPS:
            raise BadInput(f"{where}: crime_group is none of {', '.join(GROUPS)}.")
        if not count.isdecimal():
            raise BadInput(f"{where}: cases_per_year is not a whole number.")
        if (state, district, group) in cases:
            raise BadInput(f"{where}: this district and group stand there twice.")
        cases[state, district, group] = int(count)
    return Baseline(cases)
