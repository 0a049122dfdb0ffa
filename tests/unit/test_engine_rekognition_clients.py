"""Who may ask the deployed face engine: the file that says so, and the signature that proves it."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from crime_engines.protocol import Call, Refusal, ServiceModel
from crime_engines.protocol.service import Request
from crime_engines.rekognition import clients, signing
from crime_engines.rekognition.service import Rekognition, _token
from crime_engines.rekognition.store import Store
from tests.unit.face_engine import CLIENTS, KEYS, SECRETS, private


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace('"read", "write"', '"read", "Everything"'), "operations has"),
        (lambda text: text.replace('["read"]', "[]"), "operations has nothing"),
        (lambda text: text.replace('name = "matching"', 'name = "enrolment"'), "is there already"),
        (lambda text: text.replace(KEYS["matching"], KEYS["enrolment"]), "is there already"),
        (lambda text: text.replace(SECRETS["auditor"], "short"), "secret_access_key has to be"),
        (lambda text: text.replace("buckets", "bucket"), "may have buckets"),
        (lambda text: text.replace('["pictures"]', '"pictures"'), "buckets has to be a list"),
        (lambda text: text.replace("[[client]]", "[client]"), "can't be read as TOML"),
        (lambda text: text + 'other = 1\n[[person]]\nname = "x"\n', "nothing else"),
        (lambda text: "", "at least one"),
    ],
)
def test_a_file_of_clients_is_right_or_refused_without_its_secrets(
    tmp_path: Path, change: Any, reason: str
) -> None:
    path = private(tmp_path / "clients.toml", change(CLIENTS).encode())
    with pytest.raises(clients.Unusable) as caught:
        clients.read(path)
    assert reason in str(caught.value)
    assert not any(secret in str(caught.value) for secret in SECRETS.values())


def test_a_file_of_clients_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = private(tmp_path / "clients.toml", CLIENTS.encode())
    known = clients.read(path)
    assert [client.name for client in known.values()] == list(SECRETS)
    assert not any(secret in repr(known) for secret in SECRETS.values())
    for mode in (0o604, 0o640, 0o620, 0o601):
        path.chmod(mode)
        with pytest.raises(clients.Unusable, match="chmod 600"):
            clients.read(path)
    # As systemd hands it over: root's, with an access list that shows as the group's right to read.
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert clients.read(path) == known
    path.chmod(0o444)
    with pytest.raises(clients.Unusable, match="chmod 600"):
        clients.read(path)
    path.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(clients.Unusable, match="another user"):
        clients.read(path)


@given(st.dictionaries(st.sampled_from(["authorization", "host", "x-amz-date", "x-amz-a"]), st.text()))
def test_a_header_of_any_kind_is_read_or_refused(headers: dict[str, str]) -> None:
    with contextlib.suppress(Refusal):
        signing.claim(headers)


SIGNED = {
    "host": "faces.example:8443",
    "x-amz-date": "20260102T030405Z",
    "x-amz-target": "RekognitionService.ListCollections",
}


def signature(headers: dict[str, str], body: bytes, secret: str = "s" * 40) -> str:
    """Sign as botocore signs."""
    asked = AWSRequest("POST", "https://faces.example:8443/", dict(headers), body)
    asked.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIA0000000000000000", secret), "rekognition", "us-east-1")
    canonical = signer.canonical_request(asked)
    scope = f"AKIA0000000000000000/{headers['x-amz-date'][:8]}/us-east-1/rekognition/aws4_request"
    made = signer.signature(signer.string_to_sign(asked, canonical), asked)
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(sorted(headers))}, Signature={made}"


@given(st.binary(max_size=200), st.sampled_from(sorted(SIGNED)), st.integers(0, 200), st.integers(1, 255))
def test_one_changed_byte_breaks_a_signature(body: bytes, name: str, place: int, change: int) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    authorization = signature(SIGNED, body)

    def check(headers: dict[str, str], content: bytes) -> None:
        request = Request("POST", "/", "", headers | {"authorization": authorization}, content)
        signing.check(request, signing.claim(request.headers), "s" * 40, "us-east-1", now)

    check(SIGNED, body)
    if body:
        other = bytearray(body)
        other[place % len(body)] ^= change
        with pytest.raises(Refusal):
            check(SIGNED, bytes(other))
    value = SIGNED[name]
    spot = place % len(value)
    with pytest.raises(Refusal):
        check(SIGNED | {name: f"{value[:spot]}~{value[spot + 1 :]}"}, body)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("SearchFacesByImage", "[" * 100_000),
        ("SearchFacesByImage", '{"a":' * 100_000),
        ("ListFaces", '{"CollectionId": "c", "MaxResults": 1' + "0" * 5000 + "}"),
        ("SearchFaces", '{"CollectionId": "c", "FaceId": "f", "FaceMatchThreshold": 1' + "0" * 400 + "}"),
        ("DetectFaces", '{"Image": {"Bytes": "\u00e9\u00e9\u00e9\u00e9"}}'),
    ],
)
def test_a_body_that_nobody_can_read_is_refused_and_no_failure(operation: str, body: str) -> None:
    """A failure, 500, is what clients try again, eight times each."""
    model = ServiceModel("rekognition")
    headers = {"x-amz-target": f"{model.target_prefix}.{operation}"}
    with pytest.raises(Refusal) as caught:
        model.read(Request("POST", "/", "", headers, body.encode()))
    assert caught.value.status == 400


@pytest.mark.parametrize("place", ["9" * 5000, "9" * 30, "-1", "x"])
def test_a_page_that_can_not_be_is_refused_and_no_failure(tmp_path: Path, place: str) -> None:
    store = Store(tmp_path)
    store.create("us-east-1", "c", {})
    service = Rekognition.__new__(Rekognition)
    service._store = store
    token = _token(f"faces/{store.collection('us-east-1', 'c').number}", place)
    call = Call("ListFaces", {"CollectionId": "c", "NextToken": token}, "us-east-1", "r", "")
    with pytest.raises(Refusal) as caught:
        service.list_faces(call)
    assert caught.value.code == "InvalidPaginationTokenException"
    store.close()
