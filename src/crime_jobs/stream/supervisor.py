"""Keeps the KCL's daemon alive: the daemon ends when anything in it does, and that is how nothing is lost."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from crime_jobs import output
from crime_jobs.errors import Interrupted, JobFailed, WrongUsage
from crime_jobs.model.streams import of as stream_of
from crime_jobs.settings import Settings
from crime_jobs.stream import alerts, daemon, leases
from crime_jobs.stream.asking import asked_by
from crime_jobs.stream.status import SUPERVISOR, SupervisorStatus, read_shards, state_folder, write

#: Deaths in a row, each soon and without a checkpoint, after which it gives up: those that it died by itself,
#: and all of them. One that is killed may get somewhere when nobody kills it.
DEATHS, KILLS = 8, 30

#: Seconds after which a daemon has not died soon: there may be nothing to checkpoint.
LONG = 60.0

#: Seconds: the pause after the second such death (doubled each time; the first has none), and the longest.
PAUSE, LONGEST = 1.0, 30.0

#: Seconds that a daemon that was asked to stop is given; it gives itself 10.
GRACE = 30.0

#: Seconds between two looks at the daemon.
LOOK = 0.05

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Supervisor:
    """Starts the daemon, again and again.

    Parameters
    ----------
    folder
        The consumer's state folder.
    command
        What starts the daemon.
    environ
        Its variables.
    progressed
        Tells whether anything was checkpointed since a time.
    pause
        See `PAUSE`.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        environ: Mapping[str, str],
        progressed: Callable[[float], bool],
        pause: float = PAUSE,
    ) -> None:
        self._folder, self._command, self._environ = folder, list(command), dict(environ)
        self._progressed, self._pause = progressed, pause
        self._asked: list[signal.Signals] = []  # to stop
        self._now = SupervisorStatus(pid=os.getpid())

    def run(self) -> None:
        """Keep the daemon alive until asked to stop (SIGTERM, Ctrl-C); asked twice, kill it.

        Raises
        ------
        JobFailed
            If it dies again and again without getting anywhere.
        Interrupted
            If it had to be killed.
        """
        with asked_by(signal.SIGTERM, signal.SIGINT) as self._asked:
            deaths = own = 0
            while not self._asked:
                (self._folder / daemon.FAILED).unlink(missing_ok=True)
                started = time.time()
                code = self._live()
                if self._asked:
                    break
                well = self._progressed(started) or time.time() - started > LONG
                deaths, own = (0, 0) if well else (deaths + 1, own + self._failed(code))
                if own >= DEATHS or deaths >= KILLS:
                    self._say("failed")
                    raise JobFailed(
                        f"The daemon ended {deaths} times without a checkpoint, the last time with {code}.",
                        hint="What it said before tells why: a table, queue or key is missing, or refuses. "
                        "`Exception occurred while dispatching incoming data`: see what `crime-jobs stream "
                        "skip --dry-run` finds.",
                    )
                pause = min(LONGEST, self._pause * 2 ** (deaths - 2)) if deaths > 1 else 0.0
                with contextlib.suppress(OSError):  # a log on a full disk
                    output.note(f"The daemon ended with {code}; it is started again in {pause:.0f} s.")
                self._now.restarts += 1
                self._say("restarting")
                self._sleep(pause)
            self._say("stopped")

    def _failed(self, code: int) -> bool:
        """Tell whether the daemon, or a process of its, ended by itself: a signal is another's doing."""
        return code >= 0 or (self._folder / daemon.FAILED).is_file()

    def _live(self) -> int:
        """Start the daemon and see it through to its end."""
        process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is meant for us, who ask it to stop in order
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - there is one thread
        )
        self._now.daemon, self._now.since = process.pid, time.time()
        self._say("running")
        try:
            self._watch(process)
        finally:
            with contextlib.suppress(ProcessLookupError):  # also those that read the shards
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            self._now.daemon = None
        return code

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        end = 0.0
        while process.poll() is None:
            time.sleep(LOOK)
            if self._asked and not end:
                end = time.monotonic() + GRACE
                process.terminate()
                self._say("stopping")
            if len(self._asked) > 1 or (end and time.monotonic() > end):
                self._say("stopped")
                raise Interrupted(
                    "The daemon was killed: not every shard was handed over.",
                    hint="Nothing is lost: the next one reads on from the last checkpoint.",
                )

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._asked and time.monotonic() < end:
            time.sleep(LOOK)

    def _say(self, state: str) -> None:
        self._now.state = state
        with contextlib.suppress(OSError):
            write(self._folder / SUPERVISOR, self._now)


def _die_with_parent() -> None:
    """Run in the daemon before it is Java: a supervisor that is killed leaves none that holds leases."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a state folder: two supervisors with one worker's name would take each other's leases for theirs.

    Parameters
    ----------
    folder
        The folder.

    Yields
    ------
    None

    Raises
    ------
    WrongUsage
        If another holds it.
    """
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WrongUsage(
                f"A consumer runs with the folder {folder} already.",
                hint="Give a further one on this machine a folder of its own: --state-dir.",
            ) from error
        yield


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobFailed(
            f"The consumer's folder {folder} can't be written: {error.strerror}.",
            hint="Make room there, or name another one: --state-dir. Nothing is lost: what was read is in "
            "the tables, and it goes on behind it.",
        ) from error


def run(settings: Settings, more: Mapping[str, str], state_dir: Path | None = None) -> None:
    """Read the stream until asked to stop.

    Parameters
    ----------
    settings
        The settings.
    more
        Further properties of the daemon.
    state_dir
        Folder for the consumer's files; by default one of the user's.

    Raises
    ------
    WrongUsage
        If something is not installed, or another consumer has the folder.
    JobFailed
        If the daemon can't be kept alive, or its folder can't be written.
    Interrupted
        If it had to be killed.
    """
    settings = alerts.checked(settings)
    stream = stream_of(settings.stream)
    folder = state_folder(stream.application, state_dir)
    with _written(folder):
        folder.mkdir(parents=True, exist_ok=True)
    command = daemon.command()
    with only_one(folder):
        environ = dict(os.environ)
        with _written(folder):
            told = daemon.properties(settings, stream, daemon.worker_name(folder), more, environ)
            daemon.prepare(folder, settings, told)
        if told.get(daemon.POSITION) == daemon.OLDEST:
            leases.prepare(settings, stream, told["workerId"])
        if settings.profile:
            environ["AWS_PROFILE"] = settings.profile
        output.note(f"Reading {stream.name} as {stream.application}; Ctrl-C stops it in order.")

        def progressed(since: float) -> bool:
            return any(shard.checkpoint_at > since for shard in read_shards(folder))

        Supervisor(folder, command, environ, progressed).run()
