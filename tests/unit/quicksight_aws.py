"""What stands in for AWS in the tests of `crime-jobs quicksight`: stubs where every call must be expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import get_session
from botocore.stub import Stubber

from crime_jobs.adhoc.quicksight import service
from crime_jobs.settings import Settings
from tests.unit.quicksight_model import ACCOUNT, GROUP, REGION

TIME = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
TOLD = {"viewers": f"{GROUP}viewers", "authors": f"{GROUP}authors", "owners": f"{GROUP}owners"}
SETTINGS = Settings(
    env="aws",
    region=REGION,
    landing="s3://landing",
    lake="s3://crime-lake/lake",
    spark_conf=None,
    artifacts="s3://crime-artifacts/jobs",
    sql={"workgroup": "crime", "results": "s3://crime-results/athena/"},
    quicksight=TOLD,
    sources={},
    environ={},
)
Stubs = Mapping[str, Stubber]


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    session = get_session()
    session.set_credentials("key", "secret")
    names = ("quicksight", "cloudformation", "cloudwatch", "sts", "s3")
    return {name: session.create_client(name, region_name=REGION) for name in names}


@pytest.fixture(autouse=True)
def stubs(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubs]:
    """A stubbed client of each service, where every call must be expected; nobody waits."""
    monkeypatch.setattr("crime_jobs.aws.client", lambda name, *_, **__: clients[name])
    monkeypatch.setattr("time.sleep", lambda _: None)
    found = {name: Stubber(client) for name, client in clients.items()}
    for stub in found.values():
        stub.activate()
    found["sts"].add_response("get_caller_identity", {"Account": ACCOUNT})
    yield found
    for stub in found.values():
        stub.deactivate()
    for name in ("quicksight", "cloudformation", "cloudwatch", "s3"):
        found[name].assert_no_pending_responses()


def silent(_: str) -> None:
    """Hear what is told."""


def account() -> service.Account:
    return service.Account(SETTINGS)


def subscribed(stubs: Stubs, status: str = "ACCOUNT_CREATED", edition: str = "ENTERPRISE") -> None:
    info = {"AccountSubscriptionStatus": status, "Edition": edition}
    stubs["quicksight"].add_response(
        "describe_account_subscription", {"AccountInfo": info}, {"AwsAccountId": ACCOUNT}
    )
