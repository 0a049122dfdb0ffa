"""The review page in Chromium: what is seen, what keys do, what is said when something goes wrong."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageStat

from crime_jobs.faces.review.serve import Page
from crime_jobs.model.faces import Box, Lead
from tests.unit.faces_desk import (
    ASTRONAUT,
    FACE,
    MIRRORED,
    OTHER,
    WHO,
    Memory,
    Notes,
    desk_of,
    mirrored,
    serving,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from playwright.sync_api import Page as Tab

pytestmark = pytest.mark.browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
YELLOW = (255, 212, 0)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@dataclass
class Open:
    """The open page and what is behind it."""

    tab: Tab
    page: Page
    memory: Memory
    leads: list[Lead]
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def at(self, number: int) -> None:
        """Go to a lead by its address."""
        self.tab.goto(
            f"http://127.0.0.1:{self.page.port}/{self.page.session.room}/lead/{self.leads[number].lead_id}"
        )

    def state(self, number: int) -> str:
        return self.memory.leads[self.leads[number].lead_id].state

    def lines(self) -> list[tuple[str, str, Any]]:
        """The audit's lines about decisions: who, what, and the reason's code."""
        return [(who, action, facts["why"]) for who, action, facts in self.memory.lines if "why" in facts]


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    made: dict[str, BrowserContext] = {}

    def make(**options: Any) -> BrowserContext:
        key = repr(sorted(options.items(), key=str))
        if key not in made:
            made[key] = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **options})
        return made[key]

    yield make
    for context in made.values():
        context.close()


@pytest.fixture
def review(contexts: Callable[..., BrowserContext]) -> Iterator[Callable[..., Open]]:
    """Open a page with three leads. At the end: nothing was asked of anybody else, and no error."""
    opened: list[tuple[Open, Any]] = []

    def open_(memory: Memory | None = None, **options: Any) -> Open:
        memory = memory or Memory()
        person = next(iter(memory.people.values()), None) or memory.enrol()
        leads = list(memory.leads.values()) or [memory.find(person, 9 * number) for number in range(3)]
        served = serving(desk_of(memory))
        page = served.__enter__()
        tab = contexts(**options).new_page()
        found = Open(tab, page, memory, leads)
        opened.append((found, served))
        tab.on("request", lambda request: found.requests.append(request.url))
        tab.on("console", lambda m: found.errors.append(m.text) if m.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: found.errors.append(str(error)))
        tab.goto(page.address)
        tab.wait_for_url(f"**/{page.session.room}/**")
        return found

    yield open_
    for found, served in opened:
        found.tab.close()
        served.__exit__(None, None, None)
        assert found.errors == []
        assert [
            url for url in found.requests if not url.startswith(f"http://127.0.0.1:{found.page.port}/")
        ] == []
        assert sum("token=" in url for url in found.requests) == 1


def violations(tab: Tab) -> list[str]:
    tab.evaluate(AXE)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
    return [f"{v['id']}: {v['help']}: {[n['target'] for n in v['nodes']][:5]}" for v in found]


def shot(tab: Tab, selector: str) -> Image.Image:
    """What is seen where an element is, in CSS pixels."""
    return Image.open(io.BytesIO(tab.locator(selector).screenshot(scale="css"))).convert("RGB")


def yellow(seen: Image.Image) -> tuple[int, int, int, int]:
    """Where the outline is: left, top, right, bottom of all pixels that are nearly of its colour."""
    near = ImageChops.difference(seen, Image.new("RGB", seen.size, YELLOW)).convert("L")
    found = near.point(lambda value: 255 if value < 12 else 0).getbbox()
    assert found is not None, "no outline is seen"
    return found


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures, a channel's 255 at most."""
    stat = ImageStat.Stat(ImageChops.difference(one, other.convert("RGB").resize(one.size)))
    return sum(stat.mean) / 3


