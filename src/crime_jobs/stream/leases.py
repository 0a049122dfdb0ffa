"""The KCL's table of leases, made before its daemon starts: a new application would wait 90 seconds.

What is made is what KCL 3.1.3 makes itself: the table, and a lease at TRIM_HORIZON for each shard that has no
parent any more; the children of others get theirs when their parents end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.stream.reading import shards_of

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings

#: Key of a lease: the name of its shard.
KEY = "leaseKey"


def prepare(settings: Settings, stream: StreamSettings, worker: str) -> None:
    """Make the table and the first leases, if there are none; an application that has begun is left alone.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names of stream and application.
    worker
        Name of the worker that is to have them first; others take their part of them.

    Raises
    ------
    AwsRefused
        If the stream is not there, or may not be read, or the table can't be made.
    """
    from botocore.exceptions import ClientError

    client = aws.client("dynamodb", settings)
    table = stream.application
    with aws.refusals(f"Making the table of leases {table}"):
        with contextlib.suppress(client.exceptions.ResourceInUseException):
            client.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        if client.scan(TableName=table, Limit=1, ConsistentRead=True)["Items"]:
            return
    for shard in _roots(settings, stream):
        with aws.refusals(f"Making a lease in {table}"):
            try:
                client.put_item(
                    TableName=table,
                    Item=_lease(shard, worker),
                    ConditionExpression=f"attribute_not_exists({KEY})",
                )
            except ClientError as error:
                if aws.code_of(error) != "ConditionalCheckFailedException":
                    raise


def leases_of(client: Any, stream: StreamSettings) -> list[dict[str, Any]]:
    """Return the leases as they are.

    Parameters
    ----------
    client
        DynamoDB.
    stream
        Name of the application.

    Returns
    -------
    list of dict
        Items of the table, as DynamoDB gives them.

    Raises
    ------
    AwsRefused
        If the table is not there: then the application never ran.
    """
    with aws.refusals(f"Reading the leases in {stream.application}"):
        pages = client.get_paginator("scan").paginate(TableName=stream.application, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]


def _roots(settings: Settings, stream: StreamSettings) -> Iterator[dict[str, Any]]:
    listed = shards_of(aws.client("kinesis", settings), stream.name)
    shards = {shard["ShardId"]: shard for shard in listed}
    for shard in shards.values():
        if not {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & shards.keys():
            yield shard


def _lease(shard: dict[str, Any], worker: str) -> dict[str, Any]:
    return {
        KEY: {"S": shard["ShardId"]},
        "leaseOwner": {"S": worker},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "startingHashKey": {"S": shard["HashKeyRange"]["StartingHashKey"]},
        "endingHashKey": {"S": shard["HashKeyRange"]["EndingHashKey"]},
    }
