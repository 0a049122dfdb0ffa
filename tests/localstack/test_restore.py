"""What was deleted or written over is brought back: objects by their versions, items from an export."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from crime_jobs.cli import main
from crime_jobs.model.exports import ExportedFile, KeyAttribute, Manifest
from tests.localstack.conftest import Stack

Restore = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def restore(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Restore:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        code = main(["restore", *arguments, "--yes", "--output", "json"])
        said = capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines()], said.err

    return run


@pytest.fixture
def bucket(stack: Stack) -> Iterator[str]:
    s3, name = stack.client("s3"), f"restore-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    found = s3.list_object_versions(Bucket=name)
    for one in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
        s3.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=name)


def contents(stack: Stack, bucket: str) -> dict[str, str]:
    s3 = stack.client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys}


def test_objects_are_what_they_were_and_what_is_beside_them_stays(
    stack: Stack, restore: Restore, bucket: str
) -> None:
    s3 = stack.client("s3")
    before = {"lake/changed": "1", "lake/deleted": "1", "lake/same": "1", "lakes": "1"}
    for key, body in before.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    time.sleep(1.1)  # S3 knows seconds
    at = datetime.now(UTC).isoformat()
    time.sleep(1.1)
    s3.put_object(Bucket=bucket, Key="lake/changed", Body="2")
    s3.delete_object(Bucket=bucket, Key="lake/deleted")
    s3.put_object(Bucket=bucket, Key="lake/new", Body="2")
    s3.put_object(Bucket=bucket, Key="lakes", Body="2")

    uri = f"s3://{bucket}/lake"
    code, rows, _ = restore("objects", uri, "--at", at, "--dry-run")
    expected = [
        {"key": "lake/changed", "did": "copy"},
        {"key": "lake/deleted", "did": "copy"},
        {"key": "lake/new", "did": "remove"},
    ]
    assert (code, rows) == (0, expected)
    assert "lake/new" in contents(stack, bucket)
    code, rows, said = restore("objects", uri, "--at", at)
    assert (code, rows) == (0, expected), said
    assert contents(stack, bucket) == {**before, "lakes": "2"}
    assert restore("objects", uri, "--at", at)[:2] == (0, [])  # a second time there is nothing to do
    # What was there in between is a version still.
    versions = s3.list_object_versions(Bucket=bucket, Prefix="lake/new")["Versions"]
    assert len(versions) == 1


def test_a_bucket_without_versions_and_a_time_to_come_are_said(
    stack: Stack, restore: Restore, bucket: str
) -> None:
    code, _, said = restore("objects", "s3://crime-questions", "--at", "2026-11-01")
    assert code == 2
    assert "keeps no versions" in said
    assert restore("objects", f"s3://{bucket}", "--at", "2999-01-01")[0] == 2
    assert restore("objects", f"s3://{bucket}", "--at", "yesterday")[0] == 2


ITEMS: list[dict[str, Any]] = [
    {"YEAR": {"N": str(year)}, "NAME": {"S": "é"}, "RAW": {"B": "AAEC"}, "SET": {"NS": ["1", "2"]}}
    for year in range(2001, 2041)
]


@pytest.fixture
def export(stack: Stack) -> str:
    uri = f"{stack.fresh('restore', 'crime-logs')}/dynamodb/t/run=1"
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    body = gzip.compress("\n".join(json.dumps({"Item": item}) for item in ITEMS).encode())
    file = ExportedFile(
        path="items/part-0.json.gz", rows=len(ITEMS), bytes=len(body), sha256=hashlib.sha256(body).hexdigest()
    )
    manifest = Manifest(
        table="t",
        run="1",
        via="scan",
        started="2026-11-24T00:00:00Z",
        ended="2026-11-24T00:01:00Z",
        key_schema=(KeyAttribute(name="YEAR", kind="HASH"),),
        columns=(),
        items=len(ITEMS),
        consistency="",
        files=(file,),
    )
    s3 = stack.client("s3")
    s3.put_object(Bucket=bucket, Key=f"{prefix}/items/part-0.json.gz", Body=body)
    s3.put_object(Bucket=bucket, Key=f"{prefix}/_manifest.json", Body=manifest.model_dump_json())
    return uri


@pytest.fixture
def table(stack: Stack) -> Iterator[str]:
    dynamodb, name = stack.client("dynamodb"), f"restore-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "YEAR", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "YEAR", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield name
    dynamodb.delete_table(TableName=name)


def scanned(stack: Stack, table: str) -> dict[str, dict[str, Any]]:
    return {item["YEAR"]["N"]: item for item in stack.client("dynamodb").scan(TableName=table)["Items"]}


def test_items_come_back_as_they_were_and_newer_ones_stay(
    stack: Stack, restore: Restore, export: str, table: str
) -> None:
    newer = {"YEAR": {"N": "2001"}, "NAME": {"S": "newer"}}
    stack.client("dynamodb").put_item(TableName=table, Item=newer)
    code, rows, _ = restore("items", export, "--table", table)
    assert (code, rows) == (0, [{"table": table, "put": 39, "there": 1}])
    found = scanned(stack, table)
    assert found["2001"] == newer
    assert len(found) == 40
    assert found["2002"]["RAW"] == {"B": b"\x00\x01\x02"}
    assert sorted(found["2002"]["SET"]["NS"]) == ["1", "2"]
    code, rows, _ = restore("items", export, "--table", table, "--over")
    assert (code, rows) == (0, [{"table": table, "put": 40, "there": 0}])
    assert scanned(stack, table)["2001"]["NAME"] == {"S": "é"}


def test_a_file_that_was_changed_is_refused(stack: Stack, restore: Restore, export: str, table: str) -> None:
    bucket, _, prefix = export.removeprefix("s3://").partition("/")
    stack.client("s3").put_object(
        Bucket=bucket, Key=f"{prefix}/items/part-0.json.gz", Body=gzip.compress(b"{}")
    )
    code, _, said = restore("items", export, "--table", table)
    assert code == 3
    assert "its SHA-256 is another" in said
    assert scanned(stack, table) == {}


def test_an_export_that_is_not_whole_and_another_key_are_refused(
    stack: Stack, restore: Restore, export: str, table: str
) -> None:
    assert restore("items", f"{export}-not", "--table", table)[0] == 4
    code, _, said = restore("items", export, "--table", "fir_events")
    assert code == 2
    assert "has not the key YEAR" in said
