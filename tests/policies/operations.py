"""What IAM is asked when an operation is called: actions, resources, and what goes with them.

An operation is, as a rule, the action of its name on the resource that a parameter names. Exceptions are AWS's own:

- S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
- DynamoDB's transactions and batches:
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
- keys, by the services that use them for the caller: `THROUGH`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from crime_jobs.adhoc.asking import SqlSettings
from crime_jobs.model.faces import FaceSettings
from crime_jobs.model.streams import StreamSettings
from tests.policies import resolving
from tests.policies.evaluator import VARIABLES, Call
from tests.policies.resolving import ACCOUNT, LAKE, LANDING, REGION, Template

Names = Mapping[str, Sequence[str]]

_ARTIFACTS, _LOGS = "emr-artifactsbucket", "emr-logsbucket"

#: What a setting is, on AWS, in the environment that the templates make.
WORDS: dict[str, str] = {
    **{f"stream.{name}": str(field.default) for name, field in StreamSettings.model_fields.items()},
    **{f"sql.{name}": str(field.default) for name, field in SqlSettings.model_fields.items()},
    **{f"faces.{name}": str(field.default) for name, field in FaceSettings.model_fields.items()},
    "sql.workgroup": "crime",
    "sql.results": "s3://crime-results/results",
    "landing": f"s3://{LANDING}",
    "lake": f"s3://{LAKE}/lake",
    "artifacts": f"s3://{_ARTIFACTS}",
    "logs": f"s3://{_LOGS}/emr",
    "topic": "crime-jobs-migration",
    "oracle_secret": "crime-jobs/oracle",
    "runtime_role": "crime-jobs-runtime",
}

#: Services whose actions begin with another word than boto3's name.
PREFIXES = {
    "emr": "elasticmapreduce",
    "stepfunctions": "states",
    "sfn": "states",
    "kinesisanalyticsv2": "kinesisanalytics",
    "resourcegroupstaggingapi": "tag",
}

#: Operations that IAM calls otherwise, and how it calls them. To ask who one is needs no permission.
ACTIONS = {
    "s3:HeadObject": ("s3:GetObject",),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:ListObjectVersions": ("s3:ListBucketVersions",),
    "s3:ListBuckets": ("s3:ListAllMyBuckets",),
    "s3:ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "s3:CreateMultipartUpload": ("s3:PutObject",),
    "s3:UploadPart": ("s3:PutObject",),
    "s3:CompleteMultipartUpload": ("s3:PutObject",),
    "s3:DeleteObjects": ("s3:DeleteObject",),
    "sns:PublishBatch": ("sns:Publish",),
    "sqs:SendMessageBatch": ("sqs:SendMessage",),
    "sqs:DeleteMessageBatch": ("sqs:DeleteMessage",),
    "sqs:ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
    "sts:GetCallerIdentity": (),
}

#: What in a transaction is which action.
IN_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "ConditionCheck": "ConditionCheckItem",
}

#: What a service does with a resource's key on behalf of the caller, by the action that the caller is allowed.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
#: https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html
#: https://docs.aws.amazon.com/streams/latest/dev/permissions-user-key-KMS.html
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
#: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
#: https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
THROUGH = {
    "s3:GetObject": ("kms:Decrypt",),
    "s3:PutObject": ("kms:GenerateDataKey",),
    "kinesis:GetRecords": ("kms:Decrypt",),
    "kinesis:PutRecord": ("kms:GenerateDataKey",),
    "kinesis:PutRecords": ("kms:GenerateDataKey",),
    "sqs:ReceiveMessage": ("kms:Decrypt",),
    "sqs:SendMessage": ("kms:Decrypt", "kms:GenerateDataKey"),
    "sns:Publish": ("kms:Decrypt", "kms:GenerateDataKey"),
    "secretsmanager:GetSecretValue": ("kms:Decrypt",),
    **{
        f"dynamodb:{action}": ("kms:Decrypt",)
        for action in (
            *("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan"),
            *("UpdateItem", "ConditionCheckItem"),
        )
    },
}
#: An upload in parts opens the data key that its first part was sealed with.
IN_PARTS = frozenset({"UploadPart", "CompleteMultipartUpload"})


def word(text: str) -> str:
    """Put in what a setting is on AWS: ``{stream.history}/2026`` becomes ``crime-firs/history/2026``."""

    def told(found: re.Match[str]) -> str:
        name, _, part = found[1].partition("|")
        value = WORDS[name].removeprefix("s3://")
        return value.partition("/")[0] if part == "bucket" else value

    return re.sub(r"\{([^}]+)\}", told, text)


def arn(service: str, rest: str) -> str:
    """Return an ARN of the account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def calls(service: str, operation: str, names: Names) -> tuple[Call, ...]:
    """Return all that IAM is asked when an operation is called.

    Parameters
    ----------
    service, operation
        As botocore names them.
    names
        Names of resources by parameter, as the recorder keeps them.
    """
    prefix = PREFIXES.get(service, service)
    asked = list(SERVICES.get(service, _by_name)(prefix, operation, names))
    through = [key for call in asked for key in through_service(call)]
    if service == "s3" and operation in IN_PARTS:
        through += [Call("kms:Decrypt", key.resource, key.context) for key in through]
    return tuple(dict.fromkeys([*asked, *through]))


