"""Templates as documents: read with the short forms, and made without types that an endpoint lacks."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from crime_jobs.cloud.stacks_conditions import decided
from crime_jobs.errors import WrongUsage

Document = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """A stream's template, as it is sent.

    Parameters
    ----------
    stream
        The stream.
    document
        The template, with long forms only.
    left_out
        Resources that are not in it, though the file has them: their logical name, and why.
    """

    stream: str
    document: Document
    left_out: Mapping[str, str]

    @property
    def body(self) -> str:
        """The text that CloudFormation is sent; the same document gives the same text."""
        return json.dumps(self.document, separators=(",", ":"), default=str)

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters."""
        found: dict[str, Any] = self.document.get("Parameters", {})
        return found

    @property
    def resources(self) -> dict[str, Any]:
        """Its resources."""
        found: dict[str, Any] = self.document["Resources"]
        return found

    @property
    def outputs(self) -> dict[str, Any]:
        """Its outputs."""
        found: dict[str, Any] = self.document.get("Outputs", {})
        return found


def load(stream: str) -> Template:
    """Read the template of a stream.

    Parameters
    ----------
    stream
        For example ``emr``.

    Returns
    -------
    Template
    """
    text = (files("crime_jobs") / "cloud" / f"{stream}.yaml").read_text(encoding="utf-8")
    return Template(stream, json.loads(json.dumps(parsed(text), default=str)), {})


def reduced(template: Template, without: Iterable[str], values: Mapping[str, str]) -> Template:
    """Return a template with only what is really made where some types are not.

    Parameters
    ----------
    template
        As `load` returns it.
    without
        Types that are not made, for example ``AWS::Athena::WorkGroup``; ``AWS::EMR::*`` means all of EMR.
        With none the template is sent as it is.
    values
        Its parameters, as far as they are known: what conditions rule out is not said to be left out.

    Returns
    -------
    Template

    Raises
    ------
    WrongUsage
        If nothing is left of it.
    """
    types = tuple(without)
    if not types:
        return template
    document = decided(template.document, values)
    left_out = _leave_out(document, types)
    if not document["Resources"]:
        raise WrongUsage(
            f"Nothing of {template.stream} is made here: all its types are in deploy.without.",
            hint="Leave it out of the streams, or correct the environment's section.",
        )
    return Template(template.stream, document, left_out)


def bounded(template: Template, boundary: str) -> Template:
    """Return a template whose roles have a permissions boundary.

    It is put in here, not in the templates: a role that is added to one can't be forgotten.

    Parameters
    ----------
    template
        As it would be sent otherwise.
    boundary
        ARN of the policy; without one the template stays as it is.

    Returns
    -------
    Template
    """
    if not boundary:
        return template
    document = copy.deepcopy(template.document)
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::IAM::Role":
            resource.setdefault("Properties", {})["PermissionsBoundary"] = boundary
    return Template(template.stream, document, template.left_out)


@cache
def parsed(text: str) -> Any:
    """Return a template's document, its short forms (``!Ref``) written out.

    Parameters
    ----------
    text
        YAML, or JSON, which is YAML too.
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # twelve times as fast where libyaml is

    class Loader(base):  # type: ignore[misc]
        """Knows ``!Ref`` and its like."""

    def short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Document:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
        if tag == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}

    Loader.add_multi_constructor("!", short_form)
    return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader it is


def references(value: Any) -> Iterator[str]:
    """Yield what a value refers to: names of resources and parameters, also those within ``Fn::Sub``.

    Parameters
    ----------
    value
        Any part of a document.
    """
    import re

    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name == "Ref":
                yield str(inner)
            elif name == "Fn::GetAtt":
                yield str(inner[0] if isinstance(inner, list) else inner.split(".")[0])
            elif name == "Fn::Sub":
                text, own = (inner, {}) if isinstance(inner, str) else (inner[0], inner[1])
                found = re.findall(r"\$\{([A-Za-z0-9]+)", text)
                yield from (name for name in found if name not in own)
                yield from references(own)
            else:
                yield from references(inner)


def _leave_out(document: Document, without: tuple[str, ...]) -> dict[str, str]:
    """Take types out of a document, and what can't be without them."""
    resources = document["Resources"]
    gone = {
        name: resource["Type"]
        for name, resource in resources.items()
        if any(fnmatchcase(resource["Type"], pattern) for pattern in without)
    }
    for name in gone:
        del resources[name]
    while True:
        for resource in resources.values():
            _relieve(resource, gone)
        more = {}
        for name, resource in resources.items():
            if needed := next((one for one in references(resource) if one in gone), None):
                more[name] = f"{resource['Type']}, which needs {needed}"
        if not more:
            break
        gone |= more
        for name in more:
            del resources[name]
    outputs = document.get("Outputs", {})
    for name in [name for name, output in outputs.items() if gone.keys() & set(references(output))]:
        del outputs[name]
    used = set(references([resources, outputs, document.get("Conditions", {})]))
    document["Parameters"] = {k: v for k, v in document.get("Parameters", {}).items() if k in used}
    return gone


def _relieve(part: Any, gone: Mapping[str, str]) -> None:
    """Take out what does without: orders, and statements of policies about what is not there."""
    if isinstance(part, list):
        for one in part:
            _relieve(one, gone)
        part[:] = [one for one in part if not _is_about(one, gone)]
    elif isinstance(part, dict):
        if isinstance(order := part.get("DependsOn"), str | list):
            kept = [name for name in ([order] if isinstance(order, str) else order) if name not in gone]
            part.pop("DependsOn")
            if kept:
                part["DependsOn"] = kept
        if "Effect" in part and isinstance(things := part.get("Resource"), list):
            part["Resource"] = [one for one in things if not gone.keys() & set(references(one))]
        for inner in part.values():
            _relieve(inner, gone)


def _is_about(one: Any, gone: Mapping[str, str]) -> bool:
    """Tell whether it is a statement of a policy and all that it is about is not there."""
    if isinstance(one, dict) and "Fn::If" in one and isinstance(one["Fn::If"], list):
        return _is_about(one["Fn::If"][1], gone)
    if not isinstance(one, dict) or "Effect" not in one or "Resource" not in one:
        return False
    things = one["Resource"]
    return things == [] or bool(gone.keys() & set(references(things)))
