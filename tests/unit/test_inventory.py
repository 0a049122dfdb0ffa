"""What counts as the project's, what could not be asked, and that nothing is passed over silently."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from crime_jobs.cloud import inventory_rows
from crime_jobs.cloud.inventory import Inventory, take
from crime_jobs.cloud.inventory_asking import unasked
from crime_jobs.cloud.inventory_claims import names_of
from crime_jobs.cloud.kinds import KINDS, by_service
from crime_jobs.errors import AwsRefused
from tests.unit.cloud_account import AWAY, HOME, Account, key_arn, make_settings, refuse

OURS = {"project": "crime-jobs", "environment": "trial"}


@pytest.fixture
def account() -> Account:
    return Account()


def rows(account: Account, **options: Any) -> dict[str, tuple[str, str | None, str]]:
    """Why each counts: by what, whose, in which stack; by kind and name."""
    found = take(account.asking(), **options)
    return {row.key: (row.claim.by, row.claim.environment, row.claim.stack) for row in found.rows}


def test_what_counts_counts_by_its_stack_its_tags_or_its_name(account: Account) -> None:
    holds = {"Queue": ("AWS::SQS::Queue", "https://sqs/123456789012/anything", "")}
    account.add("stack", "crime-jobs-trial-firs", tags=OURS, holds=holds)
    account.add("queue", "anything")
    account.add("bucket", "police-lake-7", tags=OURS)
    account.add("table", "fir_events")
    account.add("table", "somebodys")
    account.add("log group", "/aws/lambda/crime-jobs-trial-producer")
    assert rows(account) == {
        "stack:crime-jobs-trial-firs": ("tag", "trial", ""),
        "queue:anything": ("stack", "trial", "crime-jobs-trial-firs"),
        "bucket:police-lake-7": ("tag", "trial", ""),
        "table:fir_events": ("name", "trial", ""),
        "log group:/aws/lambda/crime-jobs-trial-producer": ("name", "trial", ""),
    }


def test_a_stack_holds_what_it_made_and_not_what_only_has_the_same_name(account: Account) -> None:
    account.add("stack", "crime-jobs-trial-x", tags=OURS, holds={"T": ("AWS::DynamoDB::Table", "plain", "")})
    account.add("table", "plain")
    account.add("role", "plain")
    account.add("table", "plain", region=AWAY)
    found = take(account.asking(), everywhere=True)
    assert [(row.key, row.region) for row in found.rows if row.found.name == "plain"] == [
        ("table:plain", HOME)
    ]


def test_a_stack_made_by_hand_says_its_environment_in_its_parameter(account: Account) -> None:
    account.add("stack", "crime-jobs-firs", parameters={"Environment": "trial"})
    account.add("stack", "crime-jobs-emr", parameters={"Environment": "prod"})
    account.add("stack", "payroll", parameters={"Environment": "trial"})
    assert rows(account) == {
        "stack:crime-jobs-firs": ("name", "trial", ""),
        "stack:crime-jobs-emr": ("name", "prod", ""),
    }


def test_tags_speak_before_names(account: Account) -> None:
    account.add("table", "fir_events", tags={"project": "a-university"})
    account.add("table", "fir_alerts", tags={"environment": "prod"})
    account.add("table", "fir_identities", tags={"project": "crime-jobs"})
    assert rows(account) == {
        "table:fir_alerts": ("name", "prod", ""),
        "table:fir_identities": ("tag", "trial", ""),
    }


def test_a_name_that_is_longer_may_be_another_environments(account: Account) -> None:
    account.add("queue", "crime-jobs-trial-2-x")
    account.add("bucket", "x", tags={"project": "crime-jobs", "environment": "trial-2"})
    assert rows(account)["queue:crime-jobs-trial-2-x"] == ("name", "trial-2", "")
    account.gone("bucket", "s3", HOME, "x", "x")
    assert rows(account)["queue:crime-jobs-trial-2-x"] == ("name", "trial", "")


def test_an_environment_that_only_the_settings_tell_of_keeps_its_things(account: Account) -> None:
    account.add("queue", "crime-jobs-trial-2-x")
    found = take(account.asking(make_settings().model_copy(update={"others": ("trial-2",)})))
    assert [(row.key, row.claim.environment) for row in found.rows] == [
        ("queue:crime-jobs-trial-2-x", "trial-2")
    ]


def test_a_name_like_ours_is_shown_and_is_nobodys(account: Account) -> None:
    """Somebody's copy, and what another environment may have made: told, and left alone by destroy."""
    for name in ("fir_events-restored", "crime-jobs-prod-x", "crime-jobs"):
        account.add("table", name)
    account.add("bucket", "lake")  # the settings point at it; whose it is they don't say
    account.add("table", "crime-jobsx")
    account.add("table", "fir_eventsx")
    account.add("bucket", "fir_events")
    assert rows(account) == {
        "table:fir_events-restored": ("name", None, ""),
        "table:crime-jobs-prod-x": ("name", None, ""),
        "table:crime-jobs": ("name", None, ""),
        "bucket:lake": ("name", None, ""),
    }


