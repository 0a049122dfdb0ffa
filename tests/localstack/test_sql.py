"""`crime-jobs sql` through Athena: the lake's own answers, cancelled by Ctrl-C, a million rows, and what goes wrong."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from crime_harness.questions import WORKGROUP, copy_lake
from crime_jobs.adhoc import setup
from crime_jobs.adhoc.askers import open_asker
from crime_jobs.adhoc.asking import Asker
from crime_jobs.adhoc.lake import LakeAsker
from crime_jobs.adhoc.questions import Question, questions
from crime_jobs.errors import BadInput, CrimeJobsError, JobFailed, WrongUsage
from crime_jobs.settings import Settings

from . import lakes
from .conftest import Stack
from .engines import until

LIMIT = 10_000_000
HOSTILE = "x'; DROP TABLE firs; --\n\"'' தமிழ் \\"


@dataclass(frozen=True)
class Asked:
    """A database of its own over a small lake, and who answers for it."""

    stack: Stack
    settings: Settings
    local: Path
    athena: Asker
    lake: LakeAsker

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120, check=False, cwd=self.local.parent, env=self.stack.environ, **more)  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "crime_jobs.cli", "sql", *arguments, "--env", "asked"]


@pytest.fixture(scope="module")
def asked(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    patch = pytest.MonkeyPatch()
    for name, text in stack.env.items():
        patch.setenv(name, text)
    folder = tmp_path_factory.mktemp("asked")
    local, lake, history = lakes.make(folder / "lake"), stack.fresh(), stack.fresh("history", "crime-firs")
    copy_lake(stack.endpoint, local, lake)
    database = f"test_{uuid.uuid4().hex[:8]}"
    (folder / "crime-jobs.toml").write_text(
        f'[asked]\nregion = "us-east-1"\nlanding = "data"\n[asked.sql]\nworkgroup = "{WORKGROUP}"\n'
        f'database = "{database}"\n[asked.stream]\nhistory = "{history}"\n'
    )
    settings = Settings(
        env="asked", region="us-east-1", landing="data", lake=lake, spark_conf=None, sources={}, environ={},
        sql={"workgroup": WORKGROUP, "database": database}, stream={"history": history},
    )  # fmt: skip
    patch.setenv("CRIME_JOBS_LAKE", lake)
    setup.set_up(settings)
    athena, beside = open_asker(settings), LakeAsker(str(local), history)
    yield Asked(Stack({**stack.env, "CRIME_JOBS_LAKE": lake}), settings, local, athena, beside)
    athena.close()
    beside.close()
    patch.undo()


def firs(asked: Asked, *, day: str = "") -> None:
    """Put FIRs where Firehose would: one twice, one just before midnight in India, one protected."""

    def line(key: str, occurred: str, group: str, sent: str) -> str:
        return json.dumps({
            "schema_version": 1, "fir_key": key, "state_code": "IN-TN", "district": "d", "police_station": "p", "fir_number": 1,
            "fir_year": 2026, "is_zero": False, "zero_key": None, "sections": "BNS:64;BNS:3(5)", "crime_head": "x",
            "crime_group": group, "against_women": False, "is_grave": False, "is_protected": False, "occurred_at": occurred,
            "reported_at": occurred, "latitude": None, "longitude": 80.5, "location_cell": None, "content_hash": "0",
            "sent_at": sent, "identity": "sealed-and-secret",
        }) + "\n"  # fmt: skip

    bucket, _, prefix = str(asked.settings.stream["history"]).removeprefix("s3://").partition("/")
    day = day or datetime.now(UTC).strftime("%Y/%m/%d")
    one = line("k1", "2026-03-31T18:29:59.999Z", "violent", "2026-04-01T00:00:00.000Z")
    again = line("k1", "2026-03-31T18:30:00.000Z", "violent", "2026-04-01T00:00:01.000Z")
    other = line("k2", "2026-03-31T18:30:00.000Z", "other", "2026-04-01T00:00:00.000Z")
    s3 = asked.stack.client("s3")
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{day}/09/fir-1", Body=(again + other).encode())
    s3.put_object(
        Bucket=bucket, Key=f"{prefix}/{day}/10/fir-2.gz", Body=gzip.compress((one + again).encode())
    )


def both(asked: Asked, question: Question, given: dict[str, str]) -> list[dict[str, Any]]:
    values = question.bind(given)
    by_athena, by_lake = asked.athena.ask(question.sql, values), asked.lake.ask(question.sql, values)
    assert by_athena.columns == by_lake.columns
    found: list[dict[str, Any]] = by_athena.table().to_pylist()
    # The made-up rows have equal keys: their order among themselves is nobody's.
    assert sorted(map(repr, found)) == sorted(map(repr, by_lake.table().to_pylist()))
    assert by_athena.scanned_bytes
    return found


@pytest.mark.parametrize("question", [q for q in questions().values() if not q.name.startswith("firs_")], ids=lambda q: q.name)  # fmt: skip
def test_athena_answers_as_the_lake_does(asked: Asked, question: Question) -> None:
    everything = both(asked, question, {p.name: "all" for p in question.parameters})
    assert everything or question.name in {"compare_places", "falling_districts"}
    both(asked, question, {})
    # Any value is a value: it chooses nothing, and it breaks nothing.
    assert both(asked, question, {p.name: HOSTILE for p in question.parameters}) == []


def test_firs_are_counted_once_by_the_time_of_india(asked: Asked) -> None:
    firs(asked)
    found = both(asked, questions()["firs_by_hour_and_month"], {})
    assert found == [
        {"hour_of_day": 0, "month_number": 4, "firs": 1},
        {"hour_of_day": 23, "month_number": 3, "firs": 1},
    ]
    assert both(asked, questions()["firs_by_group"], {}) == [
        {"state_code": "IN-TN", "crime_group": group, "law": "BNS", "firs": 1}
        for group in ("other", "violent")
    ]
    with pytest.raises(WrongUsage):
        asked.athena.ask("SELECT identity FROM firs")


def test_ctrl_c_cancels_the_query_itself(asked: Asked) -> None:
    endless = "WITH n AS (SELECT x FROM UNNEST(sequence(1, 10000)) AS t(x)) SELECT sum(sqrt(a.x * b.x + c.x)) FROM n a CROSS JOIN n b CROSS JOIN n c"  # fmt: skip
    athena = asked.stack.client("athena")

    def running() -> list[str]:
        ids = athena.list_query_executions(WorkGroup=WORKGROUP, MaxResults=5)["QueryExecutionIds"]
        found = athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]
        return [
            q["QueryExecutionId"] for q in found if q["Status"]["State"] == "RUNNING" and "sqrt" in q["Query"]
        ]

    process = subprocess.Popen(asked.command(endless), stderr=subprocess.PIPE, text=True, cwd=asked.local.parent, env=asked.stack.environ)  # fmt: skip
    try:
        (query,) = until(running)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert f"query {query} is cancelled" in said
    until(lambda: athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"] == "CANCELLED")  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_million_rows_go_to_a_file_in_flat_memory(asked: Asked, tmp_path: Path, ending: str) -> None:
    sql = "SELECT a.x * 1000 + b.x AS n, CAST(a.x AS varchar) || ' said \"no\", twice' AS t FROM UNNEST(sequence(0, 999)) AS a(x) CROSS JOIN UNNEST(sequence(0, 999)) AS b(x)"  # fmt: skip
    to = tmp_path / f"million.{ending}"
    measured = (  # not ru_maxrss: that begins with the memory of the process that started this one
        "import re, sys; from pathlib import Path; from crime_jobs.cli import main; code = main(sys.argv[1:]); "
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1]); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, *asked.command(sql, "--to", str(to))[3:]],
        capture_output=True, text=True, check=False, cwd=asked.local.parent, env=asked.stack.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1,000,000 rows" in done.stderr
    found = pyarrow.csv.read_csv(to) if ending == "csv" else pyarrow.parquet.read_table(to)
    assert sorted(found["n"].to_pylist()) == list(range(1_000_000))
    assert found["t"][0].as_py().endswith(' said "no", twice')
    assert [path.name for path in tmp_path.iterdir()] == [to.name]
    assert int(done.stdout) < 400_000  # kilobytes; the rows alone are many times a block


def test_what_is_wrong_is_said_with_its_place(asked: Asked) -> None:
    with pytest.raises(WrongUsage, match="line 2, column 2: .*'stat'") as caught:
        asked.athena.ask("SELECT year,\n stat FROM hot_spots")
    assert caught.value.hint == "   stat FROM hot_spots\n   ^"
    with pytest.raises(WrongUsage, match="line 1, column 7"):
        asked.athena.ask("SELEC 1")
    with pytest.raises(BadInput, match="Table hotspots is not") as missing:
        asked.athena.ask("SELECT * FROM hotspots")
    assert "hot_spots" in missing.value.hint
    with pytest.raises(CrimeJobsError, match="parameter"):
        asked.athena.ask("SELECT ?", [])


def test_an_empty_answer_has_its_columns(asked: Asked, tmp_path: Path) -> None:
    to = tmp_path / "none.csv"
    done = asked.run("hot_spots", "--set", "year=1900", "--to", str(to))
    assert done.returncode == 0, done.stderr
    assert to.read_text().startswith('"state_code","state","district"')
    assert len(to.read_text().splitlines()) == 1
    assert "Nothing has year=1900" in done.stderr


def test_text_is_what_it_was(asked: Asked) -> None:
    texts = [*(t for t in lakes.AWKWARD if t is not None), HOSTILE]
    found = asked.athena.ask(f"SELECT {', '.join('?' * len(texts))}, CAST(NULL AS varchar)", texts).table()
    assert [column[0].as_py() for column in found.columns] == [*texts, None]


@pytest.mark.parametrize(
    "rows", ["(NULL)", "(NULL), (1)", "(1), (NULL)", "(1), (NULL), (3)", "(NULL), (NULL)"]
)
def test_a_row_of_nothing_but_null_is_a_row(asked: Asked, rows: str) -> None:
    """Athena writes it as an empty line."""
    sql = f"SELECT CAST(x AS integer) AS x FROM (VALUES {rows}) AS t(x)"
    found = asked.athena.ask(sql).table().to_pylist()
    assert found == asked.lake.ask(sql).table().to_pylist()
    assert len(found) == rows.count("(")


def test_a_scan_over_the_limit_is_stopped_and_the_limit_told(asked: Asked) -> None:
    group = f"tight-{uuid.uuid4().hex[:6]}"
    athena = asked.stack.client("athena")
    athena.create_work_group(
        Name=group,
        Configuration={
            "ResultConfiguration": {"OutputLocation": "s3://crime-questions/results/"},
            "BytesScannedCutoffPerQuery": LIMIT,
        },
    )
    bucket, _, prefix = asked.settings.lake.removeprefix("s3://").partition("/")
    body = b"State,P2001,P2011\n" + b"Somewhere,1,2\n" * (LIMIT // 13)
    asked.stack.client("s3").put_object(
        Bucket=bucket, Key=f"{prefix}/landing_by_layout/census/c.csv", Body=body
    )
    tight = asked.settings.model_copy(update={"sql": {**asked.settings.sql, "workgroup": group}})
    with pytest.raises(JobFailed, match="10,000,000 bytes") as caught:
        open_asker(tight).ask("SELECT count(state) FROM landing_census_csv")
    assert caught.value.exit_code == 1
    assert "WHERE year" in caught.value.hint
    athena.delete_work_group(WorkGroup=group, RecursiveDeleteOption=True)


def test_a_dropped_partition_is_missing_and_no_other(asked: Asked) -> None:
    bucket, _, prefix = asked.settings.lake.removeprefix("s3://").partition("/")
    key = {"Bucket": bucket, "Key": f"{prefix}/women_facts/year=2013/part-0.parquet"}
    s3 = asked.stack.client("s3")
    kept = s3.get_object(**key)["Body"].read()
    sql = "SELECT DISTINCT year FROM women_facts ORDER BY year"
    assert asked.athena.ask(sql).table().to_pydict() == {"year": [2012, 2013, 2014]}
    s3.delete_object(**key)
    try:
        assert asked.athena.ask(sql).table().to_pydict() == {"year": [2012, 2014]}
    finally:
        s3.put_object(**key, Body=kept)


def test_setup_twice_changes_nothing_and_others_tables_are_left_alone(asked: Asked) -> None:
    assert {one.done for one in setup.set_up(asked.settings)} == {"made, or as it was", "as it was"}
    moved = asked.settings.model_copy(update={"stream": {"history": "s3://crime-firs/elsewhere"}})
    assert [one.name for one in setup.set_up(moved) if one.done == "changed"] == ["firs"]
    setup.set_up(asked.settings)
    glue, database = asked.stack.client("glue"), asked.settings.sql["database"]
    others = glue.get_table(DatabaseName=database, Name="quarantine")["Table"]
    kept = {name: others[name] for name in ("Name", "StorageDescriptor", "TableType")}
    glue.update_table(DatabaseName=database, TableInput={**kept, "Parameters": {}})
    with pytest.raises(JobFailed, match=r"quarantine is there and was not made by crime-jobs"):
        setup.set_up(asked.settings)
