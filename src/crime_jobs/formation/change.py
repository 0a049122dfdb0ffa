"""A change of a stack: a change set made, shown, executed and followed to its end."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, Interrupted, JobFailed
from crime_jobs.formation.following import Following, Tell
from crime_jobs.formation.reasons import hint_of, way_out
from crime_jobs.formation.stack import Row, Stack, pauses
from crime_jobs.settings import Settings

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


class Changing(Stack):
    """A stack that may be made or changed.

    Parameters
    ----------
    settings, name
        As for `Stack`.
    tell
        Told of each resource that came up or failed.
    """

    def __init__(self, settings: Settings, name: str, tell: Tell) -> None:
        super().__init__(settings, name)
        self._tell = tell

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

    def plan(
        self,
        template: Mapping[str, str],
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        role: str = "",
    ) -> Plan | None:
        """Make a change set.

        Parameters
        ----------
        template
            ``TemplateBody`` or ``TemplateURL``.
        parameters, tags
            Of the stack.
        role
            ARN of the role that CloudFormation makes it with, from then on; without one it has our rights.

        Returns
        -------
        Plan or None
            ``None`` if nothing would change.

        Raises
        ------
        AwsRefused
            If AWS refuses the template.
        JobFailed
            As for `ready`.
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
                **template,
                **({"RoleARN": role} if role else {}),
            )
        arn, pause = str(made["Id"]), pauses()
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
            next(pause)

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
        following = Following(self, plan.stack, len(plan.rows), self._tell)
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
            following.to_the_end()
        except KeyboardInterrupt as interrupt:
            raise Interrupted(
                f"Interrupted: CloudFormation goes on with stack {self.name}.",
                hint=f"`aws cloudformation describe-stack-events --stack-name {self.name}` shows it; "
                f"`aws cloudformation cancel-update-stack --stack-name {self.name}` takes an update back.",
            ) from interrupt