def test_in_another_region_a_default_name_may_be_another_environments(account: Account) -> None:
    account.add("table", "fir_events", region=AWAY)
    account.add("table", "crime-jobs-fir-consumer-WorkerMetricStats", region=AWAY)
    account.add("table", "crime-jobs-trial-x", region=AWAY)
    account.add("queue", "forgotten", region=AWAY, tags=OURS)
    assert rows(account) == {}
    assert rows(account, everywhere=True) == {
        "table:fir_events": ("name", None, ""),
        "table:crime-jobs-fir-consumer-WorkerMetricStats": ("name", None, ""),
        "table:crime-jobs-trial-x": ("name", "trial", ""),
        "queue:forgotten": ("tag", "trial", ""),
    }


def test_where_another_environment_is_a_default_name_does_not_say_whose(account: Account) -> None:
    """The lease table of another environment's consumer has no tags, and the name that is the default."""
    ours = {"table:fir_events": ("name", "trial", ""), "table:crime-jobs-fir-consumer": ("name", "trial", "")}
    account.add("table", "fir_events")
    account.add("table", "crime-jobs-fir-consumer")
    account.add("table", "crime-jobs-trial-x")
    account.add("queue", "prods", region=AWAY, tags={"project": "crime-jobs", "environment": "prod"})
    account.add("key", "key-1", tags={"project": "crime-jobs", "environment": "gone"})
    telling = {"table:crime-jobs-trial-x": ("name", "trial", "")}
    assert rows(account) == ours | telling | {"key:key-1": ("tag", "gone", "")}
    account.add("queue", "prods", tags={"project": "crime-jobs", "environment": "prod"})
    found = rows(account)
    assert {found[key] for key in ours} == {("name", None, "")}
    assert found.items() >= telling.items()


def test_an_environment_with_a_prefix_has_only_the_names_that_somebody_wrote(account: Account) -> None:
    """Beside it may be one of the default names, without any tags, as on LocalStack."""
    migrated = ("second-crime-districts", "second-crime-jobs-migrations")
    first = (
        "fir_events",
        "fir_alerts",
        "crime-districts",
        "crime-jobs-migrations",
        "crime-jobs-fir-consumer-x",
    )
    for name in (*first, "second-fir_events", *migrated, "written"):
        account.add("table", name)
    for name in ("fir-stream", "fir-counts"):
        account.add("queue", name)
    settings = make_settings(deploy={"name": "second"}, stream={"alerts_table": "written"})
    found = take(account.asking(settings))
    assert {row.key for row in found.rows if row.claim.environment == "trial"} == {
        "table:second-fir_events",
        *(f"table:{name}" for name in migrated),
        "table:written",
    }


def test_a_deploy_name_that_is_a_word_claims_no_strangers_things(account: Account) -> None:
    for kind, name in (("table", "police-roster"), ("role", "police-hr"), ("bucket", "police-cctv")):
        account.add(kind, name)
    account.add("role", "police-trial-emr")
    account.add("bucket", "police-trial-landing-1")
    account.add("bucket", "police-trial-landing-2", region=AWAY)
    found = take(account.asking(make_settings(deploy={"name": "police"})))
    assert {row.key: row.claim.environment for row in found.rows} == {
        "table:police-roster": None,
        "role:police-hr": None,
        "bucket:police-cctv": None,
        "role:police-trial-emr": "trial",
        "bucket:police-trial-landing-1": "trial",
        "bucket:police-trial-landing-2": None,
    }


