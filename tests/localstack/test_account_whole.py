"""The account from its first stack to its last: deployed whole, used by the jobs, listed, and gone."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from crime_jobs.cloud.stacks import STREAMS
from tests.conftest import ROOT
from tests.localstack.conftest import Stack
from tests.localstack.test_destroy import Environment

pytestmark = pytest.mark.soak

FIRS = 40
#: What LocalStack has nothing of at all, or what needs another's account first.
NOT_HERE = {"quicksight", "migration", "analytics"}


def ask(environment: Environment, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in the environment, which finds all it needs in what deploy wrote down."""
    environ = {name: value for name, value in environment.stack.environ.items() if name != "CRIME_JOBS_ENV"}
    command = [sys.executable, "-m", module, *arguments, "--env", environment.name]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=environment.folder, env=environ, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_an_environment_is_deployed_used_listed_and_gone(stack: Stack, tmp_path: Path) -> None:
    environment = Environment(stack, tmp_path, named=False)
    streams = [stream.name for stream in STREAMS if stream.name not in NOT_HERE]
    assert len(streams) >= 8
    code, _, told = environment.run("deploy", *streams, "--yes")
    assert code == 0, told
    code, rows, told = environment.run("inventory")
    assert code == 0, told
    kinds = Counter(row["kind"] for row in rows)
    assert kinds["stack"] == len(streams)
    assert kinds["table"] >= 8
    assert sum(kinds.values()) > 80

    # FIRs go through the deployed stream, under the deployed key, into nobody else's.
    data = str(ROOT / "data")
    ask(environment, "fir_producer.cli", "generate", "--count", str(FIRS), "--rate", "200", "--data", data)
    kinesis = stack.client("kinesis")
    name = f"{environment.name}-fir-stream"
    shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    place = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    assert kinesis.get_records(ShardIterator=place["ShardIterator"])["Records"]

    # A person is found in the deployed bucket's photographs.
    bucket = next(row["name"] for row in rows if row["kind"] == "bucket" and "face" in row["name"])
    for path in sorted((ROOT / "data/faces").rglob("*")):
        if path.is_file():
            key = path.relative_to(ROOT / "data/faces").as_posix()
            stack.client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    listed = ("--watch-list", environment.name, "--purpose", "missing-person", "--yes")
    ask(environment, "crime_jobs.cli", "faces", "enrol", f"s3://{bucket}/watch/manifest.csv", *listed)
    ask(environment, "crime_jobs.cli", "faces", "match", f"s3://{bucket}/photographs/", *listed)
    leads = ask(environment, "crime_jobs.cli", "faces", "leads", "--watch-list", environment.name)
    assert leads.stdout.count("pending") >= 4
    table = stack.client("dynamodb").describe_table(TableName=f"{environment.name}-face_leads")
    assert table["Table"]["SSEDescription"]["Status"] == "ENABLED"

    code, _, told = environment.destroy()
    assert code == 0, told
    assert environment.own() == []
