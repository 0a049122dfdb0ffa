"""Plays the KCL's daemon for the consumer's process: the same messages over the same pipes, without Java."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crime_harness import tables
from crime_jobs.model.fir_event import FirEvent
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings
from crime_jobs.stream.alert_message import key_of
from crime_jobs.stream.daemon import SETTINGS
from tests.localstack.conftest import Stack

SHARD = "shardId-000000000007"
CANARY = "CANARY-of-a-FIR"

ARRIVED = datetime(2026, 11, 24, 12, 0, 0, 123_000, tzinfo=UTC)

#: Where a checkpoint is: sequence and sub-sequence number.
Place = tuple[int, int]
BEGIN: Place = (0, -1)


def event(number: int, station: str = "Hazratganj", **values: Any) -> FirEvent:
    """A FIR event with a canary in what nobody may log."""
    now = ARRIVED - timedelta(minutes=1)
    whole: dict[str, Any] = {
        "fir_key": f"IN-UP/Lucknow/{station}/2026/{number:04d}",
        "state_code": "IN-UP",
        "district": "Lucknow",
        "police_station": station,
        "fir_number": number,
        "fir_year": 2026,
        "is_zero": False,
        "sections": f"BNS:303(2);{CANARY}",
        "crime_head": "theft",
        "crime_group": "property",
        "against_women": False,
        "is_grave": False,
        "is_protected": False,
        "occurred_at": now,
        "reported_at": now,
        "latitude": 26.85,
        "longitude": 80.95,
        "content_hash": f"{number:064x}",
        "sent_at": now,
        "identity": base64.b64encode(CANARY.encode()).decode(),
    }
    return FirEvent(**{**whole, **values})


class Parts:
    """Tables and a queue of a test module's own, and what is in them."""

    def __init__(self, stack: Stack) -> None:
        name = uuid.uuid4().hex[:8]
        self.stack = stack
        self.stream = StreamSettings(
            name=f"fir-{name}",
            application=f"consumer-{name}",
            events_table=f"events_{name}",
            identities_table=f"identities_{name}",
            alerts_table=f"alerts_{name}",
            dead_letters=f"dead-{name}",
            topic=f"alerts-{name}.fifo",
        )
        self.dynamodb, self.sqs = stack.client("dynamodb"), stack.client("sqs")
        tables.make(self.dynamodb, self.stream.events_table, "firs", "Events")
        tables.make(self.dynamodb, self.stream.identities_table, "firs", "Identities")
        tables.make(self.dynamodb, self.stream.alerts_table, "firs", "Alerts")
        stack.client("sns").create_topic(Name=self.stream.topic, Attributes={"FifoTopic": "true"})
        self.make_queue()

    def make_queue(self) -> None:
        self.sqs.create_queue(QueueName=self.stream.dead_letters)

    def settings(self, **stream: str) -> Settings:
        return Settings.model_validate(
            {
                "env": "test",
                "region": "us-east-1",
                "landing": "nowhere",
                "lake": "nowhere",
                "spark_conf": None,
                "sources": {},
                "environ": {},
                "stream": self.stream.model_dump() | stream,
            }
        )

    def alerts(self, station: str, firs: int = 9) -> int:
        """How many grave offences of a police station there are alerts of."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.stream.alerts_table)
        there = {item["alert_id"]["S"] for page in pages for item in page["Items"]}
        return len(
            there & {key_of("grave-offence", event(number, station).fir_key) for number in range(1, firs)}
        )

    def scan(self, table: str) -> dict[str, dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {item["fir_key"]["S"]: item for page in pages for item in page["Items"]}

    def events(self, station: str) -> dict[str, dict[str, Any]]:
        found = self.scan(self.stream.events_table)
        return {key: item for key, item in found.items() if f"/{station}/" in key}


@dataclass
class Player:
    """A shard and its checkpoint, as the daemon keeps them; processes come and go.

    Parameters
    ----------
    parts
        Tables and queue.
    folder
        The consumer's state folder.
    records
        User records: their place and what they say.
    """

    parts: Parts
    folder: Path
    records: list[tuple[Place, bytes]]
    stream: dict[str, str] = field(default_factory=dict)
    checkpoint: Place = BEGIN
    ended: bool = False
    #: All that processes wrote to stderr, and all messages that went to and fro in the present life.
    said: str = ""
    messages: list[str] = field(default_factory=list)
    #: Refuses checkpoints: from the number of the attempt to an error's name.
    refuse: Callable[[int], str | None] = lambda _: None
    #: Called at each checkpoint that is asked for, before it is granted.
    asked: Callable[[Place | None], None] = lambda _: None
    attempts: int = 0

    def live(self, *, kill_after: int = 0, batch: int = 5, end: bool = True, daemon: int = 0) -> int:
        """One life of a process, killed with -9 after so many messages. Returns its exit code."""
        self.folder.mkdir(exist_ok=True)
        told = self.parts.settings(**self.stream).model_dump_json(exclude={"environ"})
        (self.folder / SETTINGS).write_text(told)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "crime_jobs.stream.record_processor",
                str(self.folder),
                str(daemon or os.getpid()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.parts.stack.environ,
            text=True,
        )
        life = _Life(self, process, kill_after)
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
        reader.start()
        try:
            self._play(life, batch, end)
        except _Over:
            pass
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            code = process.wait(60)
            reader.join()
            self.said += errors[0]
            self.messages = life.messages
        return code

    def _play(self, life: _Life, batch: int, end: bool) -> None:
        sequence, sub = self.checkpoint
        life.ask(
            {
                "action": "initialize",
                "shardId": SHARD,
                "sequenceNumber": str(sequence),
                "subSequenceNumber": sub,
            }
        )
        while left := [one for one in self.records if one[0] > self.checkpoint][:batch]:
            before = self.checkpoint
            life.ask(
                {
                    "action": "processRecords",
                    "millisBehindLatest": 0,
                    "records": [_record(*one) for one in left],
                }
            )
            if self.checkpoint == before:
                return  # it was refused, and the daemon would go on: the test says what then
        if end:
            life.ask({"action": "shardEnded"})
        else:
            life.ask({"action": "shutdownRequested"})
            life.ask({"action": "leaseLost"})

    def grant(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take a checkpoint, as the daemon does: never back, never past what was delivered."""
        self.attempts += 1
        number = message["sequenceNumber"]
        place = None if number is None else (int(number), int(message["subSequenceNumber"]))
        self.asked(place)
        answer = {**message, "action": "checkpoint"}
        if error := self.refuse(self.attempts):
            return {**answer, "error": error}
        if place is None:
            assert self.checkpoint == self.records[-1][0], "the shard was ended before its records"
            self.ended = True
        else:
            assert place > self.checkpoint
            assert place in [one for one, _ in self.records]
            self.checkpoint = place
        return answer


