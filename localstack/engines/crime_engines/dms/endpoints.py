"""Operations on endpoints and connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crime_engines.dms import life
from crime_engines.dms.model import Connection, Endpoint, Instance, tags_of
from crime_engines.dms.requests import check_endpoint
from crime_engines.dms.state import State, add, get, page, select
from crime_engines.protocol import Call, Handler, Refusal


class Endpoints:
    """Endpoints, and the ways to them.

    Parameters
    ----------
    state
        What there is.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.handlers: Mapping[str, Handler] = {
            "CreateEndpoint": self.create,
            "DescribeEndpoints": self.describe,
            "DeleteEndpoint": self.delete,
            "TestConnection": self.test,
            "DescribeConnections": self.describe_connections,
            "DeleteConnection": self.delete_connection,
        }

    def create(self, call: Call) -> dict[str, Any]:
        """Make an endpoint."""
        check_endpoint(call.params)
        made = Endpoint(dict(call.params), call.region)
        with self._state.lock:
            add(self._state.endpoints, made, "Endpoint")
            self._state.tags[made.arn] = tags_of(call.params.get("Tags"))
        return {"Endpoint": made.shown()}

    def describe(self, call: Call) -> dict[str, Any]:
        """List endpoints."""
        here = [one for one in self._state.endpoints.values() if one.region == call.region]
        filters = {
            "endpoint-arn": lambda one: one.arn,
            "endpoint-id": lambda one: one.name,
            "endpoint-type": lambda one: str(one.request["EndpointType"]),
            "engine-name": lambda one: one.engine,
        }
        return page(select(here, call, "endpoints", filters), call, "Endpoints", Endpoint.shown)

    def delete(self, call: Call) -> dict[str, Any]:
        """Delete an endpoint that no task uses."""
        with self._state.lock:
            endpoint = get(self._state.endpoints, call.params["EndpointArn"], call, "Endpoint")
            if any(endpoint in (task.source, task.target) for task in self._state.tasks.values()):
                raise Refusal(
                    "InvalidResourceStateFault",
                    f"Endpoint {endpoint.arn} is part of one or more replication tasks.",
                )
            del self._state.endpoints[endpoint.arn]
            self._state.tags.pop(endpoint.arn, None)
            for key in [key for key in self._state.connections if key[1] == endpoint.arn]:
                del self._state.connections[key]
        return {"Endpoint": endpoint.shown("deleting")}

    def test(self, call: Call) -> dict[str, Any]:
        """Begin to test a connection: a login over JDBC, or a call to DynamoDB."""
        with self._state.lock:
            instance, endpoint = self._both(call)
            if instance.state != "available":
                raise Refusal(
                    "InvalidResourceStateFault", f"Replication Instance {instance.arn} is not available."
                )
            key = (instance.arn, endpoint.arn)
            known = self._state.connections.get(key)
            if known and known.state == "testing":
                raise Refusal("InvalidResourceStateFault", "Connection is already being tested")
            made = self._state.connections[key] = Connection(instance, endpoint)
            life.test(self._state.machine, made)
        return {"Connection": {**made.shown(), "Status": "testing", "LastFailureMessage": None}}

    def describe_connections(self, call: Call) -> dict[str, Any]:
        """List what tests said."""
        here = [one for one in self._state.connections.values() if one.instance.region == call.region]
        filters = {
            "endpoint-arn": lambda one: one.endpoint.arn,
            "replication-instance-arn": lambda one: one.instance.arn,
        }
        return page(select(here, call, "connections", filters), call, "Connections", Connection.shown)

    def delete_connection(self, call: Call) -> dict[str, Any]:
        """Forget what a test said."""
        key = (call.params["ReplicationInstanceArn"], call.params["EndpointArn"])
        with self._state.lock:
            instance, endpoint = self._both(call)
            found = self._state.connections.pop(key, None)
        if found is None:
            raise Refusal(
                "ResourceNotFoundFault", f"Connection not found: {instance.name} to {endpoint.name}"
            )
        return {"Connection": {**found.shown(), "Status": "deleting"}}

    def _both(self, call: Call) -> tuple[Instance, Endpoint]:
        arn = call.params["ReplicationInstanceArn"]
        return (
            get(self._state.instances, arn, call, "Replication Instance"),
            get(self._state.endpoints, call.params["EndpointArn"], call, "Endpoint"),
        )
