"""The CloudFormation templates: valid, closed to the world, no wider than the jobs need, and told as settings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from crime_jobs.adhoc.asking import SqlSettings
from crime_jobs.cloud import stacks_template
from crime_jobs.cloud.stacks import STREAMS
from crime_jobs.emr._schedule_table import Table
from crime_jobs.emr.cluster import ClusterSpec
from crime_jobs.formation.stack import LARGEST_INLINE
from crime_jobs.model.faces import FaceSettings
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import VARIABLES
from tests.conftest import ROOT

FOLDER = ROOT / "src/crime_jobs/cloud"
TEMPLATES = sorted(FOLDER.glob("*.yaml"))


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = cfn_yaml.load(str(FOLDER / f"{name}.yaml"))
    return found


def resources(kind: str) -> dict[str, Any]:
    found = {
        f"{path.stem}.{name}": r for path in TEMPLATES for name, r in load(path.stem)["Resources"].items()
    }
    return {name: r.get("Properties", {}) for name, r in found.items() if r["Type"] == kind}


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement.get("Fn::If", [None, statement])[1]


def test_cfn_lint_has_nothing_to_say() -> None:
    # QuickSight's has a command of its own; no other template is one that nobody deploys.
    assert {path.stem for path in TEMPLATES} == {stream.name for stream in STREAMS} | {"quicksight"}
    checker = Path(sys.executable).with_name("cfn-lint")
    command = [str(checker), "--regions", "us-east-1", "ap-south-1", "--", *map(str, TEMPLATES)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_arns_hold_in_every_partition_region_and_account(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"arn:aws[:-]", text)
    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"\b(us|ap|eu)-[a-z]+-\d\b", text)


def test_nobody_comes_in_from_outside() -> None:
    groups = resources("AWS::EC2::SecurityGroup")
    assert len(groups) >= 9
    assert not any("SecurityGroupIngress" in group for group in groups.values())
    for name, rule in resources("AWS::EC2::SecurityGroupIngress").items():
        assert rule.keys() & {"CidrIp", "CidrIpv6", "SourcePrefixListId"} == set(), name
        assert rule["SourceSecurityGroupId"], name


def test_buckets_are_private_encrypted_and_spoken_to_over_tls() -> None:
    buckets = resources("AWS::S3::Bucket")
    assert len(buckets) >= 8
    guarded = {policy["Bucket"]["Ref"] for policy in resources("AWS::S3::BucketPolicy").values()}
    assert {name.partition(".")[2] for name in buckets} == guarded
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        # S3 delivers access logs to no bucket that is under a KMS key.
        how = "AES256" if name == "storage.AccessLogs" else "aws:kms"
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == how, name
        assert bucket["LifecycleConfiguration"]["Rules"]
    for policies in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in resources(policies).values():
            (statement,) = (s for s in policy["PolicyDocument"]["Statement"] if s.get("Sid") == "OnlyOverTls")
            assert statement["Effect"] == "Deny"
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_policies_of_awss_own_are_these_alone() -> None:
    """What they allow is read nowhere here, so that another one must be thought about."""
    found = set()
    for kind in ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"):
        for name, told in resources(kind).items():
            for policy in told.get("ManagedPolicyArns", []):
                arn = policy.get("Fn::Sub", "") if isinstance(policy, dict) else policy
                if arn:  # others are ours, by reference
                    found.add((name, arn.rpartition("/")[2]))
    assert found == {
        ("emr.ServiceRole", "AmazonEMRServicePolicy_v2"),
        ("emr.NodeRole", "AmazonSSMManagedInstanceCore"),
        ("migration.DmsVpcRole", "AmazonDMSVPCManagementRole"),
        ("migration.DmsLogsRole", "AmazonDMSCloudWatchLogsRole"),
    }


def test_roles_allow_named_actions() -> None:
    roles = resources("AWS::IAM::Role")
    assert len(roles) >= 14
    for name, role in roles.items():
        for statement in statements(role):
            actions = statement["Action"]  # what they are about is looked at in test_least_privilege.py
            for action in [actions] if isinstance(actions, str) else actions:
                assert re.fullmatch(r"[a-z0-9-]+:\w+|kms:ReEncrypt\*", action), (name, action)
            if "iam:PassRole" in actions:
                assert "iam:PassedToService" in json.dumps(statement["Condition"]), name


def test_a_job_reads_the_landing_and_writes_the_lake_and_no_other_way_round() -> None:
    job = resources("AWS::IAM::Role")["emr.RuntimeRole"]
    writes = [s for s in statements(job) if "s3:PutObject" in s["Action"]]
    assert not any("LandingBucket" in json.dumps(s) or "ArtifactsBucket" in json.dumps(s) for s in writes)
    reads = [s for s in statements(job) if "s3:GetObject" in s["Action"]]
    assert any("LandingBucket" in json.dumps(s) for s in reads)
    # A node takes the job's role; it has not got its rights itself.
    node = resources("AWS::IAM::Role")["emr.NodeRole"]
    node_writes = [s for s in statements(node) if "s3:PutObject" in s["Action"]]
    assert [s["Sid"] for s in node_writes] == ["WriteLogs"]
    assert "LandingBucket" not in json.dumps(node)


def test_clusters_are_encrypted_and_ask_for_imdsv2_and_know_runtime_roles() -> None:
    (found,) = resources("AWS::EMR::SecurityConfiguration").values()
    told = found["SecurityConfiguration"]
    assert told["EncryptionConfiguration"]["EnableAtRestEncryption"] is True
    rest = told["EncryptionConfiguration"]["AtRestEncryptionConfiguration"]
    assert rest["S3EncryptionConfiguration"]["EncryptionMode"] == "SSE-KMS"
    assert rest["LocalDiskEncryptionConfiguration"]["EnableEbsEncryption"] is True
    assert told["InstanceMetadataServiceConfiguration"]["MinimumInstanceMetadataServiceVersion"] == 2
    assert told["AuthorizationConfiguration"]["IAMConfiguration"] == {"EnableApplicationScopedIAMRole": True}


def test_the_cluster_here_is_set_up_as_cluster_up_sets_one_up() -> None:
    (found,) = resources("AWS::EMR::Cluster").values()

    def flat(items: list[dict[str, Any]], key: str, at: str = "") -> dict[str, Any]:
        told: dict[str, Any] = {}
        for item in items:
            name = f"{at}/{item['Classification']}"
            told |= {name: item.get(key, {}), **flat(item.get("Configurations", []), key, name)}
        return told

    ours = flat(json.loads((ROOT / "emr_bootstrap/configurations.json").read_text()), "Properties")
    here = flat(found["Configurations"], "ConfigurationProperties")
    assert here == {name: told for name, told in ours.items() if name != "/spark-defaults"}
    assert {a["Name"] for a in found["Applications"]} == set(ClusterSpec().applications)
    assert found["ReleaseLabel"] == {"Ref": "Release"}
    assert load("emr")["Parameters"]["Release"]["Default"] == ClusterSpec().release


def test_default_names_are_those_that_the_command_expects() -> None:
    name = load("emr")["Parameters"]["Name"]["Default"]
    role = resources("AWS::IAM::Role")["emr.ServiceRole"]["RoleName"]["Fn::Sub"]
    (profile,) = resources("AWS::IAM::InstanceProfile").values()
    assert role.replace("${Name}", name) == ClusterSpec().service_role
    assert (
        profile["InstanceProfileName"]["Fn::Sub"].replace("${Name}", name) == ClusterSpec().instance_profile
    )


def test_outputs_say_which_setting_they_are() -> None:
    known = {
        "": set(VARIABLES),
        "cluster": set(ClusterSpec.model_fields),
        "schedule": set(Table.model_fields),
        "stream": set(StreamSettings.model_fields),
        "sql": set(SqlSettings.model_fields),
        "faces": set(FaceSettings.model_fields),
    }
    told = set()
    for path in TEMPLATES:
        for output in load(path.stem)["Outputs"].values():
            description = output.get("Description", "")
            if description and not description.startswith("for "):
                table, _, key = description.rpartition(": ")
                assert key in known[table], description
                told.add(key)
    assert {"role", "dead_letter_queue", "topic", "machine_role", "security_configuration", "subnet"} <= told


def test_every_role_that_is_taken_is_taken_by_a_service_of_this_account() -> None:
    for name, role in resources("AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            service = str(statement["Principal"].get("Service", ""))
            # EC2 takes no such condition; to CloudFormation nobody of another account can pass a role.
            if service and service not in ("ec2.amazonaws.com", "cloudformation.amazonaws.com"):
                assert "aws:SourceAccount" in json.dumps(statement["Condition"]), name


def tags_of(kind: str, properties: dict[str, Any]) -> dict[str, Any] | None:
    """A resource's tags; `None` for a type that takes none, by AWS's own schema of it."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    told = schema.get("tagging", {})
    if not told.get("taggable", schema.get("taggable", False)):
        return None
    found = properties.get(told.get("tagProperty", "/properties/Tags").rpartition("/")[2], [])
    return {tag["Key"]: tag["Value"] for tag in found} if isinstance(found, list) else dict(found)


