"""Who did what to whom on a watch list: lines that are only added, each with the hash of the one before.

A line that is changed, removed or put in between breaks the chain, and `Audit.verify` says where. What it
can't see is that the last lines are cut off: keep the hash of the last line elsewhere, and compare.

The day's lines are a partition of the table. A day ends with a line that says so, written together with the
first of the next: so two writers at midnight, or one whose clock is slow, can't both go on from one line.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.errors import AwsRefused, CrimeJobsError, JobFailed
from crime_jobs.faces._tables import reading

if TYPE_CHECKING:
    from crime_jobs.model.faces import FaceSettings
    from crime_jobs.settings import Settings

#: What the first line has as the hash of the one before.
NOTHING = "0" * 64
#: The partition that lists the days: its lines are the days as numbers, 20261124.
DAYS = "#days"
#: Action of the line that ends a day.
ENDS = "day-ends"

#: How often a line is tried while others write theirs, and the seconds between at most.
_ATTEMPTS, _PAUSE = 60, 0.2
#: Reasons of a cancelled transaction that go away by themselves.
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_REFUSED = "ConditionalCheckFailed"

Fact = str | int | float
#: An action of a DynamoDB transaction: ``{"Put": {…}}``, ``{"Update": {…}}``, …
TransactItem = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A line.

    Parameters
    ----------
    day, line
        Its place: the UTC date, and a number that goes on over the days.
    at
        When, UTC, ISO 8601.
    who
        ARN of whoever did it.
    action
        What was done.
    facts
        To what: ids, counts and purposes, as JSON with sorted names.
    before
        Hash of the line before.
    said
        The hash that the table has of this line.
    """

    day: str
    line: int
    at: str
    who: str
    action: str
    facts: str
    before: str
    said: str = field(default="", compare=False)

    @property
    def hash(self) -> str:
        """SHA-256 of all of it."""
        told = [self.day, self.line, self.at, self.who, self.action, self.facts, self.before]
        return hashlib.sha256(json.dumps(told, ensure_ascii=True).encode()).hexdigest()

    def row(self) -> dict[str, Any]:
        """Return it for people: the facts beside the rest."""
        try:
            facts = json.loads(self.facts)
        except ValueError:  # somebody changed it
            facts = self.facts
        return {
            "line": self.line,
            "at": self.at,
            "who": self.who,
            "action": self.action,
            "facts": facts,
        }

    def told(self) -> dict[str, Any]:
        """Return it for a terminal: its time to the second, its facts as one text."""
        row = self.row()
        facts = row["facts"]
        if isinstance(facts, dict):
            facts = " ".join(f"{name}={value}" for name, value in facts.items())
        return row | {"at": f"{self.at[:19]}Z", "facts": facts}


@dataclass(frozen=True)
class Verified:
    """What was found of the chain.

    Parameters
    ----------
    lines
        How many lines were read.
    head
        Hash of the last of them: to be kept elsewhere.
    broken
        Number of the first line that does not follow from the one before; ``None`` if all do.
    why
        What is wrong with it.
    """

    lines: int
    head: str
    broken: int | None = None
    why: str = ""


class Unexpected(CrimeJobsError):  # noqa: N818 - reads as what happened
    """A condition of an item of a transaction did not hold: nothing was written.

    Parameters
    ----------
    found
        For each item whose condition failed, by its place among the given ones, what is there: an item as
        DynamoDB has it, empty if ``ReturnValuesOnConditionCheckFailure`` did not ask for it.
    """

    def __init__(self, found: Mapping[int, Mapping[str, Any]]) -> None:
        super().__init__("Something was changed by somebody else in the meantime: nothing was written.")
        self.found = dict(found)


