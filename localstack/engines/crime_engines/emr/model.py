"""Clusters and steps: what is known of them."""

from __future__ import annotations

import secrets
import string
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crime_engines.emr.command_runner import Command
from crime_engines.spark_conf import Classified
from crime_engines.work import Work

_LETTERS = string.ascii_uppercase + string.digits

ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")


def new_id(prefix: str, letters: int = 13) -> str:
    """Return an id as EMR makes them: ``j-2AXXXXXXGAPLF``.

    Parameters
    ----------
    prefix
        ``j``, ``s``, ``ig``, ``ci``.
    letters
        How many letters and digits.
    """
    return f"{prefix}-" + "".join(secrets.choice(_LETTERS) for _ in range(letters))


def now() -> datetime:
    """Return the time in milliseconds, as the service keeps it: what is shown is what is compared."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass
class Step:
    """A step.

    Parameters
    ----------
    config
        Its ``StepConfig``.
    command
        What it does.
    action_on_failure
        ``CONTINUE``, ``CANCEL_AND_WAIT``, ``TERMINATE_CLUSTER``.
    number
        Which of the cluster's steps it is.
    role
        Its runtime role.
    """

    config: dict[str, Any]
    command: Command
    action_on_failure: str
    number: int
    role: str | None = None
    id: str = field(default_factory=lambda: new_id("s"))
    state: str = "PENDING"
    message: str | None = None
    failure: dict[str, str] | None = None
    created: datetime = field(default_factory=now)
    started: datetime | None = None
    ended: datetime | None = None
    application: str | None = None
    work: Work | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("PENDING", "RUNNING", "CANCEL_PENDING")


@dataclass
class Cluster:
    """A cluster.

    Parameters
    ----------
    request
        Its ``RunJobFlow``, as it came.
    region
        Its region.
    home
        Folder of its files.
    classified
        What its classifications come to.
    """

    request: dict[str, Any]
    region: str
    home: Path
    classified: Classified
    id: str
    state: str = "STARTING"
    reason: dict[str, str] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    created: datetime = field(default_factory=now)
    ready: datetime | None = None
    ended: datetime | None = None
    steps: list[Step] = field(default_factory=list)
    keep_alive: bool = False
    protected: bool = False
    concurrency: int = 1
    tags: dict[str, str] = field(default_factory=dict)
    idle_timeout: int | None = None
    scaling: dict[str, Any] | None = None
    visible: bool = True
    applications: int = 0
    ending: dict[str, str] | None = None
    in_error: bool = False
    epoch: int = field(default_factory=lambda: int(time.time() * 1000))
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    metastore: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_alive(self) -> bool:
        """Whether it takes steps."""
        return self.state in ALIVE

    @property
    def log_uri(self) -> str | None:
        """Where its logs go: ``s3://bucket/prefix/j-…/``, ``None`` if nowhere."""
        uri = self.request.get("LogUri")
        if not uri:
            return None
        bucket_and_key = uri.partition("://")[2].rstrip("/")
        return f"s3://{bucket_and_key}/{self.id}/"

    def step(self, step_id: str) -> Step | None:
        """Return a step, ``None`` if there is none of that id.

        Parameters
        ----------
        step_id
            Its id.
        """
        return next((step for step in self.steps if step.id == step_id), None)

    def open_steps(self) -> list[Step]:
        """Return the steps that have not ended."""
        return [step for step in self.steps if step.is_open]

    def terminate(self, code: str, message: str, *, in_error: bool = False) -> None:
        """Begin to end; its thread does the rest. Harmless when it is ending already.

        Parameters
        ----------
        code, message
            Why: a ``ClusterStateChangeReasonCode``.
        in_error
            Whether it ends as ``TERMINATED_WITH_ERRORS``.
        """
        with self.changed:
            if not self.is_alive:
                return
            self.state = "TERMINATING"
            self.reason = self.ending = {"Code": code, "Message": message}
            self.in_error = in_error
            for step in self.steps:
                if step.state == "PENDING":
                    step.state, step.message = "CANCELLED", "Job terminated"
            self.changed.notify_all()
