"""A run whose questions to its ledger were done and their answers lost; leases and ends that nobody let go of."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from crime_jobs import settings as settings_module
from crime_jobs.errors import AwsRefused, JobFailed
from crime_jobs.migrate import _lease, notify, runs
from crime_jobs.migrate.ledger import Ledger
from tests.conftest import ROOT
from tests.unit.dynamodb import Asked, DynamoDb

TOPIC = "arn:aws:sns:us-east-1:000000000000:ends"
OTHER = "run#2026-01-01T00:00:00+00:00#0123456789ab"
MINE = "run#2026-01-02T00:00:00+00:00#ba9876543210"
LOCK = "lock#migrate"
SETTINGS = settings_module.load(
    "local", {"landing": "nowhere", "lake": "a-lake", "region": "us-east-1"}, environ={}, folder=ROOT
)


class NoWatcher:
    """Stands for the watcher: no process of its own in a unit test."""

    def __init__(self, *_: Any) -> None:
        self.said: list[Any] = []

    def start(self) -> None: ...
    def done(self) -> None: ...
    def close(self) -> None: ...
    def send(self, outcome: Any) -> None: ...


class Sns:
    """What was published."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    def publish(self, *, Subject: str, **_: Any) -> None:  # noqa: N803 - as boto3 calls it
        self.subjects.append(Subject)


@pytest.fixture
def dynamodb() -> DynamoDb:
    return DynamoDb()


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Sns:
    made = Sns()
    monkeypatch.setattr(notify, "sns", lambda _: lambda: made)
    return made


