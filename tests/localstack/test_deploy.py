"""`crime-jobs deploy` on LocalStack: what it says it made is there, and a failure leaves nothing."""

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
from botocore.exceptions import ClientError

from crime_jobs import settings as settings_module
from crime_jobs.cloud import stacks
from crime_jobs.cloud.deploy import Deployment
from crime_jobs.errors import JobFailed
from tests.localstack.conftest import Stack

Deploy = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture(scope="module")
def name() -> str:
    """What the names of all parts begin with, and the environment's name."""
    return f"d{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("deploy")
    shipped = settings_module.load("localstack", environ={}, folder=_with_env_file(made)).deploy
    # Making a delivery stream takes LocalStack 25 seconds.
    without = [*shipped["without"], "AWS::KinesisFirehose::DeliveryStream"]
    (made / "crime-jobs.toml").write_text(
        f'[{name}]\nregion = "us-east-1"\n[{name}.deploy]\nname = "{name}"\nwithout = {json.dumps(without)}\n'
        f'[{name}.deploy.parameters.network]\nEndpoints = "no"\n'
    )
    return made


def _with_env_file(folder: Path) -> Path:
    (folder / "build").mkdir()
    (folder / "build/up.env").write_text("CRIME_JOBS_LANDING=s3://a\nCRIME_JOBS_LAKE=s3://b\n")
    return folder


@pytest.fixture(scope="module")
def deploy(stack: Stack, name: str, folder: Path) -> Iterator[Deploy]:
    environ = {key: value for key, value in stack.environ.items() if not key.startswith("CRIME_JOBS_")}

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        command = [sys.executable, "-m", "crime_jobs.cli", "deploy", *arguments, "--env", name, "--yes"]
        done = subprocess.run(
            [*command, "--output", "json"],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            cwd=folder,
            env=environ,
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    yield run
    formation = stack.client("cloudformation")
    for stream in reversed(stacks.STREAMS):
        formation.delete_stack(StackName=stacks.stack_name(name, stream.name))
        wait(lambda stream=stream: not exists(stack, stacks.stack_name(name, stream.name)))  # type: ignore[misc]


def wait(until: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.2)


def exists(stack: Stack, name: str) -> bool:
    try:
        (found,) = stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return False
    return bool(found["StackStatus"] != "DELETE_COMPLETE")


def made(stack: Stack, name: str, stream: str) -> dict[str, str]:
    pages = stack.client("cloudformation").get_paginator("list_stack_resources")
    found = pages.paginate(StackName=stacks.stack_name(name, stream)).build_full_result()
    return {
        one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in found["StackResourceSummaries"]
    }


STREAMS = ("network", "storage", "notifications", "emr", "schedules", "firs", "adhoc", "faces", "monitoring")


@pytest.fixture(scope="module")
def deployed(deploy: Deploy) -> str:
    """What deploy said of all that LocalStack can make."""
    code, rows, said = deploy(*STREAMS)
    assert code == 0, said
    assert [(row["stream"], row["did"]) for row in rows] == [(stream, "done") for stream in STREAMS]
    return said


def test_what_is_said_to_be_made_is_there(stack: Stack, name: str, deployed: str) -> None:
    physical = {stream: made(stack, name, stream) for stream in STREAMS}
    assert sum(map(len, physical.values())) > 80
    assert all(found not in ("unknown", "") for one in physical.values() for found in one.values())
    # What the services themselves say.
    table = stack.client("dynamodb").describe_table(TableName=physical["firs"]["Events"])["Table"]
    assert table["TableName"] == f"{name}-fir_events"
    assert table["SSEDescription"]["KMSMasterKeyArn"].endswith(physical["firs"]["Key"])
    keys = stack.client("kms")
    assert keys.get_key_rotation_status(KeyId=physical["storage"]["Key"])["KeyRotationEnabled"]
    s3 = stack.client("s3")
    lake = physical["storage"]["Lake"]
    assert s3.get_bucket_versioning(Bucket=lake)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=lake)["PublicAccessBlockConfiguration"].values())
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=lake)["Policy"]
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=lake)["TagSet"]}
    assert tags == {"project": "crime-jobs", "environment": name, "stream": "storage"}
    subnets = stack.client("ec2").describe_subnets(
        SubnetIds=[physical["network"][f"Subnet{x}"] for x in "ABC"]
    )
    assert len({subnet["AvailabilityZone"] for subnet in subnets["Subnets"]}) == 3
    alarms = stack.client("cloudwatch").describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    assert {alarm["AlarmActions"][0] for alarm in alarms} == {physical["notifications"]["AlarmTopic"]}
    assert len(alarms) == 8


def test_what_is_not_made_here_is_listed(deployed: str) -> None:
    listed = deployed.partition("Not made in")[2].partition("create_complete")[0]
    for kind in (
        "AWS::CloudTrail::Trail",
        "AWS::EMRServerless::Application",
        "AWS::RedshiftServerless::Workgr",
    ):
        assert kind in listed


