"""What is sent next, driven step by step with a clock of its own: order, reshards, failures, limits."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crime_jobs.model.aggregation import deaggregate, hash_key
from fir_producer.lanes import Done, Flight, Lanes
from fir_producer.limits import Limits, Window
from fir_producer.options import SenderOptions
from fir_producer.shards import ShardMap, Unsettled, list_shards
from tests.unit.kinesis import THROTTLED, FakeKinesis

KEYS = [f"station-{place}" for place in range(7)]


@dataclass
class World:
    """Lanes before a fake stream, and requests that are under way between the two."""

    stream: FakeKinesis
    lanes: Lanes
    now: float = 0.0
    under_way: list[list[Flight]] = field(default_factory=list)
    put: int = 0
    done: list[Done] = field(default_factory=list)

    @classmethod
    def of(cls, shards: int, **options: Any) -> World:
        stream = FakeKinesis(shards)
        told = SenderOptions(**{"linger": 0.0, "give_up_after": 1e9, **options})
        world = cls(stream, Lanes(list_shards(stream, "it"), told, random.Random(1)))  # noqa: S311
        stream.now = lambda: world.now
        return world

    def add(self, key: str, size: int = 0) -> None:
        self.lanes.add(key, f"{self.put:06}".encode() + bytes(size), self.put, self.now)
        self.put += 1

    def take(self) -> bool:
        flights = self.lanes.take(self.now)
        if flights:
            self.under_way.append(flights)
            keys = [key for request in self.under_way for flight in request for key in set(flight.batch.keys)]
            assert len(keys) == len(set(keys)), "two of a key are under way"
        return bool(flights)

    def answer(self, place: int, fate: str = "") -> None:
        """One request ends: well, with failed entries (a letter each), unsent, or with its answer lost."""
        flights = self.under_way.pop(place % len(self.under_way))
        if fate == "unsent":
            self.done += self.lanes.refused(flights, "ReadTimeoutError", self.now)
            return
        codes = (
            [THROTTLED if fate[at % len(fate) :][:1] == "x" else "" for at in range(len(flights))]
            if fate
            else []
        )
        self.stream.fate = lambda _: codes if fate not in {"", "lost"} else None
        said = self.stream.put_records(StreamName="it", Records=[flight.batch.entry() for flight in flights])
        if fate == "lost":
            self.done += self.lanes.refused(flights, "ReadTimeoutError", self.now)
        else:
            self.done += self.lanes.answered(flights, said["Records"], self.now)

    def list(self, *, works: bool = True) -> None:
        if self.lanes.refresh_due(self.now):
            if works:
                self.done += self.lanes.remap(list_shards(self.stream, "it"), self.now)
            else:
                self.done += self.lanes.refresh_failed("LimitExceededException", self.now)

    def finish(self) -> None:
        """Everything works from now on."""
        for _ in range(1000):
            self.list()
            while self.take():
                pass
            if self.under_way:
                self.answer(0)
            elif sum(len(one.batch.tokens) for one in self.done) == self.put:
                return
            else:
                self.now += 10
        pytest.fail("it does not come to an end")

    def check(self) -> None:
        """Each record has one outcome, what is confirmed is where it is said to be, in order within its key."""
        tokens = Counter(token for one in self.done for token in one.batch.tokens)
        assert tokens == Counter(range(self.put))
        kept = self.stream.kept()
        for one in self.done:
            for place, (token, key) in enumerate(zip(one.batch.tokens, one.batch.keys, strict=True)):
                if not one.error:
                    found = kept[one.shard_id, one.sequence_number, place]
                    assert (found.partition_key, found.data[:6]) == (key, f"{token:06}".encode())
        for datas in self.stream.first_seen().values():
            assert datas == sorted(datas)


ACTIONS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(KEYS), st.integers(0, 120)),
    st.tuples(st.just("put"), st.sampled_from(KEYS), st.integers(0, 120)),
    st.tuples(st.just("take")),
    st.tuples(
        st.just("answer"), st.integers(0, 3), st.sampled_from(["", "", "x", "x.", ".x", "lost", "unsent"])
    ),
    st.tuples(st.just("list"), st.booleans()),
    st.tuples(st.just("tick"), st.floats(0, 3)),
    st.tuples(st.just("split"), st.integers(0, 3)),
    st.tuples(st.just("merge"), st.integers(0, 3)),
)


@settings(max_examples=300)
@given(st.integers(1, 3), st.sampled_from([130, 250, 600]), st.lists(ACTIONS, max_size=80))
def test_whatever_happens_nothing_is_lost_and_order_is_kept(
    shards: int, size: int, actions: list[tuple[Any, ...]]
) -> None:
    world = World.of(shards, record_bytes=size)
    for name, *more in actions:
        match name:
            case "put":
                world.add(*more)
            case "take":
                world.take()
            case "answer" if world.under_way:
                world.answer(*more)
            case "list":
                world.list(works=more[0])
            case "tick":
                world.now += more[0]
            case "split" if len(world.stream.open) < 6:
                world.stream.split(more[0])
            case "merge":
                world.stream.merge(more[0])
    world.finish()
    world.check()
    assert not any(one.error for one in world.done)


def test_an_aggregate_that_lands_on_a_child_is_sent_again_parted() -> None:
    """A KCL would drop it whole, also those of its records that belong there."""
    world = World.of(1)
    for key in KEYS * 2:
        world.add(key)
    world.stream.split(0)
    assert world.take()
    world.answer(0)
    assert world.done == []
    assert not world.stream.kept(), "the KCL reads nothing of it"
    world.add(KEYS[0])  # comes later, and must stay behind
    world.finish()
    world.check()
    assert {one.shard_id for one in world.done} == {shard.name for shard in world.stream.open}
    assert world.lanes.retried == len(KEYS) * 2


def test_an_aggregate_of_one_key_is_right_wherever_it_lands() -> None:
    world = World.of(1)
    for _ in range(3):
        world.add("station-1")
    world.stream.split(0)
    world.take()
    world.answer(0)
    world.finish()
    world.check()
    assert world.lanes.retried == 0
    assert len(world.done) == 1


def test_a_merge_needs_nothing_sent_again() -> None:
    world = World.of(2)
    for key in KEYS:
        world.add(key)
    world.stream.merge(0)
    world.take()
    world.answer(0)
    world.finish()
    world.check()
    assert world.lanes.retried == 0
    assert {one.shard_id for one in world.done} == {world.stream.open[0].name}


def test_new_shards_wait_for_what_is_under_way_in_the_old_one() -> None:
    world = World.of(2)
    by_shard: dict[str, str] = {}
    shards = list_shards(world.stream, "it")
    for key in KEYS:
        by_shard.setdefault(shards.of(hash_key(key)).shard_id, key)
    first, second = by_shard.values()
    world.add(first)
    world.take()
    world.add(second)
    world.take()
    assert len(world.under_way) == 2
    world.stream.split(0)
    world.stream.split(2)
    world.answer(1)  # one lane learns of the reshard while the other's answer is still to come
    world.list()
    world.add(first)
    assert not world.take(), "the earlier record of the key has no outcome yet"
    world.answer(0, "unsent")
    world.finish()
    world.check()


def test_only_what_failed_is_sent_again() -> None:
    world = World.of(3)
    for key in KEYS:
        world.add(key)
    world.take()
    assert len(world.under_way[0]) == 3
    world.answer(0, ".x.")
    assert len(world.done) == 2
    world.now += 10
    world.take()
    (again,) = world.under_way[0]
    assert again.batch.attempts == 2
    world.answer(0)
    world.check()
    assert world.lanes.retried == len(again.batch.tokens)
    assert world.stream.requests == [3, 1]


def test_a_throttled_shard_waits_longer_each_time_and_alone() -> None:
    dice = random.Random(0)  # noqa: S311
    dice.uniform = lambda low, high: high  # type: ignore[assignment,method-assign]
    world = World.of(2, first_pause=1.0, longest_pause=4.0)
    world.lanes = Lanes(
        list_shards(world.stream, "it"), SenderOptions(linger=0, first_pause=1, longest_pause=4), dice
    )
    for key in KEYS:
        world.add(key)
    world.take()
    world.answer(0, "x.")
    pauses = []
    for _ in range(4):
        pauses.append(world.lanes.wait(world.now))
        world.now += pauses[-1]
        assert world.take()
        assert len(world.under_way[0]) == 1
        world.answer(0, "x")
    assert pauses == [1, 2, 4, 4]
    world.now += 4
    world.take()
    world.answer(0)
    free = list_shards(world.stream, "it").shards[0]
    world.add(next(key for key in KEYS if free.takes(hash_key(key))))
    assert world.take(), "a success ends the pauses"


def test_it_is_given_up_with_its_reason_and_the_next_follow() -> None:
    world = World.of(1, give_up_after=60.0)
    world.add("a")
    for _ in range(3):
        world.now += 25
        world.take()
        world.answer(0, "x")
    (given_up,) = world.done
    assert (given_up.error, given_up.batch.attempts) == (THROTTLED, 3)
    world.add("a")
    world.finish()
    assert [one.error for one in world.done] == [THROTTLED, ""]


def test_it_is_given_up_when_nobody_says_where_it_landed() -> None:
    world = World.of(1, give_up_after=60.0)
    world.add("a")
    world.add("b")
    world.stream.split(0)
    world.take()
    world.answer(0)
    for _ in range(3):
        world.now += 25
        world.list(works=False)
    assert [one.error for one in world.done] == ["LimitExceededException"]


def test_a_list_of_shards_older_than_the_answer_is_asked_again() -> None:
    world = World.of(1)
    old = list_shards(world.stream, "it")
    world.add("a")
    world.add("b")
    world.stream.split(0)
    world.take()
    world.answer(0)
    assert world.lanes.remap(old, world.now) == []
    world.finish()
    world.check()


def test_a_request_is_no_larger_than_it_may_be() -> None:
    world = World.of(4, record_bytes=1000, request_bytes=1600)
    for place in range(400):
        world.add(f"station-{place}", 20)
    world.lanes.hurry = True
    seen = []
    while world.take():
        flights = world.under_way[-1]
        entries = [flight.batch.entry() for flight in flights]
        sizes = [len(str(entry["PartitionKey"])) + len(entry["Data"]) for entry in entries]  # type: ignore[arg-type]
        assert all(size <= 1000 for size in sizes)
        assert sum(sizes) <= 1600
        seen.append(sum(sizes))
        world.answer(0)
    assert max(seen) > 800
    world.check()


def test_records_wait_a_moment_for_others_but_not_when_somebody_waits_for_them() -> None:
    world = World.of(1, linger=0.5)
    world.add("a")
    assert not world.take()
    assert world.lanes.wait(0.0) == 0.5
    world.now = 0.25
    world.add("b")
    assert world.lanes.wait(world.now) == 0.25
    world.now = 0.5
    assert world.take()
    assert len(world.under_way[0][0].batch.tokens) == 2
    world.answer(0)
    world.add("c")
    world.lanes.hurry = True
    assert world.take()


def test_the_same_bytes_are_sent_again() -> None:
    """What was sent may be in the stream, so an aggregate that is sent again is not made anew."""
    world = World.of(1)
    world.add("a")
    world.add("b")
    world.take()
    world.answer(0, "lost")
    world.add("a")
    world.finish()
    first, second, third = [record.data for record in world.stream.shards[0].written]
    assert first == second
    assert [one.data for one in deaggregate(third, "a")] == [b"000002"]
    world.check()


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 0.4)), max_size=120), st.integers(2, 20))
def test_no_second_has_more_than_the_limit(sizes: list[tuple[int, float]], records: int) -> None:
    limits = Limits(bytes=500, records=records)
    window, now, sent = Window(limits), 0.0, []
    for size, pause in sizes:
        now += pause
        while (wait := window.wait(size, now)) > 0:
            now += wait
        window.spend(size, now)
        sent.append((now, size))
    for at, _ in sent:
        second = [size for time, size in sent if time <= at < time + 1]
        assert sum(second) <= 500
        assert len(second) <= records


@pytest.mark.parametrize(("size", "records"), [(200, 1000), (1000, 1000), (200, 12)])
def test_nearly_all_of_the_limit_is_used_and_never_more(size: int, records: int) -> None:
    limits, dice = Limits(bytes=1_000_000, records=records), random.Random(5)  # noqa: S311
    world = World.of(1, limits=limits)
    while world.now < 20:
        while len(world.lanes._busy) == 0 or not world.take():
            if sum(len(lane.waiting()) for lane in world.lanes._lanes.values()) < 3:
                for place in range(500):
                    world.add(KEYS[place % 7], size)
            elif (wait := world.lanes.wait(world.now)) > 0:
                world.now += wait
        world.now += dice.choice([0.0, 0.001, 0.03])  # on the way there
        world.answer(0)
    written = world.stream.shards[0].written
    for at in {record.time for record in written}:
        second = [record.size for record in written if record.time <= at < record.time + 1]
        assert sum(second) <= limits.bytes
        assert len(second) <= limits.records
    steady = [record for record in written if 1 <= record.time < 19]
    if records == 1000:
        assert sum(record.size for record in steady) >= 0.95 * 18 * limits.bytes
    else:
        assert len(steady) >= 0.9 * 18 * records


def test_a_batch_that_failed_goes_before_those_that_wait() -> None:
    world = World.of(1, record_bytes=130)
    world.add("a", 100)
    world.take()
    world.add("a", 100)
    world.add("a", 100)
    world.answer(0, "x")
    world.finish()
    world.check()


def test_what_waits_in_a_closed_lane_goes_before_what_came_since() -> None:
    """Though the new lanes have records already, while the old one's answer is still to come."""
    world = World.of(2)
    shards = list_shards(world.stream, "it").shards
    first, second = ([key for key in KEYS if shard.takes(hash_key(key))] for shard in shards)
    for key in first:
        world.add(key)
    world.take()
    for key in first:
        world.add(key)
    for key in second:
        world.add(key)
    world.take()
    world.stream.split(0)
    world.stream.split(2)
    world.answer(1)
    world.list()
    for key in first:
        world.add(key)
    world.stream.split(0)  # and what came since must move on, before what is older comes after it
    world.stream.split(3)
    world.take()
    world.answer(1)
    world.list()
    for key in first:
        world.add(key)
    world.answer(0, "unsent")
    world.finish()
    world.check()


