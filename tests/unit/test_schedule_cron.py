"""Cron expressions of EventBridge, against an evaluator that looks at every minute of the calendar."""

from __future__ import annotations

import calendar
import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.emr import _cron
from crime_jobs.errors import WrongUsage

START = datetime(2027, 1, 1, tzinfo=UTC)
#: Looked through by the slow evaluator.
DAYS = 400


def runs(text: str, zone: str, after: datetime, number: int) -> list[datetime]:
    return list(itertools.islice(_cron.parse(text).runs(_cron.zone(zone), after), number))


# The slow evaluator: each special day is spelt out as a list of the month's days, from the words of the
# documentation, and a plain field as a set.


def month_days(kind: str, value: int, year: int, month: int) -> set[int]:
    weeks = calendar.Calendar(firstweekday=6).monthdayscalendar(year, month)
    every = [day for week in weeks for day in week if day]
    working = [day for week in weeks for day in week[1:6] if day]
    column = [week[value - 1] for week in weeks if week[value - 1]] if value in range(1, 8) else [0] * 5
    last = every[-1]
    return {
        "each": set(every),
        "L": {last},
        "LW": {working[-1]},
        "L-": {last - value} & set(every),
        # the nearest working day of this month; two are never equally far
        "W": {min(working, key=lambda day: abs(day - value))} if value <= last else set(),
        "lastday": {column[-1]},
        "first": {column[0]},
        "third": {column[2]},
        "weekday": set(column),
    }[kind]


days = st.one_of(
    st.tuples(st.sampled_from(["each", "L", "LW"]), st.just(0)),
    st.tuples(st.just("L-"), st.integers(1, 30)),
    st.tuples(st.just("W"), st.integers(1, 31)),
    st.tuples(st.sampled_from(["lastday", "first", "third", "weekday"]), st.integers(1, 7)),
)
WRITTEN = {
    "each": "* {month} ?",
    "L": "L {month} ?",
    "LW": "LW {month} ?",
    "L-": "L-{value} {month} ?",
    "W": "{value}W {month} ?",
    "lastday": "? {month} {value}L",
    "first": "? {month} {value}#1",
    "third": "? {month} {value}#3",
    "weekday": "? {month} {value}",
}


@st.composite
def plain_fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """A field as it is written, and the values that it means."""
    size = high - low + 1
    parts, values = [], set()
    for _ in range(draw(st.integers(1, 3))):
        first, last = draw(st.integers(low, high)), draw(st.integers(low, high))
        step = draw(st.integers(1, size))
        kind = draw(st.sampled_from(["one", "range", "step", "range/step"]))
        if kind == "one":
            parts.append(f"{first}")
            values |= {first}
            continue
        if kind == "step":
            parts.append(f"{first}/{step}")
            values |= {v for v in range(low, high + 1) if v >= first and (v - first) % step == 0}
            continue
        walk = [first]  # a range may wrap round
        while walk[-1] != last:
            walk.append(walk[-1] + 1 if walk[-1] < high else low)
        parts.append(f"{first}-{last}" + (f"/{step}" if kind == "range/step" else ""))
        values |= set(walk[:: step if kind == "range/step" else 1])
    return ",".join(parts), values


@given(minute=plain_fields(0, 59), hour=plain_fields(0, 23), month=plain_fields(1, 12), day=days)
def test_it_runs_when_a_look_at_every_minute_says_so(
    minute: tuple[str, set[int]],
    hour: tuple[str, set[int]],
    month: tuple[str, set[int]],
    day: tuple[str, int],
) -> None:
    kind, value = day
    text = f"{minute[0]} {hour[0]} {WRITTEN[kind].format(value=value, month=month[0])} *"
    expected: list[datetime] = []
    for offset in range(DAYS):
        at = (START + timedelta(days=offset)).date()
        if at.month in month[1] and at.day in month_days(kind, value, at.year, at.month):
            expected += [
                datetime(at.year, at.month, at.day, h, m, tzinfo=UTC)
                for h in range(24)
                if h in hour[1]
                for m in range(60)
                if m in minute[1]
            ]
        if len(expected) > 40:
            break
    if not expected:
        try:
            _cron.parse(text)
        except WrongUsage:
            return  # there is no such day at all: 31 February
    found = runs(text, "UTC", START - timedelta(minutes=1), 40)
    within = [run for run in found if run < START + timedelta(days=DAYS)]
    assert within == expected[:40][: len(within)]
    assert len(within) == min(40, len(expected))


