"""A scan reads each item of its segment once, waits when DynamoDB says so, and keeps to its budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crime_jobs.budget import Bucket
from crime_jobs.errors import AwsRefused
from crime_jobs.migrate import _patience
from crime_jobs.migrate._segments import Scan


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Table:
    """Stands for DynamoDB: items of one unit each, in pages; some calls fail first."""

    def __init__(self, items: int, page: int = 10, codes: Iterator[str | None] | None = None) -> None:
        self.items = [{"id": {"N": str(n)}} for n in range(items)]
        self.page, self.codes = page, codes or iter(())
        self.asked: list[dict[str, Any]] = []

    def scan(self, **asked: Any) -> dict[str, Any]:
        if code := next(self.codes, None):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Scan")
        self.asked.append(asked)
        start = int(asked.get("ExclusiveStartKey", {"id": {"N": "-1"}})["id"]["N"]) + 1
        found = self.items[start : start + min(self.page, asked.get("Limit", self.page))]
        more = start + len(found) < len(self.items)
        last = {"LastEvaluatedKey": found[-1]} if more else {}
        return {"Items": found, "ConsumedCapacity": {"CapacityUnits": float(len(found))}, **last}


def ids(scan: Scan) -> list[int]:
    return [int(item["id"]["N"]) for item in scan.items()]


def test_every_page_is_read_consistently_and_no_item_twice() -> None:
    table = Table(95)
    scan = Scan(table, "t", (3, 8), sleep=Clock().sleep)
    assert ids(scan) == list(range(95))
    assert scan.units == 95
    assert all(asked["ConsistentRead"] for asked in table.asked)
    assert {(asked["Segment"], asked["TotalSegments"]) for asked in table.asked} == {(3, 8)}
    assert all("Limit" not in asked for asked in table.asked)


def test_throttling_and_failures_of_aws_are_waited_out_where_the_scan_was() -> None:
    passing = ("ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError")
    codes = iter([None, *passing, None, *passing, *passing, None])
    clock = Clock()
    table = Table(60, codes=codes)
    scan = Scan(table, "t", (0, 1), sleep=clock.sleep, clock=clock)
    assert ids(scan) == list(range(60))
    assert scan.throttled == 9
    assert clock.now > 0


def test_what_does_not_pass_by_itself_is_raised_at_once() -> None:
    clock = Clock()
    scan = Scan(Table(10, codes=iter(["AccessDeniedException"])), "t", (0, 1), sleep=clock.sleep, clock=clock)
    with pytest.raises(AwsRefused, match="Reading the table t"):
        ids(scan)
    assert clock.now == 0


def test_patience_ends_with_what_to_do() -> None:
    clock = Clock()
    codes = iter(["ThrottlingException"] * 100_000)
    scan = Scan(Table(10, codes=codes), "t", (0, 1), sleep=clock.sleep, clock=clock)
    with pytest.raises(AwsRefused, match="The table t could not be read for 300 s") as told:
        ids(scan)
    assert "Lower read_units" in told.value.hint
    assert _patience.PATIENCE <= clock.now < _patience.PATIENCE + 10


def test_the_budget_is_kept_over_every_second_and_used_up() -> None:
    clock = Clock()
    table = Table(1000, page=500)
    rate = 50.0
    scan = Scan(table, "t", (0, 1), Bucket(rate, clock), rate, sleep=clock.sleep, clock=clock)
    times = [clock.now for _ in scan.items()]
    assert len(times) == 1000
    assert clock.now == pytest.approx(1000 / rate, rel=0.01)
    # Pages are cut to half a second of the budget: no second takes more than a page beyond it.
    assert all(asked["Limit"] == 25 for asked in table.asked)
    for start in range(int(clock.now)):
        assert sum(start <= t < start + 1 for t in times) <= rate * 1.5
