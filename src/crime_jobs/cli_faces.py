"""The verbs of the watch list: enrol, withdraw, expire, audit; ``cli_faces_*`` add theirs to the group."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crime_jobs import output
from crime_jobs.cli_options import DryRun, Env, Output, Profile, Region, Yes, settings_for
from crime_jobs.errors import BadInput, JobFailed, WrongUsage
from crime_jobs.model.faces import Purpose

if TYPE_CHECKING:
    from crime_jobs.faces.watchlist import Enrolled, Plan

faces = typer.Typer(
    help="Who is in this photograph: watch lists, leads, and people who decide on them.", no_args_is_help=True
)

WatchList = Annotated[str, typer.Option("--watch-list", metavar="NAME", help="Name of the watch list.")]
For = Annotated[Purpose, typer.Option("--purpose", help="What for; it must be the watch list's.")]
KeepPhotographs = Annotated[
    bool, typer.Option("--keep-photographs", help="Leave the photographs of the watch list where they are.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(faces, name="faces")


@faces.command(
    epilog="Example: crime-jobs faces enrol s3://crime-faces/watch/manifest.csv --watch-list missing "
    "--purpose missing-person --env localstack"
)
def enrol(
    manifest: Annotated[
        str,
        typer.Argument(help="CSV of photograph, person_key, source, legal_basis, expires; s3:// or a file."),
    ],
    watch_list: WatchList,
    purpose: For,
    again: Annotated[
        bool, typer.Option("--again", help="People who were withdrawn may come onto the list again.")
    ] = False,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    output_format: Output = None,
) -> None:
    """Put the people of a manifest on a watch list; what it costs is said before."""
    from crime_jobs.faces.watchlist import Enrolling
    from crime_jobs.model.faces import of

    settings = settings_for(env, needs=(), region=region, profile=profile)
    enrolling = Enrolling(settings, of(settings.faces), manifest, watch_list, purpose, again=again)
    plan = enrolling.plan()
    if dry_run:
        output.show([vars(plan)], output_format, title="Would be enrolled; nothing was changed")
        return
    _tell_plan(plan)
    if plan.usd and not yes:
        confirm(f"Enrol {plan.new} photographs in {watch_list}?")
    with output.waiting("Enrolling …"):
        done = enrolling.run()
    _tell_done(done, output_format)


def _tell_plan(plan: Plan) -> None:
    output.note(
        f"{plan.people} people, {plan.photographs} photographs, {plan.new} of them new: {plan.calls} calls "
        f"of {plan.engine}, ${plan.usd:.2f}"
        + (f", at least {plan.seconds:.0f} s." if plan.seconds >= 1 else ".")
    )


def _tell_done(done: Enrolled, output_format: output.Format | None) -> None:
    output.show([vars(told) for told in done.lines], output_format, title="Lines of the manifest")
    counts, left = done.counts, done.reconciled
    output.note(
        f"{counts['enrolled']} enrolled, {counts['known']} known, {counts['refused']} refused; "
        f"{done.paid} calls, ${done.usd:.2f}."
    )
    if any(vars(left).values()):
        output.note(
            f"Of an earlier run: {left.adopted} faces adopted, {left.orphans} removed that no row told of, "
            f"{left.lost} were gone from the collection."
        )
    if done.off:
        output.note(f"{done.off} people were taken off the list: none of their photographs will do.")
    if done.left:
        output.note(f"{done.left} people on the list are not in the manifest; `withdraw` takes them off.")
    if counts["refused"]:
        raise BadInput(
            f"{counts['refused']} lines of the manifest were refused; "
            + ("the rest is enrolled." if counts["enrolled"] + counts["known"] else "nobody was enrolled."),
            hint="Correct them and run it again: what is enrolled stays.",
        )


@faces.command(
    epilog="Example: crime-jobs faces withdraw MP/2026/0001 --watch-list missing --reason found "
    "--env localstack"
)
def withdraw(
    person_key: Annotated[
        str, typer.Argument(help="The department's key of the person; - to type it unseen, or to pipe it in.")
    ],
    watch_list: WatchList,
    reason: Annotated[str, typer.Option(help="Why; the audit keeps it, so no names.")],
    keep_photographs: KeepPhotographs = False,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    yes: Yes = False,
    output_format: Output = None,
) -> None:
    """Take a person off a watch list, with all that was derived: faces, leads, photographs, for good."""
    from crime_jobs.faces.withdraw import Withdrawal
    from crime_jobs.model.faces import of

    settings = settings_for(env, needs=(), region=region, profile=profile)
    withdrawal = Withdrawal(settings, of(settings.faces), watch_list)
    key = typed("Key of the person") if person_key == "-" else person_key
    person = withdrawal.find(key)
    if not yes:
        confirm(f"Remove this person's faces, leads{'' if keep_photographs else ', photographs'} for good?")
    done = withdrawal.withdraw(person, reason, keep_photographs=keep_photographs, person_key=key)
    output.show([vars(done)], output_format, title=f"Withdrawn from {watch_list}")


@faces.command(epilog="Example: crime-jobs faces expire --watch-list missing --env localstack")
def expire(
    watch_list: WatchList,
    keep_photographs: KeepPhotographs = False,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """End what has had its day: people whose enrolment is over, leads that nobody decided on."""
    from crime_jobs.faces import expiry
    from crime_jobs.model.faces import of

    settings = settings_for(env, needs=(), region=region, profile=profile)
    done = expiry.expire(settings, of(settings.faces), watch_list, keep_photographs=keep_photographs)
    row: dict[str, Any] = {
        "people": len(done.people),
        "faces": sum(one.faces for one in done.people),
        "photographs": sum(one.photographs for one in done.people),
        "leads": sum(one.leads for one in done.people) + done.swept,
        "old_leads": done.old_leads,
    }
    output.show([row], output_format, title=f"Ended on {watch_list}")


@faces.command(epilog="Example: crime-jobs faces audit --verify --env localstack")
def audit(
    verify: Annotated[
        bool, typer.Option("--verify", help="Follow the chain of hashes from the first line to the last.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="First day, UTC.")
    ] = None,
    env: Env = None,
    region: Region = None,
    profile: Profile = None,
    output_format: Output = None,
) -> None:
    """Show who did what, or prove that no line was changed or taken out."""
    from crime_jobs.faces.audit import Audit
    from crime_jobs.model.faces import of

    settings = settings_for(env, needs=(), region=region, profile=profile)
    found = Audit(settings, of(settings.faces))
    if not verify:
        day = since.date().isoformat() if since else ""
        is_json = output.chosen(output_format) is output.Format.JSON
        rows = [line.row() if is_json else line.told() for line in found.lines(since=day)]
        output.show(rows, output_format, title="Audit")
        return
    told = found.verify()
    output.show([vars(told)], output_format, title="Chain of the audit")
    if told.broken is not None:
        raise JobFailed(
            f"The audit's chain is broken at line {told.broken}: {told.why}.",
            hint="Restore the table beside it (point-in-time recovery) and compare.",
        )


def typed(what: str) -> str:
    """Read a line that stays off the command line, its history and the list of processes."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


def confirm(question: str) -> None:
    """Ask before something costs or ends; where nobody can answer, refuse."""
    if not sys.stdin.isatty():
        raise WrongUsage(f"{question} Nobody is there to answer.", hint="Give --yes.")
    typer.confirm(question, abort=True)
