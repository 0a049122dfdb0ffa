"""The verb `export`: DynamoDB to the landing folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from crime_jobs import aws, output
from crime_jobs.cli_options import DryRun, Env, Landing, Logs, Output, Profile, Region, pairs, settings_for

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

Tables = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Tables with commas between; one that ends with * stands for all that begin so. "
        "By default those that the migration fills.",
    ),
]
RunName = Annotated[
    str | None, typer.Option("--run", help="Name of the run; of one that was stopped: it goes on.")
]
Segments = Annotated[int | None, typer.Option(min=1, help="Segments of a table.")]
ReadUnits = Annotated[
    float | None, typer.Option(min=0, help="Read capacity units a second, over all executors; 0: no limit.")
]
Via = Annotated[
    Literal["scan", "service"], typer.Option(help="scan, or service: DynamoDB's own export, a snapshot.")
]
Ledger = Annotated[str | None, typer.Option(help="Name of the ledger's table.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A further value of the job's configuration."),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command(epilog="Example: crime-jobs export --tables 'crime-*' --read-units 500 --env aws")(export)


def export(
    tables: Tables = None,
    run: RunName = None,
    segments: Segments = None,
    read_units: ReadUnits = None,
    via: Via = "scan",
    ledger: Ledger = None,
    env: Env = None,
    landing: Landing = None,
    logs: Logs = None,
    region: Region = None,
    profile: Profile = None,
    more: Set = None,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Export tables of DynamoDB to the landing folder, as CSV and Parquet."""
    from crime_jobs.migrate._plan import new_run

    settings = settings_for(env, landing=landing, logs=logs, region=region, profile=profile)
    given: dict[str, Any] = {
        "tables": tables,
        "run": run,
        "segments": segments,
        "read_units": read_units,
        "via": via,
        "ledger": ledger,
    }
    options = {name: str(value) for name, value in given.items() if value is not None}
    options |= pairs(more or [], "--set")
    _check(settings, options)
    if dry_run:
        _show_plan(settings, options, output_format)
        return
    aws.region(settings)  # what can't begin has no name to go on with
    # Told before it begins: whoever kills it needs the name to go on.
    name = options.setdefault("run", new_run())
    output.note(f"Run {name}; should it be stopped, --run {name} goes on.")
    _show_reports(_run(settings, options), output_format, f"Exported to {settings.landing}, run {name}")


def _check(settings: Settings, options: dict[str, str]) -> None:
    from crime_jobs import registry

    registry.check_options(registry.find("export"), options, settings)


def _run(settings: Settings, options: dict[str, str]) -> list[dict[str, Any]]:
    from crime_jobs import registry
    from crime_jobs.jobs import _runner

    with output.progress() as progress:
        return _runner.run_jobs(registry.find("export"), settings, options, progress)


def _show_reports(reports: list[dict[str, Any]], output_format: output.Format | None, title: str) -> None:
    names = ("table", "rows_written", "bytes", "seconds", "folder")
    rows = [
        {name: report[name] for name in names} for report in sorted(reports, key=lambda r: str(r["table"]))
    ]
    output.show(rows, output_format, title=title)


def _show_plan(settings: Settings, options: dict[str, str], output_format: output.Format | None) -> None:
    from crime_jobs.migrate import _plan
    from crime_jobs.migrate.export import JOB

    config = _plan.ExportConfig.model_validate(JOB.options_from(settings, options))
    # As many at once as a session in this process has; a cluster has more, and then more segments.
    rows = _plan.dry_run(settings, config, os.cpu_count() or 1)
    output.show(rows, output_format, title=f"Would be exported to {settings.landing}; nothing was read")
    output.note(
        f"US dollars at {_plan.PRICE_MILLION_READS} a million read request units (on demand) or "
        f"{_plan.PRICE_EXPORTED_GB} a GB exported by the service, us-east-1; DynamoDB's counts are up to six "
        "hours old. S3 costs beside."
    )
