"""What a schedule is to run: the call of a single part, or the state machine of a chain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from crime_jobs.emr import _asl, cluster, targets
from crime_jobs.emr import work as requests
from crime_jobs.emr._asl import EXECUTION
from crime_jobs.emr._cron import Cron
from crime_jobs.emr._job_runs import JobRuns
from crime_jobs.emr._schedule_table import needed
from crime_jobs.emr._steps import Steps
from crime_jobs.emr._universal import Call, check, target
from crime_jobs.emr.runs import outcome_folder

if TYPE_CHECKING:
    from crime_jobs.emr._schedule_table import Table
    from crime_jobs.emr.package import Manifest
    from crime_jobs.emr.targets import Target
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings

_SERVERLESS = "emr-serverless"
_PACKAGE_DIGITS = 12


@dataclass(frozen=True)
class Plan:
    """A schedule as it is to be.

    Parameters
    ----------
    name, title
        The schedule's name, and what it does.
    cron, zone
        When.
    package
        Short digest of the code that it is pinned to.
    call
        What it starts, if that is one part.
    definition
        The state machine that it starts, if there are several or somebody is to be told.
    """

    name: str
    title: str
    cron: Cron
    zone: ZoneInfo
    package: str
    call: Call | None = None
    definition: dict[str, Any] | None = None


@dataclass(frozen=True)
class What:
    """What is to run and where.

    Parameters
    ----------
    works
        The parts.
    manifest
        The package, as of now.
    target
        The cluster or application; ``None`` for a cluster that is made for each run.
    conf
        Further Spark properties.
    """

    works: Sequence[Work]
    manifest: Manifest
    target: Target | None
    conf: Mapping[str, str]

    @property
    def title(self) -> str:
        """What it does, in words."""
        words = [requests.THEN_ANYWAY if work.go_on else requests.THEN for work in self.works]
        parts = [word for work, then in zip(self.works, words, strict=True) for word in (work.name, then)]
        return f"{' '.join(parts[:-1])} on {self.target or targets.TRANSIENT}"

    @property
    def package(self) -> str:
        """Short digest of what it is pinned to."""
        return self.manifest.uri.rpartition("manifest-")[2].removesuffix(".json")[:_PACKAGE_DIGITS]


def make(
    settings: Settings,
    table: Table,
    what: What,
    when: tuple[Cron, ZoneInfo],
    name: str,
    *,
    notify: bool = False,
) -> Plan:
    """Return the plan of a schedule.

    Parameters
    ----------
    settings, table
        Where logs and outcomes go; the topic.
    what
        What is to run.
    when
        Cron expression, and where its hours are read.
    name
        The schedule's name.
    notify
        Whether SNS is to hear of the end also of a single part.

    Returns
    -------
    Plan

    Raises
    ------
    WrongUsage
        If a service would refuse a part, or the table has no topic for a chain.
    """
    cron, zone = when
    if len(what.works) == 1 and not notify:
        return Plan(name, what.title, cron, zone, what.package, call=single(settings, what))
    topic = needed(settings, table, "topic")
    definition = chain(settings, what, name, topic, table.hours)
    return Plan(name, what.title, cron, zone, what.package, definition=definition)


def single(settings: Settings, what: What) -> Call:
    """Return the call that starts one part.

    Parameters
    ----------
    settings
        Where logs and outcomes go.
    what
        The part and where it runs.

    Returns
    -------
    Call

    Raises
    ------
    WrongUsage
        If the service would refuse it.
    """
    (work,) = what.works
    if what.target is None:
        outcome = outcome_folder(settings, EXECUTION) if work.kind == "job" else None
        step = requests.step(
            work, what.manifest, settings, outcome, "TERMINATE_CLUSTER", token=EXECUTION, conf=what.conf
        )
        request = cluster.request(settings, cluster.spec_of(settings), [step], transient=True)
        return Call("emr", "RunJobFlow", {**request, "Name": f"{request['Name']} {EXECUTION}"})
    is_cluster = what.target.kind == "cluster"
    service = Steps(settings, what.target) if is_cluster else JobRuns(settings, what.target)
    operation, sent = service.request(work, what.manifest, EXECUTION, what.conf)
    return Call("emr" if is_cluster else _SERVERLESS, operation, sent)


def chain(settings: Settings, what: What, name: str, topic: str, hours: int) -> dict[str, Any]:
    """Return the state machine that runs all parts.

    Parameters
    ----------
    settings
        Where logs and outcomes go.
    what
        The parts and where they run.
    name
        Of the schedule, for the messages.
    topic
        ARN of the SNS topic.
    hours
        How long one part may take.

    Returns
    -------
    dict
        Its definition.

    Raises
    ------
    WrongUsage
        If a service would refuse a part.
    """
    request = None
    if what.target is None:
        request = cluster.request(settings, cluster.spec_of(settings), transient=False)
        request["Instances"]["TerminationProtected"] = False
        request["Name"] = f"{request['Name']} {EXECUTION}"
        check(Call("emr", "RunJobFlow", request), "example-execution")
    service = _SERVERLESS if what.target and what.target.kind == "application" else "elasticmapreduce"
    parts = [
        (work.name, _arguments(settings, what, work, f"{EXECUTION}-{number}"), work.go_on)
        for number, work in enumerate(what.works, 1)
    ]
    return _asl.machine(
        f"crime-jobs {settings.env} {name}",
        parts,
        service=service,
        topic=topic,
        timeout_seconds=hours * 3600,
        cluster_request=request,
    )


def _arguments(settings: Settings, what: What, work: Work, token: str) -> dict[str, Any]:
    """Return the arguments of a part's task: the request, in the words of Step Functions."""
    if what.target and what.target.kind == "application":
        operation, sent = JobRuns(settings, what.target).request(work, what.manifest, token, what.conf)
        return _with_capitals(Call(_SERVERLESS, operation, sent))
    if what.target is None:
        outcome = outcome_folder(settings, token) if work.kind == "job" else None
        step = requests.step(work, what.manifest, settings, outcome, token=token, conf=what.conf)
        spec = cluster.spec_of(settings)
        role = settings.runtime_role if spec.security_configuration else None
        return {"Step": step, **({"ExecutionRoleArn": role} if role else {})}
    operation, sent = Steps(settings, what.target).request(work, what.manifest, token, what.conf)
    check(Call("emr", operation, sent), "example-execution")
    # addStep takes one step, and calls the cluster by another name than AddJobFlowSteps.
    rest = {key: value for key, value in sent.items() if key not in ("JobFlowId", "Steps")}
    return {"ClusterId": sent["JobFlowId"], "Step": sent["Steps"][0], **rest}


def _with_capitals(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(target(call, "aws")["Input"])
    return found
