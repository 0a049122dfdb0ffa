"""What a task of Spark does with its part of a table: rows to items, items to DynamoDB, then the ledger."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crime_jobs import executors
from crime_jobs.budget import Budget
from crime_jobs.errors import BadInput, JobFailed
from crime_jobs.migrate.ledger import Ledger, entry_of, now
from crime_jobs.migrate.target import Writer
from crime_jobs.model.items import Unfit, item_of, key_text
from crime_jobs.model.tablemapping import TableMapping

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Seconds between two notes of how far a part is.
NOTE_SECONDS = 5.0
#: Rows of a part that may fail beyond those allowed before it is given up: then the mapping is wrong.
GIVE_UP = 1000


def source_key(mapping: TableMapping, row: Mapping[str, Any]) -> str:
    """Return a row's primary key as one line of JSON."""
    values = (row[name] for name in mapping.source.primary_key)
    return json.dumps(
        [v.hex() if isinstance(v, bytes | bytearray) else v for v in values], ensure_ascii=False
    )


def key_and_source(mapping: TableMapping) -> Callable[[Iterable[Any]], Iterator[tuple[str, str]]]:
    """Return the function that gives each row's item key and primary key; rows that do not fit have none."""

    def pairs(rows: Iterable[Any]) -> Iterator[tuple[str, str]]:
        for row in rows:
            known = row.asDict()
            try:
                yield key_text(mapping, item_of(mapping, known)), source_key(mapping, known)
            except Unfit:
                continue

    return pairs


@dataclass(frozen=True)
class Loader:
    """Moves parts; travels to the executors.

    Parameters
    ----------
    mapping
        The table.
    settings
        Region and profile.
    ledger
        Task and table of the ledger.
    numbers
        The number of each partition's part.
    collided
        Keys of several rows, and the primary key of the row that gets each.
    budget
        The write budget; ``None`` for no limit.
    max_error_rows
        Rows that may not fit.
    """

    mapping: TableMapping
    settings: Settings
    ledger: tuple[str, str]
    numbers: tuple[int, ...]
    collided: Mapping[str, str]
    budget: Budget | None
    max_error_rows: int

    def __call__(self, index: int, rows: Iterable[Any]) -> Iterator[int]:
        """Move a part and note it as done: after its last row is confirmed, never before.

        Parameters
        ----------
        index
            Of the partition.
        rows
            Its rows.

        Yields
        ------
        int
            How many rows are in the target.
        """
        # The writer has its own patience, and `item_of` makes what it sends: to have each attribute looked at
        # once more takes as long as all the rest.
        client = executors.client("dynamodb", self.settings, attempts=1, validated=False)
        ledger = Ledger(executors.client("dynamodb", self.settings), *self.ledger)
        writer = Writer(client, self.mapping.target, self.budget.open() if self.budget else None)
        part = _Part(self, f"{self.numbers[index]:05d}", writer, ledger)
        part.claim()
        # Of an earlier attempt at it, which was killed: what did not fit then may fit now.
        ledger.forget(entry_of("exception", self.mapping.source, part.number, ""))
        for row in rows:
            part.move(row.asDict())
        writer.flush()
        part.note(done=True)
        yield part.rows


class _Part:
    def __init__(self, loader: Loader, number: str, writer: Writer, ledger: Ledger) -> None:
        self._loader, self.number, self._writer, self._ledger = loader, number, writer, ledger
        self.rows = self._errors = self._collided = 0
        self._began = self._noted = time.monotonic()
        self._since = time.time()
        self._by = uuid.uuid4().hex

    def claim(self) -> None:
        """Say that from now on this task writes the part: whoever was at it before can note nothing any more.

        A killed driver's tasks, and those of a run that was interrupted, may go on for a while.
        """
        self._ledger.update(self._entry, {"by": self._by, "done": False})

    @property
    def _entry(self) -> str:
        return entry_of("partition", self._loader.mapping.source, self.number)

    def move(self, row: Mapping[str, Any]) -> None:
        mapping = self._loader.mapping
        try:
            item = item_of(mapping, row)
        except Unfit as unfit:
            self._errors += 1
            self._except(row, "error", unfit.attribute, unfit.reason)
            return
        if self._loader.collided:
            winner = self._loader.collided.get(key_text(mapping, item))
            if winner is not None and winner != source_key(mapping, row):
                self._collided += 1
                self._except(row, "collision", "", "another row, with a lesser primary key, has the same key")
                return
        self._writer.put(item)
        self.rows += 1
        if time.monotonic() - self._noted > NOTE_SECONDS:
            self.note(done=False)

    def note(self, *, done: bool) -> None:
        self._noted = time.monotonic()
        facts = {
            "rows": self.rows,
            "error_rows": self._errors,
            "collided_rows": self._collided,
            "write_units": round(self._writer.units, 1),
            "throttled": self._writer.throttled,
            "seconds": round(self._noted - self._began, 2),
            "began": round(self._since, 3),
            "ended": round(time.time(), 3),
            "updated": now(),
            "done": done,
        }
        if not self._ledger.update(self._entry, facts, only_if={"by": self._by}):
            raise JobFailed(f"part {self.number} was taken over by another run", hint="Let that one finish.")

    def _except(self, row: Mapping[str, Any], kind: str, attribute: str, reason: str) -> None:
        key = source_key(self._loader.mapping, row)
        digest = hashlib.sha256(key.encode()).hexdigest()[:24]
        facts = {"source_key": key, "kind": kind, "attribute": attribute, "reason": reason}
        # Before the part is done, so that what is listed is never less than what was left out.
        self._ledger.put(entry_of("exception", self._loader.mapping.source, self.number, digest), facts)
        if self._errors + self._collided > self._loader.max_error_rows + GIVE_UP:
            raise BadInput(
                f"more than {GIVE_UP} rows do not fit, the last since {attribute or 'its key'}: {reason}.",
                hint="Correct the mapping.",
            )
