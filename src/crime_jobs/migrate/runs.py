"""Runs of a migration or an export: one at a time, and each one's end is told.

A run is an entry of the ledger, ``run#<started>#<id>``:

``kind``, ``state``, ``started``, ``ended``, ``seconds``, ``facts``
    ``migrate``, ``export`` or ``validate``; ``running``, ``done``, ``failed`` or ``interrupted``; times in
    ISO 8601, UTC; counts by name.
``error``, ``hint``
    Why it failed and what to do: the words of our own errors, of any other only its type, since what
    it says may hold a row.
``told``, ``claim``, ``claimed``
    Whether its end was told, or who was about to; see `crime_jobs.migrate.notify`.
``env``, ``region``, ``lake``, ``topic``, ``again``
    Where it ran, who is told, and how it is run again.

Who notes an end: the run itself, after Ctrl-C and SIGTERM too; if it was killed, its watcher
(`crime_jobs.migrate._watching`); if that was killed with it, the next run of the task, whatever its kind,
once the lease has run out (`crime_jobs.migrate._lease`). Each of them writes only where the state is still
``running``. A run that was killed before it had an entry is known by its lease only, and nobody tells of it.
"""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from crime_jobs import aws, output
from crime_jobs.errors import CrimeJobsError, JobFailed
from crime_jobs.migrate import _lease, notify, statistics
from crime_jobs.migrate._outcome import DONE, RUNNING, outcome_of
from crime_jobs.migrate._watch import Watcher
from crime_jobs.migrate.ledger import Ledger, now
from crime_jobs.migrate.notify import NO_TOPIC, TOLD, UNTOLD

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Entry
    from crime_jobs.settings import Settings

#: State that `history` gives to a run of which nobody noted yet that it is no longer there.
GONE = "gone"
#: Who tells of an end.
RUN, WATCHER = "the run", "its watcher"

_AGAIN = "Run it again: it goes on from the part it was at."