def assert_outlined(seen: Image.Image, picture: Image.Image, box: Box) -> None:
    """The picture is seen, with the outline within 3 pixels of the box, and with nothing yellow elsewhere."""
    left, top, right, bottom = yellow(seen)
    expected = (
        box.left * seen.width,
        box.top * seen.height,
        (box.left + box.width) * seen.width,
        (box.top + box.height) * seen.height,
    )
    for found, wanted in zip((left, top, right, bottom), expected, strict=True):
        assert abs(found - wanted) <= 3, f"{(left, top, right, bottom)} is not {expected}"
    # The outline is a frame: inside it is the face.
    assert seen.getpixel((round((left + right) / 2), round((top + bottom) / 2))) != YELLOW
    assert difference(seen, picture) < 9  # of which 6 are the outline
    assert difference(seen, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) > 25


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_photographs_and_boxes_are_where_they_should_be(
    review: Callable[..., Open], viewport: dict[str, int]
) -> None:
    tab = review(viewport=viewport).tab
    with Image.open(ASTRONAUT) as astronaut, Image.open(io.BytesIO(mirrored())) as found:
        assert_outlined(shot(tab, "#photograph .frame"), found, MIRRORED)
        assert_outlined(shot(tab, "#enrolled .frame"), astronaut, FACE)


def test_a_photograph_that_was_taken_sideways_is_shown_upright(review: Callable[..., Open]) -> None:
    """Boxes are of the upright picture; the file says by EXIF how it is turned."""
    memory = Memory()
    lead = memory.find(memory.enrol())
    with Image.open(io.BytesIO(mirrored())) as upright:
        upright.load()
        turned, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 6
        upright.transpose(Image.Transpose.ROTATE_90).save(turned, "JPEG", quality=95, exif=exif)
        memory.objects[lead.places[0]] = turned.getvalue()
        digest = hashlib.sha256(turned.getvalue()).hexdigest()
        memory.leads[lead.lead_id] = lead.model_copy(update={"photograph": digest})
        assert_outlined(shot(review(memory).tab, "#photograph .frame"), upright, MIRRORED)


def test_the_faces_stand_side_by_side(review: Callable[..., Open]) -> None:
    tab = review().tab
    tab.keyboard.press("z")
    one, other = (tab.locator(f"#{name} .view.face img") for name in ("photograph", "enrolled"))
    one_box, other_box = one.bounding_box(), other.bounding_box()
    assert one_box is not None
    assert other_box is not None
    assert one_box["y"] == other_box["y"]
    assert one_box["height"] == other_box["height"]
    assert abs(one_box["width"] - other_box["width"]) < 1
    assert one.evaluate("image => image.naturalWidth") >= 120
    left, right = (shot(tab, f"#{name} .view.face img") for name in ("photograph", "enrolled"))
    # One is the mirror image of the other: the same face, at the same size.
    assert difference(left, right.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) < 8
    assert not tab.locator("#photograph .frame").is_visible()
    tab.click("text=Whole photographs")
    assert tab.locator("#photograph .frame").is_visible()


def test_the_figure_is_hidden_until_it_is_asked_for(review: Callable[..., Open]) -> None:
    tab = review().tab
    assert not tab.get_by_text("99.40 %").is_visible()
    assert not tab.get_by_text("Legal basis").is_visible()
    tab.keyboard.press("s")
    tab.keyboard.press("i")
    assert tab.get_by_text("99.40 %").is_visible()
    assert tab.get_by_text("Legal basis").is_visible()


def test_accepted_by_keys_alone(review: Callable[..., Open]) -> None:
    found = review()
    tab, keys = found.tab, found.tab.keyboard
    keys.press("a")
    keys.press("Enter")  # nothing is chosen yet: the browser asks for it
    assert found.state(0) == "pending"
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.type("jar: the same mole, at the left brow")  # with keys that mean something elsewhere
    assert tab.url.endswith(found.leads[0].lead_id)
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Enter")  # it is not ticked: the browser leads there
    assert found.state(0) == "pending"
    assert tab.evaluate("document.activeElement.name") == "compared"
    keys.press("Space")
    keys.press("Tab")
    outlined = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert (outlined, tab.evaluate("document.activeElement.textContent")) == ("solid", "Record: accepted")
    keys.press("Enter")
    tab.wait_for_url(f"**/{found.leads[1].lead_id}")
    assert tab.get_by_role("status").inner_text() == "Recorded: accepted, by you, with your reason."
    lead = found.memory.leads[found.leads[0].lead_id]
    assert (lead.state, lead.decided_by) == ("confirmed", WHO)
    assert lead.reason == "marks-agree: jar: the same mole, at the left brow"
    assert lead.decided_at is not None
    assert datetime.now(UTC) - lead.decided_at < timedelta(minutes=1)
    assert found.lines() == [(WHO, "confirmed", "marks-agree")]


