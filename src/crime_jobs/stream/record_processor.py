"""The process that reads one shard: the KCL's daemon starts it and speaks with it over stdin and stdout.

The order is the point. Records are written durably, alerts are sent, what can't be processed goes to the
dead-letter queue, and only then the checkpoint is made, at the very number of the last of them. Whatever goes
wrong ends the process: amazon_kclpy would report an exception as success, and the next checkpoint would pass
over the records. The supervisor starts it again, from the last checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from amazon_kclpy import kcl
from amazon_kclpy.v3.processor import RecordProcessorBase

from crime_jobs.model.streams import of as stream_of
from crime_jobs.settings import Settings
from crime_jobs.stream.daemon import SETTINGS
from crime_jobs.stream.deadletters import DeadLetters, open_letters
from crime_jobs.stream.handling import Handled, Handler, Raw, open_handler, settle
from crime_jobs.stream.sink import Position
from crime_jobs.stream.status import Notes, lives

#: Exit code after what should not happen: BSD's "internal software error".
FAILED = 70

#: Records that are handled, and checkpointed, at a time.
SLICE = 1000

#: Attempts at a checkpoint that fails in passing. Without one the next is as good.
CHECKPOINTS = 4
_PASSING = {"ThrottlingException", "KinesisClientLibDependencyException"}
_LOST = "ShutdownException"
_PAUSE = 0.1

#: Seconds between two looks whether the daemon still lives.
_LOOK = 0.2


def say(text: str) -> None:
    """Write a line to stderr, from where the daemon logs it; never with anything of a record.

    A log that can't be written, since its disk is full, is no reason to stop.
    """
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())  # past Python's buffer, which would keep what was refused


def leave(doing: str, error: BaseException) -> NoReturn:
    """End the process at once, so that nothing more is reported or checkpointed.

    Parameters
    ----------
    doing
        What was being done.
    error
        What happened; its kind is told, what it says may quote a record.
    """
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    cause = error.__cause__
    said = " ".join(
        filter(None, [type(error).__name__, code, f"from {type(cause).__name__}" if cause else ""])
    )
    say(f"{doing} failed, the process ends: {said}")
    os._exit(FAILED)


class Processor(RecordProcessorBase):  # type: ignore[misc]
    """Handles the records of a shard.

    Parameters
    ----------
    stream
        Name of the stream.
    folder
        The consumer's state folder.
    make
        Makes the handler and the dead-letter queue, given whom to tell that something waits.
    """

    def __init__(
        self,
        stream: str,
        folder: Path,
        make: Callable[[Callable[[], None]], tuple[Handler, DeadLetters]],
    ) -> None:
        self._stream, self._folder, self._make = stream, folder, make
        self._notes: Notes
        self._handler: Handler
        self.close: Callable[[], None] = lambda: None
        self._dead: DeadLetters
        self._due: Any = None  # a record that was handled, and not yet checkpointed

    def initialize(self, initialize_input: Any) -> None:
        """Begin with a shard."""
        try:
            self._notes = Notes(self._folder, initialize_input.shard_id)
            self._handler, self._dead = self._make(lambda: self._notes.tell("waiting"))
            self.close = self._handler.close
            self._notes.tell("reading")
        except Exception as error:  # noqa: BLE001 - ends the process
            leave("Starting", error)

    def process_records(self, process_records_input: Any) -> None:
        """Handle a batch, slice by slice, each with its checkpoint."""
        try:
            records = process_records_input.records
            self._notes.now.millis_behind = process_records_input.millis_behind_latest or 0
            for at in range(0, len(records), SLICE):
                part = records[at : at + SLICE]
                self._handle([self._raw(record) for record in part])
                self._checkpoint(process_records_input.checkpointer, part[-1])
            self._notes.tell("reading")
        except Exception as error:  # noqa: BLE001 - amazon_kclpy would go on
            leave("Handling records", error)

    def lease_lost(self, lease_lost_input: Any) -> None:  # noqa: ARG002 - it says nothing
        """Another worker has the shard: nothing may be checkpointed any more."""
        self._notes.tell("lost")

    def shard_ended(self, shard_ended_input: Any) -> None:
        """All records were handled: say so, that the shard's children may begin."""
        try:
            self._checkpoint(shard_ended_input.checkpointer, None)
            self._notes.tell("ended")
        except Exception as error:  # noqa: BLE001
            leave("Ending the shard", error)

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        """Make the checkpoint that could not be made; else nothing is left to do after the last batch."""
        self._notes.tell("stopping")
        if self._due is not None:
            try:
                self._checkpoint(shutdown_requested_input.checkpointer, self._due)
            except Exception as error:  # noqa: BLE001
                leave("The last checkpoint", error)

    def _raw(self, record: Any) -> Raw:
        place = Position(
            self._stream, self._notes.now.shard, record.sequence_number, record.sub_sequence_number or 0
        )
        arrived = datetime.fromtimestamp(record.timestamp_millis / 1000, UTC)
        return Raw(record.binary_data, arrived, place)

    def _handle(self, records: Sequence[Raw]) -> None:
        self._notes.count(_counted(settle(self._handler, self._dead, records)))

    def _checkpoint(self, checkpointer: Any, record: Any) -> None:
        """Checkpoint at a record, or at the end of the shard.

        Whatever refuses in passing only delays it: the next checkpoint covers these records too. The end of a
        shard has no next, so there it is an error.
        """
        now = self._notes.now
        place = [record.sequence_number, record.sub_sequence_number or 0] if record else []
        for attempt in range(1, CHECKPOINTS + 1):
            try:
                checkpointer.checkpoint(*place)
            except kcl.CheckpointError as error:
                if error.value == _LOST and record:
                    return  # another worker has the shard, and the daemon will say so
                if error.value not in _PASSING or (attempt == CHECKPOINTS and not record):
                    raise
                self._notes.tell("waiting")
                time.sleep(_PAUSE * 2**attempt)
            else:
                self._due = None
                if record:
                    first = (
                        not now.checkpoint_at
                    )  # whoever kills this next must not hide that it got somewhere
                    now.sequence, now.sub_sequence = place
                    now.checkpoint_at = time.time()
                    self._notes.tell("reading", at_once=first)
                return
        self._due = record


