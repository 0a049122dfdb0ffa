"""What is asked of DynamoDB about leads. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from crime_jobs.faces._lead_items import queue_key, time_text
from crime_jobs.model.faces import Lead

State = Literal["pending", "confirmed", "rejected"]


class Lines(Protocol):
    """Who decides, and where the line about it goes; see `crime_jobs.faces.audit.Audit`."""

    def who(self) -> str:
        """Return the ARN of whoever runs this."""

    def write(self, action: str, **facts: str | float) -> None:
        """Write a line."""

    def transact(self, items: Sequence[Mapping[str, Any]], action: str, **facts: str | float) -> None:
        """Write a line together with what it is about."""


def enrolled(lead: Lead, people_table: str) -> dict[str, Any]:
    """Return the condition that a lead's person is on the list still, and not past the last day.

    Parameters
    ----------
    lead
        The lead.
    people_table
        Where people are.

    Returns
    -------
    dict
        An action of a transaction.
    """
    return {
        "ConditionCheck": {
            "TableName": people_table,
            "Key": {"watch_list": {"S": lead.watch_list}, "person_id": {"S": lead.candidate.person_id}},
            "ConditionExpression": "#state = :active AND expires >= :today",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":active": {"S": "active"},
                ":today": {"S": datetime.now(UTC).date().isoformat()},
            },
        }
    }


def decided(
    lead: Lead, table: str, state: State, *, who: str, at: datetime, sealed_reason: str
) -> dict[str, Any]:
    """Return the change of a pending lead into a decided one.

    Parameters
    ----------
    lead
        The lead.
    table
        Where leads are.
    state
        What it becomes.
    who, at
        Who decides, and when.
    sealed_reason
        Why, sealed.

    Returns
    -------
    dict
        An action of a transaction.
    """
    values = {
        ":queue": queue_key(lead.watch_list, state),
        ":state": state,
        ":who": who,
        ":at": time_text(at),
        ":reason": sealed_reason,
        ":pending": "pending",
    }
    return {
        "Update": {
            "TableName": table,
            "Key": {"lead_id": {"S": lead.lead_id}},
            "UpdateExpression": "SET #queue = :queue, #state = :state, decided_by = :who, decided_at = :at, "
            "sealed_reason = :reason",
            "ConditionExpression": "#state = :pending",
            "ExpressionAttributeNames": {"#state": "state", "#queue": "queue"},
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        }
    }
