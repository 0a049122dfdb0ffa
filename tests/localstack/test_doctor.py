"""The doctor on the running stack: what is healthy is said to be, and each thing that is wrong is found."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.localstack.conftest import Stack

REGION, THERE = "us-east-1", "eu-west-1"
ACCOUNT = "000000000000"
CANARY = "sunita.kumari@example.org"


def doctor(stack: Stack, folder: Path, *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run it as a user does; return exit code, rows, and all that it said."""
    # Where AWS is comes from the stack; where things are, from the environment's section.
    aws = {name: value for name, value in stack.environ.items() if not name.startswith("CRIME_JOBS_")}
    done = subprocess.run(
        [sys.executable, "-m", "crime_jobs.cli", "doctor", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=aws,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], said


def row(rows: list[dict[str, Any]], check: str, subject: str = "") -> dict[str, Any]:
    (found,) = [one for one in rows if one["check"] == check and one["subject"].startswith(subject)]
    return found


@pytest.fixture(scope="module")
def healthy(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[dict[str, Any]], str]:
    folder = tmp_path_factory.mktemp("healthy")
    (folder / "build").mkdir()
    lines = "".join(f"{name}='{value}'\n" for name, value in stack.env.items())
    (folder / "build" / "up.env").write_text(lines, encoding="utf-8")
    return doctor(stack, folder, "--env", "localstack")


@contextlib.contextmanager
def environment(stack: Stack, folder: Path, text: str) -> Iterator[str]:
    """An environment of its own on the stack."""
    name = f"doctor{uuid.uuid4().hex[:8]}"
    (folder / "crime-jobs.toml").write_text(
        f'[{name}]\nregion = "{REGION}"\nlanding = "{stack.landing}"\nlake = "{stack.lake}"\n'
        + text.replace("[", f"[{name}."),
        encoding="utf-8",
    )
    yield name


def test_a_healthy_stack_fails_nothing(healthy: tuple[int, list[dict[str, Any]], str]) -> None:
    code, rows, said = healthy
    assert [one for one in rows if one["state"] == "failed"] == []
    assert code == 0, said
    for check in ("clock", "region", "versions", "queues", "roles", "athena", "redshift"):
        assert {one["state"] for one in rows if one["check"] == check} == {"ok"}, check
    assert f"account {ACCOUNT}" in row(rows, "credentials")["found"][0]
    assert row(rows, "streams", "fir-stream")["found"][0].startswith("ACTIVE")
    assert row(rows, "tables", "fir_events")["found"][0] == "ACTIVE"
    assert "public access blocked" in row(rows, "buckets", "crime-lake")["found"]
    assert "in us-east-1" in row(rows, "buckets", "crime-lake")["found"]


def test_what_does_not_answer_here_is_not_taken_for_good(
    healthy: tuple[int, list[dict[str, Any]], str],
) -> None:
    _, rows, _ = healthy
    quota = row(rows, "quotas", "DynamoDB tables")
    assert (quota["state"], quota["found"]) == (
        "not checked",
        ["GetServiceQuota is not answered here (InternalFailure)"],
    )


def test_what_only_stacks_know_is_looked_at_where_they_are(stack: Stack, tmp_path: Path) -> None:
    """A stack as deploy makes it, of what LocalStack has: a bucket, a key, a topic, alarms."""
    name = f"doctor{uuid.uuid4().hex[:8]}"
    formation = stack.client("cloudformation")
    alarm = {
        "Namespace": "AWS/SQS",
        "MetricName": "NumberOfMessagesSent",
        "Period": 60,
        "EvaluationPeriods": 1,
    }
    alarm |= {"Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}
    told = {
        "Files": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{name}-faces"}},
        "Key": {
            "Type": "AWS::KMS::Key",
            "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": []}},
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{name}-alarms"}},
        "Told": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": alarm | {"AlarmName": f"{name}-Told", "AlarmActions": [{"Ref": "Topic"}]},
        },
        "Mute": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm | {"AlarmName": f"{name}-Mute"}},
    }
    made = f"crime-jobs-{name}-faces"
    formation.create_stack(StackName=made, TemplateBody=json.dumps({"Resources": told}))
    formation.get_waiter("stack_create_complete").wait(StackName=made, WaiterConfig={"Delay": 1})
    (tmp_path / "crime-jobs.toml").write_text(
        f'[{name}]\nregion = "{REGION}"\nlanding = "{stack.landing}"\nlake = "{stack.lake}"\n', "utf-8"
    )
    checks = ("buckets", "keys", "subscriptions", "trail", "alarms", "budget")
    only = [word for check in checks for word in ("--only", check)]
    try:
        code, rows, said = doctor(stack, tmp_path, "--env", name, *only)
    finally:
        formation.delete_stack(StackName=made)
        formation.get_waiter("stack_delete_complete").wait(StackName=made, WaiterConfig={"Delay": 1})
    assert code == 1, said
    assert "keeps no versions" in " ".join(row(rows, "buckets", f"{name}-faces (Files of faces)")["found"])
    assert row(rows, "keys", "Key of faces")["found"][0] == "enabled"
    assert "nobody hears it" in row(rows, "subscriptions", f"{name}-alarms")["found"]
    assert row(rows, "alarms", f"{name}-Told")["state"] in ("ok", "warning")
    mute = row(rows, "alarms", f"{name}-Mute")
    assert (mute["state"], mute["found"][0]) == ("failed", "it tells nobody")
    for check in ("trail", "budget"):
        assert row(rows, check)["state"] == "not checked"
        assert "left out by deploy.without" in row(rows, check)["found"][0]


