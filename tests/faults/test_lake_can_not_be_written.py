"""A lake that is read-only or full: one sentence, exit code 1, and what was there stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DATA, ROOT, Mount

pytestmark = pytest.mark.faults


#: Enough to fill a small disk.
FILE = "01_District_wise_crimes_committed_IPC_2013.csv"


def run(lake: Path, landing: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "crime_jobs.cli",
        "run",
        *arguments,
        "--landing",
        str(landing),
        "--lake",
        str(lake),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)


def test_read_only(mount: Mount) -> None:
    said = run(mount("ro"), DATA, "clean_ncrb")
    assert said.returncode == 1
    assert "can't be written: it is read-only. Choose another folder with --lake." in " ".join(
        said.stderr.split()
    )
    assert "Traceback" not in said.stderr


def test_full(mount: Mount, landing: Callable[..., Path]) -> None:
    disk = mount("size=64k")
    said = run(disk, landing(FILE), "clean_ncrb")
    assert said.returncode == 1
    assert "Job clean_ncrb failed: the disk is full. Free some space" in " ".join(said.stderr.split())
    assert not (disk / "crime_facts").exists()


def test_a_file_stands_where_the_lake_should_be(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    said = run(tmp_path / "lake", DATA, "clean_ncrb")
    assert said.returncode == 1
    assert "can't be written: a file stands where a folder must be" in " ".join(said.stderr.split())
