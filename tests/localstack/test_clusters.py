"""Clusters on the engine: one a name, usable when `up` says so, and none left behind after anything."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from crime_jobs import settings as settings_module
from crime_jobs.emr import cluster, clusters, interfaces
from crime_jobs.emr._upload import Part, digest
from crime_jobs.errors import AwsRefused, CrimeJobsError, JobFailed, WrongUsage
from crime_jobs.settings import Settings
from tests.localstack.conftest import Stack
from tests.localstack.emr import Emr, until


@pytest.fixture
def emr(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emr]:
    for name, value in stack.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    made = Emr(stack)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)
    made.clear_faults()
    made.pace(start_seconds=0)


@pytest.fixture
def settings(emr: Emr) -> Settings:
    return settings_module.load("local", environ=dict(emr.stack.env))


@pytest.fixture
def spec(emr: Emr) -> Iterator[cluster.ClusterSpec]:
    """A cluster of a name of its own; whatever became of it, it is ended after the test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield cluster.ClusterSpec(name=name)
    emr.clear_faults()
    if left := alive(emr, name):
        emr.client("emr").set_termination_protection(JobFlowIds=left, TerminationProtected=False)
        emr.client("emr").terminate_job_flows(JobFlowIds=left)


def alive(emr: Emr, name: str) -> list[str]:
    states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    pages = emr.client("emr").get_paginator("list_clusters").paginate(ClusterStates=states)
    return [found["Id"] for page in pages for found in page["Clusters"] if found["Name"] == name]


def silent(_id: str, _state: str) -> None:
    pass


def test_up_status_down(emr: Emr, settings: Settings, spec: cluster.ClusterSpec) -> None:
    seen: list[str] = []
    started = clusters.up(settings, spec, lambda _, state: seen.append(state))
    assert (started.made, started.state) == (True, "WAITING")
    assert seen[-1] == "WAITING"

    again = clusters.up(settings, spec, silent)
    assert (again.id, again.made) == (started.id, False)

    (row,) = [row for row in clusters.listed(settings) if row["id"] == started.id]
    assert {key: row[key] for key in ("name", "state", "steps", "idle", "why")} == {
        "name": spec.name,
        "state": "WAITING",
        "steps": 0,
        "idle": 0,
        "why": "",
    }
    ways = {way.interface: way.command for way in interfaces.tunnels(settings, started.id)}
    assert {"Hue", "Spark history", "YARN"} <= set(ways)
    assert ways["Hue"][:3] == ("aws", "ssm", "start-session")
    assert ways["Hue"][ways["Hue"].index("--target") + 1].startswith("i-")
    assert ways["Hue"][-1].endswith("portNumber=8888,localPortNumber=8888")

    ended = clusters.down(settings, spec.name, silent)
    assert (ended.id, ended.state) == (started.id, "TERMINATED")
    assert clusters.down(settings, started.id, silent).state == "TERMINATED"
    (row,) = [row for row in clusters.listed(settings, ended=True) if row["id"] == started.id]
    assert "USER_REQUEST" in row["why"]
    with pytest.raises(WrongUsage, match="No cluster"):
        clusters.down(settings, spec.name, silent)


def test_what_keeps_a_cluster_is_what_was_asked_for(
    emr: Emr, settings: Settings, spec: cluster.ClusterSpec
) -> None:
    asked = spec.model_copy(update={"idle_minutes": 7, "concurrency": 3, "tags": {"owner": "dc"}})
    started = clusters.up(settings, asked, silent)
    found = emr.client("emr").describe_cluster(ClusterId=started.id)["Cluster"]
    assert found["StepConcurrencyLevel"] == 3
    assert {"Key": "owner", "Value": "dc"} in found["Tags"]
    policy = emr.client("emr").get_auto_termination_policy(ClusterId=started.id)["AutoTerminationPolicy"]
    assert policy["IdleTimeout"] == 420


