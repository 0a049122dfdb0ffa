"""What DMS is asked for: one replication task, from the same table mapping that our own migration reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.errors import WrongUsage
from crime_jobs.migrate.config import mapping_text, unusable
from crime_jobs.model.names import FIRST, name_of
from crime_jobs.model.tablemapping import BadMapping, Mappings

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

NOT_FOUND, EXISTS, WRONG_STATE = (
    "ResourceNotFoundFault",
    "ResourceAlreadyExistsFault",
    "InvalidResourceStateFault",
)

#: https://docs.aws.amazon.com/dms/latest/APIReference/API_CreateReplicationTask.html
_IDENTIFIER = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9]){0,254}")

#: What matters, and would otherwise follow DMS's defaults: target tables are never dropped, CLOBs are moved
#: whole, a row that does not fit is listed, a table that fails does not hold up the others
#: (https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TaskSettings.html).
TASK_SETTINGS: dict[str, dict[str, Any]] = {
    "TargetMetadata": {"SupportLobs": True, "FullLobMode": True, "LimitedSizeLobMode": False},
    "FullLoadSettings": {"TargetTablePrepMode": "DO_NOTHING", "MaxFullLoadSubTasks": 8},
    "ErrorBehavior": {
        "DataErrorPolicy": "LOG_ERROR",
        "TableErrorPolicy": "SUSPEND_TABLE",
        "FailOnNoTablesCaptured": True,
    },
    # DMS has no validation for DynamoDB: https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Validating.html
    "ValidationSettings": {"EnableValidation": False},
}


@dataclass(frozen=True)
class Wanted:
    """A replication task as it is asked for.

    Parameters
    ----------
    task
        Its identifier; see `task_of`.
    source, target, instance
        ARN or identifier of the endpoints and of the replication instance; by default those that
        ``cloud/migration.yaml`` makes in this environment.
    mappings
        Path or ``s3://`` URI of the table mapping; by default that of the legacy schema.
    resume
        Load what an earlier start left undone, instead of everything again.
    logs
        Whether DMS writes the task's log to CloudWatch.
    """

    task: str = FIRST
    source: str | None = None
    target: str | None = None
    instance: str | None = None
    mappings: str = ""
    resume: bool = False
    logs: bool = True


class Service:
    """DMS, with one client for all that is asked of it.

    Parameters
    ----------
    settings
        Region, profile, environment.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def client(self) -> Any:
        """The client."""
        return aws.client("dms", self.settings)

    @property
    def region(self) -> str:
        """The region."""
        return aws.region(self.settings)


def task_of(settings: Settings, task: str | None) -> str:
    """Return the identifier of a task, or that of the environment's own.

    Parameters
    ----------
    settings
        The environment: what its parts are called.
    task
        The identifier; ``None`` for ``deploy.name``, which is the replication instance's identifier too.
    """
    return task or name_of(settings.deploy)


def checked(task: str) -> str:
    """Return an identifier of a task, as DMS keeps it: in lower case.

    Parameters
    ----------
    task
        The identifier.

    Raises
    ------
    WrongUsage
        If DMS would refuse it.
    """
    if not _IDENTIFIER.fullmatch(task):
        raise WrongUsage(
            f"{task!r} can't be the identifier of a DMS task.",
            hint="Letters, digits and single hyphens; a letter first, no hyphen last.",
        )
    return task.lower()


def request(service: Service, wanted: Wanted) -> dict[str, Any]:
    """Return the ``CreateReplicationTask`` request.

    Parameters
    ----------
    service
        DMS.
    wanted
        The task.

    Returns
    -------
    dict

    Raises
    ------
    WrongUsage
        If an endpoint or the instance is not there, or is in another region.
    BadInput
        If the mapping can't be used.
    """
    text, name = checked_mapping(service, wanted.mappings), name_of(service.settings.deploy)
    told = {**TASK_SETTINGS, "Logging": {"EnableLogging": wanted.logs}}
    return {
        "ReplicationTaskIdentifier": checked(wanted.task),
        "SourceEndpointArn": _endpoint(service, wanted.source or f"{name}-oracle", "source"),
        "TargetEndpointArn": _endpoint(service, wanted.target or f"{name}-dynamodb", "target"),
        "ReplicationInstanceArn": _instance(service, wanted.instance or name),
        "MigrationType": "full-load",
        "TableMappings": text,
        "ReplicationTaskSettings": json.dumps(told),
        "Tags": [
            {"Key": "project", "Value": "crime-jobs"},
            {"Key": "environment", "Value": service.settings.env},
            {"Key": "stream", "Value": "migration"},
        ],
    }


