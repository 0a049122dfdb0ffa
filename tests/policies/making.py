"""What CloudFormation calls when it makes, reads, changes and removes what the templates have.

AWS says it itself: each type's schema lists the permissions that its handlers need
(https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-handlers).
The schemas are those that cfn-lint carries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from tests.policies import reference, resolving

#: Templates that the role makes nothing of: of itself, of the people's rights, and QuickSight's, which has a command.
NOT_MADE = frozenset({"access", "deployment", "quicksight"})

#: Types whose schema names no handlers, and what they need instead.
#: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsdatabasemigrationservice.html
#: https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-supported-iam-actions.html
#: https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_AddApplicationCloudWatchLoggingOption.html
WITHOUT_HANDLERS: dict[str, tuple[str, ...]] = {
    "AWS::DMS::ReplicationInstance": (
        *(
            "dms:CreateReplicationInstance",
            "dms:DeleteReplicationInstance",
            "dms:DescribeReplicationInstances",
        ),
        *("dms:ModifyReplicationInstance", "dms:AddTagsToResource", "dms:RemoveTagsFromResource"),
    ),
    "AWS::EMR::Cluster": (
        *(
            "elasticmapreduce:RunJobFlow",
            "elasticmapreduce:DescribeCluster",
            "elasticmapreduce:TerminateJobFlows",
        ),
        *("elasticmapreduce:ListInstanceGroups", "elasticmapreduce:SetTerminationProtection"),
        *("elasticmapreduce:AddTags", "elasticmapreduce:RemoveTags", "iam:PassRole"),
    ),
    "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption": (
        "kinesisanalytics:AddApplicationCloudWatchLoggingOption",
        "kinesisanalytics:DeleteApplicationCloudWatchLoggingOption",
    ),
}

#: What handlers need for properties that no template sets, by why: services and actions.
NOT_SET: dict[str, tuple[str, ...]] = {
    "no machine scales by itself, no image of a container is one's own": ("autoscaling", "ecr"),
    "no budget is of a billing view, no account of an organization is looked at": (
        "billing",
        "organizations",
    ),
    "tables of Lake Formation, of S3 and of a lattice are in no template": (
        *("lakeformation", "s3tables", "vpc-lattice", "vpce"),
        *(f"s3:{how}BucketMetadataTableConfiguration" for how in ("Create", "Delete", "Get")),
        *(f"s3:UpdateBucketMetadata{what}TableConfiguration" for what in ("Inventory", "Journal")),
    ),
    "people sign in to Athena by IAM, Redshift is without a cluster": ("sso", "redshift"),
    "no table is a copy, is filled by an import or tells Kinesis: data is not for who makes tables": tuple(
        f"dynamodb:{what}"
        for what in (
            *(
                "AssociateTableReplica",
                "BatchWriteItem",
                "CreateTableReplica",
                "DeleteItem",
                "DeleteResourcePolicy",
            ),
            *("DescribeImport", "DisableKinesisStreamingDestination", "EnableKinesisStreamingDestination"),
            *("GetItem", "ImportTable", "PutItem", "PutResourcePolicy", "Query", "Scan", "UpdateItem"),
            *("UpdateContributorInsights", "UpdateKinesisStreamingDestination"),
        )
    ),
    "nothing is put into a stream, a bucket or a log, and nothing read there, when one is made": (
        *(
            "kinesis:PutRecords",
            "logs:PutLogEvents",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:GetObject",
        ),
        *(
            "s3:GetObjectVersion",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:ListMultipartUploadParts",
        ),
        *("s3:PutObject", "s3:PutObjectAcl", "secretsmanager:GetSecretValue"),
    ),
    "no key has a copy elsewhere or a pair; what a service seals, it seals itself": tuple(
        f"kms:{what}"
        for what in (
            *(
                "Encrypt",
                "GenerateDataKeyPair",
                "GenerateDataKeyPairWithoutPlaintext",
                "ReEncryptFrom",
                "ReEncryptTo",
            ),
            *("GenerateDataKeyWithoutPlaintext", "ListKeyPolicies", "ListKeys", "UpdatePrimaryRegion"),
        )
    ),
    "no policy of a template is of a user or group; a role is never without its boundary": (
        *(f"iam:{how}{whose}Policy" for how in ("Attach", "Detach") for whose in ("Group", "User")),
        *("iam:DeleteRolePermissionsBoundary", "iam:ListRoles"),
    ),
    "a network of one's own range, with no VPN, no addresses of others and no control of encryption": tuple(
        f"ec2:{what}"
        for what in (
            *("AcceptAddressTransfer", "AssignPrivateNatGatewayAddress", "AssociateSubnetCidrBlock"),
            *("AttachVpnGateway", "CreateNetworkInterface", "CreateVpcEncryptionControl"),
            *("DescribeVpcEncryptionControls", "DescribeVpnGateways", "DetachVpnGateway"),
            *("DisassociateSubnetCidrBlock", "ModifyVpcTenancy", "UnassignPrivateNatGatewayAddress"),
        )
    ),
    "the old Oracle is no copy, and comes from none": tuple(
        f"rds:{what}"
        for what in (
            *("AddRoleToDBInstance", "CreateDBInstanceReadReplica", "DescribeDBClusterSnapshots"),
            *("DescribeDBClusters", "DescribeDBInstanceAutomatedBackups", "PromoteReadReplica"),
            *(
                "RemoveRoleFromDBInstance",
                "RestoreDBInstanceFromDBSnapshot",
                "RestoreDBInstanceToPointInTime",
            ),
            *("StartDBInstanceAutomatedBackupsReplication", "StopDBInstanceAutomatedBackupsReplication"),
        )
    ),
    "Redshift begins empty and is copied nowhere": tuple(
        f"redshift-serverless:{what}"
        for what in (
            *(
                "CreateSnapshotCopyConfiguration",
                "DeleteSnapshotCopyConfiguration",
                "ListSnapshotCopyConfigurations",
            ),
            *("RestoreFromRecoveryPoint", "RestoreFromSnapshot", "UpdateSnapshotCopyConfiguration"),
        )
    ),
    "buckets are no web sites, keep no inventories and are copied nowhere": tuple(
        f"s3:{how}{what}"
        for what, hows in (
            ("AccelerateConfiguration", ("Put",)),
            ("AnalyticsConfiguration", ("Put",)),
            ("BucketAbac", ("Put",)),
            ("BucketAcl", ("Put",)),
            ("BucketCORS", ("Put",)),
            ("BucketWebsite", ("Delete", "Put")),
            ("IntelligentTieringConfiguration", ("Put",)),
            ("InventoryConfiguration", ("Put",)),
            ("MetricsConfiguration", ("Put",)),
            ("ReplicationConfiguration", ("Put",)),
        )
        for how in hows
    ),
    "Glue's database is of the lake, no link; logs have no data protection, no index, no resource policy": (
        *(f"glue:{how}Connection" for how in ("Create", "Delete", "Get", "Pass", "Update")),
        *(f"logs:{how}DataProtectionPolicy" for how in ("Delete", "Put")),
        *(f"logs:{how}IndexPolicy" for how in ("Delete", "Put")),
        *("logs:PutBearerTokenAuthentication", "logs:PutLogGroupDeletionProtection"),
    ),
    "secrets have no copies, and what topics say is not looked into": (
        *("secretsmanager:RemoveRegionsFromReplication", "secretsmanager:ReplicateSecretToRegions"),
        *("secretsmanager:RotateSecret", "sns:PutDataProtectionPolicy"),
    ),
}
_NOT_SET = frozenset(word for words in NOT_SET.values() for word in words)


@cache
def types() -> frozenset[str]:
    """The types of the templates that the role makes."""
    return frozenset(
        resource["Type"]
        for name in resolving.names()
        if name not in NOT_MADE
        for resource in resolving.load(name)["Resources"].values()
    )


@cache
def handlers(kind: str) -> dict[str, Any]:
    """What the schema of a type says of its handlers."""
    folder = files("cfnlint") / "data/schemas"
    where = json.loads((folder / "providers/us-east-1.json").read_text(encoding="utf-8"))[kind]
    told = json.loads((folder / f"resources/{where}.json").read_text(encoding="utf-8"))
    assert told["typeName"] == kind
    found: dict[str, Any] = told.get("handlers", {})
    return found


def permissions() -> Iterator[tuple[str, str, str]]:
    """Yield what is needed to make and remove what the templates have: the type, its handler, the action."""
    for kind in sorted(types()):
        for action in WITHOUT_HANDLERS.get(kind, ()):
            yield kind, "and what its pages say", action
        for handler in ("create", "read", "update", "delete"):
            for said in handlers(kind).get(handler, {}).get("permissions", ()):
                action = said.partition(":")[0].lower() + ":" + said.partition(":")[2]
                if is_needed(action):
                    yield kind, handler, action


def is_needed(action: str) -> bool:
    """Say whether IAM knows an action, and a template sets what needs it."""
    return reference.exists(action) and not {action, action.partition(":")[0]} & _NOT_SET


@cache
def principals() -> tuple[str, ...]:
    """The services that the templates' roles are for, which are given them."""
    found: set[str] = set()
    for name in resolving.names():
        template = resolving.Template(name)
        for _, told in template.of("AWS::IAM::Role") if name not in NOT_MADE else ():
            for statement in template.value(told["AssumeRolePolicyDocument"])["Statement"]:
                service = statement["Principal"].get("Service", [])
                names = [service] if isinstance(service, str) else service
                found.update(one.replace(f".{resolving.REGION}.", ".") for one in names)
    return tuple(sorted(found))
