"""migration.yaml: nothing is open, everything is encrypted, nobody may do more than he must."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session

from crime_jobs.emr.work import Work, step
from crime_jobs.migrate.config import SHIPPED
from crime_jobs.migrate.ledger import TABLE
from crime_jobs.model.names import FIRST
from crime_jobs.model.tablemapping import Mappings
from crime_jobs.registry import registry
from tests.conftest import ROOT
from tests.unit.test_emr_work import MANIFEST, make
from tests.unit.test_templates import load

TEMPLATE = load("migration")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def of(kind: str) -> dict[str, Any]:
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == kind}


def defaulted(value: Any) -> str:
    """A name as it comes out with the parameters' defaults."""
    text = value if isinstance(value, str) else value.get("Fn::Sub") or f"${{{value['Ref']}}}"
    known = {name: str(p.get("Default")) for name, p in TEMPLATE["Parameters"].items()}
    return re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], text)


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in of("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for name, policy in of("AWS::IAM::ManagedPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_nobody_comes_in_but_from_named_groups() -> None:
    for group in of("AWS::EC2::SecurityGroup").values():
        assert "SecurityGroupIngress" not in group
    rules = of("AWS::EC2::SecurityGroupIngress")
    assert rules
    for rule in rules.values():
        assert not {"CidrIp", "CidrIpv6", "SourcePrefixListId"} & rule.keys()
        assert rule["IpProtocol"] == "tcp"
        assert rule["FromPort"] == rule["ToPort"]


def test_the_database_is_reached_on_1521_from_dms_and_emr_and_by_nobody_else() -> None:
    database = [
        r for r in of("AWS::EC2::SecurityGroupIngress").values() if r["GroupId"] == {"Ref": "DatabaseGroup"}
    ]
    assert {r["FromPort"] for r in database} == {1521}
    assert {r["SourceSecurityGroupId"]["Ref"] for r in database} == {"ReplicationGroup", "EmrGroup"}
    assert RESOURCES["Database"]["Properties"]["VPCSecurityGroups"] == [{"Ref": "DatabaseGroup"}]


def test_no_group_lets_out_what_has_no_business_outside() -> None:
    for name in ("DatabaseGroup", "SecretsEndpointGroup"):
        (rule,) = RESOURCES[name]["Properties"]["SecurityGroupEgress"]
        assert rule["CidrIp"] == "127.0.0.1/32"


def test_two_subnets_in_two_zones_have_a_way_out_and_give_no_public_addresses() -> None:
    subnets = of("AWS::EC2::Subnet")
    assert {s["AvailabilityZone"]["Fn::Select"][0] for s in subnets.values()} == {0, 1}
    assert not any(s["MapPublicIpOnLaunch"] for s in subnets.values())
    routed = {a["SubnetId"]["Ref"] for a in of("AWS::EC2::SubnetRouteTableAssociation").values()}
    assert routed == subnets.keys()
    (route,) = of("AWS::EC2::Route").values()
    assert route["GatewayId"] == {"Ref": "Gateway"}
    for users in (of("AWS::RDS::DBSubnetGroup"), of("AWS::DMS::ReplicationSubnetGroup")):
        (group,) = users.values()
        condition, own, given = group["SubnetIds"]["Fn::If"]
        assert condition == "MakesVpc"
        assert {s["Ref"] for s in own} == subnets.keys()
        assert [s["Fn::Select"] for s in given] == [[0, {"Ref": "OwnSubnets"}], [1, {"Ref": "OwnSubnets"}]]


def test_in_a_vpc_that_is_there_no_network_is_made_and_no_way_to_the_internet() -> None:
    network = {
        name: r
        for name, r in RESOURCES.items()
        if r["Type"].startswith("AWS::EC2::") and not r["Type"].startswith("AWS::EC2::SecurityGroup")
    }
    assert len(network) == 12
    assert {r["Condition"] for r in network.values()} == {"MakesVpc"}
    for name in ("DatabaseGroup", "ReplicationGroup"):
        assert RESOURCES[name]["Properties"]["VpcId"] == {
            "Fn::If": ["MakesVpc", {"Ref": "Vpc"}, {"Ref": "OwnVpc"}]
        }
    assert RESOURCES["EndpointsFromDms"]["Properties"]["GroupId"] == {"Ref": "EndpointGroup"}


def test_s3_and_dynamodb_are_reached_without_the_internet() -> None:
    endpoints = of("AWS::EC2::VPCEndpoint").values()
    gateways = [e["ServiceName"]["Fn::Sub"] for e in endpoints if e["VpcEndpointType"] == "Gateway"]
    assert {name.rpartition(".")[2] for name in gateways} == {"s3", "dynamodb"}


def test_the_database_is_se2_small_private_and_encrypted_at_rest_and_on_the_way() -> None:
    database = RESOURCES["Database"]["Properties"]
    assert (database["Engine"], database["LicenseModel"]) == ("oracle-se2", "license-included")
    assert TEMPLATE["Parameters"]["DatabaseClass"]["Default"] == "db.t3.small"
    assert database["MultiAZ"] is False
    assert database["PubliclyAccessible"] is False
    assert database["StorageEncrypted"] is True
    assert database["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in database
    assert RESOURCES["Database"]["DeletionPolicy"] == "Snapshot"
    (option,) = RESOURCES["DatabaseOptions"]["Properties"]["OptionConfigurations"]
    settings = {s["Name"]: s["Value"] for s in option["OptionSettings"]}
    assert option["OptionName"] == "NATIVE_NETWORK_ENCRYPTION"
    assert settings["SQLNET.ENCRYPTION_SERVER"] == settings["SQLNET.CRYPTO_CHECKSUM_SERVER"] == "REQUIRED"
    assert settings["SQLNET.ENCRYPTION_TYPES_SERVER"] == "AES256"


KEY = {"Fn::GetAtt": ["Key", "Arn"]}


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("Database", ("KmsKeyId",)),
        ("Database", ("MasterUserSecret", "KmsKeyId")),
        ("ReaderSecret", ("KmsKeyId",)),
        ("ReplicationInstance", ("KmsKeyId",)),
        ("SourceEndpoint", ("KmsKeyId",)),
        ("TargetEndpoint", ("KmsKeyId",)),
        ("Ledger", ("SSESpecification", "KMSMasterKeyId")),
        ("Topic", ("KmsMasterKeyId",)),
    ],
)
def test_all_that_keeps_something_keeps_it_under_the_key(resource: str, path: tuple[str, ...]) -> None:
    value = RESOURCES[resource]["Properties"]
    for name in path:
        value = value[name]
    assert value in (KEY, {"Fn::GetAtt": "Key.Arn"})


