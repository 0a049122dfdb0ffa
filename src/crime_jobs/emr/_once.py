"""Sends a request that the service can't tell from a second one, once in effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from crime_jobs import aws
from crime_jobs.settings import Settings

T = TypeVar("T")


def once(settings: Settings, service: str, send: Callable[[Any], T], find: Callable[[], T | None]) -> T:
    """Send it until it has arrived, looking before each repetition whether it has.

    ``AddJobFlowSteps`` and ``RunJobFlow`` take no client token: were boto3 to repeat one whose answer was
    lost, the step would run twice.

    Parameters
    ----------
    settings
        Region and profile.
    service
        The service to send to.
    send
        Sends it by the client it is given, which does not repeat anything by itself.
    find
        Returns what was sent if it has arrived, else ``None``.

    Returns
    -------
    object
        What `send` or `find` returned.

    Raises
    ------
    botocore.exceptions.ClientError
        If it is refused, or throttled to the end.
    """
    client = aws.client(service, settings, attempts=1)
    for attempt in Retrying(
        retry=retry_if_exception(aws.may_be_repeated),
        wait=wait_random_exponential(multiplier=0.5, max=20),
        stop=stop_after_attempt(aws.ATTEMPTS),
        reraise=True,
    ):
        with attempt:
            if attempt.retry_state.attempt_number > 1 and (there := find()) is not None:
                return there
            return send(client)
    raise AssertionError("Retrying either returns or raises")
