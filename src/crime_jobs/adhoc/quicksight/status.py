"""How the dashboard and its datasets are: versions, the last ingestion of each, what they take in SPICE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crime_jobs.adhoc.quicksight.refresh import ids, ingested
from crime_jobs.adhoc.quicksight.service import Account, Row, error_code
from crime_jobs.adhoc.quicksight.template import dashboard_id
from crime_jobs.errors import AwsRefused

MEGABYTE = 1024 * 1024
_MISSING = "NOT THERE"


def status(account: Account, name: str) -> list[Row]:
    """Return a row for the dashboard, and one for each dataset.

    Parameters
    ----------
    account
        The account.
    name
        What the ids of all parts begin with.

    Returns
    -------
    list of dict
        Part, status, rows and dropped rows of the last ingestion, MB in SPICE, when, and what is wrong.
    """
    found = [_dashboard(account, dashboard_id(name))]
    return found + [_data_set(account, question, set_id) for question, set_id in ids(name).items()]


def _row(part: str, state: str, **more: object) -> Row:
    empty: Row = {"part": part, "status": state, "rows": None, "dropped": None, "spice_mb": None}
    return empty | {"as_of": "", "error": ""} | more


def _there(account: Account, doing: str, call: Callable[[], Any]) -> Any:
    try:
        return account.call(doing, call)
    except AwsRefused as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise


def _dashboard(account: Account, board_id: str) -> Row:
    told = _there(
        account,
        f"Looking at {board_id}",
        lambda: account.client.describe_dashboard(AwsAccountId=account.id, DashboardId=board_id),
    )
    if told is None:
        return _row("dashboard", _MISSING, error="`crime-jobs quicksight deploy` makes it")
    version = told["Dashboard"]["Version"]
    errors = [f"{e.get('Type', '')}: {e.get('Message', '')}" for e in version.get("Errors", [])]
    return _row(
        f"dashboard, version {version['VersionNumber']}",
        version["Status"],
        as_of=_time(version.get("CreatedTime")),
        error="; ".join(errors),
    )


def _data_set(account: Account, question: str, set_id: str) -> Row:
    told = _there(
        account,
        f"Looking at {set_id}",
        lambda: account.client.describe_data_set(AwsAccountId=account.id, DataSetId=set_id),
    )
    if told is None:
        return _row(question, _MISSING, error="`crime-jobs quicksight deploy` makes it")
    used = told["DataSet"].get("ConsumedSpiceCapacityInBytes", 0) / MEGABYTE
    listed = account.call(
        f"Looking at the ingestions of {set_id}",
        lambda: account.client.list_ingestions(AwsAccountId=account.id, DataSetId=set_id),
    )["Ingestions"]
    newest = max(listed, key=lambda one: one["CreatedTime"], default=None)
    if newest is None:
        return _row(
            question, "NEVER FILLED", spice_mb=round(used, 1), error="`crime-jobs quicksight refresh`"
        )
    row = ingested(question, newest)
    return _row(
        question,
        row["status"],
        rows=row["rows"],
        dropped=row["dropped"],
        spice_mb=round(used, 1),
        as_of=_time(newest["CreatedTime"]),
        error=row["error"],
    )


def _time(moment: Any) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
