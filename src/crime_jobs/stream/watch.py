"""The live view: FIRs as they come, where, the last alerts, and how far those are who work on them."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, output
from crime_jobs.errors import CrimeJobsError
from crime_jobs.model.fir_event import BadEvent, FirEvent, iso
from crime_jobs.model.streams import of as stream_of
from crime_jobs.stream.alert_ledger import PENDING, day_of, newest
from crime_jobs.stream.reading import Stream, Tail
from crime_jobs.stream.status import read_shards, read_supervisor, state_folder, told

if TYPE_CHECKING:
    from rich.console import RenderableType

    from crime_jobs.settings import Settings

#: What the rate and the places are of.
MINUTE, SPAN = timedelta(minutes=1), timedelta(minutes=15)

#: Rows of each list.
TOP = 8

#: Seconds between two looks at what answers slowly.
SLOW = 10.0

#: Pending alerts are counted so far.
_MANY = 100


class View:
    """What is shown.

    Parameters
    ----------
    settings
        The settings.
    state_dir
        The consumer's folder; by default that of this machine.
    """

    def __init__(self, settings: Settings, state_dir: Path | None = None) -> None:
        self._settings, self._stream = settings, stream_of(settings.stream)
        self._folder = state_folder(self._stream.application, state_dir)
        since = datetime.now(UTC) - MINUTE
        self._firs = Tail(Stream(settings, self._stream.name), since)
        self._counts = self._tail_of_counts(since)
        self._recent: deque[tuple[datetime, str]] = deque()
        self._slow: dict[str, Any] = {}
        self._analytics: tuple[str, Counter[str]] = ("", Counter())
        self._clients: dict[str, Any] = {}

    def _tail_of_counts(self, since: datetime) -> Tail | None:
        with contextlib.suppress(CrimeJobsError):  # a stack without analytics
            return Tail(Stream(self._settings, self._stream.counts), since)
        return None

    def read(self) -> None:
        """Read what has come since the last time."""
        for record in self._firs.read():
            with contextlib.suppress(BadEvent):
                event = FirEvent.from_bytes(record.data)
                self._recent.append((record.at, f"{event.state_code} {event.district}"))
        oldest = datetime.now(UTC) - SPAN
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()
        for record in self._counts.read() if self._counts else ():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                self._count(json.loads(record.data))

    def _count(self, result: dict[str, Any]) -> None:
        """Take a result of the analytics: the last minute's are added up, one for each place and group."""
        if result["kind"] != "minute":
            return
        window, firs = self._analytics
        if result["window_start"] > window:
            window, firs = result["window_start"], Counter()
            self._analytics = (window, firs)
        if result["window_start"] == window:
            where = f"{result['state_code']}/{result['district']}/{result['crime_group']}"
            firs[where] = int(result["firs"])

    def look(self) -> None:
        """Look at what answers slowly: queue, alerts and Redshift; what does not answer is not known."""
        found: dict[str, Any] = {}
        for name, ask in (
            ("dead_letters", self._dead_letters),
            ("alerts_pending", self._alerts_pending),
            ("alerts", self._alerts),
            ("redshift_firs", self._redshift),
        ):
            found[name] = None
            with contextlib.suppress(CrimeJobsError), aws.refusals("Looking"):
                found[name] = ask()
        self._slow = found

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = aws.client(service, self._settings, attempts=2)
        return self._clients[service]

    def _dead_letters(self) -> int:
        sqs = self._client("sqs")
        url = sqs.get_queue_url(QueueName=self._stream.dead_letters)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(said["Attributes"][name]) for name in names)

    def _alerts_pending(self) -> int:
        return len(newest(self._client("dynamodb"), self._stream.alerts_table, PENDING, _MANY))

    def _alerts(self) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        found: list[dict[str, Any]] = []
        for day in (now, now - timedelta(days=1)):
            listing, left = day_of(iso(day)), TOP - len(found)
            if left:
                found += newest(self._client("dynamodb"), self._stream.alerts_table, listing, left)
        return found

    def _redshift(self) -> int:
        from crime_jobs.stream._redshift import open_redshift

        (row,) = open_redshift(self._settings, self._stream).query("SELECT COUNT(*) AS n FROM firs")
        return int(row["n"])

    def row(self) -> dict[str, Any]:
        """Return what is known as one row, for scripts."""
        now = datetime.now(UTC)
        supervisor, shards = read_supervisor(self._folder), read_shards(self._folder)
        heard = [shard for shard in shards if not shard.silent(now.timestamp())]
        places = Counter(place for _, place in self._recent)
        states = Counter(place.split(" ", 1)[0] for _, place in self._recent)
        window, firs = self._analytics
        return {
            "at": iso(now),
            "firs_last_minute": sum(at > now - MINUTE for at, _ in self._recent),
            "analytics_minute": window or None,
            "analytics_firs": sum(firs.values()) if window else None,
            "consumer": told(supervisor, shards, now.timestamp()),
            "behind_ms": max((shard.millis_behind for shard in heard), default=None),
            "dead_letters": self._slow.get("dead_letters"),
            "alerts_pending": self._slow.get("alerts_pending"),
            "redshift_firs": self._slow.get("redshift_firs"),
            "states": [f"{name} {count}" for name, count in states.most_common(TOP)],
            "districts": [f"{name} {count}" for name, count in places.most_common(TOP)],
            "alerts": [
                f"{alert['claimed_at'][11:19]} {alert['text']}" for alert in self._slow.get("alerts") or ()
            ],
        }

    def line(self) -> str:
        """Return what is known as a line, for a log."""
        found = self.row()
        return "; ".join(f"{label} {_shown(found[name])}" for name, label in _LABELS.items())

    def screen(self) -> RenderableType:
        """Return what is known for a terminal."""
        from rich.columns import Columns
        from rich.console import Group
        from rich.markup import escape
        from rich.table import Table
        from rich.text import Text

        found = self.row()
        numbers = Table(show_header=False, title=self._stream.name)
        for name, label in _LABELS.items():
            numbers.add_row(label, _shown(found[name]))
        lists = []
        for name in ("states", "districts"):
            table = Table(title=f"{name}, last {int(SPAN.total_seconds() // 60)} minutes", show_header=False)
            table.add_column()
            table.add_column(justify="right")
            for text in found[name]:
                place, _, count = text.rpartition(" ")
                table.add_row(escape(place), count)
            lists.append(table)
        alerts = [Text(text, style="bold red" if not at else "") for at, text in enumerate(found["alerts"])]
        return Group(Columns([numbers, *lists]), Text("Alerts", style="bold"), *alerts)