def test_whatever_takes_tags_says_its_project_environment_and_stream() -> None:
    tagged = 0
    for path in TEMPLATES:
        if path.stem == "quicksight":  # its stack is tagged by `quicksight deploy`
            continue
        for name, resource in load(path.stem)["Resources"].items():
            tags = tags_of(resource["Type"], resource.get("Properties", {}))
            if tags is not None:
                tagged += 1
                assert tags["project"] == "crime-jobs", (path.stem, name)
                assert tags["environment"] == {"Ref": "Environment"}, (path.stem, name)
                assert tags["stream"], (path.stem, name)
    assert tagged > 120


def test_keys_turn_and_stay_when_their_stack_goes() -> None:
    keys = {
        f"{path.stem}.{name}": r
        for path in TEMPLATES
        for name, r in load(path.stem)["Resources"].items()
        if r["Type"] == "AWS::KMS::Key"
    }
    assert len(keys) >= 7
    for name, key in keys.items():
        assert key["Properties"]["EnableKeyRotation"] is True, name
        assert key["DeletionPolicy"] == "Retain", name


def test_no_template_is_too_large_to_be_sent_as_it_is() -> None:
    for stream in STREAMS:
        assert len(stacks_template.load(stream.name).body) <= LARGEST_INLINE


def test_a_file_of_the_lake_or_the_landing_that_was_deleted_can_be_had_back_for_a_while() -> None:
    buckets = resources("AWS::S3::Bucket")
    for name in ("storage.Landing", "storage.Lake", "firs.Files"):
        assert buckets[name]["VersioningConfiguration"] == {"Status": "Enabled"}
    # What is kept by law is not taken away by anybody but time.
    rules = resources("AWS::S3::BucketPolicy")["storage.TrailFilesRules"]["PolicyDocument"]["Statement"]
    condition, kept, _ = rules[-1]["Fn::If"]
    assert condition == "KeepsTrail"
    assert load("storage")["Parameters"]["KeepTrail"]["Default"] == "yes"
    assert (kept["Effect"], kept["Action"]) == ("Deny", ["s3:DeleteObject", "s3:DeleteObjectVersion"])
    assert load("storage")["Parameters"]["TrailDays"]["MinValue"] >= 180


