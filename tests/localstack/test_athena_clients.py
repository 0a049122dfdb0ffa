"""Athena's clients against the engine, unchanged: boto3, the AWS CLI, awswrangler, PyAthena; data in LocalStack's S3."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.localstack.conftest import ROOT, Stack

ROWS = pd.DataFrame(
    {
        "state": ["Tamil Nadu", 'Andaman "A & N", Islands', "केरल", None],
        "cases": [3, 1, 2, 10],
        "rate": [0.5, 1e10, None, 2.25],
        "seen": pd.to_datetime(
            ["2014-01-01 00:00:00", "2014-01-02 03:04:05.678", None, "2015-06-07 08:09:10"], format="ISO8601"
        ),
    }
)


@dataclass
class Room:
    """A database of its own over real objects, with a workgroup that says where results go."""

    stack: Stack
    database: str
    workgroup: str
    place: str
    results: str

    def run(self, sql: str, *values: str) -> dict[str, Any]:
        athena = self.stack.client("athena")
        given = {"ExecutionParameters": [*values]} if values else {}
        query = athena.start_query_execution(
            QueryString=sql,
            WorkGroup=self.workgroup,
            QueryExecutionContext={"Database": self.database},
            **given,
        )["QueryExecutionId"]
        while True:
            said: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            if said["Status"]["State"] not in ("QUEUED", "RUNNING"):
                assert said["Status"]["State"] == "SUCCEEDED", said["Status"]
                return said
            time.sleep(0.02)

    def rows(self, sql: str, *values: str) -> list[list[str | None]]:
        query = self.run(sql, *values)["QueryExecutionId"]
        rows = self.stack.client("athena").get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        return [[one.get("VarCharValue") for one in row["Data"]] for row in rows]


@pytest.fixture(scope="module")
def room(stack: Stack) -> Iterator[Room]:
    name = f"clients_{uuid.uuid4().hex[:8]}"
    place, results = stack.fresh(name), stack.fresh(f"{name}-results")
    s3, bucket = stack.client("s3"), place.removeprefix("s3://").partition("/")[0]
    for year, rows in ROWS.groupby(ROWS["cases"] > 2):
        held = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False).cast(_SCHEMA), held)
        key = f"{place.removeprefix(f's3://{bucket}/')}/year={2014 if year else 2013}/part.parquet"
        s3.put_object(Bucket=bucket, Key=key, Body=held.getvalue())
    athena = stack.client("athena")
    athena.create_work_group(
        Name=name, Configuration={"ResultConfiguration": {"OutputLocation": f"{results}/"}}
    )
    made = Room(stack, name, name, place, results)
    made.run(f"CREATE DATABASE {name}")
    made.run(
        "CREATE EXTERNAL TABLE facts (state string, cases bigint, rate double, seen timestamp) "
        f"PARTITIONED BY (year int) STORED AS PARQUET LOCATION '{place}/'"
    )
    made.run("MSCK REPAIR TABLE facts")
    yield made
    stack.client("glue").delete_database(Name=name)
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)


_SCHEMA = pa.schema(
    [("state", pa.string()), ("cases", pa.int64()), ("rate", pa.float64()), ("seen", pa.timestamp("us"))]
)


@pytest.fixture
def session(room: Room, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """What a user's program has after `. build/up.env`."""
    for name, value in room.stack.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return boto3.Session(region_name=room.stack.env["AWS_REGION"])


def test_rows_come_from_objects_in_s3_and_the_bytes_are_those_read(room: Room) -> None:
    said = room.run("SELECT state, cases FROM facts WHERE year = 2014 ORDER BY cases")
    text = (
        room.stack.client("s3")
        .get_object(
            Bucket="crime-lake",
            Key=said["ResultConfiguration"]["OutputLocation"].removeprefix("s3://crime-lake/"),
        )["Body"]
        .read()
        .decode()
    )
    assert text == '"state","cases"\n"Tamil Nadu","3"\n,"10"\n'
    key = f"{room.place.removeprefix('s3://crime-lake/')}/year=2014/part.parquet"
    held = room.stack.client("s3").get_object(Bucket="crime-lake", Key=key)["Body"].read()
    group = pq.ParquetFile(io.BytesIO(held)).metadata.row_group(0)
    sizes = {group.column(at).path_in_schema: group.column(at).total_compressed_size for at in range(4)}
    assert said["Statistics"]["DataScannedInBytes"] == sizes["state"] + sizes["cases"]


def test_csv_json_and_gz_are_read_where_they_are(room: Room) -> None:
    import gzip

    s3, base = room.stack.client("s3"), f"{room.place}-text".removeprefix("s3://crime-lake/")
    lines = gzip.compress(b'{"fir_key":"a\\u0027b","n":1}\n{"fir_key":"c","n":null}\n')
    s3.put_object(Bucket="crime-lake", Key=f"{base}/json/x.json.gz", Body=lines)
    s3.put_object(Bucket="crime-lake", Key=f"{base}/csv/x.csv", Body=b'state,n\n"a, ""b""",1\nc,2\n')
    room.run(
        "CREATE EXTERNAL TABLE j (fir_key string, n int) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' "
        f"LOCATION 's3://crime-lake/{base}/json/'"
    )
    room.run(
        "CREATE EXTERNAL TABLE c (state string, n int) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
        f"LOCATION 's3://crime-lake/{base}/csv/' TBLPROPERTIES ('skip.header.line.count'='1')"
    )
    assert room.rows("SELECT * FROM j ORDER BY 1")[1:] == [["a'b", "1"], ["c", None]]
    assert room.rows("SELECT * FROM c ORDER BY 2")[1:] == [['a, "b"', "1"], ["c", "2"]]


