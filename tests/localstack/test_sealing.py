"""Sealing under a real KMS: what comes back, what can't be opened, and how often KMS is asked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from crime_jobs import aws, sealing, settings
from crime_jobs.errors import AwsRefused, BadInput
from tests.localstack.conftest import Stack

KEY = "alias/crime-jobs-fir"
CANARY = "CANARY-51b2"


@pytest.fixture
def sealer(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], sealing.Sealer]:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    return lambda key: sealing.Sealer(settings.load("local"), key)


def test_a_message_comes_back_and_is_opened_as_what_it_is_about_alone(
    sealer: Callable[[str], sealing.Sealer], capfd: pytest.CaptureFixture[str]
) -> None:
    ours = sealer(KEY)
    sealed = ours.seal("IN-UP/Lucknow/A/2026/0001", CANARY.encode())
    assert CANARY.encode() not in base64.b64decode(sealed)
    assert sealer(KEY).unseal("IN-UP/Lucknow/A/2026/0001", sealed) == CANARY.encode()
    raw = bytearray(base64.b64decode(sealed))
    raw[-20] ^= 1
    changed = base64.b64encode(raw).decode()
    for subject, message in (
        ("IN-UP/Lucknow/A/2026/0002", sealed),
        ("IN-UP/Lucknow/A/2026/0001", changed),
        ("IN-UP/Lucknow/A/2026/0001", sealed[:-8]),
        ("IN-UP/Lucknow/A/2026/0001", "no base64!"),
        ("IN-UP/Lucknow/A/2026/0001", ""),
    ):
        with pytest.raises(BadInput) as caught:
            ours.unseal(subject, message)
        assert CANARY not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # the SDK logs what it raises, unless it is told not to


def test_one_data_key_seals_many_messages(
    sealer: Callable[[str], sealing.Sealer], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    made = aws.client

    def counted(service: str, *args: Any) -> Any:
        client = made(service, *args)
        client.meta.events.register("before-call.kms.*", lambda model, **_: asked.append(model.name))
        return client

    monkeypatch.setattr(aws, "client", counted)
    ours = sealer(KEY)
    messages = {f"key {n}": ours.seal(f"key {n}", str(n).encode()) for n in range(200)}
    assert len(set(messages.values())) == 200
    assert asked == ["DescribeKey", "GenerateDataKey"]
    assert all(ours.unseal(subject, text) == subject[4:].encode() for subject, text in messages.items())
    assert asked[2:] == ["Decrypt"]


def test_a_key_that_is_not_there_is_said_at_once(sealer: Callable[[str], sealing.Sealer]) -> None:
    with pytest.raises(AwsRefused, match="Looking for the KMS key alias/none"):
        sealer("alias/none")
