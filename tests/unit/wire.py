"""Instead of the wire: what would leave this machine, and what comes back. Not a test."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from crime_jobs import guard
from crime_jobs.settings import Settings

HERE, THERE = "ap-south-1", "eu-west-1"
ACCOUNT = "123456789012"
CANARY = "Sunita Kumari, ward 7"

Answer = tuple[int, dict[str, str], bytes]


class Wire:
    """What would leave this machine, and what comes back."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answer: Callable[[AWSPreparedRequest], Answer] = lambda _: (
            200,
            {},
            b"<Said><PublishResult/></Said>" if "//sns." in _.url else b"",
        )

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        self.sent.append(f"{request.method} {request.url}")
        status, headers, body = self.answer(request)

        class Raw(io.BytesIO):
            def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
                yield self.read()

        return AWSResponse(request.url, status, headers, Raw(body))


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wire:
    made = Wire()
    monkeypatch.setattr(URLLib3Session, "send", made.send)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr(guard, "_buckets", {})
    monkeypatch.setattr(guard, "_unasked", {})
    return made


def in_region(name: str | None = HERE, **more: Any) -> Settings:
    told = {"env": "police", "region": name, "landing": "l", "lake": "k", "spark_conf": None}
    return Settings.model_validate({**told, "sources": {}, "environ": {}, **more})


def names_both(error: BaseException | str) -> bool:
    return THERE in str(error) and HERE in str(error)
