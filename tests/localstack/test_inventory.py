"""`crime-jobs inventory` on LocalStack: what is there is shown, what could not be asked is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.localstack.conftest import Stack


@pytest.fixture(scope="module")
def shown(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str]:
    """The inventory of an environment of the names that everything has by default."""
    folder: Path = tmp_path_factory.mktemp("inventory")
    (folder / "crime-jobs.toml").write_text('[shown]\nregion = "us-east-1"\n')
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "crime_jobs.cli",
            "inventory",
            "--env",
            "shown",
            "--all-environments",
            "--output",
            "json",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env=stack.environ,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def row(rows: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in rows if (one["kind"], one["name"]) == (kind, name)]
    return found


def test_what_the_settings_name_is_shown_with_what_it_costs(
    shown: tuple[list[dict[str, Any]], str],
) -> None:
    rows, said = shown
    stream = row(rows, "stream", "fir-stream")
    assert (stream["by"], stream["region"]) == ("name", "us-east-1")
    # Beside another environment, which another test may have deployed, a default name does not say whose.
    here = [one for one in rows if one["kind"] != "key" and one["region"] == "us-east-1"]
    neighbours = {one["environment"] for one in here} - {"shown", None}
    assert stream["environment"] == (None if neighbours else "shown")
    shards = int(stream["state"].split(" shards")[0].split()[-1])
    assert stream["usd_a_month"] == pytest.approx(shards * 0.015 * 730)
    assert row(rows, "table", "fir_events")["since"]
    queue = row(rows, "queue", "crime-jobs-fir-dead-letters")
    assert queue["usd_a_month"] is None
    assert queue["based_on"].startswith("unknown: by use")
    assert "USD a month at least" in said


def test_what_the_settings_only_point_at_is_nobodys(shown: tuple[list[dict[str, Any]], str]) -> None:
    rows, said = shown
    landing = row(rows, "bucket", "crime-landing")
    assert landing["environment"] is None
    assert " bytes" in landing["state"]
    assert "nothing says of which environment" in said


def test_what_the_stack_lacks_is_not_passed_over(shown: tuple[list[dict[str, Any]], str]) -> None:
    _, said = shown
    for service in ("rds", "quicksight", "budgets", "redshift-serverless", "kinesisanalyticsv2"):
        assert f" of {service} in " in said, service
