"""What is told of a run, how its end is understood, and when a lease that can't be renewed is given up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from crime_jobs.errors import AwsRefused, CrimeJobsError, JobFailed
from crime_jobs.migrate import _lease, notify
from crime_jobs.migrate._outcome import outcome_of
from crime_jobs.migrate._watching import listen
from crime_jobs.migrate.ledger import Ledger

RUN = "run#2026-11-24T07:31:15+00:00#0123456789ab"
ENTRY = {
    "kind": "migrate",
    "state": "done",
    "started": "2026-11-24T07:31:15+00:00",
    "ended": "2026-11-24T08:33:18+00:00",
    "seconds": 3723,
    "facts": {"error_rows": 0, "rows": 1234567, "tables": 12},
    "env": "aws",
    "region": "us-east-1",
    "lake": "s3://lake/x",
}


def told(task: str = "oracle", **more: Any) -> notify.Message:
    return notify.message(Ledger(None, task), RUN, {**ENTRY, **more})


def test_the_message_of_a_run_that_is_done() -> None:
    """The whole of it, as it comes by e-mail."""
    assert told().subject == "crime-jobs migrate oracle: done"
    assert told().body == (
        "The migration oracle is done.\n"
        "\n"
        "Task:        oracle\n"
        "Environment: aws, us-east-1\n"
        "Run:         0123456789ab\n"
        "Started:     2026-11-24 07:31:15 UTC\n"
        "Ended:       2026-11-24 08:33:18 UTC\n"
        "Duration:    1 h 2 min 3 s\n"
        "\n"
        "Tables:     12\n"
        "Rows:       1,234,567\n"
        "Error rows: 0\n"
        "\n"
        f"Where to look: {RUN} of task oracle in the DynamoDB table crime-jobs-migrations; the tables "
        "migration_statistics and migration_exceptions of s3://lake/x; the log of the run.\n"
    )


def test_the_message_of_a_run_that_failed() -> None:
    """What failed, why and what to do stand in it, and are no longer than they need be."""
    facts = {"tables": 2, "failed": ["T.A", "T.B"], "inner": {"a": 1}}
    said = told(state="failed", facts=facts, error="It is so.", hint="Do that.", ended=None, seconds=None)
    assert said.subject == "crime-jobs migrate oracle: FAILED"
    assert "\n\nTables: 2\n\nWhat failed: T.A, T.B\nWhy: It is so.\nWhat to do: Do that.\n" in said.body
    assert "Ended:       not known\nDuration:    not known\n" in said.body


@pytest.mark.parametrize("task", ["o" * 63, "टास्क", "a" * 300])
def test_sns_takes_every_subject(task: str) -> None:
    """SNS refuses subjects of 100 characters and more, and any that is not ASCII."""
    for kind in ("migrate", "export", "validate"):
        for state in ("done", "failed", "interrupted"):
            subject = told(task, kind=kind, state=state).subject
            assert len(subject) < 100
            assert subject.isascii()
            assert subject.isprintable()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (360_000, "100 h")],
)
def test_durations(seconds: float, said: str) -> None:
    assert notify.duration(seconds) == said


def failure(make: Callable[[], None]) -> BaseException:
    try:
        make()
    except BaseException as error:  # noqa: BLE001 - Ctrl-C too
        return error
    raise AssertionError


def test_ctrl_c_is_seen_behind_what_it_broke() -> None:
    """Spark's clean-up after Ctrl-C can fail by itself: the run was interrupted all the same."""

    def broken() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise ConnectionError("the JVM is gone: row 17 of Sita")

    outcome = outcome_of({}, failure(broken))
    assert outcome["state"] == "interrupted"
    assert "Sita" not in json.dumps(outcome)
    assert outcome_of({}, ValueError("Sita"))["state"] == "failed"


def test_facts_of_any_type_can_be_kept() -> None:
    outcome = outcome_of({"share": 0.5, "when": {1, 2}, "failed": ["T.A"]}, None)
    assert outcome["facts"] == {"share": 0.5, "when": "{1, 2}", "failed": ["T.A"]}


def test_what_a_killed_run_said_last_counts() -> None:
    """A line that was cut off by the kill is none."""
    first, second = {"state": "failed"}, {"state": "done"}
    lines = [json.dumps(first).encode() + b"\n", json.dumps(second).encode() + b"\n", b'{"state": "fai']
    assert listen(lines) == (second, False)
    assert listen([*lines[:1], b'"done"\n']) == (first, True)
    assert listen([]) == (None, False)


class Unreachable:
    """A ledger that can't be reached after some renewals."""

    def __init__(self, renewals: int) -> None:
        self.left = renewals
        self.asked = 0

    def update(self, *_: object, **__: object) -> bool:
        self.asked += 1
        self.left -= 1
        if self.left < 0:
            raise AwsRefused("AWS can't be reached.")
        return True


@pytest.mark.parametrize("renewals", [0, 3])
def test_a_run_that_is_cut_off_from_the_ledger_stops_in_time(
    monkeypatch: pytest.MonkeyPatch, renewals: int
) -> None:
    """Not at the first failure, but before another run, whose clock may be ahead, can take over."""
    monkeypatch.setattr(_lease, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(_lease, "LEASE_SECONDS", 0.4)
    ledger: Any = Unreachable(renewals)
    stopped: list[CrimeJobsError] = []
    ended = threading.Event()

    def stop(error: JobFailed) -> None:
        stopped.append(error)
        ended.set()

    lease = _lease.Lease(ledger, "migrate", RUN)
    began = time.monotonic()
    lease.keep(ledger, stop)
    assert ended.wait(5)
    assert 0.4 <= time.monotonic() - began < 0.4 + 0.05 * renewals + _lease.SKEW_SECONDS
    assert ledger.asked > renewals + 2
    assert "could not be renewed. AWS can't be reached." in stopped[0].message
    lease.stop()


def test_a_lease_counts_from_when_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer took nearly as long as the lease holds: there is no time left without a renewal."""
    monkeypatch.setattr(_lease, "RENEW_SECONDS", 0.05)

    class Slow(Unreachable):
        def get(self, _: str) -> None: ...

        def update(self, *_: object, **__: object) -> bool:
            if not self.asked:
                time.sleep(0.3)
            return super().update()

    ledger: Any = Slow(1)
    lease = _lease.Lease(ledger, "migrate", RUN)
    lease.take()
    monkeypatch.setattr(_lease, "LEASE_SECONDS", 0.3)
    ended = threading.Event()
    lease.keep(ledger, lambda _: ended.set())
    assert ended.wait(5)
    assert ledger.asked == 2  # the taking, and the first renewal
    lease.stop()


def test_a_lease_that_was_let_go_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal that comes to nothing while the run ends is not a loss."""
    monkeypatch.setattr(_lease, "RENEW_SECONDS", 0.01)
    entered, go = threading.Event(), threading.Event()

    class Slow:
        def update(self, *_: object, **__: object) -> bool:
            entered.set()
            go.wait(5)
            return False

    ledger: Any = Slow()
    stopped: list[CrimeJobsError] = []
    lease = _lease.Lease(ledger, "migrate", RUN)
    lease.keep(ledger, stopped.append)
    assert entered.wait(5)
    lease._ended.set()
    go.set()
    lease.stop()
    assert stopped == []