class _Over(Exception):  # noqa: N818
    """The process has ended."""


@dataclass
class _Life:
    player: Player
    process: subprocess.Popen[str]
    kill_after: int
    messages: list[str] = field(default_factory=list)

    def ask(self, message: dict[str, Any]) -> None:
        """Send a message, answer checkpoints, and come back at its status."""
        self._write(message)
        while True:
            answer = self._read()
            if answer["action"] == "status":
                assert answer["responseFor"] == message["action"]
                return
            assert answer["action"] == "checkpoint"
            self._write(self.player.grant(answer))

    def _write(self, message: dict[str, Any]) -> None:
        try:
            self.process.stdin.write(json.dumps(message) + "\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
        except BrokenPipeError:
            raise _Over from None
        self._passed(f"> {message['action']}")

    def _read(self) -> dict[str, Any]:
        while line := self.process.stdout.readline():  # type: ignore[union-attr]
            if line.strip():
                found: dict[str, Any] = json.loads(line)
                self._passed(f"< {found['action']}")
                return found
        raise _Over

    def _passed(self, message: str) -> None:
        self.messages.append(message)
        if len(self.messages) == self.kill_after:
            self.process.send_signal(signal.SIGKILL)
            raise _Over


def _record(place: Place, data: bytes) -> dict[str, Any]:
    return {
        "action": "record",
        "data": base64.b64encode(data).decode(),
        "partitionKey": "a station",
        "sequenceNumber": str(place[0]),
        "subSequenceNumber": place[1],
        "approximateArrivalTimestamp": int(ARRIVED.timestamp() * 1000),
    }


def aggregated(events: Sequence[bytes], of: int = 2) -> list[tuple[Place, bytes]]:
    """Records as the daemon takes them out of aggregated ones: several of one sequence number."""
    return [((1000 + at // of, at % of), data) for at, data in enumerate(events)]
