"""All of an environment goes, in order, and nothing else; what is refused, killed or kept is told and done right."""

from __future__ import annotations

import re
import signal
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from crime_jobs import cli_inventory
from crime_jobs.cloud import destroy_buckets, destroy_stacks, inventory_rows
from crime_jobs.cloud.destroy import Destruction, Outcome
from crime_jobs.errors import AwsRefused, CrimeJobsError, Interrupted, JobFailed, WrongUsage
from tests.policies import resolving
from tests.unit.cloud_account import AWAY, HOME, Account, key_arn, make_settings, refuse

OURS = {"project": "crime-jobs", "environment": "trial"}
KEPT = OURS | {"keep": "true"}
TABLE, BUCKET, QUEUE = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"
BY_HAND = "by-hand-of-ravi"


@pytest.fixture
def account() -> Account:
    """An environment: two stacks, one importing from the other, what they retain, and things by hand."""
    made = Account()
    fill(made)
    return made


def fill(account: Account) -> None:
    holds = {"Files": (BUCKET, "files", ""), "Landing": (BUCKET, "landing-1", "Retain")}
    account.add("stack", "crime-jobs-trial-storage", tags=OURS, holds=holds, exports=["files"])
    queue = "https://sqs/123456789012/dead-letters"
    holds = {"Events": (TABLE, "fir_events", "Retain"), "Queue": (QUEUE, queue, "")}
    account.add("stack", "crime-jobs-trial-firs", tags=OURS, holds=holds, imports=["files"])
    account.add(
        "bucket", "files", tags=OURS, versions=[(f"k{n % 9}", str(n)) for n in range(2500)], uploads=["u"]
    )
    account.add("bucket", "landing-1", tags=OURS, versions=[("k", "1")])
    account.add("table", "fir_events", tags=OURS, key=key_arn("key-1"))
    account.add("queue", "dead-letters", tags=OURS)
    account.add("key", "key-1", tags=OURS)
    account.add("role", "crime-jobs-trial-emr")
    account.add("log group", "/aws/lambda/crime-jobs-trial-x")
    for kind in ("bucket", "table", "queue", "key", "role"):
        account.add(kind, BY_HAND)


def destruction(account: Account, env: str = "trial", **options: Any) -> Destruction:
    asking = account.asking(make_settings(env))
    return Destruction(asking, sleep=lambda seconds: None, patience=5, **options)


def destroy(account: Account, **options: Any) -> Outcome:
    it = destruction(account, **options)
    return it.run(it.plan())


def left(account: Account) -> set[tuple[str, str]]:
    """What is there beside what was made by hand; a key that waits for its deletion is not."""
    waits = {("key", name) for name, one in account.things["key", HOME].items() if one.get("state")}
    return {(kind, name) for kind, name in account.everything() if name != BY_HAND} - waits


def test_the_stack_with_the_trail_is_the_last_to_go() -> None:
    account = Account()
    for stream in ("storage", "firs", "notifications"):
        account.add("stack", f"crime-jobs-trial-{stream}", tags=OURS, holds={})
    waves = [{row.found.name for row in wave} for wave in destruction(account).plan().stacks()]
    assert waves == [
        {"crime-jobs-trial-firs", "crime-jobs-trial-notifications"},
        {"crime-jobs-trial-storage"},
    ]


def test_all_of_it_goes_and_nothing_made_by_hand(account: Account) -> None:
    outcome = destroy(account)
    outcome.check()
    assert left(account) == set()
    assert {kind for kind, name in account.everything() if name == BY_HAND} == {
        *("bucket", "table", "queue", "key", "role")
    }
    assert account.things["key", HOME]["key-1"]["days"] == 30
    assert outcome.removed == 9
    assert destroy(account).removed == 0


def test_what_starts_things_goes_first_and_logs_last(account: Account) -> None:
    destroy(account)
    changes = [operation for _, operation, _ in account.calls if re.match(r"delete_|schedule_", operation)]
    order = [operation for number, operation in enumerate(changes) if operation not in changes[:number]]
    assert order[:2] == ["delete_objects", "delete_stack"]  # a stack's bucket is empty before its stack goes
    assert order[-3:] == ["delete_role", "schedule_key_deletion", "delete_log_group"]
    stacks = [request["StackName"] for _, operation, request in account.calls if operation == "delete_stack"]
    assert [re.search(r"trial-(\w+)", one)[1] for one in stacks] == ["firs", "storage"]  # type: ignore[index]


