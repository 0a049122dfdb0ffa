"""adhoc.yaml: a workgroup that nobody gets around, results that expire, an analyst who can only ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session

from crime_jobs.adhoc.asking import LEAST_BYTES, SqlSettings
from tests.unit.test_templates import load

TEMPLATE = load("adhoc")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def statements(name: str) -> Iterator[dict[str, Any]]:
    for statement in RESOURCES[name]["Properties"]["PolicyDocument"]["Statement"]:
        yield statement.get("Fn::If", [None, statement])[1]


def actions(name: str) -> set[str]:
    found = [s["Action"] for s in statements(name)]
    return {one for some in found for one in (some if isinstance(some, list) else [some])}


def test_the_workgroup_is_enforced_limited_and_encrypted() -> None:
    told = RESOURCES["Group"]["Properties"]["WorkGroupConfiguration"]
    assert told["EnforceWorkGroupConfiguration"] is True
    assert told["PublishCloudWatchMetricsEnabled"] is True
    assert told["BytesScannedCutoffPerQuery"] == {"Ref": "ScanLimit"}
    assert told["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    # Athena takes no lower limit, and it is what it bills at least.
    assert TEMPLATE["Parameters"]["ScanLimit"]["MinValue"] == LEAST_BYTES
    (rule,) = RESOURCES["Results"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == {"Ref": "ResultDays"}


def test_names_are_those_of_the_settings() -> None:
    parameters = TEMPLATE["Parameters"]
    assert parameters["Database"]["Default"] == SqlSettings().database
    assert SqlSettings(workgroup=parameters["Workgroup"]["Default"]).workgroup == "crime"


def test_an_analyst_changes_nothing_but_results() -> None:
    writing = re.compile(r":(Put|Create|Update|Delete|Generate|Abort|Tag|Batch(?!Get))")
    for statement in statements("Analyst"):
        some = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if any(writing.search(action) for action in some):
            assert statement["Sid"] in {"WritesResults", "SealsResults"}
    # The stream's key opens files for S3, and for nothing else: identities stay sealed.
    (opens,) = (s for s in statements("Analyst") if s["Sid"] == "OpensFirs")
    assert "kms:ViaService" in opens["Condition"]["StringEquals"]


@pytest.mark.parametrize("name", ["Analyst", "Setup"])
def test_policies_name_actions_that_exist_and_things(name: str) -> None:
    session = get_session()
    for statement in statements(name):
        resource = statement["Resource"]
        assert "*" not in (resource if isinstance(resource, list) else [resource])
    for action in actions(name):
        service, _, operation = action.partition(":")
        assert re.fullmatch(r"[a-z0-9]+:\w+", action)
        if service in {"athena", "glue"}:
            assert operation in session.get_service_model(service).operation_names, action
            assert xform_name(operation)


def test_setup_needs_no_more_than_both_policies_give() -> None:
    needed = {
        "athena:ListNamedQueries",
        "athena:BatchGetNamedQuery",
        "athena:CreateNamedQuery",
        "glue:GetTables",
    }
    needed |= {
        "athena:GetPreparedStatement",
        "athena:CreatePreparedStatement",
        "athena:UpdatePreparedStatement",
    }
    needed |= {"athena:DeleteNamedQuery", "athena:UpdateNamedQuery", "glue:CreateTable", "glue:DeleteTable"}
    assert needed <= actions("Analyst") | actions("Setup")
