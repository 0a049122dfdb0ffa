"""What the jobs share of Spark: tables side by side, clients that executors keep, errors that come back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from crime_jobs import aws, errors
from crime_jobs.errors import JobFailed
from crime_jobs.migrate.rate import Budget, Served

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from crime_jobs.settings import Settings

T = TypeVar("T")
R = TypeVar("R")

#: Tables that are under way at a time: while the last part of one is written, the next one's are read.
TABLES_AT_ONCE = 4

_kept: dict[tuple[object, ...], Any] = {}

_RAISED = re.compile(r"crime_jobs\.errors\.(\w+): ([^\n]*)")


def client(service: str, settings: Settings, *, attempts: int = aws.ATTEMPTS, validated: bool = True) -> Any:
    """Return a client that this process keeps: to make one takes longer than most of what is asked of it.

    Parameters
    ----------
    service, settings, attempts, validated
        See `crime_jobs.aws.client`.

    Returns
    -------
    botocore.client.BaseClient
        To be used by several threads, as boto3's clients may be.
    """
    # Endpoints and credentials come from the environment, which a test may change.
    told = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    key = (service, settings.region, settings.profile, attempts, validated, told)
    if key not in _kept:
        _kept[key] = aws.client(service, settings, attempts=attempts, validated=validated)
    return _kept[key]


def side_by_side(
    spark: SparkSession, tables: Iterable[T], units: float, work: Callable[[T, Budget | None], R]
) -> list[R]:
    """Do some work for each of several tables, a few at a time, with one budget for all.

    Parameters
    ----------
    spark
        The session.
    tables
        The tables.
    units
        Capacity units a second; 0 for no limit.
    work
        Takes a table and the budget.

    Returns
    -------
    list
        What `work` returned, in the order of `tables`.
    """
    served = Served(units, spark.conf.get("spark.driver.host") or "127.0.0.1") if units else None
    budget = served.budget if served else None
    pool = ThreadPoolExecutor(TABLES_AT_ONCE)
    try:
        return [done.result() for done in [pool.submit(work, table, budget) for table in tables]]
    except BaseException:  # Ctrl-C too: without this, Python would wait for all of Spark's jobs
        pool.shutdown(wait=False, cancel_futures=True)
        spark.sparkContext.cancelAllJobs()
        raise
    finally:
        pool.shutdown(wait=False)
        if served:
            served.close()


@contextmanager
def raised_on_executors(doing: str) -> Iterator[None]:
    """Raise again, as itself, what our code raised on an executor: Spark brings it as text only.

    Parameters
    ----------
    doing
        What was being done, as the start of the sentence.

    Raises
    ------
    CrimeJobsError
        The error.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        if found := _RAISED.search(str(error)):
            kind = getattr(errors, found[1], JobFailed)
            raise kind(f"{doing}: {found[2]}") from None  # the rest is the stack of the JVM
        raise
