"""EMR's clusters and steps on the engine: they really run, fail, and are really ended."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from crime_harness import processes

from .conftest import Stack
from .engines import ODD, Engine, until

#: Fails as soon as the test says so.
FAIL_LATER = 'until [ -e "$0/go" ]; do sleep 0.05; done; false'


@pytest.fixture
def engine(stack: Stack) -> Iterator[Engine]:
    made = Engine(stack)
    yield made
    made.end()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def pids(*files: Path) -> list[int]:
    """The numbers that a step writes into files, once they are there."""
    return [int(until(lambda file=file: file.exists() and file.read_text().strip())) for file in files]  # type: ignore[misc]


def test_a_cluster_and_a_step_go_through_their_states(engine: Engine) -> None:
    with engine.pace(start_seconds=0.4):
        cluster = engine.cluster()
        seen: list[str] = []
        while not seen or seen[-1] != "WAITING":
            if (state := engine.state(cluster)) not in seen[-1:]:
                seen.append(state)
    assert seen[0] == "STARTING"
    assert seen[-1] == "WAITING"
    assert set(seen) <= {"STARTING", "BOOTSTRAPPING", "WAITING"}

    step = engine.add(cluster, "bash", "-c", 'sleep 1; printf "<%s>" "$@"; echo oops >&2', "x", *ODD)
    states: list[str] = []
    while not states or states[-1] not in ("COMPLETED", "FAILED"):
        if (state := engine.step_state(cluster, step)) not in states[-1:]:
            states.append(state)
            if state == "RUNNING":
                assert engine.state(cluster) == "RUNNING"
    assert states[-2:] == ["RUNNING", "COMPLETED"]
    found = engine.ended(cluster, step)
    times = found["Status"]["Timeline"]
    assert times["CreationDateTime"] <= times["StartDateTime"] < times["EndDateTime"]
    assert found["Config"]["Args"][4:] == ODD
    assert "FailureDetails" not in found["Status"]
    assert engine.log(cluster, step, "stdout") == "".join(f"<{text}>" for text in ODD)
    assert engine.log(cluster, step, "stderr") == "oops\n"
    assert engine.log(cluster, step, "syslog") == ""
    assert "Step succeeded with exitCode 0" in engine.log(cluster, step, "controller")
    status = engine.becomes(cluster, "WAITING")
    assert status["StateChangeReason"]["Message"] == "Cluster ready after last step completed."

    engine.emr.terminate_job_flows(JobFlowIds=[cluster])
    status = engine.becomes(cluster, "TERMINATED")
    assert status["StateChangeReason"] == {"Code": "USER_REQUEST", "Message": "Terminated by user request"}
    for call in (
        lambda: engine.add(cluster, "bash"),
        lambda: engine.emr.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=2),
    ):
        with pytest.raises(ClientError, match="shutting down, terminated, or finished may not be modified"):
            call()


def test_a_node_has_pythons_own_packages_and_no_secrets(engine: Engine) -> None:
    cluster = engine.cluster()
    script = (
        "import os, sys, importlib.util as u\n"
        "print([n for n in ('pandas','boto3','crime_jobs','pyspark','pip','starlette') if u.find_spec(n)])\n"
        "print(sys.version_info[:2], {n: v for n, v in os.environ.items() if n.startswith('AWS_')})\n"
    )
    step = engine.add(
        cluster, "bash", "-c", 'python3.11 -c "$1" && aws s3 ls s3://crime-artifacts', "x", script
    )
    assert engine.ended(cluster, step)["Status"]["State"] == "COMPLETED", engine.log(cluster, step, "stderr")
    packages, rest, *_ = engine.log(cluster, step, "stdout").splitlines()
    assert packages == "[]"
    assert rest.startswith("(3, 11) ")
    assert eval(rest.removeprefix("(3, 11) ")) == {  # noqa: S307 - our own print
        name: value for name, value in engine.stack.env.items() if name.startswith("AWS_")
    }


def test_a_failed_step_says_why_and_the_next_goes_on(engine: Engine) -> None:
    cluster = engine.cluster()
    failing = engine.add(
        cluster, "bash", "-c", "echo 'Exception in thread \"main\" java.lang.X: no' >&2; exit 3"
    )
    following = engine.add(cluster, "bash", "-c", "echo on")
    status = engine.ended(cluster, failing)["Status"]
    assert status["State"] == "FAILED"
    assert status["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": 'Exception in thread "main" java.lang.X: no',
        "LogFile": f"s3://crime-logs/engine/{cluster}/steps/{failing}/stderr.gz",
    }
    assert engine.text(status["FailureDetails"]["LogFile"]).endswith("Command exiting with ret '3'\n")
    assert "Step failed with exitCode 3" in engine.log(cluster, failing, "controller")
    assert engine.ended(cluster, following)["Status"]["State"] == "COMPLETED"
    missing = engine.add(cluster, "spark-submit", "s3://crime-artifacts/x.py")
    assert engine.step_state(cluster, missing) in ("PENDING", "RUNNING", "FAILED")


def test_a_failure_cancels_what_waits_if_told_so(engine: Engine, tmp_path: Path) -> None:
    cluster = engine.cluster()
    steps = [
        engine.add(cluster, "bash", "-c", FAIL_LATER, str(tmp_path), then="CANCEL_AND_WAIT"),
        engine.add(cluster, "bash", "-c", "true"),
        engine.add(cluster, "bash", "-c", "true", then="TERMINATE_CLUSTER"),
    ]
    (tmp_path / "go").touch()
    states = [engine.ended(cluster, step)["Status"]["State"] for step in steps]
    assert states == ["FAILED", "CANCELLED", "CANCELLED"]
    status = engine.becomes(cluster, "WAITING")
    assert status["StateChangeReason"]["Message"] == "Cluster ready after last step failed."
    assert engine.ended(cluster, engine.add(cluster, "bash", "-c", "true"))["Status"]["State"] == "COMPLETED"


def test_a_failure_ends_the_cluster_if_told_so_unless_it_is_protected(engine: Engine, tmp_path: Path) -> None:
    free, kept = engine.cluster(), engine.cluster(Instances={"TerminationProtected": True})
    for cluster in (free, kept):
        engine.add(cluster, "bash", "-c", FAIL_LATER, str(tmp_path), then="TERMINATE_CLUSTER")
    waiting = {cluster: engine.add(cluster, "bash", "-c", "true") for cluster in (free, kept)}
    (tmp_path / "go").touch()
    status = engine.becomes(free, "TERMINATED_WITH_ERRORS")
    assert status["StateChangeReason"] == {"Code": "STEP_FAILURE", "Message": "Shut down as step failed"}
    engine.becomes(kept, "WAITING")
    assert {engine.step_state(*pair) for pair in waiting.items()} == {"CANCELLED"}
    with pytest.raises(ClientError, match="since they are termination protected"):
        engine.emr.terminate_job_flows(JobFlowIds=[kept])
    assert engine.state(kept) == "WAITING"


def test_steps_run_at_the_same_time_as_many_as_allowed(engine: Engine, tmp_path: Path) -> None:
    """Two steps that wait for each other end only if both run; the third has to wait for one of them."""
    cluster = engine.cluster(StepConcurrencyLevel=2)
    meet = f'cd "{tmp_path}"; touch $0; until [ -e $1 ] && [ -e go ]; do sleep 0.05; done'
    first, second = (engine.add(cluster, "bash", "-c", meet, *pair) for pair in (("a", "b"), ("b", "a")))
    third = engine.add(cluster, "bash", "-c", "true")
    until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    assert [engine.step_state(cluster, step) for step in (first, second, third)] == [
        *("RUNNING", "RUNNING", "PENDING"),
    ]
    assert engine.emr.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=3)["StepConcurrencyLevel"] == 3
    assert engine.ended(cluster, third)["Status"]["State"] == "COMPLETED"
    (tmp_path / "go").touch()
    assert [engine.ended(cluster, step)["Status"]["State"] for step in (first, second)] == ["COMPLETED"] * 2
    with pytest.raises(ClientError, match="ActionOnFailure TERMINATE_CLUSTER is not valid"):
        engine.add(cluster, "bash", then="TERMINATE_CLUSTER")


@pytest.mark.parametrize("option", ["SEND_INTERRUPT", "TERMINATE_PROCESS"])
def test_a_cancelled_step_is_really_gone(engine: Engine, tmp_path: Path, option: str) -> None:
    """With its child, which ignores SIGTERM; the step that waited is never started."""
    cluster = engine.cluster()
    script = f'cd "{tmp_path}"; trap "" TERM; sleep 60 & echo $! > child; echo $$ > parent; wait'
    running = engine.add(cluster, "bash", "-c", script)
    waiting = engine.add(cluster, "bash", "-c", f'touch "{tmp_path}/started"')
    found = pids(tmp_path / "child", tmp_path / "parent")
    assert not any(gone(pid) for pid in found), "it has to run, or the test proves nothing"

    ids = [running, waiting]
    said = engine.emr.cancel_steps(ClusterId=cluster, StepIds=ids, StepCancellationOption=option)
    assert said["CancelStepsInfoList"] == [{"StepId": step, "Status": "SUBMITTED"} for step in ids]
    assert engine.step_state(cluster, running) in ("CANCEL_PENDING", "CANCELLED")
    assert [engine.ended(cluster, step)["Status"]["State"] for step in ids] == ["CANCELLED"] * 2
    assert all(gone(pid) for pid in found)
    engine.becomes(cluster, "WAITING")
    assert not (tmp_path / "started").exists()
    again = engine.emr.cancel_steps(ClusterId=cluster, StepIds=[running])["CancelStepsInfoList"][0]
    assert again["Status"] == "FAILED"
    assert "CANCELLED" in again["Reason"]


def test_a_cluster_that_ends_takes_its_steps_along(engine: Engine, tmp_path: Path) -> None:
    """What a step left running in the background, too."""
    cluster = engine.cluster()
    left = engine.add(cluster, "bash", "-c", f'cd "{tmp_path}"; setsid sleep 60 & echo $! > left')
    engine.ended(cluster, left)
    running = engine.add(cluster, "bash", "-c", f'cd "{tmp_path}"; sleep 60 & echo $! > child; wait')
    waiting = engine.add(cluster, "bash", "-c", "true")
    found = pids(tmp_path / "left", tmp_path / "child")
    assert not any(gone(pid) for pid in found)
    engine.emr.terminate_job_flows(JobFlowIds=[cluster])
    engine.becomes(cluster, "TERMINATED")
    assert all(gone(pid) for pid in found)
    assert engine.step_state(cluster, running) == "INTERRUPTED"
    assert engine.step_state(cluster, waiting) == "CANCELLED"
    groups = engine.emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
    assert {group["Status"]["State"] for group in groups} == {"TERMINATED"}


def action(uri: str, *arguments: str) -> dict[str, Any]:
    return {"Name": uri[-20:], "ScriptBootstrapAction": {"Path": uri, "Args": list(arguments)}}


def test_bootstrap_actions_run_in_order_with_their_arguments(engine: Engine) -> None:
    first = engine.put("one.sh", '#!/bin/bash\nprintf "<%s>" "$@"; echo one > "$HOME/boot-$$PPID"\n')
    second = engine.put("two.py", "#!/usr/bin/env python3.11\nimport sys; print('two', file=sys.stderr)\n")
    third = engine.put("three", "echo no first line\n")
    cluster = engine.cluster(BootstrapActions=[action(first, *ODD), action(second), action(third)])
    engine.becomes(cluster, "WAITING")
    assert engine.emr.list_bootstrap_actions(ClusterId=cluster)["BootstrapActions"][0]["Args"] == ODD
    groups = {
        g["InstanceGroupType"]: g
        for g in engine.emr.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
    }
    assert groups["CORE"]["RunningInstanceCount"] == 2
    (primary,) = engine.emr.list_instances(ClusterId=cluster, InstanceGroupTypes=["MASTER"])["Instances"]
    logs = f"s3://crime-logs/engine/{cluster}/node/{primary['Ec2InstanceId']}/bootstrap-actions"
    assert engine.text(f"{logs}/1/stdout.gz") == "".join(f"<{text}>" for text in ODD)
    assert engine.text(f"{logs}/2/stderr.gz") == "two\n"
    assert engine.text(f"{logs}/3/stdout.gz") == "no first line\n"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo sorry >&2; exit 4", "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", "a non-zero return code"),
        (None, "BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY", "failed download"),
    ],
)
def test_a_failed_bootstrap_action_ends_the_cluster(
    engine: Engine, script: str | None, code: str, words: str
) -> None:
    uri = engine.put("boot.sh", script) if script else "s3://crime-artifacts/no-such.sh"
    jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", "true"]}
    cluster = engine.cluster(
        BootstrapActions=[action(uri)],
        Instances={"TerminationProtected": True},
        Steps=[{"Name": "s", "HadoopJarStep": jar}],
    )
    status = engine.becomes(cluster, "TERMINATED_WITH_ERRORS")
    assert status["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"
    assert words in status["StateChangeReason"]["Message"]
    (error,) = status["ErrorDetails"]
    assert error["ErrorCode"] == code
    assert error["ErrorData"][0]["bootstrap-action"] == "1"
    (step,) = engine.emr.list_steps(ClusterId=cluster)["Steps"]
    assert step["Status"]["State"] == "CANCELLED"


def test_a_cluster_without_more_to_do_ends(engine: Engine) -> None:
    script = {"Jar": "command-runner.jar", "Args": ["bash", "-c", "exit $0"]}
    for code, message in (("0", "Steps completed"), ("1", "Steps completed with errors")):
        jar = {**script, "Args": [*script["Args"], code]}
        steps = [{"Name": "s", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}]
        cluster = engine.cluster(keep=False, Steps=steps)
        reason = engine.becomes(cluster, "TERMINATED")["StateChangeReason"]
        assert reason == {"Code": "ALL_STEPS_COMPLETED", "Message": message}


def test_an_idle_cluster_ends_when_its_policy_says_so(engine: Engine) -> None:
    with engine.pace(timeout_factor=0.01):
        cluster = engine.cluster(AutoTerminationPolicy={"IdleTimeout": 100})
        step = engine.add(cluster, "bash", "-c", "sleep 1.5")
        assert engine.ended(cluster, step)["Status"]["State"] == "COMPLETED", "longer than the idle time"
        status = engine.becomes(cluster, "TERMINATED")
    busy = engine.step(cluster, step)["Status"]["Timeline"]["EndDateTime"]
    assert (status["Timeline"]["EndDateTime"] - busy).total_seconds() >= 0.9


def test_lists_come_in_pages_the_newest_first(engine: Engine) -> None:
    cluster = engine.cluster()
    jar = {"Jar": "command-runner.jar", "Args": ["bash", "-c", "sleep 60"]}
    steps = [
        {"Name": f"s{number}", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar} for number in range(60)
    ]
    ids = engine.emr.add_job_flow_steps(JobFlowId=cluster, Steps=steps)["StepIds"]
    pages = list(engine.emr.get_paginator("list_steps").paginate(ClusterId=cluster))
    assert [len(page["Steps"]) for page in pages] == [50, 10]
    assert [step["Id"] for page in pages for step in page["Steps"]] == ids[::-1]
    until(lambda: engine.step_state(cluster, ids[0]) == "RUNNING")
    running = engine.emr.list_steps(ClusterId=cluster, StepStates=["RUNNING"])["Steps"]
    assert [step["Id"] for step in running] == ids[:1]
    some = engine.emr.list_steps(ClusterId=cluster, StepIds=ids[3:5])["Steps"]
    assert [step["Id"] for step in some] == ids[3:5][::-1]
    for wrong, words in (
        ({"Marker": "s-NONE"}, "Marker 's-NONE' is not valid"),
        ({"StepIds": ["s-NONE"]}, "Step id 's-NONE' is not valid"),
        ({"StepIds": ids[:11]}, "At most 10 StepIds"),
    ):
        with pytest.raises(ClientError, match=words):
            engine.emr.list_steps(ClusterId=cluster, **wrong)
    with pytest.raises(ClientError, match=r"Maximum number of active steps \(256\)"):
        engine.emr.add_job_flow_steps(JobFlowId=cluster, Steps=steps * 4)
    listed = engine.emr.list_clusters(ClusterStates=["RUNNING"])["Clusters"]
    assert cluster in [one["Id"] for one in listed]
    later = engine.emr.list_clusters(CreatedAfter=listed[0]["Status"]["Timeline"]["CreationDateTime"])
    assert cluster not in [one["Id"] for one in later["Clusters"]]


def test_what_describes_a_cluster_is_kept_and_given_back(engine: Engine) -> None:
    limits = {
        "ComputeLimits": {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}
    }
    cluster = engine.cluster(
        Tags=[{"Key": "a", "Value": "1"}],
        ManagedScalingPolicy=limits,
        Configurations=[{"Classification": "hue-ini", "Properties": {}}],
        Instances={"Ec2SubnetIds": ["subnet-1"], "Ec2KeyName": "key"},
    )
    emr = engine.emr
    emr.add_tags(ResourceId=cluster, Tags=[{"Key": "b", "Value": "2"}])
    emr.remove_tags(ResourceId=cluster, TagKeys=["a"])
    emr.put_auto_termination_policy(ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 600})
    found = emr.describe_cluster(ClusterId=cluster)["Cluster"]
    assert found["Tags"] == [{"Key": "b", "Value": "2"}]
    assert found["LogUri"] == "s3n://crime-logs/engine/"
    assert found["Ec2InstanceAttributes"]["Ec2SubnetId"] == "subnet-1"
    assert found["Configurations"] == [{"Classification": "hue-ini", "Properties": {}}]
    assert [one["Name"] for one in found["Applications"]] == ["Spark", "Hive"]
    assert emr.get_managed_scaling_policy(ClusterId=cluster)["ManagedScalingPolicy"] == limits
    assert emr.get_auto_termination_policy(ClusterId=cluster)["AutoTerminationPolicy"] == {"IdleTimeout": 600}
    emr.remove_managed_scaling_policy(ClusterId=cluster)
    emr.remove_auto_termination_policy(ClusterId=cluster)
    assert "AutoTerminationPolicy" not in emr.get_auto_termination_policy(ClusterId=cluster)
    name = f"sec-{cluster}"
    emr.create_security_configuration(Name=name, SecurityConfiguration="{}")
    assert emr.describe_security_configuration(Name=name)["SecurityConfiguration"] == "{}"
    emr.delete_security_configuration(Name=name)
    with pytest.raises(ClientError, match="does not exist"):
        emr.describe_security_configuration(Name=name)


def test_logs_come_late_where_the_engine_is_told_so(engine: Engine) -> None:
    cluster, silent = engine.cluster(), engine.cluster(LogUri="")
    with engine.pace(log_delay_seconds=5.0):  # longer than a busy machine takes to ask
        step = engine.add(cluster, "bash", "-c", "echo late")
        assert engine.ended(cluster, step)["Status"]["State"] == "COMPLETED"
        with pytest.raises(ClientError, match="NoSuchKey"):
            engine.log(cluster, step, "stdout")
        folder = f"s3://crime-logs/engine/{cluster}/steps/{step}"
        until(lambda: len(engine.stack.keys(folder)) == 4, seconds=30)
        assert engine.log(cluster, step, "stdout") == "late\n"
    failed = engine.ended(silent, engine.add(silent, "bash", "-c", "false"))
    assert failed["Status"]["FailureDetails"] == {"Reason": "Unknown Error."}
    assert engine.stack.keys(f"s3://crime-logs/engine/{silent}") == []


def test_the_engines_own_endpoint(engine: Engine) -> None:
    names = ("emr", "emr-serverless", "dms", "redshift-data", "athena", "glue", "rekognition")
    running = dict.fromkeys(names, "running")
    assert engine.own("health") == {"services": running}
    fault = {"service": "emr", "operation": "ListClusters", "code": "AccessDeniedException", "times": 1}
    (ordered,) = engine.own("faults", "POST", fault)
    assert ordered["code"] == "AccessDeniedException"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        engine.emr.list_clusters()
    assert engine.own("faults") == []
    engine.emr.list_clusters()
    for path, body in (("faults", {"operation": "x"}), ("pace", {"speed": 1})):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            engine.own(path, "POST", body)


def test_the_engines_listen_on_the_loopback_address_alone(engine: Engine) -> None:
    server = next(  # the command is None where it can't be read: a zombie, another user's
        process
        for process in psutil.process_iter(["cmdline"])
        if {"crime_engines", str(engine.port)} <= set(process.info["cmdline"] or ())
    )
    assert processes.listening([server]) == {("127.0.0.1", engine.port)}
