"""The verbs that look at photographs: match, unreadable and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crime_jobs import output
from crime_jobs.cli_faces import For, WatchList, confirm
from crime_jobs.cli_options import DryRun, Env, Lake, Output, Profile, Region, Yes, settings_for

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

Threshold = Annotated[
    float | None,
    typer.Option(min=80, max=100, help="Least similarity in per cent; by default the environment's, 99."),
]


def register(faces: typer.Typer) -> None:
    """Add the verbs to the group."""
    faces.command(
        epilog="Example: crime-jobs faces match s3://crime-faces/photographs --watch-list missing "
        "--purpose missing-person --env localstack"
    )(match)
    faces.command(epilog="Example: crime-jobs faces unreadable --watch-list missing --output csv")(unreadable)
    faces.command(
        epilog="Example: crime-jobs faces compare one.jpg s3://crime-faces/other.jpg --purpose missing-person"
    )(compare)


def match(
    photographs: Annotated[str, typer.Argument(metavar="PREFIX", help="s3:// URI of a folder.")],
    watch_list: WatchList,
    purpose: For,
    threshold: Threshold = None,
    least_confidence: Annotated[
        float, typer.Option(min=0, max=100, help="Faces that are less sure to be one are not searched for.")
    ] = 90,
    least_side: Annotated[float, typer.Option(min=0, help="Nor are faces of fewer pixels a side.")] = 40,
    most_unreadable: Annotated[
        float, typer.Option(min=0, max=1, help="Share of photographs that may be unreadable.")
    ] = 0.5,
    faces_assumed: Annotated[
        float, typer.Option(min=0, help="Faces of a photograph, for the estimate.")
    ] = 1.5,
    env: Env = None,
    lake: Lake = None,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    output_format: Output = None,
) -> None:
    """Match the photographs of a folder against a watch list; what is alike waits for a decision."""
    settings = settings_for(env, needs=("lake",), lake=lake, region=region, profile=profile)
    given: dict[str, Any] = {
        "photographs": photographs,
        "watch_list": watch_list,
        "purpose": purpose.value,
        "threshold": threshold,
        "least_confidence": least_confidence,
        "least_side": least_side,
        "most_unreadable": most_unreadable,
    }
    options = {name: str(value) for name, value in given.items() if value is not None}
    if dry_run:
        row = _plan(settings, options, faces_assumed)
        output.show([row], output_format, title="Would be matched; no photograph was read")
        return
    row = _plan(settings, options, faces_assumed)
    output.note(
        f"{row['to_match']} of {row['photographs']} photographs are to be matched by {row['engine']}: about "
        f"{row['calls_about']} calls, ${row['usd_about']:.2f}"
        + (f", at least {row['seconds_at_least']} s." if row["seconds_at_least"] >= 1 else ".")
    )
    if row["usd_about"] and not yes:
        confirm(f"Match {row['to_match']} photographs?")
    _run(settings, options, output_format)


def _plan(settings: Settings, options: dict[str, str], assumed: float) -> dict[str, Any]:
    from crime_jobs import registry
    from crime_jobs.faces import match as matching

    registry.check_options(registry.find(matching.JOB.name), options, settings)
    config = matching.MatchConfig.model_validate(matching.JOB.options_from(settings, options))
    return matching.plan(settings, config, assumed).row()


def _run(settings: Settings, options: dict[str, str], output_format: output.Format | None) -> None:
    from crime_jobs import registry
    from crime_jobs.faces import match as matching
    from crime_jobs.jobs import _runner

    with output.progress() as progress:
        reports = _runner.run_jobs(registry.find(matching.JOB.name), settings, options, progress)
    output.show(matching.summary(reports), output_format, title="Matched; leads wait in the queue")
    for remark in matching.remarks(reports):
        output.note(remark)


def unreadable(
    watch_list: WatchList,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """List the photographs that could not be read, and why; their names are unsealed for it."""
    from crime_jobs.faces.photographs import names_of_unreadable
    from crime_jobs.model.faces import of

    settings = settings_for(env, needs=(), region=region, profile=profile)
    rows = names_of_unreadable(settings, of(settings.faces), watch_list)
    output.show(rows, output_format, title=f"Could not be read for {watch_list}")


def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="Its largest face; a file or s3:// URI.")],
    other: Annotated[str, typer.Argument(metavar="B", help="All of its faces; a file or s3:// URI.")],
    purpose: For,
    threshold: Threshold = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Compare the largest face of a picture with all faces of another."""
    from crime_jobs.faces import compare as comparing
    from crime_jobs.model.faces import of

    settings = settings_for(env, needs=(), region=region, profile=profile)
    faces = of(settings.faces)
    found = comparing.compare(settings, faces, one, other, purpose, threshold or faces.threshold)
    output.show(list(found.rows), output_format, title=f"Faces of the second picture, by {found.engine}")
    output.note(comparing.CAVEAT)
