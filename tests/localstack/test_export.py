"""Tables of DynamoDB become files that hold each item once, also after a kill, throttled, and on a disk."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crime_jobs.cli import main
from crime_jobs.migrate.ledger import Ledger
from crime_jobs.model import exports
from tests.conftest import ROOT
from tests.localstack.conftest import Stack
from tests.localstack.migration import Session

CANARY = "Canary Complainant"


@pytest.fixture(scope="module")
def session(stack: Stack) -> Iterator[Session]:
    made = Session(stack)
    yield made
    made.close()


@dataclass
class Exported:
    """Tables of a test's own, and where their exports are."""

    stack: Stack
    task: str = field(default_factory=lambda: f"T{uuid.uuid4().hex[:8]}")
    landing: str = ""

    def __post_init__(self) -> None:
        self.landing = self.landing or self.stack.fresh("landing")
        self.client = self.stack.client("dynamodb")

    def table(self, name: str, items: Iterable[dict[str, Any]] = (), key: str = "S") -> str:
        """Make a table whose key is `id`; returns its name."""
        table = f"{self.task}-{name}"
        self.client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": key}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.fill(table, items)
        return table

    def fill(self, table: str, items: Iterable[dict[str, Any]]) -> None:
        found = [{"PutRequest": {"Item": item}} for item in items]
        for start in range(0, len(found), 25):
            said = self.client.batch_write_item(RequestItems={table: found[start : start + 25]})
            assert not said["UnprocessedItems"]

    @property
    def options(self) -> dict[str, str]:
        return {"task": self.task, "run": "r1"}

    def manifest(self, table: str, run: str = "r1") -> exports.Manifest:
        return exports.read_manifest(self.content(table, exports.MANIFEST, run).decode())

    def content(self, table: str, name: str, run: str = "r1") -> bytes:
        bucket, _, prefix = self.landing.removeprefix("s3://").partition("/")
        key = f"{prefix}/{exports.run_folder(table, run)}/{name}"
        content: bytes = self.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def segments(self, table: str, run: str = "r1") -> list[dict[str, Any]]:
        ledger = Ledger(self.client, self.task)
        return [facts for _, facts in ledger.entries(f"segment#{table}#{run}#")]

    def rows(self, table: str, run: str = "r1") -> list[dict[str, str]]:
        """The rows of its CSV; the files of the manifest are held against their digests on the way."""
        csv.field_size_limit(1 << 24)
        manifest, found = self.manifest(table, run), []
        for file in manifest.files:
            content = self.content(table, file.path, run)
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
            if file.path.startswith("csv/"):
                found += list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        assert len(found) == manifest.items
        return found


@pytest.fixture
def exported(stack: Stack) -> Exported:
    return Exported(stack)