def test_no_secret_is_printed(healthy: tuple[int, list[dict[str, Any]], str], stack: Stack) -> None:
    secret = stack.client("secretsmanager").get_secret_value(SecretId="crime-jobs/oracle")["SecretString"]
    assert json.loads(secret)["password"] not in healthy[2]


def test_each_thing_that_is_wrong_is_found(stack: Stack, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    s3, sns, dynamodb = stack.client("s3"), stack.client("sns"), stack.client("dynamodb")
    scheduler, bucket, table = stack.client("scheduler"), f"open-{tag}", f"t-{tag}"
    text = (
        f'artifacts = "s3://{bucket}/code"\nlogs = "s3://nowhere-{tag}"\n'
        f'topic = "arn:aws:sns:{REGION}:{ACCOUNT}:told-{tag}"\n'
        f'runtime_role = "arn:aws:iam::{ACCOUNT}:role/gone-{tag}"\n'
        f'[stream]\nevents_table = "{table}"\nidentities_table = "gone-{tag}"\n'
        f'[schedule]\ngroup = "g-{tag}"\n'
    )
    s3.create_bucket(Bucket=bucket, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    arn = sns.create_topic(Name=f"told-{tag}")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="https", Endpoint=f"https://example.invalid/{CANARY}")
    scheduler.create_schedule_group(Name=f"g-{tag}")
    scheduler.create_schedule(
        Name=f"nightly-{tag}",
        GroupName=f"g-{tag}",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="DISABLED",
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:emr:addJobFlowSteps",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/crime-jobs-scheduler",
        },
    )
    try:
        with environment(stack, tmp_path, text) as name:
            code, rows, said = doctor(stack, tmp_path, "--env", name)
    finally:
        s3.delete_bucket(Bucket=bucket)
        dynamodb.delete_table(TableName=table)
        sns.delete_topic(TopicArn=arn)
        scheduler.delete_schedule(Name=f"nightly-{tag}", GroupName=f"g-{tag}")
        scheduler.delete_schedule_group(Name=f"g-{tag}")
    assert code == 1
    wrong = {
        ("buckets", bucket): "its ACL lets everybody in",
        ("buckets", f"nowhere-{tag}"): "it is not there",
        ("tables", f"gone-{tag}"): "it is not there",
        ("subscriptions", f"told-{tag}"): "1 subscriptions are not confirmed (https)",
        ("schedules", f"nightly-{tag}"): "is DISABLED: it starts nothing",
        ("roles", f"gone-{tag}"): "it is not there",
    }
    for (check, subject), remark in wrong.items():
        found = row(rows, check, subject)
        assert found["state"] == "failed", found
        assert remark in found["found"]
        assert found["do"]
    assert "put-public-access-block" in row(rows, "buckets", bucket)["do"][0]
    assert row(rows, "tables", table)["state"] == "warning"  # there, without backups
    assert row(rows, "tables", "fir_alerts")["state"] == "warning"
    assert CANARY not in said
    assert {one["subject"].split()[0] for one in rows if one["state"] == "failed"} == {
        subject for _, subject in wrong
    }


def test_a_lake_in_another_region_is_found(stack: Stack, tmp_path: Path) -> None:
    from crime_harness.stack import client

    bucket = f"abroad-{uuid.uuid4().hex[:8]}"
    s3 = client("s3", stack.endpoint)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": THERE})
    try:
        with environment(stack, tmp_path, f'artifacts = "s3://{bucket}"\n') as name:
            code, rows, _ = doctor(stack, tmp_path, "--env", name, "--only", "buckets")
    finally:
        s3.delete_bucket(Bucket=bucket)
    assert code == 1
    found = row(rows, "buckets", bucket)
    assert found["state"] == "failed"
    assert THERE in found["found"][0]
    assert REGION in found["found"][0]


def test_the_guard_asks_s3_where_a_bucket_is_and_nothing_is_written_elsewhere(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LocalStack itself would take the object: in one process it has all regions."""
    from crime_harness.stack import client
    from crime_jobs import aws, settings
    from crime_jobs.errors import Elsewhere

    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    bucket = f"abroad-{uuid.uuid4().hex[:8]}"
    s3 = client("s3", stack.endpoint)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": THERE})
    try:
        with pytest.raises(Elsewhere) as refused:
            aws.client("s3", settings.load("local")).put_object(Bucket=bucket, Key="k", Body=b"b")
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    finally:
        s3.delete_bucket(Bucket=bucket)
    assert all(name in str(refused.value) for name in (bucket, THERE, REGION))
