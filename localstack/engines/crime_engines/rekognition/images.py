"""The picture of a request: out of it or out of S3, within Rekognition's limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crime_engines.faces.pictures import Unfit
from crime_engines.protocol import Refusal, invalid
from crime_engines.rekognition import words

#: Bytes of a picture in a request, by Rekognition's model, and in S3, by its quotas.
INLINE, IN_S3 = 5 * 1024**2, 15 * 1024**2

_SERVERS_FAULT = 500


def content_of(image: Mapping[str, Any], storage: Any) -> bytes:
    """Return the bytes of a picture, unread.

    Parameters
    ----------
    image
        Rekognition's ``Image``.
    storage
        S3 of the node.

    Returns
    -------
    bytes

    Raises
    ------
    Refusal
        If there is none, or it has too many bytes.
    """
    if ("Bytes" in image) == ("S3Object" in image):
        raise words.invalid_parameters()
    if "Bytes" not in image:
        return _fetched(image["S3Object"], storage)
    content = bytes(image["Bytes"])
    if not content:
        raise invalid(
            "1 validation error detected: Value at 'image.bytes' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    if len(content) > INLINE:
        raise words.too_large("5 MB")
    return content


def _fetched(place: Mapping[str, str], storage: Any) -> bytes:
    bucket, key = place.get("Bucket"), place.get("Name")
    if not bucket or not key:
        raise words.bad_object()
    try:
        if version := place.get("Version"):
            body = storage.client.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"]
        else:
            body = storage.open(f"s3://{bucket}/{key}")
        with body:
            content: bytes = body.read(IN_S3 + 1)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVERS_FAULT:
            raise words.broken() from error  # S3 is down: the caller may ask again
        raise words.bad_object() from error
    except BotoCoreError as error:
        raise words.broken() from error
    if len(content) > IN_S3:
        raise words.too_large("15 MB")
    if not content:
        raise Refusal("InvalidImageFormatException", "Request has invalid image format")
    return content


def refused(unfit: Unfit) -> Refusal:
    """Return the error for a picture that is not looked at.

    Parameters
    ----------
    unfit
        Why.
    """
    codes = {"format": "InvalidImageFormatException", "large": "ImageTooLargeException"}
    return Refusal(codes.get(unfit.kind, "InvalidParameterException"), unfit.message)
