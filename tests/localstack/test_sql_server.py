"""The SQL server: real clients against Spark's Thrift server, over the lake that the real jobs built."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyhive import exc, hive
from sqlalchemy import Engine, MetaData, Table, create_engine, func, select, text

from crime_harness import processes, sql_server
from crime_harness.places import Places
from crime_harness.supervisor import State, Supervisor
from crime_jobs.emr import hue
from crime_jobs.hive_scripts import Script, find, split
from crime_jobs.model.names import DATABASE
from crime_jobs.model.tables import TABLES
from tests.localstack.conftest import free_port, harness
from tests.localstack.thrift import Sql, sql

__all__ = ["sql"]  # the fixture
TOP = (
    "SELECT state, cases, rate_per_lakh FROM crime_by_region "
    "WHERE level = 'state' AND year = 2013 AND crime_group = 'all_ipc' ORDER BY cases DESC, state LIMIT 5"
)


def mart(lake: Path, query: str) -> list[tuple[Any, ...]]:
    """What DuckDB finds in the lake's files, by another reader than Spark's."""
    name = query.split(" FROM ", 1)[1].split(maxsplit=1)[0]
    with duckdb.connect() as db:
        db.execute(
            f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{lake}/{name}/**/*.parquet', hive_partitioning=true)"
        )
        return db.execute(query).fetchall()


def test_a_start_says_how_each_client_comes_in(sql: Sql) -> None:
    assert f"jdbc:hive2://127.0.0.1:{sql.port}/crime" in sql.said
    assert str(sql.lake) in sql.said
    for client in ("beeline", "PyHive", "SQLAlchemy", "DBeaver"):
        assert client in sql.said


def test_it_serves_all_tables_of_hive_with_the_rows_of_the_lake(sql: Sql) -> None:
    served = {name for _, name, _ in sql.ask("SHOW TABLES")}
    assert served >= {*TABLES, "crime_counts", "women_counts", "traffic_counts", "landing_census"}
    counted = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in TABLES)
    for name, rows in sql.ask(counted):
        assert mart(sql.lake, f"SELECT count(*) FROM {name} WHERE true") == [(rows,)], name
    rows = sql.ask(TOP)
    assert rows == mart(sql.lake, TOP)
    assert len(rows) == 5


def test_an_insight_of_hive_is_asked_as_it_stands(sql: Sql) -> None:
    (script,) = find("40")
    statement = script.statements[-1].text
    assert "hivevar" in statement
    found = sql.ask(statement, configuration={"set:hivevar:year": "2012", "set:hivevar:crime_group": "theft"})
    columns = "level, state_code, state, district, year, crime_group, cases, population, rate_per_lakh"
    rows = mart(
        sql.lake,
        f"SELECT {columns}, rank_in_year, magnitude FROM crime_by_region "
        "WHERE level = 'state' AND year = 2012 AND crime_group = 'theft'",
    )
    assert rows
    assert sorted(found, key=str) == sorted(rows, key=str)


@pytest.mark.parametrize(
    "script", [s for name in ("40", "42", "46") for s in find(name)], ids=lambda s: s.name
)
def test_what_hue_is_given_asks_what_the_script_asks(sql: Sql, script: Script) -> None:
    """Hue's editor puts a value in the place of `${name=default}` before it sends a statement."""
    (plain,) = (s.text for s in script.statements if s.text.startswith("SELECT"))
    (hues,) = (s.text for s in split(hue.statement(script.text)))
    filled = re.sub(r"\$\{\w+=([^}]*)\}", r"\1", hues)
    assert filled != plain or not script.variables
    assert sorted(sql.ask(filled), key=str) == sorted(sql.ask(plain), key=str)


def test_wrong_sql_is_refused_with_line_and_column(sql: Sql) -> None:
    for statement, told in [
        ("SELECT state\nFROM crime_by_region\nWHERE yeer = 2013", ["yeer", "line 3 pos 6"]),
        ("SELECT state\nFRM crime_by_region WHERE", ["Syntax error", "line 2, pos"]),
        ("SELECT *\nFROM crime_by_regoin", ["crime_by_regoin", "line 2 pos 5"]),
    ]:
        with pytest.raises(exc.OperationalError) as refused:
            sql.ask(statement)
        for part in told:
            assert part in str(refused.value)


def test_two_clients_are_served_at_once_and_do_not_see_each_others_views(sql: Sql) -> None:
    one, two = (hive.connect("127.0.0.1", sql.port, database=DATABASE) for _ in range(2))
    try:
        with one.cursor() as first, two.cursor() as second:
            first.execute("CREATE TEMPORARY VIEW mine AS SELECT 1 AS a")
            first.execute("SELECT * FROM mine")
            assert first.fetchall() == [(1,)]
            with pytest.raises(exc.OperationalError, match="mine"):
                second.execute("SELECT * FROM mine")
    finally:
        one.close()
        two.close()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(sql.ask, [TOP] * 4))
    assert answers == [answers[0]] * 4


