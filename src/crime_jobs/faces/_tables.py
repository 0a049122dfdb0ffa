"""Reading the room's tables: one that is not there is told of as what was not made yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.errors import AwsRefused


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
