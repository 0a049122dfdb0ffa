"""What holds data: buckets, tables, databases, their copies, and what questions are asked of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from crime_jobs.cloud import prices
from crime_jobs.cloud.kinds_base import Found, Kind, Phase, Place, items, moment, tag_map

#: Pages of 1000 versions that an inventory counts of one bucket; a larger one is said to have more.
PAGES = 100
#: What a failed look means where a bucket simply has no tags or no encryption of its own.
_NONE = {"NoSuchTagSet", "ServerSideEncryptionConfigurationNotFoundError"}


def _buckets(at: Place) -> Iterator[Found]:
    for bucket in at.client.list_buckets()["Buckets"]:
        name = bucket["Name"]
        found = Found(name, name, f"arn:{at.partition}:s3:::{name}", bucket["CreationDate"])
        where = bucket.get("BucketRegion") or at.client.get_bucket_location(Bucket=name)["LocationConstraint"]
        # No constraint is us-east-1; EU is what eu-west-1 was called
        # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html).
        yield replace(found, region={None: "us-east-1", "EU": "eu-west-1"}.get(where, where))


def in_its_region(at: Place, bucket: Found) -> Any:
    """Return the client of the bucket's own region."""
    return at.clients("s3", bucket.region)


def _bucket_tags(at: Place, bucket: Found) -> dict[str, str]:
    from botocore.exceptions import ClientError

    try:
        return tag_map(in_its_region(at, bucket).get_bucket_tagging(Bucket=bucket.name)["TagSet"])
    except ClientError as error:
        if error.response["Error"]["Code"] in _NONE:
            return {}
        raise


def _look_at_bucket(at: Place, bucket: Found) -> Found:
    client = in_its_region(at, bucket)
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=bucket.name, PaginationConfig={"MaxItems": PAGES * 1000}
    )
    objects = versions = size = 0
    for page in pages:
        found = page.get("Versions", [])
        versions += len(found) + len(page.get("DeleteMarkers", []))
        objects += sum(1 for version in found if version["IsLatest"])
        size += sum(version["Size"] for version in found)
    more = " or more" if versions >= PAGES * 1000 else ""
    state = f"{objects:,} objects, {versions:,} versions, {size:,} bytes{more}"
    cost = prices.monthly("s3", size / prices.GB, of="GB")
    return replace(bucket, state=state, cost=cost, key=_key_of_bucket(client, bucket.name))


def _key_of_bucket(client: Any, name: str) -> str:
    from botocore.exceptions import ClientError

    try:
        said = client.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _NONE:
            return ""
        raise
    rules = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in said["Rules"]]
    return next((rule["KMSMasterKeyID"] for rule in rules if rule.get("KMSMasterKeyID")), "")


def _remove_bucket(at: Place, bucket: Found) -> None:
    from crime_jobs.cloud.destroy_buckets import remove

    remove(in_its_region(at, bucket), bucket.name)


def _tables(at: Place) -> Iterator[Found]:
    for name in items(at.client, "list_tables", "TableNames"):
        yield Found(name, name, at.arn("dynamodb", f"table/{name}"))


def _look_at_table(at: Place, table: Found) -> Found:
    about = at.client.describe_table(TableName=table.name)["Table"]
    backups = at.client.describe_continuous_backups(TableName=table.name)["ContinuousBackupsDescription"]
    size = about.get("TableSizeBytes", 0) / prices.GB
    cost = prices.monthly("dynamodb", size, of="GB")
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if recovery == "ENABLED":
        cost = prices.added(cost, prices.monthly("dynamodb backup", size, of="GB"))
    units = about.get("ProvisionedThroughput", {})
    for name, per in (("ReadCapacityUnits", "read unit"), ("WriteCapacityUnits", "write unit")):
        if units.get(name):
            cost = prices.added(cost, prices.monthly(per, units[name], prices.HOURS))
    going = "is being deleted" if about["TableStatus"] == "DELETING" else ""
    return replace(
        table,
        since=about.get("CreationDateTime"),
        state=f"{about['TableStatus'].lower()}, {about.get('ItemCount', 0):,} items (hours old)",
        cost=cost,
        protected=about.get("DeletionProtectionEnabled", False),
        key=about.get("SSEDescription", {}).get("KMSMasterKeyArn", ""),
        going=going,
    )


