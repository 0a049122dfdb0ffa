"""How late the control room hears: from when the stream took a FIR until SNS took its alert, to CloudWatch.

Measured are alerts of grave offences, whose message says when their FIR arrived; one that still waits counts
with its age so far, so that a topic that takes nothing shows too. No failure here holds an alert up.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from crime_jobs.stream.alert_ledger import Claimed

NAMESPACE, METRIC = "CrimeJobs/FirAlerts", "Lateness"


class Lateness:
    """Measures alerts and tells CloudWatch of them, a minute at a time, from a thread of its own.

    Parameters
    ----------
    client
        Of CloudWatch.
    stream
        Name of the stream of FIRs: the metric's one dimension.
    publish
        Publishes some alerts and returns those that were taken.
    waiting
        The alerts that wait to be published.
    say
        Writes a line for whoever runs this.
    clock
        Seconds since 1970.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        publish: Callable[[Sequence[Claimed]], list[Claimed]],
        waiting: Callable[[], Sequence[Claimed]],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._stream, self._clock, self._say = client, stream, clock, say
        self._publish, self._waiting = publish, waiting
        self._lock = threading.Lock()
        self._sent: list[float] = []
        self._failing = False

    def publish(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Publish alerts, and measure those that were taken.

        Parameters
        ----------
        claimed
            The alerts.

        Returns
        -------
        list of Claimed
            Those that were taken.
        """
        taken = self._publish(claimed)
        late = list(self._late(taken))
        with self._lock:
            self._sent += late
        return taken

    def start(self, every: float = 60.0) -> None:
        """Begin to tell; what the last minute of the process had is not told.

        Parameters
        ----------
        every
            Seconds between two reports.
        """

        def work() -> None:
            while True:
                time.sleep(every)
                self.report()

        threading.Thread(target=work, name="lateness", daemon=True).start()

    def report(self) -> None:
        """Tell what was measured since the last report, and of what waits now; without any, nothing."""
        with self._lock:
            found, self._sent = self._sent, []
        found += self._late(self._waiting())
        if not found:
            return
        told = {"SampleCount": len(found), "Sum": sum(found), "Minimum": min(found), "Maximum": max(found)}
        datum = {
            "MetricName": METRIC,
            "Dimensions": [{"Name": "StreamName", "Value": self._stream}],
            "StatisticValues": {name: float(value) for name, value in told.items()},
            "Unit": "Milliseconds",
        }
        try:
            self._client.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])
            self._failing = False
        except Exception as error:  # noqa: BLE001 - the alerts matter, not what is measured of them
            if not self._failing:
                self._say(f"How late alerts are can't be told to CloudWatch: {type(error).__name__}.")
            self._failing = True

    def _late(self, claimed: Iterable[Claimed]) -> Iterable[float]:
        """Yield milliseconds since the FIRs of grave offences arrived."""
        now = self._clock()
        for one in claimed:
            if arrived := json.loads(one.message).get("arrived_at"):
                yield max(0.0, now - datetime.fromisoformat(arrived).timestamp()) * 1000
