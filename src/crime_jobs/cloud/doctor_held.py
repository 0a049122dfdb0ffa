"""What the environment's stacks hold, for the doctor: much of it is named in no setting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from crime_jobs.cloud import stacks
from crime_jobs.cloud.doctor import Probe, Said, Where
from crime_jobs.cloud.inventory_asking import side_by_side
from crime_jobs.cloud.stacks_template import load

#: Stacks that are asked about at a time.
_AT_ONCE = 8
#: What stands for the id of what CloudFormation has not made: nothing, or LocalStack's word.
_NOT_MADE = ("", "unknown")


@dataclass(frozen=True)
class Held:
    """Something that a stack holds.

    Parameters
    ----------
    stream
        The stream whose stack it is.
    name
        Its name in the template.
    type
        As CloudFormation calls it: ``AWS::S3::Bucket``.
    id
        Its physical id: of a bucket, an alarm, a trail, a budget its name, of a topic its ARN.
    """

    stream: str
    name: str
    type: str
    id: str

    @cached_property
    def wanted(self) -> dict[str, Any]:
        """What the template says of it."""
        properties: dict[str, Any] = load(self.stream).resources.get(self.name, {}).get("Properties", {})
        return properties


def all_of(where: Where) -> list[Held]:
    """List what the environment's stacks hold; CloudFormation is asked once.

    Parameters
    ----------
    where
        The environment.

    Returns
    -------
    list of Held
        Of the streams in their order; nothing where no stack is.
    """
    return where.once("stacks", lambda: _asked(where))


def _asked(where: Where) -> list[Held]:
    client, env = where.client("cloudformation"), where.settings.env
    names = {stacks.stack_name(env, stream.name): stream.name for stream in stacks.STREAMS}
    pages = client.get_paginator("describe_stacks").paginate()
    there = {one["StackName"] for page in pages for one in page["Stacks"]}

    def read(stack: str) -> list[Held]:
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
        return [
            Held(names[stack], one["LogicalResourceId"], one["ResourceType"], one["PhysicalResourceId"])
            for page in pages
            for one in page["StackResourceSummaries"]
            if one.get("PhysicalResourceId", "") not in _NOT_MADE
            and one["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    found = side_by_side(read, [name for name in names if name in there], _AT_ONCE)
    return [one for some in found for one in some]


def of_type(where: Where, type_name: str) -> tuple[list[Held], list[Probe]]:
    """Return what the stacks hold of a type.

    Parameters
    ----------
    where
        The environment.
    type_name
        The type.

    Returns
    -------
    tuple of list
        What they hold; and, where CloudFormation can't be asked, a probe that says so: what the settings
        name is looked at all the same.
    """
    found: list[Held] = []
    asked = Said().ask(lambda _: found.extend(all_of(where)), "what the stacks hold")
    silent = [Probe("what the stacks hold", asked.tell)] if asked.remarks else []
    return [one for one in found if one.type == type_name], silent