def test_the_key_turns_and_lets_only_the_account_and_eventbridge_in() -> None:
    key = RESOURCES["Key"]["Properties"]
    assert key["EnableKeyRotation"] is True
    principals = [s["Principal"] for s in key["KeyPolicy"]["Statement"]]
    assert [next(iter(p)) for p in principals] == ["AWS", "Service"]
    assert principals[1] == {"Service": "events.amazonaws.com"}


def test_dms_is_private_and_reads_the_secret_it_is_given() -> None:
    instance = RESOURCES["ReplicationInstance"]["Properties"]
    assert instance["PubliclyAccessible"] is False
    source, target = RESOURCES["SourceEndpoint"]["Properties"], RESOURCES["TargetEndpoint"]["Properties"]
    assert (source["EngineName"], target["EngineName"]) == ("oracle", "dynamodb")
    assert not {"Username", "Password", "ServerName", "Port"} & source.keys()
    secret = RESOURCES["ReaderSecret"]["Properties"]["GenerateSecretString"]
    template = re.sub(r"\$\{[^}]*\}", "1", secret["SecretStringTemplate"]["Fn::Sub"])
    assert {"username", "host", "port"} <= json.loads(template).keys()
    assert secret["GenerateStringKey"] == "password"


def test_policies_name_actions_and_things() -> None:
    found = list(statements())
    assert len(found) > 10
    for name, statement in found:
        for action in as_list(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9]+:\w+", action), (name, action)
        if "*" in as_list(statement["Resource"]):
            # IAM's service authorisation reference: ListTables knows no resource.
            assert as_list(statement["Action"]) == ["dynamodb:ListTables"], (name, statement["Sid"])


def test_dms_may_write_tables_of_ours_and_delete_none() -> None:
    mine = [s for name, s in statements() if name == "DmsTargetRole"]
    ours = [s for s in mine if "table/${TablePrefix}crime-*" in json.dumps(s["Resource"])]
    assert ours
    assert not any("dynamodb:DeleteTable" in as_list(s["Action"]) for s in ours)
    shipped = json.loads((ROOT / "src/crime_jobs/migrate" / SHIPPED).read_text())
    targets = {rule["target-table-name"] for rule in shipped["rules"] if "target-table-name" in rule}
    assert targets
    assert all(name.startswith("crime-") for name in (*targets, TABLE))


