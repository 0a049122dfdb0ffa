"""A stack of CloudFormation: a change set made, shown, executed and followed to its end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crime_jobs import aws
from crime_jobs.cloud.deploy_reasons import hint_of, is_denied, way_out
from crime_jobs.errors import AwsRefused, CrimeJobsError, Interrupted, JobFailed
from crime_jobs.settings import Settings

Row = dict[str, Any]
Tell = Callable[[str], None]

#: Seconds between two looks, at first and at most.
SOON, LATER = 0.5, 5.0
#: An endpoint that lacks a type may say success and give this as its physical id.
NOT_MADE = "unknown"
#: Types that hold what can't be made again.
STATEFUL = {
    "AWS::CloudTrail::Trail",
    "AWS::DynamoDB::Table",
    "AWS::Glue::Database",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBInstance",
    "AWS::RedshiftServerless::Namespace",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",  # who hears of it has confirmed that
    "AWS::SQS::Queue",
}
_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_UNDONE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"}
#: From these nothing goes on by itself.
_STUCK = {
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_FAILED",
}
_NO_CHANGES = ("didn't contain changes", "no updates are to be performed")


@dataclass(frozen=True)
class Plan:
    """A change set: its ARN, the stack's, and what it would do, a row a resource."""

    arn: str
    stack: str
    rows: list[Row]

    @property
    def loses(self) -> list[Row]:
        """The changes that take away what can't be made again."""
        return [
            row for row in self.rows if row["action"] in ("replace", "remove") and row["type"] in STATEFUL
        ]


