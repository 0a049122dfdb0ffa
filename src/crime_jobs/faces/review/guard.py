"""Who may speak to the page: one browser of this machine, and nothing that it has open beside.

Three things keep others out. The address that is printed has a token, good once, for which the browser gets
a cookie; whoever sees the address later (a history, a list of processes) has nothing. The cookie is bound to
a path that nobody else can guess, since browsers send cookies of 127.0.0.1 to every port of it. And the name
in ``Host`` must be this machine's: a page that has its own name point here (DNS rebinding) is refused.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Names of this machine that a browser may call it by; the port is the browser's, who may be at the other end
#: of a tunnel.
HOSTS = ["127.0.0.1", "localhost"]

COOKIE = "crime-jobs-review"

#: Nothing from elsewhere, nothing inline, nothing kept. A referrer goes to this page alone: without any,
#: browsers hide the origin of a form too (https://fetch.spec.whatwg.org/#append-a-request-origin-header).
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


class Session:
    """The one session of a server."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        #: First part of every path that needs the cookie.
        self.room = secrets.token_urlsafe(16)
        #: What a form carries, so that only our own page can send one.
        self.form = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        self._is_open = False
        self._lock = threading.Lock()
        self._asked = time.monotonic()

    def enter(self, token: str) -> bool:
        """Take the token, which is good once.

        Parameters
        ----------
        token
            What came.

        Returns
        -------
        bool
            Whether it was the right one, and the first time.
        """
        with self._lock:
            if self._is_open or not _same(token, self.token):
                return False
            self._is_open = True
            return True

    def give_cookie(self, response: Response) -> None:
        """Set the cookie in an answer."""
        response.set_cookie(COOKIE, self._cookie, path=f"/{self.room}/", httponly=True, samesite="strict")

    def knows(self, request: Request) -> bool:
        """Tell whether a request is of the browser that entered, sent by the page itself or by hand.

        Parameters
        ----------
        request
            The request.

        Returns
        -------
        bool
        """
        # Browsers say where a request comes from; those that don't have SameSite at least.
        site = request.headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") or not _same(request.cookies.get(COOKIE, ""), self._cookie):
            return False
        self._asked = time.monotonic()
        return True

    def wrote(self, request: Request, form: str) -> bool:
        """Tell whether a form that came was written by our own page.

        Parameters
        ----------
        request
            The request.
        form
            What the form carries of `Session.form`.

        Returns
        -------
        bool
        """
        own = f"http://{request.headers.get('host', '')}"
        return request.headers.get("origin") == own and _same(form, self.form)

    def idle(self) -> float:
        """Return the seconds since the reviewer last did something."""
        return time.monotonic() - self._asked


def _same(given: str, right: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogateescape"), right.encode())


class WithHeaders:
    """Adds `HEADERS` to each answer, also to a refusal.

    Parameters
    ----------
    app
        What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)
