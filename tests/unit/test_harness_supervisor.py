"""Starting and stopping, with small servers for LocalStack; Java found or not; the command."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from crime_harness import cli, oracle, processes, shell, stack, tools
from crime_harness.install import Installed
from crime_harness.places import Places
from crime_harness.supervisor import Server, State, Supervisor, responds
from crime_jobs.errors import JobFailed, WrongUsage

SERVE = """
from http.server import HTTPServer, SimpleHTTPRequestHandler
HTTPServer(({address!r}, {port}), SimpleHTTPRequestHandler).serve_forever()
"""


def free_port() -> int:
    return next(port for port in range(15200, 15400) if processes.port_is_free(port))


def fetch(port: int) -> Callable[[], None]:
    def answers() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
            pass

    return answers


def small(script: str, port: int, patience: float = 20) -> Server:
    command = (sys.executable, "-c", script)
    return Server("small", port, command, dict(os.environ), fetch(port), patience)


def test_up_and_down(tmp_path: Path) -> None:
    port, supervisor = free_port(), Supervisor(tmp_path)
    assert supervisor.state("small") is State.DOWN
    known = supervisor.start(small(SERVE.format(address="127.0.0.1", port=port), port))
    try:
        assert supervisor.state("small") is State.STARTING
        supervisor.ready(known)
        assert supervisor.state("small") is State.UP
        assert supervisor.record("small") is not None

        with pytest.raises(WrongUsage, match=rf"Port {port} .* in use by .*pid {known.pid}"):
            supervisor.start(small("", port))
        assert supervisor.state("small") is State.UP

        (tmp_path / "small.json").unlink()
        assert supervisor.state("small") is State.DEAD, "still running, but its record is lost"
    finally:
        assert supervisor.stop("small") == 1
    assert supervisor.state("small") is State.DOWN
    assert processes.port_is_free(port)
    assert supervisor.stop("small") == 0


def test_a_server_that_others_could_reach_is_stopped(tmp_path: Path) -> None:
    port, supervisor = free_port(), Supervisor(tmp_path)
    with pytest.raises(JobFailed, match=rf"listens on 0\.0\.0\.0:{port}"):
        supervisor.start(small(SERVE.format(address="0.0.0.0", port=port), port))  # noqa: S104
    assert supervisor.state("small") is State.DOWN
    assert processes.port_is_free(port)


def test_a_server_that_dies_says_its_last_words(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    with pytest.raises(JobFailed, match=r"exit code 7.*: no luck\. Its log is .*small\.log"):
        supervisor.start(small("print('no luck'); raise SystemExit(7)", free_port()))
    assert supervisor.state("small") is State.DOWN


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    with pytest.raises(JobFailed, match="did not answer within 1 s"):
        supervisor.start(small("import time; time.sleep(60)", free_port(), patience=1))
    assert supervisor.state("small") is State.DOWN


@pytest.mark.parametrize("content", ["", "{", '{"name": "small"}', "[1]"])
def test_a_broken_record_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "small.json").write_text(content)
    assert Supervisor(tmp_path).state("small") is State.DOWN


def fake_java(folder: Path, release: str) -> str:
    home = folder / f"jdk-{release}"
    (home / "bin").mkdir(parents=True)
    java = home / "bin" / "java"
    said = f"    java.home = {home}\n    java.specification.version = {release}\n"
    java.write_text(f"#!/bin/sh\nprintf '%s' '{said}' >&2\n")
    java.chmod(0o755)
    return str(home)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """No java on PATH, no package index, nothing in the cache."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Places.of(tmp_path / "state")


def test_the_java_of_java_home_comes_first(
    offline: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fake_java(tmp_path, "17")
    monkeypatch.setenv("PATH", f"{fake_java(tmp_path, '21')}/bin:/usr/bin:/bin")
    monkeypatch.setenv("JAVA_HOME", home)
    assert tools.find_java(offline, tmp_path / "log") == tools.Java(Path(home), 17)
    monkeypatch.delenv("JAVA_HOME")
    assert tools.find_java(offline, tmp_path / "log").release == 21


@pytest.mark.parametrize("release", ["1.8", "11", "25"])
def test_a_java_of_another_release_is_named(
    offline: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    home = fake_java(tmp_path, release)
    monkeypatch.setenv("JAVA_HOME", home)
    number = release.removeprefix("1.")
    with pytest.raises(WrongUsage, match=rf"needs Java 17 to 21, but {home}/bin/java is Java {number}"):
        tools.find_java(offline, tmp_path / "log")


def test_node_that_is_not_to_be_had_is_one_clear_sentence(offline: Places, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"needs Node 18 or later.*apt install nodejs npm"):
        tools.find_node(offline, tmp_path / "log")


def test_a_failed_program_is_said_with_its_error_and_its_log(tmp_path: Path) -> None:
    script = "print('ERROR: no space left'); print('bye'); raise SystemExit(3)"
    with pytest.raises(shell.CommandFailed, match=r"ERROR: no space left .*log") as caught:
        shell.run([sys.executable, "-c", script], tmp_path / "log")
    assert caught.value.last_line == "ERROR: no space left"
    assert "bye" in (tmp_path / "log").read_text()
    with pytest.raises(shell.CommandFailed, match="No such file"):
        shell.run([str(tmp_path / "missing")], tmp_path / "log")


def installed_in(folder: Path) -> Installed:
    node = tools.Node(folder / "node", ("npm",))
    return Installed(tools.Java(folder, 17), node, folder, folder, folder, folder, folder)


def test_the_users_aws_settings_do_not_reach_localstack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    installed = installed_in(tmp_path)
    env = stack.server(Places.of(tmp_path), installed, 4599).env
    assert not [name for name in env if name.startswith("AWS_")]
    assert env["HTTPS_PROXY"] == "http://proxy:3128"
    assert env["NO_PROXY"] == "127.0.0.1,localhost"
    assert env["GATEWAY_LISTEN"] == "127.0.0.1:4599"


def test_the_old_oracle_listens_here_alone_and_for_one_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    (tmp_path / "h2-2.jar").touch()
    installed = installed_in(tmp_path)
    server = oracle.server(Places.of(tmp_path), installed, 4599)
    assert server.port == 6599
    assert {"-Dh2.bindAddress=127.0.0.1", "-tcp", "-ifExists"} <= set(server.command)
    assert not {"-web", "-pg", "-ifNotExists", "-tcpAllowOthers"} & set(server.command)
    assert not [name for name in server.env if name.startswith("AWS_")]
    assert oracle.port_of(64000) == 62000
    assert oracle.PASSWORD not in " ".join([oracle.url(6599), *server.command])
    said = oracle.settings(6599)
    assert said["CRIME_JOBS_ORACLE_URL"].startswith("jdbc:h2:tcp://127.0.0.1:6599/./crime;MODE=Oracle;")


def test_something_else_on_its_port_is_not_the_old_oracle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def hang_up() -> None:
            other.accept()[0].close()

        answering = threading.Thread(target=hang_up)
        answering.start()
        assert not responds(oracle.answers, other.getsockname()[1])
        answering.join()
    assert not responds(oracle.answers, free_port())


def test_status_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--state-dir", str(tmp_path), "--output", "json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    nothing = {"endpoint": None, "state": "down", "pid": None, "since": None}
    assert rows == [{"service": name, **nothing} for name in ("localstack", "engines", "oracle")]


def test_wrong_options_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--port", "0"]) == 2
    assert cli.main(["sideways"]) == 2
    assert "--port" in capsys.readouterr().err
