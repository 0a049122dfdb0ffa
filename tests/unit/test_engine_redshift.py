"""The engine's Redshift: statements and their states, COPY as Redshift does it, refusals by name."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest
from botocore.exceptions import ClientError

from crime_engines.redshift.copying import Copy, parse_copy
from crime_engines.redshift.refused import Unsupported
from crime_engines.redshift.sql import Plain, names_in, tokens_of, translate
from crime_harness import processes
from tests.unit.redshift_engine import Served, serve


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("redshift")) as served:
        yield served


@pytest.fixture
def table(engine: Served) -> str:
    """A table of the test's own."""
    name = f"t_{uuid.uuid4().hex[:8]}"
    said = engine.run(
        f"CREATE TABLE {name} (id BIGINT IDENTITY(1,1), a VARCHAR(5) NOT NULL ENCODE zstd, n INT, b BOOLEAN, "
        "t TIMESTAMP, d DOUBLE PRECISION, s SUPER) DISTSTYLE KEY DISTKEY (a) COMPOUND SORTKEY (t, a)"
    )
    assert said["Status"] == "FINISHED", said["Error"]
    return name


def put(engine: Served, content: bytes, name: str = "x") -> str:
    uri = f"s3://bucket/{uuid.uuid4().hex}/{name}"
    engine.s3.put(uri, content)
    return uri


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


GOOD = {
    "a": "é1",
    "n": 1,
    "b": True,
    "t": "2026-11-24T10:15:30.123Z",
    "d": 1.25,
    "s": {"q": [1]},
    "more": "x",
}
COLUMNS = "(a, n, b, t, d, s)"


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**request)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_a_statement_ends_and_its_rows_are_typed(engine: Served) -> None:
    said = engine.run(
        "SELECT 1 AS n, 'x' AS t, true AS b, 1.5::float8 AS d, NULL AS z, :p::int + 1 AS p", p="41"
    )
    assert (said["Status"], said["HasResultSet"], said["ResultRows"]) == ("FINISHED", True, 1)
    assert said["RedshiftQueryId"] > 0
    page = engine.client.get_statement_result(Id=said["Id"])
    assert [column["name"] for column in page["ColumnMetadata"]] == ["n", "t", "b", "d", "z", "p"]
    assert page["Records"][0] == [
        {"longValue": 1}, {"stringValue": "x"}, {"booleanValue": True}, {"doubleValue": 1.5}, {"isNull": True},
        {"longValue": 42},
    ]  # fmt: skip


def test_rows_come_in_pages(engine: Served) -> None:
    said = engine.run("SELECT n FROM generate_series(1, 2500) AS s(n)")
    seen: list[int] = []
    token: dict[str, str] = {}
    while True:
        page = engine.client.get_statement_result(Id=said["Id"], **token)
        seen += [row[0]["longValue"] for row in page["Records"]]
        assert page["TotalNumRows"] == 2500
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == list(range(1, 2501))


def test_values_are_bound_and_never_sql(engine: Served, table: str) -> None:
    evil = "'; --"
    assert engine.run(f"INSERT INTO {table} (a) VALUES (:v)", v=evil)["ResultRows"] == 1
    assert engine.rows(f"SELECT a FROM {table} WHERE a = :v", v=evil) == [(evil,)]
    assert names_in("SELECT ':no', a::int, :yes FROM t WHERE b = :and_1") == {"yes", "and_1"}
    call = engine.client.execute_statement
    code, said = refused(
        call, **engine.place, Sql="SELECT 1", Parameters=[{"name": "x", "value": "1"}]
    )  # fmt: skip
    assert (code, "unused parameters: [x]" in said.lower()) == ("ValidationException", True)
    assert engine.error("SELECT :missing") == "ERROR: Cannot find parameter: missing"


def test_a_token_makes_one_statement_of_two_calls(engine: Served, table: str) -> None:
    request = {
        **engine.place,
        "Sql": f"INSERT INTO {table} (a) VALUES ('x')",
        "ClientToken": uuid.uuid4().hex,
    }
    first, again = (engine.client.execute_statement(**request)["Id"] for _ in range(2))
    assert first == again
    engine.ended(first)
    assert engine.rows(f"SELECT COUNT(*) FROM {table}") == [(1,)]
    code, _ = refused(engine.client.execute_statement, **{**request, "Sql": "SELECT 1"})
    assert code == "ValidationException"


