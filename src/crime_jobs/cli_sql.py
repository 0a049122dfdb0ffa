"""``crime-jobs sql``: reads arguments, calls one function, prints. No logic lives here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Lake, Output, Profile, Region, pairs, settings_for

_EXAMPLE = "Example: crime-jobs sql crime_by_region --set year=2013 --set level=district --to worst.csv"


def sql(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SQL|NAME|list|setup", help="SQL in quotes, a question of `sql list`, list, or setup."
        ),
    ],
    name: Annotated[
        str | None, typer.Argument(help="With list: the question whose parameters are shown.")
    ] = None,
    env: Env = None,
    lake: Lake = None,
    region: Region = None,
    profile: Profile = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", "--param", metavar="NAME=VALUE", help="A parameter of the question."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a .csv, .json (lines) or .parquet file.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the question's SQL, and ask nothing.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Send a statement that does more than read, to Athena.")
    ] = False,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Ask a question in SQL: of Athena where the environment has a workgroup, else of the lake itself."""
    from crime_jobs.adhoc import command, questions

    given = pairs(values or [], "--set")
    if what == "list":
        output.show(command.rows_of_list(name), output_format, title=command.title_of(name))
        return
    if name is not None:
        raise typer.BadParameter("SQL stands in quotes, as one word.", param_hint="NAME")
    if show:
        typer.echo(questions.find(what).text(given))
        return
    settings = settings_for(env, lake=lake, region=region, profile=profile)
    if what == "setup":
        from crime_jobs.adhoc import setup

        if dry_run:
            for step in setup.plan(settings):
                typer.echo(f"-- {step.kind} {step.name}\n{step.sql.strip()};\n")
            return
        made = setup.set_up(settings, lambda one: output.note(f"{one.kind} {one.name}: {one.done}"))
        output.show([vars(one) for one in made], output_format, title="In Athena")
        return
    if dry_run:
        statement, bound, _ = command.understood(what, given)
        output.show([{"sql": statement, "parameters": bound}], output_format)
        return
    command.ask(what, given, settings, output_format, to, may_write=write)


def register(app: typer.Typer) -> None:
    """Add the verb.

    Parameters
    ----------
    app
        The command.
    """
    app.command(epilog=_EXAMPLE)(sql)
