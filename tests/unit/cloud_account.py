"""A small account in memory: stacks, buckets, tables, queues, keys, log groups and roles, over regions.

Every other service answers that it is not there, as LocalStack's free edition does.
"""

# ruff: noqa: N803 - the names are boto3's
from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from crime_jobs.cloud.inventory_asking import Asking
from crime_jobs.settings import Settings

ACCOUNT, HOME, AWAY = "123456789012", "ap-south-1", "eu-west-1"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
NOT_THERE = {
    "dynamodb": "ResourceNotFoundException",
    "sqs": "AWS.SimpleQueueService.NonExistentQueue",
    "kms": "NotFoundException",
    "logs": "ResourceNotFoundException",
    "iam": "NoSuchEntity",
    "s3": "NoSuchBucket",
    "cloudtrail": "TrailNotFoundException",
    "kinesis": "ResourceNotFoundException",
}

#: What is removed with its stack.
KINDS = {
    "AWS::S3::Bucket": "bucket",
    "AWS::DynamoDB::Table": "table",
    "AWS::SQS::Queue": "queue",
    "AWS::CloudTrail::Trail": "trail",
}

Things = dict[str, dict[str, Any]]


def refuse(code: str, operation: str, status: int = 400, said: str = "") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": said or code}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )


def make_settings(env: str = "trial", **tables: Any) -> Settings:
    return Settings(
        env=env,
        region=HOME,
        landing="s3://landing",
        lake="s3://lake",
        spark_conf=None,
        sources={},
        environ={},
        **tables,
    )


