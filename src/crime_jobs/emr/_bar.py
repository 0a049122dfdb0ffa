"""The progress bar of packaging, on stderr."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from crime_jobs.emr.package import Progress, Step


@contextmanager
def progress() -> Iterator[Progress]:
    """Show on stderr what `crime_jobs.emr.package.ship` is at: bytes, speed and total.

    Yields
    ------
    callable
        Takes a `crime_jobs.emr.package.Step`, from any thread.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    lock, bars = threading.Lock(), {}
    with Bars(*columns, console=Console(stderr=True), transient=True) as shown:

        def tell(step: Step) -> None:
            with lock:
                if step.what not in bars:
                    bars[step.what] = shown.add_task(step.what, total=step.total)
            shown.update(bars[step.what], completed=step.done)

        yield tell
