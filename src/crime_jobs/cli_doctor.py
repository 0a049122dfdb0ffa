"""The verb `doctor`: whether all of an environment is as it should be."""

from __future__ import annotations

from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import Env, Lake, Landing, Output, Profile, Region, settings_for


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command(epilog="Example: crime-jobs doctor --env localstack --only buckets --only tables")(doctor)


def doctor(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="A check; may be given again.")
    ] = None,
    env: Env = None,
    landing: Landing = None,
    lake: Lake = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Look an environment over: what is wrong, what to do, and what could not be checked. Changes nothing."""
    from crime_jobs.cloud import doctor as looking
    from crime_jobs.cloud import doctor_rows
    from crime_jobs.cloud.doctor_checks import examine

    settings = settings_for(env, landing=landing, lake=lake, region=region, profile=profile)
    with output.waiting("Looking …"):
        found = examine(settings, only or ())
    where = f" in {settings.region}" if settings.region else ""
    for_people = output.chosen(output_format) is output.Format.TABLE
    rows = doctor_rows.condensed(found) if for_people else [one.row() for one in found]
    output.show(rows, output_format, title=f"Environment {settings.env}{where}")
    output.note(doctor_rows.summary(found))
    if looking.has_failed(found):
        raise typer.Exit(1)
