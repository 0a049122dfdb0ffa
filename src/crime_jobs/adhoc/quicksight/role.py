"""The role that QuickSight reads with: one workgroup, one database, the folders that it is told."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_ARN = "arn:${AWS::Partition}"
_HERE = "${AWS::Region}:${AWS::AccountId}"
#: A key opens what S3 reads or writes for the role, and nothing besides: sealed FIRs stay sealed.
_FOR_S3 = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.${AWS::URLSuffix}"}}}


def _allow(sid: str, actions: list[str], *things: str) -> Json:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": [{"Fn::Sub": f"{_ARN}:{thing}"} for thing in things],
    }


def _when(condition: str, statement: Json) -> Json:
    return {"Fn::If": [condition, statement, {"Ref": "AWS::NoValue"}]}


def _read(what: str) -> list[Json]:
    """Allow to read one folder: its bucket may hold what nobody who draws pictures should see."""
    bucket, folder = f"s3:::${{{what}Bucket}}", f"${{{what}Prefix}}/*"
    listing = _allow(f"List{what}", ["s3:ListBucket"], bucket)
    return [
        _allow(f"Find{what}", ["s3:GetBucketLocation"], bucket),
        listing | {"Condition": {"StringLike": {"s3:prefix": {"Fn::Sub": folder}}}},
        _allow(f"Read{what}", ["s3:GetObject"], f"{bucket}/{folder}"),
    ]


def _results() -> list[Json]:
    writing = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    return [
        # Athena looks whether the bucket is there before it writes; that request names no prefix.
        _allow(
            "FindResults",
            ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            "s3:::${ResultsBucket}",
        ),
        _allow("WriteResults", writing, "s3:::${ResultsBucket}/${ResultsPrefix}/*"),
    ]


def _use(sid: str, actions: list[str], keys: str) -> Json:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": {"Ref": keys},
        "Condition": _FOR_S3,
    }


def _statements() -> list[Json]:
    catalogue = f"glue:{_HERE}"
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
        *_read("Lake"),
        *(_when("HasHistory", statement) for statement in _read("History")),
        *_read("Files"),
        *_results(),
        _when("HasKeys", _use("OpenWhatIsRead", ["kms:Decrypt"], "KeyArns")),
        _when("HasResultsKey", _use("SealResults", ["kms:Decrypt", "kms:GenerateDataKey"], "ResultsKeyArn")),
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