@dataclass
class Record:
    """A run that is under way.

    Parameters
    ----------
    facts
        What is told of it at its end: counts by name, and ``failed``, a list of tables.
    run
        Its id.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    run: str = ""


@contextmanager
def recorded(
    settings: Settings, ledger: Ledger, kind: str, topic: str | None, *, again: str = ""
) -> Iterator[Record]:
    """Record a run: that it began, that it alone is at work, how it ended; and tell of its end.

    First, of all, earlier runs of the task are looked through: whose end nobody noted or told, that is done
    now. In the main thread, SIGTERM and the loss of the lease end the work where it is; in any other thread
    a loss is found at the end of the work.

    Parameters
    ----------
    settings
        Region and profile; environment and lake are named in what is told.
    ledger
        The task's ledger; its table is made if it is not there.
    kind
        ``migrate``, ``export`` or ``validate``.
    topic
        ARN of the SNS topic that is told of the end; ``None`` for nobody.
    again
        What to do after a kill: a sentence that says how to run it again; it begins with a verb. By
        default, of a migration, that it goes on from the part it was at.

    Yields
    ------
    Record
        Takes what is told.

    Raises
    ------
    JobFailed
        If a run of this kind is under way already; if this one lost its lease; after SIGTERM.
    WrongUsage
        If the topic is of another region.
    AwsRefused
        If the ledger can't be used. That an end can't be written or told is only remarked on stderr.
    """
    if topic:
        aws.check_arn(topic, settings, "The topic")
    ledger.create()
    sweep(ledger, notify.sns(settings), topic)
    run = _Run(settings, ledger, kind, topic, again or (_AGAIN if kind == "migrate" else "Run it again."))
    record = Record(run=run.name.rpartition("#")[2])
    try:
        run.begin()
        with _Stopper(run.watcher, run.again) as stopper:
            run.keep(stopper)
            try:
                yield record
                stopper.check()
            except BaseException as error:
                stopper.disarm()
                run.end(record.facts, stopper.error or error)
                if stopper.error:
                    raise stopper.error from None
                raise
            else:
                stopper.disarm()
                if not run.end(record.facts, None):
                    raise _lease.lost(run.name)
    finally:
        run.leave()


class _Stop(BaseException):
    """Unwinds the main thread; no ``except Exception`` on the way holds it up."""


class _Stopper:
    """Ends the work in the main thread: at SIGTERM, or when another thread asks for it."""

    def __init__(self, watcher: Watcher, again: str) -> None:
        self.error: CrimeJobsError | None = None
        self._watcher, self._again = watcher, again
        self._armed = True
        self._lock = threading.Lock()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._before: Any = None

    def __enter__(self) -> Self:
        if self._is_main:
            self._before = signal.signal(signal.SIGTERM, self._handle)
        return self

    def __exit__(self, kind: object, raised: BaseException | None, trace: object) -> None:
        if self._is_main and self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        if isinstance(raised, _Stop) and self.error:  # it came while the end was being written
            raise self.error from None

    def stop(self, error: CrimeJobsError) -> None:
        """End the work; called by another thread."""
        with self._lock:
            if not self._armed or self.error:
                return
            self.error = error
            if self._is_main:  # a real signal, since that also wakes a thread that waits
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self._armed:
            return
        if not self.error:
            self.error = JobFailed("The run was ended (SIGTERM).", hint=self._again)
        self._armed = False  # another one must not cut short what the first has begun
        # YARN kills 250 ms later: the watcher must know what it was.
        self._watcher.send(outcome_of({}, self.error))
        raise _Stop

    def disarm(self) -> None:
        """Stop nothing from now on: the end is being written."""
        with self._lock:
            self._armed = False

    def check(self) -> None:
        """Raise what the work was to be ended with, where no signal could."""
        if self.error:
            raise self.error


class _Run:
    """What is written of one run."""

    def __init__(self, settings: Settings, ledger: Ledger, kind: str, topic: str | None, again: str) -> None:
        self.again = again
        self._settings, self._ledger, self._kind, self._topic = settings, ledger, kind, topic
        self._started = now()
        # Entries come by their names: to the millisecond, so that runs of one second stand as they began.
        self.name = f"run#{_lease.now()}#{uuid.uuid4().hex[:12]}"
        self._lease = _lease.Lease(ledger, kind, self.name)
        self.watcher = Watcher(settings, ledger, kind, self.name, again)

    def begin(self) -> None:
        """Take the lease, then say so: a run that is seen as running without a lease is gone."""
        facts = {
            "kind": self._kind,
            "state": RUNNING,
            "started": self._started,
            "told": UNTOLD,
            "env": self._settings.env,
            "region": self._settings.region,
            "lake": self._settings.lake,
            "topic": self._topic,
            "again": self.again,
        }
        try:
            self._lease.take()
            self._ledger.put(self.name, facts)
            self.watcher.start()
        except BaseException as error:
            if self._lease.may_be_held:
                self.end({}, error)
            raise

    def keep(self, stopper: _Stopper) -> None:
        """Keep the lease, and stop the work if it is lost."""
        client = aws.client("dynamodb", self._settings, attempts=1)
        self._lease.keep(Ledger(client, self._ledger.task, self._ledger.table), stopper.stop)

    def end(self, facts: Mapping[str, Any], error: BaseException | None) -> bool:
        """Write how it ended, let others begin, tell; what of it fails, fails with a remark only.

        Returns
        -------
        bool
            ``False`` if others have noted already that it is gone.
        """
        noted = True
        outcome = outcome_of(facts, error, self.again)
        self.watcher.send(outcome)  # from here on it can finish what this process can't
        try:
            noted = finish(self._ledger, self._kind, self.name, outcome)
            try:
                notify.tell(self._ledger, notify.sns(self._settings), self.name, self._topic, by=RUN)
            except CrimeJobsError as failed:
                output.note(f"Nobody was told how the run ended; the next run will tell. {failed}")
            self.watcher.done()
        except Exception as failed:  # noqa: BLE001 - how the run itself ended is what matters
            said = str(failed) if isinstance(failed, CrimeJobsError) else type(failed).__name__
            output.note(f"How the run ended could not be written to the ledger; it is tried again. {said}")
        return noted

    def leave(self) -> None:
        """Let go of what this process still holds of it; what was not written, the watcher now writes."""
        self._lease.stop()
        self.watcher.close()


def finish(ledger: Ledger, kind: str, name: str, outcome: Entry) -> bool:
    """Note how a run ended, unless another end was noted, and free its lease.

    Parameters
    ----------
    ledger
        The task's ledger.
    kind
        The run's kind.
    name
        The run's entry.
    outcome
        Its state, time, facts and error.

    Returns
    -------
    bool
        Whether this is what stands there now.
    """
    ended, seconds = outcome["ended"], None
    if ended:
        took = datetime.fromisoformat(ended) - _lease.started_of(name)
        seconds = max(0, round(took.total_seconds()))
    if outcome["state"] != DONE and not outcome["facts"]:  # it did not come to count
        with suppress(CrimeJobsError):
            outcome = {**outcome, "facts": _so_far(ledger, kind)}
    noted = ledger.update(name, {**outcome, "seconds": seconds}, only_if={"state": RUNNING})
    _lease.let_go(ledger, kind, name)
    return noted


def _so_far(ledger: Ledger, kind: str) -> dict[str, int]:
    """Return what the ledger knows of a migration, whichever of its runs did it."""
    if kind != "migrate":
        return {}
    found = statistics.read(ledger.client, ledger.task, ledger.table)
    completed = sum(one.TableState == statistics.COMPLETED for one in found)
    rows = sum(one.FullLoadRows for one in found)
    return {"tables_begun": len(found), "tables_completed": completed, "rows_so_far": rows}


def sweep(ledger: Ledger, client: notify.Sns, topic: str | None) -> None:
    """Note the ends of runs that are gone, and tell of those of which nobody told.

    Parameters
    ----------
    ledger
        The task's ledger.
    client
        Makes a client of SNS.
    topic
        ARN of the topic; ``None`` for each run's own.
    """
    mine = uuid.uuid4().hex[:12]
    for name, run in list(ledger.entries("run#")):
        if run["told"] in (TOLD, NO_TOPIC):  # nearly all of a long history: no question each
            continue
        if run["state"] == RUNNING and not _bury(ledger, name, run):
            continue
        try:
            notify.tell(ledger, client, name, topic, by=mine)
        except CrimeJobsError as error:
            output.note(f"Nobody could be told how an earlier run ended. {error}")
            return  # it would be the same for all others


def _bury(ledger: Ledger, name: str, run: Entry) -> bool:
    """Note that a run is gone, if it is."""
    lock = ledger.get(_lease.lock_of(run["kind"])) or {}
    seen = None
    if lock.get("run") == name:
        # First the lease: a run that only paused loses it for good, and finds out; it is not called gone
        # while it goes on.
        if _lease.is_alive(lock, name) or not _lease.let_go(ledger, run["kind"], name, lock["until"]):
            return False
        seen = _lease.last_seen(lock)
    words = f" after {seen}" if seen else ""
    error = JobFailed(
        f"It gave no sign of life{words}: it was killed, or its machine was.",
        hint=f"Unless a later run did it all: {run['again'][0].lower()}{run['again'][1:]}",
    )
    finish(ledger, run["kind"], name, outcome_of({}, error) | {"ended": seen})
    return True


def history(ledger: Ledger) -> list[dict[str, Any]]:
    """List the runs of a task.

    Parameters
    ----------
    ledger
        The task's ledger.

    Returns
    -------
    list of dict
        The oldest first, with the keys ``run``, ``kind``, ``state``, ``started``, ``ended``, ``seconds``,
        ``facts``, ``error``, ``hint``, ``told``. The state of one that is gone without anybody noting it is
        ``gone``: the next run notes it, and tells.
    """
    names = ("kind", "state", "started", "ended", "seconds", "facts", "error", "hint", "told")
    found = []
    for name, run in list(ledger.entries("run#")):
        told = {"run": name.rpartition("#")[2], **{key: run.get(key) for key in names}}
        if told["state"] == RUNNING:
            lock = ledger.get(_lease.lock_of(run["kind"])) or {}
            told["state"] = RUNNING if _lease.is_alive(lock, name) else GONE
        found.append(told)
    return found
