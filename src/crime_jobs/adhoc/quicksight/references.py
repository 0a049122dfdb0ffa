"""What the service's schema does not say: that whatever is referred to is there, and of the right type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

Json = dict[str, Any]
#: Type by column, by dataset.
Columns = Mapping[str, Mapping[str, str]]

#: https://docs.aws.amazon.com/quicksight/latest/APIReference/API_SheetDefinition.html and its neighbours.
_ID = re.compile(r"[\w\-]{1,512}")
_FIELD_ID_LENGTH = 512
#: The grid has 36 columns: https://docs.aws.amazon.com/quicksight/latest/APIReference/API_GridLayoutElement.html
GRID = 36

_NUMBERS = frozenset({"INTEGER", "DECIMAL"})
_TEXT, _DATES = frozenset({"STRING"}), frozenset({"DATETIME"})
#: What types the column of each kind of field and filter may have.
_TAKES = {
    "CategoricalDimensionField": _TEXT,
    "NumericalDimensionField": _NUMBERS,
    "DateDimensionField": _DATES,
    "CategoricalMeasureField": _TEXT,
    "NumericalMeasureField": _NUMBERS,
    "DateMeasureField": _DATES,
    "CategoryFilter": _TEXT,
    "NumericEqualityFilter": _NUMBERS,
    "NumericRangeFilter": _NUMBERS,
    "TimeEqualityFilter": _DATES,
    "TimeRangeFilter": _DATES,
    "RelativeDatesFilter": _DATES,
}
#: What a parameter must be to stand in a filter.
_PARAMETERS = {
    "CategoryFilter": {"StringParameterDeclaration"},
    "NumericEqualityFilter": {"IntegerParameterDeclaration", "DecimalParameterDeclaration"},
}
_CONTROLLED = {"ParameterControls": "ParameterControlId", "FilterControls": "FilterControlId"}


def walk(node: object) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, in whatever order.

    Parameters
    ----------
    node
        A structure of dictionaries and lists.
    """
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from one.items()
            left += [value for value in one.values() if isinstance(value, dict | list)]
        elif isinstance(one, list):
            left += one


def _values(node: object, key: str) -> list[Any]:
    return [value for name, value in walk(node) if name == key]


def problems(template: Json) -> list[str]:
    """Hold a template's analysis and dashboard against the datasets that it declares.

    Parameters
    ----------
    template
        As `crime_jobs.adhoc.quicksight.template.template` makes it.

    Returns
    -------
    list of str
        What is wrong, a line each; empty if nothing is.
    """
    resources = template["Resources"]
    made = {name: r for name, r in resources.items() if r["Type"] == "AWS::QuickSight::DataSet"}
    found = [line for name, data in made.items() for line in data_set_problems(name, data["Properties"])]
    for name, resource in resources.items():
        if "Definition" not in resource.get("Properties", {}):
            continue
        definition = resource["Properties"]["Definition"]
        columns: dict[str, Mapping[str, str]] = {}
        for declared in definition["DataSetIdentifierDeclarations"]:
            target = declared["DataSetArn"].get("Fn::GetAtt", [""])[0]
            if target not in made:
                found.append(f"{name}: dataset {declared['Identifier']} is made by no resource")
            else:
                columns[declared["Identifier"]] = input_types(made[target]["Properties"])
        found += [f"{name}: {line}" for line in definition_problems(definition, columns)]
    return found


def input_types(data_set: Json) -> dict[str, str]:
    """Return type by column of a dataset's physical table.

    Parameters
    ----------
    data_set
        Properties of ``AWS::QuickSight::DataSet``.
    """
    (table,) = data_set["PhysicalTableMap"].values()
    (source,) = table.values()
    return {c["Name"]: c["Type"] for c in source.get("Columns") or source["InputColumns"]}


