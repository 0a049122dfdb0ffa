"""The engine's DMS on a port of its own, with work that a test decides: no Spark, no LocalStack."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import uvicorn
from botocore.config import Config

from crime_engines.control import Control
from crime_engines.dms import Dms, life
from crime_engines.dms.model import Connection, Task, now
from crime_engines.node import Node
from crime_engines.server import Engines, application
from crime_jobs.migrate.statistics import BEFORE_LOAD, COMPLETED, FULL_LOAD, TableStatistics

if TYPE_CHECKING:
    import pytest

REGION = "us-east-1"
#: One for all tests: it reads the service's model once.
SESSION = boto3.session.Session("test", "test", region_name=REGION)
#: What an Oracle endpoint is made of.
SECRET = {
    "SecretsManagerSecretId": "crime-jobs/oracle",
    "SecretsManagerAccessRoleArn": "arn:aws:iam::000000000000:role/secret",
}
TARGET = {"ServiceAccessRoleArn": "arn:aws:iam::000000000000:role/target"}
SETTINGS = '{"FullLoadSettings": {"TargetTablePrepMode": "DO_NOTHING"}}'


def mapping(table: str = "DISTRICTS") -> str:
    return (
        '{"rules": [{"rule-type": "selection", "rule-id": "1", "rule-name": "one", "object-locator": '
        f'{{"schema-name": "CRIME", "table-name": "{table}"}}, "rule-action": "include"}}]}}'
    )


def table(name: str, state: str = COMPLETED, rows: int = 3, **more: Any) -> TableStatistics:
    return TableStatistics(SchemaName="CRIME", TableName=name, TableState=state, FullLoadRows=rows, **more)


class StandIn:
    """Stands for the processes of a task: it has come to where a test has put it."""

    def __init__(self) -> None:
        self.reachable = True
        self.tables: list[TableStatistics] = [table("DISTRICTS")]
        #: How the next start ends: state, reason, failure. ``None`` for one that goes on until it is stopped.
        self.end: tuple[str, str, str | None] | None = ("stopped", life.FINISHED, None)
        self.starts: list[str] = []
        self.tests = 0
        #: Seconds that a task is starting.
        self.starting = 0.05

    def start(self, _machine: life.Machine, task: Task) -> None:
        task.starts += 1
        task.started, task.stopped = now(), None
        task.first_started = task.first_started or task.started
        task.stop_reason = task.failure = None
        task.rest, task.settled_at, task.tables = "running", time.monotonic() + self.starting, self.tables
        task.passing = "starting"
        self.starts.append(task.ledger_name)
        if self.end is None:
            task.work = self  # type: ignore[assignment]
            self.task = task
        else:
            self._over(task, *self.end)

    def stop(self, grace: float = 0) -> None:
        del grace
        self._over(self.task, "stopped", life.NORMAL, None)

    @staticmethod
    def _over(task: Task, state: str, reason: str, failure: str | None) -> None:
        with task.lock:
            task.rest, task.stop_reason, task.failure = state, reason, failure
            task.stopped, task.work = now(), None

    def test(self, _machine: life.Machine, connection: Connection) -> None:
        self.tests += 1
        connection.state = "successful" if self.reachable else "failed"
        connection.failure = None if self.reachable else "Test Endpoint failed: ORA-01017"

    def tables_of(self, _machine: life.Machine, task: Task) -> list[TableStatistics]:
        return task.tables


@dataclass
class Served:
    """The engine at its address."""

    url: str
    control: Control
    work: StandIn
    dms: Any

    def fault(self, operation: str, code: str = "ThrottlingException", **more: Any) -> None:
        self.control.add_fault({"operation": operation, "code": code, **more})

    def instance(self, name: str = "crime-jobs") -> str:
        made = self.dms.create_replication_instance(
            ReplicationInstanceIdentifier=name, ReplicationInstanceClass="dms.t3.small"
        )
        return str(made["ReplicationInstance"]["ReplicationInstanceArn"])

    def source(self, name: str = "crime-jobs-oracle") -> str:
        made = self.dms.create_endpoint(
            EndpointIdentifier=name,
            EndpointType="source",
            EngineName="oracle",
            DatabaseName="CRIME",
            OracleSettings=SECRET,
        )
        return str(made["Endpoint"]["EndpointArn"])

    def target(self, name: str = "crime-jobs-dynamodb") -> str:
        made = self.dms.create_endpoint(
            EndpointIdentifier=name, EndpointType="target", EngineName="dynamodb", DynamoDbSettings=TARGET
        )
        return str(made["Endpoint"]["EndpointArn"])

    def task(self, name: str = "crime-jobs", **more: Any) -> str:
        """Make a task with endpoints and instance of its own, which can be started."""
        request = {
            "ReplicationTaskIdentifier": name,
            "SourceEndpointArn": self.source(f"{name}-s"),
            "TargetEndpointArn": self.target(f"{name}-t"),
            "ReplicationInstanceArn": self.instance(f"{name}-i"),
            "MigrationType": "full-load",
            "TableMappings": mapping(),
            "ReplicationTaskSettings": SETTINGS,
            **more,
        }
        made = self.dms.create_replication_task(**request)["ReplicationTask"]["ReplicationTaskArn"]
        for endpoint in (request["SourceEndpointArn"], request["TargetEndpointArn"]):
            self.dms.test_connection(
                ReplicationInstanceArn=request["ReplicationInstanceArn"], EndpointArn=endpoint
            )
        return str(made)

    def shown(self, name: str = "crime-jobs") -> dict[str, Any]:
        asked = [{"Name": "replication-task-id", "Values": [name]}]
        found: dict[str, Any] = self.dms.describe_replication_tasks(Filters=asked)["ReplicationTasks"][0]
        return found

    def rests(self, name: str = "crime-jobs") -> dict[str, Any]:
        """The task, once it is not at work."""
        while (found := self.shown(name))["Status"] in ("creating", "starting", "running", "stopping"):
            time.sleep(0.02)
        return found


@contextlib.contextmanager
def serve(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Served]:
    """Serve the engine, and lead AWS clients of this process to it."""
    work = StandIn()
    for name in ("start", "test", "tables_of"):
        monkeypatch.setattr(life, name, getattr(work, name))
    control = Control()
    node = Node(folder, "http://127.0.0.1:9", "http://127.0.0.1:9", "", folder)
    service = Dms(node, control, "jdbc:h2:tcp://127.0.0.1:9/./crime;MODE=Oracle")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(application(Engines([service], control)), "127.0.0.1", port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "CRIME_JOBS_ENV"):
        monkeypatch.delenv(name, raising=False)
    plain = Config(retries={"total_max_attempts": 1}, proxies={})
    client = SESSION.client("dms", endpoint_url=url, config=plain)
    try:
        yield Served(url, control, work, client)
    finally:
        server.should_exit = True
        thread.join(10)


__all__ = ["BEFORE_LOAD", "FULL_LOAD", "Served", "StandIn", "mapping", "serve", "table"]
