"""Values between JSON and Python, by the shapes of a service model."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from crime_engines.protocol.refusal import Refusal


def from_json(value: Any, shape: Shape) -> Any:  # noqa: C901, PLR0911 - a case a kind of shape
    """Turn what JSON gave into what the shape means: times and blobs become Python's.

    Parameters
    ----------
    value
        Parsed JSON.
    shape
        What it should be. Where it isn't, the value stays as it is, for the validation to refuse.

    Returns
    -------
    Any
    """
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        if shape.is_document_type:
            return value
        by_name = {_wire_name(name, member): (name, member) for name, member in shape.members.items()}
        found = {}
        for key, item in value.items():
            name, member = by_name.get(key, (key, None))
            if item is not None:  # a null member is one that is not there
                found[name] = from_json(item, member) if member else item
        return found
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [from_json(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: from_json(item, shape.value) for key, item in value.items()}
    if (
        shape.type_name == "timestamp"
        and isinstance(value, int | float | str)
        and not isinstance(value, bool)
    ):
        return _time(value)
    if shape.type_name == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except ValueError as error:
            raise Refusal("SerializationException", "A blob is not base64.") from error
    if shape.type_name in ("float", "double") and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise Refusal("SerializationException", "A number is too large.") from error
    return value


def from_text(text: str, shape: Shape) -> Any:
    """Read a value that stood in the path or the query string.

    Parameters
    ----------
    text
        As it stood there, unquoted.
    shape
        What it should be.

    Returns
    -------
    Any
    """
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name == "boolean":
            return {"true": True, "false": False}[text]
    except (ValueError, KeyError) as error:
        raise Refusal("ValidationException", f"{text!r} is not a valid {shape.type_name}.") from error
    return _time(text) if shape.type_name == "timestamp" else text


def to_json(value: Any, shape: Shape) -> Any:
    """Turn an answer into what JSON can hold; members that are ``None`` are left out.

    Parameters
    ----------
    value
        What a service returned.
    shape
        What it should be.

    Returns
    -------
    Any
    """
    if isinstance(shape, StructureShape) and isinstance(value, dict) and not shape.is_document_type:
        return {
            _wire_name(name, shape.members[name]): to_json(item, shape.members[name])
            for name, item in value.items()
        }
    if isinstance(shape, ListShape):
        return [to_json(item, shape.member) for item in value]
    if isinstance(shape, MapShape):
        return {key: to_json(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def without_none(value: Any) -> Any:
    """Leave out what is ``None``, at any depth.

    Parameters
    ----------
    value
        Dictionaries, lists and plain values.

    Returns
    -------
    Any
    """
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value]
    return value


def _wire_name(name: str, shape: Shape) -> str:
    return str(shape.serialization.get("name", name))


def _time(value: float | str) -> Any:
    try:
        if isinstance(value, str):
            return parse_timestamp(value)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return value
