"""What a row should be in the target, what is said of what differs, and what the verbs refuse."""

from __future__ import annotations

import pytest

from crime_jobs.cli import main
from crime_jobs.errors import AwsRefused, JobFailed
from crime_jobs.migrate import _compare, validate
from crime_jobs.migrate._compare import DIFFERENT, MISSING, SAME, SURPLUS, SourceSide, sums_of
from crime_jobs.migrate.validate import _Found, _summed_up
from crime_jobs.model.items import item_of
from crime_jobs.model.tablemapping import Attribute, SourceColumn, SourceTable, TableMapping

COLUMNS = (SourceColumn("K", "text", ""), SourceColumn("N", "number", ""), SourceColumn("T", "clob", ""))
MAPPING = TableMapping(
    SourceTable("CRIME", "CASES", COLUMNS, ("K",)),
    "crime-cases",
    "K",
    None,
    tuple(Attribute(one.name, f"${{{one.name}}}", one.kind) for one in COLUMNS),
)
TOO_LONG = "1" * 39


def test_a_row_has_the_sums_of_its_item() -> None:
    """The source's side says of a row what the target's side says of the item that it became."""
    row = {"K": "k", "N": "1.50", "T": None}
    assert SourceSide(MAPPING).sums(row) == sums_of(MAPPING, {"N": {"N": "15E-1"}, "K": {"S": "k"}})


@pytest.mark.parametrize("more", [{"T": "story"}, {"T": "x" * 409_600}])
def test_of_a_row_that_does_not_fit_only_that_attribute_can_t_be_the_same(more: dict[str, str]) -> None:
    """It was moved and has changed since: its key is known, and what still fits is compared as ever."""
    key, total, parts = SourceSide(MAPPING).sums({"K": "k", "N": TOO_LONG, **more})
    fits = sums_of(MAPPING, item_of(MAPPING, {"K": "k", "N": "1", "T": "story"}))
    assert key == fits[0]
    assert total != fits[1]
    assert parts.keys() == {"K", "N", "T"}
    differ = {name for name in parts if parts[name] != fits[2][name]}
    assert differ == ({"N"} if more["T"] == "story" else {"N", "T"})
    assert "" not in fits[2].values()


def test_a_row_whose_key_does_not_fit_has_none() -> None:
    """No item can be its own: it is missing, whatever there is."""
    assert SourceSide(MAPPING).sums({"K": "k" * 2049, "N": "1", "T": None})[0] is None


def found(**counts: int) -> _Found:
    return _Found(MAPPING, counts)


def test_counts_are_told_apart() -> None:
    """A surplus item is a failure, and no row that was compared."""
    one = found(**{SAME: 5, MISSING: 2, SURPLUS: 1, DIFFERENT: 3, _compare.SUSPENDED: 9})
    assert (one.failed, one.compared, one.words) == (6, 10, "2 missing, 1 surplus, 3 different")


def test_an_error_names_every_table_and_what_to_do() -> None:
    """Differences, tables that were not compared and errors: none hides another; exit code 1."""
    gone = found()
    gone.error = AwsRefused("CRIME.GONE could not be read.", hint="Make it.")
    early = found()
    early.pending = "it was not loaded yet"
    said = _summed_up([found(missing=1), early, gone], "s3://lake")
    assert isinstance(said, JobFailed)
    assert "1 key differs between source and target: CRIME.CASES 1 (1 missing)." in said.message
    assert "Not compared: CRIME.CASES, it was not loaded yet." in said.message
    assert "CRIME.GONE could not be read." in said.message
    assert "validation_differences of s3://lake" in said.hint
    assert "crime-jobs migrate" in said.hint
    assert "Make it." in said.hint


def test_where_only_aws_refused_its_exit_code_stands() -> None:
    """A table that could not be read is not a table that differs."""
    gone = found(same=3)
    gone.error = AwsRefused("no")
    assert _summed_up([gone], "lake").exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "option url: Field required. --set url=… gives it, or CRIME_JOBS_ORACLE_URL."),
        (["validate"], "validate: option url: Field required"),
        (["--dry-run"], "migrate: option url: Field required"),
        (["--set", "speed=9"], "there is no option 'speed'"),
        (["--task", "a b"], "option task"),
        (["--write-units", "-1"], "greater than or equal to 0"),
        (["validate", "--set", "max_shown=1000"], "option max_shown"),
        (["--task", "x", "status"], "--task stands before status, where it would have no effect."),
        (["status"], "Nothing says which region environment 'local' is in."),
        (["runs"], "Nothing says which region"),
        (["exceptions"], "Nothing says which region"),
        (["undo"], "No such command"),
    ],
)
def test_wrong_usage_is_said_before_anything_begins(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, one sentence, nothing on stdout."""
    if "url" not in said:
        monkeypatch.setenv("CRIME_JOBS_ORACLE_URL", "jdbc:none")
        monkeypatch.setenv("CRIME_JOBS_ORACLE_SECRET", "none")
    assert main(["migrate", *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in " ".join(err.replace("│", " ").split())
    assert out == ""


def test_the_job_is_found_by_its_name_and_is_not_part_of_all() -> None:
    """`crime-jobs submit validate` takes it from the registry; `run all` needs no old database."""
    from crime_jobs import registry

    assert registry.find("validate") == [validate.JOB]
    assert validate.JOB not in registry.find("all")
