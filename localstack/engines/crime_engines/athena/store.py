"""Where data is: objects listed, read by DuckDB, written."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import duckdb
from botocore.exceptions import ClientError

from crime_engines.storage import Storage, split

#: Bytes from which an object is written in parts.
_ONE_PART = 8 * 1024 * 1024


@dataclass(frozen=True)
class Found:
    """An object.

    Parameters
    ----------
    uri
        ``s3://bucket/key``.
    size
        In bytes.
    tag
        Another one under the same key has another.
    """

    uri: str
    size: int
    tag: str


class Store(Protocol):
    """What the engine needs of S3."""

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a DuckDB read the objects."""

    def path(self, uri: str) -> str:
        """Return what DuckDB calls an object."""

    def list(self, uri: str) -> list[Found]:
        """Return the objects whose URIs begin with one, in order."""

    def read(self, uri: str, begin: int, end: int) -> bytes:
        """Return the bytes of an object from one up to before another."""

    def upload(self, path: Path, uri: str, encryption: Mapping[str, Any] | None = None) -> None:
        """Write a file as an object."""

    def has_bucket(self, uri: str) -> bool:
        """Say whether the bucket of a URI is there."""


class S3Store:
    """S3, through LocalStack's address.

    Parameters
    ----------
    storage
        S3 of the node.
    endpoint
        Its address.
    """

    def __init__(self, storage: Storage, endpoint: str) -> None:
        self._storage, self._endpoint = storage, endpoint

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Load httpfs from its wheel: nothing is fetched from the net."""
        connection.execute(f"LOAD '{_httpfs()}'")
        address = urlsplit(self._endpoint)
        connection.execute(
            "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', "
            f"ENDPOINT '{address.netloc}', URL_STYLE 'path', USE_SSL {address.scheme == 'https'})"
        )

    def path(self, uri: str) -> str:
        """Return what DuckDB calls an object."""
        return uri

    def list(self, uri: str) -> list[Found]:
        """Return the objects whose URIs begin with one, in order."""
        bucket, prefix = split(uri)
        pages = self._storage.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        try:
            return [
                Found(f"s3://{bucket}/{one['Key']}", int(one["Size"]), str(one["ETag"]))
                for page in pages
                for one in page.get("Contents", [])
            ]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return []
            raise

    def read(self, uri: str, begin: int, end: int) -> bytes:
        """Return the bytes of an object from one up to before another."""
        if begin >= end:
            return b""
        bucket, key = split(uri)
        said = self._storage.client.get_object(Bucket=bucket, Key=key, Range=f"bytes={begin}-{end - 1}")
        found: bytes = said["Body"].read()
        return found

    def upload(self, path: Path, uri: str, encryption: Mapping[str, Any] | None = None) -> None:
        """Write a file as an object, in parts if it is large."""
        bucket, key = split(uri)
        more: dict[str, str] = {}
        kind = (encryption or {}).get("EncryptionOption")
        if kind == "SSE_S3":
            more = {"ServerSideEncryption": "AES256"}
        elif kind == "SSE_KMS":
            more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": str((encryption or {})["KmsKey"])}
        if path.stat().st_size < _ONE_PART:
            self._storage.client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), **more)
        else:
            self._storage.client.upload_file(str(path), bucket, key, ExtraArgs=more)

    def has_bucket(self, uri: str) -> bool:
        """Say whether the bucket of a URI is there."""
        try:
            self._storage.client.head_bucket(Bucket=split(uri)[0])
        except ClientError:
            return False
        return True


def _httpfs() -> Path:
    found = importlib.util.find_spec("duckdb_extension_httpfs")
    if found is None or found.origin is None:
        raise RuntimeError("The package duckdb-extension-httpfs is missing: run `make .venv/dev.stamp`.")
    folder = Path(found.origin).parent / "extensions" / f"v{duckdb.__version__}"
    path = folder / "httpfs.duckdb_extension"
    if not path.is_file():
        raise RuntimeError(
            f"duckdb-extension-httpfs is not of DuckDB {duckdb.__version__}: {path} is missing."
        )
    return path
