"""The doctor on what only the stacks know: buckets, trail, alarms, budget, keys, topics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crime_jobs.cloud import doctor_stores
from crime_jobs.cloud.doctor import Finding, State
from crime_jobs.cloud.stacks_template import load
from tests.unit.doctor_aws import ACCOUNT, HERE, Answer, Aws, examined, one, refused, standing_in, text_of

BUCKET, KEY, TABLE = "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::DynamoDB::Table"
TOPIC = f"arn:aws:sns:{HERE}:{ACCOUNT}:alarms"
OK = {"StateValue": "OK", "ActionsEnabled": True, "AlarmActions": [TOPIC]}

Held = Sequence[tuple[str, str, str]]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aws:
    return standing_in(monkeypatch, tmp_path)


def hold(aws: Aws, **stacks: Held) -> None:
    """Let the environment's stacks hold things: name in the template, type, physical id."""

    def member(name: str) -> str:
        about = f"<StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>{datetime.now(UTC):%FT%TZ}"
        return f"<member><StackName>{name}</StackName>{about}</CreationTime></member>"

    def listed(told: dict[str, Any]) -> Answer:
        rows = "".join(
            f"<member><LogicalResourceId>{name}</LogicalResourceId><ResourceType>{kind}</ResourceType>"
            f"<PhysicalResourceId>{physical}</PhysicalResourceId>"
            "<ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
            for name, kind, physical in stacks[told["StackName"].rpartition("-")[2]]
        )
        result = f"<StackResourceSummaries>{rows}</StackResourceSummaries>"
        return 200, f"<R><ListStackResourcesResult>{result}</ListStackResourcesResult></R>"

    names = [f"crime-jobs-police-{stream}" for stream in stacks] + ["crime-jobs-other-firs", "payroll"]
    found = "".join(member(name) for name in names)
    aws.answers["DescribeStacks"] = (
        200,
        f"<R><DescribeStacksResult><Stacks>{found}</Stacks></DescribeStacksResult></R>",
    )
    aws.answers["ListStackResources"] = listed


def states(found: list[Finding]) -> dict[str, State]:
    return {finding.subject: finding.said.state for finding in found}


def bucket(aws: Aws, name: str, algorithm: str = "aws:kms", **more: str) -> None:
    """A bucket that is as it should be, but for what ``more`` answers otherwise."""
    rule = f"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm>"
    closed = "".join(
        f"<{one}>true</{one}>"
        for one in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    )
    tls = {"Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    answers = {
        "publicAccessBlock": f"<P>{closed}</P>",
        "encryption": f"<R><Rule>{rule}</ApplyServerSideEncryptionByDefault></Rule></R>",
        "versioning": "<V><Status>Enabled</Status></V>",
        "policy": json.dumps({"Statement": [tls]}),
        **more,
    }
    aws.answers[f"HEAD {name}"] = (200, "")
    for what, text in answers.items():
        aws.answers[f"GET {name}?{what}"] = (200, text)


def test_buckets_that_no_setting_names_are_looked_at_as_their_templates_want_them(aws: Aws) -> None:
    hold(
        aws,
        storage=[
            ("AccessLogs", BUCKET, "logs-1"),
            ("TrailFiles", BUCKET, "trail-1"),
            ("Lake", BUCKET, "police-lake"),
        ],
        faces=[("Files", BUCKET, "faces-1")],
    )
    bucket(aws, "logs-1", "AES256")  # S3 delivers access logs under no other key
    bucket(aws, "trail-1", "AES256")
    bucket(aws, "faces-1", policy=json.dumps({"Statement": []}))
    bucket(aws, "police-lake")
    found = states(examined("buckets"))
    assert found["logs-1 (AccessLogs of storage)"] is State.OK
    assert found["trail-1 (TrailFiles of storage)"] is State.WARNING
    assert found["faces-1 (Files of faces)"] is State.WARNING
    assert found["police-lake (lake)"] is State.OK  # once, by the setting that names it
    assert len([name for name in found if name.startswith("police-lake ")]) == 1
    examined("buckets", "keys", "trail", "alarms", "budget", "subscriptions")
    assert aws.asked.count("DescribeStacks") == 2  # once a run, however many checks
    assert aws.asked.count("ListStackResources") == 2 * 2  # and once a stack of the environment's


