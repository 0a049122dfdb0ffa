"""A run is alone, and its end is told: once each, whoever kills what, and without a word of the data."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from crime_jobs import settings as settings_module
from crime_jobs.errors import AwsRefused, JobFailed, WrongUsage
from crime_jobs.migrate import _lease, notify, runs
from crime_jobs.migrate.ledger import TABLE, Ledger
from tests.conftest import ROOT
from tests.localstack.conftest import Stack
from tests.localstack.recorded_run import CANARY

pytestmark = pytest.mark.localstack

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


def test_what_is_told_of_a_run_that_is_done(world: World) -> None:
    """Subject, attributes to filter by, counts; and that the run leaves no lease and no process."""
    facts = {"tables": 2, "rows": 1234567, "share": 0.5}
    with runs.recorded(world.settings, world.ledger, "migrate", world.topic) as record:
        record.facts.update(facts)
    assert watchers(world.task) == []
    (said,) = world.told(1)
    assert said["Subject"] == f"crime-jobs migrate {world.task}: done"
    attributes = {name: one["Value"] for name, one in said["MessageAttributes"].items()}
    assert attributes == {"kind": "migrate", "task": world.task, "state": "done"}
    assert "1,234,567" in said["Message"]
    assert record.run in said["Message"]
    assert "What failed" not in said["Message"]
    entry = world.entry(record.run)
    assert (entry["state"], entry["told"], entry["facts"]) == ("done", "yes", facts)
    assert world.ledger.get("lock#migrate")["run"] == ""  # type: ignore[index]


def test_what_is_told_of_a_run_that_fails(world: World) -> None:
    """The message says which tables, why, and what to do; the error itself comes out as it went in."""
    child = world.start(facts={"failed": ["T.A", "T.B"]})
    child.say("fail")
    code, out, _ = child.end()
    assert (code, out.strip()) == (1, "error 2 tables failed. T.A could not be moved. Look at it.")
    (said,) = world.told(1)
    assert said["Subject"] == f"crime-jobs migrate {world.task}: FAILED"
    for words in (
        "What failed: T.A, T.B\n",
        "Why: 2 tables failed. T.A could not be moved.\n",
        "What to do: Look at it.\n",
    ):
        assert words in said["Message"]


def test_of_a_defect_only_its_type_is_told(world: World) -> None:
    """What another library raises may quote a row: its words are neither told nor kept."""
    child = world.start()
    child.say("break")
    code, _, err = child.end()
    assert code == 1
    assert "ValueError" in err
    (said,) = world.told(1)
    assert "Why: ValueError\n" in said["Message"]
    assert world.entry(child.run)["error"] == "ValueError"


def test_without_a_topic_a_run_is_recorded_only(world: World) -> None:
    for topic in (None, world.topic):  # nor does a later run tell of it
        with runs.recorded(world.settings, world.ledger, "export", topic):
            pass
    assert world.states() == [("export", "done", "no topic"), ("export", "done", "yes")]
    world.told(1)


def test_a_topic_elsewhere_is_refused_before_anything_is_written(world: World) -> None:
    elsewhere = world.topic.replace("us-east-1", "eu-west-1")
    with (
        pytest.raises(WrongUsage, match="eu-west-1"),
        runs.recorded(world.settings, world.ledger, "migrate", elsewhere),
    ):
        pytest.fail("it began")
    assert list(world.ledger.entries()) == []


def test_what_could_not_be_told_is_told_by_the_next_run(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A topic that is not there hides neither the success of a run nor the failure of another."""
    gone = world.topic + "-gone"
    with runs.recorded(world.settings, world.ledger, "migrate", gone):
        pass
    assert "Nobody was told" in capsys.readouterr().err
    with (
        pytest.raises(JobFailed, match="mine"),
        runs.recorded(world.settings, world.ledger, "validate", gone),
    ):
        raise JobFailed("mine")
    assert world.states() == [("migrate", "done", "no"), ("validate", "failed", "no")]
    with runs.recorded(world.settings, world.ledger, "export", world.topic):
        subjects = sorted(one["Subject"] for one in world.told(2, alone=False))
    assert subjects == [
        f"crime-jobs migrate {world.task}: done",
        f"crime-jobs validate {world.task}: FAILED",
    ]
    world.told(1)


