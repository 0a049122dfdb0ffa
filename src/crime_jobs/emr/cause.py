"""Finds out why a run failed: from its outcome, else from its logs, else from what EMR says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crime_jobs import aws
from crime_jobs.emr.logs import Log, await_logs
from crime_jobs.emr.runs import Phase
from crime_jobs.errors import AwsRefused, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.emr.runs import Run, Service, Status
    from crime_jobs.settings import Settings

#: The file names that `crime_jobs.outcome` writes.
_PROGRESS, _OUTCOME = "progress.json", "outcome.json"
#: Lines of a log that fit a screen.
_LINES = 30
_KNOWN_CODES = range(1, 5)
#: Bytes of a progress or an outcome: ours have a few thousand. Whoever writes to the bucket can write any.
_LARGEST = 1 << 20
#: Characters of a line that are shown; Spark writes whole plans into one.
_LONGEST = 2000


class Progress(BaseModel):
    """``progress.json``: which job runs, its number and of how many."""

    model_config = ConfigDict(strict=True)

    job: str
    number: int = Field(ge=1)
    of: int = Field(ge=1)


class Done(BaseModel):
    """``outcome.json`` of a run that has done its work."""

    model_config = ConfigDict(strict=True)

    state: Literal["done"]
    reports: list[dict[str, Any]]


class Failed(BaseModel):
    """``outcome.json`` of a run that failed."""

    model_config = ConfigDict(strict=True)

    state: Literal["failed"]
    exit_code: int = Field(ge=1, le=130)
    error: str
    message: str
    hint: str
    traceback: str
    reading: str | None


_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class Cause:
    """Why a run failed.

    Parameters
    ----------
    headline
        One sentence.
    hint
        What to do about it.
    traceback
        Python's, or the last lines of the log that say most; may be empty.
    reading
        The file that was being read, if known.
    details
        What EMR says of it.
    logs
        Where the logs are: of what, to a URI.
    exit_code
        For our own process: as the job's own would have been.
    """

    headline: str
    hint: str = ""
    traceback: str = ""
    reading: str | None = None
    details: str = ""
    logs: dict[str, str] = field(default_factory=dict)
    exit_code: int = 1


def read_progress(settings: Settings, run: Run, s3: Any = None) -> Progress | None:
    """Read how far a run is; ``None`` if it has not said, or nothing that can be understood or read.

    Who may not list the bucket is refused what is not there yet: no reason to give up waiting for a run.
    Whoever asks often hands in a client: each new one looks up the credentials again.
    """
    try:
        return _parsed(_read(settings, run, _PROGRESS, s3), Progress)
    except AwsRefused:
        return None


def read_outcome(settings: Settings, run: Run) -> Done | Failed | None:
    """Read what a run did or why it could not; ``None`` if it has said nothing that can be understood.

    Such an outcome is not one of ours (see `crime_jobs.outcome`): it is as if there were none.
    """
    body = _read(settings, run, _OUTCOME)
    return _parsed(body, Done) or _parsed(body, Failed)


def _parsed(body: bytes | None, model: type[_M]) -> _M | None:
    try:
        return model.model_validate_json(body) if body else None
    except ValidationError:
        return None


def _read(settings: Settings, run: Run, name: str, s3: Any = None) -> bytes | None:
    from botocore.exceptions import ClientError

    if not run.outcome:
        return None
    try:
        bucket, prefix = aws.split_uri(run.outcome, "The outcome")
    except WrongUsage:  # a step of somebody else's, whose option of that name means something else
        return None
    with aws.refusals(f"Reading {run.outcome}/{name}"):
        try:
            found = (s3 or aws.client("s3", settings)).get_object(Bucket=bucket, Key=f"{prefix}/{name}")
            body: bytes = found["Body"].read(_LARGEST + 1)
        except ClientError as error:
            if aws.code_of(error) == "NoSuchKey":
                return None
            raise
    return body if len(body) <= _LARGEST else None


def find(
    settings: Settings,
    service: Service,
    status: Status,
    patience: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Cause:
    """Find out why a run failed or was cancelled.

    Parameters
    ----------
    settings
        Region and profile.
    service
        Ran it.
    status
        The run, over.
    patience
        How long to wait for logs, in seconds, when the run itself said nothing.
    tell
        Told what is being waited for.

    Returns
    -------
    Cause
    """
    logs = service.log_folders(status)
    outcome = read_outcome(settings, status.run)
    if isinstance(outcome, Failed):
        return Cause(
            f"{outcome.error}: {outcome.message}",
            outcome.hint,
            outcome.traceback,
            outcome.reading,
            status.details,
            logs,
            outcome.exit_code,
        )
    ended = service.why_ended()
    if ended:
        return Cause(f"The {service.target} ended: {ended}", "", "", None, status.details, logs)
    if status.phase is Phase.CANCELLED:
        return Cause(f"It was cancelled. {status.details}".strip(), "", "", None, status.details, logs)
    try:
        found = await_logs(settings, service, status, patience, tell)
    except AwsRefused as error:  # the cause of the failure matters more than that its log can't be read
        return Cause(status.details or "EMR gives no reason.", str(error), "", None, status.details, logs)
    if status.phase is Phase.DONE:
        cause = Cause(
            "The run ended with success and left no outcome: it has not done its work.",
            "See its output below, and in the logs.",
            _tail(found),
        )
    else:
        cause = probable(found) or Cause(status.details or "EMR gives no reason, and there are no logs.")
    return Cause(
        cause.headline, cause.hint, cause.traceback, cause.reading, status.details, logs, cause.exit_code
    )


#: What a log says of runs that could say nothing themselves: sign, sentence, what to do. No sign begins with
#: what repeats: in a line of a megabyte such a pattern would be looked for from each of its characters.
_SIGNS = (
    (
        r"java\.lang\.OutOfMemoryError",
        "Spark ran out of memory",
        "Give it more: --conf spark.driver.memory=4g, or spark.executor.memory, or a larger instance.",
    ),
    (
        r"exceeding (?:physical )?memory limits|exit(?:ed with)? code:? 137|MemoryError",
        "It was killed for the memory it took",
        "Give it more: --conf spark.executor.memoryOverhead=2g, or spark.driver.memoryOverhead.",
    ),
    (
        r"No module named '[^'\n]*'",
        "A Python package is not in the environment that was shipped",
        "Add it to the dependencies of crime-jobs, install it here, and submit again.",
    ),
)
_TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n|\n)+[^\s][^\n]*(?:\n: [^\n]*)?", re.MULTILINE
)
_OWN_ERROR = re.compile(r"^error: [^\n]+(?:\n[^\n]+)?", re.MULTILINE)
_SQL_ERROR = re.compile(
    r"^(?:FAILED: |Error in query:|Error: |ParseException|Exception in thread)[^\n]*", re.MULTILINE
)
_EXIT = re.compile(r"(?:exited with status|exitCode:|ExitCode:) (\d+)")


def probable(logs: list[Log]) -> Cause | None:
    """Read the probable cause out of logs.

    Parameters
    ----------
    logs
        The driver's first.

    Returns
    -------
    Cause or None
        ``None`` when there is not a line.
    """
    everything = "\n".join(log.text for log in logs)
    code = next((int(n) for n in reversed(_EXIT.findall(everything)) if int(n) in _KNOWN_CODES), 1)
    for log in logs:
        blocks = _TRACEBACK.findall(log.text)
        block = blocks[-1] if blocks else ""
        for sign, sentence, hint in _SIGNS:
            if found := re.search(sign, log.text):
                return Cause(f"{sentence}: {_line(log.text, found)}", hint, block, _reading(log.text))
        if own := _OWN_ERROR.findall(log.text):
            headline, _, hint = own[-1].removeprefix("error: ").partition("\n")
            return Cause(headline, hint, block, _reading(log.text), exit_code=code)
        if block:
            return Cause(
                block.splitlines()[-1].removeprefix(": "), "", block, _reading(log.text), exit_code=code
            )
        if sql := _SQL_ERROR.search(log.text):
            return Cause(sql.group(), "", log.text[sql.start() :][:2000], _reading(log.text))
    last = _tail(logs)
    return Cause(last.splitlines()[-1], "", last, exit_code=code) if last else None


def _line(text: str, found: re.Match[str]) -> str:
    """Return the line that something was found in; of a very long one, what is around it."""
    begin, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
    begin = max(begin, found.start() - _LONGEST // 2)
    end = min(end if end >= 0 else len(text), found.end() + _LONGEST // 2)
    return text[begin:end].strip().removeprefix(": ")  # as py4j begins the JVM's part


def _reading(text: str) -> str | None:
    found = re.search(r"(?:while reading file|reading file:?|Input path does not exist:)\s*(\S+)", text)
    return found.group(1).rstrip(".,:;") if found else None


def _tail(logs: list[Log]) -> str:
    """Return the end of the first log that says anything."""
    for log in logs:
        if lines := [line for line in log.text.splitlines() if line.strip()]:
            return "\n".join(line[-_LONGEST:] for line in lines[-_LINES:])
    return ""
