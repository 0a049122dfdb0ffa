"""The Lambda handler, called with events as S3 and API Gateway send them."""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, BadInput, JobFailed
from crime_jobs.model.streams import StreamSettings
from fir_producer import lambda_handler, ledger
from fir_producer.lambda_handler import handler
from tests.unit.fir_forms import CANARY, REFUSED, FakeSender, form

EVENTS = Path(__file__).parent / "events"


def event(name: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text()) | changes
    return found


class Body(io.BytesIO):
    """As botocore gives an object's content."""

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self.read(min(size, 1000)):
            yield chunk


class World:
    """The stream and the bucket of a test."""

    def __init__(self) -> None:
        self.senders: list[FakeSender] = []
        self.objects: dict[tuple[str, str], bytes] = {}
        self.versions: list[str | None] = []
        self.items: list[dict[str, Any]] = []
        self.fails_noting = False

    def open(self, *_: Any) -> Any:
        def make(told: Any) -> FakeSender:
            self.senders.append(FakeSender(told))
            return self.senders[-1]

        return make

    def get_object(self, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:  # noqa: N803
        self.versions.append(VersionId)
        return {"Body": Body(self.objects[Bucket, Key])}

    def put_item(self, Item: dict[str, Any], **_: Any) -> None:  # noqa: N803
        if self.fails_noting:
            raise AwsRefused("Noting was refused.")
        self.items.append({name: next(iter(value.values())) for name, value in Item.items()})

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(data) for sender in self.senders for data in sender.data]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(
        lambda_handler, "_parts", lambda: (None, StreamSettings(), lambda key, content: "c2VhbGVk")
    )
    monkeypatch.setattr(lambda_handler, "opener", made.open)
    monkeypatch.setattr(aws, "client", lambda service, settings: made)
    lambda_handler._hours.cache_clear()
    return made


def put(world: World, content: bytes) -> dict[str, Any]:
    world.objects["crime-firs", "in/new firs+1.jsonl"] = content
    return event("s3_put")


def lines(*numbers: int) -> bytes:
    return b"".join(json.dumps(form(number)).encode() + b"\n" for number in numbers)


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda b: gzip.compress(b[:700]) + gzip.compress(b[700:])]
)
def test_an_object_of_lines_is_sent_packed_or_not(world: World, pack: Any) -> None:
    told = handler(put(world, pack(lines(*range(14, 60)))))
    assert told["objects"] == [
        {
            "bucket": "crime-firs",
            "key": "in/new firs+1.jsonl",
            "confirmed": 46,
            "failed": 0,
            "rejected": 0,
            "rejects": [],
        }
    ]
    assert [one["fir_number"] for one in world.sent] == list(range(14, 60))
    assert all(sender.closed for sender in world.senders)
    assert world.versions == ["096fKKXTRTtl3on89fVO.nfljtsv6qko"]


def test_bad_lines_of_an_object_are_told_by_position_and_no_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = json.dumps(form(2, fir_year=CANARY)).encode() + b"\n"
    told = handler(put(world, lines(1) + bad + lines(3)))["objects"][0]
    assert (told["confirmed"], told["rejects"]) == (2, [{"line": 2, "reason": "fir_year: int_parsing"}])
    assert CANARY not in json.dumps(told) + caplog.text
    assert '"rejected": 1' in caplog.text


