"""What the harness does when things go wrong. On a port and a state folder of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from crime_harness import engines, oracle, processes
from crime_harness.cli import SERVERS
from crime_harness.supervisor import Supervisor
from crime_jobs.settings import read_env_file

from .conftest import ROOT, Stack, free_port, harness
from .engines import Engine, until

pytestmark = pytest.mark.faults


class Own:
    """A stack of this module's own."""

    def __init__(self, state: Path) -> None:
        self.state, self.port = state, free_port()
        self.options = {"CRIME_HARNESS_STATE": str(state), "CRIME_HARNESS_PORT": str(self.port)}
        folder = (state / "localstack").resolve()
        self.mark, self.engines_mark = f"{folder}:localstack", f"{folder}:engines"
        self.oracle_mark = f"{folder}:oracle"

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return harness(*arguments, **{**self.options, **more})

    def status(self, service: str = "localstack") -> dict[str, Any]:
        rows = json.loads(self.run("status", "--output", "json").stdout)
        row = next(row for row in rows if row["service"] == service)
        assert isinstance(row, dict)
        return row

    def family(self) -> list[psutil.Process]:
        return processes.family(self.mark)


def alive(process: psutil.Process) -> bool:
    """Whether it still runs: a process that has died and waits to be reaped doesn't."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    """A stack that isn't up yet; nothing of it is left afterwards."""
    stack = Own(tmp_path / "state")
    yield stack
    for mark in (stack.mark, stack.engines_mark, stack.oracle_mark):
        processes.stop(mark, grace=0)


def test_hung_killed_recovered_stopped_without_a_trace(own: Own) -> None:
    assert own.run("up").returncode == 0
    first = own.status()
    assert first["state"] == "up"
    assert len(own.family()) >= 3

    os.kill(first["pid"], signal.SIGSTOP)
    assert own.status()["state"] == "not answering"
    os.kill(first["pid"], signal.SIGCONT)
    assert own.status()["state"] == "up"

    os.kill(first["pid"], signal.SIGKILL)
    while first["pid"] in {process.pid for process in own.family()}:
        time.sleep(0.05)
    dead = own.run("status")
    assert dead.returncode == 1
    assert "LocalStack is dead" in dead.stderr
    assert "make up" in dead.stderr
    orphans = own.family()
    assert orphans, "its helpers outlive it: else recovery would have nothing to clean up"

    recovered = own.run("up")
    assert recovered.returncode == 0, recovered.stderr
    second = own.status()
    assert second["state"] == "up"
    assert second["pid"] != first["pid"]
    assert not set(orphans) & set(own.family())

    family = own.family()
    down = own.run("down")
    assert down.returncode == 0
    assert own.family() == []
    assert not [process for process in family if alive(process)]
    assert processes.port_is_free(own.port)
    left = {path.relative_to(own.state).as_posix() for path in own.state.rglob("*")}
    logs = {f"localstack/{name}.log" for name in ("install", "init", *SERVERS)}
    assert left <= {"localstack", "localstack/lock", *logs}

    again = own.run("down")
    assert again.returncode == 0
    assert "Nothing was running" in again.stdout
    assert own.run("status").returncode == 1


def test_the_engines_killed_recovered_and_stopped_with_their_steps(own: Own, tmp_path: Path) -> None:
    """A step survives the engines' death, as no step survives `down`; `up` cleans up after both."""

    def start_step(name: str) -> psutil.Process:
        engine = Engine(Stack(read_env_file(own.state / "up.env")))
        script = f'cd "{tmp_path}"; echo $$ > {name}; setsid sleep 60 & wait'
        engine.add(engine.cluster(), "bash", "-c", script)
        file = tmp_path / name
        return psutil.Process(int(until(lambda: file.exists() and file.read_text().strip())))

    assert own.run("up").returncode == 0
    first = own.status("engines")
    assert first["state"] == "up"
    step = start_step("first")
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: own.status("engines")["state"] == "dead")
    dead = own.run("status")
    assert dead.returncode == 1
    assert "the engines are dead; the log is" in dead.stderr
    assert alive(step), "else recovery would have nothing to clean up"

    recovered = own.run("up")
    assert recovered.returncode == 0, recovered.stderr
    assert "LocalStack is up, the engines are dead and the old Oracle is up; cleaning up." in recovered.stderr
    assert not alive(step)
    second = own.status("engines")
    assert (second["state"], own.status()["state"]) == ("up", "up")

    step = start_step("second")
    family = processes.family(own.engines_mark)
    assert len(family) >= 3, "the engines, the step and its child"
    assert own.run("down").returncode == 0
    assert not [process for process in (*family, step) if alive(process)]
    assert processes.family(own.engines_mark) == []
    assert processes.port_is_free(int(second["endpoint"].rpartition(":")[2]))
    assert not (own.state / "localstack" / "engines").exists()


