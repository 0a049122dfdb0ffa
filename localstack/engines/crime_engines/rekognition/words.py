"""Rekognition's errors, in its words where they are known."""

from __future__ import annotations

from crime_engines.protocol import Refusal


def invalid_parameters(message: str = "Request has invalid parameters") -> Refusal:
    """Return an ``InvalidParameterException``.

    Parameters
    ----------
    message
        What is wrong; Rekognition itself says no more than the default.
    """
    return Refusal("InvalidParameterException", message)


def no_faces() -> Refusal:
    """Return the error for a picture without a face, where one is needed."""
    return invalid_parameters("There are no faces in the image. Should be at least 1.")


def no_collection(name: str) -> Refusal:
    """Return the error for a collection that is not there.

    Parameters
    ----------
    name
        Its id.
    """
    return Refusal("ResourceNotFoundException", f"The collection id: {name} does not exist")


def collection_exists(name: str) -> Refusal:
    """Return the error for a collection that is there already.

    Parameters
    ----------
    name
        Its id.
    """
    return Refusal("ResourceAlreadyExistsException", f"The collection id: {name} already exists")


def bad_token() -> Refusal:
    """Return the error for a page that can't be."""
    return Refusal("InvalidPaginationTokenException", "Invalid pagination token")


def bad_object() -> Refusal:
    """Return the error for an object that can't be had."""
    return Refusal(
        "InvalidS3ObjectException",
        "Unable to get object metadata from S3. Check object key, region and/or access permissions.",
    )


def too_large(limit: str) -> Refusal:
    """Return the error for a file with too many bytes.

    Parameters
    ----------
    limit
        For example ``15 MB``.
    """
    return Refusal(
        "ImageTooLargeException", f"Image size is too large. Maximum image size supported is {limit}"
    )


def busy() -> Refusal:
    """Return the error for more calls than can be done."""
    return Refusal("ProvisionedThroughputExceededException", "Provisioned rate exceeded")


def broken() -> Refusal:
    """Return the error for a defect."""
    return Refusal("InternalServerError", "Internal server error", 500)
