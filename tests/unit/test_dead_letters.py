"""Dead letters replayed: each once, however long it takes, and none lost when something refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from crime_jobs import aws
from crime_jobs.cli import main
from crime_jobs.errors import AwsRefused
from crime_jobs.model.streams import StreamSettings
from crime_jobs.stream import deadletters, patience, replay
from crime_jobs.stream import sink as sinks
from crime_jobs.stream.alert_table import AlertTable
from crime_jobs.stream.deadletters import DeadLetters
from crime_jobs.stream.handling import Handled, Handler, Raw
from crime_jobs.stream.sink import Kind, Position, Sink
from tests.clock import clock_with
from tests.conftest import make_settings
from tests.unit.fir_alerts import Inline, fir

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Queue:
    """SQS as far as it is asked: a letter that somebody has is hidden for a while, and its receipt changes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.bodies: dict[str, str] = {}
        self.visible: dict[str, float] = {}
        self.receipts: dict[str, str] = {}
        self.refuses = ""

    def get_queue_url(self, **_: Any) -> dict[str, str]:
        return {"QueueUrl": "q"}

    def send_message(self, MessageBody: str, **_: Any) -> None:  # noqa: N803
        name = f"letter {len(self.bodies)}"
        self.bodies[name], self.visible[name] = MessageBody, 0.0

    def receive_message(self, VisibilityTimeout: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        found = [name for name in self.bodies if self.visible[name] <= self.now][:10]
        for name in found:
            self.visible[name] = self.now + VisibilityTimeout
            self.receipts[name] = f"{name}@{self.now}"
        messages = [
            {"MessageId": one, "ReceiptHandle": self.receipts[one], "Body": self.bodies[one]} for one in found
        ]
        return {"Messages": messages} if messages else {}

    def delete_message(self, ReceiptHandle: str, **_: Any) -> None:  # noqa: N803
        name = self._of(ReceiptHandle, "DeleteMessage")
        if self.receipts[name] == ReceiptHandle:  # with an old receipt SQS says yes, and does nothing
            del self.bodies[name]

    def change_message_visibility(self, ReceiptHandle: str, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803
        self.visible[self._of(ReceiptHandle, "ChangeMessageVisibility")] = self.now + VisibilityTimeout

    def change_message_visibility_batch(self, Entries: Sequence[Any], **_: Any) -> None:  # noqa: N803
        assert len({one["Id"] for one in Entries}) == len(Entries) <= 10
        for one in Entries:
            self.change_message_visibility(one["ReceiptHandle"], one["VisibilityTimeout"])

    def _of(self, receipt: str, operation: str) -> str:
        if self.refuses:
            said = "Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
            raise ClientError({"Error": {"Code": self.refuses, "Message": said}}, operation)
        return receipt.partition("@")[0]

    @property
    def at_hand(self) -> int:
        return sum(self.visible[name] <= self.now for name in self.bodies)


class NoSeal:
    def seal(self, subject: str, content: bytes) -> str:
        return content.decode()

    def unseal(self, subject: str, sealed: str) -> bytes:
        return sealed.encode()


class Handling(Handler):
    """Takes its time, and takes what does not begin with ``bad``."""

    def __init__(self, queue: Queue, seconds: float = 0.0) -> None:
        self.queue, self.seconds, self.handled = queue, seconds, list[bytes]()
        self.closed = False
        self.fails: Callable[[], None] = lambda: None

    def close(self) -> None:
        self.closed = True

    def handle(self, records: Sequence[Raw]) -> list[Handled]:
        self.queue.now += self.seconds
        self.fails()
        self.handled += [one.data for one in records]
        bad = [one.data.startswith(b"bad") for one in records]
        return [
            Handled(one, None if is_bad else Kind.NEW, "no" if is_bad else None)
            for one, is_bad in zip(records, bad, strict=True)
        ]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    made = Queue()
    monkeypatch.setattr(aws, "client", lambda *_, **__: made)
    monkeypatch.setattr("crime_jobs.stream.deadletters.time", clock_with(monotonic=lambda: made.now))
    return made


def letters(*records: bytes) -> DeadLetters:
    made = DeadLetters(make_settings("landing", "lake"), StreamSettings(), NoSeal)
    for number, data in enumerate(records):
        made.send(Position("fir-stream", "shard", str(number), 0), data, "for a reason", NOW)
    return made


def test_letters_that_take_longer_than_they_are_hidden_are_replayed_once_each(queue: Queue) -> None:
    open_letters = letters(*(str(number).encode() for number in range(25)))
    handling = Handling(queue, seconds=100)
    assert [row["done"] for row in replay.replay(open_letters, handling)] == [True] * 25
    assert (len(handling.handled), queue.bodies) == (25, {})


def test_letters_that_come_again_are_not_the_end_and_those_that_stay_are_there_at_once(queue: Queue) -> None:
    open_letters = letters(*(b"bad" if number < 10 else b"good" for number in range(30)))
    handling = Handling(queue, seconds=40)  # so that the ten bad ones are there again before the last is read
    rows = list(replay.replay(open_letters, handling))
    assert sorted(row["done"] for row in rows) == [False] * 10 + [True] * 20
    assert len(queue.bodies) == queue.at_hand == 10
    assert len(replay.listed(open_letters)) == queue.at_hand == 10


def test_only_some_letters_are_taken_and_the_others_stay(queue: Queue) -> None:
    open_letters = letters(*(b"good" for _ in range(25)))
    rows = list(replay.replay(open_letters, Handling(queue), ["letter 12"]))
    assert [row["id"] for row in rows] == ["letter 12"]
    assert len(queue.bodies) == queue.at_hand == 24


@pytest.mark.parametrize("code", ["MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"])
def test_a_letter_that_is_no_longer_in_our_hands_is_passed_over(queue: Queue, code: str) -> None:
    open_letters, handling = letters(b"good", b"bad"), Handling(queue)
    queue.refuses = code
    assert len(list(replay.replay(open_letters, handling))) == 2
    queue.refuses = "AccessDenied"
    queue.now += 1000
    with pytest.raises(AwsRefused):
        list(replay.replay(open_letters, handling))


def test_while_dynamodb_is_away_it_is_a_refusal_and_no_letter_is_lost(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, handling = letters(*(b"good" for _ in range(5))), Handling(queue)

    def fail() -> None:
        if len(handling.handled) == 2:
            raise EndpointConnectionError(endpoint_url="http://dynamodb")

    handling.fails = fail
    asked: list[Any] = []
    monkeypatch.setattr(replay, "open_letters", lambda *_: made)

    def open_handler(*given: Any) -> Handler:
        asked.extend(given)
        return handling

    monkeypatch.setattr(replay, "open_handler", open_handler)
    assert (
        main(["stream", "dead-letters", "replay", "--env", "local", "--output", "json"])
        == AwsRefused.exit_code
    )
    said = capsys.readouterr()
    assert "Processing the record at fir-stream/shard/2/0: AWS can't be reached" in said.err
    assert said.out.count('"outcome":') == 2
    assert len(queue.bodies) == queue.at_hand == 3
    assert handling.closed
    assert asked[-1] == deadletters.ATTEMPTS


class Throttled:
    """A table that refuses in passing, each time."""

    calls = 0

    def transact_write_items(self, **_: Any) -> None:
        self.calls += 1
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "TransactWriteItems")


def test_attempts_at_dynamodb_can_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST", 0)
    client: Any = Throttled()
    arrived = sinks.Arrived(fir(), NOW, Position("fir-stream", "shard", "1", 0))
    with pytest.raises(ClientError):
        Sink(client, StreamSettings(), attempts=3).write([arrived])
    with pytest.raises(ClientError):
        AlertTable(client, "alerts", Inline(), attempts=4).write("Put", [{"Item": {}}])
    assert client.calls == 7
