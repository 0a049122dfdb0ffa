"""Schedules: EventBridge Scheduler starts a step or a job run, or the state machine of a chain."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.emr import _cron, _machines
from crime_jobs.emr._asl import EXECUTION
from crime_jobs.emr._schedule_table import Table, needed, table_of
from crime_jobs.emr._universal import Call, render, target
from crime_jobs.emr.runs import new_token
from crime_jobs.errors import AwsRefused, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.emr._planned import Plan
    from crime_jobs.settings import Settings

__all__ = ["Table", "add", "listed", "remove", "render", "run_now", "switch", "table_of"]

#: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html, Name and Description
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)
_DESCRIPTION_CHARACTERS = 512
_PACKAGE = re.compile(r"package ([0-9a-f]+)")
#: The names that are verbs of `crime-jobs schedule`.
VERBS = ("add", "list", "pause", "resume", "remove", "run-now")


def add(settings: Settings, plan: Plan) -> dict[str, Any]:
    """Make a schedule, or change the one of that name: whether it is paused stays as it is.

    Parameters
    ----------
    settings
        Region, ``[ENV.schedule]``.
    plan
        What is to run when, and from which package.

    Returns
    -------
    dict
        Its row, as `listed` has it.

    Raises
    ------
    WrongUsage
        If the table has not got what is needed.
    AwsRefused
        If AWS refuses. A state machine that was made for it is removed again.
    """
    table = table_of(settings)
    sent = wanted(settings, table, plan)
    scheduler = aws.client("scheduler", settings)
    with aws.refusals(f"Scheduling {plan.name}"):
        _make_group(scheduler, sent["GroupName"], settings)
        before = _get(scheduler, plan.name, sent["GroupName"])
        with _machine(settings, table, plan):
            if before is None:
                scheduler.create_schedule(**sent)
            else:
                scheduler.update_schedule(**{**sent, "State": before["State"]})
        if before and not plan.definition and (machine := _machines.of(before)):
            _machines.remove(settings, machine)
    return row(settings, plan.name)


def wanted(settings: Settings, table: Table, plan: Plan) -> dict[str, Any]:
    """Return what ``CreateSchedule`` is sent.

    Parameters
    ----------
    settings, table
        Roles and the like.
    plan
        What is to run when.

    Returns
    -------
    dict
        https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
    """
    if not _NAME.fullmatch(plan.name) or plan.name in VERBS:
        raise WrongUsage(
            f"{plan.name!r} can't be a schedule's name.",
            hint="Give --name with letters, digits, and . _ -, at most 64.",
        )
    role = needed(settings, table, "role")
    call = plan.call or machine_call(settings, table, plan)
    sent = {
        "Name": plan.name,
        "GroupName": group(settings, table),
        "Description": f"{plan.title}; package {plan.package}"[-_DESCRIPTION_CHARACTERS:],
        "ScheduleExpression": plan.cron.expression,
        "ScheduleExpressionTimezone": plan.zone.key,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "KmsKeyArn": table.key,
        "Target": {
            **target(call, role.split(":")[1]),
            "RoleArn": role,
            "DeadLetterConfig": {"Arn": needed(settings, table, "dead_letter_queue")},
            "RetryPolicy": {
                "MaximumRetryAttempts": table.retries,
                "MaximumEventAgeInSeconds": table.retry_minutes * 60,
            },
        },
    }
    return {key: value for key, value in sent.items() if value is not None}


def machine_call(settings: Settings, table: Table, plan: Plan) -> Call:
    """Return the call that starts a chain's state machine: an execution a run, named after it."""
    arn = _machines.arn(settings, needed(settings, table, "machine_role"), plan.name)
    parameters = {"stateMachineArn": arn, "name": EXECUTION, "input": "{}"}
    return Call("stepfunctions", "StartExecution", parameters)


@contextmanager
def _machine(settings: Settings, table: Table, plan: Plan) -> Iterator[None]:
    """Make the state machine that the plan needs; take it away again if the block fails and it is new."""
    if not plan.definition:
        yield
        return
    role = needed(settings, table, "machine_role")
    arn, is_new = _machines.put(settings, role, plan.name, plan.definition)
    try:
        yield
    except BaseException:
        if is_new:
            _machines.remove(settings, arn)
        raise


def group(settings: Settings, table: Table) -> str:
    """Return the name of the environment's schedule group."""
    return table.group or f"crime-jobs-{settings.env}"


def _make_group(scheduler: Any, name: str, settings: Settings) -> None:
    tags = [{"Key": "project", "Value": "crime-jobs"}, {"Key": "environment", "Value": settings.env}]
    try:
        scheduler.get_schedule_group(Name=name)
    except scheduler.exceptions.ResourceNotFoundException:
        with suppress(scheduler.exceptions.ConflictException):  # somebody made it meanwhile
            scheduler.create_schedule_group(Name=name, Tags=tags)


