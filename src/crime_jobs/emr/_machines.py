"""State machines of schedules: one a schedule, named after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.emr._universal import render
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html, name
_NAME_CHARACTERS = 80


def arn(settings: Settings, role: str, schedule: str) -> str:
    """Return the ARN of a schedule's state machine.

    Parameters
    ----------
    settings
        Region and environment.
    role
        ARN of its role, which says partition and account.
    schedule
        The schedule's name.
    """
    name = f"crime-jobs-{settings.env}-{schedule}"
    if len(name) > _NAME_CHARACTERS:
        raise WrongUsage(
            f"The state machine's name {name} has more than {_NAME_CHARACTERS} characters.",
            hint="Give a shorter --name.",
        )
    _, partition, _, _, account, _ = role.split(":", 5)
    return f"arn:{partition}:states:{aws.region(settings)}:{account}:stateMachine:{name}"


def put(settings: Settings, role: str, schedule: str, definition: Mapping[str, Any]) -> tuple[str, bool]:
    """Make or change the state machine of a schedule.

    Parameters
    ----------
    settings
        Region and environment.
    role
        ARN of its role.
    schedule
        The schedule's name.
    definition
        What it does.

    Returns
    -------
    tuple
        Its ARN, and whether it is new.

    Raises
    ------
    WrongUsage
        If the name is too long.
    """
    machine = arn(settings, role, schedule)
    sfn = aws.client("stepfunctions", settings)
    text = json.dumps(definition, ensure_ascii=False)
    try:
        sfn.update_state_machine(stateMachineArn=machine, definition=text, roleArn=role)
    except sfn.exceptions.StateMachineDoesNotExist:
        tags = [
            {"key": "project", "value": "crime-jobs"},
            {"key": "environment", "value": settings.env},
        ]
        made = sfn.create_state_machine(
            name=machine.rpartition(":")[2], definition=text, roleArn=role, type="STANDARD", tags=tags
        )
        return str(made["stateMachineArn"]), True
    return machine, False


def of(schedule: Mapping[str, Any]) -> str | None:
    """Return the state machine that a schedule starts, or ``None``.

    Parameters
    ----------
    schedule
        As ``GetSchedule`` gives it.
    """
    call = render(schedule, "example")
    return call.parameters.get("stateMachineArn") if call.service == "stepfunctions" else None


def remove(settings: Settings, machine: str) -> None:
    """Remove a state machine; executions that run end first.

    Parameters
    ----------
    settings
        Region.
    machine
        Its ARN.
    """
    aws.client("stepfunctions", settings).delete_state_machine(stateMachineArn=machine)
