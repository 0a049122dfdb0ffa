"""Workers that look at pictures: as many as there are cores, started when first needed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from typing import Any

from crime_engines.faces.pictures import Unfit
from crime_engines.faces.seen import Seen, Wanted

log = logging.getLogger("crime_engines")

#: Calls that wait for a worker at most; the next one is told to slow down.
MOST_WAITING = 20

#: Seconds for a picture; a worker that takes longer is ended.
PATIENCE = 60.0


#: Of the environment, what a worker has too: it decodes pictures from anyone, and needs no credentials.
PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH"),
    *("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE", "CRIME_HARNESS_MARK"),
)


class Busy(Exception):  # noqa: N818 - reads as what happened
    """More is asked than the workers can do."""


class Broken(Exception):  # noqa: N818 - reads as what happened
    """A worker died, took too long or met a defect. Says nothing of the picture."""


class Pool:
    """Some workers.

    Parameters
    ----------
    size
        How many; as the machine has cores, but at most four, if not said.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size or min(4, os.cpu_count() or 1)
        self._free = threading.Semaphore(self.size)
        self._room = threading.Semaphore(self.size + MOST_WAITING)
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []
        self._all: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def look(self, content: bytes, wanted: Wanted) -> list[Seen]:
        """Return the faces of a picture, the largest first.

        Parameters
        ----------
        content
            The file.
        wanted
            Which faces get an embedding.

        Returns
        -------
        list of Seen

        Raises
        ------
        Unfit
            If the picture is refused.
        Busy
            If too many wait already.
        Broken
            If the worker failed; the next call gets another one.
        """
        if not self._room.acquire(blocking=False):
            raise Busy
        try:
            with self._free:
                said = self._ask(content, wanted)
        finally:
            self._room.release()
        if "unfit" in said:
            raise Unfit(said["unfit"], said["message"])
        if "broken" in said:
            raise Broken(said["broken"])
        return [_seen(face) for face in said["faces"]]

    def _ask(self, content: bytes, wanted: Wanted) -> dict[str, Any]:
        worker = self._take()
        assert worker.stdin is not None  # noqa: S101 - made with pipes
        assert worker.stdout is not None  # noqa: S101
        late = threading.Timer(PATIENCE, worker.kill)
        late.start()
        try:
            worker.stdin.write(json.dumps({"wanted": wanted, "size": len(content)}).encode() + b"\n")
            worker.stdin.write(content)
            worker.stdin.flush()
            line = worker.stdout.readline()
        except OSError:
            line = b""
        finally:
            late.cancel()
        if not line.endswith(b"\n"):
            self._drop(worker)
            raise Broken(f"a worker ended with {worker.returncode}")
        with self._lock:
            self._idle.append(worker)
        said: dict[str, Any] = json.loads(line)
        return said

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise Broken("closed")
            while self._idle:
                worker = self._idle.pop()
                if worker.poll() is None:
                    return worker
                self._all.discard(worker)
            worker = subprocess.Popen(
                [sys.executable, "-m", "crime_engines.faces.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            )
            self._all.add(worker)
            return worker

    def _drop(self, worker: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._all.discard(worker)
        _end(worker)

    def close(self) -> None:
        """End the workers, also one that is at work."""
        with self._lock:
            self._closed = True
            workers, self._all, self._idle = self._all, set(), []
        for worker in workers:
            _end(worker)


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was not written yet has no reader any more
                log.debug("a pipe of a worker was broken")


def _seen(told: dict[str, Any]) -> Seen:
    box = tuple(told["box"])
    landmarks = tuple((point[0], point[1]) for point in told["landmarks"])
    return Seen(**{**told, "box": box, "landmarks": landmarks, "embedding": tuple(told["embedding"])})
