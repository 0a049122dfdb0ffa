"""Reads a stream without being its consumer: all that it holds, or what comes from now on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.model.aggregation import deaggregate
from crime_jobs.stream.patience import patiently
from crime_jobs.stream.sink import Position

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Records of one call, and seconds between two calls of a shard: it answers five a second, to all its readers
#: (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html).
LIMIT, PAUSE = 10_000, 0.25

#: How often a call is made at most that is refused in passing.
_ATTEMPTS = 10

#: Answers without a record after which a shard that does not say how far behind it is counts as read.
_EMPTY = 3


@dataclass(frozen=True)
class UserRecord:
    """A record as the producer made it.

    Parameters
    ----------
    data
        What it says.
    at
        When Kinesis took it.
    position
        Where it is, as the KCL counts.
    """

    data: bytes
    at: datetime
    position: Position


def shards_of(client: Any, name: str) -> list[dict[str, Any]]:
    """List the shards of a stream, also those that are closed and still hold records.

    Parameters
    ----------
    client
        Kinesis.
    name
        Name of the stream.

    Returns
    -------
    list of dict
        As Kinesis tells of them.

    Raises
    ------
    AwsRefused
        If they can't be listed.
    """
    with aws.refusals(f"Listing the shards of {name}"):
        pages = client.get_paginator("list_shards").paginate(StreamName=name)
        return [shard for page in pages for shard in page["Shards"]]


class Stream:
    """A stream.

    Parameters
    ----------
    settings
        Region and profile.
    name
        Its name.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._client = aws.client("kinesis", settings)
        self.name = name

    def hours(self) -> int:
        """Return for how many hours it holds a record.

        Raises
        ------
        AwsRefused
            If it is not there.
        """
        with aws.refusals(f"Looking at the stream {self.name}"):
            said = self._client.describe_stream_summary(StreamName=self.name)
        return int(said["StreamDescriptionSummary"]["RetentionPeriodHours"])

    def shards(self) -> list[str]:
        """Return the names of its shards, also of those that are closed and still hold records."""
        return sorted(shard["ShardId"] for shard in shards_of(self._client, self.name))

    def everything(self) -> Iterator[UserRecord]:
        """Read all that it holds, shard by shard, each to where it ends now.

        Yields
        ------
        UserRecord
        """
        for shard in self.shards():
            iterator: str | None = self._iterator(shard, "TRIM_HORIZON")
            empty = 0
            while iterator and empty < _EMPTY:
                began = time.monotonic()
                said = self._get(iterator)
                yield from self._apart(shard, said["Records"])
                iterator = said.get("NextShardIterator")
                behind = said.get("MillisBehindLatest")
                if behind == 0:
                    break
                # Where it is told, only that counts: answers across a gap are empty, and not the end.
                empty = 0 if said["Records"] or behind is not None else empty + 1
                time.sleep(max(0.0, PAUSE - (time.monotonic() - began)))

    def _iterator(self, shard: str, kind: str, **more: Any) -> str:
        with aws.refusals(f"Reading {self.name}"):
            said = self._client.get_shard_iterator(
                StreamName=self.name, ShardId=shard, ShardIteratorType=kind, **more
            )
        return str(said["ShardIterator"])

    def _get(self, iterator: str) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            said: dict[str, Any] = self._client.get_records(ShardIterator=iterator, Limit=LIMIT)
            return said

        with aws.refusals(f"Reading {self.name}"):
            return patiently(call, attempts=_ATTEMPTS, waiting=lambda: None)

    def _apart(self, shard: str, records: list[dict[str, Any]]) -> Iterator[UserRecord]:
        for record in records:
            at, sequence = record["ApproximateArrivalTimestamp"], record["SequenceNumber"]
            for number, user in enumerate(deaggregate(record["Data"])):
                yield UserRecord(user.data, at, Position(self.name, shard, sequence, number))


class Tail:
    """What comes to a stream from a moment on.

    Parameters
    ----------
    stream
        The stream.
    since
        The moment.
    """

    def __init__(self, stream: Stream, since: datetime) -> None:
        self._stream = stream
        self._iterators: dict[str, str | None] = {
            shard: stream._iterator(shard, "AT_TIMESTAMP", Timestamp=since) for shard in stream.shards()
        }
        self._last: dict[str, int] = {}
        #: Milliseconds by which it is behind the newest record, the worst shard's.
        self.behind = 0

    def read(self) -> list[UserRecord]:
        """Return what has come since the last time, from the shards of a split too."""
        found: list[UserRecord] = []
        self.behind = 0
        for shard, iterator in list(self._iterators.items()):
            if iterator is None:
                continue
            said = self._stream._get(iterator)
            # Each once: an answer for a moment may begin with what the one before ended with.
            last = self._last.get(shard, -1)
            records = [one for one in said["Records"] if int(one["SequenceNumber"]) > last]
            if records:
                self._last[shard] = int(records[-1]["SequenceNumber"])
            found += self._stream._apart(shard, records)
            self._iterators[shard] = said.get("NextShardIterator")
            self.behind = max(self.behind, said.get("MillisBehindLatest") or 0)
            if self._iterators[shard] is None:
                for child in said.get("ChildShards", []):
                    name = child["ShardId"]
                    self._iterators.setdefault(name, self._stream._iterator(name, "TRIM_HORIZON"))
        return found
