"""The SQL server: Spark's Thrift server over the tables of ``hive/``, for clients of Hive."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crime_harness.places import ROOT, Places
from crime_harness.stack import NOT_PASSED_ON, client
from crime_harness.supervisor import Server, State, Supervisor, responds
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.files import write_whole
from crime_jobs.model.names import DATABASE
from crime_jobs.model.tables import TABLES
from crime_jobs.settings import read_env_file
from crime_jobs.spark import read_properties

if TYPE_CHECKING:
    from crime_harness.steps import Steps
    from crime_harness.supervisor import Record

NAME = "sql-server"
#: Hive's own, which clients take where none is said.
DEFAULT_PORT = 10000

#: Least memory with which the whole sample can be joined and sorted; the process comes to about 900 MB.
_MEMORY = "1g"
#: Seconds for Spark and some forty tables, on a machine that does much else.
_PATIENCE = 240
#: A table that each lake has, and the file by which it is known to be whole.
_MARK = f"{next(iter(TABLES))}/_report.json"


@dataclass(frozen=True)
class Source:
    """What the server's tables stand for.

    Parameters
    ----------
    landing, lake
        Folders or ``s3://`` URIs.
    properties
        Spark properties with which they are read.
    """

    landing: str
    lake: str
    properties: dict[str, str]


def source(places: Places, env: str, lake: str | None) -> Source:
    """Find the lake that is to be served.

    Parameters
    ----------
    places
        The stack's places, for ``up.env``.
    env
        ``local`` or ``localstack``.
    lake
        Another lake than that of the environment.

    Returns
    -------
    Source

    Raises
    ------
    WrongUsage
        If there is no such environment, its servers are not up, or the lake is not built.
    """
    if env == "local":
        place = Path(lake).absolute() if lake else ROOT / "build" / "lake"
        if not (place / _MARK).is_file():
            raise WrongUsage(
                f"There is no lake in {place} ({_MARK} is missing).",
                hint="Build it with `crime-jobs run all`, or name another with --lake.",
            )
        return Source(str(ROOT / "data"), str(place), {})
    if env != "localstack":
        raise WrongUsage(
            f"The SQL server can't serve the environment {env!r}.",
            hint="It serves local and localstack; on AWS the cluster has HiveServer2 (docs/hue.md).",
        )
    known = read_env_file(places.env_file)
    uri = (lake or known["CRIME_JOBS_LAKE"]).rstrip("/")
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3 = client("s3", known["AWS_ENDPOINT_URL"])
    if not s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/{_MARK}", MaxKeys=1).get("Contents"):
        raise WrongUsage(
            f"There is no lake in {uri} ({_MARK} is missing).",
            hint="Build it with `crime-jobs run all --env localstack`, or name another with --lake.",
        )
    return Source(known["CRIME_JOBS_LANDING"], uri, read_properties(Path(known["CRIME_JOBS_SPARK_CONF"])))


def server(places: Places, found: Source, port: int) -> Server:
    """Return it as a server to run.

    Parameters
    ----------
    places
        Where its files go.
    found
        What it serves.
    port
        Its port.

    Returns
    -------
    Server
    """
    command = (
        *(sys.executable, "-m", "crime_harness.sql_serving", "--folder", str(files(places))),
        *("--spark-conf", str(_conf_file(places)), "--landing", found.landing, "--lake", found.lake),
    )
    passed = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    return Server(
        NAME, port, command, passed, lambda: answers(port), _PATIENCE, port_option="--port or CRIME_SQL_PORT"
    )


def files(places: Places) -> Path:
    """Return the folder of its metastore and warehouse, which go when it is stopped.

    Parameters
    ----------
    places
        The stack's places.
    """
    return places.run / NAME


def _conf_file(places: Places) -> Path:
    return files(places) / "spark.conf"


def _properties(places: Places, port: int) -> dict[str, str]:
    folder = files(places)
    return {
        "spark.driver.memory": _MEMORY,
        "spark.driver.maxResultSize": "256m",
        # A client that asks for a whole table is given it bit by bit.
        "spark.sql.thriftServer.incrementalCollect": "true",
        "spark.local.dir": str(folder / "tmp"),
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
        "spark.hadoop.hive.server2.thrift.port": str(port),
        "spark.hadoop.hive.server2.logging.operation.enabled": "false",
        "spark.hadoop.hive.server2.idle.session.timeout": "3600000",
        "spark.hadoop.hive.exec.scratchdir": str(folder / "scratch"),
        "spark.hadoop.hive.exec.local.scratchdir": str(folder / "scratch-local"),
        "spark.hadoop.hive.downloaded.resources.dir": str(folder / "resources"),
    }


def start(places: Places, found: Source, port: int, steps: Steps) -> tuple[Record, bool]:
    """Start the server and wait until it has its tables and answers; one that is up serves.

    Parameters
    ----------
    places
        Where its files go.
    found
        What it is to serve.
    port
        Its port.
    steps
        Says that it is being started.

    Returns
    -------
    Record, bool
        What runs, and whether it was started now.

    Raises
    ------
    WrongUsage
        If another program has the port, or the server is up with another lake or port.
    JobFailed
        If it does not start.
    """
    supervisor = Supervisor(places.run)
    known, state = supervisor.record(NAME), supervisor.state(NAME)
    if state is State.UP and known and responds(answers, known.port):
        served = read_properties(_conf_file(places)).get("spark.crime.lake")
        if known.port != port or served != found.lake:
            raise WrongUsage(
                f"The SQL server is up already, on port {known.port} with the lake {served}.",
                hint="Stop it first: `make sql-server ARGS=--stop`.",
            )
        return known, False
    stop(places)
    conf = {**found.properties, **_properties(places, port), "spark.crime.lake": found.lake}
    write_whole(
        _conf_file(places), "".join(f"{name} {value}\n" for name, value in conf.items()), private=True
    )
    wanted = server(places, found, port)
    try:
        started = steps.do("Starting Spark and making the tables", lambda: supervisor.start(wanted))
        supervisor.ready(started)
    except BaseException:  # also Ctrl-C: no half-made server stays
        stop(places)
        raise
    return started, True


def stop(places: Places) -> int:
    """Stop it and throw its files away; harmless when it does not run.

    Parameters
    ----------
    places
        The stack's places.

    Returns
    -------
    int
        How many processes were stopped.
    """
    stopped = Supervisor(places.run).stop(NAME)
    shutil.rmtree(files(places), ignore_errors=True)
    return stopped


def watch(places: Places, pause: Callable[[float], None] = time.sleep) -> None:
    """Wait until Ctrl-C, or until the server has ended.

    Parameters
    ----------
    places
        The stack's places.
    pause
        Waits for some seconds.

    Raises
    ------
    JobFailed
        If it ended by itself.
    """
    supervisor = Supervisor(places.run)
    while supervisor.state(NAME) is State.UP:
        pause(1)
    if supervisor.record(NAME):  # nobody has stopped it
        raise JobFailed("The SQL server has ended.", hint=f"Its log is {supervisor.log(NAME)}.")


def answers(port: int) -> None:
    """Ask it something.

    Parameters
    ----------
    port
        Its port.

    Raises
    ------
    Exception
        Whatever PyHive raises while it does not answer.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        pass  # so that PyHive logs no refusal while Spark starts
    for name in ("thrift", "pyhive"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from pyhive import hive

    link: Any = hive.connect(host="127.0.0.1", port=port, username="crime_harness", database=DATABASE)
    try:
        cursor = link.cursor()
        cursor.execute("SELECT 1")
        cursor.fetchall()
    finally:
        link.close()


def address(port: int) -> str:
    """Return its address as JDBC writes it.

    Parameters
    ----------
    port
        Its port.

    Returns
    -------
    str
    """
    return f"jdbc:hive2://127.0.0.1:{port}/{DATABASE}"


def ways(port: int) -> list[tuple[str, str]]:
    """Return how clients come to it: name and what to type.

    Parameters
    ----------
    port
        Its port.

    Returns
    -------
    list of (client, how)
    """
    # The copy on PATH looks for pyspark with whichever python3 comes first.
    spec = importlib.util.find_spec("pyspark")
    beeline = Path(spec.origin).parent / "bin" / "beeline" if spec and spec.origin else "beeline"
    return [
        ("beeline", f"{beeline} -u {address(port)} -n $USER"),
        ("PyHive", f'pyhive.hive.connect("127.0.0.1", {port}, database="{DATABASE}")'),
        ("SQLAlchemy", f'create_engine("hive://127.0.0.1:{port}/{DATABASE}")'),
        ("DBeaver", f"new connection, Apache Hive 2+; URL {address(port)}, any user, no password"),
    ]