def test_beeline_asks_it(sql: Sql) -> None:
    beeline = dict(sql_server.ways(sql.port))["beeline"].split(" -u ")[0]
    asked = [
        beeline,
        "-u",
        sql_server.address(sql.port),
        "-n",
        "tester",
        "--silent=true",
        "--outputformat=csv2",
    ]
    done = subprocess.run([*asked, "-e", TOP], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    # It writes its prompt before the first line.
    lines = [line.rpartition("> ")[2] for line in done.stdout.splitlines() if line.strip()]
    assert lines[0] == "state,cases,rate_per_lakh"
    assert [line.split(",")[1] for line in lines[1:6]] == [str(cases) for _, cases, _ in sql.ask(TOP)]


@pytest.fixture
def engine(sql: Sql) -> Iterator[Engine]:
    made = create_engine(f"hive://127.0.0.1:{sql.port}/{DATABASE}")
    yield made
    made.dispose()


def test_sqlalchemy_reflects_a_table_and_binds_values(sql: Sql, engine: Engine) -> None:
    table = Table("crime_by_region", MetaData(), autoload_with=engine)
    assert {"state", "year", "rate_per_lakh"} <= set(table.columns.keys())
    with engine.connect() as link:
        asked = select(func.count()).where(table.c.state == "O'Brien; DROP TABLE x --")
        assert link.execute(asked.select_from(table)).scalar() == 0
        named = link.execute(
            text("SELECT count(*) FROM hot_spots WHERE year = :year AND crime_group = :group"),
            {"year": 2013, "group": "theft"},
        ).scalar()
    assert [(named,)] == mart(
        sql.lake, "SELECT count(*) FROM hot_spots WHERE year = 2013 AND crime_group = 'theft'"
    )


def test_a_second_start_serves_and_another_lake_or_a_taken_port_is_refused(sql: Sql, tmp_path: Path) -> None:
    again = sql.start()
    assert (again.returncode, "was up already" in again.stdout) == (0, True), again.stderr
    (tmp_path / "crime_facts").mkdir()
    (tmp_path / "crime_facts/_report.json").write_text("{}")
    other = sql.run("--lake", str(tmp_path), "--port", str(sql.port))
    assert other.returncode == 2
    assert str(sql.lake) in other.stderr
    assert sql.run("--lake", str(tmp_path / "none")).returncode == 2
    elsewhere = harness(
        *("sql-server", "--lake", str(sql.lake), "--port", str(sql.port)), CRIME_HARNESS_STATE=str(tmp_path)
    )
    assert elsewhere.returncode == 2
    assert f"java (pid {processes.holder(sql.port).partition('pid ')[2]}" in elsewhere.stderr
    assert "CRIME_SQL_PORT" in elsewhere.stderr


def test_ctrl_c_while_it_starts_leaves_nothing(sql: Sql, tmp_path: Path) -> None:
    command = ("sql-server", "--lake", str(sql.lake), "--port", str(free_port()))
    starting = subprocess.Popen(
        [sys.executable, "-m", "crime_harness", *command],
        env={**os.environ, "CRIME_HARNESS_STATE": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    places = Places.of(tmp_path)
    mark = Supervisor(places.run)._mark(sql_server.NAME)
    deadline = time.monotonic() + 30
    while len(processes.family(mark)) < 2 and time.monotonic() < deadline:  # its Python and its Java
        time.sleep(0.1)
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=30)
    assert starting.returncode == 130
    assert processes.family(mark) == []
    assert not sql_server.files(places).exists()


def test_z_killed_it_is_said_to_be_dead_and_down_leaves_nothing(sql: Sql) -> None:
    """Last: it ends the server that the others use."""
    known = sql.supervisor.record(sql_server.NAME)
    assert known is not None
    os.kill(known.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while sql.supervisor.state(sql_server.NAME) is State.UP and time.monotonic() < deadline:
        time.sleep(0.05)
    status = harness("status", CRIME_HARNESS_STATE=str(sql.state))
    assert status.returncode == 1
    assert "make sql-server" in status.stderr
    assert harness("down", CRIME_HARNESS_STATE=str(sql.state)).returncode == 0
    assert processes.family(sql.supervisor._mark(sql_server.NAME)) == []
    assert not sql_server.files(Places.of(sql.state)).exists()
    with socket.socket() as link, pytest.raises(ConnectionRefusedError):
        link.connect(("127.0.0.1", sql.port))
