"""Who deploys makes no administrator, who looks reads no data, who removes takes nothing of others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from crime_jobs.cloud import stacks
from crime_jobs.cloud.stacks_template import bounded, load
from tests.policies import evidence, making, operations, places, reference, resolving, tasks
from tests.policies.evaluator import Call, Decision, decide
from tests.policies.resolving import ACCOUNT, REGION, Statement, Template

#: Characters of a managed policy, without white space
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
LARGEST = 6_144
#: Policies that a role may have, unless AWS is asked for more (the same page).
MOST = 10
BOUNDARY = resolving.all_policies()[resolving.BOUNDARY]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/keepers/crime-jobs-aws-deployment"


def of(task: str) -> list[Statement]:
    return [one for policy in tasks.POLICIES[task] for one in resolving.policies()[policy]]


def allowed(statements: Iterable[Statement], action: str, resource: str, **context: str) -> bool:
    place = resource if resource == "*" or resource.startswith("arn:") else f"arn:aws:{resource}"
    told = {key.replace("__", ":"): value for key, value in context.items()}
    return decide(statements, Call(action, place, told)) is Decision.ALLOWED


# ---- sizes


def test_managed_policies_are_no_larger_than_iam_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with long names, in a partition and a region whose names are long."""
    pseudo = {"AWS::Partition": "aws-us-gov", "AWS::Region": "ap-southeast-99"}
    monkeypatch.setattr(resolving, "PSEUDO", resolving.PSEUDO | pseudo)
    monkeypatch.setattr(resolving, "GIVEN", resolving.GIVEN | {"Name": "c" * 20, "Environment": "production"})
    for name in ("access", "deployment"):
        template = Template(name)
        for resource, told in template.of("AWS::IAM::ManagedPolicy"):
            text = json.dumps(template.value(told["PolicyDocument"]), separators=(",", ":"))
            assert len(text) <= LARGEST, (name, resource, len(text))
    assert all(len(policies) <= MOST for policies in tasks.POLICIES.values())


def test_all_of_it_is_below_a_path_that_nobody_has_rights_on() -> None:
    for name in ("access", "deployment"):
        for resource, told in Template(name).of("AWS::IAM::ManagedPolicy", "AWS::IAM::Role"):
            assert told["Path"] == "/keepers/", resource
    for statement in (*of("CloudFormation"), *of("remover")):
        if any(action.startswith("iam:") for action in statement.actions):
            assert not [one for one in statement.resources if "keepers" in one]


# ---- who deploys


def test_who_deploys_does_it_as_the_role_alone() -> None:
    for stream in stacks.STREAMS:
        stack = f"cloudformation:{REGION}:{ACCOUNT}:stack/{stacks.stack_name('aws', stream.name)}/0f1e"
        plan = ("cloudformation:CreateChangeSet", stack)
        assert allowed(of("deployer"), *plan, cloudformation__RoleArn=ROLE) is not stream.is_of_rights
        assert not allowed(of("deployer"), *plan)
        assert not allowed(of("deployer"), *plan, cloudformation__RoleArn=ROLE.replace("keepers/", ""))
        assert allowed(of("deployer"), "cloudformation:DeleteStack", stack) is not stream.is_of_rights
    other = f"cloudformation:{REGION}:{ACCOUNT}:stack/crime-jobs-other-storage/0f1e"
    assert not allowed(of("deployer"), "cloudformation:ExecuteChangeSet", other)


@pytest.mark.parametrize(
    ("task", "action"),
    [
        ("deployer", "CreateChangeSet"),
        ("deployer", "DeleteStack"),
        ("deployer", "ExecuteChangeSet"),
        ("remover", "DeleteStack"),
        ("remover", "UpdateTerminationProtection"),
    ],
)
def test_stacks_of_an_environment_whose_name_begins_alike_are_its_own(task: str, action: str) -> None:
    """CloudFormation would remove them as the other environment's role, which nobody has to give."""
    call, begin = f"cloudformation:{action}", f"cloudformation:{REGION}:{ACCOUNT}:stack/crime-jobs-aws"
    told = {"cloudformation:RoleArn": ROLE}
    tag = "aws:ResourceTag/environment"
    assert not allowed(of(task), call, f"{begin}-2-firs/0f1e", **told, **{tag: "aws-2"})
    assert allowed(of(task), call, f"{begin}-firs/0f1e", **told, **{tag: "aws"})
    assert allowed(of(task), call, f"{begin}-firs/0f1e", **told)  # that is not there yet, or made by hand


