"""What is said, and what stays unsaid, at the terminal and in errors of the faces room."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from crime_jobs import aws, settings
from crime_jobs.cli import app
from crime_jobs.cli_faces import _tell_done
from crime_jobs.errors import AwsRefused, BadInput, WrongUsage
from crime_jobs.faces import compare, photographs, places
from crime_jobs.faces._enrolling import Told
from crime_jobs.faces._keys import access_key
from crime_jobs.faces._reconcile import Reconciled
from crime_jobs.faces.audit import Line
from crime_jobs.faces.engine import Engine
from crime_jobs.faces.people import People, Person
from crime_jobs.faces.pictures import Reason, Unreadable
from crime_jobs.faces.watchlist import Enrolled
from crime_jobs.model.faces import FaceSettings, of
from tests.conftest import ROOT

SETTINGS = settings.load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)


@pytest.mark.parametrize("private", [True, False])
def test_a_place_of_a_photograph_is_not_repeated(private: bool) -> None:
    with pytest.raises(WrongUsage) as caught:
        aws.split_uri("https://host/canary.jpg", "The first picture", private=private)
    assert ("canary" in str(caught.value)) is not private


@pytest.mark.parametrize("place", ["https://host/canary.jpg", "s3:/canary/a"])
def test_nor_by_what_lists_and_compares(place: str) -> None:
    with pytest.raises(WrongUsage, match="not an s3://") as caught:
        list(photographs.listed(SETTINGS, place))
    assert "canary" not in str(caught.value)
    with pytest.raises(WrongUsage) as caught:
        compare._content(place, "first", SETTINGS)
    assert "canary" not in str(caught.value)


def test_a_key_can_be_kept_off_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Stands:
        def __init__(self, *_: Any) -> None: ...

        def find(self, key: str) -> Person:
            asked.append(key)
            raise WrongUsage("Nobody has this key.")

    monkeypatch.setattr("crime_jobs.faces.withdraw.Withdrawal", Stands)
    told = ["faces", "withdraw", "-", "--watch-list", "missing", "--reason", "found", "--env", "local"]
    CliRunner().invoke(app, told, input="MP/2026/0001\n")
    assert asked == ["MP/2026/0001"]


class Ledger:
    """As much of DynamoDB as the ledger asks for what can't be read."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def put_item(self, TableName: str, Item: dict[str, Any]) -> None:  # noqa: N803 - as boto3's
        self.items[Item["photograph"]["S"]] = Item

    def get_paginator(self, _: str) -> Ledger:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Items": list(self.items.values())}]


class Seals:
    def seal(self, _: str, content: bytes) -> bytes:
        return content

    def unseal(self, _: str, content: Any) -> bytes:
        return bytes(content)


def test_what_cannot_be_read_is_told_of_the_last_run_and_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Ledger()
    monkeypatch.setattr("crime_jobs.executors.client", lambda *_: table)
    ledger = photographs.Photographs(SETTINGS, FaceSettings(), "missing")
    ledger.__dict__["_sealer"] = Seals()
    for name, run in (("gone", "run-1"), ("broken", "run-2")):
        ledger.note_unreadable(photographs.Found(name, "b", name, "e"), Reason.GONE, run)
    table.items["gone"]["at"] = {"S": "2026-01-01T00:00:00+00:00"}
    assert [one.place for one in ledger.unreadable()] == ["s3://b/broken"]
    days = (int(table.items["broken"][photographs.ENDS]["N"]) - time.time()) / 86400
    assert photographs.UNREADABLE_DAYS - 1 < days <= photographs.UNREADABLE_DAYS


def test_a_line_of_the_audit_is_one_line_at_the_terminal() -> None:
    line = Line("2026-11-24", 1, "2026-11-24T20:00:00.123+00:00", "arn", "enrol", '{"a": 1, "b": "c"}', "")
    assert line.told()["at"] == "2026-11-24T20:00:00Z"
    assert line.told()["facts"] == "a=1 b=c"
    assert line.row()["facts"] == {"a": 1, "b": "c"}


def test_calls_that_cost_nothing_are_not_told_of_as_if_they_did(capsys: pytest.CaptureFixture[str]) -> None:
    calls = {"detect_faces": 2, "index_faces": 2, "list_faces": 1, "describe_collection": 3}
    refused = Told(2, "refused", "")
    with pytest.raises(BadInput, match="nobody was enrolled"):
        _tell_done(Enrolled((refused,), Reconciled(), calls, 0.004, 0), None)
    assert "; 4 calls" in capsys.readouterr().err


def test_who_was_taken_off_the_list_by_an_enrolment_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for off, told in ((0, False), (2, True)):
        _tell_done(Enrolled((Told(2, "enrolled"),), Reconciled(), {}, 0, 0, off), None)
        assert ("2 people were taken off the list: none of" in capsys.readouterr().err) is told


