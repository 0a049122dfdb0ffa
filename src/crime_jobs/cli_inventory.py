"""The verbs `inventory` and `destroy`: what there is, what it costs, and that nothing is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Output, Profile, Region, Yes, settings_for
from crime_jobs.errors import Interrupted, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.cloud.destroy import Destruction, Outcome
    from crime_jobs.cloud.destroy_plan import Plan

AllRegions = Annotated[
    bool, typer.Option("--all-regions", help="Every region that the account has switched on.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command(epilog="Example: crime-jobs inventory --all-regions --env aws")(inventory)
    app.command(epilog="Example: crime-jobs destroy --env trial --keep bucket:crime-lake --dry-run")(destroy)


def inventory(
    all_regions: AllRegions = False,
    all_environments: Annotated[
        bool,
        typer.Option("--all-environments", help="All of the project: other environments' too, and nobody's."),
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

    settings = settings_for(env, needs=(), region=region, profile=profile)
    with output.waiting("Asking the services …"):
        asking = Asking(settings)
        found = take(asking, everywhere=all_regions)
    rows = found.shown(settings.env, others=all_environments)
    where = "all regions" if all_regions else settings.region
    output.show(
        inventory_rows.rows_of(rows),
        output_format,
        title=f"Environment {settings.env} of account {asking.account} in {where}",
    )
    for said in [inventory_rows.sum_of(rows), *inventory_rows.notes(found, rows, settings.env)]:
        output.note(said)


def destroy(
    name: Annotated[
        str | None, typer.Option(metavar="ENV", help="The environment's name again, with --yes.")
    ] = None,
    all_regions: AllRegions = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:NAME", help="What is to stay, beside what is tagged keep=true."),
    ] = None,
    lift_protection: Annotated[
        bool, typer.Option("--lift-protection", help="Take off termination and deletion protection.")
    ] = False,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    output_format: Output = None,
) -> None:
    """Remove all that is an environment's: jobs, stacks, data, keys, logs. Asks for its name first."""
    from crime_jobs.cloud import destroy_plan, inventory_rows, outputs
    from crime_jobs.cloud.destroy import Destruction
    from crime_jobs.cloud.inventory_asking import Asking

    settings = settings_for(env, needs=(), region=region, profile=profile)
    if yes and name != settings.env and not dry_run:
        raise WrongUsage(
            f"--yes removes environment {settings.env!r} only if --name says that too.",
            hint=f"Add --name {settings.env}.",
        )
    asking = Asking(settings, writes=True)
    it = Destruction(
        asking,
        everywhere=all_regions,
        keep=keep or [],
        lift=lift_protection,
        tell=output.note,
    )
    plan = it.plan()
    rows = destroy_plan.rows_of(plan)
    where = f"account {asking.account}, {'all regions' if all_regions else f'region {asking.home}'}"
    output.show(rows, output_format, title=f"Removed of environment {settings.env} ({where}), in this order")
    for said in inventory_rows.unheard(plan.unasked):
        output.note(said)
    for said in destroy_plan.warnings(plan):
        output.note(said)
    output.note(f"Removed: {inventory_rows.sum_of(plan.remove)}")
    if dry_run:
        output.note("Nothing was removed.")
        return
    if plan.remove and not yes:
        _ask(settings.env, where)
    if not _run(it, plan).keep:
        outputs.forget(settings.env)  # where something is kept, its names are still needed


def _ask(env: str, where: str) -> None:
    # --name answers nothing here: only with --yes has somebody said it twice.
    try:
        said = typer.prompt(f"This can't be undone in {where}. The environment's name", err=True)
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise Interrupted("Interrupted; nothing was removed.") from error
        raise WrongUsage(
            "Nobody said the environment's name; nothing was removed.",
            hint=f"In a script: --yes --name {env}.",
        ) from error
    if said != env:
        raise WrongUsage(f"{said!r} is not {env!r}; nothing was removed.")


def _run(it: Destruction, plan: Plan) -> Outcome:
    from crime_jobs.cloud import inventory_rows

    try:
        outcome = it.run(plan)
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Stopped in the middle: some is removed, some isn't.",
            hint=f"`crime-jobs inventory --env {plan.environment}` shows what stands; "
            "the same command again goes on.",
        ) from error
    for said in inventory_rows.sentences(outcome):
        output.note(said)
    outcome.check()
    return outcome
