"""Counts what a command sends to S3, by standing between the two."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit


@dataclass
class Sent:
    """What went to S3 during a command.

    Parameters
    ----------
    requests
        How many, by method.
    bodies
        Bytes of their bodies.
    """

    requests: dict[str, int] = field(default_factory=dict)
    bodies: int = 0


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections on to S3 and counts what is asked and sent.

    Parameters
    ----------
    url
        Of the real S3, over HTTP.
    """

    daemon_threads = True
    _BEGIN = re.compile(rb"([A-Z]+) \S+ HTTP/1\.[01]\r\n")
    _LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        parts = urlsplit(url)
        self.to = (str(parts.hostname), int(parts.port or 80))
        self.sent = Sent()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where to send what is to be counted."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def note(self, data: bytes) -> None:
        """Count what a client sent: a request begins a piece, for the one before must be answered first."""
        if not (begin := self._BEGIN.match(data)):
            return
        method, length = begin[1].decode(), self._LENGTH.search(data.partition(b"\r\n\r\n")[0])
        with self._lock:
            self.sent.requests[method] = self.sent.requests.get(method, 0) + 1
            self.sent.bodies += int(length[1]) if length else 0

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Passing(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        relay = self.server
        assert isinstance(relay, Relay)
        with socket.create_connection(relay.to) as other:
            back = threading.Thread(target=_copy, args=(other, self.request), daemon=True)
            back.start()
            while data := self.request.recv(1 << 16):
                relay.note(data)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:  # the client has gone
        return
