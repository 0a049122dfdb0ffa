"""``python -m crime_harness up|down|status|jars``: reads options, calls one function, prints."""

from __future__ import annotations

import enum
import json
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from crime_harness import install, stack
from crime_harness.files import only_one
from crime_harness.places import DEFAULT_PORT, Places, pinned
from crime_harness.steps import Steps
from crime_harness.supervisor import Record, State, Supervisor
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


class Output(enum.StrEnum):
    """How ``status`` prints."""

    TABLE = "table"
    JSON = "json"


@app.command()
def up(port: Port = DEFAULT_PORT, state_dir: StateDir = None) -> None:
    """Start LocalStack, make the buckets, write up.env. Twice is harmless."""
    places = Places.of(state_dir)
    supervisor = Supervisor(places.run)
    with only_one(places.run / "lock", err):
        state, known = _state(supervisor)
        if state is State.UP and known and places.env_file.is_file():
            out.print(f"LocalStack is already up at {_where(known, places)}")
            return
        if state is not State.DOWN:
            err.print(f"LocalStack was started before and is {state}; cleaning up after it.")
            _remove(places, supervisor)
        known = _start(places, supervisor, port)
    out.print(f"LocalStack {pinned('localstack-core')} is up at {_where(known, places)}")


def _start(places: Places, supervisor: Supervisor, port: int) -> Record:
    with Steps(err) as steps:
        installed = install.install(places, steps)
        shutil.rmtree(stack.files(places), ignore_errors=True)
        install.lay_out(installed, stack.files(places))
        server = stack.server(places, installed, port)
        try:
            known = steps.do("Starting LocalStack", lambda: supervisor.start(server))
            steps.do("Buckets and landing", lambda: stack.run_hooks(places, server.endpoint))
            stack.write_settings(places, installed, server.endpoint)
            supervisor.ready(known)
        except BaseException:  # also Ctrl-C: no half-made stack stays
            _remove(places, supervisor)
            raise
    return known


@app.command()
def down(state_dir: StateDir = None) -> None:
    """Stop LocalStack with all its processes and forget it. Harmless when nothing runs."""
    places = Places.of(state_dir)
    with only_one(places.run / "lock", err):
        stopped = _remove(places, Supervisor(places.run))
    out.print(f"Stopped LocalStack ({stopped} processes)." if stopped else "Nothing was running.")


def _remove(places: Places, supervisor: Supervisor) -> int:
    for path in (places.env_file, places.spark_conf):
        path.unlink(missing_ok=True)
    stopped = supervisor.stop(stack.NAME)
    shutil.rmtree(stack.files(places), ignore_errors=True)
    return stopped


@app.command()
def status(
    state_dir: StateDir = None,
    output: Annotated[Output, typer.Option("--output", help="How to print it.")] = Output.TABLE,
) -> None:
    """Say how the servers are; exit code 0 if up, else 1."""
    supervisor = Supervisor(Places.of(state_dir).run)
    state, known = _state(supervisor)
    row = {
        "service": stack.NAME,
        "endpoint": _endpoint(known) if known else None,
        "state": str(state),
        "pid": known.pid if known else None,
        "since": known.since if known else None,
    }
    if output is Output.JSON:
        typer.echo(json.dumps([row]))
    else:
        table = Table(*row)
        table.add_row(*(str(value) if value is not None else "-" for value in row.values()))
        out.print(table)
    if state in (State.DEAD, State.SILENT):
        err.print(
            f"LocalStack is {state}; its log is {supervisor.log(stack.NAME)}. "
            "Run `make up` to start it again."
        )
    if state is not State.UP:
        raise typer.Exit(1)


@app.command()
def jars() -> None:
    """Fetch the jars that Spark needs for S3 and print them as a class path."""
    places = Places.of()
    log = places.run / "install.log"
    with Steps(err) as steps, only_one(places.cache / "lock", err):
        java = steps.do("Java", lambda: find_java(places, log))
        folder = steps.do("S3A for Spark", lambda: install.s3a_jars(places, java, log))
    typer.echo(stack.class_path_of(folder))


def _state(supervisor: Supervisor) -> tuple[State, Record | None]:
    state, known = supervisor.state(stack.NAME), supervisor.record(stack.NAME)
    if state is State.UP and known and not stack.responds(_endpoint(known)):
        state = State.SILENT
    return state, known


def _where(known: Record, places: Places) -> str:
    return f"{_endpoint(known)} (pid {known.pid}). Environment: {places.env_file}"


def _endpoint(known: Record) -> str:
    return f"http://127.0.0.1:{known.port}"


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