def test_names_and_numbers_mean_the_same() -> None:
    assert runs("0 9 ? JAN-MAR MON-FRI *", "UTC", START, 99) == runs("0 9 ? 1-3 2-6 *", "UTC", START, 99)
    assert runs("0 9 ? * FRI-MON *", "UTC", START, 9)[0].weekday() == calendar.FRIDAY  # 1 January 2027
    assert _cron.parse("cron(0 9 * * ? *)").expression == "cron(0 9 * * ? *)"


def test_hours_are_those_of_the_zone() -> None:
    (run,) = runs("30 2 * * ? *", "Asia/Kolkata", START, 1)
    assert run.isoformat() == "2027-01-02T02:30:00+05:30"
    assert run.astimezone(UTC).isoformat() == "2027-01-01T21:00:00+00:00"


def test_an_hour_that_the_clocks_skip_has_no_run_and_one_they_repeat_has_one() -> None:
    spring = runs("30 2 * 3 ? 2027", "America/New_York", START, 31)
    assert [r.day for r in spring] == [d for d in range(1, 32) if d != 14]
    autumn = runs("30 1 7 11 ? 2027", "America/New_York", START, 5)
    assert len(autumn) == 1


def test_leap_days_and_years_far_away_are_found() -> None:
    assert [r.year for r in runs("0 0 29 2 ? *", "UTC", START, 3)] == [2028, 2032, 2036]
    assert [r.date() for r in runs("0 0 1 1 ? 2150", "UTC", START, 3)] == [date(2150, 1, 1)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("* * * * *", "'\\* \\* \\* \\* \\? \\*'"),
        ("0 2 * * 1-5", "'0 2 \\? \\* MON-FRI \\*'"),
        ("0 2 * * 0,6", "'0 2 \\? \\* SUN,SAT \\*'"),
        ("0 2 1 * *", "'0 2 1 \\* \\? \\*'"),
        ("0 2 * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("0 2 * * * *", "has it for neither"),
        ("0 2 ? * ? *", "has it for both"),
        ("60 2 * * ? *", "'60' is not a value for minutes.*0-59"),
        ("0 24 * * ? *", "hours.*0-23"),
        ("0 2 32 * ? *", "day of the month"),
        ("0 2 * 13 ? *", "month.*JAN-DEC"),
        ("0 2 ? * 8 *", "day of the week.*SUN-SAT"),
        ("0 2 ? * MON#6 *", "day of the week"),
        ("0 2 * * ? 1969", "year.*1970-2199"),
        ("0 2 * * ? 2030-2029", "first year is after the last"),
        ("*/0 2 * * ? *", "above 0"),
        ("0/x 2 * * ? *", "above 0"),
        ("0 2 31W * ? 2001", "never runs"),
        ("0 2 31 2 ? *", "never runs"),
        ("0 2 L-31 * ? *", "L-31"),
        ("1,,2 2 * * ? *", "minutes"),
        ("٣ 2 * * ? *", "minutes"),
    ],
)
def test_what_eventbridge_would_refuse_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(WrongUsage) as refusal:
        _cron.parse(text)
    assert refusal.match(told)


@pytest.mark.parametrize("name", ["Asia/Pune", "", "../etc/passwd", "IST+5", "/etc/localtime"])
def test_a_time_zone_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(WrongUsage, match="no time zone"):
        _cron.zone(name)
