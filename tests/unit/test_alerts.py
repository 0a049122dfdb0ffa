"""Alerts: what is told, and that each is told once, whatever happens in between."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.model import baseline, landing
from crime_jobs.model.baseline import MINUTES_PER_YEAR, Baseline
from crime_jobs.model.fir_event import GROUPS, FirEvent
from crime_jobs.stream import alerts
from crime_jobs.stream.alert_ledger import Claimed
from crime_jobs.stream.alert_outbox import BATCH, THREADS, WAIT, Outbox, Topic, longest_call
from crime_jobs.stream.alert_rules import Grave, RepeatLocation, Rules, Surge
from crime_jobs.stream.alert_windows import Entry, Series, Windows, full
from tests.conftest import DATA, make_settings
from tests.unit.fir_alerts import NOON, SECRET, Died, World, fir

MINUTE = timedelta(minutes=1)
GRAVE: Rules = {"grave": Grave(kind="grave", grave=True)}
SURGE: Rules = {"surge": Surge(kind="surge", window_minutes=10, factor=3, minimum=3)}
PLACE: Rules = {"place": RepeatLocation(kind="repeat_location", window_minutes=10, count=3)}


def tell(world: World, *events: tuple[FirEvent, datetime]) -> list[dict[str, Any]]:
    """Hand over FIRs one by one, and return what was delivered."""
    worker, outbox = world.worker()
    for event in events:
        worker.handle([event])
    outbox.send()
    return world.topic.delivered


def test_a_grave_offence_is_told_once_with_its_place() -> None:
    world = World(GRAVE)
    grave = fir(is_grave=True, crime_head="murder", crime_group="violent")
    (told,) = tell(world, (grave, NOON + 5 * MINUTE), (fir(2), NOON), (grave, NOON + 6 * MINUTE))
    assert told["fir_key"] == grave.fir_key
    assert (told["police_station"], told["late_minutes"]) == ("Hazratganj", 5)
    assert told["text"].startswith("Murder in Hazratganj, Lucknow, IN-UP, reported 2026-11-24 12:00 UTC.")
    assert SECRET not in json.dumps(world.topic.delivered) + str(world.table.items)


def test_a_protected_offence_is_told_without_place_and_without_anything_that_gives_it_away() -> None:
    world = World(GRAVE)
    event = fir(number=4711, is_grave=True, is_protected=True, crime_head="rape")
    (told,) = tell(world, (event, NOON))
    assert (told["district"], told["is_protected"]) == ("Lucknow", True)
    said = json.dumps(told)
    assert not any(word in said for word in ("Hazratganj", "4711", "tuuxyz1", "26.85", SECRET))
    # Nor can who knows how keys are made find it by trying: the id is not made from the key.
    again = World(GRAVE)
    assert tell(again, (event, NOON))[0]["alert_id"] != told["alert_id"]


def test_a_surge_is_held_against_what_the_district_has_as_a_rule() -> None:
    a_year = Baseline({("IN-UP", "Lucknow", "property"): int(MINUTES_PER_YEAR / 10)})  # one in ten minutes
    firs = [(fir(n), NOON + n * MINUTE) for n in range(1, 6)]
    assert [told["count"] for told in tell(World(SURGE), *firs)] == [3]  # nothing is expected: the minimum
    assert tell(World(SURGE, a_year), *firs[:2]) == []
    (told,) = tell(World(SURGE, a_year), *firs)
    assert (told["count"], told["expected"]) == (3, 1.0)
    assert tell(World(SURGE, Baseline({("IN-UP", "Lucknow", "property"): 10**6})), *firs) == []


def test_firs_of_another_group_or_far_apart_are_no_surge() -> None:
    apart = [(fir(n, reported_at=NOON + 6 * n * MINUTE), NOON + 6 * n * MINUTE) for n in range(1, 9)]
    assert tell(World(SURGE), *apart) == []
    groups = ("property", "violent", "traffic")
    assert tell(World(SURGE), *((fir(n, crime_group=g), NOON) for n, g in enumerate(groups, 1))) == []


def test_a_window_does_not_end_where_a_stretch_of_the_clock_does() -> None:
    moments = [NOON - 2 * MINUTE, NOON - MINUTE, NOON + MINUTE]
    (told,) = tell(World(SURGE), *((fir(n, reported_at=when), when) for n, when in enumerate(moments, 1)))
    assert told["period_began_at"] == "2026-11-24T12:00:00.000Z"


def test_the_same_fir_over_and_over_is_no_surge_and_a_zero_fir_and_its_own_are_one_place() -> None:
    assert tell(World(SURGE), *((fir(1), NOON + n * MINUTE) for n in range(6))) == []
    zero = fir(9, is_zero=True)
    own = fir(1, zero_key=zero.fir_key)
    assert tell(World(PLACE), (zero, NOON), (own, NOON + MINUTE), (fir(2), NOON + MINUTE)) == []
    (told,) = tell(World(PLACE), (zero, NOON), (own, NOON), (fir(2), NOON), (fir(3), NOON))
    assert (told["location_cell"], told["count"]) == ("tuuxyz1", 3)


def test_a_grave_offence_is_on_its_way_before_anything_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({**SURGE, **GRAVE})
    worker, outbox = world.worker()
    seen: list[int] = []

    def add(_windows: Windows, _added: object) -> dict[Series, list[Entry]]:
        outbox.send()
        seen.append(len(world.topic.delivered))
        return {}

    monkeypatch.setattr(Windows, "add", add)
    worker.handle([(fir(is_grave=True), NOON)])
    assert seen == [1]


def test_sns_down_stalls_nobody_and_loses_nothing() -> None:
    world = World(GRAVE)
    worker, outbox = world.worker()
    world.topic.down = True
    for number in range(1, 30):
        worker.handle([(fir(number, is_grave=True), NOON)])
    with pytest.raises(Exception, match="InternalError"):
        outbox.send()
    assert world.table.pending == 29
    world.topic.down = False
    outbox.send()
    assert (len(world.topic.delivered), world.table.pending) == (29, 0)


def claimed(number: int, order: str = "", until: float = 1e10) -> Claimed:
    return Claimed(f"key {number}", f"id {number}", "{}", order or f"order {number}", until)


class Quiet:
    """A ledger that only remembers what was noted as sent, call by call."""

    def __init__(self) -> None:
        self.noted: list[list[str]] = []

    def sent(self, alerts: Sequence[Claimed]) -> None:
        self.noted.append([one.key for one in alerts])


def test_a_burst_is_published_side_by_side_and_noted_together() -> None:
    together = threading.Barrier(THREADS, timeout=20)  # who publishes one after the other breaks it

    def publish(batch: Sequence[Claimed]) -> list[Claimed]:
        together.wait()
        return list(batch)

    ledger: Any = Quiet()
    outbox = Outbox(ledger, publish, print)
    outbox.put([claimed(number) for number in range(THREADS * BATCH * 2)])
    outbox.send()
    assert [len(keys) for keys in ledger.noted] == [THREADS * BATCH] * 2


def test_alerts_of_one_place_keep_their_order_in_a_burst() -> None:
    lock, under_way, told = threading.Lock(), set[str](), list[Claimed]()

    def publish(batch: Sequence[Claimed]) -> list[Claimed]:
        orders = {one.order for one in batch}
        with lock:
            assert not under_way & orders, "alerts of one place are under way side by side"
            under_way.update(orders)
        with lock:
            under_way.difference_update(orders)
            told.extend(batch)
        return list(batch)

    ledger: Any = Quiet()
    outbox = Outbox(ledger, publish, print)
    burst = [claimed(number, f"order {number % 3}") for number in range(187)]
    outbox.put(burst)
    outbox.send()
    for order in range(3):
        assert [one for one in told if one.order == f"order {order}"] == burst[order::3]


def test_of_a_burst_what_was_taken_is_noted_and_the_rest_waits_in_its_order() -> None:
    refuses = True

    def publish(batch: Sequence[Claimed]) -> list[Claimed]:
        if refuses and batch[0].order == "order 1":
            raise ClientError({"Error": {"Code": "InternalError"}}, "PublishBatch")
        return list(batch)

    ledger: Any = Quiet()
    outbox = Outbox(ledger, publish, print)
    outbox.put([claimed(number, f"order {number % 2}") for number in range(40)])
    with pytest.raises(ClientError):
        outbox.send()
    assert ledger.noted == [[f"key {number}" for number in range(0, 20, 2)]]
    refuses = False
    outbox.send()
    noted = [key for keys in ledger.noted for key in keys]
    assert len(set(noted)) == len(noted) == 40
    assert [key for key in noted if int(key[4:]) % 2] == [f"key {number}" for number in range(1, 40, 2)]


@pytest.mark.parametrize("topic", ["alerts", "alerts.fifo"])
def test_where_nothing_drops_what_comes_twice_a_lease_is_longer_than_a_call(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    made = Topic(make_settings("landing", "lake").model_copy(update={"region": "ap-south-1"}), topic)
    config = made._sns.meta.config
    each = config.connect_timeout + config.read_timeout
    if made.fifo:
        assert made.margin < made.lease < 300 - each  # within what the topic drops
        return
    assert config.retries["total_max_attempts"] == 1, "one attempt, with no pause between two"
    assert made.margin >= each
    assert made.lease >= made.margin + WAIT
    # And no call begins that may be under way when somebody else takes over.
    said: list[Claimed] = []
    ledger: Any = Quiet()

    def publish(batch: Sequence[Claimed]) -> list[Claimed]:
        said.extend(batch)
        return list(batch)

    outbox = Outbox(ledger, publish, print, lambda: 1000.0, margin=made.margin)
    outbox.put([claimed(1, until=1000.0 + each - 1), claimed(2, until=1000.0 + each + 1)])
    outbox.send()
    assert [one.key for one in said] == ["key 2"]


def test_what_a_client_tries_by_itself_is_part_of_how_long_a_call_can_take() -> None:
    client: Any = SimpleNamespace(meta=SimpleNamespace(config=Config(connect_timeout=3, read_timeout=7)))
    client.meta.config.retries = {"total_max_attempts": 3}
    assert longest_call(client) == 3 * 10 + 2 * 20


def test_what_outlives_its_lease_in_memory_is_left_to_who_takes_it_over() -> None:
    world = World(GRAVE)
    worker, outbox = world.worker()
    worker.handle([(fir(is_grave=True), NOON)])
    world.settle()
    world.now += 1000  # after which the topic would deliver it once more
    outbox.send()
    assert len(world.topic.delivered) == 1


def test_an_answer_of_dynamodb_that_is_lost_does_not_lose_the_alert() -> None:
    from botocore.exceptions import ReadTimeoutError

    world = World(GRAVE)
    worker, outbox = world.worker()
    transact, lost = world.table._transact, iter([True])

    def lose(actions: Sequence[Any]) -> None:
        transact(actions)
        if next(lost, False):
            raise ReadTimeoutError(endpoint_url="http://dynamodb")

    world.table._transact = lose  # type: ignore[method-assign]
    worker.handle([(fir(is_grave=True), NOON)])
    outbox.send()
    assert len(world.topic.delivered) == 1


def test_the_thread_sends_what_another_worker_left_and_what_is_put() -> None:
    import time

    world = World(GRAVE)
    world.worker()[0].handle([(fir(1, is_grave=True), NOON)])  # it dies before it sends
    world.now += 11
    worker, outbox = world.worker()
    world.topic.down = True
    outbox.start()
    worker.handle([(fir(2, is_grave=True), NOON)])
    while not world.said:
        time.sleep(0.01)
    world.topic.down = False
    while world.table.pending:
        time.sleep(0.01)
    outbox.close()
    assert world.said == ["Alerts wait, none is lost: ClientError InternalError.", "Alerts are sent again."]
    assert len(world.topic.delivered) == 2


def test_an_item_that_can_hold_no_more_stops_nothing() -> None:
    world = World(SURGE)
    worker, _ = world.worker()
    reason = {
        "Code": "ValidationError",
        "Message": "Item size to update has exceeded the maximum allowed size",
    }
    answer: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": [reason]}

    def refuse(actions: Sequence[Any]) -> None:
        raise ClientError(answer, "TransactWriteItems")

    world.table._transact = refuse  # type: ignore[method-assign]
    worker.handle([(fir(), NOON)])


def told_about(alert: dict[str, Any]) -> tuple[str, ...]:
    """What an alert is about, as `all_there_is` says it."""
    if alert["kind"] == "grave":
        return ("grave", alert["fir_key"])
    subject = alert["location_cell"] if alert["kind"] == "repeat_location" else alert["crime_group"]
    return (alert["kind"], subject, alert["period_began_at"])


def all_there_is(firs: Sequence[tuple[FirEvent, datetime]]) -> set[tuple[str, ...]]:
    """Every alert of FIRs, found by looking at each window anew."""
    found: set[tuple[str, ...]] = {("grave", one.fir_key) for one, _ in firs if one.is_grave}
    subjects: list[tuple[str, Callable[[FirEvent], str | None]]] = [
        ("surge", lambda one: one.crime_group),
        ("repeat_location", lambda one: one.location_cell),
    ]
    for kind, of in subjects:
        for subject in {of(one) for one, _ in firs} - {None}:
            times = [(at, one.fir_key) for one, at in firs if of(one) == subject]
            for end, _ in times:
                inside = {key for at, key in times if end - 10 * MINUTE < at <= end}
                if len(inside) >= 3:
                    began = end.replace(minute=end.minute // 10 * 10, second=0)
                    found.add((kind, str(subject), began.strftime("%Y-%m-%dT%H:%M:%S.000Z")))
    return found


FIRS = st.lists(
    st.tuples(
        st.integers(1, 12),  # number
        st.integers(0, 35),  # minute of arrival
        st.sampled_from(["property", "violent"]),
        st.sampled_from(["tuuxyz1", "tuuxyz2", None]),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda one: one[0],
)


@given(FIRS, st.data())
def test_whatever_dies_and_is_replayed_each_alert_is_told_once(firs: list[Any], data: st.DataObject) -> None:
    events = [
        (
            fir(
                n,
                crime_group=group,
                location_cell=cell,
                is_grave=n % 4 == 0,
                reported_at=NOON + minute * MINUTE,
            ),
            NOON + minute * MINUTE,
        )
        for n, minute, group, cell in firs
    ]
    world = World({**GRAVE, **SURGE, **PLACE})
    steps = {"left": 0}

    def meanwhile() -> None:
        """One call further: the worker dies, or another works in between."""
        steps["left"] -= 1
        if steps["left"] == 0:
            if data.draw(st.booleans(), label="another works"):
                other, box = world.worker()
                other.handle(data.draw(st.lists(st.sampled_from(events), max_size=4), label="its FIRs"))
                box.send()
            else:
                raise Died

    world.table.meanwhile = world.topic.meanwhile = meanwhile
    for _ in range(data.draw(st.integers(1, 4), label="workers")):
        steps["left"] = data.draw(st.integers(1, 14), label="calls")
        worker, outbox = world.worker()
        try:
            while batch := data.draw(st.lists(st.sampled_from(events), max_size=6), label="batch"):
                worker.handle(batch)
                outbox.send()
        except Died:
            pass
        world.now += data.draw(st.sampled_from([0, 4, 11]), label="seconds")
    # In the end each FIR has been handled by a worker that lived: no checkpoint is made before.
    steps["left"] = 0
    worker, outbox = world.worker()
    for event in data.draw(st.permutations(events), label="the rest"):
        worker.handle([event])
    outbox.send()
    world.settle()
    told = Counter(told_about(one) for one in world.topic.delivered)
    assert set(told) == all_there_is(events)
    assert set(told.values()) <= {1}


def test_of_two_workers_at_the_same_moment_at_least_one_sees_both() -> None:
    """Each writes a FIR on its side of a stretch's end, and the one reads while the other has written."""
    world = World(SURGE)
    before = [(fir(n, reported_at=NOON - MINUTE), NOON - n * MINUTE) for n in (1, 2)]
    after = (fir(3), NOON + MINUTE)
    worker, outbox = world.worker()
    calls = iter(range(100))

    def meanwhile() -> None:
        if next(calls) == 1:  # written, not yet read
            other, box = world.worker()
            other.handle(before)
            box.send()

    world.table.meanwhile = meanwhile
    worker.handle([after])
    outbox.send()
    assert [told["count"] for told in world.topic.delivered] == [3]


