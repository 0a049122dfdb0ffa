"""The PostgreSQL behind the service: made when first asked, reached by a socket, gone with the engine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
from psycopg import sql

from crime_engines.redshift.system import BOOTSTRAP

#: PostgreSQL refuses to run as root. This user has no rights, and is on every Linux.
_NOBODY = "nobody"
#: Where a folder above is root's alone (/root), that user goes through it by a capability, and has no other.
_DESPITE_MODES = (
    *(
        "setpriv",
        f"--reuid={_NOBODY}",
        "--clear-groups",
        "--regid=65534",
        "--bounding-set=-all,+dac_override",
    ),
    *("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--"),
)
#: Who makes everything, and whom statements run as: no superuser, so no files and no programs.
OWNER, USER = "engine", "awsuser"
#: A path of a socket has 107 characters at most.
_SOCKET_PATH = 80
_PATIENCE = 60.0


class NoDatabase(Exception):  # noqa: N818 - reads as what happened
    """PostgreSQL is not there or does not start."""


class Database:
    """A PostgreSQL server.

    Parameters
    ----------
    folder
        Of its files; made at the first use.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: Path | None = None
        self._made: set[str] = set()

    def connect(self, database: str, *, owner: bool = False) -> psycopg.Connection[tuple[object, ...]]:
        """Connect to a database, which is made when it is not there: a namespace's is there from its start.

        Parameters
        ----------
        database
            Its name.
        owner
            Whether as the one who made everything.

        Returns
        -------
        psycopg.Connection
            In autocommit.
        """
        with self._lock:
            socket = self._start()
            if database not in self._made:
                self._make(socket, database)
                self._made.add(database)
        return self._open(socket, database, OWNER if owner else USER)

    def close(self) -> None:
        """End the server and what it has open."""
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return
            process.send_signal(signal.SIGINT)  # fast shutdown: connections are cut
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if self._socket is not None and self._socket.parent != self._folder:
                shutil.rmtree(self._socket, ignore_errors=True)

    @staticmethod
    def _open(socket: Path, database: str, user: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(socket), dbname=database, user=user, autocommit=True)

    def _start(self) -> Path:
        if self._process is not None and self._process.poll() is None and self._socket is not None:
            return self._socket
        programs = _programs()
        user = _NOBODY if os.geteuid() == 0 else None
        before: tuple[str, ...] = ()
        self._folder.mkdir(parents=True, exist_ok=True)
        data = self._folder / "data"
        socket = self._folder / "socket"
        if len(str(socket)) > _SOCKET_PATH:
            socket = Path(tempfile.mkdtemp(prefix="crime-redshift-"))
        socket.mkdir(exist_ok=True)
        for path in (self._folder, socket):
            if user:
                shutil.chown(path, user)
        if user and not all(_reaches(user, path) for path in (self._folder, programs / "initdb")):
            user, before = None, _DESPITE_MODES
        if not (data / "PG_VERSION").exists():
            self._run(
                [
                    *(*before, str(programs / "initdb"), "-D", str(data), "-U", OWNER, "--auth=trust"),
                    *("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
                ],
                user,
            )
        # What is in it is thrown away with the engine: nothing is forced to disk.
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(socket),
            "unix_socket_permissions": "0777" if os.geteuid() == 0 else "0700",
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "autovacuum": "off",
            "timezone": "UTC",
            "max_connections": "120",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*before, str(programs / "postgres"), "-D", str(data), *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=user,
                cwd=self._folder,
            )
        self._socket = socket
        self._await(socket)
        return socket

    def _await(self, socket: Path) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._open(socket, "postgres", OWNER).close()
            except psycopg.OperationalError as error:
                if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                    raise NoDatabase(f"PostgreSQL does not start; see {self._folder}/server.log.") from error
                time.sleep(0.05)
            else:
                return

    def _run(self, command: list[str], user: str | None) -> None:
        done = subprocess.run(command, user=user, cwd=self._folder, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise NoDatabase(f"PostgreSQL can't be set up: {said}")

    def _make(self, socket: Path, database: str) -> None:
        with self._open(socket, "postgres", OWNER) as main:
            with contextlib.suppress(psycopg.errors.DuplicateObject):
                main.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(USER)))
            found = main.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if found is None:
                make = sql.SQL("CREATE DATABASE {} OWNER {}")
                main.execute(make.format(sql.Identifier(database), sql.Identifier(USER)))
        with self._open(socket, database, OWNER) as mine:
            mine.execute(BOOTSTRAP)


def _reaches(user: str, path: Path) -> bool:
    return subprocess.run(["test", "-x", str(path)], user=user, check=False).returncode == 0


def _programs() -> Path:
    found = importlib.util.find_spec("pgserver")
    if found is None or found.origin is None:
        raise NoDatabase("The package pgserver, which brings PostgreSQL, is missing.")
    return Path(found.origin).parent / "pginstall" / "bin"