def test_lambda_tries_an_object_again_if_a_fir_of_it_was_not_confirmed(world: World) -> None:
    with pytest.raises(
        JobFailed, match=r"1 of 3 FIRs of s3://crime-firs/in/new firs\+1\.jsonl were not confirmed"
    ):
        handler(put(world, lines(1, REFUSED, 2)))
    assert [one["fir_number"] for one in world.sent] == [1, 2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(lines(*range(14, 99)))[:-30], "cut off"),
        (gzip.compress(lines(1))[:10] + b"\xff" * 50, "damaged"),
    ],
    ids=["cut off", "damaged"],
)
def test_a_packed_object_that_is_not_whole_is_refused(world: World, content: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        handler(put(world, content))


def test_other_events_of_s3_are_passed_over_and_others_refused(world: World) -> None:
    removed = put(world, b"")
    removed["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert handler(removed) == {"objects": []}
    assert handler({"Service": "Amazon S3", "Event": "s3:TestEvent"}) == {"objects": []}
    with pytest.raises(BadInput, match="neither of S3 nor of API Gateway"):
        handler({"detail": CANARY})


def call(name: str, body: Any, encoded: bool = False) -> tuple[int, dict[str, Any]]:
    text = body if isinstance(body, str) else json.dumps(body)
    if encoded:
        text = base64.b64encode(text.encode()).decode()
    answer = handler(event(name, body=text, isBase64Encoded=encoded))
    assert answer["headers"]["Content-Type"] == "application/json"
    assert CANARY not in json.dumps(answer)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize("name", ["api_gateway_v1", "api_gateway_v2"])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_request_has_an_outcome_for_each_fir(world: World, name: str, encoded: bool) -> None:
    ok = {"fir_key": "IN-UP/Lucknow/A/2026/0001", "status": "confirmed", "sequence_number": "0"}
    bad = {"status": "rejected", "reason": "fir_year: int_parsing"}
    failed = {"fir_key": "IN-UP/Lucknow/A/2026/0013", "status": "failed", "error_code": "Throttled"}
    wrong = form(2, fir_year=CANARY)
    assert call(name, form(1), encoded) == (202, {"firs": [ok]})
    assert call(name, [wrong], encoded) == (400, {"firs": [bad]})
    assert call(name, form(REFUSED), encoded) == (503, {"firs": [failed]})
    several = "\n".join(json.dumps(one) for one in (form(1), wrong, form(REFUSED)))
    assert call(name, several, encoded) == (207, {"firs": [ok, bad, failed]})
    assert CANARY not in json.dumps(world.sent)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"body": None}, 400, "the body is empty"),
        ({"body": "[]"}, 400, "the body is an empty list"),
        ({"body": "!"}, 400, "not base64"),
        ({"body": base64.b64encode(f'{{"text": "{CANARY}'.encode()).decode()}, 400, "json_invalid"),
        ({"body": base64.b64encode(b"5").decode()}, 400, "record: "),
    ],
)
def test_what_is_no_fir_is_400(world: World, changes: dict[str, Any], status: int, said: str) -> None:
    changes = {"isBase64Encoded": changes["body"] != "[]", **changes}
    answer = handler(event("api_gateway_v2", **changes))
    assert (answer["statusCode"], world.sent) == (status, [])
    assert said in answer["body"]
    assert CANARY not in answer["body"]


def test_only_post_is_taken(world: World) -> None:
    answer = handler(event("api_gateway_v1", httpMethod="GET"))
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, "POST")


def test_each_object_is_a_run_of_the_ledger(world: World) -> None:
    handler(put(world, lines(1, 2, 1) + b"no FIR\n"))
    begun, ended = world.items
    assert (begun["state"], "ended" in begun) == ("running", False)
    assert (ended["state"], ended["run_id"]) == ("done", begun["run_id"])
    assert (ended["confirmed"], ended["distinct_firs"], ended["rejected"]) == ("3", "2", "1")
    assert ended["source"] == "s3://crime-firs/in/new firs+1.jsonl"
    with pytest.raises(JobFailed):
        handler(put(world, lines(1, REFUSED)))
    with pytest.raises(BadInput):
        handler(put(world, gzip.compress(lines(1))[:-9]))
    assert [one["state"] for one in world.items[2:]] == ["running", "failed"] * 2


def test_requests_are_a_run_an_hour_and_one_that_is_not_noted_is_with_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = "2026112410"
    monkeypatch.setattr(ledger.Hours, "_now", lambda _: hour)
    assert call("api_gateway_v2", form(1))[0] == 202
    world.fails_noting = True
    assert call("api_gateway_v2", form(2))[0] == 202
    world.fails_noting = False
    assert call("api_gateway_v2", [form(3), form(4)])[0] == 202
    assert [one["confirmed"] for one in world.items] == ["1", "4"]
    assert len({one["run_id"] for one in world.items}) == 1
    assert all("ended" in one for one in world.items)
    hour = "2026112411"
    assert call("api_gateway_v2", form(5))[0] == 202
    assert world.items[-1]["confirmed"] == "1"
    assert world.items[-1]["run_id"] != world.items[0]["run_id"]


class Context:
    """As Lambda gives it, of a call that has so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


@pytest.mark.parametrize(("has", "most"), [(None, 27.0), (900, 27.0), (10, 8.0)])
def test_a_request_is_answered_within_what_lambda_and_the_gateway_give_it(
    world: World, has: float | None, most: float
) -> None:
    asked = event("api_gateway_v2", body=json.dumps(form(1)), isBase64Encoded=False)
    assert handler(asked, Context(has) if has else None)["statusCode"] == 202
    (sender,) = world.senders
    assert most - 2 < sender.given <= most


def test_an_object_that_takes_too_long_is_not_begun_on_further(world: World) -> None:
    with pytest.raises(JobFailed, match="The time of the call is not enough for s3://crime-firs/in/new"):
        handler(put(world, lines(1, 2)), Context(2.0))
    assert world.sent == []
    assert world.items[-1]["state"] == "failed"
    handler(put(world, lines(1, 2)), Context(60.0))
    assert 50 < world.senders[-1].given < 58
