"""The HTTP side: which service a request is for, its answer, and one line of log without what it said."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest  # noqa: TC002 - read when routes are made
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crime_engines.control import Control
from crime_engines.protocol import Call, Handler, Refusal, ServiceModel
from crime_engines.protocol.service import Request

log = logging.getLogger("crime_engines")

#: What SigV4 puts into the header: whose key, which day, region and service.
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")


class Service(Protocol):
    """One service behind the protocol."""

    @property
    def model(self) -> ServiceModel:
        """Its protocol."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What it can do: a function for each operation's name."""

    def close(self) -> None:
        """End all that it runs."""


class Engines:
    """All services at one address.

    Parameters
    ----------
    services
        The services.
    control
        Faults and settings.
    """

    def __init__(self, services: list[Service], control: Control) -> None:
        self.services = services
        self.control = control
        self._by_signing_name = {service.model.signing_name: service for service in services}

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        """Answer a request.

        Parameters
        ----------
        request
            The request.

        Returns
        -------
        status, headers, body
        """
        request_id = str(uuid.uuid4())
        headers: dict[str, str] = {}
        service, operation = None, "?"
        try:
            service, region = self._find(request)
            operation = service.model.name_of(request)
            self.control.check(service.model.name, operation)
            operation, params = service.model.read(request)
            handler = service.handlers.get(operation)
            if handler is None:
                raise Refusal("UnknownOperationException", f"The engines do not have {operation}.")  # noqa: TRY301
            answer = handler(Call(operation, params, region, request_id))
            status, body = 200, service.model.write(operation, answer)
        except Refusal as refusal:
            status, headers, body = _refused(service, refusal)
            log.info("%s %s %s %s", operation, status, refusal.code, request_id)
        except Exception:
            log.exception("%s 500 %s", operation, request_id)
            broken = Refusal("InternalServerException", "The engine broke; its log says where.", 500)
            status, headers, body = _refused(service, broken)
        else:
            log.info("%s %s %s", operation, status, request_id)
        is_rest = service is not None and service.model.is_rest
        kind = "application/json" if is_rest else "application/x-amz-json-1.1"
        own = service.model.headers if service is not None else {}
        return status, {"x-amzn-RequestId": request_id, "Content-Type": kind, **own, **headers}, body

    def _find(self, request: Request) -> tuple[Service, str]:
        scope = _SCOPE.search(request.headers.get("authorization", ""))
        if scope is None:
            raise Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        service = self._by_signing_name.get(scope["service"])
        if service is None:
            known = ", ".join(sorted(self._by_signing_name))
            raise Refusal(
                "UnknownOperationException",
                f"No service {scope['service']!r} here, only {known}: is AWS_ENDPOINT_URL_<SERVICE> meant?",
            )
        return service, scope["region"]

    def close(self) -> None:
        """End all that the services run."""
        for service in self.services:
            service.close()


def _refused(service: Service | None, refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
    if service is not None:
        return service.model.write_error(refusal)
    body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
    return refusal.status, {"x-amzn-ErrorType": refusal.code}, body


def application(engines: Engines) -> Starlette:
    """Return the ASGI application.

    Parameters
    ----------
    engines
        The services.

    Returns
    -------
    Starlette
    """
    control = engines.control

    async def aws(http: HttpRequest) -> Response:
        request = Request(
            http.method,
            http.scope["raw_path"].decode("latin-1"),
            http.scope["query_string"].decode("latin-1"),
            http.headers,
            await http.body(),
        )
        status, headers, body = await run_in_threadpool(engines.answer, request)
        return Response(body, status, headers)

    async def health(_: HttpRequest) -> Response:
        return JSONResponse({"services": {service.model.name: "running" for service in engines.services}})

    async def faults(http: HttpRequest) -> Response:
        if http.method == "POST":
            return await _ordered(http, control.add_fault, control.faults)
        if http.method == "DELETE":
            control.clear_faults()
        return JSONResponse(control.faults())

    async def pace(http: HttpRequest) -> Response:
        if http.method == "POST":
            return await _ordered(http, control.set_pace, lambda: vars(control.pace))
        return JSONResponse(vars(control.pace))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(engines.close)

    routes = [
        Route("/_engines/health", health),
        Route("/_engines/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_engines/pace", pace, methods=["GET", "POST"]),
        Route("/{path:path}", aws, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
    # A step is any program: a web page whose name is made to lead to 127.0.0.1 must not submit one.
    own = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False)
    return Starlette(routes=routes, lifespan=lifespan, middleware=[own])


async def _ordered(http: HttpRequest, take: Any, show: Any) -> Response:
    try:
        given = await http.json()
        if not isinstance(given, dict):
            raise TypeError("The body is not a JSON object.")  # noqa: TRY301 - answered below
        take(given)
    except (ValueError, TypeError) as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(show())
