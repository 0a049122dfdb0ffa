"""Uploads under content-addressed keys: each content once, whole or not at all, nothing ever overwritten."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from crime_jobs import aws
from crime_jobs.emr._environment import Tell
from crime_jobs.errors import AwsRefused, CrimeJobsError, WrongUsage
from crime_jobs.settings import Settings

#: The largest object that one request can write
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html).
LARGEST = 5 * 1024**3
#: Connections at once; botocore's pool holds ten.
_THREADS = 8
#: How often an upload that met another one of the same key is tried, and the longest pause in seconds.
_MEETINGS, _PAUSE = 6, 3.0

_EXISTS = {"PreconditionFailed", "412"}
_MET = {"ConditionalRequestConflict", "OperationAborted", "409"}


class Damaged(CrimeJobsError):  # noqa: N818
    """A file that was kept is not what it was."""


@dataclass(frozen=True)
class Part:
    """A file to be shipped.

    Parameters
    ----------
    name
        What people see.
    key
        Key below the prefix of the artifacts; it holds the digest.
    body
        The bytes, or a file with them.
    sha256
        Their SHA-256, hexadecimal.
    size
        Their number.
    """

    name: str
    key: str
    body: bytes | Path
    sha256: str
    size: int


def check_bucket(s3: Any, bucket: str, settings: Settings) -> None:
    """Find out that a bucket is there and in the right region, before anything is made.

    Parameters
    ----------
    s3
        Client.
    bucket
        Its name.
    settings
        The settings, with the region that all is in.

    Raises
    ------
    AwsRefused
        If there is no such bucket or AWS can't be asked.
    WrongUsage
        If it is in another region.
    """
    from botocore.exceptions import ClientError

    with aws.refusals(f"Looking at bucket {bucket}"):
        try:
            said = s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            said = error.response
            # Without the right to list it, one may still write to it.
            if aws.code_of(error) != "403":
                raise
    headers = said["ResponseMetadata"].get("HTTPHeaders", {})
    there = said.get("BucketRegion") or headers.get("x-amz-bucket-region") or settings.region
    if there != settings.region:
        raise WrongUsage(
            f"Bucket {bucket} is in region {there}, environment {settings.env!r} in {settings.region}.",
            hint="Everything of an environment is in one region: name a bucket there as artifacts.",
        )


def upload(s3: Any, bucket: str, parts: Sequence[Part], tell: Tell) -> set[str]:
    """Upload what is not there yet.

    Parameters
    ----------
    s3
        Client.
    bucket
        Its name.
    parts
        What to upload, with full keys.
    tell
        Told the bytes sent of each part.

    Returns
    -------
    set of str
        Keys that were written now, by this call.

    Raises
    ------
    AwsRefused
        If AWS refuses. Nothing is left half-written.
    CrimeJobsError
        If a part is too large, or a key holds other bytes than its name says.
    """
    for part in parts:
        if part.size > LARGEST:
            raise CrimeJobsError(
                f"{part.name} has {part.size:,} bytes; one upload to S3 takes {LARGEST:,}.",
                hint="Make it smaller: which dependency has grown?",
            )
    stop = threading.Event()
    counted = _count_what_is_sent(s3)
    try:
        return _side_by_side(
            parts, lambda part: part.key if _put_if_missing(s3, bucket, part, tell, stop) else None, stop
        )
    finally:
        counted()


def _side_by_side(
    parts: Sequence[Part], work: Callable[[Part], str | None], stop: threading.Event
) -> set[str]:
    with ThreadPoolExecutor(_THREADS, "upload") as pool:
        futures: list[Future[str | None]] = [pool.submit(work, part) for part in parts]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = next((f for f in futures if f.done() and f.exception()), None)
            if failed:
                failed.result()
        except BaseException:  # Ctrl-C among them: what is being sent is broken off, S3 keeps none of it
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return {key for future in futures if (key := future.result())}


def _put_if_missing(s3: Any, bucket: str, part: Part, tell: Tell, stop: threading.Event) -> bool:
    from botocore.exceptions import ClientError, HTTPClientError

    uri = f"s3://{bucket}/{part.key}"
    with aws.refusals(f"Uploading {part.name} to {uri}"):
        if _is_there(s3, bucket, part):
            return False
        _refuse_damaged(part)
        checksum = base64.b64encode(bytes.fromhex(part.sha256)).decode()
        for attempt in range(_MEETINGS):
            try:
                with _open(part.body) as file:
                    body = _Counted(file, lambda done: tell(part.name, done, part.size), stop)
                    s3.put_object(
                        Bucket=bucket,
                        Key=part.key,
                        Body=body,
                        ContentLength=part.size,
                        ChecksumSHA256=checksum,
                        IfNoneMatch="*",
                    )
            except ClientError as error:
                if aws.code_of(error) not in _EXISTS | _MET:
                    raise
                # Somebody uploads the same at the same time: theirs is as good as ours, once it is there.
                if _is_there(s3, bucket, part, asked_to_write=True):
                    return False
                time.sleep(random.uniform(0, min(_PAUSE, 0.2 * 2**attempt)))  # noqa: S311 - no secret
            except HTTPClientError:
                # A server that knows from the headers that it will refuse may hang up on the body.
                if not _is_there(s3, bucket, part, asked_to_write=True):
                    raise
                return False
            else:
                return True
    raise AwsRefused(
        f"Uploading {part.name} to {uri}: other uploads of the same got in the way {_MEETINGS} times.",
        hint="Run it again.",
    )


def _refuse_damaged(part: Part) -> None:
    if isinstance(part.body, Path):
        with part.body.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == part.sha256:
                return
        raise Damaged(
            f"{part.body} was damaged since it was made.",
            hint="It has been thrown away; run this again and it is made anew.",
        )


def _open(body: bytes | Path) -> IO[bytes]:
    return io.BytesIO(body) if isinstance(body, bytes) else body.open("rb")


def _is_there(s3: Any, bucket: str, part: Part, *, asked_to_write: bool = False) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = s3.head_object(Bucket=bucket, Key=part.key, ChecksumMode="ENABLED")
    except ClientError as error:
        # Who may not list the bucket is told 403 for what is not there: try to write it.
        if aws.code_of(error) in ("404", "NoSuchKey") or (aws.code_of(error) == "403" and not asked_to_write):
            return False
        raise
    checksum = base64.b64encode(bytes.fromhex(part.sha256)).decode()
    if found["ContentLength"] != part.size or found.get("ChecksumSHA256", checksum) != checksum:
        raise CrimeJobsError(
            f"s3://{bucket}/{part.key} holds other bytes than its name says ({found['ContentLength']:,}, "
            f"expected {part.size:,}): crime-jobs did not write it.",
            hint="Find out who did, remove it and run this again; it is never overwritten.",
        )
    return True


class _Counted:
    """A body that says how much of it was sent, and can be stopped on the way.

    botocore also reads a body to sign it, and sends it again after an error: only what is read while
    `sending` counts, and that from the beginning.
    """

    def __init__(self, file: IO[bytes], tell: Callable[[int], None], stop: threading.Event) -> None:
        self._file, self._tell, self._stop = file, tell, stop
        self.sending = False

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise KeyboardInterrupt  # botocore repeats a request after any Exception; this is none
        data = self._file.read(size)
        if self.sending:
            self._tell(self._file.tell())
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _count_what_is_sent(s3: Any) -> Callable[[], None]:
    """Mark bodies as being sent or not; returns what ends that."""

    def marker(*, sending: bool) -> Callable[..., None]:
        def mark(request: Any, **_: Any) -> None:
            body = getattr(request, "body", None) or getattr(request, "data", None)
            if isinstance(body, _Counted):
                body.sending = sending

        return mark

    events = {
        "request-created.s3.PutObject": marker(sending=False),
        "before-send.s3.PutObject": marker(sending=True),
    }
    s3.meta.events.register_first("request-created.s3.PutObject", events["request-created.s3.PutObject"])
    s3.meta.events.register("before-send.s3.PutObject", events["before-send.s3.PutObject"])

    def end() -> None:
        for name, handler in events.items():
            s3.meta.events.unregister(name, handler)

    return end


def digest(body: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(body).hexdigest()
