"""Which alerts there are, and which of them were sent: an item each, claimed once by a conditional write.

An alert is ``pending`` from its claim, before the checkpoint, until SNS has taken it. Whoever claims it holds
it for a while, its lease; one that has run out is taken over by any worker. The index ``listing`` has those
that are not sent together, and those that are, day by day.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crime_jobs import aws
from crime_jobs.model.fir_event import iso
from crime_jobs.stream.alert_message import Alert
from crime_jobs.stream.alert_table import AlertTable

#: Name of the index and of its key, by which alerts are found that are not sent.
LISTING, PENDING = "listing", "pending"

#: Seconds for which an alert is remembered: a stream holds records for 365 days at most.
_KEPT = 400 * 24 * 3600

#: Alerts that are taken over at a time.
SOME = 50


def day_of(sent_at: str) -> str:
    """Return what the alerts of a day are listed by.

    Parameters
    ----------
    sent_at
        A moment of the day, as the columns have it.
    """
    return f"sent#{sent_at[:10]}"


def newest(client: Any, table: str, listing: str, count: int) -> list[dict[str, Any]]:
    """Return the messages of the last alerts of a listing, the newest first.

    Parameters
    ----------
    client
        DynamoDB.
    table
        Name of the table.
    listing
        `PENDING`, or what `day_of` says.
    count
        How many.

    Returns
    -------
    list of dict
        Messages, each with ``claimed_at``.
    """
    said = client.query(
        TableName=table,
        IndexName=LISTING,
        KeyConditionExpression="listing = :listing",
        ExpressionAttributeValues={":listing": {"S": listing}},
        ScanIndexForward=False,
        Limit=count,
    )
    return [
        {**json.loads(item["message"]["S"]), "claimed_at": item["claimed_at"]["S"]} for item in said["Items"]
    ]


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
    """The alerts in their table.

    Parameters
    ----------
    table
        The table.
    lease
        Seconds for which whoever claims an alert holds it.
    clock
        Seconds since 1970.
    """

    def __init__(self, table: AlertTable, lease: float, clock: Callable[[], float] = time.time) -> None:
        self._table, self._lease, self._clock = table, lease, clock

    def claim(self, alerts: Sequence[Alert]) -> list[Claimed]:
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
        now = self._clock()
        until = now + self._lease
        refused = self._table.write("Put", [_put(alert, now, until) for alert in alerts])
        return [
            Claimed(alert.key, alert.id, alert.text, alert.order, until)
            for alert, why in zip(alerts, refused, strict=True)
            # Ours too, if the answer to an earlier attempt was lost.
            if why is None or why.get("Item", {}).get("message_id", {}).get("S") == alert.id
        ]

    def take_over(self) -> list[Claimed]:
        """Take over some alerts that are not sent, and that nobody holds any more.

        Returns
        -------
        list of Claimed
        """
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            IndexName=LISTING,
            KeyConditionExpression="listing = :pending",
            FilterExpression="lease_until < :now",
            ExpressionAttributeValues={":pending": {"S": PENDING}, ":now": {"N": f"{self._clock():.3f}"}},
        )
        found: list[dict[str, Any]] = []
        for page in pages:
            found += page["Items"]
            if len(found) >= SOME:
                break
        return [one for item in found[:SOME] if (one := self._take(item))]

    def _take(self, item: dict[str, Any]) -> Claimed | None:
        from botocore.exceptions import ClientError

        until = self._clock() + self._lease
        try:
            self._table.client.update_item(
                TableName=self._table.name,
                Key={"alert_id": item["alert_id"]},
                UpdateExpression="SET lease_until = :until",
                # The index may be a moment behind: sent, or taken by another worker meanwhile.
                ConditionExpression="listing = :pending AND lease_until = :before",
                ExpressionAttributeValues={
                    ":until": {"N": f"{until:.3f}"},
                    ":before": item["lease_until"],
                    ":pending": {"S": PENDING},
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
        now = iso(datetime.fromtimestamp(self._clock(), UTC))
        update = {
            "UpdateExpression": "SET sent_at = :now, listing = :day REMOVE lease_until",
            "ExpressionAttributeValues": {":now": {"S": now}, ":day": {"S": day_of(now)}},
        }
        self._table.write("Update", [{"Key": {"alert_id": {"S": one.key}}, **update} for one in claimed])


def _put(alert: Alert, now: float, until: float) -> dict[str, Any]:
    return {
        "Item": {
            "alert_id": {"S": alert.key},
            LISTING: {"S": PENDING},
            "message_id": {"S": alert.id},
            "message": {"S": alert.text},
            "message_order": {"S": alert.order},
            "claimed_at": {"S": iso(datetime.fromtimestamp(now, UTC))},
            "lease_until": {"N": f"{until:.3f}"},
            "expires_at": {"N": str(int(now) + _KEPT)},
        },
        "ConditionExpression": "attribute_not_exists(alert_id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
