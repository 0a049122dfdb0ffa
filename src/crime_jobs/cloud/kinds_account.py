"""What stands around it all: roles, keys, secrets, logs, alarms, dashboards, budgets, trails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from crime_jobs.cloud import prices
from crime_jobs.cloud.kinds_base import Found, Kind, Phase, Place, items, moment, tag_map

#: Days until KMS deletes a key, and what it sealed is lost for good: the longest there is
#: (https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html).
KEY_DAYS = 30


def _roles(at: Place) -> Iterator[Found]:
    # One call with tags for a page of roles, where ListRoles would need another one a role.
    for role in items(at.client, "get_account_authorization_details", "RoleDetailList", Filter=["Role"]):
        if not role["Path"].startswith("/aws-service-role/"):
            yield Found(
                role["RoleName"],
                role["RoleName"],
                role["Arn"],
                role.get("CreateDate"),
                tag_map(role.get("Tags")),
                cost=prices.free(),
            )


def _remove_role(at: Place, role: Found) -> None:
    client, this = at.client, {"RoleName": role.name}
    for profile in items(client, "list_instance_profiles_for_role", "InstanceProfiles", **this):
        client.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], **this)
    for policy in items(client, "list_attached_role_policies", "AttachedPolicies", **this):
        client.detach_role_policy(PolicyArn=policy["PolicyArn"], **this)
    for name in items(client, "list_role_policies", "PolicyNames", **this):
        client.delete_role_policy(PolicyName=name, **this)
    client.delete_role(**this)


def _policies(at: Place) -> Iterator[Found]:
    for policy in items(at.client, "list_policies", "Policies", Scope="Local"):
        yield Found(
            policy["PolicyName"],
            policy["Arn"],
            policy["Arn"],
            policy.get("CreateDate"),
            state=f"attached {policy.get('AttachmentCount', 0)} times",
            cost=prices.free(),
        )


def _remove_policy(at: Place, policy: Found) -> None:
    """Detach it from what is left, then remove its versions: IAM wants it in that order."""
    client, this = at.client, {"PolicyArn": policy.arn}
    for page in client.get_paginator("list_entities_for_policy").paginate(**this):
        for role in page["PolicyRoles"]:
            client.detach_role_policy(RoleName=role["RoleName"], **this)
        for group in page["PolicyGroups"]:
            client.detach_group_policy(GroupName=group["GroupName"], **this)
        for user in page["PolicyUsers"]:
            client.detach_user_policy(UserName=user["UserName"], **this)
    for version in items(client, "list_policy_versions", "Versions", **this):
        if not version["IsDefaultVersion"]:
            client.delete_policy_version(VersionId=version["VersionId"], **this)
    client.delete_policy(**this)


def _profiles(at: Place) -> Iterator[Found]:
    for profile in items(at.client, "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        yield Found(name, name, profile["Arn"], profile.get("CreateDate"), cost=prices.free())


def _remove_profile(at: Place, profile: Found) -> None:
    name = profile.name
    for role in at.client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        at.client.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
    at.client.delete_instance_profile(InstanceProfileName=name)


def _keys(at: Place) -> Iterator[Found]:
    names: dict[str, str] = {}
    for alias in items(at.client, "list_aliases", "Aliases"):
        names.setdefault(alias.get("TargetKeyId", ""), alias["AliasName"])
    for key in items(at.client, "list_keys", "Keys"):
        name = names.get(key["KeyId"], key["KeyId"])
        if not name.startswith("alias/aws/"):  # AWS's own
            yield Found(name, key["KeyId"], key["KeyArn"])


def _key_tags(at: Place, key: Found) -> dict[str, str]:
    return tag_map(items(at.client, "list_resource_tags", "Tags", KeyId=key.id))


def _look_at_key(at: Place, key: Found) -> Found:
    about = at.client.describe_key(KeyId=key.id)["KeyMetadata"]
    going, cost = "", prices.monthly("kms key", 1)
    if about["KeyState"] == "PendingDeletion":
        going, cost = f"is deleted on {about['DeletionDate']:%Y-%m-%d}", prices.free("waits for its deletion")
    return replace(
        key, since=about.get("CreationDate"), state=about["KeyState"].lower(), cost=cost, going=going
    )


def _remove_key(at: Place, key: Found) -> None:
    at.client.schedule_key_deletion(KeyId=key.id, PendingWindowInDays=KEY_DAYS)


def _aliases(at: Place) -> Iterator[Found]:
    for alias in items(at.client, "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith("alias/aws/") and alias.get("TargetKeyId"):
            yield Found(
                alias["AliasName"],
                alias["AliasName"],
                alias["AliasArn"],
                alias.get("CreationDate"),
                tags={},  # aliases have none; their key has
                cost=prices.free(),
                part_of=alias["TargetKeyId"],
            )


def _secrets(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_secrets", "SecretList"):
        yield Found(
            one["Name"],
            one["ARN"],
            one["ARN"],
            one.get("CreatedDate"),
            tag_map(one.get("Tags")),
            cost=prices.monthly("secret", 1),
            going="is being deleted" if one.get("DeletedDate") else "",
            key=one.get("KmsKeyId", ""),
        )


def _groups(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_log_groups", "logGroups"):
        days, size = one.get("retentionInDays"), one.get("storedBytes", 0)
        yield Found(
            one["logGroupName"],
            one["logGroupName"],
            one["arn"].removesuffix(":*"),
            moment(one.get("creationTime")),
            state=f"{size:,} bytes, kept {f'{days} days' if days else 'for ever'}",
            cost=prices.monthly("logs", size / prices.GB, of="GB"),
            key=one.get("kmsKeyId", ""),
        )


def _group_tags(at: Place, one: Found) -> dict[str, str]:
    return tag_map(at.client.list_tags_for_resource(resourceArn=one.arn).get("tags"))


def _alarms(at: Place) -> Iterator[Found]:
    for page in at.client.get_paginator("describe_alarms").paginate(
        AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    ):
        for one in [*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])]:
            metrics = max(1, sum(1 for metric in one.get("Metrics", []) if "MetricStat" in metric))
            yield Found(
                one["AlarmName"],
                one["AlarmName"],
                one["AlarmArn"],
                one.get("AlarmConfigurationUpdatedTimestamp"),
                state=one.get("StateValue", "").lower(),
                cost=prices.monthly("alarm", metrics),
            )


def _dashboards(at: Place) -> Iterator[Found]:
    for one in items(at.client, "list_dashboards", "DashboardEntries"):
        yield Found(
            one["DashboardName"],
            one["DashboardName"],
            one.get("DashboardArn", ""),
            one.get("LastModified"),
            tags={},  # dashboards have none
            cost=prices.monthly("dashboard", 1),
        )


def _budgets(at: Place) -> Iterator[Found]:
    for one in items(at.client, "describe_budgets", "Budgets", AccountId=at.account):
        limit = one.get("BudgetLimit", {})
        yield Found(
            one["BudgetName"],
            one["BudgetName"],
            f"arn:{at.partition}:budgets::{at.account}:budget/{one['BudgetName']}",
            state=f"{limit.get('Amount', '')} {limit.get('Unit', '')} {one.get('TimeUnit', '').lower()}",
            cost=prices.free("two actions are free"),
        )


def _trails(at: Place) -> Iterator[Found]:
    for one in at.client.describe_trails(includeShadowTrails=False)["trailList"]:
        yield Found(
            one["Name"],
            one["TrailARN"],
            one["TrailARN"],
            state=f"to {one.get('S3BucketName', '')}",
            cost=prices.by_use("data events"),
            key=one.get("KmsKeyId", ""),
        )


def _trail_tags(at: Place, one: Found) -> dict[str, str]:
    said = at.client.list_tags(ResourceIdList=[one.arn])["ResourceTagList"]
    return tag_map(said[0].get("TagsList")) if said else {}


def _name(call: str, member: str) -> Any:
    return lambda at, it: getattr(at.client, call)(**{member: it.id})


KINDS = (
    Kind(
        "instance profile",
        "iam",
        _profiles,
        Phase.ROLES,
        _remove_profile,
        lambda at, it: tag_map(at.client.list_instance_profile_tags(InstanceProfileName=it.name)["Tags"]),
        everywhere=True,
    ),
    Kind("role", "iam", _roles, Phase.ROLES, _remove_role, everywhere=True),
    Kind(
        "policy",
        "iam",
        _policies,
        Phase.ROLES,
        _remove_policy,
        lambda at, it: tag_map(at.client.list_policy_tags(PolicyArn=it.arn)["Tags"]),
        everywhere=True,
    ),
    Kind(
        "secret",
        "secretsmanager",
        _secrets,
        Phase.SERVICES,
        # At once, as CloudFormation does: a name that waits for its deletion can't be made anew.
        lambda at, it: at.client.delete_secret(SecretId=it.id, ForceDeleteWithoutRecovery=True),
    ),
    Kind(
        "alarm",
        "cloudwatch",
        _alarms,
        Phase.SERVICES,
        lambda at, it: at.client.delete_alarms(AlarmNames=[it.id]),
        lambda at, it: tag_map(at.client.list_tags_for_resource(ResourceARN=it.arn)["Tags"]),
    ),
    Kind(
        "monitoring dashboard",
        "cloudwatch",
        _dashboards,
        Phase.SERVICES,
        lambda at, it: at.client.delete_dashboards(DashboardNames=[it.id]),
    ),
    Kind(
        "budget",
        "budgets",
        _budgets,
        Phase.SERVICES,
        lambda at, it: at.client.delete_budget(AccountId=at.account, BudgetName=it.id),
        lambda at, it: tag_map(at.client.list_tags_for_resource(ResourceARN=it.arn)["ResourceTags"]),
        everywhere=True,
    ),
    # Nearly last: it tells who removed the rest.
    Kind("trail", "cloudtrail", _trails, Phase.LOGS, _name("delete_trail", "Name"), _trail_tags),
    Kind("key alias", "kms", _aliases, Phase.KEYS, _name("delete_alias", "AliasName")),
    Kind("key", "kms", _keys, Phase.KEYS, _remove_key, _key_tags, _look_at_key),
    Kind("log group", "logs", _groups, Phase.LOGS, _name("delete_log_group", "logGroupName"), _group_tags),
)
