"""How a sender works."""

from __future__ import annotations

from dataclasses import dataclass

from fir_producer.limits import Limits

MIB = 1024 * 1024
#: What a request takes: 500 entries; 10 MiB today, but 5 MiB until lately, and so in emulators
#: (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html).
ENTRIES = 500


@dataclass(frozen=True)
class SenderOptions:
    """How a sender works.

    Parameters
    ----------
    max_bytes
        What may be without an outcome: `put` waits while there is more.
    record_bytes
        The largest Kinesis record. A stream takes 1 MiB, unless it is set to take more.
    aggregate_bytes
        The largest aggregate of several. Much less than a second's worth of a shard, so that little is sent
        again when one is refused; more than what an answer takes to come.
    request_bytes
        The largest request.
    linger
        Seconds that a record waits for others to share a Kinesis record with, at most.
    requests
        How many requests are under way at most; never more than one a shard.
    give_up_after
        Seconds after which a record that has been tried comes out as failed.
    first_pause, longest_pause
        Before another attempt: at most the first, doubled each time, never above the longest, and drawn at
        random below that (full jitter).
    limits
        What a shard may be sent in a second. None leaves it to the shard to refuse, which is obeyed.
    """

    max_bytes: int = 32 * MIB
    record_bytes: int = MIB
    aggregate_bytes: int = MIB // 4
    request_bytes: int = 5 * MIB
    linger: float = 0.05
    requests: int = 4
    give_up_after: float = 300.0
    first_pause: float = 0.1
    longest_pause: float = 5.0
    limits: Limits | None = None

    @property
    def largest_aggregate(self) -> int:
        """The largest aggregate that all of the options allow.

        Within limits it is a sixteenth of a second's worth, so that little of that is left over.
        """
        most = min(self.aggregate_bytes, self.record_bytes)
        return most if self.limits is None else min(most, self.limits.bytes // 16)
