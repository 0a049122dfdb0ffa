"""The consumer's process against real tables and a real queue, killed after each message of its protocol in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crime_jobs.stream import sink
from crime_jobs.stream.deadletters import LARGEST, DeadLetters, open_letters
from crime_jobs.stream.handling import open_handler
from crime_jobs.stream.replay import listed, replay, replay_all
from crime_jobs.stream.status import read_shards
from tests.localstack.conftest import Stack
from tests.localstack.consumer import BEGIN, CANARY, SHARD, Parts, Place, Player, aggregated, event

pytestmark = pytest.mark.faults

#: What passes in a life that reads two batches and the end of the shard.
MESSAGES = [
    "> initialize",
    "< status",
    *(2 * ["> processRecords", "< checkpoint", "> checkpoint", "< status"]),
]
MESSAGES += ["> shardEnded", "< checkpoint", "> checkpoint", "< status"]


@pytest.fixture(scope="module")
def parts(stack: Stack) -> Parts:
    return Parts(stack)


@pytest.fixture
def _aws(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process speaks with the stack too."""
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def station(request: pytest.FixtureRequest) -> str:
    """Each test has a police station of its own."""
    return "".join(sign for sign in request.node.name if sign.isalnum())[-40:]


@pytest.fixture
def player(parts: Parts, tmp_path: Path) -> Callable[..., Player]:
    return lambda records, **stream: Player(parts, tmp_path / "a state", records, stream)


def firs(station: str, count: int = 8) -> list[bytes]:
    """FIRs, the second of which the control room hears of at once."""
    return [event(number, station, is_grave=number == 2).to_bytes() for number in range(1, count + 1)]


def letters(parts: Parts) -> DeadLetters:
    return open_letters(parts.settings(), parts.stream)


def test_a_shard_is_read_to_its_end(player: Callable[..., Player], station: str, parts: Parts) -> None:
    one = player(aggregated(firs(station)))
    assert one.live() == 0
    assert one.ended
    assert one.messages == MESSAGES
    found = parts.events(station)
    assert len(found) == 8
    item = found[f"IN-UP/Lucknow/{station}/2026/0003"]
    assert "identity" not in item
    assert (item["shard"]["S"], item["sequence"]["S"], item["sub_sequence"]["N"]) == (SHARD, "1001", "0")
    assert item["arrived_at"]["S"] == "2026-11-24T12:00:00.123Z"
    sealed = parts.scan(parts.stream.identities_table)[item["fir_key"]["S"]]
    assert sealed["identity"]["S"] == event(3, station).identity
    (status,) = read_shards(one.folder)
    assert (status.state, status.counts, status.sequence) == ("ended", {"new": 8}, "1003")


@pytest.mark.parametrize("message", range(1, len(MESSAGES)))
def test_killed_after_any_message_nothing_is_lost_and_nothing_is_twice(
    player: Callable[..., Player], station: str, parts: Parts, message: int
) -> None:
    one = player(aggregated(firs(station)))

    def all_before_it_are_there(place: Place | None) -> None:
        due = [data for at, data in one.records if place is None or at <= place]
        assert {json.loads(data)["fir_key"] for data in due} <= parts.events(station).keys()
        assert parts.alerts(station) == any(json.loads(data)["is_grave"] for data in due)

    one.asked = all_before_it_are_there
    assert one.live(kill_after=message) == -9
    first = parts.events(station)
    while not one.ended:
        assert one.live() == 0
    found = parts.events(station)
    assert len(found) == 8
    assert one.checkpoint == one.records[-1][0]
    assert found | first == found, "what was written before the kill was written again"
    assert parts.alerts(station) == 1
    assert CANARY not in one.said


