"""Submits work, waits for it and says how it ended; Ctrl-C cancels it, a second one leaves it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.emr import cause as causes
from crime_jobs.emr.runs import Phase, Status, new_token
from crime_jobs.errors import AwsRefused, CrimeJobsError, Interrupted

if TYPE_CHECKING:
    from crime_jobs.emr.cause import Cause
    from crime_jobs.emr.package import Manifest
    from crime_jobs.emr.runs import Run, Service
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings

#: Seconds between two questions: often at first, since what is wrong from the start fails soon.
SHORTEST, LONGEST = 0.5, 3.0
#: For so many seconds AWS may not answer before waiting is given up. The run itself goes on meanwhile.
OUTAGE = 600.0


@dataclass(frozen=True)
class View:
    """What is to be seen of a run that is under way.

    Parameters
    ----------
    status
        What the service says.
    progress
        What the run itself says; ``None`` if nothing yet.
    note
        Something to tell the user besides.
    """

    status: Status
    progress: causes.Progress | None = None
    note: str = ""


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Parameters
    ----------
    status
        What the service says.
    reports
        What it published, a dictionary a table.
    cause
        Why it failed or was cancelled; ``None`` if it is done.
    """

    status: Status
    reports: list[dict[str, Any]] = field(default_factory=list)
    cause: Cause | None = None


Tell = Callable[[View], None]


def submit(
    settings: Settings,
    service: Service,
    work: Work,
    manifest: Manifest,
    conf: Mapping[str, str],
    tell: Tell,
    *,
    patience: float,
) -> Ended:
    """Submit something and wait for its end.

    Parameters
    ----------
    settings
        Region, profile.
    service
        Runs it.
    work, manifest, conf
        What to run, from which package, with which further Spark properties.
    tell
        Told what is to be seen.
    patience
        How long to wait for the logs of a failed run, in seconds.

    Returns
    -------
    Ended

    Raises
    ------
    Interrupted
        After Ctrl-C: the run is cancelled, or with a second Ctrl-C left as it is.
    AwsRefused
        If it can't be submitted, or AWS no longer answers.
    """
    token = new_token()
    with held_back() as held:
        run = service.submit(work, manifest, token, conf)
    return watch(settings, service, run, tell, patience=patience, cancel=bool(held))


def chain(
    works: Sequence[Work], one: Callable[[Work], Ended], between: Callable[[Ended], object]
) -> list[Ended]:
    """Run parts one after the other; stop at the first failure, unless that part says to go on.

    Parameters
    ----------
    works
        The parts.
    one
        Runs a part.
    between
        Told of each part that has ended.

    Returns
    -------
    list of Ended
        Of the parts that ran.
    """
    ended = []
    for work in works:
        ended.append(one(work))
        between(ended[-1])
        if ended[-1].cause and not work.go_on:
            break
    return ended


def watch(
    settings: Settings, service: Service, run: Run, tell: Tell, *, patience: float, cancel: bool = False
) -> Ended:
    """Wait for the end of a run.

    Parameters
    ----------
    settings
        Region, profile.
    service
        Runs it.
    run
        The run.
    tell
        Told what is to be seen.
    patience
        How long to wait for the logs of a failed run, in seconds.
    cancel
        Cancel it first: Ctrl-C came while it was being submitted.

    Returns
    -------
    Ended

    Raises
    ------
    Interrupted
        After Ctrl-C.
    AwsRefused
        If AWS refuses to say how it is, or has not answered for `OUTAGE` seconds.
    """
    status: Status | None = None
    if not cancel:
        try:
            status = wait(settings, service, run, tell)
        except KeyboardInterrupt:
            cancel = True
    if cancel:
        status = _cancel(settings, service, run, tell)
    assert status is not None  # noqa: S101 - one of the two has set it
    return conclude(settings, service, status, tell, patience=patience)


