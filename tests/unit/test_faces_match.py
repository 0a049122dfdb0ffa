"""What the job is told and by whom, the rate it keeps, and what of S3 becomes a reason or ends the run."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from crime_jobs import aws, executors, registry, settings
from crime_jobs.budget import BURST_SECONDS, Bucket
from crime_jobs.cli_parse import given as typed
from crime_jobs.emr import work
from crime_jobs.errors import AwsRefused, WrongUsage
from crime_jobs.faces import match as matching
from crime_jobs.faces._matcher import Matcher, Tally, fingerprint
from crime_jobs.faces.engine import Engine, Identity
from crime_jobs.faces.match import JOB, MatchConfig, remarks
from crime_jobs.faces.matching import Asked, Bar, match
from crime_jobs.faces.photographs import Found, batches, fetch
from crime_jobs.faces.pictures import MOST_BYTES, Reason, Unreadable, read
from crime_jobs.model.faces import FaceSettings, Purpose, WatchList
from crime_jobs.registry import check_options
from crime_jobs.settings import Settings
from tests.photographs import file, head

CANARY = "canary-vasanti"
OPTIONS = {"photographs": "s3://bucket/photographs", "watch_list": "missing", "purpose": "missing-person"}

SECTION = """
[own]
region = "us-east-1"
landing = "s3://landing"
lake = "s3://lake"

[own.faces]
engine = "on-premises"
leads_table = "its own, with a blank"
calls_per_second = 7
"""


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    (tmp_path / "crime-jobs.toml").write_text(SECTION)
    return settings.load("own", {}, environ={}, folder=tmp_path)


def test_the_environments_table_comes_with_the_options(own: Settings) -> None:
    given = JOB.options_from(own, {**OPTIONS, "threshold": "97.5", "of another job": "x"})
    config = MatchConfig.model_validate(given)
    assert config.faces.leads_table == "its own, with a blank"
    assert config.faces.calls_per_second == 7
    assert (config.purpose, config.threshold) == (Purpose.MISSING_PERSON, 97.5)
    assert config.photographs not in given["faces"]


def test_a_step_of_emr_is_told_the_table_as_one_argument(own: Settings) -> None:
    """A step has no crime-jobs.toml: what stands there is said, and read there as it was here."""
    words = ["match_faces", *(w for name, value in OPTIONS.items() for w in ("--set", f"{name}={value}"))]
    (found,) = work.parse(words, own, typed)
    arguments = work._entry_arguments(found, own, None)
    told = next(word for word in arguments if word.startswith("faces="))
    assert (
        FaceSettings.model_validate(json.loads(told.removeprefix("faces=")))
        == MatchConfig.model_validate(JOB.options_from(own, OPTIONS)).faces
    )
    assert arguments[-2:] == ["--lake", "s3://lake"]
    assert "us-east-1" in arguments


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"purpose": "curiosity"}, "purpose"),
        ({"threshold": "50"}, "threshold"),
        ({"watch_list": "Not A Name"}, "watch_list"),
        ({"most_unreadable": "2"}, "most_unreadable"),
        ({"faces": "no JSON"}, "faces"),
        ({"faces": '{"engine": "guess"}'}, r"faces\.engine"),
        ({"unknown": "1"}, "no option 'unknown'"),
    ],
)
def test_what_can_not_be_is_refused_before_spark_starts(
    own: Settings, given: dict[str, str], said: str
) -> None:
    with pytest.raises(WrongUsage, match=said):
        check_options(registry.find("match_faces"), {**OPTIONS, **given}, own)


def test_it_is_none_of_the_jobs_that_make_the_lake() -> None:
    assert "match_faces" not in [job.name for job in registry.find("all")]


class Clock:
    """Goes only when somebody waits, or a call takes its time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Answers:
    """A client of Rekognition that answers at once, throttles now and then, and notes when it was called."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.called: list[float] = []

    def _note(self) -> None:
        self.called.append(self.clock.now)
        if len(self.called) % 5 == 0:
            said = {"Error": {"Code": "ThrottlingException", "Message": "slow"}}
            raise ClientError(said, "DetectFaces")

    def detect_faces(self, **_: Any) -> Mapping[str, Any]:
        self._note()
        box = {"Left": 0.3, "Top": 0.3, "Width": 0.4, "Height": 0.4}
        return {"FaceDetails": [{"BoundingBox": box, "Confidence": 99.0}] * 3}

    def search_faces_by_image(self, **_: Any) -> Mapping[str, Any]:
        self._note()
        return {
            "SearchedFaceBoundingBox": {"Left": 0.25, "Top": 0.25, "Width": 0.5, "Height": 0.5},
            "FaceMatches": [],
        }


@pytest.mark.parametrize("rate", [2.0, 5.0, 50.0])
def test_no_window_has_more_calls_than_the_rate(
    rate: float, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated calls count too: the quota is about what is asked, not about what is answered."""
    clock = Clock()
    client = Answers(clock)
    monkeypatch.setattr(aws, "client", lambda *_, **__: client)
    engine = Engine(own, FaceSettings(), Bucket(rate, clock).pay, sleep=clock.sleep)
    picture = read(file(head()))
    for _ in range(10):
        match(picture, engine, Asked("the-list", 99.0))
    assert engine.calls.total() == len(client.called) > 40
    for first, since in enumerate(client.called):
        for count, until in enumerate(client.called[first:], start=1):
            assert count <= rate * (until - since + BURST_SECONDS) + 1 + 1e-6
    # It is a limit and no brake.
    assert client.called[-1] - client.called[0] <= len(client.called) / rate + 60


