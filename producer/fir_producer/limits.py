"""What a shard takes in a second, held over every second and not over their mean."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What may be sent to one shard in any second.

    A shard takes 1 MB and 1,000 records a second
    (https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html); a megabyte is taken for
    the smaller of the two things it may mean.

    Parameters
    ----------
    bytes
        Data and partition keys.
    records
        Records; an aggregate is one.
    """

    bytes: int = 1_000_000
    records: int = 1_000


class Window:
    """What went to a shard within the last second.

    A bucket that fills steadily lets up to twice its rate through in one second, once it was full. This one
    remembers what it let through, and never lets a second have more than the limit. What was sent counts from
    its answer on, since it arrived before that, however slow the way was: so no second at the shard has more.

    Parameters
    ----------
    limits
        Of the shard.
    """

    def __init__(self, limits: Limits) -> None:
        self._most_bytes, self._most_records = limits.bytes, limits.records
        self._sent: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def wait(self, size: int, now: float) -> float:
        """Return the seconds until a record of that size may be sent.

        One that is larger than the limit is let through alone.
        """
        self._forget(now)
        excess, over = self._bytes + size - self._most_bytes, len(self._sent) + 1 - self._most_records
        if not self._sent or (excess <= 0 and over <= 0):
            return 0.0
        for place, (at, sent) in enumerate(self._sent, 1):
            excess -= sent
            if (excess <= 0 and place >= over) or place == len(self._sent):
                return max(0.0, at + 1.0 - now)
        return 0.0

    def spend(self, size: int, now: float) -> None:
        """Note a record that has arrived, or will not."""
        self._sent.append((now, size))
        self._bytes += size

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] + 1.0 <= now:
            self._bytes -= self._sent.popleft()[1]