_LABELS = {
    "firs_last_minute": "FIRs in the last minute",
    "analytics_firs": "by the analytics",
    "consumer": "consumer",
    "behind_ms": "behind, ms",
    "dead_letters": "dead letters",
    "alerts_pending": "alerts to be sent",
    "redshift_firs": "FIRs in Redshift",
}


def _shown(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def look(settings: Settings, state_dir: Path | None = None) -> dict[str, Any]:
    """Look once.

    Parameters
    ----------
    settings
        The settings.
    state_dir
        The consumer's folder.

    Returns
    -------
    dict
        What is known, as one row.

    Raises
    ------
    AwsRefused
        If there is no stream.
    """
    view = View(settings, state_dir)
    for _ in range(_READS):
        view.read()
        if not view._firs.behind:
            break
    view.look()
    return view.row()


#: Reads of a single look: a minute of a full shard is two.
_READS = 5


def live(
    settings: Settings, every: float, state_dir: Path | None = None, going: Callable[[], bool] = lambda: True
) -> None:
    """Show it until interrupted: a screen on a terminal, else a line each time.

    Parameters
    ----------
    settings
        The settings.
    every
        Seconds between two looks.
    state_dir
        The consumer's folder.
    going
        Tells whether to go on.
    """
    from rich.console import Console
    from rich.live import Live

    view = View(settings, state_dir)
    over = threading.Event()
    slow = threading.Thread(target=_look_slowly, args=(view, over), daemon=True)
    slow.start()
    console = Console()
    shown = Live(console=console, auto_refresh=False) if console.is_terminal else contextlib.nullcontext()
    with contextlib.suppress(KeyboardInterrupt), shown as screen:
        while going():
            began = time.monotonic()
            try:
                view.read()
            except CrimeJobsError as error:
                output.complain(error.message)
            if screen is not None:
                screen.update(view.screen(), refresh=True)
            else:
                sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {view.line()}\n")
                sys.stdout.flush()
            time.sleep(max(0.0, every - (time.monotonic() - began)))
    over.set()


def _look_slowly(view: View, over: threading.Event) -> None:
    while True:
        view.look()
        if over.wait(SLOW):
            return
