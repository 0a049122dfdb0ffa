"""Applications and job runs: what is known of them, and how AWS shows it."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crime_engines.protocol import ACCOUNT
from crime_engines.serverless.jobs import Job
from crime_engines.work import Work

_LETTERS = string.digits + string.ascii_lowercase

#: Engines by the type of an application, as AWS shows it and as it may be asked for.
TYPES = {"SPARK": "Spark", "HIVE": "Hive"}

ACTIVE = ("SUBMITTED", "PENDING", "QUEUED", "SCHEDULED", "RUNNING", "CANCELLING")
WAITING = ("SUBMITTED", "PENDING", "QUEUED")

#: Members of a request that describe an application and are given back as they came.
KEPT = (
    *("name", "initialCapacity", "maximumCapacity", "autoStartConfiguration", "autoStopConfiguration"),
    *("networkConfiguration", "architecture", "runtimeConfiguration", "monitoringConfiguration"),
    *("diskEncryptionConfiguration", "schedulerConfiguration", "jobLevelCostAllocationConfiguration"),
)


def new_id() -> str:
    """Return an id as EMR Serverless makes them: ``00f8a1b2c3d4e5f6``."""
    return "00" + "".join(secrets.choice(_LETTERS) for _ in range(14))


def now() -> datetime:
    """Return the time in milliseconds, as the service keeps it: what is shown is what is compared."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass
class Run:
    """A job run.

    Parameters
    ----------
    request
        Its ``StartJobRun``.
    job
        What it does.
    log_uri
        Where its logs go, ``None`` if nowhere.
    """

    request: dict[str, Any]
    job: Job
    log_uri: str | None
    id: str = field(default_factory=new_id)
    state: str = "SUBMITTED"
    details: str = "Job is submitted"
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    started: datetime | None = None
    ended: datetime | None = None
    work: Work | None = None

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state in ACTIVE

    def becomes(self, state: str, details: str) -> None:
        """Change its state.

        Parameters
        ----------
        state
            The state.
        details
            What AWS would say of it, cut to what the model allows.
        """
        self.state, self.details, self.updated = state, details[:256], now()


@dataclass
class Application:
    """An application.

    Parameters
    ----------
    request
        Its ``CreateApplication``.
    region
        Its region.
    home
        Folder of its files.
    """

    request: dict[str, Any]
    region: str
    home: Path
    id: str = field(default_factory=new_id)
    state: str = "CREATED"
    details: str | None = None
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    runs: dict[str, Run] = field(default_factory=dict)
    by_token: dict[str, Run] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    run_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    idle_since: float = 0.0
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    metastore: threading.Lock = field(default_factory=threading.Lock)

    @property
    def engine(self) -> str:
        """``Spark`` or ``Hive``."""
        return TYPES[self.request["type"].upper()]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:emr-serverless:{self.region}:{ACCOUNT}:/applications/{self.id}"

    def becomes(self, state: str, details: str | None = None) -> None:
        """Change its state.

        Parameters
        ----------
        state
            The state.
        details
            What is to be said of it.
        """
        with self.changed:
            self.state, self.details, self.updated = state, details, now()
            self.changed.notify_all()

    def summary(self) -> dict[str, Any]:
        """Return an ``ApplicationSummary``."""
        return {"id": self.id, **self._common()}

    def full(self) -> dict[str, Any]:
        """Return an ``Application``."""
        kept = {name: self.request.get(name) for name in KEPT}
        return {"applicationId": self.id, **kept, **self._common(), "tags": dict(self.tags)}

    def _common(self) -> dict[str, Any]:
        return {
            "name": self.request.get("name"),
            "arn": self.arn,
            "releaseLabel": self.request["releaseLabel"],
            "type": self.engine,
            "state": self.state,
            "stateDetails": self.details,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "architecture": self.request.get("architecture", "X86_64"),
        }

    def run_summary(self, run: Run) -> dict[str, Any]:
        """Return a ``JobRunSummary``.

        Parameters
        ----------
        run
            The job run.
        """
        return {**self._common_of(run), "id": run.id, "type": self.engine}

    def run_full(self, run: Run) -> dict[str, Any]:
        """Return a ``JobRun``.

        Parameters
        ----------
        run
            The job run.
        """
        seconds = round((run.ended - run.started).total_seconds()) if run.ended and run.started else None
        waited = ((run.started or now()) - run.created).total_seconds()
        return {
            **self._common_of(run),
            "jobRunId": run.id,
            "jobDriver": run.request["jobDriver"],
            "configurationOverrides": run.request.get("configurationOverrides"),
            "executionIamPolicy": run.request.get("executionIamPolicy"),
            "executionTimeoutMinutes": run.request.get("executionTimeoutMinutes", 720),
            "networkConfiguration": self.request.get("networkConfiguration"),
            "tags": dict(self.run_tags.get(run.id, {})),
            "totalExecutionDurationSeconds": seconds,
            "queuedDurationMilliseconds": round(waited * 1000),
            "startedAt": run.started,
            "endedAt": run.ended,
            "retryPolicy": run.request.get("retryPolicy"),
        }

    def run_arn(self, run: Run) -> str:
        """Return the ARN of a job run.

        Parameters
        ----------
        run
            The job run.
        """
        return f"{self.arn}/jobruns/{run.id}"

    def _common_of(self, run: Run) -> dict[str, Any]:
        return {
            "applicationId": self.id,
            "name": run.request.get("name"),
            "arn": self.run_arn(run),
            "createdBy": f"arn:aws:iam::{ACCOUNT}:root",
            "createdAt": run.created,
            "updatedAt": run.updated,
            "executionRole": run.request["executionRoleArn"],
            "state": run.state,
            "stateDetails": run.details,
            "releaseLabel": self.request["releaseLabel"],
            "mode": "BATCH",
            "attempt": 1,
            "attemptCreatedAt": run.created,
            "attemptUpdatedAt": run.updated,
            "flexExecution": run.request.get("flexExecution"),
        }