def test_a_part_goes_with_its_whole_and_counts_by_its_name_without_it(account: Account) -> None:
    account.add("key", "key-1", tags=OURS, alias="alias/x")
    account.add("key", "key-2", alias="alias/crime-jobs-trial-y")
    account.add("key", "key-3", alias="alias/z")
    assert rows(account) == {
        "key:alias/x": ("tag", "trial", ""),
        "key alias:alias/x": ("part", "trial", ""),
        "key:alias/crime-jobs-trial-y": ("name", "trial", ""),
        "key alias:alias/crime-jobs-trial-y": ("part", "trial", ""),
    }


def test_what_a_deleted_stack_left_behind_is_still_its_environments(account: Account) -> None:
    tags = OURS | {"aws:cloudformation:stack-name": "crime-jobs-trial-firs"}
    account.add("bucket", "kept-by-policy", tags=tags)
    assert rows(account) == {"bucket:kept-by-policy": ("tag", "trial", "crime-jobs-trial-firs")}


@given(
    name=st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=40),
    kind=st.sampled_from([kind.name for kind in KINDS]),
)
def test_no_other_name_is_taken_for_ours(name: str, kind: str) -> None:
    names = names_of(make_settings())
    said = names.claim(kind, name)
    theirs = (*names.begins, *names.begins_at_home)
    known = {*names.exact.get(kind, ()), *theirs, *names.ours, *names.pointed.get(kind, ())}
    begins = [one for one in known if name.startswith(one.removeprefix("alias/"))]
    assert (said is not None) <= bool(begins)
    if said and said.environment:
        exact = {*names.exact.get(kind, ()), *theirs}
        assert any(name == one or (one in theirs and name.startswith(one)) for one in exact)


def test_a_service_that_is_not_there_is_told_once_and_the_others_are_asked(account: Account) -> None:
    account.add("table", "fir_events")
    found = take(account.asking(), everywhere=True)
    assert [row.key for row in found.rows] == ["table:fir_events"]
    asked = {"cloudformation", "s3", "dynamodb", "sqs", "kms", "logs", "iam", "ec2"}
    asked |= {"kinesis", "cloudtrail", "secretsmanager"}
    assert {said.service for said in found.unasked} >= set(by_service()) - asked
    said = inventory_rows.unheard(found.unasked)
    rds = [line for line in said if " rds " in line]
    assert rds == [
        "Could not be asked: each database, database snapshot, database subnet group, database option group "
        "of rds in ap-south-1, eu-west-1: what answers for it does not have it."
    ]


def test_what_is_denied_is_told_with_its_reason(account: Account) -> None:
    account.add("bucket", "police-lake-7", tags=OURS)
    account.denied = {"list_tables", "get_bucket_tagging"}
    found = take(account.asking())
    denied = {(said.service, said.what) for said in found.unasked if said.denied}
    assert denied == {("dynamodb", "each table"), ("s3", "tags of the bucket police-lake-7")}
    assert not found.rows


def test_a_region_that_a_service_is_not_in_is_none_that_could_not_be_asked() -> None:
    """Nothing answers there, and botocore knows no endpoint of it; a service that is there and away is told."""
    known = botocore.session.Session().get_available_regions
    kind, region = next(
        (kind, region)
        for kind in KINDS
        for region in sorted({*known("ec2")} - {*known(kind.service)})
        if not kind.everywhere and known(kind.service)
    )
    down, denied = AwsRefused("Listing: nothing answers"), AwsRefused("Listing: denied")
    down.__cause__ = EndpointConnectionError(endpoint_url="https://it")
    denied.__cause__ = refuse("AccessDeniedException", "List", 403)
    assert unasked(kind, region, down, "each x").missing
    assert not unasked(kind, known(kind.service)[0], down, "each x").missing
    assert not unasked(kind, region, denied, "each x").missing


