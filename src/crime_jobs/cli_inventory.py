"""The verbs `inventory` and `destroy`: what there is, what it costs, and that nothing is left behind."""

from __future__ import annotations

from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import Env, Output, Profile, Region, settings_for

AllRegions = Annotated[
    bool, typer.Option("--all-regions", help="Every region that the account has switched on.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command(epilog="Example: crime-jobs inventory --all-regions --env aws")(inventory)


def inventory(
    all_regions: AllRegions = False,
    all_environments: Annotated[
        bool, typer.Option("--all-environments", help="Of other environments too.")
    ] = False,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Show what exists of the project, where, since when, why it counts, and what it costs a month."""
    from crime_jobs.cloud import inventory_rows
    from crime_jobs.cloud.inventory import take
    from crime_jobs.cloud.inventory_asking import Asking

    settings = settings_for(env, region=region, profile=profile)
    with output.waiting("Asking the services …"):
        found = take(Asking(settings), everywhere=all_regions)
    rows = found.shown(settings.env, others=all_environments)
    where = "all regions" if all_regions else settings.region
    output.show(inventory_rows.rows_of(rows), output_format, title=f"Environment {settings.env} in {where}")
    for said in [inventory_rows.sum_of(rows), *inventory_rows.notes(found, rows)]:
        output.note(said)
