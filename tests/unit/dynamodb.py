"""DynamoDB as far as the ledger asks it, behind a client of boto3's own, so that its retries are the real ones.

Not a test: answers are given before anything is sent, and can get lost on the way.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    import pytest

#: One for all tests: it reads the service's model once.
_SESSION = boto3.session.Session("test", "test", region_name="us-east-1")
_REFUSED = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"

Asked = tuple[str, dict[str, Any]]


class DynamoDb:
    """A table of entries, by their names."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        #: What was asked: operations and their parameters.
        self.asked: list[Asked] = []
        #: Whether the answer to such a question is lost, after all was done.
        self.loses: Callable[[Asked], bool] = lambda _: False
        #: Called after a question was answered, before the answer arrives.
        self.after: Callable[[Asked], None] = lambda _: None
        self._lock = threading.Lock()

    def client(self, monkeypatch: pytest.MonkeyPatch, attempts: int = 3) -> Any:
        """A client whose every question ends here."""
        monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        retries = {"mode": "standard", "total_max_attempts": attempts}
        client = _SESSION.client("dynamodb", config=Config(retries=retries))
        client.meta.events.register("before-send.dynamodb", self._answer)
        return client

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.asked)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        asked = (operation, json.loads(request.body))
        with self._lock:
            self.asked.append(asked)
            status, answer = getattr(self, f"_{operation}")(asked[1])
        self.after(asked)
        if self.loses(asked):
            raise ReadTimeoutError(endpoint_url=request.url)
        return AWSResponse(request.url, status, {}, _Raw(json.dumps(answer).encode()))

    def _CreateTable(self, asked: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802 - as AWS calls it
        return 200, {}

    def _DescribeTable(self, asked: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        return 200, {"Table": {"TableStatus": "ACTIVE"}}

    def _GetItem(self, asked: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        found = self.items.get(asked["Key"]["entry"]["S"])
        return 200, {"Item": found} if found else {}

    def _PutItem(self, asked: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        self.items[asked["Item"]["entry"]["S"]] = asked["Item"]
        return 200, {}

    def _UpdateItem(self, asked: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        name = asked["Key"]["entry"]["S"]
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        found = self.items.get(name, {})
        for condition in filter(None, asked.get("ConditionExpression", "").split(" AND ")):
            if absent := re.fullmatch(r"attribute_not_exists\((.+)\)", condition):
                holds = names[absent[1]] not in found
            else:
                left, right = condition.split(" = ")
                holds = found.get(names[left]) == values[right]
            if not holds:
                return 400, {"__type": _REFUSED, "message": "The conditional request failed"}
        pairs = (one.split(" = ") for one in asked["UpdateExpression"].removeprefix("SET ").split(", "))
        self.items[name] = {**asked["Key"], **found, **{names[left]: values[right] for left, right in pairs}}
        return 200, {}

    def _Query(self, asked: dict[str, Any]) -> tuple[int, Any]:  # noqa: N802
        prefix = asked["ExpressionAttributeValues"].get(":p", {"S": ""})["S"]
        return 200, {"Items": [self.items[name] for name in sorted(self.items) if name.startswith(prefix)]}


class _Raw(io.BytesIO):
    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()