def _counted(handled: Sequence[Handled]) -> list[str]:
    return ["dead" if one.reason or one.kind is None else one.kind.value for one in handled]


def leave_with(daemon: int) -> None:
    """End this process when the daemon is gone: it may be waiting for a table, and never see its stdin end.

    Parameters
    ----------
    daemon
        Id of its process.
    """

    def watch() -> None:
        while lives(daemon):
            time.sleep(_LOOK)
        os._exit(0)

    threading.Thread(target=watch, name="daemon-watch", daemon=True).start()


def serve(folder: Path) -> None:
    """Speak with the daemon until it is done.

    Parameters
    ----------
    folder
        The consumer's state folder.
    """
    told = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    settings = Settings.model_validate({**told, "environ": {}})
    stream = stream_of(settings.stream)

    def make(waiting: Callable[[], None]) -> tuple[Handler, DeadLetters]:
        return open_handler(settings, stream, waiting, say), open_letters(settings, stream, waiting)

    # What any library prints must not get between the messages.
    messages = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    processor = Processor(stream.name, folder, make)
    kcl.KCLProcess(processor, sys.stdin, messages, sys.stderr).run()
    processor.close()


def main() -> None:
    """Run as the daemon starts it: ``python -m crime_jobs.stream.record_processor FOLDER DAEMON``."""
    leave_with(int(sys.argv[2]))
    try:
        serve(Path(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - a traceback may quote a message, that is, records
        leave("Speaking with the daemon", error)
    os._exit(0)  # a thread that waits for AWS holds nobody up: what it would do is written down, for the next


if __name__ == "__main__":
    main()
