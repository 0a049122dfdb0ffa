"""S3 as a node reaches it: files fetched, logs put."""

from __future__ import annotations

import gzip
import hashlib
import logging
import threading
from pathlib import Path, PurePosixPath
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger("crime_engines")


class Missing(Exception):  # noqa: N818 - reads as what happened
    """An object can't be had."""


class Storage:
    """S3 behind an address.

    Parameters
    ----------
    endpoint
        The address.
    cache
        Folder for what a node keeps of one program for the next.
    """

    def __init__(self, endpoint: str, cache: Path) -> None:
        self._endpoint = endpoint
        self._cache = cache
        self._lock = threading.Lock()
        self._fetching = threading.Lock()
        self._made: Any = None

    @property
    def _s3(self) -> Any:
        with self._lock:  # made at first use: the server starts sooner
            if self._made is None:
                config = Config(
                    connect_timeout=5,
                    read_timeout=60,
                    retries={"max_attempts": 3, "mode": "standard"},
                    proxies={},
                    s3={"addressing_style": "path"},
                )
                session = boto3.session.Session(
                    aws_access_key_id="test",
                    aws_secret_access_key="test",  # noqa: S106 - LocalStack takes any
                    region_name="us-east-1",
                )
                self._made = session.client("s3", endpoint_url=self._endpoint, config=config)
            return self._made

    @property
    def client(self) -> Any:
        """S3 itself, for what has no method here."""
        return self._s3

    def fetch(self, uri: str, path: Path) -> Path:
        """Copy an object into a file.

        Parameters
        ----------
        uri
            ``s3://bucket/key``; ``s3a`` and ``s3n`` too.
        path
            The file; its folder is there.

        Returns
        -------
        Path
            ``path``.

        Raises
        ------
        Missing
            If it can't be had; the message says why.
        """
        bucket, key = split(uri)
        try:
            self._s3.download_file(bucket, key, str(path))
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            reason = "No such file or directory" if status == 404 else str(error)  # noqa: PLR2004
            raise Missing(f"{reason} '{uri}'") from error
        except BotoCoreError as error:
            raise Missing(f"{error} '{uri}'") from error
        return path

    def keep(self, uri: str) -> Path:
        """Fetch an object once for a node, as YARN does with what programs bring along.

        Parameters
        ----------
        uri
            The object; another one under the same key is fetched anew.

        Returns
        -------
        Path
            The file, in a folder of its own.

        Raises
        ------
        Missing
            If it can't be had.
        """
        bucket, key = split(uri)
        try:
            tag = self._s3.head_object(Bucket=bucket, Key=key)["ETag"]
        except (ClientError, BotoCoreError):
            tag = ""  # to fetch it says what is wrong
        folder = self._cache / hashlib.sha256(f"{uri}\0{tag}".encode()).hexdigest()[:24]
        path = folder / PurePosixPath(key).name
        with self._fetching:
            if not path.is_file():
                folder.mkdir(parents=True, exist_ok=True)
                part = folder / "part"
                self.fetch(uri, part).rename(path)
        return path

    def list(self, uri: str) -> list[str]:
        """Return the URIs of the objects whose own begin with one, in order.

        Parameters
        ----------
        uri
            What they begin with.
        """
        bucket, prefix = split(uri)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [f"s3://{bucket}/{found['Key']}" for page in pages for found in page.get("Contents", [])]

    def open(self, uri: str) -> Any:
        """Return an object's body, as a stream.

        Parameters
        ----------
        uri
            The object.
        """
        bucket, key = split(uri)
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"]

    def read(self, uri: str) -> bytes:
        """Return what is in an object.

        Parameters
        ----------
        uri
            The object.
        """
        content: bytes = self.open(uri).read()
        return content

    def has(self, uri: str) -> bool:
        """Say whether an object is there.

        Parameters
        ----------
        uri
            The object.
        """
        bucket, key = split(uri)
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:  # noqa: PLR2004
                return False
            raise
        return True

    def put(self, uri: str, content: bytes) -> None:
        """Write an object.

        Parameters
        ----------
        uri, content
            The object.
        """
        bucket, key = split(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=content)

    def put_log(self, uri: str, path: Path) -> None:
        """Put a log file, gzipped. A bucket that is not there costs the log, not the step.

        Parameters
        ----------
        uri
            Where to; ends in ``.gz``.
        path
            The file.
        """
        bucket, key = split(uri)
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(path.read_bytes()))
        except (ClientError, BotoCoreError) as error:
            log.warning("%s was not written: %s", uri, error)


def is_uri(text: str) -> bool:
    """Say whether a path is an object of S3.

    Parameters
    ----------
    text
        A path or URI.
    """
    return text.startswith(("s3://", "s3a://", "s3n://"))


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of a URI.

    Parameters
    ----------
    uri
        ``s3://bucket/key``.

    Returns
    -------
    bucket, key
    """
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key
