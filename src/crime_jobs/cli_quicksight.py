"""The verbs of the dashboard in QuickSight: deploy it, fill its datasets, look after it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import Artifacts, DryRun, Env, Lake, Output, Profile, Region, Yes, settings_for
from crime_jobs.errors import WrongUsage

quicksight_app = typer.Typer(help="The dashboard in QuickSight, as code.", no_args_is_help=True)

Name = Annotated[str | None, typer.Option(help="What the ids of all parts begin with; crime-jobs.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(quicksight_app, name="quicksight")


def _arn(help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(metavar="ARN", help=help_text)
    return option


@quicksight_app.command(epilog="Example: crime-jobs quicksight deploy --env aws --rules rules.csv --dry-run")
def deploy(
    env: Env = None,
    viewers: Annotated[str | None, _arn("User or group that sees the dashboard.")] = None,
    authors: Annotated[str | None, _arn("User or group that may build on its datasets.")] = None,
    owners: Annotated[str | None, _arn("User or group that owns all of it.")] = None,
    rules: Annotated[
        str | None, typer.Option(metavar="PATH", help="CSV that says who sees which states.")
    ] = None,
    boundaries: Annotated[
        str | None, typer.Option(metavar="PATH", help="GeoJSON of the states, keyed by iso_3166_2.")
    ] = None,
    name: Name = None,
    stack: Annotated[str | None, typer.Option(help="Name of the CloudFormation stack.")] = None,
    artifacts: Artifacts = None,
    lake: Lake = None,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    output_format: Output = None,
) -> None:
    """Make or change the stack: data sources, datasets, schedules, theme, analysis and dashboard."""
    from crime_jobs.adhoc.quicksight import deploy as deploying
    from crime_jobs.adhoc.quicksight.settings import of

    settings = settings_for(env, artifacts=artifacts, lake=lake, region=region, profile=profile)
    told = of(
        settings,
        viewers=viewers,
        authors=authors,
        owners=owners,
        rules=rules,
        boundaries=boundaries,
        name=name,
        stack=stack,
    )
    sent = deploying.prepare(told, settings)
    if dry_run:
        output.show(sent.summary(), output_format, title=f"Would be sent to stack {told.stack}")
        return
    if not yes and not sys.stdin.isatty():
        raise WrongUsage(f"Change stack {told.stack}? Nobody is there to answer.", hint="Give --yes.")
    work = deploying.Deploying(settings, told, sent, output.note)
    plan = work.plan()
    if plan and not yes:
        output.show(plan.rows, output_format, title=f"Changes to stack {told.stack}")
        _confirmed(lambda: work.stack.discard(plan.arn))
    if plan is None:
        output.note(f"Stack {told.stack} is as it should be.")
    output.show(work.finish(plan), output_format, title=f"Stack {told.stack}")


def _confirmed(otherwise: Callable[[], None]) -> None:
    agreed = False
    try:
        agreed = typer.confirm("Change it so?", err=True)
    finally:  # also after Ctrl-C
        if not agreed:
            otherwise()
    if not agreed:
        raise typer.Exit(1)


@quicksight_app.command(epilog="Example: crime-jobs quicksight refresh --env aws")
def refresh(
    env: Env = None,
    only: Annotated[str | None, typer.Option(metavar="QUESTION", help="Fill this one dataset.")] = None,
    ingestion: Annotated[
        str | None, typer.Option("--id", help="Id of the ingestions: a second run of it joins the first.")
    ] = None,
    name: Name = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Fill the datasets now, and wait for it; exit code 1 if one is not filled, or not with all its rows."""
    from crime_jobs.adhoc.quicksight import refresh as refreshing
    from crime_jobs.adhoc.quicksight.service import Account
    from crime_jobs.adhoc.quicksight.settings import of

    settings = settings_for(env, region=region, profile=profile)
    told = of(settings, name=name)
    refreshing.check_names(told.name, only, ingestion)
    account = Account(settings)
    account.check()
    rows = refreshing.refresh(
        account, told.name, output.note, ingestion=ingestion, only=only, history=told.history
    )
    output.show(rows, output_format, title="Datasets")
    refreshing.check(rows)


@quicksight_app.command(epilog="Example: crime-jobs quicksight status --env aws --output json")
def status(
    env: Env = None,
    name: Name = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Say how the dashboard is, and each dataset: when it was filled, its rows, and what went wrong."""
    from crime_jobs.adhoc.quicksight.service import Account
    from crime_jobs.adhoc.quicksight.settings import of
    from crime_jobs.adhoc.quicksight.status import status as found

    settings = settings_for(env, region=region, profile=profile)
    account = Account(settings)
    account.check()
    output.show(found(account, of(settings, name=name).name), output_format, title="QuickSight")
