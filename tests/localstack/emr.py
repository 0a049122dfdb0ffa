"""What tests of EMR share: the command as a user runs it, and a cluster and an application to run on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from tests.conftest import ROOT
from tests.localstack.conftest import Stack

ROLE = "arn:aws:iam::000000000000:role/crime-jobs-runtime"


@dataclass
class Emr:
    """EMR on the running stack, and what was made on it."""

    stack: Stack
    clusters: list[str] = field(default_factory=list)
    applications: list[str] = field(default_factory=list)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        key = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        endpoint = self.stack.env[f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"]
        return boto3.client(service, endpoint_url=endpoint, region_name=region, **key)

    def command(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `crime-jobs …` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "crime_jobs.cli", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env={**self.stack.environ, **variables},
        )

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start `crime-jobs …` in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "crime_jobs.cli", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.stack.environ, **variables},
            start_new_session=True,
        )

    def cluster(self, name: str, concurrency: int = 1, **more: Any) -> str:
        """Make a cluster and wait until it takes steps."""
        emr = self.client("emr")
        request: dict[str, Any] = {
            "Name": name,
            "ReleaseLabel": "emr-7.13.0",
            "LogUri": "s3://crime-logs/emr/",
            "Applications": [{"Name": "Spark"}, {"Name": "Hive"}],
            "Instances": {
                "KeepJobFlowAliveWhenNoSteps": True,
                "InstanceGroups": [
                    {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
                    {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 1},
                ],
            },
            "JobFlowRole": "EMR_EC2",
            "ServiceRole": "EMR",
            "StepConcurrencyLevel": concurrency,
            **more,
        }
        cluster_id = str(emr.run_job_flow(**request)["JobFlowId"])
        self.clusters.append(cluster_id)
        emr.get_waiter("cluster_running").wait(
            ClusterId=cluster_id, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        return cluster_id

    def application(self, name: str, kind: str = "SPARK") -> str:
        """Make an application."""
        made = self.client("emr-serverless").create_application(
            name=name, releaseLabel="emr-7.13.0", type=kind, clientToken=name
        )
        self.applications.append(str(made["applicationId"]))
        return self.applications[-1]

    def steps(self, cluster: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client("emr").list_steps(ClusterId=cluster)["Steps"]
        return found

    def fault(
        self, operation: str, code: str, message: str = "planted", times: int | None = 1, after: int = 0
    ) -> None:
        """Let calls of an operation fail, `after` that many that go well."""
        body = {"service": "emr", "operation": operation, "code": code, "message": message}
        self._call("faults", "POST", {**body, "times": times, "after": after})

    def faults_left(self) -> list[dict[str, Any]]:
        """The faults that no call has met yet."""
        found: list[dict[str, Any]] = self._call("faults", "GET")
        return found

    def clear_faults(self) -> None:
        self._call("faults", "DELETE")

    def pace(self, **seconds: float) -> None:
        """Set how slow the engines are."""
        self._call("pace", "POST", seconds)

    def calls(self, operation: str) -> int:
        """How many calls of an operation with a fault on it were made."""
        return sum(99 - f["times"] for f in self.faults_left() if f["operation"] == operation)

    def _call(self, what: str, method: str, body: Mapping[str, Any] | None = None) -> Any:
        url = f"{self.stack.env['AWS_ENDPOINT_URL_EMR']}/_engines/{what}"
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, raw, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as said:  # noqa: S310 - http it is
            return json.loads(said.read() or "null")

    def end(self) -> None:
        """End what was made; nothing may be left."""
        if self.clusters:
            self.client("emr").terminate_job_flows(JobFlowIds=self.clusters)
        for application in self.applications:
            self.client("emr-serverless").stop_application(applicationId=application)


def until(holds: Callable[[], Any], seconds: float = 120.0, what: str = "it") -> Any:
    """Wait until something holds, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


def line_with(process: subprocess.Popen[str], text: str) -> str:
    """Read what a command says on stderr until a line holds a text."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return line
    raise AssertionError(f"{text!r} was not said: {''.join(said)}")


def alive(pid: int) -> bool:
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
