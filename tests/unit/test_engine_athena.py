"""The engine's Athena: executions and their states, pages, stop, limits, workgroups, saved queries, clients' errors."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.unit.athena_engine import Served, serve


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("athena")) as served:
        served.ok("CREATE DATABASE crime")
        served.s3.put("s3://data/people/x.csv", 'name,cases\n"A ""q"", b",1\nC,\nक,3\n')
        served.ok(
            "CREATE EXTERNAL TABLE people (name string, cases int) "
            "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
            "LOCATION 's3://data/people/' TBLPROPERTIES ('skip.header.line.count'='1')"
        )
        for year, rows in ((2013, 1000), (2014, 500)):
            served.parquet(
                f"s3://data/facts/year={year}/part",
                f"SELECT i AS id, i % 7 AS n, md5(i::VARCHAR) AS s FROM range({rows}) t(i)",
            )
        served.ok(
            "CREATE EXTERNAL TABLE facts (id bigint, n bigint, s string) PARTITIONED BY (year int) "
            "STORED AS PARQUET LOCATION 's3://data/facts/'"
        )
        served.ok("MSCK REPAIR TABLE facts")
        yield served


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**request)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def not_taken(engine: Served, sql: str, *values: str) -> str:
    """What StartQueryExecution says of SQL that it does not take."""
    with pytest.raises(ClientError) as raised:
        engine.start(sql, *values)
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"
    return str(raised.value.response["Error"]["Message"])


def test_a_query_says_what_it_was_and_how_long_it_took(engine: Served) -> None:
    said = engine.ok("SELECT sum(n) AS total FROM facts WHERE year = ?", "2013")
    assert (said["StatementType"], said["SubstatementType"], said["WorkGroup"]) == (
        "DML",
        "SELECT",
        "primary",
    )
    assert said["ResultConfiguration"]["OutputLocation"] == f"s3://results/x/{said['QueryExecutionId']}.csv"
    assert said["QueryExecutionContext"]["Database"] == "crime"
    assert said["ExecutionParameters"] == ["2013"]
    assert said["Status"]["SubmissionDateTime"] <= said["Status"]["CompletionDateTime"]
    took = said["Statistics"]
    parts = ("QueryQueueTimeInMillis", "EngineExecutionTimeInMillis", "ServiceProcessingTimeInMillis")
    assert abs(sum(took[part] for part in parts) - took["TotalExecutionTimeInMillis"]) <= 3
    stats = engine.client.get_query_runtime_statistics(QueryExecutionId=said["QueryExecutionId"])
    assert stats["QueryRuntimeStatistics"]["Rows"]["OutputRows"] == 1


def test_bytes_are_those_of_the_columns_and_partitions_that_are_read(engine: Served) -> None:
    def scanned(sql: str) -> int:
        return int(engine.ok(sql)["Statistics"]["DataScannedInBytes"])

    one_column_one_year = scanned("SELECT sum(n) FROM facts WHERE year = 2014")
    one_column = scanned("SELECT sum(n) FROM facts")
    everything = scanned("SELECT * FROM facts")
    assert 0 < one_column_one_year < one_column < everything
    assert one_column == one_column_one_year + scanned("SELECT sum(n) FROM facts WHERE year < 2014")
    assert scanned("SELECT count(*) FROM facts") == 0
    assert scanned("SELECT year FROM (SELECT * FROM facts) WHERE year = 2014") == 0
    whole = sum(one.size for one in engine.s3.list("s3://data/people/"))
    assert scanned("SELECT name FROM people") == whole
    assert (
        scanned("SELECT a.n FROM facts a JOIN facts b ON a.id = b.id WHERE a.year = 2014 AND b.year = 2014")
        > 0
    )
    assert scanned("SELECT 1") == 0


def test_the_csv_is_as_athena_writes_it(engine: Served) -> None:
    said = engine.ok(
        "SELECT name, cases, CAST(NULL AS varchar) AS z, '' AS e, true AS b, 1e10 AS d, 0.5E0 AS h, 1e-5 AS s, "
        "DATE '2014-01-02' AS day, TIMESTAMP '2014-01-01 00:00:00' AS t, CAST(1.5 AS decimal(5,2)) AS m, "
        "ARRAY['a', NULL] AS l FROM people ORDER BY name"
    )
    head, first, *_ = engine.s3.text(said["ResultConfiguration"]["OutputLocation"]).splitlines()
    assert head == '"name","cases","z","e","b","d","h","s","day","t","m","l"'
    assert first == (
        '"A ""q"", b","1",,"","true","1.0E10","0.5","1.0E-5","2014-01-02","2014-01-01 00:00:00.000","1.50","[a, null]"'
    )
    page = engine.client.get_query_results(QueryExecutionId=said["QueryExecutionId"])["ResultSet"]
    assert [one["Type"] for one in page["ResultSetMetadata"]["ColumnInfo"]] == [
        "varchar", "integer", "varchar", "varchar", "boolean", "double", "double", "double", "date", "timestamp",
        "decimal", "array",
    ]  # fmt: skip
    assert page["Rows"][0]["Data"][0] == {"VarCharValue": "name"}
    assert page["Rows"][1]["Data"][:4] == [
        {"VarCharValue": 'A "q", b'},
        {"VarCharValue": "1"},
        {},
        {"VarCharValue": ""},
    ]
    metadata = engine.s3.text(said["ResultConfiguration"]["OutputLocation"] + ".metadata")
    assert [one["Name"] for one in json.loads(metadata)["ColumnInfo"]][:2] == ["name", "cases"]


def test_rows_come_in_pages_the_header_first(engine: Served) -> None:
    query = engine.ok("SELECT id, s FROM facts ORDER BY year, id")["QueryExecutionId"]
    seen: list[str] = []
    token: dict[str, str] = {}
    sizes = []
    while True:
        page = engine.client.get_query_results(QueryExecutionId=query, MaxResults=700, **token)
        rows = page["ResultSet"]["Rows"]
        sizes.append(len(rows))
        seen += [row["Data"][0]["VarCharValue"] for row in rows]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sizes == [700, 700, 101]
    assert seen == ["id", *map(str, range(1000)), *map(str, range(500))]
    assert "1000" in refused(engine.client.get_query_results, QueryExecutionId=query, MaxResults=1001)[1]
    code, _ = refused(engine.client.get_query_results, QueryExecutionId=query, NextToken="x")
    assert code == "InvalidRequestException"


def test_an_empty_result_is_a_header_alone(engine: Served) -> None:
    said = engine.ok("SELECT name FROM people WHERE cases > 100")
    assert engine.s3.text(said["ResultConfiguration"]["OutputLocation"]) == '"name"\n'
    page = engine.client.get_query_results(QueryExecutionId=said["QueryExecutionId"])
    assert [row["Data"] for row in page["ResultSet"]["Rows"]] == [[{"VarCharValue": "name"}]]
    assert "NextToken" not in page


def test_a_million_rows_need_no_memory_of_their_own(engine: Served) -> None:
    """The engine runs in this process: its peak is watched while the rows go by."""
    me, peak, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], me.memory_info().rss)

    engine.ok("SELECT id, s FROM facts")  # what is loaded once is not the query's
    before = me.memory_info().rss
    thread = threading.Thread(target=watch)
    thread.start()
    query = engine.ok(
        "SELECT i, 'text of the row' AS t FROM UNNEST(sequence(1, 1000)) AS a(j) CROSS JOIN UNNEST(sequence(1, 1000)) AS b(i)"
    )
    done.set()
    thread.join()
    place = Path(engine.s3.path(query["ResultConfiguration"]["OutputLocation"]))
    assert place.stat().st_size > 20_000_000
    assert peak[0] - before < 120_000_000
    last = engine.client.get_query_results(QueryExecutionId=query["QueryExecutionId"], NextToken="1000000")
    assert len(last["ResultSet"]["Rows"]) == 1
    assert "NextToken" not in last


def test_a_query_is_really_stopped(engine: Served) -> None:
    query = engine.start(
        "SELECT count(*) FROM UNNEST(sequence(1, 100000)) AS a(i) CROSS JOIN UNNEST(sequence(1, 100000)) AS b(j) "
        "WHERE (i * j) % 7 = 3"
    )
    while (
        engine.client.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"]
        != "RUNNING"
    ):
        time.sleep(0.01)
    time.sleep(0.1)
    assert "RUNNING" in refused(engine.client.get_query_results, QueryExecutionId=query)[1]
    began = time.monotonic()
    engine.client.stop_query_execution(QueryExecutionId=query)
    ended = engine.ended(query)
    assert (ended["Status"]["State"], ended["Status"]["StateChangeReason"]) == (
        "CANCELLED",
        "Query cancelled by user",
    )
    assert time.monotonic() - began < 5
    engine.client.stop_query_execution(QueryExecutionId=query)  # one that has ended stays as it is
    assert refused(engine.client.get_query_results, QueryExecutionId=query)[0] == "InvalidRequestException"


def test_queries_run_beside_each_other(engine: Served) -> None:
    with ThreadPoolExecutor(12) as pool:
        found = list(
            pool.map(lambda n: engine.rows("SELECT count(*) FROM facts WHERE n = ?", str(n % 7)), range(24))
        )
    alone = [engine.rows("SELECT count(*) FROM facts WHERE n = ?", str(n)) for n in range(7)]
    assert found == [alone[n % 7] for n in range(24)]


def test_a_query_over_the_limit_of_its_workgroup_is_ended(engine: Served) -> None:
    engine.parquet(
        "s3://data/wide/x", "SELECT md5(i::VARCHAR) || md5((-i)::VARCHAR) AS s, i FROM range(250000) t(i)"
    )
    engine.ok("CREATE EXTERNAL TABLE wide (s string, i bigint) STORED AS PARQUET LOCATION 's3://data/wide/'")
    name = f"g{uuid.uuid4().hex[:8]}"
    engine.client.create_work_group(
        Name=name,
        Configuration={
            "BytesScannedCutoffPerQuery": 10_000_000,
            "ResultConfiguration": {
                "OutputLocation": "s3://results/limited/", "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
            },
        },
    )  # fmt: skip
    said = engine.run("SELECT max(s) FROM wide", WorkGroup=name)
    assert (said["Status"]["State"], said["Status"]["StateChangeReason"]) == (
        "CANCELLED",
        "Bytes scanned limit was exceeded",
    )
    assert engine.run("SELECT max(i) FROM wide", WorkGroup=name)["Status"]["State"] == "SUCCEEDED"
    ours = engine.run(
        "SELECT 1", WorkGroup=name, ResultConfiguration={"OutputLocation": "s3://results/own/"}
    )["ResultConfiguration"]
    assert ours["OutputLocation"].startswith("s3://results/limited/")  # enforced
    assert ours["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
    assert len(engine.client.list_query_executions(WorkGroup=name)["QueryExecutionIds"]) == 3


def test_workgroups_are_made_changed_and_removed(engine: Served) -> None:
    athena, name = engine.client, f"g{uuid.uuid4().hex[:8]}"
    assert "No output location" in refused(athena.start_query_execution, QueryString="SELECT 1")[1]
    athena.create_work_group(
        Name=name, Description="x", Configuration={"EnforceWorkGroupConfiguration": False}
    )
    assert refused(athena.create_work_group, Name=name)[1] == "WorkGroup is already created"
    athena.update_work_group(
        WorkGroup=name,
        ConfigurationUpdates={
            "BytesScannedCutoffPerQuery": 20_000_000,
            "ResultConfigurationUpdates": {"OutputLocation": "s3://results/g/"},
        },
    )
    found = athena.get_work_group(WorkGroup=name)["WorkGroup"]
    assert found["Configuration"]["BytesScannedCutoffPerQuery"] == 20_000_000
    assert found["Configuration"]["ResultConfiguration"] == {"OutputLocation": "s3://results/g/"}
    assert {name, "primary"} <= {one["Name"] for one in athena.list_work_groups()["WorkGroups"]}
    athena.update_work_group(
        WorkGroup=name, State="DISABLED", ConfigurationUpdates={"RemoveBytesScannedCutoffPerQuery": True}
    )
    assert "disabled" in refused(athena.start_query_execution, QueryString="SELECT 1", WorkGroup=name)[1]
    athena.delete_work_group(WorkGroup=name)
    assert "is not found" in refused(athena.get_work_group, WorkGroup=name)[1]
    assert refused(athena.delete_work_group, WorkGroup="primary")[0] == "InvalidRequestException"
    wrong = {"ResultConfiguration": {"OutputLocation": "/data/x"}}
    assert "not a valid S3 path" in refused(athena.create_work_group, Name=name, Configuration=wrong)[1]
    encrypted = {
        "ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "CSE_KMS", "KmsKey": "k"}}
    }
    assert "CSE_KMS" in refused(athena.create_work_group, Name=name, Configuration=encrypted)[1]


def test_prepared_statements_are_kept_and_executed(engine: Served) -> None:
    athena = engine.client
    athena.create_prepared_statement(
        StatementName="by_n",
        WorkGroup="primary",
        QueryStatement="SELECT count(*) FROM facts WHERE n = ? AND year = ?",
    )
    assert engine.rows("EXECUTE by_n USING 3, 2013") == [("143",)]
    assert engine.rows("EXECUTE by_n", "3", "2013") == [("143",)]
    assert "expected 2 but found 1" in not_taken(engine, "EXECUTE by_n USING 3")
    athena.update_prepared_statement(
        StatementName="by_n", WorkGroup="primary", QueryStatement="SELECT ? AS v"
    )
    assert engine.rows("EXECUTE by_n USING 'it''s, (so)'") == [("it's, (so)",)]
    assert (
        athena.get_prepared_statement(StatementName="by_n", WorkGroup="primary")["PreparedStatement"][
            "QueryStatement"
        ]
        == "SELECT ? AS v"
    )
    athena.delete_prepared_statement(StatementName="by_n", WorkGroup="primary")
    assert (
        refused(athena.get_prepared_statement, StatementName="by_n", WorkGroup="primary")[0]
        == "ResourceNotFoundException"
    )
    engine.ok("PREPARE by_sql FROM SELECT name FROM people WHERE name = ?")
    assert engine.rows("EXECUTE by_sql USING 'क'") == [("क",)]
    names = athena.list_prepared_statements(WorkGroup="primary")["PreparedStatements"]
    assert [one["StatementName"] for one in names] == ["by_sql"]
    engine.ok("DEALLOCATE PREPARE by_sql")
    assert (
        refused(
            athena.create_prepared_statement, StatementName="xx", WorkGroup="primary", QueryStatement="SELEC"
        )[0]
        == "InvalidRequestException"
    )


def test_named_queries_are_kept(engine: Served) -> None:
    athena = engine.client
    request = {
        "Name": "worst",
        "Database": "crime",
        "QueryString": "SELECT 1",
        "ClientRequestToken": uuid.uuid4().hex,
    }
    made = athena.create_named_query(**request)["NamedQueryId"]
    assert athena.create_named_query(**request)["NamedQueryId"] == made
    athena.update_named_query(NamedQueryId=made, Name="worse", QueryString="SELECT 2")
    found = athena.get_named_query(NamedQueryId=made)["NamedQuery"]
    assert (found["Name"], found["QueryString"], found["WorkGroup"]) == ("worse", "SELECT 2", "primary")
    missing = str(uuid.uuid4())
    several = athena.batch_get_named_query(NamedQueryIds=[made, missing])
    assert [one["Name"] for one in several["NamedQueries"]] == ["worse"]
    assert [one["NamedQueryId"] for one in several["UnprocessedNamedQueryIds"]] == [missing]
    assert made in athena.list_named_queries()["NamedQueryIds"]
    athena.delete_named_query(NamedQueryId=made)
    assert refused(athena.get_named_query, NamedQueryId=made)[0] == "InvalidRequestException"


def test_a_token_makes_one_query_of_two_calls(engine: Served) -> None:
    token = uuid.uuid4().hex
    first, again = (engine.start("SELECT 1", ClientRequestToken=token) for _ in range(2))
    assert first == again
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        engine.start("SELECT 2", ClientRequestToken=token)
    engine.ended(first)


def test_several_executions_are_told_at_once(engine: Served) -> None:
    query, missing = engine.start("SELECT 1"), str(uuid.uuid4())
    said = engine.client.batch_get_query_execution(QueryExecutionIds=[query, missing])
    assert [one["QueryExecutionId"] for one in said["QueryExecutions"]] == [query]
    assert [one["QueryExecutionId"] for one in said["UnprocessedQueryExecutionIds"]] == [missing]
    assert "was not found" in refused(engine.client.get_query_execution, QueryExecutionId=missing)[1]
    engine.ended(query)


@pytest.mark.parametrize(
    "evil", ["it's", "x'; DROP TABLE people; --", 'a "b", c\nd', "\\", "?", "केरल", "' OR '1'='1"]
)
def test_values_are_bound_and_never_sql(engine: Served, evil: str) -> None:
    literal = "'" + evil.replace("'", "''") + "'"
    assert engine.rows("SELECT ? AS v FROM people WHERE name = 'C' AND ? <> 'C'", literal, literal) == [
        (evil,)
    ]
    assert engine.rows("SELECT count(*) FROM people WHERE name = ?", literal) == [("0",)]


@pytest.mark.parametrize("value", ["1 OR 1=1", "name", "1; SELECT 2", "(SELECT 1)", "now()", "1 FROM people"])
def test_a_value_that_is_no_literal_is_not_taken(engine: Served, value: str) -> None:
    assert "is not a literal" in engine.error("SELECT count(*) FROM people WHERE cases = ?", value)


def test_a_result_without_a_bucket_fails(engine: Served) -> None:
    said = engine.error("SELECT 1", ResultConfiguration={"OutputLocation": "s3://nowhere/x/"})
    assert said == "Unable to verify/create output bucket nowhere"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT\n  nope FROM people", "COLUMN_NOT_FOUND: line 2:3: Column 'nope' cannot be resolved"),
        ("SELECT p.nope FROM people p", "COLUMN_NOT_FOUND: line 1:8: Column 'p.nope' cannot be resolved"),
        ("SELECT 1 FROM\n nowhere", "TABLE_NOT_FOUND: line 2:2: Table 'awsdatacatalog.crime.nowhere' does not exist"),
        ("SELECT 1 FROM other.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'other' does not exist"),
        ("SELECT 1 FROM c.crime.people", "CATALOG_NOT_FOUND: line 1:15: Catalog 'c' does not exist"),
        ("SELECT foo(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'foo' not registered"),
        ("SELECT dateadd(day, 1, now())", "FUNCTION_NOT_FOUND: line 1:8: Function 'dateadd' not registered"),
        ("SELECT * FROM read_csv('/etc/passwd')", "FUNCTION_NOT_FOUND: line 1:15: Table function 'read_csv"),
        ("SELECT to_base64(1)", "NOT_SUPPORTED: line 1:8: function to_base64 is not supported here"),
        ("SELECT name FROM people WHERE name = 1", "TYPE_MISMATCH: line 1:31: Cannot apply operator: varchar = integer"),
        ("SELECT n AS m FROM facts GROUP BY m", "COLUMN_NOT_FOUND: line 1:35: Column 'm' cannot be resolved"),
        ("SELECT id FROM facts a, facts b", "AMBIGUOUS_NAME: line 1:8: Column 'id' is ambiguous"),
        ("SELECT CAST(name AS integer) FROM people", "INVALID_CAST_ARGUMENT: Cannot cast 'A \"q\", b' to INT"),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_athenas_words_with_line_and_column(
    engine: Served, sql: str, reason: str
) -> None:
    assert engine.error(sql).startswith(reason)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "line 1:7: mismatched input '1'"),
        ("SELECT\n 1 FORM people", "line 2:9: mismatched input 'people'"),
        ("SELECT `name` FROM people", "line 1:8: backquoted identifiers are not supported"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        ("DELETE FROM people", "DELETE"),
        ("-- nothing", "mismatched input '<EOF>'"),
        ('CREATE EXTERNAL TABLE "x" (a int) LOCATION \'s3://data/x/\'', "line 1:23: mismatched input 'x'"),
        ("CREATE EXTERNAL TABLE x (a int)", "LOCATION is missing"),
        ("CREATE EXTERNAL TABLE x (a int) LOCATION '/tmp/x'", "has to begin with s3://"),
        ("CREATE EXTERNAL TABLE x (a nonsense) LOCATION 's3://data/x/'", "line 1:28: mismatched input 'nonsense'"),
        ("CREATE EXTERNAL TABLE x (a int) STORED AS ORC LOCATION 's3://data/x/'", "STORED AS ORC is not supported here"),
        ("CREATE TABLE x (a int)", "Iceberg"),
        ("ALTER TABLE people ADD COLUMNS (x int)", "ALTER TABLE … ADD COLUMNS is not supported here"),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE is not supported here"),
    ],
)  # fmt: skip
def test_sql_that_is_none_is_not_taken(engine: Served, sql: str, said: str) -> None:
    assert said in not_taken(engine, sql)


def test_a_query_of_too_many_bytes_is_not_taken(engine: Served) -> None:
    assert engine.rows(f"SELECT '{'x' * 262_000}' AS v")[0][0] == "x" * 262_000
    with pytest.raises(ClientError):
        engine.start(f"SELECT '{'क' * 90_000}' AS v")
