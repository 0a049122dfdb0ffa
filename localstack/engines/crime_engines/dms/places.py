"""Operations on subnet groups, instances and tags."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from crime_engines.dms.model import Instance, SubnetGroup, tags_of
from crime_engines.dms.requests import check_identifier, wrong
from crime_engines.dms.state import State, add, get, page, select
from crime_engines.protocol import Call, Handler, Refusal

#: What of an instance may be changed; it is shown, and changes nothing.
_CHANGEABLE = (
    *("AllocatedStorage", "ReplicationInstanceClass", "VpcSecurityGroupIds", "PreferredMaintenanceWindow"),
    *("MultiAZ", "EngineVersion", "AutoMinorVersionUpgrade", "NetworkType"),
)
_LONGEST_NAME = 63


class Places:
    """Subnet groups and instances.

    Parameters
    ----------
    state
        What there is.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.handlers: Mapping[str, Handler] = {
            "CreateReplicationSubnetGroup": self.create_group,
            "DescribeReplicationSubnetGroups": self.describe_groups,
            "DeleteReplicationSubnetGroup": self.delete_group,
            "CreateReplicationInstance": self.create_instance,
            "DescribeReplicationInstances": self.describe_instances,
            "ModifyReplicationInstance": self.modify_instance,
            "DeleteReplicationInstance": self.delete_instance,
            "AddTagsToResource": self.add_tags,
            "RemoveTagsFromResource": self.remove_tags,
            "ListTagsForResource": self.list_tags,
        }

    def create_group(self, call: Call) -> dict[str, Any]:
        """Make a subnet group."""
        if len(set(call.params["SubnetIds"])) < 2:  # noqa: PLR2004 - one in each of two zones
            raise Refusal(
                "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
                "The replication subnet group should cover at least two availability zones.",
            )
        made = SubnetGroup(call.params, call.region)
        with self._state.lock:
            add(self._state.groups, made, "Replication subnet group")
            self._state.tags[made.arn] = tags_of(call.params.get("Tags"))
        return {"ReplicationSubnetGroup": made.shown()}

    def describe_groups(self, call: Call) -> dict[str, Any]:
        """List subnet groups."""
        here = [one for one in self._state.groups.values() if one.region == call.region]
        found = select(here, call, "subnet groups", {"replication-subnet-group-id": lambda one: one.name})
        return page(found, call, "ReplicationSubnetGroups", SubnetGroup.shown)

    def delete_group(self, call: Call) -> dict[str, Any]:
        """Delete a subnet group that no instance uses."""
        with self._state.lock:
            group = self._group(call, call.params["ReplicationSubnetGroupIdentifier"])
            if any(one.group is group for one in self._state.instances.values()):
                raise Refusal(
                    "InvalidResourceStateFault", f"Replication subnet group {group.name} is in use."
                )
            del self._state.groups[group.arn]
            self._state.tags.pop(group.arn, None)
        return {}

    def create_instance(self, call: Call) -> dict[str, Any]:
        """Make an instance."""
        check_identifier(
            call.params["ReplicationInstanceIdentifier"], "ReplicationInstanceIdentifier", _LONGEST_NAME
        )
        if call.params.get("KerberosAuthenticationSettings"):
            raise wrong("KerberosAuthenticationSettings is not supported here: there is no Kerberos.")
        with self._state.lock:
            name = call.params.get("ReplicationSubnetGroupIdentifier")
            group = self._group(call, name) if name else None
            ready = time.monotonic() + self._state.control.pace.start_seconds
            made = Instance(dict(call.params), call.region, group, ready)
            add(self._state.instances, made, "Replication instance")
            self._state.tags[made.arn] = tags_of(call.params.get("Tags"))
        return {"ReplicationInstance": made.shown("creating")}

    def describe_instances(self, call: Call) -> dict[str, Any]:
        """List instances."""
        here = [one for one in self._state.instances.values() if one.region == call.region]
        filters = {
            "replication-instance-arn": lambda one: one.arn,
            "replication-instance-id": lambda one: one.name,
            "replication-instance-class": lambda one: str(one.request["ReplicationInstanceClass"]),
            "engine-version": lambda one: str(one.shown()["EngineVersion"]),
        }
        return page(
            select(here, call, "replication instances", filters), call, "ReplicationInstances", Instance.shown
        )

    def modify_instance(self, call: Call) -> dict[str, Any]:
        """Change what is told of an instance."""
        with self._state.lock:
            instance = self._instance(call)
            if call.params.get("ReplicationInstanceIdentifier", instance.name) != instance.name:
                raise wrong("ReplicationInstanceIdentifier can't be changed here.")
            instance.request |= {name: call.params[name] for name in _CHANGEABLE if name in call.params}
        return {"ReplicationInstance": instance.shown()}

    def delete_instance(self, call: Call) -> dict[str, Any]:
        """Delete an instance that no task is on."""
        with self._state.lock:
            instance = self._instance(call)
            if any(task.instance is instance for task in self._state.tasks.values()):
                raise Refusal(
                    "InvalidResourceStateFault",
                    f"Replication Instance {instance.arn} has one or more replication tasks and can't be "
                    "deleted.",
                )
            del self._state.instances[instance.arn]
            self._state.tags.pop(instance.arn, None)
            for key in [key for key in self._state.connections if key[0] == instance.arn]:
                del self._state.connections[key]
        return {"ReplicationInstance": instance.shown("deleting")}

    def add_tags(self, call: Call) -> dict[str, Any]:
        """Add tags."""
        self._tags(call, call.params["ResourceArn"]).update(tags_of(call.params["Tags"]))
        return {}

    def remove_tags(self, call: Call) -> dict[str, Any]:
        """Remove tags."""
        tags = self._tags(call, call.params["ResourceArn"])
        for key in call.params["TagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags(self, call: Call) -> dict[str, Any]:
        """List the tags of one thing, or of several."""
        one, several = call.params.get("ResourceArn"), call.params.get("ResourceArnList", [])
        if bool(one) == bool(several):
            raise wrong("Either ResourceArn or ResourceArnList must be given.")
        tags = [
            {"Key": key, "Value": value, **({} if one else {"ResourceArn": arn})}
            for arn in ([one] if one else several)
            for key, value in self._tags(call, arn).items()
        ]
        return {"TagList": tags}

    def _tags(self, call: Call, arn: str) -> dict[str, str]:
        if f":{call.region}:" not in arn or arn not in self._state.tags:
            raise Refusal("ResourceNotFoundFault", f"Resource not found: {arn}")
        return self._state.tags[arn]

    def _group(self, call: Call, name: str) -> SubnetGroup:
        for group in self._state.groups.values():
            if group.region == call.region and group.name == name.lower():
                return group
        raise Refusal("ResourceNotFoundFault", f"Replication subnet group not found: {name}")

    def _instance(self, call: Call) -> Instance:
        return get(self._state.instances, call.params["ReplicationInstanceArn"], call, "Replication Instance")
