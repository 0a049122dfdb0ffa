"""What outlives its stack, by the templates: what holds data stays for `destroy`, which removes it in order."""

from __future__ import annotations

import re

import pytest

from crime_jobs.cloud.destroy_plan import UNSEEN
from crime_jobs.cloud.kinds import KINDS
from crime_jobs.cloud.kinds_stacks import TYPES
from tests.policies import resolving

#: What holds what can't be made again, and what is sealed with it or writes down its end.
STAYS = {
    "AWS::CloudTrail::Trail",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::RedshiftServerless::Namespace",
    "AWS::S3::Bucket",
}
#: What is copied before it goes.
COPIED = {"AWS::RDS::DBInstance"}
#: Single resources that are otherwise than others of their type.
OWN = {
    "firs.DeadLetters": "Retain",  # FIRs that wait for a person
    "storage.TrailFilesRules": "Retain",  # without them the trail can't write
}
#: What goes with its stack, and must say so: it is easily taken for data.
GOES = {
    "analytics.LogGroup",
    "firs.FirehoseLog",
    "network.FlowLogs",
    "schedules.DeadLetters",
    "migration.ReaderSecret",
}

RESOURCES = {
    f"{file}.{name}": resource
    for file in resolving.names()
    for name, resource in resolving.load(file).get("Resources", {}).items()
}


def wanted(name: str, kind: str) -> str | None:
    if name in OWN:
        return OWN[name]
    if name in GOES:
        return "Delete"
    return "Retain" if kind in STAYS else "Snapshot" if kind in COPIED else None


@pytest.mark.parametrize("file", resolving.names())
def test_what_holds_data_outlives_its_stack_and_nothing_else(file: str) -> None:
    for name, resource in RESOURCES.items():
        if name.startswith(f"{file}."):
            policy = wanted(name, resource["Type"])
            assert resource.get("DeletionPolicy") == policy, name
            assert resource.get("UpdateReplacePolicy") == policy, name


def test_the_lists_name_what_there_is() -> None:
    assert set(OWN) | GOES <= set(RESOURCES)
    assert {resource["Type"] for resource in RESOURCES.values()} >= STAYS | COPIED


def test_destroy_removes_whatever_a_stack_leaves() -> None:
    removed = {TYPES[kind.name] for kind in KINDS if kind.remove and kind.name in TYPES}
    left = {
        resource["Type"]
        for resource in RESOURCES.values()
        if resource.get("DeletionPolicy") in ("Retain", "Snapshot")
    }
    assert left - {"AWS::S3::BucketPolicy"} <= removed  # which goes with its bucket
    assert "database snapshot" in {kind.name for kind in KINDS if kind.remove}


def test_kinds_whose_keys_are_not_seen_are_kinds_and_are_all_that_our_keys_seal() -> None:
    """What a template of ours puts under a key, and its list does not tell of, others may have put under it too."""
    names = {kind.name for kind in KINDS}
    assert set(UNSEEN) <= names
    # Of these the lists say the key.
    told = {"secret", "log group", "trail", "database", "redshift namespace", "dms instance", "dms endpoint"}
    elsewhere = {"athena workgroup", "cluster", "emr security configuration"}  # in buckets and on volumes
    sealed = {
        kind
        for kind, type_name in TYPES.items()
        for resource in RESOURCES.values()
        if resource["Type"] == type_name and re.search(r"(?i)kms[\w]*(key|arn)", str(resource["Properties"]))
    }
    policies = {"role", "policy"}  # they speak of keys, and are under none
    others = sealed - set(UNSEEN) - told - elsewhere - policies
    assert not others, others


def test_tables_of_what_can_not_be_made_again_are_protected_by_their_templates() -> None:
    """Not those that run out by themselves, or that a run fills anew."""
    protected = {
        name
        for name, resource in RESOURCES.items()
        if resource.get("Properties", {}).get("DeletionProtectionEnabled") is True
    }
    assert protected == {"firs.Events", "firs.Identities", "faces.People", "faces.Leads", "faces.Audit"}
    ends = {name for name in protected if "TimeToLiveSpecification" in RESOURCES[name]["Properties"]}
    assert not ends
