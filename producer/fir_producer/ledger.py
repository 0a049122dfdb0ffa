"""What each run of the producer did: an item of a DynamoDB table, from which reconciliation starts."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from crime_jobs import aws
from crime_jobs.model.fir_event import iso
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings

RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"


class Ledger:
    """A run's item.

    Parameters
    ----------
    settings, stream
        Where the table is, and which stream is sent to.
    source
        Where the FIRs come from.
    """

    def __init__(self, settings: Settings, stream: StreamSettings, source: str) -> None:
        started = datetime.now(UTC)
        self.run_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self._client, self._table = aws.client("dynamodb", settings), stream.runs_table
        self._fixed = {
            "run_id": self.run_id,
            "source": source[:500],
            "stream": stream.name,
            "started": iso(started),
        }

    def write(self, state: str, **counts: int | None) -> None:
        """Write the item: whole, so that one that was not written is made good by the next.

        Parameters
        ----------
        state
            One of `RUNNING`, `DONE`, `FAILED`, `STOPPED`.
        **counts
            Records so far: confirmed, failed and so on.

        Raises
        ------
        AwsRefused
            If it can't be written.
        """
        now = iso(datetime.now(UTC))
        texts = self._fixed | {"state": state, "updated": now} | ({} if state == RUNNING else {"ended": now})
        item: dict[str, Any] = {name: {"S": value} for name, value in texts.items()}
        item |= {name: {"N": str(value)} for name, value in counts.items() if value is not None}
        with aws.refusals(f"Noting the run in {self._table}"):
            self._client.put_item(TableName=self._table, Item=item)


class Hours:
    """The runs of a process that is called again and again, as on Lambda: an item an hour, not one a call.

    Parameters
    ----------
    make
        Makes the ledger of an hour.
    """

    def __init__(self, make: Callable[[], Ledger]) -> None:
        self._make, self._ledger, self._hour = make, make(), self._now()
        self._counts: Counter[str] = Counter()

    def add(self, **counts: int) -> None:
        """Add what a call has done. The item has the sums, so that one that was not written is made good.

        Parameters
        ----------
        **counts
            As of `Ledger.write`.

        Raises
        ------
        AwsRefused
            If it can't be written.
        """
        if self._hour != self._now():
            self._ledger, self._hour, self._counts = self._make(), self._now(), Counter()
        self._counts.update(counts)
        self._ledger.write(FAILED if self._counts["failed"] else DONE, **self._counts)

    @staticmethod
    def _now() -> str:
        return f"{datetime.now(UTC):%Y%m%d%H}"
