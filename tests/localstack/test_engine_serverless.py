"""EMR Serverless on the engine: job runs that really run, wait, fail and are really ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from .conftest import Stack
from .engines import ODD, Engine, until
from .test_engine_spark import ENTRY, archive, zipped

LOGS = "s3://crime-logs/serverless"
OVER = ("SUCCESS", "FAILED", "CANCELLED")

#: Writes its number into a file and waits for another.
WAIT = """
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
"""


class Application:
    """An application, and its runs."""

    def __init__(self, engine: Engine, kind: str, **more: Any) -> None:
        self.engine, self.emr = engine, engine.serverless
        self.id = self.emr.create_application(releaseLabel="emr-7.13.0", type=kind, **more)["applicationId"]

    def start(self, driver: dict[str, Any], properties: dict[str, str] | None = None, **more: Any) -> str:
        conf = [{"classification": "spark-defaults", "properties": properties or {}}]
        request: dict[str, Any] = {
            "applicationId": self.id,
            "executionRoleArn": self.engine.stack.env["CRIME_JOBS_RUNTIME_ROLE"],
            "jobDriver": driver,
            "configurationOverrides": {
                "applicationConfiguration": conf,
                "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"{LOGS}/"}},
            },
            **more,
        }
        return str(self.emr.start_job_run(**request)["jobRunId"])

    def get(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.emr.get_job_run(applicationId=self.id, jobRunId=run)["jobRun"]
        return found

    def state(self, run: str) -> str:
        return str(self.get(run)["state"])

    def ended(self, run: str) -> dict[str, Any]:
        until(lambda: self.state(run) in OVER, seconds=120)
        return self.get(run)

    def log(self, run: str, name: str, folder: str = "SPARK_DRIVER") -> str:
        return self.engine.text(f"{LOGS}/applications/{self.id}/jobs/{run}/{folder}/{name}.gz")

    def end(self) -> None:
        for run in self.emr.list_job_runs(applicationId=self.id)["jobRuns"]:
            if run["state"] not in (*OVER, "CANCELLING"):
                self.emr.cancel_job_run(applicationId=self.id, jobRunId=run["id"])
        active = ["SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "CANCELLING", "QUEUED"]
        until(lambda: not self.emr.list_job_runs(applicationId=self.id, states=active)["jobRuns"])
        if self.emr.get_application(applicationId=self.id)["application"]["state"] == "STARTED":
            self.emr.stop_application(applicationId=self.id)
        self.emr.delete_application(applicationId=self.id)


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Iterator[Engine]:
    made = Engine(stack)
    yield made
    made.end()


@pytest.fixture
def spark(engine: Engine) -> Iterator[Application]:
    made = Application(engine, "SPARK", name="engine/test")
    yield made
    made.end()


@pytest.fixture(scope="module")
def entry(engine: Engine) -> str:
    return engine.put("entry.py", ENTRY)


@pytest.fixture(scope="module")
def waiting(engine: Engine) -> str:
    return engine.put("wait.py", WAIT)


def program(uri: str, *arguments: str, parameters: str | None = None) -> dict[str, Any]:
    more = {"sparkSubmitParameters": parameters} if parameters else {}
    return {"sparkSubmit": {"entryPoint": uri, "entryPointArguments": list(arguments), **more}}


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def number_in(path: Path) -> int:
    return int(until(lambda: path.exists() and path.read_text().strip()))


def test_a_job_run_finds_what_it_brought(engine: Engine, spark: Application, entry: str) -> None:
    lake = engine.stack.fresh("engine")
    properties = {
        "spark.archives": f"{engine.put('env.tar.gz', archive('brought.py'))}#environment",
        "spark.submit.pyFiles": engine.put("code.zip", zipped("code.py", "ADD = 1000\n")),
        "spark.emr-serverless.driverEnv.PYTHONPATH": "./environment",
        "spark.executorEnv.PYTHONPATH": "./environment",
        "spark.emr-serverless.driverEnv.SAID": "by the run",
    }
    driver = program(entry, *ODD, "--spark", lake, parameters="--name 'a name' --conf 'spark.x y=z'")
    run = spark.start(driver, properties, name="one run", tags={"a": "1"})
    seen = [spark.state(run)]
    while seen[-1] not in OVER:
        if (state := spark.state(run)) != seen[-1]:
            seen.append(state)
        time.sleep(0.01)
    assert seen[-2:] == ["RUNNING", "SUCCESS"]
    assert set(seen) <= {"SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS"}
    found = spark.get(run)
    assert (found["name"], found["tags"], found["mode"]) == ("one run", {"a": "1"}, "BATCH")
    assert found["jobDriver"] == driver
    assert found["createdAt"] <= found["startedAt"] < found["endedAt"]
    first, total, names, count = spark.log(run, "stdout").splitlines()
    shown = json.loads(first)
    assert shown["arguments"] == [*ODD, "--spark", lake]
    assert (shown["node"], shown["said"]) == ([], "by the run")
    assert json.loads(total) == [1100, 1101, 1102]
    assert json.loads(names) == ["a name", "z"]
    assert count == "7"
    (listed,) = spark.emr.list_job_runs(applicationId=spark.id)["jobRuns"]
    assert (listed["id"], listed["state"], listed["type"]) == (run, "SUCCESS", "Spark")


def test_a_failed_job_run_says_its_last_exception(spark: Application, entry: str) -> None:
    failed, missing = (spark.start(program(uri, "--fail")) for uri in (entry, "s3://crime-artifacts/none.py"))
    details = spark.ended(failed)["stateDetails"]
    assert details == (
        "Job failed, please check complete logs in configured logging destination. "
        "ExitCode: 1. Last few exceptions: ValueError: on purpose..."
    )
    assert "Traceback (most recent call last)" in spark.log(failed, "stdout")
    assert "FileNotFoundException: No such file" in spark.ended(missing)["stateDetails"]
    assert "s3://crime-artifacts/none.py" in spark.log(missing, "stderr")
    with pytest.raises(ClientError, match="in state FAILED and can't be cancelled"):
        spark.emr.cancel_job_run(applicationId=spark.id, jobRunId=failed)


def test_a_cancelled_job_run_is_really_gone(spark: Application, waiting: str, tmp_path: Path) -> None:
    run = spark.start(program(waiting, f"{tmp_path}/pid", f"{tmp_path}/never"))
    pid = number_in(tmp_path / "pid")
    assert not gone(pid)
    with pytest.raises(ClientError, match="must be completed or cancelled before stopping an application"):
        spark.emr.stop_application(applicationId=spark.id)
    spark.emr.cancel_job_run(applicationId=spark.id, jobRunId=run)
    assert spark.state(run) in ("CANCELLING", "CANCELLED")
    assert spark.ended(run)["state"] == "CANCELLED"
    assert gone(pid)
    assert spark.log(run, "stderr")


def test_the_same_token_is_the_same_run(spark: Application, waiting: str, tmp_path: Path) -> None:
    driver = program(waiting, f"{tmp_path}/pid", f"{tmp_path}/go")
    first = spark.start(driver, clientToken="once", name="a")
    assert spark.start(driver, clientToken="once", name="a") == first
    with pytest.raises(ClientError, match="ConflictException"):
        spark.start(driver, clientToken="once", name="b")
    assert len(spark.emr.list_job_runs(applicationId=spark.id)["jobRuns"]) == 1
    (tmp_path / "go").touch()
    assert spark.ended(first)["state"] == "SUCCESS"
    assert spark.start(driver, clientToken="once", name="a") == first


def test_runs_wait_for_their_turn(engine: Engine, waiting: str, tmp_path: Path) -> None:
    one = Application(engine, "SPARK", schedulerConfiguration={"maxConcurrentRuns": 1})
    try:
        runs = [one.start(program(waiting, f"{tmp_path}/{n}", f"{tmp_path}/go")) for n in range(3)]
        number_in(tmp_path / "0")
        until(lambda: [one.state(run) for run in runs] == ["RUNNING", "QUEUED", "QUEUED"])
        one.emr.cancel_job_run(applicationId=one.id, jobRunId=runs[1])
        assert one.ended(runs[1])["state"] == "CANCELLED"
        (tmp_path / "go").touch()
        assert [one.ended(run)["state"] for run in runs] == ["SUCCESS", "CANCELLED", "SUCCESS"]
        assert not (tmp_path / "1").exists()
        begun = one.get(runs[2])["startedAt"]
        assert begun >= one.get(runs[0])["endedAt"]
        states = {"states": ["SUCCESS"], "maxResults": 1}
        first = one.emr.list_job_runs(applicationId=one.id, **states)
        second = one.emr.list_job_runs(applicationId=one.id, nextToken=first["nextToken"], **states)
        assert [page["jobRuns"][0]["id"] for page in (first, second)] == [runs[2], runs[0]]
        assert "nextToken" not in second
    finally:
        one.end()


def test_a_run_that_takes_too_long_is_ended(
    engine: Engine, spark: Application, waiting: str, tmp_path: Path
) -> None:
    with engine.pace(timeout_factor=0.1):
        run = spark.start(program(waiting, f"{tmp_path}/pid", f"{tmp_path}/never"), executionTimeoutMinutes=1)
        found = spark.ended(run)
    assert found["state"] == "CANCELLED"
    assert "execution timeout of 1 minutes" in found["stateDetails"]
    assert gone(number_in(tmp_path / "pid"))


def test_a_hive_job_run(engine: Engine) -> None:
    hive = Application(engine, "HIVE")
    try:
        query = engine.put("q.hql", "SELECT '${hivevar:said}', 1 + 1;\n")
        run = hive.start({"hive": {"query": query, "parameters": "--hivevar said='a b'"}})
        assert hive.ended(run)["state"] == "SUCCESS", hive.log(run, "stderr", "HIVE_DRIVER")
        assert hive.log(run, "stdout", "HIVE_DRIVER") == "a b\t2\n"
    finally:
        hive.end()
