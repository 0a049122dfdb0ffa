"""A call to the deployed engine: who asks, may they, what is noted of it, and only then its answer."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crime_engines.protocol import ACCOUNT, Call, Refusal
from crime_engines.protocol.service import Request
from crime_engines.rekognition import signing, words
from crime_engines.rekognition.auditing import Audit
from crime_engines.rekognition.clients import READ, WRITE, Client
from crime_engines.rekognition.service import IDENTITY, Rekognition
from crime_engines.rekognition.store import name_in

log = logging.getLogger("crime_engines")

#: Who asks where no clients are told apart: on 127.0.0.1 alone.
ANYONE = Client("anyone on this machine", "", "", READ | WRITE, buckets=None)

#: Members of a request that hold a picture, and of an answer that hold faces.
_PICTURES = ("Image", "SourceImage", "TargetImage")
_FACES = ("FaceDetails", "FaceRecords", "Faces", "DeletedFaces", "UnmatchedFaces")

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class _Course:
    """What is known of a call so far."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client: Client | None = None
    operation: str = "?"
    facts: dict[str, Any] = field(default_factory=dict)


class Guard:
    """Answers requests of clients.

    Parameters
    ----------
    service
        What does the work.
    region
        The region that it stands for.
    clients
        Who may ask, by access key id; ``None`` lets anyone.
    audit
        Where each call of a client is noted; ``None`` for nowhere.
    """

    def __init__(
        self,
        service: Rekognition,
        region: str,
        clients: Mapping[str, Client] | None,
        audit: Audit | None,
    ) -> None:
        self._service, self._region = service, region
        self._clients, self._audit = clients, audit

    def admit(self, headers: Mapping[str, str]) -> signing.Claim | None:
        """Refuse a request by its headers alone, before its body is read.

        Parameters
        ----------
        headers
            By lower-case name.

        Returns
        -------
        Claim or None
            Who it says to be from, unproved; ``None`` where anyone may ask.

        Raises
        ------
        Refusal
            If it is not signed, or by nobody we know.
        """
        if self._clients is None:
            return None
        said = signing.claim(headers)
        if said.key not in self._clients or "x-amz-security-token" in headers:
            reason = "The security token included in the request is invalid."
            raise Refusal("UnrecognizedClientException", reason)
        return said

    def answer(self, request: Request) -> Answer:
        """Answer a request.

        Parameters
        ----------
        request
            The request.

        Returns
        -------
        status, headers, body
        """
        course = _Course()
        try:
            status, body = 200, self._do(request, course)
            code, headers = "OK", _headers(course.id)
        except Refusal as refusal:
            code = refusal.code
            status, headers, body = self.refusal(refusal, course.id)
        except Exception as error:  # noqa: BLE001 - a message or traceback might tell of a picture
            log.error("%s broke: %s", course.operation, type(error).__name__)  # noqa: TRY400
            code = "InternalServerError"
            status, headers, body = self.refusal(words.broken(), course.id)
        log.info("%s %s %s %s", course.operation, status, code, course.id)
        try:
            self._note(course, "answered", code=code)
        except OSError as error:
            log.critical("The audit log can't be written, nothing is answered: %s", error.strerror or error)
            return self.refusal(words.broken(), course.id)
        return status, headers, body

    def refusal(self, refusal: Refusal, request_id: str | None = None) -> Answer:
        """Return a refusal as it is sent.

        Parameters
        ----------
        refusal
            The refusal.
        request_id
            Of the request; a new one if there is none.

        Returns
        -------
        status, headers, body
        """
        status, headers, body = self._service.model.write_error(refusal)
        return status, {**_headers(request_id or str(uuid.uuid4())), **headers}, body

    def close(self) -> None:
        """End the service."""
        self._service.close()

    def _do(self, request: Request, course: _Course) -> bytes:
        model = self._service.model
        said = self.admit(request.headers)
        client = ANYONE if said is None or self._clients is None else self._clients[said.key]
        course.client = client
        if said is not None:
            signing.check(request, said, client.secret, self._region)
        course.operation = model.name_of(request)
        if course.operation not in self._service.handlers:
            raise Refusal("UnknownOperationException", "The engine does not have this operation.")
        _allow(course.operation in client.operations, client, course.operation)
        operation, params = model.read(request)
        self._look(course, params)
        if operation in WRITE:  # what is changed is noted before it is, in case it can't be after
            self._note(course, "begun")
        call = Call(operation, params, self._region, course.id, client.collections)
        answer = self._service.handlers[operation](call) or {}
        course.facts["faces"] = sum(len(answer.get(name, ())) for name in _FACES)
        if "FaceMatches" in answer:
            course.facts["matches"] = len(answer["FaceMatches"])
        return model.write(operation, answer)

    def _look(self, course: _Course, params: Mapping[str, Any]) -> None:
        """Note what is asked for, and refuse what is not the client's."""
        client = course.client
        name = params.get("CollectionId") or name_in(params.get("ResourceArn", ""), self._region)
        assert client is not None  # noqa: S101 - known by now
        if name:
            course.facts["collection"] = name
            arn = f"arn:aws:rekognition:{self._region}:{ACCOUNT}:collection/{name}"
            _allow(name.startswith(client.collections), client, course.operation, arn)
        pictures = [params[name] for name in _PICTURES if name in params]
        if pictures:
            course.facts["pictures"] = [_told(picture) for picture in pictures]
        for picture in pictures:
            bucket = picture.get("S3Object", {}).get("Bucket")
            if bucket is not None and client.buckets is not None and bucket not in client.buckets:
                raise words.bad_object()  # as the service says it of a caller who may not read there

    def _note(self, course: _Course, step: str, **more: str) -> None:
        if self._audit is None or course.client is None:
            return  # of those who are nobody the plain log tells: they could fill a disk
        self._audit.write(
            {
                "request_id": course.id,
                "step": step,
                "client": course.client.name,
                "operation": course.operation,
                "region": self._region,
                **course.facts,
                **more,
            }
        )


def _allow(is_allowed: bool, client: Client, operation: str, resource: str = "") -> None:
    if not is_allowed:
        on = f" on resource: {resource}" if resource else ""
        who = f"arn:aws:iam::{ACCOUNT}:user/{client.name}"
        raise Refusal(
            "AccessDeniedException",
            f"User: {who} is not authorized to perform: rekognition:{operation}{on}",
        )


def _told(picture: Mapping[str, Any]) -> dict[str, str]:
    """Return what the audit log says of a picture: its digest or its bucket; a key may name people."""
    said = {}
    if "Bytes" in picture:
        said["sha256"] = hashlib.sha256(picture["Bytes"]).hexdigest()
    if bucket := picture.get("S3Object", {}).get("Bucket"):
        said["bucket"] = bucket
    return said


def _headers(request_id: str) -> dict[str, str]:
    return {"x-amzn-RequestId": request_id, "Content-Type": "application/x-amz-json-1.1", **IDENTITY}
