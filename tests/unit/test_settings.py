"""Settings: options, then variables, then the file; every value knows its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crime_jobs import settings
from crime_jobs.errors import WrongUsage


def test_options_come_before_variables_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "crime-jobs.toml").write_text(
        '[pune]\nregion = "ap-south-1"\nlanding = "s3://pune/in"\nlake = "s3://pune/lake"\n'
    )
    found = settings.load(
        "pune", {"lake": "here", "landing": None}, {"CRIME_JOBS_LANDING": "there"}, tmp_path
    )
    assert (found.lake, found.landing, found.region) == ("here", "there", "ap-south-1")
    assert found.sources["lake"] == "option"
    assert found.sources["landing"] == "environment variable"
    assert found.sources["region"] == str(tmp_path / "crime-jobs.toml")
    assert found.sources["spark_conf"] == "nowhere"


def test_local_ships_with_the_package(tmp_path: Path) -> None:
    found = settings.load(None, None, {}, tmp_path)
    assert (found.env, found.landing, found.lake) == ("local", "data", "build/lake")


def test_a_missing_value_says_every_place_it_looked_in(tmp_path: Path) -> None:
    (tmp_path / "crime-jobs.toml").write_text('[bare]\nregion = "ap-south-1"\n')
    with pytest.raises(WrongUsage, match="--landing, CRIME_JOBS_LANDING, and landing in"):
        settings.load("bare", {}, {}, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[x]\nlandig = 'a'\n", "x|landig"), ("[x\n", "not valid TOML"), ("[x]\nlake = 3\n", "lake")],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "crime-jobs.toml").write_text(text)
    with pytest.raises(WrongUsage, match=said) as caught:
        settings.load("local", {}, {}, tmp_path)
    assert "crime-jobs.toml" in str(caught.value)


def test_an_unknown_environment_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="Known are local, localstack"):
        settings.load("moon", {}, {}, tmp_path)


def test_localstack_needs_its_servers(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="Run `make up` first"):
        settings.load("localstack", {}, {}, tmp_path)


def test_a_section_of_the_user_s_keeps_the_servers_of_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "crime-jobs.toml").write_text(
        '[localstack]\nlanding = "s3://mine/in"\nlake = "s3://mine/lake"\n'
    )
    with pytest.raises(WrongUsage, match="Run `make up` first"):
        settings.load("localstack", {}, {}, tmp_path)


def test_an_empty_option_is_refused_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="--lake is empty"):
        settings.load("local", {"lake": ""}, {}, tmp_path)


def test_a_folder_that_spark_would_take_for_a_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="takes for a pattern"):
        settings.load("local", {"lake": "lake [1]"}, {}, tmp_path)


def test_the_environment_file_comes_in_before_ambient_variables(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "up.env").write_text(
        "# servers\nexport AWS_REGION=us-east-1\nCRIME_JOBS_LANDING='s3://in/x'\nCRIME_JOBS_LAKE=s3://lake\n"
    )
    found = settings.load("localstack", {}, {"AWS_REGION": "eu-west-1"}, tmp_path)
    assert found.region == "us-east-1"
    assert found.landing == "s3://in/x"
    assert found.environ["AWS_REGION"] == "us-east-1"


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")]
)
@pytest.mark.parametrize("name", ["crime-jobs.toml", ".env"])
def test_a_file_that_can_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    """Made by root, or by an editor that writes no UTF-8."""
    (tmp_path / "crime-jobs.toml").write_text('[police]\nlanding = "l"\nlake = "k"\nenv_file = ".env"\n')
    (tmp_path / ".env").write_text("A=b\n")
    read = Path.read_text

    def reads(path: Path, *args: Any, **options: Any) -> str:
        if path.name == name and path.parent == tmp_path:
            raise error
        return read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", reads)
    with pytest.raises(WrongUsage, match=name.replace(".", r"\.")):
        settings.load("police", environ={}, folder=tmp_path)
