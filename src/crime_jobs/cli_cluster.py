"""The verbs of clusters and of schedules."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from typer.core import TyperGroup

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
    Yes,
    pairs,
    settings_for,
)
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.emr.interfaces import Tunnel
    from crime_jobs.settings import Settings

Cluster = Annotated[str, typer.Argument(help="Id or name of a cluster.")]
Schedule = Annotated[str, typer.Argument(help="Name of a schedule.")]

#: Runs of a schedule that are shown when it is made.
_NEXT = 3


class _AddByDefault(TyperGroup):
    """`schedule NAME …` is `schedule add NAME …`: no job is called like a verb."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb in where there is none."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["add", *args]
        return super().parse_args(ctx, args)


cluster = typer.Typer(help="Make, look at and end clusters.", no_args_is_help=True)
schedule = typer.Typer(
    cls=_AddByDefault,
    help="Run jobs by the clock: `schedule NAME ARGUMENTS… --cron …` makes a schedule.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(cluster, name="cluster")
    app.add_typer(schedule, name="schedule")


@cluster.command(epilog="Example: crime-jobs cluster up --env aws --spot --maximum 8")
def up(
    name: Annotated[str | None, typer.Argument(help="Name of the cluster; by default crime-jobs.")] = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    artifacts: Artifacts = None,
    logs: Logs = None,
    release: Annotated[str | None, typer.Option(help="EMR release.")] = None,
    primary_type: Annotated[str | None, typer.Option(help="Instance type of the primary node.")] = None,
    core_type: Annotated[str | None, typer.Option(help="Instance type of the core nodes.")] = None,
    minimum: Annotated[int | None, typer.Option(help="Core nodes at least.")] = None,
    maximum: Annotated[int | None, typer.Option(help="Core nodes at most.")] = None,
    spot: Annotated[bool | None, typer.Option("--spot/--on-demand", help="Core nodes as spot.")] = None,
    idle_minutes: Annotated[int | None, typer.Option(help="It ends after this time without work.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Steps that run at a time.")] = None,
    subnet: Annotated[str | None, typer.Option(help="A private subnet.")] = None,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Make a cluster and wait until it can be used; one of that name that is up already serves.

    Ctrl-C before it is usable ends it again. More is set in [ENV.cluster] of crime-jobs.toml.
    """
    from crime_jobs.emr import cluster as requests
    from crime_jobs.emr import clusters
    from crime_jobs.emr._cluster_screen import states

    settings = settings_for(env, region=region, profile=profile, artifacts=artifacts, logs=logs)
    spec = requests.spec_of(
        settings,
        name=name,
        release=release,
        primary_type=primary_type,
        core_type=core_type,
        minimum=minimum,
        maximum=maximum,
        spot=spot,
        idle_minutes=idle_minutes,
        concurrency=concurrency,
        subnet=subnet,
    )
    if dry_run:
        typer.echo(json.dumps(requests.request(settings, spec), indent=2, ensure_ascii=False))
        return
    if not spec.subnet:
        output.note("No subnet is set: EMR takes one of the default VPC, whose subnets are public.")
    with states(f"Making {spec.name}; Ctrl-C ends it again") as tell:
        started = clusters.up(settings, spec, tell)
    if not started.made:
        output.note(f"{spec.name} was up already; it stays as it was made.")
    _show_one(settings, started.id, output_format)


@cluster.command(epilog="Example: crime-jobs cluster status crime-jobs --env aws")
def status(
    name: Annotated[str | None, typer.Argument(help="Id or name of one; with the ways to it.")] = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    ended: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    output_format: Output = None,
) -> None:
    """List the clusters; of one, also the commands that open its web interfaces."""
    from crime_jobs.emr import clusters

    settings = settings_for(env, region=region, profile=profile)
    if name:
        _show_one(settings, clusters.find(settings, name)["Id"], output_format)
        return
    found = clusters.listed(settings, ended=ended)
    output.show(found, output_format, title=f"Clusters in {settings.region}")
    if not found:
        output.note(f"There are none in {settings.region}.")


@cluster.command(epilog="Example: crime-jobs cluster down crime-jobs --env aws --yes")
def down(
    name: Annotated[str, typer.Argument(help="Id or name of a cluster.")] = "crime-jobs",
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    yes: Yes = False,
) -> None:
    """End a cluster, and what runs on it, and wait until it has ended."""
    from crime_jobs.emr import clusters
    from crime_jobs.emr._cluster_screen import states

    settings = settings_for(env, region=region, profile=profile)
    cluster_id = clusters.find(settings, name)["Id"]
    open_steps = clusters.open_work(settings, cluster_id)
    if not yes:
        running = f", and {open_steps} steps with it" if open_steps else ""
        _confirm(f"End cluster {name} ({cluster_id}) in {settings.region}{running}?")
    with states(f"Ending {name}") as tell:
        ended = clusters.down(settings, cluster_id, tell)
    typer.echo(f"{ended.id}  {ended.state}")


@cluster.command(epilog="Example: crime-jobs cluster history j-1K48XXXXXXHCB --env aws")
def history(name: Cluster, env: Env = None, region: Region = None, profile: Profile = None) -> None:
    """Print an address of the Spark history, which outlives the cluster."""
    from crime_jobs.emr import interfaces

    typer.echo(interfaces.history(settings_for(env, region=region, profile=profile), name))


def _show_one(settings: Settings, cluster_id: str, output_format: output.Format | None) -> None:
    from crime_jobs.emr import clusters, interfaces

    row = clusters.row(settings, cluster_id)
    ways = interfaces.tunnels(settings, cluster_id)
    as_table = (
        output_format or (output.Format.TABLE if sys.stdout.isatty() else None)
    ) is output.Format.TABLE
    if as_table or output_format is output.Format.CSV:
        output.show([row], output_format, title=f"Cluster in {settings.region}")
        _show_ways(ways)
    else:
        told = [{"interface": w.interface, "url": w.url, "command": list(w.command)} for w in ways]
        output.show([{**row, "interfaces": told}], output_format)


def _show_ways(ways: list[Tunnel]) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    if ways:
        console.print("Its web interfaces are open to nobody. Run a line, then open its address:")
    for way in ways:
        console.print(f"  {way.interface}: {way.url}\n    {shlex.join(way.command)}")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise WrongUsage(f"{question} Nobody is there to answer.", hint="Give --yes.")
    typer.confirm(question, abort=True)


@schedule.command(
    epilog="Example: crime-jobs schedule clean_ncrb --then hot_spots --cron '30 2 * * ? *' --on transient",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A job of `crime-jobs list`, all, or hive:SCRIPT.")],
    cron: Annotated[str, typer.Option(help="Minutes, hours, day, month, weekday, year: '30 2 * * ? *'.")],
    timezone: Annotated[str | None, typer.Option(help="Where its hours are read: Asia/Kolkata.")] = None,
    schedule_name: Annotated[
        str | None, typer.Option("--name", help="Name of the schedule; by default that of the job.")
    ] = None,
    notify: Annotated[
        bool, typer.Option("--notify", help="Tell SNS of the end of a single job too.")
    ] = False,
    on: On = None,
    env: Env = None,
    landing: Landing = None,
    lake: Lake = None,
    artifacts: Artifacts = None,
    logs: Logs = None,
    region: Region = None,
    profile: Profile = None,
    conf: Annotated[
        list[str] | None, typer.Option("--conf", metavar="NAME=VALUE", help="A further Spark property.")
    ] = None,
    architecture: Annotated[
        Literal["x86_64", "arm64"] | None, typer.Option(help="Processor; arm64 for Graviton.")
    ] = None,
    dry_run: DryRun = False,
    output_format: Output = None,
) -> None:
    """Make or change a schedule: a job, or a chain (--then, --then-anyway) that tells SNS how it ended.

    It keeps running the package of now; say it again to give it the package of then.
    """
    from crime_jobs.cli_parse import given
    from crime_jobs.emr import _scheduling
    from crime_jobs.emr.work import parse

    settings = settings_for(
        env, landing=landing, lake=lake, artifacts=artifacts, logs=logs, region=region, profile=profile, on=on
    )
    wanted = _scheduling.Wanted(
        works=parse([name, *context.args], settings, given),
        cron=cron,
        timezone=timezone,
        name=schedule_name,
        notify=notify,
        conf=pairs(conf or [], "--conf"),
        architecture=architecture,
    )
    if dry_run:
        typer.echo(json.dumps(_scheduling.requests(settings, wanted), indent=2, ensure_ascii=False))
        return
    row = _scheduling.add(settings, wanted)
    output.show([row], output_format, title=f"Schedule of {settings.env}")
    for at in _scheduling.next_runs(row, _NEXT):
        output.note(f"next: {at:%a %Y-%m-%d %H:%M} {at.tzinfo}")


@schedule.command("list", epilog="Example: crime-jobs schedule list --env aws")
def list_schedules(
    env: Env = None, region: Region = None, profile: Profile = None, output_format: Output = None
) -> None:
    """List the schedules: what, when, next, where, and which package."""
    from crime_jobs.emr import schedule as schedules

    settings = settings_for(env, region=region, profile=profile)
    found = schedules.listed(settings)
    output.show(found, output_format, title=f"Schedules of {settings.env}")
    if not found:
        output.note("There are none.")


@schedule.command(epilog="Example: crime-jobs schedule pause clean_ncrb --env aws")
def pause(
    name: Schedule,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Stop a schedule from starting anything, until it is resumed."""
    _switch(settings_for(env, region=region, profile=profile), name, output_format, on=False)


@schedule.command(epilog="Example: crime-jobs schedule resume clean_ncrb --env aws")
def resume(
    name: Schedule,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Let a paused schedule start again."""
    _switch(settings_for(env, region=region, profile=profile), name, output_format, on=True)


def _switch(settings: Settings, name: str, output_format: output.Format | None, *, on: bool) -> None:
    from crime_jobs.emr import schedule as schedules

    output.show([schedules.switch(settings, name, on=on)], output_format)


@schedule.command(epilog="Example: crime-jobs schedule remove clean_ncrb --env aws --yes")
def remove(
    name: Schedule, env: Env = None, region: Region = None, profile: Profile = None, yes: Yes = False
) -> None:
    """Remove a schedule, and its state machine if it has one; what it started goes on."""
    from crime_jobs.emr import schedule as schedules

    settings = settings_for(env, region=region, profile=profile)
    if not yes:
        _confirm(f"Remove schedule {name} of {settings.env}?")
    schedules.remove(settings, name)
    output.note(f"Removed {name}.")


@schedule.command("run-now", epilog="Example: crime-jobs schedule run-now clean_ncrb --env aws")
def run_now(
    name: Schedule,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Send now, as you, exactly what the schedule sends when it is due."""
    from crime_jobs.emr import schedule as schedules

    settings = settings_for(env, region=region, profile=profile)
    output.show([schedules.run_now(settings, name)], output_format)
