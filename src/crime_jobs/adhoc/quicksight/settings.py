"""The table ``[<environment>.quicksight]`` of ``crime-jobs.toml``, and the parameters made from it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from crime_jobs import aws
from crime_jobs.adhoc import asking
from crime_jobs.adhoc.quicksight.template import DEFAULT_NAME, FOLDER
from crime_jobs.errors import WrongUsage
from crime_jobs.model import streams
from crime_jobs.model.names import name_of
from crime_jobs.model.sections import read_table
from crime_jobs.settings import Settings

_PRINCIPAL = re.compile(
    r"arn:[a-z-]+:quicksight:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<kind>user|group)/(?P<name>.+)"
)
_ARN = r"^arn:[a-z-]+:quicksight:[a-z0-9-]+:\d{12}:(user|group)/.+$"
_KEY = r"^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+$"


class QuickSightSettings(BaseModel):
    """What the dashboard in QuickSight is told.

    Parameters
    ----------
    name
        What the ids of all parts begin with; as a rule ``deploy.name``.
    stack
        Name of the CloudFormation stack; as a rule ``deploy.name`` and ``-quicksight``.
    viewers, authors, owners
        ARNs of users or groups: who sees the dashboard, who may build on its datasets, who owns all of it.
    rules
        Path of the CSV that says who sees which states; see `crime_jobs.adhoc.quicksight.rules`.
    boundaries
        Path of the GeoJSON of the states.
    files
        ``s3://`` URI that both are uploaded to; under ``artifacts`` when not given.
    keys
        ARNs of the KMS keys of what is read: lake, history, files.
    results_key
        ARN of the KMS key of the workgroup's results.
    history
        Whether there are FIRs of the stream to read.
    refresh_at, time_zone
        When the datasets are filled each day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default=DEFAULT_NAME, pattern=r"^[A-Za-z0-9-]{1,64}$")
    stack: str = Field(default="crime-jobs-quicksight", pattern=r"^[A-Za-z][A-Za-z0-9-]{0,127}$")
    viewers: str | None = Field(default=None, pattern=_ARN)
    authors: str | None = Field(default=None, pattern=_ARN)
    owners: str | None = Field(default=None, pattern=_ARN)
    rules: str = "quicksight-rules.csv"
    boundaries: str = "data/india_states.geojson"
    files: str | None = Field(default=None, pattern=r"^s3://")
    keys: tuple[Annotated[str, Field(pattern=_KEY)], ...] = ()
    results_key: str | None = Field(default=None, pattern=_KEY)
    history: bool = True
    refresh_at: str = Field(default="05:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    time_zone: str = "Asia/Kolkata"


def of(settings: Settings, **options: str | None) -> QuickSightSettings:
    """Read the table of an environment.

    Parameters
    ----------
    settings
        The settings.
    **options
        Values of options, which come before the table's; ``None`` is not given.

    Returns
    -------
    QuickSightSettings

    Raises
    ------
    WrongUsage
        If it has a name that nothing is called by, or a value that can't be.
    """
    given = {name: value for name, value in options.items() if value is not None}
    begins = name_of(settings.deploy)
    own = {"name": begins, "stack": f"{begins}-quicksight"}
    return read_table(
        QuickSightSettings,
        "quicksight",
        {**own, **settings.quicksight, **given},
        hint="Correct the option, or the environment's section.",
    )


def files_of(told: QuickSightSettings, settings: Settings) -> tuple[str, str]:
    """Return bucket and prefix of the boundaries, the rules and the template.

    Parameters
    ----------
    told
        What the dashboard is told.
    settings
        The settings.

    Raises
    ------
    WrongUsage
        If nothing says where.
    """
    if told.files:
        bucket, prefix = aws.split_uri(told.files, "quicksight.files")
    elif settings.artifacts:
        bucket, prefix = aws.split_uri(settings.artifacts, "artifacts")
        prefix = f"{prefix}/quicksight".strip("/")
    else:
        raise WrongUsage(
            "Nothing says where boundaries and rules are uploaded to.",
            hint='Give --artifacts, or write files = "s3://…" into the table quicksight.',
        )
    return bucket, prefix or "quicksight"


def parameters(told: QuickSightSettings, settings: Settings) -> dict[str, str]:
    """Return the template's parameters.

    Parameters
    ----------
    told
        What the dashboard is told.
    settings
        The settings: lake, workgroup, results, history.

    Raises
    ------
    WrongUsage
        If one is missing, a place is a whole bucket, or the principals can't be right.
    """
    sql = asking.of(settings)
    if not settings.lake.startswith("s3"):
        raise WrongUsage(
            f"The lake {settings.lake!r} is not on S3: QuickSight asks Athena, which reads nothing else.",
            hint="Choose an environment with --env, or give --lake s3://….",
        )
    if not sql.workgroup or not sql.results:
        raise WrongUsage(
            f"Environment {settings.env!r} does not say Athena's workgroup, or where its results are.",
            hint="Write workgroup and results into its table sql; `crime-jobs sql setup` makes them.",
        )
    bucket, prefix = files_of(told, settings)
    history = {"HistoryBucket": ""}
    if told.history:
        history = _folder("History", streams.of(settings.stream).history, "stream.history")
    return {
        "Name": told.name,
        "Workgroup": sql.workgroup,
        "Database": sql.database,
        **_folder("Lake", settings.lake, "lake"),
        "HistoryPrefix": "history",
        **history,
        **_folder("Results", sql.results, "sql.results"),
        "KeyArns": ",".join(told.keys),
        "ResultsKeyArn": told.results_key or "",
        "FilesBucket": bucket,
        "FilesPrefix": prefix,
        **_principals(told),
        "RefreshAt": told.refresh_at,
        "TimeZone": told.time_zone,
    }


def _folder(name: str, uri: str, what: str) -> dict[str, str]:
    """Return the two parameters of a place; the role is let into that folder, never into a whole bucket."""
    bucket, prefix = aws.split_uri(uri, what)
    if not re.fullmatch(FOLDER, prefix):
        raise WrongUsage(
            f"The {what} {uri!r} is no folder of a bucket that QuickSight's role could be let into.",
            hint="Give s3://bucket/folder; letters, digits and !_.()=- may be in its name.",
        )
    return {f"{name}Bucket": bucket, f"{name}Prefix": prefix}


def _principals(told: QuickSightSettings) -> dict[str, str]:
    named = {"ViewerArn": told.viewers, "AuthorArn": told.authors, "OwnerArn": told.owners}
    given = {name: arn for name, arn in named.items() if arn}
    if len(given) < len(named):
        missing = ", ".join(f"--{n.removesuffix('Arn').lower()}s" for n in named if n not in given)
        raise WrongUsage(
            f"Nothing says who sees, builds on or owns the dashboard: {missing} missing.",
            hint="Each is the ARN of a user or group: `aws quicksight list-groups --namespace default …` "
            "in the region where your users are.",
        )
    if len(set(given.values())) < len(named):
        raise WrongUsage(
            "Viewers, authors and owners must differ: QuickSight takes a principal once.",
            hint="Make a group for each; a user may be in several.",
        )
    regions = {found["region"] for arn in given.values() if (found := _PRINCIPAL.fullmatch(arn))}
    if len(regions) > 1:
        raise WrongUsage(
            f"The principals are in {' and '.join(sorted(regions))}: QuickSight's users live in one region.",
            hint="Take the ARNs as `aws quicksight list-groups` prints them in your identity region.",
        )
    return given
