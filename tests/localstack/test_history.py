"""The history of FIRs: each object of Firehose's in Redshift once, whoever is killed, and nothing of what FIRs say."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crime_harness.questions import WORKGROUP
from crime_jobs.adhoc import ddl
from crime_jobs.adhoc.asking import SqlSettings
from crime_jobs.adhoc.athena import Athena
from crime_jobs.adhoc.lake import LakeAsker
from crime_jobs.model.aggregation import Aggregate
from crime_jobs.model.fir_event import COLUMNS, SQL_COLUMNS, FirEvent
from crime_jobs.model.streams import StreamSettings
from crime_jobs.settings import Settings
from crime_jobs.stream._redshift import Redshift, open_redshift
from crime_jobs.stream.history import History, Loaded, open_history
from tests.localstack.conftest import Stack
from tests.localstack.consumer import CANARY, event


class Place:
    """A folder in S3 and a workgroup of one test's own."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        name = uuid.uuid4().hex[:8]
        self.stack, self.folder, self.s3 = stack, folder, stack.client("s3")
        self.prefix = f"history-{name}"
        self.stream = StreamSettings(
            name=f"fir-{name}", history=f"s3://crime-firs/{self.prefix}", redshift_workgroup=f"wg-{name}"
        )
        whole: dict[str, Any] = {
            "env": "test",
            "region": "us-east-1",
            "landing": "",
            "lake": "",
            "spark_conf": None,
        }
        self.settings = Settings.model_validate(
            {**whole, "sources": {}, "environ": {}, "stream": self.stream.model_dump()}
        )
        changed = self.stream.model_dump(exclude_defaults=True)
        table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in changed.items())
        (folder / "crime-jobs.toml").write_text(f'[test]\nregion = "us-east-1"\n[test.stream]\n{table}\n')

    def put(self, name: str, content: bytes) -> str:
        key = f"{self.prefix}/2026/11/24/10/{name}"
        self.s3.put_object(Bucket="crime-firs", Key=key, Body=content)
        return f"s3://crime-firs/{key}"

    @property
    def history(self) -> History:
        return open_history(self.settings, self.stream)

    @property
    def redshift(self) -> Redshift:
        return open_redshift(self.settings, self.stream)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.redshift.query(sql)]

    def keys(self) -> list[str]:
        return [key for (key,) in self.rows("SELECT fir_key FROM firs ORDER BY fir_key")]

    def command(self, *verb: str) -> list[str]:
        return [
            str(Path(sys.executable).with_name("crime-jobs")),
            "stream",
            "history",
            *verb,
            "--env",
            "test",
        ]

    def run(self, *verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*verb), cwd=self.folder, env=self.stack.environ, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _environment(stack: Stack) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.env.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def place(stack: Stack, tmp_path: Path) -> Place:
    made = Place(stack, tmp_path)
    made.history.setup()
    return made


def packed(*events: FirEvent) -> bytes:
    return gzip.compress(plain(*events))


def plain(*events: FirEvent) -> bytes:
    return b"".join(one.to_bytes() for one in events)


def firs(begin: int, end: int) -> list[FirEvent]:
    return [event(number) for number in range(begin, end)]


