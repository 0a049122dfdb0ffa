"""What tests of the engines share: clusters, objects, logs, and the engines' own endpoint."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.localstack.conftest import Stack

T = TypeVar("T")

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")

#: Arguments that get lost or bent where somebody splits, joins or expands them.
ODD = ["a b", "", "x,y", "q'\"q", "--conf", "$HOME", "उत्तर 👮", "a\\b", "*", "two\nlines", "`date`"]


def until(look: Callable[[], T], *, seconds: float = 60) -> T:
    """What `look` returns, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


@dataclass
class Engine:
    """The engines of a stack."""

    stack: Stack
    clusters: list[str] = field(default_factory=list)

    @functools.cached_property
    def emr(self) -> Any:
        return self.stack.client("emr")

    @functools.cached_property
    def serverless(self) -> Any:
        return self.stack.client("emr-serverless")

    @functools.cached_property
    def s3(self) -> Any:
        return self.stack.client("s3")

    @property
    def port(self) -> int:
        return int(self.stack.env["AWS_ENDPOINT_URL_EMR"].rpartition(":")[2])

    def own(self, path: str, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        """Ask the engines' own endpoint."""
        url = f"{self.stack.env['AWS_ENDPOINT_URL_EMR']}/_engines/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)  # noqa: S310 - http it is
        with urllib.request.urlopen(request, timeout=10) as said:  # noqa: S310
            return json.load(said)

    @contextlib.contextmanager
    def pace(self, **slow: float) -> Iterator[None]:
        """Make the engines slow as AWS is, or time-outs short."""
        before = self.own("pace")
        self.own("pace", "POST", slow)
        try:
            yield
        finally:
            self.own("pace", "POST", before)

    def cluster(self, *, keep: bool = True, **more: Any) -> str:
        """Start a cluster; it ends with the test."""
        request: dict[str, Any] = {
            "Name": "engine test",
            "ReleaseLabel": "emr-7.13.0",
            "LogUri": "s3://crime-logs/engine/",
            "ServiceRole": "EMR",
            "JobFlowRole": "EMR_EC2",
            "Applications": [{"Name": "Spark"}, {"Name": "Hive"}],
            "Instances": {
                "InstanceGroups": [
                    {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
                    {"InstanceRole": "CORE", "InstanceType": "m5.large", "InstanceCount": 2},
                ],
                "KeepJobFlowAliveWhenNoSteps": keep,
                **more.pop("Instances", {}),
            },
            **more,
        }
        made = str(self.emr.run_job_flow(**request)["JobFlowId"])
        self.clusters.append(made)
        return made

    def state(self, cluster: str) -> str:
        return str(self.status(cluster)["State"])

    def status(self, cluster: str) -> dict[str, Any]:
        found: dict[str, Any] = self.emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]
        return found

    def becomes(self, cluster: str, *states: str) -> dict[str, Any]:
        """The cluster's status, once its state is one of those."""
        until(lambda: self.state(cluster) in states)
        return self.status(cluster)

    def add(self, cluster: str, *arguments: str, then: str = "CONTINUE", name: str = "step") -> str:
        """Add one step."""
        jar = {"Jar": "command-runner.jar", "Args": list(arguments)}
        step = {"Name": name, "ActionOnFailure": then, "HadoopJarStep": jar}
        return str(self.emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"][0])

    def step(self, cluster: str, step: str) -> dict[str, Any]:
        found: dict[str, Any] = self.emr.describe_step(ClusterId=cluster, StepId=step)["Step"]
        return found

    def step_state(self, cluster: str, step: str) -> str:
        return str(self.step(cluster, step)["Status"]["State"])

    def ended(self, cluster: str, step: str) -> dict[str, Any]:
        """The step, once it has ended."""
        until(lambda: self.step_state(cluster, step) in ENDED, seconds=120)
        return self.step(cluster, step)

    def log(self, cluster: str, step: str, name: str) -> str:
        return self.text(f"s3://crime-logs/engine/{cluster}/steps/{step}/{name}.gz")

    def text(self, uri: str) -> str:
        """A gzipped log."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return gzip.decompress(body).decode()

    def put(self, name: str, content: str | bytes) -> str:
        """An object with that content; its URI."""
        uri = f"{self.stack.fresh('engine', 'crime-artifacts')}/{name}"
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return uri

    def end(self) -> None:
        """End what the test started."""
        for cluster in self.clusters:
            if self.state(cluster) not in ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"):
                self.emr.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=False)
                self.emr.terminate_job_flows(JobFlowIds=[cluster])
        for cluster in self.clusters:
            self.becomes(cluster, "TERMINATED", "TERMINATED_WITH_ERRORS")
        self.own("faults", "DELETE")
