"""Clusters: made once for a name, watched until they are usable, looked at, ended."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.emr import cluster as requests
from crime_jobs.emr import targets
from crime_jobs.emr._once import once
from crime_jobs.emr.runs import new_token
from crime_jobs.emr.submit import end_as_ctrl_c, held_back
from crime_jobs.errors import CrimeJobsError, Interrupted, JobFailed, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Where a cluster can be used: https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterStatus.html
UP, ENDED = ("RUNNING", "WAITING"), ("TERMINATED", "TERMINATED_WITH_ERRORS")
#: Seconds between two looks: the first, the longest.
SHORTEST, LONGEST = 0.5, 15.0

#: https://docs.aws.amazon.com/emr/latest/APIReference/API_Cluster.html, ClusterId
_CLUSTER_ID = re.compile("j-[0-9A-Z]+")

Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Started:
    """What `up` did.

    Parameters
    ----------
    id
        The cluster.
    state
        Its state.
    made
        Whether it was made now, or was up already.
    """

    id: str
    state: str
    made: bool


@dataclass
class _Own:
    """The cluster that this process made and is answerable for."""

    id: str | None = None


def up(settings: Settings, spec: requests.ClusterSpec, tell: Tell) -> Started:
    """Make a cluster and wait until it can be used; one of the same name that is there already serves.

    Whatever happens before it is usable (Ctrl-C, an error, a lost connection), the cluster that was made here
    is ended: nobody would know that it costs.

    Parameters
    ----------
    settings
        Region, where logs and packages go.
    spec
        The cluster.
    tell
        Told id and state, whenever it changes.

    Returns
    -------
    Started

    Raises
    ------
    JobFailed
        If it ended instead; with EMR's reason and where its logs are.
    Interrupted
        After Ctrl-C; says what became of the cluster.
    AwsRefused
        If EMR refuses.
    """
    end_as_ctrl_c()
    if there := _alive(settings, spec.name):
        return Started(there["Id"], _wait(settings, there["Id"], UP, tell), made=False)
    requests.prepare(settings)
    sent = requests.request(settings, spec)
    own = _Own()
    with _answerable(settings, own):
        with held_back() as held, aws.refusals(f"Making cluster {spec.name}"):
            own.id = _run(settings, sent)
        if held:
            raise KeyboardInterrupt
        first = _first(settings, spec.name, own.id)
        if first != own.id:  # another `up` was a moment earlier: one of the two goes
            _terminate(settings, own.id)
            own.id = None
        state = _wait(settings, first, UP, tell)
    return Started(first, state, made=first == own.id)


def _run(settings: Settings, sent: Mapping[str, Any]) -> str:
    """Send ``RunJobFlow``, which takes no client token: a tag tells whether it has arrived."""
    token = new_token()
    tagged = {**sent, "Tags": [*sent["Tags"], {"Key": "submission", "Value": token}]}

    def find() -> str | None:
        for found in targets.alive(settings, sent["Name"]):
            tags = aws.client("emr", settings).describe_cluster(ClusterId=found["Id"])["Cluster"]["Tags"]
            if {"Key": "submission", "Value": token} in tags:
                return str(found["Id"])
        return None

    return once(settings, "emr", lambda client: str(client.run_job_flow(**tagged)["JobFlowId"]), find)


@contextmanager
def _answerable(settings: Settings, own: _Own) -> Iterator[None]:
    """End the cluster if the block ends any other way than well."""
    try:
        yield
    except BaseException as error:
        if own.id is None or isinstance(error, JobFailed):  # there is none, or it has ended by itself
            raise
        said = _end_quietly(settings, own.id)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"Interrupted. {said}") from error
        if isinstance(error, CrimeJobsError):
            raise type(error)(error.message, hint=f"{error.hint} {said}".strip()) from error
        raise


def _end_quietly(settings: Settings, cluster_id: str) -> str:
    try:
        with held_back():
            _terminate(settings, cluster_id)
    except CrimeJobsError as error:
        return (
            f"Cluster {cluster_id} could not be ended ({error.message}) and goes on costing: "
            f"`crime-jobs cluster down {cluster_id}`."
        )
    return f"Cluster {cluster_id}, made here, is being ended."


def _terminate(settings: Settings, cluster_id: str) -> None:
    emr = aws.client("emr", settings)
    with aws.refusals(f"Ending cluster {cluster_id}"):
        if emr.describe_cluster(ClusterId=cluster_id)["Cluster"].get("TerminationProtected"):
            emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
        emr.terminate_job_flows(JobFlowIds=[cluster_id])


def down(settings: Settings, cluster: str, tell: Tell) -> Started:
    """End a cluster and wait until it has ended.

    Parameters
    ----------
    settings
        Region.
    cluster
        Its id or name.
    tell
        Told id and state, whenever it changes.

    Returns
    -------
    Started
        ``made`` is false.

    Raises
    ------
    WrongUsage
        If there is no such cluster, several are called so, or it is protected from termination.
    Interrupted
        After Ctrl-C; it ends nevertheless.
    AwsRefused
        If EMR refuses.
    """
    end_as_ctrl_c()
    target = find(settings, cluster)
    described = describe(settings, target["Id"])
    if described["Status"]["State"] in ENDED:
        return Started(target["Id"], described["Status"]["State"], made=False)
    if described.get("TerminationProtected"):
        raise WrongUsage(
            f"Cluster {described['Name']} ({target['Id']}) is protected from termination.",
            hint=f"If it may go: aws emr modify-cluster-attributes --cluster-id {target['Id']} "
            "--no-termination-protected; then run this again.",
        )
    with aws.refusals(f"Ending cluster {target['Id']}"):
        aws.client("emr", settings).terminate_job_flows(JobFlowIds=[target["Id"]])
    try:
        state = _wait(settings, target["Id"], ENDED, tell)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted. Cluster {target['Id']} ends nevertheless.") from error
    return Started(target["Id"], state, made=False)


def find(settings: Settings, cluster: str) -> dict[str, Any]:
    """Find a cluster by its id, or one that is alive by its name.

    Parameters
    ----------
    settings
        Region.
    cluster
        Id or name.

    Returns
    -------
    dict
        With ``Id``.

    Raises
    ------
    WrongUsage
        If none or several are called so.
    """
    if _CLUSTER_ID.fullmatch(cluster):
        return {"Id": cluster}
    found = targets.alive(settings, cluster)
    if len(found) != 1:
        ids = ", ".join(item["Id"] for item in found)
        raise WrongUsage(
            f"No cluster in {aws.region(settings)} is called {cluster!r}."
            if not found
            else f"{len(found)} clusters are called {cluster!r}: {ids}.",
            hint="`crime-jobs cluster status` shows those there are." if not found else "Give one by its id.",
        )
    return found[0]


def open_work(settings: Settings, cluster_id: str) -> int:
    """Count the steps of a cluster that run or wait.

    Parameters
    ----------
    settings
        Region.
    cluster_id
        The cluster.
    """
    with aws.refusals(f"Listing the steps of cluster {cluster_id}"):
        pages = aws.client("emr", settings).get_paginator("list_steps")
        return sum(
            len(page["Steps"])
            for page in pages.paginate(
                ClusterId=cluster_id, StepStates=["PENDING", "RUNNING", "CANCEL_PENDING"]
            )
        )


def listed(settings: Settings, *, ended: bool = False) -> list[dict[str, Any]]:
    """Return the clusters, newest first.

    Parameters
    ----------
    settings
        Region.
    ended
        Also those that have ended, of the last two months, as long as EMR keeps them.

    Returns
    -------
    list of dict
        One row a cluster: how it is, since when, its open steps, the minutes it has been idle, why it ended.
    """
    states = [*targets.ALIVE, "TERMINATING", *(ENDED if ended else ())]
    with aws.refusals("Listing clusters"):
        pages = aws.client("emr", settings).get_paginator("list_clusters").paginate(ClusterStates=states)
        found = [item["Id"] for page in pages for item in page["Clusters"]]
    return [row(settings, cluster_id) for cluster_id in found]


def row(settings: Settings, cluster_id: str) -> dict[str, Any]:
    """Return what is to be known of a cluster.

    Parameters
    ----------
    settings
        Region.
    cluster_id
        The cluster.
    """
    cluster = describe(settings, cluster_id)
    status = cluster["Status"]
    timeline = status.get("Timeline", {})
    over = status["State"] in ENDED
    since = timeline.get("EndDateTime") if over else timeline.get("CreationDateTime")
    return {
        "id": cluster_id,
        "name": cluster["Name"],
        "state": status["State"],
        "since": since.isoformat(timespec="minutes") if since else None,
        "steps": 0 if over else open_work(settings, cluster_id),
        "idle": _idle(settings, cluster_id) if status["State"] == "WAITING" else None,
        "why": "" if status["State"] in targets.ALIVE else _reason(status),
    }


def _idle(settings: Settings, cluster_id: str) -> int:
    """Return for how many minutes a waiting cluster has had no step."""
    with aws.refusals(f"Listing the steps of cluster {cluster_id}"):
        emr = aws.client("emr", settings)
        steps = emr.list_steps(ClusterId=cluster_id)["Steps"]
        ends = [step["Status"]["Timeline"].get("EndDateTime") for step in steps]
        ready = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["Timeline"]
    last = max(filter(None, [*ends, ready.get("ReadyDateTime")]), default=None)
    return int((datetime.now(UTC) - last).total_seconds() // 60) if last else 0


def _wait(settings: Settings, cluster_id: str, wanted: tuple[str, ...], tell: Tell) -> str:
    emr, pause, seen = aws.client("emr", settings), SHORTEST, ""
    while True:
        with aws.refusals(f"Looking at cluster {cluster_id}"):
            cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        state = str(cluster["Status"]["State"])
        if state != seen:
            tell(cluster_id, state)
            seen = state
        if state in wanted:
            return state
        if state in ENDED:
            raise JobFailed(
                f"Cluster {cluster['Name']} ({cluster_id}) ended before it could be used: {state}, "
                f"{_reason(cluster['Status']) or 'no reason given'}.",
                hint=f"Logs: {targets.cluster_target(cluster).log_uri or 'none, '}{cluster_id}/node/.",
            )
        time.sleep(pause)
        pause = min(LONGEST, pause * 1.3)


def _reason(status: Mapping[str, Any]) -> str:
    reason = status.get("StateChangeReason", {})
    details = [detail.get("ErrorMessage", "") for detail in status.get("ErrorDetails", [])]
    told = [reason.get("Code", ""), reason.get("Message", ""), *details]
    return ": ".join(dict.fromkeys(text.rstrip(".") for text in told if text))


def describe(settings: Settings, cluster_id: str) -> dict[str, Any]:
    """Return what ``DescribeCluster`` says.

    Parameters
    ----------
    settings
        Region.
    cluster_id
        The cluster.
    """
    with aws.refusals(f"Looking at cluster {cluster_id}"):
        found: dict[str, Any] = aws.client("emr", settings).describe_cluster(ClusterId=cluster_id)["Cluster"]
    return found


def _alive(settings: Settings, name: str) -> dict[str, Any] | None:
    return min(targets.alive(settings, name), key=_age, default=None)


def _age(item: Mapping[str, Any]) -> tuple[datetime, str]:
    return item["Status"]["Timeline"]["CreationDateTime"], item["Id"]


def _first(settings: Settings, name: str, own: str) -> str:
    """Return the oldest cluster of a name: two that were made at once agree which of them stays."""
    oldest = _alive(settings, name)
    return str(oldest["Id"]) if oldest else own
