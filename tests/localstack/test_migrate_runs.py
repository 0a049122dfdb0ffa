"""A run is alone, and its end is told: once each, whoever kills what, and without a word of the data."""

from __future__ import annotations

import threading
import time

import pytest

from crime_jobs.errors import AwsRefused, JobFailed, WrongUsage
from crime_jobs.migrate import _lease, notify, runs
from crime_jobs.migrate.ledger import TABLE, Ledger
from tests.localstack.recorded_world import World, watchers, world

__all__ = ["world"]


def test_what_is_told_of_a_run_that_is_done(world: World) -> None:
    """Subject, attributes to filter by, counts; and that the run leaves no lease and no process."""
    facts = {"tables": 2, "rows": 1234567, "share": 0.5}
    with runs.recorded(world.settings, world.ledger, "migrate", world.topic) as record:
        record.facts.update(facts)
    assert watchers(world.task) == []
    (said,) = world.told(1)
    assert said["Subject"] == f"crime-jobs migrate {world.task}: done"
    attributes = {name: one["Value"] for name, one in said["MessageAttributes"].items()}
    assert attributes == {"kind": "migrate", "task": world.task, "state": "done"}
    assert "1,234,567" in said["Message"]
    assert record.run in said["Message"]
    assert "What failed" not in said["Message"]
    entry = world.entry(record.run)
    assert (entry["state"], entry["told"], entry["facts"]) == ("done", "yes", facts)
    assert world.ledger.get("lock#migrate")["run"] == ""  # type: ignore[index]


def test_what_is_told_of_a_run_that_fails(world: World) -> None:
    """The message says which tables, why, and what to do; the error itself comes out as it went in."""
    child = world.start(facts={"failed": ["T.A", "T.B"]})
    child.say("fail")
    code, out, _ = child.end()
    assert (code, out.strip()) == (1, "error 2 tables failed. T.A could not be moved. Look at it.")
    (said,) = world.told(1)
    assert said["Subject"] == f"crime-jobs migrate {world.task}: FAILED"
    for words in (
        "What failed: T.A, T.B\n",
        "Why: 2 tables failed. T.A could not be moved.\n",
        "What to do: Look at it.\n",
    ):
        assert words in said["Message"]


def test_of_a_defect_only_its_type_is_told(world: World) -> None:
    """What another library raises may quote a row: its words are neither told nor kept."""
    child = world.start()
    child.say("break")
    code, _, err = child.end()
    assert code == 1
    assert "ValueError" in err
    (said,) = world.told(1)
    assert "Why: ValueError\n" in said["Message"]
    assert world.entry(child.run)["error"] == "ValueError"


def test_without_a_topic_a_run_is_recorded_only(world: World) -> None:
    for topic in (None, world.topic):  # nor does a later run tell of it
        with runs.recorded(world.settings, world.ledger, "export", topic):
            pass
    assert world.states() == [("export", "done", "no topic"), ("export", "done", "yes")]
    world.told(1)


def test_a_topic_elsewhere_is_refused_before_anything_is_written(world: World) -> None:
    elsewhere = world.topic.replace("us-east-1", "eu-west-1")
    with (
        pytest.raises(WrongUsage, match="eu-west-1"),
        runs.recorded(world.settings, world.ledger, "migrate", elsewhere),
    ):
        pytest.fail("it began")
    assert list(world.ledger.entries()) == []


def test_what_could_not_be_told_is_told_by_the_next_run(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A topic that is not there hides neither the success of a run nor the failure of another."""
    gone = world.topic + "-gone"
    with runs.recorded(world.settings, world.ledger, "migrate", gone):
        pass
    assert "Nobody was told" in capsys.readouterr().err
    with (
        pytest.raises(JobFailed, match="mine"),
        runs.recorded(world.settings, world.ledger, "validate", gone),
    ):
        raise JobFailed("mine")
    assert world.states() == [("migrate", "done", "no"), ("validate", "failed", "no")]
    with runs.recorded(world.settings, world.ledger, "export", world.topic):
        subjects = sorted(one["Subject"] for one in world.told(2, alone=False))
    assert subjects == [
        f"crime-jobs migrate {world.task}: done",
        f"crime-jobs validate {world.task}: FAILED",
    ]
    world.told(1)


def test_two_at_once_are_refused_and_other_kinds_are_not(world: World) -> None:
    child = world.start(times={"RENEW_SECONDS": 0.5})
    began = time.monotonic()
    with (
        pytest.raises(JobFailed) as refused,
        runs.recorded(world.settings, world.ledger, "migrate", world.topic),
    ):
        pytest.fail("two are at work")
    assert time.monotonic() - began < 5
    started = world.entry(child.run)["started"]
    assert f"under way since {started} (run {child.run})" in refused.value.message
    with runs.recorded(world.settings, world.ledger, "export", world.topic):
        assert ("migrate", "running", "no") in world.states()
    child.say("end")
    assert child.end()[0] == 0
    assert world.states() == [("migrate", "done", "yes"), ("export", "done", "yes")]
    world.told(2)


def test_of_many_that_take_a_free_lease_one_gets_it(world: World) -> None:
    """The race for a lease that never was, for one that was let go, for one that was left behind: one wins."""
    from concurrent.futures import ThreadPoolExecutor

    def take(number: int) -> bool:
        try:
            _lease.Lease(world.ledger, "migrate", f"run#2026-01-01T00:00:00+00:00#{number}").take()
        except JobFailed:
            return False
        return True

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr("crime_jobs.migrate._lease.RENEW_SECONDS", 0.2)
        patch.setattr("crime_jobs.migrate._lease.PATIENCE_SECONDS", 0.2)
        for _ in range(3):
            assert sum(pool.map(take, range(8))) == 1
            world.ledger.update("lock#migrate", {"run": ""})
            assert sum(pool.map(take, range(8))) == 1  # let go of; now one that was left behind
            past = _lease.now(-_lease.SKEW_SECONDS - 1)
            world.ledger.update("lock#migrate", {"run": "run#2026-01-01T00:00:00+00:00#9", "until": past})


def test_of_many_that_would_tell_one_does(world: World) -> None:
    """Several runs begin at once and find the same end untold."""
    entry = {"kind": "migrate", "state": "done", "started": "2026-01-01T00:00:00+00:00", "told": "no"}
    world.ledger.put("run#2026-01-01T00:00:00+00:00#1", {**entry, "topic": world.topic})
    threads = [
        threading.Thread(target=runs.sweep, args=(world.ledger, notify.sns(world.settings), None))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    world.told(1)
    assert world.entry("1")["told"] == "yes"


@pytest.mark.faults
def test_a_kind_says_itself_how_it_is_run_again(world: World) -> None:
    """An export that was killed goes on only when its name is given: whoever tells of the kill says so."""
    child = world.start("export", again="Run it again with run=x: it goes on.")
    child.kill()
    (said,) = world.told(1)
    assert "What to do: Run it again with run=x: it goes on.\n" in said["Message"]


def test_a_ledger_that_can_not_be_read_is_an_error_not_a_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    from crime_jobs import aws

    ledger = Ledger(aws.client("dynamodb", world.settings, attempts=1), world.task, TABLE)
    with (
        pytest.raises(AwsRefused, match="can't be reached"),
        runs.recorded(world.settings, ledger, "migrate", world.topic),
    ):
        pytest.fail("it began")
    assert watchers(world.task) == []