def test_two_reshards_before_an_answer() -> None:
    """What waits for the first one's new shards moves on, and what is older goes before it."""
    world = World.of(2)
    shards = list_shards(world.stream, "it").shards
    keys = [f"station-{place}" for place in range(60)]
    first, second = ([key for key in keys if shard.takes(hash_key(key))] for shard in shards)
    for key in first:
        world.add(key)
    world.take()
    for key in second:
        world.add(key)
    world.take()
    world.stream.split(0)
    world.stream.split(2)
    world.answer(1)
    world.list()
    for key in first:
        world.add(key)
    world.stream.split(0)
    world.stream.split(2)
    world.answer(0)
    world.list()
    world.finish()
    world.check()


def test_it_landed_on_a_shard_that_is_closed_by_now() -> None:
    world = World.of(1)
    for key in KEYS:
        world.add(key)
    world.stream.split(0)
    world.take()
    world.answer(0)
    world.stream.split(0)
    world.stream.split(2)
    world.finish()
    world.check()


def test_shards_that_leave_a_gap_are_asked_again() -> None:
    stream = FakeKinesis(3)
    shards = list_shards(stream, "it").shards
    for wrong in (shards[1:], shards[:-1], (shards[0], shards[2]), (*shards, shards[1]), ()):
        with pytest.raises(Unsettled):
            ShardMap(wrong)
    assert ShardMap(reversed(shards)).of(0) == shards[0]


def test_shards_come_in_pages_and_closed_ones_do_not_count() -> None:
    stream = FakeKinesis(2)
    stream.split(0)
    all_of_them = stream.list_shards()["Shards"]
    pages = {None: {"Shards": all_of_them[:2], "NextToken": "more"}, "more": {"Shards": all_of_them[2:]}}

    class Client:
        def list_shards(self, **request: str) -> Any:
            assert request in ({"StreamName": "it"}, {"NextToken": "more"})
            return pages[request.get("NextToken")]

    assert [shard.shard_id for shard in list_shards(Client(), "it").shards] == [
        shard.name for shard in stream.open
    ]
