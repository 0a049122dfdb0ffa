"""Each kind of resource asks and removes as AWS's own service models say: names, members, parameters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crime_jobs import aws
from crime_jobs.cloud import kinds_stacks, prices
from crime_jobs.cloud.kinds import KINDS
from crime_jobs.cloud.kinds_base import Found, Kind, Place
from crime_jobs.settings import Settings

SETTINGS = Settings(
    env="trial", region="ap-south-1", landing="data", lake="lake", spark_conf=None, sources={}, environ={}
)
TOKENS = {
    "NextToken",
    "nextToken",
    "NextMarker",
    "Marker",
    "LastEvaluatedTableName",
    "LastEvaluatedBackupArn",
}
#: What an answer says where its shape leaves open what is worth testing.
SAID = {
    "HasMoreStreams": False,
    "HasMoreDeliveryStreams": False,
    "HasMoreTags": False,
    "Truncated": False,
    "IsTruncated": False,
    "IsDefault": False,
    "ListOfResourceTags": [],
    "CreatedTimestamp": "1764000000",
    "ApproximateNumberOfMessages": "1",
    "ApproximateNumberOfMessagesNotVisible": "1",
    "ManagedBy": "",
    "Main": False,
    "Path": "/",
    "TagSet": [{"Key": "project", "Value": "crime-jobs"}],
    "LocationConstraint": "ap-south-1",
    "BucketRegion": "ap-south-1",
    "Name": "name-of-it",
    "Errors": [],
}


def answer(shape: Any, depth: int = 0) -> Any:
    """An answer of a shape: each member there, each list with one element."""
    if depth > 9 or shape is None:
        return {}
    made = {"structure": _structure, "list": _list, "map": _map, "string": _string}.get(shape.type_name)
    if made:
        return made(shape, depth)
    others = {"timestamp": datetime(2026, 1, 1, tzinfo=UTC), "boolean": True, "blob": b"x"}
    return others.get(shape.type_name, 1)


def _structure(shape: Any, depth: int) -> dict[str, Any]:
    return {
        name: SAID[name] if name in SAID and not _is_told(member) else answer(member, depth + 1)
        for name, member in shape.members.items()
        if name not in TOKENS
    }


def _list(shape: Any, depth: int) -> list[Any]:
    return [answer(shape.member, depth + 1)]


def _map(shape: Any, depth: int) -> dict[str, Any]:
    if shape.key.enum and "ApproximateNumberOfMessages" in shape.key.enum:
        return {name: SAID.get(name, "x") for name in shape.key.enum}
    return {"project": answer(shape.value, depth + 1)}


def _string(shape: Any, _: int) -> str:
    if shape.enum:
        return _alive(shape.enum)
    return "arn:aws:x:ap-south-1:123456789012:type/name".ljust(shape.metadata.get("min", 0), "e")


def _is_told(shape: Any) -> bool:
    return shape.type_name == "structure" or bool(getattr(shape, "enum", None))


def _alive(enum: list[str]) -> str:
    gone = ("delet", "terminat", "fail", "shutting")
    return next((one for one in enum if not any(word in one.lower() for word in gone)), enum[0])


class Account:
    """Real clients, whose parameters botocore checks, and whose answers are made of the models' shapes."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._clients: dict[str, Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        if service not in self._clients:
            made = aws.session(SETTINGS).client(
                service,
                region_name=region or SETTINGS.region,
                aws_access_key_id="x",
                aws_secret_access_key="x",
            )
            made.meta.events.register("before-call", self._answer)
            self._clients[service] = made
        return self._clients[service]

    def _answer(self, model: Any, **_: Any) -> Any:
        self.calls.append(model.name)
        said = answer(model.output_shape) if model.output_shape else {}
        return SimpleNamespace(status_code=200), said

    def place(self, kind: Kind) -> Place:
        return Place(self.client(kind.service), "ap-south-1", "123456789012", "aws", self.client)


@pytest.fixture
def account() -> Account:
    return Account()