ADMINISTRATORS = [
    ("iam:AttachUserPolicy", f"iam::{ACCOUNT}:user/me"),
    ("iam:PutUserPolicy", f"iam::{ACCOUNT}:user/me"),
    ("iam:CreateUser", f"iam::{ACCOUNT}:user/me"),
    ("iam:CreateAccessKey", f"iam::{ACCOUNT}:user/me"),
    ("iam:CreateRole", f"iam::{ACCOUNT}:role/crime-jobs-mine"),
    ("iam:PutRolePolicy", f"iam::{ACCOUNT}:role/crime-jobs-mine"),
    ("iam:AttachRolePolicy", f"iam::{ACCOUNT}:role/crime-jobs-mine"),
    ("iam:PutRolePermissionsBoundary", f"iam::{ACCOUNT}:role/crime-jobs-mine"),
    ("iam:DeleteRolePermissionsBoundary", f"iam::{ACCOUNT}:role/crime-jobs-mine"),
    ("iam:UpdateAssumeRolePolicy", f"iam::{ACCOUNT}:role/administrator"),
    ("iam:CreatePolicyVersion", f"iam::{ACCOUNT}:policy/keepers/crime-jobs-aws-deployer"),
    ("iam:CreatePolicyVersion", f"iam::{ACCOUNT}:policy/keepers/crime-jobs-aws-boundary"),
    ("iam:PassRole", f"iam::{ACCOUNT}:role/administrator"),
    ("sts:AssumeRole", f"iam::{ACCOUNT}:role/administrator"),
    ("organizations:LeaveOrganization", "*"),
    ("kms:PutKeyPolicy", f"kms:{REGION}:{ACCOUNT}:key/of-another"),
]


@pytest.mark.parametrize(("action", "resource"), ADMINISTRATORS)
def test_what_makes_an_administrator_is_allowed_to_nobody(action: str, resource: str) -> None:
    """Of the people, of the role that CloudFormation has, and of what a role of the environment may ever be given."""
    for statements in (*(of(task) for task in (*tasks.PEOPLE, "CloudFormation")), BOUNDARY):
        assert not allowed(statements, action, resource, iam__PassedToService="ec2.amazonaws.com")


def test_a_role_is_made_inside_the_boundary_alone() -> None:
    boundary = places.SAYS["iam:CreateRole"]["iam:PermissionsBoundary"]
    assert boundary == Template("deployment").arn("Boundary")
    mine = ("iam:CreateRole", f"iam::{ACCOUNT}:role/crime-jobs-mine")
    assert allowed(of("CloudFormation"), *mine, iam__PermissionsBoundary=boundary)
    wide = f"arn:aws:iam::{ACCOUNT}:policy/crime-jobs-wide"
    assert not allowed(of("CloudFormation"), *mine, iam__PermissionsBoundary=wide)


def test_roles_are_given_to_the_services_that_they_are_for_alone() -> None:
    told = {
        one.sid: one.condition["StringEquals"]
        for one in of("CloudFormation")
        if "Role" in one.sid and one.condition
    }
    assert set(told["GivesRoles"]["iam:PassedToService"]) == set(making.principals())
    assert set(told["RolesOfServices"]["iam:AWSServiceName"]) == set(places.LINKED)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:GetItem", f"dynamodb:{REGION}:{ACCOUNT}:table/fir_events"),
        ("s3:GetObject", "s3:::crime-firs/history/2026/a.gz"),
        (
            "secretsmanager:GetSecretValue",
            f"secretsmanager:{REGION}:{ACCOUNT}:secret:crime-jobs/oracle-a1b2c3",
        ),
        ("kinesis:GetRecords", f"kinesis:{REGION}:{ACCOUNT}:stream/fir-stream"),
        ("sqs:ReceiveMessage", f"sqs:{REGION}:{ACCOUNT}:crime-jobs-fir-dead-letters"),
        ("rekognition:SearchFacesByImage", f"rekognition:{REGION}:{ACCOUNT}:collection/crime-jobs-missing"),
        ("logs:GetLogEvents", f"logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/a:log-stream:b"),
        ("s3:GetObject", "s3:::crime-jobs-aws-storage-lake-1/lake/a_table/part-0.parquet"),
    ],
)
def test_who_deploys_looks_or_removes_reads_no_data(action: str, resource: str) -> None:
    for task in (
        "deployer",
        "CloudFormation",
        "auditor",
        "remover",
        "scheduler",
        "DMS operator",
        "publisher",
    ):
        assert not allowed(of(task), action, resource, **places.TAGS), task


