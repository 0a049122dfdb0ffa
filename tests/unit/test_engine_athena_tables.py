"""The engine's Athena: tables, their files and partitions, and what a query writes; Glue beside it."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator

import duckdb
import pytest
from botocore.exceptions import ClientError

from tests.unit.athena_engine import Served, serve


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("athena")) as served:
        served.ok("CREATE DATABASE crime")
        yield served


@pytest.fixture
def name() -> str:
    return f"t_{uuid.uuid4().hex[:8]}"


CSV_SERDE = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"


def test_csv_is_read_by_its_serde(engine: Served, name: str) -> None:
    place = f"s3://data/{name}/"
    engine.s3.put(f"{place}a.csv", 'head,er\n"x, ""y""",1\nplain,\n')
    engine.s3.put(f"{place}b.csv.gz", gzip.compress('head,er\n"क",3\n'.encode()))
    engine.s3.put(f"{place}_report.json", "{}")
    engine.s3.put(f"{place}.hidden", "z,9")
    engine.s3.put(f"{place}_temporary/part", "z,9")
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (`a` string COMMENT 'it\\'s', n int) {CSV_SERDE} "
        f"WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '\"', 'escapeChar' = '\\\\') LOCATION '{place}' "
        "TBLPROPERTIES ('skip.header.line.count' = '1')"
    )
    assert engine.rows(f"SELECT a, n FROM {name} ORDER BY a") == [
        ("plain", None),
        ('x, "y"', "1"),
        ("क", "3"),
    ]


def test_delimited_text_gives_null_for_what_is_none(engine: Served, name: str) -> None:
    place = f"s3://data/{name}/"
    engine.s3.put(f"{place}x", 'a\t1\t2014-01-02\n\\N\tno number\t\n\tx\n"q\t2\t2014-01-02\tmore\n')
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (a string, n int, d date) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' "
        f"STORED AS TEXTFILE LOCATION '{place}'"
    )
    assert sorted(engine.rows(f"SELECT * FROM {name}"), key=str) == sorted(
        [("a", "1", "2014-01-02"), (None, None, None), ("", None, None), ('"q', "2", "2014-01-02")], key=str
    )


@pytest.mark.parametrize(
    "serde", ["org.openx.data.jsonserde.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe"]
)
def test_json_lines_are_read_gzipped_too(engine: Served, name: str, serde: str) -> None:
    place = f"s3://data/{name}/"
    rows = [{"k": "a'b", "n": 1, "tags": ["x", "y"], "at": {"lat": 1.5}}, {"k": None, "extra": 1}]
    engine.s3.put(
        f"{place}x.json.gz", gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    )
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (k string, n bigint, tags array<string>, at struct<lat:double>) "
        f"ROW FORMAT SERDE '{serde}' LOCATION '{place}'"
    )
    assert engine.rows(f"SELECT k, n, tags, at.lat, cardinality(tags) FROM {name} ORDER BY n") == [
        ("a'b", "1", "[x, y]", "1.5", "2"), (None, None, None, None, None),
    ]  # fmt: skip


def test_parquet_files_may_lack_columns(engine: Served, name: str) -> None:
    engine.parquet(f"s3://data/{name}/old", "SELECT 1 AS a")
    engine.parquet(f"s3://data/{name}/new", "SELECT 2 AS a, 'x' AS b")
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (a int, b string, c date) STORED AS PARQUET LOCATION 's3://data/{name}'"
    )
    assert engine.rows(f"SELECT * FROM {name} ORDER BY a") == [("1", None, None), ("2", "x", None)]


@pytest.fixture
def parted(engine: Served, name: str) -> str:
    for year in (2012, 2013):
        engine.parquet(f"s3://data/{name}/year={year}/x", f"SELECT {year}.5 AS v")
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (v double) PARTITIONED BY (year int) STORED AS PARQUET LOCATION 's3://data/{name}/'"
    )
    return name


