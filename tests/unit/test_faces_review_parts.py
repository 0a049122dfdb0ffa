"""What the review page is made of: reasons, sealed leads, the conditions of a decision, photographs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.faces import _lead_items as items
from crime_jobs.faces import _lead_requests as requests
from crime_jobs.faces import decisions, listing
from crime_jobs.faces.review.photographs import Photographs, Shown
from crime_jobs.model.faces import Box, Candidate, Lead, Purpose, Seen
from tests.unit.faces_desk import (
    WHO,
    Memory,
    browser,
    desk_of,
    leads_of,
    memory,
    mirrored,
    standing,
)

__all__ = ["browser", "memory", "standing"]


def test_photographs_of_a_folder_of_this_machine(tmp_path: Any) -> None:
    store = Photographs.__new__(Photographs)
    path = tmp_path / "a picture.jpg"
    path.write_bytes(b"content")
    assert store.fetch(path.as_uri()) == b"content"
    with pytest.raises(Exception, match="gone"):
        store.fetch((tmp_path / "none.jpg").as_uri())


def test_a_reason_is_one_line_and_its_code_may_be_noted() -> None:
    said = decisions.reason(True, "marks-agree", "  a scar\r\n above\x00 the\x1b[31m ear ")
    assert said == "marks-agree: a scar above the [31m ear"
    assert decisions.code_of(said) == "marks-agree"
    assert decisions.code_of("Collins: nonsense") == "other"
    with pytest.raises(WrongUsage, match="at least 10 characters"):
        decisions.reason(True, "other", "\u200d\u200c" * 20)
    # Joiners are part of how words are written; what turns the direction of writing is not.
    assert (
        decisions.reason(False, "other", "\u0d28\u0d4d\u200d" * 5 + "\u202e")
        == "other: " + "\u0d28\u0d4d\u200d" * 5
    )


@given(st.booleans(), st.text(), st.text())
def test_no_text_breaks_a_reason(confirmed: bool, code: str, words: str) -> None:
    try:
        said = decisions.reason(confirmed, code if code else "other", words)
    except WrongUsage:
        return
    assert said.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert "\n" not in said
    assert decisions.code_of(said) in decisions.USUAL[confirmed]


class Plain:
    """Seals nothing, and holds what is sealed to what it is about."""

    def seal(self, subject: str, content: bytes) -> str:
        return f"{subject}|{content.decode()}"

    def unseal(self, subject: str, sealed: str) -> bytes:
        about, _, content = sealed.partition("|")
        if about != subject:
            raise BadInput("It is about something else.")
        return content.encode()


SHARE = st.floats(-1, 2, allow_nan=False)
WIDE = st.floats(0.001, 2)
PERCENT = st.floats(0, 100).map(lambda share: round(share, 9))


@given(
    st.builds(
        Lead,
        lead_id=st.from_regex(r"\A[0-9a-f]{32}\Z"),
        watch_list=st.just("missing"),
        purpose=st.sampled_from(Purpose),
        photograph=st.just("p"),
        places=st.lists(st.text(), max_size=3).map(tuple),
        seen=st.builds(
            Seen,
            box=st.builds(Box, left=SHARE, top=SHARE, width=WIDE, height=WIDE),
            confidence=PERCENT,
            brightness=PERCENT,
            sharpness=PERCENT,
        ),
        candidate=st.builds(Candidate, face_id=st.just("f"), person_id=st.just("q"), similarity=PERCENT),
        candidate_place=st.text(),
        threshold=PERCENT,
        engine=st.just("dlib"),
        engine_version=st.just("1"),
        run=st.just("run"),
        found_at=st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC)),
        state=st.just("pending"),
        decided_by=st.none(),
        decided_at=st.none(),
        reason=st.none(),
    )
)
def test_a_lead_comes_back_from_its_item(lead: Lead) -> None:
    item = items.written(lead, Plain())
    assert items.lead_of(item, Plain()) == lead
    told = {name: value for name, value in item.items() if name != "sealed"}
    assert not any(place and place in repr(told) for place in ("s3://", *lead.places[1:2]) if len(place) > 3)
    assert float(item["similarity"]["N"]) == lead.candidate.similarity


def test_what_is_sealed_for_one_lead_is_not_opened_as_anothers(memory: Memory) -> None:
    one, two = (memory.leads[lead] for lead in leads_of(memory))
    item = items.written(one, Plain())
    with pytest.raises(BadInput):
        items.lead_of(item | {"lead_id": {"S": two.lead_id}}, Plain())
    with pytest.raises(BadInput, match="can't be read: KeyError"):
        items.lead_of({"lead_id": {"S": one.lead_id}}, Plain())


def test_a_decision_is_held_against_a_pending_lead_and_an_active_person(memory: Memory) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    check = requests.enrolled(lead, "face_people")["ConditionCheck"]
    assert check["Key"] == {
        "watch_list": {"S": "missing"},
        "person_id": {"S": lead.candidate.person_id},
    }
    assert check["ConditionExpression"] == "#state = :active AND expires >= :today"
    change = requests.decided(
        lead, "face_leads", "confirmed", who=WHO, at=datetime.now(UTC), sealed_reason="x"
    )["Update"]
    assert change["ConditionExpression"] == "#state = :pending"
    assert change["ExpressionAttributeValues"][":queue"] == {"S": "missing#confirmed"}


def test_rows_of_pending_leads_say_nothing_of_places(memory: Memory) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    assert set(listing.row(lead)) == {"lead", "person", "similarity", "found_at", "state"}
    decided = lead.model_copy(
        update={
            "state": "confirmed",
            "decided_by": WHO,
            "decided_at": datetime.now(UTC),
            "reason": "other: …",
        }
    )
    assert listing.row(decided)["photographs"] == list(lead.places)
    assert listing.row(decided)["decided_by"] == WHO


def test_a_whole_photograph_is_made_smaller_and_its_face_larger(memory: Memory) -> None:
    desk = desk_of(memory)
    view = desk.look(leads_of(memory)[0])
    assert isinstance(view.photograph, Shown)
    assert (view.photograph.width, view.photograph.height) == (512, 512)
    assert view.photograph.face is not None
    assert view.photograph.whole != mirrored()
