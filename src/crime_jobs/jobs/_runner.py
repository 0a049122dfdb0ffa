"""Runs jobs in one Spark session and turns their failures into sentences."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from crime_jobs import lake, spark
from crime_jobs.errors import BadInput, CrimeJobsError
from crime_jobs.job import Job, Run
from crime_jobs.outcome import Recorder
from crime_jobs.output import Progress
from crime_jobs.registry import check_options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from crime_jobs.settings import Settings


def _explain(error: Exception, job: str) -> CrimeJobsError:
    # A file is read on the executors; what Python raises there reaches the driver as text.
    if found := re.search(r"BadFile: (.*)", str(error)):
        return BadInput(f"A landing file can't be used: {found.group(1)}.", hint="Correct or remove it.")
    return lake.explain(error, f"Job {job} failed")


def run_jobs(
    jobs: list[Job],
    settings: Settings,
    options: Mapping[str, str] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    outcome: str | None = None,
) -> list[dict[str, Any]]:
    """Run jobs one after the other in a session of their own.

    Parameters
    ----------
    jobs
        In the order to run them.
    settings
        Landing, lake and Spark configuration.
    options
        Configuration values by field name; each job takes those it has.
    progress
        Called when a job begins and when it has ended.
    outcome
        Folder or URI where the progress and the outcome are written; see `crime_jobs.outcome`.

    Returns
    -------
    list of dict
        The report of each table published.

    Raises
    ------
    CrimeJobsError
        If the input is bad, a job fails, or AWS refuses.
    """
    options = options or {}
    check_options(jobs, options, settings)
    session = spark.start(settings, f"crime-jobs {' '.join(j.name for j in jobs)}")
    recorder = Recorder(session, outcome, progress) if outcome else None
    try:
        reports = run_in(session, jobs, settings, options, recorder.progress if recorder else progress)
        if recorder:
            recorder.done(reports)
    except Exception as error:
        if recorder:
            recorder.failed(error)
        session.stop()
        raise
    # Not stopped after Ctrl-C: the JVM ends with this process, and asked now it may never answer.
    session.stop()
    return reports


def run_in(
    session: SparkSession,
    jobs: list[Job],
    settings: Settings,
    options: Mapping[str, str] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Run jobs in a session that is there already; see `run_jobs`."""
    lake.check_writable(session, settings.lake)
    lake.clear_leftovers(session, settings.lake)
    run = Run(session, settings.landing, settings.lake, settings)
    for number, job in enumerate(jobs, start=1):
        started = time.monotonic()
        progress(Progress(job.name, number, len(jobs), None))
        try:
            job.run(run, job.options_from(settings, options or {}))
        except (PySparkException, Py4JError) as error:
            raise _explain(error, job.name) from error
        progress(Progress(job.name, number, len(jobs), time.monotonic() - started))
    run.release()
    return run.reports
