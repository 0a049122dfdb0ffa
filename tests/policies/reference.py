"""AWS's Service Authorization Reference, as the package policy_sentry carries it: what IAM knows of each action."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from policy_sentry.querying.all import get_all_service_prefixes
from policy_sentry.shared.iam_data import get_service_prefix_data

from tests.policies.evaluator import like

#: Where AWS's own pages for an action name a resource and the reference has none.
ALSO = {
    # https://docs.aws.amazon.com/managed-flink/latest/java/how-it-works-app-permissions.html, and what CloudTrail
    # says of a denied one: "… on resource: arn:aws:logs:<region>:<account>:log-group::log-stream:".
    "logs:DescribeLogGroups": ("arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}",),
}


@cache
def _service(prefix: str) -> dict[str, Any]:
    """What there is of a service; nothing of an unknown one."""
    return get_service_prefix_data(prefix) if prefix in get_all_service_prefixes() else {}


def _privilege(action: str) -> tuple[dict[str, Any], dict[str, Any]]:
    prefix, _, name = action.partition(":")
    service = _service(prefix)
    return service, service["privileges"][service["privileges_lower_name"][name.lower()]]


def exists(action: str) -> bool:
    """Say whether IAM knows an action of this name."""
    prefix, _, name = action.partition(":")
    return name.lower() in _service(prefix).get("privileges_lower_name", {})


@cache
def formats(action: str) -> tuple[str, ...]:
    """ARNs of the resources that an action can be allowed on, with ``${…}`` for names; none if IAM knows none."""
    service, privilege = _privilege(action)
    kinds = [kind for kind in privilege["resource_types"] if kind]
    return (*(service["resources"][kind]["arn"] for kind in kinds), *ALSO.get(action, ()))


@cache
def kinds(action: str) -> tuple[tuple[str, bool], ...]:
    """Kinds of resources that an action can be allowed on, ``service kind``, and whether IAM looks at their tags."""
    service, privilege = _privilege(action)
    of = {kind: service["resources"][kind] for kind in privilege["resource_types"] if kind}
    tag = "aws:ResourceTag/${TagKey}"
    return tuple(
        (f"{told['arn'].split(':')[2]} {kind}", tag in told["condition_keys"]) for kind, told in of.items()
    )


@cache
def condition_keys(action: str) -> frozenset[str]:
    """Condition keys that a request for an action may carry, besides the global ones (``aws:…``)."""
    service, privilege = _privilege(action)
    keys: set[str] = set()
    for kind, told in privilege["resource_types"].items():
        keys.update(told["condition_keys"])
        if kind:
            keys.update(service["resources"][kind]["condition_keys"])
    return frozenset(keys)


def has_key(action: str, key: str) -> bool:
    """Say whether a request for an action may carry a condition key of its service."""
    known = (one.partition("$")[0].partition("<")[0].lower() for one in condition_keys(action))
    return any(key.lower() == one or (one[-1] in "/:" and key.lower().startswith(one)) for one in known)


def standing_for(action: str) -> list[str]:
    """Return the actions that a pattern stands for; of a name the name."""
    prefix, _, name = action.partition(":")
    if "*" not in name:
        return [action]
    known = _service(prefix).get("privileges", {})
    return [f"{prefix}:{one}" for one in known if like(name.lower(), one.lower())]


def may_be(action: str, resource: str) -> bool:
    """Say whether a policy's resource can be one that the action is done to."""
    if resource == "*":
        return True
    return any(_overlap(form, resource) for form in formats(action))


#: Names that have slashes in them; of others a slash is where the next part begins.
WITH_SLASHES = ("ObjectName", "LogGroupName", "LogStreamName", "SecretId", "NameWithPath", "Alias")


def _overlap(form: str, resource: str) -> bool:
    """Say whether an ARN with names to fill in and one with wildcards can be of the same thing."""

    def name(found: re.Match[str]) -> str:
        return "*" if found[1].endswith(WITH_SLASHES) else "%"

    ours, theirs = re.sub(r"\$\{([^}]*)\}", name, form).split(":", 5), resource.split(":", 5)
    return len(ours) == len(theirs) and all(_meet(*pair) for pair in zip(ours, theirs, strict=True))


@cache
def _meet(form: str, pattern: str) -> bool:
    """Say whether two patterns match a text in common.

    ``*`` matches any text, in both; ``%``, in the first, text without a slash.
    """
    if not form or not pattern:
        return not (form + pattern).strip("*%")
    if form[0] == "*" or (form[0] == "%" and pattern[0] != "/"):
        return _meet(form[1:], pattern) or _meet(form, pattern[1:])
    if form[0] == "%":
        return _meet(form[1:], pattern)
    if pattern[0] == "*":
        return _meet(form, pattern[1:]) or _meet(form[1:], pattern)
    return form[0] == pattern[0] and _meet(form[1:], pattern[1:])