def test_firs_of_one_moment_are_counted_together() -> None:
    added = [Entry(1000, bytes([n])) for n in range(3)]
    assert full(added, added[:1], 10_000, 3) == {0: 3}
    assert full([*added, Entry(11_000, b"x")], [Entry(11_000, b"x")], 10_000, 2) == {}


def test_the_shipped_baseline_is_ncrbs_last_year_by_district() -> None:
    name = "01_District_wise_crimes_committed_IPC_2014.csv"
    made = baseline.of_entries(landing.parse(name, (DATA / name).read_bytes()))
    assert made == alerts.read_baseline(None)
    assert sum(made.cases.values()) == 2_858_939  # every case of the year, each once
    assert {group for _, _, group in made.cases} <= set(GROUPS)
    assert made.expected("IN-UP", "Nowhere", "property", 60) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("state,district\n", "line 1 is not state_code"),
        ("state_code,district,crime_group,cases_per_year\nIN-UP,Lucknow,property\n", "line 2: 3 fields"),
        ("state_code,district,crime_group,cases_per_year\nIN-UP,Lucknow,theft,5\n", "line 2: crime_group"),
        ("state_code,district,crime_group,cases_per_year\nIN-UP,Lucknow,property,-5\n", "cases_per_year"),
        (
            "state_code,district,crime_group,cases_per_year\nIN-UP,Lucknow,property,5\nIN-UP,Lucknow,property,5\n",
            "line 3: this district and group stand there twice",
        ),
    ],
)
def test_a_baseline_that_is_none_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        baseline.from_csv(text)


def test_a_baseline_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"nowhere\.csv can't be read"):
        alerts.read_baseline(str(tmp_path / "nowhere.csv"))


def test_files_are_checked_and_named_whole_before_the_consumer_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.toml").write_text('[a]\nkind = "grave"\ngrave = true\n')
    there = make_settings(tmp_path, tmp_path).model_copy(update={"stream": {"alert_rules": "rules.toml"}})
    assert alerts.checked(there).stream == {"alert_rules": str(tmp_path / "rules.toml")}
    (tmp_path / "rules.toml").write_text('[a]\nkind = "grave"\n')
    with pytest.raises(WrongUsage, match="rule 'a'"):
        alerts.checked(there)
