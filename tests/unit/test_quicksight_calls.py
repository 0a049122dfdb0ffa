"""`crime-jobs quicksight refresh` and `status`: what is asked of AWS, and what each refusal is told as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crime_jobs import cli
from crime_jobs.adhoc.quicksight import refresh, status
from crime_jobs.errors import AwsRefused, Interrupted, JobFailed
from tests.unit.quicksight_aws import TIME, Stubs, account, clients, silent, stubs, subscribed
from tests.unit.quicksight_model import ACCOUNT, REGION

__all__ = ["clients", "stubs"]


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_an_account_without_quicksight_is_told_what_to_do(stubs: Stubs, code: str) -> None:
    stubs["quicksight"].add_client_error("describe_account_subscription", code, "no account", 404)
    with pytest.raises(AwsRefused, match=f"Account {ACCOUNT} shows no QuickSight in {REGION}") as refused:
        account().check()
    assert refused.value.exit_code == 4
    assert "Sign up for QuickSight" in refused.value.hint


@pytest.mark.parametrize(
    ("status", "edition", "said"),
    [("UNSUBSCRIBED", "ENTERPRISE", "is UNSUBSCRIBED"), ("ACCOUNT_CREATED", "STANDARD", "Standard edition")],
)
def test_an_account_that_has_ended_or_has_no_rules_is_refused(
    stubs: Stubs, status: str, edition: str, said: str
) -> None:
    subscribed(stubs, status, edition)
    with pytest.raises(AwsRefused, match=said):
        account().check()


def test_where_nobody_answers_for_quicksight_nothing_is_repeated(stubs: Stubs) -> None:
    stubs["quicksight"].add_client_error("describe_account_subscription", "InternalFailure", "not yet", 501)
    with pytest.raises(AwsRefused, match="not yet"):
        account().check()


NAMES = list(refresh.ids("crime-jobs"))


def create(stubs: Stubs, question: str, ingestion: str = "run") -> dict[str, str]:
    return {
        "AwsAccountId": ACCOUNT,
        "DataSetId": refresh.ids("crime-jobs")[question],
        "IngestionId": ingestion,
        "IngestionType": "FULL_REFRESH",
    }


def created(stubs: Stubs, *questions: str, ingestion: str = "run") -> None:
    for question in questions:
        answer = {"Arn": "arn:aws:x", "IngestionId": ingestion, "IngestionStatus": "INITIALIZED"}
        stubs["quicksight"].add_response("create_ingestion", answer, create(stubs, question, ingestion))


def looked(stubs: Stubs, question: str, status: str, **more: Any) -> None:
    told = {"Arn": "arn:aws:x", "IngestionStatus": status, "CreatedTime": TIME} | more
    asked = {k: v for k, v in create(stubs, question).items() if k != "IngestionType"}
    stubs["quicksight"].add_response("describe_ingestion", {"Ingestion": told}, asked)


def filled(rows: int, dropped: int = 0) -> dict[str, Any]:
    return {"RowInfo": {"RowsIngested": rows, "RowsDropped": dropped}, "IngestionTimeInSeconds": 7}


def test_every_dataset_is_filled_and_its_rows_are_told(stubs: Stubs) -> None:
    created(stubs, *NAMES)
    looked(stubs, NAMES[0], "RUNNING")
    for question in NAMES[1:]:
        looked(stubs, question, "COMPLETED", **filled(10))
    looked(stubs, NAMES[0], "COMPLETED", **filled(3))
    said: list[str] = []
    rows = refresh.refresh(account(), "crime-jobs", said.append, ingestion="run")
    assert [(row["dataset"], row["rows"]) for row in rows] == [(n, 3 if n == "rules" else 10) for n in NAMES]
    assert said[-1] == "rules: completed, 3 rows"
    refresh.check(rows)


def test_one_that_fails_and_one_that_is_not_there_leave_the_others_filled(stubs: Stubs) -> None:
    firs, spots = "firs_by_hour_and_month", "hot_spots"
    for question in NAMES:
        if question == spots:
            stubs["quicksight"].add_client_error("create_ingestion", "ResourceNotFoundException", "none", 404)
        else:
            created(stubs, question)
    error = {"Type": "SQL_TABLE_NOT_FOUND", "Message": "crime.firs\n does not exist"}
    for question in NAMES:
        if question == firs:
            looked(stubs, question, "FAILED", ErrorInfo=error)
        elif question != spots:
            looked(stubs, question, "COMPLETED", **filled(5))
    rows = {r["dataset"]: r for r in refresh.refresh(account(), "crime-jobs", silent, ingestion="run")}
    assert rows[spots]["status"] == "NOT THERE"
    assert rows[firs]["error"] == "SQL_TABLE_NOT_FOUND: crime.firs does not exist"
    with pytest.raises(JobFailed, match="2 of 9 datasets.*First hot_spots: not there") as failed:
        refresh.check(list(rows.values()))
    assert failed.value.exit_code == 1


def test_where_there_is_no_stream_its_dataset_is_left_alone(stubs: Stubs) -> None:
    left = [question for question in NAMES if question != "firs_by_hour_and_month"]
    created(stubs, *left)
    for question in left:
        looked(stubs, question, "COMPLETED", **filled(1))
    rows = refresh.refresh(account(), "crime-jobs", silent, ingestion="run", history=False)
    assert [row["dataset"] for row in rows] == left


def test_rows_that_were_dropped_are_a_failure(stubs: Stubs) -> None:
    created(stubs, "rules")
    looked(stubs, "rules", "COMPLETED", **filled(10, dropped=2))
    rows = refresh.refresh(account(), "crime-jobs", silent, ingestion="run", only="rules")
    with pytest.raises(JobFailed, match="rules: completed, 10 rows, 2 dropped"):
        refresh.check(rows)


def test_a_throttled_call_is_made_again_and_one_whose_answer_was_lost_starts_nothing_twice(
    stubs: Stubs,
) -> None:
    quicksight = stubs["quicksight"]
    quicksight.add_client_error("create_ingestion", "ThrottlingException", "slow down", 429)
    quicksight.add_client_error("create_ingestion", "ResourceExistsException", "ingestion run exists", 409)
    quicksight.add_client_error("describe_ingestion", "ThrottlingException", "slow down", 429)
    looked(stubs, "rules", "COMPLETED", **filled(1))
    (row,) = refresh.refresh(account(), "crime-jobs", silent, ingestion="run", only="rules")
    assert row["status"] == "COMPLETED"


def test_throttling_without_end_is_told(stubs: Stubs) -> None:
    for _ in range(5):
        stubs["quicksight"].add_client_error("create_ingestion", "ThrottlingException", "slow down", 429)
    with pytest.raises(AwsRefused, match="slow down"):
        refresh.refresh(account(), "crime-jobs", silent, ingestion="run", only="rules")


def test_too_many_ingestions_are_told_and_a_late_one_is_not_waited_for_for_ever(stubs: Stubs) -> None:
    stubs["quicksight"].add_client_error("create_ingestion", "LimitExceededException", "32 a day", 409)
    (row,) = refresh.refresh(account(), "crime-jobs", silent, ingestion="run", only="rules")
    assert row["status"] == "NOT STARTED"
    assert "32 a day" in row["error"]
    stubs["sts"].add_response("get_caller_identity", {"Account": ACCOUNT})
    created(stubs, "rules")
    looked(stubs, "rules", "QUEUED")
    looked(stubs, "rules", "RUNNING")
    times = iter([0.0, 1.0, 1801.0])
    (row,) = refresh.refresh(
        account(), "crime-jobs", silent, ingestion="run", only="rules", clock=lambda: next(times)
    )
    assert row["status"] == "STILL RUNNING"


def test_ctrl_c_says_how_to_join_what_goes_on(stubs: Stubs) -> None:
    created(stubs, "rules")
    looked(stubs, "rules", "RUNNING")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as ended:
        refresh.refresh(account(), "crime-jobs", silent, ingestion="run", only="rules", sleep=interrupt)
    assert "--id run joins it" in ended.value.hint


@pytest.mark.parametrize("words", [["--only", "crimes"], ["--id", "a b"]])
def test_a_dataset_or_an_id_that_cannot_be_is_refused_before_anything_is_asked(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["quicksight", "refresh", "--region", REGION, *words]) == 2
    assert words[1] in capsys.readouterr().err


def test_the_command_ends_with_1_where_a_dataset_failed_and_shows_all(
    stubs: Stubs, capsys: pytest.CaptureFixture[str]
) -> None:
    subscribed(stubs)
    created(stubs, "rules")
    looked(stubs, "rules", "FAILED", ErrorInfo={"Type": "S3_FILE_INACCESSIBLE", "Message": "rules.csv"})
    words = ["quicksight", "refresh", "--region", REGION, "--only", "rules", "--id", "run"]
    assert cli.main([*words, "--output", "json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "FAILED"
    assert "S3_FILE_INACCESSIBLE" in printed.err


def capacity(stubs: Stubs, *values: float) -> None:
    names = ("spicecapacitylimitinmb", "spicecapacityconsumedinmb")
    found = [
        {"Id": name, "Label": name, "Values": [value, 1.0], "Timestamps": [TIME, TIME]}
        for name, value in zip(names, values, strict=False)
    ]
    stubs["cloudwatch"].add_response("get_metric_data", {"MetricDataResults": found})


def test_a_capacity_that_nobody_tells_does_not_hide_the_rest(stubs: Stubs) -> None:
    capacity(stubs, 10_240.0)
    assert status._capacity(account(), TIME)["error"] == "no metric of the last 90 days"
    stubs["sts"].add_response("get_caller_identity", {"Account": ACCOUNT})
    stubs["cloudwatch"].add_client_error("get_metric_data", "AccessDenied", "not allowed", 403)
    row = status._capacity(account(), TIME)
    assert row["status"] == "NOT KNOWN"
    assert "not allowed" in row["error"]


def test_status_shows_versions_rows_and_errors(stubs: Stubs, capsys: pytest.CaptureFixture[str]) -> None:
    subscribed(stubs)
    quicksight = stubs["quicksight"]
    errors = [{"Type": "COLUMN_TYPE_MISMATCH", "Message": "year"}]
    version = {"VersionNumber": 4, "Status": "UPDATE_FAILED", "CreatedTime": TIME, "Errors": errors}
    quicksight.add_response(
        "describe_dashboard",
        {"Dashboard": {"Version": version}},
        {"AwsAccountId": ACCOUNT, "DashboardId": "crime-jobs-dashboard"},
    )
    for question, set_id in refresh.ids("crime-jobs").items():
        asked = {"AwsAccountId": ACCOUNT, "DataSetId": set_id}
        if question == "hot_spots":
            quicksight.add_client_error("describe_data_set", "ResourceNotFoundException", "none", 404)
            continue
        size = {"DataSet": {"ConsumedSpiceCapacityInBytes": 3 * 1024 * 1024}}
        quicksight.add_response("describe_data_set", size, asked)
        new, old = (
            {
                "Arn": "arn:aws:x",
                "CreatedTime": TIME.replace(hour=hour),
                "IngestionStatus": state,
                **filled(n),
            }
            for hour, state, n in ((5, "COMPLETED", 8), (4, "FAILED", 0))
        )
        listed = [] if question == "data_quality" else [old, new]
        quicksight.add_response("list_ingestions", {"Ingestions": listed}, asked)
    capacity(stubs, 10_240.0, 9_999.0)
    assert cli.main(["quicksight", "status", "--region", REGION, "--output", "json"]) == 0
    rows = {row["part"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["dashboard, version 4"]["error"] == "COLUMN_TYPE_MISMATCH: year"
    assert rows["rules"] | {"as_of": "", "error": ""} == {
        "part": "rules",
        "status": "COMPLETED",
        "rows": 8,
        "dropped": 0,
        "spice_mb": 3.0,
        "as_of": "",
        "error": "",
    }
    assert (rows["SPICE of the region"]["status"], rows["SPICE of the region"]["spice_mb"]) == (
        "NEARLY FULL",
        9_999,
    )
    assert rows["rules"]["as_of"].startswith("2026-11-24T05")
    assert rows["hot_spots"]["status"] == "NOT THERE"
    assert rows["data_quality"]["status"] == "NEVER FILLED"
