"""faces.yaml: all of it encrypted and kept, each of the four may do what the code of his task does, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from crime_jobs.faces._called import COLLECTION, collection_of
from crime_jobs.faces.expiry import JOB, ExpireConfig
from crime_jobs.faces.photographs import ENDS, UNREADABLE_DAYS
from crime_jobs.model.faces import SEALED_FOR, FaceSettings
from tests.conftest import ROOT
from tests.unit import permissions
from tests.unit.permissions import Code, Told, as_list

TOLD = Told("faces")
RESOURCES, FACES = TOLD.resources, FaceSettings()
POLICIES = ("EnrollerPolicy", "MatcherPolicy", "ReviewerPolicy", "CustodianPolicy")
FOLDER = "src/crime_jobs/faces"

#: A transaction is allowed by what is in it: puts and updates of rows, the put of the audit's line, the condition
#: that a person is on the list. Whoever removes versions alone needs s3:DeleteObjectVersion. The Encryption SDK
#: calls KMS itself.
OTHERWISE = {
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:DeleteObjects": {"s3:DeleteObjectVersion"},
    "dynamodb:TransactWriteItems": {"dynamodb:PutItem"},
    "kms:Encrypt": {"kms:GenerateDataKey"},
    "sts:GetCallerIdentity": set(),
}
SERVICES = ("s3", "rekognition", "dynamodb", "kms", "sts", "secretsmanager")
SEALS: Code = {"src/crime_jobs/sealing.py": ()}
AUDIT: Code = {f"{FOLDER}/audit.py": ()}
SIGNS: Code = {f"{FOLDER}/_keys.py": (), "src/crime_jobs/secret.py": ()}
#: Tags of a collection that is made need a permission of their own
#: (https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateCollection.html).
TAGS = {"rekognition:TagResource"}


def needed(code: Code) -> set[str]:
    return permissions.called(SERVICES, code, OTHERWISE, ("_call", "_look", "_pages")) | {
        "dynamodb:UpdateItem"
    }


def test_names_are_those_of_the_model() -> None:
    tables = {TOLD.defaulted(table["TableName"]) for table in TOLD.of("AWS::DynamoDB::Table").values()}
    assert tables == {FACES.people_table, FACES.photographs_table, FACES.leads_table, FACES.audit_table}
    assert TOLD.defaulted(RESOURCES["KeyAlias"]["Properties"]["AliasName"]) == FACES.key


def test_the_tables_are_those_that_make_up_makes() -> None:
    hook: dict[str, Any] = {}
    source = (ROOT / "localstack/init/ready.d/70_faces.py").read_text().partition("dynamodb = ")[0]
    exec(compile(source, "70_faces.py", "exec"), hook)  # noqa: S102 - our own file, without its calls
    for table in TOLD.of("AWS::DynamoDB::Table").values():
        name = TOLD.defaulted(table["TableName"])
        kinds = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
        indexes = {one["IndexName"]: one["KeySchema"] for one in table.get("GlobalSecondaryIndexes", ())}

        def of(schema: Any, kinds: dict[str, str] = kinds) -> tuple[tuple[str, str], ...]:
            return tuple((one["AttributeName"], kinds[one["AttributeName"]]) for one in schema)

        assert of(table["KeySchema"]) == hook["TABLES"][name]
        assert {index: of(schema) for index, schema in indexes.items()} == hook["INDEXES"].get(name, {})


def test_rows_of_photographs_that_cannot_be_read_end() -> None:
    """With the photographs, which the bucket keeps as long: a name does not outlive what it is of."""
    assert TOLD.template["Parameters"]["PhotographDays"]["Default"] == UNREADABLE_DAYS
    told = RESOURCES["Photographs"]["Properties"]["TimeToLiveSpecification"]
    assert told == {"AttributeName": ENDS, "Enabled": True}
    hook = (ROOT / "localstack/init/ready.d/70_faces.py").read_text()
    assert f'{{"AttributeName": "{ENDS}", "Enabled": True}}' in hook


def test_all_of_it_is_under_the_key_is_kept_and_can_be_restored() -> None:
    for resource in RESOURCES.values():
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"):
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    for table in TOLD.of("AWS::DynamoDB::Table").values():
        assert table["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert RESOURCES["Audit"]["Properties"]["DeletionProtectionEnabled"] is True
    assert RESOURCES["Key"]["Properties"]["EnableKeyRotation"] is True


def test_photographs_have_an_end_and_no_way_in_but_tls() -> None:
    files = RESOURCES["Files"]["Properties"]
    assert files["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule["Id"]: rule for rule in files["LifecycleConfiguration"]["Rules"]}
    assert rules["photographs"]["Prefix"] == "photographs/"
    assert rules["photographs"]["ExpirationInDays"] == {"Ref": "PhotographDays"}
    assert rules["leftovers"]["NoncurrentVersionExpiration"]["NoncurrentDays"] <= 30
    assert set(files["PublicAccessBlockConfiguration"].values()) == {True}
    (denied,) = RESOURCES["FilesRules"]["Properties"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Action"]) == ("Deny", "s3:*")


def test_who_enrols_may_do_what_he_does_and_no_more() -> None:
    code = {
        **SEALS,
        **AUDIT,
        **SIGNS,
        f"{FOLDER}/watchlist.py": (),
        f"{FOLDER}/_enrolling.py": (),
        f"{FOLDER}/_reconcile.py": (),
        f"{FOLDER}/people.py": (),
        f"{FOLDER}/places.py": (),
        f"{FOLDER}/engine.py": ("identity", "detect", "index", "faces", "delete_faces", "ensure_collection"),
    }
    found = needed(code)
    assert {"rekognition:IndexFaces", "rekognition:DetectFaces", "s3:ListBucket", "kms:Decrypt"} <= found
    # Who answers is asked of a collection, so that the list of all of them is not needed.
    assert TOLD.may("EnrollerPolicy") == (found - {"rekognition:ListCollections"}) | TAGS


def test_who_withdraws_may_do_what_he_does_and_no_more() -> None:
    code = {
        **SEALS,
        **AUDIT,
        **SIGNS,
        f"{FOLDER}/withdraw.py": (),
        f"{FOLDER}/expiry.py": (),
        f"{FOLDER}/people.py": (),
        f"{FOLDER}/removing.py": (),
        f"{FOLDER}/engine.py": ("identity", "faces", "delete_faces"),
        f"{FOLDER}/leads.py": ("forget", "drop_older", "_delete", "_pages"),
    }
    found = needed(code)
    assert {"rekognition:DeleteFaces", "s3:DeleteObjectVersion", "dynamodb:DeleteItem"} <= found
    # What he saves has nothing sealed in it.
    assert TOLD.may("CustodianPolicy") == found - {"rekognition:ListCollections", "kms:GenerateDataKey"}
    assert TOLD.on("CustodianPolicy", "Leads") == {"dynamodb:DeleteItem", "dynamodb:Scan"}


def test_who_decides_may_do_what_he_does_and_no_more() -> None:
    code = {
        **SEALS,
        **AUDIT,
        f"{FOLDER}/leads.py": ("ids", "queue", "get", "decide", "_item", "_read", "_pages"),
        f"{FOLDER}/people.py": ("find_list", "person", "secrets", "_get"),
        f"{FOLDER}/review/photographs.py": (),
    }
    found = needed(code) | {"dynamodb:ConditionCheckItem"}  # in the transaction of a decision
    assert TOLD.may("ReviewerPolicy") == found | {"s3:ListBucket"}  # a photograph that is gone is told apart
    assert TOLD.on("ReviewerPolicy", "Leads") == {
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
    }


def test_the_job_that_matches_may_do_what_it_does_and_no_more() -> None:
    code = {
        **SEALS,
        **AUDIT,
        **SIGNS,
        f"{FOLDER}/match.py": (),
        f"{FOLDER}/_matcher.py": (),
        f"{FOLDER}/compare.py": (),
        f"{FOLDER}/photographs.py": (),
        f"{FOLDER}/people.py": ("find_list", "person", "secrets", "_get"),
        f"{FOLDER}/leads.py": ("add", "_add", "_note_places", "_item"),
        f"{FOLDER}/engine.py": ("identity", "detect", "search", "compare"),
    }
    found = needed(code) | {"dynamodb:ConditionCheckItem"}
    assert TOLD.may("MatcherPolicy") == found
    assert "dynamodb:DeleteItem" not in found


def test_the_key_of_ones_own_engine_is_read_by_whose_it_is() -> None:
    """Who matches can't have the key that changes a collection, and who decides has none."""
    read = {
        name: statement["Resource"]
        for name, statement in TOLD.statements()
        if "secretsmanager:GetSecretValue" in as_list(statement["Action"])
    }
    assert read == {
        "EnrollerPolicy": {"Ref": "EngineWriteSecret"},
        "MatcherPolicy": {"Ref": "EngineSecret"},
        "CustodianPolicy": {"Ref": "EngineWriteSecret"},
    }


