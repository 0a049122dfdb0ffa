"""The review page as HTTP: who gets in, and what every answer carries."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from crime_jobs.errors import WrongUsage
from crime_jobs.faces import decisions
from crime_jobs.faces.pictures import Reason
from crime_jobs.faces.review.serve import Page
from tests.unit.faces_desk import (
    CANARIES,
    Browser,
    Memory,
    browser,
    desk_of,
    leads_of,
    memory,
    serving,
    standing,
)

__all__ = ["browser", "memory", "standing"]


def test_the_address_opens_one_browser_once(memory: Memory) -> None:
    with serving(desk_of(memory)) as page:
        first, second = Browser(page), Browser(page)
        assert first.get("/open?token=guessed").status == 403
        assert first.get(f"{first.room}/").status == 403
        said = first.enter()
        assert said.status == 200
        cookie = said.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert f"Path={first.room}/" in cookie
        assert page.session.token not in said.text + str(said.headers)
        assert second.enter().status == 403
        assert second.cookie == ""
        assert first.get(f"{first.room}/").status == 303
        # Who knows the path has nothing without the cookie.
        assert second.get(f"{first.room}/").status == 403
        second.cookie = "x" * len(first.cookie)
        assert second.get(f"{first.room}/lead/{leads_of(memory)[0]}").status == 403


def test_a_look_at_the_head_does_not_use_up_the_address(memory: Memory) -> None:
    with serving(desk_of(memory)) as page:
        browser = Browser(page)
        token = page.session.token
        browser.get(f"/open?token={token}", method="HEAD")
        assert browser.enter().status == 200


def test_a_photograph_that_could_not_be_shown_is_tried_again(memory: Memory) -> None:
    lead = memory.leads[leads_of(memory)[0]]
    there = memory.objects[lead.places[0]]
    memory.objects[lead.places[0]] = Reason.DENIED
    desk = desk_of(memory)
    assert not desk.look(lead.lead_id).is_whole
    memory.objects[lead.places[0]] = there
    assert desk.look(lead.lead_id).is_whole
    assert [line[1] for line in memory.lines] == ["viewed"]
    desk.decide(lead.lead_id, True, decisions.reason(True, "marks-agree", "the same mole at the brow"))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[::1]", "0.0.0.0:80"])
def test_another_name_for_this_machine_is_refused(standing: tuple[Browser, Memory], host: str) -> None:
    """DNS rebinding: a page of elsewhere whose name has come to mean this machine."""
    browser, _ = standing
    said = browser.get(f"{browser.room}/", {"Host": host})
    assert said.status == 400
    assert CANARIES[2] not in said.text


def test_the_other_end_of_a_tunnel_may_have_another_port(standing: tuple[Browser, Memory]) -> None:
    browser, _ = standing
    assert browser.get(f"{browser.room}/", {"Host": "localhost:9999"}).status == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_asks_for_is_refused(standing: tuple[Browser, Memory], site: str) -> None:
    browser, memory = standing
    lead = leads_of(memory)[0]
    browser.get(f"{browser.room}/lead/{lead}")
    for path in (f"{browser.room}/", f"{browser.room}/lead/{lead}/photograph.jpg"):
        assert browser.get(path, {"Sec-Fetch-Site": site}).status == 403
    assert browser.get(f"{browser.room}/lead/{lead}/photograph.jpg").status == 200


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({"Origin": "http://evil.example"}, {}),
        ({"Origin": "null"}, {}),
        ({"Origin": ""}, {}),
        ({"Origin": "https://127.0.0.1"}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({}, {"form": ""}),
        ({}, {"form": "guessed"}),
    ],
)
def test_a_form_of_elsewhere_decides_nothing(
    standing: tuple[Browser, Memory], headers: dict[str, str], form: dict[str, str]
) -> None:
    browser, memory = standing
    lead = leads_of(memory)[0]
    browser.get(f"{browser.room}/lead/{lead}")
    assert browser.decide(lead, headers, **form).status == 403
    assert memory.leads[lead].state == "pending"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../web.py",
        "/assets/..%2fweb.py",
        "/assets/%2e%2e/web.py",
        "/assets/lead.html.j2",
        "/assets//etc/passwd",
        "//etc/passwd",
        "/lead/x",
    ],
)
def test_paths_lead_nowhere_but_to_the_page(standing: tuple[Browser, Memory], path: str) -> None:
    browser, _ = standing
    for tried in (path, browser.room + path):
        said = browser.get(tried)
        assert said.status in (403, 404)
        assert b"root:" not in said.body
        assert b"import" not in said.body


@pytest.mark.parametrize("lead", ["x", "0" * 32, "%00", "a" * 5000, "..%2f..%2fetc", "<script>"])
def test_an_id_that_is_none_is_refused_in_words(standing: tuple[Browser, Memory], lead: str) -> None:
    browser, _ = standing
    for path in (f"/lead/{lead}", f"/lead/{lead}/photograph.jpg"):
        said = browser.get(browser.room + path)
        assert said.status == 404
        assert "<script>" not in said.text


def test_other_methods_are_refused(standing: tuple[Browser, Memory]) -> None:
    browser, memory = standing
    lead = leads_of(memory)[0]
    for method, path in (("GET", f"/lead/{lead}/decision"), ("POST", "/"), ("DELETE", f"/lead/{lead}")):
        assert browser.get(browser.room + path, method=method).status == 405


def test_every_answer_carries_the_rules(standing: tuple[Browser, Memory]) -> None:
    browser, memory = standing
    lead = leads_of(memory)[0]
    paths = ["/", "/assets/review.js", "/open", "/nothing", f"{browser.room}/", f"{browser.room}/lead/{lead}"]
    paths.append(f"{browser.room}/lead/{lead}/photograph.jpg")
    for said in [*map(browser.get, paths), browser.get("/", {"Host": "evil.example"})]:
        policy = said.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy
        assert said.headers["cache-control"] == "no-store"
        assert said.headers["referrer-policy"] == "same-origin"
        assert said.headers["x-content-type-options"] == "nosniff"
        assert said.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in said.headers
        assert "server" not in said.headers


def test_the_page_has_nothing_inline_and_nothing_of_elsewhere(standing: tuple[Browser, Memory]) -> None:
    browser, memory = standing
    text = browser.get(f"{browser.room}/lead/{leads_of(memory)[0]}").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)
    assert not re.search(r"(src|href|action)=\"(?!/|#)", text)
    assets = files("crime_jobs.faces.review") / "assets"
    for name in ("review.js", "review.css"):
        assert "//" not in re.sub(r"//[^\n]*\n|/\*.*?\*/", "\n", (assets / name).read_text("utf-8"))


def test_it_listens_on_this_machine_alone(memory: Memory) -> None:
    with serving(desk_of(memory)) as page:
        assert page._listening.getsockname()[0] == "127.0.0.1"
        with pytest.raises(WrongUsage, match=f"Port {page.port} is in use"):
            Page(desk_of(memory), page.port)
