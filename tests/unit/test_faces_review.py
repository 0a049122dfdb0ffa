"""The review page as HTTP: what is shown, what a decision leaves behind, and what goes wrong."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import socket
import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from crime_jobs.errors import WrongUsage
from crime_jobs.faces._rows import State
from crime_jobs.faces.pictures import Reason
from crime_jobs.faces.review import command
from crime_jobs.faces.review.serve import Page
from tests.unit.faces_desk import (
    CANARIES,
    JSON,
    OTHER,
    WHO,
    Browser,
    Memory,
    Notes,
    browser,
    desk_of,
    entered,
    jpeg,
    leads_of,
    memory,
    serving,
    standing,
)

__all__ = ["browser", "memory", "standing"]


# What is shown.


def test_a_lead_is_shown_with_all_that_is_needed(standing: tuple[Browser, Memory]) -> None:
    browser, memory = standing
    lead = leads_of(memory)[0]
    text = browser.get(f"{browser.room}/lead/{lead}").text
    for expected in (
        "A similarity is not an identification",
        "Lead 1 of 2",
        WHO,
        "to find a missing person",
        "99.40 %",
        "99.00 %",
        "99.90 %",
        "dlib 1",
        "20 Nov 2026, 09:00 UTC",
        CANARIES[2],
        CANARIES[3],
    ):
        assert expected in text
    # Neither who it is nor where the photographs are: not needed for the comparison.
    assert CANARIES[0] not in text
    assert CANARIES[1] not in text
    assert '<details id="numbers">' in text  # closed: not open


def test_the_queue_says_nothing_of_similarity(memory: Memory) -> None:
    """Those found first come first, whatever the similarity."""
    memory = Memory()
    person = memory.enrol()
    likely = memory.find(person, 30, similarity=100.0)
    first = memory.find(person, 3, similarity=99.0)
    last = memory.find(person, 60, similarity=99.9)
    with entered(memory) as browser:
        assert browser.get(f"{browser.room}/").headers["location"].endswith(first.lead_id)
        text = browser.get(f"{browser.room}/lead/{first.lead_id}").text
        assert f'id="after" href="{browser.room}/lead/{likely.lead_id}"' in text
        text = browser.get(f"{browser.room}/lead/{likely.lead_id}").text
        assert f'id="after" href="{browser.room}/lead/{last.lead_id}"' in text
        assert f'id="before" href="{browser.room}/lead/{first.lead_id}"' in text


def test_photographs_are_made_anew(browser: Browser, memory: Memory) -> None:
    """What a file carries beside its pixels (here a comment) does not reach the browser."""
    lead = memory.leads[leads_of(memory)[0]]
    content = memory.objects[lead.places[0]]
    assert isinstance(content, bytes)
    marked = content[:2] + b"\xff\xfe\x00\x08MARKED" + content[2:]
    digest = hashlib.sha256(marked).hexdigest()
    memory.objects[lead.places[0]] = marked
    memory.leads[lead.lead_id] = lead.model_copy(update={"photograph": digest})
    browser.get(f"{browser.room}/lead/{lead.lead_id}")
    for name in ("photograph", "photograph-face", "enrolled", "enrolled-face"):
        said = browser.get(f"{browser.room}/lead/{lead.lead_id}/{name}.jpg")
        assert said.status == 200
        assert said.headers["content-type"] == "image/jpeg"
        assert said.body.startswith(b"\xff\xd8")
        assert b"MARKED" not in said.body
    assert browser.get(f"{browser.room}/lead/{lead.lead_id}/other.jpg").status == 404


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (Reason.GONE, "It is gone"),
        (Reason.DENIED, "s3:GetObject"),
        (b"<html>" * 99, "It was changed since"),
        (jpeg(Image.new("RGB", (99, 99))), "It was changed since"),
    ],
)
def test_a_photograph_that_cannot_be_shown_cannot_be_accepted(
    memory: Memory, there: Reason | bytes, words: str
) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    memory.objects[lead.places[0]] = there
    with entered(memory) as browser:
        said = browser.get(f"{browser.room}/lead/{lead.lead_id}")
        assert said.status == 200
        assert words in said.text
        assert 'value="accept"' not in said.text
        assert browser.decide(lead.lead_id).status == 409
        assert memory.leads[lead.lead_id].state == "pending"
        assert browser.decide(lead.lead_id, verdict="reject", code="picture-gone").status == 303
        assert memory.leads[lead.lead_id].state == "rejected"


def test_a_file_that_is_no_picture_is_said_in_words(memory: Memory) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    content = b"\xff\xd8\xff" + b"nonsense" * 50
    memory.objects[lead.places[0]] = content
    digest = hashlib.sha256(content).hexdigest()
    memory.leads[lead.lead_id] = lead.model_copy(update={"photograph": digest})
    with entered(memory) as browser:
        assert "can&#39;t be shown: damaged" in browser.get(f"{browser.room}/lead/{lead.lead_id}").text


def test_a_second_place_of_the_photograph_will_do(memory: Memory) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    memory.leads[lead.lead_id] = lead.model_copy(update={"places": ("s3://crime-faces/gone", *lead.places)})
    with entered(memory) as browser:
        assert 'value="accept"' in browser.get(f"{browser.room}/lead/{lead.lead_id}").text


def test_who_is_off_the_list_is_not_shown(memory: Memory) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    person = memory.people[lead.candidate.person_id]
    withdrawn = replace(person, state=State.WITHDRAWING)
    expired = replace(person, expires=date.today() - timedelta(days=2))
    with entered(memory) as browser:
        browser.get(f"{browser.room}/lead/{lead.lead_id}")  # it is in memory now
        for changed in (withdrawn, expired):
            memory.people[person.person_id] = changed
            for path in ("", "/photograph.jpg", "/enrolled-face.jpg"):
                said = browser.get(f"{browser.room}/lead/{lead.lead_id}{path}")
                assert said.status == 404
                assert "off" in said.text or "withdrawn" in said.text


def test_a_lead_of_another_list_is_none_of_this_desk(memory: Memory) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    memory.leads[lead.lead_id] = lead.model_copy(update={"watch_list": "other"})
    with entered(memory) as browser:
        assert browser.get(f"{browser.room}/lead/{lead.lead_id}").status == 404
        assert browser.decide(lead.lead_id).status == 409  # nobody has looked at it


def test_an_empty_queue_is_said(memory: Memory) -> None:
    with entered(Memory()) as browser:
        said = browser.get(f"{browser.room}/")
        assert said.status == 200
        assert "No lead waits" in said.text


# What is noted.


def test_each_lead_that_is_looked_at_is_noted_before_it_is_shown(browser: Browser, memory: Memory) -> None:
    lead = leads_of(memory)[0]
    for _ in range(2):
        browser.get(f"{browser.room}/lead/{lead}")
        browser.get(f"{browser.room}/lead/{lead}/photograph.jpg")
    viewed = [(who, facts["lead"]) for who, action, facts in memory.lines if action == "viewed"]
    assert viewed == [(WHO, lead)]


def test_nothing_is_shown_if_the_access_cannot_be_noted(memory: Memory) -> None:
    desk = desk_of(memory)
    desk._audit = Notes(memory, refuses=True)
    lead = leads_of(memory)[0]
    fetched: list[str] = []

    def fetch(uri: str) -> bytes:
        fetched.append(uri)
        return b""

    memory.fetch = fetch  # type: ignore[method-assign]
    with serving(desk) as page:
        browser = Browser(page)
        browser.enter()
        for path in ("", "/photograph.jpg"):
            assert browser.get(f"{browser.room}/lead/{lead}{path}").status == 502
    assert fetched == []


def test_a_decision_has_who_when_and_why(browser: Browser, memory: Memory) -> None:
    one, two = leads_of(memory)
    browser.get(f"{browser.room}/lead/{one}")
    said = browser.decide(one)
    assert (said.status, said.headers["location"]) == (303, f"{browser.room}/lead/{two}")
    assert "Recorded: accepted" in browser.get(said.headers["location"]).text
    said = browser.decide(two, JSON, verdict="reject", code="features-differ", compared="")
    assert (said.status, said.text) == (200, f'{{"next":"{browser.room}/"}}')
    accepted, rejected = memory.leads[one], memory.leads[two]
    assert (accepted.state, rejected.state) == ("confirmed", "rejected")
    assert accepted.decided_by == rejected.decided_by == WHO
    assert accepted.decided_at is not None
    assert abs(accepted.decided_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert accepted.reason == f"marks-agree: {CANARIES[4]}: the same mole at the left brow"
    lines = [(action, facts["why"]) for _, action, facts in memory.lines if "why" in facts]
    assert lines == [("confirmed", "marks-agree"), ("rejected", "features-differ")]
    assert "No lead waits" in browser.get(f"{browser.room}/").text


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": ""},
        {"verdict": "maybe"},
        {"code": ""},
        {"code": "features-differ"},  # a reason to reject
        {"code": "no such"},
        {"words": ""},
        {"words": "short"},
        {"words": " a b c d e f \n\n\t "},
        {"words": "x" * 501},
        {"compared": ""},
    ],
)
def test_a_decision_without_its_reason_is_none(
    standing: tuple[Browser, Memory], fields: dict[str, str]
) -> None:
    browser, memory = standing
    lead = leads_of(memory)[0]
    browser.get(f"{browser.room}/lead/{lead}")
    for headers in ({}, JSON):
        said = browser.decide(lead, headers, **fields)
        assert said.status == 422
    assert memory.leads[lead].state == "pending"
    assert [action for _, action, _ in memory.lines] == ["viewed"] * len(memory.lines)


def test_what_was_written_is_not_lost_with_a_wrong_form(standing: tuple[Browser, Memory]) -> None:
    browser, memory = standing
    lead = leads_of(memory)[0]
    browser.get(f"{browser.room}/lead/{lead}")
    text = browser.decide(lead, compared="", words="<b>an ear like & like</b>").text
    assert "&lt;b&gt;an ear like &amp; like&lt;/b&gt;</textarea>" in text
    assert 'value="marks-agree" required checked' in text
    assert "tick that you compared" in text


def test_a_lead_that_nobody_looked_at_is_not_decided_on(browser: Browser, memory: Memory) -> None:
    lead = leads_of(memory)[0]
    assert browser.decide(lead).status == 409
    assert browser.decide(lead, verdict="reject", code="too-poor").status == 409
    assert memory.leads[lead].state == "pending"


def test_a_form_that_is_too_long_or_none_is_refused(browser: Browser, memory: Memory) -> None:
    lead = leads_of(memory)[0]
    browser.get(f"{browser.room}/lead/{lead}")
    assert browser.decide(lead, words="x" * 100_000).status == 409
    path, origin = f"{browser.room}/lead/{lead}/decision", f"http://127.0.0.1:{browser.page.port}"
    assert browser._ask("POST", path, b"\xff\xfe\x00", {"Origin": origin}).status == 409
    assert browser._ask("POST", path, b"&".join([b"a=b"] * 99), {"Origin": origin}).status == 409
    assert memory.leads[lead].state == "pending"


# Two reviewers.


def test_who_comes_second_is_told_who_decided_when(memory: Memory) -> None:
    lead = leads_of(memory)[0]
    with entered(memory) as asha, entered(memory, OTHER) as ravi:
        for browser in (asha, ravi):
            browser.get(f"{browser.room}/lead/{lead}")
        assert asha.decide(lead).status == 303
        said = ravi.decide(lead, JSON, verdict="reject", code="too-poor")
        assert said.status == 409
        assert WHO in said.text
        assert "UTC" in said.text
        assert '"over":true' in said.text
        page = ravi.get(f"{ravi.room}/lead/{lead}")
        assert page.status == 409
        assert f"confirmed by {WHO}" in page.text
        assert 'id="after"' in page.text
        assert ravi.get(f"{ravi.room}/lead/{lead}/photograph.jpg").status == 409
    assert memory.leads[lead].decided_by == WHO


def test_of_many_at_once_one_decides(memory: Memory) -> None:
    lead = leads_of(memory)[0]
    names = [f"arn:aws:sts::000000000000:assumed-role/reviewer/r{n}" for n in range(6)]
    with ExitStack() as stack:
        browsers = [stack.enter_context(entered(memory, name)) for name in names]
        for browser in browsers:
            browser.get(f"{browser.room}/lead/{lead}")
        start, statuses = threading.Barrier(len(browsers)), []

        def decide(browser: Browser) -> None:
            start.wait()
            statuses.append(browser.decide(lead).status)

        threads = [threading.Thread(target=decide, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [303, *[409] * (len(names) - 1)]
    assert sum("why" in facts for _, _, facts in memory.lines) == 1


# What goes wrong, and what it says.


def test_a_defect_shows_nothing_of_what_was_shown(
    memory: Memory, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    def fails(person: object) -> None:
        raise ValueError(f"what is in it: {CANARIES}")

    with entered(memory, told=told) as browser:
        memory.secrets = fails  # type: ignore[assignment, method-assign]
        said = browser.get(f"{browser.room}/lead/{leads_of(memory)[0]}")
    assert said.status == 500
    assert "ValueError" in told[0]
    assert "test_faces_review.py" in told[0]
    everything = said.text + "".join(told) + caplog.text + "".join(capfd.readouterr())
    assert [canary for canary in CANARIES if canary in everything] == []


def test_nothing_private_is_logged_or_noted(
    memory: Memory, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    one, two = leads_of(memory)
    with entered(memory, told=told) as browser:
        for path in ("/", f"/lead/{one}", f"/lead/{one}/photograph.jpg", f"/lead/{one}/enrolled-face.jpg"):
            browser.get(browser.room + path)
        browser.decide(one)
        memory.objects.clear()
        browser.get(f"{browser.room}/lead/{two}")
        browser.decide(two)
        token = browser.page.session.token
    everything = caplog.text + "".join(capfd.readouterr()) + "".join(told) + repr(memory.lines)
    everything += repr(list(memory.leads.values())) + repr(list(memory.people.values()))
    assert [canary for canary in (*CANARIES, token, browser.cookie) if canary in everything] == []


def test_it_ends_when_nobody_is_there(memory: Memory) -> None:
    told: list[str] = []
    page = Page(desk_of(memory), 0, idle_minutes=0.7 / 60, tell=told.append)
    thread = threading.Thread(target=page.serve)
    thread.start()
    with contextlib.suppress(OSError):
        while thread.is_alive():  # what others ask does not keep it up
            Browser(page).get("/")
            thread.join(0.1)
    thread.join(20)
    assert not thread.is_alive()
    assert told == ["Nobody did anything for a while: the page has ended."]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", page.port))


def run_review(
    monkeypatch: pytest.MonkeyPatch, memory: Memory, screen: str, wanted: bool
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Run the command until its page has ended; what it returns, the addresses that were opened, what it says."""
    opened: list[str] = []
    told: list[str] = []
    monkeypatch.setattr(command, "open_desk", lambda settings, watch_list: desk_of(memory))
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("crime_jobs.faces.review.serve.Page.serve", lambda page: page._listening.close())
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("threading.Thread.start", lambda thread: thread.run())
    settings: Any = None
    done = command.review(settings, "missing", port=0, browser=wanted, idle_minutes=1, tell=told.append)
    return done, opened, told


@pytest.mark.parametrize(("screen", "wanted", "opens"), [(":0", True, 1), ("", True, 0), (":0", False, 0)])
def test_the_browser_opens_where_there_is_a_screen(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, screen: str, wanted: bool, opens: int
) -> None:
    """Without one, a browser for terminals would take ours; the address is always said."""
    monkeypatch.setattr("sys.platform", "linux")
    done, opened, told = run_review(monkeypatch, memory, screen, wanted)
    assert done == {"watch_list": "missing", "confirmed": 0, "rejected": 0, "waiting": 2}
    assert len(opened) == opens
    assert WHO in told[0]
    (address,) = re.findall(r"http://127\.0\.0\.1:\d+/open\?token=\S{43}", told[0])
    assert opened in ([], [address])


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, memory: Memory) -> None:
    monkeypatch.setattr(command, "_NEEDED", ("starlette", "no_such_package"))
    with pytest.raises(WrongUsage, match="no_such_package") as raised:
        run_review(monkeypatch, memory, "", False)
    assert raised.value.hint == "pip install 'crime-jobs[faces]'"
