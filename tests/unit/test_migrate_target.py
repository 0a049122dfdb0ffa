"""The writer: all of it is confirmed, once in effect, however DynamoDB refuses in between."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.errors import AwsRefused
from crime_jobs.migrate._patience import FIRST_PAUSE, LONGEST_PAUSE, PATIENCE
from crime_jobs.migrate.target import BATCH_ITEMS, Writer, create_table
from crime_jobs.model.items import Item
from crime_jobs.model.tablemapping import Attribute, SourceColumn, SourceTable, TableMapping

Answer = Exception | Callable[[int], int]


def refusal(code: str, status: int = 400) -> ClientError:
    said = {"Error": {"Code": code, "Message": "said so"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "BatchWriteItem")


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Table:
    """A client in the shape of botocore's: an answer is an error, or how many of a batch get through."""

    def __init__(
        self, answers: Sequence[Answer] = (), *, for_ever: Answer | None = None, told: bool = True
    ) -> None:
        self._answers = list(answers)
        self._for_ever = for_ever
        self._told = told
        self.calls: list[list[Item]] = []
        self.items: dict[str, int] = {}

    def batch_write_item(self, **asked: Any) -> dict[str, Any]:
        assert asked.pop("ReturnConsumedCapacity") == "TOTAL"
        ((name, requests),) = asked.pop("RequestItems").items()
        assert not asked
        batch = [one["PutRequest"]["Item"] for one in requests]
        self.calls.append(batch)
        keys = [item["K"]["N"] for item in batch]
        assert 0 < len(batch) <= BATCH_ITEMS
        assert len(set(keys)) == len(keys), "DynamoDB refuses a batch with one key twice"
        answer = self._answers.pop(0) if self._answers else self._for_ever
        if isinstance(answer, Exception):
            raise answer
        through = len(batch) if answer is None else min(len(batch), answer(len(batch)))
        for key in keys[:through]:
            self.items[key] = self.items.get(key, 0) + 1
        left = [{"PutRequest": {"Item": item}} for item in batch[through:]]
        said: dict[str, Any] = {"UnprocessedItems": {name: left} if left else {}}
        if self._told:
            said["ConsumedCapacity"] = [{"TableName": name, "CapacityUnits": float(through)}]
        return said


class Purse:
    """A budget that asks for a pause of a second a payment."""

    def __init__(self) -> None:
        self.paid: list[float] = []

    def pay(self, units: float) -> float:
        self.paid.append(units)
        return 1.0


def written(
    table: Table, count: int, clock: Clock | None = None, bucket: Any = None, size: int = 1
) -> Writer:
    """Put so many items and flush."""
    clock = clock or Clock()
    writer = Writer(table, "t", bucket, sleep=clock.sleep, clock=clock)
    for number in range(1, count + 1):
        writer.put({"K": {"N": str(number)}, "V": {"S": "v" * size}})
    writer.flush()
    return writer


def none(_: int) -> int:
    return 0


PASSING = [
    refusal("ProvisionedThroughputExceededException"),
    refusal("ThrottlingException"),
    refusal("RequestLimitExceeded"),
    refusal("InternalServerError", 500),
    refusal("ServiceUnavailable", 503),
    EndpointConnectionError(endpoint_url="http://x"),
    ReadTimeoutError(endpoint_url="http://x"),
]


@given(
    count=st.integers(0, 120),
    answers=st.lists(
        st.one_of(st.sampled_from(PASSING), st.integers(0, 25).map(lambda most: lambda _: most)), max_size=40
    ),
)
def test_each_item_is_there_once_whatever_happens_in_between(count: int, answers: list[Answer]) -> None:
    """For any run of throttling, broken connections and partial batches: no item is lost, and none that was
    confirmed is sent again."""
    table = Table(answers)
    written(table, count)
    assert table.items == {str(number): 1 for number in range(1, count + 1)}


def test_batches_are_full() -> None:
    """25 items a call, the rest at the end; nothing is sent for nothing."""
    table = Table()
    written(table, 60)
    assert [len(call) for call in table.calls] == [25, 25, 10]
    empty = Table()
    written(empty, 0)
    assert empty.calls == []


def test_only_what_was_left_is_sent_again() -> None:
    """Of 25 items 10 get through, then none, then all: the second and third call hold the other 15."""
    table = Table([lambda _: 10, none])
    writer = written(table, 25)
    assert [len(call) for call in table.calls] == [25, 15, 15]
    assert writer.throttled == 2
    assert writer.units == 25


