"""What Firehose has written: objects of FIRs in S3, compressed or not, and the lists of a load."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.errors import AwsRefused
from crime_jobs.model.streams import StreamSettings

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: What a gzip file begins with (RFC 1952, section 2.3.1).
GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Found:
    """An object.

    Parameters
    ----------
    uri, etag, bytes
        As S3 lists it.
    """

    uri: str
    etag: str
    bytes: int


class Objects:
    """The folder that Firehose writes into, and one beside it for the loader's own lists.

    Parameters
    ----------
    client
        S3.
    bucket, prefix
        Of the folder.
    """

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def pages(self) -> Iterator[list[Found]]:
        """List all objects, in order, some at a time."""
        pages = self._client.get_paginator("list_objects_v2")
        with aws.refusals(f"Listing s3://{self._bucket}/{self._prefix}"):
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/"):
                found = [
                    Found(f"s3://{self._bucket}/{one['Key']}", one["ETag"].strip('"'), one["Size"])
                    for one in page.get("Contents", [])
                ]
                if found:
                    yield found

    def is_compressed(self, found: Found) -> bool:
        """Look at an object's first two bytes: its name and its headers don't say, or say it wrongly.

        Parameters
        ----------
        found
            The object.
        """
        if found.bytes < len(GZIP):
            return False
        with aws.refusals(f"Reading {found.uri}"):
            said = self._client.get_object(
                Bucket=self._bucket, Key=self._key(found), Range=f"bytes=0-{len(GZIP) - 1}"
            )
            begin: bytes = said["Body"].read()
        return begin == GZIP

    def wrong_with(self, found: Found) -> str:
        """Read an object to its end, as Redshift would. Returns why that can't be; empty if it can.

        Parameters
        ----------
        found
            The object.
        """
        from botocore.exceptions import ClientError

        compressed = self.is_compressed(found)
        try:
            with aws.refusals(f"Reading {found.uri}"):
                body = self._client.get_object(Bucket=self._bucket, Key=self._key(found))["Body"]
                with gzip.GzipFile(fileobj=body) if compressed else body as source:
                    while source.read(_PIECE):
                        pass
        except (gzip.BadGzipFile, zlib.error):
            return "is broken: what was compressed can't be read"
        except EOFError:
            return "is cut off: its compressed end is missing"
        except AwsRefused as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and aws.code_of(cause) == "NoSuchKey":
                return "is gone"
            raise
        return ""

    def write(self, name: str, content: bytes) -> str:
        """Write a list of the loader's own. Returns its URI.

        Parameters
        ----------
        name
            Its name.
        content
            What is in it.
        """
        key = f"{self._prefix}-loads/{name}"
        with aws.refusals(f"Writing s3://{self._bucket}/{key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        return f"s3://{self._bucket}/{key}"

    def _key(self, found: Found) -> str:
        return found.uri.removeprefix(f"s3://{self._bucket}/")


def open_objects(settings: Settings, stream: StreamSettings) -> Objects:
    """Open the folder that Firehose writes into.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Where it is.
    """
    bucket, prefix = aws.split_uri(stream.history, "stream.history")
    return Objects(aws.client("s3", settings), bucket, prefix)