def _backups(at: Place) -> Iterator[Found]:
    for backup in items(at.client, "list_backups", "BackupSummaries", BackupType="USER"):
        size = backup.get("BackupSizeBytes", 0) / prices.GB
        yield Found(
            backup["TableName"],
            backup["BackupArn"],
            backup["BackupArn"],
            backup["BackupCreationDateTime"],
            state=f"{backup['BackupName']}, {backup['BackupStatus'].lower()}",
            cost=prices.Cost(round(size * 0.10, 4), "GB at 0.1 a GB and month, warm backup"),
        )


def _databases(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_db_instances", "DBInstances"):
        size = one.get("AllocatedStorage", 0)
        disk = prices.monthly("rds gp3", size, of="GB")
        state = one["DBInstanceStatus"]
        yield Found(
            one["DBInstanceIdentifier"],
            one["DBInstanceIdentifier"],
            one["DBInstanceArn"],
            one.get("InstanceCreateTime"),
            tag_map(one.get("TagList")),
            f"{state}, {one['DBInstanceClass']} {one['Engine']}",
            # The class's price depends on edition and licence, and is most of it: not guessed at.
            prices.Cost(None, f"unknown: the instance by its class and licence; its disk {disk.usd} USD"),
            protected=one.get("DeletionProtection", False),
            going="is being deleted" if state == "deleting" else "",
            key=one.get("KmsKeyId", ""),
        )


def _remove_database(at: Place, one: Found) -> object:
    return at.client.delete_db_instance(
        DBInstanceIdentifier=one.id, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
    )


def _database_snapshots(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_db_snapshots", "DBSnapshots", SnapshotType="manual"):
        yield Found(
            one["DBSnapshotIdentifier"],
            one["DBSnapshotIdentifier"],
            one["DBSnapshotArn"],
            one.get("SnapshotCreateTime"),
            tag_map(one.get("TagList")),
            f"of {one['DBInstanceIdentifier']}, {one['Status']}",
            prices.monthly("rds snapshot", one.get("AllocatedStorage", 0), of="GB at most"),
            key=one.get("KmsKeyId", ""),
        )


def _rds_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(at.client.list_tags_for_resource(ResourceName=one.arn)["TagList"])


def _subnet_groups(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_db_subnet_groups", "DBSubnetGroups"):
        name = one["DBSubnetGroupName"]
        yield Found(name, name, one.get("DBSubnetGroupArn", ""), cost=prices.free())


def _option_groups(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_option_groups", "OptionGroupsList"):
        name = one["OptionGroupName"]
        if not name.startswith("default:"):
            yield Found(name, name, one.get("OptionGroupArn", ""), cost=prices.free())


def _serverless(at: Place, operation: str, members: str, prefix: str) -> Iterator[Found]:
    for one in items(at.client, operation, members):
        name = one[f"{prefix}Name"]
        capacity = f", {one['baseCapacity']} RPU at least" if one.get("baseCapacity") else ""
        key = one.get("kmsKeyId", "")
        yield Found(
            name,
            name,
            one[f"{prefix}Arn"],
            moment(one.get("creationDate") or one.get("snapshotCreateTime")),
            state=f"{one['status'].lower()}{capacity}",
            cost=prices.by_use("RPU-hours of queries; storage 0.024 a GB and month"),
            going="is being deleted" if one["status"] == "DELETING" else "",
            key=key if key.startswith("arn:") else "",
        )


def _redshift_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(at.client.list_tags_for_resource(resourceArn=one.arn)["tags"])


def _workgroups(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_work_groups", "WorkGroups"):
        name = one["Name"]
        if name != "primary":  # every account's own
            yield Found(
                name,
                name,
                at.arn("athena", f"workgroup/{name}"),
                one.get("CreationTime"),
                state=one.get("State", "").lower(),
                cost=prices.by_use("5 USD a TB scanned"),
            )


def _athena_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(items(at.client, "list_tags_for_resource", "Tags", ResourceARN=one.arn))


def _catalog(at: Place) -> Iterator[Found]:
    for one in items(at.client, "get_databases", "DatabaseList"):
        name = one["Name"]
        yield Found(
            name,
            name,
            at.arn("glue", f"database/{name}"),
            one.get("CreateTime"),
            cost=prices.free("few objects"),
        )


def _glue_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(at.client.get_tags(ResourceArn=one.arn)["Tags"])


KINDS = (
    Kind(
        "bucket",
        "s3",
        _buckets,
        Phase.SERVICES,
        _remove_bucket,
        _bucket_tags,
        _look_at_bucket,
        everywhere=True,
    ),
    Kind(
        "table",
        "dynamodb",
        _tables,
        remove=lambda at, it: at.client.delete_table(TableName=it.name),
        tags=lambda at, it: tag_map(items(at.client, "list_tags_of_resource", "Tags", ResourceArn=it.arn)),
        look=_look_at_table,
        lift=lambda at, it: at.client.update_table(TableName=it.name, DeletionProtectionEnabled=False),
    ),
    Kind(
        "table backup",
        "dynamodb",
        _backups,
        remove=lambda at, it: at.client.delete_backup(BackupArn=it.arn),
        tags=lambda at, it: tag_map(items(at.client, "list_tags_of_resource", "Tags", ResourceArn=it.arn)),
    ),
    Kind(
        "database",
        "rds",
        _databases,
        remove=_remove_database,
        lift=lambda at, it: at.client.modify_db_instance(
            DBInstanceIdentifier=it.id, DeletionProtection=False, ApplyImmediately=True
        ),
    ),
    Kind(
        "database snapshot",
        "rds",
        _database_snapshots,
        remove=lambda at, it: at.client.delete_db_snapshot(DBSnapshotIdentifier=it.id),
    ),
    Kind(
        "database subnet group",
        "rds",
        _subnet_groups,
        Phase.NETWORK,
        lambda at, it: at.client.delete_db_subnet_group(DBSubnetGroupName=it.id),
        _rds_tags,
    ),
    Kind(
        "database option group",
        "rds",
        _option_groups,
        Phase.NETWORK,
        lambda at, it: at.client.delete_option_group(OptionGroupName=it.id),
        _rds_tags,
    ),
    Kind(
        "redshift workgroup",
        "redshift-serverless",
        lambda at: _serverless(at, "list_workgroups", "workgroups", "workgroup"),
        Phase.SERVICES,
        lambda at, it: at.client.delete_workgroup(workgroupName=it.id),
        _redshift_tags,
    ),
    Kind(
        "redshift namespace",
        "redshift-serverless",
        lambda at: _serverless(at, "list_namespaces", "namespaces", "namespace"),
        Phase.NETWORK,  # its workgroup goes first
        lambda at, it: at.client.delete_namespace(namespaceName=it.id),
        _redshift_tags,
    ),
    Kind(
        "redshift snapshot",
        "redshift-serverless",
        lambda at: _serverless(at, "list_snapshots", "snapshots", "snapshot"),
        Phase.SERVICES,
        lambda at, it: at.client.delete_snapshot(snapshotName=it.id),
        _redshift_tags,
    ),
    Kind(
        "athena workgroup",
        "athena",
        _workgroups,
        Phase.SERVICES,
        lambda at, it: at.client.delete_work_group(WorkGroup=it.id, RecursiveDeleteOption=True),
        _athena_tags,
    ),
    Kind(
        "glue database",
        "glue",
        _catalog,
        Phase.SERVICES,
        lambda at, it: at.client.delete_database(Name=it.id),
        _glue_tags,
    ),
)