def through_service(call: Call) -> Iterator[Call]:
    """Return what is asked of the key of a resource, by the service and for the caller."""
    key = key_of(call.resource)
    if key:
        service = call.action.partition(":")[0]
        context = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
        yield from (Call(action, key, context) for action in THROUGH.get(call.action, ()))


def actions(prefix: str, operation: str) -> tuple[str, ...]:
    """Return the actions of IAM that an operation is."""
    return ACTIONS.get(f"{prefix}:{operation}", (f"{prefix}:{operation}",))


# ---- services


def _s3(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    versions = "versions" in names and operation in ("GetObject", "DeleteObject", "DeleteObjects")
    if operation == "DeleteObjects":
        bucket = word(names["bucket"][0]).partition("/")[0]
        places = names["Delete.Objects.Key"]
        names = {"object": [key if key.startswith(f"{bucket}/") else f"{bucket}/{key}" for key in places]}
    for found in actions(prefix, operation):
        action = f"{found}Version" if versions else found
        if "object" in names:
            for place in names["object"]:
                yield Call(action, f"arn:aws:s3:::{word(place)}")
        elif "bucket" in names:
            (bucket,) = {word(place).partition("/")[0] for place in names["bucket"]}
            for place in names.get("prefix", [""]):
                context = {"s3:prefix": word(place).partition("/")[2]} if place else {}
                yield Call(action, f"arn:aws:s3:::{bucket}", context)
        else:
            yield Call(action, "*")


def _dynamodb(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    def table(name: str) -> str:
        return name if name.startswith("arn:") else arn("dynamodb", f"table/{word(name)}")

    for path, values in names.items():
        parts = path.split(".")
        for value in values:
            if parts[0] == "TransactItems" and parts[-1] == "TableName":
                yield Call(f"dynamodb:{IN_TRANSACTIONS[parts[1]]}", table(value))
            elif parts[-1] == "ExportArn":
                # The number of an export is by chance; its table is not.
                yield Call(f"dynamodb:{operation}", _as_ours(value))
            elif parts[-1] in ("TableName", "RequestItems", "TableArn"):
                of = _as_ours(value) if parts[-1] == "TableArn" else table(value)
                index = names.get("IndexName")
                yield Call(f"dynamodb:{operation}", f"{of}/index/{index[0]}" if index else of)
    if "tagged" in names:
        yield Call("dynamodb:TagResource", table(names["TableName"][0]))
    if operation == "ListTables":
        yield Call("dynamodb:ListTables", "*")


def _as_ours(there: str) -> str:
    """An ARN of the place that was recorded, as one of the account."""
    return "arn:aws:{2}:{region}:{account}:{5}".format(*there.split(":", 5), region=REGION, account=ACCOUNT)


def _kms(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    told = {"purpose": purpose for purpose in names.get("EncryptionContext.purpose", ())}  # noqa: B035 - there is one
    keys = {key for key in map(_alias, names.get("KeyId", ())) if key} or {
        SEALED_WITH[purpose] for purpose in told.values()
    }
    context = {f"kms:EncryptionContext:{key}": value for key, value in told.items()}
    for key in keys:
        # The Encryption SDK's Encrypt is for messages of several keys; with one it asks for a data key.
        yield Call(f"kms:{operation}", key, context)


#: Which key seals what is sealed for a purpose.
SEALED_WITH = {"crime-jobs-fir": arn("kms", "key/firs-Key"), "crime-jobs-faces": arn("kms", "key/faces-Key")}


def _alias(name: str) -> str | None:
    return _aliases().get(word(name))


@cache
def _aliases() -> dict[str, str]:
    found = {}
    for name in resolving.names():
        template = Template(name)
        for _, told in template.of("AWS::KMS::Alias"):
            found[str(template.value(told["AliasName"]))] = _key_arn(str(template.value(told["TargetKeyId"])))
    return found


def _named(path: str, form: str) -> Callable[[str, str, Names], Iterator[Call]]:
    """For services with one kind of resource, which one parameter names."""

    def asked(prefix: str, operation: str, names: Names) -> Iterator[Call]:
        for action in actions(prefix, operation):
            for value in names.get(path, ["?"]):
                yield Call(action, arn(prefix, form.format(word(value).rpartition("/")[2])))

    return asked


def _kinesis(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    # An iterator names its stream inside; there is one that is read.
    stream = names.get("StreamName") or names.get("StreamARN") or ["{stream.name}"]
    yield Call(f"{prefix}:{operation}", arn("kinesis", f"stream/{word(stream[0]).rpartition('/')[2]}"))


def _sqs(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    queue = word((names.get("QueueUrl") or names["QueueName"])[0])
    yield from (Call(action, arn("sqs", queue)) for action in actions(prefix, operation))


def _secrets(_: str, operation: str, names: Names) -> Iterator[Call]:
    yield Call(
        f"secretsmanager:{operation}", arn("secretsmanager", f"secret:{word(names['SecretId'][0])}-a1b2c3")
    )


def _cloudwatch(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    context = {"cloudwatch:namespace": names["Namespace"][0]} if "Namespace" in names else {}
    yield Call(f"{prefix}:{operation}", "*", context)


def _redshift(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    # https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html
    if "WorkgroupName" in names:
        workgroup = arn("redshift-serverless", f"workgroup/{word(names['WorkgroupName'][0])}")
        yield Call(f"{prefix}:{operation}", workgroup)
        yield Call("redshift-serverless:GetCredentials", workgroup)
    else:
        owner = {"redshift-data:statement-owner-iam-userid": VARIABLES["aws:userid"]}
        yield Call(f"{prefix}:{operation}", "*", owner)


def _firehose(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    (name,) = names["DeliveryStreamName"]
    yield Call(f"{prefix}:{operation}", arn(prefix, f"deliverystream/{word(name)}"))
    roles = {role for path, found in names.items() if path.endswith("RoleARN") for role in found}
    yield from (passed(role, "firehose.amazonaws.com") for role in sorted(roles))


def passed(role: str, service: str) -> Call:
    """Give a service a role."""
    name = word(role).rpartition("/")[2]
    return Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{name}", {"iam:PassedToService": service})


def _glue(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    # https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html: a table needs its database
    # and the catalog too.
    (database,) = names.get("DatabaseName") or names["Name"]
    for rest in ("catalog", f"database/{word(database)}", f"table/{word(database)}/a_table"):
        yield Call(f"{prefix}:{operation}", arn("glue", rest))


def _rekognition(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrekognition.html
    collections = [arn(prefix, f"collection/{word(name)}") for name in names.get("CollectionId", ())]
    action = f"{prefix}:{operation}"
    if operation == "CreateCollection":
        yield Call(action, "*")
        if "tagged" in names:
            yield from (Call(f"{prefix}:TagResource", one) for one in collections)
    else:
        yield from (Call(action, one) for one in collections or ["*"])


def _emr(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    # A cluster's id is by chance; one that is made has none, and is known by its tags (emr/cluster.py).
    cluster = arn(prefix, "cluster/j-1")
    tagged = {"aws:RequestTag/project": "crime-jobs"}
    if operation == "RunJobFlow":
        yield Call(f"{prefix}:{operation}", "*", tagged)
        yield Call(f"{prefix}:AddTags", cluster, tagged)
        yield passed("crime-jobs-emr", "elasticmapreduce.amazonaws.com")
        yield passed("crime-jobs-emr-node", "ec2.amazonaws.com")
    else:
        yield Call(f"{prefix}:{operation}", "*" if operation == "ListClusters" else cluster)


def _serverless(prefix: str, operation: str, names: Names) -> Iterator[Call]:
    application = arn(prefix, "/applications/00abc")
    run = f"{application}/jobruns/00def"
    if operation == "ListApplications":
        yield Call(f"{prefix}:{operation}", "*")
    elif operation == "StartJobRun":
        yield Call(f"{prefix}:{operation}", application)
        yield passed("{runtime_role}", "emr-serverless.amazonaws.com")
        if "tagged" in names:
            yield Call(f"{prefix}:TagResource", run)
    else:
        yield Call(
            f"{prefix}:{operation}", run if operation.endswith(("JobRun", "ForJobRun")) else application
        )


def _by_name(prefix: str, operation: str, _: Names) -> Iterator[Call]:
    yield from (Call(action, "*") for action in actions(prefix, operation))


SERVICES: dict[str, Callable[[str, str, Names], Iterator[Call]]] = {
    "athena": lambda prefix, operation, _: iter(
        [Call(f"{prefix}:{operation}", arn("athena", "workgroup/crime"))]
    ),
    "cloudwatch": _cloudwatch,
    "dynamodb": _dynamodb,
    "emr": _emr,
    "emr-serverless": _serverless,
    "firehose": _firehose,
    "glue": _glue,
    "kinesis": _kinesis,
    "kms": _kms,
    "redshift-data": _redshift,
    "rekognition": _rekognition,
    "s3": _s3,
    "secretsmanager": _secrets,
    "sns": _named("TopicArn", "{}"),
    "sqs": _sqs,
}


# ---- keys


#: Where a resource says its key.
_KEY_AT: dict[str, tuple[str, ...]] = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Kinesis::Stream": ("StreamEncryption", "KeyId"),
    "AWS::S3::Bucket": (
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionByDefault",
        "KMSMasterKeyID",
    ),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
}


@cache
def keys() -> dict[str, str]:
    """Keys of the templates' resources, by ARN. Those of AWS, which everybody of the account may use, are not here."""
    found = {}
    for name in resolving.names():
        template = Template(name)
        for resource, told in template.of(*_KEY_AT):
            key = _at(template.value(told), _KEY_AT[template.resources[resource]["Type"]])
            if key and not str(key).startswith("alias/aws/"):
                found[template.arn(resource)] = _key_arn(str(key))
    return found


def key_of(resource: str) -> str | None:
    """Return the key of a resource, or of that which it is in: an object's bucket, an index's table."""
    whole = resource.partition("/index/")[0]
    return keys().get(whole.partition("/")[0] if whole.startswith("arn:aws:s3:::") else whole)


def _key_arn(key: str) -> str:
    if key.startswith("alias/"):
        return _aliases()[key]
    return key if key.startswith("arn:") else arn("kms", f"key/{key}")


def _at(told: Any, path: Sequence[str]) -> Any:
    for name in path:
        told = told[0] if isinstance(told, list) else told
        if not isinstance(told, Mapping) or name not in told:
            return None
        told = told[name]
    return told
