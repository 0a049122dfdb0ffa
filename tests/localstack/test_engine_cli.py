"""The AWS CLI, as it is, against the engines."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import ROOT, Stack
from .engines import Engine, until

AWS = ROOT / ".venvs" / "localstack" / "bin" / "aws"


@pytest.fixture
def engine(stack: Stack) -> Iterator[Engine]:
    made = Engine(stack)
    yield made
    made.end()


def run_aws(engine: Engine, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**engine.stack.environ, "HOME": os.devnull, "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"}
    return subprocess.run(
        [str(AWS), *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
    )


def aws(engine: Engine, *arguments: str) -> Any:
    """What the CLI prints, read."""
    done = run_aws(engine, *arguments, "--output", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_emr_by_the_command_line(engine: Engine) -> None:
    made = aws(
        engine,
        *("emr", "create-cluster", "--name", "by hand", "--release-label", "emr-7.13.0"),
        *("--applications", "Name=Spark", "Name=Hive", "--use-default-roles"),
        *("--instance-type", "m5.xlarge", "--instance-count", "2", "--log-uri", "s3://crime-logs/engine/"),
    )
    cluster = made["ClusterId"]
    engine.clusters.append(cluster)
    aws(engine, "emr", "wait", "cluster-running", "--cluster-id", cluster)
    assert aws(engine, "emr", "describe-cluster", "--cluster-id", cluster)["Cluster"]["Name"] == "by hand"
    listed = aws(engine, "emr", "list-clusters", "--active")["Clusters"]
    assert cluster in [one["Id"] for one in listed]

    command = (
        "Type=CUSTOM_JAR,Name=hello,Jar=command-runner.jar,ActionOnFailure=CONTINUE,Args=[bash,-c,echo hello]"
    )
    hang = "Type=CUSTOM_JAR,Name=hang,Jar=command-runner.jar,ActionOnFailure=CONTINUE,Args=[sleep,60]"
    refused = run_aws(engine, "emr", "add-steps", "--cluster-id", cluster, "--steps", hang)
    assert refused.returncode != 0
    assert "(ValidationException)" in refused.stderr
    assert "'sleep' is not supported here" in refused.stderr
    hang = hang.replace("[sleep,60]", "[bash,-c,sleep 60]")
    spark = "Type=Spark,Name=submit,ActionOnFailure=CONTINUE,Args=[s3://crime-artifacts/none.py]"
    first, second, third = aws(
        engine, "emr", "add-steps", "--cluster-id", cluster, "--steps", command, hang, spark
    )["StepIds"]
    until(lambda: engine.step_state(cluster, first) == "COMPLETED")
    aws(engine, "emr", "wait", "step-complete", "--cluster-id", cluster, "--step-id", first)
    assert engine.log(cluster, first, "stdout") == "hello\n"
    steps = aws(engine, "emr", "list-steps", "--cluster-id", cluster)["Steps"]
    assert [step["Id"] for step in steps] == [third, second, first]
    assert steps[0]["Config"]["Args"] == ["spark-submit", "s3://crime-artifacts/none.py"]
    cancelled = aws(engine, "emr", "cancel-steps", "--cluster-id", cluster, "--step-ids", second, third)[
        "CancelStepsInfoList"
    ]
    assert {one["Status"] for one in cancelled} == {"SUBMITTED"}
    found = aws(engine, "emr", "describe-step", "--cluster-id", cluster, "--step-id", third)["Step"]
    assert found["Status"]["State"] == "CANCELLED"
    aws(engine, "emr", "terminate-clusters", "--cluster-ids", cluster)
    engine.becomes(cluster, "TERMINATED")
    gone = run_aws(engine, "emr", "describe-cluster", "--cluster-id", "j-NONE")
    assert "(InvalidRequestException)" in gone.stderr
    assert "Cluster id 'j-NONE' is not valid." in gone.stderr


def test_emr_serverless_by_the_command_line(engine: Engine) -> None:
    made = aws(
        engine, "emr-serverless", "create-application", "--release-label", "emr-7.13.0", "--type", "SPARK"
    )
    one = ("--application-id", made["applicationId"])
    entry = engine.put("hello.py", "print('hello')\n")
    run = aws(
        engine,
        *("emr-serverless", "start-job-run", *one, "--name", "by hand"),
        *("--execution-role-arn", engine.stack.env["CRIME_JOBS_RUNTIME_ROLE"]),
        *("--job-driver", json.dumps({"sparkSubmit": {"entryPoint": entry}})),
    )["jobRunId"]
    until(
        lambda: (
            aws(engine, "emr-serverless", "get-job-run", *one, "--job-run-id", run)["jobRun"]["state"]
            == "SUCCESS"
        )
    )
    assert aws(engine, "emr-serverless", "list-job-runs", *one)["jobRuns"][0]["id"] == run
    aws(engine, "emr-serverless", "stop-application", *one)
    aws(engine, "emr-serverless", "delete-application", *one)
    gone = run_aws(engine, "emr-serverless", "get-application", "--application-id", "00none")
    assert "(ResourceNotFoundException)" in gone.stderr
