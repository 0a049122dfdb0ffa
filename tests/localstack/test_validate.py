"""Whatever differs between a row and its item is found by key and attribute, all of it, and never shown."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crime_jobs.migrate import statistics
from crime_jobs.migrate.ledger import Ledger
from crime_jobs.migrate.statistics import TableStatistics
from tests.conftest import ROOT
from tests.localstack.conftest import Stack
from tests.localstack.migration import OldDatabase, Said, Session, scan

CANARY = "Canary Complainant"


@pytest.fixture(scope="module")
def session(stack: Stack) -> Iterator[Session]:
    made = Session(stack)
    yield made
    made.close()


@pytest.fixture
def old(stack: Stack, tmp_path: Path) -> OldDatabase:
    return OldDatabase(stack, tmp_path)


class Case:
    """A migration of one table, CASES: 40 rows of a station and a number."""

    def __init__(self, stack: Stack, session: Session, old: OldDatabase) -> None:
        self.stack, self.session, self.old = stack, session, old
        self.lake = stack.fresh("lake")
        self.client = stack.client("dynamodb")
        self.target = old.target("CASES")
        self.mapping = old.mappings(old.to("CASES", "STATION", "NR"))
        old.sql(
            f"""
            CREATE TABLE CASES (STATION VARCHAR2(20), NR NUMBER(9), WHO VARCHAR2(80), FINE NUMBER, SEEN TIMESTAMP,
                SCAN RAW(4), PRIMARY KEY (STATION, NR));
            INSERT INTO CASES SELECT 'S' || MOD(X, 3), X, '{CANARY} ' || X, X / 8.0, TIMESTAMP '2014-03-31 23:59:59.5',
                HEXTORAW('00FF') FROM SYSTEM_RANGE(1, 40);
            """
        )

    def load(self, **more: object) -> Said:
        return self.session.run("migrate", **self.old.who, mappings=self.mapping, part_rows=15, **more)

    def validate(self, **more: object) -> Said:
        places = {"lake": self.lake}
        return self.session.run("validate", places, **self.old.who, mappings=self.mapping, **more)

    def differences(self) -> dict[str, tuple[str, str]]:
        """The published differences: kind and attributes by key."""
        found = {}
        for key in self.stack.keys(f"{self.lake}/validation_differences"):
            if key.endswith(".parquet"):
                bucket = self.lake.removeprefix("s3://").partition("/")[0]
                body = self.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
                assert CANARY.encode() not in body
                for row in pq.read_table(io.BytesIO(body)).to_pylist():
                    assert row["item_key"] not in found, "a key is listed twice"
                    found[row["item_key"]] = (row["kind"], row["attributes"])
        return found

    def told(self) -> TableStatistics:
        (found,) = statistics.read(self.client, self.old.schema)
        return found

    def ledger(self) -> Ledger:
        return Ledger(self.client, self.old.schema)

    def put(self, station: str, number: int, **attributes: dict[str, Any]) -> None:
        item = {"STATION": {"S": station}, "NR": {"N": str(number)}, **attributes}
        self.client.put_item(TableName=self.target, Item=item)

    def change(self, number: int, name: str, value: dict[str, Any]) -> None:
        """Change an attribute of an item in the target."""
        self.client.update_item(
            TableName=self.target,
            Key=self.key(number),
            UpdateExpression="SET #a = :v",
            ExpressionAttributeNames={"#a": name},
            ExpressionAttributeValues={":v": value},
        )

    def key(self, number: int) -> dict[str, Any]:
        return {"STATION": {"S": f"S{number % 3}"}, "NR": {"N": str(number)}}

    def text(self, number: int) -> str:
        """An item's key as it is listed."""
        return json.dumps([f"S{number % 3}", str(number)])


@pytest.fixture
def case(stack: Stack, session: Session, old: OldDatabase) -> Case:
    return Case(stack, session, old)


