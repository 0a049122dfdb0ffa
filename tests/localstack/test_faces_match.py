"""The job match_faces on the stack: which leads there are, and that nothing that goes wrong loses or doubles one.

The only face that may ship is one person's. So who is on a list is told apart by whose photographs were
enrolled, and "somebody else" is that face bent until it is less alike than the threshold.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from crime_jobs.cli import main
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.faces.audit import Audit
from crime_jobs.faces.compare import compare
from crime_jobs.faces.match import MatchConfig, plan, remarks, summary
from crime_jobs.faces.matching import Skip
from crime_jobs.faces.photographs import fetch, listed, names_of_unreadable
from crime_jobs.faces.pictures import Reason, Unreadable
from crime_jobs.faces.withdraw import Withdrawal
from crime_jobs.model.faces import Purpose, person_id
from tests.localstack.conftest import Stack, free_port
from tests.localstack.engines import until
from tests.localstack.faces import PURPOSE, OwnEngine, Room
from tests.localstack.migration import Session
from tests.photographs import crowd, exif, file, head, nobody, two

CANARY = "canary-vasanti"


@pytest.fixture(scope="module", autouse=True)
def environment(stack: Stack) -> Iterator[pytest.MonkeyPatch]:
    """What enrols and looks at tables in this process speaks to the stack too."""
    patch = pytest.MonkeyPatch()
    for name, value in stack.env.items():
        patch.setenv(name, value)
    yield patch
    patch.undo()


@pytest.fixture(scope="module")
def engine(
    stack: Stack, environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnEngine]:
    made = OwnEngine(stack, free_port(), tmp_path_factory.mktemp("engine"))
    environment.setenv("AWS_ENDPOINT_URL_REKOGNITION", made.address)
    made.start()
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def _no_faults(engine: OwnEngine) -> Iterator[None]:
    yield
    engine.forget_faults()


class Sessions:
    """One Spark session for all tests, until one kills it; what it logs is kept."""

    def __init__(self, stack: Stack, engine: OwnEngine) -> None:
        self._stack, self._engine = stack, engine
        self._session: Session | None = None
        self._log = engine.folder / "session.log"

    @property
    def it(self) -> Session:
        if self._session is None or self._session.process.poll() is not None:
            own = os.dup(2)
            try:
                with self._log.open("ab") as log:
                    os.dup2(log.fileno(), 2)
                self._session = Session(self._stack, AWS_ENDPOINT_URL_REKOGNITION=self._engine.address)
            finally:
                os.dup2(own, 2)
                os.close(own)
        return self._session

    @property
    def log(self) -> str:
        """What driver, JVM and workers have said so far."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


@pytest.fixture(scope="module")
def sessions(stack: Stack, engine: OwnEngine) -> Iterator[Sessions]:
    made = Sessions(stack, engine)
    yield made
    made.close()


@pytest.fixture
def room(stack: Stack) -> Room:
    return Room(stack)


def stranger() -> Image.Image:
    """A face that is less like the one on the list than 99.9 %."""
    return head().resize((200, 300)).filter(ImageFilter.GaussianBlur(2))


