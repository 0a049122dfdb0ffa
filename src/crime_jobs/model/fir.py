"""The First Information Report: a record after Integrated Investigation Form I (IIF-I), and its event.

The form is that of the Integrated Investigation Forms (NCRB, CCTNS), registered under section 173 of the
Bharatiya Nagarik Suraksha Sanhita (BNSS), 2023. Whatever is wrong with one is told by field and kind, never
by value: a FIR holds names, addresses and victims.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from crime_jobs.model.fir_event import PLACE, Dated, FirEvent, reasons
from crime_jobs.model.fir_sections import ACTS, Offence, group_of, offence, principal
from crime_jobs.model.geohash import geohash
from crime_jobs.model.places import district_name, states

#: Version of the form below.
FORM_VERSION: Literal[1] = 1

#: Of full years; a person younger is a child (JJ Act 2015, section 2(12)).
ADULT = 18

#: A FIR may name a time a little in the future: clocks of stations differ.
CLOCK_SKEW = timedelta(minutes=10)

_SECTION = r"^\d{1,3}[A-Z]{0,2}(\([0-9a-zA-Z]{1,4}\)){0,3}$"
_KEY = r"^IN-[A-Z]{2}/[^/#]{1,60}/[^/#]{1,60}/\d{4}/Z\d{4,7}$"

Text = Annotated[str, Field(min_length=1, max_length=200)]


class BadFir(ValueError):  # noqa: N818 - says what the record is
    """A record that is no valid FIR; its message names fields and what is wrong, never a value."""


class _Form(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True
    )


class ActSection(_Form):
    """An act and a section of it (form: 2).

    Parameters
    ----------
    act
        One of `crime_jobs.model.fir_sections.ACTS`.
    section
        As the act numbers it: ``103(1)``, ``304A``.
    """

    act: Literal[ACTS]  # type: ignore[valid-type]
    section: str = Field(pattern=_SECTION)


class Person(_Form):
    """A complainant, accused or victim (form: 6 and 7).

    Parameters
    ----------
    name
        Name, or how an unknown person is described.
    relative
        Father's, husband's or guardian's name.
    age
        Full years.
    sex
        ``F``, ``M`` or ``T``.
    address, phone, occupation
        As given.
    """

    name: Text
    relative: Text | None = None
    age: int | None = Field(default=None, ge=0, le=130)
    sex: Literal["F", "M", "T"] | None = None
    address: str | None = Field(default=None, max_length=500)
    phone: str | None = Field(default=None, max_length=20)
    occupation: Text | None = None


class Place(_Form):
    """Where it happened (form: 5).

    Parameters
    ----------
    address
        As given; travels sealed.
    beat
        Number of the beat.
    distance_km
        From the station, kilometres.
    latitude, longitude
        Degrees, WGS 84; both or neither.
    """

    address: str | None = Field(default=None, max_length=500)
    beat: str | None = Field(default=None, max_length=20)
    distance_km: float | None = Field(default=None, ge=0, le=2000)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)

    @model_validator(mode="after")
    def _both(self) -> Place:
        if (self.latitude is None) != (self.longitude is None):
            raise PydanticCustomError("latitude_and_longitude", "both or neither")
        return self


class Fir(_Form):
    """A First Information Report.

    Parameters
    ----------
    form_version
        Version of this form.
    state_code, district, police_station
        Where it is registered (form: 1). The district is spelt as `crime_facts` has it.
    fir_number, fir_year
        Number within station and year (form: 1); Zero FIRs have numbers of their own.
    is_zero
        Registered at a station that it does not belong to (BNSS 173(1)).
    zero_key
        Of a FIR that was a Zero FIR before: that one's key.
    acts
        Acts and sections (form: 2), the first by default the principal offence among equals.
    occurred_from, occurred_to
        When it happened (form: 3); with a zone.
    reported_at
        When the station was told (form: 3(b)).
    place
        Where (form: 5).
    complainant, accused, victims
        Persons (form: 6, 7).
    text
        What was said (form: 12).
    """

    form_version: Literal[1] = FORM_VERSION
    state_code: str
    district: str = Field(pattern=PLACE)
    police_station: str = Field(pattern=PLACE)
    fir_number: int = Field(ge=1, le=9_999_999)
    fir_year: int = Field(ge=1950, le=2100)
    is_zero: bool = False
    zero_key: str | None = Field(default=None, pattern=_KEY)
    acts: tuple[ActSection, ...] = Field(min_length=1, max_length=20)
    occurred_from: Dated
    occurred_to: Dated | None = None
    reported_at: Dated
    place: Place = Field(default_factory=Place)
    complainant: Person
    accused: tuple[Person, ...] = Field(default=(), max_length=100)
    victims: tuple[Person, ...] = Field(default=(), max_length=100)
    text: str = Field(min_length=1, max_length=50_000)

    @field_validator("state_code")
    @classmethod
    def _known_state(cls, value: str) -> str:
        if value not in states():
            raise PydanticCustomError("unknown_state", "not a code of india_states.geojson")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Fir:
        if self.is_zero and self.zero_key:
            raise PydanticCustomError("zero_of_zero", "a Zero FIR was none before")
        if self.reported_at < self.occurred_from:
            raise PydanticCustomError("reported_before_it_occurred", "reported_at is before occurred_from")
        if self.occurred_to and self.occurred_to < self.occurred_from:
            raise PydanticCustomError("ends_before_it_begins", "occurred_to is before occurred_from")
        return self

    @classmethod
    def parse(cls, given: Mapping[str, Any] | str | bytes) -> Fir:
        """Read a FIR.

        Parameters
        ----------
        given
            The form as a mapping, or as a JSON text.

        Returns
        -------
        Fir
            With the district spelt as `crime_facts` has it.

        Raises
        ------
        BadFir
            If it is not one: every field that is wrong, and what kind of wrong.
        """
        try:
            if isinstance(given, Mapping):
                given = json.dumps(given)
            found = cls.model_validate_json(given)
        except ValidationError as error:
            raise BadFir(reasons(error)) from None
        except (TypeError, ValueError):
            raise BadFir("record: not an object that JSON can hold") from None
        spelt = {"district": district_name(found.state_code, found.district)}
        if found.zero_key:
            spelt["zero_key"] = _spelt(found.zero_key)
        return found.model_copy(update=spelt)

    @property
    def key(self) -> str:
        """``state/district/station/year/number``: the same for a FIR sent twice, its own for a Zero FIR."""
        number = f"{'Z' if self.is_zero else ''}{self.fir_number:04d}"
        return f"{self.state_code}/{self.district}/{self.police_station}/{self.fir_year}/{number}"

    @property
    def offences(self) -> tuple[Offence, ...]:
        """What its sections stand for, in their order."""
        return tuple(offence(one.act, one.section) for one in self.acts)

    @property
    def persons(self) -> Iterator[Person]:
        """All persons in it."""
        yield self.complainant
        yield from self.accused
        yield from self.victims

    @property
    def is_protected(self) -> bool:
        """Whether nobody may be told whom it is about: a sexual offence, or a child among its persons."""
        child = any(person.age is not None and person.age < ADULT for person in self.persons)
        return child or any(found.protected for found in self.offences)

    @property
    def identity(self) -> bytes | None:
        """What is sealed before it leaves: persons, address and text as JSON; ``None`` when protected."""
        if self.is_protected:
            return None
        kept = self.model_dump(mode="json", include={"complainant", "accused", "victims", "text", "place"})
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()

    @property
    def content_hash(self) -> str:
        """SHA-256 of all that it says.

        Names could be guessed from a hash of them alone, so the whole form goes in, text included; of a
        protected FIR only what travels does.
        """
        left_out = {"complainant", "accused", "victims", "text", "place"} if self.is_protected else set()
        said = self.model_dump(mode="json", exclude=left_out)
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _spelt(zero_key: str) -> str:
    """Write a Zero FIR's key as that FIR's own `Fir.key` has it."""
    state_code, district, station, year, number = zero_key.split("/")
    spelt = district_name(state_code, district)
    return f"{state_code}/{spelt}/{station}/{year}/Z{int(number[1:]):04d}"


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the form, draft 2020-12."""
    schema = Fir.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def make_event(fir: Fir, sealed: str | None, sent_at: datetime | None = None) -> FirEvent:
    """Make what travels of a FIR.

    Parameters
    ----------
    fir
        The FIR.
    sealed
        Its `Fir.identity`, sealed, as base64; ``None`` when it is protected.
    sent_at
        When; by default now.

    Returns
    -------
    FirEvent
        Of a protected FIR without identity and without coordinates.

    Raises
    ------
    BadFir
        If a protected FIR comes with an identity, or another without; if it names a time in the future.
    """
    now = sent_at or datetime.now(UTC)
    protected = fir.is_protected
    if protected != (sealed is None):
        raise BadFir(f"identity: {'a protected FIR has none' if protected else 'missing'}")
    if fir.reported_at > now + CLOCK_SKEW:
        raise BadFir("reported_at: in the future")
    main = principal(fir.offences)
    latitude = None if protected else fir.place.latitude
    longitude = None if protected else fir.place.longitude
    cell = None if latitude is None or longitude is None else geohash(latitude, longitude)
    sections = ";".join(f"{one.act}:{one.section}" for one in fir.acts)
    return FirEvent(
        fir_key=fir.key,
        state_code=fir.state_code,
        district=fir.district,
        police_station=fir.police_station,
        fir_number=fir.fir_number,
        fir_year=fir.fir_year,
        is_zero=fir.is_zero,
        zero_key=fir.zero_key,
        sections=sections,
        crime_head=main.crime_head,
        crime_group=group_of(main.crime_head),
        against_women=any(found.against_women for found in fir.offences),
        is_grave=any(found.grave for found in fir.offences),
        is_protected=protected,
        occurred_at=fir.occurred_from,
        reported_at=fir.reported_at,
        latitude=latitude,
        longitude=longitude,
        location_cell=cell,
        content_hash=fir.content_hash,
        sent_at=now,
        identity=sealed,
    )
