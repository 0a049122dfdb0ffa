"""`crime-jobs quicksight deploy`: rules and settings that can't be, and the stack, planned, made and followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY
from typer import Exit

from crime_jobs import cli
from crime_jobs.adhoc.quicksight import deploy, rules, stack
from crime_jobs.adhoc.quicksight.settings import of
from crime_jobs.adhoc.quicksight.template import template
from crime_jobs.errors import AwsRefused, BadInput, Interrupted, JobFailed, WrongUsage
from tests.conftest import ROOT
from tests.unit.quicksight_aws import SETTINGS, TIME, TOLD, Stubs, clients, silent, stubs, subscribed
from tests.unit.quicksight_model import ACCOUNT, GROUP, REGION

__all__ = ["clients", "stubs"]

RULES = f"""UserARN,GroupARN,state_code
,{GROUP}tamil-nadu,"IN-TN,IN"
arn:aws:quicksight:us-east-1:{ACCOUNT}:user/default/chief,,
"""


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.csv"
    path.write_text(RULES)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the columns are none"),
        ("UserName,GroupName,state_code\n", "the columns are UserName, GroupName"),
        ("UserARN,GroupARN,state_code\n", "has no rule"),
        (RULES.replace("IN-TN", "TN"), "line 2: 'TN' is the code of no state"),
        (RULES.replace(',IN"', ',"'), "line 2: '' is the code of no state"),
        (RULES.replace('"IN-TN,IN"', "IN-TN,IN"), "line 2: not 3 fields"),
        (RULES.replace(f",{GROUP}tamil-nadu", ","), "line 2: neither a user nor a group"),
        (RULES.replace(":group/default/", ":user/default/"), "line 2: .* is no ARN of a group"),
        (RULES.replace(",,\n", "\n"), "line 3: not 3 fields"),
    ],
)
def test_rules_that_would_show_too_much_or_nothing_are_refused_with_their_line(
    rules_file: Path, text: str, said: str
) -> None:
    rules_file.write_text(text)
    with pytest.raises(BadInput, match=said):
        rules.read(rules_file)


def test_rules_reach_quicksight_as_they_were_written(rules_file: Path) -> None:
    found = rules.read(rules_file)
    assert [rule.codes for rule in found] == [("IN-TN", "IN"), ()]
    assert rules.written(found).decode() == RULES
    with pytest.raises(BadInput, match="can't be read"):
        rules.read(rules_file.with_name("none.csv"))


def prepared(rules_file: Path, **told: Any) -> deploy.Deployment:
    given = {"rules": str(rules_file), "boundaries": str(ROOT / "data/india_states.geojson")} | told
    return deploy.prepare(of(SETTINGS, **given), SETTINGS)


def test_what_is_sent_is_what_the_template_asks_for(rules_file: Path) -> None:
    sent = prepared(rules_file)
    asked = template()["Parameters"]
    assert sent.parameters.keys() == asked.keys()
    assert sent.parameters["LakeBucket"] == "crime-lake"
    folders = {name: sent.parameters[f"{name}Prefix"] for name in ("Lake", "History", "Results")}
    assert folders == {"Lake": "lake", "History": "history", "Results": "athena"}
    assert sent.parameters["FilesPrefix"] == "jobs/quicksight"
    manifest = json.loads(sent.files["rules-manifest.json"])
    assert manifest["fileLocations"] == [{"URIs": ["s3://crime-artifacts/jobs/quicksight/rules.csv"]}]
    told = {row["name"]: row["value"] for row in sent.summary()}
    assert told["AWS::QuickSight::DataSet"] == "9"
    assert told[f"{GROUP}tamil-nadu"] == "IN-TN, IN"
    assert told["s3://crime-artifacts/jobs/quicksight/rules.csv"] == f"{len(RULES):,} bytes"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"quicksight": {}}, "--viewers, --authors, --owners missing"),
        ({"quicksight": TOLD | {"authors": TOLD["viewers"]}}, "must differ"),
        ({"quicksight": TOLD | {"owners": TOLD["owners"].replace("us-east-1", "eu-west-1")}}, "one region"),
        ({"quicksight": TOLD | {"viewers": "everybody"}}, "quicksight.viewers"),
        ({"quicksight": {"colour": "red"}}, "quicksight.colour"),
        ({"lake": "build/lake"}, "not on S3"),
        ({"lake": "s3://crime-lake"}, "lake .* is no folder"),
        ({"sql": {"workgroup": "crime", "results": "s3://crime-results"}}, "sql.results .* is no folder"),
        ({"stream": {"history": "s3://crime-firs/*"}}, "stream.history .* is no folder"),
        ({"quicksight": TOLD | {"keys": ["*"]}}, "quicksight.keys"),
        ({"sql": {"workgroup": "crime"}}, "where its results are"),
        ({"artifacts": None}, "Nothing says where boundaries and rules"),
    ],
)
def test_settings_that_cannot_be_are_refused(rules_file: Path, changed: dict[str, Any], said: str) -> None:
    settings = SETTINGS.model_copy(update=changed)
    with pytest.raises(WrongUsage, match=said):
        deploy.prepare(of(settings, rules=str(rules_file)), settings)


@pytest.mark.parametrize(
    ("body", "said"),
    [("nonsense", "is no GeoJSON"), ('{"features": []}', "has no shape for IN-AN"), (None, "can't be read")],
)
def test_boundaries_that_lack_a_state_are_refused(rules_file: Path, body: str | None, said: str) -> None:
    path = rules_file.with_name("states.geojson")
    if body is not None:
        path.write_text(body)
    with pytest.raises(BadInput, match=said):
        prepared(rules_file, boundaries=str(path))


STACK = "arn:aws:cloudformation:ap-south-1:123456789012:stack/crime-jobs-quicksight/1"
CHANGES = "arn:aws:cloudformation:ap-south-1:123456789012:changeSet/c/1"


def stack_is(stubs: Stubs, status: str | None, **more: Any) -> None:
    cloud = stubs["cloudformation"]
    if status is None:
        message = "Stack with id crime-jobs-quicksight does not exist"
        cloud.add_client_error("describe_stacks", "ValidationError", message, 400)
    else:
        one = {"StackName": "crime-jobs-quicksight", "CreationTime": TIME, "StackStatus": status} | more
        cloud.add_response("describe_stacks", {"Stacks": [one]})


def planned(stubs: Stubs, kind: str, sent: deploy.Deployment) -> None:
    expected = {
        "StackName": "crime-jobs-quicksight",
        "ChangeSetName": ANY,
        "ChangeSetType": kind,
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in sent.parameters.items()],
        "Tags": ANY,
        "TemplateURL": f"https://crime-artifacts.s3.{REGION}.amazonaws.com/{sent.template_key}",
    }
    cloud = stubs["cloudformation"]
    cloud.add_response("create_change_set", {"Id": CHANGES, "StackId": STACK}, expected)


def change_set(stubs: Stubs, status: str, **more: Any) -> None:
    answer = {"Status": status} | more
    stubs["cloudformation"].add_response("describe_change_set", answer, {"ChangeSetName": CHANGES})


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": STACK,
        "EventId": str(number),
        "StackName": "crime-jobs-quicksight",
        "LogicalResourceId": resource,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": TIME,
    }


def events(stubs: Stubs, *found: dict[str, Any]) -> None:
    answer = {"StackEvents": list(found)[::-1]}
    stubs["cloudformation"].add_response("describe_stack_events", answer, {"StackName": STACK})


def resources(stubs: Stubs, *ids: str) -> None:
    found = [
        {
            "LogicalResourceId": f"Part{i}",
            "PhysicalResourceId": one,
            "ResourceType": "AWS::QuickSight::Theme",
            "ResourceStatus": "CREATE_COMPLETE",
            "LastUpdatedTimestamp": TIME,
        }
        for i, one in enumerate(ids)
    ]
    stubs["cloudformation"].add_response("list_stack_resources", {"StackResourceSummaries": found})


def uploaded(stubs: Stubs, sent: deploy.Deployment) -> None:
    for name in (*(f"{sent.prefix}/{name}" for name in sent.files), sent.template_key):
        stubs["s3"].add_response(
            "put_object",
            {},
            {"Bucket": "crime-artifacts", "Key": name, "Body": ANY},
        )


Begin = Callable[..., tuple[deploy.Deploying, stack.Plan | None, list[str]]]


@pytest.fixture
def begin(stubs: Stubs, rules_file: Path) -> Begin:
    """Deploy up to the change set, of a stack that is not there, or in a state."""

    def begun(
        state: str | None = None, *answers: tuple[str, dict[str, Any]]
    ) -> tuple[deploy.Deploying, stack.Plan | None, list[str]]:
        sent, said = prepared(rules_file), list[str]()
        subscribed(stubs)
        uploaded(stubs, sent)
        stack_is(stubs, state)
        planned(stubs, "CREATE" if state is None else "UPDATE", sent)
        for ended, more in answers or (("CREATE_IN_PROGRESS", {}), ("CREATE_COMPLETE", {})):
            change_set(stubs, ended, **more)
            if ended == "FAILED":
                stubs["cloudformation"].add_response("delete_change_set", {}, {"ChangeSetName": CHANGES})
        work = deploy.Deploying(SETTINGS, of(SETTINGS), sent, said.append)
        return work, work.plan(), said

    return begun


def test_a_stack_is_planned_made_and_followed(stubs: Stubs, begin: Begin) -> None:
    change = {
        "LogicalResourceId": "Theme",
        "ResourceType": "AWS::QuickSight::Theme",
        "Action": "Modify",
        "Replacement": "True",
    }
    work, plan, said = begin(
        "UPDATE_COMPLETE", ("CREATE_COMPLETE", {"Changes": [{"ResourceChange": change}]})
    )
    assert plan
    assert plan.rows == [
        {"resource": "Theme", "type": "AWS::QuickSight::Theme", "action": "modify", "replaces": True}
    ]
    old, first, second = (
        event(1, "Old", "X"),
        event(2, "A", "CREATE_COMPLETE"),
        event(3, "B", "CREATE_COMPLETE"),
    )
    events(stubs, old)
    stubs["cloudformation"].add_response("execute_change_set", {}, {"ChangeSetName": CHANGES})
    stack_is(stubs, "UPDATE_IN_PROGRESS")
    events(stubs, old, first)
    stack_is(stubs, "UPDATE_COMPLETE")
    events(stubs, old, first, second)
    resources(stubs, "crime-jobs-theme")
    stack_is(stubs, "UPDATE_COMPLETE", Outputs=[{"OutputKey": "DashboardUrl", "OutputValue": "https://x"}])
    (row,) = work.finish(plan)
    assert row["id"] == "crime-jobs-theme"
    assert said[-3:] == ["A: create_complete", "B: create_complete", "https://x"]  # nothing of before


def test_the_first_failure_is_told_first(stubs: Stubs, begin: Begin) -> None:
    work, plan, _ = begin()
    assert plan
    events(stubs)
    stubs["cloudformation"].add_response("execute_change_set", {})
    stack_is(stubs, "ROLLBACK_COMPLETE")
    events(
        stubs,
        event(1, "Theme", "CREATE_FAILED", "Resource creation cancelled"),
        event(2, "Dashboard", "CREATE_FAILED", "Invalid column year."),
        event(3, "Analysis", "CREATE_FAILED", "later"),
    )
    with pytest.raises(JobFailed) as failed:
        work.finish(plan)
    assert failed.value.message.startswith(
        "Dashboard: Invalid column year. Stack crime-jobs-quicksight is ROLL"
    )
    assert failed.value.exit_code == 1


def test_what_is_said_to_be_made_and_is_not_is_a_failure(stubs: Stubs, begin: Begin) -> None:
    """LocalStack's free edition says CREATE_COMPLETE for QuickSight, with the physical id ``unknown``."""
    work, plan, _ = begin()
    assert plan
    events(stubs)
    stubs["cloudformation"].add_response("execute_change_set", {})
    stack_is(stubs, "CREATE_COMPLETE")
    events(stubs, event(1, "Theme", "CREATE_COMPLETE"))
    resources(stubs, "unknown", "unknown")
    with pytest.raises(JobFailed, match="Part0 was not made, nor 1 others"):
        work.finish(plan)


