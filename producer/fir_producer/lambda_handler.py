"""The producer on AWS Lambda: FIRs from objects of S3, and from requests through API Gateway.

Nothing is left behind when a call returns: each FIR has its outcome by then. The environment is told by
``CRIME_JOBS_ENV`` and a ``crime-jobs.toml`` in the package. The ledger has an item for each object, and one
an hour for the requests that an environment answers.
"""

from __future__ import annotations

import base64
import json
import logging
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import unquote_plus

from crime_jobs.errors import BadInput, CrimeJobsError, JobFailed
from crime_jobs.model.fir import BadFir, Fir
from fir_producer.delivery import Delivery, Seal, opener
from fir_producer.ledger import DONE, FAILED, RUNNING, Hours, Ledger
from fir_producer.options import SenderOptions
from fir_producer.outcomes import Outcome
from fir_producer.sources import Line, item_of, lines_of

log = logging.getLogger(__name__)

#: Seconds: a call of Lambda takes 15 minutes at most, one through API Gateway 29 seconds
#: (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
LONGEST_CALL, LONGEST_REQUEST = 900.0, 29.0

#: Seconds of a call that are left for its note and its answer.
MARGIN = 2.0

OF_OBJECTS = SenderOptions(give_up_after=120.0)
OF_REQUESTS = SenderOptions(give_up_after=20.0, linger=0.0)

#: So many bad lines of an object are told; all are counted.
_TOLD = 100
_CHUNK = 1 << 16
_GZIP, _GZIP_BITS = b"\x1f\x8b", 31

ACCEPTED, PARTLY, BAD, NO_METHOD, UNAVAILABLE = 202, 207, 400, 405, 503


class Clock:
    """How long a call may go on.

    Parameters
    ----------
    context
        As Lambda gives it; without one there is only the limit.
    most
        The limit, seconds.
    """

    def __init__(self, context: object, most: float) -> None:
        asked = getattr(context, "get_remaining_time_in_millis", None)
        self.seconds = max(0.0, min(most, asked() / 1000 if asked else most) - MARGIN)
        self._end = time.monotonic() + self.seconds

    def left(self) -> float:
        """Return the seconds that are left; never less than 0."""
        return max(0.0, self._end - time.monotonic())


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """Send the FIRs of an event.

    Parameters
    ----------
    event
        Of S3 (``ObjectCreated``), or of API Gateway: REST (payload 1.0) or HTTP (2.0).
    context
        Of Lambda: it says how much time is left.

    Returns
    -------
    dict
        For S3 what became of each object, for API Gateway the response.

    Raises
    ------
    JobFailed
        For S3, if a FIR was not confirmed or the time is not enough: Lambda then tries the event again.
    BadInput
        If it is another kind of event.
    """
    if "Records" in event:
        clock = Clock(context, LONGEST_CALL)
        return {"objects": [_object(record["s3"], clock) for record in event["Records"] if _is_new(record)]}
    if event.get("Event") == "s3:TestEvent":
        return {"objects": []}
    if "requestContext" in event:
        return _response(event, Clock(context, LONGEST_REQUEST))
    raise BadInput("The event is neither of S3 nor of API Gateway.")


@cache
def _parts() -> tuple[Any, Any, Seal]:
    """Return settings, names and seal: made once, kept while the function is warm."""
    from crime_jobs import settings as settings_module
    from crime_jobs.model.streams import of
    from crime_jobs.sealing import Sealer

    settings = settings_module.load()
    stream = of(settings.stream)
    return settings, stream, Sealer(settings, stream.key).seal


def _is_new(record: Mapping[str, Any]) -> bool:
    return bool(
        record.get("eventSource") == "aws:s3"
        and str(record.get("eventName", "")).removeprefix("s3:").startswith("ObjectCreated:")
    )


def _ledger(source: str) -> Ledger:
    settings, stream, _ = _parts()
    return Ledger(settings, stream, source)


@cache
def _hours() -> Hours:
    return Hours(lambda: _ledger("API Gateway"))


def _object(told: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    from crime_jobs import aws

    bucket, key = told["bucket"]["name"], unquote_plus(told["object"]["key"])
    version = told["object"].get("versionId")
    with aws.refusals(f"Reading s3://{bucket}/{key}"):
        found = aws.client("s3", _parts()[0]).get_object(
            Bucket=bucket, Key=key, **({"VersionId": version} if version else {})
        )
    lines = lines_of(_unpacked(found["Body"].iter_chunks(_CHUNK), f"s3://{bucket}/{key}"))
    report = _sent_of(lines, f"s3://{bucket}/{key}", clock)
    log.warning("%s", json.dumps({"bucket": bucket, "key": key, **report}))
    if report["failed"]:
        raise JobFailed(
            f"{report['failed']} of {report['failed'] + report['confirmed']} FIRs of s3://{bucket}/{key} "
            "were not confirmed.",
            hint="They are sent again with the event; those that were confirmed are harmless.",
        )
    return {"bucket": bucket, "key": key, **report}


@dataclass
class _Rejected:
    """Lines that are no FIR: all are counted, some told."""

    count: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)

    def add(self, line: int, reason: str) -> None:
        self.count += 1
        if self.count <= _TOLD:
            self.told.append({"line": line, "reason": reason})