def test_partitions_are_there_once_they_are_told(engine: Served, parted: str) -> None:
    assert engine.rows(f"SELECT * FROM {parted}") == []
    engine.ok(f"MSCK REPAIR TABLE {parted}")
    assert engine.rows(f"SHOW PARTITIONS {parted}") == [("year=2012",), ("year=2013",)]
    engine.ok(f"ALTER TABLE {parted} DROP PARTITION (year = 2012)")
    assert engine.rows(f"SELECT v, year FROM {parted}") == [("2013.5", "2013")]
    assert "Partition not found" in engine.error(f"ALTER TABLE {parted} DROP PARTITION (year = '2012')")
    engine.ok(f"ALTER TABLE {parted} DROP IF EXISTS PARTITION (year = 2012)")
    engine.ok(
        f"ALTER TABLE {parted} ADD IF NOT EXISTS PARTITION (year = 1999) LOCATION 's3://data/{parted}/year=2012/'"
    )
    assert engine.rows(f"SELECT v FROM {parted} WHERE year BETWEEN 1990 AND 2000") == [("2012.5",)]
    assert "AlreadyExists" in engine.error(f"ALTER TABLE {parted} ADD PARTITION (year = 1999)")


def test_a_partition_whose_objects_are_gone_is_empty(engine: Served, parted: str) -> None:
    engine.ok(f"MSCK REPAIR TABLE {parted}")
    engine.s3.remove([one.uri for one in engine.s3.list(f"s3://data/{parted}/year=2012/")])
    assert engine.rows(f"SELECT year, count(*) FROM {parted} GROUP BY year") == [("2013", "1")]
    assert engine.rows(f"SELECT count(*) FROM {parted} WHERE year = 2012") == [("0",)]


def test_projected_partitions_need_no_repair(engine: Served, name: str) -> None:
    for day in ("2026-11-01", "2026-11-02", "2026-11-30"):
        for code, number in (("IN-TN", 7), ("IN-KL", 8)):
            engine.s3.put(
                f"s3://data/{name}/{code}/{day}/{number:02}/x.json", json.dumps({"n": number}) + "\n"
            )
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (n int) PARTITIONED BY (state string, day string, shard int) "
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' "
        f"LOCATION 's3://data/{name}/' TBLPROPERTIES ('projection.enabled' = 'true', "
        "'projection.state.type' = 'enum', 'projection.state.values' = 'IN-TN,IN-KL', "
        "'projection.day.type' = 'date', 'projection.day.range' = '2026-11-01,2026-11-20', "
        "'projection.day.format' = 'yyyy-MM-dd', "
        "'projection.shard.type' = 'integer', 'projection.shard.range' = '0,9', 'projection.shard.digits' = '2', "
        f"'storage.location.template' = 's3://data/{name}/${{state}}/${{day}}/${{shard}}')"
    )
    assert engine.rows(f"SELECT count(*) FROM {name}") == [("4",)]  # the day out of range is not there
    rows = engine.rows(
        f"SELECT state, day, shard, n FROM {name} WHERE state = 'IN-KL' AND day > '2026-11-01'"
    )
    assert rows == [("IN-KL", "2026-11-02", "8", "8")]
    one = engine.ok(f"SELECT sum(n) FROM {name} WHERE day = '2026-11-02'")["Statistics"]["DataScannedInBytes"]
    assert one == 2 * len('{"n": 7}\n')


def test_an_injected_column_must_be_asked_for(engine: Served, name: str) -> None:
    engine.s3.put(f"s3://data/{name}/station=PS1/x.json", '{"n": 1}\n')
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (n int) PARTITIONED BY (station string) "
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' "
        f"LOCATION 's3://data/{name}/' TBLPROPERTIES ('projection.enabled'='true', 'projection.station.type'='injected')"
    )
    assert engine.rows(f"SELECT n FROM {name} WHERE station = 'PS1'") == [("1",)]
    assert engine.rows(f"SELECT n FROM {name} WHERE station IN ('PS1', 'PS2')") == [("1",)]
    assert engine.error(f"SELECT n FROM {name}").startswith(
        "CONSTRAINT_VIOLATION: For the injected projected partition column station"
    )


