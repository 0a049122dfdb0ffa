"""What is being done right now, on stderr: spinners on a terminal, a line when done elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

#: What takes less is not worth a line.
WORTH_SAYING = 0.5


class Steps:
    """Shows steps while they run, also several at once; a context manager.

    Parameters
    ----------
    console
        Where to; usually stderr.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress:
            self._progress.stop()

    def do(self, label: str, work: Callable[[], T]) -> T:
        """Do one step.

        Parameters
        ----------
        label
            What it is, for the person who waits.
        work
            Does it.

        Returns
        -------
        T
            What ``work`` returns.
        """
        began = time.monotonic()
        if self._progress is None:
            result = work()
            if (took := time.monotonic() - began) > WORTH_SAYING:
                self.console.print(f"  {label}: {took:.1f} s", highlight=False)
            return result
        task = self._progress.add_task(label, total=None)
        result = work()
        if time.monotonic() - began < WORTH_SAYING:
            self._progress.remove_task(task)
        else:
            self._progress.update(task, total=1, completed=1)
        return result
