"""Who may do what with each part of the dashboard.

The service takes actions as sets, those that its console gives out, and refuses others. Viewers see the
dashboard and nothing behind it. Authors make their own from the datasets, and the rules hold for them. Owners
are told of failed refreshes and change everything; AWS shows them all rows, whatever the rules.
"""

from __future__ import annotations

from typing import Any

_READ_DASHBOARD = ("DescribeDashboard", "ListDashboardVersions", "QueryDashboard")
_OWN_DASHBOARD = (
    "DeleteDashboard",
    "DescribeDashboardPermissions",
    "UpdateDashboard",
    "UpdateDashboardPermissions",
    "UpdateDashboardPublishedVersion",
)
_ANALYSIS = (
    "DeleteAnalysis",
    "DescribeAnalysis",
    "DescribeAnalysisPermissions",
    "QueryAnalysis",
    "RestoreAnalysis",
    "UpdateAnalysis",
    "UpdateAnalysisPermissions",
)
_READ_DATASET = (
    "DescribeDataSet",
    "DescribeDataSetPermissions",
    "DescribeIngestion",
    "ListIngestions",
    "PassDataSet",
)
_OWN_DATASET = (
    "CancelIngestion",
    "CreateIngestion",
    "DeleteDataSet",
    "UpdateDataSet",
    "UpdateDataSetPermissions",
)
_SOURCE = (
    "DeleteDataSource",
    "DescribeDataSource",
    "DescribeDataSourcePermissions",
    "PassDataSource",
    "UpdateDataSource",
    "UpdateDataSourcePermissions",
)
_READ_THEME = ("DescribeTheme", "DescribeThemeAlias", "ListThemeAliases", "ListThemeVersions")
_OWN_THEME = (
    "CreateThemeAlias",
    "DeleteTheme",
    "DeleteThemeAlias",
    "DescribeThemePermissions",
    "UpdateTheme",
    "UpdateThemeAlias",
    "UpdateThemePermissions",
)

#: By kind of thing: what each of the three may do; a kind without one says nothing to him.
_GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "dashboard": {
        "Viewer": _READ_DASHBOARD,
        "Author": _READ_DASHBOARD,
        "Owner": (*_READ_DASHBOARD, *_OWN_DASHBOARD),
    },
    "analysis": {"Author": _ANALYSIS, "Owner": _ANALYSIS},
    "dataset": {"Author": _READ_DATASET, "Owner": (*_READ_DATASET, *_OWN_DATASET)},
    "rules": {"Owner": (*_READ_DATASET, *_OWN_DATASET)},
    "source": {"Owner": _SOURCE},
    "theme": {"Author": _READ_THEME, "Owner": (*_READ_THEME, *_OWN_THEME)},
}

#: The three, as the template's parameters name them.
PRINCIPALS = ("Viewer", "Author", "Owner")


def of(kind: str) -> list[dict[str, Any]]:
    """Return the permissions of a thing, as CloudFormation takes them.

    Parameters
    ----------
    kind
        ``dashboard``, ``analysis``, ``dataset``, ``rules``, ``source`` or ``theme``.
    """
    return [
        {
            "Principal": {"Ref": f"{who}Arn"},
            "Actions": [f"quicksight:{action}" for action in sorted(actions)],
        }
        for who, actions in _GRANTS[kind].items()
    ]