def _sent_of(lines: Iterable[Line], name: str, clock: Clock) -> dict[str, Any]:
    """Send the FIRs of an object, and note it; returns what became of them."""
    settings, stream, seal = _parts()
    # Time is kept for what is under way at the end: as long as a record is tried at most.
    options = replace(OF_OBJECTS, give_up_after=min(OF_OBJECTS.give_up_after, clock.left() / 4))
    rejected, ledger = _Rejected(), _ledger(name)
    delivery = Delivery(opener(settings, stream, options), seal, time_left=clock.left)
    try:
        with delivery:
            ledger.write(RUNNING, confirmed=0)
            for line in lines:
                _in_time(clock.left() > options.give_up_after, name)
                _take(line, delivery, rejected)
    except Exception:
        _note(ledger, FAILED, delivery, rejected.count)
        raise
    counts = delivery.counts
    _note(ledger, FAILED if counts.failed else DONE, delivery, rejected.count)
    return {
        "confirmed": counts.confirmed,
        "failed": counts.failed,
        "rejected": rejected.count,
        "rejects": rejected.told,
    }


def _take(line: Line, delivery: Delivery, rejected: _Rejected) -> None:
    if item := item_of(line):
        try:
            delivery.send(item.checked(), line=item.line)
        except BadFir as error:
            rejected.add(item.line, str(error))


def _in_time(holds: bool, name: str) -> None:
    if not holds:
        raise JobFailed(
            f"The time of the call is not enough for {name}.",
            hint="Give the function more time, or split the object: FIRs that are sent twice are one.",
        )


def _note(ledger: Ledger, state: str, delivery: Delivery, rejected: int) -> None:
    counts = delivery.counts
    with _noting():
        ledger.write(
            state,
            sent=counts.accepted,
            confirmed=counts.confirmed,
            failed=counts.failed,
            retried=counts.retried,
            rejected=rejected,
            distinct_firs=delivery.distinct,
        )


@contextmanager
def _noting() -> Iterator[None]:
    """Log that a note was refused: what was confirmed is confirmed all the same."""
    try:
        yield
    except CrimeJobsError as error:
        log.error("%s", error.message)  # noqa: TRY400 - one line


def _unpacked(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Unpack gzip, whatever the object is called; no more than a chunk is in memory."""
    unpack: Any = None
    for number, chunk in enumerate(chunks):
        if number == 0 and chunk[:2] == _GZIP:
            unpack = zlib.decompressobj(_GZIP_BITS)
        if unpack is None:
            yield chunk
            continue
        left = chunk
        while left:
            if unpack.eof:  # another member of the same file
                unpack = zlib.decompressobj(_GZIP_BITS)
            try:
                yield unpack.decompress(left, _CHUNK)
            except zlib.error:
                raise BadInput(f"{name} is damaged: it can't be unpacked.") from None
            left = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    if unpack is not None and not unpack.eof:
        raise BadInput(f"{name} is cut off: it can't be unpacked to its end.")


def _response(event: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    method = event.get("httpMethod") or event["requestContext"].get("http", {}).get("method")
    if method != "POST":
        return _answer(NO_METHOD, {"error": "FIRs are sent with POST"}, Allow="POST")
    try:
        forms = _forms(event)
    except ValueError as error:
        return _answer(BAD, {"error": str(error)})
    try:
        told = _sent(forms, clock)
    except CrimeJobsError as error:
        log.error("%s", error.message)  # noqa: TRY400 - one line, without what the request said
        return _answer(UNAVAILABLE, {"error": "not confirmed; send it again"})
    return _answer(_status([one["status"] for one in told]), {"firs": told})


def _status(said: list[str]) -> int:
    kinds = set(said)
    if len(kinds) > 1:
        return PARTLY
    return {"confirmed": ACCEPTED, "rejected": BAD, "failed": UNAVAILABLE}[kinds.pop()]


def _forms(event: Mapping[str, Any]) -> list[str | bytes]:
    """Return the FIRs of a body: an object, an array of objects, or an object a line."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True).decode()
        except ValueError:
            raise ValueError("the body is not base64 of UTF-8") from None
    if not body.strip():
        raise ValueError("the body is empty")
    try:
        whole = json.loads(body)
    except ValueError:
        return [line for line in body.splitlines() if line.strip()]
    forms = whole if isinstance(whole, list) else [whole]
    if not forms:
        raise ValueError("the body is an empty list")
    return [json.dumps(form) for form in forms]


def _sent(forms: list[str | bytes], clock: Clock) -> list[dict[str, Any]]:
    """Send FIRs; returns what became of each, in their order."""
    settings, stream, seal = _parts()
    told: list[dict[str, Any]] = []
    outcomes: dict[int | None, Outcome] = {}
    with Delivery(
        opener(settings, stream, OF_REQUESTS), seal, on_outcome=outcomes.__setitem__, time_left=clock.left
    ) as delivery:
        for number, form in enumerate(forms):
            try:
                fir = Fir.parse(form)
                told.append({"fir_key": fir.key})
                delivery.send(fir, line=number)
            except BadFir as error:
                del told[number:]
                told.append({"status": "rejected", "reason": str(error)})
    counts = delivery.counts
    if counts.accepted:
        with _noting():
            _hours().add(sent=counts.accepted, confirmed=counts.confirmed, failed=counts.failed)
    for place, outcome in outcomes.items():
        number = place or 0
        if outcome.confirmed:
            told[number] |= {"status": "confirmed", "sequence_number": outcome.sequence_number}
        else:
            told[number] |= {"status": "failed", "error_code": outcome.error_code}
    return told


def _answer(status: int, body: Mapping[str, Any], **headers: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **headers},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
