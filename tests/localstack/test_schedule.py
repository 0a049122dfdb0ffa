"""Schedules on the stack: kept as they were made, and what they send really runs on the engines.

LocalStack keeps schedules and never fires them, so a test sends what one would send. Its Step Functions know no EMR: in
a chain's state machine each EMR task is replaced by an activity, whose worker asks the engine; all the rest of the
machine, its texts, its retries and its messages, runs as it is.
"""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from crime_jobs import settings as settings_module
from crime_jobs.cli_parse import given as typed
from crime_jobs.emr import _asl, _scheduling, schedule
from crime_jobs.emr.work import parse
from crime_jobs.errors import AwsRefused, WrongUsage
from crime_jobs.settings import Settings
from tests.conftest import DATA, ROOT
from tests.localstack.conftest import Stack
from tests.localstack.emr import Emr, until

CRON = "30 2 * * ? *"
TEMPLATE = ROOT / "src/crime_jobs/cloud/schedules.yaml"


@pytest.fixture(scope="module")
def _aws(stack: Stack) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name, value in stack.env.items():
        if name.startswith("AWS_"):
            patch.setenv(name, value)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def emr(stack: Stack, _aws: None) -> Iterator[Emr]:
    made = Emr(stack)
    yield made
    made.end()


@pytest.fixture(scope="module")
def table(stack: Stack) -> Iterator[dict[str, str]]:
    """`[ENV.schedule]` as the template's outputs have it: the template is deployed."""
    name = f"test-{uuid.uuid4().hex[:6]}"
    cloud = stack.client("cloudformation")
    role = "arn:aws:iam::000000000000:role/"
    given = {"Environment": name, "ExampleApplication": "00f1234567890abc"} | {
        f"{who}RoleArn": f"{role}{who}" for who in ("Service", "Node", "Runtime")
    }
    cloud.create_stack(
        StackName=name,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloud.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    made = cloud.describe_stack_resources(StackName=name)["StackResources"]
    # LocalStack reports what it does not know as made, under this id.
    assert "unknown" not in {resource["PhysicalResourceId"] for resource in made}
    outputs = cloud.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    # Which setting an output is, its description says; LocalStack does not give that back.
    told = {key: output["Description"] for key, output in cfn_yaml.load(str(TEMPLATE))["Outputs"].items()}
    said = {told[output["OutputKey"]]: output["OutputValue"] for output in outputs}
    found = {
        name.removeprefix("schedule: "): value
        for name, value in said.items()
        if name.startswith("schedule: ")
    }
    yield {**found, "group": f"crime-jobs-{name}"}
    cloud.delete_stack(StackName=name)


@pytest.fixture(scope="module")
def cluster(emr: Emr) -> str:
    return emr.cluster("scheduled")


@pytest.fixture(scope="module")
def landing(stack: Stack) -> str:
    """A few lines of one file: enough for a job, and soon read."""
    uri = stack.fresh("scheduled", "crime-landing")
    name = "01_District_wise_crimes_committed_IPC_2014.csv"
    lines = (DATA / name).read_bytes().splitlines(keepends=True)[:20]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    stack.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=b"".join(lines))
    return uri


@pytest.fixture
def settings(stack: Stack, table: dict[str, str], landing: str, cluster: str) -> Settings:
    options = {"landing": landing, "lake": stack.fresh("scheduled"), "on": cluster}
    found = settings_module.load("local", options, dict(stack.env))
    return found.model_copy(update={"schedule": table})


@pytest.fixture
def name() -> str:
    return f"nightly-{uuid.uuid4().hex[:6]}"


def wanted(name: str, *words: str, cron: str = CRON, **more: Any) -> _scheduling.Wanted:
    given = {"timezone": None, "notify": False, "conf": {}, **more}
    works = parse(words or ("clean_ncrb",), settings_module.load("local"), typed)
    return _scheduling.Wanted(works, cron, name=name, **given)


def kept(settings: Settings, name: str) -> dict[str, Any]:
    """All that a schedule is, but when it was touched."""
    found = schedule.get(settings, name)
    return {
        key: value for key, value in found.items() if key not in ("LastModificationDate", "ResponseMetadata")
    }


