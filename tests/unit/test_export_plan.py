"""What an export will do is known before it reads an item, and a manifest says what it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from crime_jobs.cli import main
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.migrate._plan import ExportConfig, new_run, plan, rows, shipped_tables
from crime_jobs.migrate._runlog import RunLog
from crime_jobs.model import exports, legacy
from tests.conftest import make_settings


class DynamoDb:
    """Describes tables: name to items and bytes."""

    def __init__(self, **tables: tuple[int, int]) -> None:
        self.tables = {name.replace("_", "-"): sizes for name, sizes in tables.items()}

    def describe_table(self, TableName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        if TableName not in self.tables:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeTable")
        items, size = self.tables[TableName]
        keys = [{"AttributeName": "id", "KeyType": "HASH"}]
        about = {
            "TableArn": f"arn:{TableName}",
            "ItemCount": items,
            "TableSizeBytes": size,
            "KeySchema": keys,
        }
        return {"Table": about}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"TableNames": [name]} for name in self.tables]


def test_by_default_the_tables_that_the_migration_fills() -> None:
    assert shipped_tables() == sorted(legacy.target_name(table) for table in legacy.tables().values())


def test_names_and_beginnings_but_never_the_ledger() -> None:
    client = DynamoDb(crime_a=(1, 1), crime_b=(1, 1), other=(1, 1), crime_jobs_migrations=(1, 1))
    found = plan(client, ExportConfig(tables="crime-*, other, crime-a"), 2)
    assert [one.name for one in found] == ["crime-a", "crime-b", "other"]
    with pytest.raises(WrongUsage, match=r"begins as zz\*"):
        plan(client, ExportConfig(tables="zz*"), 2)


def test_tables_that_are_not_there_are_all_named() -> None:
    with pytest.raises(BadInput, match="no table neither, nope"):
        plan(DynamoDb(there=(1, 1)), ExportConfig(tables="nope,there,neither"), 2)


@pytest.mark.parametrize(
    ("items", "size", "asked", "segments"),
    [(0, 0, 0, 4), (1_000_000, 1, 0, 10), (1000, 10 * 64 << 20, 0, 10), (1_000_000, 1, 3, 3)],
)
def test_segments_are_of_a_good_size(items: int, size: int, asked: int, segments: int) -> None:
    (found,) = plan(DynamoDb(t=(items, size)), ExportConfig(tables="t", segments=asked), 4)
    assert found.segments == segments


def test_read_units_time_and_price_are_told() -> None:
    config = ExportConfig(tables="t", read_units=100)
    (row,) = rows(plan(DynamoDb(t=(1000, 4096 * 1_000_000)), config, 2), config)
    assert (row["read_units"], row["seconds_at_least"], row["usd"]) == (1_000_000, 10_000, "0.125000")
    service = ExportConfig(tables="t", via="service")
    (row,) = rows(plan(DynamoDb(t=(1000, 10**9)), service, 2), service)
    assert (row["read_units"], row["usd"]) == (0, "0.100000")


@pytest.mark.parametrize("run", ["../up", "a/b", "-x", " ", "x" * 65])
def test_a_run_is_named_so_that_it_stays_in_its_folder(run: str) -> None:
    with pytest.raises(ValidationError):
        ExportConfig(run=run)
    assert ExportConfig(run=new_run()).run


def test_wrong_options_are_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--run", "a/b", "--dry-run", "--region", "us-east-1"]) == 2
    assert "option run" in capsys.readouterr().err
    assert main(["export", "--dry-run"]) == 2
    assert "which region" in capsys.readouterr().err


def manifest(**facts: Any) -> exports.Manifest:
    known: dict[str, Any] = {
        "table": "t",
        "run": "a",
        "via": "scan",
        "started": "2026-01-01T00:00:00+00:00",
        "ended": "2026-01-01T00:01:00+00:00",
        "key_schema": [{"name": "id", "kind": "HASH"}],
        "columns": [{"name": "id", "type": "string", "dynamodb": ["S"]}],
        "items": 1,
        "consistency": "…",
        "files": [
            {"path": f"{kind}/x", "rows": 1, "bytes": 2, "sha256": "0"}
            for kind in ("items", "csv", "parquet")
        ],
    }
    return exports.Manifest.model_validate(known | facts)


def test_the_newest_run_is_the_one_that_ended_last_whatever_its_name() -> None:
    later = manifest(run="0", ended="2026-01-02T00:00:00+00:00")
    assert exports.latest([manifest(run="z"), later, manifest(run="a")]) == later
    assert exports.latest([]) is None


def test_a_manifest_is_read_as_it_was_written_or_refused() -> None:
    assert exports.read_manifest(manifest().model_dump_json(indent=2)) == manifest()
    assert [file.path for file in manifest().below(exports.CSV)] == ["csv/x"]
    for damaged in ("", "{", "[]", manifest().model_dump_json()[:-20], json.dumps({"table": "t"})):
        with pytest.raises(exports.BadManifest):
            exports.read_manifest(damaged)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("s3://b/ncrb/a.csv", "a.csv"),
        ("file:/x/dynamodb/t-1/run=r/csv/part-00000-000.csv", "dynamodb/t-1/part-00000-000.csv"),
        ("s3a://b/dynamodb/run=r/csv/a.csv", "a.csv"),
    ],
)
def test_a_file_of_an_export_is_named_with_its_table(path: str, name: str) -> None:
    assert exports.source_name(path) == name


def test_the_log_is_lines_of_json_and_a_run_that_goes_on_adds_to_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, tmp_path).model_copy(update={"logs": str(tmp_path / "logs")})
    RunLog(settings, "r1").note("run began", tables=["t"])
    RunLog(settings, "r1").note("run ended", items=3)
    lines = (tmp_path / "logs" / "export" / "r1.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["run began", "run ended"]
    # Where logs can't be written, or nobody said where, the export goes on.
    (tmp_path / "file").write_text("")
    RunLog(settings.model_copy(update={"logs": str(tmp_path / "file")}), "r1").note("run began")
    RunLog(make_settings(tmp_path, tmp_path), "r1").note("run began")
