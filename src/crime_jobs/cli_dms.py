"""The verbs of AWS DMS: the same mapping, moved by the service instead of by our own job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Output, Profile, Region, settings_for

if TYPE_CHECKING:
    from crime_jobs.migrate.dms import View

Task = Annotated[
    str | None, typer.Argument(help="Identifier of the replication task; by default deploy.name.")
]

dms = typer.Typer(help="Move the old Oracle by AWS DMS.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(dms, name="dms")


@dms.command(epilog="Example: crime-jobs dms start --env aws --mappings table-mappings.json")
def start(
    task: Task = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    mappings: Annotated[
        str, typer.Option(metavar="PATH|URI", help="Table mapping; by default that of the legacy schema.")
    ] = "",
    source: Annotated[
        str | None, typer.Option(help="ARN or identifier of the Oracle endpoint; by default deploy's.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="ARN or identifier of the DynamoDB endpoint; by default deploy's.")
    ] = None,
    instance: Annotated[
        str | None, typer.Option(help="ARN or identifier of the replication instance; by default deploy's.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Load what an earlier start left undone, not all again.")
    ] = False,
    logs: Annotated[bool, typer.Option("--logs/--no-logs", help="DMS writes a log to CloudWatch.")] = True,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Don't wait for its end.")] = False,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Make the task if there is none, start it, and wait for its end.

    A task that ran before loads everything again: items are replaced, tables are never dropped. Ctrl-C
    leaves it running. Exit code 1 if a table, or a row, could not be loaded.
    """
    from crime_jobs.migrate import dms as tasks
    from crime_jobs.migrate._dms_screen import live

    settings = settings_for(env, region=region, profile=profile)
    task = tasks.task_of(settings, task)
    wanted = tasks.Wanted(task, source, target, instance, mappings, resume=resume, logs=logs)
    if dry_run:
        typer.echo(json.dumps(tasks.planned(settings, wanted), indent=2, ensure_ascii=False))
        return
    with live(f"Starting {task}") as tell:
        seen = tasks.start(settings, wanted, tell, wait=not no_wait)
    if no_wait:
        output.note(f"{task} is {seen.state}; `crime-jobs dms watch {task}` waits for its end.")
        return
    _show_end(seen, output_format)


@dms.command(epilog="Example: crime-jobs dms watch --env aws")
def watch(
    task: Task = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Wait for the end of a task; exit code 1 if a table, or a row, could not be loaded."""
    from crime_jobs.migrate import dms as tasks
    from crime_jobs.migrate._dms_screen import live

    settings = settings_for(env, region=region, profile=profile)
    task = tasks.task_of(settings, task)
    with live(f"Looking for {task}") as tell:
        seen = tasks.watch(settings, task, tell)
    _show_end(seen, output_format)


@dms.command(epilog="Example: crime-jobs dms stop --env aws")
def stop(
    task: Task = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Stop a task and wait until it is; what it moved stays."""
    from crime_jobs.migrate import dms as tasks
    from crime_jobs.migrate._dms_screen import live

    settings = settings_for(env, region=region, profile=profile)
    task = tasks.task_of(settings, task)
    with live(f"Stopping {task}") as tell:
        seen = tasks.stop(settings, task, tell)
    output.show(tasks.rows(seen), output_format, title=f"DMS task {task}")
    output.note(f"{task} is {seen.state} ({seen.task.get('StopReason', 'it was never started')}).")
    if tasks.failure(seen):
        output.note(f"`crime-jobs dms start {task} --resume` loads what is not loaded yet.")


@dms.command(epilog="Example: crime-jobs dms status crime-jobs --env aws")
def status(
    task: Annotated[str | None, typer.Argument(help="Identifier of one; with its tables.")] = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """List the tasks; of one, how far each of its tables is."""
    from crime_jobs.migrate import dms as tasks

    settings = settings_for(env, region=region, profile=profile)
    if task is None:
        found = tasks.listed(settings)
        output.show(found, output_format, title=f"DMS tasks in {settings.region}")
        if not found:
            output.note(f"There are none in {settings.region}.")
        return
    seen = tasks.status(settings, task)
    output.show(tasks.rows(seen), output_format, title=f"DMS task {task}: {seen.state}")


def _show_end(seen: View, output_format: output.Format | None) -> None:
    from crime_jobs.migrate import dms as tasks

    output.show(tasks.rows(seen), output_format, title=f"DMS task {seen.name}")
    output.note(tasks.NOT_VALIDATED)
    if error := tasks.failure(seen):
        raise error