def test_each_kind_of_difference_is_found_by_key_and_attribute(case: Case) -> None:
    """Clean is Validated; a wrong value, type, missing and surplus attribute, missing and surplus item are found."""
    assert case.load().exit_code == 0
    with case.stack.faults(DYNAMODB_READ_ERROR_PROBABILITY=0.3):  # the scans are throttled, and lose nothing
        clean = case.validate(read_units=500, segments=12)
    assert clean.exit_code == 0, clean
    told = case.told()
    assert (told.ValidationState, told.ValidationFailedRecords, told.ValidationPendingRecords) == (
        "Validated",
        0,
        0,
    )
    assert case.differences() == {}

    case.change(1, "WHO", {"S": f"{CANARY} other"})
    case.change(2, "FINE", {"S": "0.25"})  # the same digits, another type
    case.change(3, "extra", {"BOOL": True})
    case.client.update_item(
        TableName=case.target, Key=case.key(4), UpdateExpression="REMOVE WHO SET FINE = FINE + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )  # fmt: skip
    case.change(5, "SCAN", {"B": b"\x00\xfe"})
    case.change(6, "FINE", {"N": "0.750"})  # the same number: no difference
    case.client.delete_item(TableName=case.target, Key=case.key(7))
    case.put("S9", 1, WHO={"S": CANARY})
    said = case.validate()
    assert said.exit_code == 1
    wanted = {
        case.text(1): ("different", "WHO"),
        case.text(2): ("different", "FINE"),
        case.text(3): ("different", "extra"),
        case.text(4): ("different", "FINE WHO"),
        case.text(5): ("different", "SCAN"),
        case.text(7): ("missing", ""),
        '["S9", "1"]': ("surplus", ""),
    }
    assert case.differences() == wanted
    told = case.told()
    assert (told.ValidationState, told.ValidationFailedRecords) == ("Mismatched records", 7)
    assert told.ValidationStateDetails == "1 missing, 1 surplus, 5 different"
    assert f"{case.old.schema}.CASES 7 (1 missing, 1 surplus, 5 different)" in said.message
    assert f"validation_differences of {case.lake}" in said.hint
    assert case.stack.keys(f"{case.lake}/migration_statistics")
    _held_on_a_terminal_and_in_a_pipe(case, wanted)
    entries = str(list(case.ledger().entries()))
    assert CANARY not in entries + str(said)


def _held_on_a_terminal_and_in_a_pipe(case: Case, wanted: dict[str, tuple[str, str]]) -> None:
    """The command shows the statistics, on a terminal also the differences; it ends with exit code 1."""
    options = [
        "--task",
        case.old.schema,
        "--url",
        case.old.url,
        "--mappings",
        case.mapping,
        "--lake",
        case.lake,
    ]
    code, screen = on_a_terminal(case.stack, "migrate", "validate", *options)
    assert code == 1
    for text in ("Mismatched records", "7 keys differ", "validation_differences of", *wanted):
        assert text in screen
    status = command(case.stack, "migrate", "status", "--task", case.old.schema)
    (row,) = [json.loads(line) for line in status.stdout.splitlines()]
    assert (row["TableName"], row["FullLoadRows"], row["ValidationFailedRecords"]) == ("CASES", 40, 7)
    runs = command(case.stack, "migrate", "runs", "--task", case.old.schema)
    kinds = [json.loads(line)["kind"] for line in runs.stdout.splitlines()]
    assert kinds == ["migrate", "validate", "validate", "validate"]
    assert CANARY not in screen + status.stdout + runs.stdout


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a pipe."""
    words = [sys.executable, "-m", "crime_jobs.cli", *arguments]
    return subprocess.run(
        words, cwd=ROOT, env=stack.environ, capture_output=True, text=True, check=False, timeout=120
    )


def on_a_terminal(stack: Stack, *arguments: str) -> tuple[int, str]:
    """Run the command on a terminal, 200 columns wide; returns exit code and all that it showed."""
    ours, its = pty.openpty()
    words = [sys.executable, "-m", "crime_jobs.cli", *arguments]
    environ = {**stack.environ, "COLUMNS": "200", "TERM": "xterm"}
    process = subprocess.Popen(words, cwd=ROOT, env=environ, stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # so a terminal ends
            break
        if not some:
            break
        shown += some
    os.close(ours)
    return process.wait(60), shown.decode()


def test_rows_that_were_not_moved_are_suspended_and_the_winner_of_a_key_is_held(
    stack: Stack, session: Session, old: OldDatabase
) -> None:
    """A listed row is not expected; the key that two rows had must hold the one that won it."""
    old.sql(
        f"""
        CREATE TABLE CASES (A VARCHAR2(20), B VARCHAR2(20), WHO VARCHAR2(40), N NUMBER, PRIMARY KEY (A, B));
        INSERT INTO CASES VALUES ('x', 'y|z', '{CANARY}', 1);
        INSERT INTO CASES VALUES ('x|y', 'z', '{CANARY}', 2);
        INSERT INTO CASES VALUES ('u', 'v', '{CANARY}', 1234567890123456789012345678901234567891);
        INSERT INTO CASES SELECT 'p' || X, 'q', '{CANARY}', X FROM SYSTEM_RANGE(1, 10);
        """
    )
    mapping = old.mappings(old.to("CASES", "KEY_", KEY_="${A}|${B}"))
    options: dict[str, object] = {**old.who, "mappings": mapping}
    assert session.run("migrate", **options, max_error_rows=2).exit_code == 0
    assert session.run("validate", **options).exit_code == 0
    (told,) = statistics.read(stack.client("dynamodb"), old.schema)
    assert (told.ValidationState, told.ValidationSuspendedRecords) == ("Validated", 2)
    # The loser in the winner's place; and a row that was moved and does not fit any more.
    client = stack.client("dynamodb")
    item = {"KEY_": {"S": "x|y|z"}, "A": {"S": "x|y"}, "B": {"S": "z"}, "WHO": {"S": CANARY}, "N": {"N": "2"}}
    client.put_item(TableName=old.target("CASES"), Item=item)
    old.sql("UPDATE CASES SET N = 1234567890123456789012345678901234567891 WHERE A = 'p1'")
    said = session.run("validate", **options)
    assert said.exit_code == 1
    facts = Ledger(client, old.schema).get(f"table#{old.schema}.CASES")
    assert facts
    assert sorted(facts["differences"]) == [
        ["different", '["p1|q"]', "N"],
        ["different", '["x|y|z"]', "A B N"],
    ]
    assert facts["ValidationSuspendedRecords"] == 2
    shown = command(stack, "migrate", "exceptions", "--task", old.schema).stdout
    kinds = sorted(json.loads(line)["kind"] for line in shown.splitlines())
    assert kinds == ["collision", "error"]
    assert CANARY not in str(said) + str(facts) + shown


def test_what_was_not_loaded_is_pending_and_does_not_pass(case: Case) -> None:
    """Nothing that was not compared counts as validated; and asking too early spoils no load."""
    said = case.validate()
    assert said.exit_code == 1
    assert "CASES, it was not loaded yet" in said.message
    told = case.told()
    assert (told.ValidationState, told.ValidationPendingRecords, told.TableState) == (
        "Pending records", 40, "Before load",
    )  # fmt: skip
    assert case.load().exit_code == 0
    entry = next(name for name, _ in case.ledger().entries("partition#"))
    case.ledger().update(entry, {"done": False})
    said = case.validate()
    assert said.exit_code == 1
    assert "2 of 3 parts are done" in said.message
    # What DMS itself has moved is in no ledger of ours.
    for prefix in ("table#", "partition#"):
        case.ledger().forget(prefix)
    assert case.validate(moved_elsewhere=True).exit_code == 0


def test_a_table_that_can_t_be_read_is_an_error_and_all_others_are_compared(case: Case) -> None:
    """One table that is gone hides nothing of another."""
    case.old.sql("CREATE TABLE OTHER (ID NUMBER(4) PRIMARY KEY); INSERT INTO OTHER VALUES (1);")
    case.mapping = case.old.mappings(case.old.to("CASES", "STATION", "NR"), case.old.to("OTHER", "ID"))
    assert case.load().exit_code == 0
    case.client.delete_table(TableName=case.old.target("OTHER"))
    case.client.delete_item(TableName=case.target, Key=case.key(1))
    said = case.validate()
    assert said.exit_code == 1
    assert "1 key differs" in said.message
    assert case.old.target("OTHER") in said.message
    states = {one.TableName: one.ValidationState for one in statistics.read(case.client, case.old.schema)}
    assert states == {"CASES": "Mismatched records", "OTHER": "Error"}
    assert case.differences() == {case.text(1): ("missing", "")}


def test_all_of_twenty_thousand_differences_are_listed(
    stack: Stack, session: Session, old: OldDatabase
) -> None:
    """There is no cap: each row that differs is in the table, once."""
    case = Case(stack, session, old)
    old.sql("DELETE FROM CASES WHERE NR > 10")
    assert case.load().exit_code == 0
    old.sql(
        "UPDATE CASES SET FINE = 0.1;\n"
        "INSERT INTO CASES SELECT 'T' || MOD(X, 7), X, 'x', X, NULL, NULL FROM SYSTEM_RANGE(11, 20000);"
    )
    said = case.validate()
    assert said.exit_code == 1
    assert "20000 keys differ" in said.message
    found = case.differences()
    assert len(found) == 20_000
    assert sum(kind == "different" for kind, _ in found.values()) == 10
    assert case.told().ValidationFailedRecords == 20_000
    assert len(scan(stack, case.target)) == 10
