"""The template ``cloud/quicksight.yaml``, made: data sources, datasets, schedules, theme, dashboard."""

from __future__ import annotations

from typing import Any

from crime_jobs.adhoc.quicksight import datasets, permissions, role, theme
from crime_jobs.adhoc.quicksight.datasets import FIRS, RULED, SHOWN, DataSet
from crime_jobs.adhoc.quicksight.definition import definition

Json = dict[str, Any]

#: What stands in the bucket of files, under the prefix: the boundaries, the rules, and where the rules are.
BOUNDARIES, RULES, MANIFEST = "india_states.geojson", "rules.csv", "rules-manifest.json"
#: Columns of the rules. Version 2 goes by ARN: the same name in another namespace is somebody else.
RULE_COLUMNS = ("UserARN", "GroupARN", RULED)
DEFAULT_NAME = "crime-jobs"
#: A folder of a bucket. In a policy a star or a question mark would stand for other folders too.
FOLDER = r"[a-zA-Z0-9!_.()=-]+(/[a-zA-Z0-9!_.()=-]+)*"
_ACCOUNT = {"Ref": "AWS::AccountId"}
_PRINCIPAL = "arn:[a-z-]+:quicksight:[a-z0-9-]+:[0-9]{12}:(user|group)/.+"


def _named(suffix: str) -> Json:
    return {"Fn::Sub": f"${{Name}}-{suffix}"}


def _arn(resource: str) -> Json:
    return {"Fn::GetAtt": [resource, "Arn"]}


def data_set_id(name: str, dataset: DataSet) -> str:
    """Return the id that a dataset has.

    Parameters
    ----------
    name
        The template's parameter ``Name``.
    dataset
        The dataset.
    """
    return f"{name}-{dataset.suffix}"


def rules_id(name: str) -> str:
    """Return the id of the dataset of rules, by the template's parameter ``Name``."""
    return f"{name}-rules"


def dashboard_id(name: str) -> str:
    """Return the id of the dashboard, by the template's parameter ``Name``."""
    return f"{name}-dashboard"


def _text(description: str, **more: object) -> Json:
    return {"Type": "String", "Description": description} | more


def _parameters() -> Json:
    bucket: Json = {"AllowedPattern": "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"}
    folder: Json = {"AllowedPattern": FOLDER}
    return {
        "Name": _text(
            "What the ids of all parts begin with.",
            Default=DEFAULT_NAME,
            AllowedPattern="[A-Za-z0-9-]{1,64}",
        ),
        "Workgroup": _text("Athena's workgroup that asks.", Default="crime"),
        "Database": _text("The database of the tables.", Default="crime", AllowedPattern="[a-z0-9_]{1,128}"),
        "LakeBucket": _text("Name of the bucket of the lake.", **bucket),
        "LakePrefix": _text("Folder of the lake there, without slashes around it.", Default="lake", **folder),
        "HistoryBucket": _text("Name of the bucket of the FIRs' history; none without it.", Default=""),
        "HistoryPrefix": _text("Folder of the history there.", Default="history", **folder),
        "ResultsBucket": _text("Name of the bucket of the workgroup's results.", **bucket),
        "ResultsPrefix": _text("Folder of the results there.", Default="results", **folder),
        "KeyArns": {
            "Type": "CommaDelimitedList",
            "Default": "",
            "Description": "ARNs of the KMS keys of lake, history and files, with commas between.",
        },
        "ResultsKeyArn": _text("ARN of the KMS key of the results, the only one written with.", Default=""),
        "FilesBucket": _text("Name of the bucket of boundaries and rules (the setting artifacts).", **bucket),
        "FilesPrefix": _text("Folder of boundaries and rules there, without slashes around it.", **folder),
        "ViewerArn": _text("User or group that sees the dashboard.", AllowedPattern=_PRINCIPAL),
        "AuthorArn": _text("User or group that may build on the datasets.", AllowedPattern=_PRINCIPAL),
        "OwnerArn": _text("User or group that owns every part.", AllowedPattern=_PRINCIPAL),
        "RefreshAt": _text(
            "When the datasets are filled, each day.",
            Default="05:30",
            AllowedPattern="([01][0-9]|2[0-3]):[0-5][0-9]",
        ),
        "TimeZone": _text("Time zone of that.", Default="Asia/Kolkata"),
    }


