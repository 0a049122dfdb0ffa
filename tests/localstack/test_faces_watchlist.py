"""Watch lists on the stack: who is enrolled, what a killed run leaves, what a withdrawal leaves (nothing), the audit.

Faces are looked at by the engine, rows are in DynamoDB, photographs in a bucket with versions.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter

from crime_harness import tables
from crime_jobs import aws, cli
from crime_jobs.errors import AwsRefused, BadInput, JobFailed, WrongUsage
from crime_jobs.faces.audit import Audit
from crime_jobs.faces.engine import Engine
from crime_jobs.faces.expiry import expire
from crime_jobs.faces.leads import Leads
from crime_jobs.faces.people import People, Person, State
from crime_jobs.faces.watchlist import Enrolled, Enrolling
from crime_jobs.faces.withdraw import Withdrawal
from crime_jobs.model.faces import Box, Candidate, Lead, Purpose, Seen, lead_id
from crime_jobs.settings import Settings
from tests.conftest import ROOT
from tests.localstack.conftest import Stack
from tests.localstack.faces import PURPOSE, Room
from tests.photographs import file, head, nobody, two

CANARY = "canary-4c1d"
HEADER = "photograph,person_key,source,legal_basis,expires"
BUCKET = "crime-faces"


@pytest.fixture(scope="module", autouse=True)
def environment(stack: Stack) -> Iterator[pytest.MonkeyPatch]:
    patch = pytest.MonkeyPatch()
    for name, value in stack.env.items():
        patch.setenv(name, value)
    made: dict[Any, Any] = {}

    def client(service: str, settings: Settings, **more: Any) -> Any:
        key = (service, os.environ[f"AWS_ENDPOINT_URL_{service.upper()}"] if service == "rekognition" else "")
        if (key, *more.items()) not in made:
            made[key, *more.items()] = real(service, settings, **more)
        return made[key, *more.items()]

    # To make a client takes longer than most that is tested here: one of each for all.
    real = aws.client
    patch.setattr(aws, "client", client)
    yield patch
    patch.undo()


class Listed(Room):
    """A watch list of one test."""

    @functools.cached_property
    def people(self) -> People:
        return People(self.settings, self.faces)

    @property
    def s3(self) -> Any:
        return aws.client("s3", self.settings)

    def put(self, name: str, content: bytes, under: str = "photographs") -> str:
        key = f"{self.folder}/{under}/{name}"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"


@pytest.fixture
def room(stack: Stack) -> Listed:
    return Listed(stack)


def turned() -> Image.Image:
    return head().transpose(Image.Transpose.FLIP_LEFT_RIGHT)


HEAD, FLIPPED = file(head()), file(turned())


def write(room: Listed, *lines: str) -> str:
    return room.put("manifest.csv", "\n".join([HEADER, *lines]).encode(), "watch")


def line(photograph: str, key: str = "MP/1", expires: str = "2090-01-01", basis: str = "report") -> str:
    return f"{photograph},{key},family,{basis},{expires}"


def enrol(room: Listed, manifest: str, **more: Any) -> Enrolled:
    return Enrolling(room.settings, room.faces, manifest, room.name, PURPOSE, **more).run()


def one_person(room: Listed) -> str:
    """Enrol somebody with two photographs; return the manifest's URI."""
    room.put("a.jpg", HEAD, "watch")
    room.put("b.jpg", FLIPPED, "watch")
    manifest = write(room, line("a.jpg"), line("b.jpg"))
    assert enrol(room, manifest).counts == {"enrolled": 2}
    return manifest


def collection(room: Listed) -> list[str]:
    engine = Engine(room.settings, room.faces)
    return sorted(face.face_id for face in engine.faces(f"crime-jobs-{room.name}"))


def person(room: Listed, key: str = "MP/1") -> Person:
    found = room.people.by_key(room.name, key)
    assert found
    return found


def versions(room: Listed) -> Counter[str]:
    said = room.s3.list_object_versions(Bucket=BUCKET, Prefix=f"{room.folder}/watch/")
    return Counter(
        one["Key"].rpartition("/")[2] for one in said.get("Versions", []) + said.get("DeleteMarkers", [])
    )


