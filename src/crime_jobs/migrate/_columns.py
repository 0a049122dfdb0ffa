"""Attributes of items as columns of a table: their order, their types, and each value as text.

A column's type is chosen by all its values, so that each fits as it is:

==============================  =====================================================
seen                            Parquet
==============================  =====================================================
S only                          ``string``
B only                          ``binary``
N only, integral, 64 bits       ``bigint``
N only, of up to 38 digits      ``decimal(38,s)``, s being the most decimals of any
N only, else                    ``string``, the exact text
lists, maps, sets, BOOL, NULL   ``string``, as JSON; numbers in it exact, sets sorted
several of these                ``string``, each value as it would be in CSV
==============================  =====================================================

In CSV a string stands as it is, a number as its exact text, binary as base64, everything else as JSON.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from crime_jobs.migrate._itemfiles import Value
from crime_jobs.model import legacy
from crime_jobs.model.exports import ExportedColumn
from crime_jobs.model.items import MAX_DIGITS, number

_EXACT = Context(prec=200)
_LEAST, _MOST = -(2**63), 2**63 - 1
#: Digits that a number of 64 bits surely has room for, and that none has more than.
_SURE_DIGITS, _MOST_DIGITS = 18, 19


@dataclass
class Seen:
    """What is known of an attribute's values.

    Parameters
    ----------
    kinds
        DynamoDB's types.
    digits, decimals
        The most digits before and after the point that a number has.
    integers
        Whether all numbers are integral and fit into 64 bits.
    """

    kinds: set[str] = field(default_factory=set)
    digits: int = 0
    decimals: int = 0
    integers: bool = True

    def add(self, value: Value) -> None:
        """Take another value into account."""
        ((kind, content),) = value.items()
        self.kinds.add(kind)
        if kind != "N":
            return
        if len(content) <= _SURE_DIGITS and content.isascii() and content.isdigit():  # most are counts
            self.digits = max(self.digits, len(content))
            return
        exact = Decimal(content).normalize(_EXACT)
        exponent = exact.as_tuple().exponent
        assert isinstance(exponent, int)  # noqa: S101 - DynamoDB has no NaN and no infinity
        digits, decimals = max(0, exact.adjusted() + 1), max(0, -exponent)
        self.digits, self.decimals = max(self.digits, digits), max(self.decimals, decimals)
        self.integers &= not decimals and digits <= _MOST_DIGITS and _LEAST <= int(exact) <= _MOST

    def merge(self, other: Seen) -> None:
        """Take what is known of other items into account."""
        self.kinds |= other.kinds
        self.digits, self.decimals = max(self.digits, other.digits), max(self.decimals, other.decimals)
        self.integers &= other.integers

    @property
    def type(self) -> str:
        """The column's type in Parquet."""
        if self.kinds == {"B"}:
            return "binary"
        if self.kinds != {"N"}:
            return "string"
        if self.integers:
            return "bigint"
        return f"decimal(38,{self.decimals})" if self.digits + self.decimals <= MAX_DIGITS else "string"


def take_in(seen: dict[str, Seen], item: Mapping[str, Value]) -> None:
    """Take an item's attributes into account.

    Parameters
    ----------
    seen
        What is known by attribute; added to.
    item
        The item.
    """
    for name, value in item.items():
        if name not in seen:
            seen[name] = Seen()
        seen[name].add(value)


def columns_of(table: str, keys: Sequence[str], seen: Mapping[str, Seen]) -> tuple[ExportedColumn, ...]:
    """Choose a table's columns: the key, then as the old database has them, then the others by name.

    Parameters
    ----------
    table
        The DynamoDB table.
    keys
        The key's attributes.
    seen
        What is known by attribute.

    Returns
    -------
    tuple of ExportedColumn
        The columns of a table of the old database are all there, whether an item has them or not.
    """
    names = dict.fromkeys([*keys, *_known(table), *sorted(seen)])
    about = {name: seen.get(name, Seen()) for name in names}
    return tuple(
        ExportedColumn(name=n, type=s.type, dynamodb=tuple(sorted(s.kinds))) for n, s in about.items()
    )


def _known(table: str) -> Iterable[str]:
    found = (one for one in legacy.tables().values() if legacy.target_name(one) == table)
    return (column.name for one in found for column in one.columns)


def text(value: Value) -> str:
    """Return a value as CSV has it, and a column of strings.

    Parameters
    ----------
    value
        As a line has it.

    Returns
    -------
    str
    """
    ((kind, content),) = value.items()
    if kind in ("S", "B"):
        return str(content)
    return number(content) if kind == "N" else json_text(value)


def json_text(value: Value) -> str:
    """Return a value as JSON, with numbers to their last digit.

    Parameters
    ----------
    value
        As a line has it.

    Returns
    -------
    str
    """
    ((kind, content),) = value.items()
    if kind == "N":
        return number(content)
    if kind == "M":
        return "{" + ", ".join(f"{_quoted(k)}: {json_text(content[k])}" for k in sorted(content)) + "}"
    if kind == "L":
        return "[" + ", ".join(map(json_text, content)) + "]"
    if kind == "NS":
        return "[" + ", ".join(sorted(map(number, content), key=Decimal)) + "]"
    if kind == "NULL":
        return "null"
    return _quoted(sorted(content) if kind in ("SS", "BS") else content)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def cell(type_: str, value: Value | None) -> Any:
    """Return a value as a column of a type takes it.

    Parameters
    ----------
    type_
        The column's type.
    value
        As a line has it; ``None`` if the item has none.

    Returns
    -------
    object
        For pyarrow.
    """
    if value is None:
        return None
    if type_ == "binary":
        return base64.b64decode(value["B"])
    if type_ == "bigint":
        return int(number(value["N"]))
    return Decimal(value["N"]) if type_.startswith("decimal") else text(value)
