"""From pictures to a reviewed match by three commands; and the queue in DynamoDB when several are at it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from crime_jobs import settings as settings_module
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.faces._rows import State
from crime_jobs.faces.audit import Audit
from crime_jobs.faces.leads import Added, Leads
from crime_jobs.faces.people import Face, People, Person, Secrets
from crime_jobs.model.faces import Box, Candidate, FaceSettings, Lead, Purpose, Seen, lead_id, person_id
from crime_jobs.settings import Settings
from tests.conftest import ROOT
from tests.localstack.conftest import Stack

CANARY = "canary-vasanti"
FACES = FaceSettings(engine="on-premises")
MARKS = "marks-agree: the same mole at the left brow"


@pytest.fixture(scope="module", autouse=True)
def _environment(stack: Stack) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name, value in stack.env.items():
        patch.setenv(name, value)
    yield
    patch.undo()


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return settings_module.load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)


@dataclass
class Queue:
    """The leads of a watch list of one test, and a person whom they are about."""

    settings: Settings
    name: str = field(default_factory=lambda: f"q{uuid.uuid4().hex[:10]}")

    def __post_init__(self) -> None:
        self.leads, self.people = Leads(self.settings, FACES), People(self.settings, FACES)
        self.person = self.enrol("MP/1")

    def enrol(self, key: str, days: int = 30) -> Person:
        person = Person(
            self.name,
            person_id(self.name, key),
            State.ACTIVE,
            datetime.now(UTC).date() + timedelta(days=days),
            (Face("digest", "face", "mark", Box(left=0.1, top=0.1, width=0.2, height=0.2)),),
        )
        sealed = self.people.seal(person, Secrets(key, "diary", "report", {"digest": f"s3://b/{CANARY}"}))
        saved = self.people.save(sealed)
        assert saved is not None
        return saved

    def lead(self, number: int = 0, place: str = "one", person: Person | None = None, **more: Any) -> Lead:
        person = person or self.person
        box = Box(left=0.25, top=1 / 3, width=0.2, height=0.3)
        found = Lead(
            lead_id=lead_id(self.name, f"photograph-{number}", box, person.person_id),
            watch_list=self.name,
            purpose=Purpose.MISSING_PERSON,
            photograph=f"photograph-{number}",
            places=(f"s3://crime-faces/{CANARY}/{place}.jpg",),
            seen=Seen(box=box, confidence=99.98765432101234, brightness=50.5, sharpness=70.25),
            candidate=Candidate(face_id="face", person_id=person.person_id, similarity=99.5),
            candidate_place=f"s3://b/{CANARY}",
            threshold=99,
            engine="dlib",
            engine_version="20.0.1",
            run="run",
            found_at=datetime(2026, 11, 20, 9, tzinfo=UTC) + timedelta(seconds=number),
        )
        return found.model_copy(update=more)

    def audit(self) -> Audit:
        return Audit(self.settings, FACES)

    def lines(self) -> list[tuple[str, dict[str, Any]]]:
        """The audit's lines about this list."""
        read = ((line.action, json.loads(line.facts)) for line in self.audit().lines())
        return [(action, facts) for action, facts in read if facts.get("watch_list") == self.name]


@pytest.fixture
def queue(settings: Settings) -> Queue:
    return Queue(settings)


def test_a_lead_is_added_once_and_learns_further_places(queue: Queue, stack: Stack) -> None:
    lead, twin = queue.lead(), queue.lead(place="two")
    assert queue.leads.add([lead, queue.lead(1)]) == Added(2, 0)
    assert queue.leads.add([lead]) == Added(0, 1)
    assert queue.leads.get(lead.lead_id) == lead
    assert queue.leads.add([twin, twin]) == Added(0, 2)
    places = (*lead.places, *twin.places)
    assert queue.leads.get(lead.lead_id) == lead.model_copy(update={"places": places})
    # Where they stand can't be read in the table.
    key = {"lead_id": {"S": lead.lead_id}}
    item = stack.client("dynamodb").get_item(TableName=FACES.leads_table, Key=key)["Item"]
    assert CANARY not in json.dumps(item)
    assert item["queue"] == {"S": f"{queue.name}#pending"}


def test_two_runs_that_find_the_same_photograph_lose_no_place(queue: Queue) -> None:
    found = [queue.lead(place=f"place-{number}") for number in range(8)]
    start, added = threading.Barrier(len(found)), []

    def add(lead: Lead) -> None:
        start.wait()
        added.append(queue.leads.add([lead]))

    threads = [threading.Thread(target=add, args=(lead,)) for lead in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.new for one in added) == 1
    assert sum(one.known for one in added) == len(found) - 1
    assert set(queue.leads.get(found[0].lead_id).places) == {lead.places[0] for lead in found}


