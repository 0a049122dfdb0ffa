"""``RunJobFlow`` and ``AddJobFlowSteps``: what is taken, what is refused, and in which words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from crime_engines.emr.command_runner import command_of
from crime_engines.emr.model import Cluster, Step
from crime_engines.protocol import Refusal, invalid
from crime_engines.storage import is_uri

#: EMR 7 has Spark 3.5, as here (Amazon EMR Release Guide, 7.x release versions).
_RELEASE = re.compile(r"emr-7\.\d+\.\d+")

#: Applications that a cluster may be asked to have; from Tez on they are given back, and are not here.
APPLICATIONS = {
    "hadoop": "3.4.1",
    "spark": "3.5.6",
    "hive": "3.1.3",
    "tez": "0.10.2",
    "hue": "4.11.0",
    "livy": "0.8.0",
    "amazoncloudwatchagent": "1.300032.2",
}

#: Of RunJobFlow, what can't be honoured here.
_REFUSED = {
    "AmiVersion": "name a release with ReleaseLabel",
    "SupportedProducts": "name Applications",
    "NewSupportedProducts": "name Applications",
    "AdditionalInfo": "it has no meaning here",
    "KerberosAttributes": "there is no Kerberos here",
    "CustomAmiId": "there is no image here",
    "SessionEnabled": "there are no sessions here",
}

#: A step's strings, all together (API reference of AddJobFlowSteps).
MOST_CHARACTERS = 10_240
#: Steps that are pending or running.
MOST_STEPS = 256
IDLE_TIMEOUT = (60, 604_800)


def check_run(request: dict[str, Any]) -> None:
    """Refuse a cluster that EMR, or this engine, can't make.

    Parameters
    ----------
    request
        ``RunJobFlow``.

    Raises
    ------
    Refusal
        Saying why.
    """
    for name, reason in _REFUSED.items():
        if request.get(name):
            raise invalid(f"{name} is not supported here: {reason}.")
    release = request.get("ReleaseLabel", "")
    if not _RELEASE.fullmatch(release):
        raise invalid(
            f"The supplied release label is invalid: {release}. Here it is emr-7.x.y, which has Spark 3.5."
        )
    for name, words in (("ServiceRole", "ServiceRole"), ("JobFlowRole", "InstanceProfile")):
        if not request.get(name):
            raise invalid(f"{words} is required for creating cluster.")
    _check_applications(request.get("Applications", []))
    _check_places(request)
    check_concurrency(request.get("StepConcurrencyLevel", 1))
    check_idle(request.get("AutoTerminationPolicy"))
    _check_instances(request["Instances"])


def _check_applications(applications: list[dict[str, Any]]) -> None:
    for application in applications:
        name = application.get("Name", "")
        if name.lower() not in APPLICATIONS:
            raise invalid(f"Specified application: {name!r} is not supported here.")
        if application.get("Args") or application.get("AdditionalInfo"):
            raise invalid(f"Application {name} takes no Args and no AdditionalInfo here.")


def _check_places(request: dict[str, Any]) -> None:
    """Look at where logs go and scripts come from."""
    monitoring = request.get("MonitoringConfiguration", {})
    if monitoring.get("CloudWatchLogConfiguration", {}).get("Enabled") or monitoring.get(
        "S3LoggingConfiguration"
    ):
        raise invalid("MonitoringConfiguration is not supported here: logs go to LogUri.")
    if (uri := request.get("LogUri")) and not is_uri(uri):
        raise invalid(f"LogUri {uri!r} is not supported here: logs go to S3.")
    for action in request.get("BootstrapActions", []):
        path = action["ScriptBootstrapAction"]["Path"]
        if not is_uri(path):
            raise invalid(f"Bootstrap action {path!r} is not supported here: a script must be in S3.")


def check_concurrency(level: int) -> None:
    """Refuse a ``StepConcurrencyLevel`` that is out of range.

    Parameters
    ----------
    level
        1 to 256.
    """
    if not 1 <= level <= MOST_STEPS:
        raise invalid(f"StepConcurrencyLevel must be between 1 and {MOST_STEPS}, it is {level}.")


def check_idle(policy: dict[str, Any] | None) -> int | None:
    """Return the idle time-out of a policy.

    Parameters
    ----------
    policy
        An ``AutoTerminationPolicy``.

    Returns
    -------
    int or None
        Seconds; an hour where the policy doesn't say.
    """
    if policy is None:
        return None
    timeout: int = policy.get("IdleTimeout", 3600)
    least, most = IDLE_TIMEOUT
    if not least <= timeout <= most:
        raise invalid(f"IdleTimeout must be between {least} and {most} seconds, it is {timeout}.")
    return timeout


def _check_instances(instances: dict[str, Any]) -> None:
    if instances.get("InstanceFleets"):
        raise invalid("InstanceFleets are not supported here; use InstanceGroups.")
    if instances.get("HadoopVersion"):
        raise invalid("HadoopVersion is not supported: name a release with ReleaseLabel.")
    groups = instances.get("InstanceGroups")
    if not groups:
        if not instances.get("MasterInstanceType") or instances.get("InstanceCount", 0) < 1:
            raise invalid("An instance group, or MasterInstanceType and InstanceCount, must be provided.")
        return
    if instances.get("MasterInstanceType") or instances.get("InstanceCount"):
        raise invalid(
            "Please configure instances using one and only one of the following: instance count, master and "
            "slave instance type; instance groups; instance fleets."
        )
    _check_groups(groups)


def _check_groups(groups: list[dict[str, Any]]) -> None:
    primaries = [group for group in groups if group["InstanceRole"] == "MASTER"]
    if len(primaries) != 1 or primaries[0]["InstanceCount"] != 1:
        raise invalid("There must be one MASTER instance group with one instance.")
    if sum(group["InstanceRole"] == "CORE" for group in groups) > 1:
        raise invalid("There can be at most one CORE instance group.")
    for group in groups:
        if group["InstanceCount"] < 0:
            raise invalid("InstanceCount must not be negative.")
        if group.get("Configurations") or group.get("AutoScalingPolicy") or group.get("CustomAmiId"):
            raise invalid(
                "Configurations, AutoScalingPolicy and CustomAmiId of a group are not supported here."
            )


def make_steps(cluster: Cluster, configs: Sequence[dict[str, Any]], role: str | None = None) -> list[Step]:
    """Read steps that are to be added to a cluster: all of them or none.

    Parameters
    ----------
    cluster
        The cluster.
    configs
        ``StepConfig`` of each.
    role
        Their runtime role.

    Returns
    -------
    list of Step

    Raises
    ------
    Refusal
        If one can't be done here.
    """
    if len(cluster.open_steps()) + len(configs) > MOST_STEPS:
        raise Refusal(
            "ValidationException", f"Maximum number of active steps ({MOST_STEPS}) for the cluster exceeded."
        )
    return [
        _make_step(cluster, config, role, number)
        for number, config in enumerate(configs, len(cluster.steps) + 1)
    ]


def _make_step(cluster: Cluster, config: dict[str, Any], role: str | None, number: int) -> Step:
    jar = config["HadoopJarStep"]
    arguments = jar.get("Args", [])
    if jar["Jar"] != "command-runner.jar":
        raise invalid(f"Jar {jar['Jar']!r} is not supported here, only command-runner.jar.")
    if jar.get("MainClass") or jar.get("Properties"):
        raise invalid("MainClass and Properties of a step are not supported here.")
    if config.get("StepMonitoringConfiguration"):
        raise invalid("StepMonitoringConfiguration is not supported here: logs go to the cluster's LogUri.")
    if len(jar["Jar"]) + sum(map(len, arguments)) > MOST_CHARACTERS:
        raise invalid(
            f"The string values passed into HadoopJarStep object cannot exceed a total of {MOST_CHARACTERS} "
            "characters."
        )
    several = cluster.concurrency > 1
    action = config.get("ActionOnFailure", "CONTINUE" if several else "TERMINATE_CLUSTER")
    if several and action != "CONTINUE":
        raise invalid(
            f"ActionOnFailure {action} is not valid: a cluster with StepConcurrencyLevel "
            f"{cluster.concurrency} takes CONTINUE only."
        )
    command = command_of(arguments, cluster.classified.spark)
    return Step(config, command, action, number, role)
