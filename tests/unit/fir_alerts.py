"""What tests of the alerts share: FIRs, a table and a topic in memory, and workers that die. Not a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from crime_jobs.model.baseline import Baseline
from crime_jobs.model.fir_event import FirEvent
from crime_jobs.stream.alert_ledger import Claimed, Ledger
from crime_jobs.stream.alert_outbox import Outbox
from crime_jobs.stream.alert_rules import Rules
from crime_jobs.stream.alert_table import AlertTable
from crime_jobs.stream.alert_windows import Windows
from crime_jobs.stream.alerts import Alerts

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECRET = "Canary Kumari, 7 Canary Lane"


def fir(number: int = 1, **changes: Any) -> FirEvent:
    """A FIR of Lucknow; a protected one has no place and no identity, as its model makes it."""
    station = changes.pop("police_station", "Hazratganj")
    zero = changes.get("is_zero", False)
    values: dict[str, Any] = {
        "fir_key": f"IN-UP/Lucknow/{station}/2026/{'Z' if zero else ''}{number:04d}",
        "state_code": "IN-UP",
        "district": "Lucknow",
        "police_station": station,
        "fir_number": number,
        "fir_year": 2026,
        "is_zero": False,
        "sections": "BNS:303(2)",
        "crime_head": "theft_other",
        "crime_group": "property",
        "against_women": False,
        "is_grave": False,
        "is_protected": False,
        "occurred_at": NOON - timedelta(hours=2),
        "reported_at": NOON,
        "latitude": 26.85,
        "longitude": 80.94,
        "location_cell": "tuuxyz1",
        "content_hash": "0" * 64,
        "sent_at": NOON,
        "identity": SECRET,
        **changes,
    }
    if values["is_protected"]:
        values |= dict.fromkeys(("latitude", "longitude", "location_cell", "identity"))
    return FirEvent.model_validate(values)


class Died(BaseException):
    """A worker that is gone: nothing catches it."""


class Inline(Executor):
    """Does at once, one after the other, what a pool would do side by side."""

    def map(self, fn: Callable[..., Any], *iterables: Any, **_: Any) -> Iterator[Any]:
        return iter([fn(*each) for each in zip(*iterables, strict=False)])


class Table:
    """The table of the alerts, as far as it is asked; `meanwhile` is called before and after each call."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.meanwhile: Callable[[], None] = lambda: None
        self.calls = 0

    def _call(self, do: Callable[[], Any]) -> Any:
        self.calls += 1
        self.meanwhile()
        done = do()
        self.meanwhile()
        return done

    def transact_write_items(self, TransactItems: Sequence[Any]) -> None:  # noqa: N803
        self._call(lambda: self._transact(TransactItems))

    def _transact(self, actions: Sequence[Any]) -> None:
        keys = []
        reasons: list[dict[str, Any]] = []
        for action in actions:
            ((kind, asked),) = action.items()
            key = asked["Item" if kind == "Put" else "Key"]["alert_id"]["S"]
            keys.append(key)
            refused = "ConditionExpression" in asked and key in self.items
            reasons.append(
                {"Code": "ConditionalCheckFailed", "Item": self.items[key]} if refused else {"Code": "None"}
            )
        assert len(set(keys)) == len(keys), "a transaction has an item twice"
        assert len(keys) <= 100
        if any(reason["Code"] != "None" for reason in reasons):
            answer: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(answer, "TransactWriteItems")
        for action, key in zip(actions, keys, strict=True):
            ((kind, asked),) = action.items()
            if kind == "Put":
                self.items[key] = asked["Item"]
            else:
                self._update(key, asked)

    def _update(self, key: str, asked: dict[str, Any]) -> None:
        values = asked["ExpressionAttributeValues"]
        there = self.items.setdefault(key, {"alert_id": {"S": key}})
        if ":firs" in values:
            before = there.get("firs", {"BS": []})["BS"]
            there["firs"] = {"BS": sorted({*before, *values[":firs"]["BS"]})}
        else:
            there["sent_at"], there["listing"] = values[":now"], values[":day"]
            there.pop("lease_until", None)

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, asked),) = RequestItems.items()
        assert asked["ConsistentRead"]
        assert len(asked["Keys"]) <= 100
        keys = [key["alert_id"]["S"] for key in asked["Keys"]]
        assert len(set(keys)) == len(keys), "DynamoDB refuses a key twice"
        found: dict[str, Any] = self._call(
            lambda: {"Responses": {name: [dict(self.items[key]) for key in keys if key in self.items]}}
        )
        return found

    def update_item(self, Key: Any, ExpressionAttributeValues: Any, **_: Any) -> None:  # noqa: N803
        def take() -> None:
            there = self.items[Key["alert_id"]["S"]]
            assert ExpressionAttributeValues[":pending"] == {"S": "pending"}
            if there.get("lease_until") != ExpressionAttributeValues[":before"]:
                raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "UpdateItem")
            there["lease_until"] = ExpressionAttributeValues[":until"]

        self._call(take)

    def get_paginator(self, _: str) -> Table:
        return self

    def paginate(self, ExpressionAttributeValues: Any, **_: Any) -> list[Any]:  # noqa: N803
        now = float(ExpressionAttributeValues[":now"]["N"])
        pending = [
            dict(one) for one in self.items.values() if _waits(one) and float(one["lease_until"]["N"]) < now
        ]
        self._call(lambda: None)
        return [{"Items": pending}]

    @property
    def pending(self) -> int:
        return sum(_waits(one) for one in self.items.values())


def _waits(item: dict[str, Any]) -> bool:
    return bool(item.get("listing", {}).get("S") == "pending")


class Topic:
    """A topic that drops what comes twice within five minutes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, float] = {}
        self.delivered: list[dict[str, Any]] = []
        self.down = False
        self.meanwhile: Callable[[], None] = lambda: None

    def publish(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        self.meanwhile()
        if self.down:
            raise ClientError({"Error": {"Code": "InternalError"}}, "PublishBatch")
        for one in claimed:
            if self._clock() - self._seen.get(one.id, -1e9) >= 300:
                self._seen[one.id] = self._clock()
                self.delivered.append(json.loads(one.message))
        self.meanwhile()
        return list(claimed)


class World:
    """A table, a topic, a clock, and workers on them."""

    def __init__(self, rules: Rules, baseline: Baseline | None = None) -> None:
        self.rules, self.baseline = rules, baseline or Baseline({})
        self.now = NOON.timestamp()
        self.table, self.topic = Table(), Topic(lambda: self.now)
        self.said: list[str] = []

    def worker(self) -> tuple[Alerts, Outbox]:
        """A worker that has just begun; what it sends it sends when `Outbox.send` is called."""
        table = AlertTable(self.table, "fir_alerts", Inline())
        ledger = Ledger(table, 10.0, lambda: self.now)
        outbox = Outbox(ledger, self.topic.publish, self.said.append, lambda: self.now, pool=Inline())
        return Alerts(self.rules, self.baseline, Windows(table), ledger, outbox.put), outbox

    def settle(self) -> None:
        """Let time pass and a new worker send what is left."""
        for _ in range(10):
            self.now += 11
            _, outbox = self.worker()
            outbox.put(outbox._ledger.take_over())
            outbox.send()
            if not self.table.pending:
                return
        raise AssertionError("alerts are left over")
