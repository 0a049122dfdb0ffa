"""Sends the alerts that are claimed, beside the reading of the stream: SNS may be down, the sink goes on."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.stream.alert_ledger import SOME, Claimed, Ledger

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Messages of one PublishBatch (https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html).
BATCH = 10

#: Batches that are published side by side: SNS takes its time for each, and a burst must not wait in line.
THREADS = 8

#: Alerts that wait in memory; the ledger has them all.
MOST = 1000

#: Seconds between two looks for alerts that nobody sends; and between attempts, the first time and at most.
SWEEP, PAUSE, LONGEST = 3.0, 0.2, 5.0

#: Seconds that an alert belongs to whoever claimed it, and before their end at which it is left to whoever
#: takes it over. A topic that drops what comes twice allows a short time.
LEASE, MARGIN = 10.0, 1.0

#: Seconds that an alert may wait for its call, where the lease has to be longer than the call.
WAIT = 20.0

#: Seconds between two attempts of botocore's standard mode, at most
#: (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html).
_BACKOFF = 20.0


def longest_call(client: Any) -> float:
    """Return the seconds that a call can take, with all that the client tries by itself.

    Parameters
    ----------
    client
        A client of boto3.
    """
    config = client.meta.config
    attempts = int(config.retries["total_max_attempts"])
    return float(attempts * (config.connect_timeout + config.read_timeout) + (attempts - 1) * _BACKOFF)


class Topic:
    """Where alerts go.

    Parameters
    ----------
    settings
        Region and profile.
    topic
        Name or ARN of the topic. One whose name ends in ``.fifo`` drops a message that comes again within
        five minutes.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._sns = aws.client("sns", settings, attempts=1)  # the outbox tries again
        self._arn: str | None = topic if topic.startswith("arn:") else None

    @property
    def fifo(self) -> bool:
        """Whether the topic drops what comes twice."""
        return self._topic.endswith(".fifo")

    @property
    def margin(self) -> float:
        """Seconds before the end of a lease at which no call may begin.

        What another worker publishes while a call is still under way is dropped by a topic that drops what
        comes twice. On another one it would be there twice: there a call has to be over before the lease is.
        """
        return MARGIN if self.fifo else longest_call(self._sns)

    @property
    def lease(self) -> float:
        """Seconds that an alert belongs to whoever claimed it."""
        return LEASE if self.fifo else self.margin + WAIT

    def publish(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Publish alerts.

        Parameters
        ----------
        claimed
            At most `BATCH` of them.

        Returns
        -------
        list of Claimed
            Those that SNS took.
        """
        said = self._sns.publish_batch(
            TopicArn=self.find(),
            PublishBatchRequestEntries=[self._request(str(n), one) for n, one in enumerate(claimed)],
        )
        return [claimed[int(taken["Id"])] for taken in said.get("Successful", [])]

    def _request(self, name: str, claimed: Claimed) -> dict[str, Any]:
        body = json.loads(claimed.message)
        attributes = {
            field: {"DataType": "String", "StringValue": str(body[field])}
            for field in ("kind", "rule", "state_code", "district")
        }
        once = {"MessageGroupId": claimed.order, "MessageDeduplicationId": claimed.id} if self.fifo else {}
        return {"Id": name, "Message": claimed.message, "MessageAttributes": attributes, **once}

    def find(self) -> str:
        """Return the topic's ARN; asks whose account this is, the first time."""
        if self._arn is None:
            caller = aws.client("sts", self._settings).get_caller_identity()
            partition = str(caller["Arn"]).split(":")[1]
            place = aws.region(self._settings)
            self._arn = f"arn:{partition}:sns:{place}:{caller['Account']}:{self._topic}"
        return self._arn


class Outbox:
    """Sends alerts from a thread of its own, those of this worker and those that others left.

    Parameters
    ----------
    ledger
        The alerts.
    publish
        Publishes some and returns those that were taken.
    say
        Writes a line for whoever runs this.
    clock
        Seconds since 1970.
    margin
        See `Topic.margin`.
    pool
        Where batches are published side by side; by default `THREADS` of them.
    ready
        Called before alerts are taken out: what takes its time there takes none of a lease's end.
    """

    def __init__(
        self,
        ledger: Ledger,
        publish: Callable[[Sequence[Claimed]], list[Claimed]],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        *,
        margin: float = MARGIN,
        pool: Executor | None = None,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        self._ledger, self._publish, self._say, self._clock = ledger, publish, say, clock
        self._margin, self._ready = margin, ready
        self._pool = pool or ThreadPoolExecutor(THREADS, thread_name_prefix="publish")
        self._waiting: deque[Claimed] = deque()
        self._stopping = False
        self._changed = threading.Condition()
        self._failing = ""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, with what is left from before."""
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> list[Claimed]:
        """The alerts that wait in memory to be published."""
        with self._changed:
            return list(self._waiting)

    def put(self, claimed: Sequence[Claimed]) -> None:
        """Have alerts sent soon; returns at once.

        Parameters
        ----------
        claimed
            The alerts. Those that do not fit are found in the ledger later.
        """
        with self._changed:
            self._waiting.extend(claimed[: max(0, MOST - len(self._waiting))])
            self._changed.notify()

    def close(self, seconds: float = 5.0) -> None:
        """Send what waits, for a few seconds at most; the rest is found by the next worker.

        Parameters
        ----------
        seconds
            How long.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        swept, pause = -SWEEP, PAUSE
        while True:
            with self._changed:
                if not self._waiting and not self._stopping:
                    self._changed.wait(max(0.0, swept + SWEEP - time.monotonic()))
                if self._stopping and (self._failing or not self._waiting):
                    return
            try:
                if time.monotonic() - swept >= SWEEP:
                    left = self._ledger.take_over()
                    self.put(left)
                    if len(left) < SOME:  # else there are more
                        swept = time.monotonic()
                self.send()
            except Exception as error:  # noqa: BLE001 - whatever it is, the alerts wait and are tried again
                code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
                self._tell(f"{type(error).__name__} {code}")
                with self._changed:
                    if not self._stopping:
                        self._changed.wait_for(lambda: self._stopping, pause)
                pause = min(LONGEST, pause * 2)
            else:
                pause = PAUSE

    def send(self) -> None:
        """Send what waits in memory, as long as all of it is taken.

        Raises
        ------
        Exception
            Whatever SNS or DynamoDB refuse with. What was not taken waits on, until its lease runs out.
        """
        while True:
            self._ready()
            if not (batches := self._next()):
                return
            said = list(self._pool.map(self._try, batches))
            taken = {one.key for some, _ in said for one in some}
            self._ledger.sent([one for batch in batches for one in batch if one.key in taken])
            if left := [one for batch in batches for one in batch if one.key not in taken]:
                self._put_back(left)
                raise next((error for _, error in said if error), None) or RefusedInPart
            self._tell("")

    def _try(self, batch: Sequence[Claimed]) -> tuple[list[Claimed], Exception | None]:
        try:
            return self._publish(batch), None
        except Exception as error:  # noqa: BLE001 - raised again when the other batches are noted
            return [], error

    def _next(self) -> list[list[Claimed]]:
        """Take out alerts for some batches, those of one order in the same one: that keeps the order."""
        batches: list[list[Claimed]] = []
        of_order: dict[str, list[Claimed]] = {}
        later: list[Claimed] = []
        with self._changed:
            most = THREADS if len(self._waiting) > BATCH else 1  # few are no burst: one call has them all
            while self._waiting and sum(map(len, batches)) < THREADS * BATCH:
                one = self._waiting.popleft()
                if self._clock() >= one.until - self._margin:  # somebody else may have taken it over
                    continue
                batch = of_order.get(one.order)
                if batch is None and len(batches) < most:
                    batches.append(batch := [])
                elif batch is None:
                    batch = min(batches, key=len)
                if len(batch) == BATCH:
                    later.append(one)
                else:
                    batch.append(one)
                    of_order[one.order] = batch
            self._waiting.extendleft(reversed(later))
        return batches

    def _put_back(self, batch: Sequence[Claimed]) -> None:
        with self._changed:
            self._waiting.extendleft(reversed(batch))

    def _tell(self, failing: str) -> None:
        if failing and not self._failing:
            self._say(f"Alerts wait, none is lost: {failing.strip()}.")
        elif self._failing and not failing:
            self._say("Alerts are sent again.")
        self._failing = failing


class RefusedInPart(Exception):  # noqa: N818
    """SNS took some messages of a batch only."""