def test_the_trail_goes_after_all_that_was_removed_and_only_its_bucket_stays(account: Account) -> None:
    """Its stack leaves it: tables and files that other stacks retained go later, and that is on record."""
    holds = account.things["stack", HOME]["crime-jobs-trial-storage"]["holds"]
    policy = resolving.load("storage")["Resources"]["Trail"].get("DeletionPolicy", "")
    holds["Trail"] = ("AWS::CloudTrail::Trail", "crime-jobs-trial", policy)
    account.add("trail", "crime-jobs-trial", tags=OURS, key=key_arn("key-2"))
    account.add("bucket", "trail-files", tags=KEPT, key=key_arn("key-2"))
    account.add("key", "key-2", tags=OURS)
    destroy(account).check()
    assert left(account) == {("bucket", "trail-files"), ("key", "key-2")}
    changes = [operation for _, operation, _ in account.calls if re.match(r"delete_|schedule_", operation)]
    ends = {name: max(number for number, one in enumerate(changes) if one == name) for name in changes}
    for before in ("delete_stack", "delete_bucket", "delete_table", "delete_role", "schedule_key_deletion"):
        assert ends[before] < ends["delete_trail"], before


def test_stacks_go_before_those_they_import_from_however_deep() -> None:
    account = Account()
    for number in range(5):
        account.add(
            "stack",
            f"crime-jobs-trial-{number}",
            tags=OURS,
            exports=[f"e{number}"],
            imports=[f"e{one}" for one in range(number)],
        )
    plan = destruction(account).plan()
    assert [[row.found.name[-1] for row in wave] for wave in plan.stacks()] == [
        ["4"],
        ["3"],
        ["2"],
        ["1"],
        ["0"],
    ]


def test_stacks_go_before_those_whose_outputs_they_were_given() -> None:
    """As `crime-jobs deploy` makes them: CloudFormation knows of no import there."""
    account = Account()
    account.add("stack", "crime-jobs-trial-a", tags=OURS, outputs=["subnet-1", "vpc-12", "yes"])
    account.add(
        "stack", "crime-jobs-trial-b", tags=OURS, parameters={"Subnets": "subnet-0,subnet-1", "X": "yes"}
    )
    account.add("stack", "crime-jobs-trial-c", tags=OURS, parameters={"X": "yes"}, outputs=["yes"])
    plan = destruction(account).plan()
    assert [[row.found.name[-1] for row in wave] for wave in plan.stacks()] == [["b", "c"], ["a"]]
    kept = destruction(account, keep=["stack:crime-jobs-trial-b"]).plan()
    assert {row.found.name[-1] for row, _ in kept.keep} == {"a", "b"}


def test_a_bucket_of_many_versions_is_emptied_in_batches_with_uploads_that_were_begun(
    account: Account,
) -> None:
    destroy(account)
    batches = [
        len(request["Delete"]["Objects"])
        for _, operation, request in account.calls
        if operation == "delete_objects" and request["Bucket"] == "files"
    ]
    assert max(batches) <= 1000
    assert account.names("bucket") == {BY_HAND}


def test_what_is_marked_stays_with_all_that_it_needs(account: Account) -> None:
    """A kept table keeps the key that it is sealed with; a kept bucket that its stack would delete, the stack."""
    account.things["table", HOME]["fir_events"]["tags"] = KEPT
    outcome = destroy(account, keep=["bucket:files"])
    outcome.check()  # what somebody wished to keep is not left behind
    assert left(account) == {
        ("bucket", "files"),
        ("stack", "crime-jobs-trial-storage"),
        ("bucket", "landing-1"),
        ("table", "fir_events"),
        ("key", "key-1"),
    }
    assert {row.key: why for row, why in outcome.keep} == {
        "table:fir_events": "tagged keep=true",
        "key:key-1": "what table fir_events holds is sealed with it",
        "bucket:files": "--keep",
        "stack:crime-jobs-trial-storage": "would take bucket files with it",
        "bucket:landing-1": "in stack crime-jobs-trial-storage",
    }
    assert len(account.things["bucket", ""]["files"]["versions"]) == 2500