def test_nobody_changes_a_line_of_the_audit() -> None:
    for name in POLICIES:
        assert TOLD.on(name, "Audit") == {"dynamodb:PutItem", "dynamodb:Query"}


def test_only_who_enrols_and_who_withdraws_writes_people_and_only_he_removes() -> None:
    for name in ("MatcherPolicy", "ReviewerPolicy"):
        assert not {"dynamodb:PutItem", "dynamodb:UpdateItem"} & TOLD.on(name, "People")
    removing = {name for name in POLICIES if any("Delete" in action for action in TOLD.may(name))}
    assert removing == {"EnrollerPolicy", "CustodianPolicy"}  # the one of faces that nobody tells of
    assert {a for a in TOLD.may("EnrollerPolicy") if "Delete" in a} == {"rekognition:DeleteFaces"}
    for name in ("EnrollerPolicy", "CustodianPolicy"):
        assert "dynamodb:DeleteItem" not in TOLD.on(name, "People")  # a row that ended stays as a tombstone


def test_what_is_sealed_is_opened_for_faces_alone() -> None:
    told = [(name, s) for name, s in TOLD.statements() if name in POLICIES]
    opening = [(name, s) for name, s in told if "kms:Decrypt" in as_list(s["Action"])]
    assert len(opening) == 2 * len(POLICIES)
    for name, statement in opening:
        condition = statement["Condition"]["StringEquals"]
        if statement["Sid"] in {"SealsAndOpens", "OpensWhatIsSealed"}:
            assert condition == {"kms:EncryptionContext:purpose": SEALED_FOR}, name
        else:
            assert condition.keys() == {"kms:ViaService"}, name


