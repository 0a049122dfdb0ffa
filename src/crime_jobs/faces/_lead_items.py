"""A lead as an item of DynamoDB: what may be read of it, and what is sealed. No I/O but the sealer's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from crime_jobs.errors import BadInput
from crime_jobs.model.faces import Lead

_serialise, _deserialise = TypeSerializer().serialize, TypeDeserializer().deserialize

#: Fields that are attributes of the same name.
_PLAIN = ("lead_id", "watch_list", "purpose", "photograph", "threshold", "engine", "engine_version", "run")
#: Fields that only a decided lead has.
_DECISION = ("decided_by", "decided_at")


class Seals(Protocol):
    """What seals and opens; see `crime_jobs.sealing.Sealer`."""

    def seal(self, subject: str, content: bytes) -> str:
        """Seal content that is about a subject."""

    def unseal(self, subject: str, sealed: str) -> bytes:
        """Open it again."""


def time_text(at: datetime) -> str:
    """Return a time as items have it, so that text sorts as time does: UTC, microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def queue_key(watch_list: str, state: str) -> str:
    """Return the key of a queue in the index of that name."""
    return f"{watch_list}#{state}"


def sealed_places(lead: Lead, sealer: Seals) -> str:
    """Seal where a lead's photographs stand.

    Parameters
    ----------
    lead
        The lead.
    sealer
        What seals.

    Returns
    -------
    str
    """
    content = {"places": lead.places, "candidate_place": lead.candidate_place}
    return sealer.seal(lead.lead_id, json.dumps(content).encode())


def sealed_reason(lead_id: str, reason: str, sealer: Seals) -> str:
    """Seal a decision's reason, in which a reviewer may have named somebody."""
    return sealer.seal(_about_reason(lead_id), reason.encode())


def written(lead: Lead, sealer: Seals) -> dict[str, Any]:
    """Return a pending lead as an item.

    Parameters
    ----------
    lead
        The lead.
    sealer
        What seals its places.

    Returns
    -------
    dict
    """
    told = lead.model_dump(mode="json", include=set(_PLAIN))
    told |= {
        "seen": lead.seen.model_dump_json(),  # to the last digit, which DynamoDB's numbers may not have
        "queue": queue_key(lead.watch_list, "pending"),
        "state": "pending",
        "found_at": time_text(lead.found_at),
        "person_id": lead.candidate.person_id,
        "face_id": lead.candidate.face_id,
        "similarity": lead.candidate.similarity,
        "sealed": sealed_places(lead, sealer),
    }
    return {name: _serialise(_decimal(value)) for name, value in told.items()}


def lead_of(item: dict[str, Any], sealer: Seals) -> Lead:
    """Read an item.

    Parameters
    ----------
    item
        As DynamoDB gives it.
    sealer
        What opens its sealed parts.

    Returns
    -------
    Lead

    Raises
    ------
    BadInput
        If it is no lead, or what is sealed in it was not sealed for it.
    """
    told = {name: _deserialise(value) for name, value in item.items()}
    try:
        lead_id = told["lead_id"]
        opened = json.loads(sealer.unseal(lead_id, told["sealed"]))
        reason = told.get("sealed_reason")
        fields = {name: told[name] for name in (*_PLAIN, "state", "found_at")}
        fields["seen"] = json.loads(told["seen"])
        fields |= {name: told.get(name) for name in _DECISION}
        fields["candidate"] = {name: told[name] for name in ("face_id", "person_id", "similarity")}
        fields["reason"] = sealer.unseal(_about_reason(lead_id), reason).decode() if reason else None
        return Lead.model_validate(fields | opened)
    except (KeyError, TypeError, ValueError) as error:
        # Not the error's text: it may have values of the lead.
        raise BadInput(
            f"The lead {told.get('lead_id')!r} can't be read: {type(error).__name__}.",
            hint="Was the table written by another version, or by hand?",
        ) from None


def _about_reason(lead_id: str) -> str:
    return f"{lead_id}#reason"


def _decimal(value: Any) -> Any:
    """Return a per cent as boto3 takes it, which wants no floats; DynamoDB knows none near nothing."""
    return Decimal(repr(round(value, 9))) if isinstance(value, float) else value
