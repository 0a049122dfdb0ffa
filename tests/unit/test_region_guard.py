"""No call leaves the environment's region, wherever a wrong one comes from, and nothing is sent before that is known."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError
from botocore.httpsession import URLLib3Session
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs import aws, guard, parameters, region, settings, spark
from crime_jobs.cli import main
from crime_jobs.errors import CrimeJobsError, Elsewhere, WrongUsage
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings
from crime_jobs.stream import daemon
from crime_jobs.stream.analytics import package

HERE, THERE = "ap-south-1", "eu-west-1"
ACCOUNT = "123456789012"
CANARY = "Sunita Kumari, ward 7"

Answer = tuple[int, dict[str, str], bytes]


class Wire:
    """What would leave this machine, and what comes back."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answer: Callable[[AWSPreparedRequest], Answer] = lambda _: (
            200,
            {},
            b"<Said><PublishResult/></Said>" if "//sns." in _.url else b"",
        )

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        self.sent.append(f"{request.method} {request.url}")
        status, headers, body = self.answer(request)

        class Raw(io.BytesIO):
            def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
                yield self.read()

        return AWSResponse(request.url, status, headers, Raw(body))


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wire:
    made = Wire()
    monkeypatch.setattr(URLLib3Session, "send", made.send)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr(guard, "_buckets", {})
    monkeypatch.setattr(guard, "_unasked", {})
    return made


def in_region(name: str | None = HERE, **more: Any) -> Settings:
    told = {"env": "police", "region": name, "landing": "l", "lake": "k", "spark_conf": None}
    return Settings.model_validate({**told, "sources": {}, "environ": {}, **more})


def section(folder: Path, text: str) -> Path:
    (folder / "crime-jobs.toml").write_text(f'[police]\nlanding = "l"\nlake = "k"\n{text}', encoding="utf-8")
    return folder


def names_both(error: BaseException | str) -> bool:
    return THERE in str(error) and HERE in str(error)


# The eight places that a wrong region comes from.