def blob(size: int) -> str:
    """A text of so many bytes that gzip can't shorten to nothing."""
    return (uuid.uuid4().hex * (size // 32 + 1))[:size]


def test_every_type_comes_out_as_it_went_in(stack: Stack, session: Session, exported: Exported) -> None:
    digits = "1234567890123456789012345678901234567.8"
    items: list[dict[str, Any]] = [
        {
            "id": {"S": "एफ़आईआर 👮"},
            "text": {"S": f'{CANARY}, "x"\r\ny\n'},
            "empty": {"S": ""},
            "count": {"N": "-7"},
            "exact": {"N": digits},
            "wild": {"N": "1E-130"},
            "raw": {"B": b"\x00\xff\r\n"},
            "list": {"L": [{"N": "1.50"}, {"M": {"z": {"BOOL": True}, "a": {"B": b"\x01"}}}]},
            "set": {"SS": ["b", "a"]},
            "numbers": {"NS": ["10", "9"]},
            "mixed": {"S": "x"},
            "SELECT": {"S": "reserved"},
        },
        {"id": {"S": "2"}, "mixed": {"N": "1"}, "nothing": {"NULL": True}, "count": {"N": "9" * 18}},
        {"id": {"S": "large"}, "text": {"S": blob(400 * 1024 - 20)}},
    ]
    table = exported.table("types", items)
    logs = stack.fresh("logs", "crime-logs")
    empty = exported.table("empty")
    places = {"landing": exported.landing, "logs": logs}
    said = session.run("export", places, tables=f"{exported.task}-*", **exported.options)
    assert said.exit_code == 0, said
    assert {r["table"]: r["rows_written"] for r in said.reports} == {table: 3, empty: 0}

    rows = {row["id"]: {name: value for name, value in row.items() if value} for row in exported.rows(table)}
    assert rows["एफ़आईआर 👮"] == {
        "id": "एफ़आईआर 👮", "text": f'{CANARY}, "x"\r\ny\n', "count": "-7", "exact": digits, "wild": "1E-130",
        "raw": "AP8NCg==", "list": '[1.5, {"a": "AQ==", "z": true}]', "set": '["a", "b"]', "numbers": "[9, 10]",
        "mixed": "x", "SELECT": "reserved",
    }  # fmt: skip
    assert rows["2"] == {"id": "2", "mixed": "1", "nothing": "null", "count": "9" * 18}
    assert rows["large"] == {"id": "large", "text": items[2]["text"]["S"]}

    manifest = exported.manifest(table)
    assert {c.name: c.type for c in manifest.columns} == {
        "id": "string", "SELECT": "string", "count": "bigint", "empty": "string", "exact": "decimal(38,1)",
        "list": "string", "mixed": "string", "nothing": "string", "numbers": "string", "raw": "binary",
        "set": "string", "text": "string", "wild": "string",
    }  # fmt: skip
    assert "not a snapshot" in manifest.consistency
    (parquet,) = manifest.below(exports.PARQUET)
    found = pq.read_table(pa.BufferReader(exported.content(table, parquet.path))).to_pylist()
    first = next(row for row in found if row["id"] == "एफ़आईआर 👮")
    assert (first["count"], first["exact"], first["raw"]) == (-7, Decimal(digits), b"\x00\xff\r\n")
    assert (first["empty"], first["nothing"]) == ("", None)
    assert exported.rows(empty) == []
    assert exported.manifest(empty).items == 0

    (log,) = stack.keys(logs)
    body = stack.client("s3").get_object(Bucket="crime-logs", Key=log)["Body"].read().decode()
    assert [json.loads(line)["event"] for line in body.splitlines()][-1] == "run ended"
    assert CANARY not in body + str(said) + manifest.model_dump_json()


def test_throttling_loses_nothing_and_reads_nothing_twice(
    stack: Stack, session: Session, exported: Exported
) -> None:
    table = exported.table("busy", ({"id": {"S": f"{n:04d}"}, "t": {"S": blob(3000)}} for n in range(240)))
    with stack.faults(DYNAMODB_READ_ERROR_PROBABILITY=0.4):
        said = session.run(
            "export",
            {"landing": exported.landing},
            tables=table,
            segments=16,  # with four, one run in eight was not throttled
            read_units=60,
            **exported.options,
        )
    assert said.exit_code == 0, said
    assert sorted(row["id"] for row in exported.rows(table)) == [f"{n:04d}" for n in range(240)]
    assert sum(segment["throttled"] for segment in exported.segments(table)) > 0


def test_the_read_rate_holds_within_five_percent(session: Session, exported: Exported) -> None:
    table = exported.table("rate", ({"id": {"S": f"{n:04d}"}, "t": {"S": blob(4000)}} for n in range(450)))
    rate, took = 50.0, {}
    for run, limit in (("free", 0.0), ("held", rate)):
        said = session.run(
            "export",
            {"landing": exported.landing},
            tables=table,
            read_units=limit,
            **exported.options | {"run": run},
        )
        assert said.exit_code == 0, said
        found = exported.segments(table, run)
        began, ended = (
            edge(datetime.fromisoformat(segment[at]).timestamp() for segment in found)
            for edge, at in ((min, "began"), (max, "read"))
        )
        took[run] = ended - began
        units = sum(segment["read_units"] for segment in found)
    # As DynamoDB counted: 4 KB a unit, and pages are rounded up.
    assert 440 <= units <= 480
    assert rate * 0.95 <= units / took["held"] <= rate * 1.05
    assert took["free"] < took["held"] / 2, "without a limit it is no faster: the limit did not bind"


def test_what_is_done_is_not_read_again_and_what_was_changed_is_found(
    stack: Stack, session: Session, exported: Exported
) -> None:
    table = exported.table("once", ({"id": {"S": str(n)}} for n in range(9)))
    place, options = {"landing": exported.landing}, {"tables": table, "segments": 2, **exported.options}
    assert session.run("export", place, **options).exit_code == 0
    whole = exported.manifest(table)
    exported.fill(table, [{"id": {"S": "later"}}])
    assert session.run("export", place, **options).exit_code == 0
    assert exported.manifest(table) == whole

    said = session.run("export", place, **options | {"segments": 3})
    assert said.exit_code == 0, "a whole run is left as it is, whatever is asked for"
    s3 = stack.client("s3")
    folder = f"{exported.landing}/{exports.run_folder(table, 'r1')}"
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    s3.delete_object(Bucket=bucket, Key=f"{prefix}/{exports.MANIFEST}")
    said = session.run("export", place, **options | {"segments": 3})
    assert said.exit_code == 3
    assert "begun with another segments" in said.message

    segment = f"{prefix}/items/segment-00001.json.gz"
    content = bytearray(s3.get_object(Bucket=bucket, Key=segment)["Body"].read())
    content[-1] ^= 1
    s3.put_object(Bucket=bucket, Key=segment, Body=bytes(content))
    said = session.run("export", place, **options)
    assert said.exit_code == 1
    assert "segment-00001.json.gz" in said.message
    assert "run it again with the same run" in said.message
    assert not [key for key in stack.keys(f"{exported.landing}/") if key.endswith(exports.MANIFEST)]
    s3.delete_object(Bucket=bucket, Key=segment)
    assert session.run("export", place, **options).exit_code == 0
    found = {row["id"] for row in exported.rows(table)}
    # The segment that was kept is as it was; only the one that was removed was read anew.
    assert found - {"later"} == {str(n) for n in range(9)}


def test_a_disk_serves_too_and_one_table_that_fails_stops_no_other(
    session: Session, exported: Exported, tmp_path: Path
) -> None:
    good = exported.table("good", ({"id": {"S": str(n)}} for n in range(7)))
    bad = exported.table("bad", [{"id": {"S": "1"}}])
    landing = tmp_path / "landing"
    (landing / "dynamodb").mkdir(parents=True)
    (landing / "dynamodb" / bad).write_text("a file stands where a folder must be")
    options = {"tables": f"{bad},{good}", **exported.options}
    said = session.run("export", {"landing": str(landing)}, **options)
    assert said.exit_code == 1, said
    assert bad in said.message
    assert "run=r1" in said.hint or "run=…" in said.hint + said.message
    folder = landing / exports.run_folder(good, "r1")
    manifest = exports.read_manifest((folder / exports.MANIFEST).read_text())
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {file.path for file in manifest.files} | {exports.MANIFEST}
    (landing / "dynamodb" / bad).unlink()
    assert session.run("export", {"landing": str(landing)}, **options).exit_code == 0
    assert (landing / exports.run_folder(bad, "r1") / exports.MANIFEST).exists()
    runs = [facts for name, facts in Ledger(exported.client, exported.task).entries("run#")]
    assert [run["facts"].get("failed") for run in sorted(runs, key=lambda r: str(r["ended"]))] == [
        [bad],
        None,
    ]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ({"tables": "no-such-table"}, 3, "no table no-such-table"),
        ({"tables": "no-such-*"}, 2, "No table of DynamoDB begins"),
        ({"tables": "{table}", "via": "service"}, 4, "ExportTableToPointInTime|can't export"),
        ({"tables": "{table}", "landing": "s3://no-such-bucket-here/x"}, 4, "no-such-bucket-here"),
    ],
    ids=["table", "prefix", "service", "bucket"],
)
def test_what_can_t_be_done_says_why(
    session: Session, exported: Exported, options: dict[str, str], code: int, says: str
) -> None:
    table = exported.table("there", [{"id": {"S": "1"}}])
    told = {name: value.format(table=table) for name, value in options.items()}
    said = session.run(
        "export", {"landing": told.pop("landing", exported.landing)}, **{**exported.options, **told}
    )
    assert said.exit_code == code, said
    assert [word for word in says.split("|") if word in said.message], said


