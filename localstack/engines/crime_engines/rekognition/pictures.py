"""Pictures in S3 as the deployed engine reads them, by a right of its own."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config

from crime_engines.storage import split


class Pictures:
    """S3, by the credentials that AWS's tools find: environment, profile, role.

    Parameters
    ----------
    endpoint
        Of an S3 that is not AWS's, if it is.
    region
        Where the buckets are.
    """

    def __init__(self, endpoint: str | None, region: str) -> None:
        self._endpoint, self._region = endpoint, region
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def client(self) -> Any:
        """S3 itself."""
        with self._lock:  # made at first use: who sends all pictures needs no credentials here
            if self._made is None:
                config = Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"total_max_attempts": 3, "mode": "standard"},
                    s3={"addressing_style": "path"} if self._endpoint else None,
                )
                session = boto3.session.Session(region_name=self._region)
                self._made = session.client("s3", endpoint_url=self._endpoint, config=config)
            return self._made

    def open(self, uri: str) -> Any:
        """Return an object's body, as a stream.

        Parameters
        ----------
        uri
            The object.
        """
        bucket, key = split(uri)
        return self.client.get_object(Bucket=bucket, Key=key)["Body"]
