"""Instances, endpoints, connections and tasks: what is known of them, and how AWS shows it."""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crime_engines.protocol import ACCOUNT
from crime_engines.work import Work
from crime_jobs.migrate.statistics import BEFORE_LOAD, COMPLETED, ERROR, FULL_LOAD, TableStatistics

#: While a task is at work.
ACTIVE = ("starting", "running", "stopping")

_LETTERS = string.ascii_uppercase + "234567"

#: Name of an engine as DMS shows it to people.
DISPLAYED = {"oracle": "Oracle", "dynamodb": "Amazon DynamoDB"}


def new_id() -> str:
    """Return the end of an ARN as DMS makes them: 26 letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(26))


def now() -> datetime:
    """Return the time in milliseconds: what is shown is what is compared."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def arn_of(region: str, kind: str, name: str) -> str:
    """Return an ARN of DMS.

    Parameters
    ----------
    region
        The region.
    kind
        ``rep``, ``endpoint``, ``task`` or ``subgrp``.
    name
        Its end.

    Returns
    -------
    str
    """
    return f"arn:aws:dms:{region}:{ACCOUNT}:{kind}:{name}"


@dataclass
class SubnetGroup:
    """A replication subnet group.

    Parameters
    ----------
    request
        Its ``CreateReplicationSubnetGroup``.
    region
        Its region.
    """

    request: dict[str, Any]
    region: str

    @property
    def name(self) -> str:
        """Its identifier, which DMS keeps in lower case."""
        return str(self.request["ReplicationSubnetGroupIdentifier"]).lower()

    @property
    def arn(self) -> str:
        """Its ARN, for tags."""
        return arn_of(self.region, "subgrp", self.name)

    def shown(self) -> dict[str, Any]:
        """Return a ``ReplicationSubnetGroup``; there is no VPC here, so none is named."""
        return {
            "ReplicationSubnetGroupIdentifier": self.name,
            "ReplicationSubnetGroupDescription": self.request["ReplicationSubnetGroupDescription"],
            "SubnetGroupStatus": "Complete",
            "Subnets": [
                {"SubnetIdentifier": subnet, "SubnetStatus": "Active"} for subnet in self.request["SubnetIds"]
            ],
        }


#: Members of `CreateReplicationInstance` that are given back as they came, and their defaults.
_KEPT = {
    "AllocatedStorage": 50,
    "AvailabilityZone": None,
    "PreferredMaintenanceWindow": None,
    "MultiAZ": False,
    "EngineVersion": "3.5.4",
    "AutoMinorVersionUpgrade": True,
    "KmsKeyId": None,
    "PubliclyAccessible": True,
    "NetworkType": "IPV4",
}


@dataclass
class Instance:
    """A replication instance: a name here, since tasks run on this machine.

    Parameters
    ----------
    request
        Its ``CreateReplicationInstance``, with the changes since.
    region
        Its region.
    group
        Its subnet group.
    ready_at
        When it is available (``time.monotonic``).
    """

    request: dict[str, Any]
    region: str
    group: SubnetGroup | None
    ready_at: float
    created: datetime = field(default_factory=now)
    id: str = field(default_factory=new_id)

    @property
    def name(self) -> str:
        """Its identifier, which DMS keeps in lower case."""
        return str(self.request["ReplicationInstanceIdentifier"]).lower()

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn_of(self.region, "rep", self.request.get("ResourceIdentifier") or self.id)

    @property
    def state(self) -> str:
        """Its status."""
        return "available" if time.monotonic() >= self.ready_at else "creating"

    def shown(self, state: str | None = None) -> dict[str, Any]:
        """Return a ``ReplicationInstance``.

        Parameters
        ----------
        state
            Another status than its own.
        """
        groups = self.request.get("VpcSecurityGroupIds", [])
        return {
            **{name: self.request.get(name, default) for name, default in _KEPT.items()},
            "ReplicationInstanceIdentifier": self.name,
            "ReplicationInstanceClass": self.request["ReplicationInstanceClass"],
            "ReplicationInstanceStatus": state or self.state,
            "InstanceCreateTime": self.created,
            "VpcSecurityGroups": [{"VpcSecurityGroupId": one, "Status": "active"} for one in groups],
            "ReplicationSubnetGroup": self.group.shown() if self.group else None,
            "PendingModifiedValues": {},
            "ReplicationInstanceArn": self.arn,
        }


@dataclass
class Endpoint:
    """An endpoint.

    Parameters
    ----------
    request
        Its ``CreateEndpoint``.
    region
        Its region.
    """

    request: dict[str, Any]
    region: str
    id: str = field(default_factory=new_id)

    @property
    def name(self) -> str:
        """Its identifier, which DMS keeps in lower case."""
        return str(self.request["EndpointIdentifier"]).lower()

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn_of(self.region, "endpoint", self.request.get("ResourceIdentifier") or self.id)

    @property
    def engine(self) -> str:
        """``oracle`` or ``dynamodb``."""
        return str(self.request["EngineName"]).lower()

    @property
    def database(self) -> str | None:
        """The database of a source."""
        given: str | None = self.request.get("OracleSettings", {}).get("DatabaseName")
        return given or self.request.get("DatabaseName")

    def shown(self, state: str = "active") -> dict[str, Any]:
        """Return an ``Endpoint``.

        Parameters
        ----------
        state
            Its status.
        """
        target = self.request.get("DynamoDbSettings")
        return {
            "EndpointIdentifier": self.name,
            "EndpointType": self.request["EndpointType"],
            "EngineName": self.engine,
            "EngineDisplayName": DISPLAYED[self.engine],
            "DatabaseName": self.database,
            "Status": state,
            "KmsKeyId": self.request.get("KmsKeyId"),
            "EndpointArn": self.arn,
            "SslMode": self.request.get("SslMode", "none"),
            "ServiceAccessRoleArn": target["ServiceAccessRoleArn"] if target else None,
            "DynamoDbSettings": target,
            "OracleSettings": self.request.get("OracleSettings"),
        }


