"""Sends the alerts that are claimed, beside the reading of the stream: SNS may be down, the sink goes on."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.stream.alert_ledger import SOME, Claimed, Ledger

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Messages of one PublishBatch (https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html).
BATCH = 10

#: Alerts that wait in memory; the ledger has them all.
MOST = 1000

#: Seconds between two looks for alerts that nobody sends; and between attempts, the first time and at most.
SWEEP, PAUSE, LONGEST = 3.0, 0.2, 5.0

#: Seconds before the end of a lease at which an alert is left to whoever takes it over.
MARGIN = 1.0


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
        self._sns = aws.client("sns", settings, attempts=2)
        self._arn: str | None = topic if topic.startswith("arn:") else None

    @property
    def fifo(self) -> bool:
        """Whether the topic drops what comes twice."""
        return self._topic.endswith(".fifo")

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
            TopicArn=self._find(),
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

    def _find(self) -> str:
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
    """

    def __init__(
        self,
        ledger: Ledger,
        publish: Callable[[Sequence[Claimed]], list[Claimed]],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger, self._publish, self._say, self._clock = ledger, publish, say, clock
        self._waiting: deque[Claimed] = deque()
        self._stopping = False
        self._changed = threading.Condition()
        self._failing = ""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, with what is left from before."""
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

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
        while batch := self._next():
            try:
                taken = self._publish(batch)
            except Exception:
                self._put_back(batch)
                raise
            self._ledger.sent(taken)
            left = [one for one in batch if one not in taken]
            if left:
                self._put_back(left)
                raise RefusedInPart
            self._tell("")

    def _next(self) -> list[Claimed]:
        with self._changed:
            batch: list[Claimed] = []
            while self._waiting and len(batch) < BATCH:
                one = self._waiting.popleft()
                if self._clock() < one.until - MARGIN:  # else somebody else may have taken it over
                    batch.append(one)
            return batch

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