def test_it_is_made_changed_paused_resumed_and_removed(settings: Settings, name: str) -> None:
    row = _scheduling.add(settings, wanted(name))
    assert (row["name"], row["cron"], row["timezone"], row["state"]) == (name, CRON, "Asia/Kolkata", "on")
    assert (row["does"], row["target"]) == ("clean_ncrb", settings.on)
    assert datetime.fromisoformat(row["next"]).strftime("%H:%M %z") == "02:30 +0530"
    assert len(row["package"]) == 12
    assert row in schedule.listed(settings)

    paused = schedule.switch(settings, name, on=False)
    assert (paused["state"], paused["next"]) == ("paused", None)
    # Made again, it is still paused: who paused it had a reason.
    changed = _scheduling.add(settings, wanted(name, cron="0 9 ? * MON *", timezone="UTC"))
    assert (changed["cron"], changed["timezone"], changed["state"]) == ("0 9 ? * MON *", "UTC", "paused")
    assert schedule.switch(settings, name, on=True)["state"] == "on"

    schedule.remove(settings, name)
    assert name not in {found["name"] for found in schedule.listed(settings)}
    with pytest.raises(WrongUsage, match="no schedule"):
        schedule.remove(settings, name)


def test_pause_and_resume_keep_every_other_field(settings: Settings, stack: Stack, name: str) -> None:
    _scheduling.add(settings, wanted(name))
    made = kept(settings, name)
    by_hand = {
        "StartDate": datetime.now(UTC).replace(microsecond=0) + timedelta(days=1),
        "EndDate": datetime.now(UTC).replace(microsecond=0) + timedelta(days=9),
        "Description": "changed by hand; package abc123",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
        "ActionAfterCompletion": "DELETE",
    }
    takes = {key: value for key, value in made.items() if key not in ("Arn", "CreationDate")}
    stack.client("scheduler").update_schedule(**{**takes, **by_hand})
    before = kept(settings, name)
    for on, state in ((False, "DISABLED"), (True, "ENABLED")):
        schedule.switch(settings, name, on=on)
        assert kept(settings, name) == {**before, "State": state}
    schedule.remove(settings, name)


def test_what_a_schedule_sends_to_a_cluster_runs(
    settings: Settings, emr: Emr, cluster: str, name: str
) -> None:
    _scheduling.add(settings, wanted(name, "clean_ncrb", "--set", "max_bad_share=0.9"))
    done = schedule.run_now(settings, name)
    assert done["operation"] == "AddJobFlowSteps"

    def look() -> Any:
        found = emr.client("emr").describe_step(ClusterId=cluster, StepId=done["id"])["Step"]
        return found["Status"]["State"] not in ("PENDING", "RUNNING") and found

    step = until(look, 240)
    assert step["Status"]["State"] == "COMPLETED"
    arguments = step["Config"]["Args"]
    assert arguments[arguments.index("clean_ncrb") + 1 :][:2] == ["--set", "max_bad_share=0.9"]
    assert "<aws.scheduler" not in json.dumps(step, default=str)
    outcome = arguments[arguments.index("--outcome") + 1]
    assert any(key.endswith("outcome.json") for key in emr.stack.keys(outcome))
    assert any("crime_facts" in key for key in emr.stack.keys(settings.lake))
    schedule.remove(settings, name)


def test_what_a_schedule_sends_to_an_application_runs_under_a_token_of_its_own(
    settings: Settings, emr: Emr, name: str
) -> None:
    application = emr.application(name)
    on_it = settings.model_copy(update={"on": application})
    _scheduling.add(on_it, wanted(name, "clean_ncrb", "--set", "max_bad_share=0.9"))
    first, second = schedule.run_now(on_it, name), schedule.run_now(on_it, name)
    assert first["operation"] == "StartJobRun"
    assert first["id"] != second["id"]
    serverless = emr.client("emr-serverless")
    serverless.cancel_job_run(applicationId=application, jobRunId=second["id"])

    def look() -> Any:
        run = serverless.get_job_run(applicationId=application, jobRunId=first["id"])["jobRun"]
        return run["state"] in ("SUCCESS", "FAILED", "CANCELLED") and run

    assert until(look, 240)["state"] == "SUCCESS"
    schedule.remove(on_it, name)


def test_a_transient_cluster_is_made_by_the_call_itself(settings: Settings, emr: Emr, name: str) -> None:
    on_its_own = settings.model_copy(update={"on": "transient"})
    _scheduling.add(on_its_own, wanted(name))
    done = schedule.run_now(on_its_own, name)
    assert done["operation"] == "RunJobFlow"
    emr.clusters.append(done["id"])
    found = emr.client("emr").describe_cluster(ClusterId=done["id"])["Cluster"]
    assert found["AutoTerminate"] is True
    assert [step["Name"].split()[0] for step in emr.steps(done["id"])] == ["clean_ncrb"]
    emr.client("emr").terminate_job_flows(JobFlowIds=[done["id"]])
    schedule.remove(on_its_own, name)


def machines(stack: Stack) -> set[str]:
    pages = stack.client("stepfunctions").get_paginator("list_state_machines").paginate()
    return {machine["name"] for page in pages for machine in page["stateMachines"]}


