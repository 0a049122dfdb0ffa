"""A task whose runs are recorded, in processes of their own, and who is told of them. Not a test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from crime_jobs import settings as settings_module
from crime_jobs.migrate import _lease, notify, runs
from crime_jobs.migrate.ledger import Ledger
from tests.conftest import ROOT
from tests.localstack.conftest import Stack
from tests.localstack.recorded_run import CANARY

#: A lease that runs out while a test waits for it.
SHORT = {"RENEW_SECONDS": 0.2, "LEASE_SECONDS": 1.5, "SKEW_SECONDS": 0.2, "PATIENCE_SECONDS": 0.3}
MAYBE = "may have been told before"


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@dataclass
class Child:
    """A recorded run in a process of its own."""

    process: subprocess.Popen[str]
    task: str
    run: str = ""

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def say(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def end(self, seconds: float = 20) -> tuple[int, str, str]:
        """Exit code, stdout and stderr; both must come to their end."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    @property
    def watcher(self) -> psutil.Process:
        (found,) = watchers(self.task, self.run)
        return found


def watchers(task: str, run: str = "") -> list[psutil.Process]:
    """The watchers of a task's runs that are alive, also those whose run is gone."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if "crime_jobs.migrate._watching" in words and f'"{task}"' in words and run in words:
            assert CANARY not in words
            found.append(process)
    return found


def waits(watcher: psutil.Process) -> bool:
    """Whether a watcher has loaded all it needs, and waits for its run."""
    return "pipe" in Path(f"/proc/{watcher.pid}/wchan").read_text(encoding="utf-8")


@dataclass
class World:
    """A task of the test's own, and a queue that gets what its topic is told."""

    stack: Stack
    ledger: Ledger
    topic: str
    queue: str
    children: list[Child] = field(default_factory=list)

    @property
    def task(self) -> str:
        return self.ledger.task

    @property
    def settings(self) -> settings_module.Settings:
        options = {"landing": "nowhere", "lake": "a-lake"}
        return settings_module.load("local", options, environ=self.stack.env, folder=ROOT)

    def start(
        self, kind: str = "migrate", *, times: dict[str, float] | None = None, attempts: int = 3, **asked: Any
    ) -> Child:
        """Start a run and wait until it is at work; what can be asked of it, `recorded_run` shows."""
        child = self.launch(kind, times=times or {}, attempts=attempts, **asked)
        word, _, child.run = child.line().partition(" ")
        assert word == "working", (word, child.end())
        return child

    def launch(
        self, kind: str, *, cwd: Path = ROOT, environ: dict[str, str] | None = None, **asked: Any
    ) -> Child:
        facts = asked.pop("facts", {"rows": 1234567})
        told = {"kind": kind, "task": self.task, "topic": self.topic, "facts": facts, **asked}
        script = str(ROOT / "tests" / "localstack" / "recorded_run.py")
        process = subprocess.Popen(
            [sys.executable, script, json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**self.stack.environ, "A_PASSWORD": CANARY, **(environ or {})},
            start_new_session=True,
        )
        self.children.append(Child(process, self.task))
        return self.children[-1]

    def told(self, number: int, *, alone: bool = True) -> list[dict[str, Any]]:
        """What the topic was told: that many messages and, after all watchers have ended, no more."""
        found = self._received(number, 15)
        until(lambda: not (alone and watchers(self.task)))
        time.sleep(0.3)
        found += self._received(1, 0)
        assert len(found) == number, [(one["Subject"], one["Message"]) for one in found]
        return found

    def _received(self, number: int, seconds: float) -> list[dict[str, Any]]:
        sqs = self.stack.client("sqs")
        found: list[dict[str, Any]] = []
        end = time.monotonic() + seconds
        while len(found) < number:
            asked = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": int(seconds > 0)}
            for message in sqs.receive_message(QueueUrl=self.queue, **asked).get("Messages", []):
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                assert CANARY not in message["Body"]
                found.append(json.loads(message["Body"]))
            if time.monotonic() > end:
                break
        return found

    def run_by(self, kind: str, times: dict[str, float]) -> None:
        """A run in this process that has nothing to do, by other times."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in times.items():
                patch.setattr(_lease if hasattr(_lease, name) else notify, name, value)
            with runs.recorded(self.settings, self.ledger, kind, self.topic):
                pass

    def entry(self, run: str) -> dict[str, Any]:
        (found,) = [facts for name, facts in self.ledger.entries("run#") if name.endswith(f"#{run}")]
        assert CANARY not in json.dumps(found)
        return found

    def states(self) -> list[tuple[str, str, str]]:
        return [(one["kind"], one["state"], one["told"]) for one in runs.history(self.ledger)]


@pytest.fixture
def world(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    task = f"t{uuid.uuid4().hex[:10]}"
    sns, sqs = stack.client("sns"), stack.client("sqs")
    topic = sns.create_topic(Name=task)["TopicArn"]
    queue = sqs.create_queue(QueueName=task)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
    made = World(stack, Ledger(stack.client("dynamodb"), task), topic, queue)
    made.ledger.create()
    yield made
    for child in made.children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.process.pid, signal.SIGKILL)
        for stream in (child.process.stdin, child.process.stdout, child.process.stderr):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        child.process.wait(10)
    for process in watchers(task):
        process.kill()
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=queue)
