"""The old Oracle that `make up` starts: filled as the model says, and taking what a migration asks of Oracle."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crime_harness import oracle, processes
from crime_harness.install import Installed
from crime_harness.places import Places
from crime_harness.supervisor import responds
from crime_harness.tools import Node, find_java
from crime_jobs.errors import JobFailed
from crime_jobs.migrate.oracle import seed
from crime_jobs.migrate.oracle.literals import MAX_LINE, clob_literal, literal, text_literal
from crime_jobs.model import legacy

from .conftest import ROOT, Stack, harness

#: Any text that a database can hold: not half of a surrogate pair.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
AWKWARD = st.lists(
    st.sampled_from(["'", "''", "&", ";", "\n", "\r\n", "\x00", "--", "/*", "/", "@x", "𝄞", "अ", " "])
)


@pytest.fixture(scope="module")
def jvm(stack: Stack) -> Iterator[Any]:
    """A Java with the class path that Spark has."""
    from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

    class_path = stack.env["CRIME_JOBS_SPARK_EXTRA_CLASSPATH"]
    port, token = launch_gateway(classpath=class_path, die_on_exit=True, enable_auth=True)
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    yield gateway.jvm
    gateway.shutdown()


def connect(jvm: Any, url: str, user: str, password: str) -> Any:
    properties = jvm.java.util.Properties()
    properties.setProperty("user", user)
    properties.setProperty("password", password)
    return jvm.java.sql.DriverManager.getConnection(url, properties)


@pytest.fixture(scope="module")
def database(stack: Stack, jvm: Any) -> Iterator[Any]:
    """A connection, with what the settings and the secret say and nothing else."""
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.env["CRIME_JOBS_ORACLE_SECRET"])
    found = json.loads(secret["SecretString"])
    link = connect(jvm, stack.env["CRIME_JOBS_ORACLE_URL"], found["username"], found["password"])
    yield link
    link.close()


@pytest.fixture(scope="module")
def ask(database: Any) -> Callable[..., list[Any]]:
    """The first row of a query: as text, or as JDBC gives it."""

    def row(sql: str, *, raw: bool = False) -> list[Any]:
        statement = database.createStatement()
        try:
            found = statement.executeQuery(sql)
            assert found.next()
            places = range(1, found.getMetaData().getColumnCount() + 1)
            return [found.getBytes(n) if raw else found.getString(n) for n in places]
        finally:
            statement.close()

    return row


def rows(found: Any, *columns: str) -> list[tuple[str, ...]]:
    said = []
    while found.next():
        said.append(tuple(found.getString(column) for column in columns))
    return said


def test_the_schema_is_the_models(database: Any) -> None:
    about = database.getMetaData()
    found = rows(about.getTables(None, legacy.SCHEMA, "%", None), "TABLE_NAME", "REMARKS")
    assert set(found) == {(table.name, table.comment) for table in legacy.tables().values()}
    for table in legacy.tables().values():
        pattern = table.name.replace("_", "\\_")
        columns = rows(
            about.getColumns(None, legacy.SCHEMA, pattern, "%"), "COLUMN_NAME", "IS_NULLABLE", "REMARKS"
        )
        nullable = {True: "YES", False: "NO"}
        assert columns == [(one.name, nullable[one.nullable], one.comment) for one in table.columns]
        keys = rows(about.getPrimaryKeys(None, legacy.SCHEMA, table.name), "KEY_SEQ", "COLUMN_NAME")
        assert tuple(name for _, name in sorted(keys)) == table.primary_key
        references = rows(about.getImportedKeys(None, legacy.SCHEMA, table.name), "FK_NAME", "PKTABLE_NAME")
        assert sorted(references) == sorted((one.name, one.table) for one in table.references)


def test_every_row_is_there(ask: Callable[..., list[Any]]) -> None:
    counted = seed.write_sql(io.StringIO(), seed.read_landing(ROOT / "data"))
    assert counted.keys() == legacy.tables().keys()
    for name, number in counted.items():
        assert ask(f"SELECT COUNT(*) FROM {name}") == [str(number)], name


def test_the_application_user_is_no_administrator(database: Any) -> None:
    statement = database.createStatement()
    with pytest.raises(Exception, match="Admin rights are required"):
        statement.execute('CREATE ALIAS BREAK_IN FOR "java.lang.System.exit(int)"')
    statement.execute("CREATE TABLE OWN (A NUMBER)")
    statement.execute("DROP TABLE OWN")


def test_what_a_migration_asks_of_oracle_is_answered(ask: Callable[..., list[Any]]) -> None:
    for number in ("9" * 38, "-" + "9" * 38, "0", "-0.05", "1E20", "123.45"):
        (said,) = ask(f"SELECT TO_CHAR(CAST({number} AS NUMBER), 'TM9') FROM DUAL")
        assert Decimal(said) == Decimal(number)
        assert "E" not in said
    moment = "2014-03-31 23:59:59"
    day = 'YYYY-MM-DD"T"HH24:MI:SS'
    assert ask(f"SELECT TO_CHAR(TO_DATE('{moment}', 'YYYY-MM-DD HH24:MI:SS'), '{day}') FROM DUAL") == [
        "2014-03-31T23:59:59"
    ]
    exact = f"TO_TIMESTAMP('{moment}.123456', 'YYYY-MM-DD HH24:MI:SS.FF6')"
    assert ask(f"SELECT TO_CHAR({exact}, '{day}.FF9') FROM DUAL") == ["2014-03-31T23:59:59.123456000"]
    zoned = f"TO_TIMESTAMP_TZ('{moment}.5 +05:30', 'YYYY-MM-DD HH24:MI:SS.FF TZH:TZM')"
    assert ask(f"SELECT TO_CHAR({zoned}, '{day}.FF6TZH:TZM') FROM DUAL") == [
        "2014-03-31T23:59:59.500000+05:30"
    ]
    assert ask("SELECT LENGTH(''), '' || 'a' FROM DUAL") == [None, "a"]
    (count,) = ask("SELECT COUNT(DISTINCT ORA_HASH(STATION_CODE || '|' || FIR_NUMBER, 7)) FROM CASE_RECORDS")
    assert count == "8"


def test_a_long_clob_and_raw_come_whole(database: Any, ask: Callable[..., list[Any]]) -> None:
    text = "अ'&\n" * 300_000
    statement = database.createStatement()
    statement.execute("CREATE TABLE LONG_TEXTS (A NUMBER PRIMARY KEY, B CLOB, C RAW(16))")
    try:
        added = database.prepareStatement("INSERT INTO LONG_TEXTS VALUES (1, ?, HEXTORAW('00FF0A'))")
        added.setString(1, text)
        added.execute()
        assert ask("SELECT B FROM LONG_TEXTS") == [text]
        assert ask("SELECT C FROM LONG_TEXTS", raw=True) == [b"\x00\xff\x0a"]
    finally:
        statement.execute("DROP TABLE LONG_TEXTS")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS | AWKWARD.map("".join))
def test_any_text_comes_back_as_it_was(ask: Callable[..., list[Any]], text: str) -> None:
    for written in (text_literal(text), clob_literal(text)):
        assert "\n\n" not in written
        assert ask(f"SELECT {written} FROM DUAL") == [text or None]


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS | AWKWARD.map("".join), min_size=1, max_size=5), st.integers(1, 60))
def test_any_text_comes_through_a_script(jvm: Any, database: Any, texts: list[str], times: int) -> None:
    """Long ones too, by way of H2's RunScript, which cuts the script into statements by itself."""
    long = [text * times for text in texts]
    script = "CREATE TABLE TOLD (N NUMBER, B CLOB);\n"
    script += "".join(f"INSERT INTO TOLD VALUES ({n}, {literal(t, 'CLOB')});\n" for n, t in enumerate(long))
    assert max(len(line.encode()) for line in script.split("\n")) <= MAX_LINE + 60
    assert "" not in script.split("\n")[:-1]
    try:
        jvm.org.h2.tools.RunScript.execute(database, jvm.java.io.StringReader(script))
        found = rows(database.createStatement().executeQuery("SELECT B FROM TOLD ORDER BY N"), "B")
        assert [text for (text,) in found] == [text or None for text in long]
    finally:
        database.createStatement().execute("DROP TABLE IF EXISTS TOLD")


