"""Errors of our own that are raised on an executor, brought back as themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from crime_jobs import errors
from crime_jobs.errors import JobFailed

_RAISED = re.compile(r"crime_jobs\.errors\.(\w+): ([^\n]*)")


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
