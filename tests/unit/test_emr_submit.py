"""What is told, and what is kept, while a run is waited for, left or cancelled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from crime_jobs.emr import _verbs, cluster, submit, targets, transient
from crime_jobs.emr.runs import Phase, Run, Status
from crime_jobs.emr.targets import Target
from crime_jobs.errors import AwsRefused, Interrupted, WrongUsage

RUN = Run("s-1", "clean_ncrb 3f9a2c1d77e0")
TARGET = Target("cluster", "j-1", "crime-jobs", "WAITING")


class Fake:
    """A service whose answers are given: states, or errors to raise."""

    target = TARGET

    def __init__(self, *answers: str | BaseException | Callable[[], None]) -> None:
        self.answers = list(answers)
        self.cancelled: list[str] = []

    def submit(self, *_: Any) -> Run:
        return RUN

    def cancel(self, run_id: str) -> None:
        self.cancelled.append(run_id)

    def look(self, _: str) -> Status:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, str)
        phases = {"COMPLETED": Phase.DONE, "CANCELLED": Phase.CANCELLED, "PENDING": Phase.WAITING}
        return Status(RUN, answer, phases[answer])


def cut_off() -> AwsRefused:
    from botocore.exceptions import ConnectTimeoutError

    error = AwsRefused("Looking at s-1: AWS can't be reached.")
    error.__cause__ = ConnectTimeoutError(endpoint_url="https://x")
    return error


def test_an_outage_is_told_while_it_lasts_and_not_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    seen: list[tuple[str, str]] = []
    service: Any = Fake(cut_off(), "PENDING", cut_off(), "PENDING", "COMPLETED")
    settings: Any = None
    submit.wait(settings, service, RUN, lambda view: seen.append((view.status.state, view.note[:18])))
    outage = "No answer from AWS"
    assert seen == [
        ("SUBMITTED", outage),
        ("PENDING", ""),
        ("PENDING", outage),
        ("PENDING", ""),
        ("COMPLETED", ""),
    ]


def test_a_run_that_was_sent_is_told_though_aws_says_no_more() -> None:
    service: Any = Fake(cut_off())
    nothing: Any = None
    sent = submit.send(service, nothing, nothing, {})
    assert (sent.run.id, sent.state) == ("s-1", "SUBMITTED")


def test_ctrl_c_while_cancelling_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    service: Any = Fake("PENDING", KeyboardInterrupt())
    monkeypatch.setattr(_verbs, "service_of", lambda *_: service)
    monkeypatch.setattr(submit, "end_as_ctrl_c", lambda: None)
    nothing: Any = None
    with pytest.raises(Interrupted, match=r"clean_ncrb .* \(s-1\) while it was being cancelled"):
        _verbs.cancel(nothing, "s-1")
    assert service.cancelled == ["s-1"]


class Emr:
    """Enough of EMR for a cluster that is made and ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def describe_step(self, **_: str) -> dict[str, Any]:
        state = "INTERRUPTED" if self.ended else "RUNNING"
        return {"Step": {"Id": "s-1", "Name": "hot_spots", "Status": {"State": state}}}

    def terminate_job_flows(self, *, JobFlowIds: list[str]) -> None:  # noqa: N803 - as EMR calls it
        self.ended += JobFlowIds


@pytest.fixture
def emr(monkeypatch: pytest.MonkeyPatch) -> Emr:
    made = Emr()
    monkeypatch.setattr("crime_jobs.aws.client", lambda *_: made)
    return made


def test_what_ends_with_a_cluster_that_we_ended_was_cancelled(emr: Emr) -> None:
    settings: Any = None
    service = transient.OwnCluster(settings, TARGET)
    assert service.look("s-1").phase is Phase.RUNNING
    with pytest.raises(Interrupted, match="Cancelled"):
        submit.watch(settings, service, RUN, lambda _: None, patience=0, cancel=True)
    assert emr.ended == ["j-1"]


def test_what_ends_with_a_cluster_that_others_ended_has_failed(emr: Emr) -> None:
    emr.ended.append("j-1")
    settings: Any = None
    assert transient.OwnCluster(settings, TARGET).look("s-1").phase is Phase.FAILED


def test_ctrl_c_before_the_steps_are_known_still_ends_the_cluster(
    emr: Emr, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: Any, **__: Any) -> Target:
        os.kill(os.getpid(), signal.SIGINT)
        return TARGET

    sent = {"Name": "crime-jobs 1", "Steps": [{"Name": "hot_spots"}]}
    monkeypatch.setattr(transient, "request", lambda *_: sent)
    monkeypatch.setattr(cluster, "prepare", lambda _: None)
    monkeypatch.setattr(transient, "once", lambda *_: "j-1")
    monkeypatch.setattr(targets, "find", found)
    status = Status(Run("s-1", "hot_spots"), "RUNNING", Phase.RUNNING)
    monkeypatch.setattr(transient.OwnCluster, "recent", lambda *_: [status])
    nothing: Any = None
    work: Any = object()
    with pytest.raises(Interrupted, match="Cancelled"):
        transient.run(nothing, [work], nothing, {}, lambda _: None, 0, lambda *_: None)
    assert emr.ended == ["j-1"]


def test_the_exit_code_of_a_failure_outlives_a_broken_pipe() -> None:
    """`submit … | head -0`: the table of what was published is not read; that a part failed is to be known."""
    program = """
import sys
import typer
from crime_jobs import cli

@cli.app.command()
def fails() -> None:
    print("published")
    raise typer.Exit(3)

sys.exit(cli.main(["fails"]))
"""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (3, "")


def test_a_retry_is_refused_while_another_run_writes_the_same_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    service: Any = Fake("CANCELLED")
    service.target = Target("application", "00f1", "crime-jobs", "STARTED")
    under_way = Status(Run("00a2", "clean_ncrb 0a1b2c3d4e5f"), "RUNNING", Phase.RUNNING)
    service.recent = lambda _: [under_way]
    monkeypatch.setattr(_verbs, "service_of", lambda *_: service)
    monkeypatch.setattr(submit, "end_as_ctrl_c", lambda: None)
    nothing: Any = None
    with pytest.raises(WrongUsage, match="00a2, RUNNING.* writes .*crime_facts"):
        _verbs.retry(nothing, "00a1", 0)