def _cancel(settings: Settings, service: Service, run: Run, tell: Tell) -> Status:
    """Cancel a run and wait until it is; if it has ended by then, return how."""
    goes_on = (
        f"It goes on in {service.target}; `crime-jobs cancel {run.id} --on {service.target.id}` cancels it."
    )
    try:
        try:
            service.cancel(run.id)
        except AwsRefused as error:
            raise Interrupted(
                f"{run.name} ({run.id}) could not be cancelled: {error.message}", hint=goes_on
            ) from error
        status = wait(settings, service, run, tell, "Cancelling (Ctrl-C again leaves it)")
    except KeyboardInterrupt:
        raise left(service, run) from None
    if status.phase is Phase.CANCELLED:
        raise Interrupted(f"Cancelled {run.name} ({run.id}).")
    return status


def left(service: Service, run: Run) -> Interrupted:
    """Say that a run was left while it was being cancelled; ready to raise."""
    return Interrupted(
        f"Left {run.name} ({run.id}) while it was being cancelled.",
        hint=f"`crime-jobs watch {run.id} --on {service.target.id}` shows what becomes of it.",
    )


def wait(settings: Settings, service: Service, run: Run, tell: Tell, note: str = "") -> Status:
    """Ask how a run is until it is over.

    Parameters
    ----------
    settings, service, run, tell
        As for `watch`.
    note
        What to show beside its state.

    Returns
    -------
    Status

    Raises
    ------
    AwsRefused
        If AWS refuses, or has not answered for `OUTAGE` seconds; the run itself goes on.
    """
    pause, answered = SHORTEST, time.monotonic()
    status: Status | None = None
    s3: Any = None
    while True:
        try:
            status = service.look(run.id)
            progress = None
            if status.phase is Phase.RUNNING and run.outcome:
                s3 = s3 or aws.client("s3", settings)
                progress = causes.read_progress(settings, run, s3)
            answered = time.monotonic()
            tell(View(status, progress, note))
            if status.phase.over:
                return status
        except CrimeJobsError as error:
            if aws.may_be_repeated(error) and time.monotonic() - answered < OUTAGE:
                tell(View(status or _unseen(run), None, f"No answer from AWS, asking again: {error.message}"))
            else:
                again = f"`crime-jobs watch {run.id} --on {service.target.id}` waits for it again."
                raise AwsRefused(
                    f"{error.message} {run.name} ({run.id}) itself goes on.",
                    hint=f"{error.hint} {again}".strip(),
                ) from error
        time.sleep(pause)
        pause = min(LONGEST, pause * 1.3)


def _unseen(run: Run) -> Status:
    return Status(run, "SUBMITTED", Phase.WAITING)


def conclude(settings: Settings, service: Service, status: Status, tell: Tell, *, patience: float) -> Ended:
    """Find out what a run that is over did, or why it could not.

    Parameters
    ----------
    settings, service, tell, patience
        As for `watch`.
    status
        The run.

    Returns
    -------
    Ended
    """
    if status.phase is Phase.DONE:
        outcome = causes.read_outcome(settings, status.run)
        if isinstance(outcome, causes.Done):
            return Ended(status, outcome.reports)
        if not status.run.outcome:
            return Ended(status)
    try:
        found = causes.find(settings, service, status, patience, lambda note: tell(View(status, None, note)))
    except KeyboardInterrupt:  # whoever doesn't want to wait for the logs is told what is known
        found = causes.find(settings, service, status, 0)
    return Ended(status, [], found)


@contextmanager
def held_back() -> Iterator[list[int]]:
    """Hold Ctrl-C back while something is sent whose answer must not be missed: its id is in the answer.

    Yields
    ------
    list of int
        The signals that came meanwhile.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def send(service: Service, work: Work, manifest: Manifest, conf: Mapping[str, str]) -> Status:
    """Submit something and don't wait for it; whatever comes after it was sent, its id is told.

    Parameters
    ----------
    service, work, manifest, conf
        As for `submit`.

    Returns
    -------
    Status

    Raises
    ------
    AwsRefused
        If it can't be submitted.
    """
    with held_back():
        run = service.submit(work, manifest, new_token(), conf)
        try:
            return service.look(run.id)
        except AwsRefused:  # an error here would be read as: nothing was submitted
            return _unseen(run)


def end_as_ctrl_c() -> None:
    """Let SIGTERM, as a CI system sends it to end this command, do what Ctrl-C does."""
    with suppress(ValueError):  # only the main thread may set it
        signal.signal(signal.SIGTERM, signal.default_int_handler)
