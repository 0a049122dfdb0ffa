"""What Hue is given on EMR: documents as its model has them, how it is configured, the script that loads them.

Hue itself can't run here. Its model is the one of Hue 4.11's sources (desktop/core/src/desktop/models.py).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from crime_jobs.emr import hue
from crime_jobs.hive_scripts import list_scripts
from tests.conftest import ROOT

SCRIPT = ROOT / "emr_bootstrap/hue.sh"
#: Fields of ``Document2``: what Python type each has in a fixture, and how long it may be.
MODEL: dict[str, tuple[tuple[type, ...], int | None]] = {
    "owner": ((list,), None),
    "name": ((str,), 255),
    "description": ((str,), None),
    "uuid": ((str,), 36),
    "type": ((str,), 32),
    "data": ((str,), None),
    "extra": ((str,), None),
    "search": ((str, type(None)), None),
    "last_modified": ((str,), None),
    "version": ((int,), None),
    "is_history": ((bool,), None),
    "is_managed": ((bool,), None),
    "is_trashed": ((bool,), None),
    "dependencies": ((list,), None),
    "parent_directory": ((list, type(None)), None),
}
INSIGHTS = [s for s in list_scripts() if "_insight_" in s.name]


def queries() -> list[dict[str, Any]]:
    return [d["fields"] for d in hue.fixture() if d["fields"]["type"] == "query-hive"]


def test_documents_are_what_hues_model_and_its_import_take() -> None:
    for document in hue.fixture():
        assert document.keys() == {"model", "pk", "fields"}
        assert (document["model"], document["pk"]) == ("desktop.document2", None)
        assert document["fields"].keys() == MODEL.keys()
        for name, (kinds, longest) in MODEL.items():
            value = document["fields"][name]
            assert isinstance(value, kinds), name
            assert longest is None or len(str(value)) <= longest, name
        assert str(uuid.UUID(document["fields"]["uuid"])) == document["fields"]["uuid"]
        assert "/" not in document["fields"]["name"]  # Hue would rename it
        assert document["fields"]["owner"] == ["hue"]


def test_each_insight_is_one_document_in_the_directory() -> None:
    folder, *rest = hue.fixture()
    assert folder["fields"]["type"] == "directory"
    key = [folder["fields"]["uuid"], 1, False]
    assert len(rest) == len(INSIGHTS) == 8
    for document, script in zip(rest, INSIGHTS, strict=True):
        assert document["fields"]["parent_directory"] == key
        assert script.summary.startswith(document["fields"]["name"])
        data = json.loads(document["fields"]["data"])
        assert data["uuid"] == document["fields"]["uuid"]
        assert data["type"] == document["fields"]["type"] == "query-hive"
        (snippet,) = data["snippets"]
        assert snippet["type"] == data["selectedSnippet"] == data["sessions"][0]["type"] == "hive"
        assert snippet["statement"] == snippet["statement_raw"]
        assert snippet["database"] == "crime"


def test_documents_of_a_second_environment_ask_its_database() -> None:
    texts = [d["fields"]["data"] for d in hue.fixture("pune_crime") if d["fields"]["type"] == "query-hive"]
    assert {json.loads(text)["snippets"][0]["database"] for text in texts} == {"pune_crime"}


def test_a_second_load_meets_the_same_documents() -> None:
    first, again = hue.fixture_text(), hue.fixture_text()
    assert first == again
    assert len({d["fields"]["uuid"] for d in json.loads(first)}) == len(INSIGHTS) + 1
    # Written down, so that a change of the rule that makes them is seen: it would double the documents.
    assert json.loads(first)[0]["fields"]["uuid"] == "2c15e391-3d3e-5fb4-8e45-b107c8f26b54"
    assert json.loads(first)[1]["fields"]["uuid"] == "6b235943-e76d-503d-afb9-3478d49c5841"


#: How Hue's editor finds variables: VariableSubstitution.vue and sqlExecutable.ts.
LOCATION = re.compile(r"\$\{(\w+)=?([^{}]*)\}")


@pytest.mark.parametrize("script", INSIGHTS, ids=lambda s: s.name)
def test_hues_editor_asks_for_each_variable_by_its_name(script: Any) -> None:
    text = hue.statement(script.text)
    assert "hivevar" not in text
    assert not re.search(r"^\s*USE\b", text, flags=re.MULTILINE)
    asked = {found[1]: found[2] for found in LOCATION.finditer(text)}
    variables = [name for name in script.variables if name != "database"]
    assert list(asked) == variables
    assert asked == {name: hue.DEFAULTS[name] for name in variables}
    # But for the variables it is the script, to the letter.
    plain = LOCATION.sub(lambda found: f"${{hivevar:{found[1]}}}", text)
    assert plain == script.text.replace("USE ${hivevar:database};\n\n", "").strip()


def settings(path: str) -> dict[str, str]:
    items = json.loads((ROOT / "emr_bootstrap/configurations.json").read_text())
    found: dict[str, Any] = {}
    for name in path.split("/"):
        (found,) = (item for item in items if item["Classification"] == name)
        items = found.get("Configurations", [])
    told: dict[str, str] = found["Properties"]
    return told


def test_nobody_becomes_administrator_by_being_the_first_to_come() -> None:
    auth = settings("hue-ini/desktop/auth")
    assert auth["backend"] == "django.contrib.auth.backends.ModelBackend"
    assert 0 < int(auth["idle_session_timeout"]) <= 3600
    assert auth["login_lock_out_at_failure"] == "true"
    assert settings("hue-ini/desktop/session")["http_only"] == "true"
    assert settings("hue-ini/useradmin/password_policy") == {"is_enabled": "true"}
    assert "filebrowser" in settings("hue-ini/desktop")["app_blacklist"].split(",")
    assert settings("hue-ini/notebook/interpreters/hive")["interface"] == "hiveserver2"
    assert settings("hue-ini/notebook/interpreters/sparksql")["interface"] == "livy"


# --- the script: Hue, aws and sudo are stubs, the rest is real ---


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A primary node: a PATH of stubs that note how they were called, and a Hue that comes up later."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (
        "bash",
        "uname",
        "grep",
        "mkdir",
        "chown",
        "id",
        "cp",
        "chmod",
        "nohup",
        "setsid",
        "sleep",
        "cat",
    ):
        (tools / name).symlink_to(shutil.which(name) or name)
    note = f'echo "$(basename "$0") $*" >>{tmp_path}/calls'.replace('$(basename "$0")', "${0##*/}")
    program(tools / "sudo", 'while [[ $1 == -u ]]; do shift 2; done; exec "$@"')
    program(tools / "aws", f'{note}\n[[ $5 ]] && echo "[]" >"$5"')
    (tmp_path / "instance.json").write_text('{"isMaster": true, "isRunningNameNode": true}')
    (tmp_path / "documents.json").write_text(hue.fixture_text())
    return tmp_path


def program(path: Path, text: str) -> None:
    path.write_text(f"#!{shutil.which('bash')}\n{text}\n")
    path.chmod(0o755)


def hue_that(node: Path, failing: str = "nothing") -> None:
    """A hue that notes what it is told, keeps what it is given to load, and fails at one command."""
    program(
        node / "hue",
        f'echo "$*" >>{node}/hue-calls\n[[ $1 == {failing} ]] && exit 1\n'
        f"[[ $1 == loaddata ]] && cat >{node}/loaded\nexit 0",
    )


def run(node: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        "PATH": str(node / "bin"),
        "CRIME_JOBS_NODE": str(node / "instance.json"),
        "CRIME_JOBS_HUE": str(node / "hue"),
        "CRIME_JOBS_HOME": str(node / "home"),
        "CRIME_JOBS_PATIENCE": "5",
        "CRIME_JOBS_PAUSE": "1",
    }
    command = [shutil.which("bash") or "bash", str(SCRIPT), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_shell_of_documents_passes_shellcheck() -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    said = subprocess.run(
        [checker, "--exclude=SC2310,SC2312", SCRIPT], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout


def test_the_node_goes_on_and_the_documents_follow_when_hue_is_there(node: Path) -> None:
    began = time.monotonic()
    done = run(node, "s3://bucket/a/documents.json")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 4  # it did not wait for Hue
    assert "s3 cp --only-show-errors s3://bucket/a/documents.json" in (node / "calls").read_text()
    hue_that(node)
    deadline = time.monotonic() + 15
    log = node / "home/hue.log"
    while "in Hue" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "the insight queries are in Hue" in log.read_text()


def test_what_is_loaded_is_the_fixture_as_it_is_and_twice_is_harmless(node: Path) -> None:
    hue_that(node)
    for _ in range(2):
        done = run(node, "--load", str(node / "documents.json"))
        assert done.returncode == 0, done.stderr
    assert (node / "loaded").read_text() == hue.fixture_text()
    told = (node / "hue-calls").read_text()
    assert told.index("is_db_alive") < told.index("migrate --check") < told.index("loaddata --format json -")
    assert "install_sample_user()" in told
    assert f'name="{hue.DIRECTORY}"' in told
    for code in re.findall(r"shell -c (.*?)(?=\n\w+ |\Z)", told, flags=re.DOTALL):
        compile(code, "shell", "exec")


def test_another_node_than_the_primary_has_nothing_to_do(node: Path) -> None:
    (node / "instance.json").write_text('{"isMaster": false}')
    assert run(node, "s3://bucket/a/documents.json").returncode == 0
    (node / "instance.json").unlink()  # no EMR at all
    assert run(node, "s3://bucket/a/documents.json").returncode == 0
    assert not (node / "calls").exists()
    assert not (node / "home").exists()


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        ("loaddata", "Hue refused the documents"),
        ("shell", "samples could not be made"),
        ("migrate", "not ready within"),
    ],
)
def test_what_fails_is_said(node: Path, failing: str, told: str) -> None:
    hue_that(node, failing)
    done = run(node, "--load", str(node / "documents.json"))
    assert done.returncode == 1
    assert told in done.stderr


@pytest.mark.parametrize("arguments", [[], ["here.json"], ["s3://"], ["--load", "/nowhere"]])
def test_wrong_arguments_are_refused(node: Path, arguments: list[str]) -> None:
    assert run(node, *arguments).returncode == 1
