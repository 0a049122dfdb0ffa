"""`crime-jobs destroy` on LocalStack and the engines: an environment of its own is deployed, filled, and goes whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crime_jobs import settings as settings_module
from tests.localstack.conftest import Stack

#: A photograph's name may be a person's: it is in no log.
CANARY = "canary-asha-verma.jpg"
VERSIONS = 3000
STREAMS = ("network", "storage", "emr", "schedules")


class Environment:
    """An environment of its own on the shared stack, and things that somebody made by hand beside it."""

    def __init__(self, stack: Stack, folder: Path, *, named: bool = True) -> None:
        self.name = f"z{uuid.uuid4().hex[:6]}"
        self.hand = f"hand-{uuid.uuid4().hex[:6]}"
        self.stack, self.folder, self.is_gone = stack, folder, False
        self.tags = {"project": "crime-jobs", "environment": self.name}
        names = {
            "stream": (
                *("name", "counts", "application", "events_table", "identities_table", "alerts_table"),
                *("runs_table", "dead_letters", "redshift_workgroup"),
            ),
            "faces": ("people_table", "photographs_table", "leads_table", "audit_table"),
        }
        (folder / "build").mkdir()
        (folder / "build/up.env").write_text("CRIME_JOBS_LANDING=s3://a\nCRIME_JOBS_LAKE=s3://b\n")
        without = settings_module.load("localstack", environ={}, folder=folder).deploy["without"]
        lines = [f"[{self.name}]", 'region = "us-east-1"', f"[{self.name}.deploy]", f'name = "{self.name}"']
        lines.append(f"without = {json.dumps(without)}")
        lines += [f"[{self.name}.deploy.parameters.network]", 'Endpoints = "no"']
        lines += [f"[{self.name}.deploy.parameters.storage]", 'KeepTrail = "no"']
        for table, keys in names.items() if named else ():
            lines.append(f"[{self.name}.{table}]")
            lines += [f'{key} = "{self.name}-{key}"' for key in keys]
            lines.append(f'key = "alias/{self.name}-{table}"')
        if not named:  # names are those that deploy writes down
            lines += [
                f"[{self.name}.faces]",
                'engine = "on-premises"',
                "calls_per_second = 50",
                "price_per_call = 0",
            ]
        (folder / "crime-jobs.toml").write_text("\n".join(lines) + "\n")

    def command(self, verb: str, *arguments: str) -> subprocess.Popen[str]:
        environ = {
            key: value for key, value in self.stack.environ.items() if not key.startswith("CRIME_JOBS_")
        }
        command = [
            sys.executable,
            "-m",
            "crime_jobs.cli",
            verb,
            "--env",
            self.name,
            "--output",
            "json",
            *arguments,
        ]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder, env=environ
        )

    def run(self, verb: str, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        process = self.command(verb, *arguments)
        said, told = process.communicate(timeout=240)
        assert CANARY not in said + told
        return process.returncode, [json.loads(line) for line in said.splitlines()], told

    def destroy(self, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        return self.run("destroy", "--yes", "--name", self.name, *arguments)

    def own(self) -> list[dict[str, Any]]:
        """What its inventory shows."""
        code, rows, told = self.run("inventory")
        assert code == 0, told
        return rows

    def tag_list(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def fill(self) -> None:
        """What is made by the jobs, and what somebody made by hand in the environment's name."""
        client, name = self.stack.client, self.name
        client("scheduler").create_schedule(
            Name="nightly",
            GroupName=f"crime-jobs-{name}",
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:sqs:us-east-1:000000000000:x",
                "RoleArn": "arn:aws:iam::000000000000:role/x",
            },
        )
        client("logs").create_log_group(logGroupName=f"/aws/lambda/crime-jobs-{name}-x")
        client("kinesis").create_stream(StreamName=f"{name}-name", ShardCount=1)
        client("dynamodb").create_table(
            TableName=f"{name}-protected",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            Tags=self.tag_list(),
        )
        client("rekognition").create_collection(CollectionId=f"crime-jobs-{name}-missing", Tags=self.tags)
        client("emr-serverless").create_application(
            name=f"crime-jobs-{name}", releaseLabel="emr-7.13.0", type="SPARK", tags=self.tags
        )
        client("emr").run_job_flow(
            Name=f"crime-jobs-{name}",
            ReleaseLabel="emr-7.13.0",
            Applications=[{"Name": "Spark"}],
            Instances={
                "InstanceCount": 1,
                "MasterInstanceType": "m5.xlarge",
                "KeepJobFlowAliveWhenNoSteps": True,
            },
            JobFlowRole="x",
            ServiceRole="x",
            Tags=self.tag_list(),
        )
        ec2 = client("ec2")
        tags = [{"ResourceType": "elastic-ip", "Tags": self.tag_list()}]
        ec2.allocate_address(Domain="vpc", TagSpecifications=tags)
        self._half_a_stack()
        self._versions()
        client("s3").create_bucket(Bucket=self.hand)
        client("s3").put_object(Bucket=self.hand, Key="theirs", Body=b"x")
        client("sqs").create_queue(QueueName=self.hand)

    def _half_a_stack(self) -> None:
        """A stack that failed half-way: its queue is there, its second part is not."""
        formation, name = self.stack.client("cloudformation"), f"crime-jobs-{self.name}-half"
        template = {
            "Resources": {
                "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{self.name}-half"}},
                "Bucket": {
                    "Type": "AWS::S3::Bucket",
                    "DependsOn": "Queue",
                    "Properties": {"BucketName": "Not_A_Bucket's Name"},
                },
            }
        }
        formation.create_stack(
            StackName=name, TemplateBody=json.dumps(template), OnFailure="DO_NOTHING", Tags=self.tag_list()
        )
        with pytest.raises(Exception, match="CREATE_FAILED"):
            formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    def _versions(self) -> None:
        s3 = self.stack.client("s3")
        s3.create_bucket(Bucket=f"{self.name}-many")
        s3.put_bucket_versioning(Bucket=f"{self.name}-many", VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_tagging(Bucket=f"{self.name}-many", Tagging={"TagSet": self.tag_list()})
        s3.create_multipart_upload(Bucket=f"{self.name}-many", Key=CANARY)
        for key in (CANARY, *(f"photo-{number}" for number in range(40))):
            s3.put_object(Bucket=f"{self.name}-many", Key=key, Body=b"x")
        for first in range(
            0, VERSIONS, 1000
        ):  # a delete marker is a version too, and a call makes a thousand
            keys = [{"Key": f"photo-{number}"} for number in range(first, first + 1000)]
            s3.delete_objects(Bucket=f"{self.name}-many", Delete={"Objects": keys, "Quiet": True})


@pytest.fixture(scope="module")
def environment(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    made = Environment(stack, tmp_path_factory.mktemp("destroy"))
    try:
        code, _, told = made.run("deploy", *STREAMS, "--yes")
        assert code == 0, told
        made.fill()
        yield made
    finally:
        if not made.is_gone:
            made.destroy("--lift-protection")
    stack.client("s3").delete_object(Bucket=made.hand, Key="theirs")
    stack.client("s3").delete_bucket(Bucket=made.hand)
    queue = stack.client("sqs").get_queue_url(QueueName=made.hand)["QueueUrl"]
    stack.client("sqs").delete_queue(QueueUrl=queue)


def by_hand(environment: Environment) -> None:
    """What somebody made by hand is as it was."""
    client = environment.stack.client
    assert client("s3").list_objects_v2(Bucket=environment.hand)["KeyCount"] == 1
    assert client("sqs").get_queue_url(QueueName=environment.hand)


def test_the_plan_shows_all_of_it_and_nothing_made_by_hand(environment: Environment) -> None:
    name = environment.name
    code, plan, told = environment.run("destroy", "--dry-run")
    assert code == 0, told
    own = {(row["kind"], row["name"]) for row in plan}
    assert {kind for kind, _ in own} >= {
        *("stack", "bucket", "topic", "queue", "key", "key alias", "role", "log group", "stream"),
        *("schedule", "schedule group", "cluster", "serverless application", "face collection", "Elastic IP"),
        *("VPC", "subnet", "security group"),
    }
    assert {("stack", f"crime-jobs-{name}-{stream}") for stream in (*STREAMS, "half")} <= own
    assert {("schedule", "nightly"), ("bucket", f"{name}-many"), ("queue", f"{name}-half")} <= own
    assert not [found for _, found in own if environment.hand in found]
    order = [row["name"].removeprefix(f"crime-jobs-{name}-") for row in plan if row["kind"] == "stack"]
    assert order.index("schedules") < order.index("emr") < order.index("network"), "importers go first"
    state = next(row["state"] for row in plan if row["name"] == f"{name}-many")
    assert f"{VERSIONS + 41:,} versions" in state


def test_killed_it_goes_on_and_a_lock_keeps_only_its_bucket_protection_its_table(
    environment: Environment,
) -> None:
    killed = environment.command("destroy", "--yes", "--name", environment.name)
    assert killed.stderr
    for line in killed.stderr:
        if line.startswith("Deleting stack"):
            killed.send_signal(signal.SIGKILL)
            break
    killed.communicate(timeout=60)

    s3, locked = environment.stack.client("s3"), f"{environment.name}-locked"
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    s3.put_bucket_tagging(Bucket=locked, Tagging={"TagSet": environment.tag_list()})
    s3.put_object(Bucket=locked, Key=CANARY, Body=b"x", ObjectLockLegalHoldStatus="ON")
    code, _, told = environment.destroy()
    assert code in (1, 4), told
    assert f"2 left: bucket {locked}, table {environment.name}-protected." in told
    assert f"Protected, so it stays: table {environment.name}-protected. With --lift-protection" in told
    s3.put_object_legal_hold(Bucket=locked, Key=CANARY, LegalHold={"Status": "OFF"})
    by_hand(environment)


def test_at_the_end_the_inventory_shows_nothing(environment: Environment) -> None:
    code, _, told = environment.destroy("--lift-protection")
    assert code == 0, told
    assert f"Taking the protection off table {environment.name}-protected" in told
    assert "The inventory shows nothing more that was to go." in told
    assert environment.own() == []
    environment.is_gone = True
    keys = environment.stack.client("kms")
    ours = [
        key["KeyId"]
        for page in keys.get_paginator("list_keys").paginate()
        for key in page["Keys"]
        if {"TagKey": "environment", "TagValue": environment.name}
        in keys.list_resource_tags(KeyId=key["KeyId"])["Tags"]
    ]
    assert ours
    assert {keys.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in ours} == {"PendingDeletion"}
    emr = environment.stack.client("emr")
    clusters = [one for one in emr.list_clusters()["Clusters"] if environment.name in one["Name"]]
    assert {one["Status"]["State"] for one in clusters} <= {"TERMINATED"}
    with pytest.raises(ClientError):
        environment.stack.client("s3").head_bucket(Bucket=f"{environment.name}-many")
    by_hand(environment)
