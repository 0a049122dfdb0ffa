"""Tables side by side, with one budget for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from crime_jobs.budget import Budget, Served

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")
R = TypeVar("R")

#: Tables that are under way at a time: while the last part of one is written, the next one's are read.
TABLES_AT_ONCE = 4


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