def test_a_stream_says_which_key_it_is_under(account: Account) -> None:
    account.add("stream", "fir-stream", key=key_arn("key-1"))
    account.add("stream", "fir-counts")
    found = {row.found.name: row.found for row in take(account.asking()).rows}
    assert found["fir-stream"].key == key_arn("key-1")
    assert found["fir-stream"].arn == "arn:aws:kinesis:ap-south-1:123456789012:stream/fir-stream"
    assert found["fir-counts"].key == ""


def test_what_is_nobodys_and_says_its_key_is_noted_and_not_shown(account: Account) -> None:
    account.add("secret", "payroll", key=key_arn("key-1"))
    account.add("secret", "payroll-2")
    account.add("secret", "crime-jobs-trial-x", key=key_arn("key-1"))
    found = take(account.asking())
    assert [row.key for row in found.rows] == ["secret:crime-jobs-trial-x"]
    assert [row.key for row in found.strangers] == ["secret:payroll"]
    assert found.shown("trial", others=True) == found.rows


def test_what_goes_between_the_list_and_the_look_is_left_out(account: Account) -> None:
    account.add("table", "fir_events")
    account.add("table", "fir_alerts")

    def somebody(operation: str) -> None:
        if operation == "describe_table":
            account.things["table", HOME].pop("fir_events", None)

    account.before = somebody
    found = take(account.asking())
    assert [row.key for row in found.rows] == ["table:fir_alerts"]
    assert not [said for said in found.unasked if said.what.startswith("state of the table")]


def shown(account: Account) -> tuple[list[dict[str, Any]], Inventory]:
    found = take(account.asking())
    return inventory_rows.rows_of(found.shown("trial")), found


def test_a_row_says_what_it_costs_and_on_what_that_is_based(account: Account) -> None:
    account.add("table", "fir_events", tags=OURS)
    account.add("queue", "crime-jobs-fir-dead-letters")
    table, queue = sorted(shown(account)[0], key=lambda row: str(row["kind"]), reverse=True)
    assert table["usd_a_month"] == pytest.approx(4 * 0.25)
    assert table["based_on"] == "4 GB at 0.25 a GB and month, Standard"
    assert queue["usd_a_month"] is None
    assert queue["based_on"] == "unknown: by use (requests)"


def test_what_is_tagged_but_in_no_stack_is_said(account: Account) -> None:
    account.add("bucket", "police-lake-7", tags=OURS)
    account.add("bucket", "theirs", tags={"project": "crime-jobs", "environment": "prod"})
    listed, found = shown(account)
    assert [row["name"] for row in listed] == ["police-lake-7"]
    notes = inventory_rows.notes(found, found.shown("trial"), "trial")
    assert "Tagged, but in no stack: 1 of 1." in notes
    assert len(found.shown("trial", others=True)) == 2


def test_what_is_nobodys_or_goes_by_itself_is_said_beside_the_rows(account: Account) -> None:
    account.add("bucket", "lake")
    account.add("key", "key-1", tags=OURS, state={"KeyState": "PendingDeletion"})
    listed, found = shown(account)
    assert listed == []
    notes = inventory_rows.notes(found, found.shown("trial"), "trial")
    assert "Key key-1 is deleted on 2026-11-01." in notes
    assert any(
        note.startswith("The project's, but nothing says of which environment: bucket lake.")
        for note in notes
    )


def test_an_empty_account_has_an_empty_inventory(account: Account) -> None:
    listed, found = shown(account)
    assert listed == []
    assert inventory_rows.sum_of(found.rows).startswith("0 resources, 0.00 USD a month")


def test_after_ctrl_c_nothing_more_is_asked(account: Account) -> None:
    """Who has pressed it waits for no thread that still reads a large account."""
    for number in range(200):
        account.add("table", f"crime-jobs-trial-{number}")
    looked = 0

    def press(operation: str) -> None:
        nonlocal looked
        if operation == "list_tags_of_resource":
            time.sleep(0.01)
            looked += 1
            if looked == 20:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    account.before = press
    with pytest.raises(KeyboardInterrupt):
        take(account.asking())
    time.sleep(0.3)
    assert looked < 100