def test_a_bucket_that_a_stack_holds_and_is_gone_fails(aws: Aws) -> None:
    hold(aws, faces=[("Files", BUCKET, "faces-1")])
    assert states(examined("buckets"))["faces-1 (Files of faces)"] is State.FAILED


def test_where_stacks_may_not_be_read_the_settings_are_looked_at_all_the_same(aws: Aws) -> None:
    aws.answers["DescribeStacks"] = (
        403,
        "<R><Error><Code>AccessDenied</Code><Message>m</Message></Error></R>",
    )
    bucket(aws, "police-lake")
    found = examined("buckets", "trail", "alarms", "budget", "keys", "subscriptions")
    assert states(found)["police-lake (lake)"] is State.OK
    silent = [finding for finding in found if finding.subject == "what the stacks hold"]
    assert {finding.check for finding in silent} == {
        *("buckets", "trail", "alarms", "budget", "keys", "subscriptions")
    }
    assert {finding.said.state for finding in silent} == {State.NOT_CHECKED}
    assert "DescribeStacks" in text_of(silent[0].said)


def test_where_nothing_of_it_is_deployed_nothing_is_wrong(aws: Aws) -> None:
    found = examined("trail", "alarms", "budget")
    assert {finding.said.state for finding in found} == {State.NOT_CHECKED}
    assert "deploy.without" in text_of(one(found[:1]))


def selectors(*fields: list[dict[str, Any]]) -> dict[str, Any]:
    """A trail that takes management events, and these."""
    management = {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
    made = [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}, *some]} for some in fields]
    return {"AdvancedEventSelectors": [management, *made]}


def data(kind: str, **arn: list[str]) -> list[dict[str, Any]]:
    return [{"Field": "resources.type", "Equals": [kind]}, {"Field": "resources.ARN", **arn}]


FILES = data("AWS::S3::Object", StartsWith=["arn:aws:s3:::crime-jobs-police-f"])
ROWS = data("AWS::DynamoDB::Table", Equals=[f"arn:aws:dynamodb:{HERE}:{ACCOUNT}:table/fir_events"])


def trail(aws: Aws, told: dict[str, Any], **status: Any) -> Finding:
    hold(
        aws,
        storage=[("Trail", "AWS::CloudTrail::Trail", "crime-jobs-police"), ("Lake", BUCKET, "not-watched")],
        firs=[("Files", BUCKET, "crime-jobs-police-firs-1"), ("Events", TABLE, "fir_events")],
        faces=[("Files", BUCKET, "crime-jobs-police-faces-1")],
    )
    now = datetime.now(UTC).timestamp()
    answer = {"IsLogging": True, "LatestDeliveryTime": now, **status}
    aws.answers["GetTrailStatus"] = (200, json.dumps(answer))
    aws.answers["GetEventSelectors"] = (200, json.dumps(told))
    (found,) = examined("trail")
    return found


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [
        ({}, State.OK, "delivered last on"),
        ({"IsLogging": False}, State.FAILED, "writes nothing down"),
        (
            {"LatestDeliveryError": "AccessDenied"},
            State.FAILED,
            "files do not reach the bucket (AccessDenied)",
        ),
        ({"LatestDigestDeliveryError": "NoSuchBucket"}, State.FAILED, "digests do not reach"),
        (
            {"LatestDeliveryTime": 1_700_000_000},
            State.WARNING,
            "delivered nothing since 2023-11-14 22:13 UTC",
        ),
        ({"LatestDeliveryTime": None}, State.WARNING, "delivered nothing yet"),
    ],
)
def test_a_trail_that_is_off_or_does_not_arrive(
    aws: Aws, status: dict[str, Any], state: State, says: str
) -> None:
    found = trail(aws, selectors(FILES, ROWS), **status)
    assert found.said.state is state
    assert says in text_of(found.said)


