"""quicksight.yaml: what the service's model takes, with nothing in it that refers to what isn't there."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from crime_jobs.adhoc import questions
from crime_jobs.adhoc.quicksight import permissions, rendering
from crime_jobs.adhoc.quicksight.datasets import DATABASE, RULED, SHOWN, statement
from crime_jobs.adhoc.quicksight.references import definition_problems, input_types, problems
from crime_jobs.adhoc.quicksight.template import template
from crime_jobs.model import places
from tests.conftest import ROOT
from tests.unit import quicksight_model as model

Json = dict[str, Any]
MADE = template()
RESOURCES: Json = MADE["Resources"]
#: CloudFormation's limits: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LARGEST_FROM_S3, MOST_RESOURCES = 1024 * 1024, 500


def of(kind: str) -> dict[str, Json]:
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == f"AWS::QuickSight::{kind}"}


DEFINITION: Json = of("Dashboard")["Dashboard"]["Definition"]
COLUMNS = {name: dataset.types for name, dataset in SHOWN.items()}


def test_the_file_is_what_the_generator_makes() -> None:
    path = ROOT / "src/crime_jobs/cloud/quicksight.yaml"
    text = path.read_text()
    assert text == rendering.rendered(), "run `python -m crime_jobs.adhoc.quicksight`"
    assert yaml.safe_load(text) == MADE
    assert not re.search(r"^\s*\S+: [&*]\w+$", text, re.MULTILINE)  # CloudFormation reads no aliases
    assert len(text.encode()) < LARGEST_FROM_S3
    assert len(RESOURCES) < MOST_RESOURCES


@pytest.mark.parametrize("name", [n for n, r in RESOURCES.items() if r["Type"] in model.OPERATIONS])
def test_the_api_takes_every_part(name: str) -> None:
    operation, sent = model.request(MADE, name)
    assert list(model.violations(operation.input_shape, sent)) == []


def _breaks(sent: Json) -> Iterator[tuple[str, Callable[[], object]]]:
    visuals = sent["Definition"]["Sheets"][0]["Visuals"]
    layout = sent["Definition"]["Sheets"][0]["Layouts"][0]["Configuration"]["GridLayout"]
    yield "a choice", lambda: visuals[0]["KPIVisual"]["Title"].update(Visibility="SHOWN")
    yield "a pattern", lambda: sent["Definition"]["Sheets"][0].update(SheetId="over view")
    yield "a length", lambda: visuals[0]["KPIVisual"].update(VisualId="x" * 513)
    yield "a name", lambda: visuals[0]["KPIVisual"].update(Colour="red")
    yield "a type", lambda: layout["Elements"][0].update(ColumnSpan="wide")
    yield "a bound", lambda: layout["Elements"][0].update(ColumnSpan=37)
    yield "a lack", lambda: visuals[0]["KPIVisual"].pop("VisualId")
    yield "a size", lambda: sent["Definition"].update(Sheets=sent["Definition"]["Sheets"] * 5)


@pytest.mark.parametrize("index", range(8))
def test_the_check_by_the_model_finds_what_is_broken(index: int) -> None:
    operation, sent = model.request(MADE, "Dashboard")
    what, damage = list(_breaks(sent))[index]
    damage()
    assert list(model.violations(operation.input_shape, sent)), what


def test_everything_that_is_referred_to_is_there() -> None:
    assert problems(MADE) == []


#: Keys whose value names something else, each of which must be found when it is wrong.
NAMES = {
    "ColumnName",
    "DataSetIdentifier",
    "ElementId",
    "FieldId",
    "ParameterName",
    "SheetId",
    "SourceFilterId",
    "SourceParameterName",
    "StaticFileId",
    "VisualId",
}


def _slots(node: Any) -> Iterator[tuple[Any, Any]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        if isinstance(value, str) and (key in NAMES or isinstance(node, list)):
            yield node, key
        yield from _slots(value)


def test_any_reference_that_is_broken_is_found() -> None:
    definition = copy.deepcopy(DEFINITION)
    parts = ("Sheets", "StaticFiles", "FilterGroups")
    slots = [slot for part in parts for slot in _slots(definition[part])]
    # Values of filters are data and no names; a field that nothing names may be called anything.
    named = [
        (n, k) for n, k in slots if not _is_value(definition, n) and not (k == "FieldId" and "Column" in n)
    ]
    kept = _some_of_each(named)
    assert len(kept) > 100
    assert {key for _, key in kept if isinstance(key, str)} == NAMES
    missed = []
    for node, key in kept:
        right, node[key] = node[key], "nobody"
        if not definition_problems(definition, COLUMNS):
            missed.append((key, right))
        node[key] = right
    assert missed == []
    assert definition_problems(definition, COLUMNS) == []


def _some_of_each(slots: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Some eight of each kind of place: enough, and there are a thousand."""
    kinds: dict[Any, list[tuple[Any, Any]]] = {}
    for node, key in slots:
        kind = (key, tuple(node)) if isinstance(node, dict) else "list"
        kinds.setdefault(kind, []).append((node, key))
    return [slot for found in kinds.values() for slot in found[:: max(1, len(found) // 8)]]


def _is_value(definition: Json, node: Any) -> bool:
    if not isinstance(node, list):
        return False
    values = [
        body["Configuration"]["FilterListConfiguration"].get("CategoryValues")
        for group in definition["FilterGroups"]
        for one in group["Filters"]
        for body in one.values()
        if "FilterListConfiguration" in body.get("Configuration", {})
    ]
    return any(node is value for value in values)


def test_a_column_of_the_wrong_type_is_found_wherever_it_stands() -> None:
    definition = copy.deepcopy(DEFINITION)
    typed = [
        body["Column"]
        for kind, body in _keyed(definition)
        if kind.endswith(("DimensionField", "MeasureField", "Filter")) and "Column" in body
    ]
    assert len(typed) > 50
    for column in typed[::2]:
        right, types = column["ColumnName"], COLUMNS[column["DataSetIdentifier"]]
        numeric = types[right] != "STRING"
        column["ColumnName"] = next(name for name, kind in types.items() if (kind != "STRING") != numeric)
        assert definition_problems(definition, COLUMNS), column
        column["ColumnName"] = right


def _keyed(node: Any) -> Iterator[tuple[str, Json]]:
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _keyed(value)
    if isinstance(node, dict):
        yield from ((key, value) for key, value in node.items() if isinstance(value, dict))


def _twice(definition: Json) -> Iterator[tuple[str, Callable[[], object]]]:
    sheets, groups = definition["Sheets"], definition["FilterGroups"]
    yield "sheet", lambda: sheets.append(sheets[0])
    yield "visual", lambda: sheets[0]["Visuals"].append(sheets[1]["Visuals"][0])
    yield "filter", lambda: groups.append(groups[0])
    yield (
        "parameter",
        lambda: definition["ParameterDeclarations"].append(definition["ParameterDeclarations"][0]),
    )
    yield "place", sheets[0]["Layouts"][0]["Configuration"]["GridLayout"]["Elements"].pop
    yield "overlap", lambda: _element(sheets[0], 1).update(ColumnIndex=0)
    yield "edge", lambda: _element(sheets[0], 2).update(ColumnIndex=30)
    yield "control", lambda: sheets[3]["FilterControls"].append(sheets[4]["FilterControls"][0])
    yield (
        "integer for text",
        lambda: groups[1]["Filters"][0]["NumericEqualityFilter"].update(ParameterName="Place"),
    )
    yield (
        "scope",
        lambda: groups[0]["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"][0][
            "VisualIds"
        ].append("line-trend"),
    )  # there, but of another dataset


def _element(sheet: Json, index: int) -> Json:
    found: Json = sheet["Layouts"][0]["Configuration"]["GridLayout"]["Elements"][index]
    return found


@pytest.mark.parametrize("index", range(10))
def test_what_is_there_twice_or_misplaced_is_found(index: int) -> None:
    definition = copy.deepcopy(DEFINITION)
    what, damage = list(_twice(definition))[index]
    damage()
    assert definition_problems(definition, COLUMNS), what


def test_a_dataset_that_nobody_made_or_that_is_not_ruled_is_found() -> None:
    broken = copy.deepcopy(MADE)
    declared = broken["Resources"]["Analysis"]["Properties"]["Definition"]["DataSetIdentifierDeclarations"]
    declared[0]["DataSetArn"] = {"Fn::GetAtt": ["Nobody", "Arn"]}
    del broken["Resources"]["HotSpots"]["Properties"]["RowLevelPermissionDataSet"]
    tags = broken["Resources"]["CrimeByRegion"]["Properties"]["LogicalTableMap"]["crime-by-region-logical"]
    named = [one.get("TagColumnOperation", {}).get("ColumnName") for one in tags["DataTransforms"]]
    del tags["DataTransforms"][named.index("state")]
    said = "\n".join(problems(broken))
    assert "Analysis: dataset crime_by_region is made by no resource" in said
    assert "HotSpots: no rules hold for it" in said
    assert "CrimeByRegion: state of group Place has no geographic role" in said


def test_analysis_and_dashboard_show_the_same() -> None:
    assert of("Analysis")["Analysis"]["Definition"] == DEFINITION


def test_every_dataset_is_ruled_by_state_and_refreshed_whole_each_day() -> None:
    shown = {name: p for name, p in of("DataSet").items() if name != "Rules"}
    assert len(shown) == len(SHOWN)
    for name, properties in shown.items():
        ruled = properties["RowLevelPermissionDataSet"]
        assert ruled["Arn"] == {"Fn::GetAtt": ["Rules", "Arn"]}
        assert (ruled["PermissionPolicy"], ruled["FormatVersion"], ruled["Status"]) == (
            "GRANT_ACCESS",
            "VERSION_2",
            "ENABLED",
        )
        assert input_types(properties)[RULED] == "STRING", name
    rules = of("DataSet")["Rules"]
    assert rules["UseAs"] == "RLS_RULES"
    assert set(input_types(rules)) == {"UserARN", "GroupARN", RULED}
    schedules = [(p["DataSetId"], p["Schedule"]) for p in of("RefreshSchedule").values()]
    assert [s for s, _ in schedules] == [p["DataSetId"] for p in of("DataSet").values()]
    for _, schedule in schedules:
        assert schedule["RefreshType"] == "FULL_REFRESH"
        assert schedule["ScheduleFrequency"]["Interval"] == "DAILY"


def test_viewers_see_the_dashboard_and_nothing_behind_it() -> None:
    granted: dict[str, set[str]] = {}
    for name, resource in RESOURCES.items():
        for permission in resource["Properties"].get("Permissions", []):
            granted.setdefault(permission["Principal"]["Ref"], set()).add(name)
            if permission["Principal"]["Ref"] != "OwnerArn" and name != "Analysis":
                changes = [a for a in permission["Actions"] if re.search(":(Update|Delete|Create)", a)]
                assert changes == [], name
    assert granted["ViewerArn"] == {"Dashboard"}
    assert "Rules" not in granted["AuthorArn"]
    assert not {"Athena", "RulesFile"} & granted["AuthorArn"]
    assert {len(permissions.of(kind)) for kind in ("rules", "source")} == {1}


def statements() -> list[Json]:
    """What the role may do where there are FIRs and keys, its parameters filled in."""
    (policy,) = copy.deepcopy(RESOURCES["ReaderRole"]["Properties"]["Policies"])
    given = copy.deepcopy(MADE)
    here = {"HistoryBucket": "crime-firs", "KeyArns": "key/read", "ResultsKeyArn": "key/results"}
    for name, value in here.items():
        given["Parameters"][name]["Default"] = value
    written = [one.get("Fn::If", [None, one])[1] for one in policy["PolicyDocument"]["Statement"]]
    found: list[Json] = model.resolved(given, written)
    return found


def test_the_role_reads_folders_and_no_bucket_whole() -> None:
    """Beside the history are dead letters, which are FIRs, and what Firehose could not deliver."""

    def readable(key: str) -> bool:
        arns = [arn for one in statements() for arn in one["Resource"]]
        return any(fnmatchcase(f"arn:aws:s3:::{key}", arn) for arn in arns)

    for folder in ("dead-letters", "history-undelivered", "history-loads", "firehose", "other"):
        assert not readable(f"crime-firs/{folder}/2026/11/24/one.gz")
    for bucket in ("crime-lake", "crime-results", "crime-artifacts", "elsewhere"):
        assert not readable(f"{bucket}/other/one.csv")
    assert readable("crime-firs/history/2026/11/24/10/one.gz")
    assert readable("crime-lake/lake/hot_spots/part-0.parquet")
    assert readable("crime-results/results/one.csv")
    assert readable("crime-artifacts/quicksight/rules.csv")
    listed = {
        tuple(one["Resource"]): one.get("Condition")
        for one in statements()
        if "s3:ListBucket" in one["Action"]
    }
    assert listed == {
        (f"arn:aws:s3:::{bucket}",): prefix and {"StringLike": {"s3:prefix": prefix}}
        for bucket, prefix in (
            ("crime-lake", "lake/*"),
            ("crime-firs", "history/*"),
            ("crime-artifacts", "quicksight/*"),
            ("crime-results", None),  # Athena asks for it without a prefix, to see whether it is there
        )
    }


def test_keys_open_for_s3_alone_and_only_the_results_key_seals() -> None:
    used = [one for one in statements() if any(action.startswith("kms:") for action in one["Action"])]
    assert {one["Resource"]: one["Action"] for one in used} == {
        "key/read": ["kms:Decrypt"],
        "key/results": ["kms:Decrypt", "kms:GenerateDataKey"],
    }
    for one in used:
        assert one["Condition"] == {"StringEquals": {"kms:ViaService": f"s3.{model.REGION}.amazonaws.com"}}


@pytest.mark.parametrize("name", SHOWN)
def test_a_dataset_asks_its_question_for_everything(name: str) -> None:
    sql = statement(SHOWN[name])
    asked = questions.find(name)
    assert sql.count("CAST('all' AS VARCHAR)") == len(asked.parameters)
    assert "?" not in sql
    tables = re.findall(r'FROM ("[^"]+"\.)?(\w+)', sql)
    assert {table for schema, table in tables if schema} & set(tables_of(name))
    assert DATABASE in sql
    assert sql.count("${") == sql.count(DATABASE)  # or CloudFormation would look for another parameter


def tables_of(name: str) -> list[str]:
    return (
        ["firs"]
        if name.startswith("firs")
        else [
            {
                "crime_over_time": "crime_by_period",
                "traffic_by_hour": "traffic_by_time_of_day",
            }.get(name, name)
        ]
    )


def test_no_year_of_a_state_is_added_to_that_of_the_country() -> None:
    """Marts hold levels beside each other: each visual of one either has a place chosen or one level."""
    levelled = {name for name, types in COLUMNS.items() if "level" in types}
    fixed: set[str] = set()
    for group in DEFINITION["FilterGroups"]:
        (one,) = group["Filters"]
        (body,) = one.values()
        said = json.dumps(body)
        if '"Place"' in said or ('"level"' in said and '"CONTAINS"' in said):
            scopes = group["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"]
            fixed |= {visual for scope in scopes for visual in scope["VisualIds"]}
    for sheet in DEFINITION["Sheets"]:
        for visual in sheet["Visuals"]:
            (body,) = visual.values()
            if any(f'"DataSetIdentifier": "{name}"' in json.dumps(body) for name in levelled):
                assert body["VisualId"] in fixed


def test_the_map_is_drawn_from_boundaries_whose_keys_are_our_codes() -> None:
    (layer,) = [
        layer
        for sheet in DEFINITION["Sheets"]
        for visual in sheet["Visuals"]
        for body in visual.values()
        for layer in body["ChartConfiguration"].get("MapLayers", [])
    ]
    shapes = json.loads((ROOT / "data/india_states.geojson").read_text())["features"]
    key = layer["JoinDefinition"]["ShapeKeyField"]
    assert {shape["properties"][key] for shape in shapes} == set(places.states())
    assert layer["JoinDefinition"]["DatasetKeyField"]["Column"]["ColumnName"] == RULED
    # Layer maps draw polygons only: docs/decisions/quicksight-map.md.
    assert {shape["geometry"]["type"] for shape in shapes} <= {"Polygon", "MultiPolygon"}