def test_a_stack_that_a_kept_one_imports_from_stays(account: Account) -> None:
    outcome = destroy(account, keep=["stack:crime-jobs-trial-firs"])
    outcome.check()
    assert account.names("stack") == {"crime-jobs-trial-firs", "crime-jobs-trial-storage"}
    assert account.names("queue") == {"dead-letters", BY_HAND}


def test_a_slip_in_what_is_to_be_kept_stops_it_before_it_begins(account: Account) -> None:
    before = account.everything()
    with pytest.raises(WrongUsage, match="'bucket:fils'"):
        destruction(account, keep=["bucket:fils"]).plan()
    assert account.everything() == before


def test_what_is_protected_is_told_and_lifted_only_when_asked(account: Account) -> None:
    account.things["table", HOME]["fir_events"]["protected"] = True
    account.things["stack", HOME]["crime-jobs-trial-storage"]["protected"] = True
    outcome = destroy(account)
    with pytest.raises(JobFailed, match="left: "):
        outcome.check()
    assert {row.key for row, why in outcome.stuck if "--lift-protection" in why} == {
        "table:fir_events",
        "stack:crime-jobs-trial-storage",
    }
    destroy(account, lift=True).check()
    assert left(account) == set()


def test_protection_of_what_goes_with_a_stack_is_taken_off_before_it_and_is_told(account: Account) -> None:
    """CloudFormation deletes nothing that is protected; what a stack retains is lifted when its turn comes."""
    holds = account.things["stack", HOME]["crime-jobs-trial-firs"]["holds"]
    holds["Runs"] = (TABLE, "fir_runs", "")
    account.add("table", "fir_runs", tags=OURS, protected=True)
    account.things["table", HOME]["fir_events"]["protected"] = True
    said: list[str] = []
    destroy(account, lift=True, tell=said.append).check()
    assert left(account) == set()
    changes = [
        (operation, str(request.get("TableName") or request["StackName"].split("/")[1]))
        for _, operation, request in account.calls
        if operation in ("delete_stack", "update_table", "delete_table")
    ]
    assert changes[:3] == [
        ("update_table", "fir_runs"),
        ("delete_stack", "crime-jobs-trial-firs"),
        ("delete_stack", "crime-jobs-trial-storage"),
    ]
    # The two tables go side by side.
    theirs = [one for one, table in changes[3:] if table == "fir_events"]
    assert theirs[:2] == ["update_table", "delete_table"]
    assert changes.count(("update_table", "fir_runs")) == 1
    assert not [line for line in said if "can't remove" in line]
    assert said.index("Taking the protection off table fir_runs") > said.index(
        "Deleting stack crime-jobs-trial-firs"
    )


def test_without_the_option_what_is_protected_stays_with_its_key_and_goes_by_the_next_run(
    account: Account,
) -> None:
    account.things["table", HOME]["fir_events"]["protected"] = True
    with pytest.raises(JobFailed, match="left: table fir_events, key key-1"):
        destroy(account).check()
    assert left(account) == {("table", "fir_events"), ("key", "key-1")}
    assert not [1 for _, operation, _ in account.calls if operation == "update_table"]
    destroy(account, lift=True).check()
    assert left(account) == set()


def test_a_key_that_seals_what_is_nobodys_stays_where_that_can_be_seen(account: Account) -> None:
    account.add("secret", "payroll", key=key_arn("key-1"))
    with pytest.raises(JobFailed, match="1 left: key key-1"):
        destroy(account).check()
    assert ("key", "key-1") in left(account)
    assert "state" not in account.things["key", HOME]["key-1"]


def test_a_denied_call_in_the_middle_is_told_and_the_rest_goes_on(account: Account) -> None:
    account.denied = {"delete_table"}
    outcome = destroy(account)
    with pytest.raises(AwsRefused, match="2 left: table fir_events, key key-1") as refused:
        outcome.check()
    assert refused.value.exit_code == 4
    assert "permission" in refused.value.hint
    assert left(account) == {("table", "fir_events"), ("key", "key-1")}
    account.denied = set()
    destroy(account).check()
    assert left(account) == set()


