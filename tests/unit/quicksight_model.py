"""QuickSight's own model, as botocore ships it, held against a template: stricter than botocore itself, which looks
at neither choices nor patterns nor upper bounds.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

SERVICE = get_session().get_service_model("quicksight")
ACCOUNT, REGION = "123456789012", "ap-south-1"
GROUP = f"arn:aws:quicksight:us-east-1:{ACCOUNT}:group/default/"
GIVEN = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "LakeBucket": "crime-lake",
    "ResultsBucket": "crime-results",
    "FilesBucket": "crime-artifacts",
    "FilesPrefix": "quicksight",
    "ViewerArn": f"{GROUP}viewers",
    "AuthorArn": f"{GROUP}authors",
    "OwnerArn": f"{GROUP}owners",
}
#: What a resource of CloudFormation is made with.
OPERATIONS = {
    "AWS::QuickSight::DataSource": "CreateDataSource",
    "AWS::QuickSight::DataSet": "CreateDataSet",
    "AWS::QuickSight::RefreshSchedule": "CreateRefreshSchedule",
    "AWS::QuickSight::Theme": "CreateTheme",
    "AWS::QuickSight::Analysis": "CreateAnalysis",
    "AWS::QuickSight::Dashboard": "CreateDashboard",
}


def resolved(template: dict[str, Any], node: Any) -> Any:
    """Fill in what CloudFormation would: parameters, ARNs, substitutions."""
    known = {name: str(p["Default"]) for name, p in template["Parameters"].items() if "Default" in p} | GIVEN
    if isinstance(node, list):
        return [resolved(template, item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"}:
        return known[node["Ref"]]
    if node.keys() == {"Fn::GetAtt"}:
        name, attribute = node["Fn::GetAtt"]
        assert attribute == "Arn"
        service = "iam" if template["Resources"][name]["Type"] == "AWS::IAM::Role" else "quicksight"
        return f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{ACCOUNT}:role/{name}"
    if node.keys() == {"Fn::Sub"}:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: known[found[1]], node["Fn::Sub"])
    assert not any(key.startswith("Fn::") for key in node)
    return {key: resolved(template, value) for key, value in node.items()}


def request(template: dict[str, Any], name: str) -> tuple[OperationModel, dict[str, Any]]:
    """Return what CloudFormation would send to make a resource."""
    resource = template["Resources"][name]
    sent = copy.deepcopy(resolved(template, resource["Properties"]))
    sent.pop("IngestionWaitPolicy", None)  # CloudFormation's own
    if resource["Type"] == "AWS::QuickSight::RefreshSchedule":  # the one name that the API spells otherwise
        frequency = sent["Schedule"]["ScheduleFrequency"]
        frequency["Timezone"] = frequency.pop("TimeZone")
    return SERVICE.operation_model(OPERATIONS[resource["Type"]]), sent


def violations(shape: Shape, value: Any, where: str = "request") -> Iterator[str]:
    """Say where a value is not what the model asks for."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        yield from report.generate_report().splitlines()
    else:
        yield from _beyond(shape, value, where)


def _beyond(shape: Shape, value: Any, where: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for key, inner in value.items():
            yield from _beyond(shape.members[key], inner, f"{where}.{key}")
    elif isinstance(shape, ListShape):
        yield from _bounds(shape, len(value), where)
        for i, inner in enumerate(value):
            yield from _beyond(shape.member, inner, f"{where}[{i}]")
    elif isinstance(shape, MapShape):
        for key, inner in value.items():
            yield from _beyond(shape.key, key, f"{where}.{key}")
            yield from _beyond(shape.value, inner, f"{where}.{key}")
    elif shape.type_name == "string":
        yield from _text(shape, value, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _bounds(shape, value, where)


def _text(shape: Shape, value: str, where: str) -> Iterator[str]:
    choices, pattern = getattr(shape, "enum", []), shape.metadata.get("pattern")
    if choices and value not in choices:
        yield f"{where}: {value!r} is none of {choices}"
    if pattern and not re.fullmatch(_python(pattern), value):
        yield f"{where}: {value!r} is not {pattern}"
    yield from _bounds(shape, len(value), where)


def _python(pattern: str) -> str:
    return pattern.replace(r"\p{L}", r"\w").replace(r"\P{M}\p{M}*+", ".").replace(r"\p{M}", "")


def _bounds(shape: Shape, value: float, where: str) -> Iterator[str]:
    bounds: Mapping[str, float] = shape.metadata
    if not bounds.get("min", value) <= value <= bounds.get("max", value):
        yield f"{where}: {value} is not from {bounds.get('min')} to {bounds.get('max')}"
