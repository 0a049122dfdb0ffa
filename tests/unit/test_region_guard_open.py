"""What the guard of the region lets through, what it makes of what it reads, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs import aws, guard, parameters, region
from crime_jobs.errors import CrimeJobsError, Elsewhere, WrongUsage
from tests.unit.wire import ACCOUNT, CANARY, HERE, THERE, Answer, Wire, in_region, names_both, wire

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

__all__ = ["wire"]


# What is not held: data, reading elsewhere, services with one endpoint.


def test_data_may_say_what_it_likes(wire: Wire) -> None:
    arn = f"arn:aws:s3:{THERE}:{ACCOUNT}:x https://kinesis.{THERE}.amazonaws.com"
    here = in_region()
    aws.client("kinesis", here).put_records(
        StreamName="s", Records=[{"Data": arn.encode(), "PartitionKey": arn[:200]}]
    )
    aws.client("dynamodb", here).put_item(
        TableName="t", Item={"k": {"S": arn}, "m": {"M": {"a": {"S": arn}}}}
    )
    aws.client("sqs", here).send_message(
        QueueUrl=f"https://sqs.{HERE}.amazonaws.com/{ACCOUNT}/q", MessageBody=arn
    )
    aws.client("sns", here).publish(TopicArn=f"arn:aws:sns:{HERE}:{ACCOUNT}:t", Message=arn, Subject="s")
    aws.client("secretsmanager", here).put_secret_value(SecretId="s", SecretString=arn)
    assert len(wire.sent) == 5


def test_a_bucket_that_can_not_be_asked_for_holds_a_call_up_once(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: AWSPreparedRequest) -> Answer:
        if request.method == "HEAD":
            raise ConnectTimeoutError(endpoint_url=request.url)
        return 200, {}, b"{}"

    wire.answer = answer
    monkeypatch.setattr(time, "sleep", lambda _: None)
    athena = aws.client("athena", in_region())
    ask = {"QueryString": "UNLOAD (select 1) TO 's3://records/'", "WorkGroup": "w"}
    athena.start_query_execution(**ask)
    heads = [sent for sent in wire.sent if sent.startswith("HEAD")]
    assert heads
    athena.start_query_execution(**ask)
    assert [sent for sent in wire.sent if sent.startswith("HEAD")] == heads
    monkeypatch.setattr(guard, "_ASK_AGAIN", 0.0)
    athena.start_query_execution(**ask)
    assert len([sent for sent in wire.sent if sent.startswith("HEAD")]) > len(heads)


def test_examples_in_a_template_are_not_asked_for_and_its_parameters_are(wire: Wire) -> None:
    wire.answer = lambda request: (
        (301, {"x-amz-bucket-region": THERE}, b"")
        if request.method == "HEAD"
        else (200, {}, b"<Said><CreateStackResult/></Said>")
    )
    formation = aws.client("cloudformation", in_region())
    formation.create_stack(StackName="s", TemplateBody='{"Default": "s3://example/entry.py"}')
    assert len(wire.sent) == 1
    with pytest.raises(Elsewhere):
        formation.create_stack(
            StackName="s", Parameters=[{"ParameterKey": "Entry", "ParameterValue": "s3://records/entry.py"}]
        )


@pytest.mark.parametrize("text", ["s3://records-*/x", "s3://records-${part}/x", "s3://records-{}/x"])
def test_what_is_no_whole_name_of_a_bucket_is_not_asked_for(wire: Wire, text: str) -> None:
    aws.client("athena", in_region()).start_query_execution(QueryString=f"select '{text}'", WorkGroup="w")
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"https://s3.{THERE}.amazonaws.com/x",
        f"arn:aws:sns:{THERE}:{ACCOUNT}:t",
        "arn:aws:iam::999999999999:role/r",
    ],
)
def test_what_a_question_compares_with_may_say_what_it_likes(wire: Wire, text: str) -> None:
    here = in_region(account=ACCOUNT)
    aws.client("athena", here).start_query_execution(
        QueryString=f"select * from t where a = '{text}'", WorkGroup="w"
    )
    aws.client("redshift-data", here).execute_statement(Sql=f"select '{text}'", Database="d")
    assert len(wire.sent) == 2


def test_elsewhere_is_read_and_not_changed(wire: Wire) -> None:
    there = aws.client("kinesis", in_region(), elsewhere=THERE)
    there.describe_stream_summary(StreamARN=f"arn:aws:kinesis:{THERE}:{ACCOUNT}:stream/s")
    assert THERE in wire.sent[0]
    with pytest.raises(WrongUsage) as refused:
        there.delete_stream(StreamName="s")
    assert names_both(refused.value)
    with pytest.raises(Elsewhere):  # it is held to the region that it was made for
        there.describe_stream_summary(StreamARN=f"arn:aws:kinesis:us-west-2:{ACCOUNT}:stream/s")
    assert len(wire.sent) == 1
    aws.client("kinesis", in_region(), elsewhere=THERE, writes=True).delete_stream(StreamName="s")
    assert len(wire.sent) == 2


@pytest.mark.parametrize(
    ("service", "call", "region_name", "host"),
    [
        ("iam", "list_roles", HERE, "iam.amazonaws.com"),
        ("route53", "list_hosted_zones", HERE, "route53.amazonaws.com"),
        ("cloudfront", "list_distributions", HERE, "cloudfront.amazonaws.com"),
        ("organizations", "list_accounts", HERE, "organizations.us-east-1.amazonaws.com"),
        ("pricing", "describe_services", THERE, "api.pricing.us-east-1.amazonaws.com"),
        ("pricing", "describe_services", HERE, f"api.pricing.{HERE}.amazonaws.com"),
        ("sts", "get_caller_identity", HERE, f"sts.{HERE}.amazonaws.com"),
        ("kinesis", "list_streams", "cn-north-1", "kinesis.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_services_with_one_endpoint_are_called_there(
    wire: Wire, service: str, call: str, region_name: str, host: str
) -> None:
    wire.answer = lambda _: (500, {}, b"")  # what comes back does not matter
    with pytest.raises(Exception, match="500|Internal|parse|operation"):
        getattr(aws.client(service, in_region(region_name), attempts=1), call)()
    assert f"//{host}/" in wire.sent[0]


def test_global_services_are_those_that_botocore_knows() -> None:
    data = botocore.session.get_session().get_data("endpoints")
    services = next(p for p in data["partitions"] if p["partition"] == "aws")["services"]
    known = {
        name: about["endpoints"][about["partitionEndpoint"]].get("credentialScope", {}).get("region")
        for name, about in services.items()
        if "partitionEndpoint" in about and name not in ("s3", "sts")  # these are called where one is
    }
    unknown = {name for name, at in known.items() if region.GLOBAL.get(name) != at}
    assert unknown <= {"codecatalyst", "importexport", "mturk-requester", "notifications-contacts", "tax"}
    assert {"iam", "route53", "cloudfront", "budgets", "ce", "organizations"} <= known.keys()


def test_another_account_is_refused_where_the_settings_name_one(wire: Wire) -> None:
    other = "arn:aws:iam::999999999999:role/r"
    held = aws.client("stepfunctions", in_region(account=ACCOUNT))
    with pytest.raises(WrongUsage, match=f"999999999999.*{ACCOUNT}"):
        held.create_state_machine(name="n", definition="{}", roleArn=other)
    assert wire.sent == []
    aws.client("stepfunctions", in_region()).create_state_machine(name="n", definition="{}", roleArn=other)
    assert len(wire.sent) == 1


# What is read: hosts, texts, shapes.


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("kinesis.ap-south-1.amazonaws.com", HERE),
        ("kinesis-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.ddb.ap-south-1.amazonaws.com", HERE),
        ("bucket.s3.ap-south-1.amazonaws.com", HERE),
        ("eu-west-1.s3.ap-south-1.amazonaws.com", HERE),  # a bucket called so
        ("bucket.s3-eu-west-1.amazonaws.com", THERE),
        ("s3.dualstack.eu-west-1.amazonaws.com", THERE),
        ("eu-west-1.queue.amazonaws.com", THERE),
        ("s3.amazonaws.com", "us-east-1"),
        ("eu-west-1.s3.amazonaws.com", "us-east-1"),
        ("iam.amazonaws.com", None),
        ("KINESIS.EU-WEST-1.AMAZONAWS.COM.", THERE),
        ("kinesis.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("127.0.0.1", None),
        ("s3.localhost.localstack.cloud", None),
        ("kinesis.eu-west-1.amazonaws.com.example.org", None),
    ],
)
def test_the_region_of_a_host(host: str, found: str | None) -> None:
    assert region.of_host(host) == found
    assert region.of_url(f"https://{host}:443/path") == found


@given(
    st.text(max_size=60),
    st.sampled_from(["eu-west-1", "us-gov-east-1", "cn-northwest-1"]),
    st.text(max_size=60),
)
def test_an_arn_is_found_in_any_text(before: str, there: str, after: str) -> None:
    text = f"{before}arn:aws:sqs:{there}:{ACCOUNT}:q {after}"
    assert there in {found["region"] for found in region.arns_in(text)}


@cache
def model_of(service: str, operation: str) -> Any:
    return botocore.session.get_session().get_service_model(service).operation_model(operation)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_not_of_its_shape_is_passed_over(value: Any) -> None:
    """Where parameters are not validated, anything may stand anywhere: the guard never fails on it."""
    for service, operation in (("emr", "RunJobFlow"), ("s3", "CopyObject"), ("dynamodb", "BatchGetItem")):
        model = model_of(service, operation)
        for told in (value, dict.fromkeys(model.input_shape.members, value)):
            parameters.of(told, model, service)


def test_it_costs_next_to_nothing(wire: Wire) -> None:
    """A call with 500 records of a kilobyte is held in far less than the 50 µs that it may cost."""
    model = aws.client("kinesis", in_region()).meta.service_model.operation_model("PutRecords")
    told = {"StreamName": "s", "Records": [{"Data": b"x" * 1000, "PartitionKey": str(n)} for n in range(500)]}
    held = guard.Guard(in_region(), "kinesis", HERE)
    held.on_parameters(told, model)
    best = min(_seconds(lambda: held.on_parameters(told, model)) for _ in range(50))
    assert best < 50e-6


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def test_an_error_of_the_guard_passes_through_what_explains_refusals() -> None:
    with pytest.raises(CrimeJobsError) as refused, aws.refusals("Telling"):
        aws.client("sns", in_region()).publish(TopicArn=f"arn:aws:sns:{THERE}:{ACCOUNT}:t", Message=CANARY)
    assert isinstance(refused.value, Elsewhere)
    assert CANARY not in str(refused.value)