@pytest.mark.parametrize(
    ("told", "lacks"),
    [
        (selectors(FILES, ROWS), ""),
        (selectors(FILES), "table fir_events"),
        (
            selectors(data("AWS::S3::Object", StartsWith=["arn:aws:s3:::crime-jobs-police-firs-"]), ROWS),
            "faces-1",
        ),
        # One object's name is no bucket; and reads alone, or the files of but one officer, are not all.
        (
            selectors(data("AWS::S3::Object", Equals=["arn:aws:s3:::crime-jobs-police-firs-1/"]), ROWS),
            "firs-1",
        ),
        (selectors([*FILES, {"Field": "readOnly", "Equals": ["true"]}], ROWS), "firs-1"),
        (selectors(data("AWS::S3::Object", NotStartsWith=["arn:aws:s3:::x"]), ROWS), "firs-1"),
        (
            {"AdvancedEventSelectors": selectors(FILES, ROWS)["AdvancedEventSelectors"][1:]},
            "who changes roles",
        ),
        (
            {
                "EventSelectors": [
                    {
                        "ReadWriteType": "All",
                        "IncludeManagementEvents": True,
                        "DataResources": [
                            {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]},
                            {"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb"]},
                        ],
                    }
                ]
            },
            "",
        ),
        ({"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]}, "firs-1"),
    ],
)
def test_what_a_trail_must_write_down(aws: Aws, told: dict[str, Any], lacks: str) -> None:
    said = trail(aws, told).said
    assert said.state is (State.FAILED if lacks else State.OK), said.remarks
    assert lacks in text_of(said)
    assert "not-watched" not in text_of(said)


def test_the_templates_own_trail_is_what_is_asked_for() -> None:
    """The names are those that deploy gives; the doctor must not call its own template wrong."""
    from crime_jobs.cloud import doctor_watch
    from tests.policies import resolving

    template = resolving.Template("storage")
    told = template.value(template.resources["Trail"]["Properties"]["AdvancedEventSelectors"])
    events = [
        ("AWS::S3::Object", f"arn:aws:s3:::crime-jobs-aws-{stream}-{ACCOUNT}/")
        for stream in ("firs", "faces")
    ]
    events += [
        ("AWS::DynamoDB::Table", f"arn:aws:dynamodb:{HERE}:{ACCOUNT}:table/{name}")
        for name in ("fir_events", "fir_identities", "face_people", "face_audit")
    ]
    for kind, arn in events:
        event = {"eventCategory": "Data", "resources.type": kind, "resources.ARN": arn}
        assert any(doctor_watch._takes(one, event) for one in told), arn


def alarmed(aws: Aws, **alarms: dict[str, Any]) -> dict[str, Finding]:
    hold(aws, monitoring=[(name, "AWS::CloudWatch::Alarm", f"crime-jobs-police-{name}") for name in alarms])
    told = [{"AlarmName": f"crime-jobs-police-{name}", **about} for name, about in alarms.items() if about]
    aws.answers["DescribeAlarms"] = (200, json.dumps({"MetricAlarms": told}))
    return {finding.subject.rpartition("-")[2]: finding for finding in examined("alarms")}