def test_1_an_option_that_contradicts_is_refused_with_exit_2(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(section(tmp_path, f'region = "{HERE}"\n'))
    assert main(["steps", "--env", "police", "--on", "j-1K48", "--region", THERE]) == 2
    assert names_both(capsys.readouterr().err)
    assert wire.sent == []
    assert settings.load("police", {"region": HERE}, {}, tmp_path).region == HERE  # to agree is no fault


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_2_and_3_a_variable_does_not_move_an_environment(
    wire: Wire, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, THERE)
    found = settings.load("police", folder=section(tmp_path, f'region = "{HERE}"\n'))
    aws.client("kinesis", found).list_streams()
    assert wire.sent == [f"POST https://kinesis.{HERE}.amazonaws.com/"]
    assert found.overruled == {variable: THERE}  # which the doctor tells
    # What reads the variables itself, and what this process starts, keeps to it too.
    assert (found.environ["AWS_REGION"], found.environ["AWS_DEFAULT_REGION"]) == (HERE, HERE)


def test_2_where_no_section_says_one_the_variable_or_the_option_does(tmp_path: Path) -> None:
    folder = section(tmp_path, "")
    assert settings.load("police", {}, {"AWS_REGION": THERE}, folder).region == THERE
    assert settings.load("police", {"region": HERE}, {"AWS_REGION": THERE}, folder).region == HERE


def test_4_the_profile_does_not_move_it(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        f"[profile abroad]\nregion = {THERE}\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    aws.client("dynamodb", in_region(profile="abroad")).list_tables()
    (sent,) = wire.sent
    assert f"dynamodb.{HERE}.amazonaws.com" in sent


def test_5_the_section_says_where_and_an_arn_in_it_of_another_region_is_refused(
    wire: Wire, tmp_path: Path
) -> None:
    text = f'region = "{HERE}"\ntopic = "arn:aws:sns:{THERE}:{ACCOUNT}:ends"\n'
    found = settings.load("police", environ={}, folder=section(tmp_path, text))
    with pytest.raises(WrongUsage) as refused:
        aws.client("sns", found).publish(TopicArn=found.topic, Message="m")
    assert names_both(refused.value)
    assert wire.sent == []


@pytest.mark.parametrize(
    ("service", "call", "told"),
    [
        ("sns", "publish", {"TopicArn": f"arn:aws:sns:{THERE}:{ACCOUNT}:t", "Message": "m"}),
        ("dynamodb", "get_item", {"TableName": f"arn:aws:dynamodb:{THERE}:{ACCOUNT}:table/t", "Key": {}}),
        (
            "dynamodb",
            "batch_get_item",
            {"RequestItems": {f"arn:aws:dynamodb:{THERE}:{ACCOUNT}:table/t": {"Keys": [{"k": {"S": "1"}}]}}},
        ),
        ("lambda", "invoke", {"FunctionName": f"arn:aws:lambda:{THERE}:{ACCOUNT}:function:f"}),
        (
            "stepfunctions",
            "create_state_machine",
            {
                "name": "n",
                "roleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
                "definition": json.dumps({"Resource": f"arn:aws:lambda:{THERE}:{ACCOUNT}:function:f"}),
            },
        ),
        (
            "emr",
            "run_job_flow",
            {
                "Name": "n",
                "Instances": {},
                "Configurations": [
                    {"Configurations": [{"Properties": {"a.key": f"arn:aws:kms:{THERE}:{ACCOUNT}:key/k"}}]}
                ],
            },
        ),
        ("sqs", "send_message", {"QueueUrl": f"https://sqs.{THERE}.amazonaws.com/1/q", "MessageBody": "b"}),
        ("ec2", "copy_snapshot", {"SourceRegion": THERE, "SourceSnapshotId": "snap-1"}),
        ("s3", "get_object", {"Bucket": f"arn:aws:s3:{THERE}:{ACCOUNT}:accesspoint/a", "Key": "k"}),
    ],
)
def test_6_an_arn_or_address_anywhere_in_a_call_is_refused_unsent(
    wire: Wire, service: str, call: str, told: dict[str, Any]
) -> None:
    with pytest.raises(Elsewhere) as refused:
        getattr(aws.client(service, in_region()), call)(**told)
    assert names_both(refused.value)
    assert refused.value.exit_code == 2
    assert wire.sent == []


@pytest.mark.parametrize("status", [200, 301, 400, 403])
def test_7_a_bucket_of_another_region_is_looked_at_and_nothing_written(wire: Wire, status: int) -> None:
    wire.answer = lambda _: (status, {"x-amz-bucket-region": THERE}, b"")
    s3 = aws.client("s3", in_region(), attempts=1)
    for _ in range(2):
        with pytest.raises(Elsewhere) as refused:
            s3.put_object(Bucket="records", Key="k", Body=CANARY)
        assert names_both(refused.value)
        assert "records" in str(refused.value)
        assert CANARY not in str(refused.value)
    assert {sent.split()[0] for sent in wire.sent} == {"HEAD"}
    assert all(f"records.s3.{HERE}." in sent for sent in wire.sent)


def test_7_a_bucket_of_this_region_is_looked_at_once(wire: Wire) -> None:
    wire.answer = lambda _: (200, {"x-amz-bucket-region": HERE}, b"")
    s3 = aws.client("s3", in_region())
    for _ in range(3):
        s3.put_object(Bucket="records", Key="k", Body=b"b")
    assert [sent.split()[0] for sent in wire.sent] == ["HEAD", "PUT", "PUT", "PUT"]


def test_7_s3_is_not_followed_to_another_region(wire: Wire) -> None:
    body = b"<Error><Code>PermanentRedirect</Code><Message>m</Message><Bucket>records</Bucket></Error>"
    wire.answer = lambda _: (301, {"x-amz-bucket-region": THERE}, body)
    with pytest.raises(Elsewhere) as refused:
        aws.client("s3", in_region()).get_object(Bucket="records", Key="k")
    assert names_both(refused.value)
    assert len(wire.sent) == 1  # boto3 alone would have asked eu-west-1 next
    wire.answer = lambda _: (
        400,
        {},
        f"<Error><Code>AuthorizationHeaderMalformed</Code><Region>{THERE}</Region></Error>".encode(),
    )
    with pytest.raises(Elsewhere):
        aws.client("s3", in_region()).list_objects_v2(Bucket="records")
    assert all(THERE not in sent for sent in wire.sent)


def test_7_boto3_alone_would_follow(wire: Wire) -> None:
    """What the guard is there for: without it the same answer sends the caller to the other region."""
    wire.answer = lambda request: (
        (301, {"x-amz-bucket-region": THERE}, b"<Error><Code>PermanentRedirect</Code></Error>")
        if HERE in request.url
        else (200, {}, b"")
    )
    aws.session(in_region()).client("s3").get_object(Bucket="records", Key="k")
    assert THERE in wire.sent[-1]


def test_7_no_bucket_is_made_elsewhere(wire: Wire) -> None:
    s3 = aws.client("s3", in_region("us-east-1"))
    with pytest.raises(Elsewhere):  # S3 in us-east-1 would make it there
        s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": THERE})
    with pytest.raises(Elsewhere):
        s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "EU"})
    assert wire.sent == []
    s3.create_bucket(Bucket="records")
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("service", "call", "told"),
    [
        ("emr", "run_job_flow", {"Name": "n", "Instances": {}, "LogUri": "s3://records/logs/"}),
        (
            "dynamodb",
            "export_table_to_point_in_time",
            {"TableArn": f"arn:aws:dynamodb:{HERE}:{ACCOUNT}:table/t", "S3Bucket": "records"},
        ),
        (
            "athena",
            "start_query_execution",
            {"QueryString": "CREATE EXTERNAL TABLE t (a int)\nLOCATION 's3://records/'", "WorkGroup": "w"},
        ),
        (
            "redshift-data",
            "execute_statement",
            {"Sql": "UNLOAD ('select 1') TO 's3://records/out/' IAM_ROLE default", "Database": "d"},
        ),
        (
            "redshift-data",
            "batch_execute_statement",
            {"Sqls": ["select 1", "COPY t FROM 's3://records/in' IAM_ROLE default"], "Database": "d"},
        ),
        (
            "emr-serverless",
            "start_job_run",
            {
                "applicationId": "a",
                "clientToken": "c",
                "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
                "jobDriver": {
                    "sparkSubmit": {
                        "entryPoint": "local:///x.py",
                        "sparkSubmitParameters": "--conf a=b --py-files s3a://records/x.zip,local:///y",
                    }
                },
            },
        ),
        (
            "rekognition",
            "detect_faces",
            {"Image": {"S3Object": {"Bucket": "records", "Name": "x.jpg"}}},
        ),
        (
            "firehose",
            "create_delivery_stream",
            {
                "DeliveryStreamName": "d",
                "ExtendedS3DestinationConfiguration": {
                    "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/r",
                    "BucketARN": "arn:aws:s3:::records",
                },
            },
        ),
    ],
)
def test_7_a_bucket_that_another_service_is_told_of(
    wire: Wire, service: str, call: str, told: dict[str, Any]
) -> None:
    wire.answer = lambda _: (301, {"x-amz-bucket-region": THERE}, b"")
    with pytest.raises(Elsewhere) as refused:
        getattr(aws.client(service, in_region()), call)(**told)
    assert "records" in str(refused.value)
    assert [sent.split()[0] for sent in wire.sent] == ["HEAD"]  # of S3; the service was asked nothing


