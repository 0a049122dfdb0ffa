"""The engine's DMS: states, refusals in the service's own words, filters and pages. The work itself is elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crime_engines.dms import life
from crime_engines.dms.requests import SETTINGS as KNOWN
from crime_engines.dms.source import check_url, url_for
from crime_engines.dms.tables import ended
from crime_engines.node import SERVICES
from crime_harness import engines as harness
from crime_jobs.migrate._dms_request import TASK_SETTINGS
from tests.unit.dms_engine import (
    BEFORE_LOAD,
    FULL_LOAD,
    SECRET,
    SESSION,
    SETTINGS,
    TARGET,
    Served,
    mapping,
    serve,
    table,
)

URL = "jdbc:h2:tcp://127.0.0.1:6566/./crime;MODE=Oracle;SCHEMA=CRIME"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    with serve(monkeypatch, tmp_path) as served:
        yield served


def refused(call: Any, **request: Any) -> tuple[str, str]:
    """Code and message of the refusal."""
    with pytest.raises(ClientError) as raised:
        call(**request)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def start(engine: Served, arn: str, kind: str = "start-replication") -> dict[str, Any]:
    answer = engine.dms.start_replication_task(ReplicationTaskArn=arn, StartReplicationTaskType=kind)
    found: dict[str, Any] = answer["ReplicationTask"]
    return found


def test_a_task_goes_from_creating_to_the_end_of_its_load(engine: Served) -> None:
    arn = engine.task()
    assert engine.shown()["Status"] == "ready"
    assert "ReplicationTaskStartDate" not in engine.shown()
    assert engine.dms.describe_table_statistics(ReplicationTaskArn=arn)["TableStatistics"] == []

    assert start(engine, arn)["Status"] == "starting"
    over = engine.rests()
    assert (over["Status"], over["StopReason"]) == ("stopped", "Stop Reason FULL_LOAD_ONLY_FINISHED")
    stats = over["ReplicationTaskStats"]
    assert (stats["FullLoadProgressPercent"], stats["TablesLoaded"], stats["TablesErrored"]) == (100, 1, 0)
    (one,) = engine.dms.describe_table_statistics(ReplicationTaskArn=arn)["TableStatistics"]
    assert (one["TableState"], one["FullLoadRows"]) == ("Table completed", 3)
    assert one["ValidationState"] == "Not enabled"


def test_a_reload_begins_with_a_ledger_of_its_own_and_a_resumption_does_not(engine: Served) -> None:
    arn = engine.task()
    for kind in ("start-replication", "resume-processing", "reload-target"):
        start(engine, arn, kind)
        engine.rests()
    first, resumed, reloaded = engine.work.starts
    assert first == resumed
    assert reloaded != first


def test_starts_are_refused_as_dms_does(engine: Served) -> None:
    arn = engine.task()
    for kind in ("reload-target", "resume-processing"):
        call = engine.dms.start_replication_task
        code, _ = refused(call, ReplicationTaskArn=arn, StartReplicationTaskType=kind)
        assert code == "InvalidParameterCombinationException"
    engine.work.end = None
    start(engine, arn)
    call = engine.dms.start_replication_task
    code, said = refused(call, ReplicationTaskArn=arn, StartReplicationTaskType="reload-target")
    assert code == "InvalidResourceStateFault"
    assert "currently in state" in said
    while engine.shown()["Status"] != "running":
        pass
    engine.dms.stop_replication_task(ReplicationTaskArn=arn)
    engine.rests()
    code, said = refused(call, ReplicationTaskArn=arn, StartReplicationTaskType="start-replication")
    assert code == "InvalidParameterCombinationException"
    assert said == "Start Type : START_REPLICATION, valid only for tasks running for the first time"


def test_nothing_starts_whose_endpoints_were_never_reached(engine: Served) -> None:
    engine.work.reachable = False
    arn = engine.task()
    call = engine.dms.start_replication_task
    code, said = refused(call, ReplicationTaskArn=arn, StartReplicationTaskType="start-replication")
    assert code == "InvalidResourceStateFault"
    assert said.startswith("Test connection for replication instance crime-jobs-i and endpoint crime-jobs-s ")
    connections = engine.dms.describe_connections()["Connections"]
    assert {one["Status"] for one in connections} == {"failed"}
    assert "ORA-01017" in connections[0]["LastFailureMessage"]


def test_a_task_that_runs_is_stopped_and_one_that_does_not_is_not(engine: Served) -> None:
    engine.work.end, engine.work.starting = None, 1.0
    engine.work.tables = [table("DISTRICTS", FULL_LOAD), table("HEADS", BEFORE_LOAD)]
    arn = engine.task()
    code, said = refused(engine.dms.stop_replication_task, ReplicationTaskArn=arn)
    assert (code, said) == (
        "InvalidResourceStateFault",
        "Replication Task crime-jobs is currently not running.",
    )
    start(engine, arn)
    assert refused(engine.dms.stop_replication_task, ReplicationTaskArn=arn)[0] == code  # it is starting
    while engine.shown()["Status"] != "running":
        pass
    stats = engine.shown()["ReplicationTaskStats"]
    assert (stats["TablesLoading"], stats["TablesQueued"]) == (1, 1)
    assert engine.dms.stop_replication_task(ReplicationTaskArn=arn)["ReplicationTask"]["Status"] == "stopping"
    assert engine.rests()["StopReason"] == "Stop Reason NORMAL"


def test_tables_are_not_under_way_any_more_once_the_work_has_ended() -> None:
    known = [table("A", FULL_LOAD), table("B", BEFORE_LOAD), table("C")]
    assert [one.TableState for one in ended(known, was_stopped=True)] == [
        *("Table cancelled", "Table cancelled", "Table completed")
    ]
    assert [one.TableState for one in ended(known, was_stopped=False)][:2] == ["Table error", "Table error"]


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"EngineName": "mysql"}, "mysql as a source"),
        ({"EngineName": "dynamodb"}, "dynamodb as a source"),
        ({"SslMode": "verify-ca"}, "verify-ca"),
        ({"ServerName": "db.example"}, "ServerName"),
        ({"Username": "x", "Password": "y"}, "Password, Username"),
        ({"ExtraConnectionAttributes": "a=b"}, "ExtraConnectionAttributes"),
        ({"OracleSettings": {**SECRET, "UseLogminerReader": True}}, "UseLogminerReader"),
        ({"OracleSettings": {}}, "SecretsManagerSecretId"),
        ({"DatabaseName": ""}, "DatabaseName"),
        ({"EndpointIdentifier": "two--hyphens"}, "hyphen"),
    ],
)
def test_an_endpoint_that_could_not_be_honoured_is_refused_by_name(
    engine: Served, request_: dict[str, Any], word: str
) -> None:
    asked = {
        "EndpointIdentifier": "source",
        "EndpointType": "source",
        "EngineName": "oracle",
        "DatabaseName": "CRIME",
        "OracleSettings": SECRET,
        **request_,
    }
    code, said = refused(engine.dms.create_endpoint, **asked)
    assert code.startswith("InvalidParameter")
    assert word in said
    assert engine.dms.describe_endpoints()["Endpoints"] == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"MigrationType": "cdc"}, "cdc"),
        ({"MigrationType": "full-load-and-cdc"}, "full-load-and-cdc"),
        ({"CdcStartPosition": "1"}, "CdcStartPosition"),
        ({"TaskData": "{}"}, "TaskData"),
        ({"TableMappings": "{}"}, "Invalid Table mappings document"),
        ({"TableMappings": mapping().replace("selection", "transformation")}, "rule 1"),
        ({"ReplicationTaskSettings": "no JSON"}, "Invalid task settings"),
        ({"ReplicationTaskSettings": "{}"}, "DROP_AND_CREATE"),
        ({"ReplicationTaskSettings": '{"ChangeProcessingTuning": {}}'}, "ChangeProcessingTuning"),
        ({"ReplicationTaskSettings": SETTINGS.replace("DO_NOTHING", "TRUNCATE_BEFORE_LOAD")}, "TRUNCATE"),
    ],
)
def test_a_task_that_could_not_be_honoured_is_refused_by_name(
    engine: Served, changes: dict[str, Any], word: str
) -> None:
    engine.task("known")
    made = engine.shown("known")
    asked = {
        name: made[name] for name in ("SourceEndpointArn", "TargetEndpointArn", "ReplicationInstanceArn")
    } | {
        "ReplicationTaskIdentifier": "other",
        "MigrationType": "full-load",
        "TableMappings": mapping(),
        "ReplicationTaskSettings": SETTINGS,
    }
    code, said = refused(engine.dms.create_replication_task, **{**asked, **changes})
    assert code == "InvalidParameterValueException"
    assert word in said


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("ValidationSettings", "EnableValidation", True),
        ("TargetMetadata", "FullLobMode", False),
        ("TargetMetadata", "LobChunkSize", "64"),
        ("TargetMetadata", "LobChunkSize", True),
        ("FullLoadSettings", "CreatePkAfterFullLoad", 0),
        ("ErrorBehavior", "TableErrorPolicy", "STOP_TASK"),
        ("Logging", "LogComponents", []),
    ],
)
def test_a_setting_is_honoured_or_refused(engine: Served, section: str, name: str, value: object) -> None:
    arn = engine.task()
    told = json.loads(SETTINGS)
    told.setdefault(section, {})[name] = value
    call = engine.dms.modify_replication_task
    code, said = refused(call, ReplicationTaskArn=arn, ReplicationTaskSettings=json.dumps(told))
    assert code == "InvalidParameterValueException"
    assert f"{section}.{name}" in said


def test_what_the_command_asks_for_is_what_the_engine_honours() -> None:
    for section, values in TASK_SETTINGS.items():
        assert values.keys() <= KNOWN[section].keys()


def test_a_task_is_changed_while_it_rests(engine: Served) -> None:
    arn = engine.task()
    engine.dms.modify_replication_task(ReplicationTaskArn=arn, TableMappings=mapping("HEADS"))
    assert "HEADS" in engine.shown()["TableMappings"]
    engine.work.end = None
    start(engine, arn)
    call = engine.dms.modify_replication_task
    assert refused(call, ReplicationTaskArn=arn, TableMappings=mapping())[0] == "InvalidResourceStateFault"
    assert refused(engine.dms.delete_replication_task, ReplicationTaskArn=arn)[0] == (
        "InvalidResourceStateFault"
    )


def test_names_are_their_own_and_what_is_used_is_not_deleted(engine: Served) -> None:
    arn = engine.task()
    task = engine.shown()
    code, said = refused(engine.instance, name="CRIME-jobs-i")
    assert (code, said) == ("ResourceAlreadyExistsFault", "Replication instance already in use: crime-jobs-i")
    for call, name in (
        (engine.dms.delete_endpoint, "EndpointArn"),
        (engine.dms.delete_replication_instance, "ReplicationInstanceArn"),
    ):
        given = task["SourceEndpointArn"] if name == "EndpointArn" else task["ReplicationInstanceArn"]
        assert refused(call, **{name: given})[0] == "InvalidResourceStateFault"
    engine.dms.delete_replication_task(ReplicationTaskArn=arn)
    engine.dms.delete_endpoint(EndpointArn=task["SourceEndpointArn"])
    engine.dms.delete_replication_instance(ReplicationInstanceArn=task["ReplicationInstanceArn"])
    assert engine.dms.describe_connections()["Connections"] == []


def test_what_is_not_there_is_a_fault_as_the_waiters_expect(engine: Served) -> None:
    asked = [{"Name": "replication-task-id", "Values": ["nobody"]}]
    code, said = refused(engine.dms.describe_replication_tasks, Filters=asked)
    assert code == "ResourceNotFoundFault"
    assert "nobody" in said
    assert engine.dms.describe_replication_tasks()["ReplicationTasks"] == []
    code, said = refused(engine.dms.describe_endpoints, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert code == "InvalidParameterValueException"
    assert "endpoint-arn" in said
    nowhere = "arn:aws:dms:us-east-1:000000000000:task:NONE"
    assert refused(engine.dms.stop_replication_task, ReplicationTaskArn=nowhere)[0] == "ResourceNotFoundFault"


def test_another_region_has_another_dms(engine: Served) -> None:
    arn = engine.task()
    elsewhere = SESSION.client("dms", endpoint_url=engine.url, region_name="ap-south-1")
    assert elsewhere.describe_replication_tasks()["ReplicationTasks"] == []
    call = elsewhere.delete_replication_task
    assert refused(call, ReplicationTaskArn=arn)[0] == "ResourceNotFoundFault"


def test_answers_come_in_pages(engine: Served) -> None:
    engine.work.tables = [table(f"T{number:03d}") for number in range(45)]
    arn = engine.task()
    start(engine, arn)
    engine.rests()
    pages = list(
        engine.dms.get_paginator("describe_table_statistics").paginate(
            ReplicationTaskArn=arn, PaginationConfig={"PageSize": 20}
        )
    )
    assert [len(page["TableStatistics"]) for page in pages] == [20, 20, 5]
    names = [one["TableName"] for page in pages for one in page["TableStatistics"]]
    assert names == sorted(set(names))
    asked = [{"Name": "table-name", "Values": ["T007", "T008"]}]
    found = engine.dms.describe_table_statistics(ReplicationTaskArn=arn, Filters=asked)["TableStatistics"]
    assert [one["TableName"] for one in found] == ["T007", "T008"]
    call = engine.dms.describe_table_statistics
    for wrong in ({"MaxRecords": 19}, {"MaxRecords": 501}, {"Marker": "none of ours"}):
        assert refused(call, ReplicationTaskArn=arn, **wrong)[0] == "InvalidParameterValueException"


def test_tasks_are_found_by_either_endpoint(engine: Served) -> None:
    engine.task("one")
    engine.task("two")
    for member in ("SourceEndpointArn", "TargetEndpointArn"):
        asked = [{"Name": "endpoint-arn", "Values": [engine.shown("two")[member]]}]
        found = engine.dms.describe_replication_tasks(Filters=asked)["ReplicationTasks"]
        assert [one["ReplicationTaskIdentifier"] for one in found] == ["two"]


def test_settings_are_shown_unless_they_are_not_wanted(engine: Served) -> None:
    engine.task()
    assert json.loads(engine.shown()["ReplicationTaskSettings"]) == json.loads(SETTINGS)
    (bare,) = engine.dms.describe_replication_tasks(WithoutSettings=True)["ReplicationTasks"]
    assert "ReplicationTaskSettings" not in bare


def test_tags_stay_with_what_they_are_on(engine: Served) -> None:
    arn = engine.task(Tags=[{"Key": "project", "Value": "crime-jobs"}])
    engine.dms.add_tags_to_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    engine.dms.remove_tags_from_resource(ResourceArn=arn, TagKeys=["project"])
    assert engine.dms.list_tags_for_resource(ResourceArn=arn)["TagList"] == [{"Key": "a", "Value": "b"}]
    listed = engine.dms.list_tags_for_resource(ResourceArnList=[arn])["TagList"]
    assert listed == [{"Key": "a", "Value": "b", "ResourceArn": arn}]


def test_a_subnet_group_covers_two_zones_and_is_kept_while_it_is_used(engine: Served) -> None:
    make = engine.dms.create_replication_subnet_group
    told = {"ReplicationSubnetGroupIdentifier": "group", "ReplicationSubnetGroupDescription": "two"}
    assert refused(make, **told, SubnetIds=["subnet-1"])[0] == "ReplicationSubnetGroupDoesNotCoverEnoughAZs"
    make(**told, SubnetIds=["subnet-1", "subnet-2"])
    made = engine.dms.create_replication_instance(
        ReplicationInstanceIdentifier="one",
        ReplicationInstanceClass="dms.t3.small",
        ReplicationSubnetGroupIdentifier="group",
    )["ReplicationInstance"]
    assert made["ReplicationSubnetGroup"]["ReplicationSubnetGroupIdentifier"] == "group"
    call = engine.dms.delete_replication_subnet_group
    assert refused(call, ReplicationSubnetGroupIdentifier="group")[0] == "InvalidResourceStateFault"
    engine.dms.delete_replication_instance(ReplicationInstanceArn=made["ReplicationInstanceArn"])
    call(ReplicationSubnetGroupIdentifier="group")
    assert engine.dms.describe_replication_subnet_groups()["ReplicationSubnetGroups"] == []


def test_an_instance_takes_its_time_where_it_is_told_to(engine: Served) -> None:
    engine.control.set_pace({"start_seconds": 60})
    instance = engine.instance()
    (shown,) = engine.dms.describe_replication_instances()["ReplicationInstances"]
    assert shown["ReplicationInstanceStatus"] == "creating"
    call = engine.dms.test_connection
    code, _ = refused(call, ReplicationInstanceArn=instance, EndpointArn=engine.source())
    assert code == "InvalidResourceStateFault"


def test_a_target_is_given_back_as_it_came(engine: Served) -> None:
    engine.target()
    (shown,) = engine.dms.describe_endpoints()["Endpoints"]
    assert (shown["EndpointType"], shown["EngineName"]) == ("target", "dynamodb")
    assert shown["DynamoDbSettings"] == TARGET


@pytest.mark.parametrize(
    ("secret", "database", "url"),
    [
        ({}, "CRIME", URL),
        ({"host": "db", "port": 1521}, "crime", URL.replace("127.0.0.1:6566", "db:1521")),
        ({"host": "db", "port": "1521"}, "other", "jdbc:h2:tcp://db:1521/./other;MODE=Oracle"),
    ],
)
def test_an_endpoint_leads_to_the_database_that_stands_for_oracle(
    secret: dict[str, Any], database: str, url: str
) -> None:
    assert url_for(URL, secret, database) == url


def test_a_real_oracle_may_stand_for_itself() -> None:
    url = check_url("jdbc:oracle:thin:@//127.0.0.1:1521/ORCL")
    assert url_for(url, {"host": "db", "port": 1522}, "CRIME") == "jdbc:oracle:thin:@//db:1522/CRIME"
    with pytest.raises(ValueError, match="not a JDBC URL"):
        check_url("127.0.0.1:1521")


def test_tools_are_led_to_it_by_the_name_that_botocore_reads() -> None:
    assert "DATABASE_MIGRATION_SERVICE" in SERVICES
    assert SERVICES == harness.SERVICES
    assert life.FINISHED.endswith("FULL_LOAD_ONLY_FINISHED")
