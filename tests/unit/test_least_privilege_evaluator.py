"""The evaluator decides as IAM's pages say, and the recorder keeps names and no contents."""

from __future__ import annotations

import importlib
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs import aws
from tests.conftest import ROOT, make_settings
from tests.policies import evidence, operations, tasks
from tests.policies.evaluator import Call, Decision, NotUnderstoodError, about, decide, like, without
from tests.policies.resolving import ACCOUNT, REGION, Statement

recorder = importlib.import_module("calls_recorder")  # which tests/conftest.py has put on the path

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/fir_events"


def statement(
    *actions: str, on: str = "*", effect: str = "Allow", condition: dict[str, Any] | None = None
) -> Statement:
    return Statement("a.Policy", "One", effect, actions, (on,), condition or {})


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("arn:aws:s3:::a-bucket/*", "arn:aws:s3:::a-bucket/a/b:c", True),
        ("arn:aws:s3:::a-bucket/*", "arn:aws:s3:::a-bucket", False),
        (
            "arn:aws:s3:::a-bucket*",
            "arn:aws:s3:::a-bucket-of-others/a",
            True,
        ),  # which is why nobody writes so
        ("arn:aws:s3:::*/history/?", "arn:aws:s3:::a-bucket/history/1", True),
        ("arn:aws:sqs:*:123456789012:a-queue", "arn:aws:sqs:ap-south-1:123456789012:a-queue", True),
        # A wildcard stays in its part of the ARN.
        ("arn:aws:sqs:*:a-queue", "arn:aws:sqs:ap-south-1:123456789012:a-queue", False),
        ("arn:aws:*:a-queue", "arn:aws:sqs:ap-south-1:123456789012:a-queue", False),
        ("*", "arn:aws:s3:::a-bucket", True),
        ("arn:aws:s3:::a-bucket", "*", False),
    ],
)
def test_a_pattern_matches_as_iam_says(pattern: str, resource: str, matches: bool) -> None:
    assert about(pattern, resource) is matches


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"kms:ViaService": ["a", "b"]}}, {"kms:ViaService": "b"}, True),
        (
            {"StringEquals": {"kms:ViaService": "a"}},
            {"KMS:viaservice": "a"},
            True,
        ),  # keys have no case, values do
        ({"StringEquals": {"kms:ViaService": "a"}}, {"kms:ViaService": "A"}, False),
        ({"StringEquals": {"kms:ViaService": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"kms:ViaService": "a"}}, {}, True),
        ({"StringNotEquals": {"kms:ViaService": "a"}}, {}, True),
        ({"StringNotEquals": {"kms:ViaService": ["a", "b"]}}, {"kms:ViaService": "b"}, False),
        ({"StringLike": {"s3:prefix": "history/*"}}, {"s3:prefix": "history/2026"}, True),
        ({"StringLike": {"s3:prefix": "history/*"}}, {"s3:prefix": "history"}, False),
        ({"Bool": {"kms:GrantIsForAWSResource": "true"}}, {"kms:GrantIsForAWSResource": "true"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {}, False),  # which every request says
        ({"Null": {"kms:ViaService": "true"}}, {}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ("a",)}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ("a", "c")}, False),
        ({"StringEquals": {"a:b": "${aws:userid}"}}, {"a:b": "AROAEXAMPLE:task"}, True),
        # All operators and all keys have to hold.
        ({"StringEquals": {"a:b": "1", "a:c": "2"}}, {"a:b": "1"}, False),
    ],
)
def test_a_condition_holds_as_iam_says(
    condition: dict[str, Any], context: dict[str, Any], holds: bool
) -> None:
    found = decide([statement("kms:Decrypt", condition=condition)], Call("kms:Decrypt", "*", context))
    assert (found is Decision.ALLOWED) is holds


@pytest.mark.parametrize(
    "condition", [{"NumericLessThan": {"a:b": "1"}}, {"StringEquals": {"a:b": "${aws:username}"}}]
)
def test_what_is_not_known_is_not_guessed(condition: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstoodError):
        decide([statement("kms:Decrypt", condition=condition)], Call("kms:Decrypt", "*", {"a:b": "0"}))


names = st.text("abz*?", min_size=1, max_size=6)


@given(
    st.lists(st.builds(statement, names.map("s3:{}".format), effect=st.sampled_from(["Allow", "Deny"]))),
    names,
)
def test_a_deny_wins_and_nothing_is_allowed_by_itself(statements: list[Statement], name: str) -> None:
    call = Call(f"s3:{name.replace('*', 'x').replace('?', 'x')}", "*")
    found = decide(statements, call)
    matching = [one for one in statements if like(one.actions[0], call.action)]
    if any(one.effect == "Deny" for one in matching):
        assert found is Decision.FORBIDDEN
    else:
        assert (found is Decision.ALLOWED) is bool(matching)
    for one in statements:  # less is allowed, or more is forbidden, never the other way round
        if one.effect == "Allow":
            assert decide(without(statements, one, one.actions[0]), call) in (found, Decision.DENIED)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            ("dynamodb", "TransactWriteItems", {"TransactItems.Put.TableName": ["{stream.events_table}"]}),
            {("dynamodb:PutItem", "table/fir_events"), ("kms:Decrypt", "key/firs-Key")},
        ),
        (
            ("s3", "UploadPart", {"object": ["{stream.history}/~"]}),
            {
                ("s3:PutObject", "crime-firs/history/~"),
                ("kms:GenerateDataKey", "key/firs-Key"),
                ("kms:Decrypt", "key/firs-Key"),
            },
        ),
        (
            ("redshift-data", "ExecuteStatement", {"WorkgroupName": ["{stream.redshift_workgroup}"]}),
            {
                ("redshift-data:ExecuteStatement", "workgroup/crime-jobs"),
                ("redshift-serverless:GetCredentials", "workgroup/crime-jobs"),
            },
        ),
        (("sts", "GetCallerIdentity", {}), set()),
    ],
)
def test_an_operation_asks_for_what_aws_says(
    operation: tuple[str, str, dict[str, list[str]]], expected: set[tuple[str, str]]
) -> None:
    found = operations.calls(*operation)
    assert {(call.action, call.resource.split(":", 5)[5]) for call in found} == expected