def test_two_at_once_are_refused_and_other_kinds_are_not(world: World) -> None:
    child = world.start(times={"RENEW_SECONDS": 0.5})
    began = time.monotonic()
    with (
        pytest.raises(JobFailed) as refused,
        runs.recorded(world.settings, world.ledger, "migrate", world.topic),
    ):
        pytest.fail("two are at work")
    assert time.monotonic() - began < 5
    started = world.entry(child.run)["started"]
    assert f"under way since {started} (run {child.run})" in refused.value.message
    with runs.recorded(world.settings, world.ledger, "export", world.topic):
        assert ("migrate", "running", "no") in world.states()
    child.say("end")
    assert child.end()[0] == 0
    assert world.states() == [("migrate", "done", "yes"), ("export", "done", "yes")]
    world.told(2)


def test_of_many_that_take_a_free_lease_one_gets_it(world: World) -> None:
    """The race for a lease that never was, for one that was let go, for one that was left behind: one wins."""
    from concurrent.futures import ThreadPoolExecutor

    def take(number: int) -> bool:
        try:
            _lease.Lease(world.ledger, "migrate", f"run#2026-01-01T00:00:00+00:00#{number}").take()
        except JobFailed:
            return False
        return True

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr("crime_jobs.migrate._lease.RENEW_SECONDS", 0.2)
        patch.setattr("crime_jobs.migrate._lease.PATIENCE_SECONDS", 0.2)
        for _ in range(3):
            assert sum(pool.map(take, range(8))) == 1
            world.ledger.update("lock#migrate", {"run": ""})
            assert sum(pool.map(take, range(8))) == 1  # let go of; now one that was left behind
            past = _lease.now(-_lease.SKEW_SECONDS - 1)
            world.ledger.update("lock#migrate", {"run": "run#2026-01-01T00:00:00+00:00#9", "until": past})