def found(kind: Kind, account: Account) -> Found:
    one = next(iter(kind.find(account.place(kind))))
    assert one.name
    assert one.id
    return one


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_listed_looked_at_and_removed_by_operations_that_aws_has(
    kind: Kind, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("crime_jobs.cloud.kinds_compute._PATIENCE", 0.01)
    one, at = found(kind, account), account.place(kind)
    if kind.tags:
        assert isinstance(kind.tags(at, one), dict)
    else:
        assert one.tags is not None, "neither its list nor another call brings tags"
    if kind.look:
        one = kind.look(at, one)
    assert one.cost.based_on
    if kind.lift:
        account.calls.clear()
        kind.lift(at, one)
        assert account.calls
    if kind.name == "stack":
        return  # `destroy_stacks` deletes those
    assert kind.remove is not None
    account.calls.clear()
    kind.remove(at, one)
    changes = [call for call in account.calls if not aws_reads(call)]
    assert changes, account.calls


def aws_reads(operation: str) -> bool:
    from crime_jobs.guard import READS

    return READS.match(operation) is not None


def test_looking_changes_nothing(account: Account) -> None:
    """Whatever an inventory calls only reads: it may run with a read-only role, in any region."""
    for kind in KINDS:
        at = account.place(kind)
        for one in kind.find(at):
            if kind.tags:
                kind.tags(at, one)
            if kind.look:
                kind.look(at, one)
    assert account.calls
    assert not [call for call in account.calls if not aws_reads(call)]


def test_each_type_of_cloudformation_is_that_of_a_kind() -> None:
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names))
    assert set(kinds_stacks.TYPES) <= set(names)


def resource_types() -> Iterator[str]:
    import re
    from importlib.resources import files

    for path in (files("crime_jobs") / "cloud").iterdir():
        if path.name.endswith(".yaml"):
            yield from re.findall(
                r"^ +Type: (AWS::\w+::\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE
            )


def test_each_type_of_our_templates_is_covered_or_costs_nothing_and_goes_with_its_parent() -> None:
    """A type that is added to a template and to no kind would be left behind unseen."""
    with_parent = {
        *(
            "AWS::S3::BucketPolicy",
            "AWS::SQS::QueuePolicy",
            "AWS::SNS::TopicPolicy",
            "AWS::SNS::Subscription",
        ),
        *("AWS::KMS::Alias", "AWS::Logs::LogStream", "AWS::Logs::MetricFilter", "AWS::Scheduler::Schedule"),
        *("AWS::EC2::VPCGatewayAttachment", "AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation"),
        *("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress", "AWS::EC2::FlowLog"),
        *("AWS::EC2::VPC::Id", "AWS::EC2::Subnet::Id", "AWS::EC2::SecurityGroup::Id"),
        *("AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption", "AWS::IAM::Policy"),
        *("AWS::Athena::NamedQuery", "AWS::Glue::Table", "AWS::QuickSight::RefreshSchedule"),
    }
    missing = set(resource_types()) - set(kinds_stacks.TYPES.values()) - with_parent
    assert not missing


def test_each_price_says_its_page_at_aws_and_is_one() -> None:
    for name, price in prices.PRICES.items():
        assert price.page.startswith("https://aws.amazon.com/"), name
        assert price.usd > 0, name


def test_what_depends_on_use_is_unknown_and_says_so() -> None:
    assert prices.by_use("requests") == prices.Cost(None, "unknown: by use (requests)")
    assert prices.added(prices.monthly("kms key", 1), prices.by_use("x")).usd is None
    assert prices.machines({"m5.xlarge": 2}).usd == pytest.approx(2 * 0.24 * 730)
    assert prices.machines({"m5.xlarge": 2, "z9.huge": 1}).usd is None
    assert "z9.huge" in prices.machines({"z9.huge": 1}).based_on
    assert prices.monthly("shard", 2, prices.HOURS).usd == pytest.approx(21.9)
