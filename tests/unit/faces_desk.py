"""A desk over tables in memory, and its page on a port of its own.

Not a test. The decision has the condition that DynamoDB would hold it against, in the same lock as the line.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import threading
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crime_jobs.errors import AwsRefused, BadInput
from crime_jobs.faces._lead_requests import Lines
from crime_jobs.faces._rows import Face, Person, Secrets, State
from crime_jobs.faces.decisions import code_of, refused
from crime_jobs.faces.pictures import Reason, Unreadable
from crime_jobs.faces.review.desk import Desk
from crime_jobs.faces.review.guard import COOKIE
from crime_jobs.faces.review.serve import Page
from crime_jobs.model.faces import Box, Candidate, Lead, Purpose, Seen, WatchList, lead_id, person_id

ASTRONAUT = Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg"

#: Texts that may be on the page for the reviewer, or nowhere at all: never in a log, a line or a message.
CANARIES = ("CANARY-KEY", "CANARY-PLACE", "CANARY-SOURCE", "CANARY-BASIS", "CANARY-WORDS")

WHO = "arn:aws:sts::000000000000:assumed-role/reviewer/asha"
OTHER = "arn:aws:sts::000000000000:assumed-role/reviewer/ravi"
LIST = WatchList(
    name="missing",
    purpose=Purpose.MISSING_PERSON,
    collection="crime-jobs-missing",
    engine="dlib",
    engine_version="1",
)
#: Where the face is in the astronaut's photograph, and in the same one mirrored.
FACE = Box(left=0.36, top=0.14, width=0.18, height=0.2)
MIRRORED = Box(left=1 - 0.36 - 0.18, top=0.14, width=0.18, height=0.2)
FOUND_AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def jpeg(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=90)
    return target.getvalue()


@cache
def mirrored(darker: int = 0) -> bytes:
    """The astronaut's photograph mirrored; each `darker` is another photograph."""
    with Image.open(ASTRONAUT) as image:
        flipped = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return jpeg(flipped.point(lambda value: max(0, value - darker)))


