"""The open shards of a stream, and which of them a partition key belongs to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple

#: The hash range that the open shards of a stream share: MD5, as a number.
HASH_KEYS = 2**128


class Shard(NamedTuple):
    """A shard, and the hash keys that it takes, both ends included."""

    shard_id: str
    first: int
    last: int

    def takes(self, hash_key: int) -> bool:
        """Tell whether a record of that hash key belongs here."""
        return self.first <= hash_key <= self.last

    def overlaps(self, other: Shard) -> bool:
        """Tell whether there are hash keys of both."""
        return self.first <= other.last and other.first <= self.last


class Unsettled(Exception):  # noqa: N818 - reads as what it is
    """The shards listed don't share the whole range: a reshard is under way, ask again."""


class ShardMap:
    """The open shards, which share the whole hash range.

    Parameters
    ----------
    shards
        The open ones, in any order.
    closed
        Those that are still listed: a record may have landed on one that was open for a moment.

    Raises
    ------
    Unsettled
        If they leave a gap, or two take the same hash key.
    """

    def __init__(self, shards: Iterable[Shard], closed: Iterable[Shard] = ()) -> None:
        self.shards = tuple(sorted(shards, key=lambda shard: shard.first))
        following = 0
        for shard in self.shards:
            if shard.first != following:
                raise Unsettled
            following = shard.last + 1
        if following != HASH_KEYS:
            raise Unsettled
        self._firsts = [shard.first for shard in self.shards]
        self._by_id = {shard.shard_id: shard for shard in (*closed, *self.shards)}

    def of(self, hash_key: int) -> Shard:
        """Return the shard that takes a hash key."""
        return self.shards[bisect_right(self._firsts, hash_key) - 1]

    def get(self, shard_id: str) -> Shard | None:
        """Return a shard by its id, open or closed."""
        return self._by_id.get(shard_id)


def list_shards(client: Any, stream: str) -> ShardMap:
    """Ask for the open shards.

    Parameters
    ----------
    client
        Of Kinesis.
    stream
        Name of the stream.

    Returns
    -------
    ShardMap

    Raises
    ------
    Unsettled
        If a reshard is under way.
    """
    found: list[Shard] = []
    closed: list[Shard] = []
    request: dict[str, Any] = {"StreamName": stream}
    while True:
        answer = client.list_shards(**request)
        for told in answer["Shards"]:
            keys = told["HashKeyRange"]
            shard = Shard(told["ShardId"], int(keys["StartingHashKey"]), int(keys["EndingHashKey"]))
            # A closed shard has a last sequence number, and is listed until its records have expired.
            (closed if "EndingSequenceNumber" in told["SequenceNumberRange"] else found).append(shard)
        if not answer.get("NextToken"):
            return ShardMap(found, closed)
        request = {"NextToken": answer["NextToken"]}