# ---- the recorder


@pytest.fixture
def client(tmp_path: Path) -> Any:
    """A DynamoDB client that is recorded and reaches nobody."""
    settings = make_settings("nowhere", "s3://a-lake/lake").model_copy(
        update={"region": "us-east-1", "stream": {"events_table": "events_of_a_test"}}
    )

    def make(service: str, *_: Any, **__: Any) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            endpoint_url="http://127.0.0.1:9",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
        )

    module = SimpleNamespace(client=make)
    recorder.Recorder(tmp_path).watch(module)
    return module.client("dynamodb", settings)


def told(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


def test_names_of_resources_are_kept_as_settings_and_contents_are_not(client: Any, tmp_path: Path) -> None:
    with pytest.raises((BotoCoreError, ClientError)):
        client.put_item(
            TableName="events_of_a_test",
            Item={"fir_key": {"S": "CANARY"}, "TableName": {"S": "CANARY"}},
            ConditionExpression="CANARY",
        )
    (call,) = told(tmp_path)
    assert call["names"] == {"TableName": ["{stream.events_table}"]}
    assert "CANARY" not in json.dumps(call)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.text("CANRY", min_size=6))
def test_of_no_item_anything_is_kept(item: dict[str, str], mark: str) -> None:
    names = recorder.Names(SimpleNamespace())
    whole = {name: {"S": value + mark} for name, value in item.items()} | {mark: {"S": mark}}
    asked = {
        "TableName": "t",
        "Item": whole,
        "Key": whole,
        "Message": mark,
        "MessageBody": mark,
        "Image": {"Bytes": mark.encode()},
        "Records": [{"Data": mark.encode(), "PartitionKey": mark}],
        "TransactItems": [{"Put": {"TableName": "t", "Item": whole}}],
        "RequestItems": {"t": [{"PutRequest": {"Item": whole}}]},
    }
    assert mark not in json.dumps(names.of(asked))


def test_of_an_object_its_folder_is_kept_and_its_name_is_not() -> None:
    names = recorder.Names(SimpleNamespace(lake="s3://a-lake/lake"))
    found = names.of({"Bucket": "a-lake", "Key": "lake/watch/Sita Devi.jpg"})
    assert found == {"object": ["{lake}/watch/~"]}


def test_a_thread_is_of_who_started_it() -> None:
    """A call in a thread is the task's that started it."""
    seen = []
    thread = threading.Thread(target=lambda: seen.append(recorder._inherited()))
    thread.start()
    thread.join()
    assert seen == [recorder._stack(None)]  # of a test nobody's
    assert aws.client.__qualname__.startswith("Recorder.watch")


@pytest.mark.parametrize(
    ("via", "made", "whose"),
    [
        (["crime_jobs.stream.replay:replay", "crime_jobs.stream.sink:write"], [], "replay"),
        (["crime_jobs.stream.sink:write"], ["crime_jobs.stream.replay:replay_all"], "consumer"),
        (["crime_jobs.executors:client"], ["crime_jobs.migrate.load:run"], "migration"),
        (["crime_jobs.stream.deadletters:open_letters"], [], "consumer"),
        (["crime_jobs.stream.deadletters:open"], [], "replay"),
        (["crime_jobs.sealing:seal"], [], None),
    ],
)
def test_a_call_is_of_the_task_that_led_to_it(via: list[str], made: list[str], whose: str | None) -> None:
    assert tasks.task(via, made) == whose


def test_a_run_that_calls_what_no_policy_allows_says_so(tmp_path: Path) -> None:
    from tests.policies import recording

    call = {
        "service": "dynamodb",
        "operation": "Scan",
        "names": {"TableName": ["{stream.identities_table}"]},
        "via": ["crime_jobs.stream.watch:look"],
        "made": [],
    }
    (tmp_path / "1.jsonl").write_text(json.dumps(call) + "\n")
    denied, new = recording.compare(tmp_path)
    assert len(denied) == 1
    assert "dynamodb:Scan" in denied[0]
    assert new == []
    allowed = call | {
        "operation": "Query",
        "names": {"TableName": ["{stream.alerts_table}"], "IndexName": ["listing"]},
    }
    (tmp_path / "1.jsonl").write_text(json.dumps(allowed) + "\n")
    assert recording.compare(tmp_path)[0] == []


def test_what_is_recorded_is_written_in_one_way() -> None:
    calls = json.loads(evidence.RECORDED.read_text())
    assert evidence.written(calls) == evidence.RECORDED.read_text()
    assert evidence.RECORDED.is_relative_to(ROOT)