def test_the_jobs_find_what_was_made(stack: Stack, name: str, folder: Path, deployed: str) -> None:
    loaded = settings_module.load(name, environ={}, folder=folder)
    assert loaded.stream["events_table"] == f"{name}-fir_events"
    assert loaded.stream["name"] == f"{name}-fir-stream"
    stack.client("kinesis").describe_stream_summary(StreamName=loaded.stream["name"])
    stack.client("sqs").get_queue_url(QueueName=loaded.stream["dead_letters"])
    stack.client("s3").head_bucket(Bucket=loaded.lake.removeprefix("s3://").partition("/")[0])
    stack.client("iam").get_role(RoleName=str(loaded.runtime_role).rpartition("/")[2])
    topics = stack.client("sns").list_topics()["Topics"]
    assert loaded.schedule["topic"] in {topic["TopicArn"] for topic in topics}


def test_nothing_to_change_says_so(deploy: Deploy, deployed: str) -> None:
    code, rows, said = deploy(*STREAMS)
    assert code == 0, said
    assert {row["did"] for row in rows} == {"no change"}


def test_another_deployment_at_once_is_told(
    stack: Stack, name: str, folder: Path, deployed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in stack.env.items():
        monkeypatch.setenv(variable, value)
    ours = Deployment(settings_module.load(name, folder=folder, needs=()), ["migration"], lambda _: None)
    ours.check()
    formation = stack.client("cloudformation")
    # Streams are made one after the other, each in some two seconds.
    slow = {
        f"Slow{number}": {
            "Type": "AWS::Kinesis::Stream",
            "Properties": {"Name": f"{name}-slow-{number}", "ShardCount": 1},
        }
        for number in range(2)
    }
    stack_name = stacks.stack_name(name, "migration")
    formation.create_stack(StackName=stack_name, TemplateBody=json.dumps({"Resources": slow}))
    with pytest.raises(JobFailed, match="Another deployment of stack .* is under way"):
        ours.run(lambda _: True)
    assert not formation.list_change_sets(StackName=stack_name)["Summaries"]
    # And the one that was first comes to its end.
    wait(
        lambda: (
            formation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
        )
    )


def test_a_failure_half_way_leaves_nothing(stack: Stack, name: str, deploy: Deploy, deployed: str) -> None:
    formation, dynamodb = stack.client("cloudformation"), stack.client("dynamodb")
    formation.delete_stack(StackName=stacks.stack_name(name, "monitoring"))
    wait(lambda: not exists(stack, stacks.stack_name(name, "monitoring")))
    rule = f"{name}-{name}-StepFails"
    events, watch = stack.client("events"), stack.client("cloudwatch")
    formation.delete_stack(StackName=stacks.stack_name(name, "adhoc"))
    wait(lambda: not exists(stack, stacks.stack_name(name, "adhoc")))
    assert not watch.describe_alarms(AlarmNamePrefix=name)["MetricAlarms"]
    assert not events.list_rules(NamePrefix=rule)["Rules"]
    # Somebody made a policy of that name by hand.
    iam = stack.client("iam")
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    by_hand = iam.create_policy(PolicyName=f"{name}-sql-setup", PolicyDocument=json.dumps(document))
    try:
        code, rows, said = deploy("adhoc", "monitoring")
    finally:
        iam.delete_policy(PolicyArn=by_hand["Policy"]["Arn"])
    assert (code, rows) == (1, [])
    complaint = said.partition("error: ")[2]
    assert complaint.startswith("Setup (AWS::IAM::ManagedPolicy): ")
    assert "The name is taken" in complaint
    assert "Not begun: monitoring." in said
    assert not exists(stack, stacks.stack_name(name, "adhoc"))
    buckets = {bucket["Name"] for bucket in stack.client("s3").list_buckets()["Buckets"]}
    assert not [bucket for bucket in buckets if bucket.startswith(f"{name}-{name}-questions")]
    policies = iam.list_policies(Scope="Local")["Policies"]
    assert not [one["PolicyName"] for one in policies if one["PolicyName"].startswith(f"{name}-sql")]
    # What other stacks have is untouched, and the next try works.
    assert dynamodb.describe_table(TableName=f"{name}-fir_events")
    code, rows, said = deploy("adhoc")
    assert code == 0, said
    assert [row["did"] for row in rows] == ["done"]


def test_a_failed_update_leaves_all_as_it_was(
    stack: Stack, name: str, deploy: Deploy, folder: Path, deployed: str
) -> None:
    before = made(stack, name, "firs")
    toml = (folder / "crime-jobs.toml").read_text()
    (folder / "crime-jobs.toml").write_text(
        toml + f'[{name}.deploy.parameters.firs]\nFirehoseCopies = "yes"\n'
    )
    secrets = stack.client("secretsmanager")
    secrets.create_secret(Name=f"{name}/fir-firehose", SecretString="x")
    try:
        code, rows, said = deploy("firs")
    finally:
        secrets.delete_secret(SecretId=f"{name}/fir-firehose", ForceDeleteWithoutRecovery=True)
        (folder / "crime-jobs.toml").write_text(toml)
    assert (code, rows) == (1, [])
    assert "FirehoseUser (AWS::SecretsManager::Secret)" in said.partition("error: ")[2]
    assert f"Stack {stacks.stack_name(name, 'firs')} is as it was before." in said
    assert {key: value for key, value in made(stack, name, "firs").items() if key in before} == before
    code, rows, said = deploy("firs")
    assert code == 0, said
