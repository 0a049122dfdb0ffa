"""`crime-jobs quicksight deploy`: rules and settings that can't be, and the stack, planned, made and followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer import Exit

from crime_jobs import cli
from crime_jobs.adhoc.quicksight import deploy, rules
from crime_jobs.adhoc.quicksight.settings import of
from crime_jobs.adhoc.quicksight.template import template
from crime_jobs.errors import AwsRefused, BadInput, Interrupted, JobFailed, WrongUsage
from crime_jobs.formation.change import Plan
from tests.conftest import ROOT
from tests.unit.formation import Formation
from tests.unit.quicksight_aws import SETTINGS, TOLD, Stubs, clients, silent, stubs, subscribed
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


STACK = "crime-jobs-quicksight"


class Bucket:
    """S3, which puts what is uploaded where CloudFormation finds it."""

    meta = SimpleNamespace(partition="aws")

    def __init__(self, found: dict[str, str]) -> None:
        self._found = found

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self._found[f"https://{Bucket}.s3.{REGION}.amazonaws.com/{Key}"] = Body.decode()


@pytest.fixture
def formation(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Formation:
    made = Formation()
    monkeypatch.setitem(clients, "cloudformation", made)
    monkeypatch.setitem(clients, "s3", Bucket(made.files))
    return made


Begin = Callable[[], tuple[deploy.Deploying, Plan | None, list[str]]]


@pytest.fixture
def begin(stubs: Stubs, formation: Formation, rules_file: Path) -> Begin:
    """Deploy up to the change set."""

    def begun() -> tuple[deploy.Deploying, Plan | None, list[str]]:
        said: list[str] = []
        stubs["sts"].add_response("get_caller_identity", {"Account": ACCOUNT})
        subscribed(stubs)
        work = deploy.Deploying(SETTINGS, of(SETTINGS), prepared(rules_file), said.append)
        return work, work.plan(), said

    return begun


def deployed(begin: Begin) -> tuple[list[dict[str, Any]], list[str]]:
    """Deploy to the end; what is there then, and what was told."""
    work, plan, said = begin()
    return work.finish(plan), said


def test_a_stack_is_planned_made_and_followed(formation: Formation, begin: Begin, rules_file: Path) -> None:
    rows, said = deployed(begin)
    parts = template()["Resources"]
    assert {row["resource"]: row["type"] for row in rows} == {k: v["Type"] for k, v in parts.items()}
    assert said[-2] == f"{STACK}: {len(parts)}/{len(parts)} {max(parts)}: create_complete"
    assert said[-1] == "DashboardUrl-value"
    stack = formation.find(STACK)
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack["parameters"]}
    assert given == prepared(rules_file).parameters
    assert {"Key": "environment", "Value": "aws"} in stack["Tags"]


def test_a_second_deployment_changes_what_differs(formation: Formation, begin: Begin) -> None:
    deployed(begin)
    formation.find(STACK)["template"]["Resources"]["Theme"]["Properties"] = {}
    work, plan, said = begin()
    assert plan
    assert [(row["resource"], row["action"]) for row in plan.rows] == [("Theme", "replace")]
    work.finish(plan)
    told = [line for line in said if line.startswith(f"{STACK}: ")]
    assert told == [f"{STACK}: 1/1 Theme: create_complete"]  # nothing of before


def test_the_first_failure_is_told_first(formation: Formation, begin: Begin) -> None:
    formation.fails = {"Dashboard": "Invalid column year.", "HotSpots": "later"}
    with pytest.raises(JobFailed) as failed:
        deployed(begin)
    assert failed.value.message == (
        "Dashboard (AWS::QuickSight::Dashboard): Invalid column year. "
        f"All that stack {STACK} had made is removed again."
    )
    assert failed.value.exit_code == 1
    assert formation.stacks[STACK]["StackStatus"] == "DELETE_COMPLETE"


def test_what_is_said_to_be_made_and_is_not_is_a_failure(formation: Formation, begin: Begin) -> None:
    """LocalStack's free edition says CREATE_COMPLETE for QuickSight, with the physical id ``unknown``."""
    formation.absent = {"AWS::QuickSight::Theme", "AWS::QuickSight::Dashboard"}
    with pytest.raises(JobFailed, match="Dashboard of stack .* was not made.*in all 2 of") as failed:
        deployed(begin)
    assert "has no QuickSight" in failed.value.hint


def test_nothing_to_change_is_no_failure(formation: Formation, begin: Begin) -> None:
    rows, _ = deployed(begin)
    work, plan, _ = begin()
    assert plan is None
    assert not formation.sets
    assert work.finish(None) == rows


def test_a_change_set_that_cannot_be_made_says_why(formation: Formation, begin: Begin) -> None:
    formation.refuses = "Parameters: [ViewerArn] must"
    with pytest.raises(AwsRefused, match="No change set .*: Parameters: .ViewerArn. must"):
        begin()
    assert not formation.sets


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_a_stack_that_is_stuck_or_busy_is_left_alone(formation: Formation, begin: Begin, state: str) -> None:
    deployed(begin)
    formation.find(STACK)["StackStatus"] = state
    formation.calls.clear()
    with pytest.raises(JobFailed, match=state):
        begin()
    assert set(formation.calls) == {"DescribeStacks"}


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


def test_ctrl_c_leaves_cloudformation_to_it(formation: Formation, begin: Begin) -> None:
    formation.steps, formation.interrupt = 3, 2
    with pytest.raises(Interrupted, match=f"CloudFormation goes on with stack {STACK}") as ended:
        deployed(begin)
    assert ended.value.exit_code == 130


@pytest.mark.parametrize("answer", [False, KeyboardInterrupt])
def test_changes_that_are_not_wanted_are_discarded(
    formation: Formation, begin: Begin, monkeypatch: pytest.MonkeyPatch, answer: bool | type[BaseException]
) -> None:
    from crime_jobs import cli_quicksight

    def confirm(*_: object, **__: object) -> bool:
        if isinstance(answer, bool):
            return answer
        raise answer

    work, plan, _ = begin()
    assert plan
    monkeypatch.setattr("typer.confirm", confirm)
    with pytest.raises((Exit, KeyboardInterrupt)):
        cli_quicksight._confirmed(lambda: work.stack.discard(plan.arn))
    assert not formation.sets
    assert formation.stacks[STACK]["StackStatus"] == "DELETE_COMPLETE"
