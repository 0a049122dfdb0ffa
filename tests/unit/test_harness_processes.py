"""Which processes are ours, and how they are stopped: with real, small processes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import psutil
import pytest

from crime_harness import processes

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
command = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(command, start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def marked(script: str, mark: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, processes.MARK: mark}
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


def test_a_pid_is_ours_only_with_its_time_and_its_mark(mark: str) -> None:
    with marked("import time; print('on', flush=True); time.sleep(60)", mark) as child:
        assert child.stdout
        child.stdout.readline()
        created = psutil.Process(child.pid).create_time()
        assert processes.is_same(child.pid, created, mark)
        assert not processes.is_same(child.pid, created - 60, mark)
        assert not processes.is_same(child.pid, created, "another")
        child.kill()
        deadline = time.monotonic() + 10
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
        assert not processes.is_same(child.pid, created, mark), "dead, though not reaped yet"
    assert not processes.is_same(child.pid, created, mark)


def test_stop_takes_the_stubborn_and_their_children_but_no_stranger(mark: str) -> None:
    with (
        marked(STUBBORN, mark) as parent,
        marked("import time; time.sleep(60)", "other") as stranger,
    ):
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        both = {parent.pid, child.pid}
        deadline = time.monotonic() + 10
        while {process.pid for process in processes.family(mark)} != both:
            assert time.monotonic() < deadline
        assert os.getpgid(child.pid) != os.getpgid(parent.pid), "a group alone would miss it"

        assert processes.stop(mark, grace=0.5) == 2
        assert processes.family(mark) == []
        assert stranger.poll() is None
        stranger.kill()


def test_stopping_nobody_is_harmless(mark: str) -> None:
    assert processes.stop(mark, grace=0) == 0


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True),
        ("127.0.1.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),  # noqa: S104 - that is the point
        ("::", False),
        ("192.168.1.4", False),
        ("::ffff:10.0.0.1", False),
        ("::1234", False),
    ],
)
def test_exposed(address: str, private: bool) -> None:
    assert processes.exposed([(address, 80)]) == ([] if private else [(address, 80)])


def test_a_port_and_who_holds_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not processes.port_is_free(port)
        assert processes.listening([psutil.Process()]) >= {("127.0.0.1", port)}
    assert processes.port_is_free(port)

    script = (
        "import socket, time; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); time.sleep(60)"
    )
    with marked(script, "holder") as other:
        assert other.stdout
        assert f"(pid {other.pid})" in processes.holder(int(other.stdout.readline()))