@dataclass
class Connection:
    """What a test of the way from an instance to an endpoint said.

    Parameters
    ----------
    instance, endpoint
        The two.
    state
        ``testing``, ``successful`` or ``failed``.
    failure
        Why it failed.
    """

    instance: Instance
    endpoint: Endpoint
    state: str = "testing"
    failure: str | None = None
    work: Work | None = None

    def shown(self) -> dict[str, Any]:
        """Return a ``Connection``."""
        return {
            "ReplicationInstanceArn": self.instance.arn,
            "EndpointArn": self.endpoint.arn,
            "Status": self.state,
            "LastFailureMessage": self.failure,
            "EndpointIdentifier": self.endpoint.name,
            "ReplicationInstanceIdentifier": self.instance.name,
        }


@dataclass
class Task:
    """A replication task.

    Parameters
    ----------
    request
        Its ``CreateReplicationTask``, with the changes since.
    region
        Its region.
    source, target, instance
        What it works with.
    home
        Folder of its files.
    settled_at
        Until then (``time.monotonic``) it shows ``passing`` instead of its state.
    """

    request: dict[str, Any]
    region: str
    source: Endpoint
    target: Endpoint
    instance: Instance
    home: Path
    settled_at: float
    passing: str = "creating"
    id: str = field(default_factory=new_id)
    rest: str = "ready"
    created: datetime = field(default_factory=now)
    started: datetime | None = None
    first_started: datetime | None = None
    stopped: datetime | None = None
    #: How often all was loaded anew: each time has a ledger of its own.
    loads: int = 0
    #: The same as number of starts, for working folders.
    starts: int = 0
    stop_reason: str | None = None
    failure: str | None = None
    work: Work | None = None
    tables: list[TableStatistics] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def name(self) -> str:
        """Its identifier."""
        return str(self.request["ReplicationTaskIdentifier"]).lower()

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn_of(self.region, "task", self.request.get("ResourceIdentifier") or self.id)

    @property
    def state(self) -> str:
        """Its status."""
        return self.rest if time.monotonic() >= self.settled_at else self.passing

    @property
    def ledger_name(self) -> str:
        """Name of the migration that does its work, in the engine's ledger."""
        return f"dms-{self.id.lower()}-{self.loads}"

    def shown(self, tables: Sequence[TableStatistics], *, settings: bool = True) -> dict[str, Any]:
        """Return a ``ReplicationTask``.

        Parameters
        ----------
        tables
            The statistics of its tables.
        settings
            Whether to show its settings.
        """
        return {
            "ReplicationTaskIdentifier": self.name,
            "SourceEndpointArn": self.source.arn,
            "TargetEndpointArn": self.target.arn,
            "ReplicationInstanceArn": self.instance.arn,
            "MigrationType": self.request["MigrationType"],
            "TableMappings": self.request["TableMappings"],
            "ReplicationTaskSettings": self.request["ReplicationTaskSettings"] if settings else None,
            "Status": self.state,
            "LastFailureMessage": self.failure,
            "StopReason": self.stop_reason,
            "ReplicationTaskCreationDate": self.created,
            "ReplicationTaskStartDate": self.started,
            "ReplicationTaskArn": self.arn,
            "ReplicationTaskStats": self._stats(tables) if self.started else None,
        }

    def _stats(self, tables: Sequence[TableStatistics]) -> dict[str, Any]:
        states = [one.TableState for one in tables]
        assert self.started is not None  # noqa: S101 - it is asked only of one that was started
        over = self.rest not in ACTIVE
        until = self.stopped or now() if over else now()
        done = states.count(COMPLETED)
        return {
            "FullLoadProgressPercent": 100 * done // len(states) if states else 0,
            "ElapsedTimeMillis": round((until - self.started).total_seconds() * 1000),
            "TablesLoaded": done,
            "TablesLoading": states.count(FULL_LOAD),
            "TablesQueued": states.count(BEFORE_LOAD),
            "TablesErrored": states.count(ERROR),
            "FreshStartDate": self.first_started,
            "StartDate": self.started,
            "StopDate": self.stopped if over else None,
            "FullLoadStartDate": self.started,
            "FullLoadFinishDate": self.stopped if over and not self.failure else None,
        }


def tags_of(given: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Return tags by key.

    Parameters
    ----------
    given
        ``Tags`` of a request.
    """
    return {tag["Key"]: tag.get("Value", "") for tag in given or () if "Key" in tag}
