"""What is sent next, shard by shard. No threads, no clock, no network: `sender` has those.

**Order.** ``PutRecords`` promises no order among the entries of a request, and any of them may fail alone. So
each shard has a lane of aggregates, and of a lane one aggregate is under way at a time: what comes later in a
partition key is not sent before what came earlier has its outcome. What comes meanwhile makes the next
aggregate larger, so a slow answer costs little.

**Reshards.** A producer learns of one when an aggregate lands on another shard than was foreseen. The KCL
drops an aggregate *whole* if one of its keys lies outside the shard's range, so such an aggregate is
confirmed only if all of its keys belong where it landed, and is otherwise sent again, parted by the new
shards. With one explicit hash key for all of its records the KCL would keep it, but on one child of a split
shard, while the rest of a key goes to the other, and the two are read side by side. The new shards' lanes
wait until nothing is under way in the old ones.
"""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crime_jobs.model.aggregation import FIELD, Aggregate, deaggregate, hash_key
from fir_producer.limits import Limits, Window
from fir_producer.options import ENTRIES, SenderOptions
from fir_producer.shards import Shard, ShardMap

#: What a record costs in memory beside its data and key, about: its place in the lists of its batch.
RECORD_COST = 64
#: Keys whose lane is remembered.
KEYS = 50_000
NEVER = float("inf")


class Batch:
    """Records that travel as one Kinesis record, and what is known of each."""

    __slots__ = ("aggregate", "attempts", "cost", "error", "keys", "sent", "times", "tokens")

    def __init__(self, attempts: int = 0, error: str = "") -> None:
        self.aggregate = Aggregate()
        self.tokens: list[object] = []
        self.keys: list[str] = []
        self.times = array("d")
        self.cost = 0
        self.attempts, self.error = attempts, error
        self.sent: tuple[str, bytes] | None = None

    def add(self, key: str, data: bytes, token: object, time: float) -> None:
        """Append a record."""
        self.aggregate.add(key, data)
        self.tokens.append(token)
        self.keys.append(key)
        self.times.append(time)
        self.cost += len(data) + len(key) + RECORD_COST

    def entry(self) -> dict[str, object]:
        """Return it as an entry of ``PutRecords``; the same bytes each time."""
        if self.sent is None:
            self.sent = self.aggregate.entry()
        return {"PartitionKey": self.sent[0], "Data": self.sent[1]}

    def parted(self, shards: ShardMap) -> dict[Shard, Batch]:
        """Return its records as one batch a shard that they belong to, in order."""
        parts: dict[Shard, Batch] = {}
        key, data = self.aggregate.entry()
        told = zip(deaggregate(data, key), self.tokens, self.times, strict=True)
        for record, token, time in told:
            shard = shards.of(hash_key(record.partition_key))
            if shard not in parts:
                parts[shard] = Batch(self.attempts, self.error)
            parts[shard].add(record.partition_key, record.data, token, time)
        return parts


class Lane:
    """What waits for one shard, in order: `sealed`, then `open`, which is still being filled."""

    __slots__ = ("behind", "closed", "failures", "flying", "not_before", "open", "sealed", "shard", "window")

    def __init__(self, shard: Shard, limits: Limits | None) -> None:
        self.shard = shard
        self.open: Batch | None = None
        self.sealed: deque[Batch] = deque()
        self.flying = self.closed = False
        self.failures, self.not_before = 0, 0.0
        self.window = Window(limits) if limits else None
        #: Lanes of former shards with something under way that must have its outcome first.
        self.behind: set[Lane] = set()

    def waiting(self) -> list[Batch]:
        """Return what waits, in order."""
        return [*self.sealed, self.open] if self.open else list(self.sealed)

    def wait(self, now: float, linger: float) -> float:
        """Return the seconds until its next batch may be sent."""
        if self.flying or self.behind or (not self.sealed and not self.open):
            return NEVER
        wait, batch = self.not_before - now, self.open
        if self.sealed:
            batch = self.sealed[0]
        elif batch:
            wait = max(wait, batch.times[0] + linger - now)
        if wait <= 0 and batch and self.window:
            wait = self.window.wait(batch.aggregate.size, now)
        return max(0.0, wait)

    def arrived(self, batch: Batch, now: float) -> None:
        """Note that a batch has arrived by now, if it ever does."""
        if self.window:
            self.window.spend(batch.aggregate.size, now)

    def take(self) -> Batch:
        """Take the next batch off, which is then under way."""
        if self.sealed:
            batch = self.sealed.popleft()
        else:
            assert self.open is not None  # noqa: S101 - wait() said so
            batch, self.open = self.open, None
        self.flying = True
        batch.attempts += 1
        return batch


class Flight(NamedTuple):
    """A batch that is under way."""

    lane: Lane
    batch: Batch


