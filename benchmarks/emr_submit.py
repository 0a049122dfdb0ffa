"""Submitting a tiny job: how soon it runs, how soon its end is noticed, what is sent; beside emr-cli.

``python -m benchmarks.emr_submit`` needs `make up`, and awslabs' emr-cli in ``.venvs/emr-cli`` as
`benchmarks.emr_package` says; without it only ours is measured. Both submit the same work in turns: emr-cli
is given our code, our archive of packages and the very properties and arguments of our dry run, as options.
It ships the entry point by itself; more it can't without Docker.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks import emr_package
from benchmarks.emr_package import OTHER, Bench
from benchmarks.emr_relay import Relay, Sent
from crime_harness.places import Places
from crime_jobs.settings import read_env_file

#: The smallest job: it reads nothing and writes 368 rows.
JOB = "crime_group_heads"
RELEASE = "emr-7.13.0"

Who = Literal["crime-jobs", "emr-cli"]
Kind = Literal["cluster", "application"]


@dataclass(frozen=True)
class Turn:
    """One submission, in seconds.

    Parameters
    ----------
    starting
        From the start of the command's process to the start of the run, by the service's clock.
    running
        From the start to the end of the run, by the service's clock.
    noticing
        From the end of the run to the end of the command's process.
    """

    starting: float
    running: float
    noticing: float


def same_work(sent: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Take from what we would send what emr-cli must be given to run the same.

    Parameters
    ----------
    sent
        ``AddJobFlowSteps`` or ``StartJobRun``, as the dry run prints it.

    Returns
    -------
    options : list of str
        For ``spark-submit``; without the name, which has a blank in it, where emr-cli splits.
    arguments : list of str
        Of the entry point.
    """
    options = list[str]()
    if "Steps" not in sent:
        driver = sent["jobDriver"]["sparkSubmit"]
        given = sent["configurationOverrides"]["applicationConfiguration"][0]["properties"]
        for name, value in given.items():
            options += ["--conf", f"{name}={value}"]
        return options, list(driver["entryPointArguments"])
    words = list(sent["Steps"][0]["HadoopJarStep"]["Args"][3:])  # after spark-submit --deploy-mode cluster
    while words[0].startswith("--"):
        if words[0] != "--name":
            options += words[:2]
        del words[:2]
    return options, words[1:]


