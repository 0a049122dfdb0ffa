"""Calls of Rekognition's API: each in its turn, again if it may succeed, counted; refusals told apart."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crime_jobs import aws
from crime_jobs.errors import AwsRefused
from crime_jobs.faces._answers import Picture, UnfitPicture
from crime_jobs.faces._keys import access_key
from crime_jobs.model.faces import FaceSettings

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Bytes of a picture in a request; a larger one, up to 15 MB, is read from S3
#: (https://docs.aws.amazon.com/rekognition/latest/dg/limits.html).
INLINE = 5 * 1024**2
#: Bytes of a picture in S3.
IN_S3 = 15 * 1024**2

#: How often a call is made in all, and seconds between two: at most the first, doubled each time, up to the
#: second.
ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE = 8, 0.2, 10.0

#: The same of the question who answers, if nothing does: nothing was begun that would be lost.
UNREACHED = 2

#: Errors of Rekognition that go away by themselves; the rest of them `crime_jobs.aws` knows.
_PASSING = {"ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"}

#: Errors that are about the picture, and what each means.
_UNFIT = {
    "InvalidImageFormatException": "it is neither a JPEG nor a PNG, or is broken",
    "ImageTooLargeException": "it is too large (5 MB in a request, 15 MB in S3)",
    "InvalidS3ObjectException": "it is not there, or may not be read",
    "InvalidParameterException": "it has no face, or is too small or too large to look at",
}

#: Errors by which an engine of one's own says that it does not know who asks, and what is to be done.
_UNKNOWN_KEY = {"UnrecognizedClientException", "InvalidSignatureException"}
_KEYS = (
    "The engine knows the keys of its clients, and no session of a role or of `aws sso login`: {} in the "
    "environment's faces table names a secret with such a key. Is it as in the engine's file of clients, and "
    "is the clock right?"
)


class Calls:
    """Calls the engine; threads may share it.

    Parameters
    ----------
    settings
        Region, profile. The address is that of ``AWS_ENDPOINT_URL_REKOGNITION``, where one is set.
    faces
        What the environment says of faces.
    pay
        Called with 1 before each call that looks at a picture, also a repeated one; returns seconds to wait.
    sleep
        For tests.
    writes
        Whether it is to change a collection: with which key of an engine of one's own it signs.

    Attributes
    ----------
    calls
        How often each operation was called; a call that was repeated counts each time, since it is paid for.

    Raises
    ------
    WrongUsage, AwsRefused, BadInput
        If the settings name a secret with the engine's key, and it can't be had.
    """

    def __init__(
        self,
        settings: Settings,
        faces: FaceSettings,
        pay: Callable[[float], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        writes: bool = False,
    ) -> None:
        self._setting = "engine_write_secret" if writes else "engine_secret"
        secret = faces.engine_write_secret if writes else faces.engine_secret
        key = access_key(settings, secret) if secret else None
        # One attempt: the patience is here, so that each attempt waits for its turn and is counted.
        self._client = aws.client("rekognition", settings, attempts=1, key=key)
        self._faces, self._pay, self._sleep = faces, pay, sleep
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()

    @property
    def host(self) -> str:
        """Host of the engine's address."""
        return urlsplit(str(self._client.meta.endpoint_url)).hostname or ""

    def _look(self, operation: str, doing: str, **request: Any) -> dict[str, Any]:
        """Make a call that looks at a picture, in its turn; what is wrong with the picture is told apart."""
        try:
            return self._call(operation, doing, paid=True, **request)
        except AwsRefused as error:
            if why := _UNFIT.get(code := error_code(error)):
                raise UnfitPicture(why, code) from error.__cause__
            raise

    def _call(
        self, operation: str, doing: str, *, paid: bool = False, unreached: int = ATTEMPTS, **request: Any
    ) -> dict[str, Any]:
        from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

        def enough(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            is_silent = isinstance(error, AwsRefused) and not error_code(error)
            return state.attempt_number >= (unreached if is_silent else ATTEMPTS)

        def once() -> dict[str, Any]:
            if paid and self._pay is not None and (wait := self._pay(1)) > 0:
                self._sleep(wait)
            with self._lock:
                self.calls[operation] += 1
            with self._refusals(doing):
                said: dict[str, Any] = getattr(self._client, operation)(**request)
                return said

        return Retrying(
            retry=retry_if_exception(_passes),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
            stop=enough,
            sleep=self._sleep,
            reraise=True,
        )(once)

    @contextmanager
    def _refusals(self, doing: str) -> Iterator[None]:
        try:
            with aws.refusals(doing):
                yield
        except AwsRefused as error:
            if self._faces.engine == "on-premises" and error_code(error) in _UNKNOWN_KEY:
                error.hint = _KEYS.format(self._setting)
            raise


def _passes(error: BaseException) -> bool:
    return isinstance(error, AwsRefused) and (error_code(error) in _PASSING or aws.may_be_repeated(error))


def error_code(error: AwsRefused) -> str:
    """Return the service's error code of a refusal; nothing if it gave none."""
    from botocore.exceptions import ClientError

    return aws.code_of(error.__cause__) if isinstance(error.__cause__, ClientError) else ""


def image_of(image: Picture) -> dict[str, Any]:
    """Return a picture as requests have it; refuse one that no request takes."""
    if isinstance(image, bytes):
        if not image:
            raise UnfitPicture("it is empty", "InvalidImageFormatException")
        if len(image) > INLINE:
            raise UnfitPicture(_UNFIT["ImageTooLargeException"], "ImageTooLargeException")
        return {"Bytes": image}
    place = {"Bucket": image.bucket, "Name": image.key}
    return {"S3Object": place | ({"Version": image.version} if image.version else {})}
