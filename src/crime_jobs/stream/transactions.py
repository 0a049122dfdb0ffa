"""DynamoDB's transactions, and why they are cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crime_jobs.stream.patience import PASSING

#: Why an action is never done, however often it is tried.
REFUSED, INVALID = "ConditionalCheckFailed", "ValidationError"


def attempt(client: Any, actions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Try a transaction once.

    Parameters
    ----------
    client
        DynamoDB.
    actions
        Its actions.

    Returns
    -------
    list of dict
        Nothing if it was done; else why it was cancelled, action by action, if for some that is for good.

    Raises
    ------
    botocore.exceptions.ClientError
        If it was refused otherwise; with the code of a reason that passes, if there is one.
    """
    from botocore.exceptions import ClientError

    try:
        client.transact_write_items(TransactItems=actions)
    except ClientError as error:
        reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])
        codes = {str(reason.get("Code")) for reason in reasons}
        if {REFUSED, INVALID} & codes:
            return reasons
        if passing := PASSING & codes:
            raise ClientError({"Error": {"Code": min(passing)}}, error.operation_name) from None
        raise
    return []