@pytest.mark.parametrize("answer", [*PASSING, none], ids=lambda one: getattr(one, "__name__", str(one)))
def test_what_does_not_pass_is_given_up(answer: Answer) -> None:
    """After `PATIENCE` without any progress the writer says so, with what to do; not before."""
    clock = Clock()
    with pytest.raises(AwsRefused) as refused:
        written(Table(for_ever=answer), 3, clock)
    assert "let nothing through for 300 s" in refused.value.message
    assert "write_units" in refused.value.hint
    assert PATIENCE < clock.now < PATIENCE + 2 * LONGEST_PAUSE


def test_one_item_now_and_then_is_progress() -> None:
    """A table that is slow, but moves, is waited for as long as it takes."""
    clock = Clock()
    answers: list[Answer] = []
    for _ in range(25):
        answers += [none] * 20 + [lambda _: 1]
    written(Table(answers), 25, clock)
    assert clock.now > PATIENCE


def test_pauses_grow_and_are_bounded_and_spread() -> None:
    """Full jitter: between nothing and a bound that doubles up to the longest; progress begins anew."""
    bounds: list[float] = []

    def lowest(low: float, high: float) -> float:
        bounds.append(high)
        return low

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("random.uniform", lowest)
        written(Table([none] * 10 + [lambda _: 1] + [none]), 25)
    assert bounds[:10] == [min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(10)]
    assert bounds[10:12] == [FIRST_PAUSE, FIRST_PAUSE * 2]
    clock = Clock()
    random.seed(1)
    written(Table([none] * 40), 1, clock)
    assert all(0 <= pause <= LONGEST_PAUSE for pause in clock.slept)
    assert len(set(clock.slept)) > 30


@pytest.mark.parametrize(
    "code",
    ["ValidationException", "AccessDeniedException", "ResourceNotFoundException", "ExpiredTokenException"],
)
def test_what_no_patience_mends_is_said_at_once(code: str) -> None:
    """A refusal that stays is not repeated: it names the table and the service's own word."""
    table = Table(for_ever=refusal(code))
    with pytest.raises(AwsRefused, match=f"table t.*{code}"):
        written(table, 3)
    assert len(table.calls) == 1


@pytest.mark.parametrize("told", [True, False])
def test_the_budget_is_paid_for_what_got_through(told: bool) -> None:
    """What was throttled costs nothing; where the service does not say, it is counted as it counts."""
    clock, purse = Clock(), Purse()
    throttled: list[Answer] = [refusal("ThrottlingException"), lambda _: 10]
    writer = written(Table(throttled, told=told), 30, clock, purse)
    assert purse.paid == [10, 15, 5]
    assert writer.units == 30
    assert clock.slept.count(1.0) == 3  # and the pause that the budget asks for is made


def test_units_count_the_kb_begun() -> None:
    """An item of 2,049 bytes and more takes three units, as DynamoDB counts."""
    purse = Purse()
    written(Table(told=False), 2, Clock(), purse, size=2049)
    assert purse.paid == [6]


def test_nothing_that_was_not_confirmed_is_taken_for_written() -> None:
    """After an error the writer holds nothing back that a later flush would seem to confirm."""
    table = Table([refusal("AccessDeniedException")])
    writer = Writer(table, "t")
    writer.put({"K": {"N": "1"}})
    with pytest.raises(AwsRefused):
        writer.flush()
    writer.flush()
    assert table.items == {}


def test_a_table_is_tagged_as_its_environments() -> None:
    client: Any = boto3.client(
        "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    source = SourceTable("CRIME", "DISTRICTS", (SourceColumn("ID", "number", "NUMBER"),), ("ID",))
    mapping = TableMapping(source, "crime-districts", "ID", None, (Attribute("ID", "${ID}", "number"),))
    keys = {
        "KeySchema": [{"AttributeName": "ID", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "ID", "AttributeType": "N"}],
    }
    there = {"Table": {**keys, "TableStatus": "ACTIVE"}}
    tags = {"project": "crime-jobs", "environment": "pune", "stream": "migration"}
    recovery = {"PointInTimeRecoveryStatus": "ENABLED"}
    backups = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
    with Stubber(client) as aws:
        aws.add_response(
            "create_table",
            {},
            {
                "TableName": "crime-districts",
                **keys,
                "BillingMode": "PAY_PER_REQUEST",
                "SSESpecification": ANY,
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            },
        )
        aws.add_response("describe_table", there)
        aws.add_response("describe_continuous_backups", {"ContinuousBackupsDescription": backups})
        aws.add_response("describe_table", there)
        create_table(client, mapping, "pune")
        aws.assert_no_pending_responses()