def test_the_job_may_write_the_landing_only_where_exports_go() -> None:
    writes = [s for n, s in statements() if n == "MigrationPolicy" and "s3:PutObject" in as_list(s["Action"])]
    resources = {statement["Resource"]["Fn::Sub"].rpartition(":")[2] for statement in writes}
    assert resources == {"${LandingBucket}/*dynamodb/*"}


#: What the job calls: of `dms` it is the user who calls.
CALLERS = [
    ROOT / "src/crime_jobs/secret.py",
    *sorted(p for p in (ROOT / "src/crime_jobs/migrate").glob("*.py") if "dms" not in p.name),
]
#: What boto3 calls for its own methods; and actions of IAM that are not named as the operation is.
TRANSFERS = {
    "upload_file": ("PutObject", "AbortMultipartUpload"),
    "download_file": ("HeadObject", "GetObject"),
}
ACTIONS = {"HeadObject": "GetObject", "ListObjectsV2": "ListBucket"}


def operations(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Service and operation of what is called in a module, by the names that boto3's clients have for them."""
    session = get_session()
    named = {
        xform_name(operation): (service, operation)
        for service in ("dynamodb", "sns", "secretsmanager", "s3")
        for operation in session.get_service_model(service).operation_names
    }
    waiters = session.get_waiter_model("dynamodb")
    waited = {xform_name(name): waiters.get_waiter(name).operation for name in waiters.waiter_names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if node.attr in named:
            yield named[node.attr]
        yield from (("s3", operation) for operation in TRANSFERS.get(node.attr, ()))
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr == "get_paginator":
            yield named[ast.literal_eval(call.args[0])]
        elif call.func.attr == "get_waiter":
            yield "dynamodb", waited[ast.literal_eval(call.args[0])]
        elif call.func.attr == "create_table" and any(word.arg == "Tags" for word in call.keywords):
            yield "dynamodb", "TagResource"


def called(paths: list[Path]) -> set[str]:
    """The actions of IAM that they need."""
    found = {one for path in paths for one in operations(ast.parse(path.read_text()))}
    return {f"{service}:{ACTIONS.get(operation, operation)}" for service, operation in found}


def allowed(action: str) -> list[dict[str, Any]]:
    """What allows it to the job, by this template."""
    return [s for name, s in statements() if name == "MigrationPolicy" and action in as_list(s["Action"])]


def things(action: str) -> set[str]:
    """On what it is allowed, from behind the account."""
    resources = [one for s in allowed(action) for one in as_list(s["Resource"])]
    names = [one if isinstance(one, str) else one.get("Fn::Sub") or one["Ref"] for one in resources]
    return {name.rpartition(":")[2] for name in names}


def test_operations_are_found_in_each_way_of_calling_one() -> None:
    source = """
self.client.get_item(TableName="t")
said = self._client().upload_file
client.get_paginator("list_objects_v2").paginate()
client.get_waiter("table_exists").wait()
client.create_table(TableName="t", Tags=[])
run.of_ours()
"""
    assert set(operations(ast.parse(source))) == {
        ("dynamodb", "GetItem"), ("s3", "PutObject"), ("s3", "AbortMultipartUpload"), ("s3", "ListObjectsV2"),
        ("dynamodb", "DescribeTable"), ("dynamodb", "CreateTable"), ("dynamodb", "TagResource"),
    }  # fmt: skip


def test_all_that_the_job_calls_is_allowed_where_it_calls_it() -> None:
    needed = called(CALLERS)
    assert len(needed) > 18
    assert {action.partition(":")[0] for action in needed} == {"dynamodb", "s3", "secretsmanager", "sns"}
    needed -= {"s3:GetObject", "s3:ListBucket"}  # of the landing, which emr.yaml lets every job read
    special = {
        "dynamodb:ListTables": "*",  # IAM knows it for all tables only
        "dynamodb:DescribeExport": "table/${TablePrefix}crime-*/export/*",
    }
    usual = {
        "dynamodb": "table/${TablePrefix}crime-*",
        "s3": "${LandingBucket}/*dynamodb/*",
        "secretsmanager": "ReaderSecret",
        "sns": "Topic",
    }
    wanted = {action: special.get(action, usual[action.partition(":")[0]]) for action in needed}
    missing = {action: thing for action, thing in wanted.items() if thing not in things(action)}
    assert not missing
    # All tables of the migration and its ledger are among those.
    assert all(
        "table/${TablePrefix}crime-*" in things(f"dynamodb:{name}") for name in ("Scan", "BatchWriteItem")
    )


def test_the_log_of_an_export_can_be_kept_where_the_setting_logs_says() -> None:
    folder = "${LogsBucket}/${LogsPrefix}export/*"
    written = called([ROOT / "src/crime_jobs/migrate/_place.py"]) - {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
    }
    assert written == {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
    assert folder in things("s3:GetObject")  # to write logs emr.yaml lets every job
    assert folder not in things("s3:DeleteObject")
    (listing,) = (s for s in allowed("s3:ListBucket") if "LogsBucket" in json.dumps(s["Resource"]))
    assert listing["Condition"] == {"StringLike": {"s3:prefix": {"Fn::Sub": "${LogsPrefix}export/*"}}}
    # As emr.yaml tells the setting.
    (logs,) = (o for o in load("emr")["Outputs"].values() if o.get("Description") == "logs")
    assert logs["Value"]["Fn::Sub"] + "/" == "s3://${LogsBucket}/" + defaulted("${LogsPrefix}")


def test_who_is_killed_and_what_dms_ends_is_told() -> None:
    patterns = [rule["EventPattern"] for rule in of("AWS::Events::Rule").values()]
    told = {p["detail-type"][0]: p["detail"] for p in patterns}
    assert told["DMS Replication Task State Change"] == {
        "eventType": ["REPLICATION_TASK_FAILED", "REPLICATION_TASK_STOPPED"]
    }
    assert told["EMR Step Status Change"]["state"] == ["FAILED", "CANCELLED"]
    assert told["EMR Serverless Job Run State Change"] == {"state": ["FAILED", "CANCELLED"]}
    for rule in of("AWS::Events::Rule").values():
        (target,) = rule["Targets"]
        assert target["Arn"] == {"Ref": "Topic"}
        assert "RoleArn" not in target  # with one, EventBridge can't deliver to an encrypted topic
        template = target["InputTransformer"]["InputTemplate"]
        used = set(re.findall(r"<(\w+)>", template))
        assert used == target["InputTransformer"]["InputPathsMap"].keys()
        assert isinstance(json.loads(template), str)
    allowed = RESOURCES["TopicRules"]["Properties"]["PolicyDocument"]["Statement"]
    assert any(s["Principal"] == {"Service": "events.amazonaws.com"} for s in allowed)


def test_of_failed_steps_those_are_told_whose_job_tells_how_it_ends() -> None:
    detail = RESOURCES["StepFails"]["Properties"]["EventPattern"]["detail"]
    assert detail.keys() == {"state", "name"}
    prefixes = tuple(one["prefix"] for one in detail["name"])
    tells = {job.name for job in registry().values() if "topic" in job.settings}
    assert tells == set(prefixes)
    heard = set()
    for job in registry().values():
        name = step(Work(job.name), MANIFEST, make(), None, token="d32c5kddcf5bb8c3")["Name"]
        if name.startswith(prefixes):
            heard.add(job.name)
    assert heard == tells


def test_everything_that_can_be_is_tagged() -> None:
    for name, resource in RESOURCES.items():
        tags = resource["Properties"].get("Tags")
        if tags is not None:
            assert {"project", "environment", "stream"} <= {tag["Key"] for tag in tags}, name


def test_names_are_those_that_the_command_expects() -> None:
    named = {
        FIRST: RESOURCES["ReplicationInstance"]["Properties"]["ReplicationInstanceIdentifier"],
        f"{FIRST}-oracle": RESOURCES["SourceEndpoint"]["Properties"]["EndpointIdentifier"],
        f"{FIRST}-dynamodb": RESOURCES["TargetEndpoint"]["Properties"]["EndpointIdentifier"],
        TABLE: RESOURCES["Ledger"]["Properties"]["TableName"],
        "crime-jobs/oracle": RESOURCES["ReaderSecret"]["Properties"]["Name"],
        "crime-jobs-migration": RESOURCES["Topic"]["Properties"]["TopicName"],
    }
    assert {defaulted(value) for value in named.values()} == named.keys()
    keys = {key["AttributeName"] for key in RESOURCES["Ledger"]["Properties"]["KeySchema"]}
    assert keys == {"task", "entry"}


def test_the_mapping_does_not_fit_into_a_parameter_so_the_task_is_made_by_the_command() -> None:
    text = (ROOT / "src/crime_jobs/migrate" / SHIPPED).read_text()
    Mappings(text)
    assert len(json.dumps(json.loads(text), separators=(",", ":"))) > 4096
    assert not of("AWS::DMS::ReplicationTask")
