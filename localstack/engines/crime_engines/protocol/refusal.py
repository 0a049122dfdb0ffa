"""A request that is answered with an error, as the service words it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):  # noqa: N818 - reads as what happened
    """An error of the service, sent to the caller.

    Parameters
    ----------
    code
        For example ``InvalidRequestException``.
    message
        What went wrong.
    status
        HTTP status; where the service's model gives the code another, that one is sent.
    members
        Other members of the error, as the model has them.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


def invalid(message: str) -> Refusal:
    """Return a ``ValidationException``.

    Parameters
    ----------
    message
        What is not valid.

    Returns
    -------
    Refusal
    """
    return Refusal("ValidationException", message)
