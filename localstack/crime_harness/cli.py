"""``python -m crime_harness up|down|status|sql-server|jars``: reads options, calls one function, prints."""

from __future__ import annotations

import enum
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from crime_harness import engines, flink, install, oracle, questions, sql_server, stack
from crime_harness.files import only_one
from crime_harness.places import DEFAULT_PORT, Places, pinned
from crime_harness.steps import Steps
from crime_harness.supervisor import Record, State, Supervisor, responds
from crime_harness.tools import find_java
from crime_jobs.errors import CrimeJobsError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
err = Console(stderr=True)
out = Console(highlight=False, soft_wrap=True)

StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="CRIME_HARNESS_STATE",
        help="Folder of up.env, logs and records; build by default.",
    ),
]
Port = Annotated[
    int,
    typer.Option("--port", envvar="CRIME_HARNESS_PORT", min=1, max=65535, help="Port of 127.0.0.1."),
]


class Kind(NamedTuple):
    """What is said of a server, where it is, and how it is asked whether it answers.

    Parameters
    ----------
    title
        The start of a sentence on how it is.
    address
        From its port to its address.
    ask
        Asks it at its port; raises anything if it does not answer.
    """

    title: str
    address: Callable[[int], str]
    ask: Callable[[int], object]


def _http(port: int) -> str:
    return f"http://127.0.0.1:{port}"


#: The servers, in the order in which they start.
SERVERS = {
    stack.NAME: Kind("LocalStack is", _http, lambda port: stack.is_up(_http(port))),
    engines.NAME: Kind("the engines are", _http, lambda port: engines.answers(_http(port))),
    oracle.NAME: Kind("the old Oracle is", oracle.address, oracle.answers),
}
#: A server that is started alone: who doesn't need it doesn't pay its memory.
BESIDE = {sql_server.NAME: Kind("the SQL server is", sql_server.address, sql_server.answers)}


class Output(enum.StrEnum):
    """How ``status`` prints."""

    TABLE = "table"
    JSON = "json"


@app.command()
def up(port: Port = DEFAULT_PORT, state_dir: StateDir = None) -> None:
    """Start LocalStack, the engines and the old Oracle, make the buckets, write up.env. Twice is harmless."""
    places = Places.of(state_dir)
    supervisor = Supervisor(places.run)
    with only_one(places.run / "lock", err):
        found = {name: _state(supervisor, name) for name in SERVERS}
        if places.env_file.is_file() and all(state is State.UP for state, _ in found.values()):
            _say("LocalStack is already up", [known for _, known in found.values()], places)
            return
        if any(state is not State.DOWN for state, _ in found.values()):
            said = _listed([f"{SERVERS[name].title} {state}" for name, (state, _) in found.items()])
            err.print(f"Started before: {said}; cleaning up.", soft_wrap=True)
            _remove(places, supervisor)
        started = _start(places, supervisor, port)
    _say(f"LocalStack {pinned('localstack-core')} is up", started, places)


def _start(places: Places, supervisor: Supervisor, port: int) -> list[Record | None]:
    with Steps(err) as steps:
        installed = install.install(places, steps)
        shutil.rmtree(stack.files(places), ignore_errors=True)
        install.lay_out(installed, stack.files(places))
        stack.lay_out_hooks(places)
        server, beside = stack.server(places, installed, port), engines.server(places, installed, port)
        source = oracle.server(places, installed, port)
        try:
            steps.do("The old Oracle's rows", lambda: oracle.lay_out(places, installed, steps))
            started = [
                steps.do("Starting LocalStack", lambda: supervisor.start(server)),
                steps.do("Starting the engines", lambda: supervisor.start(beside)),
                steps.do("Starting the old Oracle", lambda: supervisor.start(source)),
            ]
            steps.do("Buckets and landing", lambda: stack.run_hooks(places, server.endpoint))
            others = engines.settings(beside.endpoint) | oracle.settings(source.port) | flink.settings(places)
            stack.write_settings(places, installed, server.endpoint, others)
            for known in started:
                supervisor.ready(known)
            steps.do("The lake that was built", lambda: questions.copy_lake(server.endpoint))
            steps.do("Athena's tables and questions", lambda: questions.lay_out(places))
        except BaseException:  # also Ctrl-C: no half-made stack stays
            _remove(places, supervisor)
            raise
    return [*started]


@app.command()
def down(state_dir: StateDir = None) -> None:
    """Stop LocalStack, the engines, the old Oracle and the SQL server. Harmless when none runs."""
    places = Places.of(state_dir)
    with only_one(places.run / "lock", err):
        stopped = sql_server.stop(places) + _remove(places, Supervisor(places.run))
    said = f"Stopped LocalStack, the engines, the old Oracle and the SQL server ({stopped} processes)."
    out.print(said if stopped else "Nothing was running.")