@pytest.mark.parametrize(
    "url",
    [
        f"https://kinesis.{THERE}.amazonaws.com",
        f"https://vpce-0a1b-2c3d.kinesis.{THERE}.vpce.amazonaws.com",
        f"https://kinesis.{THERE}.api.aws",
    ],
)
def test_8_an_endpoint_of_another_region_is_refused_unsent(
    wire: Wire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", url)
    with pytest.raises(Elsewhere) as refused:
        aws.client("kinesis", in_region()).put_record(StreamName="s", Data=b"d", PartitionKey="k")
    assert names_both(refused.value)
    assert wire.sent == []


def test_8_an_endpoint_of_no_region_passes(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:4566")
    aws.client("kinesis", in_region()).list_streams()
    assert wire.sent == ["POST http://127.0.0.1:4566/"]


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


# What makes clients of its own.


def test_kcl_spark_and_flink_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, stream, url = in_region(), StreamSettings(), f"https://kinesis.{THERE}.amazonaws.com"
    for more, environ in (
        ({"kinesisEndpoint": url}, {}),
        ({"cloudWatchClient.endpointOverride": url}, {}),
        ({"dynamoDBClient.region": THERE}, {}),
        ({}, {"AWS_ENDPOINT_URL_KINESIS": url}),
    ):
        with pytest.raises(Elsewhere):
            daemon.properties(here, stream, "w", more, environ)
    assert daemon.properties(here, stream, "w", {}, {})["regionName"] == HERE

    conf = tmp_path / "spark.conf"
    conf.write_text(f"spark.hadoop.fs.s3a.bucket.lake.endpoint https://s3.{THERE}.amazonaws.com\n")
    with pytest.raises(Elsewhere):
        spark.prepare(in_region(spark_conf=str(conf), sources={"spark_conf": "option"}))
    conf.write_text(f"spark.hadoop.fs.s3a.endpoint.region {THERE}\n")
    with pytest.raises(Elsewhere):
        spark.prepare(in_region(spark_conf=str(conf), sources={"spark_conf": "option"}))
    assert spark.prepare(here)["spark.hadoop.fs.s3a.endpoint.region"] == HERE

    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", url)
    with pytest.raises(Elsewhere):
        package.property_groups(here, stream)


def test_spark_does_not_start_on_a_lake_elsewhere(wire: Wire) -> None:
    wire.answer = lambda _: (403, {"x-amz-bucket-region": THERE}, b"")
    with pytest.raises(Elsewhere) as refused:
        spark.start(in_region(lake="s3a://records/lake"), "test")
    assert names_both(refused.value)
    assert "records" in str(refused.value)


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
