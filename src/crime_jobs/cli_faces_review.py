"""The verbs of the queue: review and leads."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from crime_jobs import output
from crime_jobs.cli_faces import WatchList
from crime_jobs.cli_options import Env, Output, Profile, Region, settings_for


def register(faces: typer.Typer) -> None:
    """Add the verbs to the group."""
    faces.command(epilog="Example: crime-jobs faces review --watch-list missing --env localstack")(review)
    faces.command(
        epilog="Example: crime-jobs faces leads --watch-list missing --state confirmed --output csv"
    )(leads)


def review(
    watch_list: WatchList,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 takes any free one.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Show the address, and don't open a browser.")
    ] = False,
    idle: Annotated[
        float, typer.Option(min=0.1, metavar="MINUTES", help="End after so long without a reviewer.")
    ] = 30,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Open the page on which a person decides about leads; Ctrl-C ends it."""
    from crime_jobs.faces.review import command

    settings = settings_for(env, needs=(), region=region, profile=profile)
    done = command.review(
        settings, watch_list, port=port, browser=not no_browser, idle_minutes=idle, tell=output.note
    )
    output.show([done], output_format, title="Decided at this desk")


def leads(
    watch_list: WatchList,
    state: Annotated[
        Literal["pending", "confirmed", "rejected"], typer.Option(help="Of which leads.")
    ] = "pending",
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """List leads, those found first before the others; where photographs are, only of decided ones."""
    from crime_jobs.faces import listing

    settings = settings_for(env, needs=(), region=region, profile=profile)
    output.show(listing.rows(settings, watch_list, state), output_format, title=f"Leads: {state}")
