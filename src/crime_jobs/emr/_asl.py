"""The state machine of a chain: each part waits for the one before, and SNS hears of the end.

Amazon States Language with JSONata
(https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html), so that an argument of a job
is a string of a list, as everywhere: nothing is put together by a formatting function.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Stands in arguments for what tells runs from each other; EventBridge Scheduler fills it in
#: (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html).
#: It names the execution of a state machine, so a state machine takes its execution's name for it.
EXECUTION = "<aws.scheduler.execution-id>"

BEGIN, START, END, CHOICE = "Begin", "Start cluster", "End cluster", "How it went"
DONE, FAILED, SAY_DONE, SAY_FAILED = "Done", "Failed", "Say it is done", "Say it failed"

#: A task whose work failed is not run again; a call that the service had no time for is.
_RETRIED = {
    "elasticmapreduce": (
        "ElasticMapReduce.AmazonElasticMapReduceException",
        "ElasticMapReduce.ThrottlingException",
        "ElasticMapReduce.InternalServerException",
    ),
    "emr-serverless": ("EMRServerless.ThrottlingException", "EMRServerless.InternalServerException"),
    "sns": ("SNS.ThrottledException", "SNS.InternalErrorException", "SNS.KMSThrottlingException"),
}
#: The part of a cause that a message has room for; SNS takes 256 KB, a reader less.
_CAUSE_CHARACTERS = 4000
#: SNS's own limit for a subject.
_SUBJECT_CHARACTERS = 100


def machine(
    title: str,
    parts: Sequence[tuple[str, Mapping[str, Any], bool]],
    *,
    service: str,
    topic: str,
    timeout_seconds: int,
    cluster_request: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the definition of a state machine.

    Parameters
    ----------
    title
        What the chain is, for the subject of the messages.
    parts
        Name, arguments of the task, and whether the chain goes on when it fails.
    service
        ``elasticmapreduce`` (the arguments are those of ``addStep``, without ``ClusterId`` if a cluster is
        started) or ``emr-serverless`` (those of ``startJobRun``).
    topic
        ARN of the SNS topic.
    timeout_seconds
        How long one part may take.
    cluster_request
        ``RunJobFlow`` of a cluster that is started for the chain and ended after it.

    Returns
    -------
    dict
        See https://states-language.net/spec.html.
    """
    partition = topic.split(":")[1]
    names = [f"{number} {name}"[:80] for number, (name, _, _) in enumerate(parts, 1)]
    tail = END if cluster_request else CHOICE
    states: dict[str, Any] = {
        BEGIN: {
            "Type": "Pass",
            "Assign": {"failed": [], "end": {"Error": "", "Cause": ""}},
            "Next": START if cluster_request else names[0],
        }
    }
    if cluster_request:
        states |= _cluster_states(partition, cluster_request, names[0], timeout_seconds)
    for name, following, (_, arguments, go_on) in zip(names, [*names[1:], tail], parts, strict=True):
        resource = "addStep.sync" if service == "elasticmapreduce" else "startJobRun.sync"
        given = literal(arguments) | ({"ClusterId": "{% $cluster %}"} if cluster_request else {})
        states[name] = {
            **_task(partition, service, resource, given),
            "TimeoutSeconds": timeout_seconds,
            "Catch": [_caught_but_on(name, following) if go_on else _caught(name, tail)],
            "Next": following,
        }
    return {
        "Comment": title,
        "QueryLanguage": "JSONata",
        "StartAt": BEGIN,
        "States": states | _end_states(partition, title, topic),
    }


def literal(value: Any) -> Any:
    """Make strings mean themselves, and the mark of the execution mean its name.

    Parameters
    ----------
    value
        Anything that JSON can hold.

    Returns
    -------
    object
        The same, its strings such that JSONata gives them back.
    """
    if isinstance(value, str):
        if EXECUTION in value:
            pieces = [json.dumps(piece) for piece in value.split(EXECUTION)]
            return f"{{% {' & $states.context.Execution.Name & '.join(pieces)} %}}"
        return f"{{% {json.dumps(value)} %}}" if value.startswith("{%") or value.endswith("%}") else value
    if isinstance(value, Mapping):
        return {key: literal(inner) for key, inner in value.items()}
    return [literal(inner) for inner in value] if isinstance(value, list | tuple) else value


def _task(partition: str, service: str, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:{partition}:states:::{service}:{action}",
        "Arguments": dict(arguments),
        "Retry": [
            {
                "ErrorEquals": list(_RETRIED[service]),
                "IntervalSeconds": 5,
                "BackoffRate": 2,
                "MaxAttempts": 5,
                "MaxDelaySeconds": 60,
                "JitterStrategy": "FULL",
            }
        ],
    }


def _caught(name: str, following: str) -> dict[str, Any]:
    return {
        "ErrorEquals": ["States.ALL"],
        "Assign": {
            "failed": f"{{% $append($failed, {json.dumps(name)}) %}}",
            "end": "{% $states.errorOutput %}",
        },
        "Next": following,
    }


def _caught_but_on(name: str, following: str) -> dict[str, Any]:
    caught = _caught(name, following)
    return caught | {"Assign": {"failed": caught["Assign"]["failed"]}}


def _cluster_states(
    partition: str, request: Mapping[str, Any], first: str, timeout_seconds: int
) -> dict[str, Any]:
    start = _task(partition, "elasticmapreduce", "createCluster.sync", literal(request))
    end = _task(partition, "elasticmapreduce", "terminateCluster", {"ClusterId": "{% $cluster %}"})
    return {
        START: {
            **start,
            "TimeoutSeconds": timeout_seconds,
            "Assign": {"cluster": "{% $states.result.ClusterId %}"},
            "Catch": [_caught(START, CHOICE)],
            "Next": first,
        },
        # A cluster that can't be ended here ends by itself when it has been idle.
        END: {**end, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": CHOICE}], "Next": CHOICE},
    }


def _end_states(partition: str, title: str, topic: str) -> dict[str, Any]:
    ended = "$states.context.Execution.Id"
    beside = "$count($failed) > 0 ? ' Failed on the way: ' & $join($failed, ', ') & '.' : ''"
    done = f"{{% {json.dumps(f'{title} is done.')} & ({beside}) & ' ' & {ended} %}}"
    failed = (
        f"{{% {json.dumps(f'{title} failed at ')} & $join($failed, ', ') & ': ' & $end.Error & ' ' & "
        f"$substring($end.Cause, 0, {_CAUSE_CHARACTERS}) & ' ' & {ended} %}}"
    )
    return {
        CHOICE: {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $end.Error != '' %}", "Next": SAY_FAILED}],
            "Default": SAY_DONE,
        },
        SAY_DONE: {**_publish(partition, topic, f"{title}: done", done), "Next": DONE},
        SAY_FAILED: {
            **_publish(partition, topic, f"{title}: failed", failed),
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": FAILED}],  # the chain's own failure is told
            "Next": FAILED,
        },
        DONE: {"Type": "Succeed"},
        FAILED: {
            "Type": "Fail",
            "Error": "{% $end.Error %}",
            "Cause": "{% $exists($end.Cause) ? $end.Cause : '' %}",
        },
    }


def _publish(partition: str, topic: str, subject: str, message: str) -> dict[str, Any]:
    plain = subject.encode("ascii", "replace").decode()[:_SUBJECT_CHARACTERS]
    arguments = {"TopicArn": topic, "Subject": literal(plain), "Message": message}
    return _task(partition, "sns", "publish", arguments)