def test_a_chain_has_a_state_machine_that_comes_and_goes_with_it(
    settings: Settings, stack: Stack, name: str
) -> None:
    chain = ("clean_ncrb", "--then-anyway", "hot_spots", "--then", "crime_by_region")
    row = _scheduling.add(settings, wanted(name, *chain))
    machine = f"crime-jobs-local-{name}"
    assert row["target"] == machine
    assert row["does"] == "clean_ncrb --then-anyway hot_spots --then crime_by_region"
    assert machine in machines(stack)
    # A single job needs none.
    assert _scheduling.add(settings, wanted(name))["target"] == settings.on
    assert until(lambda: machine not in machines(stack), 20)
    _scheduling.add(settings, wanted(name, notify=True))
    assert until(lambda: machine in machines(stack), 20)
    schedule.remove(settings, name)
    assert until(lambda: machine not in machines(stack), 20)


def test_a_chain_that_can_not_be_scheduled_leaves_no_state_machine(
    settings: Settings, stack: Stack, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = schedule.wanted

    def refused(*arguments: Any) -> dict[str, Any]:
        return {**real(*arguments), "ScheduleExpression": "cron(nonsense)"}

    monkeypatch.setattr(schedule, "wanted", refused)
    with pytest.raises(AwsRefused):
        _scheduling.add(settings, wanted(name, "clean_ncrb", "--then", "hot_spots"))
    assert f"crime-jobs-local-{name}" not in machines(stack)


def test_a_dry_run_makes_nothing(settings: Settings, stack: Stack, name: str) -> None:
    sent = _scheduling.requests(settings, wanted(name, "clean_ncrb", "--then", "hot_spots"))
    assert [next(iter(item)) for item in sent] == ["CreateStateMachine", "CreateSchedule"]
    assert name not in {row["name"] for row in schedule.listed(settings)}
    assert f"crime-jobs-local-{name}" not in machines(stack)


def test_the_command_takes_both_forms(emr: Emr, table: dict[str, str], tmp_path: Path, name: str) -> None:
    five = emr.command("schedule", "clean_ncrb", "--cron", "30 2 * * *", "--on", "x")
    assert (five.returncode, "--cron '30 2 * * ? *'" in five.stderr) == (2, True)
    missing = emr.command("schedule", "add", "clean_ncrb", "--cron", CRON, "--on", "x")
    assert missing.returncode == 2
    assert "[local.schedule]" in missing.stderr
    assert emr.command("schedule", "list", "--output", "json").returncode == 0
    assert emr.command("schedule", "pause", name).returncode == 2


def test_a_schedule_whose_target_is_gone_says_so(settings: Settings, emr: Emr, name: str) -> None:
    gone = emr.cluster("gone")
    on_it = settings.model_copy(update={"on": gone})
    _scheduling.add(on_it, wanted(name))
    emr.client("emr").terminate_job_flows(JobFlowIds=[gone])
    until(
        lambda: (
            emr.client("emr").describe_cluster(ClusterId=gone)["Cluster"]["Status"]["State"] == "TERMINATED"
        ),
        30,
    )
    with pytest.raises(AwsRefused, match=f"Running {name} now"):
        schedule.run_now(on_it, name)
    schedule.remove(on_it, name)


# The state machine, with a real engine behind it.


class Chain:
    """A chain whose tasks an activity's worker does on the engine."""

    def __init__(self, emr: Emr, table: dict[str, str], cluster: str) -> None:
        self.stack, self.emr, self.cluster = emr.stack, emr, cluster
        self.sfn = self.stack.client("stepfunctions")
        self.topic = table["topic"]
        self.asked: list[dict[str, Any]] = []
        self._throttled = 0
        self._over = threading.Event()
        suffix = uuid.uuid4().hex[:6]
        self._activity = self.sfn.create_activity(name=f"emr-{suffix}")["activityArn"]
        sqs, sns = self.stack.client("sqs"), self.stack.client("sns")
        self._queue = sqs.create_queue(QueueName=f"heard-{suffix}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        self._role = table["machine_role"]

    def run(self, *parts: tuple[str, list[str], bool], throttled: int = 0) -> dict[str, Any]:
        """Run a chain of steps to its end."""
        self._throttled = throttled
        given = [(name, self._add_step(name, words), go_on) for name, words, go_on in parts]
        definition = _asl.machine(
            "crime-jobs test nightly",
            given,
            service="elasticmapreduce",
            topic=self.topic,
            timeout_seconds=300,
        )
        checked = self.sfn.validate_state_machine_definition(definition=json.dumps(definition))
        assert checked["result"] == "OK", checked
        for state in definition["States"].values():
            if state.get("Resource", "").endswith(":addStep.sync"):
                state["Resource"] = self._activity
        made = self.sfn.create_state_machine(
            name=f"chain-{uuid.uuid4().hex[:6]}", definition=json.dumps(definition), roleArn=self._role
        )["stateMachineArn"]
        worker = threading.Thread(target=self._work, daemon=True)
        worker.start()
        try:
            execution = self.sfn.start_execution(stateMachineArn=made, name="run-1", input="{}")[
                "executionArn"
            ]
            return until(lambda: (e := self._look(execution))["status"] != "RUNNING" and e, 240)  # type: ignore[no-any-return]
        finally:
            self._over.set()
            self.sfn.delete_state_machine(stateMachineArn=made)

    def heard(self) -> tuple[str, str]:
        """Subject and text of the message that came."""
        sqs = self.stack.client("sqs")
        (message,) = until(
            lambda: sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=1).get("Messages"), 30
        )
        body = json.loads(message["Body"])
        return body["Subject"], body["Message"]

    def _look(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sfn.describe_execution(executionArn=execution)
        return found

    def _add_step(self, name: str, words: list[str]) -> dict[str, Any]:
        step = {
            "Name": f"{name} {_asl.EXECUTION}",
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": words},
        }
        return {"ClusterId": self.cluster, "Step": step}

    def _work(self) -> None:
        """Do what Step Functions does for `addStep.sync`."""
        # The activity has gone with the test, or the servers with the last of them.
        with contextlib.suppress(ClientError, HTTPClientError, ConnectionError):
            while not self._over.is_set():
                task = self.sfn.get_activity_task(activityArn=self._activity)
                if task.get("taskToken"):
                    self._one(task["taskToken"], json.loads(task["input"]))

    def _one(self, token: str, told: dict[str, Any]) -> None:
        self.asked.append(told)
        if self._throttled:
            self._throttled -= 1
            self.sfn.send_task_failure(
                taskToken=token, error="ElasticMapReduce.ThrottlingException", cause="Rate exceeded"
            )
            return
        emr = self.emr.client("emr")
        step_id = emr.add_job_flow_steps(JobFlowId=told["ClusterId"], Steps=[told["Step"]])["StepIds"][0]

        def look() -> Any:
            step = emr.describe_step(ClusterId=self.cluster, StepId=step_id)["Step"]
            return step["Status"]["State"] in ("COMPLETED", "FAILED", "CANCELLED") and step

        step = until(look, 120)
        said = json.dumps({"Step": step}, default=str)
        if step["Status"]["State"] == "COMPLETED":
            self.sfn.send_task_success(taskToken=token, output=said)
        else:  # in truth it is States.TaskFailed, which an activity may not say
            self.sfn.send_task_failure(taskToken=token, error="StepFailed", cause=said)


@pytest.fixture
def chain(emr: Emr, table: dict[str, str], cluster: str) -> Chain:
    return Chain(emr, table, cluster)


FINE, BAD = ["bash", "-c", "echo fine"], ["bash", "-c", "echo 'the disk is full' >&2; exit 7"]


def test_a_chain_runs_its_parts_in_turn_and_tells_that_it_is_done(chain: Chain) -> None:
    odd = [
        "bash",
        "-c",
        'test "$1" = "{% 1 + 1 %}" && test "$2" = "é, \'b\' c"',
        "x",
        "{% 1 + 1 %}",
        "é, 'b' c",
    ]
    ended = chain.run(("one", odd, False), ("two", FINE, False))
    assert ended["status"] == "SUCCEEDED", ended
    assert [told["Step"]["Name"] for told in chain.asked] == ["one run-1", "two run-1"]
    assert chain.asked[0]["Step"]["HadoopJarStep"]["Args"] == odd
    subject, text = chain.heard()
    assert subject == "crime-jobs test nightly: done"
    assert ended["executionArn"] in text
    assert "Failed on the way" not in text


def test_a_part_that_fails_stops_the_chain_and_its_cause_is_told(chain: Chain) -> None:
    ended = chain.run(("one", BAD, False), ("two", FINE, False))
    assert ended["status"] == "FAILED"
    assert len(chain.asked) == 1
    assert (ended["error"], '"State": "FAILED"' in ended["cause"]) == ("StepFailed", True)
    subject, text = chain.heard()
    assert subject == "crime-jobs test nightly: failed"
    assert "failed at 1 one: StepFailed" in text
    assert "FailureDetails" in text


def test_a_part_that_may_fail_is_told_and_the_chain_goes_on(chain: Chain) -> None:
    ended = chain.run(("one", BAD, True), ("two", FINE, False))
    assert ended["status"] == "SUCCEEDED"
    assert len(chain.asked) == 2
    subject, text = chain.heard()
    assert subject == "crime-jobs test nightly: done"
    assert "Failed on the way: 1 one." in text


def test_throttling_is_tried_again(chain: Chain) -> None:
    ended = chain.run(("one", FINE, False), throttled=2)
    assert ended["status"] == "SUCCEEDED"
    assert len(chain.asked) == 3