def test_a_plan_reads_no_item(
    stack: Stack, exported: Exported, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = exported.table("planned", ({"id": {"S": str(n)}, "t": {"S": blob(9000)}} for n in range(3)))
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    arguments = [
        "export",
        "--tables",
        f"{exported.task}-*",
        "--read-units",
        "2",
        "--landing",
        exported.landing,
    ]
    assert main([*arguments, "--dry-run", "--output", "json"]) == 0
    out, err = capsys.readouterr()
    row = json.loads(out)
    assert (row["table"], row["items"], row["read_units"], row["seconds_at_least"]) == (table, 3, 7, 4)
    assert "US dollars" in err
    assert stack.keys(exported.landing) == []


def start(exported: Exported, table: str) -> subprocess.Popen[str]:
    """The command as a user runs it, slow enough to be met at work; a group of its own with JVM and workers."""
    command = [sys.executable, "-m", "crime_jobs.cli", "run", "export", "--landing", exported.landing]
    options = {"tables": table, "segments": 8, "read_units": 20, **exported.options}
    command += [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    return subprocess.Popen(
        command, cwd=ROOT, env=exported.stack.environ, start_new_session=True, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def kill_when(process: subprocess.Popen[str], holds: Callable[[], bool]) -> None:
    """Kill the whole group with -9 as soon as something holds."""
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if holds():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            return
        time.sleep(0.05)
    pytest.fail(f"the run ended before the moment came: {process.communicate()[1]}")


@pytest.mark.faults
def test_killed_and_run_again_it_reads_only_what_was_not_done(session: Session, exported: Exported) -> None:
    def items(state: str) -> list[dict[str, Any]]:
        return [{"id": {"S": f"{n:03d}"}, "state": {"S": state}, "t": {"S": blob(4000)}} for n in range(100)]

    table = exported.table("killed", items("first"))
    ledger = Ledger(exported.client, exported.task)
    ledger.create()
    kill_when(start(exported, table), lambda: len(exported.segments(table)) >= 3)
    # Spark's Python workers have a process group of their own, and finish what they were about to write.
    counts = [0, len(exported.segments(table))]
    while counts[-1] > counts[-2]:
        time.sleep(3)
        counts.append(len(exported.segments(table)))
    done = {segment["path"]: segment for segment in exported.segments(table)}
    assert 3 <= len(done) < 8
    assert not [k for k in exported.stack.keys(exported.landing) if k.endswith(exports.MANIFEST)]
    # Each item says whether it was read before or after the kill.
    exported.fill(table, items("second"))
    # Whoever is told of the kill is told how it goes on.
    assert [run["again"] for _, run in ledger.entries("run#") if "with run=r1" in run["again"]]
    ledger.forget("lock#")  # instead of waiting for the killed run's lease
    said = session.run("export", {"landing": exported.landing}, tables=table, **exported.options)
    assert said.exit_code == 0, said

    rows = {row["id"]: row["state"] for row in exported.rows(table)}
    assert sorted(rows) == [f"{n:03d}" for n in range(100)]
    before = sum(state == "first" for state in rows.values())
    assert before == sum(segment["items"] for segment in done.values()), "a segment was read twice"
    now = {segment["path"]: segment for segment in exported.segments(table)}
    assert len(now) == 8
    assert {path: now[path] for path in done} == done
