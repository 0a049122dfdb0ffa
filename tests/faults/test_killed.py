"""A run that is killed leaves every table whole or absent, and the next run finishes the work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crime_jobs.job import Run
from crime_jobs.jobs._runner import run_in
from crime_jobs.model.tables import TABLES
from crime_jobs.registry import find
from tests.conftest import DATA, ROOT, make_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.faults

JOBS = ("clean_ncrb", "crime_group_heads", "crime_by_period")


def start(lake: Path) -> subprocess.Popen[bytes]:
    """The command itself, in a process group of its own with its JVM and Python workers."""
    command = [
        sys.executable,
        "-m",
        "crime_jobs.cli",
        "run",
        "all",
        "--landing",
        str(DATA),
        "--lake",
        str(lake),
    ]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def kill_when(process: subprocess.Popen[bytes], lake: Path, moment: str) -> None:
    """Kill the whole group with -9 as soon as a path below the lake exists."""
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        if any(lake.glob(moment)):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            return
        time.sleep(0.005)
    pytest.fail(f"{moment} was not seen before the run ended: nothing was killed")


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(
            "_staging/crime_facts-*/_temporary",
            id="while the first facts are written",
            marks=pytest.mark.soak,
        ),
        pytest.param("_staging/women_facts-*/year=2007", id="while files are put in place"),
        pytest.param("crime_group_heads/_report.json", id="between two jobs", marks=pytest.mark.soak),
    ],
)
def test_killed_and_run_again(spark: SparkSession, built_lake: Path, tmp_path: Path, moment: str) -> None:
    lake = tmp_path / "lake"
    kill_when(start(lake), lake, moment)

    whole = Run(spark, str(DATA), str(built_lake))
    killed = Run(spark, str(DATA), str(lake))
    published = [name for name in TABLES if (lake / name / "_report.json").exists()]
    for name in published:
        assert killed.read(name).count() == whole.read(name).count(), name
    # What is there without a report is not read at all.
    assert not [path for path in lake.iterdir() if path.name not in (*published, "_staging")]

    leftovers = list((lake / "_staging").iterdir())
    assert leftovers or "report" in moment
    hours_ago = time.time() - 7 * 3600
    for path in [p for folder in leftovers for p in (folder, *folder.rglob("*"))]:
        os.utime(path, (hours_ago, hours_ago))
    under_way = lake / "_staging" / "crime_facts-another"
    under_way.mkdir()

    run_in(spark, [find(name)[0] for name in JOBS], make_settings(DATA, lake))
    for table in ("crime_facts", "women_facts", "crime_by_period"):
        names = [c.name for c in TABLES[table].columns]
        left, right = killed.read(table).select(names), whole.read(table).select(names)
        assert left.exceptAll(right).count() == right.exceptAll(left).count() == 0
    # The killed run's staging is gone, a run that may be under way keeps its own.
    assert list((lake / "_staging").iterdir()) == [under_way]


def test_ctrl_c_is_exit_130_and_leaves_no_process(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    process = start(lake)
    end = time.monotonic() + 120
    while not any(lake.glob("_staging/*")) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    left, end = str(process.pid), time.monotonic() + 30
    while left and time.monotonic() < end:  # the JVM takes its time on a busy machine
        time.sleep(0.2)
        group = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True, check=False)
        left = group.stdout.strip()
    assert left == ""
