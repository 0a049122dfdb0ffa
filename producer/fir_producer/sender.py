"""Sends records to a Kinesis stream: each has an outcome, order is kept within a key, memory is bounded.

Threads of the standard library, one for each request that may be under way: boto3 knows no other way, and a
thread waits for an answer without the interpreter's lock. What is sent next is decided in `lanes`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, BadInput, CrimeJobsError
from crime_jobs.model.aggregation import MAGIC
from fir_producer.lanes import NEVER, RECORD_COST, Done, Flight, Lanes
from fir_producer.options import SenderOptions
from fir_producer.outcomes import Counts, Latencies, Outcome
from fir_producer.refusals import Garbled, code, passes
from fir_producer.shards import ShardMap, Unsettled, list_shards

__all__ = ["Counts", "Outcome", "Sender", "SenderClosed", "SenderOptions"]

log = logging.getLogger(__name__)

#: Room for the frame of a single record that must be an aggregate.
FRAME = 1024
LONGEST_KEY = 256
#: What is said of a record that was not sent when the time was over; and of one whose answer had not come,
#: which may be in the stream.
NOT_SENT, NO_ANSWER = "NotSentInTime", "NoAnswerInTime"


class SenderClosed(CrimeJobsError):  # noqa: N818 - reads as what happened
    """The sender takes no more records: it was closed, or the stream refused it for good."""

    exit_code = 4


class Sender:
    """Sends records.

    Parameters
    ----------
    client
        Of Kinesis; one that does not retry by itself (``attempts=1``), since entries are retried here one by
        one, and need not validate what is made here (``validated=False``).
    stream
        Name of the stream.
    options
        How it works.
    on_outcome
        Called once for each record, from one thread at a time, in order within a partition key. It is not to
        call the sender.

    Raises
    ------
    AwsRefused
        If the stream's shards can't be listed.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        options: SenderOptions = SenderOptions(),  # noqa: B008 - frozen
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> None:
        self._client, self._stream, self._options, self._told = client, stream, options, on_outcome
        with aws.refusals(f"Listing the shards of {stream}"):
            shards = _settled(client, stream)
        self._lanes = Lanes(shards, options, random.Random())  # noqa: S311 - jitter
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._telling = threading.Lock()
        self._done: deque[Done] = deque()
        self._closed = self._over = self._asking = False
        self._broken: Exception | None = None
        self._waiting = self._flushing = 0
        self._held = 0
        self._accepted = self._confirmed = self._failed = self._bytes = 0
        #: How long confirmed records took.
        self.latencies = Latencies()
        self._threads: list[threading.Thread] = []
        self._hire()

    def put(self, partition_key: str, data: bytes, token: object = None) -> None:
        """Take a record; wait while too much has no outcome yet.

        Parameters
        ----------
        partition_key
            1 to 256 characters.
        data
            At most `SenderOptions.record_bytes` with its key.
        token
            Comes back with the outcome.

        Raises
        ------
        BadInput
            If it is too large, or its key is empty or too long; it has no outcome then.
        SenderClosed
            If no more are taken.
        """
        size = len(data) + len(partition_key)
        if size > self._options.record_bytes // 2 or not 0 < len(partition_key) <= LONGEST_KEY:
            self._check(partition_key, data)
        with self._lock:
            if self._closed or self._broken:
                self._refuse()
            if self._held >= self._options.max_bytes:
                self._wait_for_room()
            self._held += size + RECORD_COST
            self._accepted += 1
            if self._lanes.add(partition_key, data, token, time.monotonic()):
                self._news.notify()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was taken has its outcome.

        Parameters
        ----------
        timeout
            Seconds to wait at most.

        Returns
        -------
        bool
            Whether it has.
        """
        with self._lock:
            wanted = self._accepted
            self._flushing += 1
            self._lanes.hurry = True
            self._news.notify()
            try:
                return self._room.wait_for(lambda: self._confirmed + self._failed >= wanted, timeout)
            finally:
                self._flushing -= 1
                self._lanes.hurry = bool(self._flushing)

    def close(self, timeout: float = 30.0) -> Counts:
        """Take no more, send what there is, and stop.

        What has no outcome in time comes out as failed: as `NOT_SENT`, with its own reason if it was tried,
        or as `NO_ANSWER` if it may have arrived.

        Parameters
        ----------
        timeout
            Seconds to wait at most.

        Returns
        -------
        Counts
            `Counts.in_flight` is 0.
        """
        with self._lock:
            self._closed = True
            self._room.notify_all()
        self.flush(timeout)
        with self._lock:
            self._over = True
            self._done += self._lanes.give_up(NOT_SENT, NO_ANSWER)
            self._news.notify_all()
        self._tell()
        if isinstance(self._broken, CrimeJobsError) or self._broken is None:
            return self.counts
        raise self._broken  # what on_outcome raised

    @property
    def counts(self) -> Counts:
        """The counters."""
        with self._lock:
            return Counts(
                accepted=self._accepted,
                confirmed=self._confirmed,
                failed=self._failed,
                retried=self._lanes.retried,
                bytes=self._bytes,
                in_flight=self._accepted - self._confirmed - self._failed,
            )

    def _check(self, partition_key: str, data: bytes) -> None:
        if not 0 < len(partition_key) <= LONGEST_KEY:
            raise BadInput(
                f"A partition key has {len(partition_key)} characters.",
                hint=f"Kinesis takes 1 to {LONGEST_KEY}.",
            )
        size = len(data) + len(partition_key.encode()) + (FRAME if data.startswith(MAGIC) else 0)
        if size > self._options.record_bytes:
            raise BadInput(
                f"A record has {size:,} bytes with its key.",
                hint=f"The stream {self._stream} takes {self._options.record_bytes:,}.",
            )

    def _refuse(self) -> None:
        if self._broken:
            reason = str(self._broken) if isinstance(self._broken, CrimeJobsError) else "on_outcome raised."
            raise SenderClosed(f"Nothing more goes to {self._stream}: {reason}") from self._broken
        raise SenderClosed(f"The sender to {self._stream} is closed.")

    def _wait_for_room(self) -> None:
        self._waiting += 1
        try:
            self._room.wait_for(
                lambda: self._held < self._options.max_bytes or self._closed or bool(self._broken)
            )
        finally:
            self._waiting -= 1
        if self._closed or self._broken:
            self._refuse()

    def _hire(self) -> None:
        """Have a thread for each request that can be under way, and one that tells outcomes meanwhile."""
        while len(self._threads) < min(self._options.requests, self._lanes.shards) + 1:
            name = f"sender-{self._stream}-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()

    def _work(self) -> None:
        try:
            while self._step():
                self._tell()
        except Exception as error:
            log.exception("The sender to %s can't go on", self._stream)
            with self._lock:
                self._break(error)
            self._tell()

    def _step(self) -> bool:
        with self._lock:
            flights = self._next()
        if flights is None:
            return False
        if flights:
            self._send(flights)
        else:
            self._list()
        return True

    def _next(self) -> list[Flight] | None:
        """Wait for something to do: a request, nothing to send (list the shards), or None at the end."""
        while not self._over:
            now = time.monotonic()
            if not self._asking and self._lanes.refresh_due(now):
                self._asking = True
                return []
            if flights := self._lanes.take(now):
                self._news.notify()  # there may be more for others
                return flights
            wait = self._lanes.wait(now)
            if not self._asking:
                wait = min(wait, self._lanes.refresh_wait(now))
            self._news.wait(None if wait == NEVER else wait)
        return None

    def _send(self, flights: list[Flight]) -> None:
        entries = [flight.batch.entry() for flight in flights]
        try:
            answer = self._client.put_records(StreamName=self._stream, Records=entries)
        except Exception as error:  # noqa: BLE001 - whatever it was, each record has an outcome
            self._refused(flights, error)
            return
        said = answer.get("Records") or ()
        if len(said) != len(flights):
            self._refused(flights, Garbled())
            return
        with self._lock:
            self._settle(self._lanes.answered(flights, said, time.monotonic()))

    def _refused(self, flights: list[Flight], error: Exception) -> None:
        with self._lock:
            if passes(error):
                self._settle(self._lanes.refused(flights, code(error), time.monotonic()))
                return
            self._settle(self._lanes.refused(flights, code(error), time.monotonic(), final=True))
            self._break(error)

    def _list(self) -> None:
        """Ask for the shards."""
        try:
            shards = list_shards(self._client, self._stream)
        except Exception as error:  # noqa: BLE001 - as above
            with self._lock:
                self._asking = False
                if passes(error):
                    self._settle(self._lanes.refresh_failed(code(error), time.monotonic()))
                else:
                    self._break(error)
            return
        with self._lock:
            self._asking = False
            self._settle(self._lanes.remap(shards, time.monotonic()))
            self._hire()

    def _break(self, error: Exception) -> None:
        """End everything: what is wrong does not pass."""
        self._broken = _explained(error, f"Sending to {self._stream}")
        self._settle(self._lanes.give_up(code(error), NO_ANSWER))
        self._room.notify_all()

    def _settle(self, done: list[Done]) -> None:
        """Take outcomes, with the lock; wake another thread, since lanes have become free."""
        self._done += done
        self._news.notify()

    def _tell(self) -> None:
        """Tell all outcomes there are; who finds another thread telling waits, so that order is kept."""
        with self._telling:
            while True:
                with self._lock:
                    if not self._done:
                        return
                    one = self._done.popleft()
                self._tell_batch(one)

    def _tell_batch(self, one: Done) -> None:
        batch, confirmed, now = one.batch, not one.error, time.monotonic()
        if self._told:
            try:
                _call(self._told, one)
            except Exception as error:
                log.exception("on_outcome raised")
                self._told = None
                with self._lock:
                    self._broken = error
                    self._settle(self._lanes.give_up(NOT_SENT, NO_ANSWER))
        with self._lock:
            count = len(batch.tokens)
            if confirmed:
                self._confirmed += count
                self._bytes += batch.cost - count * RECORD_COST
                self.latencies.add(batch.times, now)
            else:
                self._failed += count
            self._held -= batch.cost
            if self._waiting or self._flushing:
                self._room.notify_all()


def _explained(error: Exception, doing: str) -> CrimeJobsError:
    def refuse() -> None:
        with aws.refusals(doing):
            raise error

    try:
        refuse()
    except CrimeJobsError as known:
        return known
    except Exception:  # noqa: BLE001 - a defect
        return AwsRefused(f"{doing} failed: {code(error)}.")
    raise AssertionError


def _call(told: Callable[[Outcome], None], one: Done) -> None:
    shard, number, error, attempts = one.shard_id, one.sequence_number, one.error, one.batch.attempts
    for place, (token, key) in enumerate(zip(one.batch.tokens, one.batch.keys, strict=True)):
        told(Outcome(token, key, not error, shard, number, 0 if error else place, error, attempts))


def _settled(client: Any, stream: str) -> ShardMap:
    """List the shards, again for a while if a reshard is under way."""
    for pause in (0.2, 0.4, 0.8, 1.6, 3.2):
        try:
            return list_shards(client, stream)
        except Unsettled:
            time.sleep(pause)
    raise AwsRefused(f"The shards of {stream} do not share the whole hash range.", hint="Try again soon.")
