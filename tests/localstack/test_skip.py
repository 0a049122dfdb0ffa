"""Past a record that the KCL can't take apart: a real stream, tables and queue, and a lease as the KCL keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.stream import leases, skip
from crime_jobs.stream.deadletters import open_letters
from crime_jobs.stream.handling import open_handler
from crime_jobs.stream.leases import KEY
from crime_jobs.stream.replay import listed, replay
from crime_jobs.stream.supervisor import only_one
from tests.clock import clock_with
from tests.localstack.conftest import Stack
from tests.localstack.consumer import CANARY, Parts, event
from tests.localstack.test_consumer_daemon import aggregate


class World:
    """A stream, and an application that began with it."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.parts, self.folder = Parts(stack), folder
        self.settings, self.stream = self.parts.settings(), self.parts.stream
        self.kinesis, self.dynamodb = stack.client("kinesis"), stack.client("dynamodb")
        self.kinesis.create_stream(StreamName=self.stream.name, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=self.stream.name, WaiterConfig={"Delay": 1})
        leases.prepare(self.settings, self.stream, "a worker")

    def put(self, *numbers: int, index: int | None = None) -> str:
        """Put FIRs, together if a key's index is given; return the number of the last record."""
        each = [event(number).to_bytes() for number in numbers]
        for data in each if index is None else [aggregate("a key", each, index)]:
            said = self.kinesis.put_record(StreamName=self.stream.name, Data=data, PartitionKey="a")
        return str(said["SequenceNumber"])

    @property
    def lease(self) -> dict[str, Any]:
        (found,) = self.dynamodb.scan(TableName=self.stream.application, ConsistentRead=True)["Items"]
        return dict(found)

    def touch(self, **values: dict[str, str]) -> None:
        """Change the lease, as whoever reads does."""
        self.dynamodb.put_item(TableName=self.stream.application, Item={**self.lease, **values})

    def skip(self, **options: bool) -> list[dict[str, Any]]:
        return skip.skip(self.settings, self.folder, **options)

    @property
    def firs(self) -> list[int]:
        return sorted(
            int(item["fir_number"]["N"]) for item in self.parts.scan(self.stream.events_table).values()
        )

    @property
    def letters(self) -> list[dict[str, Any]]:
        return listed(open_letters(self.settings, self.stream))

    def close(self) -> None:
        self.kinesis.delete_stream(StreamName=self.stream.name)


@pytest.fixture
def world(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(skip, "RENEWS", 0.0)
    made = World(stack, tmp_path)
    yield made
    made.close()


def test_what_is_before_is_handled_what_is_odd_is_kept_sealed_and_the_lease_is_behind(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    before = world.put(1, 2, 3, index=0)
    world.touch(
        checkpoint={"S": before}, checkpointSubSequenceNumber={"N": "0"}
    )  # killed within an aggregate
    world.put(4)
    odd = [world.put(10, 11, index=1), world.put(12, index=9)]
    world.put(5)
    odd.append(world.put(13, index=1))
    behind = world.put(6, 7, index=0)
    world.put(8)

    found = world.skip(dry_run=True)
    assert [row["position"].split("/")[2] for row in found] == odd
    assert (world.firs, world.lease["checkpoint"]["S"]) == ([], before)
    assert world.skip() == found
    assert world.firs == [2, 3, 4, 5, 6, 7], "the first was handled before, and the last is the consumer's"
    lease = world.lease
    assert (lease["checkpoint"]["S"], lease["checkpointSubSequenceNumber"]["N"]) == (behind, "1")
    assert int(lease["leaseCounter"]["N"]) > 0, "whoever reads all the same would notice"
    assert [row["position"] for row in world.letters] == [row["position"] for row in found]
    assert world.skip() == []

    # Who replays the letters has the FIRs in them, each at its own place.
    queue = open_letters(world.settings, world.stream)
    with closing(open_handler(world.settings, world.stream, lambda: None, print)) as handler:
        again = list(replay(queue, handler))
    assert [(row["outcome"], row["done"]) for row in again] == 3 * [("new", True)]
    assert world.firs == [2, 3, 4, 5, 6, 7, 10, 11, 12, 13]
    there = {item["fir_number"]["N"]: item for item in world.parts.scan(world.stream.events_table).values()}
    assert (there["11"]["sequence"]["S"], there["11"]["sub_sequence"]["N"]) == (odd[0], "1")
    assert CANARY not in json.dumps([found, again]) + "".join(capfd.readouterr())


def test_while_somebody_reads_nothing_is_touched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(1)
    world.put(2, index=1)
    world.put(3)
    before = world.lease
    with only_one(world.folder), pytest.raises(WrongUsage, match="A consumer runs with the folder"):
        world.skip()
    # One of another machine renews its lease meanwhile.
    with monkeypatch.context() as patch:
        patch.setattr(skip, "time", clock_with(sleep=lambda _: world.touch(leaseCounter={"N": "7"})))
        with pytest.raises(WrongUsage, match=f"A consumer reads {before[KEY]['S']}: its lease is renewed."):
            world.skip()
    assert (world.firs, world.letters) == ([], [])
    # Or begins at the last moment: then what was done is done once more, and harmless.
    move = skip._move

    def late(*arguments: Any) -> None:
        world.touch(leaseCounter={"N": "8"})
        move(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(skip, "_move", late)
        with pytest.raises(WrongUsage, match="its lease is renewed"):
            world.skip()
    assert world.lease == {**before, "leaseCounter": {"N": "8"}}
    assert world.firs == [1, 3]


def test_with_nothing_behind_it_yet_it_is_left_where_it_is(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.put(1)
    odd = world.put(2, index=1)
    before = world.lease
    with pytest.raises(JobFailed, match=f"{odd}/0 can't be taken apart, and there is none behind it"):
        world.skip()
    assert (world.lease, world.firs, world.letters) == (before, [], [])
    world.put(3)
    later = world.put(4, index=1)
    (row,) = world.skip()
    assert row["position"].endswith(f"/{odd}/0")
    assert f"{later}/0 can't be taken apart" in capfd.readouterr().err
    assert world.firs == [1, 3]
