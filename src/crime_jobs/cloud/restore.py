"""Brings back what was: objects of a versioned bucket as at a time, items of a table from an export."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from crime_jobs import aws
from crime_jobs.errors import BadInput, JobFailed, WrongUsage
from crime_jobs.model.exports import ITEMS, MANIFEST, Manifest
from crime_jobs.settings import Settings

Tell = Callable[[str], None]

#: Calls at once.
_TOGETHER = 8


@dataclass(frozen=True)
class Step:
    """What brings one object back.

    Parameters
    ----------
    key
        The object's key.
    does
        ``copy``: the version becomes the newest; ``remove``: it was not there then.
    version
        The version that it was.
    """

    key: str
    does: str
    version: str = ""


def moment(text: str) -> datetime:
    """Read a time.

    Parameters
    ----------
    text
        ISO 8601; without a zone it is UTC.

    Returns
    -------
    datetime.datetime

    Raises
    ------
    WrongUsage
        If it is none, or has not come yet.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUsage(
            f"--at {text!r} is no time.", hint="It looks like 2026-11-24T10:30+05:30."
        ) from error
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found > datetime.now(UTC):
        raise WrongUsage(f"--at {text} has not come yet.")
    return found


class Objects:
    """The objects below a prefix of a versioned bucket.

    Parameters
    ----------
    settings
        Region and profile.
    uri
        ``s3://bucket/prefix``.
    """

    def __init__(self, settings: Settings, uri: str) -> None:
        self._bucket, prefix = aws.split_uri(uri, "What is restored,")
        self._prefix = f"{prefix}/" if prefix else ""
        self._uri, self._s3 = uri, aws.client("s3", settings)

    def plan(self, at: datetime) -> list[Step]:
        """Return what brings the objects back to what they were.

        Parameters
        ----------
        at
            When that was.

        Raises
        ------
        WrongUsage
            If the bucket keeps no versions.
        """
        with aws.refusals(f"Looking at {self._uri}"):
            kept = self._s3.get_bucket_versioning(Bucket=self._bucket).get("Status")
            if not kept:
                raise WrongUsage(f"Bucket {self._bucket} keeps no versions: nothing can be brought back.")
            then: dict[str, dict[str, Any]] = {}
            now: dict[str, dict[str, Any]] = {}
            for one in self._versions():
                if one["IsLatest"]:
                    now[one["Key"]] = one
                before = then.get(one["Key"])
                # Of two in one second the one that is listed first is the newer one.
                if one["LastModified"] <= at and (not before or one["LastModified"] > before["LastModified"]):
                    then[one["Key"]] = one
        return [step for key in sorted(now) if (step := _step(key, then.get(key), now[key]))]

    def _versions(self) -> Iterator[dict[str, Any]]:
        pages = self._s3.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
            yield from ({**one, "is_there": True} for one in page.get("Versions", []))
            yield from ({**one, "is_there": False} for one in page.get("DeleteMarkers", []))

    def run(self, steps: list[Step]) -> None:
        """Take the steps. Nothing is lost by it: what is there now stays as a version.

        Parameters
        ----------
        steps
            As `plan` returned them.

        Raises
        ------
        AwsRefused
            If one is refused; run it again: what is done is not done twice.
        """

        def take(step: Step) -> None:
            if step.does == "remove":
                self._s3.delete_object(Bucket=self._bucket, Key=step.key)
                return
            source = {"Bucket": self._bucket, "Key": step.key, "VersionId": step.version}
            was = self._s3.head_object(**source)
            # Said again, since not every S3 copies an object onto itself when nothing of it changes.
            same = {"MetadataDirective": "REPLACE", "Metadata": was["Metadata"]}
            same |= {name: was[name] for name in ("ContentType", "ContentEncoding") if name in was}
            self._s3.copy(source, self._bucket, step.key, same)  # in parts if it is large

        with aws.refusals(f"Restoring {self._uri}"), ThreadPoolExecutor(_TOGETHER) as pool:
            list(pool.map(take, steps))


