"""What is installed is exact, comes from wherever the user says, and is the same with Docker."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from crime_harness import install, maven, oracle, stack
from crime_harness.places import DEFAULT_PORT, HERE, constraints, digest, jars, pinned

HOOKS = HERE / "init" / "ready.d"


def test_every_python_package_is_pinned_exactly() -> None:
    lines = [line for line in constraints().splitlines() if not line.startswith("#")]
    assert len(lines) > 100
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", line)] == []
    assert pinned("localstack-core") == "4.9.2"
    with pytest.raises(KeyError):
        pinned("localstack-cor")


def test_every_jar_is_pinned_exactly() -> None:
    pins = jars("dynamodb", "agent", "jsonata", "s3a", "oracle")
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+:[\w.-]+:\d[\w.-]*(:so)?", pin)] == []
    assert len({tuple(pin.split(":")[:2]) for pin in jars("dynamodb")}) == len(jars("dynamodb"))


def test_the_npm_lock_has_hashes_and_no_addresses() -> None:
    lock = json.loads((HERE / "node" / "package-lock.json").read_text())
    packages = {name: found for name, found in lock["packages"].items() if name}
    assert packages["node_modules/kinesis-local"]["version"] == install.KINESIS
    assert all(found["integrity"].startswith("sha512-") for found in packages.values())
    assert not any("resolved" in found for found in packages.values())


def test_no_registry_is_named_anywhere() -> None:
    """Packages come from where the user's pip, npm and Ivy are set up to take them."""
    address = re.compile(r"https?://(?!127\.0\.0\.1|\{|docs\.aws\.)[^\s\"'`)]+")
    texts = [path for path in HERE.rglob("*") if path.suffix not in {".pyc"} and path.is_file()]
    assert len(texts) > 15
    found = {str(path): address.findall(path.read_text(encoding="utf-8")) for path in texts}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_an_ivy_module_asks_for_each_artefact_alone() -> None:
    module = ET.fromstring(maven.ivy_module(["a.b:c:1.0", "a.b:lib:2:so"]))  # noqa: S314 - ours
    asked = module.findall("./dependencies/dependency")
    assert [one.attrib["name"] for one in asked] == ["c", "lib"]
    assert {one.attrib["transitive"] for one in asked} == {"false"}
    assert [one[0].attrib["ext"] for one in asked] == ["jar", "so"]


def test_a_long_class_path_is_folded_as_jar_files_want_it() -> None:
    names = [f"lib/jar-number-{number}.jar" for number in range(90)]
    text = install.manifest("Main", names)
    lines = text.split("\r\n")
    assert max(len(line.encode()) for line in lines) <= 72
    assert f"Class-Path: {' '.join(names)}" in text.replace("\r\n ", "").split("\r\n")
    assert text.endswith("\r\n\r\n")


def test_a_changed_pin_is_another_download() -> None:
    assert digest("a", "b") == digest("a", "b")
    assert digest("a", "b") != digest("a", "c")
    assert digest("ab", "") != digest("a", "b")


def hook_constant(name: str, constant: str) -> object:
    tree = ast.parse((HOOKS / name).read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            names = [e.id for e in ast.walk(target) if isinstance(e, ast.Name)]
            if constant in names:
                value = ast.literal_eval(node.value)
                return value[names.index(constant)] if isinstance(target, ast.Tuple) else value
    raise AssertionError(constant)


def test_the_addresses_in_up_env_lie_in_buckets_that_the_hooks_make() -> None:
    buckets = hook_constant("10_buckets.py", "BUCKETS")
    assert isinstance(buckets, tuple)
    for uri in (stack.LANDING, stack.LAKE, stack.ARTIFACTS, stack.LOGS):
        assert uri.split("/")[2] in buckets
    bucket, prefix = (hook_constant("20_landing.py", name) for name in ("BUCKET", "PREFIX"))
    assert f"s3://{bucket}/{prefix}" == stack.LANDING


def test_the_migrations_secret_and_topic_are_those_that_a_hook_makes() -> None:
    made = [hook_constant("40_migration.py", name) for name in ("SECRET", "USER", "PASSWORD")]
    assert made == [oracle.SECRET, oracle.USER, oracle.PASSWORD]
    assert stack.TOPIC.rpartition(":")[2] == hook_constant("40_migration.py", "TOPIC")


def test_docker_compose_starts_the_same_stack() -> None:
    compose = yaml.safe_load((HERE / "compose.yaml").read_text())
    service = compose["services"]["localstack"]
    assert service["image"] == f"localstack/localstack:{pinned('localstack-core')}"
    assert service["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]

    mounts = dict(volume.removesuffix(":ro").split(":") for volume in service["volumes"])
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    by_target = {target: (HERE / source).resolve() for source, target in mounts.items()}
    assert by_target["/etc/localstack/init/ready.d"] == HOOKS
    data = by_target["/opt/crime-jobs/data"]
    assert list(data.glob("*.csv"))
    assert '"/opt/crime-jobs/data"' in (HOOKS / "20_landing.py").read_text()

    # Whatever both name, they name alike.
    same = {"DISABLE_EVENTS", "DYNAMODB_IN_MEMORY", "ENABLE_CONFIG_UPDATES", "KINESIS_LATENCY"}
    source = Path(stack.__file__).read_text()
    for name in same:
        assert f'"{name}": "{service["environment"][name]}"' in source
    assert service["healthcheck"]["test"][0] == "CMD-SHELL"
