"""DynamoDB's own export is asked for once a run, waited for, and read only if its manifests add up.

The files are as https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
describes them; no export of AWS itself was read.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crime_jobs.errors import AwsRefused, BadInput, CrimeJobsError, JobFailed, WrongUsage
from crime_jobs.migrate import _service_export
from crime_jobs.migrate._convert import Survey
from crime_jobs.migrate._place import DiskPlace, S3Place
from crime_jobs.settings import load
from tests.conftest import ROOT

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/crime-districts"
EXPORT = f"{ARN}/export/01234567890123-a1b2c3d4"
PREFIX = "landing/dynamodb/crime-districts/run=r1"
ID = "items/AWSDynamoDB/01234567890123-a1b2c3d4"

Change = Callable[[dict[str, Any], list[dict[str, Any]]], None]


def exported(folder: Path, change: Change | None = None, full_keys: bool = True) -> str:
    """Write an export as AWS describes it; returns the key of its summary."""
    start = f"{PREFIX}/{ID}" if full_keys else ID.removeprefix("items/")
    items = [["एक", "two"], [], ["three"]]
    files = []
    for number, ids in enumerate(items):
        content = gzip.compress(
            "".join(json.dumps({"Item": {"id": {"S": one}}}) + "\n" for one in ids).encode()
        )
        path = folder / ID / "data" / f"f{number}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False)
        files.append(
            {
                "itemCount": len(ids),
                "md5Checksum": base64.b64encode(md5.digest()).decode(),
                "etag": f"{md5.hexdigest()}-1",
                "dataFileS3Key": f"{start}/data/f{number}.json.gz",
            }
        )
    summary = {
        "version": "2020-06-30",
        "exportArn": EXPORT,
        "startTime": "2026-11-04T07:28:34.028Z",
        "endTime": "2026-11-04T07:33:43.897Z",
        "tableArn": ARN,
        "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
        "exportTime": "2026-11-04T07:28:34.028Z",
        "s3Bucket": "ddb-productcatalog-export",
        "s3Prefix": f"{PREFIX}/items",
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{start}/manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": 3,
        "outputFormat": "DYNAMODB_JSON",
    }
    if change:
        change(summary, files)
    (folder / ID / "manifest-summary.json").write_text(json.dumps(summary))
    (folder / ID / "manifest-files.json").write_text("".join(json.dumps(f) + "\n" for f in files))
    return f"{start}/manifest-summary.json"


# AWS's examples leave the prefix out of the keys; exports in the wild are reported to have it.
@pytest.mark.parametrize("full_keys", [True, False])
def test_files_counts_and_digests_come_from_the_manifests(tmp_path: Path, full_keys: bool) -> None:
    place = DiskPlace(tmp_path)
    found = _service_export.read(place, PREFIX, EXPORT, exported(tmp_path, full_keys=full_keys))
    assert found.time == "2026-11-04T07:28:34.028Z"
    assert [(one.path, one.items) for one in found.files] == [
        (f"{ID}/data/f0.json.gz", 2),
        (f"{ID}/data/f1.json.gz", 0),
        (f"{ID}/data/f2.json.gz", 1),
    ]
    assert [one.file.rows for one in map(Survey(place), found.files)] == [2, 0, 1]
    (tmp_path / found.files[0].path).write_bytes(gzip.compress(b'{"Item": {}}\n{"Item": {}}\n'))
    with pytest.raises(JobFailed, match="other bytes"):
        Survey(place)(found.files[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda summary, files: summary.update(itemCount=4), "its files have 3 items, the summary 4"),
        (lambda summary, files: files.pop(), "its files have 2 items, the summary 3"),
        (lambda summary, files: summary.update(outputFormat="ION"), "FULL_EXPORT as ION"),
        (lambda summary, files: summary.update(exportType="INCREMENTAL_EXPORT"), "INCREMENTAL_EXPORT"),
        (lambda summary, files: summary.update(exportArn="arn:other"), "of the export arn:other"),
        (lambda summary, files: summary.pop("manifestFilesS3Key"), "not a manifest"),
        (lambda summary, files: summary.update(manifestFilesS3Key="x/none.json"), "none.json.*not there"),
        (lambda summary, files: files[0].update(md5Checksum="?"), "not a manifest"),
        (lambda summary, files: files[0].update(dataFileS3Key="x/gone.gz"), "gone.gz.*not there"),
    ],
    ids=range(9),
)
def test_manifests_that_do_not_add_up_are_refused(tmp_path: Path, change: Change, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        _service_export.read(DiskPlace(tmp_path), PREFIX, EXPORT, exported(tmp_path, change))


class DynamoDb:
    """Answers as DynamoDB does."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers, self.asked = iter(answers), list[dict[str, Any]]()

    def _next(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        about = {"ExportArn": EXPORT, "ExportStatus": answer, "FailureMessage": "no such bucket"}
        return {"ExportDescription": about}

    def export_table_to_point_in_time(self, **asked: Any) -> dict[str, Any]:
        return self._next(asked)

    def describe_export(self, **asked: Any) -> dict[str, Any]:
        return self._next(asked)


def refusal(code: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DescribeExport")


def place() -> S3Place:
    settings = load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)
    return S3Place("crime-landing", PREFIX, settings)


def test_a_run_that_asks_again_asks_for_the_same_export() -> None:
    client = DynamoDb("IN_PROGRESS", "IN_PROGRESS")
    assert [_service_export.begin(client, ARN, place()) for _ in range(2)] == [EXPORT, EXPORT]
    one, other = client.asked
    assert one == other
    assert (one["S3Bucket"], one["S3Prefix"]) == ("crime-landing", f"{PREFIX}/items")
    assert one["ClientToken"] != _service_export.token(ARN, place().child("other"))


def test_waiting_survives_throttling_and_failures_of_aws() -> None:
    client = DynamoDb(
        "IN_PROGRESS", refusal("ThrottlingException"), refusal("InternalServerError", 500), "COMPLETED"
    )
    slept: list[float] = []
    found = _service_export.wait(client, EXPORT, sleep=slept.append)
    assert found["ExportStatus"] == "COMPLETED"
    assert slept[0] == _service_export.POLL_SECONDS


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        ("FAILED", JobFailed, "no such bucket"),
        (refusal("AccessDeniedException"), AwsRefused, "AccessDeniedException"),
    ],
    ids=["failed", "denied"],
)
def test_an_export_that_fails_says_why(answer: Any, kind: type[CrimeJobsError], says: str) -> None:
    with pytest.raises(kind, match=says):
        _service_export.wait(DynamoDb(answer), EXPORT, sleep=lambda _: None)


def test_it_wants_s3_and_point_in_time_recovery(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="goes to S3 only"):
        _service_export.begin(DynamoDb(), ARN, DiskPlace(tmp_path))
    client = DynamoDb(refusal("PointInTimeRecoveryUnavailableException"))
    with pytest.raises(AwsRefused, match="can't export crime-districts") as told:
        _service_export.begin(client, ARN, place())
    assert "Turn on point-in-time recovery" in told.value.hint