def test_a_bootstrap_action_that_fails_says_so_and_leaves_nothing(
    emr: Emr, settings: Settings, spec: cluster.ClusterSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"#!/bin/bash\necho 'the mirror is down' >&2\nexit 3\n"
    part = Part("bootstrap", f"bootstrap/{digest(body)[:16]}/bad.sh", body, digest(body), len(body))
    monkeypatch.setattr(cluster, "_bootstrap", lambda _: ("crime-artifacts", part))
    with pytest.raises(JobFailed) as failure:
        clusters.up(settings, spec, silent)
    assert "BOOTSTRAP_FAILURE" in failure.value.message
    assert failure.value.hint.startswith("Logs: s3://crime-logs/emr/j-")
    assert "being ended" not in failure.value.hint
    assert not alive(emr, spec.name)


@pytest.mark.parametrize(
    ("operation", "after"), [("ListClusters", 1), ("DescribeCluster", 0), ("DescribeCluster", 1)]
)
def test_whatever_fails_on_the_way_the_cluster_is_ended(
    emr: Emr, settings: Settings, spec: cluster.ClusterSpec, operation: str, after: int
) -> None:
    emr.pace(start_seconds=3)
    emr.fault(operation, "AccessDeniedException", "no longer yours", times=1, after=after)
    with pytest.raises(AwsRefused) as refusal:
        clusters.up(settings, spec, silent)
    assert not emr.faults_left()
    assert "no longer yours" in refusal.value.message
    assert "made here, is being ended" in refusal.value.hint
    assert until(lambda: not alive(emr, spec.name), 20)


def test_a_cluster_that_can_not_be_ended_is_named(
    emr: Emr, settings: Settings, spec: cluster.ClusterSpec
) -> None:
    emr.pace(start_seconds=3)
    emr.fault("DescribeCluster", "ExpiredTokenException", "expired", times=None)
    with pytest.raises(AwsRefused) as refusal:
        clusters.up(settings, spec, silent)
    (left,) = alive(emr, spec.name)
    assert f"crime-jobs cluster down {left}" in refusal.value.hint


def test_a_request_that_was_refused_leaves_nothing(
    emr: Emr, settings: Settings, spec: cluster.ClusterSpec
) -> None:
    with pytest.raises(AwsRefused, match="release label"):
        clusters.up(settings, spec.model_copy(update={"release": "emr-0.0.1"}), silent)
    assert not alive(emr, spec.name)


def test_throttling_makes_one_cluster(emr: Emr, settings: Settings, spec: cluster.ClusterSpec) -> None:
    emr.fault("RunJobFlow", "ThrottlingException", "Rate exceeded", times=2)
    started = clusters.up(settings, spec, silent)
    assert not emr.faults_left()
    assert alive(emr, spec.name) == [started.id]


def test_two_ups_at_once_make_one_cluster(
    emr: Emr, settings: Settings, spec: cluster.ClusterSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    emr.pace(start_seconds=1)
    both_looked = threading.Barrier(2)
    look = clusters._alive
    first_look = threading.local()

    def both_see_nothing(*arguments: Any) -> Any:
        found = look(*arguments)
        if not getattr(first_look, "done", False):
            first_look.done = True
            both_looked.wait(20)
        return found

    monkeypatch.setattr(clusters, "_alive", both_see_nothing)
    results: list[Any] = []

    def one() -> None:
        try:
            results.append(clusters.up(settings, spec, silent))
        except CrimeJobsError as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not [result for result in results if isinstance(result, Exception)]
    assert len({result.id for result in results}) == 1
    assert sorted(result.made for result in results) == [False, True]
    assert until(lambda: alive(emr, spec.name) == [results[0].id], 20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_what_it_started(emr: Emr, spec: cluster.ClusterSpec, number: signal.Signals) -> None:
    emr.pace(start_seconds=20)
    running = emr.start("cluster", "up", spec.name)
    until(lambda: alive(emr, spec.name), 60, "the cluster")
    os.kill(running.pid, number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "made here, is being ended" in said
    assert until(lambda: not alive(emr, spec.name), 20)


def test_a_protected_cluster_stays(emr: Emr, settings: Settings, spec: cluster.ClusterSpec) -> None:
    started = clusters.up(settings, spec.model_copy(update={"protected": True}), silent)
    with pytest.raises(WrongUsage, match="protected") as refusal:
        clusters.down(settings, spec.name, silent)
    assert "--no-termination-protected" in refusal.value.hint
    assert alive(emr, spec.name) == [started.id]


def test_down_asks_where_nobody_answers(emr: Emr, settings: Settings, spec: cluster.ClusterSpec) -> None:
    started = clusters.up(settings, spec, silent)
    refused = emr.command("cluster", "down", spec.name)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert alive(emr, spec.name) == [started.id]
    done = emr.command("cluster", "down", spec.name, "--yes")
    assert done.returncode == 0, done.stderr
    assert not alive(emr, spec.name)