def test_a_view_is_its_query(engine: Served, parted: str) -> None:
    engine.ok(f"MSCK REPAIR TABLE {parted}")
    view = f"{parted}_v"
    engine.ok(f"CREATE VIEW {view} AS SELECT year AS jahr, v * 2 AS twice FROM {parted}")
    assert engine.rows(f"SELECT w.twice FROM {view} w WHERE w.jahr = 2013") == [("4027.0",)]
    assert engine.error(f"CREATE VIEW {view} AS SELECT 1 AS a").startswith("VIEW_ALREADY_EXISTS")
    engine.ok(f"CREATE OR REPLACE VIEW {view} AS SELECT max(year) AS last FROM {parted}")
    assert engine.rows(f"SELECT * FROM {view}") == [("2013",)]
    assert "use DROP VIEW" in engine.error(f"DROP TABLE {view}")
    engine.ok(f"DROP VIEW {view}")
    assert engine.error(f"SELECT * FROM {view}").startswith("TABLE_NOT_FOUND: line 1:15")


@pytest.mark.parametrize(
    "options",
    [
        "format='PARQUET', write_compression='SNAPPY'",
        "format='JSON'",
        "format='TEXTFILE', field_delimiter='|'",
    ],
)
def test_what_ctas_wrote_is_read_back(engine: Served, name: str, options: str) -> None:
    said = engine.ok(
        f"CREATE TABLE {name} WITH ({options}, external_location='s3://data/{name}/', partitioned_by=ARRAY['year']) AS "
        "SELECT * FROM (VALUES (1, 'a ''b'' \"c\"', TIMESTAMP '2014-01-01 00:00:00', 2013), (2, NULL, NULL, 2014)) AS v(n, s, t, year)"
    )
    assert engine.rows(f"SELECT n, s, t, year FROM {name} ORDER BY n") == [
        ("1", "a 'b' \"c\"", "2014-01-01 00:00:00.000", "2013"), ("2", None, None, "2014"),
    ]  # fmt: skip
    manifest = said["Statistics"]["DataManifestLocation"]
    assert manifest == f"s3://results/x/{said['QueryExecutionId']}-manifest.csv"
    assert engine.s3.text(manifest).splitlines() == [one.uri for one in engine.s3.list(f"s3://data/{name}/")]
    assert engine.rows(f"SHOW PARTITIONS {name}") == [("year=2013",), ("year=2014",)]
    assert engine.error(f"CREATE TABLE {name} AS SELECT 1 AS a").startswith("TABLE_ALREADY_EXISTS")
    engine.ok(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT 1 AS a")
    engine.ok(f"INSERT INTO {name} VALUES (3, 'new', NULL, 2015)")
    assert engine.rows(f"SELECT n, s FROM {name} WHERE year = 2015") == [("3", "new")]
    page = engine.client.get_query_results(QueryExecutionId=said["QueryExecutionId"])
    assert page["UpdateCount"] == 2


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE TABLE {0} WITH (format='ORC') AS SELECT 1 AS a", "format ORC is not supported here"),
        ("CREATE TABLE {0} WITH (bucket_count=3) AS SELECT 1 AS a", "bucket_count is not supported here"),
        ("CREATE TABLE {0} AS SELECT 1", "MISSING_COLUMN_NAME"),
        ("CREATE TABLE {0} WITH (partitioned_by=ARRAY['a']) AS SELECT 1 AS a, 2 AS b", "HIVE_COLUMN_ORDER_MISMATCH"),
        ("CREATE TABLE {0} AS SELECT 1 AS a, 2 AS a", "DUPLICATE_COLUMN_NAME"),
        ("UNLOAD (SELECT 1 AS a) TO 's3://data/full/' WITH (format='PARQUET')", "HIVE_PATH_ALREADY_EXISTS"),
        ("UNLOAD (SELECT 1 AS a) TO 's3://data/empty-{0}/' WITH (compression='gzip')", "needs the property format"),
        ("MSCK REPAIR TABLE {0}", "Table not found crime.{0}"),
        ("DROP TABLE {0}", "Table not found {0}"),
        ("CREATE DATABASE crime", "AlreadyExistsException"),
        ("DROP DATABASE crime", "is not empty"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_fails_by_name(engine: Served, name: str, sql: str, reason: str) -> None:
    engine.s3.put("s3://data/full/x", "x")
    engine.ok(f"CREATE EXTERNAL TABLE IF NOT EXISTS stays (a int) {CSV_SERDE} LOCATION 's3://data/none/'")
    assert reason.format(name) in engine.error(sql.format(name))


def test_unloaded_objects_are_files_of_their_format(engine: Served, name: str) -> None:
    engine.ok(
        f"UNLOAD (SELECT 1 AS a, 'x' AS b) TO 's3://data/{name}/' WITH (format = 'PARQUET', compression = 'ZSTD')"
    )
    [found] = engine.s3.list(f"s3://data/{name}/")
    assert duckdb.execute("SELECT a, b FROM read_parquet(?)", [engine.s3.path(found.uri)]).fetchall() == [
        (1, "x")
    ]
    engine.ok(
        f"UNLOAD (SELECT 1 AS a, 'x' AS b) TO 's3://data/{name}-t/' WITH (format = 'TEXTFILE', field_delimiter = ',')"
    )
    [found] = engine.s3.list(f"s3://data/{name}-t/")
    with gzip.open(engine.s3.path(found.uri)) as file:
        assert file.read() == b"1,x\n"


def test_a_table_tells_what_made_it(engine: Served, name: str) -> None:
    engine.ok(
        f"CREATE EXTERNAL TABLE {name} (a string COMMENT 'first', m map<string,int>) COMMENT 'of a test' "
        f"PARTITIONED BY (year int) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LOCATION 's3://data/{name}/' "
        "TBLPROPERTIES ('classification' = 'csv')"
    )
    ddl = "\n".join(str(row[0]) for row in engine.rows(f"SHOW CREATE TABLE {name}"))
    engine.ok(f"DROP TABLE {name}")
    engine.ok(ddl.replace(f"`crime.{name}`", f"`{name}`"))
    assert "\n".join(str(row[0]) for row in engine.rows(f"SHOW CREATE TABLE {name}")) == ddl
    described = [str(row[0]).split() for row in engine.rows(f"DESCRIBE {name}")]
    assert described[:3] == [["a", "string", "first"], ["m", "map<string,int>"], ["year", "int"]]
    assert (name,) in engine.rows(f"SHOW TABLES LIKE '{name[:5]}*'")
    assert engine.rows("SHOW TABLES 'none*'") == []
    assert ("crime",) in engine.rows("SHOW DATABASES")
    told = engine.client.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName="crime", TableName=name
    )["TableMetadata"]
    assert [one["Name"] for one in told["PartitionKeys"]] == ["year"]
    with pytest.raises(ClientError) as raised:
        engine.client.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="crime", TableName="none")
    assert raised.value.response["Error"]["Code"] == "MetadataException"


