"""One run of a kind at a time: an entry of the ledger says which, and until when it counts as alive.

A thread renews the lease while the run is at work. One that has run out, of a run that its entry calls
running, is taken by nobody as it stands: `crime_jobs.migrate.runs` first notes that the run is gone, and
lets the lease go. `Lease.take` takes those that were let go, and those that have run out whose run has
nothing more to be noted: it was killed before it had an entry, or between the note of its end and the
letting go. Each of these is a conditional write, so that of two that try, one succeeds.

*Clocks.* "Until" is a time of day, read by other machines. It is assumed that their clocks differ by less
than `SKEW_SECONDS`, as they do with Amazon's time service. Should they differ by more, a lease can be taken
from a run that is alive; that run finds out when it next renews, and stops: so two are at work for some
seconds at most. The holder measures by a clock that nobody sets: cut off from the ledger for
`LEASE_SECONDS`, it stops of itself, before another may take over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crime_jobs.errors import CrimeJobsError, JobFailed
from crime_jobs.migrate._outcome import RUNNING

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Entry, Ledger

#: Seconds between two renewals, for which a lease holds, and by which clocks may differ.
RENEW_SECONDS, LEASE_SECONDS, SKEW_SECONDS = 5.0, 60.0, 10.0
#: Seconds beyond a renewal that another run waits for a lease: so long its watcher may take after a kill.
PATIENCE_SECONDS = 4.0

_LOST = "What was moved stays. Run it again, unless a later run goes on from there already."


def now(ahead: float = 0.0) -> str:
    """Return the time as leases have it: ISO 8601, UTC, milliseconds; so they can be compared as text.

    Parameters
    ----------
    ahead
        Seconds from now.

    Returns
    -------
    str
    """
    return (datetime.now(UTC) + timedelta(seconds=ahead)).isoformat(timespec="milliseconds")


def started_of(run: str) -> datetime:
    """Return when a run began, by the name of its entry; whole seconds, as its ``started``."""
    return datetime.fromisoformat(run.split("#")[1]).replace(microsecond=0)


def lock_of(kind: str) -> str:
    """Return the name of the entry of a kind's lease."""
    return f"lock#{kind}"


def is_alive(lock: Entry, run: str) -> bool:
    """Tell whether a run holds a lease that has not run out.

    Parameters
    ----------
    lock
        The lease's entry; empty if there is none.
    run
        The run's entry.

    Returns
    -------
    bool
    """
    return lock.get("run") == run and str(lock["until"]) > now(-SKEW_SECONDS)


def last_seen(lock: Entry) -> str:
    """Return when the holder of a lease last renewed it, in whole seconds."""
    until = datetime.fromisoformat(lock["until"])
    return (until - timedelta(seconds=LEASE_SECONDS)).isoformat(timespec="seconds")


def lost(run: str, why: str = "") -> JobFailed:
    """Return the error of a run that may not go on.

    Parameters
    ----------
    run
        The run's entry.
    why
        By default, that it seemed gone.

    Returns
    -------
    JobFailed
    """
    why = why or "it gave no sign of life for more than a minute, and its lease was taken from it"
    return JobFailed(f"The run {run.rpartition('#')[2]} stopped: {why.rstrip('.')}.", hint=_LOST)


def let_go(ledger: Ledger, kind: str, run: str, until: str | None = None) -> bool:
    """Free a lease, if it is that run's.

    Parameters
    ----------
    ledger
        The task's ledger.
    kind
        The run's kind.
    run
        The run's entry.
    until
        What the lease must still say; one that was renewed meanwhile stays.

    Returns
    -------
    bool
        Whether it was freed, by whomever.
    """
    seen = {"run": run} | ({"until": until} if until else {})
    return ledger.update(lock_of(kind), {"run": ""}, only_if=seen)


class Lease:
    """The lease of one run.

    Parameters
    ----------
    ledger
        The task's ledger.
    kind
        The run's kind.
    run
        The run's entry, ``run#<started>#<id>``.

    Attributes
    ----------
    may_be_held
        Whether it was taken, or asked for without an answer: then it must be let go.
    """

    def __init__(self, ledger: Ledger, kind: str, run: str) -> None:
        self._ledger, self._kind, self._run = ledger, kind, run
        self.may_be_held = False
        self._asked = time.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Take the lease; if another run has it, look whether that is alive first.

        Raises
        ------
        JobFailed
            If another run is under way.
        """
        end = time.monotonic() + RENEW_SECONDS + PATIENCE_SECONDS
        first: str | None = None
        while True:
            lock = self._ledger.get(lock_of(self._kind)) or {}
            if self._is_free(lock):
                self.may_be_held, self._asked = True, time.monotonic()
                mine = {"run": self._run, "until": now(LEASE_SECONDS)}
                # Its time too: one that was only paused may have woken, and renewed it.
                seen = {name: lock.get(name) for name in mine}
                if self._ledger.update(lock_of(self._kind), mine, only_if=seen):
                    return
                self.may_be_held = False
                continue
            first = first or lock["until"]
            if lock["until"] != first or time.monotonic() > end:  # renewed: it is alive
                raise self._refused(lock)
            time.sleep(0.3)

    def _is_free(self, lock: Entry) -> bool:
        holder = lock.get("run")
        if not holder or holder == self._run:
            return True
        if is_alive(lock, holder):
            return False
        run = self._ledger.get(holder)
        return not run or run["state"] != RUNNING

    def _refused(self, lock: Entry) -> JobFailed:
        since, other = started_of(lock["run"]).isoformat(), lock["run"].rpartition("#")[2]
        until = datetime.fromisoformat(lock["until"]) + timedelta(seconds=SKEW_SECONDS + 1)
        return JobFailed(
            f"A run of {self._kind} of {self._ledger.task} is under way since {since} (run {other}).",
            hint="Wait for its end, or end it. If its machine is gone, it counts as alive until "
            f"{until.isoformat(timespec='seconds')}: run it again then.",
        )

    def keep(self, ledger: Ledger, stop: Callable[[JobFailed], None]) -> None:
        """Renew it from now on, in a thread of its own.

        Parameters
        ----------
        ledger
            The ledger through a client that does not repeat calls, so that the thread keeps its time.
        stop
            Called, from that thread, if the lease was lost.
        """
        self._thread = threading.Thread(target=self._renew, args=(ledger, stop), daemon=True)
        self._thread.start()

    def _renew(self, ledger: Ledger, stop: Callable[[JobFailed], None]) -> None:
        renewed = self._asked  # not now: the taking may have taken long, and others count from then
        while not self._ended.wait(RENEW_SECONDS):
            asked = time.monotonic()
            try:
                facts = {"until": now(LEASE_SECONDS)}
                if ledger.update(lock_of(self._kind), facts, only_if={"run": self._run}):
                    renewed = asked
                    continue
                why = ""
            except CrimeJobsError as error:
                if time.monotonic() - renewed < LEASE_SECONDS:
                    continue
                why = f"its lease could not be renewed. {error.message}"
            if not self._ended.is_set():
                stop(lost(self._run, why))
            return

    def stop(self) -> None:
        """Renew it no more."""
        self._ended.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(1)
