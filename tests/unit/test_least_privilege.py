"""Every call of the code is allowed by its task's policy, and nothing is allowed that no call needs."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.session import get_session

from tests.policies import evidence, operations, reference, resolving, tasks
from tests.policies.evaluator import Call, Decision, applies, decide, like, without
from tests.policies.resolving import ACCOUNT, REGION, Statement

POLICIES = resolving.policies()
EVIDENCE = evidence.everything()
BY_TASK = {task: [one for one in EVIDENCE if one.task == task] for task in tasks.POLICIES}


def every() -> Iterator[Statement]:
    for statements in POLICIES.values():
        yield from statements


def named(statement: Statement) -> list[str]:
    """The actions of a statement; of a pattern those that it stands for."""
    return [name for action in statement.actions for name in reference.standing_for(action)]


def test_actions_are_aws_s_own_and_named() -> None:
    # ReEncrypt's two halves go together, and AWS's pages write them so.
    patterns = {action for statement in every() for action in statement.actions if "*" in action}
    assert patterns <= {"kms:ReEncrypt*"}
    for statement in every():
        assert named(statement), statement
        assert all(reference.exists(action) for action in named(statement)), statement


def test_no_statement_is_about_everything_where_iam_knows_resources() -> None:
    for statement in every():
        if "*" in statement.resources:
            wider = [action for action in named(statement) if reference.formats(action)]
            assert not wider, (statement.policy, statement.sid, wider)


def test_each_action_can_be_done_to_what_its_statement_names() -> None:
    """An action on a resource of another kind is never allowed: IAM asks about the one that the action has."""
    for statement in every():
        for action in named(statement):
            assert any(reference.may_be(action, one) for one in statement.resources), (statement.sid, action)
        for resource in statement.resources:
            assert any(reference.may_be(one, resource) for one in named(statement)), (statement.sid, resource)


def test_conditions_are_on_what_the_requests_say() -> None:
    """A key that a request never has makes a statement that never holds."""
    for statement in every():
        for key in (key for keys in statement.condition.values() for key in keys):
            if key.lower().startswith("aws:"):
                continue
            for action in named(statement):
                assert reference.has_key(action, key), (statement.policy, statement.sid, action, key)


@pytest.mark.parametrize(
    ("action", "resource", "can"),
    [
        ("s3:GetObject", "arn:aws:s3:::a-bucket/a/*", True),
        ("s3:GetObject", "arn:aws:s3:::a-bucket", False),
        ("s3:ListBucket", "arn:aws:s3:::a-bucket", True),
        ("s3:ListBucket", "arn:aws:s3:::a-bucket/*", False),
        ("elasticmapreduce:RunJobFlow", "arn:aws:elasticmapreduce:ap-south-1:123456789012:cluster/*", False),
        ("elasticmapreduce:RunJobFlow", "*", True),
        ("emr-serverless:GetJobRun", "arn:aws:emr-serverless:ap-south-1:123456789012:/applications/*", True),
        ("dynamodb:PutItem", "arn:aws:sqs:ap-south-1:123456789012:a-queue", False),
    ],
)
def test_the_reference_knows_what_an_action_is_done_to(action: str, resource: str, can: bool) -> None:
    assert reference.may_be(action, resource) is can


# ---- every call is allowed


def statements_of(task: str) -> list[Statement]:
    return [statement for policy in tasks.POLICIES[task] for statement in POLICIES[policy]]


def test_each_policy_is_of_a_task_and_each_task_has_its_policies() -> None:
    held = {policy for policies in tasks.POLICIES.values() for policy in policies}
    assert held == POLICIES.keys()
    assert {one.task for one in EVIDENCE} <= tasks.POLICIES.keys()


@pytest.mark.parametrize("task", tasks.POLICIES)
def test_every_call_of_a_task_is_allowed(task: str) -> None:
    asked = [one for one in EVIDENCE if one.task == task]
    assert asked, "nothing is known of what it calls"
    denied = {
        (one.call.action, one.call.resource, one.known_by)
        for one in asked
        if decide(statements_of(task), one.call) is not Decision.ALLOWED
    }
    assert not denied


def test_the_calls_that_were_recorded_are_of_the_code_as_it_is() -> None:
    """What is in the file exists: its operations, and the settings that names stand for."""
    session = get_session()
    for said in json.loads(evidence.RECORDED.read_text()):
        assert said["operation"] in session.get_service_model(said["service"]).operation_names
        for values in said["names"].values():
            for value in values:
                operations.word(value)


def test_nothing_that_was_recorded_tells_of_anybody() -> None:
    """Names of resources are kept, no content: nothing is as long, and no file, FIR or person has a name there."""
    text = evidence.RECORDED.read_text()
    assert not re.search(r"CANARY|Sita|IN-[A-Z]{2}/|\.jpe?g|\.csv|@", text)
    assert max(len(value) for value in re.findall(r'"([^"]*)"', text)) < 90


# ---- and nothing else is


def by_action(policy: str) -> dict[str, list[Call]]:
    """Calls of the tasks that have a policy, by action."""
    found: dict[str, list[Call]] = {}
    for task, policies in tasks.POLICIES.items():
        for one in BY_TASK[task] if policy in policies else ():
            found.setdefault(one.call.action, []).append(one.call)
    return found


def pairs() -> Iterator[tuple[str, Statement, str, str]]:
    """Each thing that is allowed: by which policy, in which statement, which action on which resource."""
    for policy, statements in POLICIES.items():
        for statement in (one for one in statements if one.effect == "Allow"):
            for action in statement.actions:
                for resource in statement.resources:
                    yield policy, statement, action, resource


def test_nothing_is_allowed_that_no_call_needs() -> None:
    """Take an action on a resource out of a policy: a call of a task that has the policy is denied then.

    Of Glue a statement lists what a call needs together, a table with its database and the catalog: there each
    action and each resource is looked at alone.
    """
    unneeded = []
    calls = {policy: by_action(policy) for policy in POLICIES}
    for policy, statement, action, resource in pairs():
        if not any(reference.may_be(one, resource) for one in reference.standing_for(action)):
            continue
        glue = action.startswith("glue:")
        names = [
            name for one in (statement.actions if glue else [action]) for name in reference.standing_for(one)
        ]
        asked = [call for name in names for call in calls[policy].get(name, ())]
        taken = [
            replace(statement, actions=(action,), resources=statement.resources if glue else (resource,)),
            *([replace(statement, resources=(resource,))] if glue else []),
        ]
        if not all(any(applies(one, call) for call in asked) for one in taken):
            unneeded.append((policy, statement.sid, action, resource))
    assert not unneeded


@pytest.mark.parametrize("policy", POLICIES)
def test_without_any_of_its_statements_a_call_is_denied(policy: str) -> None:
    for statement in POLICIES[policy]:
        if statement.effect == "Deny":
            continue
        for action in statement.actions:
            denied = [
                one
                for task, policies in tasks.POLICIES.items()
                if policy in policies
                for one in BY_TASK[task]
                if like(action.lower(), one.call.action.lower())
                and decide(without(statements_of(task), statement, action), one.call) is not Decision.ALLOWED
            ]
            assert denied, (statement.sid, action)


def test_what_others_call_is_not_what_a_test_has_recorded() -> None:
    """An entry of others.toml that the tests' own calls make superfluous has to go."""
    recorded = {(one.task, one.call.action, one.call.resource) for one in evidence.recorded()}
    for said in tomllib.loads(evidence.OTHERS.read_text())["call"]:
        for call in evidence.told(said):
            assert (said["task"], call.action, call.resource) not in recorded, said["who"]


