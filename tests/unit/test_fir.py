"""The FIR: what is one and what is not, that no value is told, who is protected, and the event made of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.model import fir_event, fir_sections, heads
from crime_jobs.model.fir import BadFir, Fir, json_schema, make_event
from crime_jobs.model.fir_event import BadEvent, FirEvent
from crime_jobs.model.geohash import geohash

CANARY = "CANARY-7f3a"


def form(**changes: Any) -> dict[str, Any]:
    """A valid FIR, with identity that must never be told."""
    person = {"name": f"{CANARY} name", "address": f"{CANARY} street", "phone": CANARY, "age": 41}
    return {
        "state_code": "IN-UP",
        "district": "LUCKNOW",
        "police_station": "Hazratganj",
        "fir_number": 123,
        "fir_year": 2026,
        "acts": [{"act": "BNS", "section": "303(2)"}, {"act": "BNS", "section": "103(1)"}],
        "occurred_from": "2026-11-20T10:00:00+05:30",
        "reported_at": "2026-11-20T12:00:00.123456+05:30",
        "place": {"address": f"{CANARY} lane", "latitude": 26.85, "longitude": 80.95},
        "complainant": person,
        "accused": [person],
        "text": f"{CANARY} text",
    } | changes


def test_the_event_has_the_columns_in_their_order_and_nothing_of_the_identity() -> None:
    event = make_event(Fir.parse(form()), "c2VhbGVk")
    raw = event.to_bytes()
    assert list(json.loads(raw)) == [column.name for column in fir_event.COLUMNS]
    assert raw.endswith(b"}\n")
    assert raw.count(b"\n") == 1
    assert CANARY.encode() not in raw
    assert event.fir_key == "IN-UP/Lucknow/Hazratganj/2026/0123"  # as crime_facts spells the district
    assert (event.crime_head, event.crime_group, event.is_grave) == ("murder", "violent", True)
    assert event.sections == "BNS:303(2);BNS:103(1)"
    assert json.loads(raw)["reported_at"] == "2026-11-20T06:30:00.123Z"
    assert event.location_cell == geohash(26.85, 80.95)


def test_columns_and_model_are_the_same() -> None:
    assert [column.name for column in fir_event.COLUMNS] == list(FirEvent.model_fields)
    optional = {name for name, field in FirEvent.model_fields.items() if not field.is_required()}
    assert {c.name for c in fir_event.COLUMNS if c.nullable} == optional - {"schema_version"}
    assert "identity" not in {c.name for c in fir_event.SQL_COLUMNS}


@given(st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_an_event_is_read_as_it_was_written(when: datetime, minutes: int) -> None:
    moment = when.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    fir = Fir.parse(form(occurred_from=moment.isoformat(), reported_at=moment.isoformat()))
    event = make_event(fir, "c2VhbGVk", sent_at=moment)
    again = FirEvent.from_bytes(event.to_bytes())
    assert again == event
    assert again.reported_at == moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fir_number": CANARY}, "fir_number: int_parsing"),
        ({"fir_year": 26}, "fir_year: greater_than_equal"),
        ({"state_code": CANARY}, "state_code: unknown_state"),
        ({"district": f"{CANARY}/x"}, "district: string_pattern_mismatch"),
        ({"police_station": f"{CANARY}#"}, "police_station: string_pattern_mismatch"),
        ({"acts": []}, "acts: too_short"),
        ({"acts": [{"act": CANARY, "section": "1"}]}, "acts.0.act: literal_error"),
        ({"acts": [{"act": "BNS", "section": CANARY}]}, "acts.0.section: string_pattern_mismatch"),
        ({"occurred_from": "2026-11-20T10:00:00"}, "occurred_from: timezone_aware"),
        ({"reported_at": "2026-11-20T04:00:00Z"}, "record: reported_before_it_occurred"),
        ({"occurred_to": "2026-11-20T01:00:00Z"}, "record: ends_before_it_begins"),
        ({"place": {"latitude": 1.0}}, "place: latitude_and_longitude"),
        ({"complainant": {"name": CANARY, "age": 200}}, "complainant.age: less_than_equal"),
        ({"occurred_from": "0001-01-01T00:00:00+05:30"}, "occurred_from: year_out_of_range"),
        ({"occurred_to": "9999-12-31T23:59:59-05:00"}, "occurred_to: year_out_of_range"),
        ({CANARY: CANARY}, "a field of another name: extra_forbidden"),
        ({"complainant": {"name": "x", CANARY: 1}}, "a field of another name: extra_forbidden"),
        ({"is_zero": True, "zero_key": "IN-UP/Lucknow/Hazratganj/2026/Z0001"}, "record: zero_of_zero"),
        ({"zero_key": "IN-UP/Lucknow/Hazratganj/2026/0001"}, "zero_key: string_pattern_mismatch"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_never_by_value(change: dict[str, Any], told: str) -> None:
    with pytest.raises(BadFir) as caught:
        Fir.parse(form(**change))
    assert str(caught.value) == told
    assert caught.value.__cause__ is None
    assert CANARY not in repr(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_anything_else_is_refused(what: Any) -> None:
    with pytest.raises(BadFir):
        Fir.parse(json.dumps(what))


@given(st.binary(max_size=300))
def test_bytes_that_are_no_event_are_refused(data: bytes) -> None:
    with pytest.raises(BadEvent):
        FirEvent.from_bytes(data)


def test_an_event_of_another_version_is_refused_and_says_so_without_its_values() -> None:
    values = make_event(Fir.parse(form()), "c2VhbGVk").as_dict()
    newer = json.dumps(values | {"schema_version": 2, "crime_head": 5, "fir_key": CANARY}).encode()
    with pytest.raises(BadEvent) as caught:
        FirEvent.from_bytes(newer)
    assert str(caught.value) == (
        "schema_version: less_than_equal; fir_key: string_pattern_mismatch; crime_head: string_type"
    )


CHILD = {"name": CANARY, "age": 17}


@pytest.mark.parametrize(
    "change",
    [
        *({"acts": [{"act": "BNS", "section": str(section)}]} for section in range(64, 72)),
        *({"acts": [{"act": "IPC", "section": s}]} for s in ("376", "376A", "376AB", "376B", "376C", "376D", "376DA", "376DB", "376E")),
        {"acts": [{"act": "BNS", "section": "303(2)"}, {"act": "BNS", "section": "64(2)(f)"}]},
        {"acts": [{"act": "POCSO", "section": "8"}]},
        {"complainant": CHILD},
        {"victims": [CHILD]},
        {"accused": [{"name": "x", "age": 40}, CHILD]},
    ],
    ids=str,
)  # fmt: skip
def test_sexual_and_child_offences_travel_without_identity_and_place(change: dict[str, Any]) -> None:
    fir = Fir.parse(form(**change))
    assert fir.is_protected
    assert fir.identity is None
    event = make_event(fir, None)
    assert (event.identity, event.latitude, event.longitude, event.location_cell) == (None,) * 4
    assert CANARY.encode() not in event.to_bytes()
    with pytest.raises(BadFir, match="a protected FIR has none"):
        make_event(fir, "c2VhbGVk")


def test_what_travels_of_a_protected_fir_does_not_depend_on_who_it_is_about() -> None:
    acts = [{"act": "POCSO", "section": "4"}]
    one, other = (
        make_event(Fir.parse(form(acts=acts, complainant={"name": name}, text=name)), None, datetime.now(UTC))
        for name in ("A", "B")
    )
    assert one.content_hash == other.content_hash


def test_others_are_not_sent_without_identity_and_an_adult_is_no_child() -> None:
    fir = Fir.parse(form(complainant={"name": "x", "age": 18}))
    assert not fir.is_protected
    assert CANARY in (fir.identity or b"").decode()
    with pytest.raises(BadFir, match="identity: missing"):
        make_event(fir, None)


def test_a_fir_of_the_future_is_refused_beyond_the_skew_of_clocks() -> None:
    now = datetime(2026, 11, 20, 6, 25, tzinfo=UTC)
    make_event(Fir.parse(form()), "x", sent_at=now)
    with pytest.raises(BadFir, match="reported_at: in the future"):
        make_event(Fir.parse(form()), "x", sent_at=now - timedelta(minutes=10))


def test_a_zero_fir_has_a_key_of_its_own_and_a_link_to_the_one_it_becomes() -> None:
    zero = Fir.parse(form(is_zero=True))
    assert zero.key == "IN-UP/Lucknow/Hazratganj/2026/Z0123"
    numbered = Fir.parse(form(police_station="Aliganj", fir_number=9, zero_key=zero.key))
    event = make_event(numbered, "x")
    assert event.fir_key != zero.key
    assert event.zero_key == zero.key


def test_the_link_is_spelt_as_the_zero_firs_own_key() -> None:
    zero = Fir.parse(form(is_zero=True, fir_number=45))
    numbered = Fir.parse(form(police_station="Aliganj", zero_key="IN-UP/LUCKNOW/Hazratganj/2026/Z00045"))
    assert numbered.zero_key == zero.key


@pytest.mark.parametrize(
    "kept", [{"identity": CANARY}, {"latitude": 26.8}, {"location_cell": CANARY}], ids=str
)
def test_whoever_sends_it_a_protected_fir_with_identity_or_place_is_no_event(kept: dict[str, Any]) -> None:
    fir = Fir.parse(form(acts=[{"act": "POCSO", "section": "4"}]))
    data = json.dumps(make_event(fir, None).as_dict() | kept).encode()
    with pytest.raises(BadEvent) as caught:
        FirEvent.from_bytes(data)
    assert str(caught.value) == "record: protected_with_identity"


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59-05:00", "0900-01-01T00:00:00Z"]
)
def test_an_event_of_an_impossible_year_is_refused_not_stumbled_over(when: str) -> None:
    data = json.dumps(make_event(Fir.parse(form()), "x").as_dict() | {"occurred_at": when}).encode()
    with pytest.raises(BadEvent, match="occurred_at: year_out_of_range"):
        FirEvent.from_bytes(data)


def test_the_same_fir_has_the_same_hash_and_a_changed_one_another() -> None:
    assert Fir.parse(form()).content_hash == Fir.parse(json.dumps(form())).content_hash
    assert Fir.parse(form(text="other")).content_hash != Fir.parse(form()).content_hash


def test_the_principal_offence_is_the_one_punished_hardest_and_the_first_of_equals() -> None:
    found = fir_sections.offence
    assert fir_sections.principal([found("BNS", "303(2)"), found("BNS", "103(1)")]).crime_head == "murder"
    equals = [found("IPC", "395"), found("IPC", "302")]
    assert fir_sections.principal(equals).crime_head == "dacoity"


@pytest.mark.parametrize(
    ("act", "section", "head"),
    [
        ("BNS", "310(3)(a)", "dacoity_with_murder"),
        ("BNS", "310(2)", "dacoity"),
        ("BNS", "124(2)", "attempt_acid_attack"),
        ("IPC", "304A", "death_by_negligence"),
        ("MVA", "184", "sll_motor_vehicles"),
        ("BNS", "358", "other_ipc_2014"),
        ("OTHER", "1", "sll_other_law"),
    ],
)
def test_a_section_is_found_by_its_longest_name(act: str, section: str, head: str) -> None:
    assert fir_sections.offence(act, section).crime_head == head


def test_the_vocabulary_has_known_heads_groups_and_acts_only() -> None:
    known = set(heads.labels())
    for offence in fir_sections.offences().values():
        assert offence.crime_head in known or offence.crime_head.startswith("sll_")
        assert fir_sections.group_of(offence.crime_head) in fir_event.GROUPS
        assert offence.act in fir_sections.ACTS


def test_the_schema_of_the_form_names_its_fields() -> None:
    schema = json_schema()
    assert set(schema["required"]) >= {"state_code", "fir_number", "acts", "complainant", "text"}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("latitude", "longitude", "length", "cell"),
    [(57.64911, 10.40744, 11, "u4pruydqqvj"), (42.605, -5.603, 5, "ezs42"), (-90.0, -180.0, 3, "000")],
)
def test_geohash_gives_the_published_cells(latitude: float, longitude: float, length: int, cell: str) -> None:
    assert geohash(latitude, longitude, length) == cell
