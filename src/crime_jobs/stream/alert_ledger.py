"""Which alerts there are, and which of them were sent: an item each, claimed once by a conditional write.

An alert is ``pending`` from its claim, before the checkpoint, until SNS has taken it. Whoever claims it holds
it for a while, its lease; one that has run out is taken over by any worker. The index ``pending`` has only
those that are not sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crime_jobs import aws
from crime_jobs.model.fir_event import iso
from crime_jobs.stream.alert_message import Alert
from crime_jobs.stream.patience import patiently

#: Name of the index, and of its only key.
PENDING = "pending"

#: Seconds for which an alert is remembered: a stream holds records for 365 days at most.
_KEPT = 400 * 24 * 3600

#: Alerts that are taken over at a time.
_SOME = 50


@dataclass(frozen=True)
class Claimed:
    """An alert that this worker is to send.

    Parameters
    ----------
    key
        The alert's key.
    id, message, order
        Its ``alert_id``, the message, and with what it stays in order.
    until
        When the lease runs out, seconds since 1970.
    """

    key: str
    id: str
    message: str
    order: str
    until: float


class Ledger:
    """The table of the alerts.

    Parameters
    ----------
    client
        DynamoDB.
    table
        Name of the table.
    pool
        Where calls are made side by side.
    lease
        Seconds for which whoever claims an alert holds it.
    waiting
        Called when a call has to be made again.
    clock
        Seconds since 1970.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        pool: Executor,
        lease: float,
        waiting: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._table, self._pool = client, table, pool
        self._lease, self._waiting, self._clock = lease, waiting, clock

    def claim(self, alerts: Iterable[Alert]) -> list[Claimed]:
        """Write alerts durably, each if it is not there.

        Parameters
        ----------
        alerts
            The alerts.

        Returns
        -------
        list of Claimed
            Those that were not there.
        """
        return [one for one in self._pool.map(self._claim, list(alerts)) if one]

    def _claim(self, alert: Alert) -> Claimed | None:
        from botocore.exceptions import ClientError

        now = self._clock()
        until = now + self._lease
        item = {
            "alert_id": {"S": alert.key},
            PENDING: {"S": "yes"},
            "message_id": {"S": alert.id},
            "message": {"S": alert.text},
            "message_order": {"S": alert.order},
            "claimed_at": {"S": iso(datetime.fromtimestamp(now, UTC))},
            "lease_until": {"N": f"{until:.3f}"},
            "expires_at": {"N": str(int(now) + _KEPT)},
        }

        def put() -> bool:
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(alert_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if aws.code_of(error) != "ConditionalCheckFailedException":
                    raise
                # Ours too, if the answer to an earlier attempt was lost.
                there: Any = error.response.get("Item", {})
                return bool(there.get("message_id", {}).get("S") == alert.id)
            return True

        if not patiently(put, waiting=self._waiting):
            return None
        return Claimed(alert.key, alert.id, alert.text, alert.order, until)

    def take_over(self) -> list[Claimed]:
        """Take over some alerts that are not sent, and that nobody holds any more.

        Returns
        -------
        list of Claimed
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=PENDING,
            KeyConditionExpression="pending = :yes",
            FilterExpression="lease_until < :now",
            ExpressionAttributeValues={":yes": {"S": "yes"}, ":now": {"N": f"{self._clock():.3f}"}},
        )
        found: list[dict[str, Any]] = []
        for page in pages:
            found += page["Items"]
            if len(found) >= _SOME:
                break
        return [one for one in self._pool.map(self._take, found[:_SOME]) if one]

    def _take(self, item: dict[str, Any]) -> Claimed | None:
        from botocore.exceptions import ClientError

        until = self._clock() + self._lease
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"alert_id": item["alert_id"]},
                UpdateExpression="SET lease_until = :until",
                # The index may be a moment behind: sent, or taken by another worker meanwhile.
                ConditionExpression="attribute_exists(pending) AND lease_until = :before",
                ExpressionAttributeValues={
                    ":until": {"N": f"{until:.3f}"},
                    ":before": item["lease_until"],
                },
            )
        except ClientError as error:
            if aws.code_of(error) != "ConditionalCheckFailedException":
                raise
            return None
        key, message, order = (item[name]["S"] for name in ("alert_id", "message", "message_order"))
        return Claimed(key, item["message_id"]["S"], message, order, until)

    def sent(self, claimed: Sequence[Claimed]) -> None:
        """Note that alerts were taken by SNS.

        Parameters
        ----------
        claimed
            The alerts.
        """
        list(self._pool.map(self._sent, claimed))

    def _sent(self, claimed: Claimed) -> None:
        self._client.update_item(
            TableName=self._table,
            Key={"alert_id": {"S": claimed.key}},
            UpdateExpression="SET sent_at = :now REMOVE pending, lease_until",
            ExpressionAttributeValues={":now": {"S": iso(datetime.fromtimestamp(self._clock(), UTC))}},
        )