ZONES = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
# Without the hours from -01 to 00, which H2 writes with the wrong sign; India has none of them.
SOUND = ZONES.filter(lambda zone: not timedelta(hours=-1) < zone.utcoffset(None) < timedelta(0))
MOMENTS = st.datetimes(datetime(1600, 1, 1), datetime(9999, 1, 1))


@settings(max_examples=150, deadline=None)
@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**20), max_value=10**20),
    MOMENTS,
    SOUND,
    st.binary(min_size=1, max_size=16),
)
def test_any_number_moment_and_bytes_come_back_as_they_were(
    ask: Callable[..., list[Any]], number: Decimal, moment: datetime, zone: timezone, raw: bytes
) -> None:
    day = 'YYYY-MM-DD"T"HH24:MI:SS'
    (said,) = ask(f"SELECT TO_CHAR({literal(number, 'NUMBER')}, 'TM9') FROM DUAL")
    assert Decimal(said) == number
    second = moment.replace(microsecond=0)
    told = ask(
        f"SELECT TO_CHAR({literal(second, 'DATE')}, '{day}'), "
        f"TO_CHAR({literal(moment, 'TIMESTAMP(6)')}, '{day}.FF6'), "
        f"TO_CHAR({literal(moment.replace(tzinfo=zone), 'TIMESTAMP(6) WITH TIME ZONE')}, '{day}.FF6TZH:TZM') "
        "FROM DUAL"
    )
    expected = [second.isoformat(), moment.isoformat(timespec="microseconds")]
    expected.append(moment.replace(tzinfo=zone).isoformat(timespec="microseconds"))
    assert told == expected
    assert ask(f"SELECT {literal(raw, 'RAW(16)')} FROM DUAL", raw=True) == [raw]


