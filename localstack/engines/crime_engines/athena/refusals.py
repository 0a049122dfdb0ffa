"""Athena's refusals, and pages of its lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from crime_engines.protocol import Call, Refusal

#: Entries of one page unless fewer are asked for.
PAGE = 50

T = TypeVar("T")


def refused(message: str, code: str = "INVALID_INPUT") -> Refusal:
    """Return an ``InvalidRequestException``.

    Parameters
    ----------
    message
        What is wrong.
    code
        Its ``AthenaErrorCode``.
    """
    return Refusal("InvalidRequestException", message, members={"AthenaErrorCode": code})


def page_of(found: Sequence[T], call: Call, size: int = PAGE) -> tuple[list[T], str | None]:
    """Return the entries that a call asks for, and where the next page begins.

    Parameters
    ----------
    found
        All entries.
    call
        The call.
    size
        How many unless the call says.
    """
    try:
        begin = int(call.params.get("NextToken", "0"))
    except ValueError as error:
        raise refused("Invalid NextToken.", "INVALID_NEXT_TOKEN") from error
    end = begin + (call.params.get("MaxResults") or size)
    return list(found[begin:end]), str(end) if end < len(found) else None
