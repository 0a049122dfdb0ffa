"""One budget of capacity units for all executors of a job.

The bucket is on the driver; executors ask it over a connection of Python's own ``multiprocessing.managers``,
which lets in only who knows the run's random key. Whoever has written pays what it cost, and waits for as
long as the bucket says: so a cost need not be known before, and over time the rate is never passed.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.managers import BaseManager
from typing import Any, Protocol

#: Seconds of budget that may be saved up while nobody asks: few, so that the rate holds also over seconds.
BURST_SECONDS = 0.1


class Bucket:
    """A token bucket that is paid into at a steady rate and may be overdrawn.

    Parameters
    ----------
    rate
        Units a second.
    clock
        A monotonic clock.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._paid_until = clock()

    def pay(self, units: float) -> float:
        """Take units.

        Parameters
        ----------
        units
            How many were, or are to be, used.

        Returns
        -------
        float
            Seconds to wait before the next are used.
        """
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - BURST_SECONDS) + units / self._rate
            return max(0.0, self._paid_until - now)


class _Pays(Protocol):
    def pay(self, units: float) -> float: ...


class _Client(BaseManager):
    """Knows the one name that is served."""


_Client.register("bucket", exposed=("pay",))


@dataclass(frozen=True)
class Budget:
    """How an executor reaches the bucket. It travels with the tasks.

    Parameters
    ----------
    address
        Host and port on the driver.
    key
        What lets in.
    """

    address: tuple[str, int]
    key: bytes = field(repr=False)

    def open(self) -> _Pays:
        """Connect to the bucket."""
        manager = _Client(self.address, self.key)
        manager.connect()
        return manager.bucket()  # type: ignore[attr-defined, no-any-return]


class Served:
    """Serves a bucket for as long as the job runs.

    Parameters
    ----------
    rate
        Units a second, over all executors.
    host
        The driver's address, as Spark has it in ``spark.driver.host``.
    """

    def __init__(self, rate: float, host: str) -> None:
        bucket = Bucket(rate)
        key = secrets.token_bytes(32)

        class Manager(BaseManager):  # one a bucket: what is registered belongs to the class
            pass

        Manager.register("bucket", callable=lambda: bucket, exposed=("pay",))
        server: Any = Manager((host, 0), key).get_server()
        server.stop_event = threading.Event()
        self.budget = Budget(server.address, key)
        self._server = server
        self._thread = threading.Thread(target=_serve, args=(server,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.stop_event.set()
        with suppress(OSError), socket.create_connection(self._server.address, timeout=1):
            pass  # only so that it wakes up
        self._thread.join(5)
        self._server.listener.close()


def _serve(server: Any) -> None:
    # What serve_forever does, without its sys.exit, without touching the process's stdout, and with an end:
    # its own loop would go on for ever, without a pause once the listener is closed.
    while not server.stop_event.is_set():
        with suppress(OSError):
            connection = server.listener.accept()
            # Who it is, is asked there: nobody who only connects holds up the others.
            threading.Thread(target=server.handle_request, args=(connection,), daemon=True).start()
