"""What jobs share of executors: clients that a process keeps, errors that come back as themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, errors
from crime_jobs.errors import JobFailed

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

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
