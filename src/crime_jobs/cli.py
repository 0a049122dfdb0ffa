"""The command ``crime-jobs``: reads arguments, calls one function, prints. No logic lives here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from crime_jobs import (
    __version__,
    cli_cluster,
    cli_deploy,
    cli_dms,
    cli_doctor,
    cli_emr,
    cli_export,
    cli_faces,
    cli_faces_match,
    cli_faces_review,
    cli_inventory,
    cli_migrate,
    cli_quicksight,
    cli_restore,
    cli_run,
    cli_sql,
    cli_stream,
    cli_stream_analytics,
    cli_stream_consume,
    cli_stream_history,
    cli_stream_watch,
    output,
)
from crime_jobs import settings as settings_module
from crime_jobs.cli_end import run_app
from crime_jobs.cli_options import Env, Lake, Landing, Output, Region, settings_for

app = typer.Typer(
    name="crime-jobs",
    help="Spark jobs for crime statistics: on a laptop, on LocalStack and on EMR, the same.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


cli_run.register(app)


@app.command(epilog="Example: crime-jobs dashboard --out build/dashboard")
def dashboard(
    env: Env = None,
    landing: Landing = None,
    lake: Lake = None,
    out: Annotated[Path, typer.Option(help="Folder to write index.html to.")] = Path("build/dashboard"),
    boundaries: Annotated[Path, typer.Option(help="GeoJSON of the states, keyed by iso_3166_2.")] = Path(
        "data/india_states.geojson"
    ),
) -> None:
    """Build the dashboard from the named questions: one file that opens without server or internet."""
    from crime_jobs.adhoc.askers import open_asker
    from crime_jobs.adhoc.dashboard import build_dashboard

    with closing(open_asker(settings_for(env, landing=landing, lake=lake))) as asker:
        built = build_dashboard(asker, boundaries, out)
    for sentence in built.left_out:
        typer.echo(sentence, err=True)
    typer.echo(str(built.page))


@app.command("settings", epilog="Example: crime-jobs settings --env localstack")
def show_settings(
    env: Env = None,
    landing: Landing = None,
    lake: Lake = None,
    region: Region = None,
    output_format: Output = None,
) -> None:
    """Show each setting and where its value comes from."""
    settings = settings_for(env, landing=landing, lake=lake, region=region)
    rows: list[dict[str, Any]] = [
        {"setting": name, "value": getattr(settings, name), "from": settings.sources[name]}
        for name in settings_module.VARIABLES
    ]
    output.show(rows, output_format, title=f"Environment {settings.env}")


cli_sql.register(app)
cli_emr.register(app)
cli_cluster.register(app)
cli_migrate.register(app)
cli_dms.register(app)
cli_export.register(app)
cli_doctor.register(app)
cli_faces.register(app)
cli_faces_match.register(cli_faces.faces)
cli_faces_review.register(cli_faces.faces)
cli_quicksight.register(app)
cli_deploy.register(app)
cli_restore.register(app)
cli_inventory.register(app)
cli_stream.register(app)
cli_stream_analytics.register(cli_stream.stream)
cli_stream_consume.register(cli_stream.stream)
cli_stream_history.register(cli_stream.stream)
cli_stream_watch.register(cli_stream.stream)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        By default those of the process.

    Returns
    -------
    int
        0 done, 1 the job failed, 2 wrong usage, 3 bad input, 4 AWS refused, 130 interrupted.
    """

    def interrupted() -> None:
        verb = (sys.argv[1:] if arguments is None else arguments)[:1]
        again = "Run it again: a job replaces its tables whole or not at all."
        output.complain("Interrupted.", again if list(verb) == ["run"] else "")

    return run_app(app, "crime-jobs", arguments, interrupted)


if __name__ == "__main__":
    sys.exit(main())
