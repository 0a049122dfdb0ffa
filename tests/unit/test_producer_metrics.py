"""The producer's metrics: what is new, each time; and no failure of theirs matters."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.stub import ANY, Stubber

from fir_producer.metrics import Reporter
from fir_producer.sender import Sender
from tests.unit.kinesis import FakeKinesis

if TYPE_CHECKING:
    import pytest


class CloudWatch:
    def __init__(self, *fails: bool) -> None:
        self.told: list[dict[str, Any]] = []
        self.fails, self.asked = list(fails), threading.Semaphore(0)

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803
        try:
            if self.fails and self.fails.pop(0):
                raise OSError("canary")
            self.told.append({one["MetricName"]: one for one in MetricData})
        finally:
            self.asked.release()


def test_what_did_not_arrive_is_in_the_next_report(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    sender, cloud = Sender(FakeKinesis(), "it"), CloudWatch(True)
    for _ in range(3):
        sender.put("a", b"one")
    assert sender.flush(30)
    reporter = Reporter(cloud, "it", sender, every=0.01)
    assert cloud.asked.acquire(timeout=30)
    assert cloud.asked.acquire(timeout=30)
    sender.put("a", b"one")
    sender.close()
    reporter.close()
    assert sum(one["RecordsConfirmed"]["Value"] for one in cloud.told) == 4
    assert sum(one["RecordsAccepted"]["Value"] for one in cloud.told) == 4
    assert sum(one["BytesConfirmed"]["Value"] for one in cloud.told) == 16
    assert sum(sum(one["Latency"]["Counts"]) for one in cloud.told if "Latency" in one) == 4
    assert [record.message for record in caplog.records] == ["The metrics did not reach CloudWatch: OSError."]


def test_cloudwatch_takes_it() -> None:
    """Held against the service's own model."""
    client = boto3.client("cloudwatch", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    sender = Sender(FakeKinesis(), "it")
    sender.put("a", b"one")
    sender.close()
    with Stubber(client) as stub:
        stub.add_response("put_metric_data", {}, {"Namespace": "CrimeJobs/FirProducer", "MetricData": ANY})
        Reporter(client, "it", sender).close()
        stub.assert_no_pending_responses()
