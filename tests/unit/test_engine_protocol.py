"""The engines' protocol, spoken by boto3 itself, with no socket between them; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from crime_engines.control import Control
from crime_engines.emr import Emr
from crime_engines.node import Node
from crime_engines.protocol import Call, Refusal, ServiceModel
from crime_engines.protocol.service import Request
from crime_engines.server import Engines
from crime_engines.serverless import EmrServerless


class Body:
    """A body as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self.content]


def client(engines: Engines, service: str, region: str = "us-east-1") -> Any:
    """A boto3 client whose requests, once signed, go straight to the engines."""

    def send(request: Any, **_: object) -> AWSResponse:
        path, _sign, query = request.url.partition("://nowhere")[2].partition("?")
        headers = {
            name.lower(): value if isinstance(value, str) else value.decode()
            for name, value in request.headers.items()
        }
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        status, answered, content = engines.answer(Request(request.method, path or "/", query, headers, body))
        return AWSResponse(request.url, status, answered, Body(content))

    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test")
    config = Config(retries={"max_attempts": 0}, parameter_validation=False)
    made = session.client(service, region_name=region, endpoint_url="http://nowhere", config=config)
    made.meta.events.register("before-send", send)
    return made


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    """Engines on a node where nothing is ever started."""
    node = Node(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", "", tmp_path)
    control = Control()
    return Engines([Emr(node, control), EmrServerless(node, control)], control)


@pytest.fixture
def emr(engines: Engines) -> Any:
    return client(engines, "emr")


@pytest.fixture
def serverless(engines: Engines) -> Any:
    return client(engines, "emr-serverless")


def cluster(**more: Any) -> dict[str, Any]:
    """What `run_job_flow` takes."""
    given: dict[str, Any] = {
        "Name": "c",
        "ReleaseLabel": "emr-7.13.0",
        "ServiceRole": "r",
        "JobFlowRole": "i",
        "Instances": {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1},
    }
    given |= more
    return given


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response
    return (
        error["Error"]["Code"],
        error["Error"]["Message"],
        error["ResponseMetadata"]["HTTPStatusCode"],
    )


def step(*arguments: str, **more: Any) -> dict[str, Any]:
    return {"Name": "s", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": list(arguments)}, **more}


def test_what_is_missing_unknown_or_out_of_range_is_named(emr: Any, serverless: Any) -> None:
    code, message, status = refused(emr.describe_step, ClusterId="j-1")
    assert (code, status) == ("ValidationException", 400)
    assert message == '1 validation error detected: Missing required parameter in input: "StepId"'

    _, message, _ = refused(
        emr.add_job_flow_steps, JobFlowId="j-1", Steps=[step("bash", ActionOnFailure="GIVE_UP")]
    )
    assert "Value 'GIVE_UP' at 'steps.1.member.actionOnFailure' failed to satisfy constraint" in message
    assert "[TERMINATE_JOB_FLOW, TERMINATE_CLUSTER, CANCEL_AND_WAIT, CONTINUE]" in message

    _, message, _ = refused(emr.run_job_flow, **cluster(Name="n" * 257))
    assert (
        "at 'name' failed to satisfy constraint: Member must have length less than or equal to 256" in message
    )

    code, message, status = refused(serverless.list_job_runs, applicationId="00a", maxResults=51)
    assert (code, status) == ("ValidationException", 400)
    assert "'51' at 'maxResults'" in message
    _, message, _ = refused(
        serverless.create_application, name="a b", releaseLabel="emr-7.13.0", type="SPARK", clientToken="t"
    )
    assert "'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression" in message


def test_a_member_that_the_model_lacks_is_refused() -> None:
    model = ServiceModel("emr")
    body = json.dumps({"ClusterId": "j-1", "Colour": "red"}).encode()
    request = Request("POST", "/", "", {"x-amz-target": "ElasticMapReduce.DescribeCluster"}, body)
    with pytest.raises(Refusal, match='Unknown parameter in input: "Colour"'):
        model.read(request)
    for broken in (b"{", b"[]", b"\xff"):
        with pytest.raises(Refusal, match="SerializationException"):
            model.read(Request("POST", "/", "", {"x-amz-target": "ElasticMapReduce.DescribeCluster"}, broken))


def test_text_beyond_the_basic_plane_is_text_and_control_characters_are_not(emr: Any) -> None:
    code, message, _ = refused(emr.describe_cluster, ClusterId="j-1")
    assert code == "InvalidRequestException"
    _, message, _ = refused(emr.add_job_flow_steps, JobFlowId="j-1", Steps=[step("bash", "अपराध 👮 \t\n")])
    assert message == "Specified job flow ID does not exist."
    _, message, _ = refused(emr.add_job_flow_steps, JobFlowId="j-1", Steps=[step("bash", "bell \x07")])
    assert "at 'steps.1.member.hadoopJarStep.args.2.member' failed" in message


def test_times_travel_both_ways(engines: Engines) -> None:
    model = ServiceModel("emr")
    moment = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
    body = json.dumps({"CreatedAfter": moment.timestamp()}).encode()
    _, params = model.read(Request("POST", "/", "", {"x-amz-target": "ElasticMapReduce.ListClusters"}, body))
    assert params == {"CreatedAfter": moment}
    found = {"Clusters": [{"Status": {"Timeline": {"CreationDateTime": moment, "EndDateTime": None}}}]}
    sent = json.loads(model.write("ListClusters", found))
    assert sent["Clusters"][0]["Status"]["Timeline"] == {"CreationDateTime": moment.timestamp()}

    rest = ServiceModel("emr-serverless")
    query = "createdAtAfter=2026-03-04T05%3A06%3A07Z&states=RUNNING&states=FAILED"
    operation, params = rest.read(Request("GET", "/applications/00a/jobruns", query, {}, b""))
    assert operation == "ListJobRuns"
    assert params["states"] == ["RUNNING", "FAILED"]
    assert params["createdAtAfter"] == moment - timedelta(microseconds=890_000)


def test_an_answer_that_is_not_what_the_model_says_is_never_sent(
    engines: Engines, emr: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrongs: list[dict[str, Any]] = [
        {"Cluster": {"Id": 7}},
        {"Flock": {}},
        {"Cluster": {"Status": {"State": "FINE"}}},
    ]
    for wrong in wrongs:

        def answer(_: Call, wrong: dict[str, Any] = wrong) -> dict[str, Any]:
            return wrong

        monkeypatch.setattr(engines.services[0], "handlers", {"DescribeCluster": answer})
        code, _, status = refused(emr.describe_cluster, ClusterId="j-1")
        assert (code, status) == ("InternalServerException", 500)


def test_errors_are_worded_as_aws_words_them(emr: Any, serverless: Any) -> None:
    assert refused(emr.describe_cluster, ClusterId="j-NONE") == (
        "InvalidRequestException",
        "Cluster id 'j-NONE' is not valid.",
        400,
    )
    assert refused(emr.terminate_job_flows, JobFlowIds=["j-NONE"]) == (
        "ValidationException",
        "Specified job flow ID does not exist.",
        400,
    )
    assert refused(serverless.get_application, applicationId="00none") == (
        "ResourceNotFoundException",
        "Application 00none does not exist",
        404,
    )


def test_what_the_engines_do_not_have_says_so(emr: Any, engines: Engines) -> None:
    assert refused(emr.list_studios)[:2] == (
        "UnknownOperationException",
        "The engines do not have ListStudios.",
    )
    code, message, _ = refused(client(engines, "athena").list_work_groups)
    assert code == "UnknownOperationException"
    assert "No service 'athena' here, only elasticmapreduce, emr-serverless" in message
    status, _, body = engines.answer(Request("POST", "/", "", {}, b"{}"))
    assert status == 403
    assert json.loads(body)["__type"] == "MissingAuthenticationTokenException"


def test_what_a_cluster_can_not_have_is_refused_not_ignored(emr: Any) -> None:
    for given, words in {
        "AmiVersion=3.1": "AmiVersion is not supported here",
        "CustomAmiId=ami-1": "CustomAmiId is not supported here",
        "ReleaseLabel=emr-6.15.0": "The supplied release label is invalid: emr-6.15.0",
        "ServiceRole=": "ServiceRole is required for creating cluster.",
        "LogUri=hdfs:///logs": "logs go to S3",
    }.items():
        member, _, text = given.partition("=")
        assert words in refused(emr.run_job_flow, **cluster(**{member: text}))[1]
    others: list[tuple[str, Any, str]] = [
        ("Applications", [{"Name": "Presto"}], "application: 'Presto' is not supported here"),
        ("Configurations", [{"Classification": "presto-x"}], "Classification 'presto-x' is not supported"),
        (
            "Configurations",
            [{"Classification": "spark-defaults", "Properties": {"spark.master": "local"}}],
            "a cluster's master is yarn",
        ),
        ("StepConcurrencyLevel", 257, "between 1 and 256"),
        ("AutoTerminationPolicy", {"IdleTimeout": 59}, "between 60 and 604800"),
        ("Instances", {"InstanceCount": 1}, "must be provided"),
        (
            "Instances",
            {"InstanceFleets": [{"InstanceFleetType": "MASTER"}]},
            "InstanceFleets are not supported here",
        ),
        (
            "BootstrapActions",
            [{"Name": "b", "ScriptBootstrapAction": {"Path": "/b.sh"}}],
            "a script must be in S3",
        ),
        ("Steps", [step("bash", ActionOnFailure="CONTINUE")] * 257, "Maximum number of active steps"),
    ]
    for name, value, words in others:
        code, message, _ = refused(emr.run_job_flow, **cluster(**{name: value}))
        assert code == "ValidationException"
        assert words in message
    assert emr.list_clusters()["Clusters"] == []


def test_what_a_step_can_not_do_is_refused_when_it_is_added(emr: Any) -> None:
    def said(*arguments: str, **more: Any) -> str:
        return refused(emr.run_job_flow, **cluster(Steps=[step(*arguments, **more)]))[1]

    assert "only spark-submit, spark-sql, hive-script, bash" in said("s3-dist-cp", "--src", "x")
    assert "needs a command" in said()
    assert "--master local is not supported" in said("spark-submit", "--master", "local", "s3://b/x.py")
    assert "--master k8s://h is not" in said("spark-submit", "--master=k8s://h", "s3://b/x.py")
    assert "spark.master=local" in said("spark-sql", "--conf", "spark.master=local", "-e", "select 1")
    assert "--queue night is not" in said("spark-submit", "--queue", "night", "x.py")
    assert "--properties-file" in said("spark-submit", "--properties-file", "p", "x.py")
    assert "waitAppCompletion" in said(
        "spark-submit", "--conf", "spark.yarn.submit.waitAppCompletion=false", "x.py"
    )
    assert "hive --silent is not" in said("hive-script", "--run-hive-script", "--args", "--silent")
    assert "hive-script needs" in said("hive-script", "-f", "s3://b/q.hql")
    assert "10240 characters" in said("bash", "-c", "x" * 10_240)
    jar = {"Name": "s", "HadoopJarStep": {"Jar": "s3://b/my.jar"}}
    assert "only command-runner.jar" in refused(emr.run_job_flow, **cluster(Steps=[jar]))[1]
    several = cluster(StepConcurrencyLevel=2, Steps=[step("bash", ActionOnFailure="CANCEL_AND_WAIT")])
    assert "ActionOnFailure CANCEL_AND_WAIT is not valid" in refused(emr.run_job_flow, **several)[1]


def test_what_an_application_and_a_job_run_can_not_have_is_refused(serverless: Any) -> None:
    make: dict[str, Any] = {"releaseLabel": "emr-7.13.0", "type": "SPARK"}
    assert "Supported types" in refused(serverless.create_application, **make | {"type": "FLINK"})[1]
    assert "emr-6.9.0" in refused(serverless.create_application, **make | {"releaseLabel": "emr-6.9.0"})[1]
    watched = {"cloudWatchLoggingConfiguration": {"enabled": True}}
    assert (
        "logs go to S3" in refused(serverless.create_application, **make, monitoringConfiguration=watched)[1]
    )

    application = serverless.create_application(**make, autoStartConfiguration={"enabled": False})
    run: dict[str, Any] = {
        "applicationId": application["applicationId"],
        "executionRoleArn": "arn:aws:iam::000000000000:role/runtime",
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://b/x.py"}},
    }
    assert "does not start by itself" in refused(serverless.start_job_run, **run)[1]
    for name, value, words in (
        ("mode", "STREAMING", "STREAMING is not supported"),
        ("retryPolicy", {"maxAttempts": 2}, "maxAttempts is not supported"),
        ("jobDriver", {"hive": {"query": "select 1"}}, "type Spark must be sparkSubmit"),
        (
            "jobDriver",
            {"sparkSubmit": {"entryPoint": "x.py", "sparkSubmitParameters": "--name 'open"}},
            "No closing quotation",
        ),
        (
            "jobDriver",
            {"sparkSubmit": {"entryPoint": "x.py", "sparkSubmitParameters": "--master local"}},
            "--master local is not",
        ),
        ("executionRoleArn", "arn:aws:iam::1:user/somebody-else", "regular expression"),
    ):
        code, message, _ = refused(serverless.start_job_run, **run | {name: value})
        assert code == "ValidationException"
        assert words in message
    assert serverless.list_job_runs(applicationId=application["applicationId"])["jobRuns"] == []


def test_the_same_token_is_the_same_application(serverless: Any) -> None:
    make = {"releaseLabel": "emr-7.13.0", "type": "SPARK", "clientToken": "once"}
    first = serverless.create_application(**make, name="a")["applicationId"]
    assert serverless.create_application(**make, name="a")["applicationId"] == first
    code, _, status = refused(serverless.create_application, **make, name="b")
    assert (code, status) == ("ConflictException", 409)
    assert len(serverless.list_applications()["applications"]) == 1


def test_an_application_is_started_stopped_and_deleted_in_that_order(serverless: Any) -> None:
    made = serverless.create_application(releaseLabel="emr-7.13.0", type="spark", tags={"a": "1"})
    one = {"applicationId": made["applicationId"]}
    found = serverless.get_application(**one)["application"]
    assert (found["type"], found["state"], found["tags"]) == ("Spark", "CREATED", {"a": "1"})
    assert "[STARTING, STARTED]" in refused(serverless.stop_application, **one)[1]
    serverless.update_application(**one, autoStopConfiguration={"enabled": True, "idleTimeoutMinutes": 3})

    serverless.start_application(**one)
    while serverless.get_application(**one)["application"]["state"] == "STARTING":
        pass
    found = serverless.get_application(**one)["application"]
    assert (found["state"], found["autoStopConfiguration"]["idleTimeoutMinutes"]) == ("STARTED", 3)
    assert "[CREATED, STOPPED]" in refused(serverless.delete_application, **one)[1]
    assert "[CREATED, STOPPED]" in refused(serverless.update_application, **one)[1]
    serverless.stop_application(**one)
    serverless.delete_application(**one)
    assert (
        serverless.list_applications(states=["TERMINATED"])["applications"][0]["id"] == one["applicationId"]
    )

    arn = {"resourceArn": made["arn"]}
    serverless.tag_resource(**arn, tags={"b": "2"})
    serverless.untag_resource(**arn, tagKeys=["a"])
    assert serverless.list_tags_for_resource(**arn)["tags"] == {"b": "2"}


def test_an_idle_application_stops_by_itself(engines: Engines, serverless: Any) -> None:
    engines.control.set_pace({"timeout_factor": 0.001})
    stop = {"enabled": True, "idleTimeoutMinutes": 2}
    made = serverless.create_application(releaseLabel="emr-7.13.0", type="SPARK", autoStopConfiguration=stop)
    one = {"applicationId": made["applicationId"]}
    serverless.start_application(**one)
    deadline = datetime.now(UTC) + timedelta(seconds=5)
    states: list[str] = []
    while datetime.now(UTC) < deadline and states[-1:] != ["STOPPED"]:
        states.append(serverless.get_application(**one)["application"]["state"])
    assert "STARTED" in states
    assert states[-1] == "STOPPED"


def test_lists_come_in_pages_that_new_entries_do_not_move(serverless: Any) -> None:
    def create(name: str) -> str:
        made = serverless.create_application(releaseLabel="emr-7.13.0", type="SPARK", name=name)
        return str(made["applicationId"])

    ids = [create(f"a{number}") for number in range(5)][::-1]
    first = serverless.list_applications(maxResults=2)
    create("late")
    second = serverless.list_applications(maxResults=2, nextToken=first["nextToken"])
    third = serverless.list_applications(maxResults=2, nextToken=second["nextToken"])
    assert [one["id"] for page in (first, second, third) for one in page["applications"]] == ids
    assert "nextToken" not in third
    assert refused(serverless.list_applications, nextToken="bm9uZQ==")[1] == "nextToken is not valid."


def test_regions_do_not_see_each_other(engines: Engines, serverless: Any) -> None:
    made = serverless.create_application(releaseLabel="emr-7.13.0", type="SPARK")
    there = client(engines, "emr-serverless", "ap-south-1")
    assert there.list_applications()["applications"] == []
    code, _, _ = refused(there.get_application, applicationId=made["applicationId"])
    assert code == "ResourceNotFoundException"


def test_faults_come_as_ordered(engines: Engines, emr: Any, serverless: Any) -> None:
    order = engines.control.add_fault
    order({"service": "emr", "operation": "ListClusters", "code": "ThrottlingException", "times": 2})
    for _ in range(2):
        assert refused(emr.list_clusters)[0] == "ThrottlingException"
    assert emr.list_clusters()["Clusters"] == []

    order({"operation": "*", "code": "ExpiredTokenException", "message": "late", "status": 403, "after": 1})
    assert serverless.list_applications()["applications"] == []
    for call in (emr.list_clusters, serverless.list_applications, emr.list_clusters):
        assert refused(call) == ("ExpiredTokenException", "late", 403)
    assert len(engines.control.faults()) == 1
    engines.control.clear_faults()
    assert emr.list_clusters()["Clusters"] == []


@pytest.mark.parametrize(
    "wrong", [{}, {"operation": "x"}, {"operation": "x", "code": "y", "colour": 1}], ids=["a", "b", "c"]
)
def test_a_fault_that_says_too_little_or_too_much_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="A fault"):
        Control().add_fault(wrong)


@pytest.mark.parametrize("wrong", [{"colour": 1}, {"log_delay_seconds": -1}, {"log_delay_seconds": "1"}])
def test_a_pace_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is no setting"):
        Control().set_pace(wrong)


def test_the_log_says_which_call_and_not_what_it_said(
    emr: Any, serverless: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="crime_engines")
    refused(emr.add_job_flow_steps, JobFlowId="j-1", Steps=[step("bash", "-c", "victim's name")])
    serverless.create_application(releaseLabel="emr-7.13.0", type="SPARK", name="victim")
    lines = [record.getMessage() for record in caplog.records if record.name == "crime_engines"]
    assert lines[0].startswith("AddJobFlowSteps 400 ValidationException ")
    assert lines[1].startswith("CreateApplication 200 ")
    assert "victim" not in "".join(lines)
