"""Files that are whole or not there; folders of downloads that survive a kill; the lock."""

from __future__ import annotations

import io
import subprocess
import threading
from pathlib import Path

import pytest
from rich.console import Console

from crime_harness.files import env_lines, make_once, only_one
from crime_jobs.settings import read_env_file


def test_env_lines_mean_the_same_to_a_shell_and_to_the_settings(tmp_path: Path) -> None:
    values = {"PLAIN": "s3://a/b", "SPACED": "/my files/up.env", "SIGNS": "a;b&$HOME*", "EMPTY": ""}
    path = tmp_path / "up.env"
    path.write_text(env_lines(values))
    script = '. "$1"; printf "%s\\n" "$PLAIN" "$SPACED" "$SIGNS" "$EMPTY"'
    said = subprocess.run(["sh", "-c", script, "sh", path], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == list(values.values())
    assert read_env_file(path) == values


def test_a_folder_of_downloads_is_made_once(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "jar").touch()

    for _ in range(2):
        assert (make_once(tmp_path / "jars", build) / "jar").exists()
    assert len(built) == 1


def test_a_download_that_broke_off_is_made_again_from_nothing(tmp_path: Path) -> None:
    def breaks(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_once(tmp_path / "jars", breaks)
    assert not (tmp_path / "jars").exists()

    made = make_once(tmp_path / "jars", lambda folder: (folder / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]


def test_the_second_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    said = io.StringIO()
    order: list[str] = []

    def second() -> None:
        with only_one(tmp_path / "lock", Console(file=said)):
            order.append("second")

    with only_one(tmp_path / "lock", Console(file=io.StringIO())):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(timeout=0.5)
        assert waiting.is_alive()
        order.append("first")
    waiting.join(timeout=10)
    assert order == ["first", "second"]
    assert "waiting" in said.getvalue()
