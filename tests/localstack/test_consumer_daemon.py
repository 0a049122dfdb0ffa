"""The consumer as it runs: the KCL's own daemon under the supervisor, things dying, a shard split under it."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from crime_jobs.stream.status import ShardStatus, read_shards, read_supervisor
from tests.localstack.conftest import Stack
from tests.localstack.consumer import CANARY, Parts, event

pytestmark = pytest.mark.faults

#: KPL's aggregation format (https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md).
MAGIC = b"\xf3\x89\x9a\xc2"


def field(number: int, content: bytes | int) -> bytes:
    """A field of a protobuf message."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    size, left = b"", len(content)
    while left > 0x7F:
        size, left = size + bytes([left & 0x7F | 0x80]), left >> 7
    return bytes([number << 3 | 2]) + size + bytes([left]) + content


def aggregate(key: str, records: list[bytes], index: int = 0) -> bytes:
    message = field(1, key.encode()) + b"".join(field(3, field(1, index) + field(3, one)) for one in records)
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def tells_nothing(log: str) -> bool:
    """Whether a log has nothing of a record, as it is or in base64, in which Java has it."""
    # Of three bytes each: whatever stands before, one of the three is in what is encoded.
    shifted = [base64.b64encode(CANARY.encode()[at : at + 12]).decode() for at in range(3)]
    return not any(found in log for found in (CANARY, *shifted))


class Consumer:
    """A stream of its own, a consumer of it, and what was put into the one and must come out of the other."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.parts = Parts(stack)
        self.kinesis = stack.client("kinesis")
        self.name = self.parts.stream.name
        self.kinesis.create_stream(StreamName=self.name, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 1})
        self.state, self.log = folder / "state", folder / "log"
        section = "".join(
            f'{key} = "{value}"\n' for key, value in self.parts.stream.model_dump(exclude_none=True).items()
        )
        (folder / "crime-jobs.toml").write_text(
            f'[test]\nlanding = "x"\nlake = "x"\nregion = "us-east-1"\n[test.stream]\n{section}'
        )
        self._folder, self._environ = folder, stack.environ
        self.sent: set[str] = set()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "crime_jobs.cli", "stream", "consume", "--env", "test"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--state-dir", str(self.state)],
                cwd=self._folder,
                env=self._environ,
                stdout=log,
                stderr=log,
            )

    def run(self, *verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crime_jobs.cli", "stream", *verb, "--env", "test"],
            cwd=self._folder, env=self._environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def stop(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def put(self, numbers: range, *, of: int = 1) -> None:
        """Put FIRs into the stream, some together in a record if so wanted."""
        events = [event(number, f"station {number % 7}") for number in numbers]
        self.sent |= {one.fir_key for one in events}
        batches = [events[at : at + of] for at in range(0, len(events), of)]
        self._put(
            [
                aggregate("a key", [one.to_bytes() for one in some]) if of > 1 else some[0].to_bytes()
                for some in batches
            ]
        )

    def put_bad(self, *records: bytes) -> None:
        self._put(list(records))

    def _put(self, records: list[bytes]) -> None:
        entries = [{"Data": data, "PartitionKey": f"key {random.random()}"} for data in records]  # noqa: S311
        for at in range(0, len(entries), 100):
            said = self.kinesis.put_records(StreamName=self.name, Records=entries[at : at + 100])
            assert not any("ErrorCode" in one for one in said["Records"])

    def events(self) -> dict[str, dict[str, Any]]:
        return self.parts.scan(self.parts.stream.events_table)

    def all_there(self) -> bool:
        try:
            return self.events().keys() >= self.sent
        except ClientError:  # the faults are for this test too
            return False

    def reading(self) -> list[ShardStatus]:
        """What the processes say that live; those that were killed have left theirs."""
        said = [one for one in read_shards(self.state) if one.state in {"reading", "waiting"}]
        return [one for one in said if psutil.pid_exists(one.pid)]

    def daemon(self) -> int:
        """The daemon's process, once there is one."""
        found = None

        def there() -> bool:
            nonlocal found
            status = read_supervisor(self.state)
            found = status.daemon if status and status.state == "running" else None
            return found is not None

        self.until(there)
        assert found
        return found

    def until(self, holds: Callable[[], object], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert self.process is None or self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)


