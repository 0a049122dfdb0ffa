"""Has Spark load the classes that jobs and steps load, and Java keep them: see `class_sharing`.

Run as a program, with the archive to make.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as f


def main(archive: str) -> None:
    """Do a little of all that jobs do.

    Parameters
    ----------
    archive
        The file that Java writes at its end.
    """
    with tempfile.TemporaryDirectory() as folder:
        session = _session(Path(folder), archive)
        _tables(session, Path(folder))
        gateway: Any = session.sparkContext._gateway
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()  # Java ends by that, and writes the archive
        gateway.proc.wait(300)


def _session(folder: Path, archive: str) -> SparkSession:
    java = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
    conf: dict[str, bool | float | int | str | None] = {
        "spark.master": "local[2]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": (
            f"{java} -XX:ArchiveClassesAtExit={archive} -Dderby.stream.error.file={folder}/derby.log"
        ),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/db;create=true",
    }
    return SparkSession.builder.config(map=conf).getOrCreate()


def _tables(session: SparkSession, folder: Path) -> None:
    file, table = folder / "a.csv", folder / "table"
    file.write_text("a,b,c\nx,1,2\ny,2,3\n", encoding="utf-8")

    def same(batches: Iterable[Any]) -> Iterable[Any]:
        yield from batches

    read = session.read.option("header", True).csv(str(file)).withColumn("b", f.col("b").cast("int"))
    ranked = read.withColumn("r", f.row_number().over(Window.partitionBy("a").orderBy("b")))
    rows = ranked.join(session.range(3).withColumnRenamed("id", "b"), "b", "left")
    rows = rows.mapInArrow(same, rows.schema)
    rows.groupBy("a").agg(f.sum("b"), f.countDistinct("c")).collect()
    rows.write.partitionBy("a").parquet(str(table))
    session.read.parquet(str(table)).orderBy("b").exceptAll(rows.select("b", "c", "r", "a")).count()
    session.sql("CREATE DATABASE x")
    session.sql(
        f"CREATE EXTERNAL TABLE x.t (b INT) PARTITIONED BY (a STRING) STORED AS PARQUET LOCATION '{table}'"
    )
    session.sql("MSCK REPAIR TABLE x.t")
    session.sql("SELECT a, count(*) FROM x.t GROUP BY a").collect()


if __name__ == "__main__":
    main(sys.argv[1])