def test_rejected_by_keys_alone_until_none_waits(review: Callable[..., Open]) -> None:
    found = review()
    for number in range(3):
        keys = found.tab.keyboard
        for key in ("r", "Space", "Tab"):
            keys.press(key)
        keys.type("the ears differ in form")
        keys.press("Tab")
        keys.press("Enter")
        left = "**/" if number == 2 else f"**/{found.leads[number + 1].lead_id}"
        found.tab.wait_for_url(left)
        assert found.state(number) == "rejected"
    assert "0 were accepted and 3 rejected" in found.tab.inner_text("main")
    assert found.lines() == [(WHO, "rejected", "features-differ")] * 3


def test_keys_lead_through_the_queue_and_decide_nothing(review: Callable[..., Open]) -> None:
    found = review()
    tab = found.tab
    for key, number in (("j", 1), ("ArrowRight", 2), ("k", 1), ("ArrowLeft", 0)):
        tab.keyboard.press(key)
        tab.wait_for_url(f"**/{found.leads[number].lead_id}")
        assert tab.inner_text("h2 >> nth=0").startswith(f"Lead {number + 1} of 3")
    tab.keyboard.press("k")  # there is none before
    for key in ("a", "Escape", "r", "Escape", "a"):
        tab.keyboard.press(key)
    assert tab.locator("#accept[open]").count() == 1
    assert tab.locator("#reject[open]").count() == 0
    tab.keyboard.press("Escape")
    assert tab.locator("details[open]").count() == 0
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    tab.keyboard.press("j")  # not under the help
    tab.uncheck("#keys-on")
    tab.keyboard.press("Escape")
    assert not tab.locator("#help").is_visible()
    tab.keyboard.press("j")  # they are off
    assert tab.url.endswith(found.leads[0].lead_id)
    assert {found.state(number) for number in range(3)} == {"pending"}
    assert found.lines() == []


def write_reason(tab: Tab, verdict: str) -> None:
    tab.click(f"#{verdict} > summary")
    tab.check(f"#{verdict} input[value=other]")
    tab.fill(f"#{verdict} textarea", "what was seen, in words")
    if verdict == "accept":
        tab.check("#accept input[name=compared]")


def test_who_comes_second_reads_who_came_first(review: Callable[..., Open]) -> None:
    found = review()
    write_reason(found.tab, "accept")
    found.memory.decide(
        found.leads[0].lead_id, False, "too-poor: blurred all over", Notes(found.memory, OTHER)
    )
    found.tab.click("text=Record: accepted")
    alert = found.tab.get_by_role("alert").filter(has_text="rejected")
    alert.wait_for()
    assert OTHER in alert.inner_text()
    assert found.tab.locator("#accept button").is_disabled()
    assert found.state(0) == "rejected"
    assert found.lines() == [(OTHER, "rejected", "too-poor")]
    found.tab.keyboard.press("Escape")
    found.tab.keyboard.press("j")
    found.tab.wait_for_url(f"**/{found.leads[1].lead_id}")
    assert found.tab.inner_text("h2 >> nth=0").startswith("Lead 1 of 2")
    found.at(0)  # by its address, from the history
    assert f"was rejected by {OTHER}" in found.tab.inner_text("main")
    found.errors.clear()  # Chromium tells of the 409s


def test_the_server_has_ended(review: Callable[..., Open]) -> None:
    """It is said, and what was written stays."""
    found = review()
    write_reason(found.tab, "reject")
    found.page.end()
    while found.page._listening.fileno() >= 0:
        found.tab.wait_for_timeout(20)
    found.tab.click("text=Record: rejected")
    alert = found.tab.get_by_role("alert").filter(has_text="did not answer")
    alert.wait_for()
    assert "not known whether" in alert.inner_text()
    assert found.tab.input_value("#reject textarea") == "what was seen, in words"
    assert found.state(0) == "pending"
    found.errors.clear()  # Chromium tells of the refused connection