def test_what_is_sound_is_loaded_and_what_is_not_is_told_of_without_its_content(place: Place) -> None:
    sound = {
        "a.gz": packed(*firs(1, 40)),
        "b": plain(*firs(30, 60)),  # some came twice
        "c": b"",
        "d": f'{{"fir_key": "{CANARY}"}}\n{CANARY}\n'.encode() + plain(*firs(60, 62)),
    }
    unsound = {
        "x.gz": packed(*firs(70, 90))[:-30],
        "y.gz": b"\x1f\x8b" + CANARY.encode(),
        "z": plain(*firs(95, 97)).replace(b'"schema_version":1', b'"schema_version":2'),
    }
    uris = {name: place.put(name, content) for name, content in (sound | unsound).items()}
    done = place.run("load")
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout) == {"objects": 4, "lines": 71, "firs": 61, "refused": 3}

    for name, content in sound.items():  # DuckDB reads the same files, line by line
        (place.folder / f"{name}.json").write_bytes(
            gzip.decompress(content) if name.endswith(".gz") else content
        )
    told = duckdb.execute(
        f"SELECT DISTINCT fir_key FROM read_json('{place.folder}/*.json', format='newline_delimited', "
        "ignore_errors=true, columns={fir_key: 'VARCHAR', content_hash: 'VARCHAR'}) "
        "WHERE content_hash IS NOT NULL ORDER BY 1"
    ).fetchall()
    assert place.keys() == [key for (key,) in told]
    assert len(told) == 61

    errors = place.run("errors")
    noted = {(row["object"], row["line_number"]): row for row in map(json.loads, errors.stdout.splitlines())}
    lines = [(uris["d"], 1), (uris["d"], 2)]
    assert sorted(noted) == sorted([*lines, *((uris[name], 0) for name in unsound)])
    assert [noted[line]["code"] for line in lines] == ["1213", "1216"]
    assert "cut off" in noted[uris["x.gz"], 0]["error"]
    assert "broken" in noted[uris["y.gz"], 0]["error"]
    assert "version" in noted[uris["z"], 0]["error"]

    again = place.run("load")
    assert json.loads(again.stdout) == {"objects": 0, "lines": 0, "firs": 0, "refused": 0}
    status = json.loads(place.run("status").stdout)
    assert (status["objects_loaded"], status["objects_refused"], status["firs"], status["errors"]) == (
        4,
        3,
        61,
        5,
    )

    said = "".join(one.stdout + one.stderr for one in (done, errors, again))
    assert CANARY not in said
    assert CANARY not in str(place.rows("SELECT * FROM fir_load_errors"))


def test_what_was_refused_can_be_mended_and_tried_again(place: Place) -> None:
    place.put("a.gz", packed(*firs(1, 20))[:-30])
    assert place.history.load() == Loaded(refused=1)
    place.put("a.gz", packed(*firs(1, 20)))
    assert place.history.load() == Loaded()
    history = place.history
    history.retry()
    assert history.load() == Loaded(objects=1, lines=19, firs=19)
    assert place.history.errors() == []


def test_columns_are_as_they_were_sent_and_none_is_the_identity(place: Place) -> None:
    sent = event(1, station="Łódź ठाणे", latitude=None, zero_key="IN-UP/Lucknow/Hazratganj/2026/Z0001")
    place.put("a", plain(sent))
    place.history.load()
    (row,) = place.redshift.query("SELECT * FROM firs")
    del row["load_id"]
    assert list(row) == [column.name for column in SQL_COLUMNS]
    assert len(row) == len(COLUMNS) - 1
    for name, value in sent.as_dict().items():
        if name == "identity":
            continue
        if name in ("occurred_at", "reported_at", "sent_at"):
            assert row[name].ljust(23, "0")[:23] == value.replace("T", " ")[:23].rstrip("Z").ljust(23, "0")
        else:
            assert row[name] == value
    keys = place.rows(
        "SELECT \"column\", distkey, sortkey FROM pg_table_def WHERE tablename = 'firs' AND (distkey OR sortkey > 0)"
    )
    assert sorted(keys) == [("fir_key", True, 0), ("reported_at", False, 1)]


def test_late_duplicates_count_once_and_another_content_under_a_key_is_told(place: Place) -> None:
    first = firs(1, 6)
    place.put("b", plain(*first))
    assert place.history.load().firs == 5
    place.put("a-late", plain(first[0], event(7)))  # its name is before what was loaded
    assert place.history.load() == Loaded(objects=1, lines=2, firs=1)
    other = event(1, content_hash="f" * 64)
    for name in ("c", "d"):
        place.put(name, plain(other, first[1]))
        assert place.history.load() == Loaded(objects=1, lines=2, firs=0)
    assert len(place.keys()) == 6
    (told,) = place.history.errors()
    assert (told["fir_key"], told["error"]) == (first[0].fir_key, "another FIR has this key")


