"""Every job gives the same tables in this process, as a step of a cluster and as a serverless job run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import duckdb
import pytest

from crime_jobs.model.tables import TABLES
from crime_jobs.registry import find
from tests.localstack.conftest import Stack
from tests.localstack.emr import Emr

PUBLISHED = [table for job in find("all") for table in job.writes]


@pytest.fixture(scope="module")
def emr(stack: Stack) -> Iterator[Emr]:
    made = Emr(stack)
    yield made
    made.end()


@pytest.fixture(scope="module")
def lakes(emr: Emr, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The lakes that the two services built, side by side, fetched to this machine."""
    targets = {"step": emr.cluster("conformance"), "job run": emr.application("conformance")}
    uris = {name: emr.stack.fresh(f"conformance-{name.replace(' ', '-')}") for name in targets}
    started: dict[str, subprocess.Popen[str]] = {
        name: emr.start("submit", "all", "--on", target, "--lake", uris[name], "--log-wait", "20")
        for name, target in targets.items()
    }
    found = {}
    for name, process in started.items():
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        rows = {row["table"]: row["rows_written"] for row in map(json.loads, out.splitlines())}
        assert set(rows) == set(PUBLISHED)  # what the command prints is what the step published
        found[name] = tmp_path_factory.mktemp(name.replace(" ", "-"))
        bucket, _, prefix = uris[name].removeprefix("s3://").partition("/")
        for key in emr.stack.keys(uris[name]):
            target = found[name] / key.removeprefix(f"{prefix}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not key.endswith("/"):
                emr.stack.client("s3").download_file(bucket, key, str(target))
    return found


class Conformance:
    """What each place has to prove; `place` names it."""

    place: ClassVar[str]

    @pytest.mark.parametrize("table", PUBLISHED)
    def test_the_table_is_the_one_built_in_process(
        self, table: str, lakes: dict[str, Path], built_lake: Path
    ) -> None:
        written = [json.loads((lake / table / "_report.json").read_text())["rows_written"]
                   for lake in (lakes[self.place], built_lake)]  # fmt: skip
        if table == "quarantine":  # the shipped files have no bad row
            assert written == [0, 0]
            return
        files = "*/*.parquet" if TABLES[table].partition_by else "*.parquet"
        there, here = (f"read_parquet('{lake / table / files}')" for lake in (lakes[self.place], built_lake))
        counts = (
            duckdb.connect()
            .execute(
                f"SELECT (SELECT count(*) FROM {here}), "
                f"(SELECT count(*) FROM (FROM {there} EXCEPT ALL FROM {here})), "
                f"(SELECT count(*) FROM (FROM {here} EXCEPT ALL FROM {there}))"
            )
            .fetchone()
        )
        assert counts is not None
        assert counts[1:] == (0, 0)
        assert counts[0] == written[1] > 0

    @pytest.mark.parametrize("table", PUBLISHED)
    def test_its_report_says_what_the_other_says(
        self, table: str, lakes: dict[str, Path], built_lake: Path
    ) -> None:
        there, here = (
            json.loads((lake / table / "_report.json").read_text())
            for lake in (lakes[self.place], built_lake)
        )
        told = {"rows_written", "rows_read", "rows_quarantined", "columns", "job"}
        assert {k: v for k, v in there.items() if k in told} == {k: v for k, v in here.items() if k in told}


class TestStep(Conformance):
    place = "step"


class TestJobRun(Conformance):
    place = "job run"