class Target:
    """A cluster or an application, and how both commands submit to it.

    Parameters
    ----------
    bench
        Code to ship, bucket, environment of the processes.
    kind
        Which of the two.
    """

    def __init__(self, bench: Bench, kind: Kind) -> None:
        self.bench, self.kind = bench, kind
        self._emr = _client(bench, "emr")
        self._serverless = _client(bench, "emr-serverless")
        self.id = self._cluster() if kind == "cluster" else self._application()
        self._project = bench.folder / "entry"
        self._project.mkdir(exist_ok=True)
        shutil.copy(bench.folder / "src" / "crime_jobs" / "entry.py", self._project)
        # Its own environment must not see ours.
        self._their_env = {name: value for name, value in bench.env.items() if name != "PYTHONPATH"}

    def _cluster(self) -> str:
        groups = [
            {"InstanceRole": role, "InstanceType": "m5.xlarge", "InstanceCount": 1}
            for role in ("MASTER", "CORE")
        ]
        made = self._emr.run_job_flow(
            Name="benchmark",
            ReleaseLabel=RELEASE,
            LogUri=f"s3://{self.bench.bucket}/logs/",
            Applications=[{"Name": "Spark"}],
            Instances={"KeepJobFlowAliveWhenNoSteps": True, "InstanceGroups": groups},
            JobFlowRole="EMR_EC2_DefaultRole",
            ServiceRole="EMR_DefaultRole",
        )
        found = str(made["JobFlowId"])
        waiter = self._emr.get_waiter("cluster_running")
        waiter.wait(ClusterId=found, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return found

    def _application(self) -> str:
        name = f"benchmark-{uuid.uuid4().hex[:8]}"
        made = self._serverless.create_application(name=name, releaseLabel=RELEASE, type="SPARK")
        return str(made["applicationId"])

    def close(self) -> None:
        """End it."""
        if self.kind == "cluster":
            self._emr.terminate_job_flows(JobFlowIds=[self.id])
            return
        self._serverless.stop_application(applicationId=self.id)
        while self._serverless.get_application(applicationId=self.id)["application"]["state"] == "STOPPING":
            time.sleep(0.2)
        self._serverless.delete_application(applicationId=self.id)

    def _ours(self, lake: str, *more: str) -> list[str]:
        bucket = f"s3://{self.bench.bucket}"
        places = [f"--artifacts={bucket}/jobs", f"--logs={bucket}/logs", f"--lake={lake}"]
        command = [sys.executable, "-m", "crime_jobs.cli", "submit", JOB, "--on", self.id]
        return [*command, *places, "--output=json", *more]

    def _theirs(self, lake: str, *more: str) -> list[str]:
        dry = subprocess.run(
            self._ours(lake, "--dry-run"), env=self.bench.env, capture_output=True, check=True
        )
        (sent,) = json.loads(dry.stdout)[0].values()
        options, arguments = same_work(sent)
        command = [str(OTHER), "run", "--entry-point=entry.py", "--build"]
        command += [f"--s3-code-uri=s3://{self.bench.bucket}/theirs/"]
        command += [f"--spark-submit-opts={' '.join(options)}", f"--job-args={','.join(arguments)}"]
        if self.kind == "cluster":
            return [*command, f"--cluster-id={self.id}", *more]
        role = self.bench.env["CRIME_JOBS_RUNTIME_ROLE"]
        logs = f"--s3-logs-uri=s3://{self.bench.bucket}/logs/"
        return [*command, f"--application-id={self.id}", f"--job-role={role}", logs, *more]

    def turn(self, who: Who) -> Turn:
        """Submit once and wait for the end.

        Parameters
        ----------
        who
            By whom.

        Returns
        -------
        Turn
        """
        lake, before = self._fresh_lake(), self._shipped()
        command = self._ours(lake) if who == "crime-jobs" else self._theirs(lake, "--wait")
        began = time.time()
        self._call(who, command)
        ended = time.time()
        start, end = self._newest(lake)
        if self._shipped() != before:  # somebody installed other packages: not what is measured here
            print("The package changed under the benchmark: this one does not count.", flush=True)
            return self.turn(who)
        return Turn(start - began, end - start, ended - end)

    def _shipped(self) -> set[str]:
        return {key for key in self.bench.objects() if key.startswith("jobs/")}

    def sent(self, who: Who) -> Sent:
        """Submit once, don't wait, and count what goes to S3.

        Parameters
        ----------
        who
            By whom.

        Returns
        -------
        Sent
        """
        lake = self._fresh_lake()
        command = self._ours(lake, "--no-wait") if who == "crime-jobs" else self._theirs(lake)
        with Relay(self.bench.env["AWS_ENDPOINT_URL"]) as relay:
            self._call(who, command, AWS_ENDPOINT_URL_S3=relay.url)
        self._newest(lake)
        return relay.sent

    def _fresh_lake(self) -> str:
        return f"s3://{self.bench.bucket}/lake-{uuid.uuid4().hex[:8]}"

    def _call(self, who: Who, command: Sequence[str], **more: str) -> None:
        ours = who == "crime-jobs"
        env = {**(self.bench.env if ours else self._their_env), **more}
        self.bench.call(command, self.bench.folder if ours else self._project, env)

    def _newest(self, lake: str) -> tuple[float, float]:
        """Return when the newest run began and ended, once it has; it must have written its table."""
        while not (times := self._times()):
            time.sleep(0.2)
        if not any(key.startswith(f"{lake.rpartition('/')[2]}/") for key in self.bench.objects()):
            raise SystemExit(f"The newest run of {self.id} wrote nothing to {lake}.")
        return times

    def _times(self) -> tuple[float, float] | None:
        if self.kind == "cluster":
            status = self._emr.list_steps(ClusterId=self.id)["Steps"][0]["Status"]
            done, line = status["State"] == "COMPLETED", status["Timeline"]
            begin, end, over = line.get("StartDateTime"), line.get("EndDateTime"), line.get("EndDateTime")
        else:
            runs = self._serverless.list_job_runs(applicationId=self.id)["jobRuns"]
            newest = max(runs, key=lambda run: run["createdAt"])["id"]
            run = self._serverless.get_job_run(applicationId=self.id, jobRunId=newest)["jobRun"]
            done, over = run["state"] == "SUCCESS", run["state"] in ("SUCCESS", "FAILED", "CANCELLED")
            begin, end = run.get("startedAt"), run.get("endedAt")
        if over and not done:
            raise SystemExit(f"The newest run of {self.id} failed.")
        return (begin.timestamp(), end.timestamp()) if done else None


def _client(bench: Bench, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=bench.env[f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"],
        region_name=bench.env["AWS_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the engines take any
    )


def measure(bench: Bench, kind: Kind, runs: int) -> tuple[dict[Who, list[Turn]], dict[Who, Sent]]:
    """Submit in turns, ours first in one round, theirs in the next.

    Parameters
    ----------
    bench
        With our package shipped to its bucket.
    kind
        To a cluster or to an application.
    runs
        How many rounds.

    Returns
    -------
    turns : dict
        By whom, each submission.
    sent : dict
        By whom, what a submission sends to S3.
    """
    everyone: list[Who] = ["crime-jobs", "emr-cli"] if OTHER.exists() else ["crime-jobs"]
    target = Target(bench, kind)
    try:
        # Untimed, so that either program is in memory and the node is ready.
        sent = {who: target.sent(who) for who in everyone}
        turns: dict[Who, list[Turn]] = {who: [] for who in everyone}
        for number in range(runs):
            for who in everyone if number % 2 else reversed(everyone):
                turns[who].append(one := target.turn(who))
                print(f"{kind} round {number + 1} {who}: {one}, load {os.getloadavg()[0]:.1f}", flush=True)
    finally:
        target.close()
    return turns, sent


def rows(kind: Kind, turns: Mapping[Who, Sequence[Turn]], sent: Mapping[Who, Sent]) -> list[tuple[str, ...]]:
    """Lay out the medians of one target, and how many times ours theirs is.

    Parameters
    ----------
    kind, turns, sent
        As measured.

    Returns
    -------
    list of tuple
        The cells of the table.
    """
    found = list[tuple[str, ...]]()
    ours = turns["crime-jobs"]
    for who, all_of_them in turns.items():
        cells = [f"{who}, {kind}"]
        for name in ("starting", "running", "noticing"):
            values = [getattr(one, name) for one in all_of_them]
            median = statistics.median(values)
            ratio = median / statistics.median(getattr(one, name) for one in ours)
            cells.append(f"{median:.1f} ({min(values):.1f}-{max(values):.1f})")
            if name != "running":
                cells.append(f"{ratio:.1f}")
        puts = sent[who].requests.get("PUT", 0) + sent[who].requests.get("POST", 0)
        asked = sum(sent[who].requests.values()) - puts
        found.append((*cells, f"{puts}", f"{sent[who].bodies:,}", f"{asked}"))
    return found


HEADINGS = (
    "command, target",
    "start s",
    "x ours",
    "run s",
    "notice s",
    "x ours",
    "uploads",
    "bytes",
    "questions",
)


def show(laid: Sequence[tuple[str, ...]], runs: int) -> None:
    """Print the table, which is Markdown too.

    Parameters
    ----------
    laid
        What `rows` returned.
    runs
        Rounds.
    """
    table = Table(title=f"Submitting {JOB}: median (least-most) of {runs}", title_justify="left")
    table.box = MARKDOWN
    for number, name in enumerate(HEADINGS):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for cells in laid:
        table.add_row(*cells)
    Console(width=140).print(table)
    print("start: process begins -> run begins. notice: run ends -> process ends. S3: package unchanged.")


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.emr_submit", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-package", action="store_true", help="don't measure packaging first")
    asked = parser.parse_args()
    if asked.runs < 1:
        parser.error("--runs must be 1 or more")
    state = os.environ.get("CRIME_HARNESS_STATE")
    variables = read_env_file(Places.of(Path(state) if state else None).env_file)
    print(f"Load average at the start: {os.getloadavg()[0]:.1f} ({os.cpu_count()} cores)", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-submit-") as folder:
        bench = Bench(Path(folder), variables)
        try:
            if not asked.no_package:
                emr_package.show(emr_package.measure(bench, asked.runs))
            bench.fresh_bucket()
            bench.ours()
            laid = [
                row
                for kind in ("cluster", "application")
                for row in rows(kind, *measure(bench, kind, asked.runs))
            ]
            show(laid, asked.runs)
        finally:
            bench.close()
    print(f"Repeat: python -m benchmarks.emr_submit --runs {asked.runs}")
    if not OTHER.exists():
        print("emr-cli is not installed in .venvs/emr-cli: not measured.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