def a_lead(room: Listed, found: Person) -> Lead:
    box = Box(left=0.1, top=0.1, width=0.2, height=0.2)
    return Lead(
        lead_id=lead_id(room.name, "ab" * 32, box, found.person_id),
        watch_list=room.name,
        purpose=PURPOSE,
        photograph="ab" * 32,
        places=("s3://crime-faces/x.jpg",),
        seen=Seen(box=box, confidence=99, brightness=50, sharpness=50),
        candidate=Candidate(face_id="f", person_id=found.person_id, similarity=99.5),
        candidate_place="s3://crime-faces/a.jpg",
        threshold=99,
        engine="dlib",
        engine_version="1",
        run="r",
        found_at=datetime.now(UTC),
    )


def state_of(room: Listed) -> Any:
    """All that a run could change."""
    return room.people.watch_list(room.name), list(room.people.everyone(room.name)), collection(room)


def test_people_are_enrolled_once_and_the_same_manifest_changes_nothing(room: Listed) -> None:
    manifest = one_person(room)
    found = person(room)
    assert found.state is State.ACTIVE
    assert sorted(face.face_id for face in found.faces) == collection(room)
    assert all(face.box and 0 < face.box.width < 1 for face in found.faces)
    secrets = room.people.secrets(found)
    assert (secrets.person_key, secrets.legal_basis) == ("MP/1", "report")
    assert set(secrets.places.values()) == {f"s3://{BUCKET}/{room.folder}/watch/{n}.jpg" for n in "ab"}
    before = state_of(room)
    assert before[0].revision == 1
    again = enrol(room, manifest)
    assert again.counts == {"known": 2}
    assert "detect_faces" not in again.calls
    assert again.usd == 0
    assert state_of(room) == before


