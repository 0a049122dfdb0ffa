"""What CloudFormation's reasons mean, and what to do about them."""

from __future__ import annotations

import re

_DENIED = r"not authorized|access ?denied|unauthorized"
#: Words of a reason, and the hint. What services say of a name that is taken differs:
#: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html.
_HINTS = (
    (
        r"dms-(vpc|cloudwatch-logs)-role",
        'DMS was never used in this account, and expects these roles: write DmsRoles = "yes" into '
        "[<env>.deploy.parameters.migration] of crime-jobs.toml, and deploy again.",
    ),
    (
        r"already exists|AlreadyExists|ResourceInUse|already owned|already in use",
        "The name is taken: by hand, or by another environment. `crime-jobs inventory` shows what is there; "
        "remove it, or choose another name for this environment (deploy.name, quicksight.name).",
    ),
    (
        r"limit ?exceeded|quota|maximum number|TooMany|exceeds the (account )?limit",
        "A quota of the account is reached: ask for more in Service Quotas, or end what is not needed "
        "(`crime-jobs inventory`), and deploy again.",
    ),
    (
        _DENIED,
        "Whoever deploys needs that permission; `aws sts get-caller-identity` says who that is.",
    ),
)


def hint_of(reason: str) -> str:
    """Return what to do about a reason that CloudFormation gave; empty if nothing is known of it.

    Parameters
    ----------
    reason
        For example ``Resource handler returned message: … already exists``.
    """
    return next((hint for words, hint in _HINTS if re.search(words, reason, re.IGNORECASE)), "")


def is_denied(reason: str) -> bool:
    """Tell whether a reason is a missing permission.

    Parameters
    ----------
    reason
        As for `hint_of`.
    """
    return bool(re.search(_DENIED, reason, re.IGNORECASE))


def way_out(state: str, name: str) -> str:
    """Return what a person does with a stack that goes on in no other way.

    Parameters
    ----------
    state, name
        The stack's.
    """
    if state == "UPDATE_ROLLBACK_FAILED":
        return f"`aws cloudformation continue-update-rollback --stack-name {name}` takes it back"
    return f"`aws cloudformation delete-stack --stack-name {name}` removes it"
