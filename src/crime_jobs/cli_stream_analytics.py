"""The verbs of the analytics: run them here, package them for the service, start and stop them there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import Artifacts, Env, Output, Profile, Region, pairs, settings_for

analytics_app = typer.Typer(help="SQL over the stream, on Flink.", no_args_is_help=True)

Application = Annotated[
    str, typer.Option("--on", metavar="APPLICATION", help="Name of the application in the service.")
]


def register(stream: typer.Typer) -> None:
    """Add the verbs to the group."""
    stream.add_typer(analytics_app, name="analytics")


@analytics_app.command(epilog="Example: crime-jobs stream analytics run --env localstack")
def run(
    env: Env = None,
    state_dir: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Folder of checkpoints and logs.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An entry of Flink's configuration."),
    ] = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Compute on this machine what is found in the stream, until stopped (Ctrl-C or SIGTERM)."""
    from crime_jobs.stream.analytics import local

    settings = settings_for(env, region=region, profile=profile)
    local.run(settings, pairs(options or [], "--set"), state_dir)


@analytics_app.command(
    epilog="Example: crime-jobs stream analytics package --artifacts s3://my-artifacts --region ap-south-1"
)
def package(
    env: Env = None,
    artifacts: Artifacts = None,
    jars: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Flink's connector and what it needs (or CRIME_JOBS_FLINK_JARS)."
        ),
    ] = None,
    update: Annotated[
        str | None, typer.Option("--update", metavar="APPLICATION", help="Give the zip to this application.")
    ] = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Make the one zip that the service takes, upload it and print its address."""
    import tempfile

    from crime_jobs.model.streams import of
    from crime_jobs.stream.analytics import package as packaging
    from crime_jobs.stream.analytics.service import Application as Service

    settings = settings_for(env, artifacts=artifacts, region=region, profile=profile)
    with tempfile.TemporaryDirectory() as work:
        body = packaging.make_zip(of(settings.stream), packaging.find_jars(jars), Path(work))
    uri = packaging.upload(settings, body)
    if update:
        Service(settings, update).update(uri)
    typer.echo(uri)


@analytics_app.command(epilog="Example: crime-jobs stream analytics start --on crime-jobs-fir-analytics")
def start(
    application: Application,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Start the application in the service, from its newest snapshot."""
    _told("start", application, env, region, profile, output_format)


@analytics_app.command(epilog="Example: crime-jobs stream analytics stop --on crime-jobs-fir-analytics")
def stop(
    application: Application,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Stop the application in the service; it takes a snapshot first."""
    _told("stop", application, env, region, profile, output_format)


@analytics_app.command(epilog="Example: crime-jobs stream analytics status --on crime-jobs-fir-analytics")
def status(
    application: Application,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Say how the application in the service is."""
    _told("status", application, env, region, profile, output_format)


def _told(
    verb: str,
    name: str,
    env: str | None,
    region: str | None,
    profile: str | None,
    output_format: output.Format | None,
) -> None:
    from crime_jobs.stream.analytics.service import Application as Service

    service = Service(settings_for(env, region=region, profile=profile), name)
    if verb != "status":
        (service.start if verb == "start" else service.stop)()
    output.show([service.status()], output_format, title=name)