def test_what_others_call_says_on_whose_word() -> None:
    for said in tomllib.loads(evidence.OTHERS.read_text())["call"]:
        assert said.keys() - {"context"} == {"task", "who", "source", "actions", "resources"}
        assert said["source"].startswith(("https://docs.aws.amazon.com/", "https://nightlies.apache.org/"))
        for action in said["actions"]:
            assert reference.exists(action), action


# ---- nobody does another's work

#: Things of each room that only those who are named may touch.
OTHERS_DOORS = [
    ("dynamodb:GetItem", "table/fir_identities", set()),
    ("dynamodb:Query", "table/fir_identities", set()),
    ("dynamodb:Scan", "table/fir_identities", set()),
    ("dynamodb:DeleteItem", "table/fir_events", set()),
    ("dynamodb:DeleteItem", "table/face_audit", set()),
    ("dynamodb:UpdateItem", "table/face_audit", set()),
    ("dynamodb:DeleteTable", "table/fir_events", {"CloudFormation", "remover"}),
    ("sqs:PurgeQueue", "crime-jobs-fir-dead-letters", set()),
    ("kinesis:DeleteStream", "stream/fir-stream", {"CloudFormation"}),
    ("kms:ScheduleKeyDeletion", "key/firs-Key", set()),
    ("kms:DisableKey", "key/faces-Key", set()),
    ("secretsmanager:GetSecretValue", "secret:crime-jobs/oracle-a1b2c3", {"migration", "DMS, its secret"}),
    ("sqs:DeleteMessage", "crime-jobs-fir-dead-letters", {"replay"}),
]


@pytest.mark.parametrize(("action", "thing", "may"), OTHERS_DOORS)
def test_doors_that_are_shut(action: str, thing: str, may: set[str]) -> None:
    call = Call(action, operations.arn(action.partition(":")[0], thing), {"kms:ViaService": ""})
    found = {task for task in tasks.POLICIES if decide(statements_of(task), call) is Decision.ALLOWED}
    assert found == may


#: Policies that are of every region: all that they allow is to look.
EVERYWHERE = ("access.Auditor", "access.AuditorLooks")


def test_what_is_allowed_in_every_region_only_reads() -> None:
    reads = re.compile(r"(Describe|Get|List|View)[A-Z]|Decrypt$")
    for policy in EVERYWHERE:
        for statement in POLICIES[policy]:
            for action in statement.actions:
                assert reads.match(action.partition(":")[2]), action


def test_a_task_is_denied_what_is_of_another_region_or_account() -> None:
    """ARNs say both, but those of S3 and IAM: the same name elsewhere is another's.

    The auditor's say no region: an inventory looks into all.
    """
    for one in EVIDENCE:
        elsewhere = one.call.resource.replace(f":{REGION}:", ":us-east-1:")
        looks = any(applies(statement, one.call) for policy in EVERYWHERE for statement in POLICIES[policy])
        for theirs in (
            one.call.resource if looks else elsewhere,
            one.call.resource.replace(f":{ACCOUNT}:", ":999999999999:"),
        ):
            if theirs != one.call.resource:
                call = replace(one.call, resource=theirs)
                assert decide(statements_of(one.task), call) is Decision.DENIED, one
