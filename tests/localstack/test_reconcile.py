"""Reconciliation and the live view, of a stream and tables of their own: what is missing or too many is found."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crime_harness import tables
from crime_jobs import settings
from crime_jobs.cli import main
from crime_jobs.model.aggregation import Aggregate
from crime_jobs.model.fir_event import FirEvent, iso
from crime_jobs.model.streams import of
from crime_jobs.stream import reconcile, watch
from crime_jobs.stream.deadletters import open_letters
from crime_jobs.stream.handling import Handler, Raw
from crime_jobs.stream.reading import Stream
from crime_jobs.stream.sink import open_sink
from tests.localstack.conftest import Stack
from tests.unit.fir_alerts import SECRET, fir


class World:
    """A stream, tables, a queue and a folder of a test module's own."""

    def __init__(self, stack: Stack) -> None:
        name = f"rec-{uuid.uuid4().hex[:8]}"
        self.names = {
            "name": name,
            "counts": f"{name}-counts",
            "application": name,
            "events_table": f"{name}-events",
            "identities_table": f"{name}-identities",
            "runs_table": f"{name}-runs",
            "dead_letters": name,
            "history": f"s3://crime-firs/{name}",
            "redshift_database": name.replace("-", "_"),
        }
        self.stream = of(self.names)
        self.kinesis, self.dynamodb, self.sqs, self.s3 = (
            stack.client(one) for one in ("kinesis", "dynamodb", "sqs", "s3")
        )
        self.kinesis.create_stream(StreamName=name, ShardCount=1)
        for table, resource in {"events": "Events", "identities": "Identities", "runs": "Runs"}.items():
            tables.make(self.dynamodb, f"{name}-{table}", "firs", resource)
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.wait()

    def wait(self) -> None:
        """Until the stream can be used."""
        while (
            self.kinesis.describe_stream_summary(StreamName=self.stream.name)["StreamDescriptionSummary"][
                "StreamStatus"
            ]
            != "ACTIVE"
        ):
            time.sleep(0.05)

    @property
    def settings(self) -> settings.Settings:
        return settings.load("local").model_copy(update={"stream": self.names})

    def put(self, *records: bytes) -> None:
        for data in records:
            self.kinesis.put_record(StreamName=self.stream.name, Data=data, PartitionKey="a")

    def consume(self, *, but: Sequence[str] = ()) -> None:
        """What the consumer does, but for FIRs of some keys."""
        handler = Handler(open_sink(self.settings, self.stream, lambda: None), lambda _: None)
        letters = open_letters(self.settings, self.stream)
        raws = [
            Raw(one.data, one.at, one.position)
            for one in Stream(self.settings, self.stream.name).everything()
            if not any(key.encode() in one.data for key in but)
        ]
        for one in handler.handle(raws):
            if one.reason:
                letters.send(one.raw.position, one.raw.data, one.reason, one.raw.at)

    def note_run(self, confirmed: int, **more: str) -> None:
        now = datetime.now(UTC)
        item = {
            "run_id": "run",
            "stream": self.stream.name,
            "started": iso(now - timedelta(seconds=9)),
            "updated": iso(now - timedelta(seconds=5)),
            "ended": iso(now - timedelta(seconds=5)),
            **more,
        }
        found = {name: {"S": value} for name, value in item.items() if value}
        self.dynamodb.put_item(
            TableName=self.stream.runs_table, Item={**found, "confirmed": {"N": str(confirmed)}}
        )

    def write_history(self, name: str, events: Sequence[FirEvent], *, packed: bool = True) -> None:
        data = b"".join(one.to_bytes() for one in events)
        key = f"{self.stream.name}/2026/11/24/12/{name}"
        self.s3.put_object(Bucket="crime-firs", Key=key, Body=gzip.compress(data) if packed else data)

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["hop"]: row for row in reconcile.reconcile(self.settings)}

    def close(self) -> None:
        self.kinesis.delete_stream(StreamName=self.stream.name)
        for table in (self.stream.events_table, self.stream.identities_table, self.stream.runs_table):
            self.dynamodb.delete_table(TableName=table)
        self.sqs.delete_queue(QueueUrl=self.queue)


@pytest.fixture
def world(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    made = World(stack)
    yield made
    made.close()


@pytest.fixture
def firs() -> list[FirEvent]:
    now = datetime.now(UTC)
    return [fir(number, reported_at=now) for number in range(1, 9)]


def aggregate(events: Sequence[FirEvent]) -> bytes:
    made = Aggregate()
    for event in events:
        made.add(event.partition_key, event.to_bytes())
    return made.entry()[1]


def test_hops_that_are_equal_are_and_those_not_used_are_said(
    world: World, firs: list[FirEvent], capfd: pytest.CaptureFixture[str]
) -> None:
    world.put(aggregate(firs[:6]), firs[6].to_bytes(), firs[7].to_bytes(), firs[7].to_bytes(), b"no FIR")
    world.consume()
    world.write_history("one", firs[:5])
    world.write_history("two.gz", firs[4:], packed=False)
    world.note_run(confirmed=9)
    rows = world.rows()
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "producer": "equal",
        "stream": "equal",
        "sink": "equal",
        "history": "equal",
        "redshift": "not reached",
    }
    assert {name: row["firs"] for name, row in rows.items() if row["firs"]} == {
        "stream": 8,
        "sink": 8,
        "history": 8,
    }
    assert rows["stream"]["records"] == 10
    assert rows["producer"]["note"] == "1 records more than confirmed: sent again"
    assert SECRET not in json.dumps(rows) + "".join(capfd.readouterr())