@pytest.mark.parametrize("way", ["ctas", "csv", "unload"])
def test_awswrangler_reads_the_rows_each_way(room: Room, session: boto3.Session, way: str) -> None:
    import awswrangler as wr

    found = wr.athena.read_sql_query(
        "SELECT state, cases, rate, seen, year FROM facts WHERE cases < :most ORDER BY cases",
        database=room.database,
        workgroup=room.workgroup,
        ctas_approach=way == "ctas",
        unload_approach=way == "unload",
        s3_output=f"{room.results}/{uuid.uuid4().hex}/" if way == "unload" else None,
        params={"most": 10},
        boto3_session=session,
    ).sort_values("cases")
    assert found["cases"].tolist() == [1, 2, 3]
    assert found["state"].tolist() == ['Andaman "A & N", Islands', "केरल", "Tamil Nadu"]
    assert found["rate"].isna().tolist() == [False, True, False]
    assert found["seen"].iloc[0] == pd.Timestamp("2014-01-02 03:04:05.678")
    assert found["year"].tolist() == [2013, 2013, 2014]


def test_awswrangler_makes_tables_that_athena_reads(room: Room, session: boto3.Session) -> None:
    import awswrangler as wr

    frame = pd.DataFrame({"n": [1, 2, 3], "kind": ["a", "b", "b"]})
    wr.s3.to_parquet(
        frame, path=f"{room.place}-wr/", dataset=True, database=room.database, table="wr",
        partition_cols=["kind"], boto3_session=session,
    )  # fmt: skip
    assert room.rows("SELECT kind, sum(n) FROM wr GROUP BY kind ORDER BY kind")[1:] == [
        ["a", "1"],
        ["b", "5"],
    ]
    assert sorted(wr.catalog.get_table_types(room.database, "wr", boto3_session=session) or {}) == [
        "kind",
        "n",
    ]
    assert len(wr.catalog.get_partitions(room.database, "wr", boto3_session=session)) == 2


def test_pyathena_has_its_cursors(room: Room, session: boto3.Session) -> None:
    from pyathena import connect
    from pyathena.cursor import DictCursor
    from pyathena.pandas.cursor import PandasCursor

    def cursor(kind: Any = None) -> Any:
        more = {"cursor_class": kind} if kind else {}
        made = connect(
            work_group=room.workgroup,
            schema_name=room.database,
            region_name="us-east-1",
            poll_interval=0.05,
            **more,
        )
        return made.cursor()

    plain = cursor()
    plain.execute("SELECT cases, rate, seen FROM facts WHERE state = %(s)s", {"s": "Tamil Nadu"})
    [(cases, rate, seen)] = plain.fetchall()
    assert (cases, rate, str(seen)) == (3, 0.5, "2014-01-01 00:00:00")
    assert [(one[0], one[1]) for one in plain.description] == [
        ("cases", "bigint"), ("rate", "double"), ("seen", "timestamp"),
    ]  # fmt: skip
    evil = "x' OR '1'='1"
    plain.execute(
        "SELECT ? AS v FROM facts WHERE state = ?",
        [f"'{evil.replace(chr(39), chr(39) * 2)}'", "'केरल'"],
        paramstyle="qmark",
    )
    assert plain.fetchall() == [(evil,)]
    by_name = cursor(DictCursor)
    by_name.execute("SELECT year, count(*) AS n FROM facts GROUP BY year ORDER BY year")
    assert by_name.fetchall() == [{"year": 2013, "n": 2}, {"year": 2014, "n": 2}]
    frame = cursor(PandasCursor).execute("SELECT cases, state FROM facts ORDER BY cases").as_pandas()
    assert frame["cases"].tolist() == [1, 2, 3, 10]
    with pytest.raises(Exception, match="TABLE_NOT_FOUND: line 1:15"):
        plain.execute("SELECT * FROM nowhere")


def test_the_aws_cli_asks_and_is_answered(room: Room) -> None:
    def aws(*words: str) -> Any:
        done = subprocess.run(
            [str(ROOT / ".venvs/localstack/bin/aws"), *words, "--output", "json"],
            capture_output=True, text=True, check=True, env={**os.environ, **room.stack.env},
        )  # fmt: skip
        return json.loads(done.stdout) if done.stdout.strip() else {}

    query = aws(
        "athena", "start-query-execution", "--work-group", room.workgroup, "--query-execution-context",
        f"Database={room.database}", "--query-string", "SELECT max(cases) AS most FROM facts WHERE year = ?",
        "--execution-parameters", "2013",
    )["QueryExecutionId"]  # fmt: skip
    while aws("athena", "get-query-execution", "--query-execution-id", query)["QueryExecution"]["Status"][
        "State"
    ] in ("QUEUED", "RUNNING"):
        time.sleep(0.1)
    rows = aws("athena", "get-query-results", "--query-execution-id", query)["ResultSet"]["Rows"]
    assert [row["Data"][0]["VarCharValue"] for row in rows] == ["most", "2"]


def test_a_million_rows_go_through_s3_in_parts(room: Room, tmp_path: Path) -> None:
    """The result is larger than one part of an upload, and its last page is read from the middle of the object."""
    said = room.run("SELECT i, 'a text of some length' AS t FROM UNNEST(sequence(1, 1000000)) AS u(i)")
    athena, query = room.stack.client("athena"), said["QueryExecutionId"]
    size = room.stack.client("s3").head_object(
        Bucket="crime-lake",
        Key=said["ResultConfiguration"]["OutputLocation"].removeprefix("s3://crime-lake/"),
    )["ContentLength"]
    assert size > 30_000_000
    page = athena.get_query_results(QueryExecutionId=query, NextToken="999990")["ResultSet"]["Rows"]
    assert [row["Data"][0]["VarCharValue"] for row in page][-1] == "1000000"
    assert len(page) == 11
