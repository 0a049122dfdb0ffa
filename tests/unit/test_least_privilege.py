"""Every call of the code is allowed by its task's policy, and nothing is allowed that no call needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.policies import reference, resolving
from tests.policies.resolving import Statement

POLICIES = resolving.policies()


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
