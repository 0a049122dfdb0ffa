"""Decides, as IAM does, whether statements allow a call.

Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html for the policies of one
identity in one account: an explicit Deny wins, then any Allow, else it is denied. What these policies do not use is
not guessed: it raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from typing import Any

from tests.policies.resolving import ACCOUNT, REGION, Statement

#: Variables that a policy may have in its conditions and resources.
VARIABLES = {"aws:userid": "AROAEXAMPLE:task", "aws:PrincipalAccount": ACCOUNT}

#: What every request says: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
ALWAYS = {
    "aws:requestedregion": REGION,
    "aws:principalaccount": ACCOUNT,
    "aws:resourceaccount": ACCOUNT,
    "aws:securetransport": "true",
}

Context = Mapping[str, str | tuple[str, ...]]


class Decision(Enum):
    """What IAM says."""

    ALLOWED = "allowed"
    DENIED = "no statement allows it"
    FORBIDDEN = "a statement denies it"


class NotUnderstoodError(Exception):
    """A policy has something that this evaluator does not know."""


@dataclass(frozen=True)
class Call:
    """An action on a resource, and what the request says besides.

    Parameters
    ----------
    action
        As IAM names it, ``s3:GetObject``.
    resource
        Its ARN; ``*`` of an action that IAM knows no resource for.
    context
        Condition keys that the request has.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.action, self.resource, tuple(sorted(self.context.items()))))


def decide(statements: Iterable[Statement], call: Call) -> Decision:
    """Say whether statements allow a call."""
    matching = [statement for statement in statements if applies(statement, call)]
    if any(statement.effect == "Deny" for statement in matching):
        return Decision.FORBIDDEN
    return Decision.ALLOWED if matching else Decision.DENIED


def applies(statement: Statement, call: Call) -> bool:
    """Say whether a statement is about a call."""
    return (
        any(like(pattern.lower(), call.action.lower()) for pattern in statement.actions)
        and any(about(resource, call.resource) for resource in statement.resources)
        and all(
            _holds(operator, key, wanted, call.context)
            for operator, keys in statement.condition.items()
            for key, wanted in keys.items()
        )
    )


def about(pattern: str, resource: str) -> bool:
    """Say whether a statement's resource is the ARN, or a pattern of it.

    A wildcard stays in its part of the ARN, between colons; in the last part it takes all.
    """
    pattern = filled(pattern)
    if "*" in (pattern, resource):
        return pattern == "*"
    ours, theirs = pattern.split(":", 5), resource.split(":", 5)
    return len(ours) == len(theirs) and all(like(*pair) for pair in zip(ours, theirs, strict=True))


def like(pattern: str, text: str) -> bool:
    """Match with IAM's wildcards: ``*`` any run of characters, ``?`` one."""
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    return re.compile("".join(parts), re.DOTALL)


def filled(text: str) -> str:
    """Fill in a policy's variables."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in VARIABLES:
            raise NotUnderstoodError(f"the variable {found[0]}")
        return VARIABLES[found[1]]

    return re.sub(r"\$\{([^}]*)\}", value, text)


def _holds(operator: str, key: str, wanted: Any, context: Context) -> bool:
    values = [filled(str(one)) for one in (wanted if isinstance(wanted, list) else [wanted])]
    name, if_exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    told = next(
        (told for known, told in context.items() if known.lower() == key.lower()), ALWAYS.get(key.lower())
    )
    if name == "Null":
        return (told is None) == (values == ["true"])
    if name.startswith("ForAllValues:"):
        have = told if isinstance(told, tuple) else () if told is None else (told,)
        return all(any(_test(name.partition(":")[2], want, one) for want in values) for one in have)
    if told is None:  # a negated one holds of what is not there
        return if_exists or name in ("StringNotEquals", "StringNotLike", "ArnNotLike", "ArnNotEquals")
    if isinstance(told, tuple):
        raise NotUnderstoodError(f"{operator} of several values of {key}")
    negated = "Not" in name
    found = any(_test(name.replace("Not", ""), want, told) for want in values)
    return found != negated


def _test(name: str, wanted: str, told: str) -> bool:
    match name:
        case "StringEquals":
            return wanted == told
        case "StringEqualsIgnoreCase" | "Bool":
            return wanted.lower() == told.lower()
        case "StringLike":
            return like(wanted, told)
        case "ArnLike" | "ArnEquals":
            return about(wanted, told)
    raise NotUnderstoodError(f"the condition operator {name}")


def without(statements: Iterable[Statement], sid: Statement, action: str) -> list[Statement]:
    """Return the statements, one of them without one of its actions."""
    left = []
    for statement in statements:
        if statement == sid:
            actions = tuple(one for one in statement.actions if one != action)
            if actions:
                left.append(replace(statement, actions=actions))
        else:
            left.append(statement)
    return left
