"""Endpoints and tasks as they are asked for: what is taken, what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from crime_engines.protocol import Refusal
from crime_jobs.model.tablemapping import BadMapping, Mappings

#: What each of the two endpoints may be made of; all else is refused by its name.
_TAKEN = {
    "oracle": {"DatabaseName", "OracleSettings"},
    "dynamodb": {"DynamoDbSettings", "ServiceAccessRoleArn"},
}
_ANY = {
    "EndpointIdentifier",
    "EndpointType",
    "EngineName",
    "KmsKeyId",
    "Tags",
    "ResourceIdentifier",
    "SslMode",
}
_TYPES = {"oracle": "source", "dynamodb": "target"}

_ORACLE = {"SecretsManagerSecretId", "SecretsManagerAccessRoleArn", "DatabaseName"}

#: Letters, digits and single hyphens, a letter first, no hyphen last.
_IDENTIFIER = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])*")

#: Settings of a task: for each what may be said. ``None`` is any whole number: it says how fast, not what.
SETTINGS: dict[str, dict[str, tuple[Any, ...] | None]] = {
    "TargetMetadata": {
        "SupportLobs": (True,),
        "FullLobMode": (True,),
        "LimitedSizeLobMode": (False,),
        "LobChunkSize": None,
        "ParallelLoadThreads": None,
        "ParallelLoadBufferSize": None,
        "BatchApplyEnabled": (False,),
    },
    "FullLoadSettings": {
        "TargetTablePrepMode": ("DO_NOTHING",),
        "MaxFullLoadSubTasks": None,
        "CommitRate": None,
        "TransactionConsistencyTimeout": None,
        "CreatePkAfterFullLoad": (False,),
        "StopTaskCachedChangesApplied": (False,),
        "StopTaskCachedChangesNotApplied": (False,),
    },
    "ErrorBehavior": {
        "DataErrorPolicy": ("LOG_ERROR",),
        "DataErrorEscalationCount": (0,),
        "TableErrorPolicy": ("SUSPEND_TABLE",),
        "TableErrorEscalationCount": (0,),
        "FailOnNoTablesCaptured": (True,),
    },
    "Logging": {"EnableLogging": (True, False)},
    "ValidationSettings": {"EnableValidation": (False,)},
}

_WHY = {
    "TargetTablePrepMode": "tables are neither dropped nor emptied; DMS's default is DROP_AND_CREATE",
    "EnableValidation": "DMS has no validation for a DynamoDB target",
    "DataErrorPolicy": "rows that do not fit are listed, and all others moved",
    "TableErrorPolicy": "a table that fails does not hold up the others",
}


def wrong(message: str) -> Refusal:
    """Return an ``InvalidParameterValueException``.

    Parameters
    ----------
    message
        What is wrong.

    Returns
    -------
    Refusal
    """
    return Refusal("InvalidParameterValueException", message)


def combined(message: str) -> Refusal:
    """Return an ``InvalidParameterCombinationException``.

    Parameters
    ----------
    message
        What does not go together.

    Returns
    -------
    Refusal
    """
    return Refusal("InvalidParameterCombinationException", message)


def check_identifier(name: str, what: str, longest: int = 255) -> None:
    """Refuse an identifier that DMS would refuse.

    Parameters
    ----------
    name
        The identifier.
    what
        Name of the parameter.
    longest
        Characters that it may have.

    Raises
    ------
    Refusal
        Saying how it must be.
    """
    if not _IDENTIFIER.fullmatch(name) or len(name) > longest:
        raise wrong(
            f"The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must "
            "contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "
            "consecutive hyphens."
        )


def check_endpoint(request: Mapping[str, Any]) -> None:
    """Refuse an endpoint that AWS, or this engine, can't make.

    Parameters
    ----------
    request
        ``CreateEndpoint``.

    Raises
    ------
    Refusal
        Saying why.
    """
    check_identifier(request["EndpointIdentifier"], "EndpointIdentifier")
    engine, kind = str(request["EngineName"]).lower(), request["EndpointType"]
    if _TYPES.get(engine) != kind:
        raise wrong(
            f"EngineName {engine} as a {kind} is not supported here: oracle as a source and dynamodb as a "
            "target are."
        )
    if unknown := sorted(request.keys() - _ANY - _TAKEN[engine]):
        why = (
            ": address and credentials come from the secret that OracleSettings.SecretsManagerSecretId "
            "names, and DMS takes no others beside it"
        )
        said = why if engine == "oracle" else ""
        raise wrong(f"{', '.join(unknown)} of an endpoint of {engine} is not supported here{said}.")
    if (mode := request.get("SslMode", "none")) != "none":
        raise wrong(f"SslMode {mode} is not supported here: nothing listens with TLS.")
    if engine == "oracle":
        _check_oracle(request)
    elif not request.get("DynamoDbSettings"):
        raise combined("DynamoDbSettings with a ServiceAccessRoleArn must be given for a DynamoDB endpoint.")


def _check_oracle(request: Mapping[str, Any]) -> None:
    given = request.get("OracleSettings", {})
    if unknown := sorted(given.keys() - _ORACLE):
        raise wrong(f"OracleSettings.{', '.join(unknown)} is not supported here.")
    for name in ("SecretsManagerSecretId", "SecretsManagerAccessRoleArn"):
        if not given.get(name):
            raise combined(
                f"OracleSettings.{name} must be given: a password in the request is not taken here."
            )
    if not (given.get("DatabaseName") or request.get("DatabaseName")):
        raise combined("DatabaseName must be given for an Oracle endpoint.")


def check_mappings(text: str) -> None:
    """Refuse table mappings that the migration job would refuse.

    Parameters
    ----------
    text
        ``TableMappings``.

    Raises
    ------
    Refusal
        Naming the rule.
    """
    try:
        Mappings(text)
    except BadMapping as error:
        raise wrong(f"Invalid Table mappings document: {error}.") from error


def check_kind(request: Mapping[str, Any]) -> None:
    """Refuse what goes on after the full load.

    Parameters
    ----------
    request
        ``CreateReplicationTask`` or ``ModifyReplicationTask``.

    Raises
    ------
    Refusal
        Naming what is not done.
    """
    if (kind := request.get("MigrationType", "full-load")) != "full-load":
        raise wrong(
            f"MigrationType {kind} is not supported here: changes are not captured, only full-load is."
        )
    for name in ("CdcStartTime", "CdcStartPosition", "CdcStopPosition", "TaskData"):
        if request.get(name):
            raise wrong(f"{name} is not supported here: changes are not captured.")


def check_settings(text: str | None) -> str:
    """Refuse settings that can't be honoured: what is not known here is not done here.

    Parameters
    ----------
    text
        ``ReplicationTaskSettings``.

    Returns
    -------
    str
        The settings.

    Raises
    ------
    Refusal
        Naming the setting, and why where that is not plain.
    """
    try:
        given = json.loads(text or "{}")
        sections = {name: dict(value) for name, value in given.items() if value is not None}
    except (ValueError, TypeError, AttributeError) as error:
        raise wrong(f"Invalid task settings: {error}.") from error
    for section, values in sections.items():
        for name, value in values.items():
            _check_setting(section, name, value)
        if section not in SETTINGS:
            raise wrong(f"Task settings: {section} is not supported here.")
    # What is left out has DMS's default, and that drops the tables.
    mode = sections.get("FullLoadSettings", {}).get("TargetTablePrepMode", "DROP_AND_CREATE")
    _check_setting("FullLoadSettings", "TargetTablePrepMode", mode)
    return json.dumps(sections)


def _check_setting(section: str, name: str, value: object) -> None:
    allowed = SETTINGS.get(section, {}).get(name, ())
    if allowed is None:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise wrong(f"Task settings: {section}.{name} must be a whole number.")
        return
    if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
        why = f": {_WHY[name]}" if name in _WHY else ""
        raise wrong(f"Task settings: {section}.{name} = {json.dumps(value)} is not supported here{why}.")
