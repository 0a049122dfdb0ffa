"""What travels of a First Information Report: typed columns in one order, the identity sealed.

Streams, DynamoDB, Flink and Redshift all have these columns. A record of a stream is a JSON object and a line
end (Firehose puts records one after the other), written by `FirEvent.to_bytes`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

#: Version of the columns below. A consumer refuses one it does not know: it can't tell what it would lose.
SCHEMA_VERSION = 1

#: The groups that a FIR belongs to one of; see `crime_jobs.model.fir_sections.group_of`.
GROUPS = (
    "violent",
    "against_women",
    "against_body",
    "property",
    "economic",
    "public_order",
    "traffic",
    "other",
)

#: The name of a district or station: what keys are made of has neither slash nor hash.
PLACE = r"^[^/#\x00-\x1f]{1,60}$"
_KEY = r"^[^/#]+/[^/#]+/[^/#]+/\d{4}/Z?\d{4,}$"


#: Years that a FIR may name.
FIRST_YEAR, LAST_YEAR = 1900, 2200


class BadEvent(ValueError):  # noqa: N818 - says what the record is
    """A record that is no FIR event; its message names fields and never has a value."""


@dataclass(frozen=True)
class Column:
    """A column: its name, its type, whether it may be null, and its meaning.

    The type is one of ``int``, ``string(n)`` (characters), ``boolean``, ``double``, ``timestamp(3)`` (UTC).
    """

    name: str
    type: str
    nullable: bool
    comment: str


COLUMNS = (
    Column("schema_version", "int", False, "version of these columns"),
    Column(
        "fir_key",
        "string(200)",
        False,
        "state/district/station/year/number; Z before the number of a Zero FIR",
    ),
    Column("state_code", "string(5)", False, "code as in india_states.geojson"),
    Column("district", "string(60)", False, "district, spelt as in crime_facts"),
    Column("police_station", "string(60)", False, "police station"),
    Column("fir_number", "int", False, "number within station and year"),
    Column("fir_year", "int", False, "year of the number"),
    Column("is_zero", "boolean", False, "registered away from where it belongs (BNSS 173)"),
    Column("zero_key", "string(200)", True, "key of the Zero FIR that this one was before"),
    Column("sections", "string(400)", False, "acts and sections, as BNS:103(1);BNS:3(5)"),
    Column("crime_head", "string(60)", False, "crime head, the principal offence's"),
    Column("crime_group", "string(40)", False, "the one group it is counted in"),
    Column("against_women", "boolean", False, "an offence against women"),
    Column("is_grave", "boolean", False, "of the offences that the control room hears of at once"),
    Column("is_protected", "boolean", False, "sexual offence or a child's case: no identity, no place"),
    Column("occurred_at", "timestamp(3)", False, "when the offence began"),
    Column("reported_at", "timestamp(3)", False, "when the station was told: the event time"),
    Column("latitude", "double", True, "degrees north, WGS 84"),
    Column("longitude", "double", True, "degrees east, WGS 84"),
    Column("location_cell", "string(12)", True, "geohash of 7 characters, about 150 m"),
    Column("content_hash", "string(64)", False, "SHA-256 of what the FIR says"),
    Column("sent_at", "timestamp(3)", False, "when the producer made this event"),
    Column("identity", "string(200000)", True, "persons, address and text, sealed; null when protected"),
)

#: What SQL sees: never the identity, sealed or not.
SQL_COLUMNS = tuple(column for column in COLUMNS if column.name != "identity")


def _of_our_time(value: datetime) -> datetime:
    """Refuse a date that no FIR has: some programs write the year 1, which has no UTC east of Greenwich."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise PydanticCustomError("year_out_of_range", "a year that no FIR has")
    return value


def _to_utc(value: datetime) -> datetime:
    """Cut to milliseconds and move to UTC: what every reader of the columns can hold."""
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def iso(when: datetime) -> str:
    """Write a time as the columns have it.

    Parameters
    ----------
    when
        A time with a zone.

    Returns
    -------
    str
        ``2026-11-24T10:15:30.123Z``.
    """
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


#: A time with a zone, in a year that a FIR may name.
Dated = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
#: The same as the columns have it: UTC, milliseconds.
Moment = Annotated[Dated, AfterValidator(_to_utc)]


class FirEvent(BaseModel):
    """One FIR as it travels; the fields are `COLUMNS`, in their order.

    Two of them with one ``fir_key`` and one ``content_hash`` are the same FIR, sent twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    fir_key: str = Field(max_length=200, pattern=_KEY)
    state_code: str = Field(pattern=r"^IN-[A-Z]{2}$")
    district: str = Field(pattern=PLACE)
    police_station: str = Field(pattern=PLACE)
    fir_number: int = Field(ge=1, le=9_999_999)
    fir_year: int = Field(ge=1950, le=2100)
    is_zero: bool
    zero_key: str | None = Field(default=None, max_length=200, pattern=_KEY)
    sections: str = Field(min_length=1, max_length=400)
    crime_head: str = Field(min_length=1, max_length=60)
    crime_group: str = Field(min_length=1, max_length=40)
    against_women: bool
    is_grave: bool
    is_protected: bool
    occurred_at: Moment
    reported_at: Moment
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    location_cell: str | None = Field(default=None, max_length=12)
    content_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    sent_at: Moment
    identity: str | None = Field(default=None, max_length=200_000)

    @model_validator(mode="after")
    def _withheld(self) -> FirEvent:
        """Hold every sender to it, whoever it is: what must not travel is no FIR event, but a dead letter."""
        kept = (self.identity, self.latitude, self.longitude, self.location_cell)
        if self.is_protected and kept != (None,) * len(kept):
            raise PydanticCustomError("protected_with_identity", "a protected FIR has no identity, no place")
        return self

    @property
    def partition_key(self) -> str:
        """The police station: a station's FIRs stay in order."""
        return f"{self.state_code}/{self.district}/{self.police_station}"

    def as_dict(self) -> dict[str, Any]:
        """Return the columns as JSON has them, in order, nulls included."""
        values = dict(self)
        for name in ("occurred_at", "reported_at", "sent_at"):
            values[name] = iso(values[name])
        return values

    def to_bytes(self) -> bytes:
        """Return the record: a JSON object on a line of its own, UTF-8."""
        return json.dumps(self.as_dict(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> FirEvent:
        """Read a record.

        Parameters
        ----------
        data
            As `to_bytes` writes it.

        Returns
        -------
        FirEvent

        Raises
        ------
        BadEvent
            If it is not one, with the fields that are wrong and why; never with a value.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise BadEvent(reasons(error)) from None


def reasons(error: ValidationError) -> str:
    """Say which fields are wrong and why, without their values.

    Parameters
    ----------
    error
        What pydantic raised. Its messages quote what was given, so only the kind of error is told, and of
        a name that the model does not know nothing: it may be anything that somebody wrote.

    Returns
    -------
    str
        For example ``fir_number: missing; reported_at: datetime_from_date_parsing``.
    """
    told = []
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    for found in errors:
        place = found["loc"]
        # pydantic counts only the entries that are right: a list of one wrong entry is not too short.
        if found["type"] == "too_short" and any(e["loc"][: len(place)] == place != e["loc"] for e in errors):
            continue
        if found["type"] == "extra_forbidden":
            told.append("a field of another name: extra_forbidden")
            continue
        where = ".".join(str(part) for part in place) or "record"
        told.append(f"{where}: {found['type']}")
    return "; ".join(dict.fromkeys(told))
