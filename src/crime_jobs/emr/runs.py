"""A run that was submitted, and the two services that run it, behind one small interface."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from crime_jobs import aws
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crime_jobs.emr.package import Manifest
    from crime_jobs.emr.targets import Target
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings


#: Hex digits of the token that tells a submission from others of the same job.
TOKEN_LENGTH = 12


def new_token() -> str:
    """Return a token for a submission."""
    return uuid.uuid4().hex[:TOKEN_LENGTH]


#: A token, or what EventBridge Scheduler puts in its place, with a part's number in a chain.
_TOKEN = re.compile(r" (?=\S*\d)[0-9a-z]{12,36}(-\d+)?$")


def bare_name(name: str) -> str:
    """Return a run's name without its token.

    Parameters
    ----------
    name
        For example ``clean_ncrb 3f9a2c1d77e0``.
    """
    return _TOKEN.sub("", name)


def outcome_folder(settings: Settings, token: str) -> str:
    """Return where a run writes its outcome.

    Parameters
    ----------
    settings
        Says where logs go.
    token
        Of the submission.

    Raises
    ------
    WrongUsage
        If nothing says where logs go, or not to S3: the run could not say there how it ended.
    """
    if not settings.logs:
        raise WrongUsage(
            "Nothing says where logs and outcomes go.",
            hint="Give --logs s3://…, set CRIME_JOBS_LOGS, or write logs into crime-jobs.toml.",
        )
    aws.split_uri(settings.logs, f"logs (from {settings.sources.get('logs', 'nowhere')})")
    return f"{settings.logs.rstrip('/')}/outcomes/{token}"


def outcome_in(arguments: Sequence[str]) -> str | None:
    """Return the folder of the outcome that a run was given.

    Parameters
    ----------
    arguments
        Of the run; it may be somebody else's, with an option of that name and nothing behind it.
    """
    return next((str(value) for option, value in pairwise(arguments) if option == "--outcome"), None)


class Phase(StrEnum):
    """What a state means to somebody who waits, whichever service gives it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Phase.DONE, Phase.FAILED, Phase.CANCELLED)


@dataclass(frozen=True)
class Run:
    """A step or a job run.

    Parameters
    ----------
    id
        As the service gave it.
    name
        Its name there.
    outcome
        Folder URI where it writes its progress and outcome, or ``None`` for a Hive script.
    """

    id: str
    name: str
    outcome: str | None = None


@dataclass(frozen=True)
class Status:
    """What the service says of a run.

    Parameters
    ----------
    run
        The run.
    state
        The service's own word.
    phase
        What that means.
    since, started, ended
        When it was submitted, began and ended.
    details
        Why, as the service says it; empty when it says nothing.
    """

    run: Run
    state: str
    phase: Phase
    since: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    details: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has run, by this machine's clock while it is under way."""
        if not self.started:
            return None
        end = self.ended or datetime.now(self.started.tzinfo)
        return max(0.0, (end - self.started).total_seconds())


class Service(Protocol):
    """EMR on EC2 or EMR Serverless, for one target."""

    target: Target

    def request(
        self, work: Work, manifest: Manifest, token: str, conf: Mapping[str, str]
    ) -> tuple[str, dict[str, Any]]:
        """Return the operation that `submit` calls, and what it sends."""

    def submit(self, work: Work, manifest: Manifest, token: str, conf: Mapping[str, str]) -> Run:
        """Submit it once, whatever happens on the way; `token` tells it from others."""

    def again(self, run_id: str, token: str) -> Run:
        """Submit what a run was given once more."""

    def look(self, run_id: str) -> Status:
        """Ask how a run is."""

    def recent(self, most: int) -> list[Status]:
        """Return the newest runs, newest first."""

    def cancel(self, run_id: str) -> None:
        """Cancel a run; that it is over already is no error."""

    def log_folders(self, status: Status) -> dict[str, str]:
        """Return where the logs of a run are: what they are of, to a folder URI."""

    def why_ended(self) -> str:
        """Return why the target itself has ended under its runs; empty if it has not."""
