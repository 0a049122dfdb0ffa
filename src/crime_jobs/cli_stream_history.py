"""The verbs of the FIRs' history: its tables, the loader, and what could not be loaded."""

from __future__ import annotations

from typing import Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Output, Profile, Region, settings_for

history_app = typer.Typer(help="FIRs from Firehose's files into Redshift.", no_args_is_help=True)


def register(stream: typer.Typer) -> None:
    """Add the verbs to the group."""
    stream.add_typer(history_app, name="history")


@history_app.command(epilog="Example: crime-jobs stream history setup --env localstack")
def setup(
    env: Env = None,
    role: Annotated[
        str | None, typer.Option(metavar="ARN", help="Role that Firehose takes (that of firs.yaml).")
    ] = None,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Make what is not there: Redshift's tables, and the delivery stream from the stream to S3."""
    from crime_jobs.model.streams import of
    from crime_jobs.stream import _copy, _firehose
    from crime_jobs.stream.history import open_history

    settings = settings_for(env, region=region, profile=profile)
    stream = of(settings.stream)
    if dry_run:
        rows = [{"sends": "sql", "what": sql} for sql in _copy.SCHEMA]
        rows.append({"sends": "firehose", "what": str(_firehose.request(settings, stream, role))})
        output.show(rows, output_format)
        return
    open_history(settings, stream).setup()
    made = not _firehose.is_there(settings, stream)
    if made:
        _firehose.make(settings, _firehose.request(settings, stream, role))
    row = {"delivery_stream": _firehose.name_of(stream), "made": made, "database": stream.redshift_database}
    output.show([row], output_format)


@history_app.command(epilog="Example: crime-jobs stream history load --env localstack")
def load(
    env: Env = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until stopped.")] = False,
    every: Annotated[
        float, typer.Option(min=1, help="With --follow: seconds between two looks at S3.")
    ] = 30.0,
    retry: Annotated[bool, typer.Option("--retry", help="Try objects again that were refused.")] = False,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Load each object that Firehose has written and that is not loaded yet."""
    from dataclasses import asdict

    from crime_jobs.errors import BadInput
    from crime_jobs.model.streams import of
    from crime_jobs.stream.history import Loaded, open_history

    settings = settings_for(env, region=region, profile=profile)
    history = open_history(settings, of(settings.stream))
    if dry_run:
        rows = [{"object": one.uri, "bytes": one.bytes} for one in history.new()]
        output.show(rows, output_format, title="Would be loaded")
        return
    if retry:
        history.retry()

    def tell(done: Loaded) -> None:
        output.note(
            f"{done.objects} objects, {done.lines} lines, {done.firs} new FIRs, {done.refused} refused"
        )

    if follow:
        for _ in history.follow(tell, every):
            pass
    done = history.load(tell)
    output.show([asdict(done)], output_format)
    if done.refused:
        raise BadInput(
            f"{done.refused} objects could not be loaded; all others were.",
            hint="`crime-jobs stream history errors` says why; --retry tries them again.",
        )


@history_app.command(epilog="Example: crime-jobs stream history status --env localstack")
def status(
    env: Env = None, region: Region = None, profile: Profile = None, output_format: Output = None
) -> None:
    """Show how much is in S3 and how much in Redshift."""
    from crime_jobs.model.streams import of
    from crime_jobs.stream.history import open_history

    settings = settings_for(env, region=region, profile=profile)
    stream = of(settings.stream)
    output.show([open_history(settings, stream).status()], output_format, title=stream.history)


@history_app.command(epilog="Example: crime-jobs stream history errors --env localstack")
def errors(
    env: Env = None, region: Region = None, profile: Profile = None, output_format: Output = None
) -> None:
    """Show what could not be loaded: where it is and why, never what it says."""
    from crime_jobs.model.streams import of
    from crime_jobs.stream.history import open_history

    settings = settings_for(env, region=region, profile=profile)
    stream = of(settings.stream)
    output.show(
        open_history(settings, stream).errors(), output_format, title=f"Not loaded of {stream.history}"
    )
