"""The jobs run unchanged on s3://, give what they give on disk, and say what is wrong with a bucket."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from crime_jobs.jobs._runner import run_in
from crime_jobs.model.tables import TABLES
from crime_jobs.registry import find
from tests.conftest import ROOT, make_settings
from tests.localstack.conftest import Stack

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FILES = (
    "01_District_wise_crimes_committed_IPC_2013.csv",
    "42_District_wise_crimes_committed_against_women_2013.csv",
    "population_by_state_2001_2011.csv",
    "road_accidents_by_month_2001_2014.csv",
    "road_accidents_by_time_of_day_2001_2014.csv",
)


def crime_jobs(stack: Stack, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crime_jobs.cli", *arguments]
    environ = {**stack.environ, **variables}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400, env=environ
    )


def upload(stack: Stack, folder: Path, uri: str) -> None:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    for path in folder.iterdir():
        stack.client("s3").upload_file(str(path), bucket, f"{prefix}/{path.name}")


def download(stack: Stack, uri: str, folder: Path) -> None:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    for key in stack.keys(uri):
        target = folder / key.removeprefix(f"{prefix}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not key.endswith("/"):
            stack.client("s3").download_file(bucket, key, str(target))


@pytest.mark.soak  # each job runs on s3:// in test_emr_conformance, and its tables are compared there
def test_the_same_jobs_give_the_same_tables(
    spark: SparkSession, stack: Stack, landing: Callable[..., Path], tmp_path: Path
) -> None:
    folder = landing(*FILES)
    source, lake = stack.fresh("landing", "crime-landing"), stack.fresh("lake")
    upload(stack, folder, source)
    done = crime_jobs(stack, "run", "all", "--landing", source, "--lake", lake)
    assert done.returncode == 0, done.stderr
    download(stack, lake, tmp_path / "s3")
    run_in(spark, find("all"), make_settings(folder, tmp_path / "disk"))

    published = [table for job in find("all") for table in job.writes]
    for table in published:
        files = "*/*.parquet" if TABLES[table].partition_by else "*.parquet"
        there, here = (f"read_parquet('{tmp_path / place / table / files}')" for place in ("s3", "disk"))
        only = (
            duckdb.connect()
            .execute(
                f"SELECT (SELECT count(*) FROM {here}), (SELECT count(*) FROM (FROM {there} EXCEPT ALL FROM {here})), "
                f"(SELECT count(*) FROM (FROM {here} EXCEPT ALL FROM {there}))"
            )
            .fetchone()
        )
        assert only is not None
        assert only[1:] == (0, 0), table
        assert only[0] > 0 or table == "quarantine"
    keys = [key.split("/", 1)[1] for key in stack.keys(lake)]
    assert not [key for key in keys if key.startswith("_staging/") and not key.endswith("/")]
    assert all(f"{table}/_report.json" in keys for table in published)


def test_a_bucket_that_is_not_there(stack: Stack) -> None:
    done = crime_jobs(stack, "run", "clean_ncrb", "--lake", "s3://no-such-bucket-of-ours/lake")
    assert done.returncode == 4
    assert "s3://no-such-bucket-of-ours/lake can't be written: there is no such bucket." in done.stderr
    assert "Traceback" not in done.stderr
