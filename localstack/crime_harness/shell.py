"""Run another program, keep what it says in a log, and say what it said when it fails."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from crime_jobs.errors import JobFailed


class CommandFailed(JobFailed):
    """A program that the harness ran has failed.

    Parameters
    ----------
    command
        The command.
    output
        What it said on both streams.
    log
        Where all of that stands.
    """

    def __init__(self, command: Sequence[str], output: str, log: Path) -> None:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        self.last_line = (errors or lines or ["it said nothing"])[-1][:300]
        super().__init__(
            f"{shlex.join(command)[:160]} failed: {self.last_line}",
            hint=f"All it said is in {log}; correct that and run again.",
        )


def run(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program to its end.

    Parameters
    ----------
    command
        Program and arguments.
    log
        File to which its output is added.
    env
        Variables to add to this process's.
    cwd
        Its working folder.

    Returns
    -------
    str
        What it said.

    Raises
    ------
    CommandFailed
        If it can't be started or exits with anything but 0.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
            cwd=cwd,
            check=False,
        )
        output, failed = done.stdout, done.returncode != 0
    except OSError as error:
        output, failed = str(error), True
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {shlex.join(command)}\n{output}\n")
    if failed:
        raise CommandFailed(command, output, log)
    return output