def test_glue_and_athena_have_one_catalogue(engine: Served, name: str) -> None:
    glue = engine.glue
    engine.parquet(f"s3://data/{name}/p=a/x", "SELECT 1 AS n")
    parquet = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    storage = {
        "Columns": [{"Name": "N", "Type": "int"}],
        "Location": f"s3://data/{name}/",
        "SerdeInfo": {"SerializationLibrary": parquet},
    }
    given = {"Name": name, "StorageDescriptor": storage, "PartitionKeys": [{"Name": "p", "Type": "string"}]}
    glue.create_table(DatabaseName="crime", TableInput=given)
    partitions = [
        {"Values": [value], "StorageDescriptor": {"Location": f"s3://data/{name}/p={value}/"}}
        for value in "abc"
    ]
    assert (
        glue.batch_create_partition(DatabaseName="crime", TableName=name, PartitionInputList=partitions)[
            "Errors"
        ]
        == []
    )
    again = glue.batch_create_partition(
        DatabaseName="crime", TableName=name, PartitionInputList=partitions[:1]
    )
    assert again["Errors"][0]["ErrorDetail"]["ErrorCode"] == "AlreadyExistsException"
    assert engine.rows(f"SELECT n, p FROM {name}") == [("1", "a")]
    found = glue.get_partitions(DatabaseName="crime", TableName=name, Expression="p > 'a' AND p <> 'c'")[
        "Partitions"
    ]
    assert [one["Values"] for one in found] == [["b"]]
    with pytest.raises(ClientError, match="Unsupported expression"):
        glue.get_partitions(DatabaseName="crime", TableName=name, Expression="p = (SELECT 1)")
    assert [one["Name"] for one in glue.get_tables(DatabaseName="crime", Expression=name)["TableList"]] == [
        name
    ]
    glue.delete_table(DatabaseName="crime", Name=name)
    with pytest.raises(ClientError) as raised:
        glue.get_table(DatabaseName="crime", Name=name)
    assert raised.value.response["Error"]["Code"] == "EntityNotFoundException"
