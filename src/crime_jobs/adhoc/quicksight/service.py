"""The account in QuickSight: whether there is one, and calls that are repeated while it is throttled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from crime_jobs import aws
from crime_jobs.errors import AwsRefused
from crime_jobs.settings import Settings

T = TypeVar("T")

#: A call that is throttled beyond botocore's own attempts: how often, and the first pause (seconds).
_ATTEMPTS, _PAUSE = 5, 2.0
_SUBSCRIBED = "ACCOUNT_CREATED"
#: What answers for AWS where there is no QuickSight.
_NOT_IMPLEMENTED = 501
_NONE_HERE = {"ResourceNotFoundException", "AccessDeniedException", "UnrecognizedClientException"}

SUBSCRIBE = (
    "Sign up for QuickSight (Enterprise edition) in its console, or give whoever runs this "
    "quicksight:DescribeAccountSubscription."
)


def pause(seconds: float) -> None:
    """Wait.

    Parameters
    ----------
    seconds
        How long.
    """
    time.sleep(seconds)


class Account:
    """The account, and the client of its region.

    Parameters
    ----------
    settings
        Region and profile.
    """

    def __init__(self, settings: Settings) -> None:
        with aws.refusals("Asking which account this is"):
            self.id: str = aws.client("sts", settings).get_caller_identity()["Account"]
        self.client = aws.client("quicksight", settings)
        self.metrics = aws.client("cloudwatch", settings)
        self.region = aws.region(settings)

    def check(self) -> None:
        """Find out that there is a subscription, of the edition that has rules by row.

        Raises
        ------
        AwsRefused
            If there is none, or it is of another edition.
        """
        from botocore.exceptions import ClientError

        try:
            told = self.call(
                "Looking for the account in QuickSight",
                lambda: self.client.describe_account_subscription(AwsAccountId=self.id),
            )
        except AwsRefused as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and aws.code_of(cause) in _NONE_HERE:
                raise AwsRefused(
                    f"Account {self.id} shows no QuickSight in {self.region}: {error.message}",
                    hint=SUBSCRIBE,
                ) from cause
            raise
        info = told.get("AccountInfo", {})
        state, edition = info.get("AccountSubscriptionStatus"), str(info.get("Edition", ""))
        if state != _SUBSCRIBED:
            raise AwsRefused(f"QuickSight of account {self.id} is {state}.", hint=SUBSCRIBE)
        if edition == "STANDARD":
            raise AwsRefused(
                "QuickSight is of the Standard edition, which has no rules by row: all would see all.",
                hint="Upgrade to Enterprise in QuickSight's console.",
            )

    def call(self, doing: str, call: Callable[[], T], sleep: Callable[[float], None] = pause) -> T:
        """Make a call, and again while AWS is throttling or failing.

        Parameters
        ----------
        doing
            What is being done, for the message.
        call
            The call.
        sleep
            Waits, in seconds.

        Raises
        ------
        AwsRefused
            If it is refused, or does not succeed.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with aws.refusals(doing):
                    return call()
            except AwsRefused as error:
                if attempt == _ATTEMPTS or not _passes(error):
                    raise
            sleep(_PAUSE * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")


def _passes(error: AwsRefused) -> bool:
    response = getattr(error.__cause__, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status != _NOT_IMPLEMENTED and aws.may_be_repeated(error)


def error_code(error: AwsRefused) -> str:
    """Return the service's code of a refusal, or nothing.

    Parameters
    ----------
    error
        What `Account.call` raised.
    """
    from botocore.exceptions import ClientError

    return aws.code_of(error.__cause__) if isinstance(error.__cause__, ClientError) else ""


Row = dict[str, Any]
