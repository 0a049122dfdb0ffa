"""How late alerts are: measured from the FIR's arrival to SNS, also while they wait; and it holds nothing up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from crime_jobs.cloud.stacks_template import load
from crime_jobs.stream.alert_lateness import METRIC, NAMESPACE, Lateness
from crime_jobs.stream.alert_ledger import Claimed
from crime_jobs.stream.alert_rules import Grave, Rules, Surge
from tests.unit.fir_alerts import NOON, SECRET, World, fir

RULES: Rules = {
    "grave": Grave(kind="grave", grave=True),
    "surge": Surge(kind="surge", window_minutes=10, factor=3, minimum=3),
}


class Cloud:
    """Takes metrics, or refuses."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.refuses = False

    def put_metric_data(self, **asked: Any) -> None:
        if self.refuses:
            raise OSError(SECRET)
        self.told.append(asked)

    @property
    def last(self) -> dict[str, Any]:
        (datum,) = self.told[-1]["MetricData"]
        statistics: dict[str, Any] = datum["StatisticValues"]
        return statistics


@pytest.fixture
def alerts() -> list[Claimed]:
    """Alerts of three FIRs of which two are grave, and that of the surge which the three are."""
    worker, outbox = World(RULES).worker()
    for n in range(3):
        worker.handle([(fir(n + 1, is_grave=n < 2), NOON + timedelta(seconds=n))])
    found = outbox.waiting
    assert len(found) == 3
    return found


def measuring(cloud: Any, waiting: Sequence[Claimed] = (), after: float = 4.0) -> tuple[Lateness, list[str]]:
    said: list[str] = []
    made = Lateness(cloud, "fir-stream", list, lambda: waiting, said.append, lambda: NOON.timestamp() + after)
    return made, said


def test_what_was_sent_is_told_once_and_a_surge_has_no_one_arrival(alerts: list[Claimed]) -> None:
    cloud = Cloud()
    lateness, _ = measuring(cloud)
    assert lateness.publish(alerts) == alerts
    lateness.report()
    assert cloud.last == {"SampleCount": 2.0, "Sum": 7000.0, "Minimum": 3000.0, "Maximum": 4000.0}
    lateness.report()
    assert len(cloud.told) == 1


def test_what_was_not_taken_is_late_until_it_is(alerts: list[Claimed]) -> None:
    cloud, said = Cloud(), list[str]()
    now = [NOON.timestamp() + 30]
    waiting = list(alerts)
    lateness = Lateness(
        cloud, "fir-stream", lambda some: [*some[:1]], lambda: waiting, said.append, lambda: now[0]
    )
    lateness.report()
    assert (cloud.last["SampleCount"], cloud.last["Maximum"]) == (2.0, 30_000.0)
    now[0] += 60
    taken = lateness.publish(alerts)
    waiting = [one for one in alerts if one not in taken]
    lateness.report()
    assert (cloud.last["SampleCount"], cloud.last["Maximum"]) == (2.0, 90_000.0)


def test_a_cloudwatch_that_refuses_holds_no_alert_up_and_is_told_of_once(alerts: list[Claimed]) -> None:
    cloud = Cloud()
    cloud.refuses = True
    lateness, said = measuring(cloud)
    for _ in range(2):
        assert lateness.publish(alerts) == alerts
        lateness.report()
    assert said == ["How late alerts are can't be told to CloudWatch: OSError."]
    cloud.refuses = False
    lateness.publish(alerts)
    lateness.report()
    assert cloud.last["SampleCount"] == 2.0


def test_what_is_told_is_what_cloudwatch_takes_and_the_alarm_reads(alerts: list[Claimed]) -> None:
    client: Any = boto3.client(
        "cloudwatch", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as cloud:
        cloud.add_response("put_metric_data", {}, {"Namespace": NAMESPACE, "MetricData": ANY})
        lateness, said = measuring(client)
        lateness.publish(alerts)
        lateness.report()
        cloud.assert_no_pending_responses()
    assert said == []
    alarm = load("monitoring").resources["AlertsLate"]["Properties"]
    read = {one["Id"]: one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one}
    assert (read["alerts"]["Namespace"], read["alerts"]["MetricName"]) == (NAMESPACE, METRIC)
    assert read["alerts"]["Dimensions"] == [{"Name": "StreamName", "Value": {"Ref": "StreamName"}}]
    assert [one["Id"] for one in alarm["Metrics"] if one["ReturnData"]] == ["late"]
