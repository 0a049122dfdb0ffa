"""firs.yaml: everything is encrypted and kept, names are those of the model, nobody may do more than he must."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from crime_jobs import sealing
from crime_jobs.model.fir_event import SQL_COLUMNS
from crime_jobs.model.streams import StreamSettings
from tests.conftest import ROOT
from tests.unit import permissions
from tests.unit.permissions import Code, Told, as_list

TOLD = Told("firs")
RESOURCES = TOLD.resources
of, defaulted, statements, may, on = TOLD.of, TOLD.defaulted, TOLD.statements, TOLD.may, TOLD.on
STREAM = StreamSettings()

KEY = ({"Ref": "Key"}, {"Fn::GetAtt": ["Key", "Arn"]}, {"Fn::GetAtt": "Key.Arn"})


def test_names_are_those_of_the_model() -> None:
    tables = {defaulted(table["TableName"]) for table in of("AWS::DynamoDB::Table").values()}
    assert tables == {STREAM.events_table, STREAM.identities_table, STREAM.alerts_table, STREAM.runs_table}
    named = {
        STREAM.name: RESOURCES["Stream"]["Properties"]["Name"],
        STREAM.dead_letters: RESOURCES["DeadLetters"]["Properties"]["QueueName"],
        STREAM.topic: RESOURCES["Topic"]["Properties"]["TopicName"],
        STREAM.key: RESOURCES["KeyAlias"]["Properties"]["AliasName"],
        STREAM.redshift_workgroup: RESOURCES["Workgroup"]["Properties"]["WorkgroupName"],
        STREAM.redshift_database: RESOURCES["Namespace"]["Properties"]["DbName"],
        f"{STREAM.name}-history": RESOURCES["Delivery"]["Properties"]["DeliveryStreamName"],
        "crime-jobs-fir-firehose": RESOURCES["FirehoseRole"]["Properties"]["RoleName"],
    }
    assert {defaulted(value) for value in named.values()} == named.keys()


def test_all_that_keeps_firs_keeps_them_under_the_key_and_can_be_restored() -> None:
    for table in of("AWS::DynamoDB::Table").values():
        assert table["SSESpecification"]["KMSMasterKeyId"] in KEY
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    properties = {name: r["Properties"] for name, r in RESOURCES.items()}
    assert properties["Stream"]["StreamEncryption"]["KeyId"] in KEY
    assert properties["DeadLetters"]["KmsMasterKeyId"] in KEY
    assert properties["Topic"]["KmsMasterKeyId"] in KEY
    assert properties["Namespace"]["KmsKeyId"] in KEY
    assert properties["FirehoseUser"]["KmsKeyId"] in KEY
    kept = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::RedshiftServerless::Namespace")
    for resource in RESOURCES.values():
        if resource["Type"] in kept:
            assert resource["DeletionPolicy"] == "Retain"


def test_redshift_is_private_and_speaks_tls_and_nobody_types_its_password() -> None:
    workgroup, namespace = (RESOURCES[name]["Properties"] for name in ("Workgroup", "Namespace"))
    assert workgroup["PubliclyAccessible"] is False
    assert workgroup["EnhancedVpcRouting"] is True
    assert {"ParameterKey": "require_ssl", "ParameterValue": "true"} in workgroup["ConfigParameters"]
    assert namespace["ManageAdminPassword"] is True
    assert "AdminUserPassword" not in namespace


def test_firehose_writes_compressed_files_by_date_and_copies_no_identity() -> None:
    files = RESOURCES["Delivery"]["Properties"]["ExtendedS3DestinationConfiguration"]
    assert files["CompressionFormat"] == "GZIP"
    assert files["Prefix"].startswith("history/!{timestamp:yyyy/MM/dd")
    assert files["ErrorOutputPrefix"].startswith("history-undelivered/")
    copy = RESOURCES["DeliveryToRedshift"]["Properties"]["RedshiftDestinationConfiguration"]["CopyCommand"]
    assert copy["DataTableColumns"].split(",") == [column.name for column in SQL_COLUMNS]


def test_policies_name_actions_and_things() -> None:
    alone = {"Measures": "cloudwatch:namespace", "HearsOfItsOwn": "redshift-data:statement-owner-iam-userid"}
    found = list(statements())
    assert len(found) > 40
    for name, statement in found:
        for action in as_list(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9-]+:\w+", action), (name, action)
        if "*" in as_list(statement["Resource"]):
            assert alone[statement["Sid"]] in statement["Condition"]["StringEquals"], name


def test_nobody_here_reads_identities_or_opens_what_is_sealed() -> None:
    for name, statement in statements():
        if {"Fn::GetAtt": ["Identities", "Arn"]} in as_list(statement["Resource"]):
            assert as_list(statement["Action"]) == ["dynamodb:PutItem"], name
        if statement["Sid"] == "OpensLetters":  # he opens what is sealed, and reads only letters
            assert name == "ReplayPolicy"
            assert statement["Condition"]["StringEquals"] == {
                f"kms:EncryptionContext:{key}": value for key, value in sealing._CONTEXT.items()
            }
        elif "kms:Decrypt" in as_list(statement["Action"]):  # only what services have encrypted
            assert statement["Condition"]["StringEquals"].keys() == {"kms:ViaService"}, name


#: What IAM calls an operation by another name. A transaction is allowed by what is in it: the sink puts, the
#: alerts are put and updated. The Encryption SDK calls KMS itself. Asking who one is needs no permission.
OTHERWISE = {
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "sns:PublishBatch": {"sns:Publish"},
    "sqs:ChangeMessageVisibilityBatch": {"sqs:ChangeMessageVisibility"},
    "dynamodb:TransactWriteItems": {"dynamodb:PutItem"},
    "kms:Encrypt": {"kms:GenerateDataKey"},
    "sts:GetCallerIdentity": set(),
}
STREAMS, PRODUCER = "src/crime_jobs/stream", "producer/fir_producer"

#: What writes FIRs and tells of them: consumer and replay.
HANDLES: Code = {
    f"{STREAMS}/transactions.py": (),
    f"{STREAMS}/alert_table.py": (),
    f"{STREAMS}/alert_ledger.py": ("claim", "take_over", "_take", "sent"),
    f"{STREAMS}/alert_outbox.py": (),
    f"{STREAMS}/alert_windows.py": (),
}
LETTERS, SEALING = f"{STREAMS}/deadletters.py", "src/crime_jobs/sealing.py"

#: What the KCL does: its readers, and its tables
#: (https://docs.aws.amazon.com/streams/latest/dev/kcl-iam-permissions.html).
KCL = {
    *(f"kinesis:{one}" for one in ("DescribeStream", "DescribeStreamSummary", "GetRecords")),
    *(f"kinesis:{one}" for one in ("GetShardIterator", "ListShards")),
    *(f"dynamodb:{one}Table" for one in ("Create", "Describe", "Update")),
    *(f"dynamodb:{one}Item" for one in ("Delete", "Get", "Put", "Update")),
    *("dynamodb:Query", "dynamodb:Scan"),
}


def called(services: Sequence[str], code: Code) -> set[str]:
    return permissions.called(services, code, OTHERWISE)


def test_the_loader_may_do_what_it_does_and_no_more() -> None:
    code: Code = {f"{STREAMS}/{name}.py": () for name in ("history", "_objects", "_redshift")}
    needed = called(["redshift-data", "s3"], code)
    assert len(needed) == 7
    more = {"kms:Decrypt", "kms:GenerateDataKey", "redshift-serverless:GetCredentials"}
    assert may("LoaderPolicy") == needed | more


def test_the_producer_may_do_what_it_does_and_no_more() -> None:
    # What the Lambda function reads is in a bucket of somebody else's, who gives it.
    code: Code = {f"{PRODUCER}/{one.name}": () for one in (ROOT / PRODUCER).glob("*.py")}
    del code[f"{PRODUCER}/lambda_handler.py"]
    needed = called(["kinesis", "dynamodb", "cloudwatch"], code)
    assert needed == {
        "kinesis:ListShards",
        "kinesis:PutRecords",
        "dynamodb:PutItem",
        "cloudwatch:PutMetricData",
    }
    needed |= called(["kms"], {SEALING: ("__init__", "seal")})
    assert may("ProducerPolicy") == needed | {"kms:Decrypt"}  # DynamoDB's, of the table's key


def test_the_consumer_may_do_what_it_does_and_no_more() -> None:
    services = ["kinesis", "dynamodb", "sqs", "s3", "kms", "sns", "sts", "cloudwatch"]
    code = {
        **HANDLES,
        f"{STREAMS}/alert_lateness.py": (),
        f"{STREAMS}/leases.py": (),
        f"{STREAMS}/reading.py": ("shards_of",),
        f"{STREAMS}/record_processor.py": (),
        f"{STREAMS}/supervisor.py": (),
        LETTERS: ("send", "_queue", "_keep"),
        SEALING: ("__init__", "seal"),
    }
    needed = called(services, code) | {"dynamodb:UpdateItem"}  # in the alerts' transactions
    assert {"sqs:SendMessage", "s3:PutObject", "sns:Publish", "dynamodb:BatchGetItem"} <= needed
    assert may("ConsumerPolicy") == needed | KCL | {"kms:Decrypt"}  # of the services
    alone = {action for action in may("ConsumerPolicy") if action.startswith("dynamodb:")}
    assert on("ConsumerPolicy", "Events") == on("ConsumerPolicy", "Identities") == {"dynamodb:PutItem"}
    of_alerts = {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}
    assert on("ConsumerPolicy", "Alerts") == of_alerts < alone


def test_who_replays_dead_letters_may_do_what_he_does_and_no_more() -> None:
    received = ("receive", "open", "delete", "put_back", "put_back_all", "_hide", "_queue")
    code = {**HANDLES, LETTERS: received, SEALING: ("__init__", "unseal")}
    needed = called(["dynamodb", "sqs", "s3", "kms", "sns", "sts"], code) | {"dynamodb:UpdateItem"}
    assert {"sqs:ReceiveMessage", "s3:GetObject", "kms:Decrypt", "sns:Publish"} <= needed
    assert may("ReplayPolicy") == needed | {"kms:GenerateDataKey"}  # SNS's, of the topic's key
    assert on("ReplayPolicy", "Events") == on("ReplayPolicy", "Identities") == {"dynamodb:PutItem"}


def test_who_sets_the_history_up_may_do_what_he_does_and_no_more() -> None:
    code: Code = {
        f"{STREAMS}/_firehose.py": (),
        f"{STREAMS}/_redshift.py": ("batch", "_wait"),
    }
    needed = called(["firehose", "redshift-data", "sts"], code)
    assert len(needed) == 4
    assert may("HistorySetupPolicy") == needed | {"iam:PassRole", "redshift-serverless:GetCredentials"}


@pytest.mark.parametrize("name", ["Stream", "Files", "Workgroup", "Namespace", "FirehoseRole", "Topic"])
def test_everything_is_tagged(name: str) -> None:
    tags = {tag["Key"] for tag in RESOURCES[name]["Properties"]["Tags"]}
    assert {"project", "environment", "stream"} <= tags
