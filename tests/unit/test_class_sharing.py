"""Archives of Spark's classes: a help that nothing depends on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from crime_engines.node import Node
from crime_harness import class_sharing


def a_java(folder: Path) -> Path:
    """A Java that says what it was told."""
    java = folder / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    java.chmod(0o755)
    (java.parent.parent / "lib").mkdir()
    return java


def test_a_step_s_java_has_the_configuration_last_and_all_else_as_told(tmp_path: Path) -> None:
    home = a_java(tmp_path).parent.parent
    node = Node(
        tmp_path / "state", "http://a", "http://b", "s3.jar", tmp_path, str(home), None, "-Xshare:auto"
    )
    node.prepare()
    environ = node.environ("us-east-1", tmp_path / "tmp") | {"SPARK_CONF_DIR": "/a cluster/conf"}

    def told(*arguments: str) -> list[str]:
        command = [f"{environ['JAVA_HOME']}/bin/java", *arguments]
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    assert told("-cp", "/a cluster/conf/:/s/jars/*:s3.jar", "-Xmx1g", "Main", "a b", "*") == [
        *("-cp", "/s/jars/*:s3.jar:/a cluster/conf/", "-Xmx1g", "Main", "a b", "*")
    ]
    for others in (
        ["-Xmx128m", "-cp", "/a cluster/conf/:x.jar", "Main"],
        ["-cp", "own.jar:/a cluster/conf/:x.jar"],
    ):
        assert told(*others) == others  # what a step puts first stays first
    assert Path(environ["JAVA_HOME"], "lib").resolve() == home / "lib"


def test_without_an_archive_a_step_has_the_machine_s_java(tmp_path: Path) -> None:
    home = str(a_java(tmp_path).parent.parent)
    node = Node(tmp_path / "state", "http://a", "http://b", "s3.jar", tmp_path, home)
    assert node.environ("us-east-1", tmp_path / "tmp")["JAVA_HOME"] == home


@pytest.mark.parametrize(("release", "made"), [(8, False), (11, False), (None, False), (17, True)])
def test_an_old_java_and_a_failed_training_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: int | None, made: bool
) -> None:
    trained: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        trained.append(command)
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(class_sharing, "find_java_home", lambda: str(a_java(tmp_path).parent.parent))
    monkeypatch.setattr(class_sharing, "java_release", lambda _: release)
    monkeypatch.setattr(class_sharing, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    assert class_sharing.options() == ""
    assert bool(trained) is made


def test_an_archive_is_made_once_and_another_one_for_another_java(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def run(command: list[str], **_: object) -> None:
        made.append(Path(command[2]))
        made[-1].touch()

    java = a_java(tmp_path)
    monkeypatch.setattr(class_sharing, "find_java_home", lambda: str(java.parent.parent))
    monkeypatch.setattr(class_sharing, "java_release", lambda _: 17)
    monkeypatch.setattr(class_sharing, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    first = class_sharing.options()
    assert class_sharing.options() == first
    assert len(made) == 1
    archive = first.split()[0].removeprefix("-XX:SharedArchiveFile=")
    assert Path(archive).is_file()
    os.utime(java, (1, 1))
    assert class_sharing.options() != first
    assert len(made) == 2
