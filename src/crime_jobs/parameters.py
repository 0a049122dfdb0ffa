"""What a call's parameters say of places: texts that may hold ARNs, buckets, regions.

The shapes of each operation, as botocore's model has them, are looked through once, and what can only be data
is left out for good: a call with 500 records is then looked at in a microsecond or two (docs/doctor.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: Shapes whose content is the user's data, by service: what it says is nobody's business here. Blobs are
#: left out everywhere.
DATA = {
    "athena": frozenset({"ExecutionParameters"}),
    "cloudwatch": frozenset({"MetricData"}),
    "dynamodb": frozenset({"AttributeValue", "ConditionExpression", "UpdateExpression"}),
    "events": frozenset({"PutEventsRequestEntryList"}),
    "firehose": frozenset({"PutRecordBatchRequestEntryList", "Record"}),
    "kinesis": frozenset({"PartitionKey", "PutRecordsRequestEntryList"}),
    "logs": frozenset({"InputLogEvents"}),
    "redshift-data": frozenset({"SqlParametersList"}),
    "s3": frozenset({"Metadata", "ObjectIdentifierList", "ObjectKey", "CompletedMultipartUpload"}),
    "secretsmanager": frozenset({"SecretStringType"}),
    "sns": frozenset({"MessageAttributeMap", "PublishBatchRequestEntryList", "message", "subject"}),
    "sqs": frozenset({"MessageBodyAttributeMap", "SendMessageBatchRequestEntryList"}),
}
#: Members that are questions in SQL, by service: what is compared in one may look like an ARN or a host; only
#: where S3's files are can be a place.
QUERIES = {"athena": frozenset({"QueryString"}), "redshift-data": frozenset({"Sql", "Sqls"})}
_DATA_MEMBERS = {"sqs": frozenset({"MessageBody"})}

#: Members that name a region that something is to be made in, or taken from.
REGIONS = frozenset({"AwsRegion", "DestinationRegion", "Region", "RegionName", "SourceRegion"})


@dataclass
class Found:
    """What a call's parameters say of places.

    Parameters
    ----------
    texts
        Texts that may hold ARNs or addresses.
    buckets
        Names of buckets.
    regions
        Members that name a region, and what they say.
    queries
        Questions in SQL that may hold addresses of S3.
    """

    texts: list[str] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    regions: list[tuple[str, str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)


#: Members that name a bucket: of S3 itself, and of services that are told of one.
_S3_BUCKETS = frozenset({"Bucket", "CopySource"})
_BUCKETS = frozenset({"Bucket", "S3Bucket", "S3BucketName", "BucketName"})

#: How a shape is looked through: what does it, and what that is told of the shape's parts.
_Plan = tuple[Callable[[Any, Any, Found], None], Any]
_plans: dict[tuple[str, str], _Plan | None] = {}


def of(params: Any, model: Any, service: str) -> Found:
    """Return what a call's parameters say of places.

    Parameters
    ----------
    params
        The parameters.
    model
        The operation's model (``botocore.model.OperationModel``).
    service
        As boto3 names it.

    Returns
    -------
    Found
    """
    key = (service, model.name)
    if key not in _plans:
        _plans[key] = _plan(model.input_shape, service, "", {}) if model.input_shape is not None else None
    found = Found()
    if plan := _plans[key]:
        plan[0](params, plan[1], found)
    return found


def _plan(shape: Any, service: str, name: str, seen: dict[str, list[Any]]) -> _Plan | None:
    """Return how a shape is looked through, or ``None`` if nothing in it says where anything is."""
    if shape.name in DATA.get(service, ()):
        return None
    if shape.type_name == "string":
        return _plan_of_text(shape, service, name)
    if shape.type_name == "structure":
        return _plan_of_members(shape, service, seen)
    if shape.type_name == "list":
        inner = _plan(shape.member, service, name, seen)
        return (_walk_list, inner) if inner else None
    if shape.type_name == "map":
        keys = "arn" in shape.key.name.lower()
        inner = _plan(shape.value, service, name, seen)
        return (_walk_map, (keys, inner)) if keys or inner else None
    return None


def _plan_of_members(shape: Any, service: str, seen: dict[str, list[Any]]) -> _Plan | None:
    if shape.name not in seen:
        seen[shape.name] = members = []
        members += [
            (member, plan)
            for member, inner in shape.members.items()
            if member not in _DATA_MEMBERS.get(service, ()) and (plan := _plan(inner, service, member, seen))
        ]
        return (_walk_members, members) if members else None
    return (_walk_members, seen[shape.name])  # a shape within itself: the list is still being filled


def _plan_of_text(shape: Any, service: str, name: str) -> _Plan | None:
    if name in QUERIES.get(service, ()):
        return (_walk_query, None)
    if name in REGIONS:
        return (_walk_region, name)
    if name in (_S3_BUCKETS if service == "s3" else _BUCKETS):
        return (_walk_bucket, None)
    # A text with its values listed in the model (an enumeration) holds no ARN.
    return None if shape.enum else (_walk_text, None)


# What is not of its shape is passed over here: botocore refuses it, or AWS.


def _walk_text(value: Any, _: Any, found: Found) -> None:
    if isinstance(value, str) and ("arn:" in value or "://" in value):
        found.texts.append(value)


def _walk_query(value: Any, _: Any, found: Found) -> None:
    if isinstance(value, str) and "://" in value:
        found.queries.append(value)


def _walk_members(value: Any, members: list[tuple[str, _Plan]], found: Found) -> None:
    if isinstance(value, dict):
        for name, (walk, inner) in members:
            if name in value:
                walk(value[name], inner, found)


def _walk_list(value: Any, plan: _Plan, found: Found) -> None:
    if isinstance(value, list | tuple):
        walk, inner = plan
        for one in value:
            walk(one, inner, found)


def _walk_map(value: Any, parts: tuple[bool, _Plan | None], found: Found) -> None:
    keys, plan = parts
    if isinstance(value, dict):
        if keys:
            found.texts += [key for key in value if isinstance(key, str) and "arn:" in key]
        if plan:
            _walk_list(list(value.values()), plan, found)


def _walk_region(value: Any, name: str, found: Found) -> None:
    if isinstance(value, str):
        found.regions.append((name, value))


def _walk_bucket(value: Any, _: Any, found: Found) -> None:
    if isinstance(value, dict):  # what is copied may be named in parts
        value = value.get("Bucket")
    if not isinstance(value, str):
        return
    if value.startswith("arn:"):  # of an access point
        found.texts.append(value)
    elif bucket := value.lstrip("/").partition("/")[0]:
        found.buckets.append(bucket)
