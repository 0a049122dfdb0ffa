"""The command ``fir-producer``: reads arguments, calls one function, prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crime_jobs import __version__, output
from crime_jobs.cli_end import run_app
from crime_jobs.cli_options import DryRun, Env, Profile, Region, settings_for
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from fir_producer.runs import Plan
    from fir_producer.sources import Item

Stream = Annotated[
    str | None, typer.Option(help="Kinesis stream, instead of the one of the environment's section.")
]
Report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the summary there, as JSON.")]
Rejects = Annotated[
    Path | None, typer.Option(metavar="FILE", help="List lines that are no FIR there: line and reason.")
]
Failed = Annotated[
    Path | None, typer.Option(metavar="FILE", help="List FIRs that were not confirmed there: their keys.")
]
Aggregate = Annotated[
    bool,
    typer.Option(help="Many FIRs a Kinesis record, as the KPL does; without, one, for readers that need it."),
]

Metrics = Annotated[bool, typer.Option("--metrics", help="Tell CloudWatch, once a minute and at the end.")]

app = typer.Typer(
    name="fir-producer",
    help="Takes First Information Reports in and sends them to Kinesis, each with an outcome.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command(epilog="Example: fir-producer generate --env localstack --rate 50 --count 2000 --seed 1")
def generate(
    rate: Annotated[float, typer.Option(min=0.001, max=1_000_000, help="FIRs a second.")] = 50.0,
    count: Annotated[int | None, typer.Option(min=1, help="How many; by default until stopped.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the draws; by default another one each time.")] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the first is reported, with a zone; by default now."),
    ] = None,
    speed: Annotated[float, typer.Option(min=1, help="Seconds that pass in one, for past days.")] = 1.0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share that is sent twice.")] = 0.0,
    zero: Annotated[float, typer.Option(min=0, max=1, help="Share of Zero FIRs.")] = 0.0,
    late: Annotated[float, typer.Option(min=0, max=1, help="Share reported 10 to 120 minutes ago.")] = 0.0,
    disorder: Annotated[float, typer.Option(min=0, max=1, help="Share overtaken by others.")] = 0.0,
    protected: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of sexual offences; by default as NCRB counted."),
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of the official files.")] = Path("data"),
    env: Env = None,
    stream: Stream = None,
    aggregate: Aggregate = True,
    failed: Failed = None,
    report: Report = None,
    metrics: Metrics = False,
    dry_run: DryRun = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Draw FIRs in proportion to NCRB's figures, and send them. Names and texts are invented."""
    from fir_producer.generated import Drawing
    from fir_producer.generator import Shares

    shares = Shares(duplicates=duplicates, zero=zero, late=late, disorder=disorder, protected=protected)
    drawing = Drawing.of(data, rate=rate, count=count, seed=seed, start=start, speed=speed, shares=shares)
    if dry_run:
        from fir_producer.runs import Rejects as Refused
        from fir_producer.runs import preview

        preview(drawing.items(), Refused(drawing.source, None))
        return
    plan = _plan(drawing.source, aggregate, metrics, failed=failed, report=report)
    _send(plan, drawing.items, env, stream, region, profile)


@app.command(epilog="Example: fir-producer send firs.jsonl --follow --env localstack")
def send(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON lines; - for standard input.")],
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more at the end of the file.")] = False,
    position: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where --follow keeps how far it is (.FILE.position beside FILE)."),
    ] = None,
    env: Env = None,
    stream: Stream = None,
    aggregate: Aggregate = True,
    rejects: Rejects = None,
    failed: Failed = None,
    report: Report = None,
    metrics: Metrics = False,
    dry_run: DryRun = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Send FIRs that stand in a file or come on standard input, one JSON object a line."""
    from fir_producer.sources import STDIN

    if (follow or position) and (source == STDIN or not follow or dry_run):
        raise WrongUsage(
            "--follow is for a file that is sent, and --position for --follow.",
            hint="Standard input is read to its end anyway.",
        )
    told = "standard input" if source == STDIN else source
    if dry_run:
        from fir_producer.runs import Rejects as Refused
        from fir_producer.runs import preview

        preview(_items(source, lambda: False), Refused(told, rejects))
        return
    if follow and position is None:
        position = Path(source).with_name(f".{Path(source).name}.position")
    plan = _plan(told, aggregate, metrics, rejects=rejects, failed=failed, report=report, position=position)
    _send(plan, lambda stop: _items(source, stop, position), env, stream, region, profile)


@app.command(epilog="Example: fir-producer schema > fir.schema.json")
def schema() -> None:
    """Print the JSON schema of an FIR."""
    from crime_jobs.model.fir import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _items(source: str, stop: Any, position: Path | None = None) -> Iterable[Item]:
    from fir_producer import positions
    from fir_producer.sources import STDIN, FileSource, read_stdin

    if source == STDIN:
        return read_stdin(stop)
    since = positions.load(position) if position else None
    follow = position is not None
    return FileSource(Path(source), follow=follow, since=since, stopped=stop, note=output.note).items()


def _plan(source: str, aggregate: bool, metrics: bool, **files: Path | None) -> Plan:
    from fir_producer.options import SenderOptions
    from fir_producer.runs import Plan

    # Nothing has room for a second one: each goes as a Kinesis record of its own.
    options = SenderOptions() if aggregate else SenderOptions(aggregate_bytes=1)
    return Plan(source, options=options, metrics=metrics, **files)


def _send(
    plan: Plan,
    items: Any,
    env: str | None,
    stream: str | None,
    region: str | None,
    profile: str | None,
) -> None:
    from crime_jobs.model.streams import of
    from fir_producer import runs

    settings = settings_for(env, region=region, profile=profile)
    runs.run(settings, of({**settings.stream, **({"name": stream} if stream else {})}), plan, items)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        By default those of the process.

    Returns
    -------
    int
        0 all confirmed, 1 some not confirmed, 2 wrong usage, 3 lines that are no FIRs, 4 AWS refused,
        130 stopped.
    """
    return run_app(app, "fir-producer", arguments)


if __name__ == "__main__":
    sys.exit(main())