@pytest.fixture
def consumer(stack: Stack, tmp_path: Path) -> Iterator[Consumer]:
    made = Consumer(stack, tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_whatever_dies_and_however_the_stream_is_parted_each_fir_is_there_once(
    consumer: Consumer, stack: Stack
) -> None:
    """One consumer for all of it: each start of Java takes seconds."""
    consumer.put(range(1, 41))
    consumer.put(range(41, 101), of=20)
    consumer.start()
    consumer.until(consumer.all_there)
    found = consumer.events()
    subs = sorted(int(item["sub_sequence"]["N"]) for item in found.values())
    assert subs == sorted([*(40 * [0]), *(3 * list(range(20)))])

    # Aggregated records that are none: they come as they are, and nobody prints them.
    whole = aggregate("a key", [event(999).to_bytes()])
    garbled = MAGIC + field(3, b"\x1a\x7f" + CANARY.encode())
    consumer.put_bad(
        whole[:-1] + bytes([whole[-1] ^ 1]),
        garbled + hashlib.md5(garbled[4:], usedforsecurity=False).digest(),
        CANARY.encode(),
    )
    queue = consumer.parts.sqs.get_queue_url(QueueName=consumer.parts.stream.dead_letters)["QueueUrl"]
    asked = {"QueueUrl": queue, "AttributeNames": ["ApproximateNumberOfMessages"]}
    consumer.until(
        lambda: (
            consumer.parts.sqs.get_queue_attributes(**asked)["Attributes"]["ApproximateNumberOfMessages"]
            == "3"
        )
    )

    (shard,) = consumer.reading()
    os.kill(shard.pid, signal.SIGKILL)
    consumer.put(range(101, 151), of=10)
    consumer.until(consumer.all_there)

    os.kill(consumer.daemon(), signal.SIGKILL)
    consumer.put(range(151, 201))
    consumer.until(consumer.all_there)

    with stack.faults(DYNAMODB_ERROR_PROBABILITY=0.3):  # sink, alerts and the KCL's own tables
        consumer.put(range(281, 321), of=4)
        consumer.until(consumer.all_there)

    middle = str(2**127)
    consumer.kinesis.split_shard(
        StreamName=consumer.name, ShardToSplit=shard.shard, NewStartingHashKey=middle
    )
    consumer.kinesis.get_waiter("stream_exists").wait(StreamName=consumer.name, WaiterConfig={"Delay": 1})
    consumer.put(range(201, 261))
    consumer.until(consumer.all_there)
    after = consumer.events()
    assert len({after[key]["shard"]["S"] for key in consumer.sent}) == 3

    # In order: what comes next begins just behind, so that nothing is even replayed.
    assert consumer.stop() == 0
    status = read_supervisor(consumer.state)
    assert status
    assert status.state == "stopped"
    assert status.restarts >= 2
    consumer.put(range(261, 281))
    consumer.start()
    consumer.until(consumer.all_there)
    consumer.until(lambda: sum(sum(one.counts.values()) for one in read_shards(consumer.state)) == 20)
    assert {kind for one in read_shards(consumer.state) for kind in one.counts} == {"new"}
    assert consumer.stop() == 0

    last = consumer.events()
    assert last.keys() == consumer.sent
    assert last | found == last, "what was written once was written again"
    assert tells_nothing(consumer.log.read_text())


@pytest.mark.soak
def test_killed_fifty_times_at_random(consumer: Consumer) -> None:
    chance = random.Random(6)  # noqa: S311
    consumer.start()
    written: dict[str, dict[str, Any]] = {}
    for kill in range(50):
        consumer.put(range(kill * 40 + 1, kill * 40 + 41), of=chance.choice([1, 8]))
        consumer.until(consumer.reading)
        time.sleep(chance.uniform(0, 4))  # at work, or just begun, or done
        victims = [consumer.daemon(), *(one.pid for one in consumer.reading())]
        try:
            os.kill(chance.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            continue
        seen = consumer.events()
        assert seen | written == seen, "what was written once was written again"
        written = seen
        if kill % 5 == 0:  # nothing gets anywhere that is always killed before its first checkpoint
            consumer.until(consumer.all_there)
    consumer.until(consumer.all_there, 300)
    assert consumer.stop() == 0
    assert consumer.events().keys() == consumer.sent
    assert tells_nothing(consumer.log.read_text())


@pytest.mark.soak
def test_past_what_the_library_can_not_take_apart_it_goes_on_and_nothing_of_it_is_lost(
    consumer: Consumer,
) -> None:
    consumer.put(range(1, 11))
    consumer.start()
    consumer.until(consumer.all_there)
    inside = [event(number) for number in range(500, 503)]
    consumer.put(range(11, 31), of=10)
    consumer.put_bad(aggregate("a key", [one.to_bytes() for one in inside], index=1))
    consumer.put(range(31, 51), of=10)
    stuck = "Exception occurred while dispatching incoming data"
    consumer.until(
        lambda: consumer.log.read_text().count(stuck) >= 2
    )  # it is started again, and is no further
    assert len(consumer.events()) < 50
    beside = consumer.run("skip", "--state-dir", str(consumer.state))
    assert beside.returncode == 2, "a consumer runs"
    assert consumer.stop() == 0

    skipped = consumer.run("skip", "--state-dir", str(consumer.state))
    assert skipped.returncode == 0, skipped.stderr
    assert len(skipped.stdout.splitlines()) == 1
    consumer.start()
    consumer.put(range(51, 61))
    consumer.until(consumer.all_there)
    assert consumer.stop() == 0
    assert consumer.events().keys() == consumer.sent

    replayed = consumer.run("dead-letters", "replay")
    assert replayed.returncode == 0, replayed.stderr
    assert consumer.events().keys() == consumer.sent | {one.fir_key for one in inside}
    said = [replayed.stdout, replayed.stderr, skipped.stdout, skipped.stderr, consumer.log.read_text()]
    assert tells_nothing("".join(said))
