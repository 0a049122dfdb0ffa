"""`crime-jobs dms`: the requests it sends, what it does when answers are lost, and what it says of an end."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crime_engines.dms import life
from crime_jobs import cli, cli_dms, settings
from crime_jobs.errors import BadInput, CrimeJobsError, Interrupted, JobFailed, WrongUsage
from crime_jobs.migrate import _dms_watch as watching
from crime_jobs.migrate import dms
from crime_jobs.migrate._dms_screen import live
from tests.conftest import ROOT
from tests.unit.dms_engine import FULL_LOAD, Served, mapping, serve, table

ERROR = "Table error"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    monkeypatch.setattr(watching, "SHORTEST", 0.02)
    with serve(monkeypatch, tmp_path) as served:
        served.instance()
        served.source()
        served.target()
        yield served


@pytest.fixture
def known(engine: Served) -> settings.Settings:
    del engine  # whose address is in the environment
    return settings.load("local", {}, folder=ROOT)


class Seen:
    """What was told."""

    def __init__(self) -> None:
        self.views: list[dms.View] = []

    def __call__(self, view: dms.View) -> None:
        self.views.append(view)

    @property
    def states(self) -> list[str]:
        states = [view.state for view in self.views]
        return [state for number, state in enumerate(states) if number == 0 or states[number - 1] != state]


@pytest.fixture
def wanted(tmp_path: Path) -> dms.Wanted:
    path = tmp_path / "mappings.json"
    path.write_text(mapping())
    return dms.Wanted(mappings=str(path))


def test_the_first_start_makes_the_task_reaches_both_ends_and_waits(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    seen = Seen()
    over = dms.start(known, wanted, seen)
    assert dms.failure(over) is None
    assert engine.work.tests == 2
    assert seen.states[-1] == "stopped"
    assert dms.rows(over)[0]["table"] == "CRIME.DISTRICTS"
    made = engine.shown()
    assert json.loads(made["TableMappings"]) == json.loads(mapping())
    settings_ = json.loads(made["ReplicationTaskSettings"])
    assert settings_["FullLoadSettings"]["TargetTablePrepMode"] == "DO_NOTHING"
    assert settings_["ValidationSettings"] == {"EnableValidation": False}
    tags = engine.dms.list_tags_for_resource(ResourceArn=made["ReplicationTaskArn"])["TagList"]
    assert {"Key": "environment", "Value": "local"} in tags


def test_the_second_start_loads_all_again_and_a_resumption_what_is_left(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    first = dms.start(known, wanted, Seen())
    seen = Seen()
    again = dms.start(known, wanted, seen)
    old = first.task["ReplicationTaskStartDate"]
    assert not any(view.tables for view in seen.views if view.task["ReplicationTaskStartDate"] == old)
    assert again.task["ReplicationTaskStartDate"] > first.task["ReplicationTaskStartDate"]
    resume = dms.Wanted(mappings=wanted.mappings, resume=True)
    dms.start(known, resume, Seen())
    one, two, three = engine.work.starts
    assert one != two == three
    assert engine.work.tests == 2  # what was reached once is not tested again


def test_a_changed_mapping_changes_the_task_first(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    dms.start(known, wanted, Seen())
    Path(wanted.mappings).write_text(mapping("HEADS"))
    (modify, begin) = dms.planned(known, wanted)
    assert modify["ModifyReplicationTask"].keys() == {"ReplicationTaskArn", "TableMappings"}
    assert begin["StartReplicationTask"]["StartReplicationTaskType"] == "reload-target"
    dms.start(known, wanted, Seen())
    assert "HEADS" in engine.shown()["TableMappings"]


def test_what_is_planned_is_what_is_sent(engine: Served, known: settings.Settings) -> None:
    create, begin = dms.planned(known, dms.Wanted())
    assert engine.dms.describe_replication_tasks()["ReplicationTasks"] == []
    sent = create["CreateReplicationTask"]
    assert len(json.loads(sent["TableMappings"])["rules"]) > 5  # that of the legacy schema
    engine.dms.create_replication_task(**sent)  # as it stands
    assert begin["StartReplicationTask"]["StartReplicationTaskType"] == "start-replication"


def test_a_second_environment_asks_for_its_own_parts_and_tables(
    engine: Served, known: settings.Settings
) -> None:
    second = known.model_copy(update={"deploy": {"name": "pune"}, "table_prefix": "pune-"})
    with pytest.raises(WrongUsage, match="no source endpoint 'pune-oracle'"):
        dms.planned(second, dms.Wanted("pune"))
    source, target = engine.source("pune-oracle"), dms.planned(known, dms.Wanted())[0]
    given = target["CreateReplicationTask"]
    wanted = dms.Wanted("pune", source, given["TargetEndpointArn"], given["ReplicationInstanceArn"])
    sent = dms.planned(second, wanted)[0]["CreateReplicationTask"]
    rules = json.loads(sent["TableMappings"])["rules"]
    targets = {rule["target-table-name"] for rule in rules if "target-table-name" in rule}
    assert "pune-crime-districts" in targets
    assert all(one.startswith("pune-crime-") for one in targets)


def test_endpoints_are_found_by_name_or_taken_by_arn(engine: Served, known: settings.Settings) -> None:
    other = engine.source("other")
    (create, _) = dms.planned(known, dms.Wanted(source=other))
    assert create["CreateReplicationTask"]["SourceEndpointArn"] == other
    with pytest.raises(WrongUsage, match="no source endpoint 'nobody'"):
        dms.planned(known, dms.Wanted(source="nobody"))
    with pytest.raises(WrongUsage, match="no replication instance 'nobody'"):
        dms.planned(known, dms.Wanted(instance="nobody"))
    elsewhere = other.replace("us-east-1", "eu-west-1")
    with pytest.raises(WrongUsage, match="region eu-west-1"):
        dms.planned(known, dms.Wanted(target=elsewhere))


def test_a_task_between_other_endpoints_is_not_taken_for_this_one(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    dms.start(known, wanted, Seen())
    other = dms.Wanted(mappings=wanted.mappings, source=engine.source("other"))
    with pytest.raises(WrongUsage, match="another SourceEndpointArn"):
        dms.start(known, other, Seen())
    assert len(engine.work.starts) == 1


@pytest.mark.parametrize("name", ["two--hyphens", "1st", "ends-", "a b", "x" * 256])
def test_a_name_that_dms_would_refuse_is_refused_before(known: settings.Settings, name: str) -> None:
    with pytest.raises(WrongUsage, match="can't be the identifier"):
        dms.start(known, dms.Wanted(task=name), Seen())


def test_a_mapping_that_is_none_is_refused_before(
    engine: Served, known: settings.Settings, tmp_path: Path
) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"rules": [{"rule-id": "7", "rule-type": "transformation"}]}')
    with pytest.raises(BadInput, match="rule 7"):
        dms.start(known, dms.Wanted(mappings=str(path)), Seen())
    with pytest.raises(WrongUsage, match="can't be read"):
        dms.start(known, dms.Wanted(mappings=str(tmp_path / "none.json")), Seen())
    assert engine.dms.describe_replication_tasks()["ReplicationTasks"] == []


def test_an_end_that_can_not_be_reached_says_why_and_nothing_is_started(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    engine.work.reachable = False
    with pytest.raises(JobFailed, match="can't reach crime-jobs-oracle: .*ORA-01017"):
        dms.start(known, wanted, Seen())
    assert not engine.work.starts
    engine.work.reachable = True  # it is tested again
    assert dms.failure(dms.start(known, wanted, Seen())) is None


def test_a_task_at_work_is_not_started_twice(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    engine.work.end = None
    dms.start(known, wanted, Seen(), wait=False)
    with pytest.raises(WrongUsage, match="already"):
        dms.start(known, wanted, Seen())
    assert len(engine.work.starts) == 1


@pytest.mark.parametrize(
    ("end", "tables", "words"),
    [
        (("failed", life.FATAL, "Last Error ORA-01017"), [], "failed: Last Error ORA-01017"),
        (("stopped", life.NORMAL, None), [table("A")], "stopped before its end"),
        (
            ("stopped", life.FINISHED, None),
            [table("A"), table("B", ERROR)],
            r"1 of 2 tables: CRIME.B: Table err",
        ),
        (("stopped", life.FINISHED, None), [table("A", FullLoadErrorRows=2)], "2 rows in error"),
        (("stopped", life.FINISHED, None), [table("A", FullLoadCondtnlChkFailedRows=1)], "1 keys that were"),
        (("stopped", life.FINISHED, None), [], "0 known"),
    ],
)
def test_an_end_is_good_only_if_every_row_of_every_table_was_loaded(
    engine: Served,
    known: settings.Settings,
    wanted: dms.Wanted,
    end: tuple[str, str, str | None],
    tables: list[Any],
    words: str,
) -> None:
    engine.work.end, engine.work.tables = end, tables
    failed = dms.failure(dms.start(known, wanted, Seen()))
    assert failed is not None
    assert failed.exit_code == 1
    assert re.search(words, failed.message), failed.message


def lose(monkeypatch: pytest.MonkeyPatch, operation: str, times: int = 1) -> list[int]:
    """Let answers get lost on their way back: the request has arrived."""
    from botocore.endpoint import Endpoint
    from botocore.exceptions import ReadTimeoutError

    send, lost = Endpoint._send, [0]

    def losing(self: Any, request: Any) -> Any:
        answer = send(self, request)
        target = request.headers["X-Amz-Target"]
        name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        if name == operation and lost[0] < times:
            lost[0] += 1
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    monkeypatch.setattr(Endpoint, "_send", losing)
    return lost


@pytest.mark.parametrize("operation", ["CreateReplicationTask", "StartReplicationTask", "TestConnection"])
def test_a_lost_answer_is_no_second_start(
    monkeypatch: pytest.MonkeyPatch,
    engine: Served,
    known: settings.Settings,
    wanted: dms.Wanted,
    operation: str,
) -> None:
    lost = lose(monkeypatch, operation)
    assert dms.failure(dms.start(known, wanted, Seen())) is None
    assert lost == [1]
    assert len(engine.work.starts) == 1
    assert len(engine.dms.describe_replication_tasks()["ReplicationTasks"]) == 1


def test_throttling_is_waited_for(engine: Served, known: settings.Settings, wanted: dms.Wanted) -> None:
    for operation in ("DescribeReplicationTasks", "CreateReplicationTask", "StartReplicationTask"):
        engine.fault(operation, times=2)
    assert dms.failure(dms.start(known, wanted, Seen())) is None


def test_what_is_not_allowed_says_so(engine: Served, known: settings.Settings, wanted: dms.Wanted) -> None:
    engine.fault("CreateReplicationTask", "AccessDeniedFault", message="not you")
    with pytest.raises(CrimeJobsError, match="not you") as raised:
        dms.start(known, wanted, Seen())
    assert raised.value.exit_code == 4
    assert not engine.work.starts


def test_a_start_that_is_refused_is_not_taken_for_one_that_was_lost(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    engine.fault("StartReplicationTask", "InvalidResourceStateFault", message="no")
    with pytest.raises(CrimeJobsError, match="Starting the DMS task crime-jobs: no"):
        dms.start(known, wanted, Seen())


def test_an_outage_while_it_is_watched_is_told_and_waited_for(
    monkeypatch: pytest.MonkeyPatch, engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    monkeypatch.setattr("crime_jobs.aws.ATTEMPTS", 1)
    engine.work.end = None
    dms.start(known, wanted, Seen(), wait=False)
    seen = Seen()

    def interfere() -> None:
        while len(seen.views) < 2:
            time.sleep(0.01)
        engine.fault("DescribeTableStatistics", "InternalFailure", status=500, times=15)
        while not any(view.note for view in seen.views):
            time.sleep(0.01)
        engine.control.clear_faults()
        engine.work.stop()

    threading.Thread(target=interfere, daemon=True).start()
    over = dms.watch(known, "crime-jobs", seen)
    assert over.state == "stopped"
    assert any(view.note.startswith("No answer from AWS") for view in seen.views)


def test_stop_waits_until_a_task_runs_and_then_until_it_does_not(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    engine.work.end, engine.work.starting = None, 2.0
    dms.start(known, wanted, Seen(), wait=False)
    seen = Seen()
    over = dms.stop(known, "crime-jobs", seen)
    assert over.task["StopReason"] == life.NORMAL
    assert seen.states[0] == "starting"
    assert dms.stop(known, "crime-jobs", Seen()).task["StopReason"] == life.NORMAL  # twice is harmless


def test_stop_is_done_also_if_the_task_ended_meanwhile(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    engine.work.end = None
    dms.start(known, wanted, Seen(), wait=False)
    seen = Seen()

    def ends(view: dms.View) -> None:
        if view.state == "running":
            engine.work._over(engine.work.task, "stopped", life.FINISHED, None)
        seen(view)

    assert dms.stop(known, "crime-jobs", ends).task["StopReason"] == life.FINISHED


def test_what_is_not_there_is_named(known: settings.Settings) -> None:
    for verb in (dms.watch, dms.stop):
        with pytest.raises(WrongUsage, match="no DMS task 'nobody' in us-east-1"):
            verb(known, "nobody", Seen())


def test_a_task_that_was_never_started_is_not_waited_for(engine: Served, known: settings.Settings) -> None:
    engine.task("fresh")
    with pytest.raises(WrongUsage, match="never started"):
        dms.watch(known, "fresh", Seen())
    assert dms.status(known, "fresh").tables == []
    (row,) = dms.listed(known)
    assert (row["task"], row["state"], row["started"]) == ("fresh", "ready", None)


def test_ctrl_c_leaves_the_task_running_and_says_how_it_is_stopped(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    engine.work.end, engine.work.tables = None, [table("A", FULL_LOAD, rows=7)]

    def interrupt(view: dms.View) -> None:
        if view.state == "running":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="goes on") as raised:
        dms.start(known, wanted, interrupt)
    assert "crime-jobs dms stop crime-jobs" in raised.value.hint
    assert raised.value.exit_code == 130
    assert engine.shown()["Status"] == "running"
    with pytest.raises(Interrupted, match="goes on"):
        dms.watch(known, "crime-jobs", interrupt)


def test_ctrl_c_before_the_start_says_that_nothing_was_started(
    engine: Served, known: settings.Settings, wanted: dms.Wanted
) -> None:
    def interrupt(_: dms.View) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="was not started"):
        dms.start(known, wanted, interrupt)
    assert not engine.work.starts


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The verb, as the command runs it."""
    code = cli.main(["dms", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.usefixtures("engine")
def test_results_are_on_stdout_and_progress_on_stderr(
    capsys: pytest.CaptureFixture[str], wanted: dms.Wanted
) -> None:
    code, out, err = run(capsys, "start", "--mappings", wanted.mappings, "--output", "json")
    assert code == 0
    assert json.loads(out)["rows"] == 3
    assert "CRIME.DISTRICTS  Table completed  3 rows" in err
    assert "crime-jobs migrate validate" in err
    code, out, _ = run(capsys, "status", "--output", "csv")
    assert code == 0
    assert out.splitlines()[0] == "task,state,percent,loaded,errored,started,ended,why"
    code, out, _ = run(capsys, "status", "crime-jobs", "--output", "json")
    assert json.loads(out)["state"] == "Table completed"


def test_a_failed_task_shows_its_tables_and_ends_with_1(
    engine: Served, capsys: pytest.CaptureFixture[str], wanted: dms.Wanted
) -> None:
    engine.work.tables = [table("DISTRICTS", ERROR)]
    code, out, err = run(capsys, "start", "--mappings", wanted.mappings, "--output", "json")
    assert code == 1
    assert json.loads(out)["state"] == ERROR
    assert "CRIME.DISTRICTS: Table error" in err
    assert run(capsys, "watch")[0] == 1


def test_dry_run_prints_the_requests_and_no_wait_does_not_wait(
    engine: Served, capsys: pytest.CaptureFixture[str], wanted: dms.Wanted
) -> None:
    code, out, _ = run(capsys, "start", "--mappings", wanted.mappings, "--dry-run")
    assert code == 0
    assert [next(iter(one)) for one in json.loads(out)] == ["CreateReplicationTask", "StartReplicationTask"]
    assert not engine.work.starts
    engine.work.end = None
    code, out, err = run(capsys, "start", "--mappings", wanted.mappings, "--no-wait")
    assert (code, out) == (0, "")
    assert "crime-jobs dms watch crime-jobs" in err
    code, _, err = run(capsys, "stop")
    assert code == 0
    assert "--resume" in err


@pytest.mark.usefixtures("engine")
def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "watch", "nobody")[0] == 2
    assert run(capsys, "start", "--source", "nobody")[0] == 2


def test_what_the_command_is_not_told_is_the_environments_own(known: settings.Settings) -> None:
    second = known.model_copy(update={"deploy": {"name": "pune"}})
    assert (dms.task_of(known, None), dms.task_of(second, None)) == ("crime-jobs", "pune")
    assert dms.task_of(second, "mine") == "mine"
    defaults = {n: p.default for n, p in inspect.signature(cli_dms.start).parameters.items()}
    for name in ("source", "target", "instance", "mappings", "resume", "logs"):
        assert defaults[name] == getattr(dms.Wanted(), name), name


def test_the_screen_says_each_thing_once(capsys: pytest.CaptureFixture[str]) -> None:
    task = {"ReplicationTaskIdentifier": "t", "Status": "running"}
    one = {"SchemaName": "S", "TableName": "[bold]T", "TableState": "Table completed", "FullLoadRows": 1234}
    with live("Starting t") as tell:
        for _ in range(3):
            tell(dms.View(task, [one]))
    err = capsys.readouterr().err
    assert err.count("S.[bold]T  Table completed  1,234 rows") == 1
