"""Tells the control room: rules over the FIRs that were written, each alert once.

`Alerts.handle` is called after FIRs are durably written and before their checkpoint, also with FIRs that were
there before: after a crash only a replay can tell of them. What it finds it writes down before it returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, output
from crime_jobs.errors import WrongUsage
from crime_jobs.model.baseline import Baseline, from_csv
from crime_jobs.model.fir_event import FirEvent
from crime_jobs.model.streams import of as stream_of
from crime_jobs.stream import alert_message, alert_rules
from crime_jobs.stream.alert_lateness import Lateness
from crime_jobs.stream.alert_ledger import Claimed, Ledger
from crime_jobs.stream.alert_message import Alert
from crime_jobs.stream.alert_outbox import Outbox, Topic
from crime_jobs.stream.alert_rules import Grave, RepeatLocation, Rules, Surge
from crime_jobs.stream.alert_table import AlertTable
from crime_jobs.stream.alert_windows import Entry, Series, Windows, entry, full

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings

BASELINE = "baseline.csv"

#: Calls to DynamoDB at a time.
THREADS = 4

#: Keys of alerts that are remembered, so that a surge that goes on asks nothing more.
_REMEMBERED = 20_000

Told = Sequence[tuple[FirEvent, datetime]]


class Alerts:
    """Finds what the control room is told of.

    Parameters
    ----------
    rules
        The rules.
    baseline
        What each district has as a rule.
    windows, ledger
        Counts and alerts, in DynamoDB.
    send
        Takes alerts that are to be sent; `crime_jobs.stream.alert_outbox.Outbox.put`.
    """

    def __init__(
        self,
        rules: Rules,
        baseline: Baseline,
        windows: Windows,
        ledger: Ledger,
        send: Callable[[Sequence[Claimed]], None],
    ) -> None:
        self._rules, self._baseline = rules, baseline
        self._windows, self._ledger, self._send = windows, ledger, send
        self._known: dict[str, None] = {}

    def handle(self, events: Told) -> None:
        """Find alerts in FIRs that are durably written; repeatable.

        Parameters
        ----------
        events
            FIRs, each with when the stream took it.

        Raises
        ------
        Exception
            Whatever DynamoDB refuses with in a way that does not pass: then the FIRs are not handled.
        """
        self._tell(self._grave(events))  # they are on their way while the others are counted
        self._tell(self._counted(events))

    def _tell(self, found: Iterable[Alert]) -> None:
        new = {alert.key: alert for alert in found if alert.key not in self._known}
        if new:
            self._send(self._ledger.claim([*new.values()]))
            self._remember(new)

    def _grave(self, events: Told) -> Iterator[Alert]:
        for name, rule in self._rules.items():
            if isinstance(rule, Grave):
                for event, arrived in events:
                    if rule.holds(event, arrived):
                        yield alert_message.grave(name, event, arrived)

    def _counted(self, events: Told) -> Iterator[Alert]:
        added: dict[Series, list[Entry]] = {}
        about: dict[Series, tuple[str, Surge | RepeatLocation, FirEvent]] = {}
        for name, rule in self._rules.items():
            if isinstance(rule, Grave):
                continue
            for event, arrived in events:
                if rule.counts(event, arrived):
                    series = Series(f"{name}#{_subject(rule, event)}", rule.milliseconds)
                    added.setdefault(series, []).append(entry(event, arrived))
                    about[series] = (name, rule, event)
        if not added:
            return
        for series, entries in self._windows.add(added).items():
            name, rule, event = about[series]
            enough, expected = self._enough(rule, event)
            for period, count in full(entries, added[series], series.milliseconds, enough).items():
                if isinstance(rule, Surge):
                    yield alert_message.surge(name, rule, event, period, count, expected)
                else:
                    yield alert_message.repeat(name, rule, event, period, count)

    def _enough(self, rule: Surge | RepeatLocation, event: FirEvent) -> tuple[int, float]:
        """Return how many FIRs it takes, and how many are expected."""
        if isinstance(rule, RepeatLocation):
            return rule.count, 0.0
        where = (event.state_code, event.district, event.crime_group)
        expected = self._baseline.expected(*where, rule.window_minutes)
        return max(rule.minimum, -int(-rule.factor * expected // 1)), expected

    def _remember(self, keys: Iterable[str]) -> None:
        self._known |= dict.fromkeys(keys)
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]


def _subject(rule: Surge | RepeatLocation, event: FirEvent) -> str:
    if isinstance(rule, RepeatLocation):
        return str(event.location_cell)
    return f"{event.state_code}/{event.district}/{event.crime_group}"


def read_baseline(path: str | None) -> Baseline:
    """Read what districts have as a rule.

    Parameters
    ----------
    path
        A file that ``crime-jobs stream baseline`` wrote; by default that of the package, from NCRB's figures
        of 2014.

    Returns
    -------
    Baseline

    Raises
    ------
    WrongUsage
        If it can't be read.
    BadInput
        If it is none.
    """
    if path is None:
        return from_csv((files("crime_jobs.stream") / BASELINE).read_text(encoding="utf-8"), BASELINE)
    try:
        return from_csv(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(
            f"The baseline {path} can't be read: {type(error).__name__}.",
            hint="`crime-jobs stream baseline` writes one; baseline in crime-jobs.toml names it.",
        ) from error


def checked(settings: Settings) -> Settings:
    """Read the files of rules and baseline before anything is started.

    Parameters
    ----------
    settings
        The settings.

    Returns
    -------
    Settings
        With whole paths: who reads the files works in another folder.

    Raises
    ------
    WrongUsage, BadInput
        If one can't be read or has a mistake.
    """
    stream = stream_of(settings.stream)
    alert_rules.load(stream.alert_rules)
    read_baseline(stream.baseline)
    files_of = {name: getattr(stream, name) for name in ("alert_rules", "baseline")}
    whole = {name: str(Path(path).absolute()) for name, path in files_of.items() if path}
    return settings.model_copy(update={"stream": {**settings.stream, **whole}})


def open_alerts(
    settings: Settings,
    stream: StreamSettings,
    waiting: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = output.note,
    clock: Callable[[], float] = time.time,
    attempts: int | None = None,
) -> tuple[Alerts, Outbox]:
    """Open rules, tables and topic, and begin to send what is left from before.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names of the table, the topic and the files.
    waiting
        Called when a call to DynamoDB has to be made again.
    say
        Writes a line for whoever runs this.
    clock
        Seconds since 1970.
    attempts
        How often such a call is made at most; without end when not given.

    Returns
    -------
    tuple
        The alerts, and the outbox that sends them.

    Raises
    ------
    WrongUsage, BadInput
        If rules or baseline have a mistake.
    """
    rules, baseline = alert_rules.load(stream.alert_rules), read_baseline(stream.baseline)
    client: Any = aws.client("dynamodb", settings, attempts=2, validated=False)
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="alerts")
    table = AlertTable(client, stream.alerts_table, pool, waiting, attempts)
    topic = Topic(settings, stream.topic)
    ledger = Ledger(table, topic.lease, clock)
    publish = topic.publish
    if attempts is None:  # whoever reads the stream; who replays a letter is late by nature
        cloud = aws.client("cloudwatch", settings, attempts=1)
        lateness = Lateness(cloud, stream.name, topic.publish, lambda: outbox.waiting, say, clock)
        lateness.start()
        publish = lateness.publish
    outbox = Outbox(ledger, publish, say, clock, margin=topic.margin, ready=topic.find)
    outbox.start()
    return Alerts(rules, baseline, Windows(table), ledger, outbox.put), outbox
