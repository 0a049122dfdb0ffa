"""The room's tables: what DynamoDB's answers mean, and when a question is worth another try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from crime_jobs import aws
from crime_jobs.errors import AwsRefused

#: Why a transaction was cancelled: a condition did not hold.
FAILED = "ConditionalCheckFailed"
#: Reasons of a cancelled transaction that pass.
PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_ATTEMPTS = 8


@contextmanager
def reading(doing: str) -> Iterator[None]:
    """Turn what boto3 raises into a sentence, as `crime_jobs.aws.refusals`.

    Parameters
    ----------
    doing
        What is being done, as the start of the sentence.

    Raises
    ------
    AwsRefused
        If it is refused; of a table that is not there, with what makes it.
    """
    try:
        with aws.refusals(doing):
            yield
    except AwsRefused as error:
        cause = error.__cause__
        if not isinstance(cause, ClientError) or aws.code_of(cause) != "ResourceNotFoundException":
            raise
        raise AwsRefused(
            error.message, hint="The table is not there: has `make up`, or `crime-jobs deploy faces`, run?"
        ) from cause


class Unread(AwsRefused):
    """DynamoDB had too much to do for some of what was asked."""


def cancelled(error: BaseException | None) -> list[str]:
    """Return why a transaction was cancelled, by its actions; nothing if it was not.

    Parameters
    ----------
    error
        What boto3 raised.

    Returns
    -------
    list of str
        ``None`` for an action that nothing was wrong with.
    """
    if not isinstance(error, ClientError) or aws.code_of(error) != "TransactionCanceledException":
        return []
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])]


def passes(error: BaseException) -> bool:
    """Tell whether what failed is worth another try; when it is throttled, boto3 itself tries again.

    Parameters
    ----------
    error
        As `crime_jobs.aws.refusals` raised it.

    Returns
    -------
    bool
    """
    if isinstance(error, Unread):
        return True
    cause = error.__cause__
    lost = isinstance(cause, ClientError) and aws.code_of(cause) == "ConditionalCheckFailedException"
    return lost or bool(PASSING & set(cancelled(cause)))


def patiently() -> Retrying:
    """Return the tries of a write that others may get in the way of."""
    return Retrying(
        retry=retry_if_exception(passes),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(0.05, 2),
        reraise=True,
    )
