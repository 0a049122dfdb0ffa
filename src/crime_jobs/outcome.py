"""What a run leaves beside its logs: how far it is, and in the end what it did or why it could not.

EMR pushes a step's logs to S3 every few minutes, and those of a driver in YARN to another place than those
of the step. So whoever submits a run names a folder (``--outcome``), and the run writes two files there:

``progress.json``
    ``{"job": "hot_spots", "number": 8, "of": 10, "seconds": 12.3}``, anew whenever a job begins.
``outcome.json``
    Last: ``{"state": "done", "reports": […]}``, or ``{"state": "failed", "exit_code": 3, "error": "BadInput",
    "message": …, "hint": …, "traceback": …, "reading": …}``.

A run that was killed leaves no outcome; one that ends well without it has not done its work.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import CrimeJobsError
from crime_jobs.lake import Folder
from crime_jobs.output import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

PROGRESS, OUTCOME = "progress.json", "outcome.json"

#: How Spark and our own messages name a file that was being read.
_READING = re.compile(
    r"(?:reading file:?|can't be used:|can't read:|Could not read footer for file:?|Path does not exist:)"
    r"\s*((?:[a-z0-9]+:/+)?[^\s:,;'\"]+)"
)
#: Where a package was unpacked to says nothing to whoever reads the traceback.
_UNPACKED = re.compile(r'(?<=File ")[^"]*(?:\.zip|/site-packages|/environment)/')
#: A traceback is shown on a screen: its end says what happened.
_LINES = 60


class Recorder:
    """Writes the progress and the outcome of a run.

    Parameters
    ----------
    spark
        The run's session: its file systems are used, so that every place serves that the lake may be in.
    folder
        Folder or URI; made when first written to.
    tell
        Also told of each step of the progress.
    """

    def __init__(self, spark: SparkSession, folder: str, tell: Callable[[Progress], None]) -> None:
        self._spark = spark
        self._folder = Folder(spark, folder)
        self._tell = tell

    def progress(self, step: Progress) -> None:
        """Note that a job begins or has ended.

        Parameters
        ----------
        step
            The job, its number and of how many.
        """
        self._tell(step)
        facts = {"job": step.job, "number": step.number, "of": step.of, "seconds": step.seconds}
        self._write(PROGRESS, facts)

    def done(self, reports: list[dict[str, Any]]) -> None:
        """Note what was published.

        Parameters
        ----------
        reports
            The report of each table, without its list of files.
        """
        self._write(OUTCOME, {"state": "done", "reports": [_brief(report) for report in reports]})

    def failed(self, error: BaseException) -> None:
        """Note why the run failed; that it can't be noted must not hide the failure.

        Parameters
        ----------
        error
            What was raised.
        """
        try:
            self._write(OUTCOME, describe(error))
        except Exception as second:  # noqa: BLE001 - the first error is what matters
            sys.stderr.write(f"The outcome could not be written to {self._folder}: {type(second).__name__}\n")

    def _write(self, name: str, facts: dict[str, Any]) -> None:
        self._folder.child(name).write_text(json.dumps(facts, ensure_ascii=False))


def describe(error: BaseException) -> dict[str, Any]:
    """Say why a run failed, so that it can be shown without a log.

    Parameters
    ----------
    error
        What was raised.

    Returns
    -------
    dict
        ``outcome.json`` of a failed run.
    """
    known = error if isinstance(error, CrimeJobsError) else None
    lines = "".join(traceback.format_exception(error)).splitlines()
    text = str(error)
    reading = _READING.search(text) or _READING.search(str(error.__cause__ or ""))
    return {
        "state": "failed",
        "exit_code": known.exit_code if known else 1,
        "error": type(error).__name__,
        "message": known.message if known else (text.splitlines() or [""])[0],
        "hint": known.hint if known else "",
        "traceback": "\n".join(_python_only(lines)[-_LINES:]),
        "reading": reading.group(1) if reading else None,
    }


def _python_only(lines: list[str]) -> list[str]:
    """Leave out the JVM's stack, whose first line is in the message already, and Python's underlining."""
    kept = (line for line in lines if not re.match(r"\s*(at [\w.$]+\(|\.\.\. \d+ more|[~^]+$)", line))
    return [_UNPACKED.sub("", line) for line in kept]


def _brief(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("files", "columns")}
