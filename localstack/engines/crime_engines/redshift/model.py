"""Statements, and what becomes of them."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crime_engines.redshift.loading import Connection
from crime_engines.redshift.results import Result

ENDED = ("FINISHED", "FAILED", "ABORTED")


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


@dataclass
class Part:
    """One SQL statement: a statement is one, or is a batch of them.

    Parameters
    ----------
    id
        Its id; in a batch the batch's with its number.
    sql
        As it was given.
    """

    id: str
    sql: str
    status: str = "SUBMITTED"
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    started: datetime | None = None
    error: str | None = None
    rows: int = -1
    query: int = 0
    result: Result | None = None

    def becomes(self, status: str, error: str | None = None) -> None:
        """Change its state."""
        self.status, self.updated = status, now()
        self.error = error
        if status == "STARTED":
            self.started = self.updated

    def shown(self) -> dict[str, Any]:
        """Return what is told of it."""
        begun = self.started or self.updated
        return {
            "Id": self.id,
            "Status": self.status,
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "Duration": int((self.updated - begun).total_seconds() * 1e9) if self.status in ENDED else -1,
            "QueryString": self.sql,
            "HasResultSet": self.result is not None,
            "ResultRows": self.rows,
            "ResultSize": self.result.size if self.result else -1,
            "RedshiftQueryId": self.query or -1,
            "Error": self.error,
        }


@dataclass
class Statement:
    """What ``ExecuteStatement`` or ``BatchExecuteStatement`` was given.

    Parameters
    ----------
    request
        The request.
    region
        Of the call.
    is_batch
        Whether it is a batch.
    """

    request: dict[str, Any]
    region: str
    is_batch: bool
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=now)
    status: str = "SUBMITTED"
    updated: datetime = field(default_factory=now)
    error: str | None = None
    pid: int = 0
    cancelled: bool = False
    connection: Connection | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)
    parts: list[Part] = field(init=False)

    def __post_init__(self) -> None:
        sqls = self.request["Sqls"] if self.is_batch else [self.request["Sql"]]
        self.parts = [
            Part(f"{self.id}:{at}" if self.is_batch else self.id, text) for at, text in enumerate(sqls, 1)
        ]

    @property
    def values(self) -> dict[str, str]:
        """Values of the parameters by name."""
        return {given["name"]: given["value"] for given in self.request.get("Parameters", [])}

    def becomes(self, status: str, error: str | None = None) -> None:
        """Change its state and say so to whoever waits."""
        with self.changed:
            self.status, self.updated, self.error = status, now(), error
            self.changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, or for so long."""
        with self.changed:
            self.changed.wait_for(lambda: self.status in ENDED, seconds)

    def place(self) -> dict[str, Any]:
        """Return where it runs, as each answer tells it."""
        names = ("ClusterIdentifier", "WorkgroupName", "Database", "DbUser", "SecretArn")
        return {name: self.request[name] for name in names if name in self.request}

    def full(self) -> dict[str, Any]:
        """Return all that is told of it."""
        shown = self.parts[0].shown() if not self.is_batch else {}
        took = int((self.updated - self.created).total_seconds() * 1e9)
        told = {
            **shown,
            **self.place(),
            "Id": self.id,
            "Status": self.status,
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "Duration": took if self.status in ENDED else -1,
            "Error": self.error,
            "RedshiftPid": self.pid,
            "QueryParameters": self.request.get("Parameters"),
            "ResultFormat": "JSON",
        }
        if self.is_batch:
            told["HasResultSet"] = any(part.result is not None for part in self.parts)
            told["ExecutionMode"] = self.request.get("ExecutionMode", "TRANSACTION")
            told["SubStatements"] = [part.shown() for part in self.parts]
        return told

    def summary(self) -> dict[str, Any]:
        """Return what a list tells of it."""
        text = {"QueryStrings": [p.sql for p in self.parts]} if self.is_batch else {}
        return {
            "Id": self.id,
            "QueryString": self.parts[0].sql if not self.is_batch else None,
            **text,
            "SecretArn": self.request.get("SecretArn"),
            "Status": self.status,
            "StatementName": self.request.get("StatementName"),
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "QueryParameters": self.request.get("Parameters"),
            "IsBatchStatement": self.is_batch,
        }
