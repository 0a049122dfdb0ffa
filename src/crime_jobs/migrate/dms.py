"""The same migration by AWS DMS: one full-load task, made once, started, watched and stopped.

A task belongs to the service, not to whoever started it: Ctrl-C leaves it running and says how it is stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

from crime_jobs import aws
from crime_jobs.errors import CrimeJobsError, Interrupted, JobFailed, WrongUsage
from crime_jobs.migrate import _dms_request as requests
from crime_jobs.migrate._dms_request import EXISTS, NOT_FOUND, WRONG_STATE, Service, Wanted, task_of
from crime_jobs.migrate._dms_watch import (
    ACTIVE,
    UNSETTLED,
    Tell,
    View,
    begun_after,
    failure,
    follow,
    look,
    rows,
    summary,
)

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

__all__ = [
    "Tell",
    "View",
    "Wanted",
    "failure",
    "listed",
    "planned",
    "rows",
    "start",
    "status",
    "stop",
    "task_of",
    "watch",
]

#: What is said at the end of each load. The option is needed since our own ledger knows nothing of it.
NOT_VALIDATED = (
    "DMS does not validate what it put into DynamoDB. Our own validation does, row by row, under the same "
    "mapping: `crime-jobs migrate validate --moved-elsewhere`."
)


def planned(settings: Settings, wanted: Wanted) -> list[dict[str, Any]]:
    """Return the requests that `start` would send, in their order; nothing is sent but questions.

    Parameters
    ----------
    settings
        Region, environment.
    wanted
        The task.

    Returns
    -------
    list of dict
        One key each: the operation.
    """
    service = Service(settings)
    asked = requests.request(service, wanted)
    task = requests.find(service, wanted.task)
    arn = task["ReplicationTaskArn"] if task else "(its ARN is in the answer)"
    if task is None:
        first = [{"CreateReplicationTask": asked}]
    else:
        changes = requests.differences(task, asked)
        first = [{"ModifyReplicationTask": {"ReplicationTaskArn": arn, **changes}}] if changes else []
    kind = _kind(task, wanted)
    begin = {"StartReplicationTask": {"ReplicationTaskArn": arn, "StartReplicationTaskType": kind}}
    return [*first, begin]


def start(settings: Settings, wanted: Wanted, tell: Tell, *, wait: bool = True) -> View:
    """Make a task if there is none of that name, start it, and wait for its end.

    Parameters
    ----------
    settings
        Region, environment.
    wanted
        The task.
    tell
        Told what is to be seen.
    wait
        Whether to wait for its end.

    Returns
    -------
    View
        The task; at its end, if that was waited for. See `failure`.

    Raises
    ------
    WrongUsage
        If it is at work already, or an endpoint or the instance is not there.
    BadInput
        If the mapping can't be used.
    JobFailed
        If DMS can't reach the source or the target.
    Interrupted
        After Ctrl-C; says what became of the task.
    AwsRefused
        If DMS refuses.
    """
    service = Service(settings)
    asked = requests.request(service, wanted)
    task = requests.find(service, wanted.task)
    if task and task["Status"] in ACTIVE:
        raise WrongUsage(
            f"The DMS task {wanted.task} is {task['Status']} already.",
            hint=f"`crime-jobs dms watch {wanted.task}` waits for it, "
            f"`crime-jobs dms stop {wanted.task}` stops it.",
        )
    try:
        task = _make_or_change(service, task, asked, tell)
        _reach(service, task, tell)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted. The DMS task {wanted.task} was not started.") from error
    try:
        _send_start(service, task, _kind(task, wanted))
        arn = task["ReplicationTaskArn"]
        if not wait:
            return look(service, arn)
        is_over, is_new = begun_after(task)
        # What an earlier start had done is not to be taken for what this one does.
        return follow(service, arn, lambda view: tell(view) if is_new(view) else None, is_over)
    except KeyboardInterrupt as error:
        raise _left(wanted.task) from error


def watch(settings: Settings, name: str, tell: Tell) -> View:
    """Wait for the end of a task.

    Parameters
    ----------
    settings
        Region.
    name
        Its identifier.
    tell
        Told what is to be seen.

    Returns
    -------
    View
        See `failure`.

    Raises
    ------
    WrongUsage
        If it is not there, or was never started.
    Interrupted
        After Ctrl-C.
    """
    service = Service(settings)
    task = requests.the_task(service, name)
    if task["Status"] == "ready" and not task.get("ReplicationTaskStartDate"):
        raise WrongUsage(
            f"The DMS task {name} was never started.", hint=f"`crime-jobs dms start {name}` starts it."
        )
    try:
        return follow(service, task["ReplicationTaskArn"], tell)
    except KeyboardInterrupt as error:
        raise _left(name) from error


def stop(settings: Settings, name: str, tell: Tell) -> View:
    """Stop a task and wait until it is; one that is not at work stays as it is.

    Parameters
    ----------
    settings
        Region.
    name
        Its identifier.
    tell
        Told what is to be seen.

    Returns
    -------
    View

    Raises
    ------
    WrongUsage
        If it is not there.
    Interrupted
        After Ctrl-C.
    AwsRefused
        If DMS refuses.
    """
    service = Service(settings)
    arn = requests.the_task(service, name)["ReplicationTaskArn"]
    try:
        # DMS stops a task that runs, and refuses for one that only is about to.
        seen = follow(service, arn, tell, lambda view: view.state != "starting")
        if seen.state == "running":
            _send_stop(service, arn, name)
            seen = follow(service, arn, tell)
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"Interrupted while the DMS task {name} was being stopped.",
            hint=f"`crime-jobs dms status {name}` shows what became of it.",
        ) from error
    else:
        return seen


def status(settings: Settings, name: str) -> View:
    """Return how a task is.

    Parameters
    ----------
    settings
        Region.
    name
        Its identifier.
    """
    service = Service(settings)
    return look(service, requests.the_task(service, name)["ReplicationTaskArn"])


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Return all tasks of the region, a row each.

    Parameters
    ----------
    settings
        Region.
    """
    service = Service(settings)
    with aws.refusals("Listing DMS tasks"):
        pages = service.client.get_paginator("describe_replication_tasks")
        found = [task for page in pages.paginate(WithoutSettings=True) for task in page["ReplicationTasks"]]
    return [summary(task) for task in found]


