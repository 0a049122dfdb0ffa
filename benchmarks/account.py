"""An inventory of 20 regions at 100 ms a call; and destroy beside the AWS CLI, in hand-made order.

``python -m benchmarks.account`` needs `make up` for its second part. The first part has clients of boto3,
whose answers are made up here after the latency: it measures what the inventory does with its time. The
second part removes the same environment twice, with 1,000 objects in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from crime_harness.places import Places
from crime_jobs import aws
from crime_jobs.cloud.inventory import take
from crime_jobs.cloud.inventory_asking import Asking
from crime_jobs.settings import Settings, read_env_file

REGIONS = (
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1"),
    *(
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-west-1",
    ),
    *("eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)
HOME, ACCOUNT = "us-east-1", "123456789012"
AWS_CLI = Path(".venvs/localstack/bin/aws")

#: What a region holds beside what is empty: tables and log groups of others, a few of ours.
TABLES = (*(f"theirs-{number}" for number in range(7)), "fir_events", "fir_alerts", "crime-jobs-dev-x")
GROUPS = tuple({"logGroupName": f"/aws/lambda/theirs-{n}", "arn": "arn:aws:logs:::x"} for n in range(20))
ANSWERS: dict[str, Callable[[], dict[str, Any]]] = {
    "GetCallerIdentity": lambda: {"Arn": f"arn:aws:iam::{ACCOUNT}:user/x"},
    "DescribeRegions": lambda: {"Regions": [{"RegionName": name} for name in REGIONS]},
    "ListTables": lambda: {"TableNames": list(TABLES)},
    "DescribeTable": lambda: {"Table": {"TableStatus": "ACTIVE", "TableSizeBytes": 10**9}},
    "DescribeContinuousBackups": lambda: {"ContinuousBackupsDescription": {}},
    "DescribeLogGroups": lambda: {"logGroups": list(GROUPS)},
}


class Latency:
    """Clients whose calls take a while and go nowhere."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.calls, self._lock = seconds, Counter[str](), threading.Lock()

    def make(self, service: str, settings: Settings, **options: Any) -> Any:
        """Make a client, as `crime_jobs.aws.client` does."""
        made = aws.client(service, settings, **options)
        made.meta.events.register("before-call", self._answer)
        return made

    def _answer(self, model: Any, **_: Any) -> Any:
        with self._lock:
            self.calls[model.service_model.service_name] += 1
        time.sleep(self.seconds)
        known = ANSWERS.get(model.name)
        return SimpleNamespace(status_code=200), known() if known else empty(model.output_shape)


def empty(shape: Any) -> Any:
    """Return an answer without anything in it."""
    members = shape.members if shape is not None else {}
    blank = {"list": [], "map": {}, "boolean": False, "structure": {}}
    return {name: blank[member.type_name] for name, member in members.items() if member.type_name in blank}


