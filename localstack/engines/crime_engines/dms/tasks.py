"""Operations on replication tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from crime_engines.dms import life
from crime_engines.dms.model import ACTIVE, Endpoint, Task, tags_of
from crime_engines.dms.requests import (
    check_identifier,
    check_kind,
    check_mappings,
    check_settings,
    combined,
    wrong,
)
from crime_engines.dms.state import State, add, get, page, select
from crime_engines.dms.tables import statistics_shown
from crime_engines.protocol import Call, Handler, Refusal

#: Of table statistics more may be asked for at a time.
_MOST_TABLES = 500


class Tasks:
    """Replication tasks.

    Parameters
    ----------
    state
        What there is.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.handlers: Mapping[str, Handler] = {
            "CreateReplicationTask": self.create,
            "DescribeReplicationTasks": self.describe,
            "ModifyReplicationTask": self.modify,
            "StartReplicationTask": self.start,
            "StopReplicationTask": self.stop,
            "DeleteReplicationTask": self.delete,
            "DescribeTableStatistics": self.statistics,
        }

    def create(self, call: Call) -> dict[str, Any]:
        """Make a task."""
        request = dict(call.params)
        check_identifier(request["ReplicationTaskIdentifier"], "ReplicationTaskIdentifier")
        check_kind(request)
        check_mappings(request["TableMappings"])
        request["ReplicationTaskSettings"] = check_settings(request.get("ReplicationTaskSettings"))
        with self._state.lock:
            source = self._endpoint(call, "SourceEndpointArn", "source")
            target = self._endpoint(call, "TargetEndpointArn", "target")
            instance = get(
                self._state.instances, request["ReplicationInstanceArn"], call, "Replication Instance"
            )
            if instance.state != "available":
                raise Refusal(
                    "InvalidResourceStateFault", f"Replication Instance {instance.arn} is not available."
                )
            ready = time.monotonic() + self._state.control.pace.start_seconds
            home = self._state.machine.node.state / "dms"
            made = Task(request, call.region, source, target, instance, home, ready)
            made.home = home / made.id
            add(self._state.tasks, made, "Replication task")
            self._state.tags[made.arn] = tags_of(request.get("Tags"))
        return {"ReplicationTask": {**made.shown([]), "Status": "creating"}}

    def describe(self, call: Call) -> dict[str, Any]:
        """List tasks."""
        here = [one for one in self._state.tasks.values() if one.region == call.region]
        filters = {
            "replication-task-arn": lambda one: one.arn,
            "replication-task-id": lambda one: one.name,
            "migration-type": lambda one: str(one.request["MigrationType"]),
            "replication-instance-arn": lambda one: one.instance.arn,
        }
        plain, both = _without(call, "endpoint-arn")
        found = select(here, plain, "tasks", filters)
        for given in both:
            found = [one for one in found if {one.source.arn, one.target.arn} & set(given["Values"])]
        settings = not call.params.get("WithoutSettings", False)
        return page(found, call, "ReplicationTasks", lambda one: self._shown(one, settings=settings))

    def modify(self, call: Call) -> dict[str, Any]:
        """Change a task that is not at work."""
        task, request = self._task(call), call.params
        check_kind(request)
        if "TableMappings" in request:
            check_mappings(request["TableMappings"])
        changes = {name: request[name] for name in ("TableMappings",) if name in request}
        if "ReplicationTaskSettings" in request:
            changes["ReplicationTaskSettings"] = check_settings(request["ReplicationTaskSettings"])
        if request.get("ReplicationTaskIdentifier", task.name).lower() != task.name:
            raise wrong("ReplicationTaskIdentifier can't be changed here.")
        with task.lock:
            self._must_rest(task, "modified")
            task.request |= changes
            task.passing = "modifying"
            task.settled_at = time.monotonic() + self._state.control.pace.start_seconds
        return {"ReplicationTask": {**self._shown(task), "Status": "modifying"}}

    def start(self, call: Call) -> dict[str, Any]:
        """Start a task, for the first time, for what is not done yet, or for all of it again."""
        task, kind = self._task(call), call.params["StartReplicationTaskType"]
        check_kind(call.params)
        with self._state.lock, task.lock:
            self._must_rest(task, "started")
            self._must_be_reachable(task)
            if kind == "start-replication" and task.starts:
                raise combined(
                    "Start Type : START_REPLICATION, valid only for tasks running for the first time"
                )
            if kind != "start-replication" and not task.starts:
                name = kind.upper().replace("-", "_")
                raise combined(f"Start Type : {name}, not valid for tasks running for the first time")
            if kind == "reload-target":
                task.loads += 1
            life.start(self._state.machine, task)
            shown = task.shown([])
        return {"ReplicationTask": {**shown, "Status": "starting"}}

    def stop(self, call: Call) -> dict[str, Any]:
        """Stop a task; its state says when its processes have ended."""
        task = self._task(call)
        with task.lock:
            work = task.work
            if task.state != "running" or work is None:
                raise Refusal(
                    "InvalidResourceStateFault", f"Replication Task {task.name} is currently not running."
                )
            task.rest = "stopping"
            shown = self._shown(task)
        threading.Thread(target=work.stop, daemon=True).start()
        return {"ReplicationTask": shown}

    def delete(self, call: Call) -> dict[str, Any]:
        """Delete a task that is not at work; what it moved stays."""
        with self._state.lock:
            task = self._task(call)
            with task.lock:
                self._must_rest(task, "deleted")
                del self._state.tasks[task.arn]
                self._state.tags.pop(task.arn, None)
        return {"ReplicationTask": {**self._shown(task), "Status": "deleting"}}

    def statistics(self, call: Call) -> dict[str, Any]:
        """Tell how far each table is."""
        task = self._task(call)
        found = select(
            life.tables_of(self._state.machine, task),
            call,
            "tables",
            {
                "schema-name": lambda one: one.SchemaName,
                "table-name": lambda one: one.TableName,
                "table-state": lambda one: one.TableState,
            },
            must_exist=False,
        )
        shown = page(found, call, "TableStatistics", statistics_shown, _MOST_TABLES)
        return {"ReplicationTaskArn": task.arn, **shown}

    def _shown(self, task: Task, *, settings: bool = True) -> dict[str, Any]:
        tables = life.tables_of(self._state.machine, task) if task.started else []
        return task.shown(tables, settings=settings)

    def _task(self, call: Call) -> Task:
        return get(self._state.tasks, call.params["ReplicationTaskArn"], call, "Replication Task")

    def _endpoint(self, call: Call, name: str, kind: str) -> Endpoint:
        endpoint = get(self._state.endpoints, call.params[name], call, "Endpoint")
        if endpoint.request["EndpointType"] != kind:
            raise combined(f"{name} {endpoint.arn} is not a {kind} endpoint.")
        return endpoint

    def _must_be_reachable(self, task: Task) -> None:
        """Refuse, as DMS does, to start what was never seen to be reachable."""
        for endpoint in (task.source, task.target):
            tested = self._state.connections.get((task.instance.arn, endpoint.arn))
            if tested is None or tested.state != "successful":
                raise Refusal(
                    "InvalidResourceStateFault",
                    f"Test connection for replication instance {task.instance.name} and endpoint "
                    f"{endpoint.name} should be successful for starting the replication task",
                )

    @staticmethod
    def _must_rest(task: Task, what: str) -> None:
        if task.state in (*ACTIVE, "creating", "modifying"):
            raise Refusal(
                "InvalidResourceStateFault",
                f"Replication Task cannot be {what}, because it's currently in state {task.state}",
            )


def _without(call: Call, name: str) -> tuple[Call, list[dict[str, Any]]]:
    """Take one filter out of a request: a task has two endpoints, either of which may be meant."""
    filters = call.params.get("Filters", [])
    plain = {**call.params, "Filters": [one for one in filters if one["Name"] != name]}
    return Call(call.operation, plain, call.region, call.request_id), [
        f for f in filters if f["Name"] == name
    ]