def test_each_line_is_told_and_the_rest_goes_on(room: Listed) -> None:
    for name, content in {
        "good.jpg": HEAD,
        "nobody.jpg": file(nobody()),
        "two.jpg": file(two()),
        "blurred.jpg": file(head().resize((120, 120)).filter(ImageFilter.GaussianBlur(4))),
        "broken.jpg": HEAD[: len(HEAD) // 3],
        "page.png": b"<html>",
        "empty.jpg": b"",
    }.items():
        room.put(name, content, "watch")
    names = ("nobody", "two", "good", "blurred", "broken", "empty", "gone")
    lines = [line(f"{name}.jpg", f"K/{number}") for number, name in enumerate(names)]
    done = enrol(room, write(room, *lines, line("page.png", "K/9")))
    told = {one.line: one.why for one in done.lines}
    assert done.counts == {"refused": 7, "enrolled": 1}
    assert "no face is found" in told[2]
    assert "it has 2 faces" in told[3]
    assert told[4] == ""
    assert told[5]  # too soft to be found, or to be kept: by the engine's own bar
    assert "can't be used" in told[6]
    assert "can't be used" in told[7]
    assert "neither JPEG nor PNG" in told[9]
    assert told[8] == "the photograph is not there"
    assert len(collection(room)) == 1
    # Nothing is kept of those whose photograph would not do.
    assert [one for one in room.people.everyone(room.name) if one.sealed] == [person(room, "K/2")]


def test_the_same_picture_twice_is_one_face_and_another_in_its_place_replaces_it(room: Listed) -> None:
    for name in ("a.jpg", "copy.jpg"):
        room.put(name, HEAD, "watch")
    manifest = write(room, line("a.jpg"), line("copy.jpg"))
    assert enrol(room, manifest).counts == {"enrolled": 1, "known": 1}
    assert len(collection(room)) == 1
    room.put("a.jpg", FLIPPED, "watch")
    (old,) = collection(room)
    assert enrol(room, manifest).counts["enrolled"] == 1
    room.put("copy.jpg", FLIPPED, "watch")
    assert enrol(room, manifest).counts == {"known": 2}
    assert old not in collection(room) or len(collection(room)) == 2
    assert sorted(face.face_id for face in person(room).faces) == collection(room)


def test_changed_terms_are_taken_over_and_who_left_is_told_not_removed(room: Listed) -> None:
    one_person(room)
    room.put("c.jpg", file(head().resize((200, 200))), "watch")
    changed = [line(f"{n}.jpg", expires="2091-05-05", basis="renewed") for n in "ab"]
    done = enrol(room, write(room, *changed, line("c.jpg", "MP/2")))
    assert done.counts == {"known": 2, "enrolled": 1}
    found = person(room)
    assert found.expires.isoformat() == "2091-05-05"
    assert room.people.secrets(found).legal_basis == "renewed"
    assert room.people.watch_list(room.name).revision == 2
    done = enrol(room, write(room, line("c.jpg", "MP/2")))
    assert done.left == 1
    assert person(room).state is State.ACTIVE
    assert len(collection(room)) == 3


class Killed(BaseException):
    """Ends a run where a kill would: nothing of ours catches it."""


def breaks(target: Any, name: str, patch: pytest.MonkeyPatch, *, after: bool) -> None:
    real: Callable[..., Any] = getattr(target, name)

    def broken(*given: Any, **named: Any) -> Any:
        if after:
            real(*given, **named)
        raise Killed

    patch.setattr(target, name, broken)


@pytest.mark.parametrize(
    ("target", "name", "after"),
    [
        (Engine, "ensure_collection", True),
        (People, "save", False),
        (Engine, "index", False),
        (Engine, "index", True),
        (People, "save", True),
        (People, "end_change", False),
    ],
)
def test_an_enrolment_that_ends_anywhere_is_finished_by_the_next(
    target: Any, name: str, after: bool, room: Listed
) -> None:
    room.put("a.jpg", HEAD, "watch")
    manifest = write(room, line("a.jpg"))
    with pytest.MonkeyPatch.context() as patch:
        breaks(target, name, patch, after=after)
        with pytest.raises(Killed):
            enrol(room, manifest)
    done = enrol(room, manifest)
    assert done.counts.keys() <= {"enrolled", "known"}
    (face,) = person(room).faces
    assert collection(room) == [face.face_id]
    # Whatever was matched in between is matched again: the list is another one now.
    assert room.people.watch_list(room.name).revision >= 1
    assert not room.people.is_changing(room.name)
    assert enrol(room, manifest).counts == {"known": 1}


KILLS = """
import os, signal, sys
from crime_jobs.faces.engine import Engine
real = Engine.{name}
def killed(*given, **named):
    real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
Engine.{name} = killed
from crime_jobs.cli import main
sys.exit(main(sys.argv[1:]))
"""


def kill(room: Listed, folder: Path, name: str, *arguments: str) -> None:
    """Run the command in a process of its own that is killed after a call of the engine."""
    (folder / "crime-jobs.toml").write_text(
        '[here]\nregion = "us-east-1"\n[here.faces]\nengine = "on-premises"\n'
    )
    ended = subprocess.run(
        [sys.executable, "-c", KILLS.format(name=name), "faces", *arguments, "--env", "here", "--yes"],
        cwd=folder,
        env={**room.stack.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_what_kill_9_leaves_is_finished_by_the_next_run(room: Listed, tmp_path: Path) -> None:
    room.put("a.jpg", HEAD, "watch")
    manifest = write(room, line("a.jpg"))
    told = (manifest, "--watch-list", room.name, "--purpose", PURPOSE.value)
    kill(room, tmp_path, "index", "enrol", *told)
    (face,) = collection(room)
    assert person(room).faces[0].face_id == ""  # the row tells of a face whose id it has not got
    done = enrol(room, manifest)
    assert (done.reconciled.adopted, done.counts) == (1, {"known": 1})
    assert person(room).faces[0].face_id == face
    kill(room, tmp_path, "delete_faces", "withdraw", "MP/1", "--watch-list", room.name, "--reason", "found")
    assert person(room).state is State.WITHDRAWING
    assert room.people.active(room.name) == {}
    with pytest.raises(BadInput):
        raise_refused(enrol(room, manifest))
    expired = expire(room.settings, room.faces, room.name)
    assert [one.state for one in expired.people] == ["withdrawn"]
    assert versions(room) == {"manifest.csv": 1}


def raise_refused(done: Enrolled) -> None:
    if done.counts["refused"]:
        raise BadInput("; ".join(told.why for told in done.lines))


def test_a_face_that_nobody_tells_of_does_not_stay(room: Listed) -> None:
    manifest = one_person(room)
    engine, name = Engine(room.settings, room.faces), f"crime-jobs-{room.name}"
    engine.index(name, file(head().resize((300, 300))), f"{'0' * 32}:{'1' * 32}")
    assert len(collection(room)) == 3
    assert enrol(room, manifest).reconciled.orphans == 1
    # The engine lost one: it is enrolled anew.
    engine.delete_faces(name, collection(room)[:1])
    done = enrol(room, manifest)
    assert (done.reconciled.lost, done.counts) == (1, {"known": 1, "enrolled": 1})
    assert len(collection(room)) == 2


def test_a_withdrawal_leaves_nothing_but_that_it_was(room: Listed) -> None:
    manifest = one_person(room)
    room.put("a.jpg", HEAD, "watch")  # a second version of it
    room.put("a.jpg.old", HEAD, "watch")  # a name that begins so is another photograph
    found = person(room)
    assert Leads(room.settings, room.faces).add([a_lead(room, found)]).new == 1
    withdrawal = Withdrawal(room.settings, room.faces, room.name)
    with pytest.raises(WrongUsage, match="has the person's key"):
        withdrawal.withdraw(found, "MP/1 was found", keep_photographs=False)
    told = withdrawal.withdraw(found, "was found", keep_photographs=False)
    assert (told.faces, told.leads, told.photographs, told.kept) == (2, 1, 2, 0)
    assert collection(room) == []
    assert room.leads == []
    assert versions(room) == {"manifest.csv": 1, "a.jpg.old": 1}
    left = person(room)
    assert (left.state, left.faces, left.sealed) == (State.WITHDRAWN, (), "")
    assert room.people.watch_list(room.name).revision == 2
    # Again: nothing to do, and nothing breaks.
    assert withdrawal.withdraw(left, "was found", keep_photographs=False).faces == 0
    # Who was withdrawn does not come back by the manifest alone.
    room.put("a.jpg", HEAD, "watch")
    refused = enrol(room, manifest)
    assert refused.counts == {"refused": 2}
    assert "withdrawn" in refused.lines[0].why
    assert collection(room) == []
    assert enrol(room, manifest, again=True).counts == {"enrolled": 1, "refused": 1}
    assert person(room).state is State.ACTIVE


@pytest.mark.parametrize(
    ("name", "after"), [("_remove_faces", True), ("_remove_photographs", True), ("_ended", False)]
)
def test_a_withdrawal_that_ends_anywhere_is_finished_by_the_next(
    name: str, after: bool, room: Listed
) -> None:
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    withdrawal = Withdrawal(room.settings, room.faces, room.name)
    with pytest.MonkeyPatch.context() as patch:
        breaks(Withdrawal, name, patch, after=after)
        with pytest.raises(Killed):
            withdrawal.withdraw(person(room), "found", keep_photographs=False)
    assert person(room).state is State.WITHDRAWING
    told = Withdrawal(room.settings, room.faces, room.name).withdraw(
        person(room), "found", keep_photographs=False
    )
    assert told.state == "withdrawn"
    assert (collection(room), person(room).sealed) == ([], "")
    assert versions(room) == {"manifest.csv": 1}


def test_photographs_stay_if_one_says_so(room: Listed) -> None:
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    withdrawal = Withdrawal(room.settings, room.faces, room.name)
    told = withdrawal.withdraw(person(room), "found", keep_photographs=True)
    assert (told.photographs, told.kept, told.faces) == (0, 1, 1)
    assert versions(room)["a.jpg"] == 1
    with pytest.raises(WrongUsage, match="Nobody on the watch list") as caught:
        withdrawal.find(CANARY)
    assert CANARY not in str(caught.value)


def test_who_is_withdrawn_while_being_enrolled_leaves_no_face(room: Listed) -> None:
    room.put("a.jpg", HEAD, "watch")
    room.put("b.jpg", FLIPPED, "watch")
    enrol(room, write(room, line("a.jpg")))
    manifest = write(room, line("a.jpg"), line("b.jpg"))
    real = Engine.index

    def withdrawn(engine: Engine, *given: Any, **named: Any) -> Any:
        kept = real(engine, *given, **named)
        Withdrawal(room.settings, room.faces, room.name).withdraw(
            person(room), "found", keep_photographs=True
        )
        real(engine, *given, **named)  # the answer came late: the face came after the other run had looked
        return kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "index", withdrawn)
        with pytest.raises(JobFailed, match="changed by somebody else"):
            enrol(room, manifest)
    assert person(room).state is State.WITHDRAWN
    enrol(room, manifest)
    assert collection(room) == []


def test_what_has_had_its_day_is_ended_and_can_come_again(room: Listed) -> None:
    room.enrol({"MP/1": {"a.jpg": HEAD}, "MP/2": {"b.jpg": FLIPPED}}, "2090-01-01")
    found = person(room)
    Leads(room.settings, room.faces).add([a_lead(room, found)])
    room.people.save(replace(found, expires=datetime.now(UTC).date()))
    today = expire(room.settings, room.faces, room.name)
    assert today.people == ()  # the last day is a day
    assert found.person_id in room.people.active(room.name)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert found.person_id not in room.people.active(room.name, tomorrow)
    done = expire(room.settings, room.faces, room.name, now=tomorrow)
    assert [(one.state, one.faces, one.leads, one.photographs) for one in done.people] == [
        ("expired", 1, 1, 1)
    ]
    assert person(room).sealed == ""
    assert len(collection(room)) == 1
    assert versions(room) == {"manifest.csv": 1, "b.jpg": 1}
    assert expire(room.settings, room.faces, room.name, now=tomorrow).people == ()
    room.put("a.jpg", HEAD, "watch")
    assert enrol(room, write(room, line("a.jpg"), line("b.jpg", "MP/2"))).counts == {
        "enrolled": 1,
        "known": 1,
    }


def test_who_can_not_be_taken_off_does_not_keep_the_others_on(room: Listed) -> None:
    room.enrol({"MP/1": {"a.jpg": HEAD}, "MP/2": {"b.jpg": FLIPPED}}, "2090-01-01")
    tomorrow = datetime(2090, 1, 2, tzinfo=UTC)
    stuck = person(room, "MP/2").person_id
    real = Withdrawal._remove_photographs

    def refused(withdrawal: Withdrawal, of: Person, keep: bool) -> tuple[int, int]:
        if of.person_id == stuck:
            raise AwsRefused("Removing a photograph: an object lock.")
        return real(withdrawal, of, keep)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Withdrawal, "_remove_photographs", refused)
        with pytest.raises(JobFailed, match="1 people could not be taken off, 1 were; the first: Removing"):
            expire(room.settings, room.faces, room.name, now=tomorrow)
    assert (person(room).state, person(room, "MP/2").state) == (State.EXPIRED, State.WITHDRAWING)
    assert collection(room) == []
    assert [one.state for one in expire(room.settings, room.faces, room.name).people] == ["expired"]


def test_a_list_is_for_one_purpose_and_one_engine(room: Listed) -> None:
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    manifest = write(room, line("a.jpg"))
    before = state_of(room)
    with pytest.raises(WrongUsage, match="is for missing-person"):
        Enrolling(room.settings, room.faces, manifest, room.name, Purpose.CRIMINAL_INVESTIGATION).plan()
    amazon = room.faces.model_copy(update={"engine": "rekognition"})
    with pytest.raises(WrongUsage, match="settings say that the engine is rekognition"):
        Enrolling(room.settings, amazon, manifest, room.name, PURPOSE).plan()
    assert state_of(room) == before
    # The engine here is our own: it may be used for what AWS's terms bar for Rekognition.
    other = Listed(room.stack)
    other.put("a.jpg", HEAD, "watch")
    plan = Enrolling(
        other.settings, other.faces, write(other, line("a.jpg")), other.name, Purpose.CRIMINAL_INVESTIGATION
    ).plan()
    assert (plan.new, plan.calls) == (1, 2)


def test_faces_of_another_environment_are_not_taken_for_leftovers(room: Listed) -> None:
    engine, name = Engine(room.settings, room.faces), f"crime-jobs-{room.name}"
    engine.ensure_collection(name)
    engine.index(name, HEAD, f"{'0' * 32}:{'1' * 32}")
    room.put("a.jpg", HEAD, "watch")
    manifest = write(room, line("a.jpg"))
    with pytest.raises(WrongUsage, match="no watch list here tells of it"):
        enrol(room, manifest)
    assert len(collection(room)) == 1
    engine.delete_collection(name)
    assert enrol(room, manifest).counts == {"enrolled": 1}


def test_what_it_costs_is_said_before_and_after(room: Listed) -> None:
    for name in ("a.jpg", "b.jpg"):
        room.put(name, HEAD if name == "a.jpg" else FLIPPED, "watch")
    faces = room.faces.model_copy(update={"price_per_call": 0.001, "calls_per_second": 40.0})
    run = Enrolling(room.settings, faces, write(room, line("a.jpg"), line("b.jpg")), room.name, PURPOSE)
    plan = run.plan()
    assert (plan.people, plan.photographs, plan.new, plan.calls, plan.usd, plan.seconds) == (
        1,
        2,
        2,
        4,
        0.004,
        0.1,
    )
    done = run.run()
    assert done.usd == 0.004
    assert (done.calls["detect_faces"], done.calls["index_faces"]) == (2, 2)


@pytest.fixture
def own_audit(stack: Stack, room: Listed) -> Iterator[tuple[list[Audit], Any, str]]:
    """Four writers of an audit whose chain may be broken."""
    table, client = f"t_audit_{uuid.uuid4().hex[:8]}", stack.client("dynamodb")
    tables.make(client, table, "faces", "Audit")
    faces = room.faces.model_copy(update={"audit_table": table})
    yield [Audit(room.settings, faces) for _ in range(4)], client, table
    client.delete_table(TableName=table)


def test_a_broken_chain_is_found_and_many_writers_do_not_break_it(
    own_audit: tuple[list[Audit], Any, str],
) -> None:
    audits, client, table = own_audit
    audit = audits[0]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: [one.write("n", number=n) for n in range(3)], audits))
    told = audit.verify()
    assert (told.lines, told.broken) == (12, None)
    assert "arn:aws" in next(audit.lines()).who
    day = datetime.now(UTC).date().isoformat()
    key = {"day": {"S": day}, "line": {"N": "5"}}
    before = client.get_item(TableName=table, Key=key)["Item"]
    client.put_item(TableName=table, Item={**before, "who": {"S": "arn:aws:iam::000000000000:user/other"}})
    assert (audit.verify().broken, audit.verify().why) == (5, "it was changed")
    client.delete_item(TableName=table, Key=key)
    assert audit.verify().broken == 5
    client.put_item(TableName=table, Item=before)
    assert audit.verify().broken is None


