"""DMS on the engines, end to end: rows of the old database in DynamoDB, by `crime-jobs dms` and by the AWS CLI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from crime_engines.dms.life import LEDGER
from crime_engines.work import OWNER
from crime_harness.stack import client
from crime_jobs.migrate import statistics
from tests.localstack.conftest import ROOT, Stack
from tests.localstack.engines import until
from tests.localstack.migration import OldDatabase, plain, scan

AWS = ROOT / ".venvs" / "localstack" / "bin" / "aws"
#: Rows that take some seconds to write: time enough to stop a task.
MANY = 8000


@dataclass
class Dms:
    """DMS of the stack, with an instance and endpoints of the test's own."""

    stack: Stack
    old: OldDatabase
    name: str

    @property
    def client(self) -> Any:
        return client("dms", self.stack.env["AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE"])

    def set_up(self, secret: str) -> None:
        role = "arn:aws:iam::000000000000:role/dms"
        self.client.create_replication_instance(
            ReplicationInstanceIdentifier=self.name, ReplicationInstanceClass="dms.t3.small"
        )
        self.client.create_endpoint(
            EndpointIdentifier=f"{self.name}-oracle",
            EndpointType="source",
            EngineName="oracle",
            DatabaseName=self.old.schema.lower(),
            OracleSettings={"SecretsManagerSecretId": secret, "SecretsManagerAccessRoleArn": role},
        )
        self.client.create_endpoint(
            EndpointIdentifier=f"{self.name}-dynamodb",
            EndpointType="target",
            EngineName="dynamodb",
            DynamoDbSettings={"ServiceAccessRoleArn": role},
        )

    @property
    def task(self) -> dict[str, Any]:
        asked = [{"Name": "replication-task-id", "Values": [self.name]}]
        found: dict[str, Any] = self.client.describe_replication_tasks(Filters=asked)["ReplicationTasks"][0]
        return found

    @property
    def tables(self) -> list[dict[str, Any]]:
        asked = self.client.describe_table_statistics(ReplicationTaskArn=self.task["ReplicationTaskArn"])
        found: list[dict[str, Any]] = asked["TableStatistics"]
        return found

    def command(self, verb: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "crime_jobs.cli", "dms", verb, self.name, *words, "--output", "json"]

    def start(self, mappings: str) -> list[str]:
        mine = (
            "--source",
            f"{self.name}-oracle",
            "--target",
            f"{self.name}-dynamodb",
            "--instance",
            self.name,
        )
        return self.command("start", "--mappings", mappings, *mine)

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.stack.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def aws(self, *words: str) -> Any:
        env = {**self.stack.environ, "HOME": os.devnull, "AWS_PAGER": ""}
        done = subprocess.run(
            [str(AWS), "dms", *words, "--output", "json"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def clean(self) -> None:
        try:
            task = self.task
        except self.client.exceptions.ResourceNotFoundFault:
            return
        if task["Status"] == "running":
            self.client.stop_replication_task(ReplicationTaskArn=task["ReplicationTaskArn"])
        until(lambda: self.task["Status"] not in ("starting", "running", "stopping"))
        self.client.delete_replication_task(ReplicationTaskArn=task["ReplicationTaskArn"])


@pytest.fixture
def dms(stack: Stack, tmp_path: Path) -> Iterator[Dms]:
    made = Dms(stack, OldDatabase(stack, tmp_path), f"t{uuid.uuid4().hex[:8]}")
    yield made
    made.clean()


def processes(stack: Stack) -> list[int]:
    """The processes that work for a task of this stack's DMS."""
    found = []
    for process in psutil.process_iter():
        try:
            env = process.environ()
            ours = env.get(OWNER, "").startswith("dms-") and env.get("AWS_ENDPOINT_URL") == stack.endpoint
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_a_task_is_stopped_in_the_middle_goes_on_and_says_how_many(stack: Stack, dms: Dms) -> None:
    old = dms.old
    old.sql(
        f"""
        CREATE TABLE MANY (ID NUMBER(9) PRIMARY KEY, NAME VARCHAR2(80));
        INSERT INTO MANY SELECT X, 'name ' || X FROM SYSTEM_RANGE(1, {MANY});
        CREATE TABLE WIDE (ID NUMBER(9) PRIMARY KEY, AMOUNT NUMBER);
        INSERT INTO WIDE SELECT X, X / 8 FROM SYSTEM_RANGE(1, 40);
        INSERT INTO WIDE VALUES (41, 1234567890123456789012345678901234567891);
        """
    )
    dms.set_up(stack.env["CRIME_JOBS_ORACLE_SECRET"])
    mappings = old.mappings(old.to("MANY", "ID"), old.to("WIDE", "ID"))
    begun = dms.run([*dms.start(mappings), "--no-wait"])
    assert begun.returncode == 0, begun.stderr
    until(lambda: any(one["TableState"] == "Full load" for one in dms.tables), seconds=90)
    assert processes(stack)
    said = dms.run(dms.command("stop"))
    assert said.returncode == 0, said.stderr
    until(lambda: not processes(stack), seconds=20)  # the last of them may still be ending
    assert (dms.task["Status"], dms.task["StopReason"]) == ("stopped", "Stop Reason NORMAL")
    assert {one["TableName"]: one["TableState"] for one in dms.tables}["MANY"] == "Table cancelled"

    # A row of 40 digits fits into no item: counted, all others moved, and the command says so.
    said = dms.run([*dms.start(mappings), "--resume"])
    assert said.returncode == 1, said.stderr
    assert f"{old.schema}.WIDE: 1 rows in error" in said.stderr
    assert "crime-jobs migrate validate" in said.stderr
    shown = {row["table"]: row for row in map(json.loads, said.stdout.splitlines())}
    assert {name: (row["rows"], row["error_rows"]) for name, row in shown.items()} == {
        f"{old.schema}.MANY": (MANY, 0),
        f"{old.schema}.WIDE": (40, 1),
    }
    many = {plain(item)["ID"]: plain(item)["NAME"] for item in scan(stack, old.target("MANY"))}
    assert len(many) == MANY
    assert many[MANY] == f"name {MANY}"
    assert len(scan(stack, old.target("WIDE"))) == 40

    # What the service says is what the job's own ledger says, and what the AWS CLI shows.
    task = dms.task
    assert (task["Status"], task["StopReason"]) == ("stopped", "Stop Reason FULL_LOAD_ONLY_FINISHED")
    assert task["ReplicationTaskStats"]["FullLoadProgressPercent"] == 100
    ledger = f"dms-{task['ReplicationTaskArn'].rpartition(':')[2].lower()}-0"
    ours = statistics.read(stack.client("dynamodb"), ledger, LEDGER)
    theirs = dms.aws("describe-table-statistics", "--replication-task-arn", task["ReplicationTaskArn"])
    same = ("TableName", "FullLoadRows", "FullLoadErrorRows", "TableState")
    assert [[one[n] for n in same] for one in theirs["TableStatistics"]] == [
        [getattr(one, n) for n in same] for one in ours
    ]
    streams = stack.client("logs").describe_log_streams(logGroupName=f"dms-tasks-{dms.name}")["logStreams"]
    assert len(streams) == 1
    assert not processes(stack)


def test_a_wrong_password_is_found_before_anything_starts(stack: Stack, dms: Dms) -> None:
    dms.old.sql("CREATE TABLE PEOPLE (ID NUMBER(9) PRIMARY KEY);")
    secrets = stack.client("secretsmanager")
    secret = f"test/{dms.name}"
    secrets.create_secret(Name=secret, SecretString=json.dumps({"username": "CRIME", "password": "not it"}))
    dms.set_up(secret)
    said = dms.run(dms.start(dms.old.mappings(dms.old.to("PEOPLE", "ID"))))
    assert said.returncode == 1, said.stderr
    assert "Wrong user name or password" in said.stderr
    assert "not it" not in said.stderr
    assert dms.task["Status"] == "ready"
    assert said.stdout == ""

    # A password that is changed after the test is found by the task itself.
    known = json.loads(
        secrets.get_secret_value(SecretId=stack.env["CRIME_JOBS_ORACLE_SECRET"])["SecretString"]
    )
    secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(known))
    task = dms.task
    for member in ("SourceEndpointArn", "TargetEndpointArn"):
        dms.client.test_connection(
            ReplicationInstanceArn=task["ReplicationInstanceArn"], EndpointArn=task[member]
        )
    asked = [{"Name": "replication-instance-arn", "Values": [task["ReplicationInstanceArn"]]}]
    until(
        lambda: all(
            one["Status"] == "successful"
            for one in dms.client.describe_connections(Filters=asked)["Connections"]
        )
    )
    secrets.put_secret_value(SecretId=secret, SecretString=json.dumps({**known, "password": "not it"}))
    said = dms.run(dms.start(dms.old.mappings(dms.old.to("PEOPLE", "ID"))))
    assert said.returncode == 1, said.stderr
    over = dms.task
    assert (over["Status"], over["StopReason"]) == ("failed", "Stop Reason FATAL_ERROR Error Level FATAL")
    assert over["LastFailureMessage"].startswith("Last Error ")
    assert "failed" in said.stderr
