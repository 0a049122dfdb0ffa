"""The access key of an engine of one's own: read from Secrets Manager when needed, and written nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crime_jobs.secret import read_secret

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
    return read_secret(
        settings,
        secret,
        _MEMBERS,
        _key,
        called="The secret of the engine's key",
        hint="Write both as they stand in the engine's file of clients.",
    )


def _key(key: Any, signs: Any) -> tuple[str, str]:
    if not (isinstance(key, str) and isinstance(signs, str) and key and signs):
        raise TypeError
    return key, signs
