"""The rules of the alerts: read from a file, each mistake told with the rule and the field it is in."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from crime_jobs.errors import WrongUsage
from crime_jobs.model.fir_event import GROUPS, FirEvent
from crime_jobs.model.fir_sections import ACTS, offences
from crime_jobs.model.heads import labels

SHIPPED = "alert-rules.toml"

_NAME = re.compile(r"[a-z0-9-]{1,40}")

#: A month: the longest window, and the oldest news.
_LONGEST = 31 * 24 * 60
_DAY = 24 * 60


class _Rule(BaseModel):
    """What every rule has.

    Parameters
    ----------
    states
        Codes of the states it is about; all when empty.
    groups
        Crime groups it is about; all when empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    states: tuple[Annotated[str, Field(pattern=r"^IN-[A-Z]{2}$")], ...] = ()
    groups: tuple[str, ...] = ()

    @field_validator("groups")
    @classmethod
    def _known_groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(groups) - set(GROUPS):
            raise ValueError(f"no group is called {min(unknown)}; there are {', '.join(GROUPS)}")
        return groups

    def concerns(self, event: FirEvent) -> bool:
        """Tell whether a FIR is of the states and groups of the rule."""
        return (not self.states or event.state_code in self.states) and (
            not self.groups or event.crime_group in self.groups
        )


class Grave(_Rule):
    """One FIR is enough.

    Parameters
    ----------
    grave
        Those that the vocabulary of sections calls grave.
    crime_heads
        Those of these heads.
    sections
        Those under one of these: ``BNS:103`` is also ``BNS:103(1)``.
    max_age_hours
        A FIR that reaches the stream so long after it was reported is no news any more.
    """

    kind: Literal["grave"]
    grave: bool = False
    crime_heads: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    max_age_hours: float = Field(default=72, gt=0, le=_LONGEST / 60)

    @field_validator("crime_heads")
    @classmethod
    def _known_heads(cls, heads: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(heads) - _heads():
            raise ValueError(f"no crime head is called {min(unknown)}")
        return heads

    @field_validator("sections")
    @classmethod
    def _real_sections(cls, sections: tuple[str, ...]) -> tuple[str, ...]:
        for section in sections:
            act, sign, number = section.partition(":")
            if act not in ACTS or not sign or not number:
                raise ValueError(f"{section} is no section; it looks like BNS:103, of {', '.join(ACTS)}")
        return sections

    @model_validator(mode="after")
    def _says_something(self) -> Grave:
        if not (self.grave or self.crime_heads or self.sections):
            raise ValueError("one of grave, crime_heads, sections is needed")
        return self

    def holds(self, event: FirEvent, arrived: datetime) -> bool:
        """Tell whether a FIR is one to be told of.

        Parameters
        ----------
        event
            The FIR.
        arrived
            When the stream took it. A reported time after it is a clock that is wrong, and never a reason
            to keep silent.
        """
        if not self.concerns(event) or arrived - event.reported_at > timedelta(hours=self.max_age_hours):
            return False
        return (self.grave and event.is_grave) or event.crime_head in self.crime_heads or self._under(event)

    def _under(self, event: FirEvent) -> bool:
        return any(
            said == one or said.startswith(f"{one}(")
            for said in event.sections.split(";")
            for one in self.sections
        )


class Window(_Rule):
    """Several FIRs in a while, by the time that the stream took them.

    Parameters
    ----------
    window_minutes
        How long the while is. A FIR that was reported longer before it arrived is not counted: a station
        that was cut off and sends a day's FIRs at once is no surge.
    """

    window_minutes: int = Field(ge=1, le=_LONGEST)

    @property
    def milliseconds(self) -> int:
        """The while, as the counts have it."""
        return self.window_minutes * 60_000

    def counts(self, event: FirEvent, arrived: datetime) -> bool:
        """Tell whether a FIR is one to be counted.

        Parameters
        ----------
        event
            The FIR.
        arrived
            When the stream took it.
        """
        return self.concerns(event) and arrived - event.reported_at <= timedelta(minutes=self.window_minutes)


class Surge(Window):
    """Many more FIRs of a group than the district has as a rule.

    Parameters
    ----------
    factor
        How many times as many as the baseline expects.
    minimum
        Fewer are no surge, whatever is expected.
    """

    kind: Literal["surge"]
    window_minutes: int = Field(ge=1, le=_DAY)
    factor: float = Field(gt=1, le=50)
    minimum: int = Field(ge=2, le=5000)

    def counts(self, event: FirEvent, arrived: datetime) -> bool:
        """Tell whether a FIR counts: a Zero FIR belongs to another district, where it is counted later."""
        return not event.is_zero and super().counts(event, arrived)


class RepeatLocation(Window):
    """Several FIRs in one place, a cell of the map of about 150 m.

    Parameters
    ----------
    count
        How many.
    """

    kind: Literal["repeat_location"]
    count: int = Field(ge=2, le=5000)

    def counts(self, event: FirEvent, arrived: datetime) -> bool:
        """Tell whether a FIR counts: a protected one has no place, and would have none here either."""
        return event.location_cell is not None and not event.is_protected and super().counts(event, arrived)


Rule = Grave | Surge | RepeatLocation
Rules = dict[str, Rule]

_RULE: TypeAdapter[Rule] = TypeAdapter(Annotated[Rule, Field(discriminator="kind")])


@cache
def _heads() -> frozenset[str]:
    return frozenset(labels()) | {one.crime_head for one in offences().values()}


def parse(text: str, name: str) -> Rules:
    """Read rules.

    Parameters
    ----------
    text
        TOML, a table a rule.
    name
        Name of the file, for messages.

    Returns
    -------
    dict
        Rules by their names.

    Raises
    ------
    WrongUsage
        If it has a mistake; the rule and the field are named.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WrongUsage(f"{name} is not valid TOML: {error}.", hint="Correct the file.") from error
    rules: Rules = {}
    for rule, values in document.items():
        if not _NAME.fullmatch(rule):
            raise WrongUsage(
                f"{name}: rule {rule!r}: the name is not of small letters, digits and hyphens (40 at most)."
            )
        try:
            rules[rule] = _RULE.validate_python(values)
        except ValidationError as error:
            raise WrongUsage(f"{name}: rule {rule!r}: {_first(error)}.", hint="Correct the file.") from error
    if not rules:
        raise WrongUsage(f"{name} has no rule.", hint="Each table of it is one: [grave-offence].")
    return rules


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    if found["type"] in {"union_tag_not_found", "union_tag_invalid"}:
        return "field kind: it is one of grave, surge, repeat_location"
    # The first part of the place is the kind, which chose the model.
    where = ".".join(str(part) for part in found["loc"][1:])
    said = found["msg"].removeprefix("Value error, ")
    return f"field {where}: {said}" if where else said


def load(path: str | None) -> Rules:
    """Read the rules' file.

    Parameters
    ----------
    path
        The file; by default the one that comes with the package.

    Returns
    -------
    dict
        Rules by their names.

    Raises
    ------
    WrongUsage
        If it can't be read or has a mistake.
    """
    if path is None:
        return parse((files("crime_jobs.stream") / SHIPPED).read_text(encoding="utf-8"), SHIPPED)
    try:
        return parse(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(
            f"The alerts' rules {path} can't be read: {type(error).__name__}.",
            hint="Correct alert_rules in the environment's section of crime-jobs.toml.",
        ) from error
