"""Each defence of docs/threat-model.md has a test or a line of a template behind it, which is there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.conftest import ROOT
from tests.policies import resolving

TEXT = (ROOT / "docs/threat-model.md").read_text()
#: What is in backticks, over the end of a line too.
SAID = [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", TEXT)]
TESTS = [one for one in SAID if "::" in one]
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


@pytest.mark.parametrize("name", sorted(set(KEYS)))
def test_the_line_of_the_template_is_there_and_says_something(name: str) -> None:
    file, _, path = name.partition(": ")
    resource, *keys = path.split(".")
    told = resolving.load(file.removesuffix(".yaml"))["Resources"][resource]["Properties"]
    for key in keys:
        told = told[key]
    assert told not in (None, False, "", [], {})


def test_each_of_whom_we_are_afraid_is_stopped_by_something_and_something_is_left() -> None:
    assert len(WHO) == 10
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
