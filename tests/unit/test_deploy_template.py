"""Templates as deploy sends them: whatever is left out, what is left stands by itself; outputs are settings."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]
from hypothesis import assume, given
from hypothesis import strategies as st

from crime_jobs import settings as settings_module
from crime_jobs.cloud import outputs, stacks
from crime_jobs.cloud.stacks_conditions import decided
from crime_jobs.cloud.stacks_template import Template, load, reduced, references
from crime_jobs.errors import WrongUsage
from tests.conftest import ROOT

NAMES = [stream.name for stream in stacks.STREAMS]


@cache
def template(name: str) -> Template:
    return load(name)


def types(name: str) -> list[str]:
    return sorted({resource["Type"] for resource in template(name).resources.values()})


@pytest.mark.parametrize("name", NAMES)
def test_short_forms_are_read_as_cfn_lint_reads_them(name: str) -> None:
    theirs = cfn_yaml.load(str(ROOT / f"src/crime_jobs/cloud/{name}.yaml"))

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list) else value

    assert template(name).document == plain(theirs)


def chosen(name: str) -> st.SearchStrategy[tuple[str, list[str]]]:
    return st.tuples(st.just(name), st.lists(st.sampled_from(types(name)), unique=True, min_size=1))


@given(st.sampled_from(NAMES).flatmap(chosen))
def test_what_is_left_refers_to_nothing_that_is_not_there(case: tuple[str, list[str]]) -> None:
    name, without = case
    whole = template(name)
    try:
        left = reduced(whole, without, {})
    except WrongUsage:  # all of it needs a key, for example, which is left out
        assume(False)
    there = {*left.resources, *left.parameters, "AWS"}
    for part in (left.resources, left.outputs, left.document.get("Conditions", {})):
        assert {one.partition("::")[0] for one in references(part)} <= there
    for resource in left.resources.values():
        assert resource["Type"] not in without
        order = resource.get("DependsOn", [])
        assert set([order] if isinstance(order, str) else order) <= set(left.resources)
    assert left.left_out.keys().isdisjoint(left.resources)
    dropped = whole.resources.keys() - left.resources.keys() - left.left_out.keys()
    assert all("Condition" in whole.resources[one] for one in dropped)  # and nothing goes unsaid
    assert template(name).document == load(name).document  # the whole one is as it was


def test_a_statement_about_what_is_not_there_goes_and_its_policy_stays() -> None:
    left = reduced(template("firs"), ["AWS::RedshiftServerless::*"], {})
    sids = [s["Sid"] for s in left.resources["LoaderPolicy"]["Properties"]["PolicyDocument"]["Statement"]]
    assert "AsksRedshift" not in sids
    assert {"Lists", "Looks", "WritesLists", "OpensFiles"} <= set(sids)
    assert "RedshiftGroup" not in left.parameters


def test_without_anything_to_leave_out_the_template_is_sent_as_it_is() -> None:
    assert reduced(template("emr"), (), {}) is template("emr")


@pytest.mark.parametrize(("cluster", "made"), [("no", False), ("yes", True)])
def test_what_a_condition_rules_out_is_not_sent(cluster: str, made: bool) -> None:
    document = decided(template("emr").document, {"Cluster": cluster})
    assert ("EmrCluster" in document["Resources"]) is made
    assert ("ClusterId" in document["Outputs"]) is made


A, B, UNKNOWN = {"Fn::Equals": [{"Ref": "P"}, "a"]}, {"Fn::Equals": ["b", {"Ref": "P"}]}, {"Fn::Equals": [{"Ref": "Q"}, ""]}  # fmt: skip
EMPTY = {"Fn::Equals": [{"Fn::Join": ["", {"Ref": "L"}]}, ""]}


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        (A, True),
        (B, False),
        (UNKNOWN, None),
        ({"Fn::Not": [A]}, False),
        ({"Fn::Not": [UNKNOWN]}, None),
        ({"Fn::And": [A, B]}, False),
        ({"Fn::And": [A, UNKNOWN]}, None),
        ({"Fn::And": [B, UNKNOWN]}, False),
        ({"Fn::And": [A, {"Fn::Not": [B]}]}, True),
        ({"Fn::Or": [A, UNKNOWN]}, True),
        ({"Fn::Or": [B, UNKNOWN]}, None),
        ({"Fn::Or": [B, B]}, False),
        ({"Condition": "Other"}, True),
        (EMPTY, True),
        ({"Fn::Equals": [{"Fn::Sub": "x"}, "x"]}, None),
    ],
)
def test_conditions_come_to_what_aws_says_or_stay_open(condition: Any, truth: bool | None) -> None:
    document = {
        "Parameters": {"P": {"Default": "a"}, "Q": {}, "L": {"Default": ""}},
        "Conditions": {"C": condition, "Other": A},
        "Resources": {
            "R": {"Type": "T", "Condition": "C"},
            "S": {
                "Type": "T",
                "Properties": {
                    "X": {"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]},
                    "Y": [{"Fn::If": ["C", 2, 3]}],
                },
            },
        },
    }
    made = decided(document, {})
    assert ("R" in made["Resources"]) is (truth is not False)
    found = made["Resources"]["S"]["Properties"]
    expected = {True: {"X": 1, "Y": [2]}, False: {"Y": [3]}, None: document["Resources"]["S"]["Properties"]}
    assert found == expected[truth]


def endpoints(*streams: str, **given: str) -> list[dict[str, Any]]:
    """The interface endpoints of an environment that has these streams; none named means all."""
    (network,) = stacks.chosen(["network"])
    told = stacks.DeploySettings(streams=streams, parameters={"network": dict(given)})
    known = stacks.Known(told, "aws", "123456789012", {})
    values, _ = stacks.parameters(network, template("network"), known)
    made = decided(template("network").document, values)["Resources"].values()
    found = [one["Properties"] for one in made if one["Type"] == "AWS::EC2::VPCEndpoint"]
    return [one for one in found if one["VpcEndpointType"] == "Interface"]


def services(*streams: str) -> set[str]:
    return {one["ServiceName"]["Fn::Sub"].rpartition("}.")[2] for one in endpoints(*streams)}


def test_endpoints_are_those_of_what_the_streams_use() -> None:
    always = {"kms", "sts", "logs"}
    emr = {"elasticmapreduce", "emr-serverless", "glue", "monitoring", "ssm", "ssmmessages"}
    firs = {"kinesis-streams", "sns", "sqs", "redshift-data", "monitoring"}
    assert services("network", "storage") == always
    assert services("network", "emr") == always | emr
    assert services("network", "firs") == services("network", "analytics") == always | firs
    assert services("network", "adhoc") == always | {"athena", "glue"}
    assert services("network", "faces") == always | {"rekognition", "secretsmanager"}
    assert services("network", "migration") == always | {"secretsmanager", "sns"}
    assert services() == always | emr | firs | {"athena", "rekognition", "secretsmanager"}
    assert endpoints(Endpoints="no") == []


def test_endpoints_stand_where_the_nodes_of_emr_are_and_in_more_zones_when_asked() -> None:
    (emr,) = stacks.chosen(["emr"])
    assert emr.takes["PrivateSubnet"] == stacks.Output("network", "SubnetA")
    for zones, names in ((None, "A"), ("1", "A"), ("2", "AB"), ("3", "ABC")):
        given = {"EndpointZones": zones} if zones else {}
        for one in endpoints(**given):
            assert one["SubnetIds"] == [{"Ref": f"Subnet{name}"} for name in names]


def test_what_docs_say_of_the_networks_price_is_what_the_template_makes() -> None:
    page = (ROOT / "docs/deploy.md").read_text()
    rows = re.findall(r"\| ([a-z, ]+) \| (\d+) \| (\d+) USD \| (\d+) USD \|", page)
    assert len(rows) >= 3
    for streams, count, one_zone, three_zones in rows:
        chosen_ = () if streams == "all" else tuple(streams.split(", "))
        made = endpoints(*chosen_)
        # 0.01 USD an hour and zone in us-east-1, 730 hours a month: https://aws.amazon.com/privatelink/pricing/
        assert (int(count), int(one_zone)) == (len(made), round(len(made) * 7.30)), streams
        assert int(three_zones) == round(len(made) * 3 * 7.30), streams


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.dictionaries(st.sampled_from(["landing", "lake", "topic"]), texts), texts)
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, made: dict[str, str], text: str) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("outputs")
    whole = {**made, "stream": {"name": text}}
    outputs.write("one", {"lake": "kept"}, folder)
    path = outputs.write("two", whole, folder)
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"one": {"lake": "kept"}, "two": whole}
    outputs.forget("two", folder)
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"one": {"lake": "kept"}}


def test_to_forget_what_was_never_written_writes_nothing(tmp_path: Path) -> None:
    outputs.forget("one", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_can_not_be_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / settings_module.OUTPUTS_NAME
    path.write_text("not = [toml")
    with pytest.raises(Exception, match="Where things are can't be written"):
        outputs.write("one", {"lake": "x"}, tmp_path)
    assert path.read_text() == "not = [toml"


def _alarms() -> dict[str, str]:
    kinds = {"AWS::CloudWatch::Alarm", "AWS::Events::Rule", "AWS::Budgets::Budget"}
    return {name: r["Type"] for name, r in template("monitoring").resources.items() if r["Type"] in kinds}


def test_each_alarm_has_its_section_of_the_runbook_with_a_command_to_run() -> None:
    """That the commands exist, with these options, is tested in test_docs.py."""
    page = (ROOT / "docs/runbook.md").read_text()
    sections = dict(section.split("\n", 1) for section in page.split("\n## ")[1:])
    assert len(_alarms()) == 12
    for name in _alarms():
        assert "```sh\ncrime-jobs " in sections[name], name
        assert f"](#{name.lower()})" in page, name
    assert sections.keys() - _alarms().keys() == {"When something was deleted"}


def test_each_alarm_tells_the_topic_and_names_its_section() -> None:
    for name, kind in _alarms().items():
        properties = template("monitoring").resources[name]["Properties"]
        if kind == "AWS::CloudWatch::Alarm":
            assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "AlarmTopic"}]
            assert properties["AlarmDescription"].endswith(f"docs/runbook.md#{name.lower()}")
        elif kind == "AWS::Events::Rule":
            assert [target["Arn"] for target in properties["Targets"]] == [{"Ref": "AlarmTopic"}]
            assert properties["Description"].endswith(f"docs/runbook.md#{name.lower()}")
        else:
            told = [one["Subscribers"] for one in properties["NotificationsWithSubscribers"]]
            assert told == [[{"SubscriptionType": "SNS", "Address": {"Ref": "AlarmTopic"}}]] * 2


def test_the_board_shows_every_alarm() -> None:
    text = template("monitoring").resources["Board"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, kind in _alarms().items():
        if kind == "AWS::CloudWatch::Alarm":
            assert f"${{{name}.Arn}}" in text
    board = json.loads(text)
    assert len(board["widgets"]) == 5


def test_what_operations_says_of_retention_stands_in_the_templates() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    named = re.findall(r"`(\w+)\.yaml`: `([\w-]+)`(?:, `([\w-]+)`)?", page)
    assert len(named) >= 10
    for stream, *words in named:
        text = (ROOT / f"src/crime_jobs/cloud/{stream}.yaml").read_text()
        assert all(word in text for word in words), (stream, words)
