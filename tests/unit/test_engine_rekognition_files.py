"""What the face engine is deployed with: a container file, a unit of systemd, the packages that it needs."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crime_engines.rekognition.__main__ import _parser

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ROOT / "localstack" / "engines"
DEPLOY = ENGINES / "deploy"


def pins(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text().splitlines()]
    parts = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in parts}


def test_the_packages_are_those_of_the_extra_and_what_they_need_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(one).name for one in project["optional-dependencies"]["face-engine"]] + ["boto3"]
    needed: set[str] = set()
    while asked:
        name = canonicalize_name(asked.pop())
        if name in needed:
            continue
        needed.add(name)
        further = map(Requirement, metadata.requires(name) or [])
        asked += [one.name for one in further if one.marker is None or one.marker.evaluate({"extra": ""})]
    given = pins(DEPLOY / "requirements.txt")
    assert set(given) == needed
    assert given.items() <= pins(ROOT / "constraints.txt").items()


def container() -> list[tuple[str, str]]:
    """The container file's instructions and what each says."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_what_the_container_copies_runs_without_the_other_engines(tmp_path: Path) -> None:
    for what, text in container():
        if what != "COPY":
            continue
        *sources, target = text.split()
        into = tmp_path / target.removeprefix("/opt/crime-faces/")
        for source in sources:
            path = ENGINES / source
            if path.is_dir():
                shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copy = into / path.name if target.endswith("/") else into
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
    listed = pins(DEPLOY / "requirements.txt").keys()
    absent = [
        module
        for module, owners in metadata.packages_distributions().items()
        if module != "crime_engines" and not listed & {canonicalize_name(one) for one in owners}
    ]
    asked = (
        f"import sys\nsys.modules.update(dict.fromkeys({absent!r}))\n"  # as if they were not installed
        "import crime_engines.rekognition.__main__ as engine, crime_engines.faces.worker\n"
        "print([one.__file__ for name, one in sys.modules.items() if name.startswith('crime_engines')])\n"
        "engine.main(['--help'])"
    )
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    said = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    assert said.returncode == 0, said.stderr
    loaded, _, helped = said.stdout.partition("\n")
    assert "pyspark" in absent
    assert "--audit" in helped
    assert all(Path(path).is_relative_to(tmp_path) for path in ast.literal_eval(loaded))


def test_the_container_is_nobody_from_the_plain_image_and_needs_no_writable_root() -> None:
    said = container()
    assert [given for what, given in said if what == "FROM"] == ["python:3.11-slim"]
    assert [given for what, given in said if what == "USER"] == ["10001:10001"]
    after = [what for what, _ in said][[what for what, _ in said].index("USER") :]
    assert set(after) <= {"USER", "VOLUME", "EXPOSE", "ENTRYPOINT"}
    assert "://" not in (DEPLOY / "Containerfile").read_text()
    (entry,) = [json.loads(given) for what, given in said if what == "ENTRYPOINT"]
    assert entry[:3] == ["python", "-m", "crime_engines.rekognition"]
    started = _parser().parse_args(entry[3:])
    (volumes,) = [json.loads(given) for what, given in said if what == "VOLUME"]
    assert {str(started.state), str(started.audit.parent)} == set(volumes)
    assert all((started.tls_certificate, started.tls_key, started.clients))


def unit() -> tuple[str, dict[str, list[str]]]:
    """The unit's text, and its settings by name."""
    text = (DEPLOY / "crime-faces.service").read_text()
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return text, found


def test_the_unit_starts_what_there_is_with_tls_clients_and_audit() -> None:
    _, said = unit()
    folders = {"STATE_DIRECTORY": "/state", "LOGS_DIRECTORY": "/logs", "CREDENTIALS_DIRECTORY": "/given"}
    (line,) = said["ExecStart"]
    program, *arguments = shlex.split(re.sub(r"\$\{(\w+)\}", lambda name: folders[name[1]], line))
    assert arguments[:2] == ["-m", "crime_engines.rekognition"]
    assert program.startswith("/opt/crime-faces/")
    started = _parser().parse_args(arguments[2:])
    assert (started.state, started.audit) == (Path("/state"), Path("/logs/audit.jsonl"))
    loaded = {f"/given/{one.partition(':')[0]}" for one in said["LoadCredential"]}
    assert {str(started.tls_certificate), str(started.tls_key), str(started.clients)} == loaded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DynamicUser", "yes"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("PrivateTmp", "yes"),
        ("CapabilityBoundingSet", ""),
        ("StateDirectoryMode", "0700"),
        ("LogsDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
        ("MemorySwapMax", "0"),
    ],
)
def test_the_unit_is_hardened(name: str, value: str) -> None:
    assert unit()[1][name] == [value]


def test_systemd_finds_nothing_wrong_with_the_unit_and_little_that_is_open(tmp_path: Path) -> None:
    if not (tool := shutil.which("systemd-analyze")):
        pytest.skip("no systemd-analyze here: what the unit says is held to in the tests above")
    path = tmp_path / "crime-faces.service"
    path.write_text(unit()[0].replace("/opt/crime-faces/venv/bin/python", sys.executable))
    for arguments in (["verify"], ["security", "--offline=true", "--threshold=20"]):  # 2.0 of 10
        said = subprocess.run(
            [tool, *arguments, str(path)], capture_output=True, text=True, timeout=60, check=False
        )
        if "Unknown" in said.stderr and "option" in said.stderr:
            continue  # an older systemd
        assert said.returncode == 0, said.stdout + said.stderr
        assert arguments != ["verify"] or said.stderr == ""