def test_of_many_that_would_tell_one_does(world: World) -> None:
    """Several runs begin at once and find the same end untold."""
    entry = {"kind": "migrate", "state": "done", "started": "2026-01-01T00:00:00+00:00", "told": "no"}
    world.ledger.put("run#2026-01-01T00:00:00+00:00#1", {**entry, "topic": world.topic})
    threads = [
        threading.Thread(target=runs.sweep, args=(world.ledger, notify.sns(world.settings), None))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    world.told(1)
    assert world.entry("1")["told"] == "yes"


@pytest.mark.faults
def test_a_killed_run_is_told_of_by_its_watcher_and_can_be_run_again_at_once(world: World) -> None:
    """Also that nobody who waits for the end of the run's output waits for the watcher."""
    for table, state in (("T.A", "Table completed"), ("T.B", "Full load")):
        world.ledger.put(f"table#{table}", {"SchemaName": "T", "TableName": table[2:], "TableState": state})
        world.ledger.put(f"partition#{table}#00001", {"rows": 1500, "done": True})
    child = world.start()
    watcher = child.watcher
    watcher.suspend()
    os.killpg(child.process.pid, signal.SIGKILL)
    child.end(5)
    assert watcher.is_running()
    watcher.resume()
    again = world.start()  # it waits for the watcher's clean-up, not for the lease to run out
    again.say("end")
    assert again.end()[0] == 0
    killed, done = sorted((one["Subject"], one["Message"]) for one in world.told(2))
    assert killed[0].endswith(": FAILED")
    assert (
        "Why: The run was killed.\nWhat to do: Run it again: it goes on from the part it was at." in killed[1]
    )
    assert MAYBE not in killed[1]
    assert "\nTables begun:     2\nTables completed: 1\nRows so far:      3,000\n" in killed[1]
    assert done[0].endswith(": done")
    # Sorted, since the two can begin within one second, and are then listed in any order.
    assert sorted(world.states()) == [("migrate", "done", "yes"), ("migrate", "failed", "yes")]


@pytest.mark.faults
def test_killed_with_its_watcher_it_is_told_of_by_the_next_run_of_any_kind(world: World) -> None:
    child = world.start(times=SHORT)
    child.watcher.kill()
    child.kill()
    until(lambda: world.states() == [("migrate", "gone", "no")] or not short_alive(world))
    for kind in ("export", "validate"):  # the second one has nothing more to tell
        world.run_by(kind, SHORT)
    subjects = [one["Subject"].partition(" ")[2] for one in world.told(3)]
    assert sorted(subjects) == [
        f"export {world.task}: done",
        f"migrate {world.task}: FAILED",
        f"validate {world.task}: done",
    ]
    entry = world.entry(child.run)
    assert "gave no sign of life after" in entry["error"]
    assert entry["hint"].endswith("run it again: it goes on from the part it was at.")
    assert entry["ended"] >= entry["started"]


def short_alive(world: World) -> bool:
    """Whether a lease of `SHORT` has not run out."""
    lock = world.ledger.get("lock#migrate") or {}
    return str(lock["until"]) > _lease.now(-SHORT["SKEW_SECONDS"])


@pytest.mark.faults
@pytest.mark.parametrize("both", [False, True], ids=["the run", "the run and its watcher"])
@pytest.mark.parametrize("moment", ["before the publishing", "after the publishing"])
def test_killed_while_it_tells(world: World, moment: str, both: bool) -> None:
    """Before the message is out it is told once in the end; after that twice, and the second says so."""
    child = world.start(holds_up=moment)
    child.say("end")
    assert child.line() == moment
    if both:
        child.watcher.kill()
    child.kill()
    if both:
        # Whoever claimed it may be alive: so long nobody else tells of it.
        world.run_by("validate", SHORT)
        assert world.entry(child.run)["told"] == "claimed"
        world.run_by("export", {**SHORT, "CLAIM_SECONDS": 0.1})
    number = 1 + (moment == "after the publishing")
    said = [one["Message"] for one in world.told(number + 2 * both)]
    mine = [one for one in said if child.run in one]
    assert len(mine) == number
    assert sum(MAYBE in one for one in mine) == 1
    assert all(f"The migration {world.task} is done." in one for one in mine)
    assert world.entry(child.run)["told"] == "yes"


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["before its entry", "before the letting go"])
def test_killed_with_a_lease_that_nobody_lets_go_of(world: World, moment: str) -> None:
    """Its entry is not there, or says that it has ended: when its time is past, the next run takes it."""
    child = world.launch("migrate", times=SHORT, attempts=3, holds_up=moment)
    has_ended = moment == "before the letting go"
    if has_ended:
        assert child.line().startswith("working ")
        child.say("end")
    assert child.line() == moment
    for watcher in watchers(world.task):
        watcher.kill()
    child.kill()
    until(lambda: not short_alive(world))
    world.run_by("migrate", SHORT)
    assert world.states() == [("migrate", "done", "yes")] * (1 + has_ended)
    world.told(1 + has_ended)
    assert world.ledger.get("lock#migrate")["run"] == ""  # type: ignore[index]


@pytest.mark.faults
def test_a_kind_says_itself_how_it_is_run_again(world: World) -> None:
    """An export that was killed goes on only when its name is given: whoever tells of the kill says so."""
    child = world.start("export", again="Run it again with run=x: it goes on.")
    child.kill()
    (said,) = world.told(1)
    assert "What to do: Run it again with run=x: it goes on.\n" in said["Message"]


@pytest.mark.faults
def test_ctrl_c(world: World) -> None:
    child = world.start()
    os.killpg(child.process.pid, signal.SIGINT)  # as a terminal does
    code, _, err = child.end()
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    (said,) = world.told(1)
    assert said["Subject"].endswith(": interrupted")
    assert world.states() == [("migrate", "interrupted", "yes")]