def test_the_topic_of_the_settings_is_there(stack: Stack) -> None:
    sns = stack.client("sns")
    assert sns.get_topic_attributes(TopicArn=stack.env["CRIME_JOBS_TOPIC"])["Attributes"]


def test_oracles_own_driver_is_there_and_says_when_nobody_listens(jvm: Any) -> None:
    port = next(port for port in range(15400, 15500) if processes.port_is_free(port))
    with pytest.raises(Exception, match="ORA-12541"):
        connect(jvm, f"jdbc:oracle:thin:@//127.0.0.1:{port}/ORCL", "a", "b")


READ = """
import os
from crime_jobs import settings, spark

session = spark.start(settings.load("local", {}), "read")
options = {"user": "CRIME", "password": os.environ["PASSWORD"], "fetchsize": "100"}
day = "YYYY-MM-DD\\"T\\"HH24:MI:SS.FF9TZH:TZM"
query = f"(SELECT STATION_CODE AS K, FIR_TEXT, TO_CHAR(REGISTERED_AT, '{day}') AS AT, TEXT_DIGEST FROM CASE_RECORDS) t"
parts = [f"ORA_HASH(K, 3) = {n}" for n in range(4)]
found = session.read.jdbc(os.environ["CRIME_JOBS_ORACLE_URL"], query, predicates=parts, properties=options)
dated = found.where("AT LIKE '____-__-__T__:__:__.______000+05:30'")
print(found.count(), dated.count() == found.where("AT IS NOT NULL").count() > 0, found.rdd.getNumPartitions())
print({(field.name, field.dataType.simpleString()) for field in found.schema} >= {("TEXT_DIGEST", "binary")})
long = session.read.jdbc(os.environ["CRIME_JOBS_ORACLE_URL"], "LONG_TEXTS", properties=options)
print([row.B == "\u0905'&\\n" * 300_000 for row in long.collect()])
"""


