"""Confirmed records a second of the producer, beside aiokpl, AWS's aggregator with boto3, and plain boto3.

``python -m benchmarks.producer`` needs `make up`. All send the same records to streams of one shard of the
same emulator, in turns, each in a process of its own (`benchmarks/producers.py`). CPU is of that process from
making its client on, memory all of it. The emulator enforces no limit a shard; that is measured on a shard in
memory, which notes what arrives in each second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.producers import PLACE
from crime_harness.places import Places
from crime_jobs.settings import read_env_file

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "benchmarks" / "producers.py"
AIOKPL = ROOT / ".venvs" / "aiokpl"
NAMES = {
    "ours": "fir_producer",
    "aiokpl": "aiokpl 0.2.0",
    "aiokpl-large": "aiokpl 0.2.0, aggregates of 1 MB",
    "aggregator": "aws-kinesis-agg 1.2.3 with boto3",
    "plain": "boto3, 500 records a request",
}


def aiokpl_python() -> str:
    """Return the interpreter that has aiokpl, made when it is first needed."""
    python = AIOKPL / "bin" / "python"
    if not (AIOKPL / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", AIOKPL], check=True)
        pins = ROOT / "benchmarks" / "aiokpl.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "-r", pins], check=True)
        (AIOKPL / "ready").touch()
    return str(python)


def run(which: str, endpoint: str, records: int, size: int, stream: str) -> dict[str, Any]:
    """Run one producer once."""
    python = aiokpl_python() if which.startswith("aiokpl") else sys.executable
    command = [python, str(SCRIPT), which, stream, endpoint, str(records), str(size)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=900)
    if ended.returncode:
        raise SystemExit(f"{which} ended with {ended.returncode}: {ended.stderr[-800:]}")
    found: dict[str, Any] = {"which": which, "size": size, **json.loads(ended.stdout)}
    if which == "limited":
        found |= json.loads(ended.stderr)
    if found["confirmed"] != records:
        raise SystemExit(f"{which} confirmed {found['confirmed']:,} of {records:,} records.")
    return found


def with_stream(client: Any, work: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Do something with a stream of one shard of its own."""
    stream = f"bench-{uuid.uuid4().hex[:8]}"
    client.create_stream(StreamName=stream, ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    try:
        return work(stream)
    finally:
        client.delete_stream(StreamName=stream)


def show(results: list[dict[str, Any]], size: int) -> None:
    """Print the table of one size, which is Markdown too."""
    table = Table(title=f"Records of {size:,} B: median (least-most)", title_justify="left", box=MARKDOWN)
    for number, name in enumerate(("producer", "confirmed/s", "CPU µs a record", "peak MiB")):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for which, name in NAMES.items():
        mine = [one for one in results if (one["which"], one["size"]) == (which, size)]
        rates = [one["confirmed"] / one["seconds"] for one in mine]
        cpu = statistics.median(one["cpu"] / one["confirmed"] * 1e6 for one in mine)
        spread = f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
        table.add_row(name, spread, f"{cpu:.1f}", f"{max(one['peak'] for one in mine) / 2**20:,.0f}")
    Console(width=120).print(table)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.producer", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--megabytes", type=int, default=8, help="of data a run")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    state = os.environ.get("CRIME_HARNESS_STATE")
    endpoint = read_env_file(Places.of(Path(state) if state else None).env_file)["AWS_ENDPOINT_URL"]
    client: Any = boto3.client("kinesis", endpoint_url=endpoint, **PLACE)
    print(f"Load average at the start: {os.getloadavg()[0]:.1f} ({os.cpu_count()} cores)", flush=True)
    aiokpl_python()
    results: list[dict[str, Any]] = []
    for size in (200, 1000):
        records = asked.megabytes * 1_000_000 // size
        for _ in range(asked.runs):
            for which, name in NAMES.items():
                # Kinesis-mock takes long for many records, so those who do not aggregate send fewer.
                count = records // 10 if which == "plain" else records
                found = with_stream(client, partial(run, which, endpoint, count, size))
                results.append(found)
                rate = found["confirmed"] / found["seconds"]
                print(f"{name}, {size} B: {rate:,.0f} confirmed/s", flush=True)
    for size in (200, 1000):
        show(results, size)
    for size in (200, 1000):
        found = run("limited", "-", 12_000_000 // size, size, "-")
        print(
            f"With a shard's limit, records of {size:,} B: {found['rate'] / 1e6:.1%} of 1 MB/s; "
            f"the fullest second: {found['most_bytes']:,} bytes, {found['most_records']} Kinesis records.",
            flush=True,
        )
    print(f"Repeat: python -m benchmarks.producer --megabytes {asked.megabytes} --runs {asked.runs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