def test_nothing_to_change_is_no_failure(stubs: Stubs, begin: Begin) -> None:
    reason = "The submitted information didn't contain changes. Submit different information."
    work, plan, _ = begin("CREATE_COMPLETE", ("FAILED", {"StatusReason": reason}))
    assert plan is None
    resources(stubs, "crime-jobs-theme")
    stack_is(stubs, "CREATE_COMPLETE")
    assert len(work.finish(None)) == 1


def test_a_change_set_that_cannot_be_made_says_why(begin: Begin) -> None:
    with pytest.raises(AwsRefused, match="No change set .*: Parameters: .ViewerArn. must"):
        begin(None, ("FAILED", {"StatusReason": "Parameters: [ViewerArn] must"}))


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_a_stack_that_is_stuck_or_busy_is_left_alone(stubs: Stubs, rules_file: Path, state: str) -> None:
    sent = prepared(rules_file)
    subscribed(stubs)
    uploaded(stubs, sent)
    stack_is(stubs, state)
    with pytest.raises(AwsRefused, match=f"is {state}"):
        deploy.Deploying(SETTINGS, of(SETTINGS), sent, silent).plan()


def test_principals_of_another_account_are_refused_before_anything_is_sent(rules_file: Path) -> None:
    elsewhere = {name: arn.replace(ACCOUNT, "999999999999") for name, arn in TOLD.items()}
    with pytest.raises(WrongUsage, match="of another account than 123456789012"):
        deploy.Deploying(SETTINGS, of(SETTINGS), prepared(rules_file, **elsewhere), silent).plan()