def test_the_queue_is_read_in_pages_by_time(queue: Queue, stack: Stack) -> None:
    """Of more leads than one BatchGetItem takes; written as they are, for the sake of the test's time."""
    from crime_jobs.faces._lead_items import written

    leads = [queue.lead(number) for number in range(103)]
    client = stack.client("dynamodb")
    items = [{"PutRequest": {"Item": written(lead, queue.leads._sealer)}} for lead in reversed(leads)]
    for at in range(0, len(items), 25):
        assert not client.batch_write_item(RequestItems={FACES.leads_table: items[at : at + 25]})[
            "UnprocessedItems"
        ]
    assert [lead.lead_id for lead in queue.leads.queue(queue.name)] == [lead.lead_id for lead in leads]
    assert list(queue.leads.queue(queue.name, "confirmed")) == []
    assert queue.leads.forget(queue.name, queue.person.person_id) == 103
    assert list(queue.leads.ids(queue.name)) == []


def test_a_decision_and_its_line_are_one(queue: Queue) -> None:
    queue.leads.add([queue.lead(), queue.lead(1)])
    one, two = (queue.lead(number).lead_id for number in range(2))
    decided = queue.leads.decide(one, True, MARKS, queue.audit())
    assert (decided.state, decided.reason) == ("confirmed", MARKS)
    assert decided.decided_by == queue.audit().who()
    assert decided.decided_at is not None
    assert datetime.now(UTC) - decided.decided_at < timedelta(minutes=1)
    assert queue.leads.get(one) == decided
    assert [lead.lead_id for lead in queue.leads.queue(queue.name)] == [two]
    assert [lead.lead_id for lead in queue.leads.queue(queue.name, "confirmed")] == [one]
    ((action, facts),) = queue.lines()
    assert (action, facts["lead"], facts["why"]) == ("confirmed", one, "marks-agree")
    assert facts["person"] == queue.person.person_id
    assert "mole" not in json.dumps(facts)
    # It stays decided, whatever a later run finds.
    assert queue.leads.add([queue.lead(place="later")]) == Added(0, 1)
    again = queue.leads.get(one)
    assert (again.state, len(again.places)) == ("confirmed", 2)
    with pytest.raises(WrongUsage, match=f"is confirmed already, by {decided.decided_by} at 2"):
        queue.leads.decide(one, False, "other: …", queue.audit())
    assert len(queue.lines()) == 1
    assert queue.audit().verify().broken is None


