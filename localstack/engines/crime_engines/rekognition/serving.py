"""The HTTP side of the deployed engine: one address, bodies of bounded size and time, TLS."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crime_engines.protocol import Refusal
from crime_engines.protocol.service import Request
from crime_engines.rekognition.clients import Unusable, check_private
from crime_engines.rekognition.guard import Guard
from crime_engines.rekognition.images import INLINE
from crime_engines.rekognition.service import IDENTITY

log = logging.getLogger("crime_engines")

#: Bytes of a request: two pictures in base64, and what is said of them.
MOST_BODY = 2 * (INLINE * 4 // 3) + 65_536

#: Seconds in which a body has to be here, and bodies that are held in memory at once.
BODY_SECONDS, MOST_BODIES = 30.0, 24

#: Names of this machine that no other one reaches.
THIS_MACHINE = ("127.0.0.1", "localhost")

#: TLS 1.2 with forward secrecy and authenticated encryption; 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def application(guard: Guard, is_open: bool) -> Starlette:
    """Return the ASGI application.

    Parameters
    ----------
    guard
        What answers.
    is_open
        Whether anyone may ask: then it answers to its names on this machine alone, so that no web page
        whose name is made to lead here can.

    Returns
    -------
    Starlette
    """
    bodies = asyncio.Semaphore(MOST_BODIES)

    async def aws(http: HttpRequest) -> Response:
        try:
            names = [name for name, _ in http.headers.items()]
            if len(set(names)) != len(names):
                raise Refusal("IncompleteSignatureException", "A header is there twice.")  # noqa: TRY301
            guard.admit(http.headers)
            async with bodies:
                body = await _body(http)
                query = http.scope["query_string"].decode("latin-1")
                request = Request("POST", "/", query, http.headers, body)
                status, headers, said = await run_in_threadpool(guard.answer, request)
        except ClientDisconnect:  # there is nobody to answer
            return Response(status_code=400)
        except Refusal as refusal:
            status, headers, said = guard.refusal(refusal)
            log.info("? %s %s %s", status, refusal.code, headers["x-amzn-RequestId"])
        return Response(said, status, headers)

    async def health(_: HttpRequest) -> Response:
        return JSONResponse({"status": "running"}, headers=IDENTITY)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(guard.close)

    own = Middleware(TrustedHostMiddleware, allowed_hosts=list(THIS_MACHINE), www_redirect=False)
    routes = [Route("/", aws, methods=["POST"]), Route("/health", health)]
    return Starlette(routes=routes, lifespan=lifespan, middleware=[own] if is_open else [])


async def _body(http: HttpRequest) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in http.stream():
                size += len(part)
                if size > MOST_BODY:
                    raise Refusal("RequestEntityTooLargeException", f"More than {MOST_BODY} bytes.", 413)
                parts.append(part)
    except TimeoutError as error:
        raise Refusal("RequestTimeoutException", "The request took too long to arrive.", 408) from error
    return b"".join(parts)


def server(app: Starlette, certificate: Path | None, key: Path | None) -> uvicorn.Server:
    """Return the server, not yet listening.

    Parameters
    ----------
    app
        The application.
    certificate, key
        PEM files, for TLS; neither for none.

    Returns
    -------
    uvicorn.Server

    Raises
    ------
    Unusable
        If certificate and key are not that.
    """
    if key is not None:
        check_private(key)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=512,
        timeout_graceful_shutdown=3,  # idle TLS connections use it up
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_ciphers=_CIPHERS,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise Unusable(f"{certificate} and {key} are no certificate and its key: {error}") from error
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Parameters
    ----------
    host
        An address of this machine.
    port
        Its port; 0 takes a free one.

    Returns
    -------
    socket.socket

    Raises
    ------
    Unusable
        If it can't be listened at.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return socket.create_server((host, port), family=found[0][0], backlog=128)
    except OSError as error:
        raise Unusable(f"{host}:{port} can't be listened at: {error.strerror}") from error
