"""How the dashboard and its datasets are: versions, the last ingestion of each, what they take in SPICE."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from crime_jobs.adhoc.quicksight.refresh import ids, ingested
from crime_jobs.adhoc.quicksight.service import Account, Row, error_code
from crime_jobs.adhoc.quicksight.template import dashboard_id
from crime_jobs.errors import AwsRefused

MEGABYTE = 1024 * 1024
_MISSING = "NOT THERE"
#: Told on a change of 1 MB or more: https://docs.aws.amazon.com/quicksight/latest/user/aggregate-spice-metrics
_CAPACITY = ("SPICECapacityLimitInMB", "SPICECapacityConsumedInMB")
_DAY, _DAYS = 86_400, 90
#: From this share on a row says so: a dataset that does not fit fails.
_NEARLY = 0.9
_SPICE = "SPICE of the region"


def status(account: Account, name: str) -> list[Row]:
    """Return a row for the dashboard, one for each dataset, and one for all of SPICE in the region.

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
    found += [_data_set(account, question, set_id) for question, set_id in ids(name).items()]
    return [*found, _capacity(account, datetime.now(UTC))]


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


def _capacity(account: Account, now: datetime) -> Row:
    """Ask what SPICE holds and may hold, for all of the account: no call of QuickSight's tells it."""
    queries = [
        {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {"Namespace": "AWS/QuickSight", "MetricName": name},
                "Period": _DAY,
                "Stat": "Maximum",
            },
        }
        for name in _CAPACITY
    ]
    try:
        told = account.call(
            "Asking CloudWatch for SPICE's capacity",
            lambda: account.metrics.get_metric_data(
                MetricDataQueries=queries,
                StartTime=now - timedelta(days=_DAYS),
                EndTime=now,
                ScanBy="TimestampDescending",
            ),
        )["MetricDataResults"]
    except AwsRefused as error:  # the rest is worth telling without it
        return _row(_SPICE, "NOT KNOWN", error=error.message)
    newest = {one["Id"]: one["Values"][0] for one in told if one["Values"]}
    limit, used = (newest.get(name.lower()) for name in _CAPACITY)
    if limit is None or used is None:
        return _row(_SPICE, "NOT KNOWN", error=f"no metric of the last {_DAYS} days")
    full = used >= limit * _NEARLY
    return _row(_SPICE, "NEARLY FULL" if full else "OK", spice_mb=used, error=f"of {limit:,.0f} MB")


def _time(moment: Any) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