@pytest.fixture
def ledger(dynamodb: DynamoDb, sns: Sns, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(runs, "Watcher", NoWatcher)
    monkeypatch.setattr(_lease, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(_lease, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(_lease.Lease, "keep", lambda *_: None)
    return Ledger(dynamodb.client(monkeypatch), "t")


def holder(ledger: Ledger) -> str:
    return str((ledger.get(LOCK) or {}).get("run"))


def the_run(ledger: Ledger) -> dict[str, Any]:
    ((_, found),) = ledger.entries("run#")
    return found


def first_of(operation: str, number: int | None = None) -> Callable[[Asked], bool]:
    """Lose the first answer to each question of a kind, or to the one of that number only."""
    seen: list[Asked] = []

    def loses(asked: Asked) -> bool:
        if asked[0] != operation or asked in seen:
            return False
        seen.append(asked)
        return number is None or len(seen) == number + 1

    return loses


@pytest.mark.parametrize("number", [None, 0, 1, 2, 3, 4], ids=str)
def test_a_run_whose_answers_are_lost_is_as_any_other(
    ledger: Ledger, dynamodb: DynamoDb, sns: Sns, number: int | None
) -> None:
    """Taking the lease, noting the end, letting go, claiming, noting that it is told: one each, or all."""
    dynamodb.loses = first_of("UpdateItem", number)
    with runs.recorded(SETTINGS, ledger, "migrate", TOPIC) as record:
        assert holder(ledger).endswith(record.run)
        record.facts.update({"rows": 17, "share": 0.5, "failed": ["T.A"], "none": None})
    assert dynamodb.count("UpdateItem") == 5 + (5 if number is None else 1)
    assert sns.subjects == ["crime-jobs migrate t: done"]
    run = the_run(ledger)
    assert (run["state"], run["told"]) == ("done", "yes")
    assert holder(ledger) == ""


def test_an_end_that_others_noted_is_still_a_lost_lease(ledger: Ledger) -> None:
    """What stands there is another end than this one's: it may not call itself done."""

    def work() -> None:
        with runs.recorded(SETTINGS, ledger, "migrate", TOPIC):
            ((name, _),) = ledger.entries("run#")
            ledger.update(name, {"state": "failed", "ended": None, "facts": {}})

    with pytest.raises(JobFailed, match="its lease was taken from it"):
        work()
    assert the_run(ledger)["state"] == "failed"


def test_a_refusal_is_one_unless_it_is_all_as_this_call_left_it(ledger: Ledger, dynamodb: DynamoDb) -> None:
    """A renewal is refused although the time is by chance the same: the lease is another's."""
    ledger.update(LOCK, {"run": OTHER, "until": "2026"})
    assert not ledger.update(LOCK, {"until": "2026"}, only_if={"run": MINE})
    assert not ledger.update(LOCK, {"run": MINE}, only_if={"run": None})
    dynamodb.loses = first_of("UpdateItem")
    dynamodb.after = lambda asked: overtake(asked[0])

    def overtake(operation: str) -> None:
        if operation == "UpdateItem":  # between the first try and the second
            dynamodb.items[LOCK] |= {"run": {"S": "run#third"}}

    assert not ledger.update(LOCK, {"run": MINE}, only_if={"run": OTHER})


def test_a_lease_that_names_the_run_itself_is_its_own(ledger: Ledger) -> None:
    """Whatever came of the first try: it does not wait for itself; and its time begins anew."""
    ledger.put(LOCK, {"run": MINE, "until": _lease.now(1)})
    _lease.Lease(ledger, "migrate", MINE).take()
    lock = ledger.get(LOCK) or {}
    assert lock["run"] == MINE
    assert lock["until"] > _lease.now(_lease.LEASE_SECONDS - 10)


@pytest.mark.parametrize("state", ["", "done", "failed", "interrupted"])
def test_a_lease_left_behind_is_taken_when_its_time_is_past(ledger: Ledger, sns: Sns, state: str) -> None:
    """Killed before it had an entry; or, with its watcher, between the note of its end and the letting go."""
    if state:
        ledger.put(OTHER, {"kind": "migrate", "state": state, "started": "2026", "told": "yes"})
    ledger.put(LOCK, {"run": OTHER, "until": _lease.now(-_lease.SKEW_SECONDS + 5)})  # a clock may be behind
    with pytest.raises(JobFailed, match="under way since"), runs.recorded(SETTINGS, ledger, "migrate", TOPIC):
        pytest.fail("it began")
    assert holder(ledger) == OTHER
    ledger.put(LOCK, {"run": OTHER, "until": _lease.now(-_lease.SKEW_SECONDS - 0.001)})
    with runs.recorded(SETTINGS, ledger, "migrate", TOPIC) as record:
        assert holder(ledger).endswith(record.run)
    assert sns.subjects == ["crime-jobs migrate t: done"]  # of the other there is nothing to tell


def test_a_lease_whose_run_is_to_be_noted_as_gone_is_not_taken(ledger: Ledger) -> None:
    """Its time ran out after the look through all runs: the next one notes it first."""
    ledger.put(OTHER, {"kind": "migrate", "state": "running", "told": "no"})
    ledger.put(LOCK, {"run": OTHER, "until": _lease.now(-_lease.SKEW_SECONDS - 1)})
    with pytest.raises(JobFailed, match="under way since"):
        _lease.Lease(ledger, "migrate", MINE).take()


def test_a_holder_that_wakes_keeps_its_lease(ledger: Ledger, dynamodb: DynamoDb) -> None:
    """It was only paused before it had an entry, and renews while another is about to take over."""
    ledger.put(LOCK, {"run": OTHER, "until": _lease.now(-_lease.SKEW_SECONDS - 1)})

    def wake(asked: Asked) -> None:
        if asked[0] == "GetItem" and asked[1]["Key"]["entry"]["S"] == OTHER:
            dynamodb.items[LOCK]["until"] = {"S": _lease.now(_lease.LEASE_SECONDS)}

    dynamodb.after = wake
    with pytest.raises(JobFailed, match="under way since"):
        _lease.Lease(ledger, "migrate", MINE).take()
    assert holder(ledger) == OTHER


def test_of_many_that_find_a_lease_left_behind_one_gets_it(ledger: Ledger) -> None:
    def take(number: int) -> bool:
        try:
            _lease.Lease(ledger, "migrate", f"{MINE}{number}").take()
        except JobFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            ledger.put(LOCK, {"run": OTHER, "until": _lease.now(-_lease.SKEW_SECONDS - 1)})
            assert sum(pool.map(take, range(8))) == 1


def test_who_comes_second_for_a_free_lease_is_refused_and_changes_nothing(
    ledger: Ledger, dynamodb: DynamoDb, sns: Sns
) -> None:
    def overtake(asked: Asked) -> None:
        if asked[0] == "GetItem" and LOCK not in dynamodb.items:
            ledger.put(LOCK, {"run": OTHER, "until": _lease.now(60)})

    dynamodb.after = overtake
    with pytest.raises(JobFailed, match="under way"), runs.recorded(SETTINGS, ledger, "migrate", TOPIC):
        pytest.fail("it began")
    assert dynamodb.count("UpdateItem") == 1
    assert holder(ledger) == OTHER


@pytest.mark.parametrize("operation", ["UpdateItem", "PutItem"])
def test_what_goes_wrong_while_it_begins_leaves_no_lease(
    ledger: Ledger, dynamodb: DynamoDb, sns: Sns, operation: str
) -> None:
    """Ctrl-C when the lease was just taken, or the entry just written: the next run can begin at once."""
    pressed: list[Asked] = []

    def press(asked: Asked) -> None:
        if asked[0] == operation and not pressed:
            pressed.append(asked)
            raise KeyboardInterrupt

    dynamodb.after = press
    with pytest.raises(KeyboardInterrupt), runs.recorded(SETTINGS, ledger, "migrate", TOPIC):
        pytest.fail("it began")
    assert holder(ledger) == ""
    expected = ["crime-jobs migrate t: interrupted"] if operation == "PutItem" else []
    assert sns.subjects == expected


def test_a_lease_that_was_taken_without_an_answer_is_let_go(ledger: Ledger, dynamodb: DynamoDb) -> None:
    """All attempts were done and none was answered: the error is told, and the lease is free."""
    dynamodb.loses = lambda asked: asked[0] == "UpdateItem" and dynamodb.count("UpdateItem") <= 3
    with pytest.raises(AwsRefused, match="lock#migrate"), runs.recorded(SETTINGS, ledger, "migrate", TOPIC):
        pytest.fail("it began")
    assert holder(ledger) == ""
    assert list(ledger.entries("run#")) == []


def test_a_run_that_is_refused_changes_nothing(ledger: Ledger, dynamodb: DynamoDb) -> None:
    ledger.put(LOCK, {"run": OTHER, "until": _lease.now(60)})
    with pytest.raises(JobFailed, match="under way"), runs.recorded(SETTINGS, ledger, "migrate", TOPIC):
        pytest.fail("it began")
    assert dynamodb.count("UpdateItem") == 0
    assert holder(ledger) == OTHER


def test_a_gone_run_is_noted_although_the_answer_was_lost(
    ledger: Ledger, dynamodb: DynamoDb, sns: Sns
) -> None:
    """Also when it was last seen, which only its lease says."""
    until = _lease.now(-_lease.SKEW_SECONDS - 1)
    run = {"kind": "migrate", "state": "running", "started": "2026-01-01T00:00:00+00:00", "told": "no"}
    ledger.put(OTHER, {**run, "again": "Run it again."})
    ledger.put(LOCK, {"run": OTHER, "until": until})
    dynamodb.loses = first_of("UpdateItem")
    runs.sweep(ledger, notify.sns(SETTINGS), TOPIC)
    assert sns.subjects == ["crime-jobs migrate t: FAILED"]
    assert the_run(ledger)["ended"] == _lease.last_seen({"until": until})


@pytest.mark.parametrize("told", ["yes", "no topic"])
def test_what_was_told_is_not_asked_after_one_by_one(
    ledger: Ledger, dynamodb: DynamoDb, sns: Sns, told: str
) -> None:
    """A history of a thousand runs is a few questions, not a thousand, whenever a run begins."""
    for number in range(50):
        run = {"kind": "export", "state": "done", "started": "2026-01-01T00:00:00+00:00", "told": told}
        ledger.put(f"run#2026-01-01T00:00:00+00:00#{number}", run)
    ledger.put("run#2026-01-01T00:00:00+00:00#x", {**run, "told": "no"})
    dynamodb.asked.clear()
    runs.sweep(ledger, notify.sns(SETTINGS), TOPIC)
    assert (dynamodb.count("Query"), dynamodb.count("GetItem")) == (1, 1)
    assert sns.subjects == ["crime-jobs export t: done"]


def test_a_claim_of_its_own_does_not_hold_it_up(ledger: Ledger, sns: Sns) -> None:
    """A watcher whose publishing failed, and then the taking back of its claim, tells when it tries again."""
    claim = {"told": "claimed", "claim": "its watcher", "claimed": _lease.now()}
    ended = {"kind": "export", "state": "done", "started": "2026-01-01T00:00:00+00:00"}
    ledger.put(OTHER, {**ended, **claim})
    assert not notify.tell(ledger, lambda: sns, OTHER, TOPIC, by="somebody else")
    assert notify.tell(ledger, lambda: sns, OTHER, TOPIC, by="its watcher")
    assert sns.subjects == ["crime-jobs export t: done"]