def test_who_touched_firs_and_photographs_is_written_down() -> None:
    (trail,) = resources("AWS::CloudTrail::Trail").values()
    assert trail["IsLogging"] is trail["EnableLogFileValidation"] is True
    watched = json.dumps(trail["AdvancedEventSelectors"])
    for what in ("-firs-", "-faces-", "table/${TablePrefix}fir_", "table/${TablePrefix}face_"):
        assert what in watched


def test_nothing_reaches_the_internet_unless_it_is_asked_for() -> None:
    network = load("network")
    assert network["Parameters"]["Internet"]["Default"] == "no"
    for name, resource in network["Resources"].items():
        out = resource["Type"] in ("AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP")
        if out or resource["Properties"].get("DestinationCidrBlock") == "0.0.0.0/0":
            assert resource["Condition"] == "HasInternet", name
    subnets = [r for r in network["Resources"].values() if r["Type"] == "AWS::EC2::Subnet"]
    assert not any(subnet["Properties"]["MapPublicIpOnLaunch"] for subnet in subnets)


def test_endpoints_are_for_this_account_alone() -> None:
    for name, endpoint in resources("AWS::EC2::VPCEndpoint").items():
        if not name.startswith("network."):
            continue
        for statement in endpoint["PolicyDocument"]["Statement"]:
            own = "AWS::AccountId" in json.dumps([statement.get("Condition"), statement["Resource"]])
            # EMR's own packages, to read.
            assert own or statement["Action"] == "s3:GetObject", (name, statement["Sid"])