def test_policies_name_actions_and_things() -> None:
    found = list(TOLD.statements())
    assert len(found) > 30
    for name, statement in found:
        for action in as_list(statement["Action"]):
            assert re.fullmatch(r"[a-z0-9-]+:\w+", action), (name, action)
        if "*" in as_list(statement["Resource"]):  # a picture that is only looked at is no resource
            assert statement["Sid"] == "LooksAtPictures", name
            assert statement["Condition"] == {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def test_collections_are_those_that_enrolling_makes() -> None:
    arns = {text for _, s in TOLD.statements() for text in strings(s["Resource"]) if ":collection/" in text}
    assert {arn.rpartition(":collection/")[2] for arn in arns} == {
        f"{COLLECTION}*",
        f"{COLLECTION}*face_people.*",  # denied to the first environment
        COLLECTION + "${TablePrefix}face_people.*",
    }
    second = collection_of("missing", FaceSettings(people_table="pune-face_people"))
    assert fnmatchcase(second, f"{COLLECTION}pune-face_people.*")
    assert not fnmatchcase(collection_of("missing", FaceSettings()), f"{COLLECTION}*face_people.*")


def joined(value: Any, values: dict[str, str]) -> str:
    if isinstance(value, str):
        return value
    (kind, of) = next(iter(value.items()))
    if kind == "Fn::Join":
        return str(of[0]).join(joined(one, values) for one in of[1])
    if kind == "Fn::If":
        return joined(of[1], values)
    if kind == "Fn::Sub":
        return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], of)
    return values[of if kind == "Ref" else of[0]]


def test_what_the_night_starts_is_a_job_run_that_the_job_takes() -> None:
    names = {*TOLD.template["Parameters"], *RESOURCES, "AWS::Region"}
    values = {name: f"the-{name.lower()}" for name in names} | {
        "Engine": "on-premises",
        "EngineUrl": "https://faces.example",
        "EngineWriteSecret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:writes-a1b2c3",
        "KeyAlias": "alias/x",
        "LeadDays": "45",
        "WatchList": "missing",
    }
    request = json.loads(joined(RESOURCES["Expiry"]["Properties"]["Target"]["Input"], values))
    assert request["ApplicationId"] == "the-application"
    submit = request["JobDriver"]["SparkSubmit"]
    words = submit["EntryPointArguments"]
    assert words[0] == JOB.name
    given = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--set")
    config = ExpireConfig.model_validate(given)
    assert config.watch_list == "missing"
    assert config.faces.engine == "on-premises"
    assert config.faces.engine_write_secret == values["EngineWriteSecret"]
    assert config.faces.key == "alias/x"
    assert config.faces.lead_days == 45
    assert config.faces.people_table == "the-people"
    assert (
        "--conf spark.emr-serverless.driverEnv.AWS_ENDPOINT_URL_REKOGNITION=https://faces.example"
        in submit["SparkSubmitParameters"]
    )


@pytest.mark.parametrize("name", ["Key", "People", "Photographs", "Leads", "Audit", "Files", "ExpiryRole"])
def test_everything_is_tagged(name: str) -> None:
    tags = {tag["Key"] for tag in RESOURCES[name]["Properties"]["Tags"]}
    assert {"project", "environment", "stream"} <= tags
