"""Deletes stacks: those that import from others first, each watched to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud.inventory import Row
from crime_jobs.cloud.inventory_asking import Asking, is_gone
from crime_jobs.cloud.kinds_base import items
from crime_jobs.cloud.stacks_template import parsed
from crime_jobs.errors import AwsRefused, JobFailed

#: Seconds that a stack may take: Redshift, RDS and NAT gateways take the longest of what ours hold.
PATIENCE = 45 * 60
_PAUSES = (0.3, 0.5, 1, 2, 5)
_BUSY = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "CLEANUP_IN_PROGRESS")

#: A shorter value that two stacks share says nothing: "yes", "300".
_TELLING = 6

#: How the name of the stack ends that has the trail of who read and removed what.
_TRAIL = "-storage"

Importers = dict[tuple[str, str], set[tuple[str, str]]]


def importers(asking: Asking, stacks: Iterable[Row]) -> Importers:
    """Find which stacks need others: they import what those export, or were given what those put out.

    `crime-jobs deploy` gives a stack's outputs to the next one as parameters; of that CloudFormation knows
    nothing, and would delete a network before the cluster that is in it.

    Parameters
    ----------
    asking
        The services.
    stacks
        The stacks.

    Returns
    -------
    dict
        Region and name of those that need it, by region and name of the one that gives.

    Raises
    ------
    AwsRefused
        If CloudFormation does not say it: the order would be a guess.
    """
    by_id = {row.found.id: row for row in stacks}
    found = _given(list(by_id.values()))
    for region in sorted({row.region for row in by_id.values()}):
        client = asking.client("cloudformation", region)
        with aws.refusals(f"Reading the exports of stacks in {region}"):
            exports = list(items(client, "list_exports", "Exports"))
        for export in exports:
            row = by_id.get(export["ExportingStackId"])
            if row is not None:
                found.setdefault((region, row.found.name), set()).update(
                    (region, name) for name in _importing(client, export["Name"])
                )
    return found


def _given(stacks: list[Row]) -> Importers:
    found: Importers = {}
    for gives in stacks:
        values = {value for value in gives.found.more["gives"] if len(value) >= _TELLING}
        for takes in stacks:
            if takes is not gives and takes.region == gives.region and values & takes.found.more["takes"]:
                found.setdefault((gives.region, gives.found.name), set()).add(
                    (takes.region, takes.found.name)
                )
    return found


def _importing(client: Any, export: str) -> list[str]:
    try:
        with aws.refusals(f"Reading who imports {export}"):
            return list(items(client, "list_imports", "Imports", ExportName=export))
    except AwsRefused as error:
        if "is not imported" in error.message:  # which CloudFormation calls a ValidationError
            return []
        raise


def retained(asking: Asking, stack: Row) -> set[str]:
    """Return the physical ids of what a stack leaves there when it is deleted.

    Parameters
    ----------
    asking
        The services.
    stack
        The stack.

    Raises
    ------
    AwsRefused
        If CloudFormation does not show its template.
    """
    client = asking.client("cloudformation", stack.region)
    with aws.refusals(f"Reading the template of stack {stack.found.name}"):
        body = client.get_template(StackName=stack.found.id)["TemplateBody"]
        held = list(items(client, "list_stack_resources", "StackResourceSummaries", StackName=stack.found.id))
    document = parsed(body) if isinstance(body, str) else body
    keeps = {"Retain", "RetainExceptOnCreate"}
    names = {name for name, about in document["Resources"].items() if about.get("DeletionPolicy") in keeps}
    # What could not be made has no id, or an empty one, which is no name of anything.
    ids = {one.get("PhysicalResourceId", "") for one in held if one["LogicalResourceId"] in names}
    return ids - {""}


def waves(stacks: Iterable[Row], importing: Importers) -> list[list[Row]]:
    """Put stacks in order: each wave has those that none of the later ones needs.

    Parameters
    ----------
    stacks
        The stacks.
    importing
        Who imports from whom.

    Returns
    -------
    list of list
        A circle, which CloudFormation does not allow, is the last wave. The trail's stack goes after all that
        does not need to go after it: what is destroyed before is on record.
    """
    left = {(row.region, row.found.name): row for row in stacks}
    order = []
    while left:
        free = [key for key in left if not (importing.get(key, set()) & left.keys()) - {key}]
        free = [key for key in free if not key[1].endswith(_TRAIL)] or free
        wave = [left.pop(key) for key in free or list(left)]
        order.append(wave)
    return order


def delete(
    asking: Asking,
    row: Row,
    tell: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    patience: float = PATIENCE,
) -> None:
    """Delete a stack and wait until it is gone.

    What can't be removed with it is left behind, and the stack deleted without: `crime_jobs.cloud.destroy`
    removes that next, and says why if it can't either.

    Parameters
    ----------
    asking
        The services.
    row
        The stack.
    tell
        Hears what is left behind.
    sleep
        Waits some seconds.
    patience
        Seconds.

    Raises
    ------
    JobFailed
        If it can't be deleted, with the first reason that CloudFormation gave.
    AwsRefused
        If CloudFormation refuses.
    """
    client, name = asking.client("cloudformation", row.region), row.found.name
    until = time.monotonic() + patience
    with aws.refusals(f"Deleting stack {name}"):
        status = _settled(client, row, sleep, until, busy=_BUSY)
        if status != "DELETE_IN_PROGRESS" and status:  # else another destroy is at it
            client.delete_stack(StackName=row.found.id)
        status = _settled(client, row, sleep, until)
        if status == "DELETE_FAILED":
            stuck = _stuck(client, row)
            for logical, reason in stuck.items():
                tell(f"Stack {name} can't remove {logical}: {reason}")
            if stuck:  # CloudFormation refuses an empty list, and takes one only after a deletion failed
                client.delete_stack(StackName=row.found.id, RetainResources=sorted(stuck))
                status = _settled(client, row, sleep, until)
    if status:
        unsaid = "CloudFormation gives no reason" if "FAILED" in status else "it is still being deleted"
        reason = next(iter(_stuck(client, row).values()), unsaid)
        raise JobFailed(f"Stack {name} is {status}: {reason}.")


def _settled(
    client: Any,
    row: Row,
    sleep: Callable[[float], None],
    until: float,
    busy: tuple[str, ...] = ("IN_PROGRESS",),
) -> str:
    """Return the status of a stack once nothing is under way; empty if it is gone."""
    step = 0
    while True:
        try:
            with aws.refusals(f"Looking at stack {row.found.name}"):
                status = str(client.describe_stacks(StackName=row.found.id)["Stacks"][0]["StackStatus"])
        except AwsRefused as error:
            if is_gone(error):
                return ""
            raise
        if status == "DELETE_COMPLETE":
            return ""
        if not status.endswith(busy) or time.monotonic() > until:
            return status
        sleep(_PAUSES[min(step, len(_PAUSES) - 1)])
        step += 1


def _stuck(client: Any, row: Row) -> dict[str, str]:
    """Return what a stack could not remove, and the reason given, newest first."""
    found: dict[str, str] = {}
    for event in items(client, "describe_stack_events", "StackEvents", StackName=row.found.id):
        own = event.get("PhysicalResourceId") == row.found.id
        if own and event["ResourceStatus"] == "DELETE_IN_PROGRESS":
            break  # what stands before is of an earlier attempt
        if event["ResourceStatus"] == "DELETE_FAILED" and not own:
            found.setdefault(event["LogicalResourceId"], event.get("ResourceStatusReason", "no reason given"))
    return found