def test_an_inventory_that_may_not_look_is_not_an_empty_one(account: Account) -> None:
    destroy(account).check()
    account.denied = {"list_tables"}
    with pytest.raises(AwsRefused, match="each table of dynamodb could not be asked"):
        destroy(account).check()


def test_a_stack_that_fails_half_way_goes_without_what_it_can_not_remove(account: Account) -> None:
    account.things["queue", HOME]["dead-letters"]["sticks"] = True
    account.things["stack", HOME]["crime-jobs-trial-firs"]["status"] = "ROLLBACK_FAILED"
    said: list[str] = []
    destroy(account, tell=said.append).check()
    assert "Stack crime-jobs-trial-firs can't remove Queue: it is not empty" in said
    assert left(account) == set()


def test_objects_under_a_lock_are_told_and_keep_only_their_bucket(account: Account) -> None:
    one = account.things["bucket", ""]["landing-1"]
    one["locked"] = set(one["versions"])
    outcome = destroy(account)
    with pytest.raises(JobFailed, match="1 versions of bucket landing-1 can't be deleted: AccessDenied"):
        outcome.check()
    assert left(account) == {("bucket", "landing-1")}


@pytest.mark.parametrize("after", range(0, 14, 2))
def test_killed_in_the_middle_it_goes_on(account: Account, after: int) -> None:
    """Whichever change it was killed at: nothing is remembered but what is there."""
    changes = 0

    class Killed(BaseException):
        pass

    def kill(operation: str) -> None:
        nonlocal changes
        changes += re.match(r"delete_|schedule_|abort_", operation) is not None
        if changes > after:
            raise Killed

    account.before = kill
    with pytest.raises(Killed):
        destroy(account)
    account.before = lambda operation: None
    destroy(account).check()
    assert left(account) == set()
    assert ("table", BY_HAND) in account.everything()


