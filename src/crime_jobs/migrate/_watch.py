"""The watcher of a run, as the run sees it; `crime_jobs.migrate._watching` is what it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Entry, Ledger
    from crime_jobs.settings import Settings

#: What a run says last.
DONE = "done"
#: Seconds that a run waits at most for its watcher's end.
LEAVE_SECONDS = 5.0


class Watcher:
    """The watcher, as the run sees it.

    Parameters
    ----------
    settings
        Region and profile; nothing else of them travels, and nothing secret: arguments can be seen by others.
    ledger
        The task's ledger.
    kind, run
        The run's kind and entry.
    again
        How it is run again.
    """

    def __init__(self, settings: Settings, ledger: Ledger, kind: str, run: str, again: str) -> None:
        self._told = json.dumps(
            {
                "env": settings.env,
                "region": settings.region,
                "profile": settings.profile,
                "task": ledger.task,
                "table": ledger.table,
                "kind": kind,
                "run": run,
                "again": again,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._is_done = False

    def start(self) -> None:
        """Start it; a run without one is remarked on, and goes on."""
        reading, self._pipe = os.pipe()  # neither is inherited, but as the watcher's stdin
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "crime_jobs.migrate._watching", self._told],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_places())},
                start_new_session=True,
            )
        except OSError as error:
            from crime_jobs import output

            output.note(
                f"The run has no watcher ({error.strerror}): if it is killed, the next run tells of it."
            )
        finally:
            os.close(reading)

    def send(self, outcome: Entry) -> None:
        """Say how the run is about to end; what is said last counts.

        Parameters
        ----------
        outcome
            What is to be written of it.
        """
        self._write(outcome)

    def done(self) -> None:
        """Say that all is written and told."""
        self._write(DONE)
        self._is_done = True

    def _write(self, what: Any) -> None:
        if self._pipe is not None:
            with suppress(OSError):  # it was killed; then there is nobody to tell
                os.write(self._pipe, json.dumps(what).encode() + b"\n")

    def close(self) -> None:
        """Let it go; wait for its end if it has nothing left to do."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._process and self._is_done:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LEAVE_SECONDS)


def _places() -> list[str]:
    """Where this process finds its modules, by paths that outlast a folder of links, as YARN's are."""
    return [str(Path(place or ".").resolve()) for place in sys.path]
