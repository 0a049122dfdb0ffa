"""The errors a user can act on, each with its exit code.

A message says what went wrong, where (file, line, table, address), why, and what to do. Anything else that
escapes is a defect and keeps its traceback.
"""

from __future__ import annotations


class CrimeJobsError(Exception):
    """An error a user can act on.

    Parameters
    ----------
    message
        What went wrong, where and why, in one or two sentences.
    hint
        What to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class JobFailed(CrimeJobsError):  # noqa: N818 - reads as what happened
    """A job started and could not finish (exit code 1)."""

    exit_code = 1


class WrongUsage(CrimeJobsError):  # noqa: N818
    """The command, its options or the settings are wrong (exit code 2)."""

    exit_code = 2


class Elsewhere(WrongUsage):
    """Something is in another region than the environment (exit code 2).

    Parameters
    ----------
    message, hint
        See `CrimeJobsError`.
    there
        The region that it is in.
    """

    def __init__(self, message: str, *, hint: str = "", there: str = "") -> None:
        super().__init__(message, hint=hint)
        self.there = there


class BadInput(CrimeJobsError):  # noqa: N818
    """The data handed in can't be used as it is (exit code 3)."""

    exit_code = 3


class AwsRefused(CrimeJobsError):  # noqa: N818
    """AWS, or what answers for it, refused or can't be reached (exit code 4)."""

    exit_code = 4


class Interrupted(CrimeJobsError):  # noqa: N818
    """The user ended it (exit code 130); the message says what became of what was under way."""

    exit_code = 130
