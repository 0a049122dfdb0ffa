"""The bootstrap action, run here as far as it goes without Amazon Linux; dnf is a stub, the rest is real."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "emr_bootstrap"
SCRIPT = FOLDER / "python.sh"
BASH = shutil.which("bash") or "bash"
#: What the script itself needs, besides what a test takes away.
TOOLS = ("env", "bash", "uname", "ln", "cat")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with nothing on it but what is said."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!{BASH}\n{text}\n")
    path.chmod(0o755)


def run(tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASH, str(SCRIPT), *arguments],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_shellcheck_has_nothing_to_say() -> None:
    scripts = sorted(FOLDER.glob("*.sh"))
    assert scripts
    checker = Path(sys.executable).with_name("shellcheck")
    said = subprocess.run(
        [checker, "--enable=all", "--exclude=SC2310,SC2312", *scripts],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr


def test_python_that_is_there_is_left_alone(tools: Path) -> None:
    (tools / "python3.11").symlink_to(sys.executable)
    for _ in range(2):
        done = run(tools, "3.11")
        assert done.returncode == 0, done.stderr
        assert "Python 3.11" in done.stdout
        assert "installing" not in done.stdout


def test_python_that_is_missing_is_installed_once(tools: Path) -> None:
    program(tools, "sudo", 'exec "$@"')
    program(tools, "dnf", f'echo "dnf $*"; ln -s {sys.executable} {tools}/python3.11')
    first, second = run(tools), run(tools)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "dnf install -y python3.11" in first.stdout
    assert "dnf" not in second.stdout


@pytest.mark.parametrize(
    ("stubs", "arguments", "told"),
    [
        ({}, ["3.11"], "so is dnf"),
        ({"sudo": 'exec "$@"', "dnf": "exit 1"}, ["3.11"], "dnf could not install python3.11"),
        ({"sudo": 'exec "$@"', "dnf": "exit 0"}, ["3.11"], "still does not work"),
        ({"sudo": "exit 1", "dnf": "exit 0"}, ["3.11"], "dnf could not install"),
        ({"python3.11": "exit 1", "sudo": 'exec "$@"', "dnf": "exit 0"}, ["3.11"], "still does not work"),
        ({}, ["3.11; reboot"], "is not a version of Python"),
    ],
)
def test_what_fails_is_said_and_fails_the_node(
    tools: Path, stubs: dict[str, str], arguments: list[str], told: str
) -> None:
    for name, text in stubs.items():
        program(tools, name, text)
    done = run(tools, *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stderr.startswith("crime-jobs bootstrap on ")


def test_a_python_of_another_version_under_that_name_does_not_pass(tools: Path) -> None:
    (tools / "python3.12").symlink_to(sys.executable)
    assert run(tools, "3.12").returncode == 1


def test_spark_and_hive_share_the_glue_catalog() -> None:
    found = {
        item["Classification"]: item for item in json.loads((FOLDER / "configurations.json").read_text())
    }
    factories = {
        found[name]["Properties"]["hive.metastore.client.factory.class"]
        for name in ("spark-hive-site", "hive-site")
    }
    assert factories == {"com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"}
    # Nothing here turns encryption off; the security configuration turns it on.
    assert not {"emrfs-site", "core-site"} & set(found)
