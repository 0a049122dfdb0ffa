"""How long, and with which pauses, a call to DynamoDB is repeated while it says that it is too busy."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.errors import AwsRefused

#: Pauses while throttled: the first at most so long, doubled each time, never above the last (full jitter:
#: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
#: Seconds without any progress, after which DynamoDB counts as not to be reached.
PATIENCE = 300.0

#: What goes away by itself
#: (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
_PASSING = {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"} | {
    "InternalServerError",
    "LimitExceededException",
    "TransactionConflictException",
}


def passes(error: AwsRefused) -> bool:
    """Tell whether a refusal goes away by itself."""
    cause = error.__cause__
    known = isinstance(cause, ClientError) and aws.code_of(cause) in _PASSING
    return known or aws.may_be_repeated(error)


class Patience:
    """Waits between attempts, longer each time, and at some time no more.

    Parameters
    ----------
    doing
        What stands still when nothing gets through: ``The table crime-districts let nothing through``.
    hint
        What to do about it.
    sleep, clock
        For tests.
    """

    def __init__(
        self,
        doing: str,
        hint: str,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._doing, self._hint, self._sleep, self._clock = doing, hint, sleep, clock
        #: How often it was waited.
        self.waits = 0
        self.progress()

    def progress(self) -> None:
        """Note that something got through."""
        self._pause, self._since = FIRST_PAUSE, self._clock()

    def wait(self) -> None:
        """Pause before the next attempt.

        Raises
        ------
        AwsRefused
            If nothing got through for `PATIENCE`.
        """
        self.waits += 1
        if self._clock() - self._since > PATIENCE:
            raise AwsRefused(f"{self._doing} for {PATIENCE:.0f} s.", hint=self._hint)
        self._sleep(random.uniform(0, self._pause))  # noqa: S311 - jitter
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
