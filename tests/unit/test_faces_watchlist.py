"""The audit's chain, what a killed run leaves, and the patience with the engine; without a server.

`tests/localstack/test_faces_watchlist.py` has the whole with the engine, DynamoDB and S3.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from crime_jobs import settings
from crime_jobs.errors import AwsRefused, JobFailed, WrongUsage
from crime_jobs.faces import _rows as row_module
from crime_jobs.faces import audit as audits
from crime_jobs.faces import expiry, places
from crime_jobs.faces._called import check_name, collection_of
from crime_jobs.faces._enrolling import Enroller, Wish
from crime_jobs.faces._reconcile import Reconciled, reconcile
from crime_jobs.faces.audit import Audit, Unexpected
from crime_jobs.faces.engine import Engine, Enrolled, Indexed, S3Place, UnfitPicture, external_id
from crime_jobs.faces.manifest import Enrolment
from crime_jobs.faces.people import Face, People, Person, Secrets, State
from crime_jobs.faces.places import Photograph, open_place
from crime_jobs.faces.withdraw import Withdrawal, _check_reason
from crime_jobs.model.faces import Box, FaceSettings, Purpose, Seen, WatchList
from tests.conftest import ROOT
from tests.photographs import file, head
from tests.unit.rekognition_engine import Served, serve

SETTINGS = settings.load("local", {"region": "us-east-1"}, environ={}, folder=ROOT)


class Table:
    """As much of DynamoDB as the audit asks: items of a partition in order, transactions of conditional puts."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, int], dict[str, Any]] = {}
        self.others: dict[str, bool] = {}
        self.before: Any = lambda: None

    def query(self, **asked: Any) -> dict[str, Any]:
        assert asked["ConsistentRead"]
        day = asked["ExpressionAttributeValues"][":day"]["S"]
        found = [self.items[key] for key in sorted(self.items) if key[0] == day]
        found = found if asked["ScanIndexForward"] else found[::-1]
        return {"Items": found[: asked.get("Limit", len(found))]}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803 - as boto3's
        run, self.before = self.before, lambda: None
        run()
        reasons = []
        for item in TransactItems:
            if "Put" in item:
                key = (item["Put"]["Item"]["day"]["S"], int(item["Put"]["Item"]["line"]["N"]))
                fails = key in self.items
            else:
                fails = not self.others.get(item["ConditionCheck"]["Key"], True)
            reasons.append({"Code": "ConditionalCheckFailed"} if fails else {"Code": "None"})
        if any(reason["Code"] != "None" for reason in reasons):
            error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        for item in TransactItems:
            if "Put" in item:
                put = item["Put"]["Item"]
                self.items[put["day"]["S"], int(put["line"]["N"])] = dict(put)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def an_audit(table: Table, clock: Clock) -> Audit:
    made = Audit(SETTINGS, FaceSettings(), clock)
    made._client, made._who = table, "arn:aws:sts::111122223333:assumed-role/desk/asha"
    return made


def test_lines_go_on_over_the_days_and_name_who_and_what() -> None:
    table, clock = Table(), Clock()
    audit = an_audit(table, clock)
    audit.write("enrol", watch_list="missing", people=2)
    clock.now += timedelta(days=3)
    audit.write("withdraw", person="ab" * 16)
    found = list(audit.lines())
    assert [(line.day, line.line, line.action) for line in found] == [
        ("2026-11-24", 1, "enrol"),
        ("2026-11-24", 2, audits.ENDS),
        ("2026-11-27", 3, "withdraw"),
    ]
    assert found[0].row()["facts"] == {"people": 2, "watch_list": "missing"}
    assert found[0].who.endswith("/asha")
    assert [line.line for line in audit.lines(since="2026-11-25")] == [3]
    assert [line.line for line in audit.lines(until="2026-11-25")] == [1, 2]
    told = audit.verify()
    assert (told.lines, told.broken, told.head) == (3, None, found[-1].hash)


