"""The whole way, Oracle to DynamoDB to S3 to the marts, gives what the CSVs give, cell for cell."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from crime_jobs.migrate import statistics
from crime_jobs.model.legacy import tables as legacy_tables
from crime_jobs.model.tables import TABLES
from tests.conftest import DATA
from tests.localstack.conftest import Stack
from tests.localstack.migration import Session

#: What tells a figure's file is not the same by either way, nor is the part of a name that says it.
NOT_COMPARED = {"source_file", "scope"}
TASK = "trip"


@pytest.fixture(scope="module")
def lake(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake made from nothing but what went the whole way; each job must end well."""
    folder = tmp_path_factory.mktemp("trip") / "lake"
    landing = stack.fresh("from-oracle", "crime-landing")
    places = {"landing": landing, "lake": str(folder)}
    session = Session(stack)
    try:
        for job, options in (
            ("migrate", {"task": TASK}),
            ("validate", {"task": TASK}),
            ("export", {"task": TASK}),
            ("all", {}),
        ):
            said = session.run(job, places, **options)
            assert said.exit_code == 0, (job, said)
    finally:
        session.close()
    return folder


def columns(table: str) -> str:
    """The columns that are compared. The scope of a comparison names its file, that of a fact does not."""
    left_out = NOT_COMPARED if table == "data_quality" else {"source_file"}
    return ", ".join(name for name in TABLES[table].names if name not in left_out)


@pytest.mark.parametrize("table", [name for name in TABLES if name != "quarantine"])
def test_every_cell_is_the_one_made_from_the_csvs(table: str, lake: Path, built_lake: Path) -> None:
    files = "*/*.parquet" if TABLES[table].partition_by else "*.parquet"
    there, here = (
        f"SELECT {columns(table)} FROM read_parquet('{at / table / files}')" for at in (lake, built_lake)
    )
    if table == "data_quality":  # one comparison counts the lines of each file, of which the ways have other
        there, here = (f"{rows} WHERE check_name <> 'rows_used'" for rows in (there, here))
    known = duckdb.connect()
    assert known.execute(f"SELECT count(*) > 0 FROM ({here})").fetchone() == (True,)
    differing = [
        known.execute(f"{one} EXCEPT ALL {other} LIMIT 5").fetchall()
        for one, other in ((there, here), (here, there))
    ]
    assert differing == [[], []]


def test_nothing_was_put_aside(lake: Path) -> None:
    for table in ("quarantine", "migration_exceptions", "validation_differences"):
        assert json.loads((lake / table / "_report.json").read_text())["rows_written"] == 0, table


def test_the_statistics_count_every_line_of_the_files(stack: Stack, lake: Path) -> None:
    assert lake.is_dir()
    found = {one.TableName: one for one in statistics.read(stack.client("dynamodb"), TASK)}
    assert len(found) == len(legacy_tables())
    lines = Counter[str]()
    for path in DATA.glob("*.csv"):
        lines["all"] += len([line for line in path.read_text("utf-8-sig").splitlines()[1:] if line.strip()])
    figures = sum(one.FullLoadRows for one in found.values() if one.TableName in with_figures())
    assert figures == lines["all"] == 22_370
    assert {(one.TableState, one.ValidationState) for one in found.values()} == {
        ("Table completed", "Validated")
    }
    assert sum(one.FullLoadErrorRows + one.FullLoadCondtnlChkFailedRows for one in found.values()) == 0


def with_figures() -> set[str]:
    """The legacy tables that hold NCRB's figures."""
    return {table.name for table in legacy_tables().values() if table.layout}
