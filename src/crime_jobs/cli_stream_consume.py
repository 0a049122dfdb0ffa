"""The verbs of the consumer: consume, and what is asked about the records that could not be processed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crime_jobs import output
from crime_jobs.cli_options import Env, Output, Profile, Region, pairs, settings_for
from crime_jobs.errors import JobFailed

StateDir = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Folder of its files; another one for each consumer of a machine."),
]

letters_app = typer.Typer(help="Records that could not be processed.", no_args_is_help=True)


def register(stream: typer.Typer) -> None:
    """Add the verbs to the group."""
    stream.command(epilog="Example: crime-jobs stream consume --env localstack")(consume)
    stream.command(epilog="Example: crime-jobs stream skip --dry-run --env localstack")(skip)
    stream.add_typer(letters_app, name="dead-letters")


def consume(
    env: Env = None,
    state_dir: StateDir = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A property of the Kinesis Client Library."),
    ] = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Write every FIR of the stream to the sink, until stopped (Ctrl-C or SIGTERM)."""
    from crime_jobs.stream import supervisor

    settings = settings_for(env, region=region, profile=profile)
    supervisor.run(settings, pairs(options or [], "--set"), state_dir)


def skip(
    env: Env = None,
    state_dir: StateDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be set aside.")] = False,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Make dead letters of records at which the Kinesis Client Library stops for ever (no consumer runs)."""
    from crime_jobs.stream.skip import skip as skip_records

    settings = settings_for(env, region=region, profile=profile)
    rows = skip_records(settings, state_dir, dry_run=dry_run)
    output.show(rows, output_format, title="In the way of the consumer" if dry_run else "Set aside")
    if not rows:
        output.note("Nothing is in the way: the library can take all records apart.")


@letters_app.command("list", epilog="Example: crime-jobs stream dead-letters list --env localstack")
def list_letters(
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Show where each record was and why it is there; never what is in it."""
    from crime_jobs.model.streams import of
    from crime_jobs.stream.deadletters import open_letters
    from crime_jobs.stream.replay import listed

    settings = settings_for(env, region=region, profile=profile)
    stream = of(settings.stream)
    output.show(listed(open_letters(settings, stream)), output_format, title=f"In {stream.dead_letters}")


@letters_app.command(epilog="Example: crime-jobs stream dead-letters replay --env localstack")
def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID…", help="Letters; all when not given.")
    ] = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Process the records again, when what was wrong is mended; those that go well leave the queue."""
    from crime_jobs.model.streams import of
    from crime_jobs.stream.replay import replay_all

    settings = settings_for(env, region=region, profile=profile)
    stream = of(settings.stream)
    rows: list[dict[str, Any]] = []
    try:
        replay_all(settings, stream, ids or (), rows)
    finally:
        output.show(rows, output_format, title=f"Replayed from {stream.dead_letters}")
    if left := sum(not row["done"] for row in rows):
        raise JobFailed(
            f"{left} of {len(rows)} records could not be processed; they are still in the queue.",
            hint="The column outcome says why.",
        )