def test_two_writers_at_midnight_do_not_part_the_chain() -> None:
    table, early, late = Table(), Clock(), Clock()
    one, other = an_audit(table, early), an_audit(table, late)
    one.write("first")
    late.now += timedelta(minutes=2)  # it is the next day there already
    table.before = lambda: other.write("of the new day")
    one.write("of a slow clock")  # found its place taken, and goes on from the new day
    assert [line.action for line in one.lines()] == [
        "first",
        audits.ENDS,
        "of the new day",
        "of a slow clock",
    ]
    assert one.verify().broken is None
    assert len({line.line for line in one.lines()}) == 4


def test_many_threads_write_one_chain() -> None:
    table, clock = Table(), Clock()
    audit = an_audit(table, clock)
    work = [threading.Thread(target=audit.write, args=(f"n{n}",)) for n in range(12)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert audit.verify() == audits.Verified(12, list(audit.lines())[-1].hash)


def test_what_the_line_is_about_is_written_with_it_or_not_at_all() -> None:
    table, clock = Table(), Clock()
    audit = an_audit(table, clock)
    check = {"ConditionCheck": {"Key": "person"}}
    table.others["person"] = False
    with pytest.raises(Unexpected) as caught:
        audit.transact([check], "decide")
    assert caught.value.found == {0: {}}
    assert table.items == {}
    table.others["person"] = True
    audit.transact([check], "decide")
    assert audit.verify().lines == 1


def test_a_line_that_never_finds_its_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    table, clock = Table(), Clock()
    audit, other = an_audit(table, clock), an_audit(table, clock)
    monkeypatch.setattr(audits, "_ATTEMPTS", 3)
    monkeypatch.setattr(audits, "_PAUSE", 0)

    def always() -> None:  # the other one is faster, whenever we try
        other.write("faster")
        table.before = always

    table.before = always
    with pytest.raises(JobFailed, match="others wrote theirs 3 times first"):
        audit.write("slow")
    assert [line.action for line in audit.lines()] == ["faster"] * 3


def test_another_refusal_is_no_lost_race() -> None:
    class Denied(Table):
        def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "TransactWriteItems")

    with pytest.raises(AwsRefused, match="Writing the audit line"):
        an_audit(Denied(), Clock()).write("enrol")


def written(days: int = 3) -> tuple[Table, Audit]:
    table, clock = Table(), Clock()
    audit = an_audit(table, clock)
    for _ in range(days):
        audit.write("enrol", people=1)
        audit.write("withdraw", person="p")
        clock.now += timedelta(days=1)
    return table, audit


@given(st.data())
@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_line_that_was_changed_or_taken_out_is_found(data: st.DataObject) -> None:
    table, audit = written()
    lines = sorted((key for key in table.items if key[0] != audits.DAYS), key=lambda key: key[1])
    key = data.draw(st.sampled_from(lines[:-1]))  # that the last one is cut off, a chain can't tell
    how = data.draw(
        st.sampled_from(["delete", "who", "at", "action", "facts", "before", "hash", "rewritten"])
    )
    if how == "delete":
        del table.items[key]
    elif how == "rewritten":  # with a hash that fits
        line = replace(audits._line(table.items[key]), who="arn:aws:iam::111122223333:user/mallory")
        table.items[key] = audits._item(line)
    else:
        table.items[key] = {**table.items[key], how: {"S": "changed"}}
    broken = audit.verify().broken
    assert broken in (key[1], key[1] + 1)


def test_a_day_that_was_taken_out_is_found() -> None:
    table, audit = written()
    table.items = {key: item for key, item in table.items.items() if "20261125" not in f"{key[1]}"}
    assert audit.verify().broken == 4
    table, audit = written()
    table.items = {key: item for key, item in table.items.items() if key[0] != "2026-11-25"}
    assert audit.verify().broken == 4


