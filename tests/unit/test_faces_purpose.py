"""What faces are compared for: barred purposes go to no engine that may be AWS's, and who asked is on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crime_jobs import settings
from crime_jobs.errors import AwsRefused, WrongUsage
from crime_jobs.faces import compare, match, purpose
from crime_jobs.faces.engine import HEADER, Engine, Identity, identified
from crime_jobs.faces.people import People
from crime_jobs.model.faces import FaceSettings, Purpose, WatchList
from tests.conftest import ROOT
from tests.photographs import file, head

REKOGNITION = Identity("rekognition", "7", on_premises=False)
OWN = Identity("dlib", "20.0.1", on_premises=True)
UNKNOWN = Identity("unknown", "", on_premises=False)
LIST = WatchList(
    name="missing",
    purpose=Purpose.MISSING_PERSON,
    collection="crime-jobs-missing",
    engine="dlib",
    engine_version="20.0.1",
)


class Notes:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def write(self, action: str, **facts: Any) -> None:
        self.lines.append((action, facts))


@pytest.mark.parametrize("who", [REKOGNITION, UNKNOWN])
def test_criminal_investigation_is_barred_for_whatever_may_be_awss(who: Identity) -> None:
    with pytest.raises(WrongUsage) as caught:
        purpose.check(Purpose.CRIMINAL_INVESTIGATION, who)
    assert caught.value.exit_code == 2
    assert purpose.TERMS in caught.value.message
    assert purpose.GUIDANCE in caught.value.message
    assert "No picture was sent" in caught.value.message
    assert "AWS_ENDPOINT_URL_REKOGNITION" in caught.value.hint
    assert "on-premises" in caught.value.hint


@pytest.mark.parametrize("what", list(Purpose))
def test_an_engine_of_ones_own_may_be_used_for_each_purpose(what: Purpose) -> None:
    purpose.check(what, OWN)


@pytest.mark.parametrize("what", [Purpose.MISSING_PERSON, Purpose.UNIDENTIFIED_BODY])
@pytest.mark.parametrize("who", [REKOGNITION, UNKNOWN])
def test_the_missing_and_the_unknown_dead_may_be_looked_for_by_rekognition(
    what: Purpose, who: Identity
) -> None:
    purpose.check(what, who)


def test_whoever_asks_for_a_barred_purpose_is_on_record() -> None:
    notes = Notes()
    with pytest.raises(WrongUsage):
        purpose.demand(Purpose.CRIMINAL_INVESTIGATION, REKOGNITION, notes, "missing")  # type: ignore[arg-type]
    told = {"watch_list": "missing", "purpose": "criminal-investigation", "engine": "rekognition"}
    assert notes.lines == [("refused", told)]
    purpose.demand(Purpose.MISSING_PERSON, REKOGNITION, notes, "missing")  # type: ignore[arg-type]
    assert len(notes.lines) == 1


@pytest.mark.parametrize(
    "host",
    [
        "rekognition.us-east-1.amazonaws.com",
        "rekognition-fips.us-east-1.amazonaws.com",
        "vpce-0a1b-xyz.rekognition.ap-south-1.vpce.amazonaws.com",
        "rekognition.cn-north-1.amazonaws.com.cn",
        "rekognition.us-east-1.api.aws",
        "REKOGNITION.US-EAST-1.AMAZONAWS.COM",
    ],
)
def test_aws_is_aws_whatever_its_answer_says(host: str) -> None:
    assert identified({HEADER: "dlib/20.0.1"}, host, "7") == Identity("rekognition", "7", on_premises=False)


@pytest.mark.parametrize(
    "host", ["10.0.0.5", "faces.police.example", "notamazonaws.com", "amazonaws.com.evil"]
)
def test_another_host_is_ones_own_only_if_it_says_so(host: str) -> None:
    assert identified({HEADER: "dlib/20.0.1"}, host, "") == OWN
    assert identified({}, host, "7") == Identity("unknown", "7", on_premises=False)
    assert identified({HEADER: ""}, host, "7").on_premises is False


def test_a_list_is_for_one_purpose() -> None:
    purpose.check_same(LIST, Purpose.MISSING_PERSON)
    with pytest.raises(WrongUsage, match="is for missing-person, not for unidentified-body"):
        purpose.check_same(LIST, Purpose.UNIDENTIFIED_BODY)


def test_faces_of_another_engine_or_version_are_not_compared_but_can_be_removed() -> None:
    purpose.check_engine(LIST, OWN)
    newer = Identity("dlib", "21.0.0", on_premises=True)
    with pytest.raises(WrongUsage, match=r"made by dlib 20\.0\.1; dlib 21\.0\.0 answers"):
        purpose.check_engine(LIST, newer)
    purpose.check_engine(LIST, newer, same_version=False)
    for same in (True, False):
        with pytest.raises(WrongUsage, match="rekognition 7 answers"):
            purpose.check_engine(LIST, REKOGNITION, same_version=same)


@pytest.mark.parametrize(
    ("said", "who", "hint"),
    [
        ("on-premises", REKOGNITION, "AWS_ENDPOINT_URL_REKOGNITION"),
        ("on-premises", UNKNOWN, "AWS_ENDPOINT_URL_REKOGNITION"),
        ("rekognition", OWN, 'engine = "on-premises"'),
    ],
)
def test_what_the_settings_say_and_what_answers_must_agree(
    said: Any, who: Identity, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = settings.load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)
    engine = Engine(told, FaceSettings(engine=said))
    monkeypatch.setattr(engine, "_call", lambda *_, **__: {"ResponseMetadata": {"HTTPHeaders": {}}})
    monkeypatch.setattr("crime_jobs.faces.engine.identified", lambda *_: who)
    with pytest.raises(WrongUsage) as caught:
        engine.identity()
    assert hint in caught.value.hint


@pytest.mark.parametrize("asked", [Purpose.UNIDENTIFIED_BODY, Purpose.CRIMINAL_INVESTIGATION])
def test_a_match_for_another_purpose_than_the_lists_is_on_record(
    asked: Purpose, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    of_own = LIST.model_copy(update={"purpose": Purpose.CRIMINAL_INVESTIGATION})
    monkeypatch.setattr(Engine, "identity", lambda *_: REKOGNITION)
    monkeypatch.setattr(People, "watch_list", lambda *_: of_own)
    monkeypatch.setattr(match, "Audit", lambda *_: notes)
    told = settings.load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)
    config = match.MatchConfig(photographs="s3://bucket/x", watch_list="missing", purpose=asked)
    with pytest.raises(WrongUsage):
        match.plan(told, config)
    assert [(action, facts["purpose"]) for action, facts in notes.lines] == [("refused", asked.value)]


def test_a_comparison_that_is_refused_or_fails_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise AwsRefused("It is down.")

    notes = Notes()
    monkeypatch.setattr(Engine, "identity", lambda *_: REKOGNITION)
    monkeypatch.setattr(Engine, "compare", fails)
    monkeypatch.setattr(compare, "Audit", lambda *_: notes)
    (tmp_path / "a.jpg").write_bytes(file(head()))
    told = settings.load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)
    path = str(tmp_path / "a.jpg")
    with pytest.raises(WrongUsage):
        compare.compare(told, FaceSettings(), path, path, Purpose.CRIMINAL_INVESTIGATION, 99.0)
    with pytest.raises(AwsRefused):
        compare.compare(told, FaceSettings(), path, path, Purpose.MISSING_PERSON, 99.0)
    assert [action for action, _ in notes.lines] == ["refused", "compare", "compare-failed"]
    assert notes.lines[-1][1]["error"] == "AwsRefused"
