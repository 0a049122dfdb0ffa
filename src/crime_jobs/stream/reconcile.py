"""Holds each hop against the one before: the producer, the stream, the sink, the history, Redshift.

A key is remembered as a hash of 16 bytes. The stream holds records for some hours only: what the sink has of
before, and what came while we looked, is not held against it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import CrimeJobsError
from crime_jobs.model.fir_event import iso
from crime_jobs.model.streams import of as stream_of
from crime_jobs.stream import hops
from crime_jobs.stream.hops import Run, Seen
from crime_jobs.stream.reading import Stream

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings

#: Keys that are shown of those that are missing, and of those that are too many.
SAMPLE = 5

#: Seconds between two looks, when differences are given time to go away.
AGAIN = 5.0

#: A run of the producer notes every 5 s how far it is; one that is silent for longer was killed.
SILENT = timedelta(minutes=1)

#: By which clocks of producers and of Kinesis may differ, about.
MARGIN = timedelta(seconds=5)

KILLED = "killed or cut off"

EQUAL, DIFFERS, NOT_USED, NOT_REACHED = "equal", "differs", "not used", "not reached"


@dataclass
class Hop:
    """What is known of a hop.

    Parameters
    ----------
    name
        Its name.
    records
        Records, or items, or rows.
    unreadable, unread_dead
        Those that are no FIR, and how many of them are in the dead-letter queue.
    keys
        Hashes of the FIRs' keys.
    dead
        Hashes of those that are in the dead-letter queue.
    again
        Reads it once more, to name what is missing further on.
    """

    name: str
    records: int = 0
    unreadable: int = 0
    unread_dead: int = 0
    keys: set[bytes] = field(default_factory=set)
    dead: set[bytes] = field(default_factory=set)
    again: Callable[[], Iterable[Seen]] = tuple

    def names(self, wanted: set[bytes]) -> list[str]:
        """Return some keys by their hashes, sorted."""
        found: set[str] = set()
        for seen in self.again() if wanted else ():
            if seen.key and hashed(seen.key) in wanted:
                found.add(seen.key)
                if len(found) == SAMPLE:
                    break
        return sorted(found)


def hashed(key: str) -> bytes:
    """Return what is remembered of a key."""
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


def read(name: str, source: Callable[[], Iterable[Seen]]) -> Hop:
    """Read a hop to its end.

    Parameters
    ----------
    name
        Its name.
    source
        Reads it.

    Returns
    -------
    Hop
    """
    hop = Hop(name, again=source)
    for seen in source():
        hop.records += 1
        if seen.key is None:
            hop.unreadable += 1
            hop.unread_dead += seen.dead
        else:
            hop.keys.add(hashed(seen.key))
            if seen.dead:
                hop.dead.add(hashed(seen.key))
    return hop


def row(hop: str, verdict: str, **more: Any) -> dict[str, Any]:
    """Return a row of the result: all rows have the same columns."""
    columns: dict[str, Any] = dict.fromkeys(("records", "firs", "missing", "surplus", "dead_letters"))
    return {"hop": hop, "verdict": verdict, **columns, "sample": [], "note": "", **more}


def against(before: Hop, hop: Hop, *, once: bool = False) -> dict[str, Any]:
    """Hold a hop against the one before it.

    Parameters
    ----------
    before, hop
        The hops. What of the one before is in the dead-letter queue may be missing.
    once
        Whether each FIR is to be there once only.

    Returns
    -------
    dict
        A row.
    """
    missing, surplus = before.keys - hop.keys - before.dead, hop.keys - before.keys - before.dead
    twice = hop.records - hop.unreadable - len(hop.keys) if once else 0
    notes = [
        f"{hop.unreadable} records are no FIRs" if hop.unreadable else "",
        f"{twice} rows too many" if twice else "",
    ]
    sample = [
        *(f"missing {key}" for key in before.names(missing)),
        *(f"surplus {key}" for key in hop.names(surplus)),
    ]
    return row(
        hop.name,
        DIFFERS if missing or surplus or twice else EQUAL,
        records=hop.records,
        firs=len(hop.keys),
        missing=len(missing),
        surplus=len(surplus),
        dead_letters=len((before.keys - hop.keys) & before.dead),
        sample=sample,
        note="; ".join(filter(None, notes)),
    )


def reconcile(settings: Settings, age: float = 0.0) -> list[dict[str, Any]]:
    """Look at every hop once.

    Parameters
    ----------
    settings
        The settings.
    age
        Minutes: FIRs that arrived later are left out, since Firehose and the loading take their time.

    Returns
    -------
    list of dict
        A row a hop.

    Raises
    ------
    AwsRefused
        If stream or sink can't be read: without them there is nothing to hold against each other.
    """
    stream = stream_of(settings.stream)
    now = datetime.now(UTC)
    # A little less than the stream holds: its oldest records may go while they are read.
    first = now - timedelta(hours=Stream(settings, stream.name).hours()) + timedelta(minutes=10)
    span = (first, now - timedelta(minutes=age))
    positions = hops.dead_letters(settings, stream)

    def of_stream_only() -> Iterator[Seen]:
        found = hops.in_stream(settings, stream, positions)
        return (seen for seen in found if seen.at and span[0] <= seen.at <= span[1])

    sent = read("stream", of_stream_only)
    history = _reach("history", lambda: hops.in_history(settings, stream))
    redshift = _reach("redshift", lambda: hops.in_redshift(settings, stream))
    # The sink is read last: what comes meanwhile is known there, and is held against nobody.
    sink, recent, later = _sink(settings, stream, sent, span)
    rows = [
        _producer(settings, stream, sent, span),
        row(
            "stream",
            EQUAL if sent.unreadable == sent.unread_dead else DIFFERS,
            records=sent.records,
            firs=len(sent.keys),
            dead_letters=len(positions),
            note=f"{sent.unreadable} records are no FIRs" if sent.unreadable else "",
        ),
        against(sent, recent),
    ]
    before = sink
    for hop in (history, redshift):
        if isinstance(hop, Hop):
            hop.keys -= later
            rows.append(against(before, hop, once=hop is redshift))
            before = hop
        else:
            rows.append(hop)
    return rows


def _sink(
    settings: Settings, stream: StreamSettings, sent: Hop, span: tuple[datetime, datetime]
) -> tuple[Hop, Hop, set[bytes]]:
    """Read the sink: all of it up to now, what the stream should hold of it, and what came later."""

    def source() -> Iterator[Seen]:
        return hops.in_sink(settings, stream)

    sink, recent = Hop("sink", dead=sent.dead, again=source), Hop("sink", again=source)
    later: set[bytes] = set()
    for seen in source():
        if not seen.key or not seen.at:
            continue
        key = hashed(seen.key)
        # A FIR that was sent again is there as of its first arrival, maybe before what the stream holds.
        if key in sent.keys or span[0] <= seen.at <= span[1]:
            recent.records += 1
            recent.keys.add(key)
        if key in sent.keys or seen.at <= span[1]:
            sink.keys.add(key)
        else:
            later.add(key)
    return sink, recent, later


def _producer(
    settings: Settings, stream: StreamSettings, sent: Hop, span: tuple[datetime, datetime]
) -> dict[str, Any]:
    return of_producer(hops.runs(settings, stream), sent, span, datetime.now(UTC))


def of_producer(
    runs: Iterable[Run], sent: Hop, span: tuple[datetime, datetime], now: datetime
) -> dict[str, Any]:
    """Hold what the producer was told is there against what is: it counts records, and names none.

    Parameters
    ----------
    runs
        The runs that are noted. Those that ended before the span, or began after it, do not count.
    sent
        What is in the stream; read once more if a run is in doubt.
    span
        From when to when.
    now
        The time: a run that has not ended and was not heard of for `SILENT` was killed (or can't
        note anything), and what it confirmed after its last note nobody knows.

    Returns
    -------
    dict
        A row: of the runs that are known whole. Of the others it has the names, and that what they had
        confirmed is there.
    """
    runs = [run for run in runs if _last(run) >= span[0] and run.started <= span[1]]
    if not runs:
        return row("producer", NOT_USED, note="no run is noted in the time that the stream holds")
    doubts = {run.name: why for run in runs if (why := _doubt(run, span, now))}
    rest, beside = _apart(runs, doubts)
    judged, left = sent, 0
    if beside:
        times = [(run.started - MARGIN, _last(run) + MARGIN) for run in beside]
        outside = (seen for seen in sent.again() if seen.at and not any(a <= seen.at <= b for a, b in times))
        judged = read("stream", lambda: outside)
        # What they had confirmed must be there all the same, if the stream holds all of it.
        whole = [run for run in beside if not doubts.get(run.name) or doubts[run.name].startswith(KILLED)]
        left = sum(run.confirmed for run in whole) - (sent.records - judged.records)
    confirmed = sum(run.confirmed for run in rest)
    missing = max(0, confirmed - judged.records) + max(0, left)
    surplus, again = max(0, len(judged.keys) - confirmed), judged.records - confirmed
    notes = [f"{again} records more than confirmed: sent again" if again > 0 and not surplus else ""]
    if beside:
        names = "; ".join(f"{run.name} ({doubts.get(run.name, 'beside one')})" for run in beside[:SAMPLE])
        notes.append(f"{len(beside)} of {len(runs)} runs left out: {names}")
    return row(
        "producer",
        DIFFERS if missing or surplus else EQUAL if rest else NOT_REACHED,
        records=confirmed or sum(run.confirmed for run in runs),
        missing=missing,
        surplus=surplus,
        note="; ".join(filter(None, notes)),
    )


def _doubt(run: Run, span: tuple[datetime, datetime], now: datetime) -> str:
    """Tell why it is not known what a run sent of what the stream holds; nothing if it is known."""
    if run.ended is None and now - run.updated <= SILENT:
        return "under way"
    if run.started < span[0] or (run.ended and run.ended > span[1]):
        return "the stream has a part of it only"
    return "" if run.ended else f"{KILLED}, last heard of {iso(run.updated)}"


def _apart(runs: Sequence[Run], doubts: Mapping[str, str]) -> tuple[list[Run], list[Run]]:
    """Part the runs that were among their like from those in doubt, and all that ran beside one of these.

    A record does not say which run sent it; when it came does, of runs that were not at the same time.
    """
    beside = [run for run in runs if run.name in doubts]
    rest = [run for run in runs if run.name not in doubts]
    for doubted in beside:  # which grows
        near = [run for run in rest if _meet(run, doubted)]
        beside += near
        rest = [run for run in rest if run not in near]
    return rest, beside


def _meet(one: Run, other: Run) -> bool:
    return one.started - MARGIN <= _last(other) + MARGIN and other.started - MARGIN <= _last(one) + MARGIN


def _last(run: Run) -> datetime:
    """Return until when records of a run may have come."""
    return run.ended or run.updated + SILENT


def _reach(name: str, source: Callable[[], Iterable[Seen]]) -> Hop | dict[str, Any]:
    """Read a hop that need not be there; returns its row if it is not."""
    try:
        hop = read(name, source)
    except CrimeJobsError as error:
        return row(name, NOT_REACHED, note=error.message)
    return hop if hop.records else row(name, NOT_USED, note="it is empty")


def equal(rows: Iterable[dict[str, Any]]) -> bool:
    """Tell whether no hop differs."""
    return all(one["verdict"] != DIFFERS for one in rows)


def patient(settings: Settings, seconds: float, age: float) -> list[dict[str, Any]]:
    """Look again while hops differ.

    Parameters
    ----------
    settings, age
        As of `reconcile`.
    seconds
        How long.

    Returns
    -------
    list of dict
        The rows of the last look.
    """
    end = time.monotonic() + seconds
    while True:
        rows = reconcile(settings, age)
        if equal(rows) or time.monotonic() + AGAIN > end:
            return rows
        time.sleep(AGAIN)
