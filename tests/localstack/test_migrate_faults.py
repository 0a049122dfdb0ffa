"""Killed, cut off, or changed under its hands: the migration finishes, and nothing is lost or twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crime_harness.places import Places
from crime_harness.tools import find_java
from crime_jobs.migrate import statistics
from crime_jobs.migrate.ledger import Ledger
from tests.conftest import ROOT, Mount
from tests.localstack.conftest import Stack, free_port
from tests.localstack.migration import OldDatabase, Session, h2_jar, plain, scan

pytestmark = pytest.mark.faults

ROWS, PARTS = 400, 4
Facts = dict[str, Any]


@pytest.fixture(scope="module")
def session(stack: Stack) -> Iterator[Session]:
    made = Session(stack)
    yield made
    made.close()


@pytest.fixture
def old(stack: Stack, tmp_path: Path) -> OldDatabase:
    made = OldDatabase(stack, tmp_path)
    made.sql(
        "CREATE TABLE PEOPLE (ID NUMBER(9) PRIMARY KEY, NAME VARCHAR2(80));\n"
        f"INSERT INTO PEOPLE SELECT X, 'first' FROM SYSTEM_RANGE(1, {ROWS});"
    )
    return made


def told(old: OldDatabase, **more: object) -> list[str]:
    """The options of a run of this table, slow enough to be met at work."""
    options = {
        **old.who,
        "mappings": old.mappings(old.to("PEOPLE", "ID")),
        "part_rows": ROWS // PARTS,
        "write_units": 60,
        **more,
    }
    return [word for name, value in options.items() for word in ("--set", f"{name}={value}")]


def start(stack: Stack, old: OldDatabase, **more: object) -> subprocess.Popen[bytes]:
    """The command as a user runs it, in a process group of its own with its JVM and Python workers."""
    lake = stack.fresh("lake")
    command = [sys.executable, "-m", "crime_jobs.cli", "run", "migrate", *told(old, **more), "--lake", lake]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=stack.environ,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_when(process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> None:
    """Kill the whole group with -9 as soon as something holds."""
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if holds():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            return
        time.sleep(0.02)
    pytest.fail("the run ended before the moment came: nothing was killed")


def parts(stack: Stack, old: OldDatabase) -> list[Facts]:
    """The ledger's entries for the parts, none before there is a ledger."""
    client = stack.client("dynamodb")
    if "crime-jobs-migrations" not in client.list_tables()["TableNames"]:
        return []
    return [facts for _, facts in Ledger(client, old.schema).entries("partition#")]


def done(stack: Stack, old: OldDatabase) -> int:
    return sum(bool(part["done"]) for part in parts(stack, old))


def items(stack: Stack, old: OldDatabase) -> int:
    client = stack.client("dynamodb")
    if old.target("PEOPLE") not in client.list_tables()["TableNames"]:
        return 0
    return len(scan(stack, old.target("PEOPLE")))