def checked_mapping(service: Service, place: str) -> str:
    """Read a table mapping, and make sure that it is one.

    Parameters
    ----------
    service
        Whose region and profile read one on S3.
    place
        Path or URI; empty for that of the legacy schema.

    Returns
    -------
    str
        The JSON, without the spaces that only people need: DMS has a limit for its size.

    Raises
    ------
    WrongUsage
        If it is not there.
    BadInput
        If it can't be used.
    """
    text = mapping_text(place, service.settings, service.settings.table_prefix or "")
    try:
        Mappings(text)
    except BadMapping as error:
        raise unusable(place, error) from error
    return json.dumps(json.loads(text), separators=(",", ":"))


def find(service: Service, task: str) -> dict[str, Any] | None:
    """Find a task by its identifier.

    Parameters
    ----------
    service
        DMS.
    task
        Its identifier.

    Returns
    -------
    dict or None
        A ``ReplicationTask``.
    """
    with aws.refusals(f"Looking for the DMS task {task}"):
        found = _described(
            service.client.describe_replication_tasks,
            "ReplicationTasks",
            {"replication-task-id": checked(task)},
        )
    return found[0] if found else None


def the_task(service: Service, task: str) -> dict[str, Any]:
    """Find a task that must be there.

    Parameters
    ----------
    service
        DMS.
    task
        Its identifier.

    Returns
    -------
    dict

    Raises
    ------
    WrongUsage
        If it is not there.
    """
    found = find(service, task)
    if found is None:
        raise WrongUsage(
            f"There is no DMS task {task!r} in {service.region}.",
            hint="`crime-jobs dms status` shows those there are, `crime-jobs dms start` makes one.",
        )
    return found


def differences(task: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a task must be changed so that it is as asked for.

    Parameters
    ----------
    task
        As it is.
    asked
        As `request` returns it.

    Returns
    -------
    dict
        Members for ``ModifyReplicationTask``; none if it is so already.

    Raises
    ------
    WrongUsage
        If it differs in what can't be changed.
    """
    for name in ("SourceEndpointArn", "TargetEndpointArn", "ReplicationInstanceArn", "MigrationType"):
        if task.get(name) != asked[name]:
            raise WrongUsage(
                f"The DMS task {task['ReplicationTaskIdentifier']} has another {name}: {task.get(name)}, "
                f"not {asked[name]}.",
                hint="Give the task another name, or say --source, --target and --instance as it has them.",
            )
    changes = {}
    if json.loads(task["TableMappings"]) != json.loads(asked["TableMappings"]):
        changes["TableMappings"] = asked["TableMappings"]
    has = json.loads(task.get("ReplicationTaskSettings") or "{}")
    for section, values in json.loads(asked["ReplicationTaskSettings"]).items():
        # DMS adds its defaults to what it was told.
        if any((has.get(section) or {}).get(name) != value for name, value in values.items()):
            changes["ReplicationTaskSettings"] = asked["ReplicationTaskSettings"]
    return changes


def _endpoint(service: Service, name: str, kind: str) -> str:
    if name.startswith("arn:"):
        aws.check_arn(name, service.settings, f"--{kind}")
        return name
    with aws.refusals(f"Looking for the {kind} endpoint {name}"):
        found = _described(
            service.client.describe_endpoints,
            "Endpoints",
            {"endpoint-id": name.lower(), "endpoint-type": kind},
        )
    if not found:
        raise WrongUsage(
            f"DMS has no {kind} endpoint {name!r} in {service.region}.",
            hint=f"The stack of cloud/migration.yaml makes it; or name another with --{kind}.",
        )
    return str(found[0]["EndpointArn"])


def _instance(service: Service, name: str) -> str:
    if name.startswith("arn:"):
        aws.check_arn(name, service.settings, "--instance")
        return name
    with aws.refusals(f"Looking for the replication instance {name}"):
        found = _described(
            service.client.describe_replication_instances,
            "ReplicationInstances",
            {"replication-instance-id": name.lower()},
        )
    if not found:
        raise WrongUsage(
            f"DMS has no replication instance {name!r} in {service.region}.",
            hint="The stack of cloud/migration.yaml makes it; or name another with --instance.",
        )
    return str(found[0]["ReplicationInstanceArn"])


def _described(describe: Any, name: str, filters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Ask by filters; where nothing fits, DMS answers with an error."""
    told = [{"Name": key, "Values": [value]} for key, value in filters.items()]
    try:
        found: list[dict[str, Any]] = describe(Filters=told)[name]
    except ClientError as error:
        if aws.code_of(error) != NOT_FOUND:
            raise
        return []
    return found