def _kind(task: dict[str, Any] | None, wanted: Wanted) -> str:
    """Return how a task is to be started: DMS refuses all but one for its first time, and that one later."""
    if task is None or not task.get("ReplicationTaskStartDate"):
        return "start-replication"
    return "resume-processing" if wanted.resume else "reload-target"


def _make_or_change(
    service: Service, task: dict[str, Any] | None, asked: dict[str, Any], tell: Tell
) -> dict[str, Any]:
    """Return the task as it is asked for, once it can be started."""
    name, dms = asked["ReplicationTaskIdentifier"], service.client
    if task is None:
        with aws.refusals(f"Making the DMS task {name}"):
            try:
                dms.create_replication_task(**asked)
            except ClientError as error:
                # An answer that was lost, and boto3 has asked again; or somebody else was a moment earlier.
                if aws.code_of(error) != EXISTS:
                    raise
        task = requests.the_task(service, name)
    _settle(service, task, tell)
    if changes := requests.differences(task, asked):
        with aws.refusals(f"Changing the DMS task {name}"):
            dms.modify_replication_task(ReplicationTaskArn=task["ReplicationTaskArn"], **changes)
        _settle(service, task, tell)
    return requests.the_task(service, name)


def _settle(service: Service, task: dict[str, Any], tell: Tell) -> None:
    """Wait until a task is made or changed."""

    def show(view: View) -> None:
        if view.state in UNSETTLED:
            tell(View(view.task))

    follow(service, task["ReplicationTaskArn"], show, lambda view: view.state not in UNSETTLED)


def _reach(service: Service, task: dict[str, Any], tell: Tell) -> None:
    """Have DMS test the ways to source and target: it starts no task whose endpoints it has never reached."""
    for member in ("SourceEndpointArn", "TargetEndpointArn"):
        _test(service, task, task[member], tell)


def _test(service: Service, task: dict[str, Any], endpoint: str, tell: Tell) -> None:
    dms, instance = service.client, task["ReplicationInstanceArn"]
    known = _connection(service, instance, endpoint)
    if known.get("Status") == "successful":
        return
    with aws.refusals(f"Testing the connection to {endpoint}"):
        try:
            dms.test_connection(ReplicationInstanceArn=instance, EndpointArn=endpoint)
        except ClientError as error:  # it is being tested: somebody else asked, or we did
            if aws.code_of(error) != WRONG_STATE:
                raise

    def tested(view: View) -> bool:
        known.clear()
        known.update(_connection(service, instance, endpoint))
        tell(View(view.task, note=f"testing the connection to {known.get('EndpointIdentifier', endpoint)}"))
        return known.get("Status") in ("successful", "failed")

    follow(service, task["ReplicationTaskArn"], tell, tested)
    if known["Status"] == "failed":
        said = " ".join(str(known.get("LastFailureMessage", "no reason given")).split()).rstrip(".")
        raise JobFailed(
            f"DMS can't reach {known['EndpointIdentifier']}: {said}.",
            hint="Look at the endpoint's secret, the roles, the security groups and the address. "
            "No row was moved.",
        )


def _connection(service: Service, instance: str, endpoint: str) -> dict[str, Any]:
    filters = {"endpoint-arn": endpoint, "replication-instance-arn": instance}
    with aws.refusals(f"Asking for the connection to {endpoint}"):
        try:
            found = service.client.describe_connections(
                Filters=[{"Name": name, "Values": [value]} for name, value in filters.items()]
            )["Connections"]
        except ClientError as error:
            if aws.code_of(error) != NOT_FOUND:
                raise
            found = []
    return dict(found[0]) if found else {}


def _send_start(service: Service, task: dict[str, Any], kind: str) -> None:
    """Send ``StartReplicationTask``; repeated by boto3 after a lost answer, it is refused: then look."""
    name, arn = task["ReplicationTaskIdentifier"], task["ReplicationTaskArn"]
    with aws.refusals(f"Starting the DMS task {name}"):
        try:
            service.client.start_replication_task(ReplicationTaskArn=arn, StartReplicationTaskType=kind)
        except (ClientError, HTTPClientError, ConnectionError):
            now = requests.the_task(service, name)
            is_new = now.get("ReplicationTaskStartDate") != task.get("ReplicationTaskStartDate")
            if now["Status"] not in ACTIVE and not is_new:
                raise


def _send_stop(service: Service, arn: str, name: str) -> None:
    with aws.refusals(f"Stopping the DMS task {name}"):
        try:
            service.client.stop_replication_task(ReplicationTaskArn=arn)
        except ClientError as error:  # it has ended, or is being stopped
            if aws.code_of(error) != WRONG_STATE:
                raise


def _left(name: str) -> CrimeJobsError:
    return Interrupted(
        f"Interrupted. The DMS task {name} goes on: it belongs to the service.",
        hint=f"`crime-jobs dms watch {name}` waits for it, `crime-jobs dms stop {name}` stops it.",
    )
