"""Publishing: whole or not at all, on file systems that rename and on those that can't."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crime_jobs import lake
from crime_jobs.errors import BadInput, JobFailed
from crime_jobs.lake import Folder, publish, read_table
from crime_jobs.model.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLE = TABLES["women_facts"]


class Killed(BaseException):
    """Stands for a process that is no more: nothing after it runs, no clean-up either."""


def rows(spark: SparkSession, cases: int) -> DataFrame:
    data = [("IN-GA", "Goa", "North Goa", "district", "rape", cases, "s", "f.csv", y) for y in (2012, 2013)]
    return spark.createDataFrame(data, TABLE.ddl)


def cases(spark: SparkSession, folder: Path) -> list[int]:
    return sorted(row.cases for row in read_table(spark, str(folder), TABLE).collect())


@pytest.fixture(params=[True, False], ids=["renames at once", "object store"])
def _kind_of_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "atomic_rename", request.param)


@pytest.mark.usefixtures("_kind_of_store")
def test_a_second_run_replaces_the_first(spark: SparkSession, tmp_path: Path) -> None:
    for run, number in (("one", 1), ("two", 2)):
        report = publish(spark, str(tmp_path), TABLE, rows(spark, number), {"run_id": run})
        assert report["rows_written"] == 2
        assert cases(spark, tmp_path) == [number] * 2
        on_disk = json.loads((tmp_path / "women_facts" / "_report.json").read_text())
        assert on_disk == report
        found = {
            str(p.relative_to(tmp_path / "women_facts"))
            for p in (tmp_path / "women_facts").rglob("*.parquet")
        }
        assert found == set(report["files"])
    assert not list((tmp_path / "_staging").iterdir())


def steps(spark: SparkSession, folder: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int) -> int:
    """Publish 2 over 1 and be killed at the given step on the file system; returns the steps made."""
    publish(spark, str(folder), TABLE, rows(spark, 1), {"run_id": "one"})
    made = 0

    def counted(name: str) -> None:
        original = getattr(Folder, name)

        def step(self: Folder, *arguments: object) -> object:
            nonlocal made
            if made == stop_at:
                raise Killed
            made += 1
            return original(self, *arguments)

        monkeypatch.setattr(Folder, name, step)

    with monkeypatch.context() as monkeypatch:  # noqa: PLR1704
        for name in ("rename", "write_text", "delete"):
            counted(name)
        with contextlib.suppress(Killed):
            publish(spark, str(folder), TABLE, rows(spark, 2), {"run_id": "two"})
    return made


def test_killed_at_every_step_on_an_object_store(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "atomic_rename", False)
    whole = steps(spark, tmp_path / "whole", monkeypatch, stop_at=-1)
    assert whole >= 5  # two files put in place, the report, two old files removed
    seen = []
    for stop_at in range(whole):
        folder = tmp_path / str(stop_at)
        steps(spark, folder, monkeypatch, stop_at)
        seen.append(cases(spark, folder))
        # The next run finishes, and leaves nothing of the killed one among the table's files.
        report = publish(spark, str(folder), TABLE, rows(spark, 3), {"run_id": "three"})
        assert cases(spark, folder) == [3, 3]
        left = {
            str(p.relative_to(folder / "women_facts")) for p in (folder / "women_facts").rglob("*.parquet")
        }
        assert left == set(report["files"])
    # At no step is the table a mixture: it is the old one, then the new one.
    assert seen == sorted(seen)
    assert [1, 1] in seen
    assert [2, 2] in seen
    assert all(found in ([1, 1], [2, 2]) for found in seen)


def test_killed_between_the_two_renames_on_a_disk(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = steps(spark, tmp_path / "whole", monkeypatch, stop_at=-1)
    outcomes = []
    for stop_at in range(whole):
        folder = tmp_path / str(stop_at)
        steps(spark, folder, monkeypatch, stop_at)
        try:
            outcomes.append(cases(spark, folder))
        except BadInput:
            outcomes.append([])
            # The next run of any job puts the old table back.
            lake.clear_leftovers(spark, str(folder))
            assert cases(spark, folder) == [1, 1]
        publish(spark, str(folder), TABLE, rows(spark, 3), {"run_id": "three"})
        assert cases(spark, folder) == [3, 3]
    # Old, for one moment absent (and said to be), then new: never a mixture.
    assert outcomes.count([]) == 1
    assert all(found in ([1, 1], [], [2, 2]) for found in outcomes)


def test_what_is_not_there_says_which_job_makes_it(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Table women_facts is not in the lake"):
        read_table(spark, str(tmp_path), TABLE)


def test_a_rename_that_fails_puts_the_old_table_back(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(spark, str(tmp_path), TABLE, rows(spark, 1), {"run_id": "one"})
    original = Folder.rename

    def failing(self: Folder, target: Folder) -> None:
        if str(self).endswith("-two"):
            raise JobFailed("no")
        original(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "rename", failing)
        with pytest.raises(JobFailed):
            publish(spark, str(tmp_path), TABLE, rows(spark, 2), {"run_id": "two"})
    assert cases(spark, tmp_path) == [1, 1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "_report.json is damaged"),
        (lambda text: text.replace("district_kind string, ", ""), "was made by another release"),
    ],
    ids=["cut", "older columns"],
)
def test_a_report_that_does_not_fit_is_said(
    spark: SparkSession, tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    publish(spark, str(tmp_path), TABLE, rows(spark, 1), {"run_id": "one"})
    report = tmp_path / "women_facts" / "_report.json"
    text = change(report.read_text())
    (tmp_path / "women_facts" / "._report.json.crc").unlink()
    report.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_table(spark, str(tmp_path), TABLE)


def test_columns_are_the_table_s(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="women_facts: columns"):
        publish(spark, str(tmp_path), TABLE, rows(spark, 1).drop("scope"), {"run_id": "x"})


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("java.io.IOException: No space left on device", 1, "the disk is full"),
        ("S3Exception: The specified bucket does not exist (NoSuchBucket)", 4, "there is no such bucket"),
        ("AmazonS3Exception: Access Denied (Status Code: 403)", 4, "access denied"),
        (
            "FileNotFoundException: File file:/l/part-0-403be2f.parquet does not exist",
            1,
            "a file of the lake is damaged or gone",
        ),
        (
            "RuntimeException: file:/l/part-403.snappy.parquet is not a Parquet file",
            1,
            "(file:/l/part-403.snappy.parquet)",
        ),
        ("ConnectException: Connection refused", 4, "nothing answers there"),
        ("java.lang.Exception: odd", 1, "java.lang.Exception: odd"),
    ],
)
def test_errors_of_the_file_system_become_sentences(text: str, code: int, said: str) -> None:
    error = lake.explain(RuntimeError(text), "It failed")
    assert error.exit_code == code
    assert said in str(error)


def test_no_column_is_a_reserved_word() -> None:
    # Hive 3.1, Athena (Trino) and Redshift: the words of their lists that a crime table might use.
    reserved = {
        "date",
        "time",
        "timestamp",
        "year_month",
        "day",
        "hour",
        "month",
        "interval",
        "group",
        "order",
        "by",
        "rank",
        "level_",
        "user",
        "table",
        "column",
        "values",
        "value",
        "select",
        "from",
        "where",
        "partition",
        "partitions",
        "check",
        "default",
        "end",
        "start",
        "position",
        "percent",
        "key",
        "role",
        "of",
        "on",
        "or",
        "and",
        "not",
        "null",
        "number",
        "numeric",
        "int",
        "integer",
        "double",
        "exchange",
        "extended",
        "external",
        "percentile_",
        "primary",
        "range",
        "reads",
        "references",
        "rows",
        "row",
        "set",
        "sum",
        "tag",
        "then",
        "to",
        "trigger",
        "true",
        "false",
        "type_",
        "using",
        "with",
    }
    for table in TABLES.values():
        assert not set(table.names) & reserved
        assert len(set(table.names)) == len(table.names)
        assert set(table.key) <= set(table.names)
        assert table.names[len(table.names) - len(table.partition_by) :] == table.partition_by


@pytest.mark.parametrize("name", [t.name for t in TABLES.values() if t.key])
def test_keys_tell_rows_apart(spark: SparkSession, built_lake: Path, name: str) -> None:
    found = read_table(spark, str(built_lake), TABLES[name])
    assert found.count() == found.select(*TABLES[name].key).distinct().count() > 0