@pytest.mark.parametrize("day", ["2026-11-24", "2026-11-26"])
def test_a_day_that_was_taken_off_the_list_hides_no_lines(day: str) -> None:
    table, audit = written()
    del table.items[audits.DAYS, int(day.replace("-", ""))]
    told = audit.verify()
    assert told.broken == (1 if day == "2026-11-24" else 7)
    if day == "2026-11-26":
        assert told.why == "2026-11-26 has lines and is not listed"


def test_a_list_of_days_that_does_not_fit_is_named_as_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    table, clock = Table(), Clock()
    audit = an_audit(table, clock)
    audit.write("enrol")
    del table.items[audits.DAYS, 20261124]
    monkeypatch.setattr(audits, "_PAUSE", 0)
    with pytest.raises(JobFailed) as caught:
        audit.write("withdraw")
    assert "audit --verify" in (caught.value.hint or "")
    assert audit.verify().why == "2026-11-24 has lines and is not listed"


def test_a_listed_day_without_lines_stops_whoever_would_write_on() -> None:
    table, audit = written(1)
    table.items = {key: item for key, item in table.items.items() if key[0] == audits.DAYS}
    with pytest.raises(JobFailed, match="lines were removed"):
        audit.write("enrol")


def test_a_listed_day_without_lines_is_no_whole_chain() -> None:
    """Day and first line are written together: where the last day's lines were cut off, its place shows it."""
    table, audit = written()
    table.items = {key: item for key, item in table.items.items() if key[0] != "2026-11-26"}
    told = audit.verify()
    assert (told.broken, told.why) == (7, "2026-11-26 is listed and has no line")