def _conditions() -> Json:
    empty = {"Fn::Equals": [{"Fn::Join": ["", {"Ref": "KeyArns"}]}, ""]}
    return {
        "HasHistory": {"Fn::Not": [{"Fn::Equals": [{"Ref": "HistoryBucket"}, ""]}]},
        "HasKeys": {"Fn::Not": [empty]},
        "HasResultsKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ResultsKeyArn"}, ""]}]},
    }


def _source(suffix: str, title: str, kind: str, parameters: Json) -> Json:
    return {
        "Type": "AWS::QuickSight::DataSource",
        "Properties": {
            "AwsAccountId": _ACCOUNT,
            "DataSourceId": _named(suffix),
            "Name": title,
            "Type": kind,
            "DataSourceParameters": parameters,
            "Permissions": permissions.of("source"),
        },
    }


def _sources() -> Json:
    manifest = {"Bucket": {"Ref": "FilesBucket"}, "Key": {"Fn::Sub": f"${{FilesPrefix}}/{MANIFEST}"}}
    athena = {"WorkGroup": {"Ref": "Workgroup"}, "RoleArn": _arn("ReaderRole")}
    rules = {"ManifestFileLocation": manifest, "RoleArn": _arn("ReaderRole")}
    return {
        "ReaderRole": role.resource(),
        "Athena": _source("athena", "Crime marts in Athena", "ATHENA", {"AthenaParameters": athena}),
        "RulesFile": _source("rules-file", "Rules by state", "S3", {"S3Parameters": rules}),
    }


def _data_set(set_id: Json, title: str, tables: tuple[Json, Json], grants: str, more: Json) -> Json:
    physical, logical = tables
    return {
        "Type": "AWS::QuickSight::DataSet",
        "Properties": {
            "AwsAccountId": _ACCOUNT,
            "DataSetId": set_id,
            "Name": title,
            "ImportMode": "SPICE",
            # The stack is made though a table isn't there yet: `crime-jobs quicksight refresh` says which.
            "IngestionWaitPolicy": {"WaitForSpiceIngestion": False},
            "PhysicalTableMap": physical,
            "LogicalTableMap": logical,
            "Permissions": permissions.of(grants),
        }
        | more,
    }


def _rules() -> Json:
    columns = [{"Name": name, "Type": "STRING"} for name in RULE_COLUMNS]
    upload = {"Format": "CSV", "ContainsHeader": True, "Delimiter": ",", "TextQualifier": "DOUBLE_QUOTE"}
    physical = {
        "S3Source": {"DataSourceArn": _arn("RulesFile"), "InputColumns": columns} | {"UploadSettings": upload}
    }
    kept = {"ProjectOperation": {"ProjectedColumns": list(RULE_COLUMNS)}}
    logical = {"Alias": "Rules", "Source": {"PhysicalTableId": "rules"}, "DataTransforms": [kept]}
    tables = ({"rules": physical}, {"rules-logical": logical})
    return _data_set(_named("rules"), "Rules by state", tables, "rules", {"UseAs": "RLS_RULES"})


def _shown(dataset: DataSet) -> Json:
    key = dataset.suffix
    tables = (
        {key: datasets.physical_table(dataset, _arn("Athena"))},
        {f"{key}-logical": datasets.logical_table(dataset, key)},
    )
    ruled: Json = {
        "Arn": _arn("Rules"),
        "PermissionPolicy": "GRANT_ACCESS",
        "FormatVersion": "VERSION_2",
        "Status": "ENABLED",
    }
    groups = datasets.column_groups(dataset)
    more = {"RowLevelPermissionDataSet": ruled} | ({"ColumnGroups": groups} if groups else {})
    return _data_set(_named(key), dataset.title, tables, "dataset", more)