def _remove(places: Places, supervisor: Supervisor) -> int:
    for path in (places.env_file, places.spark_conf):
        path.unlink(missing_ok=True)
    # Backwards, so the engines before LocalStack, to which their steps speak.
    stopped = sum(supervisor.stop(name) for name in reversed(SERVERS))
    for folder in (stack.files(places), engines.files(places), oracle.files(places)):
        shutil.rmtree(folder, ignore_errors=True)
    return stopped


@app.command()
def status(
    state_dir: StateDir = None,
    output: Annotated[Output, typer.Option("--output", help="How to print it.")] = Output.TABLE,
) -> None:
    """Say how the servers are; exit code 0 if all are up, else 1."""
    supervisor = Supervisor(Places.of(state_dir).run)
    rows, states = [], []
    kinds = SERVERS | {name: kind for name, kind in BESIDE.items() if supervisor.record(name)}
    for name, kind in kinds.items():
        state, known = _state(supervisor, name)
        states.append(state)
        rows.append(
            {
                "service": name,
                "endpoint": kind.address(known.port) if known else None,
                "state": str(state),
                "pid": known.pid if known else None,
                "since": known.since if known else None,
            }
        )
    if output is Output.JSON:
        typer.echo(json.dumps(rows))
    else:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*(str(value) if value is not None else "-" for value in row.values()))
        out.print(table)
    for name, state in zip(kinds, states, strict=True):
        if state in (State.DEAD, State.SILENT):
            err.print(
                f"{kinds[name].title} {state}; the log is {supervisor.log(name)}. "
                f"Run `make {'up' if name in SERVERS else name}` to start it again.",
                soft_wrap=True,
            )
    if any(state is not State.UP for state in states):
        raise typer.Exit(1)


@app.command(sql_server.NAME)
def serve_sql(
    env: Annotated[str, typer.Option("--env", help="Whose tables: local or localstack.")] = "local",
    lake: Annotated[str | None, typer.Option(help="Another lake than that environment's.")] = None,
    port: Annotated[
        int, typer.Option("--port", envvar="CRIME_SQL_PORT", min=1, max=65535, help="Port of 127.0.0.1.")
    ] = sql_server.DEFAULT_PORT,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it; so does `down`.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay, and stop it at Ctrl-C.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Serve the tables of hive/ to beeline, PyHive, SQLAlchemy and DBeaver: Spark's Thrift server."""
    places = Places.of(state_dir)
    if stop:
        stopped = sql_server.stop(places)
        out.print(f"Stopped the SQL server ({stopped} processes)." if stopped else "It was not running.")
        return
    found = sql_server.source(places, env, lake)
    with only_one(places.run / f"{sql_server.NAME}.lock", err), Steps(err) as steps:
        known, now = sql_server.start(places, found, port, steps)
    out.print(f"The SQL server {'is up' if now else 'was up already'} at {sql_server.address(known.port)}")
    out.print(f"(pid {known.pid}), with the tables of {found.lake}.", markup=False)
    for client, how in sql_server.ways(known.port):
        out.print(f"  {client}: {how}", markup=False)
    if not wait:
        return
    err.print("Ctrl-C stops it.")
    try:
        sql_server.watch(places)
    finally:
        sql_server.stop(places)


@app.command("flink")
def make_flink() -> None:
    """Make Flink for the analytics of the FIR stream (290 MB) and say by which variables it is found."""
    places = Places.of()
    with Steps(err) as steps:
        flink.install(places, steps)
    for name, value in flink.settings(places).items():
        typer.echo(f"{name}={value}")


@app.command()
def jars() -> None:
    """Fetch the jars that Spark needs for S3 and print them as a class path."""
    places = Places.of()
    log = places.run / "install.log"
    with Steps(err) as steps, only_one(places.cache / "lock", err):
        java = steps.do("Java", lambda: find_java(places, log))
        folder = steps.do("S3A for Spark", lambda: install.s3a_jars(places, java, log))
    typer.echo(stack.class_path_of(folder))


def _state(supervisor: Supervisor, name: str) -> tuple[State, Record | None]:
    state, known = supervisor.state(name), supervisor.record(name)
    if state is State.UP and known and not responds((SERVERS | BESIDE)[name].ask, known.port):
        state = State.SILENT
    return state, known


def _say(what: str, records: list[Record | None], places: Places) -> None:
    first, second, third = (
        f"{SERVERS[known.name].address(known.port)} (pid {known.pid})" for known in records if known
    )
    where = f"at {first}, the engines at {second}, the old Oracle at {third}"
    out.print(f"{what} {where}. Environment: {places.env_file}")


def _listed(said: list[str]) -> str:
    return f"{', '.join(said[:-1])} and {said[-1]}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        Instead of the process's own.

    Returns
    -------
    int
        Exit code: 0 done, 1 failed or not up, 2 wrong usage, 130 interrupted.
    """
    try:
        app(arguments)  # exits by itself: 0, what a command says, 2 for wrong options, 130 for Ctrl-C
    except CrimeJobsError as error:
        err.print(str(error), style="red", markup=False, soft_wrap=True, highlight=False)
        return error.exit_code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0
