"""Runs the application on this machine: Flink in a process kept alive, which goes on from checkpoints."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from crime_jobs import output
from crime_jobs.errors import WrongUsage
from crime_jobs.model.streams import StreamSettings
from crime_jobs.model.streams import of as stream_of
from crime_jobs.settings import Settings
from crime_jobs.stream import daemon
from crime_jobs.stream.analytics import main, package
from crime_jobs.stream.status import state_folder
from crime_jobs.stream.supervisor import Supervisor, only_one

PYTHON_VARIABLE = "CRIME_JOBS_FLINK_PYTHON"

#: It waits more than it works: what starts quickly is better than what runs fast after a while.
JAVA_OPTIONS = "-Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"

#: What an idle job needs of memory is little; the defaults are for a cluster.
_FLINK = {
    "parallelism.default": "1",
    "taskmanager.memory.network.min": "32mb",
    "taskmanager.memory.network.max": "32mb",
    "taskmanager.memory.managed.size": "32mb",
    "execution.checkpointing.interval": "5 s",
    "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    # Flink starts no job again here: the supervisor does, with the whole process.
    "restart-strategy.type": "none",
}

_LOGGING = """rootLogger.level = WARN
rootLogger.appenderRef.file.ref = file
appender.file.name = file
appender.file.type = RollingFile
appender.file.fileName = ${sys:log.file}
appender.file.filePattern = ${sys:log.file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
"""


def find_python() -> Path:
    """Find the Python that has PyFlink.

    Returns
    -------
    Path

    Raises
    ------
    WrongUsage
        If it was not made yet.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    if named and Path(named).is_file():
        return Path(named)
    where = f"not at {named}" if named else f"nowhere: {PYTHON_VARIABLE} is not set"
    raise WrongUsage(
        f"Flink, which computes the analytics, is {where}.",
        hint="`make flink` makes it (300 MB to download). On AWS the service has it: docs/analytics.md.",
    )


def prepare(
    settings: Settings, stream: StreamSettings, folder: Path, flink: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Write all that a process of the application needs.

    Parameters
    ----------
    settings
        The settings.
    stream
        Names of the streams.
    folder
        Where to; checkpoints that are there stay.
    flink
        Further entries of Flink's configuration.

    Returns
    -------
    tuple
        Command and environment.
    """
    python, jars = find_python(), package.find_jars()
    application, log = folder / "application", folder / "log"
    package.lay_out(stream, application)
    log.mkdir(exist_ok=True)
    (folder / "log4j.properties").write_text(_LOGGING, encoding="utf-8")
    checkpoints = folder / "checkpoints"
    _forget_old(checkpoints)
    configuration = {
        "pipeline.jars": ";".join(jar.as_uri() for jar in jars),
        "execution.checkpointing.dir": checkpoints.as_uri(),
        "execution.checkpointing.storage": "filesystem",
        **_FLINK,
        **flink,
    }
    groups = package.property_groups(
        settings, stream, {"flink": configuration, main.KEPT: {"checkpoints": str(checkpoints)}}
    )
    properties = folder / "properties.json"
    package.write_properties(groups, properties)
    environ = {
        **os.environ,
        main.PROPERTIES_VARIABLE: str(properties),
        "JAVA_HOME": str(Path(daemon.java()).resolve().parents[1]),
        "JVM_ARGS": JAVA_OPTIONS,
        "FLINK_LOG_DIR": str(log),
        "LOG4J_PROPERTIES": str(folder / "log4j.properties"),
        # JSON on the wire: what stands in for Kinesis need not know CBOR.
        "AWS_CBOR_DISABLE": "1",
    }
    if settings.profile:
        environ["AWS_PROFILE"] = settings.profile
    return [str(python), str(application / package.MAIN)], environ


def _forget_old(checkpoints: Path) -> None:
    """Remove what earlier jobs kept, but for the newest: no later checkpoint needs any of it."""
    if newest := main.newest_checkpoint(checkpoints):
        for job in checkpoints.iterdir():
            if job != newest.parent:
                shutil.rmtree(job)


def run(settings: Settings, flink: Mapping[str, str], state_dir: Path | None = None) -> None:
    """Compute the analytics until asked to stop.

    Parameters
    ----------
    settings
        The settings.
    flink
        Further entries of Flink's configuration.
    state_dir
        Folder for checkpoints and logs; by default one of the user's.

    Raises
    ------
    WrongUsage
        If something is not installed, or another one has the folder.
    JobFailed
        If the process can't be kept alive.
    """
    stream = stream_of(settings.stream)
    folder = state_folder(f"{stream.name}-analytics", state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder):
        command, environ = prepare(settings, stream, folder, flink)
        output.note(f"Computing {stream.counts} from {stream.name}; Ctrl-C stops it. Log: {folder / 'log'}")

        def progressed(since: float) -> bool:
            newest = main.newest_checkpoint(folder / "checkpoints")
            return newest is not None and (newest / "_metadata").stat().st_mtime > since

        Supervisor(folder, command, environ, progressed).run()
