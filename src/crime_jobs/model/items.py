"""The type rules: what an Oracle value becomes in DynamoDB, what fits, and the checksum that proves it.

========================  =========================================================================
Oracle                    DynamoDB
========================  =========================================================================
NUMBER, FLOAT, BINARY_*   N, exact to 38 significant digits, 1E-130 to 9.99E+125; more does not fit
CHAR, VARCHAR2, N…        S, as it is, blanks at its end included
DATE                      S, ``2014-03-31T23:59:59``: no zone, since the column has none; ``-0044`` is 44 BC
TIMESTAMP                 S, the same with its fraction: ``…59.123456``
TIMESTAMP WITH TIME ZONE  S, the same with its offset: ``…59.123456+05:30``
… WITH LOCAL TIME ZONE    S, the same in UTC: ``…59.123456+00:00``
CLOB, NCLOB               S
RAW, BLOB                 B
NULL, and so ``''``       no attribute
========================  =========================================================================

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html. Sizes:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

from crime_jobs.model.tablemapping import NUMBER, Attribute, Kind, TableMapping

MAX_ITEM_BYTES = 400 * 1024
MAX_DIGITS = 38
#: Bytes of a key attribute's value.
MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES = 2048, 1024
WRITE_UNIT_BYTES = 1024

_EXPONENTS = range(-130, 126)
#: Rounds nothing: what it can't hold is an error.
_EXACT = Context(prec=200, traps=[InvalidOperation, Inexact])
_FRACTION = re.compile(r"(\.\d*?)0+(?=$|[+-])")

#: A source row: every column as the text that the database made of it, RAW as bytes, NULL as ``None``.
Row = Mapping[str, str | bytes | None]
#: An item or a key as boto3's client takes it: ``{"YEAR": {"N": "2014"}}``.
Item = dict[str, dict[str, Any]]


class Unfit(ValueError):  # noqa: N818 - reads as what it is
    """A row that can't be an item. Says which attribute and why, never what is in it.

    Parameters
    ----------
    attribute
        The attribute's name, or an empty string for the row as a whole.
    reason
        Why.
    """

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(f"{attribute}: {reason}" if attribute else reason)
        self.attribute = attribute
        self.reason = reason


def number(text: str) -> str:
    """Return a number as DynamoDB takes it.

    Parameters
    ----------
    text
        As the database wrote it, exact.

    Returns
    -------
    str
        The same value without an exponent where it is short, and without needless zeros.

    Raises
    ------
    ValueError
        If it is no number, has more than 38 significant digits, or is too large or too small.
    """
    if text.isdecimal() and text.isascii() and len(text) <= MAX_DIGITS:  # most are counts
        return text.lstrip("0") or "0"
    text = text.strip()
    if not NUMBER.fullmatch(text):
        raise ValueError("it is not a finite number")
    try:
        value = Decimal(text).normalize(_EXACT)
    except (Inexact, InvalidOperation) as error:
        raise ValueError("it has far too many digits, or far too large an exponent") from error
    if len(value.as_tuple().digits) > MAX_DIGITS:
        raise ValueError(f"it has more than {MAX_DIGITS} significant digits")
    if not value:  # also -0, which DynamoDB gives back as 0
        return "0"
    if value.adjusted() not in _EXPONENTS:
        raise ValueError("its magnitude is not within 1E-130 to 9.99E+125")
    plain = f"{value:f}"
    return plain if len(plain) <= MAX_DIGITS + 3 else str(value)


def _canonical_text(kind: Kind, text: str) -> str:
    """Write a value as it is written everywhere, whatever the database adds to it.

    A moment has no zeros at the end of its fraction (23:59:59.120000000 is 23:59:59.12), and no blank where
    its year has no sign; a number has one form.
    """
    if kind == "number":
        return number(text)
    if kind in ("date", "timestamp", "timestamptz", "timestampltz"):
        return _FRACTION.sub(lambda found: "" if found[1] == "." else found[1], text.lstrip())
    return text


def _rendered(mapping: TableMapping, attribute: Attribute, row: Row) -> str | bytes | None:
    if attribute.is_plain:
        return row[attribute.columns[0]]
    parts = []
    for text, is_column in attribute.parts:
        value = row[text] if is_column else text
        if value is None:  # a text made of a NULL says nothing that can be relied on
            return None
        if isinstance(value, bytes | bytearray):
            raise Unfit(attribute.name, f"column {text} is binary and can't be part of a text")
        parts.append(_canonical_text(mapping.kinds[text], value) if is_column else value)
    return "".join(parts)


def _value(attribute: Attribute, value: str | bytes) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"B": bytes(value)}
    try:
        value = _canonical_text(attribute.kind, value)
    except ValueError as error:
        raise Unfit(attribute.name, str(error)) from error
    if attribute.kind == "number":
        return {"N": value}
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unfit(attribute.name, "it is not valid text (half of a surrogate pair)") from error
    return {"S": value}


def item_of(mapping: TableMapping, row: Row) -> Item:
    """Turn a row into its item.

    Parameters
    ----------
    mapping
        Where it goes.
    row
        The row.

    Returns
    -------
    dict
        The item. A NULL has no attribute.

    Raises
    ------
    Unfit
        If a value, the key or the whole does not fit into DynamoDB.
    """
    made: Item = {}
    for attribute in mapping.attributes:
        try:
            value = _rendered(mapping, attribute, row)
        except Unfit:
            raise
        except ValueError as error:  # a number within a text
            raise Unfit(attribute.name, str(error)) from error
        # bytearray is what Spark gives for binary columns
        if value is not None and (not isinstance(value, str) or value != ""):
            made[attribute.name] = _value(attribute, value if isinstance(value, str) else bytes(value))
    limits = (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES)
    for attribute, most in zip(mapping.keys, limits, strict=False):
        if attribute.name not in made or not value_bytes(made[attribute.name]):
            raise Unfit(attribute.name, "a key can't be empty, and this one is, or is made of a NULL")
        if value_bytes(made[attribute.name]) > most:
            raise Unfit(attribute.name, f"as a key it may have {most} bytes, and it has more")
    size = item_bytes(made)
    if size > MAX_ITEM_BYTES:
        largest = max(made, key=lambda name: value_bytes(made[name]))
        raise Unfit(
            largest, f"the item has {size} bytes, {MAX_ITEM_BYTES} are the most; this is its largest part"
        )
    return made


def key_of(mapping: TableMapping, item: Item) -> Item:
    """Return the key of an item."""
    return {key.name: item[key.name] for key in mapping.keys}


def value_bytes(value: Mapping[str, Any]) -> int:
    """Return the size of an attribute's value as DynamoDB counts it (a number: approximately)."""
    ((kind, content),) = value.items()
    if kind == "N":
        digits = len(content.lstrip("-").partition("E")[0].replace(".", "").strip("0"))
        return (digits + 1) // 2 + 1 + (1 if content.startswith("-") else 0)
    return len(content.encode()) if isinstance(content, str) else len(content)