def _get(scheduler: Any, name: str, group_name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = scheduler.get_schedule(Name=name, GroupName=group_name)
    except scheduler.exceptions.ResourceNotFoundException:
        return None
    return found


def get(settings: Settings, name: str) -> dict[str, Any]:
    """Return a schedule as ``GetSchedule`` gives it.

    Parameters
    ----------
    settings
        Region, group.
    name
        Its name.

    Raises
    ------
    WrongUsage
        If there is none.
    AwsRefused
        If AWS refuses.
    """
    group_name = group(settings, table_of(settings))
    with aws.refusals(f"Looking for schedule {name}"):
        found = _get(aws.client("scheduler", settings), name, group_name)
    if found is None:
        raise WrongUsage(
            f"There is no schedule {name!r} in group {group_name}.",
            hint="`crime-jobs schedule list` shows those there are.",
        )
    return found


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Return the schedules of the environment.

    Parameters
    ----------
    settings
        Region, group.

    Returns
    -------
    list of dict
        A row each, as `row` makes it.
    """
    group_name = group(settings, table_of(settings))
    scheduler = aws.client("scheduler", settings)
    names: list[str] = []
    with aws.refusals("Listing schedules"):
        try:
            for page in scheduler.get_paginator("list_schedules").paginate(GroupName=group_name):
                names += [item["Name"] for item in page["Schedules"]]
        except scheduler.exceptions.ResourceNotFoundException:
            return []  # no group yet
    return [row(settings, name) for name in sorted(names)]


def row(settings: Settings, name: str) -> dict[str, Any]:
    """Return what is to be known of a schedule.

    Parameters
    ----------
    settings
        Region, group.
    name
        Its name.
    """
    found = get(settings, name)
    description = found.get("Description", "")
    package = _PACKAGE.search(description)
    expression, zone_name = found["ScheduleExpression"], found.get("ScheduleExpressionTimezone", "UTC")
    runs = next_runs(expression, zone_name, 1) if found["State"] == "ENABLED" else []
    return {
        "name": name,
        "does": description.partition("; package")[0].partition(" on ")[0],
        "cron": expression.removeprefix("cron(").removesuffix(")"),
        "timezone": zone_name,
        "next": runs[0].isoformat(timespec="minutes") if runs else None,
        "state": {"ENABLED": "on", "DISABLED": "paused"}[found["State"]],
        "target": where(found),
        "package": package[1] if package else None,
    }


def where(schedule: Mapping[str, Any]) -> str:
    """Return where a schedule runs its work: a cluster, an application, a state machine."""
    call = render(schedule, "example")
    keys = ("JobFlowId", "applicationId", "stateMachineArn")
    found = next((str(call.parameters[key]) for key in keys if key in call.parameters), "transient")
    return found.rpartition(":")[2]


def next_runs(expression: str, zone_name: str, number: int) -> list[datetime]:
    """Return when an expression is due next.

    Parameters
    ----------
    expression
        ``cron(…)``; of other kinds nothing is said.
    zone_name
        Time zone.
    number
        How many.
    """
    if not expression.startswith("cron("):
        return []
    runs = _cron.parse(expression).runs(_cron.zone(zone_name), datetime.now(UTC))
    return list(itertools.islice(runs, number))


def switch(settings: Settings, name: str, *, on: bool) -> dict[str, Any]:
    """Pause a schedule or resume it; everything else about it stays.

    Parameters
    ----------
    settings
        Region, group.
    name
        Its name.
    on
        Whether it is to run.

    Returns
    -------
    dict
        Its row.
    """
    found = get(settings, name)
    scheduler = aws.client("scheduler", settings)
    # UpdateSchedule sets what it isn't told to its default: all of it is told again.
    takes = scheduler.meta.service_model.operation_model("UpdateSchedule").input_shape.members
    kept = {key: value for key, value in found.items() if key in takes}
    with aws.refusals(f"{'Resuming' if on else 'Pausing'} schedule {name}"):
        scheduler.update_schedule(**{**kept, "State": "ENABLED" if on else "DISABLED"})
    return row(settings, name)


def remove(settings: Settings, name: str) -> None:
    """Remove a schedule, and the state machine that was made for it.

    Parameters
    ----------
    settings
        Region, group.
    name
        Its name.
    """
    found = get(settings, name)
    with aws.refusals(f"Removing schedule {name}"):
        aws.client("scheduler", settings).delete_schedule(Name=name, GroupName=found["GroupName"])
        if machine := _machines.of(found):
            _machines.remove(settings, machine)


def run_now(settings: Settings, name: str) -> dict[str, Any]:
    """Send now what the schedule sends when it is due.

    Parameters
    ----------
    settings
        Region, group.
    name
        Its name.

    Returns
    -------
    dict
        ``operation``, and the ``id`` that the service gave.

    Raises
    ------
    AwsRefused
        If it is refused.
    """
    call = render(get(settings, name), new_token())
    with aws.refusals(f"Running {name} now"):
        answer = getattr(aws.client(call.service, settings, attempts=1), call.method)(**call.parameters)
    for key in ("jobRunId", "executionArn", "JobFlowId"):
        if key in answer:
            return {"schedule": name, "operation": call.operation, "id": answer[key]}
    steps: Sequence[str] = answer.get("StepIds", [])
    if not steps:
        raise AwsRefused(f"Running {name} now: {call.operation} gave no id.")
    return {"schedule": name, "operation": call.operation, "id": steps[0]}