def ask_all(seconds: float) -> dict[str, Any]:
    """Take the inventory of all regions."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.setdefault(name, "test")
    settings = Settings(
        env="trial",
        region=HOME,
        landing="s3://landing",
        lake="s3://lake",
        spark_conf=None,
        sources={},
        environ={},
    )
    latency = Latency(seconds)
    began, cpu = time.monotonic(), time.process_time()
    found = take(Asking(settings, make=latency.make), everywhere=True)
    took = time.monotonic() - began
    calls = sum(latency.calls.values())
    return {
        "regions": len(found.regions),
        "calls": calls,
        "one after the other (s)": round(calls * seconds, 1),
        "took (s)": round(took, 1),
        "of that CPU (s)": round(time.process_time() - cpu, 1),
        "rows": len(found.rows),
        "could not be asked": len(found.unasked),
    }


class Trial:
    """An environment on LocalStack with a bucket of many objects."""

    def __init__(self, environ: dict[str, str], objects: int) -> None:
        self.environ, self.name = environ, f"b{uuid.uuid4().hex[:6]}"
        self.bucket, self.stack = f"{self.name}-files", f"crime-jobs-{self.name}-firs"
        place = {"endpoint_url": environ["AWS_ENDPOINT_URL"], "region_name": HOME}
        place |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        tags = [{"Key": "project", "Value": "crime-jobs"}, {"Key": "environment", "Value": self.name}]
        formation, s3 = boto3.client("cloudformation", **place), boto3.client("s3", **place)
        formation.create_stack(StackName=self.stack, TemplateBody=json.dumps(self._template(tags)), Tags=tags)
        formation.get_waiter("stack_create_complete").wait(StackName=self.stack, WaiterConfig={"Delay": 1})
        boto3.client("logs", **place).create_log_group(logGroupName=f"/aws/lambda/crime-jobs-{self.name}-x")
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(lambda n: s3.put_object(Bucket=self.bucket, Key=f"k{n}", Body=b"x"), range(objects))
            )

    def _template(self, tags: list[dict[str, str]]) -> dict[str, Any]:
        table = {
            "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        kept = {"DeletionPolicy": "Retain"}
        made: dict[str, Any] = {
            "Files": {
                "Type": "AWS::S3::Bucket",
                **kept,
                "Properties": {"BucketName": self.bucket, "Tags": tags},
            },
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{self.name}-q", "Tags": tags}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{self.name}-t", "Tags": tags}},
        }
        for number in range(4):
            name = f"{self.name}-{number}"
            made[f"Table{number}"] = {
                "Type": "AWS::DynamoDB::Table",
                **kept,
                "Properties": {**table, "TableName": name, "Tags": tags},
            }
        return {"Resources": made}

    def ours(self, folder: Path) -> None:
        """Remove it with the command, which also looks what there is before and after."""
        settings = (
            f'[{self.name}]\nregion = "{HOME}"\nlanding = "s3://a"\nlake = "s3://b"\n'
            f'[{self.name}.deploy]\nname = "{self.name}"\n'
        )
        for table, keys in {
            "stream": (
                *("name", "counts", "application", "events_table", "identities_table", "alerts_table"),
                *("runs_table", "dead_letters", "topic", "redshift_workgroup"),
            ),
            "faces": ("people_table", "photographs_table", "leads_table", "audit_table"),
        }.items():
            settings += f"[{self.name}.{table}]\n"
            settings += "".join(f'{key} = "{self.name}-{key}"\n' for key in keys)
            settings += f'key = "alias/{self.name}-{table}"\n'
        (folder / "crime-jobs.toml").write_text(settings)
        environ = {key: value for key, value in self.environ.items() if not key.startswith("CRIME_JOBS_")}
        command = ["destroy", "--env", self.name, "--yes", "--name", self.name]
        run([sys.executable, "-m", "crime_jobs.cli", *command], environ, folder)

    def by_hand(self, folder: Path) -> None:
        """Remove it as somebody would who knows all that there is: commands of the AWS CLI.

        LocalStack's stacks remove what they are to retain; on AWS the last commands would find it.
        """
        cli = str(AWS_CLI.absolute())
        words = [
            f"s3 rm s3://{self.bucket} --recursive --quiet",
            f"cloudformation delete-stack --stack-name {self.stack}",
            f"cloudformation wait stack-delete-complete --stack-name {self.stack}",
            f"s3 rb s3://{self.bucket}",
            *(f"dynamodb delete-table --table-name {self.name}-{number}" for number in range(4)),
            f"logs delete-log-group --log-group-name /aws/lambda/crime-jobs-{self.name}-x",
        ]
        for line in words:
            run([cli, *line.split()], self.environ, folder, gone=("NoSuchBucket", "ResourceNotFound"))


def run(command: list[str], environ: dict[str, str], folder: Path, gone: tuple[str, ...] = ()) -> None:
    """Run a command that must succeed, or find that what it is to remove is gone."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environ)
    if done.returncode and not any(word in done.stderr for word in gone):
        raise SystemExit(f"{' '.join(command[:4])} …: {done.stderr}")


def remove_both(objects: int, runs: int, folder: Path) -> dict[str, list[float]]:
    """Make and remove the environment in both ways, in turn."""
    state = os.environ.get("CRIME_HARNESS_STATE")
    env_file = Places.of(Path(state) if state else None).env_file
    environ = {**os.environ, **read_env_file(env_file), "AWS_SECRET_ACCESS_KEY": "test"}
    took: dict[str, list[float]] = {"crime-jobs destroy": [], "aws s3 rm and by hand": []}
    for _ in range(runs):
        for name, do in (("crime-jobs destroy", Trial.ours), ("aws s3 rm and by hand", Trial.by_hand)):
            trial = Trial(environ, objects)
            began = time.monotonic()
            do(trial, folder)
            took[name].append(round(time.monotonic() - began, 1))
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds a call")
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["inventory", "destroy"])
    given = parser.parse_args()
    console = Console(width=120)
    console.print(f"Load when it began: {os.getloadavg()[0]:.1f}")
    if given.only != "destroy":
        said = ask_all(given.latency)
        table = Table(*said, box=MARKDOWN)
        table.add_row(*(str(value) for value in said.values()))
        console.print(table)
    if given.only != "inventory":
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            took = remove_both(given.objects, given.runs, Path(folder))
        table = Table(f"{given.objects} objects, seconds", "least", "all", box=MARKDOWN)
        for name, seconds in took.items():
            table.add_row(name, str(min(seconds)), ", ".join(map(str, seconds)))
        console.print(table)


if __name__ == "__main__":
    main()