@dataclass
class Memory:
    """The tables and the bucket."""

    leads: dict[str, Lead] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    opened: dict[str, Secrets] = field(default_factory=dict)
    objects: dict[str, bytes | Reason] = field(default_factory=dict)
    lines: list[tuple[str, str, Mapping[str, str | float]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enrol(self, key: str = CANARIES[0], box: Box | None = FACE) -> Person:
        content = ASTRONAUT.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        place = f"s3://crime-faces/watch/{CANARIES[1]}/{key}.jpg"
        self.objects[place] = content
        person = Person(
            LIST.name,
            person_id(LIST.name, key),
            State.ACTIVE,
            date.today() + timedelta(days=30),
            (Face(digest, f"face-{len(self.people)}", "mark", box),),
        )
        self.people[person.person_id] = person
        self.opened[person.person_id] = Secrets(key, CANARIES[2], CANARIES[3], {digest: place})
        return person

    def find(self, person: Person, number: int = 0, similarity: float = 99.4) -> Lead:
        content = mirrored(number)
        photograph = hashlib.sha256(content).hexdigest()
        place = f"s3://crime-faces/photographs/{CANARIES[1]}-{number}.jpg"
        self.objects[place] = content
        face = person.faces[0]
        lead = Lead(
            lead_id=lead_id(LIST.name, photograph, MIRRORED, person.person_id),
            watch_list=LIST.name,
            purpose=LIST.purpose,
            photograph=photograph,
            places=(place,),
            seen=Seen(box=MIRRORED, confidence=99.9, brightness=61, sharpness=84),
            candidate=Candidate(face_id=face.face_id, person_id=person.person_id, similarity=similarity),
            candidate_place=self.opened[person.person_id].places[face.digest],
            threshold=99,
            engine="dlib",
            engine_version="1",
            run="run-1",
            found_at=FOUND_AT + timedelta(minutes=number),
        )
        self.leads[lead.lead_id] = lead
        return lead

    # What a desk asks for.

    def ids(self, watch_list: str) -> Iterator[str]:
        waiting = [lead for lead in self.leads.values() if lead.state == "pending"]
        return iter([lead.lead_id for lead in sorted(waiting, key=lambda lead: lead.found_at)])

    def get(self, lead_id: str) -> Lead:
        if lead_id not in self.leads:
            raise BadInput(f"There is no lead {lead_id!r}.")
        return self.leads[lead_id]

    def decide(self, lead_id: str, confirmed: bool, reason: str, audit: Lines) -> Lead:
        with self.lock:
            lead = self.get(lead_id)
            if lead.state != "pending":
                raise refused(lead)
            state = "confirmed" if confirmed else "rejected"
            audit.transact([], state, lead=lead_id, why=code_of(reason))
            decision = {
                "state": state,
                "decided_by": audit.who(),
                "decided_at": datetime.now(UTC),
                "reason": reason,
            }
            self.leads[lead_id] = lead.model_copy(update=decision)
            return self.leads[lead_id]

    def person(self, name: str, person: str) -> Person | None:
        return self.people.get(person) if name == LIST.name else None

    def secrets(self, person: Person) -> Secrets:
        return self.opened[person.person_id]

    def fetch(self, uri: str) -> bytes:
        found = self.objects.get(uri, Reason.GONE)
        if isinstance(found, Reason):
            raise Unreadable(found)
        return found


@dataclass
class Notes:
    """The audit lines of somebody."""

    memory: Memory
    name: str = WHO
    refuses: bool = False

    def who(self) -> str:
        return self.name

    def write(self, action: str, **facts: str | float) -> None:
        if self.refuses:
            raise AwsRefused("Writing the audit line: refused.")
        self.memory.lines.append((self.name, action, facts))

    def transact(self, items: Sequence[Mapping[str, Any]], action: str, **facts: str | float) -> None:
        self.write(action, **facts)


def desk_of(memory: Memory, who: str = WHO) -> Desk:
    return Desk(LIST, memory, memory, memory, Notes(memory, who))


@contextmanager
def serving(desk: Desk, told: list[str] | None = None, idle_minutes: float = 5) -> Iterator[Page]:
    """The desk's page, served until the end."""
    page = Page(desk, 0, idle_minutes, (told if told is not None else []).append)
    thread = threading.Thread(target=page.serve)
    thread.start()
    try:
        yield page
    finally:
        page.end()
        thread.join(10)
        assert not thread.is_alive()


@dataclass
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Browser:
    """A browser as far as HTTP goes: sends what it is told, keeps the cookie."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cookie = ""

    @property
    def room(self) -> str:
        return f"/{self.page.session.room}"

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Said:
        return self._ask(method, path, None, headers or {})

    def enter(self) -> Said:
        said = self.get(f"/open?token={self.page.session.token}")
        self.cookie = said.headers.get("set-cookie", "").partition(";")[0].removeprefix(f"{COOKIE}=")
        return said

    def decide(self, lead_id: str, headers: Mapping[str, str] | None = None, **fields: str) -> Said:
        form = {
            "form": self.page.session.form,
            "verdict": "accept",
            "code": "marks-agree",
            "words": f"{CANARIES[4]}: the same mole at the left brow",
            "compared": "yes",
        }
        sent = {
            "Origin": f"http://127.0.0.1:{self.page.port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urllib.parse.urlencode(form | fields)
        return self._ask(
            "POST", f"{self.room}/lead/{lead_id}/decision", body.encode(), sent | dict(headers or {})
        )

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", self.page.port, timeout=10)
        sent = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in {**sent, **headers}.items():
                if value:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Said(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


JSON = {"Accept": "application/json"}


def two_wait() -> Memory:
    """A person on the list and two leads that wait."""
    memory = Memory()
    person = memory.enrol()
    memory.find(person, 0)
    memory.find(person, 9)
    return memory


@pytest.fixture
def memory() -> Memory:
    return two_wait()


@contextmanager
def entered(memory: Memory, who: str = WHO, told: list[str] | None = None) -> Iterator[Browser]:
    with serving(desk_of(memory, who), told) as page:
        browser = Browser(page)
        assert browser.enter().status == 200
        yield browser


@pytest.fixture
def browser(memory: Memory) -> Iterator[Browser]:
    with entered(memory) as browser:
        yield browser


@pytest.fixture(scope="module")
def standing() -> Iterator[tuple[Browser, Memory]]:
    """A page for all tests that change nothing: its leads go on waiting."""
    memory = two_wait()
    with entered(memory) as browser:
        yield browser, memory
        assert len(leads_of(memory)) == 2


def leads_of(memory: Memory) -> list[str]:
    return list(memory.ids("missing"))
