"""The producer's hop of the reconciliation: which runs count, and what is not known of those that were killed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crime_jobs.stream.hops import Run
from crime_jobs.stream.reconcile import Hop, hashed, of_producer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPAN = (NOW - timedelta(hours=24), NOW)
SENT = Hop("stream", records=100, keys={hashed(str(n)) for n in range(100)})


def run(confirmed: int, began: float, ended: float | None, heard: float | None = None) -> Run:
    """A run that began and ended, or was last heard of, so many hours ago."""
    ago = [None if hours is None else NOW - timedelta(hours=hours) for hours in (began, heard, ended)]
    started, updated, end = ago
    assert started
    return Run("a run", confirmed, started, updated or end or NOW, end)


DONE = run(100, 2, 1)


@pytest.mark.parametrize("old", [run(500, 40, 30), run(500, 40, None, heard=30)], ids=["ended", "killed"])
def test_runs_of_before_what_the_stream_holds_are_left_out(old: Run) -> None:
    assert of_producer([old, DONE], SENT, SPAN, NOW)["verdict"] == "equal"
    assert of_producer([old], SENT, SPAN, NOW)["verdict"] == "not used"


def test_a_run_that_began_after_what_is_looked_at_is_left_out() -> None:
    span = (SPAN[0], NOW - timedelta(minutes=30))
    assert of_producer([run(500, 0.2, None), DONE], SENT, span, NOW)["verdict"] == "equal"


def test_a_run_that_is_silent_was_killed_and_is_not_counted_as_if_it_were_whole() -> None:
    row = of_producer([run(60, 2, 1), run(30, 3, None, heard=2)], SENT, SPAN, NOW)
    assert (row["verdict"], row["records"]) == ("not reached", 90)
    assert "a run (last heard of 2026-11-24T10:00:00.000Z)" in row["note"]


def test_what_a_killed_run_had_confirmed_must_be_there_all_the_same() -> None:
    row = of_producer([run(60, 2, 1), run(50, 3, None, heard=2)], SENT, SPAN, NOW)
    assert (row["verdict"], row["missing"]) == ("differs", 10)


def test_a_run_that_was_heard_of_just_now_is_under_way() -> None:
    row = of_producer([DONE, run(0, 1, None, heard=0.001)], SENT, SPAN, NOW)
    assert (row["verdict"], row["note"]) == ("not reached", "a run is under way")
