"""``python -m crime_engines``: the server, as `make up` starts it."""

from __future__ import annotations

import argparse
import importlib.util
import logging
from pathlib import Path

import uvicorn

from crime_engines.athena import Athena
from crime_engines.control import Control
from crime_engines.dms import Dms
from crime_engines.dms.source import check_url
from crime_engines.emr import Emr
from crime_engines.glue import Glue
from crime_engines.glue.catalog import Catalog
from crime_engines.node import Node
from crime_engines.redshift import RedshiftData
from crime_engines.rekognition import Rekognition
from crime_engines.server import Engines, Service, application
from crime_engines.serverless import EmrServerless
from crime_jobs.spark import find_java_home


def main() -> None:
    """Serve until told to stop; then end all that runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--localstack", required=True, help="address of LocalStack")
    parser.add_argument("--state", type=Path, required=True, help="folder of clusters and applications")
    parser.add_argument("--class-path", required=True, help="jars with which Spark reads S3")
    parser.add_argument("--java-options", default="", help="with which a step's Java starts sooner")
    parser.add_argument("--aws", type=Path, help="the aws command, if there is one")
    parser.add_argument(
        "--oracle-url", type=check_url, help="JDBC URL of what stands for Oracle, if anything"
    )
    given = parser.parse_args()
    # No bodies, no arguments: they may name people.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    spark = importlib.util.find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise SystemExit("The package pyspark is missing: run `make .venv/dev.stamp`.")
    node = Node(
        given.state.absolute(),
        given.localstack,
        f"http://127.0.0.1:{given.port}",
        given.class_path,
        Path(spark.origin).parent,
        find_java_home(),
        given.aws,
        given.java_options,
    )
    given.state.mkdir(parents=True, exist_ok=True)
    control, catalog = Control(), Catalog()
    services: list[Service] = [
        Emr(node, control),
        EmrServerless(node, control),
        Dms(node, control, given.oracle_url),
        RedshiftData(node, control),
        Athena(node, control, catalog),
        Glue(node, control, catalog),
        Rekognition(node, control),
    ]
    engines = Engines(services, control)
    uvicorn.run(
        application(engines),
        host="127.0.0.1",
        port=given.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