def test_spark_reads_it_in_parts_with_the_shipped_configuration(
    stack: Stack, tmp_path: Path, database: Any
) -> None:
    """In a process of its own, since the class path of a session in this one is settled."""
    statement = database.createStatement()
    statement.execute("CREATE TABLE LONG_TEXTS (A NUMBER PRIMARY KEY, B CLOB)")
    try:
        added = database.prepareStatement("INSERT INTO LONG_TEXTS VALUES (1, ?)")
        added.setString(1, "अ'&\n" * 300_000)
        added.execute()
        script = tmp_path / "read.py"
        script.write_text(READ)
        env = {**os.environ, **stack.env, "PASSWORD": oracle.PASSWORD}
        said = subprocess.run(
            [sys.executable, script], env=env, capture_output=True, text=True, check=False, timeout=300
        )
        assert said.returncode == 0, said.stderr[-3000:]
    finally:
        statement.execute("DROP TABLE LONG_TEXTS")
    assert said.stdout.splitlines() == [f"{seed.CASES} True 4", "True", "[True]"]


def test_no_text_of_a_record_is_in_a_log(stack: Stack, database: Any) -> None:
    statement = database.createStatement()
    with pytest.raises(Exception, match="23502"):
        statement.execute("INSERT INTO CASE_RECORDS (FIR_NUMBER) VALUES ('The complainant states')")
    folder = Path(stack.env["CRIME_JOBS_SPARK_CONF"]).parent / "localstack"
    logs = [*folder.glob("*.log"), *(folder / oracle.NAME).glob("*.trace.db")]
    assert {"oracle.log", "init.log"} <= {path.name for path in logs}
    for path in logs:
        assert "complainant" not in path.read_text(encoding="utf-8", errors="replace"), path


def test_a_script_that_fails_is_said_without_what_it_holds(stack: Stack, tmp_path: Path) -> None:
    jars = [Path(jar) for jar in stack.env["CRIME_JOBS_SPARK_EXTRA_CLASSPATH"].split(":")]
    folder = next(jar.parent for jar in jars if jar.name.startswith("h2-"))
    java, node = find_java(Places.of(), tmp_path / "log"), Node(tmp_path, ("npm",))
    installed = Installed(java, node, tmp_path, tmp_path, tmp_path, tmp_path, folder)
    script = tmp_path / "bad.sql"
    script.write_text("CREATE TABLE T (A NUMBER);\nINSERT INTO T VALUES ('Asha Sharma');\n")
    with pytest.raises(JobFailed, match=r"refused a statement \(error 22018-\d+\)") as caught:
        oracle.run_script(installed, script, f"jdbc:h2:{tmp_path / 'x'}")
    assert "Asha" not in str(caught.value)


def test_only_the_right_password_answers(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r":(\d+)/", stack.env["CRIME_JOBS_ORACLE_URL"])
    assert found
    port = int(found[1])
    assert responds(oracle.answers, port)
    monkeypatch.setattr(oracle, "PASSWORD", "another")
    assert not responds(oracle.answers, port)
    with pytest.raises(OSError, match="does not let CRIME in"):
        oracle.answers(port)


def test_it_listens_on_the_loopback_address_alone(stack: Stack) -> None:
    row = next(
        row for row in json.loads(harness("status", "--output", "json").stdout) if row["service"] == "oracle"
    )
    folder = Path(stack.env["CRIME_JOBS_SPARK_CONF"]).parent / "localstack"
    family = processes.family(f"{folder.resolve()}:{oracle.NAME}")
    assert row["pid"] in {process.pid for process in family}
    listening = processes.listening(family)
    assert listening
    assert processes.exposed(listening) == []
