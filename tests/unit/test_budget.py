"""The budget of capacity units: never more than the rate, over all who ask, and only for who may ask."""

from __future__ import annotations

import multiprocessing
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.budget import BURST_SECONDS, Bucket, Served


class Clock:
    """A clock that goes only when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.floats(1, 10_000),
    workers=st.integers(1, 4),
    steps=st.lists(st.tuples(st.floats(0, 400), st.floats(0, 5)), min_size=1, max_size=40),
)
def test_over_any_window_the_rate_and_the_burst_are_never_passed(
    rate: float, workers: int, steps: list[tuple[float, float]]
) -> None:
    """Several workers use, pay and wait: in no window is more used than its rate, the burst, and what
    each of them may have used before it paid."""
    clock = Clock()
    bucket = Bucket(rate, clock)
    free_at = [clock.now] * workers
    used: list[tuple[float, float]] = []
    for units, idle in steps:
        worker = min(range(workers), key=free_at.__getitem__)
        clock.now = max(clock.now, free_at[worker])
        used.append((clock.now, units))
        free_at[worker] = clock.now + bucket.pay(units) + idle
    most = max(units for units, _ in steps)
    for first, (since, _) in enumerate(used):
        total = 0.0
        for until, units in used[first:]:
            total += units
            allowed = rate * (until - since + BURST_SECONDS) + workers * most
            assert total <= allowed * (1 + 1e-9) + 1e-6


@given(st.floats(1, 1000), st.lists(st.floats(0.1, 50), min_size=1, max_size=30))
def test_who_never_idles_gets_the_whole_rate(rate: float, payments: list[float]) -> None:
    """It is a limit and no brake: the waits add up to what was used, less the burst."""
    clock = Clock()
    bucket = Bucket(rate, clock)
    begun = clock.now
    for units in payments:
        clock.now += bucket.pay(units)
    took = clock.now - begun
    assert took == pytest.approx(sum(payments) / rate, rel=1e-6, abs=BURST_SECONDS)


def test_what_is_saved_up_is_at_most_the_burst() -> None:
    """An hour without a write gives no hour's budget."""
    clock = Clock()
    bucket = Bucket(10, clock)
    bucket.pay(0)
    clock.now += 3600
    assert bucket.pay(10) == pytest.approx(1 - BURST_SECONDS)


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served(100.0, "127.0.0.1")
    yield made
    made.close()


ASK = "import pickle, sys; b = pickle.load(sys.stdin.buffer).open(); print(b.pay(50), b.pay(50))"


def ask(budget: bytes) -> subprocess.CompletedProcess[bytes]:
    """Pay twice from a process that knows only what travels with a task."""
    return subprocess.run(
        [sys.executable, "-c", ASK], input=budget, capture_output=True, timeout=30, check=False
    )


def test_all_processes_have_one_budget(served: Served) -> None:
    """What one process uses, the next one waits for."""
    budget = pickle.dumps(served.budget)
    begun = time.monotonic()
    waits = [float(wait) for _ in range(2) for wait in ask(budget).stdout.split()]
    passed = time.monotonic() - begun
    # 50 units are half a second each; while the processes started, some of it went by.
    assert len(waits) == 4
    assert waits[0] < waits[1]
    assert waits[-1] >= 2.0 - passed - BURST_SECONDS
    assert waits[-1] <= 2.0


def test_a_wrong_key_is_refused_and_stops_nobody(served: Served) -> None:
    """Who has not the run's key gets nothing, and all others go on."""
    stranger = replace(served.budget, key=b"guess")
    with pytest.raises(multiprocessing.AuthenticationError):
        stranger.open()
    assert served.budget.open().pay(1) >= 0


def test_who_only_connects_holds_up_nobody(served: Served) -> None:
    """A port scan, or a connection that says nothing, is not waited for."""
    with (
        socket.create_connection(served.budget.address),
        socket.create_connection(served.budget.address) as gone,
    ):
        gone.close()
        assert served.budget.open().pay(1) >= 0


def test_two_budgets_are_two() -> None:
    """A second bucket in the same process does not become that of the first."""
    slow, fast = Served(1.0, "127.0.0.1"), Served(1_000_000.0, "127.0.0.1")
    try:
        assert slow.budget.open().pay(10) > 5
        assert fast.budget.open().pay(10) < 1
    finally:
        slow.close()
        fast.close()


def test_the_key_is_not_shown() -> None:
    """It travels with the tasks, whose descriptions end in logs."""
    served = Served(1.0, "127.0.0.1")
    served.close()
    assert repr(served.budget.key) not in repr(served.budget)


def test_closed_at_once_it_leaves_no_thread() -> None:
    """A run that has nothing to do closes what it has just opened."""
    before = threading.active_count()
    for _ in range(20):
        Served(1.0, "127.0.0.1").close()
    assert threading.active_count() <= before + 1