def test_nothing_of_a_person_is_in_output_logs_or_rows(
    room: Listed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "crime-jobs.toml").write_text(
        '[here]\nregion = "us-east-1"\n[here.faces]\nengine = "on-premises"\n'
    )
    monkeypatch.chdir(tmp_path)
    for name in ("crime_jobs", "aws_encryption_sdk"):
        caplog.set_level("DEBUG", name)
    room.put(f"{CANARY}/one.jpg", HEAD, "watch")
    room.put(f"{CANARY}/none.jpg", file(nobody()), "watch")
    lines = [
        f"{CANARY}/{n}.jpg,MP/{CANARY}/{n},from {CANARY},basis {CANARY},2090-01-01"
        for n in ("one", "none", "gone")
    ]
    manifest = write(room, *lines)
    asked = ["--watch-list", room.name, "--env", "here", "--output", "table"]
    enrolling = ["faces", "enrol", manifest, "--purpose", PURPOSE.value, "--yes", *asked]
    assert cli.main(enrolling) == 3  # two of the lines are refused
    assert cli.main([*enrolling, "--dry-run"]) == 0
    assert cli.main(["faces", "expire", *asked]) == 0
    bad = room.put("bad.csv", f"{HEADER}\n../{CANARY},{CANARY},,,".encode(), "watch")
    assert cli.main(["faces", "enrol", bad, "--purpose", PURPOSE.value, "--yes", *asked]) == 3
    assert cli.main(["faces", "withdraw", f"MP/{CANARY}/two", "--reason", "x", "--yes", *asked]) == 2
    withdrawing = ["faces", "withdraw", f"MP/{CANARY}/one", "--reason", "found", *asked]
    assert cli.main(withdrawing) == 2  # nobody is there to be asked
    clear = [item for name in ("people_table", "audit_table", "leads_table") for item in scan(room, name)]
    assert cli.main([*withdrawing, "--yes"]) == 0
    assert cli.main(["faces", "audit", "--env", "here"]) == 0
    assert cli.main(["faces", "audit", "--verify", "--env", "here"]) == 0
    clear += [item for name in ("people_table", "audit_table", "leads_table") for item in scan(room, name)]
    out, err = capfd.readouterr()
    assert "enrolled" in out
    assert "line 2: photograph is not a path" in err
    shown = out + err + caplog.text + json.dumps(clear, default=repr)
    assert CANARY not in shown.replace(manifest, "").replace(bad, "")
    for folder in (tmp_path, Path.cwd()):
        assert not [path for path in folder.rglob("*") if path.is_file() and path.name != "crime-jobs.toml"]


