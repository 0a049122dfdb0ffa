"""How many FIRs there were in a sliding window, counted in DynamoDB by all workers together.

A series (a rule, and a district and group or a place) has an item for each stretch of time of one window's
length; the item holds a set, an entry a FIR: when it arrived, and a hash of its key. Adding to a set twice
changes nothing, so that a replay counts nothing twice, and two workers lose nothing of each other's.

Whoever adds reads the stretches before and after it *afterwards*: of two workers that add at the same moment
at least one sees both. So each window that is full is found when the last of its FIRs is added, in whatever
order they are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crime_jobs.model.fir_event import FirEvent
from crime_jobs.stream.alert_table import AlertTable

#: Entries have two numbers of so many bytes: milliseconds since 1970, and a hash.
_HALF = 8

#: Seconds for which counts are kept after their window is over.
_KEPT = 7 * 24 * 3600


@dataclass(frozen=True)
class Series:
    """What is counted together.

    Parameters
    ----------
    name
        Rule, and district and group or place.
    milliseconds
        Length of its window.
    """

    name: str
    milliseconds: int

    def key(self, period: int) -> str:
        """Return the key of the item of a stretch of time."""
        return f"window#{self.name}#{self.milliseconds}#{period}"


@dataclass(frozen=True)
class Entry:
    """A FIR in a series.

    Parameters
    ----------
    at
        When it arrived, milliseconds since 1970.
    fir
        Hash of its key; a Zero FIR and the FIR that it became have one.
    """

    at: int
    fir: bytes

    def to_bytes(self) -> bytes:
        """Return it as an element of a binary set."""
        return self.at.to_bytes(_HALF, "big") + self.fir

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Read an element of a binary set."""
        return cls(int.from_bytes(data[:_HALF], "big"), data[_HALF:])


def entry(event: FirEvent, arrived: datetime) -> Entry:
    """Return the entry of a FIR.

    Parameters
    ----------
    event
        The FIR.
    arrived
        When the stream took it.

    Returns
    -------
    Entry
    """
    origin = event.zero_key or event.fir_key
    return Entry(int(arrived.timestamp() * 1000), hashlib.sha256(origin.encode()).digest()[:_HALF])


def full(entries: Iterable[Entry], added: Iterable[Entry], length: int, enough: int) -> dict[int, int]:
    """Find the windows that have enough FIRs and one of those that were added.

    Parameters
    ----------
    entries
        All that is known of the series around those that were added.
    added
        Those that were added.
    length
        Length of the window in milliseconds.
    enough
        How many different FIRs it takes.

    Returns
    -------
    dict
        The most FIRs of such a window, by the number of the stretch of time in which the window ends.
    """
    found: dict[int, int] = {}
    ordered = sorted(set(entries), key=lambda one: one.at)
    if len(ordered) < enough:
        return found
    fresh = set(added)
    inside: Counter[bytes] = Counter()
    first = ours = 0
    for index, last in enumerate(ordered):
        inside[last.fir] += 1
        ours += last in fresh
        while ordered[first].at <= last.at - length:
            gone = ordered[first]
            inside[gone.fir] -= 1
            if not inside[gone.fir]:
                del inside[gone.fir]
            ours -= gone in fresh
            first += 1
        # Of FIRs that arrived at the same moment the last one counts them all.
        ends = index + 1 == len(ordered) or ordered[index + 1].at > last.at
        if ends and ours and len(inside) >= enough:
            period = last.at // length
            found[period] = max(found.get(period, 0), len(inside))
    return found


class Windows:
    """The counts.

    Parameters
    ----------
    table
        The table of the alerts.
    """

    def __init__(self, table: AlertTable) -> None:
        self._table = table

    def add(self, added: Mapping[Series, Sequence[Entry]]) -> dict[Series, list[Entry]]:
        """Add FIRs, durably, and return what is in each series around them.

        Parameters
        ----------
        added
            Entries by series.

        Returns
        -------
        dict
            By series, the entries of each stretch of time that has one of them, the one before and the one
            after it.
        """
        parts = [
            (series, period, chosen)
            for series, entries in added.items()
            for period, chosen in _by_period(series, entries)
        ]
        # An item has 400 KB, some 20,000 FIRs, and no rule needs as many: what is refused is passed over.
        self._table.write("Update", [_update(*part) for part in parts])
        keys = {series: dict[str, None]() for series in added}
        for series, period, _ in parts:
            keys[series] |= dict.fromkeys(series.key(period + step) for step in (-1, 0, 1))
        found = self._table.read([key for of_it in keys.values() for key in of_it])
        return {
            series: [one for key in of_it if key in found for one in _entries(found[key])]
            for series, of_it in keys.items()
        }


def _update(series: Series, period: int, entries: Sequence[Entry]) -> dict[str, Any]:
    gone = (period + 1) * series.milliseconds // 1000 + _KEPT
    return {
        "Key": {"alert_id": {"S": series.key(period)}},
        "UpdateExpression": "ADD firs :firs SET expires_at = :gone",
        "ExpressionAttributeValues": {
            ":firs": {"BS": [one.to_bytes() for one in entries]},
            ":gone": {"N": str(gone)},
        },
    }


def _by_period(series: Series, entries: Iterable[Entry]) -> Iterator[tuple[int, list[Entry]]]:
    parts: dict[int, list[Entry]] = {}
    for one in dict.fromkeys(entries):
        parts.setdefault(one.at // series.milliseconds, []).append(one)
    yield from parts.items()


def _entries(item: Mapping[str, Any]) -> list[Entry]:
    return [Entry.from_bytes(bytes(data)) for data in item.get("firs", {}).get("BS", [])]
