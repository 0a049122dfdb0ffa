"""Draws FIRs in proportion to NCRB's figures. What they say is invented, and says so."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from crime_jobs.model import heads
from crime_jobs.model.fir import Fir
from fir_producer import proportions
from fir_producer.proportions import Cell, Proportions
from fir_producer.terrain import Terrain

#: Indian Standard Time: what stations write.
IST = timezone(timedelta(hours=5, minutes=30))

#: Police stations that a district is given.
STATIONS = 4

#: How many FIRs after a Zero FIR its numbered one comes, at most; and how far back a duplicate reaches.
_UNTIL_NUMBERED, _BACK = 20, 100

#: How late a late FIR is, and one that is merely out of order.
LATE = (timedelta(minutes=10), timedelta(hours=2))
DISORDER = (timedelta(seconds=1), timedelta(seconds=30))


class Shares(BaseModel):
    """How many of the FIRs are special: shares from 0 to 1.

    Parameters
    ----------
    duplicates
        Sent a second time, word for word.
    zero
        Zero FIRs; each is followed by the numbered FIR that it becomes.
    late
        Reported ten minutes to two hours before they are sent.
    disorder
        Reported up to half a minute before they are sent, so that others overtake them.
    protected
        Sexual offences; ``None`` for as many as NCRB counted.
    """

    model_config = ConfigDict(frozen=True)

    duplicates: float = Field(default=0.0, ge=0, le=1)
    zero: float = Field(default=0.0, ge=0, le=1)
    late: float = Field(default=0.0, ge=0, le=1)
    disorder: float = Field(default=0.0, ge=0, le=1)
    protected: float | None = Field(default=None, ge=0, le=1)


@dataclass
class Generator:
    """Draws FIRs; the same ones for the same parameters.

    Parameters
    ----------
    figures
        What they are drawn in proportion to.
    terrain
        Where they are put.
    seed
        Of all draws.
    start
        When the first is reported.
    step
        From one to the next.
    shares
        How many are special.
    """

    figures: Proportions
    terrain: Terrain
    seed: int
    start: datetime
    step: timedelta
    shares: Shares = field(default_factory=Shares)
    _random: Random = field(init=False, repr=False)
    _tag: str = field(init=False, repr=False)
    _numbers: Counter[tuple[str, str, int, bool]] = field(default_factory=Counter, init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - it is to be the same each time
        # Stations are a run's own: two runs never give one key to two FIRs.
        told = repr((self.seed, self.start.astimezone(IST), self.step, self.shares, self.figures.cells[:1]))
        self._tag = hashlib.sha256(told.encode()).hexdigest()[:6]
        guarded = proportions.protected_heads()
        others = frozenset(cell.head for cell in self.figures.cells) - guarded
        self._guarded = self.figures.of_heads(guarded)
        self._others = self.figures.of_heads(others)

    def firs(self, count: int | None = None) -> Iterator[Fir]:
        """Draw FIRs.

        Parameters
        ----------
        count
            How many, duplicates and numbered FIRs included; by default without end.

        Yields
        ------
        Fir
        """
        recent: deque[Fir] = deque(maxlen=_BACK)
        numbered: list[tuple[int, dict[str, Any]]] = []  # when each is due, in order
        index = 0
        while count is None or index < count:
            now = self.start + index * self.step
            left = None if count is None else count - index
            if numbered and (numbered[0][0] <= index or len(numbered) == left):
                fir = self._numbered(numbered.pop(0)[1], now)
            elif recent and self._random.random() < self.shares.duplicates:
                fir = self._random.choice(recent)
            else:
                room = left is None or left - 1 > len(numbered)
                form = self._form(index, now)
                if room and self._random.random() < self.shares.zero:
                    fir = self._zero(form)
                    due = index + self._random.randint(1, _UNTIL_NUMBERED)
                    numbered.append((due, form | {"zero_key": fir.key}))
                    numbered.sort(key=lambda one: one[0])
                else:
                    fir = Fir.model_validate(form | self._registered(form, is_zero=False))
            recent.append(fir)
            yield fir
            index += 1

    def _cell(self, month: int) -> Cell:
        if self.shares.protected is None:
            return self.figures.cell(self._random, month)
        guarded = self._random.random() < self.shares.protected
        return (self._guarded if guarded else self._others).cell(self._random, month)

    def _form(self, index: int, now: datetime) -> dict[str, Any]:
        reported = self._reported(now)
        cell = self._cell(reported.month)
        hour = self.figures.hour(self._random, cell)
        midnight = reported.replace(hour=0, minute=0, second=0, microsecond=0)
        occurred = midnight + timedelta(hours=hour)
        if occurred > reported:  # the last time that it was that hour
            occurred -= timedelta(days=1)
        point = self.terrain.point(self._random, cell.state_code)
        return {
            "state_code": cell.state_code,
            "district": cell.district,
            "acts": [{"act": act, "section": section} for act, section in proportions.sections_of(cell.head)],
            "occurred_from": occurred.replace(microsecond=0),
            "reported_at": reported,
            "place": {
                "address": f"Invented address {index:06d}",
                "longitude": point and point[0],
                "latitude": point and point[1],
            },
            "complainant": self._person("Complainant", index),
            "accused": [self._person("Accused", index)],
            "text": f"Generated FIR {index:06d}: {heads.labels()[cell.head]}. It did not happen.",
        }

    def _reported(self, now: datetime) -> datetime:
        drawn = self._random.random()
        least, most = timedelta(0), timedelta(0)
        if drawn < self.shares.late:
            least, most = LATE
        elif drawn < self.shares.late + self.shares.disorder:
            least, most = DISORDER
        reported = (now - least - self._random.random() * (most - least)).astimezone(IST)
        return reported.replace(microsecond=reported.microsecond // 1000 * 1000)

    def _person(self, role: str, index: int) -> dict[str, Any]:
        return {
            "name": f"{role} {index:06d}",
            "age": self._random.randint(18, 80),
            "sex": self._random.choice("FM"),
            "address": f"Invented address {index:06d}",
        }

    def _zero(self, form: dict[str, Any]) -> Fir:
        """Make the Zero FIR: what it says, registered by a station of wherever else."""
        elsewhere = self._random.choice(self.figures.cells)
        moved = form | {"state_code": elsewhere.state_code, "district": elsewhere.district}
        return Fir.model_validate(moved | self._registered(moved, is_zero=True))

    def _numbered(self, form: dict[str, Any], now: datetime) -> Fir:
        """Make the FIR that a Zero FIR becomes: what it says, registered where it belongs, now."""
        reported = max(now.astimezone(IST), form["reported_at"])
        reported = reported.replace(microsecond=reported.microsecond // 1000 * 1000)
        moved = form | {"reported_at": reported}
        return Fir.model_validate(moved | self._registered(moved, is_zero=False))

    def _registered(self, form: dict[str, Any], is_zero: bool) -> dict[str, Any]:
        station = f"Generated {self._tag} PS {self._random.randint(1, STATIONS)}"
        year = form["reported_at"].year
        counter = (f"{form['state_code']}/{form['district']}", station, year, is_zero)
        self._numbers[counter] += 1
        return {
            "police_station": station,
            "fir_number": self._numbers[counter],
            "fir_year": year,
            "is_zero": is_zero,
        }