def test_of_reviewers_at_the_same_moment_one_decides(queue: Queue) -> None:
    queue.leads.add([queue.lead()])
    one = queue.lead().lead_id
    start = threading.Barrier(4)
    said: list[str] = []

    def decide(confirmed: bool) -> None:
        audit = queue.audit()
        audit.who()
        start.wait()
        try:
            said.append(queue.leads.decide(one, confirmed, "other: what was seen", audit).state)
        except WrongUsage as error:
            said.append(str(error))

    threads = [threading.Thread(target=decide, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = queue.leads.get(one).state
    assert said.count(state) == 1
    assert sum(f"is {state} already, by " in text for text in said) == 3
    assert [action for action, _ in queue.lines()] == [state]


def test_who_is_off_the_list_gets_no_lead_and_no_decision(queue: Queue) -> None:
    expired = queue.enrol("MP/2", days=-1)
    last_day = queue.enrol("MP/3", days=0)
    assert queue.leads.add([queue.lead(), queue.lead(1, person=expired)]) == Added(1, 0, over=1)
    assert queue.leads.add([queue.lead(2, person=last_day)]) == Added(1, 0)
    queue.people.save(replace(queue.person, state=State.WITHDRAWING))
    assert queue.leads.add([queue.lead(3)]) == Added(0, 0, over=1)
    with pytest.raises(BadInput, match="withdrawn, or the enrolment has expired"):
        queue.leads.decide(queue.lead().lead_id, True, MARKS, queue.audit())
    assert queue.leads.get(queue.lead().lead_id).state == "pending"
    assert queue.lines() == []
    assert queue.leads.forget(queue.name, queue.person.person_id) == 1
    with pytest.raises(BadInput, match="There is no lead"):
        queue.leads.get(queue.lead().lead_id)
    assert [lead.candidate.person_id for lead in queue.leads.queue(queue.name)] == [last_day.person_id]


def test_what_nobody_decided_on_goes_what_was_decided_stays(queue: Queue) -> None:
    old = datetime.now(UTC) - timedelta(days=FACES.lead_days + 1)
    one, two, three = (
        queue.lead(found_at=old),
        queue.lead(1, found_at=old),
        queue.lead(2, found_at=datetime.now(UTC)),
    )
    queue.leads.add([one, two, three])
    queue.leads.decide(two.lead_id, False, "other: …", queue.audit())
    assert queue.leads.drop_older(FACES.lead_days) >= 1
    assert list(queue.leads.ids(queue.name)) == [three.lead_id]
    assert queue.leads.get(two.lead_id).state == "rejected"


# Three commands.


class Newcomer:
    """A folder with the stack's environment, and a shell in it."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        state = os.environ.get("CRIME_HARNESS_STATE")
        env_file = (Path(state) if state else ROOT / "build") / "up.env"
        (folder / "crime-jobs.toml").write_text(f'[localstack]\nenv_file = "{env_file}"\n')
        names = {name for name in os.environ if name.startswith(("AWS_", "CRIME_JOBS_"))}
        self._environ = {name: value for name, value in os.environ.items() if name not in names}
        self._folder = folder
        self.said = ""

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "crime_jobs.cli",
                "faces",
                *words,
                "--env",
                "localstack",
                "--output",
                "json",
            ],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> list[dict[str, Any]]:
        process = self.start(*words)
        out, err = process.communicate(timeout=180)
        self.said += err
        assert process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]


class Opened:
    """The page, as a browser has it open."""

    def __init__(self, address: str) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.origin = "http://" + urllib.parse.urlsplit(address).netloc
        text = self.get(address)
        (room,) = re.findall(r'url=(/[^/"]+/)', text)
        self.room = self.origin + room

    def get(self, address: str) -> str:
        with self._opener.open(address, timeout=20) as said:
            self.at = said.geturl()
            content: bytes = said.read()
        return content.decode("utf-8", "replace")

    def decide(self, text: str, **fields: str) -> str:
        (form,) = set(re.findall(r'name="form" value="([^"]+)"', text))
        body = urllib.parse.urlencode({"form": form, **fields}).encode()
        request = urllib.request.Request(f"{self.at}/decision", body, {"Origin": self.origin})  # noqa: S310
        with self._opener.open(request, timeout=20) as said:
            self.at = said.geturl()
            content: bytes = said.read()
        return content.decode()


def test_three_commands_from_pictures_to_a_reviewed_match(
    stack: Stack, settings: Settings, tmp_path: Path
) -> None:
    newcomer, name = Newcomer(stack, tmp_path), f"w{uuid.uuid4().hex[:10]}"
    of_list = ("--watch-list", name)
    purpose = ("--purpose", "missing-person", "--yes")
    # One and two.
    enrolled = newcomer.run("enrol", "s3://crime-faces/watch/manifest.csv", *of_list, *purpose)
    assert [line["outcome"] for line in enrolled] == ["enrolled", "enrolled"]
    lake = ("--lake", str(tmp_path / "lake"))
    newcomer.run("match", "s3://crime-faces/photographs/camera-1", *of_list, *purpose, *lake)
    waiting = newcomer.run("leads", *of_list)
    assert waiting
    assert all(set(lead) == {"lead", "similarity", "found_at", "state", "person"} for lead in waiting)
    # Three.
    process = newcomer.start("review", *of_list, "--no-browser")
    try:
        assert process.stderr is not None
        address = next(line.strip() for line in process.stderr if line.startswith("http://127.0.0.1:"))
        page = Opened(address)
        text = page.get(page.room)
        assert page.at.endswith(waiting[0]["lead"])
        assert f"Lead 1 of {len(waiting)}" in text
        for picture in ("photograph", "photograph-face", "enrolled", "enrolled-face"):
            assert f"{picture}.jpg" in text
            assert page._opener.open(f"{page.at}/{picture}.jpg").read().startswith(b"\xff\xd8")
        first = page.at
        said = page.decide(
            text,
            verdict="accept",
            code="features-agree",
            words=f"brow and mouth agree {CANARY}",
            compared="yes",
        )
        assert "Recorded: accepted" in said
        assert page.at != first
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, err
    assert json.loads(out) == {
        "watch_list": name,
        "confirmed": 1,
        "rejected": 0,
        "waiting": len(waiting) - 1,
    }
    # What is left of it.
    (accepted,) = newcomer.run("leads", *of_list, "--state", "confirmed")
    assert accepted["lead"] == waiting[0]["lead"]
    assert accepted["photographs"][0].startswith("s3://crime-faces/photographs/camera-1/")
    assert accepted["reason"] == f"features-agree: brow and mouth agree {CANARY}"
    assert datetime.fromisoformat(accepted["decided_at"]).date() >= date(2026, 1, 1)
    audit = Audit(settings, FACES)
    lines = [line for line in audit.lines() if f'"{name}"' in line.facts]
    actions = [line.action for line in lines]
    assert (actions.count("viewed"), actions.count("confirmed"), actions[-1]) == (2, 1, "listed")
    assert actions.index("viewed") < actions.index("confirmed")
    (decision,) = (line for line in lines if line.action == "confirmed")
    assert json.loads(decision.facts)["lead"] == accepted["lead"]
    assert decision.who == accepted["decided_by"]
    assert audit.verify().broken is None
    told = newcomer.said + err + "".join(line.facts for line in lines)
    assert CANARY not in told
    assert "camera-1" not in told
