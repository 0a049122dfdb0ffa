"""All that works on the FIRs on one machine: the consumer, the loader of the history, and the live view."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crime_jobs import output
from crime_jobs.errors import CrimeJobsError, JobFailed
from crime_jobs.model.streams import of as stream_of
from crime_jobs.stream import watch
from crime_jobs.stream.asking import asked_by
from crime_jobs.stream.status import state_folder

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Seconds that a part that was asked to stop is given; the consumer's supervisor gives its daemon 30.
GRACE = 40.0

#: Names of the parts, and their verbs.
CONSUMER, HISTORY = "consumer", "history"


def verbs(settings: Settings, state_dir: Path | None) -> dict[str, list[str]]:
    """Return what is started.

    Parameters
    ----------
    settings
        The settings.
    state_dir
        The consumer's folder.

    Returns
    -------
    dict
        Words after ``crime-jobs stream`` by the part's name; the history only where Redshift answers.
    """
    same = ["--env", settings.env]
    for option in ("region", "profile"):
        if settings.sources.get(option) == "option":
            same += [f"--{option}", str(getattr(settings, option))]
    folder = ["--state-dir", str(state_dir)] if state_dir else []
    found = {CONSUMER: ["consume", *same, *folder]}
    if reason := _no_history(settings):
        output.note(f"The history is not loaded: {reason}")
    else:
        found[HISTORY] = ["history", "load", "--follow", *same]
    return found


def _no_history(settings: Settings) -> str:
    """Say why no history can be loaded; makes its tables and Firehose where they are not there."""
    from crime_jobs.stream import _firehose
    from crime_jobs.stream.history import open_history

    stream = stream_of(settings.stream)
    try:
        open_history(settings, stream).setup()
        if not _firehose.is_there(settings, stream):
            _firehose.make(settings, _firehose.request(settings, stream, None))
    except CrimeJobsError as error:
        return error.message
    return ""


def run(settings: Settings, every: float, state_dir: Path | None = None) -> None:
    """Start the parts, show the live view, and stop them all in order (Ctrl-C or SIGTERM).

    Parameters
    ----------
    settings
        The settings.
    every
        Seconds between two looks.
    state_dir
        The consumer's folder.

    Raises
    ------
    JobFailed
        If a part ended by itself: the others are stopped, and its log is named.
    """
    folder = state_folder(stream_of(settings.stream).application, state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with asked_by(signal.SIGINT, signal.SIGTERM) as asked:
        parts = {
            name: _start(words, folder / f"{name}.log") for name, words in verbs(settings, state_dir).items()
        }
        ended: list[str] = []

        def going() -> bool:
            ended[:] = [name for name, part in parts.items() if part.poll() is not None]
            return not asked and not ended

        try:
            output.note(
                f"Started: {', '.join(parts)}; their logs are in {folder}. Ctrl-C stops them in order."
            )
            watch.live(settings, every, state_dir, going)
        finally:
            _stop(parts)
    if ended:
        name = ended[0]
        raise JobFailed(
            f"The {name} ended by itself, with {parts[name].returncode}.", hint=f"See {folder / name}.log."
        )


def _start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "crime_jobs.cli", "stream", *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=os.environ,
            start_new_session=True,  # Ctrl-C is meant for us, who ask them to stop in order
        )


def _stop(parts: dict[str, subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + GRACE
    for part in parts.values():
        if part.poll() is None:
            part.terminate()
    for name, part in parts.items():
        with contextlib.suppress(subprocess.TimeoutExpired):
            part.wait(max(0.0, end - time.monotonic()))
        if part.poll() is None:
            output.note(f"The {name} did not stop, and was killed. Nothing is lost: it goes on where it was.")
            part.kill()
            part.wait()
