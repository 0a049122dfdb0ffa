"""The generator as a source: when its FIRs are reported, and how fast they come."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crime_jobs.errors import WrongUsage
from fir_producer import proportions, terrain
from fir_producer.generator import Generator, Shares
from fir_producer.sources import Item
from fir_producer.stopping import Stop

#: So much ahead of the clock, FIRs are held back for a moment rather than one by one.
_AHEAD = 0.002


@dataclass(frozen=True)
class Drawing:
    """FIRs to be drawn.

    Parameters
    ----------
    generator
        Draws them.
    rate
        How many a second.
    count
        How many; ``None`` for no end.
    """

    generator: Generator
    rate: float
    count: int | None

    @classmethod
    def of(
        cls,
        data: Path,
        *,
        rate: float,
        count: int | None,
        seed: int | None,
        start: str | None,
        speed: float,
        shares: Shares,
    ) -> Drawing:
        """Prepare.

        Parameters
        ----------
        data
            Folder of the official files.
        rate
            FIRs a second.
        count
            How many.
        seed
            Of the draws; by default another one each time.
        start
            When the first is reported; by default so that the last is reported when it is sent.
        speed
            How many seconds pass between reports while one passes here.
        shares
            How many are special.

        Returns
        -------
        Drawing

        Raises
        ------
        WrongUsage
            If FIRs would be reported in the future.
        BadInput
            If the official files are missing.
        """
        step = timedelta(seconds=speed / rate)
        if speed > 1 and count is None:
            raise WrongUsage("--speed needs --count.", hint="Without an end it would pass today.")
        now = datetime.now(UTC)
        begins = _time(start) if start else now - (count or 0) * step * (1 - 1 / speed)
        if begins > now or (count and begins + count * step > now + count * timedelta(seconds=1 / rate)):
            raise WrongUsage(
                "FIRs would be reported in the future.", hint="Give an earlier --start, or a lower --speed."
            )
        seed = secrets.randbelow(1 << 31) if seed is None else seed
        figures, land = proportions.load(data), terrain.load(data / terrain.FILE, seed)
        return cls(Generator(figures, land, seed, begins, step, shares), rate, count)

    @property
    def source(self) -> str:
        """What the run's ledger calls it."""
        return f"generated, seed {self.generator.seed}"

    def items(self, stopped: Stop | None = None) -> Iterator[Item]:
        """Give the FIRs, each when it is due; all at once when nothing could stop them.

        Parameters
        ----------
        stopped
            Asked whether to stop, and waited with.
        """
        begun = time.monotonic()
        for number, fir in enumerate(self.generator.firs(self.count)):
            if stopped:
                ahead = begun + number / self.rate - time.monotonic()
                if stopped.wait(ahead) if ahead > _AHEAD else stopped():
                    return
            yield Item(number + 1, fir)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise WrongUsage(
            f"--start {text!r} is not a time with a zone.", hint="It looks like 2026-11-24T10:00:00+05:30."
        )
    return found