def test_a_batch_is_one_transaction(engine: Served, table: str) -> None:
    add = f"INSERT INTO {table} (a) VALUES ('x')"
    said = engine.batch(add, "SELECT 1 / (SELECT 0)", "SELECT 2")
    assert said["Status"] == "FAILED"
    assert said["Error"].startswith("Query #2 failed with ERROR: ")
    assert [part["Status"] for part in said["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert engine.rows(f"SELECT COUNT(*) FROM {table}") == [(0,)]
    alone = engine.batch(add, "SELECT 1 / (SELECT 0)", add, ExecutionMode="AUTO_COMMIT")
    assert [part["Status"] for part in alone["SubStatements"]] == ["FINISHED", "FAILED", "FINISHED"]
    assert engine.rows(f"SELECT COUNT(*) FROM {table}") == [(2,)]
    done = engine.batch(add, f"SELECT COUNT(*) FROM {table}")
    page = engine.client.get_statement_result(Id=done["SubStatements"][1]["Id"])
    assert page["Records"] == [[{"longValue": 3}]]


def test_a_statement_that_waits_is_cancelled(engine: Served, table: str) -> None:
    sql = "SELECT COUNT(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
    given = engine.client.execute_statement(**engine.place, Sql=sql)["Id"]
    while engine.client.describe_statement(Id=given)["Status"] != "STARTED":
        pass
    assert refused(engine.client.get_statement_result, Id=given)[0] == "ResourceNotFoundException"
    assert engine.client.cancel_statement(Id=given)["Status"] is True
    assert engine.ended(given)["Status"] == "ABORTED"
    assert refused(engine.client.cancel_statement, Id=given)[0] == "ValidationException"
    listed = engine.client.list_statements(Status="ABORTED")["Statements"]
    assert given in [one["Id"] for one in listed]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("BEGIN", "BEGIN is not supported here"),
        ("CALL p()", "CALL is not supported here"),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands into a prepared statement"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied for function"),
        ("COPY t FROM PROGRAM 'id'", "syntax error"),
        ("COPY t FROM 'dynamodb://x' JSON 'auto'", "only from s3://"),
        ("COPY t FROM 's3://b/k' JSON 'auto' BZIP2", "COPY BZIP2 is not supported here"),
        ("COPY t FROM 's3://b/k' JSON 'auto' MAXERROR 100001", "MAXERROR must be between 0 and 100000"),
        ("COPY t FROM 's3://b/k' JSON 'auto' TIMEFORMAT 'YYYY'", "only 'auto'"),
        ("COPY t FROM 's3://b/k'", "COPY without FORMAT"),
        ("UNLOAD ('SELECT 1') TO 's3://b/k'", "UNLOAD without FORMAT"),
        ("CREATE TABLE t (a VARCHAR(70000))", "cannot exceed 65535"),
        ("CREATE TABLE t (a INT) PARTITION BY (a)", "syntax error"),
        ("CREATE FUNCTION f() RETURNS int", "is not supported here"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_refused_by_its_name(sql: str, said: str) -> None:
    with pytest.raises(Unsupported) as raised:
        translate(sql, {})
    assert said in str(raised.value)


def test_statements_run_as_nobody_special(engine: Served) -> None:
    assert engine.rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    assert "permission denied" in engine.error("SELECT * FROM pg_authid")


def test_redshift_functions_are_postgresql_s(engine: Served) -> None:
    assert engine.rows("SELECT NVL(NULL, 2), DATEADD(day, 1, '2026-01-31'::timestamp), LEN('abc')") == [
        (2, "2026-02-01 00:00:00", 3)
    ]
    found = translate("SELECT a FROM t WHERE b > GETDATE() AND c = :c", {"c": "1"})
    assert isinstance(found, Plain)
    assert found.parameters == ("1",)
    assert "$1" in found.sql


def test_copy_is_read_with_all_its_options() -> None:
    text = (
        "COPY s.t (a, \"B\") FROM 's3://b/m' IAM_ROLE 'arn:aws:iam::0:role/r' MANIFEST REGION 'us-east-1' "
        "FORMAT AS JSON 's3://b/p' TIMEFORMAT AS 'auto' MAXERROR AS 7 GZIP TRUNCATECOLUMNS ACCEPTINVCHARS AS '^' "
        "COMPUPDATE OFF STATUPDATE ON"
    )
    assert parse_copy(text, tokens_of(text)) == Copy(
        "s", "t", "s3://b/m", ("a", "B"), "json", "s3://b/p", gzip=True, manifest=True, truncate=True,
        max_errors=7, replace="^",
    )  # fmt: skip


@pytest.mark.parametrize("packed", [True, False])
def test_copy_loads_json_by_name(engine: Served, table: str, packed: bool) -> None:
    content = lines(GOOD, {"a": "b"}) + b'{"a":"c"}{"a":"d"}'  # one after the other, without a line end
    uri = put(engine, gzip.compress(content) if packed else content)
    said = engine.batch(
        f"COPY {table} {COLUMNS} FROM '{uri}' IAM_ROLE default JSON 'auto' {'GZIP' if packed else ''}",
        "SELECT pg_last_copy_count()",
    )
    assert said["Status"] == "FINISHED", said["Error"]
    assert said["SubStatements"][0]["ResultRows"] == 4
    counted = engine.client.get_statement_result(Id=said["SubStatements"][1]["Id"])
    assert counted["Records"] == [[{"longValue": 4}]]
    rows = engine.rows(f"SELECT * FROM {table} ORDER BY a DESC")
    assert rows[0] == (1, "é1", 1, True, "2026-11-24 10:15:30.123", 1.25, '{"q":[1]}')
    assert [row[1] for row in rows] == ["é1", "d", "c", "b"]


BAD: list[dict[str, Any]] = [
    {"a": "toolong"},
    {"a": "ééé"},
    {"a": "b", "n": "CANARY"},
    {"n": 1},
    {"a": "b", "t": "x"},
    {"a": "b", "b": "x"},
]


def test_bad_lines_are_noted_and_the_rest_is_loaded(engine: Served, table: str) -> None:
    uri = put(engine, lines(GOOD, *BAD) + b"{broken\n\xff\n")
    said = engine.run(f"COPY {table} {COLUMNS} FROM '{uri}' IAM_ROLE default JSON 'auto' MAXERROR 9")
    assert (said["Status"], said["ResultRows"]) == ("FINISHED", 1)
    noted = engine.rows(
        "SELECT line_number, column_name, error_code FROM sys_load_error_detail WHERE file_name = :f "
        "ORDER BY 1", f=uri,
    )  # fmt: skip
    assert noted == [
        (2, "a", 1204), (3, "a", 1204), (4, "n", 1207), (5, "a", 1213), (6, "t", 1206), (7, "b", 1210),
        (8, "", 1216), (9, "", 1220),
    ]  # fmt: skip


def test_as_many_bad_lines_as_maxerror_fail_the_load_and_stay_noted(engine: Served, table: str) -> None:
    uri = put(engine, lines(GOOD, *BAD[:2]))
    for limit in ("MAXERROR 2", ""):
        error = engine.error(f"COPY {table} {COLUMNS} FROM '{uri}' IAM_ROLE default JSON 'auto' {limit}")
        assert error.startswith(f"ERROR: Load into table '{table}' failed.")
    assert engine.rows(f"SELECT COUNT(*) FROM {table}") == [(0,)]
    noted = "SELECT COUNT(*) FROM stl_load_errors WHERE filename = :f"
    assert engine.rows(noted, f=uri) == [(4,)]


def test_compressed_or_not_must_be_said_rightly(engine: Served, table: str) -> None:
    copy = f"COPY {table} {COLUMNS} FROM '{{}}' IAM_ROLE default JSON 'auto' MAXERROR 1000 {{}}"
    packed = gzip.compress(lines(*[GOOD] * 500))
    assert "incorrect header check" in engine.error(copy.format(put(engine, lines(GOOD)), "GZIP"))
    assert "unexpected end" in engine.error(copy.format(put(engine, packed[:-9]), "GZIP"))
    assert engine.run(copy.format(put(engine, packed), ""))["ResultRows"] == 0
    assert engine.run(copy.format(put(engine, packed + packed), "GZIP"))["ResultRows"] == 1000


def test_a_manifest_names_what_is_loaded(engine: Served, table: str) -> None:
    there, gone = put(engine, lines(GOOD)), "s3://bucket/gone"
    copy = f"COPY {table} {COLUMNS} FROM '{{}}' IAM_ROLE default JSON 'auto' MANIFEST"

    def manifest(*entries: dict[str, Any]) -> str:
        return put(engine, json.dumps({"entries": entries}).encode())

    optional = manifest({"url": there, "mandatory": True}, {"url": gone, "mandatory": False})
    assert engine.run(copy.format(optional))["ResultRows"] == 1
    assert gone in engine.error(copy.format(manifest({"url": gone, "mandatory": True})))
    assert "NoSuchKey" in engine.error(copy.format(gone))
    assert "does not exist" in engine.error(copy.format("s3://bucket/none").replace("MANIFEST", ""))


def test_paths_csv_and_cut_columns(engine: Served, table: str) -> None:
    paths = put(engine, json.dumps({"jsonpaths": ["$.x.y", "$['z']"]}).encode())
    uri = put(engine, lines({"x": {"y": "deep"}, "z": 5}))
    assert engine.run(f"COPY {table} (a, n) FROM '{uri}' JSON '{paths}'")["ResultRows"] == 1
    csv = put(engine, b'a;n\n"l;ong long";7\n')
    copy = f"COPY {table} (a, n) FROM '{csv}' CSV DELIMITER ';' IGNOREHEADER 1 TRUNCATECOLUMNS"
    assert engine.run(copy)["ResultRows"] == 1
    assert engine.rows(f"SELECT a, n FROM {table} ORDER BY n") == [("deep", 5), ("l;ong", 7)]
    assert "identity column" in engine.error(f"COPY {table} (id) FROM '{uri}' JSON 'auto'")


def test_a_varchar_counts_bytes(engine: Served, table: str) -> None:
    said = engine.error(f"INSERT INTO {table} (a) VALUES ('éééé')")
    assert said == "ERROR: value too long for type character varying(5)"


def test_keys_are_noted(engine: Served, table: str) -> None:
    columns = engine.rows(
        'SELECT "column", distkey, sortkey FROM pg_table_def WHERE tablename = :t AND (distkey OR sortkey > 0)',
        t=table,
    )
    assert sorted(columns) == [("a", True, 2), ("t", False, 1)]
    info = engine.rows(
        'SELECT diststyle, sortkey1, sortkey_num FROM svv_table_info WHERE "table" = :t', t=table
    )
    assert info == [("KEY(a)", "t", 2)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_unload_writes_what_an_oracle_reads(engine: Served, table: str, kind: str, tmp_path: Path) -> None:
    engine.run(f"INSERT INTO {table} (a, n) VALUES ('x', 1), ('y', 2)")
    target = f"s3://bucket/{table}/"
    unload = f"UNLOAD ('SELECT a, n FROM {table}') TO '{target}' IAM_ROLE default FORMAT {kind} HEADER"
    assert engine.run(unload.replace("HEADER", "HEADER" if kind == "csv" else ""))["ResultRows"] == 2
    (uri,) = engine.s3.list(target)
    (tmp_path / kind).write_bytes(engine.s3.read(uri))
    assert duckdb.execute(f"SELECT a, n FROM read_{kind}('{tmp_path / kind}') ORDER BY 1").fetchall() == [
        ("x", 1), ("y", 2),
    ]  # fmt: skip
    assert "not empty" in engine.error(unload)


def test_catalogs_list_what_is_there(engine: Served, table: str) -> None:
    tables = engine.client.list_tables(**engine.place, TablePattern=table)["Tables"]
    assert tables == [{"name": table, "type": "TABLE", "schema": "public"}]
    assert engine.client.list_schemas(**engine.place)["Schemas"] == ["public"]
    assert engine.client.list_databases(**engine.place)["Databases"] == ["crime"]
    columns = engine.client.describe_table(**engine.place, Table=table)["ColumnList"]
    assert [column["name"] for column in columns] == ["id", "a", "n", "b", "t", "d", "s"]
    code, _ = refused(engine.client.execute_statement, Sql="SELECT 1")
    assert code == "ValidationException"


def test_a_workgroup_s_database_is_its_own(engine: Served, table: str) -> None:
    other = Served(engine.client, engine.control, engine.s3, "another")
    assert f'relation "{table}" does not exist' in other.error(f"SELECT * FROM {table}")


def test_faults_are_answered(engine: Served) -> None:
    engine.control.add_fault({"operation": "ExecuteStatement", "code": "ThrottlingException", "times": 1})
    assert (
        refused(engine.client.execute_statement, **engine.place, Sql="SELECT 1")[0] == "ThrottlingException"
    )


def test_the_database_listens_nowhere_and_ends_with_the_engine(tmp_path: Path) -> None:
    with serve(tmp_path) as engine:
        assert engine.rows("SELECT 1") == [(1,)]
        (server,) = [p for p in psutil.Process().children() if p.name() == "postgres"
                     and str(tmp_path) in " ".join(p.cmdline())]  # fmt: skip
        family = [server, *server.children()]
        assert processes.listening(family) == set()
    assert not any(process.is_running() for process in family)


def test_parquet_of_nothing_has_its_columns(engine: Served, table: str) -> None:
    target = f"s3://bucket/{table}-none/"
    engine.run(f"UNLOAD ('SELECT a, n FROM {table}') TO '{target}' IAM_ROLE default FORMAT PARQUET")
    (uri,) = engine.s3.list(target)
    import pyarrow.parquet as pq

    assert pq.read_table(io.BytesIO(engine.s3.read(uri))).column_names == ["a", "n"]
