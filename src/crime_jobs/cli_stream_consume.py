"""The verbs of the consumer: consume, and what is asked about the records that could not be processed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crime_jobs.cli_options import Env, Profile, Region, pairs, settings_for

StateDir = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Folder of its files; another one for each consumer of a machine."),
]


def register(stream: typer.Typer) -> None:
    """Add the verbs to the group."""
    stream.command(epilog="Example: crime-jobs stream consume --env localstack")(consume)


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
