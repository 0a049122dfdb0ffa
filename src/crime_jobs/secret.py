"""Secrets Manager: what a secret holds, read when needed, and told nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from crime_jobs import aws
from crime_jobs.errors import BadInput

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

Found = TypeVar("Found")


def read_secret(
    settings: Settings,
    secret: str,
    members: tuple[str, str],
    made: Callable[[Any, Any], Found],
    *,
    called: str,
    hint: str,
) -> Found:
    """Read two members of a secret that is JSON.

    Parameters
    ----------
    settings
        Region and profile of who may read it.
    secret
        Its name or ARN.
    members
        What they are called in it.
    made
        Makes of both what is wanted; raises `ValueError` or `TypeError` of what is no use.
    called
        What the secret is to the reader, for an error about its region.
    hint
        How a secret has to be, for whoever wrote this one.

    Returns
    -------
    Found
        As `made` makes it.

    Raises
    ------
    WrongUsage
        If the ARN is of another region.
    AwsRefused
        If it can't be read.
    BadInput
        If it is not such JSON.
    """
    if secret.startswith("arn:"):
        aws.check_arn(secret, settings, called)
    client = aws.client("secretsmanager", settings)
    with aws.refusals(f"Reading the secret {secret}"):
        text = client.get_secret_value(SecretId=secret).get("SecretString", "")
    try:
        found = json.loads(text)
        return made(*(found[name] for name in members))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(
            f"The secret {secret} is not JSON with {' and '.join(members)}.", hint=hint
        ) from None  # the error would quote the secret
