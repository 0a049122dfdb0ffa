"""The verbs of the stacks: deploy, outputs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Output, Profile, Region, Yes, settings_for
from crime_jobs.errors import CrimeJobsError, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.cloud.deploy import Deployment, Preview
    from crime_jobs.settings import Settings

Streams = Annotated[
    list[str] | None,
    typer.Argument(metavar="[STREAM]…", help="network, storage, emr, firs … By default all."),
]
ReplaceData = Annotated[
    bool, typer.Option("--replace-data", help="Agree to what replaces or removes tables, buckets, keys.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs.

    Parameters
    ----------
    app
        The command.
    """
    app.command(epilog="Example: crime-jobs deploy network storage emr --env aws --dry-run")(deploy)
    app.command(epilog="Example: crime-jobs outputs --env aws --write")(outputs)


def deploy(
    streams: Streams = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    replace_data: ReplaceData = False,
    output_format: Output = None,
) -> None:
    """Make or change the stacks of an environment: shows the changes, asks, and follows each to its end."""
    from crime_jobs.cloud.deploy import NOT_AGREED, Deployment, summary

    settings = settings_for(env, needs=(), region=region, profile=profile)
    work = Deployment(settings, streams or [], output.note)
    if not (dry_run or yes) and not sys.stdin.isatty():
        raise WrongUsage(f"Deploy to {settings.env}? Nobody is there to answer.", hint="Give --yes.")
    with output.waiting(f"Looking at {settings.env} …"):
        work.check()
    if left_out := work.not_made():
        output.note_rows(left_out, title=f"Not made in {settings.env} (deploy.without)")
    if dry_run:
        previews = list(work.preview())
        rows = [{"stream": p.stream, **row} for p in previews for row in _said(p)]
        output.show(rows, output_format, title=f"Would be changed in {work.where}")
        output.note_rows(summary(previews), title=f"In all, in {work.where}; nothing was changed")
        return
    try:
        work.run(lambda preview: _agreed(preview, work.where, yes, replace_data))
    except BaseException:  # Ctrl-C too: what is made so far is made
        try:
            _write_outputs(settings, work)
        except CrimeJobsError as error:  # the first error is what counts
            output.note(f"{error} Later, `crime-jobs outputs --write --env {settings.env}` writes them.")
        raise
    _write_outputs(settings, work)
    output.show(work.did, output_format, title=f"Stacks of {settings.env}")
    if work.did[-1]["did"] == NOT_AGREED:
        raise typer.Exit(1)


def _write_outputs(settings: Settings, work: Deployment) -> None:
    """Write down where things are, if any were made or changed."""
    from crime_jobs.cloud import outputs
    from crime_jobs.cloud.deploy import DONE

    if any(row["did"] == DONE for row in work.did):
        output.note(f"Where things are: {outputs.refresh(settings)}")


def _said(preview: Preview) -> list[dict[str, str]]:
    if preview.note:
        output.note(f"{preview.stack}: {preview.note}")
    return preview.rows


def _agreed(preview: Preview, where: str, yes: bool, replace_data: bool) -> bool:
    if preview.plan is None:  # all that is asked without: to remove what an earlier try left
        output.note(f"{preview.stack}: {preview.note}")
        return yes or typer.confirm(f"Remove what is left of it in {where}?", err=True)
    if not yes:
        output.note_rows(
            preview.rows, title=f"Changes to stack {preview.stack} of {where}", red=preview.plan.loses
        )
    if preview.plan.loses and not replace_data:
        lost = ", ".join(f"{row['resource']} ({row['type']})" for row in preview.plan.loses)
        question = f"{preview.stack} loses what it holds: {lost}."
        if yes or not sys.stdin.isatty():
            raise WrongUsage(f"Stack {question}", hint="Give --replace-data if that is meant.")
        output.complain(question)
        if not typer.confirm("Replace or remove these, and lose it?", err=True):
            return False
    return yes or typer.confirm(f"Change it so in {where}?", err=True)


def outputs(
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write what are settings to crime-jobs.outputs.toml.")
    ] = False,
    output_format: Output = None,
) -> None:
    """Show where the parts are that were deployed, and which setting each is."""
    from crime_jobs.cloud import outputs as outputs_module

    settings = settings_for(env, needs=(), region=region, profile=profile)
    found = outputs_module.read(settings)
    if write:
        output.note(f"Written: {outputs_module.write(settings.env, outputs_module.made(settings, found))}")
    output.show(outputs_module.rows(found), output_format, title=f"Outputs of {settings.env}")
