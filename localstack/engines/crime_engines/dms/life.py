"""What a task does: our own migration job, by ``spark-submit`` in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from crime_engines.dms.model import Connection, Task, now
from crime_engines.dms.source import Unreachable, read_secret, url_for
from crime_engines.dms.tables import ended
from crime_engines.node import CREDENTIALS, Node
from crime_engines.spark_conf import Classified, write_conf
from crime_engines.work import Stopped, Work
from crime_jobs.errors import CrimeJobsError
from crime_jobs.migrate import statistics
from crime_jobs.migrate._lease import lock_of
from crime_jobs.migrate.ledger import Ledger
from crime_jobs.outcome import OUTCOME

log = logging.getLogger("crime_engines")

#: The ledger of all tasks; not that of migrations which somebody runs by hand.
LEDGER = "awsdms-engine"
#: The owner of all processes here, for the end of the server.
OWNER_ID = f"dms-{os.getpid()}-{os.urandom(4).hex()}"

FINISHED = "Stop Reason FULL_LOAD_ONLY_FINISHED"
NORMAL = "Stop Reason NORMAL"
FATAL = "Stop Reason FATAL_ERROR"

#: How DMS begins what it says of an endpoint that it can't reach.
_TEST_FAILED = (
    "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to connect to "
    "database., Application-Detailed-Message: "
)
#: As many rows as there can be: as with DMS, rows that do not fit are counted and do not fail the table.
_NO_LIMIT = 2**31 - 1
_LONGEST = 2000


@dataclass(frozen=True)
class Machine:
    """What tasks run on.

    Parameters
    ----------
    node
        The machine.
    oracle_url
        JDBC URL of the database that stands for Oracle; ``None`` where there is none.
    """

    node: Node
    oracle_url: str | None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def client(self, service: str, region: str) -> Any:
        """Make a client of a service of LocalStack.

        Parameters
        ----------
        service
            The service.
        region
            The region.
        """
        with self._lock:
            made = self._clients.get((service, region))
            if made is None:
                made = self._clients[service, region] = self._made(service, region)
        return made

    def _made(self, service: str, region: str) -> Any:
        session = boto3.session.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=region,
        )
        config = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"}, proxies={})
        return session.client(service, endpoint_url=self.node.localstack, config=config)

    def url_of(self, task_or: Task | Connection) -> str:
        """Return the JDBC URL of a source.

        Parameters
        ----------
        task_or
            Whose source.

        Returns
        -------
        str

        Raises
        ------
        Unreachable
            If there is no database here, or the secret can't be used.
        """
        endpoint = task_or.source if isinstance(task_or, Task) else task_or.endpoint
        if self.oracle_url is None:
            raise Unreachable("There is no Oracle here: the engines were started without --oracle-url")
        client = self.client("secretsmanager", endpoint.region)
        secret = read_secret(client, endpoint.request["OracleSettings"]["SecretsManagerSecretId"])
        return url_for(self.oracle_url, secret, endpoint.database or "")


def tables_of(machine: Machine, task: Task) -> list[statistics.TableStatistics]:
    """Return the statistics of a task's tables.

    Parameters
    ----------
    machine
        Where they are.
    task
        The task.
    """
    if task.work is None:
        return task.tables
    try:
        return statistics.read(machine.client("dynamodb", task.region), task.ledger_name, LEDGER)
    except CrimeJobsError as error:
        if "ResourceNotFoundException" in str(error):  # it has not begun: there is no ledger yet
            return []
        raise


def start(machine: Machine, task: Task) -> None:
    """Start the thread of a task; its lock is held.

    Parameters
    ----------
    machine
        Where it runs.
    task
        The task.
    """
    task.starts += 1
    task.work = Work(OWNER_ID, f"{task.id}-{task.starts}")
    task.rest, task.settled_at = "starting", 0.0
    task.started, task.stopped = now(), None
    task.first_started = task.first_started or task.started
    task.stop_reason = task.failure = None
    task.tables = []
    threading.Thread(target=_live, args=(machine, task, task.work), name=task.name, daemon=True).start()


def _live(machine: Machine, task: Task, work: Work) -> None:
    home = task.home / str(task.starts)
    state, reason, failure = "failed", FATAL, "The engine broke; its log says where."
    try:
        state, reason, failure = _run(machine, task, work, home)
    except Stopped:
        state, reason, failure = "stopped", NORMAL, ""
    except Unreachable as error:
        failure = str(error)
    except Exception:
        log.exception("%s broke", task.name)
    try:
        _log(machine, task, home)
        found = tables_of(machine, task)
        _free(machine, task)
    except (CrimeJobsError, ClientError, BotoCoreError) as error:
        log.warning("%s: its statistics can't be read: %s", task.name, error)
        found = task.tables
    with task.lock:
        task.tables = ended(found, was_stopped=reason == NORMAL)
        task.work = None
        task.stopped = now()
        task.stop_reason = reason if state == "stopped" else f"{reason} Error Level FATAL"
        task.failure = (
            f"Last Error {failure[:_LONGEST]} {reason} Error Level FATAL" if state == "failed" else None
        )
        task.rest = state
    shutil.rmtree(home, ignore_errors=True)


def _run(machine: Machine, task: Task, work: Work, home: Path) -> tuple[str, str, str]:
    """Run the job; return the task's state, why it stopped, and what failed."""
    node = machine.node
    home.mkdir(parents=True)
    (node.state / "home").mkdir(exist_ok=True)
    write_conf(node, home, Classified(), home / "conf")
    (home / "mappings.json").write_text(task.request["TableMappings"], encoding="utf-8")
    command = [
        *(str(node.spark_home / "bin" / "spark-submit"), _entry(), "migrate"),
        *("--landing", str(home / "landing"), "--lake", str(home / "lake"), "--outcome", str(home / "told")),
    ]
    told = {
        "url": machine.url_of(task),
        "secret": task.source.request["OracleSettings"]["SecretsManagerSecretId"],
        "mappings": str(home / "mappings.json"),
        "task": task.ledger_name,
        "ledger": LEDGER,
        "max_error_rows": str(_NO_LIMIT),
    }
    for name, value in told.items():
        command += ["--set", f"{name}={value}"]
    # Not a node's Python, which has no packages, but this one: the job is a part of the service here.
    env = node.environ(task.region, home / "tmp") | {
        "SPARK_CONF_DIR": str(home / "conf"),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    with task.lock:
        work.check()
        task.rest = "running"
    output = home / "log"
    code = work.run(command, env=env, cwd=home, stdout=output, stderr=output)
    if not code:
        return "stopped", FINISHED, ""
    if any(one.FullLoadStartTime for one in tables_of(machine, task)):
        # As with DMS: a table that fails is suspended, and the task goes to its end.
        return "stopped", FINISHED, ""
    return "failed", FATAL, _why(home, code)


def _entry() -> str:
    spec = importlib.util.find_spec("crime_jobs.entry")
    assert spec is not None  # noqa: S101 - it is installed with this package
    assert spec.origin is not None  # noqa: S101
    return spec.origin


def _why(home: Path, code: int) -> str:
    """Return what the job says of its failure."""
    try:
        said = json.loads((home / "told" / OUTCOME).read_text(encoding="utf-8"))
        return f"{said['message']}"
    except (OSError, ValueError, KeyError):
        lines = _lines(home / "log")
        return next((line for line in reversed(lines) if "error" in line.lower()), f"Exit code {code}")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _log(machine: Machine, task: Task, home: Path) -> None:
    """Put the job's output where DMS puts a task's log, if the task asks for it."""
    wanted = json.loads(task.request["ReplicationTaskSettings"]).get("Logging", {}).get("EnableLogging")
    lines = [line for line in _lines(home / "log") if line.strip()][-1000:]
    if not wanted or not lines:
        return
    group, stream = f"dms-tasks-{task.instance.name}", f"dms-task-{task.id}"
    logs = machine.client("logs", task.region)
    for make, name in (
        (logs.create_log_group, {"logGroupName": group}),
        (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
    ):
        try:
            make(**name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise
    moment = round(now().timestamp() * 1000)
    events = [{"timestamp": moment, "message": line[:10_000]} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _free(machine: Machine, task: Task) -> None:
    """Let the job's lease go: no process of it is left, so the next start need not wait until it runs out."""
    ledger = Ledger(machine.client("dynamodb", task.region), task.ledger_name, LEDGER)
    try:
        ledger.forget(lock_of("migrate"))
    except CrimeJobsError as error:
        if "ResourceNotFoundException" not in str(error):
            raise


def test(machine: Machine, connection: Connection) -> None:
    """Start the thread that tests a connection.

    Parameters
    ----------
    machine
        Where it runs.
    connection
        The connection.
    """
    work = Work(OWNER_ID, f"test-{os.urandom(8).hex()}")
    connection.state, connection.failure, connection.work = "testing", None, work
    threading.Thread(target=_try, args=(machine, connection, work), daemon=True).start()


def _try(machine: Machine, connection: Connection, work: Work) -> None:
    try:
        said = _said(machine, connection, work)
    except Stopped:
        said = "It was stopped."
    except (Unreachable, ClientError, BotoCoreError) as error:
        said = str(error)
    except Exception:
        log.exception("a test broke")
        said = "The engine broke; its log says where."
    if connection.work is not work:  # a later test has begun
        return
    connection.failure = f"{_TEST_FAILED}{said[:_LONGEST]}" if said else None
    connection.state = "failed" if said else "successful"


def _said(machine: Machine, connection: Connection, work: Work) -> str:
    """Try to reach an endpoint; return why it can't be."""
    endpoint = connection.endpoint
    if endpoint.engine == "dynamodb":
        machine.client("dynamodb", endpoint.region).list_tables(Limit=1)
        return ""
    home = machine.node.state / "dms" / work.task
    home.mkdir(parents=True)
    (machine.node.state / "home").mkdir(exist_ok=True)
    output = home / "said"
    try:
        code = work.run(
            _login(machine, connection),
            env=_environ(machine, connection, home),
            cwd=home,
            stdout=output,
            stderr=home / "errors",
        )
        return "" if not code else _first(_lines(output)) or f"Exit code {code}"
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _login(machine: Machine, connection: Connection) -> list[str]:
    bridge = next((machine.node.spark_home / "jars").glob("py4j-*.jar"))
    jars = os.pathsep.join([str(bridge), machine.node.class_path])
    secret = connection.endpoint.request["OracleSettings"]["SecretsManagerSecretId"]
    return [sys.executable, "-m", "crime_engines.dms.login", jars, machine.url_of(connection), secret]


def _environ(machine: Machine, connection: Connection, home: Path) -> dict[str, str]:
    return machine.node.environ(connection.endpoint.region, home / "tmp")


def _first(lines: Sequence[str]) -> str:
    return lines[0] if lines else ""
