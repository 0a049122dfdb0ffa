"""What a template's conditions come to, so that only what would really be made is left of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

#: What stands for nothing.
_NOTHING = {"Ref": "AWS::NoValue"}

Document = dict[str, Any]


def decided(document: Document, values: Mapping[str, str]) -> Document:
    """Return a document without what its conditions rule out.

    Parameters
    ----------
    document
        A template, with long forms only.
    values
        Its parameters; those that are not known yet leave open what depends on them.

    Returns
    -------
    dict
        A copy: resources and outputs whose condition is false are gone, and of each ``Fn::If`` that is
        decided the one branch is left.
    """
    made: Document = json.loads(json.dumps(document))
    known = {
        name: str(values.get(name, parameter.get("Default")))
        for name, parameter in made.get("Parameters", {}).items()
        if name in values or "Default" in parameter
    }
    conditions = made.get("Conditions", {})
    truths = {name: _truth({"Condition": name}, conditions, known) for name in conditions}
    for part in ("Resources", "Outputs"):
        kept = {
            name: one
            for name, one in made.get(part, {}).items()
            if truths.get(one.get("Condition")) is not False
        }
        made[part] = _chosen(kept, truths)
    return made


def _truth(test: Mapping[str, Any], conditions: Mapping[str, Any], known: Mapping[str, str]) -> bool | None:
    """Return what a condition comes to; ``None`` if that is open."""
    ((kind, inner),) = test.items()
    if kind == "Condition":
        return _truth(conditions[inner], conditions, known)
    if kind == "Fn::Equals":
        left, right = (_text(one, known) for one in inner)
        return None if left is None or right is None else bool(left == right)
    parts = [_truth(one, conditions, known) for one in inner]
    if kind == "Fn::Not":
        return None if parts[0] is None else not parts[0]
    decides = kind == "Fn::Or"  # one true decides an Or, one false an And
    if decides in parts:
        return decides
    return None if None in parts else not decides


def _text(value: Any, known: Mapping[str, str]) -> str | None:
    if not isinstance(value, dict):
        return str(value)
    if "Ref" in value:
        return known.get(value["Ref"])
    if "Fn::Join" in value:
        sign, inner = value["Fn::Join"]
        text = _text(inner, known) if isinstance(inner, dict) else None
        return None if text is None else sign.join(text.split(","))
    return None


def _chosen(part: Any, truths: Mapping[str, bool | None]) -> Any:
    if isinstance(part, list):
        found = [_chosen(one, truths) for one in part]
        return [one for one in found if one != _NOTHING]
    if not isinstance(part, dict):
        return part
    if "Fn::If" in part:
        condition, *branches = part["Fn::If"]
        if (truth := truths.get(condition)) is not None:
            return _chosen(branches[0 if truth else 1], truths)
        return {"Fn::If": [condition, *(_chosen(branch, truths) for branch in branches)]}
    chosen = {name: _chosen(one, truths) for name, one in part.items()}
    return {name: one for name, one in chosen.items() if one != _NOTHING}
