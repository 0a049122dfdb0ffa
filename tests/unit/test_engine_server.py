"""The engines' HTTP side, asked without a socket."""

from __future__ import annotations

from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from crime_engines.control import Control
from crime_engines.server import Engines, application


def status_of(host: str, path: str) -> int:
    """Send a GET as a browser or boto3 that knows the server by this name would."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", host.encode())],
    }
    # A loop in a thread of its own: in a whole run, Playwright's loop still runs in this one.
    with start_blocking_portal() as portal:
        portal.call(application(Engines([], Control())), scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize("host", ["127.0.0.1:5566", "localhost:5566", "localhost"])
def test_it_answers_to_its_own_names(host: str) -> None:
    assert status_of(host, "/_engines/health") == 200


@pytest.mark.parametrize("path", ["/_engines/pace", "/applications"])
def test_a_page_that_gave_its_own_name_this_address_is_refused(path: str) -> None:
    assert status_of("rebound.example:5566", path) == 400
