"""Over all templates: what keeps something keeps it under a key of ours, secrets are nowhere in them, TLS alone is spoken.

Buckets' own settings, keys, endpoints and the trail are looked at in test_templates.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.policies import resolving
from tests.policies.resolving import Template

#: Where each type says its key.
KEY_AT = {
    "AWS::CloudTrail::Trail": "KMSKeyId",
    "AWS::DMS::Endpoint": "KmsKeyId",
    "AWS::DMS::ReplicationInstance": "KmsKeyId",
    "AWS::DynamoDB::Table": "SSESpecification.KMSMasterKeyId",
    "AWS::EMR::Cluster": "LogEncryptionKmsKeyId",
    "AWS::Kinesis::Stream": "StreamEncryption.KeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::RDS::DBInstance": "KmsKeyId",
    "AWS::RedshiftServerless::Namespace": "KmsKeyId",
    "AWS::S3::Bucket": "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.KMSMasterKeyID",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
}

#: What is under a key of AWS's, and why that will do: nobody is in it.
UNDER_AWSS_KEY = {
    "analytics.Counts": "numbers of FIRs by district and minute",
    "storage.AccessLogs": "who fetched what, by names of files; S3 delivers to no bucket under a KMS key",
    "schedules.DeadLetters": "requests that could not be started",
    "schedules.Topic": "which chain ended how",
}

#: Types that keep nothing, or what a resource above keeps.
TLS = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
}


def resources(*kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in resolving.names():
        template = Template(name)
        for resource, told in template.of(*kinds):
            yield f"{name}.{resource}", template.resources[resource]["Type"], template.value(told)


def at(told: Any, path: str) -> Any:
    for part in path.split("."):
        told = told[0] if isinstance(told, list) else told
        told = told.get(part) if isinstance(told, dict) else None
    return told


def test_all_that_keeps_something_keeps_it_under_a_key_of_ours() -> None:
    without = {
        name
        for name, kind, told in resources(*KEY_AT)
        if not (key := at(told, KEY_AT[kind])) or str(key).startswith("alias/aws/")
    }
    assert without == UNDER_AWSS_KEY.keys()


@pytest.mark.parametrize("kind", TLS)
def test_everything_that_is_spoken_to_by_name_refuses_what_comes_without_tls(kind: str) -> None:
    policy, where = TLS[kind]
    for name in resolving.names():
        template = Template(name)
        refusing = set()
        for _, told in template.of(policy):
            if any(
                statement["Effect"] == "Deny"
                and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                for statement in told["PolicyDocument"]["Statement"]
            ):
                named = template.value(told[where])
                refusing |= set(named if isinstance(named, list) else [named])
        there = {template.value({"Ref": resource}) for resource, _ in template.of(kind)}
        assert there <= refusing, name


def test_no_template_has_a_secret_or_asks_for_one() -> None:
    """Passwords are made by Secrets Manager and read from there: nobody types one, and none is a parameter."""
    for name in resolving.names():
        told = resolving.load(name)
        for parameter, about in told.get("Parameters", {}).items():
            assert "password" not in parameter.lower(), (name, parameter)
            assert "NoEcho" not in about, (name, parameter)
    for name, _, told in resources("AWS::RDS::DBInstance"):
        assert told["ManageMasterUserPassword"] is True, name
    for name, _, told in resources("AWS::RedshiftServerless::Namespace"):
        assert told["ManageAdminPassword"] is True, name
    for name, _, told in resources("AWS::SecretsManager::Secret"):
        assert "SecretString" not in told, name
    for name, _, told in resources("AWS::DMS::Endpoint", "AWS::RDS::DBInstance"):
        assert not {"Password", "MasterUserPassword", "Username"} & told.keys(), name


def test_nobody_of_another_account_is_let_in() -> None:
    """Policies of resources name this account, or a service of AWS: nobody else, and not everybody."""
    kinds = ("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::KMS::Key")
    for name, _, told in resources(*kinds):
        document = told.get("PolicyDocument") or told["KeyPolicy"]
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                assert statement["Principal"] != "*", name
                for principal in statement["Principal"].values():
                    for one in principal if isinstance(principal, list) else [principal]:
                        assert (
                            one.endswith(".amazonaws.com") or one == f"arn:aws:iam::{resolving.ACCOUNT}:root"
                        ), name