@pytest.mark.soak
def test_the_old_oracle_killed_hung_recovered_and_stopped(own: Own) -> None:
    """What was written to it is gone with it: each start begins with the rows that it shall have."""
    assert own.run("up").returncode == 0
    first = own.status("oracle")
    assert first["state"] == "up"
    os.kill(first["pid"], signal.SIGSTOP)
    assert own.status("oracle")["state"] == "not answering"
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: own.status("oracle")["state"] == "dead")
    dead = own.run("status")
    assert dead.returncode == 1
    assert "the old Oracle is dead; the log is" in dead.stderr
    rows = own.state / "localstack" / "oracle"
    (rows / "crime.mv.db").write_bytes(b"not a database any more")

    recovered = own.run("up")
    assert recovered.returncode == 0, recovered.stderr
    second = own.status("oracle")
    assert second["state"] == "up"
    assert own.run("down").returncode == 0
    assert processes.family(own.oracle_mark) == []
    assert processes.port_is_free(int(second["endpoint"].rpartition(":")[2]))
    assert not rows.exists()


def test_an_interrupted_start_leaves_nothing(own: Own) -> None:
    command = [sys.executable, "-m", "crime_harness", "up"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own.options}) as starting:
        deadline = time.monotonic() + 300  # it may have to install first
        while not own.family() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert own.family(), "LocalStack has to be starting, or the test proves nothing"
        starting.send_signal(signal.SIGINT)
        assert starting.wait(timeout=60) == 130
    assert own.family() == []
    assert own.status()["state"] == "down"
    assert not (own.state / "up.env").exists()


def test_a_port_in_use_is_said_with_its_holder(own: Own) -> None:
    with socket.create_server(("127.0.0.1", own.port)):
        refused = own.run("up")
    with socket.create_server(("127.0.0.1", engines.port_of(own.port))):
        refused_too = own.run("up")
    with socket.create_server(("127.0.0.1", oracle.port_of(own.port))):
        refused_last = own.run("up")
    asked = ((refused, own.port), (refused_too, engines.port_of(own.port)))
    for said, port in (*asked, (refused_last, oracle.port_of(own.port))):
        assert said.returncode == 2
        assert f"Port {port} of 127.0.0.1 is in use by" in said.stderr
        assert f"pid {os.getpid()}" in said.stderr
    assert "--port" in refused.stderr
    assert own.family() == []
    assert own.run("status").returncode == 1


def test_a_missing_java_is_one_clear_sentence(own: Own, tmp_path: Path) -> None:
    """No java on PATH, and pip has no index to take the wheel from."""
    empty = tmp_path / "bin"
    empty.mkdir()
    nowhere = {"PATH": str(empty), "JAVA_HOME": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(empty), "PIP_CONFIG_FILE": os.devnull}
    refused = own.run("up", **nowhere, **offline)
    assert refused.returncode == 2
    assert "LocalStack needs Java 17 to 21, but there is no java on PATH" in refused.stderr
    assert "apt install openjdk-17-jre-headless" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert own.family() == []


def test_a_stale_record_never_stops_a_stranger(own: Own) -> None:
    """Its pid has gone to another process since: that one is left alone, and `up` is not fooled."""
    folder = own.state / "localstack"
    folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        row = {"name": "localstack", "port": own.port, "pid": stranger.pid}
        created = psutil.Process(stranger.pid).create_time()
        record = {**row, "created": created, "since": "2026-01-01T00:00:00Z", "ready": True}
        (folder / "localstack.json").write_text(json.dumps(record))
        assert Supervisor(folder).record("localstack") is not None
        assert own.status()["state"] == "dead"
        assert own.run("down").returncode == 0
        assert stranger.poll() is None
        stranger.terminate()
