"""Runs one engine in a fresh process and measures the whole tree of processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.worker import PHASES

ROOT = Path(__file__).resolve().parent.parent

#: Seconds between two looks at the memory.
INTERVAL = 0.1

#: An engine that takes longer than this many seconds is stopped.
LIMIT = 1800


class EngineFailedError(Exception):
    """An engine ended without its marts."""


@dataclass(frozen=True)
class Measure:
    """One run of one engine.

    Parameters
    ----------
    engine, size
        Names.
    wall, start, work
        Seconds: the whole process; until the engine is ready; from there until the marts are written.
    cpu, work_cpu
        User and system seconds of the whole tree: in all, and between ready and written.
    peak
        Bytes: the most that the tree's resident memory came to, pages shared by two processes counted twice.
    load
        Load average of one minute when it began.
    """

    engine: str
    size: str
    wall: float
    start: float
    work: float
    cpu: float
    work_cpu: float
    peak: int
    load: float


def _resident(root: psutil.Process) -> int:
    total = 0
    for process in (root, *root.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it has ended meanwhile
            continue
    return total


def _stop(tree: list[psutil.Process]) -> None:
    for process in tree:
        try:
            process.kill()
        except psutil.Error:
            continue


def measure(engine: str, size: str, lake: Path, out: Path) -> Measure:
    """Run an engine once.

    Parameters
    ----------
    engine
        As `benchmarks.worker` takes it.
    size
        Name of the size, for the record.
    lake
        The input.
    out
        Folder for the marts; what was there is removed.

    Returns
    -------
    Measure

    Raises
    ------
    EngineFailedError
        If it fails or takes longer than `LIMIT`; the message has the end of what it said.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    load = os.getloadavg()[0]
    command = [sys.executable, "-m", "benchmarks.worker", engine, str(lake), str(out)]
    with (out / "_log").open("w", encoding="utf-8") as log:
        began = time.time()
        child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        root, peak, ended = psutil.Process(child.pid), 0, 0
        while not ended:
            if time.time() - began > LIMIT:
                _stop([*root.children(recursive=True), root])
            with suppress(psutil.Error):
                peak = max(peak, _resident(root))
            time.sleep(INTERVAL)
            # wait4 and not poll(): the kernel's count of the time of it and of all it waited for.
            ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        wall = time.time() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        said = (out / "_log").read_text(encoding="utf-8").strip().splitlines()
        raise EngineFailedError(f"{engine} ended with {child.returncode}: " + "\n".join(said[-15:]))
    phases = json.loads((out / PHASES).read_text(encoding="utf-8"))
    ready, done = phases["ready"], phases["done"]
    return Measure(
        engine=engine,
        size=size,
        wall=wall,
        start=ready["at"] - began,
        work=done["at"] - ready["at"],
        cpu=usage.ru_utime + usage.ru_stime,
        work_cpu=done["cpu"] - ready["cpu"],
        peak=max(
            peak, usage.ru_maxrss * 1024
        ),  # kilobytes on Linux; the largest single process, never missed
        load=load,
    )