def test_alarms_that_are_off_tell_nobody_or_measure_nothing(aws: Aws) -> None:
    ago = {
        name: (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
        for name, hours in (("d", 30), ("h", 2))
    }
    found = alarmed(
        aws,
        Good=OK,
        Off=OK | {"ActionsEnabled": False},
        Mute=OK | {"AlarmActions": []},
        Gone={},
        Blind=OK | {"StateValue": "INSUFFICIENT_DATA", "StateUpdatedTimestamp": ago["d"]},
        New=OK | {"StateValue": "INSUFFICIENT_DATA", "StateUpdatedTimestamp": ago["h"]},
        Rings=OK | {"StateValue": "ALARM", "StateUpdatedTimestamp": ago["h"]},
    )
    assert {name: finding.said.state for name, finding in found.items()} == {
        "Good": State.OK,
        "Off": State.FAILED,
        "Mute": State.FAILED,
        "Gone": State.FAILED,
        "Blind": State.WARNING,
        "New": State.OK,
        "Rings": State.WARNING,
    }
    assert "enable-alarm-actions --alarm-names crime-jobs-police-Off" in found["Off"].said.do[0]
    assert "runbook.md, Rings" in found["Rings"].said.do[0]
    assert aws.asked.count("DescribeAlarms") == 1


def budgeted(aws: Aws, spent: str, subscribers: Iterator[int]) -> Finding:
    hold(aws, monitoring=[("MonthlyCost", "AWS::Budgets::Budget", "crime-jobs-police-MonthlyCost")])
    amount = {"BudgetLimit": {"Amount": "500", "Unit": "USD"}}
    budget = {
        "BudgetName": "b",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "CalculatedSpend": {"ActualSpend": {"Amount": spent, "Unit": "USD"}},
    }
    aws.answers["DescribeBudget"] = (200, json.dumps({"Budget": budget | amount}))
    notice = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
    notices = [notice | {"NotificationState": "OK"}, notice | {"Threshold": 100}]
    aws.answers["DescribeNotificationsForBudget"] = (200, json.dumps({"Notifications": notices}))

    def heard(told: dict[str, Any]) -> Answer:
        assert "NotificationState" not in told["Notification"]
        some = [{"SubscriptionType": "SNS", "Address": TOPIC}] * next(subscribers)
        return 200, json.dumps({"Subscribers": some})

    aws.answers["DescribeSubscribersForNotification"] = heard
    (found,) = examined("budget")
    return found


def test_a_budget_that_nobody_hears_of_is_none(aws: Aws) -> None:
    found = budgeted(aws, "12.5", iter([0, 1]))
    assert (found.said.state, text_of(found.said)) == (State.OK, "12 of 500 USD; 1 hear of it")
    assert budgeted(aws, "12.5", iter([0, 0])).said.state is State.FAILED
    assert budgeted(aws, "501", iter([1, 1])).said.state is State.WARNING
    aws.answers["DescribeBudget"] = refused("NotFoundException")
    (gone,) = examined("budget")
    assert (gone.said.state, text_of(gone.said)) == (State.FAILED, "it is not there")
    aws.answers["DescribeBudget"] = (501, '{"__type": "InternalFailure", "message": "m"}')
    (absent,) = examined("budget")
    assert absent.said.state is State.NOT_CHECKED


def test_every_key_of_the_stacks_is_looked_at_and_none_twice(aws: Aws) -> None:
    hold(
        aws,
        storage=[("Key", KEY, "k-storage"), ("KeyAlias", "AWS::KMS::Alias", "alias/crime-jobs-police-data")],
        firs=[("Key", KEY, "k-firs"), ("KeyAlias", "AWS::KMS::Alias", "alias/crime-jobs-fir")],
    )
    asked: list[str] = []

    def described(told: dict[str, Any]) -> Answer:
        asked.append(told["KeyId"])
        key = {"KeyId": told["KeyId"], "KeyState": "Enabled"}
        return 200, json.dumps({"KeyMetadata": key})

    aws.answers["DescribeKey"] = described
    aws.answers["GetKeyRotationStatus"] = lambda told: (
        200,
        json.dumps({"KeyRotationEnabled": told["KeyId"] != "k-storage"}),
    )
    found = states(examined("keys"))
    assert found["Key of storage"] is State.WARNING
    assert found["alias/crime-jobs-fir"] is State.OK
    assert sorted(asked) == ["alias/crime-jobs-faces", "alias/crime-jobs-fir", "k-storage"]


def test_a_topic_of_alarms_that_no_setting_names_must_be_heard(aws: Aws) -> None:
    hold(aws, notifications=[("Topic", "AWS::SNS::Topic", TOPIC)])
    told = "<GetTopicAttributesResult><Attributes/></GetTopicAttributesResult>"
    aws.answers["GetTopicAttributes"] = (200, f"<R>{told}</R>")
    told = "<ListSubscriptionsByTopicResult><Subscriptions/></ListSubscriptionsByTopicResult>"
    aws.answers["ListSubscriptionsByTopic"] = (200, f"<R>{told}</R>")
    said = one(examined("subscriptions"), "alarms")
    assert said.state is State.WARNING
    assert "nobody hears it" in text_of(said)


def test_the_tables_that_must_be_protected_are_those_that_the_templates_protect() -> None:
    """By the setting that each output is."""
    found = set()
    for stream in ("firs", "faces"):
        template = load(stream)
        settings = {
            output["Value"]["Ref"]: output["Description"].partition(": ")[2]
            for output in template.outputs.values()
            if output["Description"].startswith(("stream: ", "faces: ")) and "Ref" in output["Value"]
        }
        found |= {
            settings[name]
            for name, resource in template.resources.items()
            if resource["Properties"].get("DeletionProtectionEnabled") is True
        }
    assert found == doctor_stores.PROTECTED
