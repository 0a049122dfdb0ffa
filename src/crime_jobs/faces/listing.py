"""Leads as rows, for a terminal or a program: before a decision they say nothing that leads to anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crime_jobs.faces._lead_requests import State
from crime_jobs.model.faces import Lead

if TYPE_CHECKING:
    from crime_jobs.settings import Settings


def rows(settings: Settings, watch_list: str, state: State) -> list[dict[str, Any]]:
    """Read the leads of a queue.

    Of decided ones the rows say where the photographs are, so that reading them is noted in the audit.

    Parameters
    ----------
    settings
        The environment.
    watch_list
        Name of the watch list.
    state
        Of which leads.

    Returns
    -------
    list of dict
        See `row`.

    Raises
    ------
    WrongUsage
        If there is no such watch list.
    AwsRefused
        If they can't be read, or the access can't be noted.
    """
    from crime_jobs.faces.audit import Audit
    from crime_jobs.faces.leads import Leads
    from crime_jobs.faces.people import People
    from crime_jobs.model.faces import of

    faces = of(settings.faces)
    found = People(settings, faces).watch_list(watch_list)
    leads = list(Leads(settings, faces).queue(found.name, state))
    if state != "pending":
        Audit(settings, faces).write(
            "listed", watch_list=found.name, purpose=str(found.purpose), state=state, leads=len(leads)
        )
    return [row(lead) for lead in leads]


def row(lead: Lead) -> dict[str, Any]:
    """Return a lead as a row.

    Parameters
    ----------
    lead
        The lead.

    Returns
    -------
    dict
        Id, person (a pseudonym), similarity and when it was found; of a decided one also where its photograph
        is, and who decided when and why: nothing leaves the queue without a decision.
    """
    told: dict[str, Any] = {
        "lead": lead.lead_id,
        "similarity": round(lead.candidate.similarity, 2),
        "found_at": _time(lead.found_at),
        "state": lead.state,
        "person": lead.candidate.person_id,
    }
    if lead.state != "pending":
        told |= {
            "photographs": list(lead.places),
            "decided_by": lead.decided_by,
            "decided_at": _time(lead.decided_at) if lead.decided_at else None,
            "reason": lead.reason,
        }
    return told


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
