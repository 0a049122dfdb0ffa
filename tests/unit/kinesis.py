"""A Kinesis stream in memory: hash ranges, reshards, and every way in which `PutRecords` can go wrong.

Not a test. It is read as a KCL reads it: parents before children, and an aggregate with a key that lies outside
its shard's range is dropped whole (`software.amazon.kinesis.retrieval.AggregatorUtil`).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crime_jobs.model.aggregation import UserRecord, deaggregate, hash_key
from fir_producer.shards import HASH_KEYS

THROTTLED = "ProvisionedThroughputExceededException"


class Written(NamedTuple):
    """A Kinesis record as it was written."""

    number: str
    key: str
    data: bytes
    time: float

    @property
    def size(self) -> int:
        return len(self.data) + len(self.key.encode())


@dataclass
class FakeShard:
    """A shard; closed once it has children."""

    name: str
    first: int
    last: int
    closed: bool = False
    written: list[Written] = field(default_factory=list)

    def kept(self) -> Iterator[tuple[str, UserRecord]]:
        """The user records that a KCL hands on, each with the sequence number of its Kinesis record."""
        for record in self.written:
            found = deaggregate(record.data, record.key)
            if all(self.first <= one.hash_key <= self.last for one in found):
                yield from ((record.number, one) for one in found)

    def described(self) -> dict[str, Any]:
        numbers = {"StartingSequenceNumber": "0"} | ({"EndingSequenceNumber": "9"} if self.closed else {})
        keys = {"StartingHashKey": str(self.first), "EndingHashKey": str(self.last)}
        return {"ShardId": self.name, "HashKeyRange": keys, "SequenceNumberRange": numbers}


class FakeKinesis:
    """The stream, with the two operations of a client that a sender calls."""

    def __init__(self, shards: int = 1) -> None:
        self.shards: list[FakeShard] = []
        edges = [HASH_KEYS * place // shards for place in range(shards + 1)]
        for first, following in itertools.pairwise(edges):
            self._open(first, following - 1)
        self.now: Callable[[], float] = lambda: 0.0
        #: Told of each request; it may sleep, raise instead of an answer, or return an error code an entry.
        self.fate: Callable[[Sequence[Any]], Sequence[str] | None] = lambda _: None
        #: Called after a request was done; raises when its answer is to get lost.
        self.after: Callable[[], None] = lambda: None
        self.listing: Callable[[], None] = lambda: None
        self.requests: list[int] = []
        self._numbers = 0
        self._lock = threading.Lock()

    def _open(self, first: int, last: int) -> FakeShard:
        self.shards.append(FakeShard(f"shardId-{len(self.shards):012}", first, last))
        return self.shards[-1]

    @property
    def open(self) -> list[FakeShard]:
        return sorted((shard for shard in self.shards if not shard.closed), key=lambda shard: shard.first)

    def split(self, place: int) -> None:
        with self._lock:
            parent = self.open[place % len(self.open)]
            parent.closed = True
            middle = (parent.first + parent.last) // 2
            self._open(parent.first, middle)
            self._open(middle + 1, parent.last)

    def merge(self, place: int) -> None:
        with self._lock:
            if len(self.open) > 1:
                at = place % (len(self.open) - 1)
                left, right = self.open[at : at + 2]
                left.closed = right.closed = True
                self._open(left.first, right.last)

    def list_shards(self, **_: Any) -> dict[str, Any]:
        self.listing()
        with self._lock:
            return {"Shards": [shard.described() for shard in self.shards]}

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        codes = self.fate(Records) or [""] * len(Records)
        with self._lock:
            self.requests.append(len(Records))
            answers = [self._put(entry, code) for entry, code in zip(Records, codes, strict=True)]
        self.after()
        # As kinesis-mock has it: the count says nothing.
        return {"FailedRecordCount": int(any(codes)), "Records": answers}

    def _put(self, entry: dict[str, Any], code: str) -> dict[str, Any]:
        if code:
            return {"ErrorCode": code, "ErrorMessage": "as told"}
        at = hash_key(entry["PartitionKey"])
        shard = next(shard for shard in self.open if shard.first <= at <= shard.last)
        self._numbers += 1
        number = f"{self._numbers:08}"
        shard.written.append(Written(number, entry["PartitionKey"], entry["Data"], self.now()))
        return {"ShardId": shard.name, "SequenceNumber": number}

    def kept(self) -> dict[tuple[str, str, int], UserRecord]:
        """All that a KCL hands on, by shard, sequence and sub-sequence number, in the order of reading."""
        return {
            (shard.name, number, one.sub_sequence_number): one
            for shard in self.shards  # children come after their parents
            for number, one in shard.kept()
        }

    def first_seen(self) -> dict[str, list[bytes]]:
        """What is read of each key, in order, each at its first occurrence."""
        found: dict[str, dict[bytes, None]] = {}
        for one in self.kept().values():
            found.setdefault(one.partition_key, {})[one.data] = None
        return {key: list(datas) for key, datas in found.items()}
