"""A stack of CloudFormation as it is: its status, outputs, resources and events; and its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, JobFailed
from crime_jobs.settings import Settings

Row = dict[str, Any]

#: A template of more bytes must be in S3
#: (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html).
LARGEST_INLINE = 51_200
#: An endpoint that lacks a type may say success and give this as its physical id.
NOT_MADE = "unknown"
#: Seconds between two looks, at first and at most.
_SOON, _LATER = 0.5, 5.0


def pauses() -> Iterator[None]:
    """Wait at each `next`, longer from one to the next."""
    wait = _SOON
    while True:
        time.sleep(wait)
        yield
        wait = min(_LATER, wait * 2)


class Stack:
    """A stack.

    Parameters
    ----------
    settings
        Region and profile.
    name
        Its name.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self._client = aws.client("cloudformation", settings)

    def describe(self, stack: str | None = None) -> dict[str, Any] | None:
        """Return what CloudFormation says of it; ``None`` if there is none.

        Parameters
        ----------
        stack
            Its ARN, which finds one that is deleted too.
        """
        from botocore.exceptions import ClientError

        try:
            with aws.refusals(f"Looking at stack {self.name}"):
                (found,) = self._client.describe_stacks(StackName=stack or self.name)["Stacks"]
        except AwsRefused as error:
            if isinstance(error.__cause__, ClientError) and "does not exist" in str(error.__cause__):
                return None
            raise
        return dict(found)

    def state(self) -> str | None:
        """Return its status; ``None`` if there is none."""
        found = self.describe()
        return str(found["StackStatus"]) if found else None

    def never_whole(self) -> bool:
        """Tell whether an earlier try left it so that all it can do is to be deleted."""
        return self.state() == "ROLLBACK_COMPLETE"

    def outputs(self) -> dict[str, str]:
        """Return its outputs; none if there is no stack."""
        found = self.describe() or {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def events(self, stack: str) -> list[dict[str, Any]]:
        """Return its events, the newest first.

        Parameters
        ----------
        stack
            Its ARN.
        """
        with aws.refusals(f"Looking at the events of stack {self.name}"):
            pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack)
            return [event for page in pages for event in page["StackEvents"]]

    def resources(self, stack: str | None = None) -> list[Row]:
        """Return its resources, a row each: name, type, status, physical id.

        Parameters
        ----------
        stack
            As for `describe`.
        """
        with aws.refusals(f"Looking at the resources of stack {self.name}"):
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=stack or self.name)
            found = [one for page in pages for one in page["StackResourceSummaries"]]
        return [
            {
                "resource": one["LogicalResourceId"],
                "type": one["ResourceType"],
                "status": one["ResourceStatus"],
                "id": one.get("PhysicalResourceId", NOT_MADE),
            }
            for one in found
        ]

    def made(self, otherwise: str) -> list[Row]:
        """Return its resources, all of which are really there.

        Parameters
        ----------
        otherwise
            What to do where the other end lacks their types.

        Raises
        ------
        JobFailed
            If one is said to be made and is not.
        """
        rows = self.resources()
        absent = [row for row in rows if row["id"] == NOT_MADE]
        if absent:
            kinds = sorted({str(row["type"]) for row in absent})
            raise JobFailed(
                f"{absent[0]['resource']} of stack {self.name} was not made, though CloudFormation "
                f"says so; in all {len(absent)} of {', '.join(kinds)}.",
                hint=f"What answers here lacks these types: {otherwise}",
            )
        return rows

    def delete(self) -> None:
        """Delete it, and wait until it is gone.

        Raises
        ------
        JobFailed
            If it can't be deleted.
        """
        found = self.describe()
        if not found:
            return
        with aws.refusals(f"Deleting stack {self.name}"):
            self._client.delete_stack(StackName=self.name)
        pause = pauses()
        while (left := self.describe(found["StackId"])) and left["StackStatus"] != "DELETE_COMPLETE":
            if left["StackStatus"] == "DELETE_FAILED":
                raise JobFailed(
                    f"Stack {self.name} can't be deleted.",
                    hint=f"`aws cloudformation describe-stack-events --stack-name {self.name}` says why.",
                )
            next(pause)