def test_a_key_is_for_an_engine_of_ones_own() -> None:
    with pytest.raises(WrongUsage, match=r"crime-jobs.toml: faces: .*AWS's engine takes no key of its own"):
        of({"engine_secret": "crime-jobs/faces-matching"})
    assert of({"engine": "on-premises", "engine_secret": "x"}).engine_secret == "x"


def test_an_engine_that_is_down_is_told_of_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", "http://127.0.0.1:1")
    engine = Engine(SETTINGS, FaceSettings(), sleep=lambda _: None)
    for collection in (None, "crime-jobs-missing"):
        with pytest.raises(AwsRefused, match="who it is"):
            engine.identity(collection)
    assert set(engine.calls.values()) == {2}


def test_a_table_that_is_not_there_is_told_of_with_what_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def get_item(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetItem")

    monkeypatch.setattr("crime_jobs.aws.client", lambda *_, **__: Nothing())
    with pytest.raises(AwsRefused) as caught:
        People(SETTINGS, FaceSettings()).watch_list("missing")
    assert "crime-jobs deploy faces" in (caught.value.hint or "")


def test_a_refusal_of_s3_does_not_name_the_object() -> None:
    """S3 says in its refusals which object it is about, and a photograph's name may be somebody's."""
    said = (
        "User: arn:aws:sts::111122223333:assumed-role/desk/asha is not authorized to perform: s3:GetObject on "
        'resource: "arn:aws:s3:::crime-faces/watch/canary asha.jpg" because no identity-based policy allows '
        "the s3:GetObject action"
    )
    error: Any = {"Error": {"Code": "AccessDenied", "Message": said}}
    with pytest.raises(AwsRefused) as caught, aws.refusals("Reading a photograph"):
        raise ClientError(error, "GetObject")
    assert "canary" not in str(caught.value)
    assert "asha.jpg" not in str(caught.value)
    assert "arn:aws:s3:::crime-faces/…" in str(caught.value)
    assert "because no identity-based policy allows" in str(caught.value)


@pytest.mark.parametrize("code", ["InvalidRequest", "KMS.DisabledException"])
def test_a_photograph_that_s3_itself_can_not_open_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """One that was sealed with a key of somebody's own, or whose key is off: the next run would meet it too."""

    class S3:
        def get_object(self, **_: Any) -> None:
            error: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(error, "GetObject")

    monkeypatch.setattr("crime_jobs.executors.client", lambda *_: S3())
    with pytest.raises(Unreadable) as caught:
        photographs.fetch(SETTINGS, photographs.Found("x", "bucket", "canary.jpg", '"e"', 1))
    assert caught.value.reason is Reason.DENIED

    monkeypatch.setattr("crime_jobs.aws.client", lambda *_, **__: S3())
    place = places.open_place("s3://bucket/watch/manifest.csv", SETTINGS)
    with pytest.raises(Unreadable) as caught:  # which refuses a line of the manifest, and not all of it
        place.read("canary.jpg")
    assert caught.value.reason is Reason.DENIED
    with pytest.raises(BadInput, match="can't open the manifest"):
        place.manifest()


@pytest.mark.parametrize("days", [100_001, 10**12])
def test_leads_are_not_kept_for_longer_than_a_calendar_has_days(days: int) -> None:
    with pytest.raises(WrongUsage, match="lead_days"):
        of({"lead_days": days})


@pytest.mark.parametrize("text", ["", "{", "[]", '"canary"', '{"access_key_id": "canary"}', "[" * 60_000])
def test_a_secret_that_is_none_is_not_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    class Keeps:
        def get_secret_value(self, **_: Any) -> dict[str, str]:
            return {"SecretString": text}

    monkeypatch.setattr("crime_jobs.aws.client", lambda *_, **__: Keeps())
    with pytest.raises(BadInput, match="is not JSON with access_key_id and secret_access_key") as caught:
        access_key(SETTINGS, "engine")
    assert "canary" not in str(caught.value)


def test_a_face_that_the_engine_keeps_is_not_said_to_be_removed() -> None:
    """Rekognition keeps one that somebody has associated with a user of its own (``AssociateFaces``)."""
    engine, kept = Engine.__new__(Engine), ["FACE_NOT_FOUND"]

    def call(*_: Any, **__: Any) -> dict[str, Any]:
        return {"DeletedFaces": ["a"], "UnsuccessfulFaceDeletions": [{"FaceId": "b", "Reasons": kept}]}

    engine._call = call  # type: ignore[method-assign]
    assert engine.delete_faces("crime-jobs-missing", ["a", "b"]) == 1
    kept[:] = ["ASSOCIATED_TO_AN_EXISTING_USER"]
    with pytest.raises(AwsRefused, match="1 of them stay: ASSOCIATED_TO_AN_EXISTING_USER") as caught:
        engine.delete_faces("crime-jobs-missing", ["a", "b"])
    assert "disassociate-faces" in caught.value.hint
