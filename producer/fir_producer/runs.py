"""A run of the producer: items in, events out; the live line, the ledger, and how it ended."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crime_jobs import output
from crime_jobs.errors import AwsRefused, BadInput, CrimeJobsError, Interrupted, JobFailed, WrongUsage
from crime_jobs.model.fir import BadFir
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings
from fir_producer import ledger as ledgers
from fir_producer import positions
from fir_producer.delivery import Delivery, Lines, event_of, opener
from fir_producer.metrics import Reporter
from fir_producer.options import SenderOptions
from fir_producer.sources import Item
from fir_producer.stopping import Stop

#: Seconds from one look at the counters to the next: on a terminal, and in a log.
_LIVE, _LOG = 0.25, 30.0
_LEDGER = 5.0
_POSITION = 0.5

#: So many bad lines are said one by one; all of them are in the file of rejects.
_SAID = 10


@dataclass(frozen=True)
class Plan:
    """What a run is told.

    Parameters
    ----------
    source
        Where the items come from, for people.
    rejects, failed, report
        Files: of lines that are no FIR, of FIRs that were not confirmed, of the summary.
    position
        File of how far the source is done; ``None`` for a source that has none.
    options
        How the sender works.
    metrics
        Whether CloudWatch is told.
    """

    source: str
    rejects: Path | None = None
    failed: Path | None = None
    report: Path | None = None
    position: Path | None = None
    options: SenderOptions = SenderOptions()  # noqa: RUF009 - frozen
    metrics: bool = False


class Rejects:
    """Lines that are no FIR: told by position and reason, never by what they hold."""

    def __init__(self, source: str, path: Path | None, *, append: bool = False) -> None:
        self._source, self._lines, self.count = source, Lines(path, append=append), 0

    def add(self, line: int, reason: str) -> None:
        """Tell of one."""
        self.count += 1
        self._lines.add(source=self._source, line=line, reason=reason)
        if self.count <= _SAID:
            output.complain(f"{self._source}, line {line}: {reason}")
        elif self.count == _SAID + 1:
            output.note("More bad lines are only counted here; --rejects FILE has all.")

    def close(self) -> None:
        """Close the file."""
        self._lines.close()


def preview(items: Iterable[Item], rejects: Rejects) -> None:
    """Print the events that would be sent, without identity.

    Parameters
    ----------
    items
        What the source gives.
    rejects
        Told of what is no FIR.

    Raises
    ------
    BadInput
        At the end, if a line was no FIR.
    """
    for item in items:
        try:
            values = event_of(item.checked(), lambda _key, _content: "").as_dict()
        except BadFir as error:
            rejects.add(item.line, str(error))
            continue
        del values["identity"]
        sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    rejects.close()
    _refuse_bad(rejects)


def run(
    settings: Settings,
    stream: StreamSettings,
    plan: Plan,
    items: Callable[[Stop], Iterable[Item]],
) -> dict[str, Any]:
    """Send what a source gives.

    Parameters
    ----------
    settings, stream
        Where to.
    plan
        See `Plan`.
    items
        Gives the source, which stops when told.

    Returns
    -------
    dict
        The summary, also printed by the caller.

    Raises
    ------
    JobFailed
        If FIRs were not confirmed.
    Interrupted
        If it was stopped; all that was taken has an outcome.
    BadInput
        If lines were no FIRs; all others were sent.
    AwsRefused, SenderClosed
        If AWS refused.
    """
    from crime_jobs.sealing import Sealer

    _try_to_write(plan.report)
    follows = plan.position is not None
    rejects = Rejects(plan.source, plan.rejects, append=follows)
    failures = Lines(plan.failed, append=follows)
    sealer = Sealer(settings, stream.key)
    ledger = ledgers.Ledger(settings, stream, plan.source)
    started = time.monotonic()
    with Stop() as stop:
        # What follows a source must not go on behind a gap; others go on, and say at the end what is missing.
        on_failure = stop.now if follows else lambda: None
        opened = opener(settings, stream, plan.options)
        delivery = Delivery(opened, sealer.seal, failed=failures, on_failure=on_failure)
        reporter = _reporter(settings, stream, delivery) if plan.metrics else None
        # Only now: a run that never began to send must not stand there as one that was killed.
        with _closing_if_it_fails(delivery, rejects):
            ledger.write(ledgers.RUNNING, confirmed=0, failed=0, distinct_firs=0)
        watch = _Watch(plan, delivery, ledger, rejects, started)
        trouble: Exception | None = None
        with watch.watching():
            try:
                with delivery:
                    _send(items(stop), delivery, rejects, follows=follows)
            except Exception as error:  # noqa: BLE001 - raised again when the run is noted
                trouble = error
        if reporter:
            reporter.close()
        rejects.close()
        summary = watch.ended(trouble, stopped=stop.by_signal)
    if plan.report:
        plan.report.write_text(json.dumps(summary) + "\n", encoding="utf-8")
    output.show([summary], None, title=f"Sent to {stream.name}")
    _judge(trouble, delivery, rejects, stopped=stop.by_signal)
    return summary


@contextmanager
def _closing_if_it_fails(delivery: Delivery, rejects: Rejects) -> Iterator[None]:
    try:
        yield
    except BaseException:
        delivery.__exit__(None, None, None)
        rejects.close()
        raise


def _reporter(settings: Settings, stream: StreamSettings, delivery: Delivery) -> Reporter:
    from crime_jobs import aws

    return Reporter(aws.client("cloudwatch", settings), stream.name, delivery.sender)


def _try_to_write(path: Path | None) -> None:
    try:
        if path:
            path.touch()
    except OSError as error:
        raise WrongUsage(f"{path} can't be written: {error.strerror}.") from error


def _send(items: Iterable[Item], delivery: Delivery, rejects: Rejects, *, follows: bool) -> None:
    for item in items:
        mark = delivery.tracker.begin(item.position) if follows and item.position else None
        try:
            delivery.send(item.checked(), line=item.line, mark=mark)
        except BadFir as error:
            rejects.add(item.line, str(error))
            if mark:
                delivery.tracker.done(mark)


def _judge(trouble: Exception | None, delivery: Delivery, rejects: Rejects, *, stopped: bool) -> None:
    """End as what happened asks for."""
    if trouble:
        raise trouble
    counts = delivery.counts
    if counts.failed:
        why = ", ".join(f"{count:,} {code}" for code, count in sorted(delivery.errors.items()))
        raise JobFailed(
            f"{counts.failed:,} of {counts.accepted:,} FIRs were not confirmed ({why}).",
            hint="Run it again: FIRs sent twice are one. --failed FILE lists their keys.",
        )
    if stopped:
        raise Interrupted(
            f"Stopped. All {counts.confirmed:,} FIRs that were taken are confirmed.",
            hint="Run it again to go on: FIRs sent twice are one.",
        )
    _refuse_bad(rejects)


def _refuse_bad(rejects: Rejects) -> None:
    if rejects.count:
        raise BadInput(
            f"{rejects.count:,} lines are no FIRs; all others were taken.",
            hint="Correct them and send them again; --rejects FILE lists line and reason.",
        )


class _Watch:
    """Looks at the counters while a run is under way, from a thread of its own."""

    def __init__(
        self, plan: Plan, delivery: Delivery, ledger: ledgers.Ledger, rejects: Rejects, started: float
    ) -> None:
        self._plan, self._delivery, self._ledger, self._rejects = plan, delivery, ledger, rejects
        self._started, self._over = started, threading.Event()
        self._saved: positions.Position | None = None
        self._last = (started, 0)
        self._trouble: CrimeJobsError | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while inside."""
        from rich.console import Console

        console = Console(stderr=True)
        status = console.status("Starting …")

        def show(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                output.note(text)

        thread = threading.Thread(
            target=self._look, args=(show, _LIVE if console.is_terminal else _LOG), daemon=True
        )
        with status:
            thread.start()
            try:
                yield
            finally:
                self._over.set()
                thread.join()

    def ended(self, trouble: Exception | None, *, stopped: bool) -> dict[str, Any]:
        """Note the end; returns the summary."""
        self._save_position()
        counts = self._counts()
        failed = trouble is not None or counts["failed"]
        state = ledgers.FAILED if failed else ledgers.STOPPED if stopped else ledgers.DONE
        self._write(state)
        if self._trouble and trouble is None:
            raise self._trouble
        seconds = time.monotonic() - self._started
        latencies = self._delivery.sender.latencies
        return {
            "run_id": self._ledger.run_id,
            "source": self._plan.source,
            **counts,
            "seconds": round(seconds, 1),
            "records_per_s": round((counts["confirmed"] or 0) / seconds, 1),
            "p50_ms": round(latencies.percentile(0.5) * 1000),
            "p99_ms": round(latencies.percentile(0.99) * 1000),
        }

    def _counts(self) -> dict[str, int | None]:
        counts = self._delivery.counts
        return {
            "sent": counts.accepted,
            "confirmed": counts.confirmed,
            "failed": counts.failed,
            "retried": counts.retried,
            "rejected": self._rejects.count,
            "distinct_firs": self._delivery.distinct,
        }

    def _look(self, show: Callable[[str], None], every: float) -> None:
        shown = noted = time.monotonic()
        while not self._over.wait(min(every, _POSITION)):
            now = time.monotonic()
            self._save_position()
            if now - shown >= every:
                shown = now
                show(self._line(now))
            if now - noted >= _LEDGER:
                noted = now
                self._write(ledgers.RUNNING)

    def _save_position(self) -> None:
        position = self._delivery.tracker.position
        if self._plan.position and position and position != self._saved:
            try:
                positions.save(self._plan.position, position)
                self._saved = position
            except JobFailed as error:
                self._trouble = error

    def _write(self, state: str) -> None:
        try:
            self._ledger.write(state, **self._counts())
            if isinstance(self._trouble, AwsRefused):  # this one makes up for those that were not written
                self._trouble = None
        except AwsRefused as error:
            self._trouble = error

    def _line(self, now: float) -> str:
        counts = self._delivery.counts
        before, confirmed = self._last
        if now - before >= 1:
            self._last = (now, counts.confirmed)
        rate = (counts.confirmed - confirmed) / (now - before) if now > before else 0.0
        latencies = self._delivery.sender.latencies
        return (
            f"sent {counts.accepted:,}, confirmed {counts.confirmed:,}, failed {counts.failed:,}, "
            f"retried {counts.retried:,}; {rate:,.0f} a second; "
            f"p50 {latencies.percentile(0.5) * 1000:,.0f} ms, p99 {latencies.percentile(0.99) * 1000:,.0f} ms"
        )
