"""What an alert says: JSON for machines with a sentence for people.

Of a protected offence it says no more of the place than the district.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crime_jobs.model.fir_event import FirEvent, iso
from crime_jobs.model.heads import labels
from crime_jobs.stream.alert_rules import RepeatLocation, Surge

VERSION = 1


@dataclass(frozen=True)
class Alert:
    """An alert.

    Parameters
    ----------
    key
        What it is about, the same whoever finds it and however often: of it there is one.
    body
        The message. Its ``alert_id`` is drawn by lot: one made from a FIR's key would tell the key of a
        protected FIR to whoever tries all keys.
    """

    key: str
    body: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The message's ``alert_id``."""
        return str(self.body["alert_id"])

    @property
    def text(self) -> str:
        """The message as it is sent."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))

    @property
    def order(self) -> str:
        """Alerts with the same one are delivered in order, by a topic that keeps an order."""
        place = f"{self.body['state_code']}/{self.body['district']}"
        return hashlib.sha256(place.encode()).hexdigest()[:32]


def key_of(*parts: object) -> str:
    """Return a key of an alert.

    Parameters
    ----------
    *parts
        Rule, and what it is about.
    """
    return "alert#" + hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def grave(rule: str, event: FirEvent, arrived: datetime) -> Alert:
    """Return the alert of one grave offence.

    Parameters
    ----------
    rule
        Name of the rule.
    event
        The FIR.
    arrived
        When the stream took it.

    Returns
    -------
    Alert
        Without station, number and place when the offence is protected (BNS 72, POCSO 23, JJA 74).
    """
    head = _head(event.crime_head)
    late = max(0, int((arrived - event.reported_at).total_seconds() // 60))
    where = f"{event.district}, {event.state_code}"
    what = "The station and the FIR are withheld."
    if not event.is_protected:
        where = f"{event.police_station}, {where}"
        what = f"FIR {event.fir_key}."
    text = f"{head} in {where}, reported {event.reported_at:%Y-%m-%d %H:%M} UTC. {what}"
    shown: dict[str, Any] = {
        "fir_key": event.fir_key,
        "police_station": event.police_station,
        "location_cell": event.location_cell,
    }
    if event.is_protected:
        shown = dict.fromkeys(shown)
    body = _head_of(rule, "grave", event, text) | {
        "crime_head": event.crime_head,
        "sections": event.sections,
        "is_protected": event.is_protected,
        **shown,
        "reported_at": iso(event.reported_at),
        "arrived_at": iso(arrived),
        "late_minutes": late,
    }
    return Alert(key_of(rule, event.fir_key), body)


def surge(name: str, rule: Surge, event: FirEvent, period: int, count: int, expected: float) -> Alert:
    """Return the alert of a surge.

    Parameters
    ----------
    name, rule
        The rule.
    event
        One of the FIRs: district and group are taken from it.
    period
        Number of the stretch of time, one window long, in which the surge was reached.
    count, expected
        How many FIRs there were in the window, and how many the baseline expects.

    Returns
    -------
    Alert
    """
    group = event.crime_group.replace("_", " ")
    text = (
        f"Surge in {event.district}, {event.state_code}: {count} FIRs of the group {group} within "
        f"{rule.window_minutes} minutes; {expected:.2g} are expected."
    )
    body = _head_of(name, "surge", event, text) | {
        "count": count,
        "expected": round(expected, 4),
        **_window(rule.window_minutes, period, rule.milliseconds),
    }
    where = (event.state_code, event.district, event.crime_group)
    return Alert(key_of(name, *where, rule.window_minutes, period), body)


def repeat(name: str, rule: RepeatLocation, event: FirEvent, period: int, count: int) -> Alert:
    """Return the alert of a place that is reported again and again.

    Parameters
    ----------
    name, rule
        The rule.
    event
        One of the FIRs: the place is taken from it.
    period
        Number of the stretch of time, one window long, in which the count was reached.
    count
        How many FIRs there were in the window.

    Returns
    -------
    Alert
    """
    text = (
        f"{count} FIRs within {rule.window_minutes} minutes at one place of {event.district}, "
        f"{event.state_code}: cell {event.location_cell}."
    )
    body = _head_of(name, "repeat_location", event, text) | {
        "crime_group": None,
        "location_cell": event.location_cell,
        "count": count,
        **_window(rule.window_minutes, period, rule.milliseconds),
    }
    return Alert(key_of(name, event.location_cell, rule.window_minutes, period), body)


def _head_of(rule: str, kind: str, event: FirEvent, text: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "alert_id": str(uuid.uuid4()),
        "rule": rule,
        "kind": kind,
        "text": text,
        "state_code": event.state_code,
        "district": event.district,
        "crime_group": event.crime_group,
    }


def _window(minutes: int, period: int, milliseconds: int) -> dict[str, Any]:
    began = datetime.fromtimestamp(period * milliseconds / 1000, UTC)
    return {"window_minutes": minutes, "period_began_at": iso(began)}


def _head(code: str) -> str:
    return labels().get(code) or code.removeprefix("sll_").replace("_", " ").capitalize()
