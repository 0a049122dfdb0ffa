"""The consumer: FIRs a second from stream to sink, how late they are, and how soon it is back after kill -9.

``python -m benchmarks.consumer`` needs `make up`. The real daemon under its supervisor, on a stream and
tables of its own; alerts are on, with the shipped rules. Beside it the sink alone, without daemon and stream:
what it costs to come by the KCL. The emulator's DynamoDB is one process: growth with shards here says little
about AWS.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import boto3
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.history import fir
from crime_harness import tables
from crime_harness.places import Places
from crime_jobs.model.aggregation import Aggregate
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings, read_env_file
from crime_jobs.stream.sink import Arrived, Position, open_sink
from crime_jobs.stream.status import read_supervisor

#: FIRs in one aggregated record, as the producer puts them together.
TOGETHER = 20


@dataclass
class Bench:
    """A stream, its tables and its consumer.

    Parameters
    ----------
    shards
        Of the stream.
    folder
        For the consumer's files.
    """

    shards: int
    folder: Path

    def __post_init__(self) -> None:
        name = uuid.uuid4().hex[:8]
        self.stream = StreamSettings(
            name=f"bench-{name}",
            application=f"bench-{name}",
            events_table=f"bench_events_{name}",
            identities_table=f"bench_identities_{name}",
            alerts_table=f"bench_alerts_{name}",
            dead_letters=f"bench-{name}",
            topic=f"bench-{name}.fifo",
        )
        self.kinesis, self.dynamodb = boto3.client("kinesis"), boto3.client("dynamodb")
        self.kinesis.create_stream(StreamName=self.stream.name, ShardCount=self.shards)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=self.stream.name)
        tables.make(self.dynamodb, self.stream.events_table, "firs", "Events")
        tables.make(self.dynamodb, self.stream.identities_table, "firs", "Identities")
        tables.make(self.dynamodb, self.stream.alerts_table, "firs", "Alerts")
        boto3.client("sqs").create_queue(QueueName=self.stream.dead_letters)
        boto3.client("sns").create_topic(Name=self.stream.topic, Attributes={"FifoTopic": "true"})
        lines = (f'{key} = "{value}"\n' for key, value in self.stream.model_dump(exclude_none=True).items())
        section = '[bench]\nlanding = "x"\nlake = "x"\nregion = "us-east-1"\n[bench.stream]\n'
        (self.folder / "crime-jobs.toml").write_text(section + "".join(lines))
        self.sent = 0

    @contextlib.contextmanager
    def consuming(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the consumer; it is stopped at the end."""
        command = [sys.executable, "-m", "crime_jobs.cli", "stream", "consume", "--env", "bench"]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--state-dir", str(self.folder / "state")], cwd=self.folder, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def put(self, firs: int) -> None:
        """Put FIRs into the stream, `TOGETHER` in a record, spread over the shards."""
        entries = []
        for first in range(self.sent + 1, self.sent + firs + 1, TOGETHER):
            record = Aggregate()
            for number in range(first, min(first + TOGETHER, self.sent + firs + 1)):
                record.add(str(first), fir(number).to_bytes())
            key, data = record.entry()
            entries.append({"Data": data, "PartitionKey": key})
        for at in range(0, len(entries), 100):
            said = self.kinesis.put_records(StreamName=self.stream.name, Records=entries[at : at + 100])
            assert not said["FailedRecordCount"]
        self.sent += firs

    def items(self) -> list[dict[str, Any]]:
        """Return all that is in the sink."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.stream.events_table)
        return [item for page in pages for item in page["Items"]]

    def pace(self) -> float:
        """Return the FIRs a second, from the first that was written to the last."""
        written = sorted(datetime.fromisoformat(item["written_at"]["S"]) for item in self.items())
        return len(written) / (written[-1] - written[0]).total_seconds()

    def until_all_there(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the sink has every FIR that was put."""
        until(lambda: len(self.items()) >= self.sent, process)


def until(holds: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 300) -> None:
    """Wait; the consumer must not have ended meanwhile."""
    end = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, "the consumer has ended"
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.2)


def throughput(shards: int, firs: int) -> float:
    """Return FIRs a second, from the first that was written to the last, of a stream that was full before."""
    bench = Bench(shards, Path(tempfile.mkdtemp()))
    bench.put(firs)
    with bench.consuming() as process:
        bench.until_all_there(process)
    return bench.pace()


def lateness(rate: int, seconds: int) -> tuple[float, float]:
    """Return p50 and p99 of the seconds from arrival in the stream to the sink, at a steady rate."""
    bench = Bench(1, Path(tempfile.mkdtemp()))
    with bench.consuming() as process:
        bench.put(TOGETHER)
        bench.until_all_there(process)
        warm = {item["fir_key"]["S"] for item in bench.items()}
        begin = time.monotonic()
        for second in range(seconds):
            bench.put(rate)
            time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
        bench.until_all_there(process)
    late = [_late(item) for item in bench.items() if item["fir_key"]["S"] not in warm]
    cut = quantiles(late, n=100)
    return cut[49], cut[98]


def _late(item: dict[str, Any]) -> float:
    arrived, written = (datetime.fromisoformat(item[name]["S"]) for name in ("arrived_at", "written_at"))
    return (written - arrived).total_seconds()


def recovery() -> float:
    """Return the seconds from kill -9 of the daemon until a FIR that came after it is in the sink."""
    bench = Bench(1, Path(tempfile.mkdtemp()))
    with bench.consuming() as process:
        bench.put(TOGETHER)
        bench.until_all_there(process)
        status = read_supervisor(bench.folder / "state")
        assert status
        assert status.daemon
        os.kill(status.daemon, signal.SIGKILL)
        begin = time.monotonic()
        bench.put(1)
        bench.until_all_there(process)
        return time.monotonic() - begin


def sink_alone(firs: int) -> float:
    """Return FIRs a second of the sink without daemon and stream."""
    bench = Bench(1, Path(tempfile.mkdtemp()))
    whole = {"env": "bench", "region": "us-east-1", "landing": "", "lake": "", "spark_conf": None}
    settings = Settings.model_validate({**whole, "sources": {}, "environ": {}, "stream": {}})
    sink = open_sink(settings, bench.stream, lambda: None)
    now = datetime.now(UTC)
    arrived = [
        Arrived(fir(number), now, Position(bench.stream.name, "shardId-000000000000", str(number), 0))
        for number in range(1, firs + 1)
    ]
    for at in range(0, firs, 500):
        sink.write(arrived[at : at + 500])
    return bench.pace()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--firs", type=int, default=6_000, help="for the throughput")
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rate", type=int, default=40, help="FIRs a second while lateness is measured")
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args(arguments)
    state = os.environ.get("CRIME_HARNESS_STATE")
    os.environ.update(read_env_file(Places.of(Path(state) if state else None).env_file))
    table = Table(box=MARKDOWN)
    table.add_column("consumer")
    table.add_column("measured", justify="right")
    alone = sink_alone(given.firs)
    table.add_row("sink alone", f"{alone:,.0f} FIRs/s")
    for shards in given.shards:
        rate = throughput(shards, given.firs)
        name = f"stream to sink, {shards} shard{'s' if shards > 1 else ''}"
        table.add_row(name, f"{rate:,.0f} FIRs/s, {rate / alone:.2f} of the sink alone")
    middle, last = lateness(given.rate, given.seconds)
    table.add_row(f"arrival to sink at {given.rate} FIRs/s", f"p50 {middle:.2f} s, p99 {last:.2f} s")
    table.add_row("daemon killed -9 to the next FIR in the sink", f"{recovery():.1f} s")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
