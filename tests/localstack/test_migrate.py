"""Rows of the old database become items: exact at the edges of each type, none lost, none twice."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from boto3.dynamodb.types import Binary

from crime_jobs.migrate import statistics
from crime_jobs.migrate.ledger import Ledger
from tests.localstack.conftest import Stack
from tests.localstack.migration import OldDatabase, Session, plain, scan

CANARY = "Canary Complainant"


@pytest.fixture(scope="module")
def session(stack: Stack) -> Iterator[Session]:
    made = Session(stack)
    yield made
    made.close()


@pytest.fixture
def old(stack: Stack, tmp_path: Path) -> OldDatabase:
    return OldDatabase(stack, tmp_path)


def rows_of(old: OldDatabase, rows: int, table: str = "PEOPLE") -> None:
    """A table with a numeric key and some text."""
    old.sql(
        f"CREATE TABLE {table} (ID NUMBER(9) PRIMARY KEY, NAME VARCHAR2(80) NOT NULL);\n"
        f"INSERT INTO {table} SELECT X, 'name ' || X FROM SYSTEM_RANGE(1, {rows});"
    )


def keyed(old: OldDatabase, table: str = "PEOPLE") -> dict[str, Any]:
    return old.to(table, "ID")


def ledger(stack: Stack, old: OldDatabase) -> Ledger:
    return Ledger(stack.client("dynamodb"), old.schema)


def table_statistics(stack: Stack, old: OldDatabase) -> dict[str, statistics.TableStatistics]:
    return {one.TableName: one for one in statistics.read(stack.client("dynamodb"), old.schema)}


def test_every_type_at_its_edges(stack: Stack, session: Session, old: OldDatabase) -> None:
    old.sql(
        """
        CREATE TABLE EDGES (
            ID NUMBER(4) PRIMARY KEY, EXACT NUMBER(38), WIDE NUMBER(38,10), LOOSE NUMBER, "SIZE" VARCHAR2(20),
            PADDED CHAR(3), DAY_ DATE, MOMENT TIMESTAMP(6), ZONED TIMESTAMP(6) WITH TIME ZONE, STORY CLOB,
            DIGEST RAW(4), NUM BINARY_DOUBLE);
        INSERT INTO EDGES VALUES (1, 99999999999999999999999999999999999999, -0.0000000001, 1.5, 'reserved',
            'ab', TO_DATE('2014-02-28 23:59:59', 'YYYY-MM-DD HH24:MI:SS'),
            TO_TIMESTAMP('2014-03-31 23:59:59.120000', 'YYYY-MM-DD HH24:MI:SS.FF6'),
            TIMESTAMP '2014-03-31 23:59:59.5 +05:30', 'एफ़आईआर 👮 '' "', HEXTORAW('00FF7F80'), 0.1);
        INSERT INTO EDGES VALUES (2, -99999999999999999999999999999999999999, 0, -0.00, '', NULL,
            TIMESTAMP '-0043-03-15 12:00:00',
            TO_TIMESTAMP('0001-01-01 00:00:00', 'YYYY-MM-DD HH24:MI:SS'), NULL, '', NULL, -1E100);
        """
    )
    said = session.run("migrate", **old.who, mappings=old.mappings(old.to("EDGES", "ID")))
    assert said.exit_code == 0, said
    items = {plain(item)["ID"]: plain(item) for item in scan(stack, old.target("EDGES"))}
    zoned = items[1].pop("ZONED")
    assert items[1] == {
        "ID": Decimal(1),
        "EXACT": Decimal("9" * 38),
        "WIDE": Decimal("-1E-10"),
        "LOOSE": Decimal("1.5"),
        "SIZE": "reserved",
        "PADDED": "ab ",
        "DAY_": "2014-02-28T23:59:59",
        "MOMENT": "2014-03-31T23:59:59.12",
        "STORY": "एफ़आईआर 👮 ' \"",
        "DIGEST": Binary(b"\x00\xff\x7f\x80"),
        "NUM": Decimal("0.1"),
    }
    # H2 writes the moment in the session's zone where Oracle keeps the column's; the moment is the same.
    assert zoned in ("2014-03-31T23:59:59.5+05:30", "2014-03-31T18:29:59.5+00:00")
    # '' is NULL in Oracle, and a NULL has no attribute.
    assert items[2] == {
        "ID": Decimal(2),
        "EXACT": Decimal("-" + "9" * 38),
        "WIDE": Decimal(0),
        "LOOSE": Decimal(0),
        "DAY_": "-0043-03-15T12:00:00",
        "MOMENT": "0001-01-01T00:00:00",
        "NUM": Decimal("-1E100"),
    }
    about = stack.client("dynamodb").describe_table(TableName=old.target("EDGES"))["Table"]
    assert about["SSEDescription"]["SSEType"] == "KMS"


def test_rows_that_do_not_fit_are_listed_and_all_others_moved(
    stack: Stack, session: Session, old: OldDatabase
) -> None:
    old.sql(
        f"""
        CREATE TABLE CASES (STATION VARCHAR2(20), NR NUMBER(9), TEXT_ CLOB, REF NUMBER, WHO VARCHAR2(40),
            PRIMARY KEY (STATION, NR));
        INSERT INTO CASES SELECT 'S1', X, 'short', X, '{CANARY}' FROM SYSTEM_RANGE(1, 60);
        INSERT INTO CASES VALUES ('S2', 1, REPEAT('x', 409600), 1, '{CANARY}');
        INSERT INTO CASES VALUES ('S2', 2, 'x', 1234567890123456789012345678901234567891, '{CANARY}');
        """
    )
    mapping = old.mappings(old.to("CASES", "STATION", "KEY_", KEY_="${NR}|${WHO}"))
    lake = stack.fresh("lake")
    said = session.run("migrate", {"lake": lake}, **old.who, mappings=mapping)
    assert said.exit_code == 3
    assert "2 rows do not fit" in said.message
    assert len(scan(stack, old.target("CASES"))) == 60
    found = {facts["source_key"]: facts for _, facts in ledger(stack, old).entries("exception#")}
    assert found.keys() == {'["S2", "1"]', '["S2", "2"]'}
    assert found['["S2", "1"]']["attribute"] == "TEXT_"
    assert "38 significant digits" in found['["S2", "2"]']["reason"]
    told = table_statistics(stack, old)["CASES"]
    assert (told.FullLoadRows, told.FullLoadErrorRows, told.TableState) == (60, 2, "Table error")
    assert stack.keys(f"{lake}/migration_exceptions")
    assert CANARY not in str(said) + str(found)

    allowed = session.run("migrate", **old.who, mappings=mapping, max_error_rows=2)
    assert allowed.exit_code == 0, allowed
    assert table_statistics(stack, old)["CASES"].TableState == "Table completed"


def test_keys_that_collide_leave_one_row_and_list_the_others(
    stack: Stack, session: Session, old: OldDatabase
) -> None:
    old.sql(
        """
        CREATE TABLE PAIRS (A VARCHAR2(20), B VARCHAR2(20), V NUMBER(4), PRIMARY KEY (A, B));
        INSERT INTO PAIRS VALUES ('x|y', 'z', 1);
        INSERT INTO PAIRS VALUES ('x', 'y|z', 2);
        INSERT INTO PAIRS SELECT 'p' || X, 'q', X FROM SYSTEM_RANGE(1, 100);
        """
    )
    mapping = old.mappings(old.to("PAIRS", "KEY_", KEY_="${A}|${B}"))
    said = session.run("migrate", **old.who, mappings=mapping, part_rows=7)
    assert said.exit_code == 3, said
    items = [plain(item) for item in scan(stack, old.target("PAIRS"))]
    assert len(items) == 101
    assert [item["V"] for item in items if item["KEY_"] == "x|y|z"] == [2]
    told = table_statistics(stack, old)["PAIRS"]
    assert (told.FullLoadRows, told.FullLoadCondtnlChkFailedRows) == (101, 1)
    ((_, lost),) = ledger(stack, old).entries("exception#")
    assert (lost["source_key"], lost["kind"]) == ('["x|y", "z"]', "collision")


def test_a_table_that_is_done_is_not_read_again(stack: Stack, session: Session, old: OldDatabase) -> None:
    rows_of(old, 40)
    mapping = old.mappings(keyed(old))
    for _ in range(2):
        assert session.run("migrate", **old.who, mappings=mapping, part_rows=10).exit_code == 0
        old.sql("UPDATE PEOPLE SET NAME = 'changed since'")
    names = {plain(item)["NAME"] for item in scan(stack, old.target("PEOPLE"))}
    assert names == {f"name {n}" for n in range(1, 41)}
    assert session.run("migrate", **old.who, mappings=mapping, again=True).exit_code == 0
    assert {plain(item)["NAME"] for item in scan(stack, old.target("PEOPLE"))} == {"changed since"}


def test_another_mapping_under_the_same_name_is_refused(session: Session, old: OldDatabase) -> None:
    rows_of(old, 3)
    assert session.run("migrate", **old.who, mappings=old.mappings(keyed(old))).exit_code == 0
    other = old.mappings(old.to("PEOPLE", "NAME"))
    said = session.run("migrate", **old.who, mappings=other)
    assert said.exit_code == 3
    assert "another mapping" in said.message
    assert "again=true" in said.hint


def test_another_database_under_the_same_name_is_refused(session: Session, old: OldDatabase) -> None:
    rows_of(old, 3)
    mapping = old.mappings(keyed(old))
    assert session.run("migrate", **old.who, mappings=mapping).exit_code == 0
    elsewhere = {**old.who, "url": f"{old.url};LOCK_TIMEOUT=2000"}
    said = session.run("migrate", **elsewhere, mappings=mapping)
    assert said.exit_code == 3
    assert "another database" in said.message
    moved = session.run("migrate", **elsewhere, mappings=mapping, same_source=True)
    assert moved.exit_code == 0, moved


def test_a_column_without_a_rule_matters_only_where_it_is_used(session: Session, old: OldDatabase) -> None:
    for table in ("ODD", "OTHER"):
        old.sql(f"CREATE TABLE {table} (ID NUMBER(4) PRIMARY KEY, SPAN INTERVAL DAY TO SECOND);")
    rule = old.to("ODD", "ID")
    said = session.run("migrate", **old.who, mappings=old.mappings(rule, tables="ODD"))
    assert said.exit_code == 3
    assert "SPAN is INTERVAL" in said.message
    rule["mapping-parameters"]["exclude-columns"] = ["SPAN"]
    said = session.run("migrate", **old.who, mappings=old.mappings(rule, tables="ODD"))
    assert said.exit_code == 0, said


def test_tables_of_the_lake_keep_the_rows_of_other_migrations(
    session: Session, old: OldDatabase, tmp_path: Path
) -> None:
    rows_of(old, 2)
    lake = {"lake": str(tmp_path / "lake")}
    for task in ("one", "two", "one"):
        told = {**old.who, "task": f"{old.schema}-{task}"}
        assert session.run("migrate", lake, **told, mappings=old.mappings(keyed(old))).exit_code == 0
    files = f"{tmp_path}/lake/migration_statistics/*.parquet"
    found = duckdb.connect().execute(f"SELECT task FROM read_parquet('{files}') ORDER BY task").fetchall()
    assert found == [(f"{old.schema}-one",), (f"{old.schema}-two",)]


def test_throttling_and_unprocessed_items_lose_nothing(
    stack: Stack, session: Session, old: OldDatabase
) -> None:
    rows_of(old, 300)
    with stack.faults(DYNAMODB_WRITE_ERROR_PROBABILITY=0.25):
        said = session.run("migrate", **old.who, mappings=old.mappings(keyed(old)), part_rows=100)
    assert said.exit_code == 0, said
    ids = sorted(int(plain(item)["ID"]) for item in scan(stack, old.target("PEOPLE")))
    assert ids == list(range(1, 301))
    # It was throttled indeed, and the report counts each row once.
    parts = [facts for _, facts in ledger(stack, old).entries("partition#")]
    assert sum(part["throttled"] for part in parts) > 0
    assert table_statistics(stack, old)["PEOPLE"].FullLoadRows == 300


def test_the_write_rate_holds_within_five_percent(stack: Stack, session: Session, old: OldDatabase) -> None:
    rows, rate = 1500, 150.0
    rows_of(old, rows)
    options = {"mappings": old.mappings(keyed(old)), "part_rows": 375, **old.who}
    assert session.run("migrate", **options).exit_code == 0
    free = span_of_parts(stack, old)
    assert session.run("migrate", **options, again=True, write_units=rate).exit_code == 0
    parts = [facts for _, facts in ledger(stack, old).entries("partition#")]
    assert sum(part["write_units"] for part in parts) == rows  # one unit an item, as DynamoDB counted
    took = span_of_parts(stack, old)
    assert rate * 0.95 <= rows / took <= rate * 1.05
    assert free < took, "without a limit it is no faster: the limit did not bind"


def span_of_parts(stack: Stack, old: OldDatabase) -> float:
    """Seconds from the first part's start to the last one's end: they run side by side, with one budget."""
    parts = [facts for _, facts in ledger(stack, old).entries("partition#")]
    return float(max(part["ended"] for part in parts) - min(part["began"] for part in parts))


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ({"url": "jdbc:h2:tcp://127.0.0.1:1/x;MODE=Oracle"}, 1, "Connection"),
        ({"url": "jdbc:nothing://x"}, 1, "no JDBC driver"),
        ({"url": "jdbc:oracle:thin:scott/tiger@//h:1521/X"}, 2, "holds credentials"),
        ({"secret": "no-such-secret"}, 4, "no-such-secret"),
        ({"mappings": "/nowhere.json"}, 2, "can't be read"),
        ({"mappings": "s3://crime-artifacts/none.json"}, 4, "none.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_can_t_begin_says_why(
    session: Session, old: OldDatabase, options: dict[str, str], code: int, says: str
) -> None:
    rows_of(old, 1)
    said = session.run("migrate", **{**old.who, "mappings": old.mappings(keyed(old)), **options})
    assert said.exit_code == code, said
    assert says in said.message
    assert "tiger" not in said.message + said.hint


def test_wrong_credentials_are_named_and_not_shown(stack: Stack, session: Session, old: OldDatabase) -> None:
    rows_of(old, 1)
    stack.client("secretsmanager").create_secret(
        Name=old.schema, SecretString='{"username": "CRIME", "password": "canary-password"}'
    )
    said = session.run("migrate", **old.who, mappings=old.mappings(keyed(old)), secret=old.schema)
    assert said.exit_code == 1
    assert "user name or password" in said.message
    assert "canary-password" not in str(said)