@pytest.mark.usefixtures("_aws")
def test_what_is_no_fir_goes_to_the_dead_letters_sealed_and_the_rest_goes_on(
    player: Callable[..., Player], station: str, parts: Parts, capfd: pytest.CaptureFixture[str]
) -> None:
    good = firs(station, 2)
    newer = json.loads(good[0]) | {"schema_version": 2, "fir_key": CANARY}
    bad = [f'{{"{CANARY}": 1}}'.encode(), b"\xff\x00" + CANARY.encode(), json.dumps(newer).encode(), b""]
    large = b"[" + CANARY.encode() * (LARGEST // len(CANARY)) + b"]"
    one = player(aggregated([good[0], *bad, large, good[1]], of=3))
    assert one.live(batch=50) == 0
    assert one.checkpoint == one.records[-1][0]
    assert len(parts.events(station)) == 2
    assert CANARY not in one.said

    queue = letters(parts)
    rows = listed(queue)
    assert [row["position"] for row in rows] == [
        f"{parts.stream.name}/{SHARD}/{place[0]}/{place[1]}"
        for place, data in one.records
        if data not in good
    ]
    assert all(row["reason"].startswith("not a FIR event: ") for row in rows)
    assert CANARY not in json.dumps(rows)
    received = list(queue.receive())
    assert sorted(queue.open(found.letter) for found in received if found.letter) == sorted([*bad, large])
    kept = [found.letter.sealed_at for found in received if found.letter and found.letter.sealed_at]
    assert len(kept) == 1
    assert CANARY not in str(received)
    for found in received:
        queue.put_back(found)

    # Nothing was mended: all of them stay, and it says why.
    with closing(open_handler(parts.settings(), parts.stream, lambda: None, print)) as handler:
        again = list(replay(queue, handler))
    assert [row["done"] for row in again] == [False] * 5
    assert len(listed(queue)) == 5
    assert CANARY not in "".join(capfd.readouterr())
    for found in queue.receive():
        queue.delete(found)


@pytest.mark.usefixtures("_aws")
def test_a_letter_that_can_be_processed_by_now_is_and_leaves_the_queue(
    station: str, parts: Parts, request: pytest.FixtureRequest
) -> None:
    queue, settings = letters(parts), parts.settings()
    first, second = firs(station, 2)
    for at, data in enumerate((first, second)):
        place = sink.Position(parts.stream.name, SHARD, str(at + 1), 0)
        queue.send(place, data, "for a reason", event(1).sent_at)
    handler = open_handler(settings, parts.stream, lambda: None, print)
    request.addfinalizer(handler.close)
    only = next(row["id"] for row in listed(queue) if row["position"].endswith("/2/0"))
    rows: list[dict[str, Any]] = []
    replay_all(settings, parts.stream, [only], rows)  # which tells of it, too
    (row,) = rows
    assert (row["outcome"], row["done"]) == ("new", True)
    assert parts.alerts(station) == 1
    assert parts.events(station).keys() == {json.loads(second)["fir_key"]}
    assert [row["outcome"] for row in replay(queue, handler)] == ["new"]
    assert listed(queue) == []
    # One that was moved to another place can't be opened as that one's.
    queue.send(sink.Position(parts.stream.name, SHARD, "3", 0), first, "for a reason", event(1).sent_at)
    (found,) = queue.receive()
    assert found.letter
    moved = found.model_copy(update={"letter": found.letter.model_copy(update={"sequence": "4"})})
    parts.sqs.send_message(QueueUrl=queue._queue(), MessageBody=moved.letter.model_dump_json())  # type: ignore[union-attr]
    queue.delete(found)
    (row,) = replay(queue, handler)
    assert "about something else" in row["outcome"]
    for left in queue.receive():
        queue.delete(left)


@pytest.mark.usefixtures("_aws")
def test_the_same_fir_again_is_harmless_and_another_one_of_its_key_is_a_conflict(
    player: Callable[..., Player], station: str, parts: Parts
) -> None:
    first, again = event(1, station), event(1, station)
    other = event(1, station, content_hash="f" * 64, identity="b3RoZXI=")
    numbered = event(2, station, zero_key=f"IN-UP/Lucknow/{station}/2026/Z0009")
    claims_too = event(3, station, zero_key=numbered.zero_key)
    sent = [first, again, other, numbered, numbered, claims_too]
    one = player(aggregated([found.to_bytes() for found in sent]))
    assert one.live(batch=2) == 0
    found = parts.events(station)
    link = found.pop(f"{numbered.zero_key}#becomes")
    assert link["becomes_key"]["S"] == numbered.fir_key
    assert {key: item["content_hash"]["S"] for key, item in found.items()} == {
        wanted.fir_key: wanted.content_hash for wanted in (first, numbered, claims_too)
    }
    assert parts.scan(parts.stream.identities_table)[first.fir_key]["identity"]["S"] == first.identity
    (status,) = read_shards(one.folder)
    assert status.counts == {"new": 3, "duplicate": 2, "dead": 1}
    queue = letters(parts)
    (letter,) = queue.receive()
    assert letter.letter
    assert letter.letter.reason.startswith("conflict")
    assert queue.open(letter.letter) == other.to_bytes()
    queue.delete(letter)


def test_while_the_queue_refuses_nothing_is_checkpointed(
    player: Callable[..., Player], station: str, parts: Parts
) -> None:
    one = player(aggregated([*firs(station, 3), CANARY.encode()]), dead_letters=f"none-{station}")
    assert one.live() == 70
    assert one.checkpoint == BEGIN
    assert one.attempts == 0
    assert "AwsRefused" in one.said
    assert CANARY not in one.said
    one.stream = {}
    assert one.live() == 0
    assert one.ended
    assert len(parts.events(station)) == 3
    queue = parts.sqs.get_queue_url(QueueName=parts.stream.dead_letters)["QueueUrl"]
    (message,) = parts.sqs.receive_message(QueueUrl=queue)["Messages"]
    parts.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_without_its_table_it_ends_and_checkpoints_nothing(
    player: Callable[..., Player], station: str
) -> None:
    one = player(aggregated(firs(station, 3)), events_table=f"none-{station}")
    assert one.live() == 70
    assert one.attempts == 0
    assert "ResourceNotFoundException" in one.said


def test_a_sink_that_fails_half_the_time_gets_everything_once(
    player: Callable[..., Player], station: str, parts: Parts, stack: Stack
) -> None:
    one = player(aggregated(firs(station, 100), of=10))
    with stack.faults(DYNAMODB_ERROR_PROBABILITY=0.5):
        assert one.live(batch=50) == 0
    assert one.ended
    assert len(parts.events(station)) == 100
    (status,) = read_shards(one.folder)
    assert sum(status.counts.values()) == 100
    assert CANARY not in one.said


def test_it_leaves_with_the_daemon_also_while_it_waits_for_its_table(
    player: Callable[..., Player], station: str, stack: Stack
) -> None:
    one = player(aggregated(firs(station)))
    daemon = subprocess.Popen(["sleep", "600"])
    codes: list[int] = []
    with stack.faults(DYNAMODB_ERROR_PROBABILITY=1.0):
        life = threading.Thread(target=lambda: codes.append(one.live(daemon=daemon.pid)))
        life.start()
        while not [found for found in read_shards(one.folder) if found.state == "waiting"]:
            time.sleep(0.02)
        daemon.kill()
        daemon.wait()
        life.join(30)
    assert codes == [0]
    assert one.attempts == 0


def test_a_checkpoint_refused_in_passing_is_made_later(
    player: Callable[..., Player], station: str, parts: Parts
) -> None:
    one = player(aggregated(firs(station)))
    one.refuse = lambda attempt: "ThrottlingException" if attempt < 3 else None
    assert one.live() == 0
    assert one.ended
    assert one.attempts == 2 + 3


def test_when_the_lease_is_lost_the_records_are_the_others_and_nothing_breaks(
    player: Callable[..., Player], station: str, parts: Parts
) -> None:
    one = player(aggregated(firs(station)))
    one.refuse = lambda _: "ShutdownException"
    assert one.live() == 0
    assert one.checkpoint == BEGIN


def test_an_error_that_says_that_something_is_wrong_ends_it(
    player: Callable[..., Player], station: str, parts: Parts
) -> None:
    one = player(aggregated(firs(station)))
    one.refuse = lambda _: "InvalidStateException"
    assert one.live() == 70
    assert "CheckpointError" in one.said


def test_asked_to_shut_down_all_is_checkpointed(player: Callable[..., Player], station: str) -> None:
    one = player(aggregated(firs(station)))
    assert one.live(end=False) == 0
    assert one.checkpoint == one.records[-1][0]
    assert not one.ended
    (status,) = read_shards(one.folder)
    assert status.state == "lost"


def test_a_message_that_can_not_be_read_is_never_quoted(
    player: Callable[..., Player], station: str, stack: Stack
) -> None:
    one = player(aggregated(firs(station)))
    assert one.live() == 0
    command = [sys.executable, "-m", "crime_jobs.stream.record_processor", str(one.folder), str(os.getpid())]
    for line in (f'{{"records": "{CANARY}"}}\n', f"{CANARY}\n"):
        said = subprocess.run(
            command, input=line, env=stack.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert said.returncode == 70
        assert CANARY not in said.stdout + said.stderr
        assert "the process ends" in said.stderr
