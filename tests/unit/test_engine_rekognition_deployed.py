"""The face engine as a service of its own: who is let in, to what, what is noted, what it outlives."""

from __future__ import annotations

import hashlib
import itertools
import os
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import botocore.auth
import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError, SSLError
from PIL import ImageOps

from crime_engines.rekognition import __main__ as engine_main
from crime_jobs.faces import purpose
from crime_jobs.faces.engine import Engine
from crime_jobs.model.faces import FaceSettings, Purpose
from tests.conftest import make_settings
from tests.photographs import file, head, nobody
from tests.unit.face_engine import CLIENTS, KEYS, SECRETS, Deployed, certify, deploy, private

#: What must stand in no log: an external id and the key of an object.
PERSON, OBJECT = "canary-person-17", "canary/Asha Devi.jpg"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deploy(tmp_path_factory.mktemp("face-engine")) as deployed:
        deployed.client("enrolment").create_collection(CollectionId="missing-people")
        deployed.client("auditor").create_collection(CollectionId="another-house")
        yield deployed


@pytest.fixture(scope="module")
def face() -> bytes:
    return file(head())


def error(call: Any, **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    said = caught.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_client_enrols_and_another_searches_behind_tls(engine: Deployed, face: bytes) -> None:
    kept = engine.client("enrolment").index_faces(
        CollectionId="missing-people", Image={"Bytes": face}, ExternalImageId=PERSON
    )
    said = engine.client("matching").search_faces_by_image(
        CollectionId="missing-people", Image={"Bytes": file(ImageOps.mirror(head()))}, FaceMatchThreshold=99
    )
    (match,) = said["FaceMatches"]
    assert match["Face"] == kept["FaceRecords"][0]["Face"]
    assert said["ResponseMetadata"]["HTTPHeaders"]["x-crime-jobs-engine"] == "dlib/20.0.1"
    with pytest.raises(SSLError):  # who does not trust the certificate sends nothing
        engine.client("matching", verify=True).list_collections()


def test_the_job_knows_it_for_an_engine_of_ones_own(
    engine: Deployed, monkeypatch: pytest.MonkeyPatch, face: bytes
) -> None:
    """What crime-jobs asks before a purpose that AWS's terms bar, and with what it searches."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", engine.address)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(engine.ca))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["matching"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["matching"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = make_settings("landing", "lake").model_copy(update={"region": "us-east-1"})
    asking = Engine(settings, FaceSettings(engine="on-premises"))
    found = asking.identity("missing-people")
    assert (found.name, found.version, found.on_premises) == ("dlib", "20.0.1", True)
    purpose.check(Purpose.CRIMINAL_INVESTIGATION, found)
    assert len(asking.detect(face)) == 1


def test_health_says_that_it_runs_and_no_more(engine: Deployed) -> None:
    trust = ssl.create_default_context(cafile=engine.ca)
    with urllib.request.urlopen(f"{engine.address}/health", timeout=10, context=trust) as said:  # noqa: S310
        assert said.read() == b'{"status":"running"}'
        assert said.headers["x-crime-jobs-engine"] == "dlib/20.0.1"
        assert "server" not in said.headers


def test_what_a_client_was_not_allowed_is_denied(engine: Deployed, face: bytes) -> None:
    matching = engine.client("matching")
    code, message = error(matching.index_faces, CollectionId="missing-people", Image={"Bytes": face})
    assert code == "AccessDeniedException"
    assert "user/matching is not authorized to perform: rekognition:IndexFaces" in message
    assert error(engine.client("auditor").detect_faces, Image={"Bytes": face})[0] == "AccessDeniedException"
    for name in ("another-house", "another-house-that-is-not-there"):  # and can't tell which is there
        assert error(matching.describe_collection, CollectionId=name)[0] == "AccessDeniedException"
        arn = f"arn:aws:rekognition:us-east-1:000000000000:collection/{name}"
        assert error(matching.list_tags_for_resource, ResourceArn=arn)[0] == "AccessDeniedException"
    assert error(matching.detect_labels, Image={"Bytes": face})[0] == "UnknownOperationException"
    assert error(matching.describe_collection, CollectionId="a b")[0] == "ValidationException"


def test_a_client_sees_the_collections_that_are_its_own(engine: Deployed) -> None:
    matching = engine.client("matching")
    assert matching.list_collections()["CollectionIds"] == ["missing-people"]
    arn = matching.describe_collection(CollectionId="missing-people")["CollectionARN"]
    assert matching.list_tags_for_resource(ResourceArn=arn)["Tags"] == {}
    pages = engine.client("auditor").get_paginator("list_collections")
    found = pages.paginate(PaginationConfig={"PageSize": 1})
    assert [page["CollectionIds"] for page in found] == [["another-house"], ["missing-people"]]


def test_pictures_come_from_the_buckets_that_a_client_was_given(engine: Deployed, face: bytes) -> None:
    for bucket in ("pictures", "others"):
        (engine.folder / "s3" / bucket / "canary").mkdir(parents=True, exist_ok=True)
        (engine.folder / "s3" / bucket / OBJECT).write_bytes(face)
    detect = engine.client("enrolment").detect_faces
    assert len(detect(Image={"S3Object": {"Bucket": "pictures", "Name": OBJECT}})["FaceDetails"]) == 1
    for bucket, key in (("others", OBJECT), ("pictures", "missing.jpg")):
        place = {"Bucket": bucket, "Name": key}
        assert error(detect, Image={"S3Object": place})[0] == "InvalidS3ObjectException"


def test_who_does_not_prove_to_be_a_client_is_refused(engine: Deployed) -> None:
    def ask(name: str, **given: Any) -> tuple[str, str]:
        return error(engine.client(name, **given).list_collections)

    code, message = ask("matching", secret="not-the-secret-of-this-client-at-all")
    assert code == "InvalidSignatureException"
    assert "does not match the signature you provided" in message
    assert ask("AKIANOBODY0000000000", secret="x" * 40)[0] == "UnrecognizedClientException"
    assert ask("matching", signature_version=UNSIGNED)[0] == "MissingAuthenticationTokenException"
    assert ask("matching", region="ap-south-1")[0] == "InvalidSignatureException"
    # Another client's secret does not serve either.
    assert ask("matching", secret=SECRETS["enrolment"])[0] == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("minutes", "reason"), [(-10, "Signature expired"), (10, "Signature not yet current"), (-4, ""), (4, "")]
)
def test_a_clock_may_be_five_minutes_off(
    engine: Deployed, monkeypatch: pytest.MonkeyPatch, minutes: int, reason: str
) -> None:
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() + timedelta(minutes=minutes))
    ask = engine.client("matching").list_collections
    if reason:
        code, message = error(ask)
        assert code == "InvalidSignatureException"
        assert message.startswith(reason)
    else:
        ask()


def change_body(request: Any) -> None:
    request.body = request.body.replace(b"missing-people", b"missing-peoplx")


def change_operation(request: Any) -> None:
    request.headers["X-Amz-Target"] = "RekognitionService.DeleteCollection"


def add_header(request: Any) -> None:
    request.headers["X-Amz-Other"] = "1"


def drop_header(request: Any) -> None:
    request.headers["Authorization"] = request.headers["Authorization"].replace(b";x-amz-target", b"")


def take_from_body(request: Any) -> None:
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(request.body).hexdigest()


def add_token(request: Any) -> None:
    request.headers["X-Amz-Security-Token"] = "token"


def cut_signature(request: Any) -> None:
    request.headers["Authorization"] = request.headers["Authorization"][:-1]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (change_body, "InvalidSignatureException"),
        (change_operation, "InvalidSignatureException"),
        (add_header, "IncompleteSignatureException"),
        (drop_header, "IncompleteSignatureException"),
        (take_from_body, "IncompleteSignatureException"),
        (add_token, "IncompleteSignatureException"),
        (cut_signature, "IncompleteSignatureException"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(engine: Deployed, change: Any, code: str) -> None:
    client = engine.client("enrolment")

    def on_the_way(request: Any, **_: Any) -> None:
        change(request)

    client.meta.events.register("before-send.rekognition", on_the_way)
    assert error(client.describe_collection, CollectionId="missing-people")[0] == code
    assert "missing-people" in engine.client("matching").list_collections()["CollectionIds"]


def test_a_request_of_any_size_is_not_read(engine: Deployed) -> None:
    client, image = engine.client("matching"), {"Bytes": bytes(12 * 1024**2)}
    given = {"SourceImage": image, "TargetImage": {"Bytes": b"x"}}
    assert error(client.compare_faces, **given)[0] == "RequestEntityTooLargeException"


def test_each_call_is_noted_with_who_and_what_and_nothing_of_a_face(engine: Deployed, face: bytes) -> None:
    (engine.folder / "s3" / "pictures" / "canary").mkdir(parents=True, exist_ok=True)
    (engine.folder / "s3" / "pictures" / OBJECT).write_bytes(face)
    before = len(engine.audit)
    enrolment, matching = engine.client("enrolment"), engine.client("matching")
    image = {"S3Object": {"Bucket": "pictures", "Name": OBJECT}}
    given = {"CollectionId": "missing-people", "ExternalImageId": PERSON}
    kept = enrolment.index_faces(Image=image, **given)
    found = matching.search_faces_by_image(CollectionId="missing-people", Image={"Bytes": face})
    error(matching.index_faces, Image={"Bytes": face}, **given)
    error(matching.search_faces_by_image, CollectionId="missing-people", Image={"Bytes": file(nobody())})
    error(engine.client("matching", secret="x" * 40).list_collections)
    error(engine.client("AKIANOBODY0000000000", secret="x" * 40).list_collections)
    lines = engine.audit[before:]
    told = [(one["step"], one["client"], one["operation"], one.get("code")) for one in lines]
    assert told == [
        ("begun", "enrolment", "IndexFaces", None),
        ("answered", "enrolment", "IndexFaces", "OK"),
        ("answered", "matching", "SearchFacesByImage", "OK"),
        ("answered", "matching", "IndexFaces", "AccessDeniedException"),
        ("answered", "matching", "SearchFacesByImage", "InvalidParameterException"),
        ("answered", "matching", "?", "InvalidSignatureException"),
    ]
    assert [one["request_id"] for one in lines[:3]] == [
        *[kept["ResponseMetadata"]["RequestId"]] * 2,
        found["ResponseMetadata"]["RequestId"],
    ]
    assert lines[1] | {"time": "", "request_id": ""} == {
        "time": "",
        "request_id": "",
        "step": "answered",
        "client": "enrolment",
        "operation": "IndexFaces",
        "region": "us-east-1",
        "collection": "missing-people",
        "pictures": [{"bucket": "pictures"}],
        "faces": 1,
        "code": "OK",
    }
    assert lines[2]["pictures"] == [{"sha256": hashlib.sha256(face).hexdigest()}]
    assert lines[2]["matches"] == len(found["FaceMatches"]) >= 1
    assert "IndexFaces 200 OK" in engine.log
    face_id = kept["FaceRecords"][0]["Face"]["FaceId"]
    everything = engine.log + (engine.folder / "audit.jsonl").read_text()
    for canary in (PERSON, "canary", "Asha", face_id, *SECRETS.values()):
        assert canary not in everything, canary
    kept_bytes = b"".join(
        path.read_bytes() for path in (engine.folder / "state").rglob("*") if path.is_file()
    )
    assert PERSON.encode() not in kept_bytes


def test_without_its_audit_log_it_answers_nothing_and_changes_nothing(engine: Deployed) -> None:
    path = engine.folder / "audit.jsonl"
    path.rename(engine.folder / "away")
    try:
        path.mkdir()
        assert error(engine.client("matching").list_collections)[0] == "InternalServerError"
        create = engine.client("enrolment").create_collection
        assert error(create, CollectionId="missing-unnoted")[0] == "InternalServerError"
    finally:
        path.rmdir()
    # As logrotate does it: the file was moved away, the next line begins another one.
    assert "missing-unnoted" not in engine.client("matching").list_collections()["CollectionIds"]
    assert [one["operation"] for one in engine.audit] == ["ListCollections"]
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes() + b'{"time": "20')  # a crash cut this line
    engine.client("matching").list_collections()
    assert path.read_text().splitlines()[1] == '{"time": "20'
    assert '"ListCollections"' in path.read_text().splitlines()[2]
    (engine.folder / "away").rename(path)


def test_killed_in_mid_batch_it_loses_nothing_that_it_answered(tmp_path: Path) -> None:
    with deploy(tmp_path) as engine:
        client = engine.client("enrolment")
        client.create_collection(CollectionId="missing-batch")
        answered: dict[int, str] = {}
        first = threading.Event()

        def picture(number: int) -> bytes:
            return file(head().resize((240 + number, 240 + number)))

        def index(number: int) -> str:
            given = {"CollectionId": "missing-batch", "ExternalImageId": f"p{number}"}
            said = client.index_faces(Image={"Bytes": picture(number)}, **given)
            return str(said["FaceRecords"][0]["Face"]["FaceId"])

        def batch(numbers: Iterator[int]) -> int:
            """Put in one picture after another until it is refused: the batch has no end of its own."""
            for number in numbers:
                try:
                    answered[number] = index(number)
                except Exception:  # noqa: BLE001 - whatever a killed server does to a connection
                    return number
                first.set()
            raise AssertionError("the batch ended")

        with ThreadPoolExecutor(2) as threads:
            batches = [threads.submit(batch, itertools.count(n, 2)) for n in range(2)]
            assert first.wait(60)
            engine.kill()
            refused = {one.result() for one in batches}
        assert answered
        engine.start()
        client = engine.client("enrolment")
        kept = {one["FaceId"] for one in client.list_faces(CollectionId="missing-batch")["Faces"]}
        assert set(answered.values()) <= kept
        for number in {*answered, *refused}:
            face = index(number)
            assert answered.get(number, face) == face  # the same picture is the same face
        count = client.describe_collection(CollectionId="missing-batch")["FaceCount"]
        assert count == len({*answered, *refused})


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Start the engine in this process with what must not start; return its exit status and what it said."""
    mask = os.umask(0o077)

    def start(*arguments: str) -> tuple[int, str]:
        return engine_main.main(arguments), capsys.readouterr().err

    yield start
    os.umask(mask)


def test_it_does_not_start_where_faces_would_be_open_to_others(tmp_path: Path, run: Any) -> None:
    certify(tmp_path)
    known = private(tmp_path / "clients.toml", CLIENTS.encode())
    tls = ("--tls-certificate", str(tmp_path / "certificate.pem"), "--tls-key", str(tmp_path / "key.pem"))
    state = ("--state", str(tmp_path / "state"))
    for listen in ("::", "192.0.2.1", "example.org"):
        status, said = run(*state, *tls, "--listen", listen, "--port", "0")
        assert status == 2
        assert "--clients, --audit" in said
    status, said = run(*state, "--listen", "::", "--clients", str(known), "--audit", "/dev/null")
    assert (status, "--tls-certificate" in said) == (2, True)
    assert run(*state, *tls[:2])[0] == 2  # a certificate without its key
    (tmp_path / "key.pem").chmod(0o640)
    status, said = run(*state, *tls, "--port", "0")
    assert (status, "can be read by others" in said) == (2, True)
    private(tmp_path / "key.pem", b"no key").chmod(0o600)
    status, said = run(*state, *tls, "--port", "0")
    assert (status, "no certificate and its key" in said) == (2, True)
    status, said = run(*state, "--port", "0", "--audit", str(tmp_path / "nowhere" / "audit"))
    assert (status, "audit log" in said) == (2, True)


def test_on_this_machine_anyone_may_ask_and_one_process_has_the_folder(tmp_path: Path, run: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "crime_engines.rekognition", "--port", "0", "--state", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        address = process.stderr.readline().split()[-1]
        assert address.startswith("http://127.0.0.1:")

        def ask(**headers: str) -> bytes:
            told = {"X-Amz-Target": "RekognitionService.ListCollections"} | headers
            asked = urllib.request.Request(f"{address}/", b"{}", told)  # noqa: S310
            with urllib.request.urlopen(asked, timeout=10) as said:  # noqa: S310
                return bytes(said.read())

        assert b'"CollectionIds": []' in ask()
        with pytest.raises(HTTPError) as caught:  # a web page whose name leads here is no program of ours
            ask(Host="rebound.example")
        assert caught.value.code == 400
        status, told = run("--port", "0", "--state", str(tmp_path))
        assert (status, "in use by another" in told) == (2, True)
    finally:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()
