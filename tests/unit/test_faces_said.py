"""What is said, and what stays unsaid, at the terminal and in errors of the faces room."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from crime_jobs import aws, settings
from crime_jobs.cli import app
from crime_jobs.errors import WrongUsage
from crime_jobs.faces import compare, photographs
from crime_jobs.faces.people import Person
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