# ---- the boundary


def roles() -> set[str]:
    """Tasks that are roles of the environment: whose policies its templates give to one."""
    found = {
        f"{name}.{resource}"
        for name in resolving.names()
        if name not in making.NOT_MADE
        for resource, _ in Template(name).of("AWS::IAM::Role")
    }
    return {task for task, policies in tasks.POLICIES.items() if found & set(policies)}


def test_every_call_of_a_role_is_inside_the_boundary() -> None:
    asked = [one for one in evidence.everything() if one.task in roles()]
    assert {"job", "migration", "EMR node", "Firehose", "night's expiry"} <= {one.task for one in asked}
    beyond = {
        (one.task, one.call.action, one.call.resource)
        for one in asked
        if decide(BOUNDARY, one.call) is not Decision.ALLOWED
    }
    assert not beyond


def test_the_boundary_gives_nothing_and_is_of_one_region() -> None:
    assert not [policies for policies in tasks.POLICIES.values() if resolving.BOUNDARY in policies]
    elsewhere = {"aws:RequestedRegion": "us-east-1"}
    call = Call("s3:PutObject", "arn:aws:s3:::a-bucket/a", elsewhere)
    assert decide(BOUNDARY, call) is not Decision.ALLOWED
    assert decide(BOUNDARY, replace(call, context={})) is Decision.ALLOWED


def test_every_role_that_is_deployed_has_the_boundary() -> None:
    for stream in stacks.STREAMS:
        sent = bounded(load(stream.name), "arn:of-the-boundary")
        for name, resource in sent.resources.items():
            told = resource.get("Properties", {}).get("PermissionsBoundary")
            assert told == ("arn:of-the-boundary" if resource["Type"] == "AWS::IAM::Role" else None), name
    assert bounded(load("emr"), "") is load("emr") or bounded(load("emr"), "") == load("emr")


# ---- who removes


def test_what_is_of_another_environment_or_project_is_not_removed() -> None:
    """What has tags, by them; of the rest the name says it."""
    mine = [one.call for one in evidence.everything() if one.task == "remover" and one.recorded]
    by_tags = [call for call in mine if call.context.get("aws:ResourceTag/project")]
    lasting = [call for call in by_tags if not is_looked_at(call) and "/crime-jobs-" not in call.resource]
    assert len(lasting) > 40
    for call in lasting:
        service = call.action.partition(":")[0]
        if service in ("s3", "dynamodb", "glue", "iam", "budgets"):  # by name
            continue
        for key in places.TAGS:
            theirs = replace(call, context={**call.context, key: "of-another"})
            assert decide(of("remover"), theirs) is Decision.DENIED, call


def is_looked_at(call: Call) -> bool:
    return decide(of("auditor"), call) is Decision.ALLOWED


def test_tags_are_asked_of_what_has_some() -> None:
    """A condition on a tag of a kind that has none never holds, and what it allows is never allowed."""
    for statements in resolving.policies().values():
        for statement in statements:
            keys = {key for told in statement.condition.values() for key in told}
            if "aws:ResourceTag/project" in keys:
                for action in statement.actions:
                    kinds = [has for kind, has in reference.kinds(action) if kind in places.THINGS]
                    assert any(kinds), (statement.policy, statement.sid, action)


# ---- what CloudFormation needs


def test_what_is_not_set_is_what_a_schema_asks_for() -> None:
    said: set[str] = set()
    for kind in making.types():
        told = making.handlers(kind)
        assert bool(told) is (kind not in making.WITHOUT_HANDLERS), kind
        said.update(action.lower() for one in told.values() for action in one["permissions"])
    for words in making.NOT_SET.values():
        for word in words:
            assert any(word.lower() == one or one.startswith(f"{word.lower()}:") for one in said), word
    for actions in making.WITHOUT_HANDLERS.values():
        assert all(reference.exists(action) for action in actions)


def test_a_right_is_held_by_the_name_of_no_setting() -> None:
    """Names in the templates' patterns are those that the jobs use by default."""
    tables = [operations.WORDS[name] for name in ("stream.events_table", "faces.people_table")]
    for name in (*tables, "crime-jobs-migrations"):
        assert allowed(of("restorer"), "dynamodb:PutItem", f"dynamodb:{REGION}:{ACCOUNT}:table/{name}"), name
    assert not allowed(of("restorer"), "dynamodb:PutItem", f"dynamodb:{REGION}:{ACCOUNT}:table/of_another")
