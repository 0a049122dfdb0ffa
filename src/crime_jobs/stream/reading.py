"""Reads a stream without being its consumer: all that it holds, or what comes from now on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.model.aggregation import deaggregate, misindexed
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
    misindexed
        Whether the KCL can't take apart what it is in: see `crime_jobs.model.aggregation.misindexed`.
    """

    data: bytes
    at: datetime
    position: Position
    misindexed: bool = False


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
            for record in self.records(shard):
                yield from self.apart(shard, record)

    def records(self, shard: str, sequence: str | None = None) -> Iterator[dict[str, Any]]:
        """Read a shard to where it ends now, without taking anything apart.

        Parameters
        ----------
        shard
            Its name.
        sequence
            Number of the record to begin at; by default its oldest.

        Yields
        ------
        dict
            As Kinesis tells of it.
        """
        at = {"StartingSequenceNumber": sequence} if sequence else {}
        kind = "AT_SEQUENCE_NUMBER" if sequence else "TRIM_HORIZON"
        iterator: str | None = self._iterator(shard, kind, **at)
        empty = 0
        while iterator and empty < _EMPTY:
            began = time.monotonic()
            said = self._get(iterator)
            yield from said["Records"]
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

    def apart(self, shard: str, record: dict[str, Any]) -> list[UserRecord]:
        """Take a record apart as the KCL does, and also one that the KCL can't.

        Parameters
        ----------
        shard
            Where it is.
        record
            As Kinesis tells of it.

        Returns
        -------
        list of UserRecord
        """
        at, sequence, data = (
            record[name] for name in ("ApproximateArrivalTimestamp", "SequenceNumber", "Data")
        )
        odd = misindexed(data)
        parts = [user.data for user in deaggregate(data)] if odd is None else odd
        return [
            UserRecord(part, at, Position(self.name, shard, sequence, number), odd is not None)
            for number, part in enumerate(parts)
        ]


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
            found += [user for record in records for user in self._stream.apart(shard, record)]
            self._iterators[shard] = said.get("NextShardIterator")
            self.behind = max(self.behind, said.get("MillisBehindLatest") or 0)
            if self._iterators[shard] is None:
                for child in said.get("ChildShards", []):
                    name = child["ShardId"]
                    self._iterators.setdefault(name, self._stream._iterator(name, "TRIM_HORIZON"))
        return found