def data_set_problems(name: str, data_set: Json) -> list[str]:
    """Hold a dataset's logical table, groups and rules against its own columns.

    Parameters
    ----------
    name
        What it is called in the messages.
    data_set
        Properties of ``AWS::QuickSight::DataSet``.
    """
    columns, physical = input_types(data_set), data_set["PhysicalTableMap"]
    wrong = []
    for table in data_set["LogicalTableMap"].values():
        if table["Source"]["PhysicalTableId"] not in physical:
            wrong.append(f"{name}: no table {table['Source']['PhysicalTableId']}")
        used = [*_values(table, "ColumnName"), *chain.from_iterable(_values(table, "ProjectedColumns"))]
        wrong += [f"{name}: no column {column}" for column in used if column not in columns]
    tagged = {
        operation["ColumnName"]
        for operation in _values(data_set["LogicalTableMap"], "TagColumnOperation")
        if any("ColumnGeographicRole" in tag for tag in operation["Tags"])
    }
    for group in _values(data_set.get("ColumnGroups", []), "GeoSpatialColumnGroup"):
        wrong += [
            f"{name}: {column} of group {group['Name']} has no geographic role"
            for column in group["Columns"]
            if column not in tagged
        ]
    if "RowLevelPermissionDataSet" not in data_set and data_set.get("UseAs") != "RLS_RULES":
        wrong.append(f"{name}: no rules hold for it: everybody would see every row")
    return wrong


def definition_problems(definition: Json, columns: Columns) -> list[str]:
    """Hold a definition against itself and its datasets.

    Parameters
    ----------
    definition
        A ``DashboardVersionDefinition`` or ``AnalysisDefinition``.
    columns
        Type by column, by the identifier of a declared dataset.

    Returns
    -------
    list of str
        What is wrong, a line each.
    """
    checks = (_ids, _columns, _types, _layouts, _scopes, _parameters, _filter_controls, _fields, _files)
    return [line for check in checks for line in check(definition, columns)]


def _visuals(sheet: Json) -> dict[str, Json]:
    return {body["VisualId"]: body for visual in sheet["Visuals"] for body in visual.values()}


def _ids(definition: Json, _: Columns) -> Iterator[str]:
    named = [
        *(("sheet", sheet["SheetId"]) for sheet in definition["Sheets"]),
        *(("visual", b["VisualId"]) for s in definition["Sheets"] for v in s["Visuals"] for b in v.values()),
        *(("filter group", group["FilterGroupId"]) for group in definition["FilterGroups"]),
        *(("filter", name) for name in _values(definition["FilterGroups"], "FilterId")),
        *(("parameter", b["Name"]) for d in definition["ParameterDeclarations"] for b in d.values()),
        *(("control", name) for key in _CONTROLLED.values() for name in _values(definition, key)),
        *(("layer", name) for name in _values(definition, "LayerId")),
        *(("dataset", d["Identifier"]) for d in definition["DataSetIdentifierDeclarations"]),
    ]
    for (kind, name), times in Counter(named).items():
        if times > 1:
            yield f"{kind} {name!r} is there {times} times"
        if not _ID.fullmatch(name):
            yield f"{kind} {name[:40]!r} is not an id"


def _columns(definition: Json, columns: Columns) -> Iterator[str]:
    for used in _column_references(definition):
        dataset, name = str(used.get("DataSetIdentifier")), used["ColumnName"]
        if dataset not in columns:
            yield f"dataset {dataset!r} is not declared (column {name})"
        elif name not in columns[dataset]:
            yield f"dataset {dataset} has no column {name!r}"
    for dataset in _values(definition, "DataSetIdentifier"):
        if dataset not in columns:
            yield f"dataset {dataset!r} is not declared"


