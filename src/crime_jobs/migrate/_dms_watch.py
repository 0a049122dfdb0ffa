"""How a DMS task is, until it is over, and what that means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, CrimeJobsError, JobFailed
from crime_jobs.migrate._dms_request import WRONG_STATE
from crime_jobs.migrate.statistics import COMPLETED, ERROR

if TYPE_CHECKING:
    from crime_jobs.migrate._dms_request import Service

#: While a task is at work, and while it is being made or changed.
ACTIVE, UNSETTLED = ("starting", "running", "stopping"), ("creating", "modifying", "moving", "testing")
#: https://docs.aws.amazon.com/dms/latest/APIReference/API_ReplicationTask.html, StopReason
FINISHED = "FULL_LOAD_ONLY_FINISHED"

#: Seconds between two questions: the first, the longest.
SHORTEST, LONGEST = 0.5, 10.0
#: For so many seconds AWS may not answer before waiting is given up. The task itself goes on meanwhile.
OUTAGE = 600.0
#: So long a task that was started may still show how it was before.
STALE = 120.0

_TABLES_NAMED = 5


@dataclass(frozen=True)
class View:
    """What is to be seen of a task.

    Parameters
    ----------
    task
        DMS's ``ReplicationTask``.
    tables
        DMS's ``TableStatistics``, by schema and name.
    note
        Something to tell the user besides.
    """

    task: Mapping[str, Any]
    tables: Sequence[Mapping[str, Any]] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """The task's identifier."""
        return str(self.task["ReplicationTaskIdentifier"])

    @property
    def state(self) -> str:
        """The task's status."""
        return str(self.task["Status"])


Tell = Callable[[View], None]


def look(service: Service, arn: str) -> View:
    """Ask how a task and its tables are.

    Parameters
    ----------
    service
        DMS.
    arn
        The task.

    Returns
    -------
    View

    Raises
    ------
    AwsRefused
        If DMS does not say.
    """
    dms = service.client
    with aws.refusals(f"Looking at the DMS task {arn}"):
        asked = [{"Name": "replication-task-arn", "Values": [arn]}]
        task = dms.describe_replication_tasks(Filters=asked, WithoutSettings=True)["ReplicationTasks"][0]
        pages = dms.get_paginator("describe_table_statistics").paginate(ReplicationTaskArn=arn)
        try:
            tables = [table for page in pages for table in page["TableStatistics"]]
        except ClientError as error:  # of one that was never started there are none
            if aws.code_of(error) != WRONG_STATE:
                raise
            tables = []
    return View(task, sorted(tables, key=lambda one: (one["SchemaName"], one["TableName"])))


def follow(
    service: Service,
    arn: str,
    tell: Tell,
    until: Callable[[View], bool] = lambda view: view.state not in (*ACTIVE, *UNSETTLED),
) -> View:
    """Ask how a task is until something holds.

    Parameters
    ----------
    service
        DMS.
    arn
        The task.
    tell
        Told what is to be seen, each time.
    until
        What is waited for; by default that it is not at work.

    Returns
    -------
    View

    Raises
    ------
    AwsRefused
        If DMS refuses, or has not answered for `OUTAGE` seconds; the task itself goes on.
    """
    answered, seen, pause = time.monotonic(), None, SHORTEST
    while True:
        try:
            seen = look(service, arn)
            answered = time.monotonic()
            tell(seen)
            if until(seen):
                return seen
        except CrimeJobsError as error:
            if not aws.may_be_repeated(error) or time.monotonic() - answered > OUTAGE:
                goes_on = "The task itself goes on; `crime-jobs dms watch` waits for it again."
                raise AwsRefused(error.message, hint=f"{error.hint} {goes_on}".strip()) from error
            if seen:
                tell(View(seen.task, seen.tables, f"No answer from AWS, asking again: {error.message}"))
        time.sleep(pause)
        pause = min(LONGEST, pause * 1.3)