def test_a_dry_run_sends_nothing_and_nobody_there_to_answer_is_told_before(
    rules_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crime-jobs.toml").write_text(
        f'[aws]\nregion = "{REGION}"\nlanding = "s3://l"\nlake = "s3://crime-lake/lake"\n'
        'artifacts = "s3://crime-artifacts"\n[aws.sql]\nworkgroup = "crime"\nresults = "s3://crime-results/results"\n'
        f'[aws.quicksight]\nboundaries = "{ROOT / "data/india_states.geojson"}"\nrules = "{rules_file}"\n'
        + "".join(f'{name} = "{arn}"\n' for name, arn in TOLD.items())
    )
    words = ["quicksight", "deploy", "--env", "aws", "--output", "json"]
    assert cli.main([*words, "--dry-run"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"kind": "parameter", "name": "ViewerArn", "value": f"{GROUP}viewers"} in rows
    assert cli.main(words) == 2
    assert "Nobody is there to answer" in capsys.readouterr().err


def test_ctrl_c_leaves_cloudformation_to_it(
    stubs: Stubs, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, plan, _ = begin()
    assert plan
    events(stubs)
    stubs["cloudformation"].add_response("execute_change_set", {})
    stack_is(stubs, "CREATE_IN_PROGRESS")
    events(stubs)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    with pytest.raises(Interrupted, match="CloudFormation goes on with stack crime-jobs-quicksight") as ended:
        work.finish(plan)
    assert ended.value.exit_code == 130


def test_every_page_of_the_changes_is_shown(stubs: Stubs, begin: Begin) -> None:
    pages = [
        {"Changes": [{"ResourceChange": {"LogicalResourceId": name, "ResourceType": "T", "Action": "Add"}}]}
        for name in ("First", "Second")
    ]
    stub = stubs["cloudformation"]
    original = stub.add_response

    def add(method: str, *rest: Any) -> None:
        original(method, *rest)
        if method == "describe_change_set":
            original(
                method, {"Status": "CREATE_COMPLETE"} | pages[1], {"ChangeSetName": CHANGES, "NextToken": "2"}
            )

    stub.add_response = add
    _, plan, _ = begin(None, ("CREATE_COMPLETE", pages[0] | {"NextToken": "2"}))
    assert plan
    assert [row["resource"] for row in plan.rows] == ["First", "Second"]


@pytest.mark.parametrize("answer", [False, KeyboardInterrupt])
def test_changes_that_are_not_wanted_are_discarded(
    stubs: Stubs,
    begin: Begin,
    monkeypatch: pytest.MonkeyPatch,
    answer: bool | type[BaseException],
) -> None:
    from crime_jobs import cli_quicksight

    def confirm(*_: object, **__: object) -> bool:
        if isinstance(answer, bool):
            return answer
        raise answer

    work, plan, _ = begin()
    assert plan
    monkeypatch.setattr("typer.confirm", confirm)
    stubs["cloudformation"].add_response("delete_change_set", {}, {"ChangeSetName": CHANGES})
    with pytest.raises((Exit, KeyboardInterrupt)):
        cli_quicksight._confirmed(lambda: work.stack.discard(plan.arn))
