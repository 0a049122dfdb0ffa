"""Where work runs: a cluster or an application, found by id or by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from crime_jobs import aws
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: As `--on` takes it: a cluster that is made for the work and ends with it.
TRANSIENT = "transient"

#: https://docs.aws.amazon.com/emr/latest/APIReference/API_Cluster.html, ClusterId;
#: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_Application.html, applicationId
_CLUSTER_ID = re.compile(r"j-[0-9A-Z]+")
_APPLICATION_ID = re.compile(r"00[0-9a-z]{14}")

ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
USABLE = ("CREATING", "CREATED", "STARTING", "STARTED", "STOPPING", "STOPPED")


@dataclass(frozen=True)
class Target:
    """A cluster or an application.

    Parameters
    ----------
    kind
        Which of the two.
    id, name, state
        As EMR has them.
    log_uri
        Of a cluster: folder of its logs, ending in a slash, or ``None``.
    concurrency
        Of a cluster: how many steps run at a time.
    runtime_roles
        Of a cluster: whether its steps may have a role of their own (it has a security configuration).
    engine
        Of an application: ``Spark`` or ``Hive``.
    """

    kind: Literal["cluster", "application"]
    id: str
    name: str
    state: str
    log_uri: str | None = None
    concurrency: int = 1
    runtime_roles: bool = False
    engine: str = "Spark"

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.id})"


def find(settings: Settings, on: str | None = None, *, ended: bool = False) -> Target:
    """Find a cluster or an application.

    Parameters
    ----------
    settings
        Region and profile, and ``on`` when none is given.
    on
        Its id or name.
    ended
        Whether one that has ended will do, if it is named by its id: to look at its steps and logs.

    Returns
    -------
    Target

    Raises
    ------
    WrongUsage
        If none or several are called so, or it has ended.
    AwsRefused
        If it can't be asked.
    """
    on = on or settings.on
    if not on:
        raise WrongUsage(
            "Nothing says where to run it.",
            hint="Give --on with a cluster, an application or transient; or set CRIME_JOBS_ON. "
            "`crime-jobs cluster status` shows the clusters.",
        )
    if _CLUSTER_ID.fullmatch(on):
        return _cluster(settings, on, ended=ended)
    if _APPLICATION_ID.fullmatch(on):
        return _application(settings, on, ended=ended)
    # Clusters first: whoever works with them alone may not be allowed to list applications.
    if clusters := alive(settings, on):
        return _cluster(settings, _only([found["Id"] for found in clusters], "clusters", on, settings))
    if applications := _applications_called(settings, on):
        return _application(settings, _only(applications, "applications", on, settings))
    raise WrongUsage(
        f"No cluster or application in {aws.region(settings)} is called {on!r}.",
        hint="`crime-jobs cluster up` makes a cluster; `crime-jobs cluster status` shows those there are.",
    )


def _only(found: list[str], what: str, name: str, settings: Settings) -> str:
    if len(found) > 1:
        raise WrongUsage(
            f"{len(found)} {what} in {aws.region(settings)} are called {name!r}: {', '.join(found)}.",
            hint="Give --on with an id.",
        )
    return found[0]


def alive(settings: Settings, name: str) -> list[dict[str, Any]]:
    """List the clusters of a name that have not ended.

    Parameters
    ----------
    settings
        Region and profile.
    name
        Their name.

    Returns
    -------
    list of dict
        As ``ListClusters`` has them.

    Raises
    ------
    AwsRefused
        If EMR refuses.
    """
    with aws.refusals(f"Looking for a cluster {name}"):
        pages = aws.client("emr", settings).get_paginator("list_clusters").paginate(ClusterStates=list(ALIVE))
        return [found for page in pages for found in page["Clusters"] if found["Name"] == name]


def _applications_called(settings: Settings, name: str) -> list[str]:
    with aws.refusals(f"Looking for an application {name}"):
        found = aws.client("emr-serverless", settings).get_paginator("list_applications")
        pages = found.paginate(states=list(USABLE))
        return [a["id"] for page in pages for a in page["applications"] if a.get("name") == name]


def _cluster(settings: Settings, cluster_id: str, *, ended: bool = False) -> Target:
    with aws.refusals(f"Looking for cluster {cluster_id}"):
        found = aws.client("emr", settings).describe_cluster(ClusterId=cluster_id)["Cluster"]
    target = cluster_target(found)
    if target.state not in ALIVE and not ended:
        why = found["Status"].get("StateChangeReason", {}).get("Message", "")
        raise WrongUsage(
            f"The {target} has ended: {target.state}{f', {why}' if why else ''}.",
            hint="`crime-jobs cluster status` shows those there are; `cluster up` makes one.",
        )
    return target


def cluster_target(found: dict[str, Any]) -> Target:
    """Make a target of what ``DescribeCluster`` says.

    Parameters
    ----------
    found
        Its ``Cluster``.

    Returns
    -------
    Target
    """
    log_uri = found.get("LogUri")
    return Target(
        "cluster",
        found["Id"],
        found["Name"],
        found["Status"]["State"],
        # EMR gives the scheme back as s3n.
        log_uri=f"{re.sub('^s3n://', 's3://', log_uri).rstrip('/')}/" if log_uri else None,
        concurrency=found.get("StepConcurrencyLevel", 1),
        runtime_roles=bool(found.get("SecurityConfiguration")),
    )


def _application(settings: Settings, application_id: str, *, ended: bool = False) -> Target:
    with aws.refusals(f"Looking for application {application_id}"):
        client = aws.client("emr-serverless", settings)
        found = client.get_application(applicationId=application_id)["application"]
    name = found.get("name") or application_id
    target = Target("application", application_id, name, found["state"], engine=found["type"].capitalize())
    if target.state not in USABLE and not ended:
        raise WrongUsage(f"The {target} can't be used: {target.state}.", hint="Choose another with --on.")
    return target
