"""Ctrl-C and SIGTERM: the first one ends a run in order, the second at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LEFT = 130


class Stop:
    """Whether to stop; listens to signals inside its ``with``."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.by_signal = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._told) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Tell whether to stop."""
        return self._event.is_set()

    def now(self) -> None:
        """Stop."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait, less when told to stop; returns whether it was."""
        return self._event.wait(seconds)

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        # Past Python's own buffers: whoever was interrupted may be writing to them.
        if self.by_signal:
            os.write(2, b"\nLeft at once: what had no outcome yet may or may not have been sent.\n")
            os._exit(_LEFT)
        self.by_signal = True
        os.write(2, b"\nStopping: what was taken is sent first. Ctrl-C again leaves at once.\n")
        self._event.set()
