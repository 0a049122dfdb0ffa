"""A landing folder of exports gives the tables that the files give from which the old database was filled."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from crime_jobs.errors import BadInput
from crime_jobs.job import Run
from crime_jobs.jobs._entries import read_entries, read_files
from crime_jobs.jobs._runner import run_in
from crime_jobs.migrate._columns import columns_of
from crime_jobs.migrate._convert import Convert, Survey, merged, parts
from crime_jobs.migrate._itemfiles import ItemFile, Staged, line_of
from crime_jobs.migrate._place import DiskPlace
from crime_jobs.migrate.oracle.seed import Seed, read_landing
from crime_jobs.model import exports, legacy
from crime_jobs.registry import find
from tests.conftest import DATA, make_settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CENSUS = "population_by_state_2001_2011.csv"

Item = dict[str, dict[str, Any]]


def items_of_old_database() -> dict[legacy.Table, list[Item]]:
    """What the migration makes of the old database, which was filled from the real files."""
    found = defaultdict(list)
    for table, row in Seed(read_landing(DATA), cases=25).rows():
        item: Item = {}
        for column, value in zip(table.columns, row, strict=True):
            if value is not None:
                number = column.type.startswith("NUMBER")
                item[column.name] = {"N" if number else "S": str(value)}
        if "CRIME_YEAR" in item:
            names = ("STATE_NAME", "DISTRICT_NAME")
            item["PLACE_KEY"] = {"S": "|".join(item[name]["S"] for name in names if name in item)}
            item["YEAR_ENTRY"] = {"S": f"{item['CRIME_YEAR']['N']}|{item['ENTRY_NO']['N']}"}
        found[table].append(item)
    return found


def keys_of(table: legacy.Table) -> list[str]:
    return ["PLACE_KEY", "YEAR_ENTRY"] if "ENTRY_NO" in table.primary_key else [table.primary_key[0]]


def export(landing: Path, table: legacy.Table, items: list[Item], run: str, ended: str) -> Path:
    """Write a whole export; returns its folder."""
    place = DiskPlace(landing / exports.run_folder(legacy.target_name(table), run))
    name = "items/segment-00000.json.gz"
    with place.writing(name) as path, ItemFile(path) as file:
        for item in items:
            file.add(line_of(item))
    staged = [Staged(name, file.items, file.bytes)]
    surveyed = list(map(Survey(place), staged))
    columns = columns_of(legacy.target_name(table), keys_of(table), merged(surveyed))
    convert = Convert(place, columns)
    made = [one for part in enumerate(parts(one.file for one in surveyed)) for one in convert(part)]
    manifest = exports.Manifest(
        table=legacy.target_name(table),
        run=run,
        via="scan",
        started=ended,
        ended=ended,
        key_schema=(),
        columns=columns,
        items=len(items),
        consistency="",
        files=(surveyed[0].file, *made),
    )
    place.write_text(exports.MANIFEST, manifest.model_dump_json())
    return place.folder


@pytest.fixture(scope="module")
def old_database() -> dict[legacy.Table, list[Item]]:
    return items_of_old_database()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, old_database: dict[legacy.Table, list[Item]]) -> Path:
    """A landing folder with nothing but exports, of all tables; not to be written to."""
    landing = tmp_path_factory.mktemp("exported")
    for table, items in old_database.items():
        export(landing, table, items, "r1", "2026-01-01T00:00:00+00:00")
    return landing


def clean(spark: SparkSession, landing: Path, lake: Path) -> Run:
    return Run(
        spark,
        str(landing),
        str(lake),
        reports=run_in(spark, find("clean_ncrb"), make_settings(landing, lake)),
    )


def fingerprint(rows: DataFrame) -> tuple[Any, ...]:
    """How many rows there are, and a sum of their hashes: the same just if the rows are, in any order."""
    rows = rows.select(*sorted(rows.columns))
    hashes = F.xxhash64(*rows.columns).cast("decimal(38,0)")
    (row,) = rows.agg(F.count("*"), F.sum(hashes)).collect()
    return tuple(row)


def test_exports_give_the_facts_that_the_files_give(
    spark: SparkSession, exported: Path, built_lake: Path, tmp_path: Path
) -> None:
    run = clean(spark, exported, tmp_path / "lake")
    whole = Run(spark, str(DATA), str(built_lake))
    for table in ("crime_facts", "women_facts", "traffic_facts", "population_census"):
        sources = [c for c in run.read(table).columns if c in ("source_file", "line", "row_number")]
        found, wanted = (fingerprint(one.read(table).drop(*sources)) for one in (run, whole))
        assert found == wanted
        assert found[0] > 50
    assert run.read("quarantine").count() == 0


@pytest.fixture
def census(old_database: dict[legacy.Table, list[Item]]) -> tuple[legacy.Table, list[Item]]:
    table = legacy.tables()["POPULATION"]
    return table, old_database[table]


def population(spark: SparkSession, landing: Path) -> int:
    rows = read_entries(Run(spark, str(landing), "")).where("year = 2011")
    return int(rows.groupBy().sum("cases").first()[0])  # type: ignore[index]


def test_the_newest_whole_run_counts_and_an_unfinished_one_does_not(
    spark: SparkSession, census: tuple[legacy.Table, list[Item]], tmp_path: Path
) -> None:
    table, items = census
    other = [{**item, "POPULATION_PERSONS_2011": {"N": "7"}} for item in items]
    landing = tmp_path / "landing"
    export(landing, table, other, "z-older", "2026-01-01T00:00:00+00:00")
    export(landing, table, items, "a-newer", "2026-01-02T00:00:00+00:00")
    unfinished = export(landing, table, other, "z-unfinished", "2026-01-03T00:00:00+00:00")
    (unfinished / exports.MANIFEST).unlink()
    # What a killed attempt left beside the files of the manifest is not read either.
    csv = landing / exports.run_folder(legacy.target_name(table), "a-newer") / "csv"
    (csv / "part-00009-000.csv").write_text("left by a killed attempt")
    assert population(spark, landing) == sum(int(item["POPULATION_PERSONS_2011"]["N"]) for item in items)


def test_a_file_and_an_export_of_it_are_refused_and_both_named(
    spark: SparkSession, census: tuple[legacy.Table, list[Item]], tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    export(landing, *census, "r1", "2026-01-01T00:00:00+00:00")
    (landing / CENSUS).write_bytes((DATA / CENSUS).read_bytes())
    with pytest.raises(BadInput, match="hold the same figures") as told:
        clean(spark, landing, tmp_path / "lake")
    assert f"dynamodb/crime-population/part-00000-000.csv and {CENSUS}" in told.value.message


def test_an_export_that_was_tampered_with_is_refused(
    spark: SparkSession, census: tuple[legacy.Table, list[Item]], tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    run = Run(spark, str(landing), "")
    folder = export(landing, *census, "r1", "2026-01-01T00:00:00+00:00")
    file = folder / "csv" / "part-00000-000.csv"
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(BadInput, match=r"part-00000-000\.csv is gone"):
        read_files(run)
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match="bytes where its manifest has"):
        read_files(run)
    file.write_bytes(content)
    (folder / exports.MANIFEST).write_text("{")
    with pytest.raises(BadInput, match=r"_manifest\.json of an export can't be used"):
        read_files(run)
