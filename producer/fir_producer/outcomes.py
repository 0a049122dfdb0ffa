"""What becomes of records: of one, of many, and after how long."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

#: Upper bounds of the histogram's buckets, in seconds: 1 ms to 1,000 s in steps of a tenth.
BOUNDS = [0.001 * 1.1**step for step in range(146)]


class Outcome(NamedTuple):
    """What became of one record.

    Parameters
    ----------
    token
        What was handed in with it.
    partition_key
        Its partition key.
    confirmed
        Whether Kinesis has it, where a KCL will find it.
    shard_id, sequence_number, sub_sequence_number
        Where, when it is confirmed: as the KCL names it.
    error_code
        Why not, when it is not.
    attempts
        How often it was sent.
    """

    token: object
    partition_key: str
    confirmed: bool
    shard_id: str = ""
    sequence_number: str = ""
    sub_sequence_number: int = 0
    error_code: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class Counts:
    """Counters of a sender at one moment: records, but for `bytes`, which are those of data confirmed.

    A record that is tried again is counted in `retried` each time. What has no outcome yet is `in_flight`.
    """

    accepted: int = 0
    confirmed: int = 0
    failed: int = 0
    retried: int = 0
    bytes: int = 0
    in_flight: int = 0


class Latencies:
    """How long records took from being handed in to being confirmed, as a histogram."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)

    def add(self, times: Sequence[float], now: float) -> None:
        """Add records that were handed in at times, the earliest first."""
        low, at = 0, len(times)
        while at > low:
            # The last ones took least: find how many of them fall into the same bucket.
            bucket = bisect_right(BOUNDS, now - times[at - 1])
            until = now - BOUNDS[bucket] if bucket < len(BOUNDS) else float("-inf")
            first = min(bisect_right(times, until), at - 1)
            self.buckets[bucket] += at - first
            at = first

    def percentile(self, share: float) -> float:
        """Return the seconds within which that share of the records was confirmed, to a tenth."""
        wanted, seen = share * sum(self.buckets), 0
        for bound, count in zip(BOUNDS, self.buckets, strict=False):
            seen += count
            if count and seen >= wanted:
                return bound
        return BOUNDS[-1] if any(self.buckets) else 0.0
