"""What is done with a record, wherever it comes from: read, written durably, told to those concerned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from crime_jobs.model.fir_event import BadEvent, FirEvent
from crime_jobs.stream.alerts import open_alerts
from crime_jobs.stream.sink import STORED, Arrived, Kind, Position, Sink, Written, open_sink

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings
    from crime_jobs.stream.deadletters import DeadLetters

#: Told of FIRs that are durably written, also of those written before: after a crash between the write and
#: what was to follow, only a replay can tell. It must be repeatable, and raise if it could not do its work.
OnWritten = Callable[[Sequence[Written]], None]

#: Why a FIR that is one is not in the table.
REASONS = {
    Kind.CONFLICT: "conflict: another FIR has this key",
    Kind.REFUSED: "refused: DynamoDB takes no such item",
}


@dataclass(frozen=True)
class Raw:
    """A user record.

    Parameters
    ----------
    data
        What it says.
    at
        When Kinesis took it.
    position
        Where it was.
    """

    data: bytes
    at: datetime
    position: Position


@dataclass(frozen=True)
class Handled:
    """What became of a record.

    Parameters
    ----------
    raw
        The record.
    kind
        ``None`` if it is no FIR.
    reason
        Why it is not in the table; ``None`` if it is.
    """

    raw: Raw
    kind: Kind | None
    reason: str | None


class Handler:
    """Writes records to the sink.

    Parameters
    ----------
    sink
        The tables.
    on_written
        Who is told of what was written.
    close
        Called at the end.
    """

    def __init__(self, sink: Sink, on_written: OnWritten, close: Callable[[], None] = lambda: None) -> None:
        self._sink, self._on_written = sink, on_written
        #: Lets listeners finish what they have begun, for a few seconds at most.
        self.close = close

    def handle(self, records: Sequence[Raw]) -> list[Handled]:
        """Write records durably and tell of them.

        Parameters
        ----------
        records
            In the order of the stream.

        Returns
        -------
        list of Handled
            In the same order. Those with a reason are nowhere yet.

        Raises
        ------
        Exception
            Whatever sink and listeners refuse with: then none of them counts as handled.
        """
        reasons: dict[Position, str] = {}
        arrived = []
        for record in records:
            try:
                arrived.append(Arrived(FirEvent.from_bytes(record.data), record.at, record.position))
            except BadEvent as error:
                reasons[record.position] = f"not a FIR event: {error}"
        written = self._sink.write(arrived)
        stored = [one for one in written if one.kind in STORED]
        if stored:
            self._on_written(stored)
        kinds = {one.arrived.position: one.kind for one in written}
        reasons |= {place: REASONS[kind] for place, kind in kinds.items() if kind in REASONS}
        return [Handled(one, kinds.get(one.position), reasons.get(one.position)) for one in records]


def settle(handler: Handler, letters: DeadLetters, records: Sequence[Raw]) -> list[Handled]:
    """Do all that is to be done with records before a checkpoint may pass over them.

    Parameters
    ----------
    handler
        Writes them.
    letters
        Takes those that can't be processed.
    records
        In the order of the stream.

    Returns
    -------
    list of Handled
        What became of each.

    Raises
    ------
    Exception
        Whatever refuses: then none of them counts as handled.
    """
    handled = handler.handle(records)
    for one in handled:
        if one.reason:
            letters.send(one.raw.position, one.raw.data, one.reason, one.raw.at)
    return handled


def open_handler(
    settings: Settings,
    stream: StreamSettings,
    waiting: Callable[[], None],
    say: Callable[[str], None],
    attempts: int | None = None,
) -> Handler:
    """Open the sink and the alerts.

    Parameters
    ----------
    settings, stream
        For the clients, and the names of tables and topic.
    waiting
        Called when a write has to be tried again.
    say
        Writes a line for whoever runs this.
    attempts
        How often a call to DynamoDB is made at most; without end when not given.

    Returns
    -------
    Handler
    """
    alerts, outbox = open_alerts(settings, stream, waiting, say, attempts=attempts)

    def tell(written: Sequence[Written]) -> None:
        alerts.handle([(one.arrived.event, one.arrived.at) for one in written])

    return Handler(open_sink(settings, stream, waiting, attempts), tell, outbox.close)