@pytest.mark.parametrize("number", ["1", "20261399", "99991231", "20261124.5"])
def test_a_day_that_was_put_on_the_list_stops_no_verification(
    monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    """Neither by what is no day, nor by one so far off that all days until then would be looked at."""
    table, audit = written()
    table.items[audits.DAYS, 99_999_999] = {"day": {"S": audits.DAYS}, "line": {"N": number}}
    asked: list[str] = []
    query = table.query

    def counted(**request: Any) -> dict[str, Any]:
        asked.append(request["ExpressionAttributeValues"][":day"]["S"])
        return query(**request)

    monkeypatch.setattr(table, "query", counted)
    told = audit.verify()
    assert told.broken is not None
    assert "list" in told.why
    assert len(asked) < 50


def test_a_line_with_a_broken_number_is_one_that_was_changed() -> None:
    table, audit = written()
    table.items["2026-11-24", 99] = {**table.items["2026-11-24", 1], "line": {"N": "1.5"}}
    assert audit.verify().broken is not None


class Collection:
    def __init__(self, *faces: Enrolled) -> None:
        self.there, self.removed = list(faces), list[str]()

    def faces(self, _: str) -> Iterator[Enrolled]:
        yield from self.there

    def delete_faces(self, _: str, ids: list[str]) -> int:
        self.removed += ids
        return len(ids)


class Rows:
    def __init__(self, *people: Person) -> None:
        self.rows = {person.person_id: person for person in people}

    def everyone(self, _: str) -> list[Person]:
        return list(self.rows.values())

    def save(self, person: Person, *_: Any) -> Person:
        self.rows[person.person_id] = person
        return person


SEEN = Seen(
    box=Box(left=0.2, top=0.2, width=0.5, height=0.5), confidence=99.0, brightness=80.0, sharpness=80.0
)
LIST = WatchList(
    name="missing",
    purpose=Purpose.MISSING_PERSON,
    collection="crime-jobs-missing",
    engine="dlib",
    engine_version="1",
)


def somebody(number: int, *faces: Face, state: State = State.ACTIVE) -> Person:
    return Person("missing", f"{number:032x}", state, date(2030, 1, 1), faces)


def test_what_a_killed_run_left_is_brought_together() -> None:
    digests = [f"{n:032x}" * 2 for n in range(10, 16)]
    known, waiting, lost, gone, nobody, other = digests
    first, second, off = somebody(1), somebody(2), somebody(3, state=State.WITHDRAWING)
    first = replace(first, faces=(Face(known, "k", "m"), Face(waiting, "", "m"), Face(lost, "l", "m")))
    second = replace(second, faces=(Face(gone, "", "m"),))
    there = Collection(
        Enrolled("k", external_id(first.person_id, known)),
        Enrolled("w", external_id(first.person_id, waiting)),
        Enrolled("again", external_id(first.person_id, known)),
        Enrolled("n", external_id(f"{9:032x}", nobody)),
        Enrolled("o", external_id(off.person_id, other)),
        Enrolled("foreign", "somebody-elses"),
    )
    rows = Rows(first, second, off)
    told = reconcile(there, rows, LIST, dict)  # type: ignore[arg-type]
    assert told == Reconciled(adopted=1, orphans=3, lost=1)
    assert rows.rows[first.person_id].faces == (Face(known, "k", "m"), Face(waiting, "w", "m"))
    assert rows.rows[second.person_id].faces == ()
    assert Counter(there.removed) == Counter(["again", "n", "o"])


def test_that_a_list_is_changed_is_written_with_a_killed_runs_face_that_is_adopted() -> None:
    """Killed after it, the next run has nothing to adopt, and must know of it nevertheless."""
    digest = "ab" * 32
    first = somebody(1, Face(digest, "", "m"))
    there = Collection(Enrolled("f", external_id(first.person_id, digest)))
    table = Lists()
    people = table.people(first)
    reconcile(there, people, LIST, lambda: people.changing("missing", "run"))  # type: ignore[arg-type]
    assert [face.face_id for face in next(people.everyone("missing")).faces] == ["f"]
    assert people.changes("missing") == {"run"}
    told = [*table.transactions]
    reconcile(there, people, LIST, lambda: people.changing("missing", "run"))  # type: ignore[arg-type]
    assert table.transactions == told  # nothing was left to be changed
    assert [len(items) for items in told[1:]] == [2]


class Lists:
    """As much of DynamoDB as rows of people and of a list ask: whole transactions of puts and updates."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.transactions: list[list[dict[str, Any]]] = []

    def people(self, *there: Person) -> People:
        made = People.__new__(People)
        made._client, made.table, made._sealer = self, "people", None
        self.transact_write_items([made.make_list(LIST), *(made.put(person) for person in there)])
        return made

    def get_paginator(self, _: str) -> Lists:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Items": list(self.rows.values())}]

    def get_item(self, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 - as boto3's
        return {"Item": self.rows[Key["person_id"]["S"]]}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803 - as boto3's
        self.transactions.append(TransactItems)
        fails = [not self._holds(item) for item in TransactItems]
        if any(fails):
            reasons = [{"Code": "ConditionalCheckFailed" if fail else "None"} for fail in fails]
            error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        for item in TransactItems:
            if "Put" in item:
                self.rows[item["Put"]["Item"]["person_id"]["S"]] = item["Put"]["Item"]
            else:
                self._update(item["Update"])

    def _holds(self, item: dict[str, Any]) -> bool:
        put = item.get("Put")
        if put is None or put["ConditionExpression"].startswith("attribute_not_exists"):
            return put is None or put["Item"]["person_id"]["S"] not in self.rows
        row = self.rows[put["Item"]["person_id"]["S"]]
        return bool(row["writes"] == put["ExpressionAttributeValues"][":before"])

    def _update(self, update: dict[str, Any]) -> None:
        row = self.rows[update["Key"]["person_id"]["S"]]
        asked, values = update["UpdateExpression"], update["ExpressionAttributeValues"]
        changes = set(row.pop("changes", {"SS": []})["SS"])
        if "SET revision = revision + :one" in asked:
            row["revision"] = {"N": str(int(row["revision"]["N"]) + 1)}
        if "ADD changes :run" in asked:
            changes |= set(values[":run"]["SS"])
        if "DELETE changes :runs" in asked:
            changes -= set(values[":runs"]["SS"])
        if changes:
            row["changes"] = {"SS": sorted(changes)}


def an_enrolment(people: People, table: Lists, run: int) -> Iterator[None]:
    """What `Enrolling.run` does to the rows of a list and of somebody, a step at a time."""
    changes, own = people.changes("missing"), f"run-{run}"
    yield
    assert people.save(somebody(run), people.changing("missing", own))
    yield
    table.transact_write_items([people.end_change("missing", changes | {own})])


def orders(left: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every order in which runs may take steps, at most so many each: who takes fewer was killed."""
    yield ()
    for run, steps in enumerate(left):
        if steps:
            yield from ((run, *then) for then in orders((*left[:run], steps - 1, *left[run + 1 :])))


def test_a_match_that_missed_somebody_is_not_taken_for_the_last_word() -> None:
    """Three enrolments of the same list in every order, each killed anywhere, and a match after every step.

    A photograph is matched again if the revision is another one. So where no change is noted any more, whatever
    was matched with the revision that the list has now has seen all who are on it.
    """
    cases = list(orders((3, 3, 2)))
    assert len(cases) > 1000
    for order in cases:
        table = Lists()
        people = table.people()
        runs = [an_enrolment(people, table, run) for run in range(3)]
        matched: list[tuple[int, int]] = []
        for run in order:
            matched.append((people.watch_list("missing").revision, len(table.rows)))
            next(runs[run], None)
        if not people.is_changing("missing"):
            now = people.watch_list("missing").revision
            assert all(seen == len(table.rows) for revision, seen in matched if revision == now), order


def test_the_end_of_one_runs_change_is_not_that_of_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who withdraws somebody raises the revision, and does not hide that an enrolment was killed."""
    monkeypatch.setattr("crime_jobs.aws.client", lambda *_, **__: None)
    people = People(SETTINGS, FaceSettings())
    by_withdrawal = people.end_change("missing")["Update"]
    assert by_withdrawal["UpdateExpression"] == "SET revision = revision + :one"
    by_run = people.end_change("missing", {"own"})["Update"]
    assert by_run["UpdateExpression"] == "SET revision = revision + :one DELETE changes :runs"
    assert by_run["ExpressionAttributeValues"][":runs"] == {"SS": ["own"]}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=12),
)
def test_after_it_rows_and_collection_say_the_same(
    told: list[tuple[int, int, bool]], there: list[tuple[int, int]]
) -> None:
    people = {n: somebody(n) for n in range(4)}
    for n, digest, has_id in dict.fromkeys(told):
        face = Face(f"{digest:032x}" * 2, f"f{n}-{digest}-0" if has_id else "", "m")
        if all(one.digest != face.digest for one in people[n].faces):
            people[n] = replace(people[n], faces=(*people[n].faces, face))
    seen: Counter[tuple[int, int]] = Counter()
    faces = []
    for n, digest in there:
        faces.append(
            Enrolled(f"f{n}-{digest}-{seen[n, digest]}", external_id(f"{n:032x}", f"{digest:032x}" * 2))
        )
        seen[n, digest] += 1
    collection, rows = Collection(*faces), Rows(*people.values())
    reconcile(collection, rows, LIST, dict)  # type: ignore[arg-type]
    left = {one.face_id for one in faces} - set(collection.removed)
    assert left == {face.face_id for person in rows.rows.values() for face in person.faces}
    collection = Collection(*[one for one in faces if one.face_id in left])
    assert reconcile(collection, rows, LIST, dict) == Reconciled()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("engine")) as served:
        yield served


@pytest.fixture
def patient(engine: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Engine, list[float]]]:
    """An engine whose waiting is written down instead."""
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", engine.address)
    waited: list[float] = []
    yield Engine(SETTINGS, FaceSettings(engine="on-premises"), lambda _: 0.25, waited.append), waited
    engine.control.clear_faults()


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"]
)
def test_a_call_that_is_put_off_is_made_again_and_paid_again(
    code: str, engine: Served, patient: tuple[Engine, list[float]]
) -> None:
    asked, waited = patient
    engine.control.add_fault({"operation": "DetectFaces", "code": code, "times": 2})
    assert len(asked.detect(file(head()))) == 1
    assert asked.calls == {"detect_faces": 3}
    assert waited.count(0.25) == 3  # each attempt in its turn
    assert len(waited) == 5


def test_a_refusal_for_good_is_told_at_once_and_says_nothing_of_the_picture(
    engine: Served, patient: tuple[Engine, list[float]]
) -> None:
    asked, _ = patient
    engine.control.add_fault({"operation": "DetectFaces", "code": "AccessDeniedException", "times": 1})
    with pytest.raises(AwsRefused, match="Finding faces"):
        asked.detect(b"x")
    place = S3Place("secret-bucket", "canary/name.jpg")
    with pytest.raises(UnfitPicture) as caught:
        asked.detect(place)
    assert "canary" not in f"{caught.value}{place!r}"
    for wrong in (b"", b"no picture", b"x" * (5 * 1024**2 + 1)):
        with pytest.raises(UnfitPicture):
            asked.detect(wrong)


def test_nothing_that_is_sealed_or_a_place_is_in_a_repr() -> None:
    canary = "canary-1"
    shown = [
        Secrets(canary, canary, canary, {"d": canary}),
        Person("missing", "p", State.ACTIVE, date(2030, 1, 1), sealed=canary),
        Photograph(canary.encode(), "mark"),
        S3Place(canary, canary, canary),
    ]
    assert canary not in repr(shown)


def test_a_folder_gives_no_photograph_from_outside_it(tmp_path: Path) -> None:
    (tmp_path / "outside.jpg").write_bytes(b"secret")
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "own.jpg").write_bytes(b"own")
    place = open_place(str(folder / "manifest.csv"), SETTINGS)
    assert place.read("own.jpg").content == b"own"
    assert place.read("own.jpg").mark == place.marks()["own.jpg"]
    for name in ("link.jpg", "not-there.jpg", "../outside.jpg"):
        with pytest.raises(Exception, match="^The photograph is not there.$") as caught:
            place.read(name)
        assert name not in str(caught.value)


def test_a_file_that_goes_while_the_folder_is_listed_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("canary.jpg", "own.jpg"):
        (tmp_path / name).write_bytes(b"x")
    state = places._state

    def looked(path: Path) -> str:
        if path.name == "canary.jpg":
            path.unlink()
        return state(path)

    monkeypatch.setattr(places, "_state", looked)
    assert set(open_place(str(tmp_path / "manifest.csv"), SETTINGS).marks()) == {"own.jpg"}


def test_two_environments_have_no_collection_in_common() -> None:
    usual, second = FaceSettings(), FaceSettings(people_table="second-face_people")
    assert collection_of("missing", usual) == "crime-jobs-missing"
    assert collection_of("missing", second) == "crime-jobs-second-face_people.missing"
    # No name of a list has a point, so that no two of them can meet.
    assert all("." not in collection_of(name, usual) for name in ("a", "second-face_people-a"))
    with pytest.raises(WrongUsage):
        check_name("second-face_people.missing")


class Rooms(Rows):
    """People of a list, their audit and leads, and the photographs: what a withdrawal works with."""

    def __init__(self, *people: Person) -> None:
        super().__init__(*people)
        self.gone: list[str] = []
        self.killed = False
        self.lines: list[tuple[str, int]] = []
        self.sealed: Secrets | None = None

    def who(self) -> str:
        return "arn"

    def seal(self, person: Person, secrets: Secrets) -> Person:
        self.sealed = secrets
        return replace(person, sealed="x")

    def write(self, action: str, *, faces: int, **_: Any) -> None:
        self.lines.append((action, faces))

    def drop_older(self, _: int) -> int:
        return 0

    def put(self, person: Person) -> Person:
        return person

    def end_change(self, _: str) -> None:
        return None

    def secrets(self, _: Person) -> Secrets:
        if self.killed:
            raise KeyboardInterrupt
        return self.sealed or Secrets("key", "source", "basis", {"d": "s3://bucket/a.jpg"})

    def transact(self, items: list[Any], *_: Any, **__: Any) -> None:
        self.save(row_module.person_of(row_module.item_of(row_module.written(items[0]))))

    def forget(self, *_: Any) -> int:
        return 0

    def remove(self, uri: str) -> bool:
        self.gone.append(uri)
        return True


def a_withdrawal(room: Rooms, there: Collection) -> Withdrawal:
    made = Withdrawal.__new__(Withdrawal)
    made.people = made.audit = made.leads = made._remover = room  # type: ignore[assignment]
    made.list, made._engine = LIST, there  # type: ignore[assignment]
    return made


@pytest.mark.parametrize("keep", [True, False])
def test_that_photographs_are_kept_is_not_forgotten_by_a_kill(keep: bool) -> None:
    """What was begun with --keep-photographs, the nightly expiry finishes without the word."""
    room = Rooms(replace(somebody(1), sealed="x"))
    withdrawal = a_withdrawal(room, Collection())
    room.killed = True
    with pytest.raises(KeyboardInterrupt):
        withdrawal.end(room.everyone("")[0], State.WITHDRAWN, "found", keep_photographs=keep)
    room.killed = False
    (row,) = room.everyone("")
    assert row.state is State.WITHDRAWING
    done = withdrawal.end(row, State.EXPIRED, "its last day has passed", keep_photographs=False)
    assert (done.state, done.photographs, done.kept) == ("withdrawn", int(not keep), int(keep))
    assert room.gone == ([] if keep else ["s3://bucket/a.jpg"])
    assert not room.everyone("")[0].keeps


def test_expiry_removes_faces_of_whoever_is_off_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    here, off = somebody(1), somebody(2, state=State.EXPIRED)
    there = Collection(
        *(Enrolled(f"f{n}", external_id(person.person_id, "ab" * 32)) for n, person in enumerate((here, off)))
    )
    room = Rooms(here, off)
    monkeypatch.setattr(expiry, "Leads", lambda *_: room)
    monkeypatch.setattr(expiry, "Withdrawal", lambda *_: a_withdrawal(room, there))
    expiry.expire(SETTINGS, FaceSettings(), "missing", now=datetime(2026, 11, 24, tzinfo=UTC))
    assert there.removed == ["f1"]
    assert room.lines == [("faces-removed", 1)]


class Desk(Collection):
    """An engine that finds one face in each picture and keeps it, if it is good enough."""

    poor = False

    def detect(self, _: bytes) -> list[Seen]:
        return [SEEN]

    def index(self, _: str, __: bytes, external: str) -> Indexed:
        if self.poor:
            return Indexed((), ("LOW_SHARPNESS",))
        face = f"f{len(self.there)}"
        self.there.append(Enrolled(face, external))
        return Indexed(((face, SEEN),), ())


@pytest.mark.parametrize("poor", [True, False])
def test_a_picture_put_in_place_of_another_leaves_no_face_that_no_row_tells_of(
    poor: bool, tmp_path: Path
) -> None:
    place = open_place(str(tmp_path / "manifest.csv"), SETTINGS)
    desk, room = Desk(), Rooms()
    line = Enrolment(2, "a.jpg", "key", "source", "basis", date(2030, 1, 1))
    wish = Wish(f"{1:032x}", "key", "source", "basis", date(2030, 1, 1), (line,))
    for turn, picture in enumerate((file(head()), file(head(), quality=60))):
        (tmp_path / "a.jpg").write_bytes(picture)
        desk.poor = poor and turn == 1
        people: Any = room
        enroller = Enroller(
            desk,  # type: ignore[arg-type]
            *(people, people, place, LIST, place.marks()),
            again=False,
            changing=dict,
        )
        (told,) = enroller.enrol(wish, next(iter(room.everyone("")), None))
    assert told.outcome == ("refused" if poor else "enrolled")
    (row,) = room.everyone("")
    left = {face.face_id for face in desk.there} - set(desk.removed)
    assert {face.face_id for face in row.faces} == left
    assert left == ({"f0"} if poor else {"f1"})
    assert row.state is State.ACTIVE


@pytest.mark.parametrize("was", [State.ACTIVE, State.EXPIRED, State.WITHDRAWN])
def test_who_was_on_the_list_and_has_no_face_any_more_is_told_as_taken_off(
    was: State, tmp_path: Path
) -> None:
    """The engine lost his face, and what is in its place by now will not do."""
    place, desk, room = (
        open_place(str(tmp_path / "manifest.csv"), SETTINGS),
        Desk(),
        Rooms(somebody(1, state=was)),
    )
    (tmp_path / "a.jpg").write_bytes(file(head()))
    desk.poor = True
    line = Enrolment(2, "a.jpg", "key", "source", "basis", date(2030, 1, 1))
    wish = Wish(f"{1:032x}", "key", "source", "basis", date(2030, 1, 1), (line,))
    people: Any = room
    given = (people, people, place, LIST, place.marks())
    enroller = Enroller(desk, *given, again=True, changing=dict)  # type: ignore[arg-type]
    (told,) = enroller.enrol(wish, room.everyone("")[0])
    assert told.outcome == "refused"
    (row,) = room.everyone("")
    assert (row.state, row.faces, row.sealed) == (State.EXPIRED if was is State.ACTIVE else was, (), "")
    assert enroller.off == [row.person_id] * (was is State.ACTIVE)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "two\nlines"])
def test_a_withdrawal_has_a_reason(reason: str) -> None:
    with pytest.raises(Exception, match="has a reason of 1 to 500"):
        _check_reason(reason)


def test_a_reason_may_be_in_any_script_and_hides_nothing() -> None:
    _check_reason("\u0d05\u0d35\u0d28\u0d4d\u200d \u0d35\u0d28\u0d4d\u0d28\u0d41")  # Malayalam, with a joiner
    with pytest.raises(WrongUsage):
        _check_reason("found\u202edesolc esac")


@pytest.mark.parametrize("key", ["MP/2026/Ab", "mp/2026/ab"])
def test_a_reason_does_not_name_the_person_in_whatever_case(key: str) -> None:
    class Opens:
        def secrets(self, _: Person) -> Secrets:
            return Secrets("MP/2026/AB", "s", "b", {})

    withdrawal = object.__new__(Withdrawal)
    withdrawal.people = Opens()  # type: ignore[assignment]
    with pytest.raises(WrongUsage, match="has the person's key in it"):
        withdrawal.withdraw(replace(somebody(1), sealed="sealed"), f"{key} was found", keep_photographs=False)


@pytest.mark.parametrize("state", [State.EXPIRED, State.WITHDRAWN])
def test_nor_where_nothing_of_the_person_is_left_that_says_the_key(state: State) -> None:
    withdrawal = object.__new__(Withdrawal)
    with pytest.raises(WrongUsage, match="has the person's key in it"):
        withdrawal.withdraw(
            somebody(1, state=state),
            "mp/2026/ab was found",
            keep_photographs=False,
            person_key="MP/2026/AB",
        )


def test_a_key_that_is_no_text_is_nobodys() -> None:
    """As the shell hands it on when it is not UTF-8."""
    withdrawal = a_withdrawal(Rooms(), Collection())
    withdrawal.people = People.__new__(People)
    with pytest.raises(WrongUsage, match="Nobody on the watch list"):
        withdrawal.find("MP/2026/\udcff")
