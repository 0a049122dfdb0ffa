"""The migration as an EMR step: the same rows, told in the same way, and its failure on the screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localstack.conftest import Stack
from tests.localstack.emr import Emr
from tests.localstack.migration import OldDatabase, plain, scan


@pytest.fixture
def emr(stack: Stack) -> Iterator[Emr]:
    made = Emr(stack)
    yield made
    made.end()


def test_a_step_moves_the_rows_and_a_failing_one_says_why(stack: Stack, emr: Emr, tmp_path: Path) -> None:
    old = OldDatabase(stack, tmp_path)
    old.sql(
        "CREATE TABLE PEOPLE (ID NUMBER(9) PRIMARY KEY, NAME VARCHAR2(80));\n"
        "INSERT INTO PEOPLE SELECT X, 'Canary Name ' || X FROM SYSTEM_RANGE(1, 120);"
    )
    uri = f"{stack.fresh('mappings', 'crime-artifacts')}.json"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    text = Path(old.mappings(old.to("PEOPLE", "ID"))).read_text()
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    cluster = emr.cluster("migration")
    told = ["--set", f"task={old.schema}", "--set", f"url={old.url}", "--set", f"mappings={uri}"]

    # The secret and the topic come from settings, which a step does not have: they are sent with it.
    lake = stack.fresh("lake")
    done = emr.command("submit", "migrate", *told, "--on", cluster, "--lake", lake)
    assert done.returncode == 0, done.stderr
    tables = {json.loads(line)["table"]: json.loads(line) for line in done.stdout.splitlines()}
    assert tables["migration_statistics"]["rows_written"] == 1
    assert len(scan(stack, old.target("PEOPLE"))) == 120
    assert {plain(item)["NAME"] for item in scan(stack, old.target("PEOPLE"))} == {
        f"Canary Name {n}" for n in range(1, 121)
    }

    # So does the folder of logs, where an export keeps its own.
    logs, landing = stack.fresh("logs", "crime-logs"), stack.fresh("landing")
    asked = [f"task={old.schema}", f"tables={old.target('PEOPLE')}", "run=r1"]
    told_export = [word for one in asked for word in ("--set", one)]
    places = ["--lake", lake, "--landing", landing, "--logs", logs]
    out = emr.command("submit", "export", *told_export, "--on", cluster, *places)
    assert out.returncode == 0, out.stderr
    (key,) = stack.keys(f"{logs}/export/")
    log = stack.client("s3").get_object(Bucket="crime-logs", Key=key)["Body"].read().decode()
    assert key.endswith("/export/r1.jsonl")
    assert [json.loads(line)["event"] for line in log.splitlines()][-1] == "run ended"
    assert "Canary" not in log + out.stdout + out.stderr

    wrong = emr.command(
        "submit", "migrate", *told, "--set", "secret=nobody-s", "--on", cluster, "--lake", lake
    )
    assert wrong.returncode == 4, wrong.stderr
    assert "nobody-s" in wrong.stderr
    assert "Canary" not in done.stdout + done.stderr + wrong.stdout + wrong.stderr
