"""The access key of an engine of one's own: read from Secrets Manager when needed, and written nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from crime_jobs import aws
from crime_jobs.errors import BadInput

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Members of the secret, called as in the engine's file of clients.
_MEMBERS = ("access_key_id", "secret_access_key")


def access_key(settings: Settings, secret: str) -> tuple[str, str]:
    """Read an access key.

    Parameters
    ----------
    settings
        Region and profile of who may read the secret.
    secret
        Name or ARN of the secret: JSON with ``access_key_id`` and ``secret_access_key``.

    Returns
    -------
    tuple of str
        Id and secret of the key.

    Raises
    ------
    WrongUsage
        If the ARN is of another region.
    AwsRefused
        If the secret can't be read.
    BadInput
        If it is not such JSON.
    """
    if secret.startswith("arn:"):
        aws.check_arn(secret, settings, "The secret of the engine's key")
    client = aws.client("secretsmanager", settings)
    with aws.refusals(f"Reading the secret {secret}"):
        text = client.get_secret_value(SecretId=secret).get("SecretString", "")
    try:
        found = json.loads(text)
        key, signs = (found[name] for name in _MEMBERS)
        if not (isinstance(key, str) and isinstance(signs, str) and key and signs):
            raise TypeError  # noqa: TRY301 - as what is no object at all
    except (ValueError, KeyError, TypeError):
        raise BadInput(
            f"The secret {secret} is not JSON with {' and '.join(_MEMBERS)}.",
            hint="Write both as they stand in the engine's file of clients.",
        ) from None  # the error would quote the secret
    return key, signs
