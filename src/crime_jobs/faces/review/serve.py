"""Serves the page on this machine until Ctrl-C, or until nobody has done anything for a while."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import WrongUsage
from crime_jobs.faces.review.guard import Session
from crime_jobs.faces.review.web import app_of

if TYPE_CHECKING:
    import uvicorn

    from crime_jobs.faces.review.desk import Desk

#: Minutes without a reviewer after which the page ends.
IDLE_MINUTES = 30.0
#: Seconds that answers under way have when it ends.
_GRACE = 3


class Page:
    """The page of a desk.

    Parameters
    ----------
    desk
        What the reviewer works at.
    port
        Port of 127.0.0.1; 0 for any free one.
    idle_minutes
        Minutes without a reviewer after which it ends.
    tell
        Called with a sentence for the terminal.

    Raises
    ------
    WrongUsage
        If the port is not free.
    """

    def __init__(
        self, desk: Desk, port: int, idle_minutes: float = IDLE_MINUTES, tell: Callable[[str], None] = print
    ) -> None:
        self.session = Session()
        self._listening = _listen(port)
        #: Port of 127.0.0.1.
        self.port = int(self._listening.getsockname()[1])
        self._idle, self._tell = idle_minutes * 60, tell
        self._server = _server(app_of(desk, self.session, tell))

    @property
    def address(self) -> str:
        """What opens it, once."""
        return f"http://127.0.0.1:{self.port}/open?token={self.session.token}"

    def serve(self) -> None:
        """Serve until Ctrl-C, `end`, or idleness; the port is free after it."""
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watch.start()
        try:
            with self._listening, contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
                self._server.run(sockets=[self._listening])
        finally:
            over.set()
            watch.join()

    def end(self) -> None:
        """Have `serve` end."""
        self._server.should_exit = True

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(min(1.0, self._idle / 4)):
            if self.session.idle() > self._idle:
                self._tell("Nobody did anything for a while: the page has ended.")
                self.end()
                return


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()  # now: the browser may be faster than the server
    except OSError as error:
        listening.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
        raise WrongUsage(
            f"Port {port} {why}.", hint="Give another by --port; 0 takes any free one."
        ) from error
    return listening


def _server(app: Any) -> uvicorn.Server:
    import uvicorn

    # What it logs of requests would have the token; what it logs of defects might have what was shown.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    return uvicorn.Server(config)
