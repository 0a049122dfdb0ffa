"""The verbs of the migration off Oracle: migrate, and what is asked about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Lake, Output, Profile, Region, pairs, settings_for
from crime_jobs.errors import AwsRefused, BadInput, JobFailed, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.migrate.ledger import Ledger
    from crime_jobs.settings import Settings

Url = Annotated[
    str | None,
    typer.Option(metavar="JDBC-URL", help="The old database, without user (or CRIME_JOBS_ORACLE_URL)."),
]
Secret = Annotated[
    str | None,
    typer.Option(metavar="NAME|ARN", help="The secret with its user (or CRIME_JOBS_ORACLE_SECRET)."),
]
Mapping = Annotated[
    str | None,
    typer.Option("--mappings", metavar="PATH|URI", help="DMS's table mapping; else the legacy schema's."),
]
Task = Annotated[str, typer.Option(help="Name of the migration in the ledger.")]
PartRows = Annotated[int | None, typer.Option(min=1, help="Rows that one task reads.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A further value of the job's configuration."),
]
TASK = "oracle"

#: Differences that are shown after a validation.
_SHOWN = 20
#: Of the statistics, what a pipe gets and a terminal has no room for.
_NOT_ON_A_TERMINAL = {"SchemaName", "TargetTable", "FullLoadStartTime", "FullLoadEndTime", "LastUpdateTime"}
#: Where a name of DMS's may be broken.
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")

migrate_app = typer.Typer(help="Move the old Oracle to DynamoDB; see what was moved, and prove it.")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(migrate_app, name="migrate")


@migrate_app.callback(
    invoke_without_command=True,
    epilog="Example: crime-jobs migrate --env localstack --write-units 500",
)
def migrate(
    context: typer.Context,
    url: Url = None,
    secret: Secret = None,
    mappings: Mapping = None,
    task: Task = TASK,
    write_units: Annotated[
        float | None, typer.Option(min=0, help="Write capacity units a second, of all executors together.")
    ] = None,
    part_rows: PartRows = None,
    max_error_rows: Annotated[
        int | None, typer.Option(min=0, help="Rows of a table that may not fit; they are listed either way.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Load everything anew.")] = False,
    env: Env = None,
    lake: Lake = None,
    region: Region = None,
    profile: Profile = None,
    options: Set = None,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Move the old Oracle to DynamoDB; what was moved already is not moved again.

    Without a verb behind it, this moves. On a cluster: `crime-jobs submit migrate --on …`.
    """
    if context.invoked_subcommand:
        _refuse_before(context)
        return
    settings = settings_for(env, lake=lake, region=region, profile=profile)
    told = _told(
        options,
        url=url,
        secret=secret,
        mappings=mappings,
        task=task,
        write_units=write_units,
        part_rows=part_rows,
        max_error_rows=max_error_rows,
        again=again or None,
    )
    if dry_run:
        _plan(settings, told, output_format)
    else:
        _run("migrate", settings, told, output_format)


@migrate_app.command(epilog="Example: crime-jobs migrate validate --env localstack")
def validate(
    url: Url = None,
    secret: Secret = None,
    mappings: Mapping = None,
    task: Task = TASK,
    read_units: Annotated[
        float | None, typer.Option(min=0, help="Read capacity units a second, of all executors together.")
    ] = None,
    part_rows: PartRows = None,
    moved_elsewhere: Annotated[
        bool, typer.Option("--moved-elsewhere", help="Also tables that AWS DMS itself has moved.")
    ] = False,
    env: Env = None,
    lake: Lake = None,
    region: Region = None,
    profile: Profile = None,
    options: Set = None,
    output_format: Output = None,
) -> None:
    """Compare every row with its item; exit 1 if anything differs."""
    settings = settings_for(env, lake=lake, region=region, profile=profile)
    told = _told(
        options,
        url=url,
        secret=secret,
        mappings=mappings,
        task=task,
        read_units=read_units,
        part_rows=part_rows,
        moved_elsewhere=moved_elsewhere or None,
    )
    _run("validate", settings, told, output_format)


@migrate_app.command(epilog="Example: crime-jobs migrate status --env localstack --output csv")
def status(
    task: Task = TASK,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    options: Set = None,
    output_format: Output = None,
) -> None:
    """Show each table under the names of DMS's statistics, also while a load runs or after it was killed."""
    settings = settings_for(env, region=region, profile=profile)
    _show_statistics(_ledger(settings, _told(options, task=task)), output_format)


@migrate_app.command(epilog="Example: crime-jobs migrate runs --env localstack")
def runs(
    task: Task = TASK,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    options: Set = None,
    output_format: Output = None,
) -> None:
    """Show the runs of a migration and its validations, and how each ended; exports: --task export."""
    from crime_jobs.migrate.runs import history

    ledger = _ledger(settings_for(env, region=region, profile=profile), _told(options, task=task))
    with _said_if_missing(ledger):
        found = history(ledger)
    if output.chosen(output_format) is output.Format.CSV:
        found = [{**run, "facts": json.dumps(run["facts"])} for run in found]
    elif output.chosen(output_format) is output.Format.TABLE:
        found = [_brief(run) for run in found]
    output.show(found, output_format, title=f"Runs of {task}")


