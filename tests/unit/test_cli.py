"""The command: true exit codes, clean output in a pipe, errors of one sentence, a quick start."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer

from crime_jobs.cli import main
from crime_jobs.cli_end import run_app
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "nope"], 2, "There is no job 'nope'. Known are: all, clean_ncrb"),
        (["run"], 2, "Missing argument"),
        (["frobnicate"], 2, "No such command"),
        (["run", "all", "--env", "moon"], 2, "No environment is called 'moon'"),
        (["run", "all", "--env", "localstack"], 2, "Run `make up` first"),
        (
            ["run", "hot_spots", "--set", "speed=9"],
            2,
            "there is no option 'speed'. They take: high_percentile",
        ),
        (
            ["run", "hot_spots", "--set", "min_base=-1"],
            2,
            "hot_spots: option min_base: Input should be greater than 0",
        ),
        (["run", "hot_spots", "--set", "min_base"], 2, "--set 'min_base' is not of the form name=value"),
    ],
)
def test_wrong_usage_is_exit_2_with_what_to_do(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert said in " ".join(err.replace("│", " ").split())
    assert out == ""


def test_the_list_is_json_in_a_pipe_and_in_running_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    names = [json.loads(line)["job"] for line in capsys.readouterr().out.splitlines()]
    assert {"clean_ncrb", "reconcile", "migrate", "validate"} <= set(names)
    assert len(set(names)) == len(names)
    assert names.index("clean_ncrb") < names.index("population_by_year") < names.index("crime_by_region")


def test_settings_say_where_they_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--lake", "there", "--output", "csv"]) == 0
    assert "lake,there,option" in capsys.readouterr().out.splitlines()


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    heavy = ["pyspark", "pandas", "pyarrow", "boto3", "numpy", "duckdb"]
    code = f"import sys, crime_jobs.cli; print([m for m in {heavy!r} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"


def test_the_entry_point_of_spark_submit_takes_the_same_arguments() -> None:
    entry = ROOT / "src" / "crime_jobs" / "entry.py"
    said = subprocess.run([sys.executable, str(entry), "nope"], capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "There is no job 'nope'" in said.stderr


@pytest.mark.parametrize(("pressed", "code"), [(KeyboardInterrupt, 130), (EOFError, 1)])
@pytest.mark.parametrize("hidden", [True, False])
def test_ctrl_c_at_a_question_is_an_interruption_as_any_other(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pressed: type[BaseException],
    code: int,
    hidden: bool,
) -> None:
    """Typer makes one error of Ctrl-C and of an input that has ended, and ends with 1."""

    def answered(*_: object) -> str:
        raise pressed

    for name in ("visible_prompt_func", "hidden_prompt_func"):
        monkeypatch.setattr(f"{typer.confirm.__module__}.{name}", answered)
    app = typer.Typer()

    @app.command()
    def ask() -> None:
        typer.prompt("Key", hide_input=True) if hidden else typer.confirm("Change it?", err=True)

    ended: list[bool] = []
    assert run_app(app, "crime-jobs", [], lambda: ended.append(True)) == code
    assert bool(ended) is (code == 130)
    capsys.readouterr()
