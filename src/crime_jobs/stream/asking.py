"""Being asked to stop, by Ctrl-C or a signal, without being torn out of what is under way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def asked_by(*signals: signal.Signals) -> Iterator[list[signal.Signals]]:
    """Take signals as questions while inside; those who handled them before do so again afterwards.

    Parameters
    ----------
    *signals
        The signals.

    Yields
    ------
    list
        Gets each signal that comes.
    """
    asked: list[signal.Signals] = []

    def ask(number: int, _: FrameType | None) -> None:
        asked.append(signal.Signals(number))

    before = {one: signal.signal(one, ask) for one in signals}
    try:
        yield asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