def test_two_loaders_load_each_object_once(place: Place) -> None:
    for number in range(8):
        place.put(f"{number}.gz", packed(*firs(number * 10 + 1, number * 10 + 11)))
    with ThreadPoolExecutor(2) as pool:
        done = sum(pool.map(lambda one: one.load(), [place.history, place.history]), Loaded())
    assert (done.objects, done.firs) == (8, 80)
    assert len(place.keys()) == len(set(place.keys())) == 80
    assert place.rows("SELECT COUNT(*) AS n, COUNT(DISTINCT object) AS m FROM fir_loads") == [(8, 8)]


def tell_faults(stack: Stack, body: bytes | None, method: str) -> None:
    url = f"{stack.env['AWS_ENDPOINT_URL_REDSHIFT_DATA']}/_engines/faults"
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 - http it is
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@contextlib.contextmanager
def ordered(stack: Stack, fault: dict[str, Any] | None) -> Iterator[None]:
    if fault:
        tell_faults(stack, json.dumps(fault).encode(), "POST")
    try:
        yield
    finally:
        tell_faults(stack, None, "DELETE")


#: Killed before the load is handed in; while Redshift does it; and before its bad lines are noted. Before the
#: first and the last of them it is held, since what it asks for is throttled.
MOMENTS = {"before": 0, "meanwhile": None, "after": 1}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_loader_killed_at_any_moment_loads_nothing_twice_and_leaves_nothing_out(
    place: Place, stack: Stack, moment: str
) -> None:
    for number in range(3):
        place.put(f"{number}.gz", packed(*firs(number * 100 + 1, number * 100 + 101)))
    place.put("bad", b"{broken\n" + plain(event(1)))
    after = MOMENTS[moment]
    throttled = {"operation": "BatchExecuteStatement", "code": "ThrottlingException", "after": after}
    with ordered(stack, None if after is None else throttled):
        process = subprocess.Popen(
            place.command("load"), cwd=place.folder, env=stack.environ, stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while not has_come_to(place, moment):
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    place.history.load()
    assert len(place.keys()) == len(set(place.keys())) == 300
    assert place.rows("SELECT COUNT(*) AS n, COUNT(DISTINCT object) AS m FROM fir_loads WHERE noted") == [
        (4, 4)
    ]
    assert [row["line_number"] for row in place.history.errors()] == [1]


def until(process: subprocess.Popen[bytes], holds: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)


def has_come_to(place: Place, moment: str) -> bool:
    """Whether a load's lists are written, the load is handed in, or has ended."""
    if moment == "before":
        return any("manifest" in key for key in place.stack.keys(f"{place.stream.history}-loads"))
    listed = place.stack.client("redshift-data").list_statements(
        Status="ALL" if moment == "meanwhile" else "FINISHED",
        StatementName="crime-jobs-fir-load",
        WorkgroupName=place.stream.redshift_workgroup,
    )
    return bool(listed["Statements"])


def test_a_loader_that_follows_goes_on_after_a_refusal_and_ends_when_asked(
    place: Place, stack: Stack
) -> None:
    place.put("one.gz", packed(*firs(1, 4)))
    log = place.folder / "log"
    throttled = {"operation": "BatchExecuteStatement", "code": "AccessDeniedException"}
    with log.open("w") as out, ordered(stack, throttled):
        process = subprocess.Popen(
            place.command("load", "--follow", "--every", "1"), cwd=place.folder, env=stack.environ,
            stdout=out, stderr=out,
        )  # fmt: skip
        try:
            until(process, lambda: "Tried again in 1 s: " in log.read_text())
            assert place.keys() == []
            tell_faults(stack, None, "DELETE")
            until(process, lambda: len(place.keys()) == 3)
            place.put("two.gz", packed(*firs(3, 6)))
            until(process, lambda: "1 objects, 3 lines, 2 new FIRs, 0 refused" in log.read_text())
            assert len(place.keys()) == 5
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
        finally:
            process.kill()
            process.wait()
    assert CANARY not in log.read_text()


def test_nothing_is_refused_for_what_is_not_its_fault(place: Place) -> None:
    place.put("a", plain(event(1)))
    place.redshift.batch(["DROP TABLE fir_loads"])
    done = place.run("load")
    assert done.returncode == 1
    assert "crime-jobs stream history setup" in done.stderr


def test_a_dry_run_says_what_would_be_and_does_nothing(place: Place) -> None:
    uri = place.put("a", plain(event(1)))
    done = place.run("load", "--dry-run")
    assert json.loads(done.stdout)["object"] == uri
    assert place.keys() == []
    said = place.run("setup", "--dry-run").stdout
    assert "CREATE TABLE IF NOT EXISTS firs" in said
    assert f"{place.stream.name}-history" in said


def asked_of_both(place: Place) -> Iterator[list[dict[str, Any]]]:
    """What Athena's table over Firehose's files says of today's, and of tomorrow's too; and the lake's own reading."""
    today = datetime.now(UTC)
    days = [f"{today - timedelta(days=1):%Y/%m/%d}", f"{today + timedelta(days=1):%Y/%m/%d}"]
    question = (
        "SELECT COUNT(DISTINCT fir_key) AS firs, COUNT(DISTINCT delivered_on) AS days FROM firs "
        f"WHERE delivered_on BETWEEN '{days[0]}' AND '{days[1]}'"
    )
    database = f"test_{place.prefix.replace('-', '_')}"
    sql = SqlSettings(workgroup=WORKGROUP, database=database)
    athena, lake = Athena(place.settings, sql), LakeAsker("", place.stream.history)
    names = {"database": database, "history": place.stream.history, "lake": "s3://crime-lake"}
    try:
        for statement in (ddl.database_ddl(), ddl.firs_table()):
            athena.run(ddl.filled(statement, **names))
        for asker in (athena, lake):
            yield asker.ask(question).table().to_pylist()
        athena.run("DROP TABLE firs")
    finally:
        athena.close()
        lake.close()


def test_what_firehose_writes_of_single_and_aggregated_records_is_loaded(
    stack: Stack, tmp_path: Path
) -> None:
    place = Place(stack, tmp_path)
    kinesis, firehose = stack.client("kinesis"), stack.client("firehose")
    kinesis.create_stream(StreamName=place.stream.name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=place.stream.name, WaiterConfig={"Delay": 1})
    made = place.run("setup")
    assert json.loads(made.stdout)["made"] is True, made.stderr
    name = f"{place.stream.name}-history"
    try:
        assert json.loads(place.run("setup").stdout)["made"] is False
        while (
            firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"][
                "DeliveryStreamStatus"
            ]
            != "ACTIVE"
        ):
            time.sleep(0.2)
        aggregate = Aggregate()  # as the producer sends: Firehose takes them apart
        for one in firs(4, 21):
            aggregate.add(one.partition_key, one.to_bytes())
        alone = [(one.partition_key, one.to_bytes()) for one in firs(1, 4)]
        for key, data in [*alone, aggregate.entry()]:
            kinesis.put_record(StreamName=place.stream.name, PartitionKey=key, Data=data)
        history, deadline = place.history, time.monotonic() + 180
        while len(place.keys()) < 20 and time.monotonic() < deadline:
            history.load()
            time.sleep(0.3)
        assert place.keys() == [one.fir_key for one in firs(1, 21)]
        for rows in asked_of_both(place):
            assert rows == [{"firs": 20, "days": 1}]
    finally:
        firehose.delete_delivery_stream(DeliveryStreamName=name)
        kinesis.delete_stream(StreamName=place.stream.name)
