"""EMR's operations on clusters and steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from crime_engines.control import Control
from crime_engines.emr import describe
from crime_engines.emr.life import Life
from crime_engines.emr.model import Cluster, Step, new_id
from crime_engines.emr.policies import Policies
from crime_engines.emr.requests import check_concurrency, check_idle, check_run, make_steps
from crime_engines.node import Node
from crime_engines.protocol import Call, Handler, Refusal, ServiceModel, invalid
from crime_engines.spark_conf import classify
from crime_engines.work import GRACE

T = TypeVar("T")

#: What one answer holds at most (API reference: ListSteps and ListClusters 50, ListInstances 2000).
PAGE = 50
#: How many steps CancelSteps and how many ids ListSteps take.
MOST_IDS = {"CancelSteps": 256, "ListSteps": 10}

_MODIFY = "A job flow that is shutting down, terminated, or finished may not be modified."


class Emr:
    """The service.

    Parameters
    ----------
    node
        The machine that stands for all nodes.
    control
        How slow it is to be.
    """

    def __init__(self, node: Node, control: Control) -> None:
        self.model = ServiceModel("emr")
        self._node = node
        self._control = control
        self._clusters: dict[str, Cluster] = {}
        self._lives: dict[str, Life] = {}
        self._lock = threading.Lock()
        policies = Policies(self.cluster)
        self.handlers: Mapping[str, Handler] = {
            "RunJobFlow": self.run_job_flow,
            "DescribeCluster": self.describe_cluster,
            "ListClusters": self.list_clusters,
            "ModifyCluster": self.modify_cluster,
            "TerminateJobFlows": self.terminate_job_flows,
            "SetTerminationProtection": self.set_flags,
            "SetKeepJobFlowAliveWhenNoSteps": self.set_flags,
            "SetVisibleToAllUsers": self.set_flags,
            "AddJobFlowSteps": self.add_job_flow_steps,
            "DescribeStep": self.describe_step,
            "ListSteps": self.list_steps,
            "CancelSteps": self.cancel_steps,
            "ListBootstrapActions": self.list_bootstrap_actions,
            "ListInstanceGroups": self.list_instance_groups,
            "ListInstances": self.list_instances,
            **policies.handlers,
        }

    def cluster(self, call: Call, cluster_id: str) -> Cluster:
        """Return a cluster of the call's region.

        Parameters
        ----------
        call
            The call.
        cluster_id
            Its id.

        Raises
        ------
        Refusal
            If there is none.
        """
        found = self._clusters.get(cluster_id)
        if found is None or found.region != call.region:
            raise Refusal("InvalidRequestException", f"Cluster id '{cluster_id}' is not valid.")
        return found

    def run_job_flow(self, call: Call) -> dict[str, Any]:
        """Make a cluster; its thread starts it."""
        request = call.params
        check_run(request)
        cluster_id = new_id("j")
        home = self._node.state / "clusters" / cluster_id
        cluster = Cluster(request, call.region, home, classify(request.get("Configurations", [])), cluster_id)
        instances = request["Instances"]
        cluster.keep_alive = instances.get("KeepJobFlowAliveWhenNoSteps", False)
        cluster.protected = instances.get("TerminationProtected", False)
        cluster.visible = request.get("VisibleToAllUsers", True)
        cluster.concurrency = request.get("StepConcurrencyLevel", 1)
        cluster.tags = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", [])}
        cluster.idle_timeout = check_idle(request.get("AutoTerminationPolicy"))
        cluster.scaling = request.get("ManagedScalingPolicy")
        cluster.steps = make_steps(cluster, request.get("Steps", []), request.get("StepExecutionRoleArn"))
        home.mkdir(parents=True)
        life = Life(self._node, self._control, cluster, describe.ec2_id(cluster, 0))
        with self._lock:
            self._clusters[cluster_id], self._lives[cluster_id] = cluster, life
        life.start()
        return {"JobFlowId": cluster_id, "ClusterArn": describe.arn(cluster)}

    def describe_cluster(self, call: Call) -> dict[str, Any]:
        """Tell all about a cluster."""
        cluster = self.cluster(call, call.params["ClusterId"])
        with cluster.changed:
            return {"Cluster": describe.full(cluster)}

    def list_clusters(self, call: Call) -> dict[str, Any]:
        """List clusters, the newest first."""
        params = call.params
        after, before, states = (
            params.get(name) for name in ("CreatedAfter", "CreatedBefore", "ClusterStates")
        )
        found = [
            cluster
            for cluster in reversed(list(self._clusters.values()))
            if cluster.region == call.region
            and (not states or cluster.state in states)
            and (after is None or cluster.created > after)
            and (before is None or cluster.created < before)
        ]
        return _page(found, params, "Clusters", lambda cluster: cluster.id, describe.summary)

    def modify_cluster(self, call: Call) -> dict[str, Any]:
        """Change how many steps run at a time."""
        cluster = self.cluster(call, call.params["ClusterId"])
        if "ExtendedSupport" in call.params:
            raise invalid("ExtendedSupport can't be changed here.")
        level = call.params.get("StepConcurrencyLevel", cluster.concurrency)
        check_concurrency(level)
        with cluster.changed:
            _must_be_alive(cluster)
            cluster.concurrency = level
            cluster.changed.notify_all()
        return {"StepConcurrencyLevel": level}

    def terminate_job_flows(self, call: Call) -> None:
        """End clusters, all of them or, if one is protected, none."""
        found = self._flows(call)
        if any(cluster.protected and cluster.is_alive for cluster in found):
            raise invalid("Could not shut down one or more job flows since they are termination protected.")
        for cluster in found:
            cluster.terminate("USER_REQUEST", "Terminated by user request")
            life = self._lives[cluster.id]
            threading.Thread(target=life.interrupt, daemon=True).start()

    def set_flags(self, call: Call) -> None:
        """Set what protects clusters, what keeps them alive, and who sees them."""
        params = call.params
        for cluster in self._flows(call):
            with cluster.changed:
                _must_be_alive(cluster)
                cluster.protected = params.get("TerminationProtected", cluster.protected)
                cluster.keep_alive = params.get("KeepJobFlowAliveWhenNoSteps", cluster.keep_alive)
                cluster.visible = params.get("VisibleToAllUsers", cluster.visible)
                cluster.changed.notify_all()

    def add_job_flow_steps(self, call: Call) -> dict[str, Any]:
        """Add steps to a cluster."""
        (cluster,) = self._flows(call, [call.params["JobFlowId"]])
        with cluster.changed:
            _must_be_alive(cluster)
            steps = make_steps(cluster, call.params["Steps"], call.params.get("ExecutionRoleArn"))
            cluster.steps += steps
            cluster.changed.notify_all()
        return {"StepIds": [step.id for step in steps]}

    def describe_step(self, call: Call) -> dict[str, Any]:
        """Tell all about a step."""
        cluster = self.cluster(call, call.params["ClusterId"])
        with cluster.changed:
            step = cluster.step(call.params["StepId"])
            if step is None:
                raise Refusal("InvalidRequestException", f"Step id '{call.params['StepId']}' is not valid.")
            return {"Step": {**describe.step(step), "ExecutionRoleArn": step.role}}

    def list_steps(self, call: Call) -> dict[str, Any]:
        """List steps, the newest first."""
        cluster, params = self.cluster(call, call.params["ClusterId"]), call.params
        states, ids = params.get("StepStates"), params.get("StepIds")
        if ids and states:
            raise Refusal("InvalidRequestException", "Cannot specify both StepIds and StepStates.")
        if ids and len(ids) > MOST_IDS["ListSteps"]:
            raise invalid(f"At most {MOST_IDS['ListSteps']} StepIds can be given.")
        with cluster.changed:
            for step_id in ids or ():
                if cluster.step(step_id) is None:
                    raise Refusal("InvalidRequestException", f"Step id '{step_id}' is not valid.")
            found = [
                step
                for step in reversed(cluster.steps)
                if (not ids or step.id in ids) and (not states or step.state in states)
            ]
            return _page(found, params, "Steps", lambda step: step.id, describe.step)

    def cancel_steps(self, call: Call) -> dict[str, Any]:
        """Cancel steps: pending ones at once, running ones as soon as their processes have ended."""
        cluster = self.cluster(call, call.params["ClusterId"])
        ids = call.params["StepIds"]
        if not 1 <= len(ids) <= MOST_IDS["CancelSteps"]:
            raise invalid(f"StepIds must be 1 to {MOST_IDS['CancelSteps']}.")
        grace = 0.0 if call.params.get("StepCancellationOption") == "TERMINATE_PROCESS" else GRACE
        with cluster.changed:
            infos = [self._cancel(cluster, step_id, grace) for step_id in ids]
            cluster.changed.notify_all()
        return {"CancelStepsInfoList": infos}

    def _cancel(self, cluster: Cluster, step_id: str, grace: float) -> dict[str, str]:
        step: Step | None = cluster.step(step_id)
        if step is None:
            raise Refusal("InvalidRequestException", f"Step id '{step_id}' is not valid.")
        if step.state == "PENDING":
            step.state, step.message = "CANCELLED", "Cancelled by user"
        elif step.state in ("RUNNING", "CANCEL_PENDING") and step.work:
            step.state = "CANCEL_PENDING"
            threading.Thread(target=step.work.stop, args=(grace,), daemon=True).start()
        else:
            return {
                "StepId": step_id,
                "Status": "FAILED",
                "Reason": f"Cannot cancel step in {step.state} state.",
            }
        return {"StepId": step_id, "Status": "SUBMITTED"}

    def list_bootstrap_actions(self, call: Call) -> dict[str, Any]:
        """List the bootstrap actions of a cluster."""
        cluster = self.cluster(call, call.params["ClusterId"])
        actions = cluster.request.get("BootstrapActions", [])
        found = [
            {
                "Name": action["Name"],
                "ScriptPath": action["ScriptBootstrapAction"]["Path"],
                "Args": action["ScriptBootstrapAction"].get("Args", []),
            }
            for action in actions
        ]
        return {"BootstrapActions": found}

    def list_instance_groups(self, call: Call) -> dict[str, Any]:
        """List the instance groups that a cluster was asked to have."""
        return {"InstanceGroups": describe.groups(self.cluster(call, call.params["ClusterId"]))}

    def list_instances(self, call: Call) -> dict[str, Any]:
        """List the instances that a cluster would have."""
        params = call.params
        cluster = self.cluster(call, params["ClusterId"])
        if params.get("InstanceFleetId") or params.get("InstanceFleetType"):
            raise Refusal(
                "InvalidRequestException", "Instance fleets and instance groups are mutually exclusive."
            )
        roles = {group["Id"]: group["InstanceGroupType"] for group in describe.groups(cluster)}
        wanted, types, states = (
            params.get(name) for name in ("InstanceGroupId", "InstanceGroupTypes", "InstanceStates")
        )
        found = [
            instance
            for instance in describe.instances(cluster)
            if (not wanted or instance["InstanceGroupId"] == wanted)
            and (not types or roles[instance["InstanceGroupId"]] in types)
            and (not states or instance["Status"]["State"] in states)
        ]
        return {"Instances": found}

    def close(self) -> None:
        """End all clusters and wait for it."""
        with self._lock:
            lives = list(self._lives.values())
        for cluster in self._clusters.values():
            cluster.terminate("INTERNAL_ERROR", "The engines were stopped", in_error=True)
        for life in lives:
            life.interrupt()
        for life in lives:
            life.join(timeout=3)

    def _flows(self, call: Call, ids: Iterable[str] | None = None) -> list[Cluster]:
        """Return the clusters of an operation that says "job flow", which words an unknown id its own way."""
        try:
            return [self.cluster(call, one) for one in (ids or call.params["JobFlowIds"])]
        except Refusal as error:
            raise invalid("Specified job flow ID does not exist.") from error


def _must_be_alive(cluster: Cluster) -> None:
    if not cluster.is_alive:
        raise invalid(_MODIFY)


def _page(
    found: list[T], params: Mapping[str, Any], name: str, key: Callable[[T], str], show: Callable[[T], Any]
) -> dict[str, Any]:
    """Return one page; its marker is the last id shown, so that new ones don't move the next page."""
    start = 0
    if marker := params.get("Marker"):
        start = next((number for number, one in enumerate(found, 1) if key(one) == marker), 0)
        if not start:
            raise Refusal("InvalidRequestException", f"Marker '{marker}' is not valid.")
    shown = found[start : start + PAGE]
    more = len(found) > start + PAGE
    return {name: [show(one) for one in shown], "Marker": key(shown[-1]) if more else None}
