"""The verbs that bring back what was: restore objects, restore items."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Output, Profile, Region, Yes, settings_for
from crime_jobs.errors import WrongUsage

restore = typer.Typer(
    name="restore", help="Bring back what was deleted or written over.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the verbs.

    Parameters
    ----------
    app
        The command.
    """
    app.add_typer(restore)


def _ask(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUsage(f"{question} Nobody is there to answer.", hint="Give --yes.")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


@restore.command(epilog="Example: crime-jobs restore objects s3://my-lake/lake --at 2026-11-24T10:30+05:30")
def objects(
    uri: Annotated[str, typer.Argument(metavar="URI", help="Below which all objects are brought back.")],
    at: Annotated[
        str, typer.Option(metavar="TIME", help="To what they were then; ISO 8601, by default UTC.")
    ],
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    output_format: Output = None,
) -> None:
    """Make objects of a versioned bucket what they were at a time; what is there now stays as a version."""
    from crime_jobs.cloud.restore import Objects, moment

    settings = settings_for(env, needs=(), region=region, profile=profile)
    there = Objects(settings, uri)
    steps = there.plan(moment(at))
    if steps and not dry_run:
        _ask(f"Change {len(steps):,} objects below {uri}?", yes)
        with output.waiting(f"Restoring {uri} …"):
            there.run(steps)
    title = f"{uri}: {'would be' if dry_run else 'is'} as it was at {at}"
    output.show([{"key": step.key, "did": step.does} for step in steps], output_format, title=title)


@restore.command(
    epilog="Example: crime-jobs restore items s3://landing/dynamodb/crime-ipc/run=may --table crime-ipc"
)
def items(
    uri: Annotated[str, typer.Argument(metavar="URI", help="A run of `crime-jobs export`: …/run=ID.")],
    table: Annotated[str, typer.Option(help="Into this table, which is there.")],
    over: Annotated[bool, typer.Option("--over", help="Write over items that are there.")] = False,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    yes: Yes = False,
    output_format: Output = None,
) -> None:
    """Put the items of an export back into a table; items that are there stay, and are counted."""
    from crime_jobs.cloud.restore import Items

    settings = settings_for(env, needs=(), region=region, profile=profile)
    export = Items(settings, uri)
    _ask(f"Put {export.manifest.items:,} items into table {table}?", yes)
    done = export.run(table, over=over, tell=output.note)
    output.show([{"table": table, "put": done["put"], "there": done["there"]}], output_format)
