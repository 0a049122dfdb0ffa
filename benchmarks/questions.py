"""The named questions through the engine that stands for Athena, beside plain DuckDB and Spark SQL.

``python -m benchmarks.questions`` needs `make up` with a lake (`make demo` before it). The same files, the
same rows (they are counted), one run: DuckDB reads the same objects of S3 by httpfs in this process, with a
connection that is kept; Spark, started and warm, reads the folder on disk that they were copied from. The
engine's time is from the call to the end that ``GetQueryExecution`` tells, so its overhead is what it adds to
DuckDB: parsing, catalogue, listing, the result file, and the way there and back.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import sqlglot
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from crime_harness.places import ROOT, Places
from crime_jobs import spark as spark_module
from crime_jobs.adhoc import dialect
from crime_jobs.adhoc.asking import SqlSettings
from crime_jobs.adhoc.athena import Athena, literal
from crime_jobs.adhoc.questions import Question, questions
from crime_jobs.model.tables import TABLES
from crime_jobs.settings import Settings, load, read_env_file

_TYPES = {"string": "varchar", "int": "integer", "bigint": "bigint", "double": "double"}


def timed(work: Callable[[], object], runs: int) -> float:
    """Return the median seconds of some runs, after one that does not count."""
    taken = []
    for _ in range(runs + 1):
        begin = time.monotonic()
        work()
        taken.append(time.monotonic() - begin)
    return statistics.median(taken[1:])


def plain(env: dict[str, str], lake: str) -> duckdb.DuckDBPyConnection:
    """DuckDB over the lake's objects, a view a table."""
    folder = importlib.util.find_spec("duckdb_extension_httpfs")
    assert folder is not None
    assert folder.submodule_search_locations is not None
    (extension,) = Path(folder.submodule_search_locations[0]).rglob("httpfs.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    endpoint = env["AWS_ENDPOINT_URL"].removeprefix("http://")
    connection.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', "
        f"ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL false)"
    )
    for table in TABLES.values():
        inside = "/*" * len(table.partition_by)
        connection.execute(
            f"CREATE VIEW {table.name} AS SELECT {', '.join(table.names)} "
            f"FROM read_parquet('{lake}/{table.name}{inside}/*.parquet', hive_partitioning = true)"
        )
    return connection


def in_duckdb(question: Question) -> str:
    """Write the question with its defaults in DuckDB's SQL."""
    schema = {t.name: {c.name: _TYPES[c.type] for c in t.columns} for t in TABLES.values()}
    values = [literal(value) for value in question.bind({})]
    return dialect.translate(dialect.bind(dialect.parse(question.sql), values), schema)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--lake", type=Path, default=ROOT / "build" / "lake", help="what the stack's was copied from"
    )
    given = parser.parse_args()
    state = os.environ.get("CRIME_HARNESS_STATE")
    env = read_env_file(Places.of(Path(state) if state else None).env_file)
    # Spark first: it is to read the folder, not the stack.
    session = spark_module.start(load("local", {"lake": str(given.lake)}), "bench")
    for table in TABLES.values():
        session.read.parquet(str(given.lake / table.name)).createOrReplaceTempView(table.name)
    os.environ.update(env)
    athena = Athena(
        Settings.model_validate(
            {"env": "bench", "region": "us-east-1", "landing": "", "lake": "", "spark_conf": None}
            | {"sources": {}, "environ": {}}
        ),
        SqlSettings(workgroup="crime"),
    )
    connection = plain(env, env["CRIME_JOBS_LAKE"])
    shown = Table(box=MARKDOWN)
    for name in (
        "question",
        "rows",
        "engine, ms",
        "DuckDB, ms",
        "overhead, ms",
        "Spark SQL, ms",
        "Spark / engine",
    ):
        shown.add_column(name, justify="left" if name == "question" else "right")
    added = []
    for question in questions().values():
        if question.name.startswith("firs_"):
            continue  # the stream's, not the lake's
        sql, values, by_duckdb = question.sql, question.bind({}), in_duckdb(question)
        (by_spark,) = sqlglot.transpile(question.text({}), read="athena", write="spark")
        rows = connection.execute(by_duckdb).fetchall()
        assert athena.ask(sql, values).table().num_rows == len(rows) == len(session.sql(by_spark).collect())
        engine = timed(lambda s=sql, v=values: athena.run(s, v), given.runs)  # type: ignore[misc]
        duck = timed(lambda s=by_duckdb: connection.execute(s).fetchall(), given.runs)  # type: ignore[misc]
        sparks = timed(lambda s=by_spark: session.sql(s).collect(), given.runs)  # type: ignore[misc]
        added.append(engine - duck)
        figures = (engine * 1000, duck * 1000, added[-1] * 1000, sparks * 1000)
        shown.add_row(
            question.name, f"{len(rows):,}", *(f"{f:.0f}" for f in figures), f"{sparks / engine:.1f}"
        )
    Console(width=120).print(shown)
    middle, most = statistics.median(added) * 1000, max(added) * 1000
    print(f"Overhead of the engine: median {middle:.0f} ms, most {most:.0f} ms.")
    print(f"Load average: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
