"""The producer's hop of the reconciliation: which runs count, and what is not known of those that were killed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crime_jobs.stream.hops import Run, Seen
from crime_jobs.stream.reconcile import Hop, of_producer, read

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPAN = (NOW - timedelta(hours=24), NOW)


def stream(*records: tuple[float, int]) -> Hop:
    """What is in the stream: so many hours ago came so many records."""
    times = [NOW - timedelta(hours=hours) for hours, count in records for _ in range(count)]
    return read("stream", lambda: [Seen(f"key {number}", at) for number, at in enumerate(times)])


SENT = stream((1.5, 100))


def run(
    confirmed: int, began: float, ended: float | None, heard: float | None = None, name: str = "a run"
) -> Run:
    """A run that began and ended, or was last heard of, so many hours ago."""
    ago = [None if hours is None else NOW - timedelta(hours=hours) for hours in (began, heard, ended)]
    started, updated, end = ago
    assert started
    return Run(name, confirmed, started, updated or end or NOW, end)


DONE = run(100, 2, 1, name="done")
KILLED = run(30, 5, None, heard=4, name="killed")


@pytest.mark.parametrize("old", [run(500, 40, 30), run(500, 40, None, heard=30)], ids=["ended", "killed"])
def test_runs_of_before_what_the_stream_holds_do_not_count(old: Run) -> None:
    assert of_producer([old, DONE], SENT, SPAN, NOW)["verdict"] == "equal"
    assert of_producer([old], SENT, SPAN, NOW)["verdict"] == "not used"


def test_a_run_that_began_after_what_is_looked_at_does_not_count() -> None:
    span = (SPAN[0], NOW - timedelta(minutes=30))
    assert of_producer([run(500, 0.2, None), DONE], SENT, span, NOW)["verdict"] == "equal"


def test_beside_a_run_that_was_killed_the_others_are_judged() -> None:
    """It sent more than it came to note: nobody knows how much, and that is no surplus."""
    row = of_producer([DONE, KILLED], stream((4.5, 33), (1.5, 100)), SPAN, NOW)
    assert (row["verdict"], row["records"], row["missing"], row["surplus"]) == ("equal", 100, 0, 0)
    assert row["note"] == (
        "1 of 2 runs left out: killed (killed or cut off, last heard of 2026-11-24T08:00:00.000Z)"
    )
    row = of_producer([DONE, KILLED], stream((4.5, 40), (1.5, 97)), SPAN, NOW)
    assert (row["verdict"], row["missing"]) == ("differs", 3), "what the killed run sent does not stand in"
    row = of_producer([DONE, KILLED], stream((4.5, 40), (1.5, 102)), SPAN, NOW)
    assert (row["verdict"], row["surplus"]) == ("differs", 2)


def test_what_a_killed_run_had_confirmed_must_be_there_all_the_same() -> None:
    row = of_producer([DONE, KILLED], stream((4.5, 20), (1.5, 100)), SPAN, NOW)
    assert (row["verdict"], row["missing"]) == ("differs", 10)


def test_runs_at_the_same_time_as_one_in_doubt_are_left_out_with_it_and_those_beside_them() -> None:
    """No record says which run sent it."""
    beside, further = run(10, 4.2, 3.5, name="beside"), run(10, 3.6, 3, name="further")
    runs = [further, KILLED, beside]
    row = of_producer(runs, stream((4.1, 60)), SPAN, NOW)
    assert (row["verdict"], row["records"]) == ("not reached", 50)
    assert row["note"].startswith("3 of 3 runs left out: killed (killed or cut off")
    assert "; beside (beside one); further (beside one)" in row["note"]
    row = of_producer([*runs, DONE], stream((4.1, 60), (1.5, 100)), SPAN, NOW)
    assert (row["verdict"], row["records"]) == ("equal", 100)
    # Together they must have what all of them confirmed.
    row = of_producer(runs, stream((4.1, 48)), SPAN, NOW)
    assert (row["verdict"], row["missing"]) == ("differs", 2)


def test_beside_an_old_run_of_which_the_stream_holds_a_part_the_others_are_judged() -> None:
    old = run(1000, 30, 20, name="old")
    row = of_producer([old, DONE], stream((22, 250), (1.5, 100)), SPAN, NOW)
    assert (row["verdict"], row["records"]) == ("equal", 100)
    assert row["note"] == "1 of 2 runs left out: old (the stream has a part of it only)"
    assert of_producer([old, DONE], stream((22, 250), (1.5, 99)), SPAN, NOW)["missing"] == 1
    assert of_producer([old], stream((22, 250)), SPAN, NOW)["verdict"] == "not reached"


def test_a_run_that_was_heard_of_just_now_is_under_way() -> None:
    row = of_producer([run(7, 0.5, None, heard=0.001, name="new"), DONE], SENT, SPAN, NOW)
    assert (row["verdict"], row["note"]) == ("equal", "1 of 2 runs left out: new (under way)")
    row = of_producer([run(7, 0.5, None, heard=0.001)], stream((0.2, 5)), SPAN, NOW)
    assert row["verdict"] == "not reached"
    # Records of a time at which no run was are nobody's.
    assert of_producer([run(7, 0.5, None, heard=0.001)], stream((3, 4)), SPAN, NOW)["surplus"] == 4