def item_bytes(item: Item) -> int:
    """Return the size of an item as DynamoDB counts it."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def write_units(size: int) -> int:
    """Return the write capacity units that putting an item of so many bytes takes."""
    return max(1, math.ceil(size / WRITE_UNIT_BYTES))


def _canonical(value: Mapping[str, Any]) -> list[str]:
    ((kind, content),) = value.items()
    if kind == "N":
        exact = Decimal(content).normalize(_EXACT)
        sign, digits, exponent = (exact or Decimal(0)).as_tuple()  # -0 is 0
        return ["N", f"{'-' if sign else ''}{''.join(map(str, digits))}E{exponent}"]
    if kind == "B":
        return ["B", base64.b64encode(bytes(content)).decode()]
    return [kind, content if isinstance(content, str) else json.dumps(content, sort_keys=True, default=str)]


def checksums(item: Item) -> dict[str, str]:
    """Return a checksum for each attribute: equal just when type and value are.

    Parameters
    ----------
    item
        The item.

    Returns
    -------
    dict
        Attribute name to 16 hexadecimal digits of a SHA-256. Numbers count by value (``1.0`` is ``1``).
    """
    return {
        name: hashlib.sha256("\0".join(_canonical(value)).encode()).hexdigest()[:16]
        for name, value in item.items()
    }


def checksum(parts: Mapping[str, str]) -> str:
    """Return the checksum of an item from those of its attributes.

    Parameters
    ----------
    parts
        As `checksums` returns them.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    text = "\0".join(f"{name}\0{parts[name]}" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()


def key_text(mapping: TableMapping, item: Item) -> str:
    """Return the key as one line of JSON that tells items of a table apart: ``["IN-TN|…", "2014"]``.

    Numbers are as `number` writes them, so the text of an item read back equals that of the item written.
    """
    values = (item[key.name] for key in mapping.keys)
    texts = [number(value["N"]) if "N" in value else _canonical(value)[1] for value in values]
    return json.dumps(texts, ensure_ascii=False)
