"""The sink's transactions: what goes into one, what is tried again, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.model.fir_event import FirEvent
from crime_jobs.model.streams import StreamSettings
from crime_jobs.stream import sink
from crime_jobs.stream.handling import Handler, Raw
from crime_jobs.stream.sink import Arrived, Kind, Position, Sink
from tests.localstack.consumer import CANARY, event

NOW = datetime(2026, 11, 24, tzinfo=UTC)
STREAM = StreamSettings()


def arrived(*events: FirEvent) -> list[Arrived]:
    return [Arrived(one, NOW, Position("s", "shard", str(at), 0)) for at, one in enumerate(events)]


class Tables:
    """DynamoDB as far as transactions go, which fails as it is told to."""

    def __init__(self, *failures: str | dict[int, str]) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.failures = list(failures)
        self.calls = 0

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803
        self.calls += 1
        puts = [one["Put"] for one in TransactItems]
        keys = [(put["TableName"], put["Item"]["fir_key"]["S"]) for put in puts]
        assert len(set(keys)) == len(keys) <= sink.ACTIONS
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, str):
            raise ClientError({"Error": {"Code": failure}}, "TransactWriteItems")
        reasons: list[dict[str, Any]] = [{"Code": (failure or {}).get(at, "None")} for at in range(len(puts))]
        for at, (put, key) in enumerate(zip(puts, keys, strict=True)):
            there = self.items.get(key)
            wanted = put.get("ExpressionAttributeValues", {}).get(":key")
            same = there and wanted and wanted == there["becomes_key"]
            if there and "ConditionExpression" in put and not same:
                reasons[at] = {"Code": "ConditionalCheckFailed", "Item": there}
        if any(reason["Code"] != "None" for reason in reasons):
            error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        self.items.update(zip(keys, (put["Item"] for put in puts), strict=True))

    @property
    def firs(self) -> set[str]:
        return {key for table, key in self.items if table == STREAM.events_table and "#" not in key}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)


def test_a_replay_of_everything_takes_one_call_and_changes_nothing() -> None:
    tables = Tables()
    one = Sink(tables, STREAM)
    batch = arrived(*(event(number) for number in range(1, 41)))
    assert {done.kind for done in one.write(batch)} == {Kind.NEW}
    before = dict(tables.items)
    calls = tables.calls
    assert {done.kind for done in one.write(batch)} == {Kind.REPLAYED}
    assert tables.calls == calls + 1
    assert tables.items == before


def test_few_duplicates_do_not_hold_up_the_others() -> None:
    tables = Tables()
    one = Sink(tables, STREAM)
    one.write(arrived(event(3), event(5)))
    kinds = [done.kind for done in one.write(arrived(*(event(number) for number in range(1, 8))))]
    assert kinds == [Kind.NEW, Kind.NEW, Kind.DUPLICATE, Kind.NEW, Kind.DUPLICATE, Kind.NEW, Kind.NEW]
    assert len(tables.firs) == 7


@pytest.mark.parametrize(
    "failure",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "InternalServerError",
        {0: "TransactionConflict"},
        {3: "ThrottlingError"},
        {1: "ProvisionedThroughputExceeded"},
    ],
)
def test_what_passes_is_tried_again_and_said(failure: str | dict[int, str]) -> None:
    waits: list[int] = []
    tables = Tables(*(30 * [failure]))
    one = Sink(tables, STREAM, waiting=lambda: waits.append(1))
    assert [done.kind for done in one.write(arrived(event(1), event(2)))] == [Kind.NEW, Kind.NEW]
    assert len(waits) == 30


@pytest.mark.parametrize(
    "failure",
    ["ResourceNotFoundException", "AccessDeniedException", "ValidationException", {1: "AccessDenied"}],
)
def test_what_does_not_pass_is_raised(failure: str | dict[int, str]) -> None:
    with pytest.raises(ClientError):
        Sink(Tables(failure), STREAM).write(arrived(event(1)))


def test_an_item_that_is_not_taken_is_told_apart() -> None:
    tables = Tables({1: "ValidationError"})
    kinds = [done.kind for done in Sink(tables, STREAM).write(arrived(event(1), event(2)))]
    assert kinds == [Kind.REFUSED, Kind.NEW]
    assert tables.firs == {event(2).fir_key}


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from(["a" * 64, "b" * 64]), st.sampled_from([0, 0, 8, 9])),
        max_size=30,
    )
)
def test_of_several_firs_of_a_key_the_first_stands(sent: list[tuple[int, str, int]]) -> None:
    tables = Tables()
    batch = arrived(
        *(
            event(number, content_hash=content, zero_key=f"IN-UP/L/H/2026/Z000{zero}" if zero else None)
            for number, content, zero in sent
        )
    )
    done = Sink(tables, STREAM).write(batch)
    firsts: dict[int, str] = {}
    for (number, content, _), one in zip(sent, done, strict=True):
        expected = Kind.NEW if number not in firsts else None
        first = firsts.setdefault(number, content)
        assert one.kind == (expected or (Kind.DUPLICATE if content == first else Kind.CONFLICT))
    stored = {key: item["content_hash"]["S"] for (_, key), item in tables.items.items() if "sequence" in item}
    assert stored == {event(number).fir_key: content for number, content in firsts.items()}


def test_large_identities_are_parted_by_size() -> None:
    tables = Tables()
    batch = arrived(*(event(number, identity="x" * 200_000) for number in range(1, 31)))
    assert {done.kind for done in Sink(tables, STREAM).write(batch)} == {Kind.NEW}
    assert tables.calls == 2


def test_listeners_hear_of_what_is_stored_new_or_not_and_of_nothing_else() -> None:
    heard: list[str] = []
    handler = Handler(
        Sink(Tables(), STREAM),
        lambda done: heard.extend(f"{one.arrived.event.fir_number} {one.kind}" for one in done),
    )
    other = event(1, content_hash="c" * 64)
    batch = [event(1).to_bytes(), event(1).to_bytes(), other.to_bytes(), CANARY.encode(), event(2).to_bytes()]
    raws = [Raw(data, NOW, Position("s", "shard", str(at), 0)) for at, data in enumerate(batch)]
    handled = handler.handle(raws)
    assert heard == ["1 new", "1 duplicate", "2 new"]
    reasons = [one.reason for one in handled]
    assert reasons[:2] == [None, None]
    assert reasons[2:4] == ["conflict: another FIR has this key", "not a FIR event: record: json_invalid"]
    handler.handle(raws[:1])
    assert heard[-1] == "1 replayed"


def test_a_listener_that_fails_makes_the_records_unhandled() -> None:
    def fails(_: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Handler(Sink(Tables(), STREAM), fails).handle(
            [Raw(event(1).to_bytes(), NOW, Position("s", "x", "1", 0))]
        )
