"""What an export will do is known before it reads an item, and a manifest says what it did."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from crime_jobs import cli_migrate
from crime_jobs.cli import main
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.job import Job, Run
from crime_jobs.jobs import _runner
from crime_jobs.migrate import _place, export
from crime_jobs.migrate._plan import ExportConfig, Planned, new_run, plan, rows, shipped_tables
from crime_jobs.migrate._runlog import RunLog
from crime_jobs.model import exports, legacy
from crime_jobs.settings import Settings
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


def test_a_second_environments_tables_are_its_own() -> None:
    assert shipped_tables("pune-") == [f"pune-{name}" for name in shipped_tables()]
    client = DynamoDb(**{name.replace("-", "_"): (1, 1) for name in shipped_tables("pune-")})
    found = plan(client, ExportConfig(prefix="pune-"), 1)
    assert [one.name for one in found] == shipped_tables("pune-")


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


def test_no_region_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
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
    settings, logs = make_settings(tmp_path, tmp_path), str(tmp_path / "logs")
    RunLog(settings, logs, "r1").note("run began", tables=["t"])
    RunLog(settings, logs, "r1").note("run ended", items=3)
    lines = (tmp_path / "logs" / "export" / "r1.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["run began", "run ended"]
    # Where logs can't be written, or nobody said where, the export goes on.
    (tmp_path / "file").write_text("")
    RunLog(settings, str(tmp_path / "file"), "r1").note("run began")
    RunLog(settings, None, "r1").note("run began")


class Bucket:
    """Of S3, for who may list one folder: what is not there is denied, not missing."""

    def __init__(self, *, lists: bool = True) -> None:
        self.objects: dict[str, bytes] = {}
        self.lists = lists

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803
        if not self.lists or not Prefix.startswith("emr/export/"):
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2")
        keys = sorted(key for key in self.objects if key.startswith(Prefix))[:MaxKeys]
        return {"Contents": [{"Key": key} for key in keys]} if keys else {}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.objects[Key] = Body


def test_the_log_begins_where_what_is_missing_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = Bucket()
    monkeypatch.setattr(_place, "client", lambda *_: bucket)
    settings = make_settings(tmp_path, tmp_path)
    bucket.objects["emr/export/r1.jsonl-other"] = b""
    for event in ("run began", "run ended"):
        RunLog(settings, "s3://crime-logs/emr/", "r1").note(event)
    lines = bucket.objects["emr/export/r1.jsonl"].splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["run began", "run ended"]
    assert capsys.readouterr().err == ""
    # Denied in earnest it is remarked, and what is there is not written over.
    monkeypatch.setattr(_place, "client", lambda *_: Bucket(lists=False))
    RunLog(settings, "s3://crime-logs/emr", "r2").note("run began")
    assert "could not be written" in capsys.readouterr().err


def test_the_log_is_kept_where_the_option_or_the_setting_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str | None] = []
    monkeypatch.setattr(export, "RunLog", lambda _, logs, __: told.append(logs))
    settings = make_settings(tmp_path, tmp_path).model_copy(
        update={"logs": "s3://from-settings", "region": "us-east-1"}
    )
    session: Any = SimpleNamespace(sparkContext=None)
    for given in ({}, {"logs": "s3://from-option"}):
        config = ExportConfig.model_validate(export.JOB.options_from(settings, given))
        export.Export(Run(session, str(tmp_path), str(tmp_path), settings), config)
    assert told == ["s3://from-settings", "s3://from-option"]


def test_a_second_environments_export_lies_where_every_environments_jobs_look(tmp_path: Path) -> None:
    folder = tmp_path / exports.run_folder("crime-districts", "r1")
    folder.mkdir(parents=True)
    whole = exports.Manifest(
        table="pune-crime-districts", run="r1", via="scan", started="t", ended="t", key_schema=(), columns=(),
        items=7, consistency="", files=(),
    )  # fmt: skip
    (folder / exports.MANIFEST).write_text(whole.model_dump_json())
    settings = make_settings(tmp_path, tmp_path).model_copy(
        update={"table_prefix": "pune-", "region": "us-east-1"}
    )
    config = ExportConfig.model_validate(export.JOB.options_from(settings, {"run": "r1"}))
    session: Any = SimpleNamespace(sparkContext=None)
    run = Run(session, str(tmp_path), str(tmp_path), settings)
    table = Planned("pune-crime-districts", "arn", (("id", "HASH"),), 7, 1, 1)
    assert export.Export(run, config)._export(table, None) == whole  # what is whole is not read again
    assert run.reports[0]["folder"] == str(folder)


def test_the_verb_takes_logs_and_whatever_else_the_job_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    def run(jobs: list[Job], settings: Settings, options: dict[str, str], _: object) -> list[dict[str, Any]]:
        seen.append(jobs[0].options_from(settings, options))
        return []

    monkeypatch.setattr(_runner, "run_jobs", run)
    arn = "arn:aws:sns:us-east-1:000000000000:t"
    words = ["--region", "us-east-1", "--run", "r1", "--logs", "s3://l/emr", "--set", f"topic={arn}"]
    assert main(["export", *words, "--set", "task=other"]) == 0
    assert seen == [{"run": "r1", "via": "scan", "topic": arn, "task": "other", "logs": "s3://l/emr"}]


def test_the_help_of_runs_says_under_which_task_exports_are() -> None:
    assert ExportConfig().task != cli_migrate.TASK
    said = str(cli_migrate.runs.__doc__)
    assert f"--task {ExportConfig().task}" in said
    assert "its validations and exports" not in said


@pytest.mark.parametrize(
    ("word", "said"),
    [("nothing=1", "there is no option 'nothing'"), ("topic", "--set 'topic'"), ("task=-", "option task")],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_further_value_that_is_wrong_is_refused_before_a_run_has_a_name(
    capsys: pytest.CaptureFixture[str], word: str, said: str, more: list[str]
) -> None:
    assert main(["export", "--region", "us-east-1", "--set", word, *more]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Run 2" not in told
