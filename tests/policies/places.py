"""What IAM is asked when somebody looks after an environment: each action on each kind of thing that it is done to.

The verbs of the people who run an environment are about all there is of a kind, by names and ids that are by chance in
a test. So their calls are recorded without names; the kinds that an action knows come from AWS's Service Authorization
Reference, and `THINGS` says which of them there are in an environment, and what one is called there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from tests.policies import making, operations, reference
from tests.policies.evaluator import Call
from tests.policies.resolving import ACCOUNT, REGION

#: A table of each name that begins otherwise: FIRs, faces, the project's own, those that are moved.
_TABLES = ("fir_events", "face_people", "crime-jobs-migrations", "crime-districts")

#: A thing of each kind: service and kind as the reference has them, and the end of its ARN. What stands after a
#: second colon is all of it, of what has no region; after a dash it has a region and no account.
THINGS: dict[str, tuple[str, ...]] = {
    "athena workgroup": ("workgroup/crime",),
    "budgets budget": (":budget/crime-jobs-aws-month",),
    "cloudformation stack": ("stack/crime-jobs-aws-storage/0f1e",),
    "cloudtrail trail": ("trail/crime-jobs-aws-storage-Trail",),
    "cloudwatch alarm": ("alarm:crime-jobs-aws-monitoring-Late",),
    "cloudwatch dashboard": (":dashboard/crime-jobs-aws",),
    "dms Endpoint": ("endpoint:A1",),
    "dms ReplicationInstance": ("rep:A1",),
    "dms ReplicationSubnetGroup": ("subgrp:crime-jobs-migration",),
    "dms ReplicationTask": ("task:A1",),
    "dynamodb table": tuple(f"table/{name}" for name in _TABLES),
    "dynamodb backup": tuple(f"table/{name}/backup/01" for name in _TABLES),
    **{
        f"ec2 {kind}": (f"{kind}/{kind}-1",)
        for kind in (
            *("elastic-ip", "instance", "internet-gateway", "natgateway", "network-interface", "route-table"),
            *("security-group", "subnet", "volume", "vpc", "vpc-endpoint", "vpc-flow-log"),
        )
    },
    "ec2 snapshot": ("-:snapshot/snapshot-1",),
    "elasticmapreduce cluster": ("cluster/j-1",),
    "elasticmapreduce studio": ("studio/es-1",),
    "emr-serverless application": ("/applications/00abc",),
    "emr-serverless jobRun": ("/applications/00abc/jobruns/00def",),
    "events event-bus": ("event-bus/default",),
    "events rule-on-default-event-bus": ("rule/crime-jobs-dms-task-ends",),
    "firehose deliverystream": ("deliverystream/fir-stream-history",),
    "glue catalog": ("catalog",),
    "glue database": ("database/crime",),
    "glue table": ("table/crime/a_table",),
    "glue userdefinedfunction": ("userDefinedFunction/crime/a_function",),
    "iam group": (":group/analysts",),
    "iam instance-profile": (":instance-profile/crime-jobs-emr-node",),
    "iam policy": (":policy/crime-jobs-fir-consumer",),
    "iam role": (":role/crime-jobs-runtime", ":role/crime-jobs-aws-faces-expiry", ":role/dms-vpc-role"),
    "iam user": (":user/analyst",),
    "kinesis stream": ("stream/fir-stream",),
    "kinesisanalytics application": ("application/crime-jobs-fir-analytics",),
    "kms alias": ("alias/crime-jobs-fir",),
    "kms key": ("key/firs-Key",),
    "lambda function": ("function:crime-jobs-producer",),
    "logs log-group": ("log-group:/aws/kinesisfirehose/fir-stream-history",),
    "logs log-stream": ("log-group:/aws/kinesisfirehose/fir-stream-history:log-stream:delivery",),
    "quicksight analysis": ("analysis/crime-jobs",),
    "quicksight dashboard": ("dashboard/crime-jobs",),
    "quicksight dataset": ("dataset/crime-jobs-region",),
    "quicksight datasource": ("datasource/crime-jobs-region",),
    "quicksight theme": ("theme/crime-jobs",),
    "rds db": ("db:crime-jobs-oracle",),
    "rds og": ("og:crime-jobs-oracle",),
    "rds pg": ("pg:default.oracle-se2-19",),
    "rds snapshot": ("snapshot:crime-jobs-oracle-1",),
    "rds subgrp": ("subgrp:crime-jobs-migration",),
    "redshift-serverless namespace": ("namespace/0f1e",),
    "redshift-serverless snapshot": ("snapshot/0f1e",),
    "redshift-serverless workgroup": ("workgroup/0f1e",),
    "rekognition collection": ("collection/crime-jobs-missing",),
    "s3 bucket": ("::crime-jobs-aws-storage-lake-1",),
    "s3 object": ("::crime-jobs-aws-storage-lake-1/lake/a_table/_report.json",),
    "scheduler schedule": ("schedule/crime-jobs-aws/nightly",),
    "scheduler schedule-group": ("schedule-group/crime-jobs-aws",),
    "secretsmanager Secret": ("secret:crime-jobs/fir-firehose-a1b2c3",),
    "servicequotas quota": ("kinesis/L-1",),
    "sns topic": ("crime-jobs-migration",),
    "sqs queue": ("crime-jobs-fir-dead-letters",),
    "states execution": ("execution:crime-jobs-aws-nightly:1",),
    "states statemachine": ("stateMachine:crime-jobs-aws-nightly",),
}

#: Operations that IAM calls otherwise than `operations.ACTIONS` knows.
#: https://docs.aws.amazon.com/cost-management/latest/userguide/billing-permissions-ref.html
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html, …/API_GetPublicAccessBlock.html
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
#: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html
ACTIONS = {
    "budgets:DescribeBudgets": ("budgets:ViewBudget",),
    "budgets:DescribeBudget": ("budgets:ViewBudget",),
    "budgets:DescribeNotificationsForBudget": ("budgets:ViewBudget",),
    "budgets:DescribeSubscribersForNotification": ("budgets:ViewBudget",),
    "budgets:DeleteBudget": ("budgets:ModifyBudget",),
    "s3:GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "s3:GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "s3:CopyObject": ("s3:GetObjectVersion", "s3:PutObject"),
    "redshift-data:ListDatabases": ("redshift-data:ListDatabases", "redshift-serverless:GetCredentials"),
    "s3:DeleteObjects": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "service-quotas:GetServiceQuota": ("servicequotas:GetServiceQuota",),
}

#: Roles that are given to a service, by the action that gives them, or of which any is.
_MADE = "crime-jobs-aws-schedules-SchedulerRole-1"
_PASSES = {
    "scheduler:CreateSchedule": ((_MADE, "scheduler.amazonaws.com"),),
    "scheduler:UpdateSchedule": ((_MADE, "scheduler.amazonaws.com"),),
    "states:CreateStateMachine": ((_MADE, "states.amazonaws.com"),),
    "states:UpdateStateMachine": ((_MADE, "states.amazonaws.com"),),
    "cloudformation:CreateChangeSet": (
        ("keepers/crime-jobs-aws-deployment", "cloudformation.amazonaws.com"),
    ),
}
_BOUNDARY = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/keepers/crime-jobs-aws-boundary"}
_SECRET = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}

#: Services that make themselves a role when the first of their things is made in an account.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html, and each one's page:
#: flow logs, EMR's cleaning up, EMR Serverless, RDS, Redshift Serverless.
LINKED = (
    *("delivery.logs.amazonaws.com", "elasticmapreduce.amazonaws.com", "ops.emr-serverless.amazonaws.com"),
    *("rds.amazonaws.com", "redshift.amazonaws.com"),
)

#: What else a request for an action says.
SAYS: dict[str, dict[str, str]] = {
    **{
        f"iam:Detach{whose}Policy": {
            "iam:PolicyARN": f"arn:aws:iam::{ACCOUNT}:policy/crime-jobs-fir-consumer"
        }
        for whose in ("Group", "Role", "User")
    },
    **{
        f"iam:{what}": _BOUNDARY
        for what in ("AttachRolePolicy", "CreateRole", "PutRolePermissionsBoundary", "PutRolePolicy")
    },
    "cloudformation:CreateChangeSet": {
        "cloudformation:RoleArn": f"arn:aws:iam::{ACCOUNT}:role/keepers/crime-jobs-aws-deployment"
    },
    "kms:Decrypt": _SECRET,  # but where a bucket or table is read, see `_besides`
    "kms:GenerateDataKey": _SECRET,
}
#: Tags of what is an environment's, which IAM looks at where the kind has any.
TAGS = {"aws:ResourceTag/project": "crime-jobs", "aws:ResourceTag/environment": "aws"}


def calls(service: str, operation: str) -> tuple[Call, ...]:
    """Return all that IAM is asked when an operation is called on a thing of each kind that it knows.

    Parameters
    ----------
    service, operation
        As botocore names them.
    """
    prefix = operations.PREFIXES.get(service, service)
    names = ACTIONS.get(f"{service}:{operation}") or operations.actions(prefix, operation)
    return tuple(call for name in names for call in (*asked(name), *_besides(name)))


def _besides(action: str) -> Iterator[Call]:
    """What is asked with an action: of the role that it gives to a service, and of the key of what it touches."""
    for role, service in _PASSES.get(action, ()):
        yield Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{role}", {"iam:PassedToService": service})
    service = action.partition(":")[0]
    via = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
    for key in operations.THROUGH.get(action, ()):
        yield Call(key, operations.arn("kms", "key/firs-Key"), {**TAGS, **via})


@cache
def asked(action: str) -> tuple[Call, ...]:
    """Return an action on a thing of each kind that it knows; on ``*`` if it knows none.

    Parameters
    ----------
    action
        As IAM names it.
    """
    told = SAYS.get(action, {})
    if action == "iam:PassRole":
        roles = ("crime-jobs-runtime", "crime-jobs-aws-faces-expiry")
        return tuple(operations.passed(role, to) for role in roles for to in making.principals())
    if action == "iam:CreateServiceLinkedRole":
        linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role"
        return tuple(Call(action, f"{linked}/{to}/a", {"iam:AWSServiceName": to}) for to in LINKED)
    if not reference.formats(action):
        return (Call(action, "*", told),)
    return tuple(Call(action, place, {**tags, **told}) for place, tags in _places(action))


def _places(action: str) -> Iterator[tuple[str, dict[str, str]]]:
    # Of what its pages alone say, `reference.ALSO`, there is one.
    for kind, has_tags in reference.kinds(action) or (("logs log-group", False),):
        service = kind.partition(" ")[0]
        for rest in THINGS.get(kind, ()):
            yield _arn(service, rest), dict(TAGS) if has_tags else {}


def _arn(service: str, rest: str) -> str:
    if rest.startswith("-:"):
        return f"arn:aws:{service}:{REGION}::{rest[2:]}"
    if rest.startswith("::"):
        return f"arn:aws:{service}:{rest}"
    if rest.startswith(":"):
        return f"arn:aws:{service}::{ACCOUNT}{rest}"
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"