class Audit:
    """The lines, in their table; threads may share it.

    Parameters
    ----------
    settings
        Region and profile.
    faces
        Its table.
    now
        The present; for tests.
    """

    def __init__(
        self,
        settings: Settings,
        faces: FaceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = aws.client("dynamodb", settings)
        self._settings, self._table, self._now = settings, faces.audit_table, now
        self._lock = threading.Lock()
        self._who = ""

    def who(self) -> str:
        """Return the ARN of whoever runs this, as AWS knows him.

        Raises
        ------
        AwsRefused
            If AWS does not say.
        """
        if not self._who:
            with aws.refusals("Asking AWS who runs this"):
                self._who = str(aws.client("sts", self._settings).get_caller_identity()["Arn"])
        return self._who

    def write(self, action: str, **facts: Fact) -> None:
        """Write a line.

        Parameters
        ----------
        action
            What is done.
        **facts
            To what: ids, counts and purposes; never a person's key, a place or a name.

        Raises
        ------
        AwsRefused
            If it can't be written: then what it is about must not be done.
        """
        self.transact([], action, **facts)

    def transact(self, items: Sequence[TransactItem], action: str, **facts: Fact) -> None:
        """Write a line together with what it is about: all or nothing.

        Parameters
        ----------
        items
            Actions of a DynamoDB transaction, 97 at most.
        action, **facts
            As for `write`.

        Raises
        ------
        Unexpected
            If the condition of one of the items does not hold.
        AwsRefused
            If it can't be written.
        JobFailed
            If so many others write at the same time that our line finds no place.
        """
        who = self.who()
        with self._lock:
            for _ in range(_ATTEMPTS):
                last = self._last()
                lines = self._next(last, who, action, facts)
                if self._attempt(list(items), lines):
                    return
                time.sleep(random.uniform(0, _PAUSE))  # noqa: S311 - jitter
        raise JobFailed(
            f"No audit line could be added to {self._table}: others wrote theirs {_ATTEMPTS} times first.",
            hint="Nothing was changed. Run it again; if it stays so, the audit's index does not fit its "
            "lines: run `crime-jobs faces audit --verify`.",
        )

    def lines(self, since: str = "", until: str = "") -> Iterator[Line]:
        """Read the lines of some days.

        Parameters
        ----------
        since, until
            First and last day, ISO dates in UTC; by default all.

        Yields
        ------
        Line
            In their order.
        """
        for day in self._days(forward=True):
            if day >= since and (not until or day <= until):
                yield from (_line(item) for item in self._query(day, forward=True))

    def verify(self) -> Verified:
        """Follow the chain from its first line to its last.

        The list of the days is no line of the chain, so each day after the last that is listed is looked at
        too: whoever takes a day off the list does not hide its lines. A day is listed together with its first
        line: one without any is what is left of lines that were cut off.

        Returns
        -------
        Verified
        """
        before, number = NOTHING, 0
        for day, is_listed in self._calendar():
            if not is_listed:
                hidden = next(self._query(day, forward=False), None)
                if hidden is not None and day not in self._days(forward=True):  # not begun in this moment
                    return Verified(number, before, number + 1, f"{day} has lines and is not listed")
                continue
            begins = number
            for item in self._query(day, forward=True):
                line = _line(item)
                if wrong := _wrong(line, before, number):
                    return Verified(number, before, number + 1, wrong)
                before, number = line.hash, line.line
            if number == begins:
                return Verified(number, before, number + 1, f"{day} is listed and has no line")
        return Verified(number, before)

    def _calendar(self) -> Iterator[tuple[str, bool]]:
        """Return the days that are listed, then those from today back to the last of them; and if it is."""
        listed = sorted(self._days(forward=True))
        yield from ((day, True) for day in listed)
        day = self._now().astimezone(UTC).date()
        last = listed[-1] if listed else (day - timedelta(days=1)).isoformat()
        while day.isoformat() > last:
            yield day.isoformat(), False
            day -= timedelta(days=1)

    def _last(self) -> Line | None:
        days = self._days(forward=False)
        day = next(days, None)
        if day is None:
            return None
        item = next(self._query(day, forward=False), None)
        if item is None:
            raise JobFailed(
                f"The audit of {day} is listed and empty: lines were removed from {self._table}.",
                hint="Restore the table as it was before (point-in-time recovery); find out who it was.",
            )
        return _line(item)

    def _next(self, last: Line | None, who: str, action: str, facts: Mapping[str, Fact]) -> list[Line]:
        """Return the lines to add: ours, and before it the end of the day if a new one has begun."""
        now = self._now().astimezone(UTC)
        today, at = now.date().isoformat(), now.isoformat(timespec="milliseconds")
        told = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
        if last is None:
            return [Line(today, 1, at, who, action, told, NOTHING)]
        if today <= last.day:  # or the clock here is slow: the chain does not go back
            return [Line(last.day, last.line + 1, at, who, action, told, last.hash)]
        end = Line(last.day, last.line + 1, at, who, ENDS, "{}", last.hash)
        return [end, Line(today, end.line + 1, at, who, action, told, end.hash)]

    def _attempt(self, items: list[TransactItem], lines: Sequence[Line]) -> bool:
        from botocore.exceptions import ClientError

        puts = [self._put(_item(line), "line") for line in lines]
        if len(lines) > 1 or lines[0].line == 1:
            day = {"day": {"S": DAYS}, "line": {"N": lines[-1].day.replace("-", "")}}
            puts.append(self._put(day, "line"))
        try:
            with aws.refusals("Writing the audit line"):
                self._client.transact_write_items(TransactItems=[*items, *puts])
        except AwsRefused as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError) or aws.code_of(cause) != "TransactionCanceledException":
                raise
            reasons = cause.response.get("CancellationReasons", [])
            refused = {
                at: reason.get("Item", {})
                for at, reason in enumerate(reasons[: len(items)])
                if reason.get("Code") == _REFUSED
            }
            if refused:
                raise Unexpected(refused) from None
            ours = {reason.get("Code") for reason in reasons[len(items) :]}
            codes = {reason.get("Code") for reason in reasons}
            if _REFUSED in ours or codes & _PASSING:
                return False
            raise
        return True

    def _put(self, item: dict[str, Any], key: str) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(#line)",
                "ExpressionAttributeNames": {"#line": key},
            }
        }

    def _days(self, *, forward: bool) -> Iterator[str]:
        for item in self._query(DAYS, forward=forward):
            number = item["line"]["N"]
            yield f"{number[:4]}-{number[4:6]}-{number[6:]}"

    def _query(self, day: str, *, forward: bool) -> Iterator[dict[str, Any]]:
        request = {
            "TableName": self._table,
            "KeyConditionExpression": "#day = :day",
            "ExpressionAttributeNames": {"#day": "day"},
            "ExpressionAttributeValues": {":day": {"S": day}},
            "ScanIndexForward": forward,
            "ConsistentRead": True,
            **({} if forward else {"Limit": 1}),  # backwards only the last is asked for
        }
        more: dict[str, Any] = {}
        while True:
            with reading("Reading the audit"):
                said = self._client.query(**request, **more)
            yield from said["Items"]
            if not forward or not said.get("LastEvaluatedKey"):
                return
            more = {"ExclusiveStartKey": said["LastEvaluatedKey"]}


def _wrong(line: Line, before: str, number: int) -> str:
    """Tell what is wrong with a line that comes after that one; nothing if it is right."""
    if line.line != number + 1:
        return f"line {number + 1} is missing" if line.line > number + 1 else "it comes twice"
    if line.before != before:
        return "the line before it was changed or removed"
    return "" if line.said == line.hash else "it was changed"


def _item(line: Line) -> dict[str, Any]:
    texts = {name: getattr(line, name) for name in ("day", "at", "who", "action", "facts", "before")}
    return {
        **{name: {"S": text} for name, text in texts.items()},
        "line": {"N": str(line.line)},
        "hash": {"S": line.hash},
    }


def _line(item: Mapping[str, Any]) -> Line:
    names = ("day", "at", "who", "action", "facts", "before")
    # What somebody took away is empty here, and then the hash is another.
    texts = {name: item.get(name, {}).get("S", "") for name in names}
    # A number that is none of ours, such as 1.5, is not where it should be either.
    return Line(line=int(float(item["line"]["N"])), said=item.get("hash", {}).get("S", ""), **texts)