def assert_whole(stack: Stack, session: Session, old: OldDatabase, source: str = "first") -> dict[int, str]:
    """Run it again to its end; every row is there once and the report is true. Returns the names by id.

    It is run as a user would, right after the kill: the lease of the dead must not be in the way.
    """
    options = {**old.who, "mappings": old.mappings(old.to("PEOPLE", "ID"))}
    said = session.run("migrate", **options, part_rows=ROWS // PARTS)
    assert said.exit_code == 0, said
    found = {int(plain(item)["ID"]): plain(item)["NAME"] for item in scan(stack, old.target("PEOPLE"))}
    assert sorted(found) == list(range(1, ROWS + 1))
    (told_,) = statistics.read(stack.client("dynamodb"), old.schema)
    assert (told_.FullLoadRows, told_.FullLoadErrorRows, told_.TableState) == (ROWS, 0, "Table completed")
    # The database says "second" meanwhile, and just the rows that were read before that differ.
    differing = sum(name != source for name in found.values())
    assert session.run("validate", **options).exit_code == (1 if differing else 0)
    (told_,) = statistics.read(stack.client("dynamodb"), old.schema)
    assert told_.ValidationFailedRecords == differing
    return found


MOMENTS: dict[str, Callable[[Stack, OldDatabase], bool]] = {
    "cut into parts, nothing written": lambda stack, old: len(parts(stack, old)) == PARTS,
    "in the middle of the first parts": lambda stack, old: items(stack, old) > 30,
    "two parts done, two under way": lambda stack, old: done(stack, old) >= 2,
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_killed_and_run_again(
    stack: Stack, session: Session, old: OldDatabase, moment: Callable[[Stack, OldDatabase], bool]
) -> None:
    kill_when(start(stack, old), lambda: moment(stack, old))
    ready = {n for n, part in enumerate(parts(stack, old)) if part["done"]}
    assert items(stack, old) < ROWS
    # Each row says whether it was read before or after the kill.
    old.sql("UPDATE PEOPLE SET NAME = 'second'")
    found = assert_whole(stack, session, old, "second")
    size = ROWS // PARTS
    before = {row for row in found if (row - 1) // size in ready}
    assert {row for row, name in found.items() if name == "first"} == before, "a part was read twice"


def test_a_full_disk_ends_the_run_truthfully_and_loses_nothing(
    stack: Stack, session: Session, old: OldDatabase, mount: Mount
) -> None:
    """The rows go to DynamoDB, the run's tables to a disk that is full: what was moved is not read again."""
    disk = mount("size=64k")
    (disk / "full").write_bytes(bytes(56 * 1024))
    options = {**old.who, "mappings": old.mappings(old.to("PEOPLE", "ID")), "part_rows": ROWS // PARTS}
    said = session.run("migrate", {"lake": str(disk)}, **options)
    assert said.exit_code == 1, said
    assert "the disk is full" in said.message
    assert items(stack, old) == ROWS
    assert done(stack, old) == PARTS
    (disk / "full").unlink()
    old.sql("UPDATE PEOPLE SET NAME = 'second'")
    assert set(assert_whole(stack, session, old, "second").values()) == {"first"}


def test_a_source_that_goes_down_in_the_middle(stack: Stack, session: Session, tmp_path: Path) -> None:
    """A database of the test's own, ended with -9 and started again."""
    port = free_port()
    old = OldDatabase(stack, tmp_path)
    server = serve(stack, tmp_path, port)
    try:
        url = f"jdbc:h2:tcp://127.0.0.1:{port}/./own;MODE=Oracle"
        rows = f"SELECT X, REPEAT('x', 400) FROM SYSTEM_RANGE(1, {ROWS * 5})"
        old.sql(
            f"CREATE TABLE PEOPLE (ID NUMBER(9) PRIMARY KEY, NAME VARCHAR2(400));\nINSERT INTO PEOPLE {rows};",
            url,
        )
        options = {
            "task": old.schema,
            "url": url,
            "mappings": old.mappings(old.to("PEOPLE", "ID")),
            "part_rows": ROWS * 5 // 4,
        }
        time.sleep(1.5)  # H2 writes to its file after at most a second
        session.send("migrate", **options, write_units=150)
        until(lambda: items(stack, old) > 50)
        server.kill()
        server.wait(30)
        said = session.answer()
        assert said.exit_code == 1, said
        assert "PEOPLE" in said.message
        assert "run it again" in said.hint
        (told_,) = statistics.read(stack.client("dynamodb"), old.schema)
        assert told_.TableState == "Table error"
        server = serve(stack, tmp_path, port)
        assert session.run("migrate", **options).exit_code == 0
        ids = sorted(int(plain(item)["ID"]) for item in scan(stack, old.target("PEOPLE")))
        assert ids == list(range(1, ROWS * 5 + 1))
    finally:
        server.kill()
        server.wait(30)


def test_a_row_changed_during_the_load_is_found(stack: Stack, session: Session, old: OldDatabase) -> None:
    mapping = old.mappings(old.to("PEOPLE", "ID"))
    options = {**old.who, "mappings": mapping}
    session.send("migrate", **options, part_rows=ROWS // 8, write_units=60)
    until(lambda: done(stack, old) >= 1)
    old.sql(f"UPDATE PEOPLE SET NAME = 'changed' WHERE ID IN (1, {ROWS})")
    assert session.answer().exit_code == 0
    lake = stack.fresh("lake")
    said = session.run("validate", {"lake": lake}, **options)
    assert said.exit_code == 1, said
    (told_,) = statistics.read(stack.client("dynamodb"), old.schema)
    # The first part was done when its row changed; the last one was not yet read.
    assert (told_.ValidationState, told_.ValidationFailedRecords) == ("Mismatched records", 1)
    assert session.run("migrate", **options, again=True).exit_code == 0
    assert session.run("validate", **options).exit_code == 0


def test_two_at_once_are_refused(stack: Stack, session: Session, old: OldDatabase) -> None:
    process = start(stack, old)
    try:
        until(lambda: items(stack, old) > 0)
        said = session.run("migrate", **old.who, mappings=old.mappings(old.to("PEOPLE", "ID")))
        assert said.exit_code == 1
        assert "under way" in said.message
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    assert_whole(stack, session, old)


@pytest.mark.soak
def test_killed_twenty_times_at_random(stack: Stack, session: Session, old: OldDatabase) -> None:
    dice = random.Random(2014)  # noqa: S311
    for _ in range(20):
        process = start(stack, old, write_units=25)
        end = time.monotonic() + dice.uniform(4, 16)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
    assert_whole(stack, session, old)


def until(holds: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def serve(stack: Stack, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start an H2 server of the test's own."""
    command = [
        *(find_java(Places.of(), folder / "java.log").command, "-Dh2.bindAddress=127.0.0.1"),
        *("-cp", h2_jar(stack), "org.h2.tools.Server", "-tcp", "-tcpPort", str(port)),
        *("-ifNotExists", "-baseDir", str(folder)),
    ]
    made = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    return made
