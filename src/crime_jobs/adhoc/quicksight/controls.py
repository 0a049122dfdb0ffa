"""Parameters, filters and the controls that people set them with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crime_jobs.adhoc.quicksight.datasets import REGION, DataSet
from crime_jobs.adhoc.quicksight.visuals import Fields
from crime_jobs.model import heads, places

Json = dict[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the dashboard.

    Parameters
    ----------
    name
        Its name; letters and digits.
    title
        What its control is called.
    column
        The column that is filtered by it, in whatever dataset.
    default
        A text or a whole number; this says the parameter's type too.
    source
        The dataset whose values of `column` the control offers.
    """

    name: str
    title: str
    column: str
    default: str | int
    source: DataSet = REGION

    @property
    def declaration(self) -> Json:
        """The parameter as the definition declares it."""
        kind = "Integer" if isinstance(self.default, int) else "String"
        return {
            f"{kind}ParameterDeclaration": {
                "ParameterValueType": "SINGLE_VALUED",
                "Name": self.name,
                "DefaultValues": {"StaticValues": [self.default]},
            }
        }

    def control(self, sheet_id: str) -> Json:
        """Return the control of the parameter on a sheet."""
        return {
            "Dropdown": {
                "ParameterControlId": f"{sheet_id}-{self.name}",
                "Title": self.title,
                "SourceParameterName": self.name,
                "Type": "SINGLE_SELECT",
                "SelectableValues": {
                    "LinkToDataSetColumn": Fields(sheet_id, self.source).column(self.column)
                },
            }
        }


PLACE = Parameter("Place", "Place", "state", places.COUNTRY)
#: The newest year of the files that are shipped: a control can't be told to begin with the newest there is.
YEAR = Parameter("Year", "Year", "year", places.SPLIT_YEAR)
GROUP = Parameter("CrimeGroup", "Crime group", "group_label", heads.crime_groups()["all_ipc"].label)
PARAMETERS = (PLACE, YEAR, GROUP)

#: Visuals by sheet.
Scope = Mapping[str, Sequence[str]]


def _group(filter_id: str, dataset: DataSet, kind: str, filtered: Json, scope: Scope, column: str) -> Json:
    scopes = [
        {"SheetId": sheet, "Scope": "SELECTED_VISUALS", "VisualIds": list(visuals)}
        for sheet, visuals in scope.items()
    ]
    return {
        "FilterGroupId": f"{filter_id}-group",
        "Filters": [
            {kind: {"FilterId": filter_id, "Column": Fields(filter_id, dataset).column(column)} | filtered}
        ],
        "ScopeConfiguration": {"SelectedSheets": {"SheetVisualScopingConfigurations": scopes}},
        "Status": "ENABLED",
        "CrossDataset": "SINGLE_DATASET",
    }


def by_parameter(filter_id: str, dataset: DataSet, parameter: Parameter, scope: Scope) -> Json:
    """Return a filter that keeps the rows of a parameter's value.

    Parameters
    ----------
    filter_id
        Its id.
    dataset
        What is filtered.
    parameter
        The parameter, and with it the column.
    scope
        Visuals that it holds for, by sheet.
    """
    if isinstance(parameter.default, int):
        equal = {"MatchOperator": "EQUALS", "ParameterName": parameter.name, "NullOption": "NON_NULLS_ONLY"}
        return _group(filter_id, dataset, "NumericEqualityFilter", equal, scope, parameter.column)
    custom = {"MatchOperator": "EQUALS", "ParameterName": parameter.name, "NullOption": "NON_NULLS_ONLY"}
    filtered: Json = {"Configuration": {"CustomFilterConfiguration": custom}}
    return _group(filter_id, dataset, "CategoryFilter", filtered, scope, parameter.column)


def by_values(
    filter_id: str, dataset: DataSet, column: str, values: Sequence[str], scope: Scope, *, keep: bool = True
) -> Json:
    """Return a filter that nobody changes: it keeps, or leaves out, some values.

    Parameters
    ----------
    filter_id
        Its id.
    dataset, column
        What is filtered, and by which column.
    values
        The values.
    scope
        Visuals that it holds for, by sheet.
    keep
        Whether they are kept or left out.
    """
    listed = {
        "MatchOperator": "CONTAINS" if keep else "DOES_NOT_CONTAIN",  # as the service exports lists
        "CategoryValues": list(values),
        "NullOption": "NON_NULLS_ONLY",
    }
    filtered: Json = {"Configuration": {"FilterListConfiguration": listed}}
    return _group(filter_id, dataset, "CategoryFilter", filtered, scope, column)


def by_choice(filter_id: str, dataset: DataSet, column: str, scope: Scope) -> Json:
    """Return a filter that lets everything pass until a control is set; several values may be chosen.

    Parameters
    ----------
    filter_id
        Its id.
    dataset, column
        What is filtered, and by which column.
    scope
        Visuals that it holds for, by sheet.
    """
    everything = {
        "MatchOperator": "CONTAINS",
        "SelectAllOptions": "FILTER_ALL_VALUES",
        "NullOption": "ALL_VALUES",
    }
    filtered: Json = {"Configuration": {"FilterListConfiguration": everything}}
    return _group(filter_id, dataset, "CategoryFilter", filtered, scope, column)


def choice(filter_id: str, title: str) -> Json:
    """Return the control of a filter that `by_choice` made.

    Parameters
    ----------
    filter_id
        The filter.
    title
        What the control is called.
    """
    return {
        "Dropdown": {
            "FilterControlId": f"{filter_id}-control",
            "Title": title,
            "SourceFilterId": filter_id,
            "Type": "MULTI_SELECT",
        }
    }