def _step(key: str, then: dict[str, Any] | None, now: dict[str, Any]) -> Step | None:
    was_there = then is not None and then["is_there"]
    if not was_there:
        return Step(key, "remove") if now["is_there"] else None
    assert then is not None  # noqa: S101 - it was there
    same = now["is_there"] and (now["VersionId"] == then["VersionId"] or now["ETag"] == then["ETag"])
    return None if same else Step(key, "copy", then["VersionId"])


class Items:
    """The items of an export of a table.

    Parameters
    ----------
    settings
        Region and profile.
    uri
        The run's folder, ``s3://…/dynamodb/<table>/run=<id>``.

    Raises
    ------
    BadInput
        If the run has no manifest, and so is not whole.
    """

    def __init__(self, settings: Settings, uri: str) -> None:
        self._bucket, self._prefix = aws.split_uri(uri, "The export,")
        self._uri = uri.rstrip("/")
        self._s3, self._dynamodb = aws.client("s3", settings), aws.client("dynamodb", settings)
        try:
            self.manifest = Manifest.model_validate_json(self._read(MANIFEST))
        except ValidationError as error:
            raise BadInput(f"{self._uri}/{MANIFEST} is no manifest of an export.") from error

    def _read(self, path: str) -> bytes:
        with aws.refusals(f"Reading {self._uri}/{path}"):
            body: bytes = self._s3.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{path}")[
                "Body"
            ].read()
        return body

    def run(self, table: str, *, over: bool, tell: Tell) -> Counter[str]:
        """Put the items into a table; what is there already stays, unless told otherwise.

        Parameters
        ----------
        table
            The table, which is there, with the same key.
        over
            Whether items that are there are written over.
        tell
            Told of each file that is done.

        Returns
        -------
        collections.Counter
            How many were ``put``, and how many were ``there``.

        Raises
        ------
        WrongUsage
            If the table has another key.
        BadInput
            If a file is not the one that was exported; files before it are done.
        JobFailed
            If fewer items were in the files than the manifest says.
        """
        keys = [key.name for key in self.manifest.key_schema]
        with aws.refusals(f"Looking at table {table}"):
            schema = self._dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
        if [one["AttributeName"] for one in schema] != keys:
            raise WrongUsage(f"Table {table} has not the key {', '.join(keys)} of the export.")
        done: Counter[str] = Counter()

        def put(item: dict[str, Any]) -> str:
            request: dict[str, Any] = {"TableName": table, "Item": item}
            if not over:
                request |= {
                    "ConditionExpression": "attribute_not_exists(#k)",
                    "ExpressionAttributeNames": {"#k": keys[0]},
                }
            try:
                self._dynamodb.put_item(**request)
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                return "there"
            return "put"

        for file in self.manifest.files:
            if not file.path.startswith(f"{ITEMS}/"):
                continue
            body = self._read(file.path)
            if hashlib.sha256(body).hexdigest() != file.sha256:
                raise BadInput(f"{self._uri}/{file.path} is not what was exported: its SHA-256 is another.")
            items = [_binary(json.loads(line)["Item"]) for line in gzip.decompress(body).splitlines()]
            with aws.refusals(f"Writing to table {table}"), ThreadPoolExecutor(_TOGETHER) as pool:
                done.update(pool.map(put, items))
            tell(f"{file.path}: {len(items):,} items")
        if done.total() != self.manifest.items:
            raise JobFailed(
                f"{done.total():,} items were in the files, {self.manifest.items:,} in the manifest."
            )
        return done


def _binary(value: Any) -> Any:
    """Return DynamoDB JSON as boto3 takes it: binary is base64 in files."""
    import base64

    if isinstance(value, list):
        return [_binary(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64decode(inner)
        if name == "B" and isinstance(inner, str)
        else [base64.b64decode(one) for one in inner]
        if name == "BS" and all(isinstance(one, str) for one in inner)
        else _binary(inner)
        for name, inner in value.items()
    }
