"""The verbs of EMR: package, submit, watch, steps, logs, cancel, retry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from crime_jobs import output
from crime_jobs.cli_options import (
    Artifacts,
    DryRun,
    Env,
    Lake,
    Landing,
    Logs,
    On,
    Output,
    Profile,
    Region,
    pairs,
    settings_for,
)

if TYPE_CHECKING:
    from crime_jobs.emr.runs import Service, Status
    from crime_jobs.emr.submit import Ended
    from crime_jobs.settings import Settings

Architecture = Annotated[
    Literal["x86_64", "arm64"], typer.Option(help="Processor: x86_64, or arm64 for Graviton.")
]
RunId = Annotated[str, typer.Argument(help="Id of a step (s-…) or of a job run.")]
Conf = Annotated[
    list[str] | None, typer.Option("--conf", metavar="NAME=VALUE", help="A further Spark property.")
]
Patience = Annotated[
    float, typer.Option("--log-wait", metavar="SECONDS", help="How long to wait for the logs of a failure.")
]
#: EMR uploads logs every five minutes.
LOG_WAIT = 330.0


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command(epilog="Example: crime-jobs package --env aws")(package)
    app.command(
        epilog="Example: crime-jobs submit clean_ncrb --then crime_by_region --on crime-jobs --env aws",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(submit)
    app.command(epilog="Example: crime-jobs watch s-1XXXXXXXXXXA --on crime-jobs")(watch)
    app.command(epilog="Example: crime-jobs steps --on crime-jobs")(steps)
    app.command(epilog="Example: crime-jobs logs s-1XXXXXXXXXXA --on crime-jobs")(logs)
    app.command(epilog="Example: crime-jobs cancel s-1XXXXXXXXXXA --on crime-jobs")(cancel)
    app.command(epilog="Example: crime-jobs retry s-1XXXXXXXXXXA --on crime-jobs")(retry)


def package(
    env: Env = None,
    artifacts: Artifacts = None,
    region: Region = None,
    profile: Profile = None,
    architecture: Architecture = "x86_64",
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Upload the code, the scripts and their environment, each content once."""
    from crime_jobs.emr import _bar
    from crime_jobs.emr.package import ship

    settings = settings_for(env, artifacts=artifacts, region=region, profile=profile)
    with _bar.progress() as progress:
        shipped = ship(settings, architecture, progress, dry_run=dry_run)
    output.show(shipped.rows, output_format, title=shipped.manifest.uri)


def submit(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A job of `crime-jobs list`, all, or hive:SCRIPT.")],
    on: On = None,
    env: Env = None,
    landing: Landing = None,
    lake: Lake = None,
    artifacts: Artifacts = None,
    logs: Logs = None,
    region: Region = None,
    profile: Profile = None,
    architecture: Architecture = "x86_64",
    conf: Conf = None,
    log_wait: Patience = LOG_WAIT,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for its end.")] = True,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Run a job, a Hive script or a chain of them (--then, --then-anyway) as steps or job runs.

    What follows NAME are its own arguments, as `crime-jobs run` takes them. Ctrl-C cancels the step; a second
    one leaves it.
    """
    from crime_jobs.cli_parse import given
    from crime_jobs.emr import _verbs
    from crime_jobs.emr.work import parse

    settings = settings_for(
        env, landing=landing, lake=lake, artifacts=artifacts, logs=logs, region=region, profile=profile, on=on
    )
    works = parse([name, *context.args], settings, given)
    wanted = _verbs.Wanted(works, architecture, pairs(conf or [], "--conf"), log_wait)
    if dry_run:
        typer.echo(json.dumps(_verbs.requests(settings, wanted), indent=2, ensure_ascii=False))
    elif not wait:
        _show_runs([_verbs.send(settings, wanted)], output_format)
    else:
        _finish(_verbs.run(settings, wanted), output_format)


def watch(
    run_id: RunId,
    on: On = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    log_wait: Patience = LOG_WAIT,
    output_format: Output = None,
) -> None:
    """Wait for a run that is under way, and say how it ended.

    Ctrl-C cancels it, whoever submitted it; a second one leaves it.
    """
    from crime_jobs.emr import _verbs

    settings = settings_for(env, on=on, region=region, profile=profile)
    _finish([_verbs.watch(settings, run_id, log_wait)], output_format)


def steps(
    on: On = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many, the newest first.")] = 20,
    output_format: Output = None,
) -> None:
    """List the steps of a cluster, or the job runs of an application."""
    service = _service(settings_for(env, on=on, region=region, profile=profile))
    _show_runs(service.recent(most), output_format, title=f"{service.target}")


def logs(
    run_id: RunId,
    on: On = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    only: Annotated[
        str | None, typer.Option("--only", help="stdout or stderr of the driver; by default all.")
    ] = None,
    log_wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="How long to wait if there is none yet.")
    ] = 0.0,
) -> None:
    """Print what a run's driver wrote."""
    from crime_jobs.emr import _verbs

    for log in _verbs.logs(settings_for(env, on=on, region=region, profile=profile), run_id, only, log_wait):
        output.note(f"== {log.name}: {log.uri}")
        typer.echo(log.text, nl=not log.text.endswith("\n"))


def cancel(
    run_id: RunId, on: On = None, env: Env = None, region: Region = None, profile: Profile = None
) -> None:
    """Cancel a run, and wait until it is over."""
    from crime_jobs.emr import _verbs

    status = _verbs.cancel(settings_for(env, on=on, region=region, profile=profile), run_id)
    typer.echo(f"{status.run.id}  {status.run.name}  {status.state}")


def retry(
    run_id: RunId,
    on: On = None,
    env: Env = None,
    logs: Logs = None,
    region: Region = None,
    profile: Profile = None,
    log_wait: Patience = LOG_WAIT,
    output_format: Output = None,
) -> None:
    """Submit once more what a run was given: the same package, the same arguments."""
    from crime_jobs.emr import _verbs

    settings = settings_for(env, on=on, logs=logs, region=region, profile=profile)
    _finish([_verbs.retry(settings, run_id, log_wait)], output_format)


def _service(settings: Settings) -> Service:
    from crime_jobs.emr import _verbs

    return _verbs.service_of(settings, ended=True)


def _show_runs(found: list[Status], output_format: output.Format | None, title: str = "") -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": status.run.id,
            "name": status.run.name,
            "state": status.state,
            "started": status.started.isoformat(timespec="seconds") if status.started else None,
            "seconds": None if status.seconds is None else round(status.seconds),
            "why": status.details,
        }
        for status in found
    ]
    output.show(rows, output_format, title=title)


def _finish(ended: list[Ended], output_format: output.Format | None) -> None:
    """Show what was published; end with the exit code of the first that failed."""
    reports = [report for one in ended for report in one.reports]
    if reports:
        output.show(output.report_rows(reports), output_format, title="Published")
    if failed := next((one.cause for one in ended if one.cause), None):
        raise typer.Exit(failed.exit_code)