def test_a_fir_that_is_missing_and_one_too_many_are_named_at_their_hop(
    world: World, firs: list[FirEvent]
) -> None:
    lost, other, unloaded = firs[2], fir(99), firs[3]
    world.put(aggregate(firs))
    world.consume(but=())
    table = world.stream.events_table
    item = world.dynamodb.get_item(TableName=table, Key={"fir_key": {"S": firs[0].fir_key}})["Item"]
    world.dynamodb.put_item(TableName=table, Item={**item, "fir_key": {"S": other.fir_key}})
    world.dynamodb.delete_item(TableName=table, Key={"fir_key": {"S": lost.fir_key}})
    world.write_history("one", [one for one in firs if one not in (unloaded, lost)])
    world.note_run(confirmed=9)
    rows = world.rows()
    assert rows["producer"]["missing"] == 1
    assert (rows["sink"]["missing"], rows["sink"]["surplus"]) == (1, 1)
    assert rows["sink"]["sample"] == [f"missing {lost.fir_key}", f"surplus {other.fir_key}"]
    assert rows["history"]["sample"] == [f"missing {unloaded.fir_key}", f"missing {other.fir_key}"]
    assert [name for name, row in rows.items() if row["verdict"] == "differs"] == [
        "producer",
        "sink",
        "history",
    ]


def test_what_is_in_the_dead_letter_queue_is_not_missing(world: World, firs: list[FirEvent]) -> None:
    world.put(*(one.to_bytes() for one in firs[:3]))
    world.consume(but=[firs[1].fir_key])
    assert world.rows()["sink"]["verdict"] == "differs"
    (record,) = (
        one
        for one in Stream(world.settings, world.stream.name).everything()
        if firs[1].fir_key.encode() in one.data
    )
    open_letters(world.settings, world.stream).send(record.position, record.data, "refused", record.at)
    row = world.rows()["sink"]
    assert (row["verdict"], row["missing"], row["dead_letters"]) == ("equal", 0, 1)
    # Whoever reads the letters to count them leaves them where they are.
    assert world.rows()["sink"]["verdict"] == "equal"


def test_a_record_that_is_no_fir_and_no_dead_letter_is_a_difference(world: World) -> None:
    world.put(b"no FIR")
    row = world.rows()["stream"]
    assert (row["verdict"], row["note"]) == ("differs", "1 records are no FIRs")


def test_a_run_that_is_under_way_is_not_held_against_the_stream(world: World, firs: list[FirEvent]) -> None:
    world.put(firs[0].to_bytes())
    world.note_run(confirmed=500, ended="")
    row = world.rows()["producer"]
    assert (row["verdict"], row["note"]) == ("not reached", "1 of 1 runs left out: run (under way)")
    world.note_run(confirmed=500, started="2026-01-01T00:00:00.000Z")
    assert world.rows()["producer"]["verdict"] == "not reached"


def test_the_command_ends_with_1_and_names_the_hop(
    world: World,
    firs: list[FirEvent],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = world.settings
    monkeypatch.setattr(settings, "load", lambda *_, **__: there)
    world.put(firs[0].to_bytes())
    assert main(["stream", "reconcile", "--output", "json"]) == 1
    said = capsys.readouterr()
    assert "Not every FIR is where it should be: sink." in said.err
    assert [json.loads(line)["hop"] for line in said.out.splitlines()][2] == "sink"
    world.consume()
    assert main(["stream", "reconcile", "--output", "json"]) == 0


def test_all_shards_are_read_those_that_were_split_too(world: World, firs: list[FirEvent]) -> None:
    world.put(firs[0].to_bytes())
    name = world.stream.name
    world.kinesis.split_shard(
        StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    world.wait()
    for number, event in enumerate(firs[1:5]):
        world.kinesis.put_record(
            StreamName=name, Data=event.to_bytes(), PartitionKey="a", ExplicitHashKey=str(number % 2 * 2**127)
        )
    assert world.rows()["stream"]["firs"] == 5


def test_one_look_shows_rate_places_and_what_waits(world: World, firs: list[FirEvent]) -> None:
    world.put(aggregate(firs))
    found = watch.look(world.settings)
    assert found["firs_last_minute"] == 8
    assert found["districts"] == ["IN-UP Lucknow 8"]
    assert found["dead_letters"] == 0
    assert (found["consumer"], found["redshift_firs"], found["analytics_firs"]) == (None, None, None)
    assert SECRET not in json.dumps(found)


def test_the_live_view_prints_lines_where_there_is_no_terminal(
    world: World, firs: list[FirEvent], capsys: pytest.CaptureFixture[str]
) -> None:
    world.put(firs[0].to_bytes())
    looks = iter([True, True, False])
    watch.live(world.settings, 0.1, going=lambda: next(looks))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "FIRs in the last minute 1;" in lines[-1]
