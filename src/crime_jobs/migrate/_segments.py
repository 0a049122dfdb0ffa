"""What a task of Spark does with its segment of a table: reads it page by page, puts it away, notes it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.errors import AwsRefused
from crime_jobs.executors import client
from crime_jobs.migrate._itemfiles import ItemFile, Staged, line_of
from crime_jobs.migrate._patience import Patience, passes
from crime_jobs.migrate.ledger import Ledger
from crime_jobs.model.exports import ITEMS
from crime_jobs.model.items import Item

if TYPE_CHECKING:
    from crime_jobs.budget import Bucket, Budget
    from crime_jobs.migrate._place import Place
    from crime_jobs.settings import Settings

#: Bytes that a read capacity unit reads consistently.
READ_UNIT_BYTES = 4096
#: With a limit, a page takes at most so many seconds of it, so that a table's capacity is not used in bursts.
PAGE_SECONDS = 0.5

_GOES_ON = "Lower read_units, or raise the table's capacity; run it again with the same run=…: it goes on."


def segment_path(number: int) -> str:
    """Return where a segment's items lie below the run's folder."""
    return f"{ITEMS}/segment-{number:05d}.json.gz"


def segment_entry(table: str, run: str, number: int | None = None) -> str:
    """Return the name of a segment's entry in the ledger; without a number, how all of a run begin."""
    return f"segment#{table}#{run}#" + ("" if number is None else f"{number:05d}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Scan:
    """Reads a segment, page by page.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB that does not retry by itself.
    table
        The table.
    segment
        Its number, and of how many.
    bucket
        The budget of read capacity units; ``None`` for none.
    rate
        The budget's units a second.
    hint
        What to do when nothing can be read.
    sleep, clock
        For tests.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        segment: tuple[int, int],
        bucket: Bucket | Any | None = None,
        rate: float = 0,
        *,
        hint: str = _GOES_ON,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._table, self._segment = client, table, segment
        self._bucket, self._rate, self._sleep = bucket, rate, sleep
        self._patience = Patience(f"The table {table} could not be read", hint, sleep=sleep, clock=clock)
        self._items_a_unit = 1.0
        #: Capacity units that DynamoDB says it took.
        self.units = 0.0

    @property
    def throttled(self) -> int:
        """Calls that met throttling."""
        return self._patience.waits

    def items(self) -> Iterator[Item]:
        """Yield each item.

        Raises
        ------
        AwsRefused
            If DynamoDB refuses, or gives nothing for `crime_jobs.migrate._patience.PATIENCE`.
        """
        start: dict[str, Any] | None = {}
        while start is not None:
            said = self._page(start)
            yield from said["Items"]
            self._pay(said)
            start = said.get("LastEvaluatedKey")

    def _page(self, start: dict[str, Any]) -> dict[str, Any]:
        number, total = self._segment
        asked: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
            "Segment": number,
            "TotalSegments": total,
        }
        if start:
            asked["ExclusiveStartKey"] = start
        if self._bucket is not None:
            asked["Limit"] = max(1, int(self._items_a_unit * max(1.0, self._rate * PAGE_SECONDS)))
        while True:
            try:
                with aws.refusals(f"Reading the table {self._table}"):
                    said: dict[str, Any] = self._client.scan(**asked)
            except AwsRefused as error:
                if not passes(error):
                    raise
                self._patience.wait()
            else:
                self._patience.progress()
                return said

    def _pay(self, said: dict[str, Any]) -> None:
        items = said["Items"]
        used = said.get("ConsumedCapacity", {}).get("CapacityUnits")
        if used is None:  # what was not told is counted as DynamoDB counts, about
            size = sum(len(line_of(item)) for item in items)
            used = max(1, math.ceil(size / READ_UNIT_BYTES))
        self.units += used
        if items and used:
            self._items_a_unit = len(items) / used
        if self._bucket is not None and (wait := self._bucket.pay(used)):
            self._sleep(wait)


@dataclass(frozen=True)
class Segments:
    """Reads segments of one table; travels to the executors.

    Parameters
    ----------
    table, run
        What is exported.
    total
        Of how many segments the run is.
    place
        The run's folder.
    settings
        Region and profile.
    ledger
        Task and table of the ledger.
    budget, rate
        The read budget, ``None`` for no limit, and its units a second.
    """

    table: str
    run: str
    total: int
    place: Place
    settings: Settings
    ledger: tuple[str, str]
    budget: Budget | None
    rate: float

    def __call__(self, number: int) -> Staged:
        """Read a segment, and note it as done: after its file is durable, never before.

        Parameters
        ----------
        number
            From 0.

        Returns
        -------
        Staged
            The file.
        """
        path = segment_path(number)
        one = client("dynamodb", self.settings, attempts=1)  # the scan has its own patience
        bucket = self.budget.open() if self.budget else None
        scan = Scan(one, self.table, (number, self.total), bucket, self.rate)
        with self.place.writing(path) as unfinished, ItemFile(unfinished) as file:
            began = _now()
            for item in scan.items():
                file.add(line_of(item))
            read = _now()
        facts = {
            "path": path,
            "items": file.items,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "read_units": round(scan.units, 1),
            "throttled": scan.throttled,
            "began": began,
            "read": read,
            "done": True,
        }
        ledger = Ledger(client("dynamodb", self.settings), *self.ledger)
        ledger.put(segment_entry(self.table, self.run, number), facts)
        return Staged(path, file.items, file.bytes, sha256=file.sha256)
