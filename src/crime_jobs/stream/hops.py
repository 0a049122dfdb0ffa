"""Where FIRs are on their way: at each hop the keys that are there, as a reader of the place finds them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.model.fir_event import BadEvent, FirEvent
from crime_jobs.stream._objects import GZIP
from crime_jobs.stream.deadletters import open_letters
from crime_jobs.stream.reading import Stream
from crime_jobs.stream.sink import Position

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings


@dataclass(frozen=True)
class Seen:
    """A record of a hop.

    Parameters
    ----------
    key
        The FIR's; ``None`` of a record that is no FIR.
    at
        When the stream took it; ``None`` where that is not known.
    dead
        Whether the record is in the dead-letter queue.
    """

    key: str | None
    at: datetime | None = None
    dead: bool = False


@dataclass(frozen=True)
class Run:
    """A run of the producer.

    Parameters
    ----------
    name
        Its name.
    confirmed
        Records that the stream has confirmed, as of the last note.
    started, updated, ended
        When it began, when it was last heard of, and when it ended; ``None`` while it has not.
    """

    name: str
    confirmed: int
    started: datetime
    updated: datetime
    ended: datetime | None


def runs(settings: Settings, stream: StreamSettings) -> list[Run]:
    """Return the producer's runs into the stream.

    Parameters
    ----------
    settings, stream
        Where their table is.
    """
    found = []
    for item in _scan(settings, stream.runs_table, {}):
        if item.get("stream", {}).get("S", stream.name) == stream.name:
            confirmed = int(item.get("confirmed", {}).get("N", "0"))
            started, updated, ended = (
                datetime.fromisoformat(item[name]["S"]) if name in item else None
                for name in ("started", "updated", "ended")
            )
            if started:
                found.append(Run(item["run_id"]["S"], confirmed, started, updated or ended or started, ended))
    return found


def dead_letters(settings: Settings, stream: StreamSettings) -> set[Position]:
    """Return where the records were that are in the dead-letter queue.

    Parameters
    ----------
    settings, stream
        Where the queue is.
    """
    letters = open_letters(settings, stream, lambda: None)
    found = set()
    try:
        for received in letters.receive():
            if received.letter:
                found.add(received.letter.position)
    finally:
        letters.put_back_all()
    return found


def in_stream(settings: Settings, stream: StreamSettings, dead: set[Position]) -> Iterator[Seen]:
    """Read the stream.

    Parameters
    ----------
    settings, stream
        Where it is.
    dead
        Of the dead letters.

    Yields
    ------
    Seen
    """
    for record in Stream(settings, stream.name).everything():
        # One that the KCL can't take apart is a letter as a whole, at its first place.
        place = replace(record.position, sub_sequence=0) if record.misindexed else record.position
        yield Seen(_key(record.data), record.at, place in dead)


def in_sink(settings: Settings, stream: StreamSettings) -> Iterator[Seen]:
    """Read the sink.

    Parameters
    ----------
    settings, stream
        Where its table is.

    Yields
    ------
    Seen
    """
    asked = {"ProjectionExpression": "fir_key, arrived_at"}
    for item in _scan(settings, stream.events_table, asked):
        if "arrived_at" in item:  # a link from a Zero FIR has none
            yield Seen(item["fir_key"]["S"], datetime.fromisoformat(item["arrived_at"]["S"]))


def in_history(settings: Settings, stream: StreamSettings) -> Iterator[Seen]:
    """Read the objects that Firehose wrote, compressed or not, whatever they are called.

    Parameters
    ----------
    settings, stream
        Where they are.

    Yields
    ------
    Seen
    """
    s3 = aws.client("s3", settings)
    bucket, prefix = aws.split_uri(stream.history, "history")
    with aws.refusals(f"Reading {stream.history}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        for entry in (entry for page in pages for entry in page.get("Contents", [])):
            data = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            while data.startswith(GZIP):
                data = gzip.decompress(data)
            for line in data.splitlines():
                if line.strip():
                    yield Seen(_key(line))


def in_redshift(settings: Settings, stream: StreamSettings) -> Iterator[Seen]:
    """Read the keys in Redshift, some at a time: an answer has 100 MB at most.

    Parameters
    ----------
    settings, stream
        Which workgroup and database.

    Yields
    ------
    Seen
    """
    from crime_jobs.stream._redshift import open_redshift

    redshift, last = open_redshift(settings, stream), " "  # before every key; an empty value is refused
    while rows := redshift.query(_KEYS, {"last": last}):
        for found in rows:
            last = str(found["fir_key"])
            for _ in range(int(found["times"])):
                yield Seen(last)


_KEYS = (
    "SELECT fir_key, COUNT(*) AS times FROM firs WHERE fir_key > :last "
    "GROUP BY fir_key ORDER BY fir_key LIMIT 200000"
)


def _key(data: bytes) -> str | None:
    try:
        return FirEvent.from_bytes(data).fir_key
    except BadEvent:
        pass
    try:  # an object that Firehose made may have the columns without the identity, or more of them
        return str(json.loads(data)["fir_key"])
    except (ValueError, TypeError, KeyError):
        return None


def _scan(settings: Settings, table: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    client = aws.client("dynamodb", settings)
    with aws.refusals(f"Reading the table {table}"):
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **asked):
            yield from page["Items"]
