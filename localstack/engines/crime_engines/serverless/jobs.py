"""What a job run does: a Spark program in a container, or a Hive script by Spark SQL."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crime_engines.hive import hive_arguments
from crime_engines.localise import fetch_all
from crime_engines.protocol import invalid
from crime_engines.spark_conf import Classified
from crime_engines.spark_submit import Submission, parse
from crime_engines.storage import Missing, is_uri
from crime_engines.yarn import Place, run_driver

#: Of properties that are variables of the driver.
DRIVER_ENV = "spark.emr-serverless.driverEnv."

_EXCEPTION = re.compile(r"(?:Caused by: |Exception in thread \"\w+\" )?[\w.$]*(?:Error|Exception)\b.*")


@dataclass(frozen=True)
class Job:
    """A job.

    Parameters
    ----------
    submission
        A Spark program, or
    hive
        the arguments of a Hive script.
    classified
        Its configuration: the application's, then its own.
    """

    submission: Submission | None
    hive: list[str] = field(default_factory=list)
    classified: Classified = field(default_factory=Classified)

    @property
    def log_folder(self) -> str:
        """Name of the folder of its driver's logs."""
        return "SPARK_DRIVER" if self.submission else "HIVE_DRIVER"


def job_of(driver: Mapping[str, Any], engine: str, classified: Classified) -> Job:
    """Read a job driver.

    Parameters
    ----------
    driver
        ``jobDriver`` of the request.
    engine
        The application's: ``Spark`` or ``Hive``.
    classified
        Its configuration.

    Returns
    -------
    Job

    Raises
    ------
    Refusal
        If it is not for such an application, or asks for what can't be done here.
    """
    wanted = {"Spark": "sparkSubmit", "Hive": "hive"}[engine]
    if list(driver) != [wanted]:
        raise invalid(f"The job driver of an application of type {engine} must be {wanted}.")
    given = driver[wanted]
    if wanted == "sparkSubmit":
        parameters = _split(given.get("sparkSubmitParameters", ""), "sparkSubmitParameters")
        arguments = [*parameters, given["entryPoint"], *given.get("entryPointArguments", [])]
        return Job(parse(arguments, classified.spark), classified=classified)
    query, start = given["query"], given.get("initQueryFile")
    hive = hive_arguments(_split(given.get("parameters", ""), "parameters"))
    hive += ["-i", start] if start else []
    return Job(None, [*hive, "-f" if is_uri(query) else "-e", query], classified)


def _split(text: str, name: str) -> list[str]:
    """Split as a shell does; there is no other way to have a space in a value."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise invalid(f"{name} can't be split: {error}.") from error


def run_job(job: Job, place: Place, stdout: Path, stderr: Path, timeout: float | None) -> int:
    """Run a job to its end.

    Parameters
    ----------
    job
        The job.
    place
        Where.
    stdout, stderr
        Files for the driver's output.
    timeout
        Seconds after which it is ended.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    Stopped
        If it was told to stop.
    subprocess.TimeoutExpired
        If it took too long.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    submission = job.submission
    if submission is None or submission.wrong is not None:
        program = (
            ["spark-sql", *job.hive] if submission is None else ["spark-submit", *(submission.wrong or [])]
        )
        return place.work.run(
            program, env=place.env, cwd=place.folder, stdout=stdout, stderr=stderr, timeout=timeout
        )
    submission = replace(submission)
    try:
        fetched = fetch_all(submission, place.node.storage, place.folder / "staging", place.work)
    except Missing as error:
        stderr.write_text(
            f'Exception in thread "main" java.io.FileNotFoundException: {error}\n', encoding="utf-8"
        )
        return 1
    container = place.folder / "container"
    return run_driver(place, fetched, submission, container, (DRIVER_ENV,), stdout, stderr, timeout=timeout)


def last_exceptions(*logs: Path) -> str:
    """Return the exceptions that a driver's output ends with, as ``stateDetails`` has them.

    Parameters
    ----------
    *logs
        The driver's output.
    """
    found: list[str] = []
    for log in logs:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
        found += [line.strip() for line in lines if _EXCEPTION.match(line.strip())]
    return "\n".join(reversed(found[-3:]))
