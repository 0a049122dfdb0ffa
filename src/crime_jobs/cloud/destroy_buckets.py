"""Empties and removes buckets: every version, every delete marker, every upload that was begun."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from crime_jobs.errors import JobFailed

#: Keys that one call may delete
#: (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html), and calls at a time: S3 takes
#: 3,500 deletions a second of a prefix and slows down what comes faster.
BATCH, CALLS_AT_ONCE = 1000, 6
#: How often a bucket that fills while it is emptied is emptied anew.
ROUNDS = 5
_WRITTEN_MEANWHILE = "BucketNotEmpty"


def remove(client: Any, bucket: str) -> None:
    """Empty a bucket and remove it; what is written meanwhile is removed too, if it ends at some time.

    Parameters
    ----------
    client
        S3, in the bucket's region.
    bucket
        Its name.

    Raises
    ------
    JobFailed
        If objects can't be deleted, or something goes on writing.
    botocore.exceptions.ClientError
        If S3 refuses.
    """
    from botocore.exceptions import ClientError

    for left in range(ROUNDS, 0, -1):
        empty(client, bucket)
        try:
            client.delete_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != _WRITTEN_MEANWHILE or left == 1:
                raise
        else:
            return


def empty(client: Any, bucket: str) -> int:
    """Delete all that a bucket holds, batches side by side with the list of what comes next.

    Parameters
    ----------
    client
        S3, in the bucket's region.
    bucket
        Its name.

    Returns
    -------
    int
        Versions and delete markers that were deleted.

    Raises
    ------
    JobFailed
        If some can't be deleted: under a lock or a legal hold, or denied. The others are.
    """
    deleted, refused = 0, []
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        running: set[Future[list[dict[str, Any]]]] = set()
        for batch in _batches(client, bucket):
            running.add(pool.submit(_delete, client, bucket, batch))
            deleted += len(batch)
            if len(running) > 2 * CALLS_AT_ONCE:  # a million versions are never all in memory
                done, running = wait(running, return_when=FIRST_COMPLETED)
                refused += [error for one in done for error in one.result()]
        refused += [error for one in running for error in one.result()]
    for upload in _uploads(client, bucket):
        _abort(client, bucket, upload)
    if refused:
        # No key: it may be the name of a photograph.
        codes = sorted({str(error.get("Code")) for error in refused})
        raise JobFailed(f"{len(refused):,} versions of bucket {bucket} can't be deleted: {', '.join(codes)}.")
    return deleted


def _batches(client: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": BATCH}
    )
    for page in pages:
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if found:
            yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]


def _delete(client: Any, bucket: str, batch: list[dict[str, str]]) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        said = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        errors = said.get("Errors", [])
    except ClientError as error:
        # A key may have characters that XML has not; by itself it stands in the address.
        if error.response["Error"]["Code"] != "MalformedXML":
            raise
        errors = [error for one in batch for error in _delete_one(client, bucket, one)]
    gone = {"NoSuchKey", "NoSuchVersion"}  # another destroy was faster
    return [error for error in errors if error.get("Code") not in gone]


def _delete_one(client: Any, bucket: str, version: dict[str, str]) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        client.delete_object(Bucket=bucket, **version)
    except ClientError as error:
        return [dict(error.response["Error"])]
    return []


def _abort(client: Any, bucket: str, upload: dict[str, Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":  # it ended, or another destroy was faster
            raise


def _uploads(client: Any, bucket: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        yield from page.get("Uploads", [])
