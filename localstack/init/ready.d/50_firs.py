"""Make what the FIR streams need: streams, tables, queue, topic, key and bucket. Idempotent."""

import os
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

STREAMS = ("fir-stream", "fir-counts")
TABLES = ("fir_events", "fir_identities", "fir_alerts", "fir_producer_runs")
KEYS = {"fir_alerts": "alert_id", "fir_producer_runs": "run_id"}
QUEUE = "crime-jobs-fir-dead-letters"
TOPIC = "crime-jobs-fir-alerts.fifo"
#: Index of the alerts: those that are not sent, and those of a day.
LISTING = ("listing", "claimed_at")
ALIAS = "alias/crime-jobs-fir"
BUCKET = "crime-firs"

#: What says that somebody else, or an earlier run, made it.
THERE = {
    "AlreadyExistsException",
    "BucketAlreadyOwnedByYou",
    "ResourceInUseException",
}

PLACE = {
    "endpoint_url": os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


def make(call: Callable[..., Any], **request: Any) -> Any:
    """Call, and pass over that it is there already."""
    try:
        return call(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] not in THERE:
            raise
        return None


kinesis, dynamodb = boto3.client("kinesis", **PLACE), boto3.client("dynamodb", **PLACE)
for stream in STREAMS:
    make(kinesis.create_stream, StreamName=stream, ShardCount=1)
for table in TABLES:
    key = KEYS.get(table, "fir_key")
    names = [key, *(LISTING if table == "fir_alerts" else ())]
    index = {
        "IndexName": LISTING[0],
        "KeySchema": [
            {"AttributeName": LISTING[0], "KeyType": "HASH"},
            {"AttributeName": LISTING[1], "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    make(
        dynamodb.create_table,
        TableName=table,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": [index]} if len(names) > 1 else {}),
    )
expires = {"Enabled": True, "AttributeName": "expires_at"}
if (
    dynamodb.describe_time_to_live(TableName="fir_alerts")["TimeToLiveDescription"]["TimeToLiveStatus"]
    == "DISABLED"
):
    dynamodb.update_time_to_live(TableName="fir_alerts", TimeToLiveSpecification=expires)
boto3.client("sqs", **PLACE).create_queue(QueueName=QUEUE, Attributes={"MessageRetentionPeriod": "1209600"})
boto3.client("sns", **PLACE).create_topic(Name=TOPIC, Attributes={"FifoTopic": "true"})
kms = boto3.client("kms", **PLACE)
if not any(found["AliasName"] == ALIAS for found in kms.list_aliases()["Aliases"]):
    made = kms.create_key(Description="FIR identities and dead letters")
    kms.create_alias(AliasName=ALIAS, TargetKeyId=made["KeyMetadata"]["KeyId"])
make(boto3.client("s3", **PLACE).create_bucket, Bucket=BUCKET)
