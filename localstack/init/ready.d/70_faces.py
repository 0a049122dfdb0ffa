"""Make what faces need: bucket, tables, key, and the sample pictures. Idempotent."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

BUCKET, ALIAS = "crime-faces", "alias/crime-jobs-faces"
DATA = Path(os.environ.get("CRIME_JOBS_DATA", "/opt/crime-jobs/data")) / "faces"

#: Tables: their keys, and the indexes of the leads.
TABLES = {
    "face_people": (("watch_list", "S"), ("person_id", "S")),
    "face_photographs": (("watch_list", "S"), ("photograph", "S")),
    "face_leads": (("lead_id", "S"),),
    "face_audit": (("day", "S"), ("line", "N")),
}
INDEXES = {"face_leads": {"queue": (("queue", "S"), ("found_at", "S")), "person": (("person_id", "S"),)}}

#: What says that somebody else, or an earlier run, made it.
THERE = {"AlreadyExistsException", "BucketAlreadyOwnedByYou", "ResourceInUseException"}

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


def schema(keys: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    """Return a key schema."""
    kinds = zip(keys, ("HASH", "RANGE"), strict=False)
    return [{"AttributeName": name, "KeyType": kind} for (name, _), kind in kinds]


dynamodb = boto3.client("dynamodb", **PLACE)
for table, keys in TABLES.items():
    indexes = INDEXES.get(table, {})
    named = dict(keys) | {name: kind for index in indexes.values() for name, kind in index}
    more = [
        {"IndexName": name, "KeySchema": schema(index), "Projection": {"ProjectionType": "ALL"}}
        for name, index in indexes.items()
    ]
    make(
        dynamodb.create_table,
        TableName=table,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in named.items()],
        KeySchema=schema(keys),
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": more} if more else {}),
    )

# Rows of photographs that can't be read end some day.
if dynamodb.describe_time_to_live(TableName="face_photographs")["TimeToLiveDescription"][
    "TimeToLiveStatus"
] not in ("ENABLED", "ENABLING"):
    dynamodb.update_time_to_live(
        TableName="face_photographs", TimeToLiveSpecification={"AttributeName": "ends", "Enabled": True}
    )

kms = boto3.client("kms", **PLACE)
if not any(found["AliasName"] == ALIAS for found in kms.list_aliases()["Aliases"]):
    made = kms.create_key(Description="People on watch lists, leads, and where their photographs are")
    kms.create_alias(AliasName=ALIAS, TargetKeyId=made["KeyMetadata"]["KeyId"])

s3 = boto3.client("s3", **PLACE)
make(s3.create_bucket, Bucket=BUCKET)
s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
pictures = [path for path in sorted(DATA.rglob("*")) if path.suffix in {".csv", ".jpg"}]
if not pictures:
    raise SystemExit(f"There is no data in {DATA}.")
for path in pictures:
    key, body = path.relative_to(DATA).as_posix(), path.read_bytes()
    try:
        there = s3.head_object(Bucket=BUCKET, Key=key)["ETag"].strip('"')
    except ClientError:
        there = None
    if there != hashlib.md5(body).hexdigest():  # noqa: S324 - an ETag is an MD5
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
