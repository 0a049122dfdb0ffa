"""The verbs that run jobs and Hive scripts on this machine; as EMR steps the same words are theirs."""

from __future__ import annotations

from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import Env, Lake, Landing, Output, Region, pairs, settings_for

#: Given by `crime-jobs submit`; see `crime_jobs.outcome`.
Outcome = Annotated[str | None, typer.Option(metavar="URI", hidden=True)]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command(epilog="Example: crime-jobs run all --landing data --lake build/lake")(run)
    app.command("list", epilog="Example: crime-jobs list --output json")(list_jobs)
    app.command(epilog="Example: crime-jobs hive insight_by_region --hivevar year=2013")(hive)


def run(
    name: Annotated[str, typer.Argument(help="A job of `crime-jobs list`, or all.")],
    env: Env = None,
    landing: Landing = None,
    lake: Lake = None,
    region: Region = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A value of the job's configuration."),
    ] = None,
    outcome: Outcome = None,
    output_format: Output = None,
) -> None:
    """Run a job, or all of them in one Spark session."""
    from crime_jobs import registry
    from crime_jobs.jobs import _runner

    settings = settings_for(env, landing=landing, lake=lake, region=region)
    found = registry.find(name)
    with output.progress() as progress:
        reports = _runner.run_jobs(found, settings, pairs(options or [], "--set"), progress, outcome)
    output.show(output.report_rows(reports), output_format, title=f"Published in {settings.lake}")


def list_jobs(
    output_format: Output = None,
) -> None:
    """List the jobs in the order that `run all` takes them."""
    from crime_jobs import registry

    rows = [
        {
            "job": job.name,
            "does": job.summary,
            "writes": list(job.writes),
            "options": list(job.config.model_fields),
        }
        for job in registry.registry().values()
    ]
    output.show(rows, output_format, title="Jobs")


def hive(
    script: Annotated[
        str, typer.Argument(help="A script of hive/, the path of a .hql file, setup, or stage.")
    ],
    env: Env = None,
    landing: Landing = None,
    lake: Lake = None,
    hivevar: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A variable of the script.")
    ] = None,
    outcome: Outcome = None,
) -> None:
    """Run a Hive script on this machine with Spark SQL; on EMR it runs as it is."""
    from crime_jobs import hive_scripts, hivesql

    settings = settings_for(env, landing=landing, lake=lake)
    if script == hive_scripts.STAGE:
        hivesql.stage(settings, outcome)
        return
    hivesql.run_script(script, settings, pairs(hivevar or [], "--hivevar"))