def _column_references(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        if "ColumnName" in node:
            yield dict(node)
        for value in node.values():
            yield from _column_references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _column_references(item)


def _types(definition: Json, columns: Columns) -> Iterator[str]:
    for kind, body in walk(definition):
        if kind not in _TAKES:
            continue
        used = body["Column"]
        found = columns.get(used["DataSetIdentifier"], {}).get(used["ColumnName"])
        if found and found not in _TAKES[kind]:
            yield f"{kind} takes no {found}: {used['DataSetIdentifier']}.{used['ColumnName']}"


def _layouts(definition: Json, _: Columns) -> Iterator[str]:
    for sheet in definition["Sheets"]:
        controls = [
            (kind, name)
            for key, kind in (
                ("ParameterControlId", "PARAMETER_CONTROL"),
                ("FilterControlId", "FILTER_CONTROL"),
            )
            for name in _values(sheet, key)
        ]
        grids = (
            ("Layouts", [("VISUAL", name) for name in _visuals(sheet)]),
            ("SheetControlLayouts", controls),
        )
        for key, there in grids:
            elements: list[Json] = list(chain.from_iterable(_values(sheet[key], "Elements")))
            placed = [(e["ElementType"], e["ElementId"]) for e in elements]
            for kind, name in placed:
                if (kind, name) not in there:
                    yield f"sheet {sheet['SheetId']}: a place for {kind} {name!r}, which is not there"
            for kind, name in there:
                if placed.count((kind, name)) != 1:
                    yield f"sheet {sheet['SheetId']}: {kind} {name!r} has {placed.count((kind, name))} places"
            yield from _overlaps(sheet["SheetId"], elements)


def _overlaps(sheet: str, elements: list[Json]) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for element in elements:
        if element["ColumnIndex"] + element["ColumnSpan"] > GRID:
            yield f"sheet {sheet}: {element['ElementId']} is wider than the grid"
        cells = {
            (column, row)
            for column in range(element["ColumnIndex"], element["ColumnIndex"] + element["ColumnSpan"])
            for row in range(element["RowIndex"], element["RowIndex"] + element["RowSpan"])
        }
        for other in sorted({taken[cell] for cell in cells if cell in taken}):
            yield f"sheet {sheet}: {element['ElementId']} lies over {other}"
        taken |= dict.fromkeys(cells, str(element["ElementId"]))


def _scopes(definition: Json, _: Columns) -> Iterator[str]:
    sheets = {sheet["SheetId"]: _visuals(sheet) for sheet in definition["Sheets"]}
    for group in definition["FilterGroups"]:
        name = group["FilterGroupId"]
        filtered = {c["DataSetIdentifier"] for c in _column_references(group["Filters"])}
        for scope in _values(group["ScopeConfiguration"], "SheetVisualScopingConfigurations"):
            for part in scope:
                if part["SheetId"] not in sheets:
                    yield f"filter group {name}: no sheet {part['SheetId']!r}"
                    continue
                for visual in part.get("VisualIds", []):
                    body = sheets[part["SheetId"]].get(visual)
                    if body is None:
                        yield f"filter group {name}: no visual {visual!r} on sheet {part['SheetId']}"
                    elif not filtered & {c["DataSetIdentifier"] for c in _column_references(body)}:
                        yield f"filter group {name}: visual {visual} shows none of {sorted(filtered)}"


def _declared(definition: Json) -> dict[str, str]:
    return {
        body["Name"]: kind
        for declaration in definition["ParameterDeclarations"]
        for kind, body in declaration.items()
    }


def _parameters(definition: Json, _: Columns) -> Iterator[str]:
    declared = _declared(definition)
    for name in (*_values(definition, "SourceParameterName"), *_values(definition, "ParameterName")):
        if name not in declared:
            yield f"parameter {name!r} is not declared"
    for kind, allowed in _PARAMETERS.items():
        for body in _values(definition["FilterGroups"], kind):
            for name in _values(body, "ParameterName"):
                if declared.get(name, next(iter(allowed))) not in allowed:
                    yield f"{kind} {body['FilterId']} takes no {declared[name]}: {name}"


def _filter_controls(definition: Json, _: Columns) -> Iterator[str]:
    filters = {
        body["FilterId"]: group
        for group in definition["FilterGroups"]
        for one in group["Filters"]
        for body in one.values()
    }
    for sheet in definition["Sheets"]:
        for name in _values(sheet, "SourceFilterId"):
            if name not in filters:
                yield f"sheet {sheet['SheetId']}: a control of filter {name!r}, which is not there"
            elif sheet["SheetId"] not in _values(filters[name], "SheetId"):
                yield f"sheet {sheet['SheetId']}: a control of filter {name}, which holds for other sheets"


def _fields(definition: Json, _: Columns) -> Iterator[str]:
    """Every order and label names a field of its own visual."""
    for sheet in definition["Sheets"]:
        for visual, body in _visuals(sheet).items():
            made = [b["FieldId"] for b in _field_bodies(body)]
            for name, times in Counter(made).items():
                if times > 1:
                    yield f"visual {visual}: field {name} is there {times} times"
                if len(name) > _FIELD_ID_LENGTH:
                    yield f"visual {visual}: field {name[:40]} is longer than {_FIELD_ID_LENGTH}"
            for name in _values(body, "FieldId"):
                if name not in made:
                    yield f"visual {visual}: field {name!r} is not there"


def _field_bodies(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        if "FieldId" in node and "Column" in node:
            yield dict(node)
        for value in node.values():
            yield from _field_bodies(value)
    elif isinstance(node, list):
        for item in node:
            yield from _field_bodies(item)


def _files(definition: Json, _: Columns) -> Iterator[str]:
    there = _values(definition.get("StaticFiles", []), "StaticFileId")
    for used in _values(definition["Sheets"], "StaticFileId"):
        if used not in there:
            yield f"file {used!r} is not there"
