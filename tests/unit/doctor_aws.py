"""AWS as the doctor sees it: answers come over the wire, and what is not told is not there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from crime_jobs.cloud import doctor_checks
from crime_jobs.cloud.doctor import Finding, Said
from crime_jobs.settings import Settings

if TYPE_CHECKING:
    import pytest

HERE, ACCOUNT = "ap-south-1", "123456789012"
CANARY = "wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY"

Answer = tuple[int, str]

_NOTHING = (400, '{"__type": "ResourceNotFoundException", "message": "none"}')
_NO_ENTITY = (404, "<R><Error><Code>NoSuchEntity</Code><Message>none</Message></Error></R>")


class Aws:
    """Answers calls by their names; what is not told it is a service that has nothing."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[dict[str, Any]], Answer]] = {
            "GetCallerIdentity": (200, who(f"arn:aws:sts::{ACCOUNT}:assumed-role/doctor/me")),
            "DescribeStacks": (200, "<R><DescribeStacksResult><Stacks/></DescribeStacksResult></R>"),
        }
        self.asked: list[str] = []
        self.off = timedelta(0)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        target = request.headers.get("X-Amz-Target", b"")
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        if target:
            name = target.decode().rpartition(".")[2]
        elif b"Action=" in body:
            name = body.decode().partition("Action=")[2].partition("&")[0]
        else:
            name = _rest(request.method, request.url)
        self.asked.append(name)
        answer = self.answers.get(name, _NOTHING if target else _NO_ENTITY)
        told = json.loads(body) if target and body else dict(parse_qsl(body.decode()))
        status, text = answer(told) if callable(answer) else answer
        headers = {"date": format_datetime(datetime.now(UTC) + self.off, usegmt=True)}

        class Raw(io.BytesIO):
            def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
                yield self.read()

        return AWSResponse(request.url, status, headers, Raw(text.encode()))


def _rest(method: str, url: str) -> str:
    """Name a call of S3 or Scheduler: ``GET bucket?encryption``, ``GET /schedules``."""
    parts = urlsplit(url)
    bucket, is_s3, _ = str(parts.hostname).partition(".s3.")
    if is_s3:
        return f"{method} {bucket}" + (f"?{parts.query}" if parts.query else "")
    return f"{method} {parts.path}"


def who(arn: str) -> str:
    result = f"<Arn>{arn}</Arn><UserId>U</UserId><Account>{ACCOUNT}</Account>"
    return f"<R><GetCallerIdentityResult>{result}</GetCallerIdentityResult></R>"


def standing_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Aws:
    """Let it answer for all of AWS in a test."""
    made = Aws()
    monkeypatch.setattr(URLLib3Session, "send", made.send)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    return made


def settings(**more: Any) -> Settings:
    told = {
        "env": "police",
        "region": HERE,
        "landing": "s3://landing",
        "lake": "s3://police-lake",
        "spark_conf": None,
    }
    return Settings.model_validate({**told, "sources": {}, "environ": {}, **more})


def examined(*only: str, **more: Any) -> list[Finding]:
    return doctor_checks.examine(settings(**more), only)


def one(found: list[Finding], subject: str = "") -> Said:
    (said,) = [finding.said for finding in found if finding.subject.startswith(subject)]
    return said


def text_of(said: Said) -> str:
    return "; ".join(text for _, text in said.remarks)


def refused(code: str) -> Answer:
    return 400, json.dumps({"__type": code, "message": "m"})
