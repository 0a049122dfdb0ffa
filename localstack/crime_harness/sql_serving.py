"""The process of the SQL server: makes the tables, then serves them with Spark's own Thrift server.

One process for both, since an embedded Derby metastore serves one, and so Spark starts once.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Any

from crime_jobs import settings
from crime_jobs.errors import CrimeJobsError
from crime_jobs.hive_scripts import SETUP
from crime_jobs.hivesql import run_script

#: In the server's folder.
METASTORE, WAREHOUSE = "metastore", "warehouse"


def main() -> int:
    """Make the tables of ``hive/`` and serve them until the process is ended.

    Returns
    -------
    int
        An exit code, when the tables could not be made.
    """
    asked = argparse.ArgumentParser(description=__doc__)
    for name in ("folder", "spark-conf", "landing", "lake"):
        asked.add_argument(f"--{name}", required=True)
    given = asked.parse_args()
    options = {"landing": given.landing, "lake": given.lake, "spark_conf": given.spark_conf}
    folder = Path(given.folder)
    try:
        found = settings.load("local", options, environ={})
        run_script(SETUP, found, metastore=folder / METASTORE, warehouse=folder / WAREHOUSE)
    except CrimeJobsError as error:
        said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        sys.stderr.write(f"{said}\n")  # one line: the last of the log is what the harness shows
        return error.exit_code
    _serve()
    threading.Event().wait()
    return 0


def _serve() -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    jvm: Any = session._jvm
    thrift = jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
    thrift.startWithContext(session._jsparkSession.sqlContext())


if __name__ == "__main__":
    sys.exit(main())
