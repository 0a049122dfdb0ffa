"""Sends FIRs: seals the identity, makes the event, hands it to the sender, and knows what became of each."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TextIO

from pydantic import ValidationError

from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.model.fir import BadFir, Fir, make_event
from crime_jobs.model.fir_event import FirEvent, reasons
from fir_producer.options import SenderOptions
from fir_producer.outcomes import Counts, Outcome
from fir_producer.positions import Mark, Tracker

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings
    from fir_producer.sender import Sender

#: So many keys are told apart; a longer run does not say how many different FIRs it sent.
MOST_KEYS = 2_000_000

#: Seconds for what there is at the end: longer than a sender tries a record by default.
PATIENT = 330.0

Seal = Callable[[str, bytes], str]


class Sent(NamedTuple):
    """What comes back with a FIR's outcome."""

    fir_key: str
    line: int | None
    mark: Mark | None


class Lines:
    """A file that gets a JSON object a line; none when there is no path.

    Parameters
    ----------
    path
        The file.
    append
        Whether what is in it stays: of a run that goes on where an earlier one ended.
    """

    def __init__(self, path: Path | None, *, append: bool = False) -> None:
        self._file: TextIO | None = None
        if path:
            try:
                self._file = path.open("a" if append else "w", encoding="utf-8", buffering=1)
            except OSError as error:
                raise WrongUsage(f"{path} can't be written: {error.strerror}.") from error

    def add(self, **values: Any) -> None:
        """Add a line."""
        if self._file:
            self._file.write(json.dumps(values) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def event_of(fir: Fir, seal: Seal) -> FirEvent:
    """Make what travels of a FIR, its identity sealed.

    Parameters
    ----------
    fir
        The FIR.
    seal
        As `crime_jobs.sealing.Sealer.seal`; not called for a protected FIR.

    Returns
    -------
    FirEvent

    Raises
    ------
    BadFir
        If it can't be made: fields and kinds, never values.
    """
    identity = fir.identity
    try:
        return make_event(fir, None if identity is None else seal(fir.key, identity))
    except ValidationError as error:  # what is sealed is longer than any reader takes
        raise BadFir(reasons(error)) from None


class Delivery:
    """Sends FIRs and counts.

    Parameters
    ----------
    open_sender
        Makes the sender, given what is to be called for each outcome.
    seal
        See `event_of`.
    failed
        Gets the key of each FIR that was not confirmed, and why.
    on_failure
        Called for each of them.
    on_outcome
        Called for each outcome, with the FIR's line.
    time_left
        Seconds for sending what there is at the end; asked then.
    """

    def __init__(
        self,
        open_sender: Callable[[Callable[[Outcome], None]], Sender],
        seal: Seal,
        *,
        failed: Lines | None = None,
        on_failure: Callable[[], None] = lambda: None,
        on_outcome: Callable[[int | None, Outcome], None] = lambda _line, _outcome: None,
        time_left: Callable[[], float] = lambda: PATIENT,
    ) -> None:
        self._seal, self._failures, self._on_failure = seal, failed or Lines(None), on_failure
        self._on_outcome, self._time_left = on_outcome, time_left
        self._lock = threading.Lock()
        self._keys: set[int] | None = set()
        self.tracker = Tracker()
        #: The error codes of what failed, and how many of each.
        self.errors: dict[str, int] = {}
        self.sender = open_sender(self._told)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close(self._time_left())
        self._failures.close()

    def send(self, fir: Fir, *, line: int | None = None, mark: Mark | None = None) -> None:
        """Send a FIR; waits while too many are under way.

        Parameters
        ----------
        fir
            The FIR.
        line
            Its line in the source, for who reads of its failure.
        mark
            Marked as done when it is confirmed.

        Raises
        ------
        BadFir
            If no event can be made of it.
        SenderClosed
            If the stream takes no more.
        """
        event = event_of(fir, self._seal)
        try:
            self.sender.put(event.partition_key, event.to_bytes(), Sent(fir.key, line, mark))
        except BadInput:
            raise BadFir("record: larger than the stream takes") from None

    def close(self, timeout: float) -> Counts:
        """Send what there is, and stop."""
        return self.sender.close(timeout)

    @property
    def counts(self) -> Counts:
        """The sender's counters."""
        return self.sender.counts

    @property
    def distinct(self) -> int | None:
        """How many different FIRs were confirmed; ``None`` when there were more than are told apart."""
        with self._lock:
            return None if self._keys is None else len(self._keys)

    def _told(self, outcome: Outcome) -> None:
        sent = outcome.token
        assert isinstance(sent, Sent)  # noqa: S101 - it is what `send` handed in
        self._on_outcome(sent.line, outcome)
        if outcome.confirmed:
            with self._lock:
                if self._keys is not None:
                    self._keys.add(hash(sent.fir_key))
                    if len(self._keys) > MOST_KEYS:
                        self._keys = None
            if sent.mark:
                self.tracker.done(sent.mark)
            return
        with self._lock:
            self.errors[outcome.error_code] = self.errors.get(outcome.error_code, 0) + 1
            self._failures.add(
                fir_key=sent.fir_key,
                line=sent.line,
                error_code=outcome.error_code,
                attempts=outcome.attempts,
            )
        self._on_failure()


def opener(
    settings: Settings, stream: StreamSettings, options: SenderOptions
) -> Callable[[Callable[[Outcome], None]], Sender]:
    """Return what makes the sender of an environment, for `Delivery`."""
    from crime_jobs import aws
    from fir_producer.sender import Sender

    client = aws.client("kinesis", settings, attempts=1, validated=False)

    def open_sender(told: Callable[[Outcome], None]) -> Sender:
        return Sender(client, stream.name, options=options, on_outcome=told)

    return open_sender
