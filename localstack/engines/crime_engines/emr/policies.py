"""EMR's operations on what surrounds a cluster: tags, policies, security configurations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crime_engines.emr.model import Cluster, now
from crime_engines.emr.requests import check_idle
from crime_engines.protocol import Call, Handler, Refusal

#: AWS allows so many tags on a resource.
MOST_TAGS = 50


class Policies:
    """Tags, policies and security configurations.

    Parameters
    ----------
    cluster
        Finds a cluster of a call's region.
    """

    def __init__(self, cluster: Callable[[Call, str], Cluster]) -> None:
        self._cluster = cluster
        self._security: dict[tuple[str, str], dict[str, Any]] = {}
        self.handlers: Mapping[str, Handler] = {
            "AddTags": self.add_tags,
            "RemoveTags": self.remove_tags,
            "PutManagedScalingPolicy": self.put_scaling,
            "GetManagedScalingPolicy": self.get_scaling,
            "RemoveManagedScalingPolicy": self.remove_scaling,
            "PutAutoTerminationPolicy": self.put_idle,
            "GetAutoTerminationPolicy": self.get_idle,
            "RemoveAutoTerminationPolicy": self.remove_idle,
            "CreateSecurityConfiguration": self.create_security,
            "DescribeSecurityConfiguration": self.describe_security,
            "DeleteSecurityConfiguration": self.delete_security,
            "ListSecurityConfigurations": self.list_security,
        }

    def add_tags(self, call: Call) -> dict[str, Any]:
        """Add tags to a cluster."""
        cluster = self._cluster(call, call.params["ResourceId"])
        tags = {tag["Key"]: tag.get("Value", "") for tag in call.params["Tags"]}
        if len(cluster.tags | tags) > MOST_TAGS:
            raise Refusal("InvalidRequestException", f"A cluster has at most {MOST_TAGS} tags.")
        cluster.tags |= tags
        return {}

    def remove_tags(self, call: Call) -> dict[str, Any]:
        """Remove tags from a cluster."""
        cluster = self._cluster(call, call.params["ResourceId"])
        for key in call.params["TagKeys"]:
            cluster.tags.pop(key, None)
        return {}

    def put_scaling(self, call: Call) -> dict[str, Any]:
        """Keep a managed scaling policy; one machine does not scale."""
        self._of(call).scaling = call.params["ManagedScalingPolicy"]
        return {}

    def get_scaling(self, call: Call) -> dict[str, Any]:
        """Give the managed scaling policy back."""
        return {"ManagedScalingPolicy": self._of(call).scaling}

    def remove_scaling(self, call: Call) -> dict[str, Any]:
        """Forget the managed scaling policy."""
        self._of(call).scaling = None
        return {}

    def put_idle(self, call: Call) -> dict[str, Any]:
        """Set after which time a cluster without work ends."""
        timeout = check_idle(call.params.get("AutoTerminationPolicy", {}))
        self._set_idle(self._of(call), timeout)
        return {}

    def get_idle(self, call: Call) -> dict[str, Any]:
        """Tell after which time a cluster without work ends."""
        timeout = self._of(call).idle_timeout
        return {"AutoTerminationPolicy": {"IdleTimeout": timeout} if timeout is not None else None}

    def remove_idle(self, call: Call) -> dict[str, Any]:
        """Let a cluster without work live on."""
        self._set_idle(self._of(call), None)
        return {}

    def create_security(self, call: Call) -> dict[str, Any]:
        """Keep a security configuration; nothing of it is enforced."""
        name = call.params["Name"]
        key = (call.region, name)
        if key in self._security:
            raise Refusal(
                "InvalidRequestException", f"Security configuration with name '{name}' already exists."
            )
        made = {"Name": name, "CreationDateTime": now()}
        self._security[key] = {**made, "SecurityConfiguration": call.params["SecurityConfiguration"]}
        return made

    def describe_security(self, call: Call) -> dict[str, Any]:
        """Give a security configuration back."""
        return self._security[self._security_key(call)]

    def delete_security(self, call: Call) -> dict[str, Any]:
        """Forget a security configuration."""
        del self._security[self._security_key(call)]
        return {}

    def list_security(self, call: Call) -> dict[str, Any]:
        """List the security configurations."""
        found = [
            {"Name": name, "CreationDateTime": kept["CreationDateTime"]}
            for (region, name), kept in self._security.items()
            if region == call.region
        ]
        return {"SecurityConfigurations": found}

    def _security_key(self, call: Call) -> tuple[str, str]:
        key = (call.region, call.params["Name"])
        if key not in self._security:
            raise Refusal(
                "InvalidRequestException", f"Security configuration with name '{key[1]}' does not exist."
            )
        return key

    def _of(self, call: Call) -> Cluster:
        return self._cluster(call, call.params["ClusterId"])

    @staticmethod
    def _set_idle(cluster: Cluster, timeout: int | None) -> None:
        with cluster.changed:
            cluster.idle_timeout = timeout
            cluster.changed.notify_all()
