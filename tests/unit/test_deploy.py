"""`crime-jobs deploy`: what is previewed, told, refused and taken back, against a CloudFormation of our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crime_jobs import settings as settings_module
from crime_jobs.cli import main
from crime_jobs.cloud import stacks
from crime_jobs.cloud.stacks_conditions import decided
from crime_jobs.cloud.stacks_template import load
from crime_jobs.formation.change import Changing, Plan
from crime_jobs.formation.reasons import hint_of
from tests.clock import clock_with
from tests.unit.formation import ACCOUNT, Formation, refused

Command = Callable[..., tuple[int, str, str]]

TOML = """
[pune]
region = "ap-south-1"
[pune.deploy]
owner = "dcrb-pune"
email = "desk@example.org"
"""


class Sts:
    """Says whose account it is."""

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT}


@pytest.fixture
def formation(monkeypatch: pytest.MonkeyPatch) -> Formation:
    made = Formation()
    monkeypatch.setattr(
        "crime_jobs.aws.client", lambda name, *_, **__: made if name == "cloudformation" else Sts()
    )
    monkeypatch.setattr("time.sleep", lambda _: None)
    return made


@pytest.fixture
def command(
    formation: Formation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    (tmp_path / "crime-jobs.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--env", "pune", "--output", "json"])
        said = capsys.readouterr()
        return code, said.out, " ".join(said.err.split())

    return run


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_stacks_are_made_in_their_order_with_tags_and_each_other_s_outputs(
    command: Command, formation: Formation
) -> None:
    code, out, err = command("deploy", "emr", "network", "storage", "--yes")
    assert code == 0, err
    names = ["crime-jobs-pune-network", "crime-jobs-pune-storage", "crime-jobs-pune-emr"]
    assert [(row["stack"], row["did"]) for row in rows(out)] == [(name, "done") for name in names]
    emr = formation.find("crime-jobs-pune-emr")
    assert {tag["Key"]: tag["Value"] for tag in emr["Tags"]} == {
        "project": "crime-jobs",
        "environment": "pune",
        "stream": "emr",
        "owner": "dcrb-pune",
    }
    given = {one["ParameterKey"]: one["ParameterValue"] for one in emr["parameters"]}
    assert given["Vpc"] == "VpcId-value"
    assert given["LandingBucket"] == "LandingBucket-value"
    assert given["Environment"] == "pune"


def test_what_the_administrator_made_is_what_the_rest_is_made_with(
    command: Command, formation: Formation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role that CloudFormation takes, and the boundary of every role; of rights themselves neither."""
    requests: dict[str, dict[str, Any]] = {}
    plan = formation.on_create_change_set

    def noted(**request: Any) -> Any:
        requests[request["StackName"]] = request
        return plan(**request)

    monkeypatch.setattr(formation, "on_create_change_set", noted, raising=False)
    assert command("deploy", "deployment", "--yes")[0] == 0
    assert command("deploy", "access", "network", "storage", "emr", "--yes")[0] == 0
    for stream in ("deployment", "access"):
        sent = requests[f"crime-jobs-pune-{stream}"]
        assert "RoleARN" not in sent
        assert '"PermissionsBoundary":' not in sent["TemplateBody"]
    for stream in ("network", "storage", "emr"):
        assert requests[f"crime-jobs-pune-{stream}"]["RoleARN"] == "DeploymentRoleArn-value"
    roles = [
        resource["Properties"]["PermissionsBoundary"]
        for resource in json.loads(requests["crime-jobs-pune-emr"]["TemplateBody"])["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
    ]
    assert roles == ["RoleBoundaryArn-value"] * 3


def test_rights_are_made_when_they_are_named_alone() -> None:
    streams = {stream.name for stream in stacks.chosen(())}
    assert streams == {stream.name for stream in stacks.STREAMS} - {"deployment", "access"}
    assert [stream.name for stream in stacks.chosen(("storage", "access"))] == ["access", "storage"]


def test_outputs_become_settings_which_the_next_command_reads(command: Command, tmp_path: Path) -> None:
    assert command("deploy", "network", "storage", "emr", "schedules", "firs", "--yes")[0] == 0
    loaded = settings_module.load("pune", environ={}, folder=tmp_path)
    assert loaded.landing == "LandingUri-value"
    assert loaded.runtime_role == "RuntimeRoleArn-value"
    assert loaded.sources["landing"].endswith(settings_module.OUTPUTS_NAME)
    assert loaded.stream["events_table"] == "EventsTable-value"
    assert loaded.schedule["topic"] == "TopicArn-value"
    assert loaded.topic is None  # `schedule: topic` is no setting of the same name
    code, out, _ = command("outputs")
    assert code == 0
    assert {"stream": "firs", "output": "EventsTable", "value": "EventsTable-value", "setting": "stream.events_table"} in rows(out)  # fmt: skip


def test_region_and_account_are_written_and_others_are_refused_from_then_on(
    command: Command, formation: Formation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crime-jobs.toml").write_text(TOML.replace('region = "ap-south-1"', ""))
    assert command("deploy", "storage", "--region", "ap-south-1", "--yes")[0] == 0
    loaded = settings_module.load("pune", environ={"AWS_REGION": "eu-west-1"}, folder=tmp_path)
    assert (loaded.region, loaded.account) == ("ap-south-1", ACCOUNT)
    code, _, err = command("deploy", "storage", "--region", "eu-west-1", "--yes")
    assert code == 2
    assert "ap-south-1" in err
    monkeypatch.setattr(Sts, "get_caller_identity", lambda _: {"Account": "999999999999"})
    formation.calls.clear()
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 2
    assert "of account 999999999999" in err
    assert ACCOUNT in err
    assert not formation.calls


def test_the_question_says_which_account_and_region(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def refuse(text: str, **_: Any) -> bool:
        asked.append(text)
        return False

    monkeypatch.setattr("typer.confirm", refuse)
    assert command("deploy", "storage")[0] == 1
    assert asked == [f"Change it so in pune, account {ACCOUNT}, region ap-south-1?"]


def test_what_the_user_wrote_comes_before_what_deploy_wrote(command: Command, tmp_path: Path) -> None:
    (tmp_path / "crime-jobs.toml").write_text(
        TOML.replace("[pune.deploy]", 'lake = "s3://mine"\n[pune.deploy]')
    )
    assert command("deploy", "storage", "--yes")[0] == 0
    assert settings_module.load("pune", environ={}, folder=tmp_path).lake == "s3://mine"


def test_dry_run_shows_what_would_be_made_and_leaves_nothing(
    command: Command, formation: Formation, tmp_path: Path
) -> None:
    code, out, err = command("deploy", "network", "storage", "emr", "--dry-run")
    assert code == 0
    said = "crime-jobs-pune-emr: By its template, since CloudFormation can't be asked before it has storage, network."
    assert said in err
    found = rows(out)
    assert {row["action"] for row in found} == {"add"}
    assert {row["stream"] for row in found} == {"network", "storage", "emr"}
    assert "ExecuteChangeSet" not in formation.calls
    assert {stack["StackStatus"] for stack in formation.stacks.values()} == {"DELETE_COMPLETE"}
    assert not formation.sets
    assert not (tmp_path / settings_module.OUTPUTS_NAME).exists()


STREAMS = [stream.name for stream in stacks.STREAMS if stream.name != "analytics"]  # which wants a package


def test_the_dry_run_of_an_environment_that_is_not_there_is_what_deploy_then_makes(
    command: Command, formation: Formation
) -> None:
    code, out, err = command("deploy", *STREAMS, "--dry-run")
    assert code == 0, err
    planned = {(row["stream"], row["resource"], row["type"]) for row in rows(out)}
    assert len(planned) == len(rows(out)) > 150
    assert {row["action"] for row in rows(out)} == {"add"}
    assert f"all │ {len(planned)} │ {len({one[2] for one in planned})}" in err
    assert command("deploy", *STREAMS, "--yes")[0] == 0
    # Of the others the CloudFormation of the tests tells, which knows no conditions.
    ahead = [name for name in STREAMS if f"crime-jobs-pune-{name}: By its template" in err]
    assert set(STREAMS) - set(ahead) == {"deployment", "access", "network", "storage", "notifications"}
    given = {name: _given(formation, name) for name in ahead}
    made = {
        (name, resource, told["Type"])
        for name in ahead
        for resource, told in decided(load(name).document, given[name])["Resources"].items()
    }
    assert {one for one in planned if one[0] in ahead} == made
    # What takes from a stack that is not there: not the ways of one that stands alone.
    assert ("migration", "Vpc", "AWS::EC2::VPC") not in planned
    assert ("firs", "Workgroup", "AWS::RedshiftServerless::Workgroup") in planned


def _given(formation: Formation, name: str) -> dict[str, str]:
    found = formation.find(f"crime-jobs-pune-{name}")["parameters"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in found}


def test_a_change_of_one_stack_is_counted_beside_those_that_stay(command: Command) -> None:
    assert command("deploy", "storage", "--yes")[0] == 0
    code, out, err = command("deploy", "storage", "notifications", "--dry-run")
    assert code == 0
    assert {row["stream"] for row in rows(out)} == {"notifications"}
    assert "storage │ 0 │ 0" in err


def test_every_page_of_the_changes_is_shown(command: Command, formation: Formation) -> None:
    whole = rows(command("deploy", "storage", "--dry-run")[1])
    formation.page = 3
    assert len(whole) > formation.page
    assert rows(command("deploy", "storage", "--dry-run")[1]) == whole


def test_a_stack_that_somebody_deletes_meanwhile_is_waited_for_no_longer(
    command: Command, formation: Formation, monkeypatch: pytest.MonkeyPatch
) -> None:
    formation.steps = 5

    def delete(_: float) -> None:
        formation.find("crime-jobs-pune-storage")["StackStatus"] = "DELETE_COMPLETE"

    monkeypatch.setattr("crime_jobs.formation.stack.time", clock_with(sleep=delete))
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 1
    assert "Somebody deletes stack crime-jobs-pune-storage" in err


def test_no_change_says_so(command: Command) -> None:
    command("deploy", "storage", "--yes")
    code, out, _ = command("deploy", "storage", "--yes")
    assert code == 0
    assert [row["did"] for row in rows(out)] == ["no change"]


def test_the_first_reason_comes_first_and_nothing_stays(command: Command, formation: Formation) -> None:
    formation.fails = {"Lake": "crime-lake already exists (Service: S3, Status Code: 409)."}
    code, out, err = command("deploy", "storage", "notifications", "--yes")
    assert code == 1
    assert out == ""
    complaint = err.partition("error: ")[2]
    assert complaint.startswith("Lake (AWS::S3::Bucket): crime-lake already exists")
    assert "All that stack crime-jobs-pune-storage had made is removed again." in complaint
    assert "The name is taken" in complaint
    assert "cancelled" not in complaint
    assert "Not begun: notifications." in err
    assert formation.stacks["crime-jobs-pune-storage"]["StackStatus"] == "DELETE_COMPLETE"
    assert "crime-jobs-pune-notifications" not in formation.stacks


def test_what_a_rollback_leaves_is_named(command: Command, formation: Formation) -> None:
    formation.fails, formation.leaves = {"Lake": "no"}, {"AccessLogs"}
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 1
    assert "is ROLLBACK_COMPLETE, and AccessLogs stayed." in err
    assert formation.find("crime-jobs-pune-storage")["StackStatus"] == "ROLLBACK_COMPLETE"


def test_a_stack_that_was_never_whole_is_removed_before_the_next_try(
    command: Command, formation: Formation
) -> None:
    formation.fails, formation.leaves = {"Lake": "no"}, {"AccessLogs"}
    command("deploy", "storage", "--yes")
    formation.fails = {}
    code, out, err = command("deploy", "storage", "--yes")
    assert code == 0
    assert "removing what an earlier try left" in err
    assert rows(out)[0]["did"] == "done"


@pytest.mark.parametrize("arguments", [("--dry-run",), ()])
def test_nothing_is_removed_by_looking_or_before_somebody_agreed(
    command: Command, formation: Formation, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    formation.fails, formation.leaves = {"Lake": "no"}, {"AccessLogs"}
    command("deploy", "storage", "--yes")
    formation.calls.clear()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    code, _, err = command("deploy", "storage", *arguments)
    assert code == (0 if arguments else 1)
    assert "it would be removed and made anew" in err
    assert set(formation.calls) == {"DescribeStacks"}
    assert formation.find("crime-jobs-pune-storage")["StackStatus"] == "ROLLBACK_COMPLETE"


def test_the_empty_stack_of_another_deployment_that_waits_stays(
    command: Command, formation: Formation
) -> None:
    theirs = Changing(settings_module.load("pune", needs=()), "crime-jobs-pune-storage", print)
    plan = theirs.plan({"TemplateBody": '{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}'}, {}, {})
    assert plan is not None
    assert command("deploy", "storage", "--dry-run")[0] == 0
    assert formation.find("crime-jobs-pune-storage")["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert set(formation.sets) == {plan.arn}
    theirs.discard(plan.arn)
    assert formation.stacks["crime-jobs-pune-storage"]["StackStatus"] == "DELETE_COMPLETE"


def test_a_failed_update_leaves_all_as_it_was(command: Command, formation: Formation, tmp_path: Path) -> None:
    command("deploy", "storage", "--yes")
    stack = formation.find("crime-jobs-pune-storage")
    del stack["template"]["Resources"]["Trail"]  # so that there is something to add
    formation.fails = {"Trail": "Maximum number of trails exceeded: quota is 5."}
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 1
    assert "Stack crime-jobs-pune-storage is as it was before." in err
    assert "Service Quotas" in err
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_a_missing_permission_ends_with_4(command: Command, formation: Formation) -> None:
    formation.fails = {"Key": "User: arn:aws:iam::1:user/x is not authorized to perform: kms:CreateKey"}
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 4
    assert "get-caller-identity" in err


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_of_two_deployments_the_second_is_told_and_changes_nothing(
    command: Command, formation: Formation, status: str
) -> None:
    command("deploy", "storage", "--yes")
    formation.find("crime-jobs-pune-storage")["StackStatus"] = status
    formation.calls.clear()
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 1
    assert f"Another deployment of stack crime-jobs-pune-storage is under way ({status})" in err
    assert set(formation.calls) == {"DescribeStacks"}


def test_a_second_deployment_that_was_quicker_voids_the_first(
    command: Command, formation: Formation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: Any) -> None:
        formation.stacks["crime-jobs-pune-storage"]["StackStatus"] = "CREATE_IN_PROGRESS"
        raise refused("ExecuteChangeSet", "InvalidChangeSetStatus", "cannot be executed")

    monkeypatch.setattr(formation, "on_execute_change_set", gone)
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 1
    assert "Another deployment" in err


def test_ctrl_c_says_what_goes_on_in_aws(command: Command, formation: Formation) -> None:
    formation.steps, formation.interrupt = 3, 2
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 130
    assert "CloudFormation goes on with stack crime-jobs-pune-storage" in err
    assert "describe-stack-events" in err


def test_credentials_that_end_while_it_waits_do_not_look_like_a_failure_of_the_stack(
    command: Command, formation: Formation
) -> None:
    formation.steps, formation.expires = 3, 2
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 4
    assert "CloudFormation goes on with it." in err
    assert "Log in again" in err


def test_what_is_said_to_be_made_and_is_not_is_a_failure(command: Command, formation: Formation) -> None:
    formation.absent = {"AWS::CloudTrail::Trail"}
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 1
    assert "Trail of stack crime-jobs-pune-storage was not made" in err
    assert "deploy.without" in err


def test_what_an_environment_lacks_is_left_out_and_listed(
    command: Command, formation: Formation, tmp_path: Path
) -> None:
    (tmp_path / "crime-jobs.toml").write_text(TOML + 'without = ["AWS::CloudTrail::*"]\n')
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 0
    assert "Not made in pune" in err
    assert "AWS::CloudTrail::Trail" in err
    assert "Trail" not in formation.find("crime-jobs-pune-storage")["resources"]


def test_data_is_not_lost_by_yes_alone(command: Command, formation: Formation) -> None:
    command("deploy", "storage", "--yes")
    stack = formation.find("crime-jobs-pune-storage")
    stack["template"]["Resources"]["Lake"]["Properties"]["BucketName"] = "another"
    formation.calls.clear()
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 2
    assert "loses what it holds: Lake (AWS::S3::Bucket)" in err
    assert "ExecuteChangeSet" not in formation.calls
    assert not formation.sets
    assert command("deploy", "storage", "--yes", "--replace-data")[0] == 0


@pytest.mark.parametrize(
    "kind", ["AWS::CloudTrail::Trail", "AWS::Glue::Database", "AWS::Logs::LogGroup", "AWS::SNS::Topic"]
)
def test_records_and_subscriptions_are_not_lost_by_yes_alone(kind: str) -> None:
    row = {"resource": "R", "type": kind, "id": "r"}
    assert Plan("a", "s", [{**row, "action": "remove"}]).loses
    assert not Plan("a", "s", [{**row, "action": "modify"}]).loses


def test_nobody_there_to_answer_is_wrong_usage(command: Command, formation: Formation) -> None:
    code, _, err = command("deploy", "storage")
    assert code == 2
    assert "--yes" in err
    assert not formation.sets


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing",), "There is no stream 'nothing' to deploy."),
        (("quicksight",), "crime-jobs quicksight deploy"),
        (("emr",), "emr needs LandingBucket of storage for its LandingBucket, and that stack is not there."),
        (
            ("network", "storage", "emr", "firs", "analytics"),
            "Nothing says the parameter CodeKey of analytics",
        ),
    ],
)
def test_what_can_not_be_is_said_before_anything_is_made(
    command: Command, formation: Formation, arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = command("deploy", *arguments, "--yes")
    assert code == 2
    assert words in err
    assert "CreateChangeSet" not in formation.calls


@pytest.mark.parametrize("status", ["ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_is_stuck_says_the_way_out(command: Command, formation: Formation, status: str) -> None:
    command("deploy", "storage", "--yes")
    formation.find("crime-jobs-pune-storage")["StackStatus"] = status
    code, _, err = command("deploy", "storage", "--yes")
    assert code == 1
    assert ("continue-update-rollback" if status.startswith("UPDATE") else "delete-stack") in err


def test_every_output_that_a_stack_takes_is_one_that_its_stream_gives_and_comes_before_it() -> None:
    from crime_jobs.cloud.stacks_template import load

    seen: set[str] = set()
    for stream in stacks.STREAMS:
        template = load(stream.name)
        assert stream.takes.keys() <= template.parameters.keys(), stream.name
        for name, source in stream.takes.items():
            if isinstance(source, stacks.Output):
                assert source.stream in seen, (stream.name, name)
                assert source.key in load(source.stream).outputs, (stream.name, name)
        seen.add(stream.name)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("here-fir-stream already exists in stack", "taken"),
        ("Table already exists: fir_events (ResourceInUseException)", "taken"),
        ("The maximum number of VPCs has been reached.", "quota"),
        ("LimitExceededException", "quota"),
        ("The IAM Role arn:aws:iam::1:role/dms-vpc-role is not configured properly.", "DmsRoles"),
        ("User is not authorized to perform: iam:CreateRole", "permission"),
        ("Something else", ""),
    ],
)
def test_reasons_have_hints(reason: str, word: str) -> None:
    assert word in hint_of(reason)
    assert bool(hint_of(reason)) == bool(word)


def test_that_outputs_can_not_be_read_hides_no_failure(
    command: Command, formation: Formation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later stack fails by Ctrl-C, the credentials end: what is under way in AWS is what counts."""
    from crime_jobs.cloud import outputs
    from crime_jobs.errors import AwsRefused

    def refresh(*_: Any, **__: Any) -> Path:
        raise AwsRefused("Looking at stack x: expired.", hint="Log in again.")

    monkeypatch.setattr(outputs, "refresh", refresh)
    executed = formation.on_execute_change_set

    def execute(**request: Any) -> Any:
        if sum(call == "ExecuteChangeSet" for call in formation.calls) == 2:
            formation.steps, formation.interrupt = 3, 2
        return executed(**request)

    monkeypatch.setattr(formation, "on_execute_change_set", execute)
    code, _, err = command("deploy", "network", "storage", "--yes")
    assert code == 130
    assert "CloudFormation goes on with stack crime-jobs-pune-storage" in err
    assert "Looking at stack x: expired." in err
    assert "crime-jobs outputs --write --env pune" in err


def test_outputs_that_can_not_be_read_are_told_where_all_went_well(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crime_jobs.cloud import outputs
    from crime_jobs.errors import AwsRefused

    def refresh(*_: Any, **__: Any) -> Path:
        raise AwsRefused("Looking at stack x: expired.")

    monkeypatch.setattr(outputs, "refresh", refresh)
    assert command("deploy", "storage", "--yes")[0] == 4
