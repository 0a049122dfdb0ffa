"""Many writes to the table of the alerts in few calls: a transaction carries a hundred."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from crime_jobs.stream.patience import patiently
from crime_jobs.stream.transactions import INVALID, REFUSED, attempt

#: A transaction has at most so many actions
#: (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html), and a
#: BatchGetItem so many keys.
ACTIONS = KEYS = 100

Action = dict[str, Any]
Item = dict[str, Any]


class AlertTable:
    """The table.

    Parameters
    ----------
    client
        DynamoDB, made with few attempts: the patience is here.
    name
        Name of the table.
    pool
        Where calls are made side by side.
    waiting
        Called when one has to be made again.
    attempts
        How often it is made at most; without end when not given.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        pool: Executor,
        waiting: Callable[[], None] = lambda: None,
        attempts: int | None = None,
    ) -> None:
        self.client, self.name = client, name
        self._pool, self._waiting, self._attempts = pool, waiting, attempts

    def write(self, kind: str, requests: Sequence[Action]) -> list[Item | None]:
        """Make writes of different items, however long it takes.

        Parameters
        ----------
        kind
            ``Put`` or ``Update``.
        requests
            Their parameters without the table.

        Returns
        -------
        list
            For each one ``None`` if it was made, else why not: a reason of DynamoDB's, whose ``Code`` is
            `REFUSED` or `INVALID` (it is too large), and whose ``Item`` is what is there.
        """
        chunks = [requests[at : at + ACTIONS] for at in range(0, len(requests), ACTIONS)]
        return [
            why for part in self._pool.map(lambda chunk: self._write(kind, chunk), chunks) for why in part
        ]

    def _write(self, kind: str, requests: Sequence[Action]) -> list[Item | None]:
        found: list[Item | None] = [None] * len(requests)
        left = list(range(len(requests)))
        while left:
            actions = [{kind: {"TableName": self.name, **requests[at]}} for at in left]
            reasons = patiently(
                lambda: attempt(self.client, actions),  # noqa: B023 - called at once
                attempts=self._attempts,
                waiting=self._waiting,
            )
            if not reasons:
                break
            for at, reason in zip(tuple(left), reasons, strict=True):
                if reason.get("Code") in {REFUSED, INVALID}:
                    found[at] = reason
                    left.remove(at)
        return found

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        """Read items as they are now.

        Parameters
        ----------
        keys
            Their keys.

        Returns
        -------
        dict
            Those there are, by key.
        """
        chunks = [keys[at : at + KEYS] for at in range(0, len(keys), KEYS)]
        return {item["alert_id"]["S"]: item for part in self._pool.map(self._read, chunks) for item in part}

    def _read(self, keys: Sequence[str]) -> list[Item]:
        left: Any = {self.name: {"Keys": [{"alert_id": {"S": key}} for key in keys], "ConsistentRead": True}}
        items: list[Item] = []
        while left:
            asked = left
            said = patiently(
                lambda: self.client.batch_get_item(RequestItems=asked),  # noqa: B023 - called at once
                attempts=self._attempts,
                waiting=self._waiting,
            )
            items += said.get("Responses", {}).get(self.name, [])
            left = said.get("UnprocessedKeys")
        return items
