"""How far a match is, told every so often by numbers alone: no photograph has a name here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from crime_jobs import output
from crime_jobs.faces._matcher import Tally

if TYPE_CHECKING:
    from pyspark import SparkContext

#: Seconds between two lines.
EVERY = 30.0


class _Tallies:
    """What Spark adds up of the tasks that have ended (an ``AccumulatorParam``)."""

    def zero(self, _: Tally) -> Tally:
        return Tally()

    def addInPlace(self, one: Tally, other: Tally) -> Tally:  # noqa: N802 - Spark's name
        one.add(other)
        return one


class Telling:
    """Tells on stderr how far a match is, while it is entered.

    Parameters
    ----------
    context
        Spark's.
    photographs
        How many there are to match.
    every
        Seconds between two lines.
    tell
        Takes a line.
    clock
        A monotonic clock.
    """

    def __init__(
        self,
        context: SparkContext,
        photographs: int,
        *,
        every: float = EVERY,
        tell: Callable[[str], None] = output.note,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        param: Any = _Tallies()
        self._so_far = context.accumulator(Tally(), param)
        self._photographs, self._every, self._tell, self._clock = photographs, every, tell, clock
        self._began, self._ended = clock(), threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)

    def counting(self, work: Callable[[Any], Tally]) -> Callable[[Any], Tally]:
        """Return what does a task's work and has it counted; travels to the executors.

        Parameters
        ----------
        work
            Does the work.
        """
        so_far = self._so_far

        def counted(part: Any) -> Tally:
            tally = work(part)
            so_far.add(tally)
            return tally

        return counted

    def __enter__(self) -> Self:
        """Begin to tell."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell no more."""
        self._ended.set()
        self._thread.join(5)

    def _go(self) -> None:
        while not self._ended.wait(self._every):
            self._tell(told(self._so_far.value, self._photographs, self._clock() - self._began))


def told(tally: Tally, photographs: int, seconds: float) -> str:
    """Say how far a match is.

    Parameters
    ----------
    tally
        What was counted so far.
    photographs
        How many there are to match.
    seconds
        Since it began.

    Returns
    -------
    str
        A sentence. How long it still takes is told from the rate so far.
    """
    done = tally.photographs + tally.already + tally.unreadable.total()
    found = f"{done:,} of {photographs:,} photographs, {tally.faces:,} faces, {tally.new:,} new leads"
    if not done or seconds <= 0:
        return f"{found} after {_length(seconds)}."
    rate = done / seconds
    return f"{found}; {rate:.1f} photographs a second, about {_length((photographs - done) / rate)} left."


def _length(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - reads better than 1 min
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004
