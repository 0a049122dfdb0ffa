"""Query executions, and what becomes of them."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crime_engines.athena.results import Result
from crime_engines.athena.statements import Statement

if TYPE_CHECKING:
    import duckdb

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
CANCELLED = "Query cancelled by user"

#: Categories of ``AthenaError`` by what the reason begins with; what is left is the system's.
_OF_THE_USER = 2
_OF_THE_SYSTEM = 1


@dataclass
class Query:
    """A query execution.

    Parameters
    ----------
    request
        The request.
    region
        Of the call.
    statement
        What it asks for.
    output
        Where its result goes: a URI ending in ``/``.
    encryption
        How the result is encrypted; ``None``: as the bucket says.
    workgroup, database, cutoff
        Its workgroup's name, its database, and how many bytes it may read.
    """

    request: dict[str, Any]
    region: str
    statement: Statement
    output: str
    encryption: dict[str, Any] | None
    workgroup: str
    database: str
    cutoff: int | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "QUEUED"
    reason: str | None = None
    submitted: datetime = field(default_factory=lambda: datetime.now(UTC))
    completed: datetime | None = None
    result: Result = field(default_factory=Result)
    scanned: int = 0
    manifest: str | None = None
    clock: dict[str, float] = field(default_factory=dict)
    connection: duckdb.DuckDBPyConnection | None = None
    stopped: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.clock["begin"] = time.monotonic()

    @property
    def location(self) -> str:
        """URI of the result."""
        ending = "csv" if self.statement.type == "DML" else "txt"
        kind = self.statement.substatement
        bare = kind in ("CREATE_TABLE_AS_SELECT", "INSERT", "UNLOAD")
        return f"{self.output}{self.id}" if bare else f"{self.output}{self.id}.{ending}"

    def passes(self, point: str) -> None:
        """Note the time of a point on the way."""
        self.clock[point] = time.monotonic()

    def becomes(self, state: str, reason: str | None = None) -> None:
        """Change its state, unless it has ended."""
        with self.changed:
            if self.state in ENDED:
                return
            self.state, self.reason = state, reason
            if state in ENDED:
                self.completed = datetime.now(UTC)
                self.passes("end")
            self.changed.notify_all()

    def told(self) -> dict[str, Any]:
        """Return all that is told of it."""
        status: dict[str, Any] = {
            "State": self.state,
            "StateChangeReason": self.reason,
            "SubmissionDateTime": self.submitted,
            "CompletionDateTime": self.completed,
        }
        if self.state == "FAILED":
            system = str(self.reason).startswith(("GENERIC_INTERNAL_ERROR", "EXCEEDED"))
            status["AthenaError"] = {
                "ErrorCategory": _OF_THE_SYSTEM if system else _OF_THE_USER,
                "ErrorType": 233 if system else 1006,
                "Retryable": False,
                "ErrorMessage": self.reason,
            }
        return {
            "QueryExecutionId": self.id,
            "Query": self.request["QueryString"],
            "StatementType": self.statement.type,
            "SubstatementType": self.statement.substatement or None,
            "ResultConfiguration": {
                "OutputLocation": self.location,
                "EncryptionConfiguration": self.encryption,
            },
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": {"Database": self.database, "Catalog": "awsdatacatalog"},
            "Status": status,
            "Statistics": self.statistics(),
            "WorkGroup": self.workgroup,
            "EngineVersion": ENGINE,
            "ExecutionParameters": self.request.get("ExecutionParameters"),
        }

    def statistics(self) -> dict[str, Any]:
        """Return how long it took so far, and what it read."""
        now = self.clock.get("end", time.monotonic())
        points = [self.clock.get(name, now) for name in ("begin", "start", "planned", "rows")]
        begin, start, planned, rows = points
        return {
            "EngineExecutionTimeInMillis": _millis(start, rows),
            "DataScannedInBytes": self.scanned,
            "DataManifestLocation": self.manifest,
            "TotalExecutionTimeInMillis": _millis(begin, now),
            "QueryQueueTimeInMillis": _millis(begin, start),
            "ServicePreProcessingTimeInMillis": 0,
            "QueryPlanningTimeInMillis": _millis(start, planned),
            "ServiceProcessingTimeInMillis": _millis(rows, now),
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        }


def _millis(begin: float, end: float) -> int:
    return max(0, round((end - begin) * 1000))
