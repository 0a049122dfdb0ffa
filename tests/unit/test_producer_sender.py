"""The sender with its threads, before a stream in memory: outcomes, bounded memory, deadlines, what does not pass."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from crime_jobs.errors import AwsRefused, BadInput
from crime_jobs.model.aggregation import MAGIC, deaggregate
from fir_producer.lanes import RECORD_COST
from fir_producer.outcomes import BOUNDS, Latencies
from fir_producer.sender import Outcome, Sender, SenderClosed, SenderOptions
from tests.clock import clock_with
from tests.unit.kinesis import THROTTLED, FakeKinesis

KEYS = [f"station-{place}" for place in range(40)]
QUICK = SenderOptions(linger=0.001, first_pause=0.001, longest_pause=0.002, record_bytes=4000)
CANARY = b"the complainant says that"


def refusal(code: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "as told"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PutRecords")


def behind(gate: threading.Event) -> Callable[[Any], None]:
    """A fate: requests wait until the gate is open."""

    def fate(_: Any) -> None:
        gate.wait(30)

    return fate


class Told(list[Outcome]):
    """Outcomes as they came."""

    def of(self, confirmed: bool) -> list[Outcome]:
        return [one for one in self if one.confirmed is confirmed]


@pytest.fixture
def stream() -> FakeKinesis:
    return FakeKinesis()


@pytest.fixture
def start(stream: FakeKinesis) -> Iterator[Callable[..., tuple[Sender, Told]]]:
    made: list[Sender] = []

    def begin(options: SenderOptions = QUICK) -> tuple[Sender, Told]:
        told = Told()
        made.append(Sender(stream, "it", options=options, on_outcome=told.append))
        return made[-1], told

    yield begin
    for sender in made:
        sender.close(0)


def check(stream: FakeKinesis, told: Told, put: int) -> None:
    """One outcome each; what is confirmed is there, and in order."""
    assert sorted(one.token for one in told) == list(range(put))  # type: ignore[type-var]
    kept = stream.kept()
    for one in told.of(True):
        found = kept[one.shard_id, one.sequence_number, one.sub_sequence_number]
        assert (found.partition_key, int(found.data[:6])) == (one.partition_key, one.token)
    for datas in stream.first_seen().values():
        assert datas == sorted(datas)
    by_key: dict[str, list[object]] = {}
    for one in told:
        by_key.setdefault(one.partition_key, []).append(one.token)
    assert all(tokens == sorted(tokens) for tokens in by_key.values())  # type: ignore[type-var]


@pytest.mark.parametrize("seed", range(2))
def test_everything_at_once(stream: FakeKinesis, start: Callable[..., Any], seed: int) -> None:
    """Partial failures, refusals, answers lost and garbled, slow ones, and reshards, while records come."""
    dice = random.Random(seed)  # noqa: S311
    lock = threading.Lock()

    def fate(entries: Any) -> list[str] | None:
        with lock:
            chance, some = dice.random(), [THROTTLED * (dice.random() < 0.3) for _ in entries]
        if chance < 0.1:
            raise refusal("ThrottlingException")
        if chance < 0.2:
            raise EndpointConnectionError(endpoint_url="http://it")
        time.sleep(0.001 * (chance < 0.6))
        return some

    def after() -> None:
        with lock:
            chance = dice.random()
            if chance < 0.05 and len(stream.open) < 6:
                stream.split(dice.randrange(6))
            elif chance < 0.08:
                stream.merge(dice.randrange(6))
        if chance > 0.9:
            raise ReadTimeoutError(endpoint_url="http://it")

    stream.fate, stream.after = fate, after
    sender, told = start()
    for place in range(2000):
        sender.put(KEYS[place % len(KEYS)], f"{place:06}".encode() + bytes(place % 90), place)
    assert sender.flush(60)
    counts = sender.close()
    check(stream, told, 2000)
    assert (counts.accepted, counts.confirmed, counts.failed, counts.in_flight) == (2000, 2000, 0, 0)
    assert counts.retried > 0
    assert counts.bytes == sum(6 + place % 90 + len(KEYS[place % len(KEYS)]) for place in range(2000))
    assert len(stream.shards) > 1


def test_many_threads_hand_in(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    sender, told = start()

    def hand_in(first: int) -> None:
        for place in range(500):
            sender.put(f"key-{first}", f"{first * 500 + place:06}".encode(), first * 500 + place)

    threads = [threading.Thread(target=hand_in, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sender.flush(30)
    check(stream, told, 3000)


def test_put_waits_while_too_much_has_no_outcome(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    gate = threading.Event()
    stream.fate = behind(gate)
    most = 20_000
    sender, told = start(SenderOptions(max_bytes=most, record_bytes=4000, linger=0))
    progress = [0]

    def hand_in() -> None:
        for place in range(1000):
            sender.put("station", f"{place:06}".encode() + bytes(94), place)
            progress[0] += 1

    thread = threading.Thread(target=hand_in)
    thread.start()
    one = 100 + len("station") + RECORD_COST
    until(lambda: progress[0] >= most // one)
    thread.join(0.2)
    assert thread.is_alive()
    assert (progress[0] - 1) * one < most, "more was taken than may be held"
    assert sender.counts.in_flight == progress[0]
    gate.set()
    thread.join(30)
    assert sender.flush(30)
    check(stream, told, 1000)


def test_what_is_held_does_not_grow(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    """The bound is of memory, not only of a counter."""
    import tracemalloc

    stream.put_records = lambda **request: {  # type: ignore[method-assign]
        "Records": [{"ShardId": stream.shards[0].name, "SequenceNumber": "1"}] * len(request["Records"])
    }
    sender = Sender(stream, "it", options=SenderOptions(max_bytes=1_000_000, record_bytes=100_000))
    body = bytes(1000)
    for place in range(200):
        sender.put("station", body, place)
    tracemalloc.start()
    for place in range(10_000):
        sender.put("station", body, place)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sender.close().confirmed == 10_200
    assert peak < 4_000_000


def test_a_closed_sender_says_so_and_wakes_who_waits(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    gate = threading.Event()
    stream.fate = behind(gate)
    sender, told = start(SenderOptions(max_bytes=100, linger=0))
    sender.put("a", bytes(100), 0)
    raised: list[BaseException] = []

    def hand_in() -> None:
        try:
            sender.put("a", b"more", 1)
        except SenderClosed as error:
            raised.append(error)

    thread = threading.Thread(target=hand_in)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    counts = sender.close(0.05)
    thread.join(30)
    assert len(raised) == 1
    assert (counts.accepted, counts.failed, counts.in_flight) == (1, 1, 0)
    assert [(one.error_code, one.attempts) for one in told] == [("NoAnswerInTime", 1)]
    with pytest.raises(SenderClosed, match="closed"):
        sender.put("a", b"")
    gate.set()
    until(lambda: not any(thread.name.startswith("sender-it") for thread in threading.enumerate()))
    assert len(told) == 1, "an answer that comes too late changes nothing"


def test_what_was_not_sent_in_time_says_why(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    stream.fate = lambda entries: [THROTTLED] * len(entries)
    sender, told = start(SenderOptions(linger=0, first_pause=1e6, longest_pause=1e6))
    sender.put("a", b"000000", 0)
    until(lambda: sender.counts.retried == 1)
    sender.put("a", b"000001", 1)
    counts = sender.close(0.05)
    assert counts.failed == 2
    assert [(one.error_code, one.attempts) for one in told] == [(THROTTLED, 1), ("NotSentInTime", 0)]


def test_flush_says_when_it_was_too_short(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    gate = threading.Event()
    stream.fate = behind(gate)
    sender, _ = start()
    assert sender.flush(0)
    sender.put("a", b"000000", 0)
    assert not sender.flush(0.05)
    gate.set()
    assert sender.flush(30)


def test_flush_does_not_linger(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    sender, told = start(SenderOptions(linger=3600))
    sender.put("a", b"000000", 0)
    assert sender.flush(30)
    assert len(told.of(True)) == 1


@pytest.mark.parametrize(
    "error",
    [refusal("ResourceNotFoundException"), refusal("AccessDeniedException"), RuntimeError("a defect")],
)
def test_what_does_not_pass_ends_everything(
    stream: FakeKinesis, start: Callable[..., Any], error: Exception
) -> None:
    gate = threading.Event()

    def fate(_: Any) -> None:
        gate.wait(30)
        raise error

    stream.fate = fate
    sender, told = start(SenderOptions(linger=0, record_bytes=100))
    for place in range(10):
        sender.put("a", f"{place:06}".encode() + bytes(60), place)
    gate.set()
    assert sender.flush(30)
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else "RuntimeError"
    assert [(one.token, one.error_code) for one in told] == [(place, code) for place in range(10)]
    assert [one.attempts for one in told] == [1] + [0] * 9
    with pytest.raises(SenderClosed) as said:
        sender.put("a", b"")
    assert code in str(said.value)
    assert isinstance(said.value.__cause__, AwsRefused)
    assert sender.close().failed == 10


def test_an_answer_that_is_none_is_not_believed(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    said: list[dict[str, Any]] = [{}, {"Records": []}, {"FailedRecordCount": 0, "Records": [{}]}]
    real = stream.put_records
    stream.put_records = lambda **request: said.pop(0) if said else real(**request)  # type: ignore[method-assign]
    sender, told = start()
    sender.put("a", b"000000", 0)
    assert sender.flush(30)
    assert (told[0].confirmed, told[0].attempts) == (True, 4)
    check(stream, told, 1)


def test_an_error_of_who_is_told_is_not_swallowed(stream: FakeKinesis) -> None:
    def fail(_: Outcome) -> None:
        raise OSError("the disk is full")

    sender = Sender(stream, "it", options=QUICK, on_outcome=fail)
    sender.put("a", b"000000", 0)
    assert sender.flush(30)
    with pytest.raises(SenderClosed) as said:
        sender.put("a", b"")
    assert isinstance(said.value.__cause__, OSError)
    with pytest.raises(OSError, match="full"):
        sender.close()


def test_a_list_of_shards_that_is_refused(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    """Passing: asked again. For good: the end."""
    errors = [refusal("LimitExceededException"), refusal("InternalFailure", 500)]
    sender, told = start()

    def listing() -> None:
        if errors:
            raise errors.pop(0)

    stream.split(0)
    stream.listing = listing
    for place, key in enumerate(KEYS):
        sender.put(key, f"{place:06}".encode(), place)
    assert sender.flush(30)
    check(stream, told, len(KEYS))
    assert not told.of(False)
    errors.append(refusal("AccessDeniedException"))
    stream.merge(0)
    for key in KEYS:
        sender.put(key, b"", 0)
    assert sender.flush(30)
    assert (told[-1].confirmed, told[-1].error_code) == (False, "AccessDeniedException")
    errors.append(refusal("AccessDeniedException"))
    with pytest.raises(AwsRefused, match="Listing the shards of it"):
        Sender(stream, "it")


def test_at_the_start_a_reshard_may_be_under_way(
    stream: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            stream.shards[0].closed = False

    monkeypatch.setattr("fir_producer.sender.time", clock_with(sleep=sleep))
    stream.shards[0].closed = True
    Sender(stream, "it").close(0)
    assert len(pauses) == 2
    stream.shards[0].closed = True
    with pytest.raises(AwsRefused, match="hash range"):
        Sender(stream, "it")


@pytest.mark.parametrize(
    ("key", "data"),
    [("", b""), ("k" * 257, b""), ("k", bytes(4000)), ("ü" * 200, bytes(3700)), ("k", MAGIC + bytes(3500))],
)
def test_what_no_shard_takes_is_refused_at_once(start: Callable[..., Any], key: str, data: bytes) -> None:
    sender, told = start()
    with pytest.raises(BadInput):
        sender.put(key, data)
    assert sender.close().accepted == 0
    assert not told


def test_a_record_as_large_as_may_be(stream: FakeKinesis, start: Callable[..., Any]) -> None:
    sender, told = start()
    sender.put("ü" * 100, b"000000" + bytes(3794), 0)
    sender.put("k", MAGIC + bytes(2900), 1)
    assert sender.flush(30)
    assert len(told.of(True)) == 2
    written = stream.shards[0].written
    assert max(record.size for record in written) == 4000
    assert {one.data[:4] for record in written for one in deaggregate(record.data)} == {b"0000", MAGIC}


def test_no_record_is_in_a_log(
    stream: FakeKinesis, start: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def fail(_: Any) -> None:
        raise RuntimeError("a defect")

    stream.fate = fail
    sender, _ = start()
    sender.put("a", CANARY, 0)
    sender.flush(30)
    sender.close()
    with pytest.raises(SenderClosed) as said:
        sender.put("a", CANARY)
    assert CANARY.decode() not in caplog.text + str(said.value) + repr(said.value.__cause__)


def test_latencies_are_right_to_a_tenth() -> None:
    dice = random.Random(3)  # noqa: S311
    found, took = Latencies(), []
    for _ in range(300):
        times = sorted(dice.uniform(0, 30) for _ in range(dice.randrange(1, 20)))
        now = 30 + dice.uniform(0, 0.01)
        found.add(times, now)
        took += [now - time for time in times]
    took.sort()
    for share in (0.1, 0.5, 0.99, 1.0):
        exact = took[min(len(took) - 1, int(share * len(took)))]
        assert found.percentile(share) == pytest.approx(exact, rel=0.15)
    assert sum(found.buckets) == len(took)
    found.add([-1e6], 0)
    assert found.percentile(1) == BOUNDS[-1]
    assert Latencies().percentile(0.5) == 0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
