"""Start a server, know how it is, stop it with all its children; a `Server` says which."""

from __future__ import annotations

import enum
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil

from crime_harness import processes
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.files import write_whole

T = TypeVar("T")

GRACE = 4.0


@dataclass(frozen=True)
class Server:
    """A server that the harness runs.

    Parameters
    ----------
    name
        For people and for file names.
    port
        Where it listens, on 127.0.0.1.
    command
        Program and arguments.
    env
        The whole environment of the process.
    answers
        Returns when the server does its real work; raises anything when it doesn't yet.
    patience
        Seconds it may take to start.
    port_option
        How its port is chosen, for the person who has something else there.
    """

    name: str
    port: int
    command: tuple[str, ...]
    env: Mapping[str, str]
    answers: Callable[[], None]
    patience: float = 120.0
    port_option: str = "--port or CRIME_HARNESS_PORT"

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def responds(ask: Callable[[T], object], where: T) -> bool:
    """Say whether a server answers.

    Parameters
    ----------
    ask
        Asks it, and raises anything if it does not answer.
    where
        Its address or port, as `ask` takes it.

    Returns
    -------
    bool
    """
    try:
        ask(where)
    except Exception:  # noqa: BLE001 - whatever it is, it doesn't
        return False
    return True


@dataclass(frozen=True)
class Record:
    """What is written down about a started server, so that a later command finds it.

    Parameters
    ----------
    name, port, pid
        As started.
    created
        When the process was created, seconds since 1970: tells it from a later one of that pid.
    since
        The same for people: ISO 8601, UTC.
    ready
        Whether it has answered and been set up.
    """

    name: str
    port: int
    pid: int
    created: float
    since: str
    ready: bool = False


class State(enum.StrEnum):
    """How a server is."""

    UP = "up"
    SILENT = "not answering"
    STARTING = "starting"
    DEAD = "dead"
    DOWN = "down"


class Supervisor:
    """Starts and stops servers and remembers them in a folder.

    Parameters
    ----------
    folder
        For each server a ``NAME.json`` while it runs, a ``NAME.log`` and a ``NAME/`` for its files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, name: str) -> Record | None:
        """Return what is known of a server, ``None`` if it was not started or has been stopped.

        Parameters
        ----------
        name
            The server's name.
        """
        try:
            return Record(**json.loads(self._record_file(name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def state(self, name: str) -> State:
        """Say how a server is: the process itself is looked at, not just the record.

        Parameters
        ----------
        name
            The server's name.
        """
        known, mark = self.record(name), self._mark(name)
        if known is None:  # perhaps somebody removed the folder under a running server
            return State.DEAD if processes.family(mark) else State.DOWN
        if not processes.is_same(known.pid, known.created, mark):
            return State.DEAD
        return State.UP if known.ready else State.STARTING

    def log(self, name: str) -> Path:
        """Return the log file of a server.

        Parameters
        ----------
        name
            The server's name.
        """
        return self.folder / f"{name}.log"

    def start(self, server: Server) -> Record:
        """Start a server that isn't running and wait until it answers.

        Parameters
        ----------
        server
            The server.

        Returns
        -------
        Record
            Not ready yet: see `ready`.

        Raises
        ------
        WrongUsage
            If something else has its port.
        JobFailed
            If it dies, takes too long, or listens where other machines reach it. Nothing of it is
            left running then.
        """
        if not processes.port_is_free(server.port):
            raise WrongUsage(
                f"Port {server.port} of 127.0.0.1 is in use by {processes.holder(server.port)}, "
                f"so {server.name} can't listen there.",
                hint=f"Stop that program, or choose another port with {server.port_option}.",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        mark = self._mark(server.name)
        with self.log(server.name).open("wb") as log:
            child = subprocess.Popen(
                server.command,
                env={**server.env, processes.MARK: mark},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C here is not meant for it
            )
        try:
            created = psutil.Process(child.pid).create_time()
            since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            known = Record(server.name, server.port, child.pid, created, since)
            self._write(known)
            self._await(server, child)
            self._check_private(server.name)
        except BaseException:  # also Ctrl-C: what we started goes
            processes.stop(mark, GRACE)
            child.wait()
            self._record_file(server.name).unlink(missing_ok=True)
            raise
        return known

    def ready(self, known: Record) -> None:
        """Note that a server answers and has been set up.

        Parameters
        ----------
        known
            Its record.
        """
        self._write(Record(**{**asdict(known), "ready": True}))

    def stop(self, name: str) -> int:
        """Stop a server and all its children; harmless if there are none.

        Parameters
        ----------
        name
            The server's name.

        Returns
        -------
        int
            How many processes were stopped.
        """
        stopped = processes.stop(self._mark(name), GRACE)
        self._record_file(name).unlink(missing_ok=True)
        return stopped

    def _mark(self, name: str) -> str:
        """Return what the whole family of a server carries, known even if its record is lost."""
        return f"{self.folder.resolve()}:{name}"

    def _record_file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _write(self, known: Record) -> None:
        write_whole(self._record_file(known.name), json.dumps(asdict(known)), private=True)

    def _await(self, server: Server, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + server.patience
        while True:
            try:
                server.answers()
            except Exception as error:  # noqa: BLE001 - whatever it is, it means: not yet
                reason = str(error)
            else:
                return
            where = f"Its log is {self.log(server.name)}."
            if child.poll() is not None:
                raise JobFailed(
                    f"{server.name} stopped while starting (exit code {child.returncode}): "
                    f"{self._last_words(server.name)}.",
                    hint=where,
                )
            if time.monotonic() > deadline:
                raise JobFailed(
                    f"{server.name} did not answer within {server.patience:.0f} s: {reason}.",
                    hint=where,
                )
            time.sleep(0.2)

    def _check_private(self, name: str) -> None:
        if open_to_all := processes.exposed(processes.listening(processes.family(self._mark(name)))):
            where = ", ".join(f"{address}:{port}" for address, port in open_to_all)
            raise JobFailed(
                f"{name} listens on {where}, which other machines can reach; it was stopped.",
                hint="It must listen on 127.0.0.1 alone: please report this.",
            )

    def _last_words(self, name: str) -> str:
        text = self.log(name).read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"