class Done(NamedTuple):
    """A batch that has its outcome: confirmed if there is no error."""

    batch: Batch
    shard_id: str = ""
    sequence_number: str = ""
    error: str = ""


class _Stray(NamedTuple):
    """A batch that landed on another shard than was foreseen."""

    flight: Flight
    shard_id: str
    sequence_number: str


@dataclass
class Refresh:
    """Whether the list of shards is to be asked again, and when."""

    due: float = NEVER
    failures: int = 0
    strays: list[_Stray] = field(default_factory=list)


class Lanes:
    """The lanes of a stream.

    Parameters
    ----------
    shards
        As listed.
    options
        Of the sender.
    dice
        For jitter.
    """

    def __init__(self, shards: ShardMap, options: SenderOptions, dice: random.Random) -> None:
        self._shards, self._options, self._dice = shards, options, dice
        self._lanes = {shard: self._lane(shard) for shard in shards.shards}
        # In the order in which their shards were found closed.
        self._closed: dict[Lane, None] = {}
        self._by_key: dict[str, Lane] = {}
        # Lanes with something to send; a dictionary, for its order: who was served goes to the end.
        self._busy: dict[Lane, None] = {}
        self._flying: set[Flight] = set()
        self._refresh = Refresh()
        self._most = options.largest_aggregate
        #: No record waits for others: somebody waits for the outcomes.
        self.hurry = False
        self.retried = 0

    def _lane(self, shard: Shard) -> Lane:
        return Lane(shard, self._options.limits)

    @property
    def shards(self) -> int:
        """How many shards are open."""
        return len(self._lanes)

    def add(self, key: str, data: bytes, token: object, now: float) -> bool:
        """Take a record in; returns whether there is news for who sends."""
        lane = self._by_key.get(key)
        if lane is None:
            if len(self._by_key) >= KEYS:
                self._by_key.clear()
            lane = self._by_key[key] = self._lanes[self._shards.of(hash_key(key))]
        batch, news = lane.open, False
        # A new key stands in the table, and in the worst case takes four bytes a character.
        if batch and batch.aggregate.size + len(data) + 4 * len(key) + FIELD > self._most:
            lane.sealed.append(batch)
            batch, news = None, len(lane.sealed) == 1
        if batch is None:
            batch = lane.open = Batch()
            self._busy[lane] = None
            news = news or not lane.sealed
        batch.add(key, data, token, now)
        return news and not lane.flying

    def take(self, now: float) -> list[Flight]:
        """Take what can be sent now, as one request; nothing if there is nothing."""
        taken: list[Flight] = []
        size, linger = 0, 0.0 if self.hurry else self._options.linger
        for lane in list(self._busy):
            if lane.wait(now, linger) > 0:
                continue
            following = lane.sealed[0] if lane.sealed else lane.open
            size += following.aggregate.size if following else 0
            if taken and (size > self._options.request_bytes or len(taken) == ENTRIES):
                break
            taken.append(Flight(lane, lane.take()))
            del self._busy[lane]
        self._flying.update(taken)
        return taken

    def wait(self, now: float) -> float:
        """Return the seconds until there may be something to send, or the shards are to be listed."""
        linger = 0.0 if self.hurry else self._options.linger
        return min((lane.wait(now, linger) for lane in self._busy), default=NEVER)

    def answered(self, flights: list[Flight], records: Sequence[Mapping[str, Any]], now: float) -> list[Done]:
        """Read the answer to a request, entry by entry: its count of failures is not to be relied on."""
        done: list[Done] = []
        for flight, said in zip(flights, records, strict=True):
            if flight not in self._flying:
                continue  # given up meanwhile
            flight.lane.arrived(flight.batch, now)
            shard, number = said.get("ShardId") or "", said.get("SequenceNumber") or ""
            if said.get("ErrorCode") or not number:
                done += self._again(flight, said.get("ErrorCode") or "NoSequenceNumber", now)
            elif shard == flight.lane.shard.shard_id:
                done.append(self._landed(flight, shard, number))
            else:
                self._refresh.strays.append(_Stray(flight, shard, number))
                if self._refresh.due == NEVER:
                    self._refresh.due = now
        self._drain()
        return done

    def refused(self, flights: list[Flight], error: str, now: float, *, final: bool = False) -> list[Done]:
        """Note that a request failed as a whole, or that its answer was lost."""
        done: list[Done] = []
        for flight in flights:
            if flight in self._flying:
                flight.lane.arrived(flight.batch, now)
                done += [self._failed(flight, error)] if final else self._again(flight, error, now)
        self._drain()
        return done

    def refresh_due(self, now: float) -> bool:
        """Tell whether the shards are to be listed now."""
        return self._refresh.due <= now

    def refresh_wait(self, now: float) -> float:
        """Return the seconds until the shards are to be listed."""
        return max(0.0, self._refresh.due - now)

    def refresh_failed(self, error: str, now: float) -> list[Done]:
        """Note that the shards could not be listed: later again, unless it has been too long."""
        self._refresh.failures += 1
        self._refresh.due = now + self._pause(self._refresh.failures)
        done: list[Done] = []
        for stray in list(self._refresh.strays):
            if self._too_late(stray.flight.batch, now):
                self._refresh.strays.remove(stray)
                done.append(self._failed(stray.flight, error))
        self._drain()
        return done

    def remap(self, shards: ShardMap, now: float) -> list[Done]:
        """Take the shards as they are now: settle what landed elsewhere, and move what waits."""
        done: list[Done] = []
        strays, self._refresh = self._refresh.strays, Refresh(failures=self._refresh.failures)
        self._change(shards)
        for stray in strays:
            flight, shard = stray.flight, shards.get(stray.shard_id)
            keys = flight.batch.aggregate.keys
            if len(keys) == 1 or (shard and all(shard.takes(hash_key(key)) for key in keys)):
                done.append(self._landed(flight, stray.shard_id, stray.sequence_number))
            elif shard:
                done += self._again(flight, "WrongShard", now)
            else:
                self._refresh.strays.append(stray)
        if self._refresh.strays:  # the list is older than the answer
            return done + self.refresh_failed("UnknownShard", now)
        self._refresh.failures = 0
        self._drain()
        return done

    def give_up(self, error: str, unanswered: str) -> list[Done]:
        """End everything: what waits, and what is under way and may yet arrive."""
        waiting = [batch for lane in (*self._closed, *self._lanes.values()) for batch in lane.waiting()]
        strays = {stray.flight for stray in self._refresh.strays}  # those were answered
        done = [
            Done(flight.batch, error=error if flight in strays else unanswered) for flight in self._flying
        ]
        done += [Done(batch, error=batch.error or error) for batch in waiting]
        for lane in (*self._closed, *self._lanes.values()):
            lane.sealed.clear()
            lane.open = None
        self._flying.clear()
        self._busy.clear()
        self._refresh = Refresh()
        return done

    def _change(self, shards: ShardMap) -> None:
        former = self._lanes
        self._shards = shards
        self._lanes = {shard: former.get(shard) or self._lane(shard) for shard in shards.shards}
        self._by_key.clear()
        for shard, lane in former.items():
            if shard not in self._lanes:
                lane.closed = True
                self._closed[lane] = None
                self._busy.pop(lane, None)
        for lane in self._lanes.values():
            if lane.shard not in former:
                lane.behind = {old for old in self._closed if old.shard.overlaps(lane.shard)}

    def _drain(self) -> None:
        """Move what waits in closed lanes once nothing is under way there, each before what came later."""
        for lane in reversed(list(self._closed)):
            if lane.flying:
                continue
            self._move(lane)
            del self._closed[lane]
            for other in (*self._closed, *self._lanes.values()):
                other.behind.discard(lane)

    def _move(self, lane: Lane) -> None:
        moved: dict[Shard, list[Batch]] = {}
        for batch in lane.waiting():
            for shard, part in batch.parted(self._shards).items():
                moved.setdefault(shard, []).append(part)
        for shard, batches in moved.items():
            self._lanes[shard].sealed.extendleft(reversed(batches))
            self._busy[self._lanes[shard]] = None
        lane.sealed.clear()
        lane.open = None

    def _landed(self, flight: Flight, shard: str, number: str) -> Done:
        flight.lane.failures = 0
        self._free(flight)
        return Done(flight.batch, shard, number)

    def _failed(self, flight: Flight, error: str) -> Done:
        self._free(flight)
        return Done(flight.batch, error=error)

    def _free(self, flight: Flight) -> None:
        lane = flight.lane
        self._flying.discard(flight)
        lane.flying = False
        if (lane.sealed or lane.open) and not lane.closed:
            self._busy[lane] = None

    def _again(self, flight: Flight, error: str, now: float) -> list[Done]:
        lane, batch = flight
        batch.error = error
        if self._too_late(batch, now):
            return [self._failed(flight, error)]
        self.retried += len(batch.tokens)
        lane.sealed.appendleft(batch)
        lane.failures += 1
        lane.not_before = now + self._pause(lane.failures)
        self._free(flight)
        return []

    def _too_late(self, batch: Batch, now: float) -> bool:
        """Tell whether all of its records have waited too long: the last one too."""
        return now - batch.times[-1] >= self._options.give_up_after

    def _pause(self, failures: int) -> float:
        longest = min(self._options.longest_pause, self._options.first_pause * 2 ** min(failures - 1, 30))
        return self._dice.uniform(0, longest)


def records(done: Iterable[Done]) -> int:
    """Count the records of batches."""
    return sum(len(one.batch.tokens) for one in done)