def test_two_at_once_do_no_harm(account: Account) -> None:
    account.latency = 0.001
    outcomes: list[Outcome] = []
    its = [destruction(account) for _ in range(2)]
    plans = [it.plan() for it in its]

    def run(it: Destruction, plan: Any) -> None:
        outcomes.append(it.run(plan))

    threads = [threading.Thread(target=run, args=pair) for pair in zip(its, plans, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in outcomes:
        outcome.check()
    assert len(outcomes) == 2
    assert left(account) == set()


def test_another_environment_and_other_regions_are_left_alone_unless_asked() -> None:
    account = Account()
    account.add("table", "t", tags=OURS)
    account.add("table", "p", tags={"project": "crime-jobs", "environment": "prod"})
    account.add("table", "nobodys", tags={"project": "crime-jobs"})
    account.add("table", "away", region=AWAY, tags=OURS)
    outcome = destroy(account)
    outcome.check()
    assert left(account) == {("table", "p"), ("table", "nobodys"), ("table", "away")}
    assert [row.key for row in outcome.others] == ["table:nobodys"]
    destroy(account, everywhere=True).check()
    assert left(account) == {("table", "p"), ("table", "nobodys")}


def kept_table(account: Account) -> None:
    account.things["table", HOME]["fir_events"]["tags"] = KEPT


@pytest.mark.parametrize("operation", ["list_tables", "describe_table", "list_tags_of_resource"])
def test_what_the_plan_kept_is_not_removed_when_a_later_look_has_holes(
    account: Account, operation: str
) -> None:
    kept_table(account)
    it = destruction(account)
    plan = it.plan()
    assert ("key", "key-1") in {(row.kind.name, row.found.name) for row, _ in plan.keep}
    account.throttled = {operation}
    outcome = it.run(plan)
    with pytest.raises(JobFailed, match="Stopped: .* of dynamodb .*could not be asked any more"):
        outcome.check()
    assert {("table", "fir_events"), ("key", "key-1")} <= left(account)


def test_one_that_stopped_half_way_says_what_stands_and_what_to_run(account: Account) -> None:
    it = destruction(account)
    plan = it.plan()
    account.throttled = {"list_tables"}
    outcome = it.run(plan)
    with pytest.raises(JobFailed) as stopped:
        outcome.check()
    said = stopped.value.message
    assert "each table of dynamodb in ap-south-1 could not be asked any more: Rate exceeded" in said
    assert f"{outcome.removed} are removed, {len(outcome.left)} stand: " in said
    names = {row.found.name for row in outcome.left}
    assert outcome.removed
    assert names <= {name for _, name in account.everything()}
    assert {"key-1", "/aws/lambda/crime-jobs-trial-x"} <= names
    assert all(name in said for name in names)
    assert "Run the same again" in stopped.value.hint
    sentences = list(inventory_rows.sentences(outcome))
    assert "The inventory shows nothing more that was to go." not in sentences
    account.throttled = set()
    destroy(account).check()
    assert left(account) == set()


def test_what_a_later_list_passes_over_keeps_its_key_all_the_same(account: Account) -> None:
    kept_table(account)
    it = destruction(account)
    plan = it.plan()
    hidden = account.things["table", HOME].pop("fir_events")
    it.run(plan)
    account.things["table", HOME]["fir_events"] = hidden
    assert ("key", "key-1") in left(account)


@pytest.mark.parametrize("operation", ["list_tables", "describe_table", "list_tags_of_resource"])
def test_what_can_not_be_read_at_the_first_look_stays_with_its_key_and_its_stack(
    account: Account, operation: str
) -> None:
    """It may be tagged keep=true, and its stack would take it along."""
    kept_table(account)
    held = account.things["stack", HOME]["crime-jobs-trial-firs"]["holds"]
    held["Events"] = (TABLE, "fir_events", "")
    account.throttled = {operation}
    outcome = destroy(account)
    with pytest.raises(JobFailed):
        outcome.check()
    stays = {("table", "fir_events"), ("key", "key-1"), ("stack", "crime-jobs-trial-firs")}
    assert stays <= left(account)
    assert any("Rate exceeded" in said.why for said in destruction(account).plan().unasked)


def test_what_a_stack_holds_is_not_deleted_with_it_unread(account: Account) -> None:
    account.throttled = {"list_stack_resources"}
    plan = destruction(account).plan()
    assert {row.found.name for row, why in plan.stuck if why == "what it holds could not be read"} == {
        "crime-jobs-trial-firs",
        "crime-jobs-trial-storage",
    }
    assert "stack" not in {row.kind.name for row in plan.remove}


def test_nothing_is_removed_whose_tags_may_be_another_projects(account: Account) -> None:
    account.add("table", "crime-jobs-trial-x", tags={"project": "tax-office"})
    account.throttled = {"list_tags_of_resource"}
    destroy(account)
    assert ("table", "crime-jobs-trial-x") in left(account)


def test_what_turns_up_after_the_plan_is_told_and_left_but_for_logs(account: Account) -> None:
    it = destruction(account)
    plan = it.plan()
    account.add("table", "made-meanwhile", tags=OURS)
    account.add("log group", "/aws/lambda/crime-jobs-trial-late")
    outcome = it.run(plan)
    with pytest.raises(JobFailed, match="1 left: table made-meanwhile"):
        outcome.check()
    assert [why for _, why in outcome.stuck] == ["turned up after the plan was agreed to"]
    assert left(account) == {("table", "made-meanwhile")}
    destroy(account).check()
    assert left(account) == set()


@pytest.mark.parametrize(
    "tags", [{"project": "crime-jobs", "environment": "prod"}, {"project": "crime-jobs"}]
)
def test_a_key_that_seals_what_stays_stays(account: Account, tags: dict[str, str]) -> None:
    """A table of another environment, or of nobody's, under this one's key."""
    account.add("table", "theirs", tags=tags, key=key_arn("key-1"))
    outcome = destroy(account)
    with pytest.raises(JobFailed, match="1 left: key key-1"):
        outcome.check()
    assert left(account) == {("table", "theirs"), ("key", "key-1")}


def test_the_keys_of_a_region_stay_where_a_backup_is_left(account: Account) -> None:
    """A table's backup does not say which key it is sealed with."""
    account.things["table backup", HOME]["b"] = {"name": "fir_events-old", "tags": {}}
    plan = destruction(account).plan()
    assert "key:key-1" in {row.key for row, _ in plan.stuck}


def test_credentials_of_another_account_are_refused(account: Account) -> None:
    settings = make_settings(account="999999999999")
    with pytest.raises(WrongUsage, match="123456789012.*999999999999"):
        account.asking(settings)


TEXT = st.text("abcdefghijklmnopqrstuvwxyz-_.0123456789", min_size=1, max_size=20)
TAGS = st.dictionaries(
    st.sampled_from(["project", "environment", "owner", "Name"]),
    st.sampled_from(["crime-jobs", "trial", "prod", "payroll", "ravi", ""]),
)
MADE = st.tuples(st.sampled_from(["bucket", "table", "queue", "key", "role", "log group"]), TEXT, TAGS)


@settings(max_examples=40)
@given(others=st.lists(MADE, max_size=8))
def test_what_is_not_the_environments_is_never_touched(others: list[tuple[str, str, dict[str, str]]]) -> None:
    """Made by hand with whatever name and tags, in the same account: all of it is there afterwards."""
    account = Account()
    fill(account)
    theirs = {
        (kind, name): tags
        for kind, name, tags in others
        if (kind, name) not in account.everything()
        and not (tags.get("project") == "crime-jobs" and tags.get("environment") == "trial")
        and not name.startswith(
            ("crime-jobs-trial", "crime-jobs-fir-consumer", "fir_", "fir-", "crime-", "face_")
        )
    }
    for (kind, name), tags in theirs.items():
        account.add(kind, name, tags=tags)
    destroy(account).check()
    assert left(account) == set(theirs)
    touched = {
        str(value)
        for _, operation, request in account.calls
        if re.match(r"delete_|schedule_|update_|abort_", operation)
        for value in request.values()
    }
    assert not touched & {name for _, name in theirs if len(name) > 3}


def run(account: Account, monkeypatch: pytest.MonkeyPatch, *arguments: str, said: str = "") -> Any:
    monkeypatch.setattr(cli_inventory, "settings_for", lambda env, **options: make_settings(env))
    monkeypatch.setattr("crime_jobs.cloud.inventory_asking.aws.client", account.make)
    monkeypatch.setattr(
        "crime_jobs.cloud.inventory_asking.Asking.__init__.__kwdefaults__",
        {"writes": False, "make": account.make},
    )
    app = typer.Typer()
    cli_inventory.register(app)
    return CliRunner().invoke(app, ["destroy", "--env", "trial", *arguments], input=said)


@pytest.mark.parametrize("said", ["", "prod\n", "Trial\n", "y\n"])
def test_without_the_environments_name_nothing_is_removed(
    account: Account, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    before = account.everything()
    result = run(account, monkeypatch, said=said)
    assert isinstance(result.exception, WrongUsage)
    assert account.everything() == before


def test_with_it_all_goes(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(account, monkeypatch, said="trial\n").exit_code == 0
    assert left(account) == set()


def test_the_name_alone_answers_no_question(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    before = account.everything()
    assert isinstance(run(account, monkeypatch, "--name", "trial").exception, WrongUsage)
    assert account.everything() == before


def test_what_could_not_be_asked_is_said_before_the_question(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.throttled = {"list_tables"}
    result = run(account, monkeypatch)
    said = result.stderr
    assert said.index("each table of dynamodb") < said.index("This can't be undone")
    assert "account 123456789012, region ap-south-1" in said


def test_before_the_question_it_says_what_is_protected_and_what_keys_may_seal(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.things["table", HOME]["fir_events"]["protected"] = True
    before, asks = account.everything(), "This can't be undone"
    said = " ".join(run(account, monkeypatch).stderr.split())
    assert said.index("Protected, so it stays: table fir_events. With --lift-protection") < said.index(asks)
    assert "keys are deleted" not in said  # what stays is sealed with the only one
    said = " ".join(run(account, monkeypatch, "--lift-protection").stderr.split())
    assert said.index("Protection is taken off table fir_events") < said.index(asks)
    assert said.index("1 keys are deleted in 30 days") < said.index("cancel-key-deletion") < said.index(asks)
    assert "bucket, table, table backup, stream" in said
    assert account.everything() == before
    assert account.things["table", HOME]["fir_events"]["protected"]


def test_at_the_end_each_key_has_the_command_that_saves_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = " ".join(run(account, monkeypatch, said="trial\n").stderr.split())
    which = f"--region {HOME} --key-id key-1"  # a key that is saved is disabled
    assert f"`aws kms cancel-key-deletion {which} && aws kms enable-key {which}`" in said


def test_interrupted_it_says_what_shows_the_rest(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(operation: str) -> None:
        if operation == "delete_table":
            raise KeyboardInterrupt

    account.before = interrupt
    result = run(account, monkeypatch, "--yes", "--name", "trial")
    assert isinstance(result.exception, Interrupted)
    assert "crime-jobs inventory --env trial" in result.exception.hint
    assert "the same command again goes on" in result.exception.hint


@pytest.mark.parametrize("arguments", [("--yes",), ("--yes", "--name", "prod")])
def test_a_script_says_it_twice(
    account: Account, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    before = account.everything()
    assert isinstance(run(account, monkeypatch, *arguments).exception, WrongUsage)
    assert account.everything() == before
    assert run(account, monkeypatch, "--yes", "--name", "trial").exit_code == 0
    assert left(account) == set()


def test_a_dry_run_shows_the_plan_and_changes_nothing(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = account.everything()
    result = run(account, monkeypatch, "--dry-run", "--output", "csv", "--keep", "bucket:landing-1")
    assert result.exit_code == 0
    rows = [line.split(",") for line in result.stdout.splitlines()]
    assert rows[1][:2] == ["stack", "crime-jobs-trial-firs"]
    assert ["log group", "/aws/lambda/crime-jobs-trial-x"] in [row[:2] for row in rows]
    assert "keep" in rows[-1]
    assert account.everything() == before
    assert not [call for call in account.calls if not re.match(r"get_|list_|describe_", call[1])]


def test_a_stack_under_way_is_waited_for(account: Account) -> None:
    one = account.things["stack", HOME]["crime-jobs-trial-firs"]
    one["status"] = "UPDATE_IN_PROGRESS"
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        one["status"] = "UPDATE_COMPLETE"

    it = destruction(account)
    row = next(row for row in it.plan().remove if row.found.name.endswith("firs"))
    destroy_stacks.delete(account.asking(), row, lambda said: None, sleep)
    assert waited
    assert "crime-jobs-trial-firs" not in account.names("stack")


def test_a_stack_that_never_ends_is_given_up_with_its_state(account: Account) -> None:
    it = destruction(account)
    row = next(row for row in it.plan().remove if row.found.name.endswith("firs"))
    account.things["stack", HOME]["crime-jobs-trial-firs"]["status"] = "DELETE_IN_PROGRESS"
    with pytest.raises(CrimeJobsError, match="DELETE_IN_PROGRESS"):
        destroy_stacks.delete(account.asking(), row, lambda said: None, lambda seconds: None, patience=0)


def test_a_stack_that_fails_without_a_reason_is_told_and_no_empty_list_is_sent(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = destruction(account)
    row = next(row for row in it.plan().remove if row.found.name.endswith("firs"))
    account.before = lambda operation: (
        account.things["stack", HOME]["crime-jobs-trial-firs"].update(status="DELETE_FAILED")
        if operation == "describe_stacks"
        else None
    )
    account.things["queue", HOME]["dead-letters"]["sticks"] = True
    monkeypatch.setattr(account, "cloudformation_describe_stack_events", lambda *_, **__: {}, raising=False)
    with pytest.raises(JobFailed, match="CloudFormation gives no reason"):
        destroy_stacks.delete(account.asking(), row, lambda said: None, lambda seconds: None)
    sent = [request for _, operation, request in account.calls if operation == "delete_stack"]
    assert not [request for request in sent if "RetainResources" in request]


def test_what_a_stack_retains_and_never_made_stands_for_nothing(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation gives no id, or an empty one, of what could not be made; a security group has no ARN."""
    held = account._stack(HOME, "crime-jobs-trial-firs")["holds"]
    held |= {"Never": (TABLE, "", "Retain"), "NotEither": (TABLE, None, "Retain")}
    lists = account.cloudformation_list_stack_resources

    def listed(region: str, StackName: str) -> Any:  # noqa: N803 - as boto3's
        said = lists(region, StackName)
        for one in said["StackResourceSummaries"]:
            if one["PhysicalResourceId"] is None:
                del one["PhysicalResourceId"]
        return said

    monkeypatch.setattr(account, "cloudformation_list_stack_resources", listed)
    (row,) = [
        row
        for wave in destruction(account).plan().stacks()
        for row in wave
        if row.found.name == "crime-jobs-trial-firs"
    ]
    assert destroy_stacks.retained(account.asking(make_settings("trial")), row) == {"fir_events"}


def test_ctrl_c_at_the_question_is_no_wrong_answer(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any, **__: Any) -> str:
        abort = typer.Abort()
        abort.__context__ = KeyboardInterrupt()
        raise abort

    monkeypatch.setattr("typer.prompt", pressed)
    before = account.everything()
    result = run(account, monkeypatch)
    assert isinstance(result.exception, Interrupted)
    assert "nothing was removed" in result.exception.message
    assert account.everything() == before


def test_after_ctrl_c_nothing_more_is_deleted_of_what_was_under_way(account: Account) -> None:
    """Two buckets are emptied side by side, in threads: these must end as soon as whoever waits for them."""
    for name in ("large-1", "large-2"):
        account.add("bucket", name, tags=OURS, versions=[("k", str(n)) for n in range(40_000)])
    it, deleted = destruction(account), 0
    plan = it.plan()

    def press(operation: str) -> None:
        nonlocal deleted
        if operation == "delete_objects" and threading.current_thread() is not threading.main_thread():
            time.sleep(0.01)
            deleted += 1
            if deleted == 20:  # past what the stacks' own bucket holds
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    account.before = press
    with pytest.raises(KeyboardInterrupt):
        it.run(plan)
    time.sleep(0.5)  # in which the rest would be gone
    left = [len(account.things["bucket", ""][name]["versions"]) for name in ("large-1", "large-2")]
    assert sum(left) > 20_000


def test_a_bucket_of_another_region_is_left_alone_unless_asked(account: Account) -> None:
    """S3 lists all regions' buckets at once, and another region's environment may have the same name."""
    account.add("bucket", "away", tags=OURS, versions=[("k", "1")])
    account.things["bucket", ""]["away"]["region"] = AWAY
    destroy(account).check()
    assert left(account) == {("bucket", "away")}
    assert account.things["bucket", ""]["away"]["versions"]
    destroy(account, everywhere=True).check()
    assert left(account) == set()


def test_a_role_that_a_stack_of_another_region_made_is_left_alone_unless_asked(account: Account) -> None:
    there = f"arn:aws:cloudformation:{AWAY}:123456789012:stack/crime-jobs-trial-emr/0f1e"
    here = f"arn:aws:cloudformation:{HOME}:123456789012:stack/crime-jobs-trial-gone/0f1e"
    account.add("role", "away", tags=OURS | {"aws:cloudformation:stack-id": there})
    account.add("role", "left-behind", tags=OURS | {"aws:cloudformation:stack-id": here})
    destroy(account).check()
    assert left(account) == {("role", "away")}
    destroy(account, everywhere=True).check()
    assert left(account) == set()


def test_a_key_that_no_xml_can_have_is_deleted_by_itself() -> None:
    """Whoever puts photographs calls them as he likes; S3 refuses the whole batch with such a key."""

    class S3:
        def __init__(self) -> None:
            self.versions = [{"Key": key, "VersionId": "1"} for key in ("a", "b\x08", "c")]

        def get_paginator(self, name: str) -> Any:
            found = {"Versions": list(self.versions)} if name == "list_object_versions" else {}
            return SimpleNamespace(paginate=lambda **_: [found])

        def delete_objects(self, Delete: Any, **_: Any) -> Any:  # noqa: N803 - as boto3's
            if any("\x08" in one["Key"] for one in Delete["Objects"]):
                raise refuse("MalformedXML", "DeleteObjects")
            raise AssertionError

        def delete_object(self, Key: str, VersionId: str, **_: Any) -> None:  # noqa: N803
            if Key == "c":
                raise refuse("AccessDenied", "DeleteObject", 403)
            self.versions.remove({"Key": Key, "VersionId": VersionId})

    s3 = S3()
    with pytest.raises(JobFailed, match="1 versions of bucket b can't be deleted: AccessDenied"):
        destroy_buckets.empty(s3, "b")
    assert [one["Key"] for one in s3.versions] == ["c"]
