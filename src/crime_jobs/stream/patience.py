"""Trying again what may yet succeed, with pauses that grow and differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from crime_jobs import aws

T = TypeVar("T")

#: Seconds: the first pause at most, and the longest.
FIRST, LONGEST = 0.1, 10.0

#: Refusals of DynamoDB, SQS and SNS that pass; the rest of them `crime_jobs.aws` knows.
PASSING = {
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestThrottled",
    "ThrottlingError",
    "ThrottledException",
    "Throttled",
    "KMSThrottledException",
    "InternalServerError",
    "InternalFailure",
    "LimitExceededException",
    "TransactionConflict",
    "TransactionInProgressException",
}


def passes(error: BaseException) -> bool:
    """Tell whether a call that failed so may succeed when it is made again.

    Parameters
    ----------
    error
        What boto3 raised.

    Returns
    -------
    bool
    """
    from botocore.exceptions import ClientError

    cause = error.__cause__ or error
    return aws.may_be_repeated(error) or (isinstance(cause, ClientError) and aws.code_of(cause) in PASSING)


def patiently(call: Callable[[], T], *, attempts: int | None = None, waiting: Callable[[], None]) -> T:
    """Call until it succeeds, or fails in a way that does not pass.

    Parameters
    ----------
    call
        What is called.
    attempts
        How often at most; without end when not given.
    waiting
        Called before each pause, so that whoever looks sees that somebody waits.

    Returns
    -------
    object
        What the call returned.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_never, wait_random_exponential

    return Retrying(
        retry=retry_if_exception(passes),
        wait=wait_random_exponential(multiplier=FIRST, max=LONGEST),
        stop=stop_after_attempt(attempts) if attempts else stop_never,
        before_sleep=lambda _: waiting(),
        reraise=True,
    )(call)