class Stack:
    """A stack.

    Parameters
    ----------
    settings
        Region and profile.
    name
        Its name.
    tell
        Told of each resource that came up or failed.
    sleep
        Waits, in seconds.
    """

    def __init__(
        self, settings: Settings, name: str, tell: Tell, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.name, self._tell, self._sleep = name, tell, sleep
        self._client = aws.client("cloudformation", settings)
        self._seen: set[str] = set()

    def describe(self) -> dict[str, Any] | None:
        """Return what CloudFormation says of it; ``None`` if there is none."""
        from botocore.exceptions import ClientError

        try:
            with aws.refusals(f"Looking at stack {self.name}"):
                (found,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
        except AwsRefused as error:
            if isinstance(error.__cause__, ClientError) and "does not exist" in str(error.__cause__):
                return None
            raise
        return dict(found)

    def state(self) -> str | None:
        """Return its status; ``None`` if there is none."""
        found = self.describe()
        return str(found["StackStatus"]) if found else None

    def outputs(self) -> dict[str, str]:
        """Return its outputs; none if there is no stack."""
        found = self.describe() or {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def never_whole(self) -> bool:
        """Tell whether an earlier try left it so that all it can do is to be deleted."""
        return self.state() == "ROLLBACK_COMPLETE"

    def ready(self) -> bool:
        """Make sure that it can be changed.

        Returns
        -------
        bool
            Whether it is there already.

        Raises
        ------
        JobFailed
            If another deployment is under way, or the stack is in a state that a person must help.
        """
        state = self.state()
        if state in (None, "REVIEW_IN_PROGRESS"):
            return False
        if state.endswith("_IN_PROGRESS"):
            raise self._busy(state)
        if state in _STUCK:
            raise JobFailed(
                f"Stack {self.name} is {state}: nothing can be changed.",
                hint=f"`aws cloudformation describe-stack-events --stack-name {self.name}` says why; "
                f"after that {way_out(state, self.name)}.",
            )
        return True

    def _busy(self, state: str) -> JobFailed:
        return JobFailed(
            f"Another deployment of stack {self.name} is under way ({state}); nothing was changed.",
            hint=f"Wait for it (`aws cloudformation describe-stack-events --stack-name {self.name}`), "
            "then run this again.",
        )

    def plan(self, body: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> Plan | None:
        """Make a change set.

        Parameters
        ----------
        body
            The template.
        parameters, tags
            Of the stack.

        Returns
        -------
        Plan or None
            ``None`` if nothing would change.

        Raises
        ------
        AwsRefused
            If AWS refuses the template.
        """
        there = self.ready()
        with aws.refusals(f"Planning stack {self.name}"):
            made = self._client.create_change_set(
                StackName=self.name,
                ChangeSetName=f"crime-jobs-{uuid.uuid4().hex[:12]}",
                ChangeSetType="UPDATE" if there else "CREATE",
                Capabilities=["CAPABILITY_NAMED_IAM"],
                Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
                Tags=[{"Key": k, "Value": v} for k, v in tags.items()],
                TemplateBody=body,
            )
        arn, wait = str(made["Id"]), SOON
        while True:
            with aws.refusals(f"Looking at the change set of {self.name}"):
                told = self._client.describe_change_set(ChangeSetName=arn)
            if told["Status"] == "CREATE_COMPLETE":
                return Plan(arn, str(made["StackId"]), list(self._changes(arn, told)))
            if told["Status"] == "FAILED":
                reason = " ".join(str(told.get("StatusReason", "")).split())
                self.discard(arn)
                if any(words in reason.lower() for words in _NO_CHANGES):
                    return None
                raise AwsRefused(
                    f"No change set of stack {self.name}: {reason.rstrip('.')}.", hint=hint_of(reason)
                )
            self._sleep(wait)
            wait = min(LATER, wait * 2)

    def _changes(self, arn: str, told: Mapping[str, Any]) -> Iterator[Row]:
        while True:
            for change in told.get("Changes", []):
                one = change["ResourceChange"]
                action = str(one["Action"]).lower()
                if action == "modify" and one.get("Replacement", "False") in ("True", "Conditional"):
                    action = "replace"
                yield {
                    "resource": one["LogicalResourceId"],
                    "type": one["ResourceType"],
                    "action": action,
                    "id": one.get("PhysicalResourceId") or "",
                }
            if not told.get("NextToken"):
                return
            with aws.refusals(f"Looking at the change set of {self.name}"):
                told = self._client.describe_change_set(ChangeSetName=arn, NextToken=told["NextToken"])

    def discard(self, arn: str) -> None:
        """Delete a change set that is not executed, and the empty stack that it may have made.

        Parameters
        ----------
        arn
            The change set.
        """
        with aws.refusals(f"Deleting the change set of {self.name}"):
            self._client.delete_change_set(ChangeSetName=arn)
        if self.state() == "REVIEW_IN_PROGRESS" and not self._has_others(arn):
            with aws.refusals(f"Deleting the empty stack {self.name}"):
                self._client.delete_stack(StackName=self.name)

    def _has_others(self, arn: str) -> bool:
        """Tell whether another deployment's change set waits in it for an answer."""
        with aws.refusals(f"Looking at the change sets of {self.name}"):
            pages = self._client.get_paginator("list_change_sets").paginate(StackName=self.name)
            found = [one for page in pages for one in page["Summaries"]]
        return any(
            one.get("ChangeSetId") != arn and not str(one.get("Status", "")).startswith("DELETE")
            for one in found
        )

    def execute(self, plan: Plan) -> None:
        """Execute a change set and follow it to its end.

        Parameters
        ----------
        plan
            What `plan` returned.

        Raises
        ------
        JobFailed
            If it fails: the first failure's reason comes first. What a failed creation made is gone again.
        AwsRefused
            If it fails for want of a permission.
        Interrupted
            If Ctrl-C ended the waiting; CloudFormation goes on.
        """
        from botocore.exceptions import ClientError

        state = self.state() or ""
        if state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS":
            raise self._busy(state)
        self._seen = {event["EventId"] for event in self._events(plan.stack)}
        try:
            with aws.refusals(f"Changing stack {self.name}"):
                # New resources go when it fails, also those that a policy keeps from deletion later.
                self._client.execute_change_set(ChangeSetName=plan.arn, RetainExceptOnCreate=True)
        except AwsRefused as error:  # another change was first, which voids all others
            codes = ("ChangeSetNotFound", "ChangeSetNotFoundException", "InvalidChangeSetStatus")
            if isinstance(error.__cause__, ClientError) and aws.code_of(error.__cause__).startswith(codes):
                raise self._busy(self.state() or "changed meanwhile") from error
            raise
        try:
            self._follow(plan)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(
                f"Interrupted: CloudFormation goes on with stack {self.name}.",
                hint=f"`aws cloudformation describe-stack-events --stack-name {self.name}` shows it; "
                f"`aws cloudformation cancel-update-stack --stack-name {self.name}` takes an update back.",
            ) from interrupt

    def _follow(self, plan: Plan) -> None:
        failures: list[tuple[str, str]] = []
        done, wait = 0, SOON
        while True:
            try:
                found, news = self._described(plan.stack), self._news(plan.stack)
            except AwsRefused as error:  # credentials that ended, a network that is gone
                raise AwsRefused(
                    f"{error.message} CloudFormation goes on with it.",
                    hint=f"{error.hint} Then run this again: it says how that ended.".strip(),
                ) from error
            for event in news:
                status, reason = (
                    event["ResourceStatus"],
                    " ".join(event.get("ResourceStatusReason", "").split()),
                )
                name = event["LogicalResourceId"]
                if name == self.name:
                    continue
                if status.endswith("_FAILED"):
                    self._tell(f"{self.name}: {name}: {status.lower()}{f', {reason}' if reason else ''}")
                    if "cancelled" not in reason.lower():
                        failures.append((f"{name} ({event['ResourceType']})", reason or "no reason is given"))
                elif status.endswith("_COMPLETE"):
                    done += 1
                    self._tell(f"{self.name}: {done}/{max(done, len(plan.rows))} {name}: {status.lower()}")
            state = found["StackStatus"]
            if state in _UNDONE:
                raise self._undone(plan, state, failures, str(found.get("StackStatusReason", "")))
            if state in _DONE:
                self._check(plan.stack)
                return
            self._sleep(wait)
            wait = min(LATER, wait * 2)

    def _undone(self, plan: Plan, state: str, failures: list[tuple[str, str]], said: str) -> CrimeJobsError:
        which, reason = failures[0] if failures else (f"Stack {self.name}", said or "no reason is given")
        message = f"{which}: {reason.rstrip('.')}."
        left = self._left(plan.stack) if state == "ROLLBACK_COMPLETE" else []
        if state == "ROLLBACK_COMPLETE" and not left:
            self.delete()
            message += f" All that stack {self.name} had made is removed again."
        elif left:
            message += f" Stack {self.name} is {state}, and {', '.join(left)} stayed."
        elif state == "UPDATE_ROLLBACK_COMPLETE":
            message += f" Stack {self.name} is as it was before."
        else:
            message += f" Stack {self.name} is {state}: {way_out(state, self.name)}."
        kind = AwsRefused if is_denied(reason) else JobFailed
        return kind(message, hint=hint_of(reason) or "Correct this and deploy again.")

    def _left(self, stack: str) -> list[str]:
        """Return what a rollback left, which is nothing, as a rule."""
        gone = {"DELETE_COMPLETE", "CREATE_FAILED"}
        return [
            one["LogicalResourceId"] for one in self.resources(stack) if one["ResourceStatus"] not in gone
        ]

    def _check(self, stack: str) -> None:
        absent = [one for one in self.resources(stack) if one.get("PhysicalResourceId", NOT_MADE) == NOT_MADE]
        if absent:
            kinds = sorted({str(one["ResourceType"]) for one in absent})
            raise JobFailed(
                f"{absent[0]['LogicalResourceId']} of stack {self.name} was not made, though CloudFormation "
                f"says so; in all {len(absent)} of {', '.join(kinds)}.",
                hint="What answers here lacks these types: write them into deploy.without of the section.",
            )

    def resources(self, stack: str | None = None) -> list[dict[str, Any]]:
        """Return its resources, as CloudFormation lists them.

        Parameters
        ----------
        stack
            Its ARN, which finds one that is deleted too.
        """
        with aws.refusals(f"Looking at the resources of stack {self.name}"):
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=stack or self.name)
            return [one for page in pages for one in page["StackResourceSummaries"]]

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
        wait = SOON
        while True:
            state = self._described(found["StackId"], gone="DELETE_COMPLETE")["StackStatus"]
            if state == "DELETE_COMPLETE":
                return
            if state == "DELETE_FAILED":
                raise JobFailed(
                    f"Stack {self.name} can't be deleted.",
                    hint=f"`aws cloudformation describe-stack-events --stack-name {self.name}` says why.",
                )
            self._sleep(wait)
            wait = min(LATER, wait * 2)

    def _described(self, stack: str, gone: str = "") -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            with aws.refusals(f"Looking at stack {self.name}"):
                (found,) = self._client.describe_stacks(StackName=stack)["Stacks"]
        except AwsRefused as error:
            if gone and isinstance(error.__cause__, ClientError) and "does not exist" in str(error.__cause__):
                return {"StackStatus": gone}
            raise
        return dict(found)

    def _news(self, stack: str) -> list[dict[str, Any]]:
        fresh = [event for event in self._events(stack) if event["EventId"] not in self._seen]
        self._seen |= {event["EventId"] for event in fresh}
        return fresh[::-1]  # the service gives the newest first

    def _events(self, stack: str) -> list[dict[str, Any]]:
        with aws.refusals(f"Looking at the events of stack {self.name}"):
            pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack)
            return [event for page in pages for event in page["StackEvents"]]
