"""The command against a real stream: what it says it sent is there, and no identity is anywhere in the open."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crime_jobs import sealing
from crime_jobs import settings as settings_module
from crime_jobs.model.aggregation import deaggregate
from crime_jobs.model.fir_event import FirEvent
from tests.localstack.conftest import ROOT, Stack
from tests.unit.fir_forms import CANARY, form


class Stream:
    """A stream of a test's own, and what is in it."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.name = stack, f"fir-{uuid.uuid4().hex[:8]}"
        self._kinesis = stack.client("kinesis")
        self._kinesis.create_stream(StreamName=self.name, ShardCount=1)
        self._kinesis.get_waiter("stream_exists").wait(
            StreamName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def delete(self) -> None:
        self._kinesis.delete_stream(StreamName=self.name)

    def records(self) -> list[bytes]:
        shard = self._kinesis.list_shards(StreamName=self.name)["Shards"][0]["ShardId"]
        place = self._kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found: list[bytes] = []
        while True:
            answer = self._kinesis.get_records(ShardIterator=place)
            found += [record["Data"] for record in answer["Records"]]
            if not answer["Records"] and not answer["MillisBehindLatest"]:
                return found
            place = answer["NextShardIterator"]

    def events(self) -> list[FirEvent]:
        return [FirEvent.from_bytes(one.data) for raw in self.records() for one in deaggregate(raw)]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "fir_producer.cli", *arguments, "--stream", self.name]

    def run(self, *arguments: str, code: int = 0, given: str = "") -> dict[str, Any]:
        """Run the command; returns its summary."""
        ended = subprocess.run(
            self.command(*arguments), input=given, capture_output=True, text=True, cwd=ROOT,
            env=self.stack.environ, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr
        assert CANARY not in ended.stdout + ended.stderr
        summary: dict[str, Any] = json.loads(ended.stdout) | {"stderr": ended.stderr}
        return summary

    def noted(self, run_id: str) -> dict[str, str]:
        """The run's item in the ledger."""
        key = {"run_id": {"S": run_id}}
        item = self.stack.client("dynamodb").get_item(TableName="fir_producer_runs", Key=key)["Item"]
        return {name: next(iter(value.values())) for name, value in item.items()}


@pytest.fixture
def stream(stack: Stack) -> Iterator[Stream]:
    made = Stream(stack)
    yield made
    made.delete()


def test_what_is_generated_arrives_each_once_and_the_ledger_has_it(stream: Stream) -> None:
    options = ("--rate", "5000", "--count", "300", "--seed", "1", "--duplicates", "0.1", "--zero", "0.05")
    summary = stream.run("generate", *options)
    raw = b"".join(stream.records())
    events = stream.events()
    keys = {event.fir_key for event in events}
    assert (len(events), summary["confirmed"], summary["failed"]) == (300, 300, 0)
    assert len(keys) == summary["distinct_firs"] < 300
    assert any(event.zero_key for event in events)
    for invented in (b"Complainant", b"Accused", b"Invented address", b"did not happen"):
        assert invented not in raw
    assert {event.is_protected for event in events} == {event.identity is None for event in events}
    noted = stream.noted(summary["run_id"])
    said = ("state", "source", "stream", "sent", "confirmed", "failed", "distinct_firs")
    assert [noted[name] for name in said] == [
        *("done", "generated, seed 1", stream.name, "300", "300", "0", str(len(keys)))
    ]
    assert noted["started"] <= noted["ended"]


def test_a_file_with_bad_lines_is_sent_but_for_them(
    stream: Stream, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rejects = tmp_path / "firs.jsonl", tmp_path / "rejects"
    secret = form(3, acts=[{"act": "POCSO", "section": "4"}])
    wrong = [json.dumps(form(4, fir_year=CANARY)), f'{{"text": "{CANARY}']
    path.write_text("\n".join([json.dumps(form(1)), *wrong, json.dumps(secret), json.dumps(form(2))]))
    summary = stream.run("send", str(path), "--rejects", str(rejects), code=3)
    assert (summary["confirmed"], summary["rejected"]) == (3, 2)
    assert f"{path}, line 2: fir_year: int_parsing" in summary["stderr"]
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [one["line"] for one in told] == [2, 3]
    assert CANARY not in rejects.read_text()
    assert CANARY.encode() not in b"".join(stream.records())
    events = {event.fir_number: event for event in stream.events()}
    assert sorted(events) == [1, 2, 3]
    assert events[3].identity is None
    assert events[1].identity
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    opened = sealing.Sealer(settings_module.load("local"), "alias/crime-jobs-fir").unseal(
        events[1].fir_key, events[1].identity
    )
    assert CANARY in opened.decode()
    assert stream.noted(summary["run_id"])["rejected"] == "2"


def test_standard_input_is_sent_one_record_a_fir_when_asked(stream: Stream) -> None:
    given = "".join(json.dumps(form(number)) + "\n" for number in range(1, 6))
    summary = stream.run("send", "-", "--no-aggregate", given=given)
    assert (summary["source"], summary["confirmed"]) == ("standard input", 5)
    assert [FirEvent.from_bytes(raw).fir_number for raw in stream.records()] == [1, 2, 3, 4, 5]


def wait_for(holds: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait until something holds; the process is not to end before."""
    until = time.monotonic() + 60
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.faults
def test_killed_while_it_follows_a_file_it_goes_on_and_loses_nothing(stream: Stream, tmp_path: Path) -> None:
    path, position = tmp_path / "firs.jsonl", tmp_path / ".firs.jsonl.position"
    log = tmp_path / "log"
    written = 0

    def write(count: int) -> None:
        nonlocal written
        with path.open("a") as file:
            for number in range(written + 1, written + count + 1):
                file.write(json.dumps(form(number)) + "\n")
        written += count

    def offset() -> int:
        return int(json.loads(position.read_text())["offset"]) if position.exists() else 0

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            stream.command("send", str(path), "--follow"),
            stdout=log.open("ab"), stderr=subprocess.STDOUT, cwd=ROOT, env=stream.stack.environ,
        )  # fmt: skip

    write(100)
    process = start()
    try:
        wait_for(offset, process)
        write(400)  # some of them are on their way when it dies
        process.kill()
        process.wait()
        path.rename(tmp_path / "firs.jsonl.1")
        write(50)
        process = start()
        wait_for(lambda: offset() == path.stat().st_size, process)
        process.terminate()
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert {event.fir_number for event in stream.events()} == set(range(1, 551))
    told = log.read_text()
    assert "Stopping: what was taken is sent first." in told
    assert "that were taken are confirmed" in told
    assert CANARY not in told + position.read_text()