def scan(room: Listed, table: str) -> list[Any]:
    client = aws.client("dynamodb", room.settings)
    pages = client.get_paginator("scan").paginate(TableName=getattr(room.faces, table))
    return [item for page in pages for item in page["Items"]]


def test_a_folder_of_this_machine_is_a_watch_list_too(room: Listed, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(HEAD)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"{HEADER}\n{line('a.jpg')}\n{line('gone.jpg')}\n")
    done = enrol(room, str(manifest))
    assert [(told.outcome, told.why) for told in done.lines] == [
        ("enrolled", ""),
        ("refused", "the photograph is not there"),
    ]
    assert enrol(room, str(manifest)).counts == {"known": 1, "refused": 1}
    told = Withdrawal(room.settings, room.faces, room.name).withdraw(
        person(room), "x", keep_photographs=False
    )
    assert (told.faces, told.photographs, told.kept) == (1, 0, 1)
    assert (tmp_path / "a.jpg").exists()  # what is on somebody's disk is his to remove; it is told


def test_what_is_not_there_is_said(room: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongUsage, match="There is no watch list"):
        Withdrawal(room.settings, room.faces, room.name)
    with pytest.raises(BadInput, match="The manifest is not there"):
        enrol(room, f"s3://{BUCKET}/{room.folder}/nothing.csv")
    with pytest.raises(WrongUsage, match="is not called"):
        Enrolling(room.settings, room.faces, "m.csv", "No Such Name", PURPOSE)
    with pytest.raises(AwsRefused, match="Reading the manifest"):
        enrol(room, "s3://no-such-bucket-here/m.csv")
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", room.stack.endpoint)
    monkeypatch.setattr("crime_jobs.faces._calls.FIRST_PAUSE", 0)
    room.put("a.jpg", HEAD, "watch")
    with pytest.raises((WrongUsage, AwsRefused)):  # whoever answers there, it is not the engine
        enrol(room, write(room, line("a.jpg")))
    assert os.environ["AWS_ENDPOINT_URL_REKOGNITION"] == room.stack.endpoint
