"""The producer on AWS Lambda: FIRs from objects of S3, and from requests through API Gateway.

Nothing is left behind when a call returns: each FIR has its outcome by then. The environment is told by
``CRIME_JOBS_ENV`` and a ``crime-jobs.toml`` in the package.
"""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote_plus

from crime_jobs.errors import BadInput, CrimeJobsError, JobFailed
from crime_jobs.model.fir import BadFir, Fir
from fir_producer.delivery import Delivery, Seal, opener
from fir_producer.options import SenderOptions
from fir_producer.outcomes import Outcome
from fir_producer.sources import item_of, lines_of

log = logging.getLogger(__name__)

#: A call of Lambda takes 15 minutes at most, one through API Gateway 29 seconds.
OF_OBJECTS = SenderOptions(give_up_after=120.0)
OF_REQUESTS = SenderOptions(give_up_after=20.0, linger=0.0)

#: So many bad lines of an object are told; all are counted.
_TOLD = 100
_CHUNK = 1 << 16
_GZIP, _GZIP_BITS = b"\x1f\x8b", 31

ACCEPTED, PARTLY, BAD, NO_METHOD, UNAVAILABLE = 202, 207, 400, 405, 503


def handler(event: Mapping[str, Any], _context: object = None) -> dict[str, Any]:
    """Send the FIRs of an event.

    Parameters
    ----------
    event
        Of S3 (``ObjectCreated``), or of API Gateway: REST (payload 1.0) or HTTP (2.0).

    Returns
    -------
    dict
        For S3 what became of each object, for API Gateway the response.

    Raises
    ------
    JobFailed
        For S3, if a FIR was not confirmed: Lambda then tries the event again.
    BadInput
        If it is another kind of event.
    """
    if "Records" in event:
        return {"objects": [_object(record["s3"]) for record in event["Records"] if _is_new(record)]}
    if event.get("Event") == "s3:TestEvent":
        return {"objects": []}
    if "requestContext" in event:
        return _response(event)
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


def _object(told: Mapping[str, Any]) -> dict[str, Any]:
    from crime_jobs import aws

    bucket, key = told["bucket"]["name"], unquote_plus(told["object"]["key"])
    version = told["object"].get("versionId")
    settings, stream, seal = _parts()
    with aws.refusals(f"Reading s3://{bucket}/{key}"):
        found = aws.client("s3", settings).get_object(
            Bucket=bucket, Key=key, **({"VersionId": version} if version else {})
        )
    rejected = 0
    rejects: list[dict[str, Any]] = []
    with Delivery(opener(settings, stream, OF_OBJECTS), seal) as delivery:
        for line in lines_of(_unpacked(found["Body"].iter_chunks(_CHUNK), f"s3://{bucket}/{key}")):
            if not (item := item_of(line)):
                continue
            try:
                delivery.send(item.checked(), line=item.line)
            except BadFir as error:
                rejected += 1
                if rejected <= _TOLD:
                    rejects.append({"line": item.line, "reason": str(error)})
    counts = delivery.counts
    report = {
        "bucket": bucket,
        "key": key,
        "confirmed": counts.confirmed,
        "failed": counts.failed,
        "rejected": rejected,
        "rejects": rejects,
    }
    log.warning("%s", json.dumps(report))
    if counts.failed:
        raise JobFailed(
            f"{counts.failed} of {counts.accepted} FIRs of s3://{bucket}/{key} were not confirmed.",
            hint="They are sent again with the event; those that were confirmed are harmless.",
        )
    return report


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


def _response(event: Mapping[str, Any]) -> dict[str, Any]:
    method = event.get("httpMethod") or event["requestContext"].get("http", {}).get("method")
    if method != "POST":
        return _answer(NO_METHOD, {"error": "FIRs are sent with POST"}, Allow="POST")
    try:
        forms = _forms(event)
    except ValueError as error:
        return _answer(BAD, {"error": str(error)})
    try:
        told = _sent(forms)
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


def _sent(forms: list[str | bytes]) -> list[dict[str, Any]]:
    """Send FIRs; returns what became of each, in their order."""
    settings, stream, seal = _parts()
    told: list[dict[str, Any]] = []
    outcomes: dict[int | None, Outcome] = {}
    with Delivery(opener(settings, stream, OF_REQUESTS), seal, on_outcome=outcomes.__setitem__) as delivery:
        for number, form in enumerate(forms):
            try:
                fir = Fir.parse(form)
                told.append({"fir_key": fir.key})
                delivery.send(fir, line=number)
            except BadFir as error:
                del told[number:]
                told.append({"status": "rejected", "reason": str(error)})
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
