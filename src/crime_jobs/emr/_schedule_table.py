"""The table ``[ENV.schedule]`` of crime-jobs.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from crime_jobs import aws
from crime_jobs.emr import _cron
from crime_jobs.errors import WrongUsage
from crime_jobs.model.sections import read_table

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

Arn = Annotated[str, Field(pattern=r"^arn:[\w-]+:")]


class Table(BaseModel):
    """The table ``[ENV.schedule]`` of crime-jobs.toml; the stack in `crime_jobs.cloud` outputs its ARNs.

    Parameters
    ----------
    role
        ARN of the role that EventBridge Scheduler has when it starts something.
    dead_letter_queue
        ARN of the SQS queue for what could not be started.
    topic
        ARN of the SNS topic that hears of a chain's end.
    machine_role
        ARN of the role of a chain's state machine.
    group
        Name of the schedule group; by default ``crime-jobs-ENV``.
    timezone
        Where a cron expression's hours are read.
    retries, retry_minutes
        How often, and for how long, a start that failed is tried again.
    hours
        How long one part of a chain may take.
    key
        ARN of a KMS key for the schedules; by default EventBridge's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Arn | None = None
    dead_letter_queue: Arn | None = None
    topic: Arn | None = None
    machine_role: Arn | None = None
    group: Annotated[str, Field(pattern=r"^[0-9A-Za-z_.-]{1,64}$")] | None = None
    timezone: str = "Asia/Kolkata"
    retries: Annotated[int, Field(ge=0, le=185)] = 3
    retry_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    hours: Annotated[int, Field(ge=1, le=168)] = 12
    key: Arn | None = None


def table_of(settings: Settings) -> Table:
    """Read and check the table, each ARN's region included.

    Parameters
    ----------
    settings
        Its ``schedule`` is the table.

    Returns
    -------
    Table

    Raises
    ------
    WrongUsage
        Naming the key that is not known, has a wrong value or names another region.
    """
    table = read_table(
        Table, "schedule", settings.schedule, hint=f"It takes: {', '.join(Table.model_fields)}."
    )
    for key in ("role", "dead_letter_queue", "topic", "machine_role", "key"):
        if value := getattr(table, key):
            aws.check_arn(value, settings, f"{key} of [{settings.env}.schedule]")
    _cron.zone(table.timezone)
    return table


def needed(settings: Settings, table: Table, key: str) -> str:
    """Return an ARN that must be there.

    Parameters
    ----------
    settings, table
        Where it is looked for.
    key
        Its key.

    Raises
    ------
    WrongUsage
        If it is not.
    """
    value = getattr(table, key)
    if not value:
        raise WrongUsage(
            f"[{settings.env}.schedule] of crime-jobs.toml has no {key}.",
            hint="The stack src/crime_jobs/cloud/schedules.yaml makes it, and has its ARN among its outputs.",
        )
    return str(value)
