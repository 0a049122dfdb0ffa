"""What policies of a template allow, and which actions of IAM calls of the code need. Not a test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore import xform_name
from botocore.session import get_session

from tests.conftest import ROOT
from tests.unit.test_templates import load

#: Files of code, each with the functions of it that are looked at; all of it if none are named.
Code = dict[str, tuple[str, ...]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class Told:
    """A template, by its name."""

    def __init__(self, name: str) -> None:
        self.template = load(name)
        self.resources: dict[str, Any] = self.template["Resources"]

    def of(self, kind: str) -> dict[str, Any]:
        return {name: r["Properties"] for name, r in self.resources.items() if r["Type"] == kind}

    def defaulted(self, value: Any) -> str:
        """A value with the defaults of the parameters in it."""
        text = value if isinstance(value, str) else value.get("Fn::Sub") or f"${{{value['Ref']}}}"
        known = {name: str(p.get("Default")) for name, p in self.template["Parameters"].items()}
        return re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], text)

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, role in self.of("AWS::IAM::Role").items():
            for policy in role["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield name, statement.get("Fn::If", [None, statement])[1]
        for name, policy in self.of("AWS::IAM::ManagedPolicy").items():
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement.get("Fn::If", [None, statement])[1]

    def may(self, name: str) -> set[str]:
        return {action for whose, s in self.statements() if whose == name for action in as_list(s["Action"])}

    def on(self, name: str, resource: str) -> set[str]:
        """What a policy allows on a resource of the template."""
        arn = {"Fn::GetAtt": [resource, "Arn"]}
        return {
            action
            for whose, s in self.statements()
            if whose == name and arn in as_list(s["Resource"])
            for action in as_list(s["Action"])
        }


def called(
    services: Sequence[str],
    code: Code,
    otherwise: Mapping[str, set[str]],
    through: Sequence[str] = (),
) -> set[str]:
    """The actions of IAM that calls need, by the names that boto3's clients have for them.

    `otherwise` has those that IAM calls by another name; `through` functions that are given an operation.
    """
    session = get_session()
    named = {
        xform_name(operation): f"{service}:{operation}"
        for service in services
        for operation in session.get_service_model(service).operation_names
    }
    found = set()
    for path, functions in code.items():
        tree = ast.parse((ROOT / path).read_text())
        defined = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        parts: list[ast.AST] = [defined[name] for name in functions]
        for part in parts or [tree]:
            for node in ast.walk(part):
                if isinstance(node, ast.Attribute) and node.attr in named:
                    found.add(named[node.attr])
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                first = node.args[0] if node.args else None
                if node.func.attr == "get_paginator" and isinstance(first, ast.Constant):
                    found.add(named[str(first.value)])
                # Where a function makes all calls, the operation is the first of what it is given.
                if node.func.attr in through and isinstance(first, ast.Constant):
                    found.add(named[str(first.value)])
    return {action for one in found for action in otherwise.get(one, {one})}