class Account:
    """What is there, what is denied, and what was called."""

    def __init__(self, latency: float = 0) -> None:
        self.things: dict[tuple[str, str], Things] = defaultdict(dict)
        self.denied: set[str] = set()
        self.throttled: set[str] = set()
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.before: Callable[[str], None] = lambda operation: None
        self.latency = latency
        self._lock = threading.RLock()

    def asking(self, settings: Settings | None = None) -> Asking:
        return Asking(settings or make_settings(), make=self.make, writes=True)

    def make(self, service: str, settings: Settings, *, elsewhere: str, **_: Any) -> Client:
        return Client(self, service, elsewhere)

    def add(
        self, kind: str, name: str, region: str = HOME, tags: dict[str, str] | None = None, **more: Any
    ) -> str:
        """Make something; ``kind`` is bucket, table, queue, stream, key, secret, trail, log group, role or stack."""
        where = "" if kind in ("bucket", "role") else region
        self.things[kind, where][name] = {"name": name, "region": region, "tags": tags or {}, **more}
        return name

    def names(self, kind: str, region: str = HOME) -> set[str]:
        return set(self.things[kind, "" if kind in ("bucket", "role") else region])

    def everything(self) -> set[tuple[str, str]]:
        return {(kind, name) for (kind, _), found in self.things.items() for name in found}

    def call(self, service: str, region: str, operation: str, request: dict[str, Any]) -> Any:
        time.sleep(self.latency)
        self.before(operation)
        with self._lock:
            self.calls.append((service, operation, request))
            if operation in self.denied:
                raise refuse("AccessDeniedException", operation, 403, "not authorized")
            if operation in self.throttled:
                raise refuse("ThrottlingException", operation, said="Rate exceeded")
            method = getattr(self, f"{service}_{operation}", None)
            if method is None:
                if service in ("sts", "ec2"):
                    return defaultdict(list)
                raise refuse("InternalFailure", operation, 501)
            return method(region, **request)

    def the(self, kind: str, service: str, region: str, name: str, operation: str) -> dict[str, Any]:
        where = "" if kind in ("bucket", "role") else region
        found = self.things[kind, where].get(name)
        if found is None:
            raise refuse(NOT_THERE[service], operation)
        return found

    def gone(self, kind: str, service: str, region: str, name: str, operation: str) -> dict[str, Any]:
        self.the(kind, service, region, name, operation)
        del self.things[kind, "" if kind in ("bucket", "role") else region][name]
        return {}

    # What each service answers.

    def sts_get_caller_identity(self, region: str) -> Any:
        return {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y"}

    def ec2_describe_regions(self, region: str, **_: Any) -> Any:
        return {"Regions": [{"RegionName": name} for name in (HOME, AWAY, "cn-north-1")]}

    def s3_list_buckets(self, region: str) -> Any:
        return {
            "Buckets": [
                {"Name": one["name"], "CreationDate": NOW, "BucketRegion": one["region"]}
                for one in self.things["bucket", ""].values()
            ]
        }

    def s3_get_bucket_tagging(self, region: str, Bucket: str) -> Any:
        tags = self.the("bucket", "s3", region, Bucket, "GetBucketTagging")["tags"]
        if not tags:
            raise refuse("NoSuchTagSet", "GetBucketTagging", 404)
        return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def s3_get_bucket_encryption(self, region: str, Bucket: str) -> Any:
        key = self.the("bucket", "s3", region, Bucket, "x").get("key", "")
        rule = {"ApplyServerSideEncryptionByDefault": {"KMSMasterKeyID": key}}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    def s3_list_object_versions(self, region: str, Bucket: str, **_: Any) -> Any:
        held = self.the("bucket", "s3", region, Bucket, "ListObjectVersions").get("versions", [])
        return {"Versions": [{"Key": k, "VersionId": v, "IsLatest": True, "Size": 10} for k, v in held]}

    def s3_delete_objects(self, region: str, Bucket: str, Delete: Any) -> Any:
        one = self.the("bucket", "s3", region, Bucket, "DeleteObjects")
        goes = {(o["Key"], o["VersionId"]) for o in Delete["Objects"]} - one.get("locked", set())
        one["versions"] = [held for held in one["versions"] if held not in goes]
        return {"Errors": [{"Code": "AccessDenied", "Key": "k"}] if one.get("locked") else []}

    def s3_list_multipart_uploads(self, region: str, Bucket: str) -> Any:
        return {
            "Uploads": [
                {"Key": k, "UploadId": "1"}
                for k in self.the("bucket", "s3", region, Bucket, "x").get("uploads", [])
            ]
        }

    def s3_abort_multipart_upload(self, region: str, Bucket: str, Key: str, UploadId: str) -> Any:
        uploads = self.the("bucket", "s3", region, Bucket, "x").get("uploads", [])
        if Key not in uploads:
            raise refuse("NoSuchUpload", "AbortMultipartUpload", 404)
        uploads.remove(Key)

    def s3_delete_bucket(self, region: str, Bucket: str) -> Any:
        one = self.the("bucket", "s3", region, Bucket, "DeleteBucket")
        if one.get("versions") or one.get("uploads"):
            raise refuse("BucketNotEmpty", "DeleteBucket", 409)
        return self.gone("bucket", "s3", region, Bucket, "DeleteBucket")

    def dynamodb_list_tables(self, region: str) -> Any:
        return {"TableNames": sorted(self.names("table", region))}

    def dynamodb_list_tags_of_resource(self, region: str, ResourceArn: str) -> Any:
        if "/backup/" in ResourceArn:
            return {"Tags": []}
        one = self.the("table", "dynamodb", region, ResourceArn.rpartition("/")[2], "ListTagsOfResource")
        return {"Tags": [{"Key": key, "Value": value} for key, value in one["tags"].items()]}

    def dynamodb_describe_table(self, region: str, TableName: str) -> Any:
        one = self.the("table", "dynamodb", region, TableName, "DescribeTable")
        sealed = {"KMSMasterKeyArn": one["key"]} if "key" in one else {}
        about = {"TableStatus": "ACTIVE", "TableSizeBytes": 4 * 1024**3, "SSEDescription": sealed}
        return {"Table": {**about, "DeletionProtectionEnabled": one.get("protected", False)}}

    def dynamodb_describe_continuous_backups(self, region: str, TableName: str) -> Any:
        return {"ContinuousBackupsDescription": {}}

    def dynamodb_list_backups(self, region: str, **_: Any) -> Any:
        return {
            "BackupSummaries": [
                {
                    "TableName": one["name"],
                    "BackupArn": f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{one['name']}/backup/{name}",
                    "BackupName": name,
                    "BackupStatus": "AVAILABLE",
                    "BackupCreationDateTime": NOW,
                }
                for name, one in self.things["table backup", region].items()
            ]
        }

    def dynamodb_update_table(self, region: str, TableName: str, DeletionProtectionEnabled: bool) -> Any:
        self.the("table", "dynamodb", region, TableName, "UpdateTable")["protected"] = (
            DeletionProtectionEnabled
        )

    def dynamodb_delete_table(self, region: str, TableName: str) -> Any:
        if self.the("table", "dynamodb", region, TableName, "DeleteTable").get("protected"):
            raise refuse("ValidationException", "DeleteTable", said="Deletion protection is enabled")
        return self.gone("table", "dynamodb", region, TableName, "DeleteTable")

    def sqs_list_queues(self, region: str) -> Any:
        return {"QueueUrls": [f"https://sqs/{ACCOUNT}/{name}" for name in self.names("queue", region)]}

    def sqs_list_queue_tags(self, region: str, QueueUrl: str) -> Any:
        return {
            "Tags": self.the("queue", "sqs", region, QueueUrl.rpartition("/")[2], "ListQueueTags")["tags"]
        }

    def sqs_get_queue_attributes(self, region: str, QueueUrl: str, AttributeNames: Any) -> Any:
        self.the("queue", "sqs", region, QueueUrl.rpartition("/")[2], "GetQueueAttributes")
        return {
            "Attributes": {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}
        }

    def sqs_delete_queue(self, region: str, QueueUrl: str) -> Any:
        return self.gone("queue", "sqs", region, QueueUrl.rpartition("/")[2], "DeleteQueue")

    def kms_list_keys(self, region: str) -> Any:
        return {
            "Keys": [{"KeyId": name, "KeyArn": key_arn(name, region)} for name in self.names("key", region)]
        }

    def kms_list_aliases(self, region: str) -> Any:
        return {
            "Aliases": [
                {
                    "AliasName": one["alias"],
                    "TargetKeyId": name,
                    "AliasArn": f"arn:aws:kms:{region}:{ACCOUNT}:{one['alias']}",
                }
                for name, one in self.things["key", region].items()
                if "alias" in one
            ]
        }

    def kms_list_resource_tags(self, region: str, KeyId: str) -> Any:
        tags = self.the("key", "kms", region, KeyId, "ListResourceTags")["tags"]
        return {"Tags": [{"TagKey": key, "TagValue": value} for key, value in tags.items()]}

    def kms_describe_key(self, region: str, KeyId: str) -> Any:
        about = {"KeyState": "Enabled", "DeletionDate": NOW}
        return {
            "KeyMetadata": {**about, **self.the("key", "kms", region, KeyId, "DescribeKey").get("state", {})}
        }

    def kms_schedule_key_deletion(self, region: str, KeyId: str, PendingWindowInDays: int) -> Any:
        one = self.the("key", "kms", region, KeyId, "ScheduleKeyDeletion")
        if one.get("state"):
            raise refuse(
                "KMSInvalidStateException", "ScheduleKeyDeletion", said=f"{KeyId} is pending deletion."
            )
        one["state"], one["days"] = {"KeyState": "PendingDeletion"}, PendingWindowInDays

    def cloudtrail_describe_trails(self, region: str, includeShadowTrails: bool) -> Any:
        return {
            "trailList": [
                {"Name": name, "TrailARN": f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/{name}"}
                | ({"KmsKeyId": one["key"]} if "key" in one else {})
                for name, one in self.things["trail", region].items()
            ]
        }

    def cloudtrail_list_tags(self, region: str, ResourceIdList: list[str]) -> Any:
        one = self.the("trail", "cloudtrail", region, ResourceIdList[0].rpartition("/")[2], "ListTags")
        tags = [{"Key": key, "Value": value} for key, value in one["tags"].items()]
        return {"ResourceTagList": [{"TagsList": tags}]}

    def cloudtrail_delete_trail(self, region: str, Name: str) -> Any:
        return self.gone("trail", "cloudtrail", region, Name.rpartition("/")[2], "DeleteTrail")

    def kinesis_list_streams(self, region: str) -> Any:
        return {"StreamNames": sorted(self.names("stream", region))}

    def kinesis_list_tags_for_stream(self, region: str, StreamName: str) -> Any:
        tags = self.the("stream", "kinesis", region, StreamName, "ListTagsForStream")["tags"]
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()], "HasMoreTags": False}

    def kinesis_describe_stream_summary(self, region: str, StreamName: str) -> Any:
        one = self.the("stream", "kinesis", region, StreamName, "DescribeStreamSummary")
        about = {"OpenShardCount": 1, "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24}
        arn = f"arn:aws:kinesis:{region}:{ACCOUNT}:stream/{StreamName}"
        sealed = {"KeyId": one["key"], "EncryptionType": "KMS"} if "key" in one else {}
        return {"StreamDescriptionSummary": {"StreamARN": arn, **about, **sealed}}

    def kinesis_delete_stream(self, region: str, StreamName: str, EnforceConsumerDeletion: bool) -> Any:
        return self.gone("stream", "kinesis", region, StreamName, "DeleteStream")

    def secretsmanager_list_secrets(self, region: str) -> Any:
        return {
            "SecretList": [
                {
                    "Name": name,
                    "ARN": f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-a1b2c3",
                    "Tags": [{"Key": key, "Value": value} for key, value in one["tags"].items()],
                    **({"KmsKeyId": one["key"]} if "key" in one else {}),
                }
                for name, one in self.things["secret", region].items()
            ]
        }

    def logs_describe_log_groups(self, region: str) -> Any:
        arn = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:"
        return {
            "logGroups": [
                {"logGroupName": name, "arn": f"{arn}{name}:*"} for name in self.names("log group", region)
            ]
        }

    def logs_list_tags_for_resource(self, region: str, resourceArn: str) -> Any:
        return {"tags": self.the("log group", "logs", region, resourceArn.split(":", 6)[6], "x")["tags"]}

    def logs_delete_log_group(self, region: str, logGroupName: str) -> Any:
        return self.gone("log group", "logs", region, logGroupName, "DeleteLogGroup")

    def iam_get_account_authorization_details(self, region: str, Filter: Any) -> Any:
        return {
            "RoleDetailList": [
                {
                    "RoleName": one["name"],
                    "Arn": f"arn:aws:iam::{ACCOUNT}:role/{one['name']}",
                    "Path": "/",
                    "Tags": [{"Key": key, "Value": value} for key, value in one["tags"].items()],
                }
                for one in self.things["role", ""].values()
            ]
        }

    def iam_list_instance_profiles_for_role(self, region: str, RoleName: str) -> Any:
        return {"InstanceProfiles": []}

    def iam_list_attached_role_policies(self, region: str, RoleName: str) -> Any:
        return {"AttachedPolicies": []}

    def iam_list_role_policies(self, region: str, RoleName: str) -> Any:
        return {"PolicyNames": []}

    def iam_delete_role(self, region: str, RoleName: str) -> Any:
        return self.gone("role", "iam", region, RoleName, "DeleteRole")

    def cloudformation_describe_stacks(self, region: str, StackName: str = "") -> Any:
        found = [one for one in self.things["stack", region].values() if StackName in ("", stack_id(one))]
        if StackName and not found:
            raise refuse(
                "ValidationError", "DescribeStacks", said=f"Stack with id {StackName} does not exist"
            )
        return {
            "Stacks": [
                {
                    "StackName": one["name"],
                    "StackId": stack_id(one),
                    "StackStatus": one.get("status", "CREATE_COMPLETE"),
                    "Tags": [{"Key": key, "Value": value} for key, value in one["tags"].items()],
                    "EnableTerminationProtection": one.get("protected", False),
                    "Outputs": [
                        {"OutputKey": f"Out{number}", "OutputValue": value}
                        for number, value in enumerate(one.get("outputs", []))
                    ],
                    "Parameters": [
                        {"ParameterKey": key, "ParameterValue": value}
                        for key, value in one.get("parameters", {}).items()
                    ],
                }
                for one in found
            ]
        }

    def _stack(self, region: str, name: str) -> dict[str, Any]:
        return next(
            one for one in self.things["stack", region].values() if name in (stack_id(one), one["name"])
        )

    def cloudformation_list_stack_resources(self, region: str, StackName: str) -> Any:
        held = self._stack(region, StackName).get("holds", {})
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": physical,
                    "ResourceType": type_name,
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for logical, (type_name, physical, _) in held.items()
            ]
        }

    def cloudformation_get_template(self, region: str, StackName: str) -> Any:
        held = self._stack(region, StackName).get("holds", {})
        document = {
            logical: {"Type": type_name, **({"DeletionPolicy": policy} if policy else {})}
            for logical, (type_name, _, policy) in held.items()
        }
        return {"TemplateBody": json.dumps({"Resources": document})}

    def cloudformation_list_exports(self, region: str) -> Any:
        return {
            "Exports": [
                {"Name": name, "ExportingStackId": stack_id(one)}
                for one in self.things["stack", region].values()
                for name in one.get("exports", [])
            ]
        }

    def cloudformation_list_imports(self, region: str, ExportName: str) -> Any:
        found = [
            one["name"]
            for one in self.things["stack", region].values()
            if ExportName in one.get("imports", [])
        ]
        if not found:
            raise refuse(
                "ValidationError", "ListImports", said=f"Export '{ExportName}' is not imported by any stack."
            )
        return {"Imports": found}

    def cloudformation_update_termination_protection(
        self, region: str, StackName: str, EnableTerminationProtection: bool
    ) -> Any:
        self._stack(region, StackName)["protected"] = EnableTerminationProtection

    def cloudformation_describe_stack_events(self, region: str, StackName: str) -> Any:
        return {"StackEvents": self._stack(region, StackName).get("events", [])}

    def cloudformation_delete_stack(self, region: str, StackName: str, RetainResources: Any = ()) -> None:
        there = [one for one in self.things["stack", region].values() if stack_id(one) == StackName]
        if not there:
            return  # CloudFormation too says nothing then
        (one,) = there
        if one.get("protected"):
            raise refuse("ValidationError", "DeleteStack", said="TerminationProtection is enabled")
        for export in one.get("exports", []):
            if any(export in other.get("imports", []) for other in self.things["stack", region].values()):
                raise refuse("ValidationError", "DeleteStack", said=f"Export {export} is in use")
        stuck = {}
        for logical, (type_name, physical, policy) in one.get("holds", {}).items():
            kind = KINDS[type_name]
            found = self.things[kind, "" if kind == "bucket" else region]
            thing = found.get(physical.rpartition("/")[2])
            if policy == "Retain" or logical in RetainResources or thing is None:
                continue
            if thing.get("versions") or thing.get("sticks") or thing.get("protected"):
                stuck[logical] = (type_name, physical, policy)
            else:
                del found[thing["name"]]
        if stuck:
            one["status"] = "DELETE_FAILED"
            one["events"] = [
                {
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": physical,
                    "ResourceStatus": "DELETE_FAILED",
                    "ResourceStatusReason": "it is not empty",
                }
                for logical, (_, physical, _) in stuck.items()
            ]
        else:
            del self.things["stack", region][one["name"]]