def begun_after(before: Mapping[str, Any]) -> tuple[Callable[[View], bool], Callable[[View], bool]]:
    """Return what tells a start of a task from an earlier one.

    Parameters
    ----------
    before
        The task as it was before it was started.

    Returns
    -------
    tuple
        Whether a view shows that the start is over, and whether it shows that start at all.
    """
    started, deadline = before.get("ReplicationTaskStartDate"), time.monotonic() + STALE

    def is_new(view: View) -> bool:
        is_later = view.task.get("ReplicationTaskStartDate") != started
        return view.state in ACTIVE or is_later or time.monotonic() > deadline

    def is_over(view: View) -> bool:
        return view.state not in (*ACTIVE, *UNSETTLED) and is_new(view)

    return is_over, is_new


def failure(view: View) -> JobFailed | None:
    """Say why a task that is over has not done its work.

    Parameters
    ----------
    view
        The task.

    Returns
    -------
    JobFailed or None
        ``None`` if every table was loaded, and every row of it.
    """
    reason = str(view.task.get("StopReason") or "no reason given")
    log = "Its log is in CloudWatch: dms-tasks-INSTANCE, if it was started with --logs and the account has "
    log += "the role dms-cloudwatch-logs-role."
    if view.state == "failed":
        said = " ".join(str(view.task.get("LastFailureMessage") or reason).split()).rstrip(".")
        return JobFailed(f"The DMS task {view.name} failed: {said}.", hint=log)
    if view.state != "stopped" or FINISHED not in reason:
        return JobFailed(
            f"The DMS task {view.name} is {view.state} before its end ({reason}).",
            hint="`crime-jobs dms start --resume` loads what is not loaded yet.",
        )
    bad = [_what(table) for table in view.tables if _what(table)]
    if bad:
        named = "; ".join(bad[:_TABLES_NAMED]) + ("; …" if len(bad) > _TABLES_NAMED else "")
        return JobFailed(
            f"The DMS task {view.name} ended with errors in {len(bad)} of {len(view.tables)} tables: "
            f"{named}.",
            hint=f"Rows in error are in the DynamoDB table awsdms_full_load_exceptions. {log}",
        )
    errored = view.task.get("ReplicationTaskStats", {}).get("TablesErrored", 0)
    if errored or not view.tables:
        return JobFailed(
            f"The DMS task {view.name} ended with {errored} tables in error, and {len(view.tables)} known.",
            hint=log,
        )
    return None


def _what(table: Mapping[str, Any]) -> str:
    """Say what is wrong with a table."""
    counts = (
        ("rows in error", table.get("FullLoadErrorRows", 0)),
        ("keys that were there", table.get("FullLoadCondtnlChkFailedRows", 0)),
    )
    said = [f"{count} {name}" for name, count in counts if count]
    state = table.get("TableState", "")
    if state != COMPLETED:
        said.insert(0, state or ERROR)
    return f"{table['SchemaName']}.{table['TableName']}: {', '.join(said)}" if said else ""


def rows(view: View) -> list[dict[str, Any]]:
    """Return what is shown of a task's tables.

    Parameters
    ----------
    view
        The task.
    """
    return [
        {
            "table": f"{one['SchemaName']}.{one['TableName']}",
            "state": one.get("TableState", ""),
            "rows": one.get("FullLoadRows", 0),
            "error_rows": one.get("FullLoadErrorRows", 0),
            "collided_rows": one.get("FullLoadCondtnlChkFailedRows", 0),
            "started": _time(one.get("FullLoadStartTime")),
            "ended": _time(one.get("FullLoadEndTime")),
        }
        for one in view.tables
    ]


def _time(moment: Any) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def summary(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of a task in a list.

    Parameters
    ----------
    task
        DMS's ``ReplicationTask``.
    """
    stats = task.get("ReplicationTaskStats", {})
    return {
        "task": task["ReplicationTaskIdentifier"],
        "state": task["Status"],
        "percent": stats.get("FullLoadProgressPercent"),
        "loaded": stats.get("TablesLoaded"),
        "errored": stats.get("TablesErrored"),
        "started": _time(task.get("ReplicationTaskStartDate")),
        "ended": _time(stats.get("StopDate")),
        "why": task.get("LastFailureMessage") or task.get("StopReason") or "",
    }
