"""What is to be seen of a cluster that comes or goes: its states, on stderr, and how long it has taken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from crime_jobs.emr.clusters import Tell


@contextmanager
def states(doing: str) -> Iterator[Tell]:
    """Show the states of a cluster.

    Parameters
    ----------
    doing
        What is shown until there is one.

    Yields
    ------
    callable
        Takes the cluster's id and its state.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    begun = time.monotonic()
    with console.status(f"{doing} …") as status:

        def tell(cluster_id: str, state: str) -> None:
            seconds = int(time.monotonic() - begun)
            console.print(f"{seconds // 60}:{seconds % 60:02d}  {cluster_id}  {state}")
            status.update(f"{cluster_id}  {state} …")

        yield tell
