"""The verbs that look at the FIR streams as a whole: watch, reconcile, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import Env, Output, Profile, Region, settings_for
from crime_jobs.errors import JobFailed

StateDir = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Folder of the consumer's files, as given to consume.")
]
Every = Annotated[float, typer.Option(min=0.5, metavar="SECONDS", help="Between two looks.")]


def register(stream: typer.Typer) -> None:
    """Add the verbs to the group."""
    stream.command(epilog="Example: crime-jobs stream watch --env localstack")(watch)
    stream.command(epilog="Example: crime-jobs stream reconcile --env localstack --wait 120")(reconcile)
    stream.command(epilog="Example: crime-jobs stream run --env localstack")(run)


def watch(
    env: Env = None,
    once: Annotated[bool, typer.Option("--once", help="One look, and the end.")] = False,
    every: Every = 2.0,
    state_dir: StateDir = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Show FIRs as they come, the last alerts, and how far consumer and history are (Ctrl-C ends it)."""
    from crime_jobs.stream import watch as watching

    settings = settings_for(env, region=region, profile=profile)
    if once:
        output.show([watching.look(settings, state_dir)], output_format, title="FIRs")
    else:
        watching.live(settings, every, state_dir)


def reconcile(
    env: Env = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Look again so long while something differs.")
    ] = 0.0,
    age: Annotated[
        float, typer.Option(min=0, metavar="MINUTES", help="Leave out FIRs that arrived since then.")
    ] = 0.0,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Count the FIRs at each hop, and name those that are missing or too many (exit code 1 if any are)."""
    from crime_jobs.stream import reconcile as reconciling

    settings = settings_for(env, region=region, profile=profile)
    rows = reconciling.patient(settings, wait, age)
    output.show(rows, output_format, title="FIRs by hop")
    if not reconciling.equal(rows):
        names = ", ".join(row["hop"] for row in rows if row["verdict"] == reconciling.DIFFERS)
        raise JobFailed(
            f"Not every FIR is where it should be: {names}.",
            hint="docs/alerts.md says what each difference can mean; --wait gives the slow hops time.",
        )


def run(
    env: Env = None,
    every: Every = 2.0,
    state_dir: StateDir = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Consume the stream, load its history and show the live view, until stopped (Ctrl-C)."""
    from crime_jobs.stream import run as running

    settings = settings_for(env, region=region, profile=profile)
    running.run(settings, every, state_dir)
