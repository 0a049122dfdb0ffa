"""Partition projection: which partitions a table has by its properties alone.

https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

import calendar
import itertools
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from crime_engines.athena.wrong import QueryFailed
from crime_engines.glue.catalog import Table, hive_path

#: Partitions that are looked at for one query: beyond them Athena would take minutes too.
MOST = 1_000_000

_NOW = re.compile(r"NOW(?:\s*(?P<sign>[+-])\s*(?P<count>\d+)\s*(?P<unit>[A-Z]+?)S?)?")
_UNITS = {"SECOND": "seconds", "MINUTE": "minutes", "HOUR": "hours", "DAY": "days", "WEEK": "weeks"}
_MONTHS = {"MONTH": 1, "YEAR": 12}
#: Java's letters of a date's format, longest first.
_LETTERS = {"yyyy": "%Y", "yy": "%y", "MMM": "%b", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


def is_projected(table: Table) -> bool:
    """Say whether a table's partitions are projected.

    Parameters
    ----------
    table
        The table.
    """
    return table.parameters.get("projection.enabled", "").lower() == "true" and bool(table.keys)


def projected(table: Table, fixed: Mapping[str, list[str]]) -> dict[tuple[str, ...], str]:
    """Return the partitions: their values and where they are.

    Parameters
    ----------
    table
        The table.
    fixed
        Values that a query asks for by ``=`` or ``IN``: an injected column has no others.

    Raises
    ------
    QueryFailed
        If the properties are wrong, or an injected column has no value.
    """
    names = [str(key["Name"]) for key in table.keys]
    values = [_values(table, name, fixed.get(name)) for name in names]
    total = 1
    for some in values:
        total *= len(some)
    if total > MOST:
        raise QueryFailed(
            f"INVALID_TABLE_PROPERTY: Table {table.database}.{table.name} projects {total} partitions; "
            f"at most {MOST} are looked at here: narrow the projection's range"
        )
    template = table.parameters.get("storage.location.template")
    found = {}
    for chosen in itertools.product(*values):
        if template:
            place = template
            for name, value in zip(names, chosen, strict=True):
                place = place.replace(f"${{{name}}}", value)
        else:
            place = table.location + hive_path(table.keys, chosen)
        found[chosen] = place.rstrip("/") + "/"
    return found


def _values(table: Table, name: str, fixed: list[str] | None) -> list[str]:
    properties = table.parameters
    kind = properties.get(f"projection.{name}.type", "").lower()
    if kind == "enum":
        return [one.strip() for one in _needed(table, name, "values").split(",")]
    if kind == "integer":
        return _integers(table, name)
    if kind == "date":
        return _dates(table, name)
    if kind == "injected":
        if not fixed:
            raise QueryFailed(
                f"CONSTRAINT_VIOLATION: For the injected projected partition column {name}, the WHERE clause "
                "must contain only static equality conditions, and at least one such condition "
                "must be present."
            )
        return fixed
    raise _wrong(table, f"Table property 'projection.{name}.type' is missing or not valid: {kind!r}")


def _integers(table: Table, name: str) -> list[str]:
    begin, _, end = _needed(table, name, "range").partition(",")
    step = table.parameters.get(f"projection.{name}.interval", "1")
    digits = table.parameters.get(f"projection.{name}.digits", "0")
    try:
        numbers = range(int(begin), int(end) + 1, int(step))
        width = int(digits)
    except ValueError as error:
        raise _wrong(table, f"'projection.{name}.range', interval or digits is no whole number") from error
    if len(numbers) > MOST:
        raise _wrong(
            table, f"'projection.{name}.range' has {len(numbers)} values, at most {MOST} are taken here"
        )
    return [str(number).zfill(width) for number in numbers]


def _dates(table: Table, name: str) -> list[str]:
    begin, _, end = _needed(table, name, "range").partition(",")
    form = _format(table, name, _needed(table, name, "format"))
    unit = table.parameters.get(f"projection.{name}.interval.unit", _unit_of(form)).upper().rstrip("S")
    count = int(table.parameters.get(f"projection.{name}.interval", "1"))
    try:
        now, last = _moment(begin.strip(), form), _moment(end.strip(), form)
    except ValueError as error:
        raise _wrong(table, f"'projection.{name}.range' is not of the format: {error}") from error
    first, found, at = now, [], 0
    while now <= last:
        found.append(now.strftime(form))
        if len(found) > MOST:
            raise _wrong(table, f"'projection.{name}.range' has more than {MOST} values")
        at += count
        now = _added(first, unit, at)
    return list(dict.fromkeys(found))


def _format(table: Table, name: str, java: str) -> str:
    found, left = "", java
    while left:
        if left[0] == "'":
            quoted, _, left = left[1:].partition("'")
            found += quoted.replace("%", "%%")
            continue
        letters = next((one for one in _LETTERS if left.startswith(one)), None)
        if letters is None and left[0].isalpha():
            raise _wrong(table, f"'projection.{name}.format' {java!r} is not taken here")
        found += _LETTERS[letters] if letters else left[0].replace("%", "%%")
        left = left[len(letters or left[0]) :]
    return found


def _moment(text: str, form: str) -> datetime:
    if found := _NOW.fullmatch(text.upper()):
        now = datetime.now(UTC).replace(tzinfo=None)
        if found["count"]:
            now = _added(now, found["unit"], int(found["count"]) * (1 if found["sign"] == "+" else -1))
        return datetime.strptime(now.strftime(form), form)
    return datetime.strptime(text, form)


def _added(moment: datetime, unit: str, count: int) -> datetime:
    """Add to a moment; a month's day that is not there is its last."""
    if unit in _MONTHS:
        months = moment.year * 12 + moment.month - 1 + _MONTHS[unit] * count
        year, month = divmod(months, 12)
        return moment.replace(
            year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1])
        )
    if unit not in _UNITS:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: {unit} is no unit of an interval")
    return moment + timedelta(**{_UNITS[unit]: count})


def _unit_of(form: str) -> str:
    for mark, unit in (
        ("%S", "SECONDS"),
        ("%M", "MINUTES"),
        ("%H", "HOURS"),
        ("%d", "DAYS"),
        ("%m", "MONTHS"),
    ):
        if mark in form:
            return unit
    return "YEARS"


def _needed(table: Table, name: str, what: str) -> str:
    if (found := table.parameters.get(f"projection.{name}.{what}")) is None:
        raise _wrong(table, f"Table property 'projection.{name}.{what}' is missing")
    return found


def _wrong(table: Table, what: str) -> QueryFailed:
    return QueryFailed(f"INVALID_TABLE_PROPERTY: {table.database}.{table.name}: {what}")
