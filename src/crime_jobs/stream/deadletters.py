"""Records that could not be processed: a queue of them, sealed, from where they can be processed again.

A letter says where its record was and why it is here; the record itself is sealed with the streams' KMS key.
One that is too large for a message is kept in the history's bucket, and the letter says where.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ValidationError

from crime_jobs import aws
from crime_jobs.errors import AwsRefused
from crime_jobs.model.fir_event import iso
from crime_jobs.model.streams import StreamSettings
from crime_jobs.stream.patience import patiently
from crime_jobs.stream.sink import Position

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Characters of a sealed record that a message carries: a queue takes 256 KiB unless it is told otherwise.
LARGEST = 200_000

#: Folder of the history's bucket, beside the history, for larger ones.
FOLDER = "dead-letters"

#: How often a letter is offered to the queue: about half a minute.
ATTEMPTS = 8

#: Seconds for which letters that somebody reads are hidden from others: so long that all that a queue lets
#: anybody hold (120,000) can be read before the first of them is there again.
HIDDEN = 300

#: Letters of one call (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
BATCH = 10

#: What SQS says of a letter that is no longer in our hands: shown to others, or deleted.
_GONE = {"MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "ReceiptHandleIsInvalid"}


class Seals(Protocol):
    """What seals and opens; see `crime_jobs.sealing.Sealer`."""

    def seal(self, subject: str, content: bytes) -> str:
        """Seal content that is about a subject."""

    def unseal(self, subject: str, sealed: str) -> bytes:
        """Open it again."""


class Letter(BaseModel):
    """What a message of the queue says.

    Parameters
    ----------
    stream, shard, sequence, sub_sequence
        Where the record was.
    reason
        Why it is here: names of fields, never a value.
    arrived_at, sent_at
        When Kinesis took it, and when it was put here.
    size
        Bytes of the record.
    sealed
        The sealed record, or
    sealed_at
        the ``s3://`` URI of it.
    """

    stream: str
    shard: str
    sequence: str
    sub_sequence: int
    reason: str
    arrived_at: datetime
    sent_at: datetime
    size: int
    sealed: str | None = None
    sealed_at: str | None = None

    @property
    def position(self) -> Position:
        """Where the record was."""
        return Position(self.stream, self.shard, self.sequence, self.sub_sequence)


class Received(BaseModel):
    """A letter in somebody's hands.

    Parameters
    ----------
    id
        SQS's name of the message.
    receipt
        What it is deleted with.
    letter
        What it says; ``None`` if it is no letter of ours.
    """

    id: str
    receipt: str
    letter: Letter | None


class DeadLetters:
    """The queue.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names of queue, key and bucket.
    sealer
        Makes what seals and opens records, when the first has to be.
    waiting
        Called when something has to be tried again.
    """

    def __init__(
        self,
        settings: Settings,
        stream: StreamSettings,
        sealer: Callable[[], Seals],
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._sqs = aws.client("sqs", settings)
        self._s3 = aws.client("s3", settings)
        self._stream, self._waiting = stream, waiting
        self._sealer = functools.cache(sealer)
        self._url: str | None = None
        #: By id, the receipts of letters that are in our hands: of one that came again, the last one counts.
        self._held: dict[str, str] = {}
        self._deleted: set[str] = set()

    def send(self, position: Position, data: bytes, reason: str, arrived_at: datetime) -> None:
        """Put a record into the queue.

        Parameters
        ----------
        position
            Where it was.
        data
            The record.
        reason
            Why it can't be processed; without any value of it.
        arrived_at
            When Kinesis took it.

        Raises
        ------
        Exception
            Whatever KMS, S3 or SQS refuse with, after some attempts: then the record is not handled.
        """
        letter = Letter(
            stream=position.stream,
            shard=position.shard,
            sequence=position.sequence,
            sub_sequence=position.sub_sequence,
            reason=reason,
            arrived_at=arrived_at,
            sent_at=datetime.now(UTC),
            size=len(data),
        )

        def put() -> None:
            sealed = self._sealer().seal(str(position), data)
            where = (
                {"sealed": sealed} if len(sealed) <= LARGEST else {"sealed_at": self._keep(position, sealed)}
            )
            body = letter.model_copy(update=where).model_dump_json(exclude_none=True)
            self._sqs.send_message(QueueUrl=self._queue(), MessageBody=body)

        patiently(put, attempts=ATTEMPTS, waiting=self._waiting)

    def receive(self) -> Iterator[Received]:
        """Take the letters one after the other, each once; the end is where the queue gives none.

        Those that are neither deleted nor put back are there again after `HIDDEN`.

        Yields
        ------
        Received

        Raises
        ------
        AwsRefused
            If the queue is not there or may not be read.
        """
        seen: set[str] = set()
        while True:
            with aws.refusals(f"Reading the queue {self._stream.dead_letters}"):
                said = self._sqs.receive_message(
                    QueueUrl=self._queue(),
                    MaxNumberOfMessages=BATCH,
                    VisibilityTimeout=HIDDEN,
                    WaitTimeSeconds=1,
                )
            if not (messages := said.get("Messages")):
                return
            found = [
                Received(id=one["MessageId"], receipt=one["ReceiptHandle"], letter=_letter(one["Body"]))
                for one in messages
            ]
            self._held |= {one.id: one.receipt for one in found}
            until = time.monotonic() + HIDDEN / 2
            for received in found:
                if received.id in self._deleted:  # it was there again before it was deleted
                    self.delete(received)
                elif received.id not in seen:
                    if time.monotonic() > until:  # those before it took their time
                        self._hide(received, HIDDEN)
                    seen.add(received.id)
                    yield received

    def open(self, letter: Letter) -> bytes:
        """Open the record of a letter.

        Parameters
        ----------
        letter
            The letter.

        Returns
        -------
        bytes
            The record as it was in the stream.

        Raises
        ------
        BadInput
            If it was changed, or is another record's.
        AwsRefused
            If KMS or S3 refuse.
        """
        sealed = letter.sealed
        if sealed is None:
            bucket, key = aws.split_uri(letter.sealed_at or "", "The letter's record")
            with aws.refusals(f"Reading {letter.sealed_at}"):
                sealed = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode("ascii")
        return self._sealer().unseal(str(letter.position), sealed)

    def delete(self, received: Received) -> None:
        """Take a letter, whose record was processed, out of the queue; a record in S3 stays.

        Parameters
        ----------
        received
            The letter.
        """
        receipt = self._held.pop(received.id, received.receipt)
        self._deleted.add(received.id)
        with aws.refusals(f"Deleting from the queue {self._stream.dead_letters}"), _unless_gone():
            self._sqs.delete_message(QueueUrl=self._queue(), ReceiptHandle=receipt)

    def put_back(self, received: Received) -> None:
        """Show a letter to others again.

        Parameters
        ----------
        received
            The letter.
        """
        self._hide(received, 0)
        self._held.pop(received.id, None)

    def put_back_all(self) -> None:
        """Show to others what was received, and neither deleted nor put back.

        If that is refused, they are there again after `HIDDEN` all the same.
        """
        entries = [
            {"Id": str(number % BATCH), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for number, receipt in enumerate(self._held.values())
        ]
        self._held.clear()
        with contextlib.suppress(AwsRefused), aws.refusals("Putting back"):
            for at in range(0, len(entries), BATCH):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._queue(), Entries=entries[at : at + BATCH]
                )

    def _hide(self, received: Received, seconds: int) -> None:
        receipt = self._held.get(received.id, received.receipt)
        with aws.refusals(f"Putting back into the queue {self._stream.dead_letters}"), _unless_gone():
            self._sqs.change_message_visibility(
                QueueUrl=self._queue(), ReceiptHandle=receipt, VisibilityTimeout=seconds
            )

    def _queue(self) -> str:
        if self._url is None:
            with aws.refusals(f"Looking for the queue {self._stream.dead_letters}"):
                self._url = self._sqs.get_queue_url(QueueName=self._stream.dead_letters)["QueueUrl"]
        return str(self._url)

    def _keep(self, position: Position, sealed: str) -> str:
        bucket, _ = aws.split_uri(self._stream.history, "history")
        key = f"{FOLDER}/{position}"
        self._s3.put_object(Bucket=bucket, Key=key, Body=sealed.encode("ascii"))
        return f"s3://{bucket}/{key}"


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """Pass over the refusal of a letter that is no longer in our hands: it is in the queue, or done with."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        expired = aws.code_of(error) == "InvalidParameterValue" and "ReceiptHandle" in str(error)
        if aws.code_of(error) not in _GONE and not expired:
            raise


def _letter(body: str) -> Letter | None:
    try:
        return Letter.model_validate_json(body)
    except ValidationError:
        return None


def row(received: Received) -> dict[str, Any]:
    """Return what may be shown of a letter.

    Parameters
    ----------
    received
        The letter.

    Returns
    -------
    dict
    """
    letter = received.letter
    return {
        "id": received.id,
        "reason": letter.reason if letter else "not a letter of ours",
        "position": str(letter.position) if letter else None,
        "arrived_at": iso(letter.arrived_at) if letter else None,
        "sent_at": iso(letter.sent_at) if letter else None,
        "bytes": letter.size if letter else None,
    }


def open_letters(
    settings: Settings, stream: StreamSettings, waiting: Callable[[], None] = lambda: None
) -> DeadLetters:
    """Open the queue, with the sealer of the streams' key.

    Parameters
    ----------
    settings, stream
        For the clients, and the names of queue, key and bucket.
    waiting
        Called when something has to be tried again.

    Returns
    -------
    DeadLetters
    """
    from crime_jobs.sealing import Sealer

    return DeadLetters(settings, stream, lambda: Sealer(settings, stream.key), waiting)
