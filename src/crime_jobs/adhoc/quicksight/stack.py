"""The CloudFormation stack: a change set made, shown, executed, and followed event by event to its end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crime_jobs import aws
from crime_jobs.adhoc.quicksight.service import Row, pause
from crime_jobs.errors import AwsRefused, Interrupted, JobFailed
from crime_jobs.settings import Settings

#: Seconds between two looks.
LOOK = 5.0
#: A template of more bytes must be in S3
#: (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html).
LARGEST_INLINE = 51_200
#: LocalStack's free edition says success for types that it lacks, and gives them this as their physical id.
NOT_MADE = "unknown"
_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_GONE_WRONG = {
    "CREATE_FAILED",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_FAILED",
}
#: From these no update goes on: the stack must be deleted, or helped, by a person.
_STUCK = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"}
_NO_CHANGES = ("didn't contain changes", "no updates are to be performed")


@dataclass(frozen=True)
class Plan:
    """A change set: its ARN, the stack's, and what it would do, a row a resource."""

    arn: str
    stack: str
    rows: list[Row]


class Stack:
    """A stack.

    Parameters
    ----------
    settings
        Region and profile.
    name
        Its name.
    tell
        Told of each event.
    sleep
        Waits, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        tell: Callable[[str], None],
        sleep: Callable[[float], None] = pause,
    ) -> None:
        self.name, self._tell, self._sleep = name, tell, sleep
        self._client = aws.client("cloudformation", settings)
        self._seen: set[str] = set()

    def state(self) -> str | None:
        """Return the stack's status; ``None`` if there is no stack, or only the shell of a change set."""
        from botocore.exceptions import ClientError

        try:
            with aws.refusals(f"Looking at stack {self.name}"):
                (found,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
        except AwsRefused as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and "does not exist" in str(cause):
                return None
            raise
        return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else str(found["StackStatus"])

    def plan(
        self, source: Mapping[str, str], parameters: Mapping[str, str], tags: Mapping[str, str]
    ) -> Plan | None:
        """Make a change set.

        Parameters
        ----------
        source
            ``TemplateBody`` or ``TemplateURL``.
        parameters, tags
            Of the stack.

        Returns
        -------
        Plan or None
            ``None`` if nothing would change.

        Raises
        ------
        AwsRefused
            If AWS refuses, or the stack is in a state from which it can't be changed.
        """
        state = self.state()
        if state in _STUCK or (state or "").endswith("_IN_PROGRESS"):
            raise AwsRefused(
                f"Stack {self.name} is {state}: it can't be changed now.",
                hint="Wait for it, if it is in progress; else delete it (`aws cloudformation delete-stack`) "
                "and deploy again: datasets are filled anew.",
            )
        with aws.refusals(f"Planning stack {self.name}"):
            made = self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=f"crime-jobs-{uuid.uuid4().hex[:12]}",
                ChangeSetType="UPDATE" if state else "CREATE",
                Capabilities=["CAPABILITY_IAM"],
                Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
                Tags=[{"Key": k, "Value": v} for k, v in tags.items()],
                **source,
            )
        return self._planned(made["Id"], made["StackId"])

    def _planned(self, arn: str, stack: str) -> Plan | None:
        while True:
            with aws.refusals(f"Looking at the change set of {self.name}"):
                told = self._client.describe_change_set(ChangeSetName=arn)
            if told["Status"] == "CREATE_COMPLETE":
                return Plan(arn, stack, list(self._changes(arn, told)))
            if told["Status"] == "FAILED":
                reason = " ".join(str(told.get("StatusReason", "")).split())
                self.discard(arn)
                if any(words in reason.lower() for words in _NO_CHANGES):
                    return None
                raise AwsRefused(f"No change set of stack {self.name}: {reason}.")
            self._sleep(LOOK)

    def _changes(self, arn: str, told: Mapping[str, Any]) -> Iterator[Row]:
        while True:
            for change in told.get("Changes", []):
                one = change["ResourceChange"]
                yield {
                    "resource": one["LogicalResourceId"],
                    "type": one["ResourceType"],
                    "action": one["Action"].lower(),
                    "replaces": one.get("Replacement", "") == "True",
                }
            if not told.get("NextToken"):
                return
            with aws.refusals(f"Looking at the change set of {self.name}"):
                told = self._client.describe_change_set(ChangeSetName=arn, NextToken=told["NextToken"])

    def discard(self, arn: str) -> None:
        """Delete a change set that is not executed.

        Parameters
        ----------
        arn
            The change set.
        """
        with aws.refusals(f"Deleting the change set of {self.name}"):
            self._client.delete_change_set(ChangeSetName=arn)

    def execute(self, plan: Plan) -> None:
        """Execute a change set and follow it to its end.

        Parameters
        ----------
        plan
            What `plan` returned.

        Raises
        ------
        JobFailed
            If it fails: the first failure's reason comes first.
        Interrupted
            If Ctrl-C ended the waiting; CloudFormation goes on.
        """
        self._seen = {event["EventId"] for event in self._events(plan.stack)}
        with aws.refusals(f"Changing stack {self.name}"):
            self._client.execute_change_set(ChangeSetName=plan.arn)
        try:
            self._follow(plan.stack)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(
                f"Interrupted: CloudFormation goes on with stack {self.name}.",
                hint=f"`aws cloudformation describe-stack-events --stack-name {self.name}` shows it.",
            ) from interrupt

    def _follow(self, stack: str) -> None:
        failures: list[str] = []
        while True:
            with aws.refusals(f"Looking at stack {self.name}"):
                (found,) = self._client.describe_stacks(StackName=stack)["Stacks"]
            for event in self._news(stack):
                reason = " ".join(event.get("ResourceStatusReason", "").split())
                said = f"{event['LogicalResourceId']}: {event['ResourceStatus'].lower()}"
                self._tell(f"{said}{f', {reason}' if reason else ''}")
                if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
                    failures.append(f"{event['LogicalResourceId']}: {reason or 'no reason is given'}")
            state = found["StackStatus"]
            if state in _GONE_WRONG:
                first = failures[0] if failures else str(found.get("StackStatusReason", "no reason is given"))
                raise JobFailed(
                    f"{first.rstrip('.')}. Stack {self.name} is {state}.",
                    hint="Whatever was there before is there again. Correct this and deploy again.",
                )
            if state in _DONE:
                return
            self._sleep(LOOK)

    def _news(self, stack: str) -> list[dict[str, Any]]:
        fresh = [event for event in self._events(stack) if event["EventId"] not in self._seen]
        self._seen |= {event["EventId"] for event in fresh}
        return fresh[::-1]  # the service gives the newest first

    def _events(self, stack: str) -> list[dict[str, Any]]:
        with aws.refusals(f"Looking at the events of stack {self.name}"):
            pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack)
            return [event for page in pages for event in page["StackEvents"]]

    def made(self) -> list[Row]:
        """Return what the stack has made, a row a resource.

        Returns
        -------
        list of dict

        Raises
        ------
        JobFailed
            If a resource is said to be there and is not.
        """
        with aws.refusals(f"Looking at the resources of stack {self.name}"):
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=self.name)
            found = [one for page in pages for one in page["StackResourceSummaries"]]
        rows = [
            {
                "resource": one["LogicalResourceId"],
                "type": one["ResourceType"],
                "status": one["ResourceStatus"],
                "id": one.get("PhysicalResourceId", NOT_MADE),
            }
            for one in found
        ]
        absent = [row["resource"] for row in rows if row["id"] == NOT_MADE]
        if absent:
            raise JobFailed(
                f"{absent[0]} was not made, nor {len(absent) - 1} others, though stack {self.name} is done.",
                hint="Whatever answers for AWS here has no QuickSight: LocalStack's free edition has none.",
            )
        return rows

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs."""
        with aws.refusals(f"Looking at stack {self.name}"):
            (found,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
