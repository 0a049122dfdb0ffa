"""The log of an export: a line of JSON an event, counts and names only, never a value of an item."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import output
from crime_jobs.errors import CrimeJobsError
from crime_jobs.migrate._place import open_place

if TYPE_CHECKING:
    from crime_jobs.settings import Settings


class RunLog:
    """Keeps ``<logs>/export/<run>.jsonl``; a run that goes on adds to it.

    Parameters
    ----------
    settings
        Region and profile.
    logs
        Folder or URI; ``None`` for nowhere.
    run
        The run.
    """

    def __init__(self, settings: Settings, logs: str | None, run: str) -> None:
        self._place = open_place(logs.rstrip("/"), settings) if logs else None
        self._name, self._run = f"export/{run}.jsonl", run
        self._lock = threading.Lock()
        self._lines: list[str] | None = None

    def note(self, event: str, **facts: Any) -> None:
        """Write an event; that it can't be written is remarked on stderr and stops nothing.

        Parameters
        ----------
        event
            What happened: ``table done``.
        **facts
            Counts, names, the words of our own errors.
        """
        if self._place is None:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "run": self._run,
            "event": event,
        }
        # An object of S3 can't be added to: with an event a table, writing it anew is cheap.
        with self._lock:
            try:
                if self._lines is None:
                    self._lines = (self._place.read_text(self._name) or "").splitlines()
                self._lines.append(json.dumps(line | facts, ensure_ascii=False))
                self._place.write_text(self._name, "\n".join(self._lines) + "\n")
            except CrimeJobsError as error:
                output.note(f"The run's log could not be written. {error}")
