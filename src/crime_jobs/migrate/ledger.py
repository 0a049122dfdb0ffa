"""What is known of a migration between its runs: a DynamoDB table, so that executors can write to it too.

Key ``task`` (S) and ``entry`` (S). Entries of a task:

``run#…``
    A run: since when, how it ended, whether that was told (`crime_jobs.migrate.runs`).
``lock#KIND``
    Which run of a kind is under way, and until when it counts as alive (`crime_jobs.migrate._lease`).
``table#SCHEMA.NAME``
    What is known of a table; see `crime_jobs.migrate.statistics`.
``partition#SCHEMA.NAME#0001``
    A part of a table: its predicate, how many rows, and whether it is done. Written after its last row
    was confirmed, so that a part that is done is never read again.
``exception#SCHEMA.NAME#0001#…``
    A row that could not be moved: its key and why, never what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from crime_jobs import aws
from crime_jobs.model.names import LEDGER

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Its usual name; other migrations of an environment may share it, since each has its own task.
TABLE = LEDGER

Entry = dict[str, Any]

_serialise, _deserialise = TypeSerializer().serialize, TypeDeserializer().deserialize


def _plain(value: Any) -> Any:
    """DynamoDB's numbers as Python's, which JSON can write."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _sendable(value: Any) -> Any:
    """Python's numbers as those that boto3 takes, which wants no floats."""
    if isinstance(value, dict):
        return {key: _sendable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_sendable(item) for item in value]
    return Decimal(str(value)) if isinstance(value, float) else value


def now() -> str:
    """Return the time as the ledger and the statistics have it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def entry_of(kind: str, table: object, *more: object) -> str:
    """Return the name of an entry about a table, or what the names of several begin with.

    Parameters
    ----------
    kind
        ``table``, ``partition`` or ``exception``.
    table
        The source table, ``SCHEMA.NAME``; a ``#`` in it, which Oracle allows, is written ``%23``.
    *more
        What follows; an empty text for a beginning.
    """
    named = str(table).replace("%", "%25").replace("#", "%23")
    return "#".join([kind, named, *map(str, more)])


def table_in(entry: str) -> str:
    """Return the source table that an entry is about."""
    return entry.split("#")[1].replace("%23", "#").replace("%25", "%")


class Ledger:
    """The entries of one task.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB.
    task
        Name of the migration.
    table
        Name of the ledger's table.
    """

    def __init__(self, client: Any, task: str, table: str = TABLE) -> None:
        self.client = client
        self.task = task
        self.table = table

    def create(self) -> None:
        """Make the table if it is not there, and wait until it can be used.

        Raises
        ------
        AwsRefused
            If that is not allowed.
        """
        with aws.refusals(f"Making the table {self.table}"):
            try:
                self.client.create_table(
                    TableName=self.table,
                    AttributeDefinitions=[
                        {"AttributeName": name, "AttributeType": "S"} for name in ("task", "entry")
                    ],
                    KeySchema=[
                        {"AttributeName": "task", "KeyType": "HASH"},
                        {"AttributeName": "entry", "KeyType": "RANGE"},
                    ],
                    BillingMode="PAY_PER_REQUEST",
                    SSESpecification={"Enabled": True, "SSEType": "KMS"},
                )
            except ClientError as error:
                if aws.code_of(error) != "ResourceInUseException":
                    raise
            wait = {"Delay": 1, "MaxAttempts": 120}
            self.client.get_waiter("table_exists").wait(TableName=self.table, WaiterConfig=wait)

    def get(self, entry: str) -> Entry | None:
        """Return an entry as it stands now, or ``None``."""
        with aws.refusals(f"Reading {entry} from {self.table}"):
            found = self.client.get_item(TableName=self.table, Key=self._key(entry), ConsistentRead=True)
        return _read(found["Item"]) if "Item" in found else None

    def put(self, entry: str, facts: Mapping[str, Any]) -> None:
        """Write an entry, whatever was there."""
        item = {**self._key(entry), **_written(facts)}
        with aws.refusals(f"Writing {entry} to {self.table}"):
            self.client.put_item(TableName=self.table, Item=item)

    def update(
        self, entry: str, facts: Mapping[str, Any], *, only_if: Mapping[str, Any] | None = None
    ) -> bool:
        """Set some facts of an entry, at once and whole.

        Parameters
        ----------
        entry
            The entry; made if it is not there.
        facts
            What to set.
        only_if
            What must stand there for that; ``None`` as a value means: nothing.

        Returns
        -------
        bool
            Whether it was set: ``False`` if `only_if` did not hold. Of several who write at once, only one
            is told ``True`` if each writes something of its own, as a name or a time.
        """
        conditions = []
        names = {f"#s{n}": name for n, name in enumerate(facts)}
        values = {f":s{n}": _serialise(_sendable(value)) for n, value in enumerate(facts.values())}
        for number, (name, value) in enumerate((only_if or {}).items()):
            names[f"#c{number}"] = name
            if value is None:
                conditions.append(f"attribute_not_exists(#c{number})")
            else:
                conditions.append(f"#c{number} = :c{number}")
                values[f":c{number}"] = _serialise(_sendable(value))
        asked: dict[str, Any] = {
            "TableName": self.table,
            "Key": self._key(entry),
            "UpdateExpression": "SET " + ", ".join(f"#s{n} = :s{n}" for n in range(len(facts))),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        if conditions:
            asked["ConditionExpression"] = " AND ".join(conditions)
        with aws.refusals(f"Writing {entry} to {self.table}"):
            try:
                self.client.update_item(**asked)
            except ClientError as error:
                if aws.code_of(error) != "ConditionalCheckFailedException":
                    raise
            else:
                return True
        # boto3 repeats a call whose answer was lost; then it is its own first try that it is refused for.
        left = {**(only_if or {}), **facts}
        found = self.get(entry) or {}
        return all(found.get(name) == value for name, value in left.items())

    def entries(self, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """Yield the entries whose names begin so, in the order of their names.

        Parameters
        ----------
        prefix
            For example ``partition#CRIME.DISTRICTS#``.

        Yields
        ------
        tuple
            Name and facts.
        """
        asked: dict[str, Any] = {
            "TableName": self.table,
            "ConsistentRead": True,
            "KeyConditionExpression": "task = :t" + (" AND begins_with(entry, :p)" if prefix else ""),
            "ExpressionAttributeValues": {":t": {"S": self.task}} | ({":p": {"S": prefix}} if prefix else {}),
        }
        with aws.refusals(f"Reading {self.table}"):
            for page in self.client.get_paginator("query").paginate(**asked):
                for item in page["Items"]:
                    yield item["entry"]["S"], _read(item)

    def forget(self, prefix: str) -> None:
        """Delete the entries whose names begin so."""
        for name, _ in list(self.entries(prefix)):
            with aws.refusals(f"Deleting {name} from {self.table}"):
                self.client.delete_item(TableName=self.table, Key=self._key(name))

    def _key(self, entry: str) -> dict[str, Any]:
        return {"task": {"S": self.task}, "entry": {"S": entry}}


def _read(item: Mapping[str, Any]) -> Entry:
    return {
        name: _plain(_deserialise(value)) for name, value in item.items() if name not in ("task", "entry")
    }


def _written(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _serialise(_sendable(value)) for name, value in facts.items()}


def open_ledger(settings: Settings, task: str, table: str = TABLE) -> Ledger:
    """Return the ledger of a task.

    Parameters
    ----------
    settings
        Region and profile.
    task
        Name of the migration.
    table
        Name of the ledger's table.

    Returns
    -------
    Ledger
    """
    return Ledger(aws.client("dynamodb", settings), task, table)
