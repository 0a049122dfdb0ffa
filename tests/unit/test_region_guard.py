"""No call leaves the environment's region, wherever a wrong one comes from, and nothing is sent before that is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crime_jobs import aws, settings, spark
from crime_jobs.cli import main
from crime_jobs.errors import Elsewhere, WrongUsage
from crime_jobs.model.streams import StreamSettings
from crime_jobs.stream import daemon
from crime_jobs.stream.analytics import package
from tests.unit.wire import ACCOUNT, CANARY, HERE, THERE, Wire, in_region, names_both, wire

__all__ = ["wire"]


def section(folder: Path, text: str) -> Path:
    (folder / "crime-jobs.toml").write_text(f'[police]\nlanding = "l"\nlake = "k"\n{text}', encoding="utf-8")
    return folder


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
        (
            "sns",
            "subscribe",
            {
                "TopicArn": f"arn:aws:sns:{HERE}:{ACCOUNT}:t",
                "Protocol": "https",
                "Endpoint": f"HTTPS://asha:pw@kinesis.{THERE}.amazonaws.com/",
            },
        ),
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
