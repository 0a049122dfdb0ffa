"""A CloudFormation for tests: holds requests against the service's model, and does what a test tells it to."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.validate import ParamValidator

from crime_jobs.cloud.stacks_template import parsed

ACCOUNT, REGION = "123456789012", "ap-south-1"
MODEL = get_session().get_service_model("cloudformation")


def refused(operation: str, code: str, message: str) -> ClientError:
    """What boto3 raises when the service refuses."""
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(answer, operation)


class Formation:
    """Stacks by name. A resource whose name is in `fails` is refused with the reason there.

    What else can be told: `steps`, how many looks a change takes; `interrupt`, at which look Ctrl-C comes;
    `expires`, at which look the credentials have ended; `absent`, types that are said to be made and are not;
    `leaves`, resources that a rollback forgets; `refuses`, why no change set can be made; `page`, how many
    changes an answer holds; `files`, the templates behind addresses.
    """

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, dict[str, Any]] = {}
        self.fails: dict[str, str] = {}
        self.absent: set[str] = set()
        self.leaves: set[str] = set()
        self.calls: list[str] = []
        self.steps, self.interrupt, self.expires = 1, 0, 0
        self.refuses, self.page = "", 100
        self.files: dict[str, str] = {}
        self.clock = datetime(2026, 11, 24, tzinfo=UTC)

    def __getattr__(self, name: str) -> Any:
        operation = next((one for one in MODEL.operation_names if one.lower() == name.replace("_", "")), None)
        if operation is None:
            raise AttributeError(name)

        def call(**request: Any) -> Any:
            report = ParamValidator().validate(request, MODEL.operation_model(operation).input_shape)
            assert not report.has_errors(), report.generate_report()
            self.calls.append(operation)
            return getattr(self, f"on_{name}")(**request)

        return call

    def get_paginator(self, name: str) -> Any:
        outer = self

        class Pages:
            def paginate(self, **request: Any) -> Any:
                yield getattr(outer, name)(**request)

        return Pages()

    def find(self, name: str) -> dict[str, Any]:
        """A stack by name or ARN; a deleted one by its ARN only."""
        for stack in self.stacks.values():
            if name == stack["StackId"] or (
                name == stack["StackName"] and stack["StackStatus"] != "DELETE_COMPLETE"
            ):
                return stack
        raise refused("DescribeStacks", "ValidationError", f"Stack with id {name} does not exist")

    def on_describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        stack = self.find(StackName)
        if stack["StackStatus"].endswith("_IN_PROGRESS") and stack.get("left"):
            self._step(stack)
        shown = {key: value for key, value in stack.items() if key[0].isupper()}
        return {"Stacks": [shown]}

    def _step(self, stack: dict[str, Any]) -> None:
        stack["looks"] += 1
        if self.interrupt and stack["looks"] == self.interrupt:
            raise KeyboardInterrupt
        if self.expires and stack["looks"] == self.expires:
            raise refused("DescribeStacks", "ExpiredToken", "The security token is expired")
        if stack["looks"] < self.steps:
            return
        stack.pop("left")()

    def on_create_change_set(self, **request: Any) -> Any:
        name = request["StackName"]
        assert (request["ChangeSetType"] == "UPDATE") == (
            name in self.stacks
            and self.stacks[name]["StackStatus"] not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
        )
        if request["ChangeSetType"] == "CREATE" and (
            name not in self.stacks or self.stacks[name]["StackStatus"] == "DELETE_COMPLETE"
        ):
            self.stacks[name] = {
                "StackName": name,
                "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{len(self.calls)}",
                "StackStatus": "REVIEW_IN_PROGRESS",
                "CreationTime": self.clock,
                "events": [],
                "resources": {},
                "template": {"Resources": {}},
            }
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/{request['ChangeSetName']}/1"
        body = self.files[request["TemplateURL"]] if "TemplateURL" in request else request["TemplateBody"]
        template, stack = deepcopy(parsed(body)), self.stacks[name]
        self.sets[arn] = {
            "stack": stack,
            "request": request,
            "template": template,
            "changes": self._changes(stack["template"]["Resources"], template["Resources"]),
        }
        return {"Id": arn, "StackId": stack["StackId"]}

    def _changes(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = []
        for name in sorted(now.keys() | before.keys()):
            if now.get(name) == before.get(name):
                continue
            action = "Add" if name not in before else "Modify" if name in now else "Remove"
            kind = (before.get(name) or now[name])["Type"]
            one = {"Action": action, "LogicalResourceId": name, "ResourceType": kind}
            if action == "Modify":
                one["Replacement"] = "True"
            found.append({"Type": "Resource", "ResourceChange": one})
        return found

    def on_describe_change_set(self, ChangeSetName: str, NextToken: str = "0") -> Any:  # noqa: N803
        changes = self.sets[ChangeSetName]["changes"]
        if self.refuses or not changes:
            reason = self.refuses or "The submitted information didn't contain changes."
            return {"Status": "FAILED", "StatusReason": reason}
        start, end = int(NextToken), int(NextToken) + self.page
        more = {"NextToken": str(end)} if end < len(changes) else {}
        return {"Status": "CREATE_COMPLETE", "Changes": changes[start:end], **more}

    def on_list_change_sets(self, StackName: str) -> Any:  # noqa: N803
        stack = self.find(StackName)
        return {
            "Summaries": [
                {"ChangeSetId": arn, "Status": "CREATE_COMPLETE"}
                for arn, found in self.sets.items()
                if found["stack"] is stack
            ]
        }

    def on_delete_change_set(self, ChangeSetName: str) -> Any:  # noqa: N803
        del self.sets[ChangeSetName]
        return {}

    def on_execute_change_set(self, ChangeSetName: str, RetainExceptOnCreate: bool) -> Any:  # noqa: N803
        assert RetainExceptOnCreate
        if ChangeSetName not in self.sets:
            raise refused("ExecuteChangeSet", "ChangeSetNotFound", "ChangeSet does not exist")
        found = self.sets.pop(ChangeSetName)
        stack, creates = found["stack"], found["request"]["ChangeSetType"] == "CREATE"
        stack |= {"StackStatus": "CREATE_IN_PROGRESS" if creates else "UPDATE_IN_PROGRESS", "looks": 0}
        stack["Tags"], stack["parameters"] = found["request"]["Tags"], found["request"]["Parameters"]
        stack["left"] = lambda: self._finish(stack, found, creates)
        return {}

    def _event(self, stack: dict[str, Any], name: str, kind: str, status: str, reason: str = "") -> None:
        self.clock += timedelta(seconds=1)
        stack["events"].insert(
            0,
            {
                "EventId": f"{len(stack['events'])}",
                "StackId": stack["StackId"],
                "StackName": stack["StackName"],
                "LogicalResourceId": name,
                "ResourceType": kind,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "Timestamp": self.clock,
            },
        )

    def _finish(self, stack: dict[str, Any], found: dict[str, Any], creates: bool) -> None:
        changes = [change["ResourceChange"] for change in found["changes"]]
        bad = [one for one in changes if one["LogicalResourceId"] in self.fails]
        for one in changes:
            name, kind = one["LogicalResourceId"], one["ResourceType"]
            if not bad or one not in bad:
                status = "CREATE_FAILED" if bad and one is changes[-1] else "CREATE_COMPLETE"
                if status == "CREATE_FAILED":  # others that were under way
                    self._event(stack, name, kind, status, "Resource creation cancelled")
                    continue
                made = "unknown" if kind in self.absent else f"id-{name}"
                stack["resources"][name] = {"id": made, "type": kind, "status": "CREATE_COMPLETE"}
                self._event(stack, name, kind, "CREATE_COMPLETE")
            else:
                self._event(stack, name, kind, "CREATE_FAILED", self.fails[name])
        if bad:
            for name, resource in stack["resources"].items():
                if name not in self.leaves and creates:
                    resource["status"] = "DELETE_COMPLETE"
            stack["StackStatus"] = "ROLLBACK_COMPLETE" if creates else "UPDATE_ROLLBACK_COMPLETE"
            return
        stack["template"] = found["template"]
        outputs = stack["template"].get("Outputs", {})
        stack["Outputs"] = [{"OutputKey": key, "OutputValue": f"{key}-value"} for key in outputs]
        stack["StackStatus"] = "CREATE_COMPLETE" if creates else "UPDATE_COMPLETE"

    def on_describe_stack_events(self, StackName: str) -> Any:  # noqa: N803
        return {"StackEvents": list(self.find(StackName)["events"])}

    def on_list_stack_resources(self, StackName: str) -> Any:  # noqa: N803
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": name,
                    "ResourceType": one["type"],
                    "ResourceStatus": one["status"],
                    "PhysicalResourceId": one["id"],
                }
                for name, one in self.find(StackName)["resources"].items()
            ]
        }

    def on_delete_stack(self, StackName: str) -> Any:  # noqa: N803
        self.find(StackName)["StackStatus"] = "DELETE_COMPLETE"
        return {}
