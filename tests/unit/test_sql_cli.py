"""`crime-jobs sql`: what it shows, writes and refuses, asked of a lake on disk; and what it makes of Athena's words."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from crime_jobs import cli
from crime_jobs.adhoc import asking, showing
from crime_jobs.adhoc.asking import Answer, AnswerColumn, SqlSettings
from crime_jobs.adhoc.athena import Athena
from crime_jobs.errors import AwsRefused, BadInput, CrimeJobsError, JobFailed, WrongUsage
from crime_jobs.settings import Settings

CASES = pa.table(
    {
        "check_name": ["a", "b", "c"],
        "source_file": ["it's", 'q"q', None],
        "scope": ["", "two\nlines", "தமிழ்"],
        "expected": pa.array([1, None, 3], pa.int64()),
        "found": pa.array([1234567, 2, 3], pa.int64()),
        "difference": pa.array([0, 0, 0], pa.int64()),
        "status": ["ok", "differs", "ok"],
    }
)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "lake" / "data_quality"
    folder.mkdir(parents=True)
    parquet.write_table(CASES, folder / "old.parquet")  # not in the report: not in the table
    parquet.write_table(CASES, folder / "part.parquet")
    (folder / "_report.json").write_text('{"files": ["part.parquet"]}')
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lake"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["sql", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_csv_and_json_in_a_pipe_are_clean(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("data_quality", "--set", "status=all", "--lake", str(lake))
    code, out, err = run(capsys, *asked)
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == CASES.to_pylist()
    assert err.startswith("3 rows in ")
    _, out, _ = run(capsys, *asked, "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[1] == {k: "" if v is None else str(v) for k, v in CASES.to_pylist()[1].items()}


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_file_has_the_rows_and_is_there_whole(
    lake: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    to = lake.parent / f"out.{ending}"
    to.write_text("before")
    code, out, _ = run(capsys, "data_quality", "--param", "status=all", "--lake", str(lake), "--to", str(to))
    assert (code, out) == (0, "")
    if ending == "parquet":
        assert parquet.read_table(to).to_pylist() == CASES.to_pylist()
    elif ending == "json":
        assert [json.loads(line) for line in to.read_text().splitlines()] == CASES.to_pylist()
    else:
        assert list(csv.reader(io.StringIO(to.read_text())))[2] == [
            "b",
            'q"q',
            "two\nlines",
            "",
            "2",
            "0",
            "differs",
        ]


def test_an_answer_that_breaks_off_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    def breaks() -> object:
        yield from CASES.to_batches()
        raise AwsRefused("gone")

    to = tmp_path / "out.parquet"
    to.write_text("before")
    columns = tuple(AnswerColumn(name, "varchar") for name in CASES.column_names)
    with pytest.raises(AwsRefused):
        showing.to_file(Answer(columns, CASES.schema, breaks()), to)  # type: ignore[arg-type]
    assert to.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["data_qualty"], 2, "Is data_quality meant?"),
        (["data_quality", "--set", "statsu=ok"], 2, "Is status meant?"),
        (["data_quality", "--set", "status"], 2, "not of the form name=value"),
        (["SELECT 1 AS a", "--set", "a=1"], 2, "no parameters with names"),
        (["SELECT nope FROM data_quality"], 2, "line 1, column 8"),
        (["SELECT * FROM data_qualty"], 3, "Is data_quality meant?"),
        (["SELECT * FROM crime_by_region"], 3, "crime-jobs run crime_by_region"),
        (["SELECT * FROM firs"], 3, "history of the stream"),
        (["DROP TABLE data_quality"], 2, "DROP does more than read"),
        (["/* no */ INSERT INTO data_quality SELECT 1"], 2, "INSERT does more than read"),
        (["EXPLAIN ANALYZE INSERT INTO data_quality SELECT 1"], 2, "does more than read"),
        (["DROP TABLE data_quality", "--write"], 2, "DROP"),  # the lake is never written to
        (["SELECT * FROM other.data_quality"], 2, "There is no other.data_quality here"),
        (["SELECT 1 AS a, 2 AS a", "--output", "json"], 2, "Two columns are called a"),
        (["SELECT 1 AS a", "--to", "x.xlsx"], 2, ".parquet"),
        (["SELECT 1 AS a", "--to", "nowhere/x.csv"], 2, "no such folder"),
        (["setup"], 2, "has no Athena workgroup"),
        ([""], 2, "No question is asked"),
        (["SELECT * FROM read_csv('/etc/passwd')"], 2, "read_csv"),
    ],
)
def test_what_can_t_be_is_refused_with_a_reason(
    lake: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert (found := run(capsys, *arguments, "--lake", str(lake)))[0] == code, found
    assert found[1] == ""
    assert said in found[2]


def test_wrong_sql_is_shown_with_a_caret(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "SELECT status,\n  nope\nFROM data_quality", "--lake", str(lake))
    assert err.splitlines()[1:] == ["    nope", "    ^"]


def test_nothing_found_says_what_was_asked(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "data_quality", "--set", "status='; DROP TABLE x", "--lake", str(lake))
    assert (code, out) == (0, "")
    assert "Nothing has status='; DROP TABLE x." in err


def test_on_a_terminal_it_is_a_table_and_a_long_one_goes_through_the_pager(lake: Path) -> None:
    """A real terminal of 24 lines; the pager says that it was called."""

    def shown(sql: str) -> str:
        leader, follower = pty.openpty()
        done = subprocess.Popen(
            [sys.executable, "-m", "crime_jobs.cli", "sql", sql, "--lake", str(lake)],
            stdout=follower,
            stdin=follower,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PAGER": "sed s/^/PAGED:/", "TERM": "xterm", "LINES": "24", "COLUMNS": "90"},
        )
        os.close(follower)
        text = b""
        try:
            while part := os.read(leader, 65536):
                text += part
        except OSError:  # the other end is closed
            pass
        assert done.wait() == 0
        return text.decode()

    short = shown("SELECT check_name, found FROM data_quality ORDER BY 1")
    assert "PAGED" not in short
    assert "│ 1,234,567 │" in short
    assert "│         2 │" in short
    assert "PAGED:" in shown("SELECT x FROM UNNEST(sequence(1, 100)) AS t(x)")


def test_ctrl_c_ends_a_query_of_the_lake(lake: Path) -> None:
    endless = "WITH n AS (SELECT x FROM UNNEST(sequence(1, 10000)) AS t(x)) SELECT sum(sqrt(a.x * b.x + c.x)) FROM n a CROSS JOIN n b CROSS JOIN n c"
    code = (
        "import os, signal, sys, threading; from crime_jobs.adhoc import lake; from crime_jobs.cli import main;"
        "run = lake.LakeAsker._run\n"
        "def asked(self, sql):\n"
        "    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "    return run(self, sql)\n"
        "lake.LakeAsker._run = asked; sys.exit(main(sys.argv[1:]))"
    )
    process = [sys.executable, "-c", code, "sql", endless, "--lake", str(lake)]
    done = subprocess.run(process, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130, done.stderr
    assert "Interrupted: the query was ended." in done.stderr


def test_a_full_disk_behind_stdout_is_said(lake: Path) -> None:
    process = [sys.executable, "-m", "crime_jobs.cli", "sql", "data_quality", "--lake", str(lake)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(process, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "The output can't be written: No space left on device." in done.stderr
    assert "Traceback" not in done.stderr


def test_columns_that_are_alike_in_every_row_are_said_once(
    lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    alike = (
        "SELECT 'India' AS place, NULL AS district, x * 1000001 AS cases FROM UNNEST(sequence(1, 2)) AS t(x)"
    )
    _, out, _ = run(capsys, alike, "--output", "table", "--lake", str(lake))
    assert "In every row: place: India, district: none" in out
    assert "│ 1,000,001 │" in out
    assert "│ India" not in out
    _, out, _ = run(capsys, f"{alike} LIMIT 1", "--output", "table", "--lake", str(lake))
    assert "In every row" not in out  # of one row nothing is left out


def test_lists_parameters_and_the_statement_itself(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert {"crime_by_region", "compare_places"} <= {
        json.loads(line)["question"] for line in out.splitlines()
    }
    _, out, _ = run(capsys, "list", "data_quality")
    assert json.loads(out)["default"] == "not ok"
    _, out, _ = run(capsys, "data_quality", "--show", "--set", "status=it's")
    assert "CAST('it''s' AS VARCHAR) AS status" in out


def test_setup_says_beforehand_what_it_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    (tmp_path / "crime-jobs.toml").write_text(
        '[aws]\nregion = "us-east-1"\nlanding = "s3://b-1/l"\nlake = "s3://b-1/lake"\n[aws.sql]\nworkgroup = "w"\n'
    )
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "setup", "--env", "aws", "--dry-run")
    assert code == 0
    assert "LOCATION 's3://b-1/lake/crime_facts/'" in out
    assert "-- prepared statement crime_by_region" in out


def test_a_price_is_of_10_mb_at_least() -> None:
    settings = SqlSettings()
    assert settings.price(0) == 0
    assert settings.price(1) == settings.price(10_000_000) == pytest.approx(0.00005)
    assert settings.price(10**12) == 5
    with pytest.raises(WrongUsage, match=r"sql\.workgrup"):
        asking.of(Settings(env="x", region=None, landing="l", lake="k", spark_conf=None, sql={"workgrup": "w"}, sources={}, environ={}))  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "kind", "said"),
    [
        (
            "SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved or requester is not authorized",
            WrongUsage,
            "column 8",
        ),
        (
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.crime.hot_spots' does not exist",
            BadInput,
            "hot_spots",
        ),
        (
            "Access Denied (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)",
            AwsRefused,
            "Access",
        ),
        (
            "Insufficient permissions to execute the query. User is not authorized: glue:GetTable",
            AwsRefused,
            "glue",
        ),
        ("Bytes scanned limit was exceeded", JobFailed, "scanned too much"),
        ("Query exhausted resources at this scale factor", JobFailed, "exhausted"),
        ("", JobFailed, "no reason"),
    ],
)
def test_what_athena_says_is_told_in_our_words(reason: str, kind: type[CrimeJobsError], said: str) -> None:
    settings = Settings(
        env="aws", region="us-east-1", landing="l", lake="k", spark_conf=None, sources={}, environ={}
    )
    athena = Athena(settings, SqlSettings(workgroup="w"))
    athena._athena = type("Denied", (), {"get_work_group": lambda **_: {"WorkGroup": {"Configuration": {}}}})
    status = {"State": "FAILED", "StateChangeReason": reason}
    found = athena._failed({"QueryExecutionId": "q", "Status": status}, "SELECT x FROM hot_spots")
    assert type(found) is kind
    assert said in found.message
    if kind is BadInput:
        assert "crime-jobs sql setup --env aws" in found.hint
