"""What a schedule is told to send is what boto3 would send, argument by argument."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from crime_jobs import aws
from crime_jobs.emr import _asl, _cron, _planned, schedule
from crime_jobs.emr._asl import EXECUTION
from crime_jobs.emr._schedule_table import Table, needed, table_of
from crime_jobs.emr._universal import Call, check, render, target
from crime_jobs.emr.package import Manifest
from crime_jobs.emr.targets import Target
from crime_jobs.emr.work import Work
from crime_jobs.errors import CrimeJobsError, WrongUsage
from crime_jobs.settings import Settings

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/crime-jobs-pune-scheduler"
TABLE = {
    "role": ROLE,
    "dead_letter_queue": f"arn:aws:sqs:ap-south-1:{ACCOUNT}:not-started",
    "topic": f"arn:aws:sns:ap-south-1:{ACCOUNT}:chains",
    "machine_role": f"arn:aws:iam::{ACCOUNT}:role/chains",
}
MANIFEST = Manifest(
    entry="s3://a/entry-1.py",
    code="s3://a/crime_jobs-2.zip",
    environment="s3://a/environment-3.tar.gz",
    hive={"40_insight_by_region": "s3://a/hive/4/40_insight_by_region.hql"},
    python="3.11",
    release="emr-7.13.0",
    architecture="x86_64",
    packages={},
    version="1",
    uri="s3://a/manifest-0123456789abcdef.json",
)
CLUSTER = Target("cluster", "j-1K48XXXXXXHCB", "crime-jobs", "WAITING", runtime_roles=True)
APPLICATION = Target("application", "00f1234567890abc", "crime-jobs-spark", "STARTED")
WHEN = (_cron.parse("30 2 * * ? *"), _cron.zone("Asia/Kolkata"))

arguments = st.lists(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\n\r"), max_size=20)
    | st.sampled_from(["{% $x %}", "%}", "{%", "a b", "é\"'", "$.x", "States.Array('a')", "\\", "${a}"]),
    max_size=4,
)


@pytest.fixture(autouse=True, scope="module")
def _one_client_a_service() -> Iterator[None]:
    """Nothing is sent here: a client is made once, which takes longer than all the rest."""
    patch, made = pytest.MonkeyPatch(), functools.cache(lambda service: aws_client(service, settings()))
    aws_client = aws.client
    patch.setattr(aws, "client", lambda service, _: made(service))
    yield
    patch.undo()


def settings(table: dict[str, Any] | None = None, **more: Any) -> Settings:
    values = {
        "env": "pune",
        "region": "ap-south-1",
        "landing": "s3://landing/in",
        "lake": "s3://lake/lake",
        "spark_conf": None,
        "artifacts": "s3://artifacts",
        "logs": "s3://logs/emr",
        "runtime_role": f"arn:aws:iam::{ACCOUNT}:role/crime-jobs-runtime",
        "schedule": TABLE if table is None else table,
        "sources": {},
        "environ": {},
    }
    return Settings.model_validate({**values, **more})


def planned(words: list[Work], where: Target | None, **more: Any) -> _planned.Plan:
    what = _planned.What(words, MANIFEST, where, {})
    given_settings = settings()
    return _planned.make(given_settings, table_of(given_settings), what, WHEN, "nightly", **more)


def sent(plan: _planned.Plan) -> dict[str, Any]:
    return schedule.wanted(settings(), table_of(settings()), plan)


def rendered(request: dict[str, Any], execution: str = "d32c5kddcf5bb8c3") -> Call:
    return render({**request, "Arn": "arn:aws:scheduler:x"}, execution)


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50, deadline=None)
@given(words=arguments, where=st.sampled_from([CLUSTER, APPLICATION, None]))
def test_what_is_sent_is_what_was_planned_whatever_the_arguments(
    words: list[str], where: Target | None
) -> None:
    plan = planned([Work("clean_ncrb", tuple(words))], where)
    assert plan.call is not None
    call = rendered(sent(plan))
    expected = json.loads(json.dumps(plan.call.parameters).replace(EXECUTION, "d32c5kddcf5bb8c3"))
    assert (call.service, call.operation, call.parameters) == (
        plan.call.service,
        plan.call.operation,
        expected,
    )
    check(call, "")


def test_a_step_is_sent_to_its_cluster_with_its_role() -> None:
    request = sent(planned([Work("clean_ncrb")], CLUSTER))
    assert request["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:emr:addJobFlowSteps"
    told = json.loads(request["Target"]["Input"])
    assert set(told) == {"JobFlowId", "Steps", "ExecutionRoleArn"}
    assert told["JobFlowId"] == CLUSTER.id
    assert told["Steps"][0]["Name"] == f"clean_ncrb {EXECUTION}"
    assert f"s3://logs/emr/outcomes/{EXECUTION}" in told["Steps"][0]["HadoopJarStep"]["Args"]


def test_a_job_run_is_told_in_capitals_and_a_token_of_its_own() -> None:
    request = sent(planned([Work("clean_ncrb")], APPLICATION))
    assert request["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:emrserverless:startJobRun"
    told = json.loads(request["Target"]["Input"])
    assert told["ClientToken"] == EXECUTION
    assert told["JobDriver"]["SparkSubmit"]["EntryPoint"] == MANIFEST.entry
    (configuration,) = told["ConfigurationOverrides"]["ApplicationConfiguration"]
    # Members have capitals; the keys of a map are Spark's.
    assert configuration["Classification"] == "spark-defaults"
    assert configuration["Properties"]["spark.submit.pyFiles"] == MANIFEST.code
    first, second = rendered(request, "one"), rendered(request, "two")
    assert (first.parameters["clientToken"], second.parameters["clientToken"]) == ("one", "two")
    assert first.method == "start_job_run"


def test_a_transient_cluster_is_made_for_each_run_and_ends_with_it() -> None:
    request = sent(planned([Work("clean_ncrb")], None))
    assert request["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:emr:runJobFlow"
    call = rendered(request, "one")
    assert call.parameters["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False
    assert call.parameters["Steps"][0]["ActionOnFailure"] == "TERMINATE_CLUSTER"
    assert call.parameters["Name"] == "crime-jobs one"


def test_starts_are_tried_again_and_then_kept() -> None:
    request = sent(planned([Work("clean_ncrb")], CLUSTER))
    assert request["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600}
    assert request["Target"]["DeadLetterConfig"] == {"Arn": TABLE["dead_letter_queue"]}
    assert request["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert request["ScheduleExpressionTimezone"] == "Asia/Kolkata"
    assert request["GroupName"] == "crime-jobs-pune"
    assert request["Description"].endswith("package 0123456789ab")
    check(Call("scheduler", "CreateSchedule", request), "")


def test_a_request_that_the_service_would_refuse_is_not_scheduled() -> None:
    with pytest.raises(WrongUsage, match="JobFlowId"):
        target(Call("emr", "AddJobFlowSteps", {"Steps": []}), "aws")


def test_other_peoples_schedules_are_left_alone() -> None:
    other = {"Name": "x", "Target": {"Arn": "arn:aws:lambda:ap-south-1:1:function:f"}}
    with pytest.raises(CrimeJobsError, match="lambda"):
        render(other, "one")


def test_other_partitions_have_arns_of_their_own() -> None:
    call = Call("emr", "AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": []})
    assert target(call, "aws-cn")["Arn"].startswith("arn:aws-cn:scheduler:::")


@pytest.mark.parametrize("key", sorted(TABLE))
def test_an_arn_that_is_missing_is_named(key: str) -> None:
    table = Table.model_validate({k: v for k, v in TABLE.items() if k != key})
    with pytest.raises(WrongUsage, match=rf"\[pune.schedule\].* has no {key}"):
        needed(settings(), table, key)


@pytest.mark.parametrize("key", ["dead_letter_queue", "topic"])
def test_an_arn_of_another_region_is_refused(key: str) -> None:
    with pytest.raises(WrongUsage, match="us-east-1.*ap-south-1"):
        table_of(settings({**TABLE, key: TABLE[key].replace("ap-south-1", "us-east-1")}))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"rolle": ROLE}, "rolle"),
        ({"role": "me"}, "role"),
        ({"timezone": "Asia/Pune"}, "Asia/Pune"),
        ({"retries": 999}, "retries"),
    ],
)
def test_a_wrong_table_is_refused_naming_the_key(table: dict[str, Any], told: str) -> None:
    with pytest.raises(WrongUsage, match=told):
        table_of(settings(table))


@pytest.mark.parametrize("name", ["a b", "x" * 65, "list", "run-now", "é", ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    what = _planned.What([Work("clean_ncrb")], MANIFEST, CLUSTER, {})
    plan = _planned.make(settings(), table_of(settings()), what, WHEN, name)
    with pytest.raises(WrongUsage, match="can't be a schedule's name"):
        sent(plan)


# The chain.


def definition(works: list[Work], where: Target | None) -> dict[str, Any]:
    found = planned(works, where).definition
    assert found is not None
    return found


CHAIN = [Work("clean_ncrb", ("--set", "max_bad_share=0.5"), go_on=True), Work("hot_spots")]


@pytest.mark.parametrize("where", [CLUSTER, APPLICATION, None])
def test_a_chain_has_no_state_that_leads_nowhere(where: Target | None) -> None:
    machine = definition(CHAIN, where)
    states = machine["States"]
    reached, open_ = set(), {machine["StartAt"]}
    while open_:
        name = open_.pop()
        reached.add(name)
        state = states[name]
        following = {state.get("Next"), state.get("Default")}
        following |= {c["Next"] for c in [*state.get("Catch", []), *state.get("Choices", [])]}
        assert state["Type"] in ("Succeed", "Fail") or following - {None}
        open_ |= following - {None} - reached
    assert reached == set(states)
    for state in states.values():
        if state["Type"] == "Task":  # no failure ends a chain unheard; throttling is tried again, with jitter
            assert state["Retry"][0]["JitterStrategy"] == "FULL"
            assert not {"States.ALL", "States.TaskFailed"} & set(state["Retry"][0]["ErrorEquals"])


def test_parts_of_a_chain_wait_and_each_has_its_own_outcome() -> None:
    states = definition(CHAIN, CLUSTER)["States"]
    first, second = states["1 clean_ncrb"], states["2 hot_spots"]
    assert first["Resource"] == "arn:aws:states:::elasticmapreduce:addStep.sync"
    assert first["TimeoutSeconds"] == 12 * 3600
    assert set(first["Arguments"]) == {"ClusterId", "Step", "ExecutionRoleArn"}
    # The first goes on whatever becomes of it, the second does not.
    assert first["Catch"][0]["Next"] == first["Next"] == "2 hot_spots"
    assert set(first["Catch"][0]["Assign"]) == {"failed"}
    assert set(second["Catch"][0]["Assign"]) == {"failed", "end"}
    outcomes = [s["Arguments"]["Step"]["HadoopJarStep"]["Args"][-1] for s in (first, second)]
    assert outcomes == [
        f'{{% "s3://logs/emr/outcomes/" & $states.context.Execution.Name & "-{number}" %}}'
        for number in (1, 2)
    ]


def test_a_chain_on_an_application_waits_for_job_runs() -> None:
    first = definition(CHAIN, APPLICATION)["States"]["1 clean_ncrb"]
    assert first["Resource"] == "arn:aws:states:::emr-serverless:startJobRun.sync"
    assert first["Arguments"]["ApplicationId"] == APPLICATION.id


def test_a_chain_without_cluster_makes_one_and_ends_it_on_every_way() -> None:
    states = definition(CHAIN, None)["States"]
    assert states["Start cluster"]["Resource"].endswith(":createCluster.sync")
    assert states["Start cluster"]["Arguments"]["Instances"]["KeepJobFlowAliveWhenNoSteps"] is True
    assert "Steps" not in states["Start cluster"]["Arguments"]
    assert states["1 clean_ncrb"]["Arguments"]["ClusterId"] == "{% $cluster %}"
    assert states["2 hot_spots"]["Next"] == states["2 hot_spots"]["Catch"][0]["Next"] == "End cluster"
    assert states["End cluster"]["Catch"][0]["Next"] == "How it went"


def test_a_chain_is_started_under_the_id_of_its_run() -> None:
    request = sent(planned(CHAIN, CLUSTER))
    call = rendered(request, "one")
    assert (call.service, call.operation) == ("stepfunctions", "StartExecution")
    assert call.parameters == {
        "stateMachineArn": f"arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:crime-jobs-pune-nightly",
        "name": "one",
        "input": "{}",
    }


def test_a_single_job_is_a_chain_where_somebody_is_to_be_told() -> None:
    assert planned([Work("clean_ncrb")], CLUSTER, notify=True).definition
    assert planned([Work("clean_ncrb")], CLUSTER).definition is None


def test_subjects_are_what_sns_takes() -> None:
    parts: list[tuple[str, dict[str, Any], bool]] = [("one", {}, False)]
    machine = _asl.machine(
        "é" * 200, parts, service="emr-serverless", topic=TABLE["topic"], timeout_seconds=1
    )
    subject = machine["States"][_asl.SAY_DONE]["Arguments"]["Subject"]
    assert subject.isascii()
    assert len(subject) <= 100
