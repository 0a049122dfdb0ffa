"""A service's model: which operation a request is, what it says, and how an answer is sent."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, StructureShape
from botocore.model import ServiceModel as BotocoreModel

from crime_engines.protocol.constraints import check_input, check_output
from crime_engines.protocol.refusal import Refusal
from crime_engines.protocol.values import from_json, from_text, to_json, without_none

#: The account that everything belongs to, as in LocalStack.
ACCOUNT = "000000000000"

_REST = "rest-json"


@dataclass(frozen=True)
class Call:
    """A valid request.

    Parameters
    ----------
    operation
        For example ``RunJobFlow``.
    params
        Its parameters, checked.
    region
        The region it was signed for.
    request_id
        Its id.
    within
        What the names of all begin with that the caller may know of.
    """

    operation: str
    params: dict[str, Any]
    region: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    within: str = ""


#: What a service has for an operation: from the call to the answer.
Handler = Callable[[Call], dict[str, Any] | None]


@dataclass(frozen=True)
class Request:
    """An HTTP request, as far as the protocol looks at it.

    Parameters
    ----------
    method
        ``POST`` and so on.
    path
        As sent, still quoted.
    query
        As sent.
    headers
        By lower-case name.
    body
        As sent.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class ServiceModel:
    """The protocol of one service.

    Parameters
    ----------
    name
        As botocore calls it: ``emr``, ``emr-serverless``.
    headers
        What each answer carries beyond what the service itself sends.
    """

    def __init__(self, name: str, headers: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.headers = dict(headers or {})
        self._model = BotocoreModel(Loader().load_service_model(name, "service-2"), name)
        metadata = self._model.metadata
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.target_prefix: str | None = metadata.get("targetPrefix")
        self.is_rest: bool = metadata["protocol"] == _REST
        self._routes = [self._route(self.operation(name)) for name in self.operations] if self.is_rest else []

    @property
    def operations(self) -> list[str]:
        """The names of all operations."""
        return list(self._model.operation_names)

    def operation(self, name: str) -> OperationModel:
        """Return the model of an operation.

        Parameters
        ----------
        name
            Its name.
        """
        return self._model.operation_model(name)

    def read(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Find out which operation a request is, and its checked parameters.

        Parameters
        ----------
        request
            The request.

        Returns
        -------
        operation, params

        Raises
        ------
        Refusal
            If it is none, or its parameters are not what the model says.
        """
        name, params = self._read_rest(request) if self.is_rest else self._read_json(request)
        shape = self.operation(name).input_shape
        check_input(params, shape)
        return name, params

    def name_of(self, request: Request) -> str:
        """Return the operation of a request, without looking at its parameters; ``?`` if it is none.

        Parameters
        ----------
        request
            The request.
        """
        try:
            return self._match(request)[0].name if self.is_rest else self._target(request)
        except Refusal:
            return "?"

    def write(self, operation: str, answer: dict[str, Any] | None) -> bytes:
        """Turn an answer into the body that is sent.

        Parameters
        ----------
        operation
            The operation.
        answer
            What its handler returned.

        Returns
        -------
        bytes

        Raises
        ------
        TypeError
            If it is not what the model says: a defect of the engine.
        """
        shape = self.operation(operation).output_shape
        clean = without_none(answer or {})
        check_output(clean, shape)
        if shape is None:
            return b""
        return json.dumps(to_json(clean, shape)).encode()

    def write_error(self, refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
        """Turn a refusal into status, headers and body.

        Parameters
        ----------
        refusal
            The refusal.

        Returns
        -------
        status, headers, body
        """
        shape = self._model.shape_for_error_code(refusal.code) if self._knows(refusal.code) else None
        status = refusal.status
        message_name = "message"
        if shape is not None:
            status = shape.metadata.get("error", {}).get("httpStatusCode", status)
            message_name = next((name for name in shape.members if name.lower() == "message"), message_name)
        body = {"__type": refusal.code, message_name: refusal.message, **refusal.members}
        if self.is_rest:
            del body["__type"]
            return status, {"x-amzn-ErrorType": refusal.code}, json.dumps(body).encode()
        return status, {}, json.dumps(body).encode()

    def _knows(self, code: str) -> bool:
        return any(shape.name == code for shape in self._model.error_shapes)

    def _target(self, request: Request) -> str:
        prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
        if prefix != self.target_prefix or name not in self._model.operation_names:
            raise Refusal("UnknownOperationException", f"{self.name} has no operation {name!r}.")
        return name

    def _read_json(self, request: Request) -> tuple[str, dict[str, Any]]:
        name = self._target(request)
        shape = self.operation(name).input_shape
        body = _parse(request.body)
        return name, from_json(body, shape) if shape else {}

    def _match(self, request: Request) -> tuple[OperationModel, re.Match[str]]:
        for method, pattern, operation in self._routes:
            if method == request.method and (found := pattern.fullmatch(request.path)):
                return operation, found
        raise Refusal(
            "UnknownOperationException", f"{self.name} has nothing at {request.method} {request.path}.", 404
        )

    def _read_rest(self, request: Request) -> tuple[str, dict[str, Any]]:
        operation, found = self._match(request)
        shape = operation.input_shape
        if not isinstance(shape, StructureShape):
            return operation.name, {}
        params: dict[str, Any] = from_json(_parse(request.body), shape)
        query = parse_qs(request.query, keep_blank_values=True)
        for name, member in shape.members.items():
            where, wire = member.serialization.get("location"), member.serialization.get("name", name)
            if where == "uri":
                params[name] = from_text(unquote(found[wire]), member)
            elif where == "querystring" and wire in query:
                given = query[wire]
                if member.type_name == "list":
                    params[name] = [from_text(item, member.member) for item in given]
                else:
                    params[name] = from_text(given[-1], member)
        return operation.name, params

    @staticmethod
    def _route(operation: OperationModel) -> tuple[str, re.Pattern[str], OperationModel]:
        uri = operation.http["requestUri"].partition("?")[0]
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(uri))
        return operation.http["method"], re.compile(f"{pattern}/?"), operation


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refusal("SerializationException", "The body is not JSON.") from error
    if not isinstance(parsed, dict):
        raise Refusal("SerializationException", "The body is not a JSON object.")
    return parsed