def test_a_photograph_that_is_gone_is_said(review: Callable[..., Open]) -> None:
    memory = Memory()
    lead = memory.find(memory.enrol())
    del memory.objects[lead.places[0]]
    tab = review(memory).tab
    assert "It is gone" in tab.inner_text("#photograph")
    assert tab.locator("#enrolled .frame").is_visible()
    assert tab.locator("#accept").count() == 0
    assert violations(tab) == []


def assert_clean(tab: Tab, what: str) -> None:
    """Axe finds nothing, and nothing is wider than the screen."""
    assert violations(tab) == [], what
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), what


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(review: Callable[..., Open], scheme: str, viewport: dict[str, int]) -> None:
    """A lead with a form, its error, faces and figures, all open."""
    found = review(viewport=viewport, color_scheme=scheme)
    tab = found.tab
    assert_clean(tab, "as it opens")
    tab.click("#accept > summary")
    tab.evaluate("document.querySelector('#accept form').noValidate = true")
    tab.check("#accept [name=compared]")
    tab.click("text=Record: accepted")
    tab.get_by_role("alert").filter(has_text="No reason was chosen").wait_for()
    tab.click("#accept > summary")
    tab.click("#accept > summary")
    for key in ("z", "s", "i"):
        tab.keyboard.press(key)
    assert_clean(tab, "with everything open")
    found.errors.clear()  # Chromium tells of the 422


@pytest.mark.parametrize(("scheme", "viewport"), [("light", PHONE), ("dark", DESK)], ids=["phone", "desk"])
def test_axe_on_the_other_pages(review: Callable[..., Open], scheme: str, viewport: dict[str, int]) -> None:
    memory = Memory()
    lead = memory.find(memory.enrol())
    found = review(memory, viewport=viewport, color_scheme=scheme)
    tab, room = found.tab, f"http://127.0.0.1:{found.page.port}/{found.page.session.room}/"
    tab.keyboard.press("?")
    assert_clean(tab, "help")
    tab.goto(f"{room}lead/none")
    assert "no lead" in tab.inner_text("main")
    assert_clean(tab, "no such lead")
    memory.decide(lead.lead_id, False, "other: …", Notes(memory))
    tab.goto(room)
    assert "No lead waits" in tab.inner_text("main")
    assert_clean(tab, "empty")
    tab.goto(f"http://127.0.0.1:{found.page.port}/")
    assert_clean(tab, "closed")
    found.errors.clear()  # Chromium tells of 404 and 403


def test_without_javascript_it_works_too(review: Callable[..., Open]) -> None:
    found = review(java_script_enabled=False)
    tab = found.tab
    assert tab.locator("#photograph .view.face img").is_visible()
    assert tab.locator("#photograph .frame img").is_visible()
    write_reason(tab, "accept")
    tab.click("text=Record: accepted")
    assert tab.get_by_role("status").inner_text().startswith("Recorded: accepted")
    assert found.state(0) == "confirmed"


def test_nothing_can_be_run_or_fetched_from_the_page(review: Callable[..., Open]) -> None:
    """The content security policy holds: it would stop what escaping let through."""
    found = review()
    tab = found.tab
    tab.evaluate(
        """() => {
            const add = (name, given) => document.body.append(Object.assign(document.createElement(name), given));
            add('script', {textContent: 'window.ran = 1'});
            add('img', {src: 'http://127.0.0.2:9/image'});
            add('iframe', {src: 'http://127.0.0.2:9/frame'});
            return fetch('http://127.0.0.2:9/fetch').catch(() => null);
        }"""
    )
    tab.wait_for_timeout(200)
    assert tab.evaluate("window.ran") is None
    assert sum("Content Security Policy" in error for error in found.errors) >= 4
    found.errors.clear()  # they were asked for
    found.requests = [url for url in found.requests if "127.0.0.2" not in url]