@pytest.mark.faults
def test_sigterm_ends_the_work_where_it_waits(world: World) -> None:
    child = world.start()
    child.process.terminate()
    code, out, _ = child.end()
    assert code == 1
    assert out.startswith("error The run was ended (SIGTERM).")
    (said,) = world.told(1)
    assert "Why: The run was ended (SIGTERM).\n" in said["Message"]
    assert said["MessageAttributes"]["state"]["Value"] == "failed"


@pytest.mark.faults
def test_sigterm_and_soon_after_a_kill(world: World) -> None:
    """As YARN ends a driver: what the run could not write in between, its watcher does, with the right reason."""
    child = world.start(clings=True)
    until(lambda: waits(child.watcher))
    for process in (child.process, child.watcher):  # whoever ends a step tells all of its processes
        process.terminate()
    assert child.line() == "clings"
    child.kill()
    (said,) = world.told(1)
    assert "Why: The run was ended (SIGTERM).\n" in said["Message"]


@pytest.mark.faults
@pytest.mark.parametrize("at_its_end", [False, True], ids=["at work", "at its end"])
def test_a_run_that_was_paused_and_lost_its_lease_stops(world: World, at_its_end: bool) -> None:
    """It stops while it waits for its work; nor does it call itself done if it wakes when that is over."""
    child = world.start(times=SHORT)
    child.process.send_signal(signal.SIGSTOP)
    until(lambda: not short_alive(world))
    taker = world.start(times=SHORT)
    if at_its_end:
        child.say("end")
    child.process.send_signal(signal.SIGCONT)
    assert child.process.wait(5) == 1
    assert f"The run {child.run} stopped: it gave no sign of life" in child.end()[1]
    assert ("migrate", "running", "no") in world.states()  # the one that took over goes on
    taker.say("end")
    assert taker.end()[0] == 0
    world.told(2)
    assert world.states() == [("migrate", "failed", "yes"), ("migrate", "done", "yes")]


@pytest.mark.faults
def test_an_end_that_could_not_be_written_is_written_by_the_watcher(world: World) -> None:
    """The ledger fails just when the run ends: it is done all the same, and not taken for killed."""
    child = world.start(attempts=1)
    until(lambda: waits(child.watcher))
    with world.stack.faults(DYNAMODB_ERROR_PROBABILITY=1.0):
        child.say("end")
        code, _, err = child.end()
    assert code == 0
    assert "could not be written to the ledger" in err
    (said,) = world.told(1)
    assert said["Subject"].endswith(": done")
    assert "1,234,567" in said["Message"]


@pytest.mark.faults
def test_the_code_in_a_zip_that_is_removed_with_its_folder(world: World, tmp_path: Path) -> None:
    """As on YARN: the driver's code is a zip in its working folder, which is gone when the watcher is needed."""
    folder = tmp_path / "container"
    folder.mkdir()
    source = ROOT / "src"
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        for path in (source / "crime_jobs").rglob("*"):
            if path.suffix in {".py", ".toml"}:
                text = path.read_text(encoding="utf-8").replace(
                    "The run was killed.", "Killed, says the zip."
                )
                archive.writestr(str(path.relative_to(source)), text)
    variables = {"PYTHONPATH": "code.zip"}
    child = world.launch("migrate", cwd=folder, environ=variables, times={}, attempts=3)
    word, _, child.run = child.line().partition(" ")
    assert word == "working"
    until(lambda: waits(child.watcher))
    shutil.rmtree(folder)
    child.kill()
    (said,) = world.told(1)
    assert "Why: Killed, says the zip.\n" in said["Message"]


def test_a_ledger_that_can_not_be_read_is_an_error_not_a_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    from crime_jobs import aws

    ledger = Ledger(aws.client("dynamodb", world.settings, attempts=1), world.task, TABLE)
    with (
        pytest.raises(AwsRefused, match="can't be reached"),
        runs.recorded(world.settings, ledger, "migrate", world.topic),
    ):
        pytest.fail("it began")
    assert watchers(world.task) == []
