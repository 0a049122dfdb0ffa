"""The supervisor: the daemon is started again, stopped in order, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.settings import Settings
from crime_jobs.stream import daemon, supervisor
from crime_jobs.stream.status import (
    Notes,
    ShardStatus,
    SupervisorStatus,
    read_shards,
    read_supervisor,
    told,
    write,
)
from tests.conftest import DATA, make_settings

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()

#: A supervisor of a shell script that stands for the daemon; its folder holds what happens.
RUN = """
import sys
from pathlib import Path
from crime_jobs.errors import CrimeJobsError
from crime_jobs.stream.supervisor import Supervisor
folder = Path(sys.argv[1])
try:
    Supervisor(folder, ["sh", "./daemon.sh"], {"PATH": "/usr/bin:/bin"}, lambda _: False, pause=0.0).run()
except CrimeJobsError as error:
    sys.exit(error.exit_code)
"""


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a supervisor of a script, and wait until the script says that it runs."""
    started = []

    def make(script: str) -> subprocess.Popen[bytes]:
        (tmp_path / "daemon.sh").write_text(f"echo $$ >> pids\n{script}\n")
        process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], stderr=subprocess.DEVNULL)
        started.append(process)
        until((tmp_path / "pids").is_file)
        return process

    yield make
    for process in started:
        process.kill()
        process.wait()


