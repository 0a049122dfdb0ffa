"""Flink for the analytics of the FIR stream: a Python environment of its own, and jars."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from crime_harness import maven
from crime_harness.files import make_once, only_one
from crime_harness.places import HERE, ROOT, Places, digest, jars
from crime_harness.shell import run
from crime_harness.steps import Steps
from crime_harness.tools import find_java
from crime_jobs.files import write_whole

VENV = ROOT / ".venvs" / "flink"
PINS = HERE / "flink-constraints.txt"


def jars_folder(places: Places) -> Path:
    """Return where the connector and what it needs are, or will be.

    Parameters
    ----------
    places
        Whose cache has it.

    Returns
    -------
    Path
    """
    return places.cache / f"flink-{digest(*jars('flink'))}"


def settings(places: Places) -> dict[str, str]:
    """Return the variables by which `crime-jobs stream analytics` finds Flink, once it is made.

    Parameters
    ----------
    places
        Whose cache has the jars.

    Returns
    -------
    dict
    """
    return {
        "CRIME_JOBS_FLINK_PYTHON": str(VENV / "bin" / "python"),
        "CRIME_JOBS_FLINK_JARS": str(jars_folder(places)),
    }


def install(places: Places, steps: Steps) -> None:
    """Fetch what is missing.

    Parameters
    ----------
    places
        Where jars and log go.
    steps
        Shows what is being done.

    Raises
    ------
    WrongUsage
        If there is no Java.
    CommandFailed
        If a download fails; run again, it goes on from there.
    """
    log = places.run / "install.log"
    with only_one(places.cache / "lock", steps.console):
        java = steps.do("Java", lambda: find_java(places, log))
        pins = jars("flink")
        folder = jars_folder(places)
        steps.do(
            "Flink's connector",
            lambda: make_once(folder, lambda part: maven.fetch(pins, part, java, places, log)),
        )
        steps.do("Flink (290 MB)", lambda: _venv(log))


def _venv(log: Path) -> None:
    """Make the environment in its place, which a venv knows; with a stamp last."""
    stamp, pins = VENV / "installed", digest(PINS.read_text(encoding="utf-8"), sys.version)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == pins:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(VENV)], log)
    options = ["--disable-pip-version-check", "--no-deps", "-r", str(PINS)]
    run([str(VENV / "bin" / "python"), "-m", "pip", "install", *options], log)
    write_whole(stamp, pins, private=True)