@migrate_app.command(epilog="Example: crime-jobs migrate exceptions --env localstack --output csv")
def exceptions(
    task: Task = TASK,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    options: Set = None,
    output_format: Output = None,
) -> None:
    """Show the rows that were not moved: primary key and reason, never what is in them."""
    from crime_jobs.migrate.ledger import table_in

    ledger = _ledger(settings_for(env, region=region, profile=profile), _told(options, task=task))
    names = ("source_key", "kind", "attribute", "reason")
    with _said_if_missing(ledger):
        entries = list(ledger.entries("exception#"))
    rows = [
        {
            "table": table_in(entry),
            **{name: facts[name] for name in names},
        }
        for entry, facts in entries
    ]
    output.show(rows, output_format, title=f"Not moved of {task}")


def _refuse_before(context: typer.Context) -> None:
    """Refuse options that stand before a verb: they would be without effect."""
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source and source.name == "COMMANDLINE":
            verb = context.invoked_subcommand
            raise WrongUsage(
                f"{parameter.opts[0]} stands before {verb}, where it would have no effect.",
                hint=f"Put it behind: crime-jobs migrate {verb} {parameter.opts[0]} …",
            )


def _told(options: list[str] | None, **given: object) -> dict[str, str]:
    named = {name: str(value) for name, value in given.items() if value is not None}
    return named | pairs(options or [], "--set")


def _plan(settings: Settings, told: dict[str, str], output_format: output.Format | None) -> None:
    from crime_jobs.migrate.config import LoadConfig
    from crime_jobs.migrate.dryrun import planned
    from crime_jobs.migrate.load import JOB
    from crime_jobs.registry import check_options

    check_options([JOB], told, settings)
    rows = planned(settings, LoadConfig.model_validate(JOB.options_from(settings, told)))
    output.show(rows, output_format, title="Would be moved; nothing was written")


def _run(name: str, settings: Settings, told: dict[str, str], output_format: output.Format | None) -> None:
    """Run a job and show the statistics at its end, also if rows or tables of it failed."""
    from crime_jobs import registry
    from crime_jobs.jobs import _runner

    try:
        with output.progress() as progress:
            _runner.run_jobs(registry.find(name), settings, told, progress)
    except (JobFailed, BadInput):
        try:
            _show(name, settings, told, output_format)
        except AwsRefused as error:  # why the job failed is what matters
            output.note(f"The statistics can't be read. {error}")
        raise
    _show(name, settings, told, output_format)


def _show(name: str, settings: Settings, told: dict[str, str], output_format: output.Format | None) -> None:
    ledger = _ledger(settings, told)
    _show_statistics(ledger, output_format)
    if name == "validate" and output.chosen(output_format) is output.Format.TABLE:
        _show_differences(ledger, settings.lake)


def _ledger(settings: Settings, told: dict[str, str]) -> Ledger:
    from crime_jobs.migrate.ledger import TABLE, open_ledger

    return open_ledger(settings, told["task"], told.get("ledger") or settings.ledger or TABLE)


@contextmanager
def _said_if_missing(ledger: Ledger) -> Iterator[None]:
    """Say that nothing was migrated yet, rather than that a table is missing."""
    from botocore.exceptions import ClientError

    from crime_jobs import aws

    try:
        yield
    except AwsRefused as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and aws.code_of(cause) == "ResourceNotFoundException":
            raise AwsRefused(
                f"Nothing was migrated yet in this environment: there is no table {ledger.table} in "
                f"{ledger.client.meta.region_name}.",
                hint="Run `crime-jobs migrate` first, or name another environment with --env.",
            ) from error
        raise


def _show_statistics(ledger: Ledger, output_format: output.Format | None) -> None:
    from crime_jobs.migrate import statistics

    with _said_if_missing(ledger):
        found = statistics.read(ledger.client, ledger.task, ledger.table)
    rows: list[dict[str, Any]] = [one.model_dump() for one in found]
    if not rows:
        output.note(f"Of the migration {ledger.task} nothing is known yet.")
    if output.chosen(output_format) is output.Format.TABLE:  # there is no room for what says nothing
        told = [name for name in rows[0] if any(row[name] for row in rows)] if rows else []
        told = [name for name in told if name not in _NOT_ON_A_TERMINAL]
        rows = [{_HUMP.sub("_", name): row[name] for name in told} for row in rows]
    output.show(rows, output_format, title=f"Migration {ledger.task}")


def _brief(run: dict[str, Any]) -> dict[str, Any]:
    """Pick what a terminal has room for of a run: why it failed, or else its counts."""
    counts = (f"{name} {value}" for name, value in (run["facts"] or {}).items() if name != "failed")
    names = ("run", "kind", "state", "started", "seconds")
    return {**{name: run[name] for name in names}, "said": run["error"] or ", ".join(counts)}


def _show_differences(ledger: Ledger, lake: str) -> None:
    from crime_jobs.migrate.ledger import table_in

    rows = [
        {"table": table_in(entry), "kind": kind, "item_key": key, "attributes": names}
        for entry, facts in ledger.entries("table#")
        for kind, key, names in facts.get("differences", [])
    ]
    if rows:
        shown = rows[:_SHOWN]
        output.show(shown, output.Format.TABLE, title=f"Differences, the first {len(shown)}")
        output.note(f"All of them are in the table validation_differences of {lake}.")
