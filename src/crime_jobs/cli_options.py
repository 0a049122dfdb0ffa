"""What the verbs share: their options, and how settings come together from them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Annotated

import typer

from crime_jobs import output, settings
from crime_jobs.errors import WrongUsage

Env = Annotated[
    str | None,
    typer.Option(help="Environment: a section of crime-jobs.toml.", envvar="CRIME_JOBS_ENV"),
]
Landing = Annotated[
    str | None, typer.Option(metavar="URI", help="Folder of the landing files (or CRIME_JOBS_LANDING).")
]
Lake = Annotated[str | None, typer.Option(metavar="URI", help="Folder of the lake (or CRIME_JOBS_LAKE).")]
Region = Annotated[str | None, typer.Option(help="AWS region (or AWS_REGION).")]
Profile = Annotated[str | None, typer.Option(help="AWS profile (or AWS_PROFILE).")]
Artifacts = Annotated[
    str | None, typer.Option(metavar="URI", help="Where packages are uploaded (or CRIME_JOBS_ARTIFACTS).")
]
Logs = Annotated[
    str | None, typer.Option(metavar="URI", help="Where logs and outcomes go (or CRIME_JOBS_LOGS).")
]
On = Annotated[
    str | None,
    typer.Option(
        metavar="CLUSTER|APPLICATION", help="Id or name of a cluster or application (or CRIME_JOBS_ON)."
    ),
]
Output = Annotated[output.Format | None, typer.Option("--output", help=output.HELP)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def settings_for(
    env: str | None, *, needs: Collection[str] = ("landing", "lake"), **options: str | None
) -> settings.Settings:
    """Put the settings together and set the environment's variables for this process.

    Parameters
    ----------
    env
        Name of the environment.
    needs
        Of landing and lake what must be known.
    **options
        Values of options by setting name.

    Returns
    -------
    Settings
    """
    found = settings.load(env, options, needs=needs)
    os.environ.update(found.environ)
    return found


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Read values of the form ``name=value``.

    Parameters
    ----------
    given
        What was typed.
    option
        Name of the option, for the message.

    Returns
    -------
    dict

    Raises
    ------
    WrongUsage
        If one has no name or no sign.
    """
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise WrongUsage(f"{option} {text!r} is not of the form name=value.")
        found[name] = value
    return found