FOUND = Found("0" * 64, "bucket", f"{CANARY}.jpg", '"etag"', 10)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    monkeypatch.setattr(executors, "client", lambda *_, **__: client)
    stubber = Stubber(client)
    stubber.activate()
    return stubber


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("NoSuchKey", 404, Reason.GONE),
        ("PreconditionFailed", 412, Reason.GONE),
        ("AccessDenied", 403, Reason.DENIED),
        ("InvalidObjectState", 403, Reason.DENIED),
    ],
)
def test_what_is_about_one_photograph_is_a_reason(
    own: Settings, s3: Stubber, code: str, status: int, reason: Reason
) -> None:
    s3.add_client_error("get_object", code, http_status_code=status)
    with pytest.raises(Unreadable) as raised:
        fetch(own, FOUND)
    assert raised.value.reason is reason


def test_it_is_read_as_it_was_listed(own: Settings, s3: Stubber) -> None:
    body = StreamingBody(io.BytesIO(b"content"), 7)
    asked = {"Bucket": "bucket", "Key": FOUND.key, "IfMatch": '"etag"'}
    s3.add_response("get_object", {"Body": body}, asked)
    assert fetch(own, FOUND) == b"content"


def test_too_many_bytes_are_not_fetched(own: Settings, s3: Stubber) -> None:
    with pytest.raises(Unreadable) as raised:
        fetch(own, Found("0" * 64, "bucket", "key", '"etag"', MOST_BYTES + 1))
    assert raised.value.reason is Reason.LARGE


def test_an_outage_ends_the_run_and_its_address_is_not_said(
    own: Settings, s3: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of an object has its name in it, and botocore's words have the address."""
    s3.add_client_error("get_object", "SlowDown", http_status_code=503)
    with pytest.raises(AwsRefused, match="SlowDown"):
        fetch(own, FOUND)

    class Down:
        def get_object(self, **asked: Any) -> Any:
            raise EndpointConnectionError(endpoint_url=f"https://bucket/{asked['Key']}")

    monkeypatch.setattr(executors, "client", lambda *_, **__: Down())
    with pytest.raises(AwsRefused, match="EndpointConnectionError") as raised:
        fetch(own, FOUND)
    assert CANARY not in str(raised.value)
    assert raised.value.__suppress_context__  # so that no traceback says it either
    assert raised.value.__cause__ is None


def test_names_are_in_no_repr() -> None:
    assert CANARY not in repr(FOUND)


LIST = WatchList(
    name="missing",
    purpose=Purpose.MISSING_PERSON,
    collection="c",
    engine="dlib",
    engine_version="20.0.1",
)
ENGINE = Identity("dlib", "20.0.1", on_premises=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda: fingerprint(LIST.model_copy(update={"revision": 1}), Asked("c", 99.0), ENGINE),
        lambda: fingerprint(LIST, Asked("c", 99.5), ENGINE),
        lambda: fingerprint(LIST, Asked("c", 99.0, Bar(80.0)), ENGINE),
        lambda: fingerprint(LIST, Asked("c", 99.0, Bar(90.0, 50.0)), ENGINE),
        lambda: fingerprint(LIST, Asked("c", 99.0), Identity("dlib", "21", on_premises=True)),
    ],
    ids=["somebody was enrolled", "threshold", "bar", "size", "engine"],
)
def test_what_may_give_other_leads_is_matched_again(change: Callable[[], str]) -> None:
    before = fingerprint(LIST, Asked("c", 99.0), ENGINE)
    assert before == fingerprint(LIST, Asked("c", 99.0), ENGINE)
    assert change() != before