HEAD, FLIPPED = file(head()), file(head().transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def expire(room: Room, key: str) -> None:
    """Let a person's last day have been yesterday, as time does."""
    room.stack.client("dynamodb").update_item(
        TableName=room.faces.people_table,
        Key={"watch_list": {"S": room.name}, "person_id": {"S": person_id(room.name, key)}},
        UpdateExpression="SET expires = :day",
        ExpressionAttributeValues={":day": {"S": "2020-01-01"}},
    )


def test_who_is_in_the_photographs(engine: OwnEngine, sessions: Sessions, room: Room) -> None:
    """Several faces a photograph, several photographs a person, the same one twice, nobody, people off the list."""
    room = Room(room.stack, room.faces.model_copy(update={"price_per_call": 0.001}))
    known = {"MP/1": {"a.jpg": HEAD, "b.jpg": FLIPPED}, "MP/2": {"c.jpg": HEAD}}
    room.enrol({**known, "MP/3": {"d.jpg": HEAD}, "MP/4": {"e.jpg": HEAD}})
    expire(room, "MP/3")
    withdrawal = Withdrawal(room.settings, room.faces, room.name)
    withdrawal.withdraw(withdrawal.find("MP/4"), "found", keep_photographs=True)
    one = room.put("camera-1/one.jpg", HEAD)
    again = room.put("camera-2/the-same.jpg", HEAD)
    both = room.put("camera-2/two.jpg", file(two()))
    room.put("nobody.jpg", file(nobody()))
    room.put("stranger.jpg", file(stranger()))
    said = sessions.it.run("match_faces", **room.options(threshold=99.9))
    assert said.exit_code == 0, said
    (report,) = said.reports
    counts = {name: report[name] for name in ("rows_read", "matched", "already", "faces", "searched")}
    assert counts == {"rows_read": 5, "matched": 5, "already": 0, "faces": 5, "searched": 5}
    assert (report["leads_new"], report["leads_known"], report["unreadable"]) == (6, 2, {})
    assert report["candidates_dropped"] == 4  # of MP/3, whose face is in the collection still
    assert report["calls"] == {"detect_faces": 5, "search_faces_by_image": 5}
    assert report["usd"] == pytest.approx(0.01)
    leads = room.leads
    people = {person_id(room.name, key): key for key in known}
    found = Counter((frozenset(lead.places), people[lead.candidate.person_id]) for lead in leads)
    expected = {(frozenset([one, again]), key): 1 for key in known} | {
        (frozenset([both]), key): 2 for key in known
    }
    assert found == expected
    enrolled = f"s3://crime-faces/{room.folder}/watch"
    for lead in leads:
        names = ("a.jpg", "b.jpg") if people[lead.candidate.person_id] == "MP/1" else ("c.jpg",)
        assert lead.candidate_place in [f"{enrolled}/{name}" for name in names]
        assert (lead.state, lead.threshold, lead.engine, lead.run) == (
            "pending",
            99.9,
            "dlib",
            report["run_id"],
        )
        assert lead.candidate.similarity >= 99.9
        assert (datetime.now(UTC) - lead.found_at).total_seconds() < 300
    assert {lead.lead_id for lead in leads if set(lead.places) == {both}} != set()
    boxes = {round(lead.seen.box.left, 2) for lead in leads if both in lead.places}
    assert len(boxes) == 2
    # Again: nothing new, and nobody looks at anything; any call would be refused.
    engine.fault("DetectFaces", "AccessDeniedException")
    engine.fault("SearchFacesByImage", "AccessDeniedException")
    said = sessions.it.run("match_faces", **room.options(threshold=99.9))
    assert said.exit_code == 0, said
    assert (said.reports[0]["already"], said.reports[0]["calls"]) == (5, {})
    assert room.leads == leads
    # The audit tells of both runs, and of no name.
    lines = [line for line in Audit(room.settings, room.faces).lines() if f'"{room.name}"' in line.facts]
    assert [line.action for line in lines if line.action.startswith("match")] == ["match", "matched"] * 2
    assert not any("camera" in line.facts or "MP/" in line.facts for line in lines)


def test_the_bytes_of_a_photograph_without_anybody_are_looked_at_once(
    engine: OwnEngine, sessions: Sessions, room: Room
) -> None:
    """Under another name the engine is not asked, as long as the list is the same."""
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    for name, content in (("one", HEAD), ("nobody", file(nobody())), ("stranger", file(stranger()))):
        room.put(f"camera-1/{name}.jpg", content)
    said = sessions.it.run("match_faces", **room.options(threshold=99.9))
    assert (said.exit_code, said.reports[0]["calls_spared"]) == (0, 0), said
    engine.fault("DetectFaces", "AccessDeniedException")  # whatever would be asked is refused
    room.put("camera-2/nobody.jpg", file(nobody()))
    room.put("camera-2/stranger.jpg", file(stranger()))
    said = sessions.it.run("match_faces", **room.options(threshold=99.9))
    assert said.exit_code == 0, said
    (report,) = said.reports
    assert (report["matched"], report["same"], report["calls"], report["calls_spared"]) == (2, 2, {}, 3)
    assert (report["faces"], report["searched"], report["leads_new"]) == (1, 1, 0)
    assert "2 photographs are the same as another that nobody was found in: 3 calls spared." in remarks(
        [report]
    )
    # Another list: all are looked at again; where somebody is found, under each name.
    engine.forget_faults()
    places = {
        f"s3://crime-faces/{room.folder}/photographs/camera-1/one.jpg",
        room.put("camera-2/one.jpg", HEAD),
    }
    room.enrol({"MP/2": {"b.jpg": file(stranger())}})
    said = sessions.it.run("match_faces", **room.options(threshold=99.9))
    assert said.exit_code == 0, said
    assert said.reports[0]["calls"]["detect_faces"] >= 4  # of nobody, each executor may look at one
    found = {lead.candidate.person_id: set(lead.places) for lead in room.leads}
    assert found[person_id(room.name, "MP/1")] == places
    assert person_id(room.name, "MP/2") in found


def png_that_says(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def every_input() -> dict[str, bytes]:
    """A folder as a department might deliver it."""
    grey16 = Image.fromarray(np.asarray(head().convert("L")).astype(np.uint16) * 257)
    clear = head().convert("RGBA")
    clear.putalpha(200)
    small = head().resize((96, 96), Image.Resampling.LANCZOS)
    return {
        "plain.jpg": HEAD,
        "png-named.jpg": file(head(), "PNG"),
        "cmyk.jpg": file(head().convert("CMYK")),
        "alpha.png": file(clear, "PNG"),
        "16-bit.png": file(grey16, "PNG"),
        "exif-nonsense.jpg": file(head(), exif=b"Exif\0\0" + bytes(range(200))),
        "turned.jpg": file(head().transpose(Image.Transpose.ROTATE_90), exif=exif(6)),
        "40-megapixels.jpg": file(Image.new("L", (8000, 5000), 120)),
        "many.jpg": file(crowd(3, 2)),
        "tiny-face.jpg": file(small),
        "nobody.jpg": file(nobody()),
        "empty.jpg": b"",
        "page.png": b"<!doctype html><title>gone</title>",
        "notes.txt": b"taken on Monday",
        "cut.jpg": HEAD[:-1500],
        "animated.png": file(head(), "PNG", save_all=True, append_images=[head().rotate(90)]),
        "bomb.png": png_that_says(50_000, 50_000),
        "stamp.jpg": file(head().resize((60, 60))),
    }


BAD = {
    Reason.EMPTY: ["empty.jpg"],
    Reason.FORMAT: ["notes.txt", "page.png"],
    Reason.DAMAGED: ["cut.jpg"],
    Reason.ANIMATED: ["animated.png"],
    Reason.LARGE: ["bomb.png"],
    Reason.SMALL: ["stamp.jpg"],
}


def test_every_bad_input_in_one_folder(stack: Stack, sessions: Sessions, room: Room) -> None:
    """The rest is matched, each reason is told, and no name is said."""
    room.enrol({f"{CANARY}/1": {f"{CANARY}.jpg": HEAD}})
    inputs = every_input()
    for name, content in inputs.items():
        room.put(f"{CANARY}-{name}", content)
    room.put("folder/", b"")  # what a console makes
    said = sessions.it.run("match_faces", **room.options())
    assert said.exit_code == 0, said
    (report,) = said.reports
    assert report["unreadable"] == {reason.value: len(names) for reason, names in BAD.items()}
    assert report["skipped"] == {Skip.SMALL: 1}
    (row,) = summary(said.reports)
    assert (row["photographs"], row["matched"], row["unreadable"]) == (18, 11, 7)
    assert "Photographs not read: 2 neither JPEG nor PNG." in remarks(said.reports)
    assert "Faces not searched for: 1 too small." in remarks(said.reports)
    assert CANARY not in sessions.log + json.dumps(said.reports)
    assert room.done() == len(inputs) - 7
    named = names_of_unreadable(room.settings, room.faces, room.name)
    noted = {(one["reason"], one["place"].rpartition(f"{CANARY}-")[2]) for one in named}
    assert any(
        line.action == "unreadable-named" and room.name in line.facts
        for line in Audit(room.settings, room.faces).lines()
    )
    assert noted == {(reason.value, name) for reason, names in BAD.items() for name in names}
    with_leads = {place.rpartition(f"{CANARY}-")[2] for lead in room.leads for place in lead.places}
    assert with_leads == {
        *("plain.jpg", "png-named.jpg", "cmyk.jpg", "alpha.png", "16-bit.png", "exif-nonsense.jpg"),
        *("turned.jpg", "many.jpg"),
    }
    assert len([lead for lead in room.leads if "many.jpg" in lead.places[0]]) == 6
    # Nothing of a name in the tables either, but sealed.
    client = stack.client("dynamodb")
    for table in (room.faces.photographs_table, room.faces.leads_table, room.faces.audit_table):
        assert CANARY not in str(client.scan(TableName=table, ConsistentRead=True)["Items"])


def test_what_is_gone_or_changed_since_it_was_listed(room: Room) -> None:
    """Deleted, or another photograph by now: it is not taken for the one that was listed."""
    room.put("gone.jpg", HEAD)
    room.put("other.jpg", HEAD)
    room.put("there.jpg", HEAD)
    found = list(listed(room.settings, room.photographs))
    room.stack.client("s3").delete_object(Bucket="crime-faces", Key=f"{room.folder}/photographs/gone.jpg")
    room.put("other.jpg", FLIPPED)
    reasons = []
    for one in found:
        try:
            assert fetch(room.settings, one) == HEAD
        except Unreadable as error:
            reasons.append(error.reason)
    assert reasons == [Reason.GONE, Reason.GONE]


def test_too_many_unreadable_fail_the_job_after_the_rest_is_matched(sessions: Sessions, room: Room) -> None:
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    room.put("one.jpg", HEAD)
    for number in range(2):
        room.put(f"{CANARY}-{number}.jpg", b"no picture")
    said = sessions.it.run("match_faces", **room.options())
    assert said.exit_code == BadInput.exit_code
    assert "2 of 3 photographs can't be read (2 neither JPEG nor PNG); 1 are matched" in said.message
    assert CANARY not in said.message + said.hint
    assert len(room.leads) == 1


def test_throttled_and_refused(engine: OwnEngine, sessions: Sessions, room: Room) -> None:
    """What passes is waited for, and paid for; a refusal ends the run, and the next one finishes it."""
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    for number in range(3):
        room.put(f"{number}.jpg", file(head(), quality=80 + number))
    engine.fault("DetectFaces", "ThrottlingException", times=2)
    engine.fault("SearchFacesByImage", "ProvisionedThroughputExceededException", times=2)
    engine.fault("SearchFacesByImage", "InternalServerError", times=1, status=500)
    # Refused after two have gone well: in the middle.
    engine.fault("DetectFaces", "AccessDeniedException", after=2)
    said = sessions.it.run("match_faces", **room.options())
    assert said.exit_code == 4, said
    assert "AccessDeniedException" in said.message
    assert 0 < room.done() < 3
    engine.forget_faults()
    begun = room.done()
    said = sessions.it.run("match_faces", **room.options())
    assert said.exit_code == 0, said
    assert said.reports[0]["already"] == begun
    assert (room.done(), len(room.leads)) == (3, 3)


@pytest.mark.faults
def test_the_engine_is_killed_in_the_middle(engine: OwnEngine, sessions: Sessions, room: Room) -> None:
    slow = Room(room.stack, room.faces.model_copy(update={"calls_per_second": 3}), room.name)
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    for number in range(6):
        room.put(f"{CANARY}-{number}.jpg", file(head(), quality=80 + number))
    sessions.it.send("match_faces", **slow.options())
    until(lambda: room.done() >= 1)
    engine.kill()
    before = room.done()
    said = sessions.it.answer()
    engine.start()
    assert 0 < before < 6
    assert said.exit_code == 4, said
    assert "can't be reached" in said.message
    assert CANARY not in said.message + sessions.log
    said = sessions.it.run("match_faces", **room.options())
    assert said.exit_code == 0, said
    assert (room.done(), len(room.leads)) == (6, 6)
    assert said.reports[0]["already"] >= before


@pytest.mark.faults
def test_the_job_is_killed_in_the_middle(engine: OwnEngine, sessions: Sessions, room: Room) -> None:
    """With -9, driver, JVM and workers; whatever was under way is looked at by the next run, and once in effect."""
    slow = Room(room.stack, room.faces.model_copy(update={"calls_per_second": 3}), room.name)
    room.enrol({"MP/1": {"a.jpg": HEAD}, "MP/2": {"b.jpg": HEAD}})
    for number in range(6):
        room.put(f"{number}.jpg", file(head(), quality=80 + number))
    process = sessions.it.process
    sessions.it.send("match_faces", **slow.options())
    until(lambda: room.done() >= 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    before = room.done()
    assert 0 < before < 6, "it was not killed in the middle"
    leads = {lead.lead_id for lead in room.leads}
    assert len(leads) >= 2 * before  # what is noted has its leads
    said = sessions.it.run("match_faces", **room.options())
    assert said.exit_code == 0, said
    report = said.reports[0]
    assert (report["already"], report["matched"]) == (before, 6 - before)
    assert report["leads_new"] == 12 - len(leads)
    assert (room.done(), len(room.leads)) == (6, 12)
    assert leads <= {lead.lead_id for lead in room.leads}


def config_of(room: Room, **more: object) -> MatchConfig:
    return MatchConfig.model_validate(room.options(**more))


def test_what_is_refused_before_anything_is_looked_at(engine: OwnEngine, room: Room) -> None:
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    with pytest.raises(BadInput, match="No photograph is in"):
        plan(room.settings, config_of(room))
    room.put("one.jpg", HEAD)
    assert plan(room.settings, config_of(room)).row()["to_match"] == 1
    with pytest.raises(WrongUsage, match="is for missing-person, not for unidentified-body"):
        plan(room.settings, config_of(room, purpose=Purpose.UNIDENTIFIED_BODY.value))
    with pytest.raises(WrongUsage, match="There is no watch list 'nobodys'"):
        plan(room.settings, config_of(room, watch_list="nobodys"))
    room.stack.client("dynamodb").update_item(
        TableName=room.faces.people_table,
        Key={"watch_list": {"S": room.name}, "person_id": {"S": "#list"}},
        UpdateExpression="SET engine_version = :old",
        ExpressionAttributeValues={":old": {"S": "19.0"}},
    )
    with pytest.raises(WrongUsage, match=r"made by dlib 19\.0; dlib 20\.0\.1 answers") as raised:
        plan(room.settings, config_of(room))
    assert "enrol the manifest in a new watch list" in raised.value.hint


def test_two_pictures_beside_each_other(engine: OwnEngine, room: Room, tmp_path: Path) -> None:
    """The largest face of the one with each of the other: from a file and from S3; said to whom, and audited."""
    one = tmp_path / f"{CANARY}.jpg"
    one.write_bytes(HEAD)
    other = room.put(f"{CANARY}.jpg", file(two()))
    found = compare(room.settings, room.faces, str(one), other, PURPOSE, 99.0)
    assert [row["above"] for row in found.rows] == [True, True]
    assert all(99 <= row["similarity"] <= 100 for row in found.rows)
    assert sorted(row["left"] > 0.45 for row in found.rows) == [False, True]
    bent = room.put("bent.jpg", file(stranger()))
    (row,) = compare(room.settings, room.faces, str(one), bent, PURPOSE, 99.9).rows
    assert not row["above"]
    assert row["similarity"] < 99.9
    lines = [line for line in Audit(room.settings, room.faces).lines() if line.action.startswith("compare")]
    assert [line.action for line in lines[-4:]] == ["compare", "compared"] * 2
    assert not any(CANARY in line.facts for line in lines)
    empty = room.put("nobody.jpg", file(nobody()))
    with pytest.raises(BadInput, match="can't be compared") as raised:
        compare(room.settings, room.faces, str(one), empty, PURPOSE, 99.0)
    for place, said in (
        (str(tmp_path / CANARY), "No such file"),
        (room.photographs + f"/{CANARY}", "NoSuchKey"),
    ):
        with pytest.raises(WrongUsage, match=said) as raised_:
            compare(room.settings, room.faces, str(one), place, PURPOSE, 99.0)
        assert CANARY not in str(raised_.value)
    assert CANARY not in str(raised.value)


def test_what_it_costs_is_said_before_and_asked(
    engine: OwnEngine,
    room: Room,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """By the command: a plan without a look at anything; with a price, nobody to ask ends it."""
    room.enrol({"MP/1": {"a.jpg": HEAD}})
    for number in range(4):
        room.put(f"{CANARY}-{number}.jpg", file(head(), quality=80 + number))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crime-jobs.toml").write_text(
        '[own]\nregion = "us-east-1"\nlake = "lake"\n\n'
        '[own.faces]\nengine = "on-premises"\ncalls_per_second = 5\nprice_per_call = 0.001\n'
    )
    command = [
        *("faces", "match", room.photographs, "--watch-list", room.name),
        *("--purpose", PURPOSE.value, "--env", "own", "--faces-assumed", "2", "--output", "json"),
    ]
    assert main([*command, "--dry-run"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["to_match"], said["calls_about"], said["usd_about"]) == (4, 12, 0.01)
    assert said["seconds_at_least"] == 2
    assert main(command) == 2
    told = capfd.readouterr()
    assert "about 12 calls, $0.01" in told.err
    assert "Give --yes" in told.err
    assert CANARY not in told.out + told.err
    assert room.done() == 0
