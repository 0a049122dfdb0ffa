"""Submitting as a user does it: steps, job runs, Hive scripts, chains, a cluster of their own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localstack.conftest import Stack
from tests.localstack.emr import Emr, line_with, until

JOB = "crime_group_heads"  # the smallest: it reads no landing file


@pytest.fixture(scope="module")
def emr(stack: Stack) -> Iterator[Emr]:
    made = Emr(stack)
    yield made
    made.end()


@pytest.fixture(scope="module")
def cluster(emr: Emr) -> str:
    return emr.cluster("submitting")


@pytest.fixture(scope="module")
def application(emr: Emr) -> str:
    return emr.application("submitting-serverless")


@pytest.fixture(scope="module")
def done_step(emr: Emr, cluster: str) -> tuple[str, str]:
    """A step that was submitted, and the lake it wrote."""
    lake = emr.stack.fresh("submitted")
    done = emr.command("submit", JOB, "--on", cluster, "--lake", lake)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["table"], row["rows_written"]) == (JOB, 368)
    assert "COMPLETED" in done.stderr
    return emr.steps(cluster)[0]["Id"], lake


def test_a_dry_run_prints_the_very_request(emr: Emr, cluster: str, done_step: tuple[str, str]) -> None:
    before = emr.steps(cluster)
    done = emr.command("submit", JOB, "--on", cluster, "--lake", done_step[1], "--dry-run")
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout)[0]["AddJobFlowSteps"]
    assert emr.steps(cluster) == before  # nothing was sent
    really = next(s for s in before if s["Id"] == done_step[0])["Config"]["Args"]
    printed = sent["Steps"][0]["HadoopJarStep"]["Args"]
    where = printed.index("--outcome") + 1  # each submission has its own
    assert printed[:where] == really[:where]
    assert sent["JobFlowId"] == cluster


def test_steps_lists_it_and_logs_have_the_driver_s_words(
    emr: Emr, cluster: str, done_step: tuple[str, str]
) -> None:
    rows = [json.loads(line) for line in emr.command("steps", "--on", cluster).stdout.splitlines()]
    mine = next(row for row in rows if row["id"] == done_step[0])
    assert mine["name"].startswith(f"{JOB} ")
    assert mine["state"] == "COMPLETED"
    logs = emr.command("logs", done_step[0], "--on", cluster)
    assert logs.returncode == 0, logs.stderr
    assert f'"table": "{JOB}"' in logs.stdout  # printed by the driver, in a container of YARN
    assert "== stdout: s3://crime-logs/emr/" in logs.stderr
    assert "Submitted application" in logs.stdout  # the step's own


def test_retry_submits_the_same_again(emr: Emr, cluster: str, done_step: tuple[str, str]) -> None:
    done = emr.command("retry", done_step[0], "--on", cluster)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows_written"] == 368
    newest, first = emr.steps(cluster)[0], done_step[0]
    old = next(s for s in emr.steps(cluster) if s["Id"] == first)
    assert newest["Id"] != first
    at = old["Config"]["Args"].index("--outcome") + 1
    assert newest["Config"]["Args"][:at] == old["Config"]["Args"][:at]
    assert newest["Config"]["Args"][at] != old["Config"]["Args"][at]


def test_a_hive_script_of_one_s_own_gets_its_variables_as_typed(
    emr: Emr, cluster: str, tmp_path: Path
) -> None:
    script = tmp_path / "my question.hql"
    script.write_text("-- What was typed\nSELECT \"${hivevar:word}\" AS word, '${hivevar:lake}' AS lake;\n")
    word = "कुल, a;b  'c' $HOME *"
    done = emr.command("submit", f"hive:{script}", "--hivevar", f"word={word}", "--on", cluster)
    assert done.returncode == 0, done.stderr
    step = emr.steps(cluster)[0]
    assert f"word={word}" in step["Config"]["Args"]
    logs = emr.command("logs", step["Id"], "--on", cluster, "--only", "step stdout")
    assert logs.stdout.splitlines()[0] == f"{word}\t{emr.stack.lake}"


def test_no_wait_returns_at_once_and_cancel_ends_it(emr: Emr, cluster: str) -> None:
    step = {
        "Name": "blocks",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["bash", "-c", "sleep 600"]},
    }
    blocks = emr.client("emr").add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0]
    done = emr.command("submit", JOB, "--on", cluster, "--no-wait", "--lake", emr.stack.fresh("nowait"))
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["state"] == "PENDING"
    for run_id, name in ((row["id"], JOB), (blocks, "blocks")):
        cancelled = emr.command("cancel", run_id, "--on", cluster)
        assert cancelled.returncode == 0, cancelled.stderr
        assert name in cancelled.stdout
        assert "CANCELLED" in cancelled.stdout
    again = emr.command("cancel", blocks, "--on", cluster)
    assert again.returncode == 2
    assert "over already" in again.stderr


def test_a_job_run_on_serverless_by_the_name_of_its_application(emr: Emr, application: str) -> None:
    lake = emr.stack.fresh("serverless")
    done = emr.command("submit", JOB, "--on", "submitting-serverless", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows_written"] == 368
    run = json.loads(emr.command("steps", "--on", application).stdout.splitlines()[0])
    assert run["state"] == "SUCCESS"
    logs = emr.command("logs", run["id"], "--on", application)
    assert logs.returncode == 0, logs.stderr
    assert f'"table": "{JOB}"' in logs.stdout


def test_a_job_run_that_fails_is_explained_and_exits_as_the_job_did(emr: Emr, application: str) -> None:
    done = emr.command(
        "submit", "hot_spots", "--on", application, "--lake", emr.stack.fresh("empty"), "--log-wait", "5"
    )
    assert done.returncode == 3, done.stderr
    assert "BadInput: Table crime_facts is not in the lake" in done.stderr
    assert "SPARK_DRIVER/" in done.stderr  # where its logs are


def test_ctrl_c_cancels_a_job_run(emr: Emr, application: str) -> None:
    running = emr.start("submit", "all", "--on", application, "--lake", emr.stack.fresh("cancelled"))
    line_with(running, "RUNNING  1/10")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Cancelled all" in err
    runs = emr.client("emr-serverless").list_job_runs(applicationId=application)["jobRuns"]
    assert runs[0]["state"] == "CANCELLED"


def test_a_hive_script_needs_an_application_for_hive(emr: Emr, application: str) -> None:
    done = emr.command("submit", "hive:insight_by_region", "--on", application)
    assert done.returncode == 2
    assert "needs an application of type Hive" in done.stderr


def test_a_transient_cluster_runs_its_chain_and_ends(emr: Emr) -> None:
    lake = emr.stack.fresh("transient")
    done = emr.command("submit", JOB, "--then", "hive:stage", "--on", "transient", "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["rows_written"] == 368
    made = next(word for word in done.stderr.split() if word.startswith("j-"))
    clusters = emr.client("emr")

    def ended() -> bool:
        state = clusters.describe_cluster(ClusterId=made)["Cluster"]["Status"]["State"]
        return state in ("TERMINATING", "TERMINATED")

    until(ended, 30, "the end of the cluster")
    states = {step["Name"].split()[0]: step["Status"]["State"] for step in emr.steps(made)}
    assert states == {JOB: "COMPLETED", "hive:stage": "COMPLETED"}


def test_a_transient_cluster_ends_at_the_first_failure(emr: Emr) -> None:
    lake = emr.stack.fresh("transient-fails")
    done = emr.command("submit", "hot_spots", "--then", JOB, "--on", "transient", "--lake", lake)
    assert done.returncode == 3, done.stderr
    assert "Table crime_facts is not in the lake" in done.stderr
    assert f"Not run: {JOB}" in done.stderr
    made = next(word for word in done.stderr.split() if word.startswith("j-"))
    states = {step["Name"].split()[0]: step["Status"]["State"] for step in emr.steps(made)}
    assert states["hot_spots"] == "FAILED"
    assert states[JOB] in ("CANCELLED", "PENDING", "CANCEL_PENDING")
