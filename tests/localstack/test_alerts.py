"""Alerts with real tables, topics and queues: once each, SNS down, workers that are killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crime_harness import tables
from crime_jobs import settings
from crime_jobs.model.fir_event import FirEvent
from crime_jobs.model.streams import StreamSettings, of
from crime_jobs.stream import alert_outbox, alerts
from crime_jobs.stream.alert_ledger import Claimed
from tests.localstack.conftest import Stack
from tests.unit.fir_alerts import SECRET, fir


class World:
    """A table, a topic and a queue of a test's own."""

    def __init__(self, stack: Stack) -> None:
        self.name = f"alerts-{uuid.uuid4().hex[:8]}"
        self.topic = f"{self.name}.fifo"
        self.stream = of({"alerts_table": self.name, "topic": self.topic})
        self.dynamodb, self.sns, self.sqs = (stack.client(one) for one in ("dynamodb", "sns", "sqs"))
        tables.make(self.dynamodb, self.name, "firs", "Alerts")
        self.queue = self.sqs.create_queue(QueueName=self.topic, Attributes={"FifoQueue": "true"})["QueueUrl"]
        self.make_topic()

    def make_topic(self) -> None:
        self.arn = self.sns.create_topic(Name=self.topic, Attributes={"FifoTopic": "true"})["TopicArn"]
        there = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        self.sns.subscribe(
            TopicArn=self.arn,
            Protocol="sqs",
            Endpoint=there["Attributes"]["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )

    def delivered(self, expected: int) -> list[dict[str, Any]]:
        """What arrives until there are so many, and what more is there then."""
        found: list[dict[str, Any]] = []
        quiet = 0
        while quiet < (1 if len(found) >= expected else 60):
            said = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in said.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            quiet = 0 if said.get("Messages") else quiet + 1
        return found

    def items(self) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        return [item for page in pages for item in page["Items"] if "message" in item]

    def pending(self) -> int:
        return sum(item["listing"]["S"] == "pending" for item in self.items())

    def close(self) -> None:
        self.sns.delete_topic(TopicArn=self.arn)
        self.sqs.delete_queue(QueueUrl=self.queue)
        self.dynamodb.delete_table(TableName=self.name)


@pytest.fixture
def world(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    made = World(stack)
    yield made
    made.close()


@pytest.fixture
def start(world: World) -> Iterator[Callable[..., alerts.Alerts]]:
    """Start a worker in this process."""
    boxes: list[alert_outbox.Outbox] = []

    def make(
        say: Callable[[str], None] = lambda _: None, stream: StreamSettings | None = None
    ) -> alerts.Alerts:
        made, box = alerts.open_alerts(settings.load("local"), stream or world.stream, say=say)
        boxes.append(box)
        return made

    yield make
    for box in boxes:
        box.close(1)


def grave(number: int, **changes: Any) -> tuple[FirEvent, datetime]:
    """A grave FIR; one of another district each, so that no other rule has something to say."""
    now = datetime.now(UTC)
    values = {"crime_head": "murder", "location_cell": None, "district": f"District {number}", **changes}
    return fir(number, is_grave=True, reported_at=now, **values), now


def test_alerts_arrive_once_and_within_two_seconds_and_say_nothing_that_they_must_not(
    world: World, start: Callable[..., alerts.Alerts], capfd: pytest.CaptureFixture[str]
) -> None:
    worker = start()
    protected = grave(4711, is_protected=True, district="Lucknow")
    worker.handle([grave(1)])
    firs = [grave(1), grave(2), protected]
    for _ in range(3):  # as after a crash, and as a sender that repeats itself
        worker.handle(firs)
    told = world.delivered(3)
    assert sorted(str(one["fir_key"]) for one in told) == [
        "IN-UP/Lucknow/Hazratganj/2026/0001",
        "IN-UP/Lucknow/Hazratganj/2026/0002",
        "None",
    ]
    (hidden,) = (one for one in told if one["is_protected"])
    assert not any(word in json.dumps(hidden) for word in ("Hazratganj", "4711", "tuuxyz1"))
    seen = json.dumps(told) + str(world.items()) + "".join(capfd.readouterr())
    assert SECRET not in seen
    for item in world.items():
        took = datetime.fromisoformat(item["sent_at"]["S"]) - datetime.fromisoformat(item["claimed_at"]["S"])
        assert took < timedelta(seconds=2)


def test_two_workers_count_a_surge_together_and_tell_of_it_once(
    world: World, start: Callable[..., alerts.Alerts]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    now = datetime.now(UTC)
    workers = [start(), start()]
    firs = [(fir(n, reported_at=now, location_cell=None), now) for n in range(1, 13)]
    with ThreadPoolExecutor(2) as pool:
        for at in range(0, 12, 2):  # no worker alone has enough of them
            jobs = [pool.submit(worker.handle, [firs[at + n]]) for n, worker in enumerate(workers)]
            for job in jobs:
                job.result()
    (told,) = world.delivered(1)
    assert (told["kind"], told["crime_group"], told["district"]) == ("surge", "property", "Lucknow")
    assert told["count"] >= 6


def test_sns_that_is_gone_stalls_nobody_and_its_alerts_are_sent_when_it_is_back(
    world: World, start: Callable[..., alerts.Alerts], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is published to a topic that nobody has subscribed to yet is sent, and reaches nobody.
    back, publish = threading.Lock(), alert_outbox.Topic.publish

    def publish_when_made(topic: alert_outbox.Topic, claimed: Sequence[Claimed]) -> list[Claimed]:
        with back:
            return publish(topic, claimed)

    monkeypatch.setattr(alert_outbox.Topic, "publish", publish_when_made)
    world.sns.delete_topic(TopicArn=world.arn)
    said: list[str] = []
    worker = start(said.append)
    for number in range(1, 26):
        worker.handle([grave(number)])
    assert world.pending() == 25
    while not said:
        time.sleep(0.05)
    with back:
        world.make_topic()
    assert len(world.delivered(25)) == 25
    while world.pending():
        time.sleep(0.05)
    assert said == ["Alerts wait, none is lost: NotFoundException NotFound.", "Alerts are sent again."]


DIES = """
    import os, signal, sys
    from datetime import UTC, datetime
    from crime_jobs import settings
    from crime_jobs.model.streams import of
    from crime_jobs.stream import alert_outbox, alerts
    from tests.localstack.test_alerts import grave

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    when, name = sys.argv[1:]
    if when == "claimed":
        alert_outbox.Topic.publish = die
    else:
        alerts.Ledger.sent = die
    made, box = alerts.open_alerts(settings.load("local"), of({"alerts_table": name, "topic": f"{name}.fifo"}))
    made.handle([grave(n) for n in range(1, 6)])
    signal.pause()
"""


@pytest.mark.parametrize("when", ["claimed", "published"])
def test_a_worker_that_is_killed_leaves_its_alerts_to_the_next(
    when: str,
    world: World,
    stack: Stack,
    start: Callable[..., alerts.Alerts],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed before SNS was told, and after SNS had taken them, before that was noted."""
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DIES), when, world.name],
        env={**stack.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert world.pending() == 5
    # What the worker held is free when its lease has run out; the next one's clock is ahead by that.
    outbox = alerts.open_alerts(
        settings.load("local"),
        world.stream,
        say=lambda _: None,
        clock=lambda: time.time() + alert_outbox.LEASE + 1,
    )[1]
    while world.pending():
        time.sleep(0.05)
    outbox.close()
    told = Counter(one["fir_key"] for one in world.delivered(5))
    assert len(told) == 5
    assert set(told.values()) == {1}
    # And a replay, since there was no checkpoint, tells nobody again.
    start().handle([grave(n) for n in range(1, 6)])
    assert world.delivered(0) == []


def test_dynamodb_that_fails_now_and_then_loses_no_alert(
    world: World, stack: Stack, start: Callable[..., alerts.Alerts]
) -> None:
    worker = start()
    with stack.faults(DYNAMODB_ERROR_PROBABILITY=0.2):
        for number in range(1, 9):
            worker.handle([grave(number)])
    told = Counter(one["fir_key"] for one in world.delivered(8))
    assert (len(told), set(told.values())) == (8, {1})


def test_a_topic_without_order_is_told_too(
    world: World, stack: Stack, start: Callable[..., alerts.Alerts]
) -> None:
    arn = world.sns.create_topic(Name=world.name)["TopicArn"]
    url = world.sqs.create_queue(QueueName=world.name)["QueueUrl"]
    queue = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    world.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    start(stream=world.stream.model_copy(update={"topic": world.name})).handle([grave(1)])
    (message,) = world.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"])["fir_key"].endswith("/0001")
