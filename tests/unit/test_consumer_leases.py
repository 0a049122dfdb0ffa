"""The first leases: those of shards without a parent, and none once an application has begun."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from crime_jobs import aws
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings
from crime_jobs.stream import leases
from tests.conftest import DATA, make_settings

_SESSION = boto3.session.Session("test", "test", region_name="us-east-1")


class Services:
    """DynamoDB and Kinesis behind boto3's own clients, as far as leases go."""

    def __init__(self, shards: list[dict[str, Any]], there: list[dict[str, Any]] | None = None) -> None:
        self.shards, self.there = shards, there
        self.put: list[dict[str, Any]] = []

    def client(self, service: str, *_: Any, **__: Any) -> Any:
        client = _SESSION.client(service)
        client.meta.events.register(
            f"before-call.{service}", lambda model, params, **_: self._answer(model.name, params)
        )
        return client

    def _answer(self, operation: str, request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        asked = json.loads(request["body"])
        if operation == "CreateTable" and self.there is not None:
            return _Status(400), {"Error": {"Code": "ResourceInUseException", "Message": ""}}
        if operation == "PutItem":
            self.put.append(asked)
            if len(self.put) == 1:  # another worker was faster
                return _Status(400), {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}}
        answers: dict[str, dict[str, Any]] = {
            "DescribeTable": {"Table": {"TableStatus": "ACTIVE"}},
            "Scan": {"Items": self.there or []},
            "ListShards": {"Shards": self.shards},
        }
        return _Status(200), answers.get(operation, {})


class _Status:
    def __init__(self, code: int) -> None:
        self.status_code = code


def shard(name: str, *parents: str) -> dict[str, Any]:
    keys = ("ParentShardId", "AdjacentParentShardId")
    return {
        "ShardId": name,
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"},
        **dict(zip(keys, parents, strict=False)),
    }


@pytest.fixture
def settings() -> Settings:
    return make_settings(DATA, "lake").model_copy(update={"region": "us-east-1"})


def test_a_new_application_begins_with_the_shards_that_have_no_parent_any_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = [
        shard("a"),
        shard("b", "a"),
        shard("c", "gone"),
        shard("d", "gone", "c"),
        shard("e", "gone", "lost"),
    ]
    services = Services(shards)
    monkeypatch.setattr(aws, "client", services.client)
    leases.prepare(settings, StreamSettings(), "me")
    assert [one["Item"]["leaseKey"]["S"] for one in services.put] == ["a", "c", "e"]
    assert {one["ConditionExpression"] for one in services.put} == {"attribute_not_exists(leaseKey)"}
    assert services.put[0]["Item"]["checkpoint"] == {"S": "TRIM_HORIZON"}
    assert services.put[0]["Item"]["leaseOwner"] == {"S": "me"}


def test_an_application_that_has_begun_is_left_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services([shard("a")], there=[{"leaseKey": {"S": "a"}}])
    monkeypatch.setattr(aws, "client", services.client)
    leases.prepare(settings, StreamSettings(), "me")
    assert services.put == []