def _schedule(resource: str, set_id: Json, condition: str | None = None) -> Json:
    frequency = {
        "Interval": "DAILY",
        "TimeOfTheDay": {"Ref": "RefreshAt"},
        "TimeZone": {"Ref": "TimeZone"},
    }
    return {
        "Type": "AWS::QuickSight::RefreshSchedule",
        "DependsOn": resource,
        "Properties": {
            "AwsAccountId": _ACCOUNT,
            "DataSetId": set_id,
            "Schedule": {
                "ScheduleId": "daily",
                "RefreshType": "FULL_REFRESH",
                "ScheduleFrequency": frequency,
            },
        },
    } | ({"Condition": condition} if condition else {})


def _data() -> Json:
    made: Json = {"Rules": _rules()}
    made |= {dataset.resource: _shown(dataset) for dataset in SHOWN.values()}
    made["RulesDaily"] = _schedule("Rules", _named("rules"))
    made |= {
        f"{dataset.resource}Daily": _schedule(
            dataset.resource, _named(dataset.suffix), "HasHistory" if dataset == FIRS else None
        )
        for dataset in SHOWN.values()
    }
    return made


def _views() -> Json:
    arns = {name: _arn(dataset.resource) for name, dataset in SHOWN.items()}
    shapes = {
        "BucketName": {"Ref": "FilesBucket"},
        "ObjectKey": {"Fn::Sub": f"${{FilesPrefix}}/{BOUNDARIES}"},
        "Region": {"Ref": "AWS::Region"},
    }
    shared = {"AwsAccountId": _ACCOUNT, "ThemeArn": _arn("Theme"), "Definition": definition(arns, shapes)}
    enabled = {"AvailabilityStatus": "ENABLED"}
    return {
        "Theme": {
            "Type": "AWS::QuickSight::Theme",
            "Properties": {
                "AwsAccountId": _ACCOUNT,
                "ThemeId": _named("theme"),
                "Name": "Crime",
                "BaseThemeId": "CLASSIC",
                "Configuration": theme.configuration(),
                "Permissions": permissions.of("theme"),
            },
        },
        "Analysis": {
            "Type": "AWS::QuickSight::Analysis",
            "Properties": shared
            | {
                "AnalysisId": _named("analysis"),
                "Name": "Crime in India",
                "Permissions": permissions.of("analysis"),
            },
        },
        "Dashboard": {
            "Type": "AWS::QuickSight::Dashboard",
            "Properties": shared
            | {
                "DashboardId": _named("dashboard"),
                "Name": "Crime in India",
                "DashboardPublishOptions": {
                    "AdHocFilteringOption": enabled,
                    "ExportToCSVOption": enabled,
                    "SheetControlsOption": {"VisibilityState": "EXPANDED"},
                },
                "Permissions": permissions.of("dashboard"),
            },
        },
    }


def template() -> Json:
    """Return the whole template.

    Returns
    -------
    dict
        As CloudFormation takes it, functions in their long form.
    """
    url = "https://${AWS::Region}.quicksight.aws.amazon.com/sn/dashboards/${Name}-dashboard"
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Crime in QuickSight - datasets in SPICE, refreshed daily, ruled by state, and the "
        "dashboard over them. Made by `python -m crime_jobs.adhoc.quicksight`.",
        "Parameters": _parameters(),
        "Conditions": _conditions(),
        "Resources": _sources() | _data() | _views(),
        "Outputs": {
            "DashboardUrl": {
                "Description": "for people - where the dashboard opens",
                "Value": {"Fn::Sub": url},
            },
            "ReaderRoleArn": {
                "Description": "for the owners of buckets and keys - the role that reads",
                "Value": _arn("ReaderRole"),
            },
        },
    }
