"""Removing the photographs that a person was enrolled with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from crime_jobs import aws
from crime_jobs.errors import AwsRefused

if TYPE_CHECKING:
    from crime_jobs.settings import Settings


class Remover:
    """Removes photographs for good: every version that S3 has of them.

    Parameters
    ----------
    settings
        Region and profile.
    """

    def __init__(self, settings: Settings) -> None:
        self._s3 = aws.client("s3", settings)

    def remove(self, uri: str) -> bool:
        """Remove a photograph and all its versions.

        Parameters
        ----------
        uri
            Where it is.

        Returns
        -------
        bool
            Whether it is gone; one in a folder of somebody's machine is not touched.

        Raises
        ------
        AwsRefused
            If S3 does not remove it.
        """
        parts = urlsplit(uri)
        if parts.scheme != "s3":
            return not Path(unquote(parts.path)).exists()
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        for versions in self._versions(bucket, key):
            with _removing():
                said = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
            if errors := said.get("Errors"):
                raise AwsRefused(
                    f"Removing a photograph: S3 refused {len(errors)} of its versions ({errors[0]['Code']}).",
                    hint="Is there an object lock, or no permission for s3:DeleteObjectVersion?",
                )
        return True

    def _versions(self, bucket: str, key: str) -> Iterator[list[dict[str, str]]]:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        with _removing():
            for page in pages:
                found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                # The prefix is that of other photographs too: a.jpg.old, a.jpg/…
                ours = [{"Key": key, "VersionId": one["VersionId"]} for one in found if one["Key"] == key]
                if ours:
                    yield ours
                if any(one["Key"] > key for one in found):
                    return


@contextmanager
def _removing() -> Iterator[None]:
    with aws.refusals("Removing a photograph"):
        yield
