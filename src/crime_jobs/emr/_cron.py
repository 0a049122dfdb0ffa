"""The cron expressions of EventBridge: checked before they are sent, and when they run next.

Six fields (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based): minutes,
hours, day of the month, month, day of the week (1 is Sunday), year; one of the two days is ``?``. The library
that evaluates this dialect knows UTC only and loses leap days, hence our own.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crime_jobs.errors import WrongUsage

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
FIRST_YEAR, LAST_YEAR = 1970, 2199
#: 29 February, on one day of the week, comes at most 40 years apart (around 2100, which has none).
_LOOK_AHEAD_YEARS = 41
_UNIX_FIELDS, _FIELDS = 5, 6


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]


_MINUTE = _Field("minutes", 0, 59, {})
_HOUR = _Field("hours", 0, 23, {})
_DAY = _Field("day of the month", 1, 31, {})
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day of the week", 1, 7, _DAYS)
_YEAR = _Field("year", FIRST_YEAR, LAST_YEAR, {})


@dataclass(frozen=True)
class Cron:
    """A cron expression that is valid.

    Parameters
    ----------
    text
        The six fields.
    minutes, hours, months, years
        The values of each.
    on
        Tells whether a date is one of its days.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    on: Callable[[date], bool]

    @property
    def expression(self) -> str:
        """As EventBridge takes it."""
        return f"cron({self.text})"

    def dates(self, start: date) -> Iterator[date]:
        """Yield its dates in order.

        Parameters
        ----------
        start
            The first that may come.
        """
        years = sorted(year for year in self.years if year >= start.year)
        for year in years:
            if year - years[0] > _LOOK_AHEAD_YEARS:
                return
            for month in sorted(self.months):
                for number in range(1, calendar.monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= start and self.on(day):
                        yield day

    def runs(self, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Yield its times in order.

        Parameters
        ----------
        zone
            Where its hours are read. An hour that the clocks skip in spring has no run; one that they repeat
            in autumn has one (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
        after
            With a time zone; runs come after it.
        """
        for day in self.dates(after.astimezone(zone).date()):
            for hour in self.hours:
                for minute in self.minutes:
                    local = datetime.combine(day, time(hour, minute), zone)
                    instant = local.astimezone(UTC)
                    is_skipped = instant.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None)
                    if not is_skipped and instant > after:
                        yield local


def parse(expression: str) -> Cron:
    """Read and check an expression.

    Parameters
    ----------
    expression
        Six fields, with or without ``cron( )`` around them.

    Returns
    -------
    Cron

    Raises
    ------
    WrongUsage
        If EventBridge would refuse it, or it never runs: the field and the rule are named.
    """
    inside = re.fullmatch(r"\s*cron\((.*)\)\s*", expression, re.IGNORECASE)
    fields = (inside[1] if inside else expression).upper().split()
    if len(fields) == _UNIX_FIELDS:
        raise WrongUsage(
            f"The cron expression {expression!r} has five fields; EventBridge takes six, the year last.",
            hint=f"In its words: --cron '{_translated(fields)}'",
        )
    if len(fields) != _FIELDS:
        raise WrongUsage(
            f"The cron expression {expression!r} has {len(fields)} fields instead of six.",
            hint="Minutes, hours, day of the month, month, day of the week, year; "
            "'30 2 * * ? *' is each day at 02:30.",
        )
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise WrongUsage(
            f"The cron expression {expression!r} must have ? for one of the two days, "
            f"and it has it for {'both' if day == '?' else 'neither'}.",
            hint=f"The day of the month is {day!r}, the day of the week {weekday!r}: "
            "put ? for the one that doesn't matter.",
        )
    cron = Cron(
        " ".join(fields),
        tuple(sorted(_values(minute, _MINUTE))),
        tuple(sorted(_values(hour, _HOUR))),
        frozenset(_values(month, _MONTH)),
        frozenset(_values(year, _YEAR)),
        _day_of_month(day) if weekday == "?" else _day_of_week(weekday),
    )
    if next(cron.runs(ZoneInfo("UTC"), datetime.now(UTC)), None) is None:
        raise WrongUsage(
            f"The cron expression {expression!r} never runs from now on.", hint="Is the date right?"
        )
    return cron


def zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Parameters
    ----------
    name
        Its name in the IANA database, for example ``Asia/Kolkata``.

    Returns
    -------
    ZoneInfo

    Raises
    ------
    WrongUsage
        If there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongUsage(
            f"There is no time zone {name!r}.",
            hint="It takes names of the IANA database: Asia/Kolkata, UTC.",
        ) from error


def _number(text: str, field: _Field) -> int:
    number = field.names.get(text, int(text) if text.isascii() and text.isdigit() else None)
    if number is None or not field.low <= number <= field.high:
        names = f" or {'-'.join((*field.names,)[:: len(field.names) - 1])}" if field.names else ""
        raise WrongUsage(
            f"{text!r} is not a value for {field.name}.", hint=f"It takes {field.low}-{field.high}{names}."
        )
    return number


def _values(text: str, field: _Field) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
            raise WrongUsage(f"{part!r} in {field.name}: after / comes a number above 0.")
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = field.low, field.high
        else:
            low = _number(first, field)
            high = _number(last, field) if dash else field.high if slash else low
        size = field.high - field.low + 1
        # A range may wrap: FRI-MON, 22-2.
        length = high - low if high >= low else high - low + size
        if high < low and field is _YEAR:
            raise WrongUsage(f"{part!r} in {field.name}: the first year is after the last.")
        found |= {
            field.low + (low - field.low + offset) % size for offset in range(0, length + 1, int(step or 1))
        }
    return found


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, wanted: int) -> bool:
    """Tell whether `day` is the working day nearest to a day of its month, without leaving the month."""
    last = _last(day)
    if wanted > last:
        return False
    target = date(day.year, day.month, wanted)
    if target.weekday() == calendar.SATURDAY:
        target += timedelta(days=-1 if wanted > 1 else 2)
    elif target.weekday() == calendar.SUNDAY:
        target += timedelta(days=1 if wanted < last else -2)
    return day == target


def _day_of_month(text: str) -> Callable[[date], bool]:
    if text == "L":
        return lambda day: day.day == _last(day)
    if text == "LW":
        return lambda day: _nearest_weekday(day, _last(day))
    if before := re.fullmatch(r"L-(\d+)", text):
        days = int(before[1])
        if not 0 < days < _DAY.high:
            raise WrongUsage(f"{text!r} is not a day of the month.", hint="It goes from L-1 to L-30.")
        return lambda day: day.day == _last(day) - days
    if nearest := re.fullmatch(r"(\d+)W", text):
        wanted = _number(nearest[1], _DAY)
        return lambda day: _nearest_weekday(day, wanted)
    days_wanted = _values(text, _DAY)
    return lambda day: day.day in days_wanted


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1  # as EventBridge counts: Sunday is 1


def _day_of_week(text: str) -> Callable[[date], bool]:
    if text == "L":
        return lambda day: _weekday(day) == _DAYS["SAT"]
    if last := re.fullmatch(r"(\w+)L", text):
        wanted = _number(last[1], _WEEKDAY)
        return lambda day: _weekday(day) == wanted and day.day + 7 > _last(day)
    if nth := re.fullmatch(r"(\w+)#([1-5])", text):
        wanted, number = _number(nth[1], _WEEKDAY), int(nth[2])
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == number
    days_wanted = _values(text, _WEEKDAY)
    return lambda day: _weekday(day) in days_wanted


def _translated(fields: list[str]) -> str:
    """Put the five fields of Unix cron, where Sunday is 0, into EventBridge's words."""
    minute, hour, day, month, weekday = fields
    if weekday in ("*", "?"):
        return f"{minute} {hour} {'*' if day == '?' else day} {month} ? *"
    renumbered = re.sub(r"(?<![/\d])[0-7](?!\d)", lambda found: (*_DAYS,)[int(found[0]) % 7], weekday)
    return f"{minute} {hour} ? {month} {renumbered} *"
