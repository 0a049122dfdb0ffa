"""The role that QuickSight reads with: one workgroup, one database, the buckets that it is told."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_ARN = "arn:${AWS::Partition}"
_HERE = "${AWS::Region}:${AWS::AccountId}"


def _allow(sid: str, actions: list[str], *things: str) -> Json:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": [{"Fn::Sub": f"{_ARN}:{thing}"} for thing in things],
    }


def _when(condition: str, statement: Json) -> Json:
    return {"Fn::If": [condition, statement, {"Ref": "AWS::NoValue"}]}


def _read(sid: str, bucket: str, prefix: str = "") -> list[Json]:
    listing = _allow(f"List{sid}", ["s3:ListBucket", "s3:GetBucketLocation"], f"s3:::${{{bucket}}}")
    return [listing, _allow(f"Read{sid}", ["s3:GetObject"], f"s3:::${{{bucket}}}/{prefix}*")]


def _statements() -> list[Json]:
    catalogue = f"glue:{_HERE}"
    results = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ]
    return [
        _allow(
            "AskTheWorkgroup",
            [
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:GetQueryResultsStream",
                "athena:GetWorkGroup",
            ],
            f"athena:{_HERE}:workgroup/${{Workgroup}}",
        ),
        _allow(
            "ReadTheCatalogue",
            [
                "glue:GetDatabase",
                "glue:GetTable",
                "glue:GetTables",
                "glue:GetPartition",
                "glue:GetPartitions",
                "glue:BatchGetPartition",
            ],
            f"{catalogue}:catalog",
            f"{catalogue}:database/${{Database}}",
            f"{catalogue}:table/${{Database}}/*",
        ),
        *_read("Lake", "LakeBucket"),
        *(_when("HasHistory", statement) for statement in _read("History", "HistoryBucket")),
        *_read("Files", "FilesBucket", "${FilesPrefix}/"),
        _allow(
            "ListResults",
            ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            "s3:::${ResultsBucket}",
        ),
        _allow("WriteResults", results, "s3:::${ResultsBucket}/*"),
        _when(
            "HasKeys",
            {
                "Sid": "UseTheKeys",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": {"Ref": "KeyArns"},
            },
        ),
    ]


def resource() -> Json:
    """Return the role, which the two data sources run as instead of the account-wide one."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "quicksight.amazonaws.com"},
        "Action": "sts:AssumeRole",
        # AWS does not say whether QuickSight tells the account that it comes for: if so, it is ours.
        "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "Read by QuickSight - the marts by Athena, the rules and boundaries from S3",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {
                    "PolicyName": "Reads",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": _statements()},
                }
            ],
        },
    }
