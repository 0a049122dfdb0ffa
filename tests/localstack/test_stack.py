"""A running stack is private, filled, described by up.env, and fails on command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from crime_harness import processes, tables
from crime_harness.places import jars
from crime_jobs.cloud import stacks_template

from .conftest import ROOT, Stack, harness


def running() -> dict[str, object]:
    """LocalStack's row of `status --output json`."""
    row, *others = json.loads(harness("status", "--output", "json").stdout)
    assert [other["service"] for other in others] == ["engines", "oracle"]
    assert isinstance(row, dict)
    return row


def test_it_listens_on_the_loopback_address_alone(stack: Stack) -> None:
    main = running()["pid"]
    assert isinstance(main, int)
    stack.client("dynamodb").list_tables()
    stack.client("kinesis").list_streams()

    mark = psutil.Process(main).environ()[processes.MARK]
    family = processes.family(mark)
    listening = processes.listening(family)

    # Guard against passing for nothing: the gateway, Kinesis and DynamoDB are all among them.
    assert {"python", "node", "java"} <= {process.name().rstrip("0123456789.") for process in family}
    assert len({port for _, port in listening}) >= 3
    assert processes.exposed(listening) == []


def test_the_buckets_and_the_landing_are_there(stack: Stack) -> None:
    buckets = {found["Name"] for found in stack.client("s3").list_buckets()["Buckets"]}
    assert {"crime-landing", "crime-lake", "crime-logs", "crime-artifacts"} <= buckets

    shipped = [path for path in (ROOT / "data").iterdir() if path.suffix in {".csv", ".geojson"}]
    prefix = stack.landing.removeprefix("s3://crime-landing/")
    assert stack.keys(stack.landing) == sorted(f"{prefix}/{path.name}" for path in shipped)
    for path in shipped:
        there = stack.client("s3").get_object(Bucket="crime-landing", Key=f"{prefix}/{path.name}")
        assert there["Body"].read() == path.read_bytes()


def test_the_hooks_change_nothing_the_second_time(stack: Stack) -> None:
    s3 = stack.client("s3")
    s3.put_object(Bucket="crime-logs", Key="kept", Body=b"mine")
    before = s3.list_objects_v2(Bucket="crime-landing")["Contents"]
    python = ROOT / ".venvs" / "localstack" / "bin" / "python"
    for hook in sorted((ROOT / "localstack" / "init" / "ready.d").iterdir()):
        env = {**stack.environ, "CRIME_JOBS_DATA": str(ROOT / "data")}
        subprocess.run([python, hook], check=True, env=env)
    assert s3.list_objects_v2(Bucket="crime-landing")["Contents"] == before
    assert s3.get_object(Bucket="crime-logs", Key="kept")["Body"].read() == b"mine"


def test_up_twice_is_harmless(stack: Stack) -> None:
    before = running()
    again = harness("up")
    assert again.returncode == 0
    assert "already up" in again.stdout
    assert stack.endpoint in again.stdout
    assert running() == before


def test_status_is_a_table_for_people_and_json_for_programs(stack: Stack) -> None:
    table = harness("status")
    assert table.returncode == 0
    port = stack.env["CRIME_JOBS_ORACLE_URL"].partition("/./")[0].rpartition(":")[2]
    for words in ("localstack", stack.endpoint, f"tcp://127.0.0.1:{port}", "up", str(running()["pid"])):
        assert words in table.stdout


def test_what_up_env_says_is_true_for_a_shell(stack: Stack) -> None:
    env_file = stack.env["CRIME_JOBS_SPARK_CONF"].replace("spark-localstack.conf", "up.env")
    script = 'set -a; . "$1"; printf "%s\n" "$AWS_ENDPOINT_URL" "$CRIME_JOBS_SPARK_EXTRA_CLASSPATH"'
    said = subprocess.run(["sh", "-c", script, "sh", env_file], capture_output=True, text=True, check=True)
    endpoint, class_path = said.stdout.splitlines()
    assert endpoint == stack.endpoint
    names = {Path(jar).name for jar in class_path.split(":") if Path(jar).stat().st_size > 0}
    assert names == {"{1}-{2}.jar".format(*pin.split(":")) for pin in jars("s3a", "oracle")}


@pytest.mark.parametrize("stream", ["firs", "faces"])
def test_the_tables_are_of_the_shape_that_they_have_on_aws(stack: Stack, stream: str) -> None:
    """The hooks that make them run alone in LocalStack's container, so that they say it once more."""
    dynamodb = stack.client("dynamodb")
    made = {
        resource: about["Properties"]["TableName"]["Fn::Sub"].rpartition("}")[2]
        for resource, about in stacks_template.load(stream).resources.items()
        if about["Type"] == "AWS::DynamoDB::Table"
    }
    assert len(made) == 4
    for resource, name in made.items():
        there = dynamodb.describe_table(TableName=name)["Table"]
        wanted = tables.shape(stream, resource)
        assert there["BillingModeSummary"]["BillingMode"] == wanted.pop("BillingMode")
        found = {member: _plain(there.get(member, [])) for member in tables.SHAPE if member in there}
        assert found == {member: _plain(value) for member, value in wanted.items()}, name


def _plain(what: list[dict[str, Any]]) -> list[str]:
    """Say what of attributes, keys or indexes is told in a request, in some order."""
    told = ("AttributeName", "AttributeType", "KeyType", "IndexName", "KeySchema", "Projection")
    return sorted(json.dumps({name: one[name] for name in told if name in one}) for one in what)


def test_kinesis_fails_on_command_and_recovers(stack: Stack) -> None:
    kinesis = stack.client("kinesis")
    name = stack.fresh().rpartition("/")[2]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    records = [{"Data": b"x", "PartitionKey": str(number)} for number in range(3)]
    try:
        with stack.faults(KINESIS_ERROR_PROBABILITY=1.0):
            failed = kinesis.put_records(StreamName=name, Records=records)["Records"]
            codes = [one.get("ErrorCode") for one in failed]
            assert codes == ["ProvisionedThroughputExceededException"] * 3
        sent = kinesis.put_records(StreamName=name, Records=records)["Records"]
        assert all("ErrorCode" not in one for one in sent)
    finally:
        kinesis.delete_stream(StreamName=name)


def test_dynamodb_fails_on_command_and_recovers(stack: Stack) -> None:
    dynamodb = stack.client("dynamodb")
    name = stack.fresh().rpartition("/")[2]
    key = {"AttributeName": "id", "AttributeType": "S"}
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "1"}}
    try:
        with (
            stack.faults(DYNAMODB_ERROR_PROBABILITY=1.0),
            pytest.raises(ClientError, match="ProvisionedThroughputExceeded"),
        ):
            dynamodb.put_item(TableName=name, Item=item)
        dynamodb.put_item(TableName=name, Item=item)
        assert dynamodb.get_item(TableName=name, Key=item)["Item"] == item
    finally:
        dynamodb.delete_table(TableName=name)
