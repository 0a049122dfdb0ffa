"""DynamoDB as the target: its tables, and a writer that loses nothing of a batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, BadInput
from crime_jobs.migrate._patience import Patience, passes
from crime_jobs.model.items import Item, item_bytes, write_units
from crime_jobs.model.tablemapping import TableMapping

if TYPE_CHECKING:
    from crime_jobs.budget import Bucket

#: Items of one call of BatchWriteItem. With 400 KB each they are below its 16 MB
#: (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html).
BATCH_ITEMS = 25


def create_table(client: Any, mapping: TableMapping, environment: str) -> None:
    """Make the table of a mapping if it is not there, and see that its keys are the mapping's.

    It is encrypted with KMS, paid by request, and has point-in-time recovery.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB.
    mapping
        The mapping.
    environment
        Whose table it is, for its tag.

    Raises
    ------
    BadInput
        If a table of that name has other keys.
    AwsRefused
        If AWS refuses.
    """
    schema, types = _keys(mapping)
    with aws.refusals(f"Making the table {mapping.target}"):
        try:
            client.create_table(
                TableName=mapping.target,
                AttributeDefinitions=types,
                KeySchema=schema,
                BillingMode="PAY_PER_REQUEST",
                SSESpecification={"Enabled": True, "SSEType": "KMS"},
                Tags=[
                    {"Key": "project", "Value": "crime-jobs"},
                    {"Key": "environment", "Value": environment},
                    {"Key": "stream", "Value": "migration"},
                ],
            )
        except ClientError as error:
            if aws.code_of(error) != "ResourceInUseException":
                raise
        wait = {"Delay": 1, "MaxAttempts": 120}
        client.get_waiter("table_exists").wait(TableName=mapping.target, WaiterConfig=wait)
        _turn_recovery_on(client, mapping.target)
        about = client.describe_table(TableName=mapping.target)["Table"]
    found = (about["KeySchema"], sorted(about["AttributeDefinitions"], key=str))
    if found != (schema, sorted(types, key=str)):
        raise BadInput(
            f"The table {mapping.target} has the keys {_shown(*found)}, the mapping of {mapping.source} has "
            f"{_shown(schema, types)}.",
            hint="Name another target table in the mapping, or remove that one.",
        )


#: "Backups are being enabled for the table": said for some seconds after it was made.
_NOT_YET = {"ContinuousBackupsUnavailableException"}


def _turn_recovery_on(client: Any, table: str) -> None:
    """Turn point-in-time recovery on, also where an earlier run was killed before it could."""
    about = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    if about.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED":
        return
    for attempt in Retrying(
        retry=retry_if_exception(lambda e: isinstance(e, ClientError) and aws.code_of(e) in _NOT_YET),
        wait=wait_random_exponential(max=5),
        stop=stop_after_delay(120),
        reraise=True,
    ):
        with attempt:
            client.update_continuous_backups(
                TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )


def _keys(mapping: TableMapping) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    kinds = ("HASH", "RANGE")
    types = {"number": "N", "raw": "B"}
    schema = [
        {"AttributeName": key.name, "KeyType": kind} for key, kind in zip(mapping.keys, kinds, strict=False)
    ]
    return schema, [
        {"AttributeName": key.name, "AttributeType": types.get(key.kind, "S")} for key in mapping.keys
    ]


def _shown(schema: list[dict[str, str]], types: list[dict[str, str]]) -> str:
    known = {one["AttributeName"]: one["AttributeType"] for one in types}
    return " and ".join(f"{one['AttributeName']} ({known[one['AttributeName']]})" for one in schema)


class Writer:
    """Puts items in batches, and returns only when each of them is confirmed.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB that does not retry by itself.
    table
        Name of the table.
    bucket
        The budget of capacity units; ``None`` for none.
    sleep, clock
        For tests.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        bucket: Bucket | Any | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._bucket = bucket
        self._sleep = sleep
        hint = "Lower write_units, or raise the table's capacity; run it again, it goes on."
        self._patience = Patience(f"The table {table} let nothing through", hint, sleep=sleep, clock=clock)
        self._waiting: list[Item] = []
        #: Capacity units that DynamoDB says it took.
        self.units = 0.0

    @property
    def throttled(self) -> int:
        """Calls that met throttling."""
        return self._patience.waits

    def put(self, item: Item) -> None:
        """Put an item, with others, when a batch is full.

        Raises
        ------
        AwsRefused
            If DynamoDB refuses, or lets nothing through for `crime_jobs.migrate._patience.PATIENCE`.
        """
        self._waiting.append(item)
        if len(self._waiting) == BATCH_ITEMS:
            self.flush()

    def flush(self) -> None:
        """Put all that is waiting; when this returns, DynamoDB has confirmed all of it."""
        left, self._waiting = self._waiting, []
        self._patience.progress()
        while left:
            before, left = len(left), self._send(left)
            if len(left) < before:
                self._patience.progress()
            if left:
                self._patience.wait()

    def _send(self, batch: list[Item]) -> list[Item]:
        """Send one call; return what did not get through."""
        asked = {self._table: [{"PutRequest": {"Item": item}} for item in batch]}
        try:
            with aws.refusals(f"Writing to the table {self._table}"):
                said = self._client.batch_write_item(RequestItems=asked, ReturnConsumedCapacity="TOTAL")
        except AwsRefused as error:
            if passes(error):
                return batch
            raise
        used = sum(one["CapacityUnits"] for one in said.get("ConsumedCapacity", ()))
        unprocessed = [one["PutRequest"]["Item"] for one in said["UnprocessedItems"].get(self._table, ())]
        if not used:  # what was not told is counted as DynamoDB counts
            used = _units(batch) - _units(unprocessed)
        self.units += used
        if self._bucket is not None and (wait := self._bucket.pay(used)):
            self._sleep(wait)
        return unprocessed


def _units(items: list[Item]) -> int:
    return sum(write_units(item_bytes(item)) for item in items)
