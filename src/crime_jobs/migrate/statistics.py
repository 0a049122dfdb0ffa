"""Table statistics under the names that people know from AWS DMS.

Names and states as in https://docs.aws.amazon.com/dms/latest/APIReference/API_TableStatistics.html and
https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Monitoring.html (table state). They are read from the
ledger, so they can be asked for while a load runs and after it was killed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from crime_jobs.migrate.ledger import TABLE, Ledger, table_in

BEFORE_LOAD, FULL_LOAD, COMPLETED = "Before load", "Full load", "Table completed"
CANCELLED, ERROR = "Table cancelled", "Table error"

NOT_VALIDATED, PENDING, MISMATCHED = "Not enabled", "Pending records", "Mismatched records"
VALIDATED, VALIDATION_ERROR = "Validated", "Error"


class TableStatistics(BaseModel):
    """What is known of one table.

    Parameters
    ----------
    SchemaName, TableName
        The source table.
    TargetTable
        The DynamoDB table; DMS does not name it.
    FullLoadRows
        Rows that are in the target, confirmed.
    FullLoadErrorRows
        Rows that do not fit into an item.
    FullLoadCondtnlChkFailedRows
        Rows whose key another row has already.
    FullLoadStartTime, FullLoadEndTime, LastUpdateTime
        ISO 8601, UTC.
    TableState
        ``Before load``, ``Full load``, ``Table completed``, ``Table cancelled``, ``Table error``.
    ValidationState
        ``Not enabled`` (not validated), ``Pending records``, ``Mismatched records``, ``Validated`` or
        ``Error``.
    ValidationPendingRecords
        Rows not compared.
    ValidationFailedRecords
        Keys at which source and target differ: other values, missing, or surplus.
    ValidationSuspendedRecords
        Rows that can't be compared: those that were not moved since they do not fit.
    ValidationStateDetails
        More about the state.
    """

    model_config = ConfigDict(frozen=True)

    SchemaName: str
    TableName: str
    TargetTable: str = ""
    FullLoadRows: int = 0
    FullLoadErrorRows: int = 0
    FullLoadCondtnlChkFailedRows: int = 0
    FullLoadStartTime: str | None = None
    FullLoadEndTime: str | None = None
    LastUpdateTime: str | None = None
    TableState: str = BEFORE_LOAD
    ValidationState: str = NOT_VALIDATED
    ValidationPendingRecords: int = 0
    ValidationFailedRecords: int = 0
    ValidationSuspendedRecords: int = 0
    ValidationStateDetails: str = ""


def read(client: Any, task: str, table: str = TABLE) -> list[TableStatistics]:
    """Read the statistics of a migration.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB.
    task
        Name of the migration.
    table
        Name of the ledger's table.

    Returns
    -------
    list of TableStatistics
        By table; none if the task never ran.

    Raises
    ------
    AwsRefused
        If there is no ledger, or it can't be read.
    """
    ledger = Ledger(client, task, table)
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    updated: dict[str, str] = {}
    for name, facts in ledger.entries("partition#"):
        of = table_in(name)
        for count in ("rows", "error_rows", "collided_rows"):
            counts[of][count] += facts.get(count, 0)
        updated[of] = max(updated.get(of, ""), facts.get("updated", ""))
    found = []
    for name, facts in ledger.entries("table#"):
        of = table_in(name)
        known = {key: value for key, value in facts.items() if key in TableStatistics.model_fields}
        known["LastUpdateTime"] = max(known.get("LastUpdateTime") or "", updated.get(of, "")) or None
        found.append(
            TableStatistics(
                **known,
                FullLoadRows=counts[of]["rows"],
                FullLoadErrorRows=counts[of]["error_rows"],
                FullLoadCondtnlChkFailedRows=counts[of]["collided_rows"],
            )
        )
    return found
