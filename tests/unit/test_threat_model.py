"""Each defence of docs/threat-model.md has a test or a line of a template behind it, which is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.policies import resolving

TEXT = (ROOT / "docs/threat-model.md").read_text()
#: What is in backticks, over the end of a line too.
SAID = [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", TEXT)]
TESTS = [one for one in SAID if re.match(r"tests/\S+::", one)]
KEYS = [one for one in SAID if re.match(r"[a-z]+\.yaml: ", one)]
#: Who might want what; each has a part of the page.
WHO = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)


@cache
def defined(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("name", sorted(set(TESTS)))
def test_the_test_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert test in defined(path)


@pytest.mark.parametrize("said", sorted(set(KEYS)))
def test_the_template_says_what_the_page_claims(said: str) -> None:
    """As CloudFormation would have it with the parameters' defaults, in the tests' account and region."""
    assert differs(said) == ""


def differs(said: str) -> str:
    """Say how a template is otherwise than ``FILE: Resource.path.to.it = value``; empty if it is not."""
    where, equals, claimed = said.partition(" = ")
    assert equals, f"{said}: claims no value"
    file, _, path = where.partition(": ")
    resource, *keys = path.split(".")
    template = resolving.Template(file.removesuffix(".yaml"))
    told = template.value(template.resources[resource]["Properties"])
    for key in keys:
        told = told[int(key)] if isinstance(told, list) else told.get(key)
    wanted = yaml.safe_load(claimed)
    if isinstance(wanted, dict) and isinstance(told, dict):
        told = {key: told.get(key) for key in wanted}
    return "" if told == wanted else f"{where} is {told}, and the page says {wanted}"


@pytest.mark.parametrize(
    ("file", "line", "weaker"),
    [
        ("storage.yaml", "      IsLogging: true", "      IsLogging: false"),
        ("storage.yaml", '["AWS::S3::Object"]', '["AWS::Lambda::Function"]'),
        ("faces.yaml", "        IgnorePublicAcls: true", "        IgnorePublicAcls: false"),
        ("faces.yaml", "      DeletionProtectionEnabled: true", ""),
        ("adhoc.yaml", "    Default: 7\n", "    Default: 700\n"),
        ("emr.yaml", "MinimumInstanceMetadataServiceVersion: 2", "MinimumInstanceMetadataServiceVersion: 1"),
    ],
)
def test_a_template_that_was_weakened_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, line: str, weaker: str
) -> None:
    text = (resolving.FOLDER / file).read_text()
    assert line in text
    (tmp_path / file).write_text(text.replace(line, weaker))
    monkeypatch.setattr(resolving, "FOLDER", tmp_path)
    monkeypatch.setattr(resolving, "load", resolving.load.__wrapped__)
    assert any(differs(said) for said in KEYS if said.startswith(f"{file}: "))


def test_each_of_whom_we_are_afraid_is_stopped_by_something_and_something_is_left() -> None:
    assert len(WHO) == 11
    for part in re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]:
        who = part.partition("\n")[0]
        assert "*Left:*" in part, who
        defences, _, _ = part.partition("*Left:*")
        for defence in re.split(r"^- ", defences, flags=re.MULTILINE)[1:]:
            assert re.search(r"`[^`]*(::|\.yaml: )[^`]*`", defence), (who, defence)


def test_files_that_are_named_are_there() -> None:
    for name in SAID:
        if re.fullmatch(r"tests/[\w/.]+\.(py|json|toml)", name):
            assert (ROOT / name).is_file(), name
