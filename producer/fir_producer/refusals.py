"""Which refusals of Kinesis pass by themselves, and what each is called in an outcome."""

from __future__ import annotations

from crime_jobs import aws
from fir_producer.shards import Unsettled

#: What passes, beside what `crime_jobs.aws` knows of
#: (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html, and ``ListShards``).
_PASSING = {"ProvisionedThroughputExceededException", "LimitExceededException", "ResourceInUseException"} | {
    "InternalFailure",
    "InternalFailureException",
    "KMSThrottlingException",
    "ExpiredNextTokenException",
}


class Garbled(Exception):  # noqa: N818 - reads as what happened
    """An answer that is not one of Kinesis, so nobody knows what became of the request."""


def passes(error: Exception) -> bool:
    """Tell whether what failed so may succeed later."""
    from botocore.parsers import ResponseParserError

    return isinstance(error, Unsettled | Garbled | ResponseParserError) or (
        code(error) in _PASSING or aws.may_be_repeated(error)
    )


def code(error: Exception) -> str:
    """Return what an error is called: the service's own code, or the name of what happened here."""
    from botocore.exceptions import ClientError

    return aws.code_of(error) if isinstance(error, ClientError) else type(error).__name__
