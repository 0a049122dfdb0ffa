"""Processes of a step or job run: started together, and ended together, down to the last child."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

#: Which cluster or application a process works for, and for which step or job run.
OWNER, TASK = "CRIME_ENGINES_OWNER", "CRIME_ENGINES_TASK"

#: Seconds between SIGTERM and SIGKILL.
GRACE = 5.0


class Stopped(Exception):  # noqa: N818 - reads as what happened
    """The work was told to stop."""


class Work:
    """What is done for one step or job run, in this thread and in processes; another thread may stop it.

    Parameters
    ----------
    owner
        Id of the cluster or application.
    task
        Id of the step or job run; must not be used twice.
    """

    def __init__(self, owner: str, task: str) -> None:
        self.owner = owner
        self.task = task
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped.is_set()

    def check(self) -> None:
        """Raise `Stopped` if it was told to stop."""
        if self.stopped:
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, unless it is told to stop.

        Parameters
        ----------
        seconds
            How long.
        """
        if self._stopped.wait(seconds):
            raise Stopped

    def take(self, lock: threading.Lock) -> None:
        """Wait for a lock, unless it is told to stop.

        Parameters
        ----------
        lock
            The lock; the caller releases it.
        """
        while not lock.acquire(timeout=0.1):
            self.check()

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdout: Path,
        stderr: Path,
        timeout: float | None = None,
    ) -> int:
        """Run a program to its end.

        Parameters
        ----------
        command
            Program and arguments.
        env
            Its whole environment.
        cwd
            Its working folder.
        stdout, stderr
            Files that its output is added to.
        timeout
            Seconds after which it is ended.

        Returns
        -------
        int
            Exit code; 127 if there is no such program.

        Raises
        ------
        Stopped
            If it was told to stop.
        subprocess.TimeoutExpired
            If it took too long.
        """
        with ExitStack() as files:
            out = files.enter_context(stdout.open("ab"))
            err = out if stderr == stdout else files.enter_context(stderr.open("ab"))
            with self._lock:  # so that a stop comes before the start or finds the process
                self.check()
                try:
                    child = subprocess.Popen(
                        command,
                        env={**env, OWNER: self.owner, TASK: self.task},
                        cwd=cwd,
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=err,
                        start_new_session=True,
                    )
                except OSError as error:
                    err.write(f"{error}\n".encode())
                    return 127
            try:
                code = child.wait(timeout)
            except subprocess.TimeoutExpired:
                end(TASK, self.task)
                child.wait()
                raise
        self.check()
        return code

    def stop(self, grace: float = GRACE) -> None:
        """Tell it to stop and wait until no process of it is left.

        Parameters
        ----------
        grace
            Seconds that its processes have to end by themselves.
        """
        with self._lock:
            self._stopped.set()
        end(TASK, self.task, grace)


def family(variable: str, value: str) -> list[psutil.Process]:
    """Return the live processes with a variable in their environment, whatever group they moved to.

    Parameters
    ----------
    variable, value
        `OWNER` or `TASK`, and the id.

    Returns
    -------
    list of psutil.Process
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # another user's, or just gone
            continue
    return found


def end(variable: str, value: str, grace: float = GRACE) -> None:
    """End the processes with a variable in their environment: SIGTERM, after a while SIGKILL.

    Parameters
    ----------
    variable, value
        `OWNER` or `TASK`, and the id.
    grace
        Seconds between the two.
    """
    deadline = time.monotonic() + grace
    told: set[int] = set()
    quiet = 0
    while quiet < 2:  # noqa: PLR2004 - one that is just being started shows no environment for a moment
        left = family(variable, value)
        quiet = 0 if left else quiet + 1
        late = time.monotonic() >= deadline
        for process in left:
            if late or process.pid not in told:
                told.add(process.pid)
                _signal(process.pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.03)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