def gone(tmp_path: Path) -> bool:
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    return all(not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie" for pid in pids)


def test_a_daemon_that_dies_is_started_again_and_given_up_after_some_deaths(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    assert start("exit 3").wait(30) == JobFailed.exit_code
    assert len((tmp_path / "pids").read_text().split()) == supervisor.DEATHS
    status = read_supervisor(tmp_path)
    assert status
    assert (status.state, status.restarts) == ("failed", supervisor.DEATHS - 1)


def test_one_that_gets_somewhere_is_never_given_up(tmp_path: Path) -> None:
    (tmp_path / "daemon.sh").write_text("echo x >> runs; exit 1")
    lives = supervisor.DEATHS * 2

    def progressed(_: float) -> bool:
        if len((tmp_path / "runs").read_text().split()) == lives:
            os.kill(os.getpid(), signal.SIGTERM)
        return True

    supervisor.Supervisor(tmp_path, ["sh", "./daemon.sh"], os.environ, progressed).run()
    assert len((tmp_path / "runs").read_text().split()) == lives


def test_one_that_is_killed_is_started_for_longer_than_one_that_fails(tmp_path: Path) -> None:
    (tmp_path / "daemon.sh").write_text("echo x >> runs; kill -9 $$")

    def lives() -> int:
        return len((tmp_path / "runs").read_text().split())

    def never(_: float) -> bool:
        return False

    command = ["sh", "./daemon.sh"]
    with pytest.raises(JobFailed):
        supervisor.Supervisor(tmp_path, command, os.environ, never, pause=0.0).run()
    assert lives() == supervisor.KILLS > supervisor.DEATHS
    # A process that failed by itself takes the daemon along with the same signal.
    (tmp_path / "daemon.sh").write_text(f"echo x >> runs; : > {daemon.FAILED}; kill -9 $$")
    with pytest.raises(JobFailed):
        supervisor.Supervisor(tmp_path, command, os.environ, never, pause=0.0).run()
    assert lives() == supervisor.KILLS + supervisor.DEATHS


def test_the_first_checkpoint_of_a_process_is_told_at_once(tmp_path: Path) -> None:
    notes = Notes(tmp_path, "shard")
    notes.tell("reading")
    notes.now.checkpoint_at = 5.0
    notes.tell("reading")
    assert [one.checkpoint_at for one in read_shards(tmp_path)] == [0.0]
    notes.tell("reading", at_once=True)
    assert [one.checkpoint_at for one in read_shards(tmp_path)] == [5.0]


def test_asked_to_stop_it_asks_the_daemon_and_waits_for_it(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    process = start(
        "trap 'echo in order > stopped; exit 143' TERM; touch ready; while :; do sleep 0.02; done"
    )
    until((tmp_path / "ready").is_file)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert (tmp_path / "stopped").is_file()
    status = read_supervisor(tmp_path)
    assert status
    assert (status.state, status.daemon, status.restarts) == ("stopped", None, 0)


def test_asked_twice_it_kills_it(tmp_path: Path, start: Callable[[str], subprocess.Popen[bytes]]) -> None:
    process = start("trap 'touch asked' TERM; touch ready; while :; do sleep 0.02; done")
    until((tmp_path / "ready").is_file)
    process.send_signal(signal.SIGINT)
    until((tmp_path / "asked").is_file)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert gone(tmp_path)


def test_a_supervisor_that_is_killed_leaves_no_daemon(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    process = start("while :; do sleep 0.02; done")
    assert not gone(tmp_path)
    process.kill()
    until(lambda: gone(tmp_path))


def test_what_a_dead_daemon_leaves_behind_is_killed_too(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    assert start("sleep 300 & echo $! >> pids; exit 1").wait(30) == 1
    until(lambda: gone(tmp_path))


def test_a_folder_is_for_one_supervisor(tmp_path: Path) -> None:
    with (
        supervisor.only_one(tmp_path),
        pytest.raises(WrongUsage, match="--state-dir"),
        supervisor.only_one(tmp_path),
    ):
        pass


@pytest.fixture
def settings() -> Settings:
    return make_settings(DATA, "lake").model_copy(update={"region": "ap-south-1"})


def test_the_daemon_is_told_where_aws_is_and_what_the_user_wants(settings: Settings, tmp_path: Path) -> None:
    from crime_jobs.model.streams import StreamSettings

    environ = {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_KINESIS": "http://b"}
    stream = StreamSettings()
    worker = daemon.worker_name(tmp_path)
    assert daemon.worker_name(tmp_path) == worker
    told = daemon.properties(settings, stream, worker, {"idleTimeBetweenReadsInMillis": "250"}, environ)
    assert told["kinesisEndpoint"] == "http://b"
    assert told["dynamoDBEndpoint"] == "http://a"
    assert told["idleTimeBetweenReadsInMillis"] == "250"
    assert told["regionName"] == "ap-south-1"
    assert told["clientVersionConfig"] == "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X"
    assert "kinesisEndpoint" not in daemon.properties(settings, stream, worker, {}, {})
    assert told["initialPositionInStream"] == "TRIM_HORIZON"
    later = daemon.properties(settings, stream, worker, {"initialPositionInStreamExtended": "1795521600"}, {})
    assert "initialPositionInStream" not in later
    with pytest.raises(WrongUsage, match="streamName"):
        daemon.properties(settings, stream, worker, {"streamName": "other"}, {})


def test_the_files_of_a_folder_with_a_blank_start_the_process(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    write(folder / "shards" / "old.json", ShardStatus(shard="old", pid=1))
    daemon.prepare(folder, settings, {"a": "b\\c\nd"})
    assert (folder / "kcl.properties").read_text() == "a = b\\\\c\\nd\n"
    assert read_shards(folder) == []
    # Started by something that is no daemon, it ends; with an error, it takes whoever started it along.
    ended = subprocess.run(
        ["sh", f"./{daemon.PROCESS}"], cwd=folder, input=b"", capture_output=True, check=False
    )
    assert ended.returncode == 0
    command = ["sh", "-c", f"sh ./{daemon.PROCESS}; echo still here"]
    died = subprocess.run(command, cwd=folder, input=b"x\n", capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL
    assert b"still here" not in died.stdout
    assert (folder / daemon.FAILED).is_file()
    (folder / daemon.FAILED).unlink()
    # One that was killed takes it along too, and has not failed by itself.
    killed = daemon._PROCESS.format(command="sh -c 'kill -9 $$'", failed=daemon.FAILED)
    (folder / daemon.PROCESS).write_text(killed)
    died = subprocess.run(command, cwd=folder, input=b"", capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL
    assert not (folder / daemon.FAILED).exists()


def test_what_is_said_of_the_consumer_is_whole_or_passed_over(tmp_path: Path) -> None:
    assert read_supervisor(tmp_path) is None
    write(tmp_path / "supervisor.json", SupervisorStatus(pid=1))
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "half.json").write_text('{"shard": "a"')
    assert read_supervisor(tmp_path) == SupervisorStatus(pid=1)
    assert read_shards(tmp_path) == []


def test_of_a_consumer_that_was_killed_it_is_told_since_when_it_was_not_heard_of(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    now, late, ago = NOON + 100, NOON + 80, NOON + 3
    shards = [
        ShardStatus(shard="a", pid=1, at=late),
        ShardStatus(shard="b", pid=1, at=ago, state="waiting"),
        ShardStatus(shard="c", pid=1, at=ago, state="ended"),
    ]
    lives = SupervisorStatus(pid=os.getpid(), since=NOON)
    assert told(None, shards, now) is None
    assert told(lives, shards[::2], now) == "running"
    assert told(lives, shards, now) == "running; b not heard of since 2026-11-24T12:00:03.000Z"
    killed = SupervisorStatus(pid=gone.pid, since=NOON)
    assert told(killed, shards, now) == "not heard of since 2026-11-24T12:01:20.000Z"
    assert told(killed, [], now) == "not heard of since 2026-11-24T12:00:00.000Z"
    stopped = SupervisorStatus(pid=gone.pid, state="stopped", since=NOON)
    assert told(stopped, shards, now) == "stopped"
