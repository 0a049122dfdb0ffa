"""Sends records to a Kinesis stream: each has an outcome, order is kept within a key, memory is bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from crime_jobs.errors import CrimeJobsError


class SenderClosed(CrimeJobsError):  # noqa: N818 - reads as what happened
    """The sender takes no more records: it was closed, or the stream refused it for good."""

    exit_code = 4


class Outcome(NamedTuple):
    """What became of one record.

    Parameters
    ----------
    token
        What was handed in with it.
    partition_key
        Its partition key.
    confirmed
        Whether Kinesis has it.
    shard_id, sequence_number, sub_sequence_number
        Where, when it is confirmed: as the KCL names it.
    error_code
        Why not, when it is not.
    attempts
        How often it was sent.
    """

    token: object
    partition_key: str
    confirmed: bool
    shard_id: str = ""
    sequence_number: str = ""
    sub_sequence_number: int = 0
    error_code: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class Counts:
    """Counters of a sender, at one moment: records, but for `bytes`, which are those confirmed."""

    accepted: int = 0
    confirmed: int = 0
    failed: int = 0
    retried: int = 0
    bytes: int = 0
    in_flight: int = 0


@dataclass(frozen=True)
class SenderOptions:
    """How a sender works."""

    max_bytes: int = 32 * 1024 * 1024


class Sender:
    """Sends records; see the module."""

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        options: SenderOptions = SenderOptions(),
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> None:
        self._client, self._stream, self._options, self._told = client, stream, options, on_outcome

    def put(self, partition_key: str, data: bytes, token: object = None) -> None:
        """Take a record; blocks while too much is outstanding.

        Raises
        ------
        SenderClosed
            If no more are taken.
        """
        raise NotImplementedError

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was taken has an outcome; returns whether it has."""
        raise NotImplementedError

    def close(self, timeout: float = 30.0) -> Counts:
        """Flush and stop; what can't be sent in time comes out as failed."""
        raise NotImplementedError

    @property
    def counts(self) -> Counts:
        """The counters."""
        raise NotImplementedError
