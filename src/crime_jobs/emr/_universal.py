"""What EventBridge Scheduler is told to call, and the call that it then makes.

A universal target is the ARN of an operation and its parameters as JSON
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html). The members are
written with a capital, as AWS's SDK for Java has them, also where the service itself writes them small.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crime_jobs.emr._asl import EXECUTION
from crime_jobs.errors import CrimeJobsError, WrongUsage

#: A service's name in a target's ARN, and boto3's.
SERVICES = {"emr": "emr", "emrserverless": "emr-serverless", "sfn": "stepfunctions"}
_TARGET = re.compile(r"arn:[\w-]+:scheduler:::aws-sdk:(?P<service>\w+):(?P<operation>\w+)")
#: Of the same kind as `EXECUTION`; nothing here uses them, and who makes a schedule by hand may.
_TIME, _ARN, _ATTEMPT = (
    "<aws.scheduler.scheduled-time>",
    "<aws.scheduler.schedule-arn>",
    "<aws.scheduler.attempt-number>",
)


@dataclass(frozen=True)
class Call:
    """A call of an SDK.

    Parameters
    ----------
    service
        As boto3 names it.
    operation
        As the service names it, for example ``AddJobFlowSteps``.
    parameters
        As boto3 takes them.
    """

    service: str
    operation: str
    parameters: dict[str, Any]

    @property
    def method(self) -> str:
        """The method of boto3's client."""
        from botocore import xform_name

        return str(xform_name(self.operation))


def target(call: Call, partition: str) -> dict[str, str]:
    """Return ``Arn`` and ``Input`` of a universal target.

    Parameters
    ----------
    call
        What it is to call; `EXECUTION` in it is what tells runs from each other.
    partition
        ``aws``, or that of another part of AWS.

    Returns
    -------
    dict

    Raises
    ------
    WrongUsage
        If the service would refuse the parameters.
    """
    shape = _input_shape(call.service, call.operation)
    check(call, "example-execution")
    name = next(name for name, boto in SERVICES.items() if boto == call.service)
    operation = call.operation[0].lower() + call.operation[1:]
    renamed = _renamed(call.parameters, shape, _with_capital)
    return {
        "Arn": f"arn:{partition}:scheduler:::aws-sdk:{name}:{operation}",
        "Input": json.dumps(renamed, ensure_ascii=False),
    }


def check(call: Call, execution: str) -> None:
    """Hold a call against the service's own model.

    Parameters
    ----------
    call
        The call.
    execution
        What stands for the id of an execution.

    Raises
    ------
    WrongUsage
        If the service would refuse it.
    """
    from botocore.validate import ParamValidator

    parameters = json.loads(json.dumps(call.parameters).replace(EXECUTION, execution))
    report = ParamValidator().validate(parameters, _input_shape(call.service, call.operation))
    if report.has_errors():
        raise WrongUsage(f"{call.operation} would be refused: {report.generate_report()}")


def render(schedule: Mapping[str, Any], execution: str, at: datetime | None = None) -> Call:
    """Return the call that a schedule makes.

    Parameters
    ----------
    schedule
        As ``GetSchedule`` gives it.
    execution
        The id of this invocation.
    at
        When it is due; by default now.

    Returns
    -------
    Call

    Raises
    ------
    CrimeJobsError
        If it was not made by crime-jobs.
    """
    arn = schedule["Target"]["Arn"]
    found = _TARGET.fullmatch(arn)
    if not found or found["service"] not in SERVICES:
        raise CrimeJobsError(
            f"Schedule {schedule['Name']} calls {arn}, which crime-jobs does not make.",
            hint="It was made by somebody else; `aws scheduler get-schedule` shows it.",
        )
    told = schedule["Target"].get("Input", "{}")
    when = (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    context = {EXECUTION: execution, _TIME: when, _ARN: schedule.get("Arn", ""), _ATTEMPT: "1"}
    for mark, value in context.items():
        told = told.replace(mark, value)
    service = SERVICES[found["service"]]
    operation = _with_capital(found["operation"])
    shape = _input_shape(service, operation)
    members = _members(shape)
    return Call(service, operation, _renamed(json.loads(told), shape, lambda name: members.get(name, name)))


def _with_capital(name: str) -> str:
    return name[0].upper() + name[1:]


@functools.cache  # to read a service's model takes longer than all else here
def _input_shape(service: str, operation: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def _members(shape: Any) -> dict[str, str]:
    """Return the names with a capital, of a structure and all within it, and what the service calls them."""
    found: dict[str, str] = {}
    seen: set[str] = set()

    def walk(inner: Any) -> None:
        if inner.name in seen:
            return
        seen.add(inner.name)
        if inner.type_name == "structure":
            for name, member in inner.members.items():
                found[_with_capital(name)] = name
                walk(member)
        elif inner.type_name == "list":
            walk(inner.member)
        elif inner.type_name == "map":
            walk(inner.value)

    walk(shape)
    return found


def _renamed(value: Any, shape: Any, name: Callable[[str], str]) -> Any:
    """Rename the members of structures; the keys of a map are the user's own and stay."""
    if shape is None:
        return value
    if shape.type_name == "structure":
        members = shape.members
        return {
            name(key): _renamed(inner, members.get(key) or members.get(name(key)), name)
            for key, inner in value.items()
        }
    if shape.type_name == "list":
        return [_renamed(inner, shape.member, name) for inner in value]
    if shape.type_name == "map":
        return {key: _renamed(inner, shape.value, name) for key, inner in value.items()}
    return value