@pytest.mark.parametrize(("photographs", "cores"), [(1, 2), (8, 2), (100, 2), (5000, 4), (1_000_000, 64)])
def test_batches_reach_every_core_and_are_no_larger_than_a_read_of_the_ledger(
    photographs: int, cores: int
) -> None:
    size = matching._batch_size(photographs, cores)
    parts = list(batches([FOUND] * photographs, size))
    assert sum(map(len, parts)) == photographs
    assert max(map(len, parts)) <= 100
    assert len(parts) >= min(photographs, cores)


def test_what_was_counted_adds_up() -> None:
    one, other = Tally(photographs=1, new=2), Tally(photographs=3, known=1)
    one.skipped["too small"] += 1
    other.skipped["too small"] += 2
    other.unreadable["empty"] += 1
    one.add(other)
    assert (one.photographs, one.new, one.known) == (4, 2, 1)
    assert (one.skipped, one.unreadable) == ({"too small": 3}, {"empty": 1})


def test_what_was_passed_over_is_said() -> None:
    report = {
        "unreadable": {"empty": 2},
        "skipped": {"too small": 3},
        "same": 2,
        "calls_spared": 5,
        "crowded": 1,
        "candidates_dropped": 1,
        "leads_over": 1,
    }
    assert remarks([report]) == [
        "Photographs not read: 2 empty.",
        "Faces not searched for: 3 too small.",
        "2 photographs are the same as another that nobody was found in: 5 calls spared.",
        "1 photographs may have more faces than the 100 that are told of.",
        "2 likenesses of people who are not, or no longer, on the list: passed over.",
    ]


def test_what_is_said_of_an_address_has_no_path() -> None:
    """Whoever reads an object by `aws.refusals` alone says no more of its name."""
    down = EndpointConnectionError(endpoint_url=f"http://127.0.0.1:4566/bucket/{CANARY}.jpg")
    with pytest.raises(AwsRefused, match=r"http://127\.0\.0\.1:4566") as raised, aws.refusals("Reading"):
        raise down
    assert CANARY not in str(raised.value)


class AtAws:
    """Answers from AWS's own address, and notes what it is asked."""

    class meta:  # noqa: N801 - as botocore's
        endpoint_url = "https://rekognition.us-east-1.amazonaws.com"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(**_: Any) -> Any:
            self.asked.append(name)
            return {"FaceModelVersion": "20.0.1", "ResponseMetadata": {"HTTPHeaders": {}}}

        return answer


@pytest.mark.parametrize("purpose", [Purpose.MISSING_PERSON, Purpose.CRIMINAL_INVESTIGATION])
def test_an_executor_that_reaches_another_engine_sends_it_no_picture(
    purpose: Purpose, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver has asked the engine of one's own; the executor's environment lacks its address."""
    client = AtAws()
    monkeypatch.setattr(aws, "client", lambda *_, **__: client)
    monkeypatch.setattr(executors, "client", lambda *_, **__: client)
    watch_list = LIST.model_copy(update={"purpose": purpose})
    matcher = Matcher(own, FaceSettings(), watch_list, Asked("c", 99.0), ENGINE, f"run {purpose}", "as")
    with pytest.raises(WrongUsage, match=r"[Nn]o picture was sent"):
        matcher([FOUND])
    assert client.asked == ["describe_collection"]
