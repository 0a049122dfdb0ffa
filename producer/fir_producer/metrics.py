"""What a sender did, to CloudWatch once a minute and at the end. Whatever comes of that, sending goes on."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from fir_producer.outcomes import BOUNDS

if TYPE_CHECKING:
    from fir_producer.sender import Sender

log = logging.getLogger(__name__)

NAMESPACE = "CrimeJobs/FirProducer"
#: Values that one metric of a request may have
#: (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html).
VALUES = 150
_COUNTED = ("accepted", "confirmed", "failed", "retried", "bytes")


class Reporter:
    """Reports on a sender, in a thread of its own.

    Parameters
    ----------
    client
        Of CloudWatch.
    stream
        Name of the stream: the metrics' one dimension.
    sender
        What is reported on.
    every
        Seconds between two reports.
    """

    def __init__(self, client: Any, stream: str, sender: Sender, *, every: float = 60.0) -> None:
        self._client, self._sender, self._every = client, sender, every
        self._dimensions = [{"Name": "StreamName", "Value": stream}]
        self._told = dict.fromkeys(_COUNTED, 0)
        self._told_buckets = [0] * (len(BOUNDS) + 1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"metrics-{stream}", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """Report for the last time; called when the sender is closed.

        Parameters
        ----------
        timeout
            Seconds to wait for CloudWatch at most.
        """
        self._over.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        over = False
        while not over:
            over = self._over.wait(self._every)
            try:
                self._report()
            except Exception as error:  # noqa: BLE001 - no failure of metrics harms sending
                log.warning("The metrics did not reach CloudWatch: %s.", type(error).__name__)

    def _report(self) -> None:
        """Send what is new since the last report that arrived; what did not arrive is in the next one."""
        counts = self._sender.counts
        now = {name: getattr(counts, name) for name in _COUNTED}
        buckets = list(self._sender.latencies.buckets)
        data = [
            self._datum(f"Records{name.title()}" if name != "bytes" else "BytesConfirmed", Value=value - told)
            for (name, value), told in zip(now.items(), self._told.values(), strict=True)
        ]
        data.append(self._datum("RecordsInFlight", Value=counts.in_flight))
        took = [
            (bound * 1000, float(count - told))
            for bound, count, told in zip([*BOUNDS, BOUNDS[-1]], buckets, self._told_buckets, strict=True)
            if count > told
        ]
        for at in range(0, len(took), VALUES):
            values, numbers = zip(*took[at : at + VALUES], strict=True)
            told = {"Values": list(values), "Counts": list(numbers), "Unit": "Milliseconds"}
            data.append(self._datum("Latency", **told))
        self._client.put_metric_data(Namespace=NAMESPACE, MetricData=data)
        self._told, self._told_buckets = now, buckets

    def _datum(self, name: str, **value: Any) -> dict[str, Any]:
        unit = "Bytes" if name.startswith("Bytes") else "Count"
        return {"MetricName": name, "Dimensions": self._dimensions, "Unit": unit, **value}
