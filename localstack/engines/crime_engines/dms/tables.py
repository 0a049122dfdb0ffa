"""Statistics of tables: our own ledger's as DMS shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crime_jobs.migrate.statistics import BEFORE_LOAD, CANCELLED, ERROR, FULL_LOAD, TableStatistics


def ended(tables: Sequence[TableStatistics], *, was_stopped: bool) -> list[TableStatistics]:
    """Return statistics after the end of the work: no table is being loaded any more.

    Parameters
    ----------
    tables
        As the ledger has them.
    was_stopped
        Whether it was told to stop, or broke.

    Returns
    -------
    list of TableStatistics
    """
    state = CANCELLED if was_stopped else ERROR
    return [
        one.model_copy(update={"TableState": state}) if one.TableState in (BEFORE_LOAD, FULL_LOAD) else one
        for one in tables
    ]


def statistics_shown(one: TableStatistics) -> dict[str, Any]:
    """Return a ``TableStatistics`` as DMS has it.

    Parameters
    ----------
    one
        As our own ledger has it.
    """
    changes = ("Inserts", "Deletes", "Updates", "Ddls", "AppliedInserts", "AppliedDeletes")
    return {
        **dict.fromkeys((*changes, "AppliedUpdates", "AppliedDdls"), 0),
        "SchemaName": one.SchemaName,
        "TableName": one.TableName,
        "FullLoadRows": one.FullLoadRows,
        "FullLoadCondtnlChkFailedRows": one.FullLoadCondtnlChkFailedRows,
        "FullLoadErrorRows": one.FullLoadErrorRows,
        "FullLoadStartTime": _time(one.FullLoadStartTime),
        "FullLoadEndTime": _time(one.FullLoadEndTime),
        "FullLoadReloaded": False,
        "LastUpdateTime": _time(one.LastUpdateTime),
        "TableState": one.TableState,
        "ValidationPendingRecords": 0,
        "ValidationFailedRecords": 0,
        "ValidationSuspendedRecords": 0,
        "ValidationState": "Not enabled",
    }


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