def stack_id(one: dict[str, Any]) -> str:
    return f"arn:aws:cloudformation:{one['region']}:{ACCOUNT}:stack/{one['name']}/1"


def key_arn(name: str, region: str = HOME) -> str:
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{name}"


class Client:
    """A client of one service in one region."""

    def __init__(self, account: Account, service: str, region: str) -> None:
        self._account, self._service, self._region = account, service, region
        #: As in a client of boto3: what is called before each call.
        self.meta = SimpleNamespace(events=SimpleNamespace(register_first=self._hear))
        self._heard: list[Callable[..., Any]] = []

    def _hear(self, event: str, handler: Callable[..., Any]) -> None:
        assert event == "before-call"
        self._heard.append(handler)

    def can_paginate(self, operation: str) -> bool:
        return False

    def get_paginator(self, operation: str) -> Pages:
        return Pages(getattr(self, operation))

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            for handler in self._heard:
                handler()
            said = self._account.call(self._service, self._region, operation, request)
            return {} if said is None else said

        return call


class Pages:
    """Pages of a thousand versions; one of anything else."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def paginate(self, PaginationConfig: Any = None, **request: Any) -> Any:
        page = self._call(**request)
        held = page.get("Versions", [])
        yield {**page, "Versions": held[:1000]}
        for first in range(1000, len(held), 1000):
            yield {"Versions": held[first : first + 1000]}
