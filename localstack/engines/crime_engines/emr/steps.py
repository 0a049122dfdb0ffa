"""A step from its start to its end: its files, its process, its logs, and why it failed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from crime_engines.emr.command_runner import COMMANDS, Context, default_attempts
from crime_engines.emr.model import Cluster, Step
from crime_engines.node import Node
from crime_engines.work import Work
from crime_engines.yarn import Application, Place

#: A step's log files, each pushed as ``<name>.gz``.
FILES = ("controller", "stderr", "stdout", "syslog")


@dataclass(frozen=True)
class Files:
    """The files of a step on the node.

    Parameters
    ----------
    folder
        The folder of them all.
    """

    folder: Path

    def log(self, name: str) -> Path:
        """Return one of its log files.

        Parameters
        ----------
        name
            One of `FILES`.
        """
        return self.folder / "logs" / name

    @property
    def containers(self) -> Path:
        """Folder of the logs of its containers."""
        return self.folder / "containers"

    def say(self, text: str) -> None:
        """Write a line into the controller log, as EMR's step runner does.

        Parameters
        ----------
        text
            The line, without the time.
        """
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        with self.log("controller").open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {text}\n")


def execute(node: Node, cluster: Cluster, step: Step, work: Work) -> int:
    """Run a step's command to its end.

    Parameters
    ----------
    node
        The machine.
    cluster, step
        What runs.
    work
        Its processes.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    Stopped
        If it was cancelled, or its cluster ends.
    """
    files = Files(cluster.home / "steps" / step.id)
    (files.folder / "logs").mkdir(parents=True)
    working = files.folder / "work"
    working.mkdir()
    for name in FILES:
        files.log(name).touch()
    arguments = step.config["HadoopJarStep"].get("Args", [])
    line = f"hadoop jar /var/lib/aws/emr/step-runner/hadoop-jars/command-runner.jar {shlex.join(arguments)}"
    files.say(f"INFO Ensure step {step.number} jar file command-runner.jar")
    files.say(f"INFO startExec '{line}'")
    files.say(f"INFO Working dir {working}")
    began = datetime.now(UTC)
    code = _run(node, cluster, step, work, files, working)
    took = round((datetime.now(UTC) - began).total_seconds())
    files.say(f"INFO waitProcessCompleted ended with exit code {code} : {line}")
    if code:
        files.say(f"WARN Step failed with exitCode {code} and took {took} seconds")
    else:
        files.say(f"INFO Step succeeded with exitCode 0 and took {took} seconds")
    return code


def _run(node: Node, cluster: Cluster, step: Step, work: Work, files: Files, working: Path) -> int:
    program = step.config["HadoopJarStep"]["Args"][0]
    stderr = files.log("stderr")
    needed = COMMANDS[program]
    if needed and needed not in applications(cluster):
        _append(
            stderr,
            'Exception in thread "main" java.lang.RuntimeException: java.io.IOException: Cannot run program '
            f'"{program}" (in directory "."): error=2, No such file or directory\n',
        )
        return 1
    tmp = cluster.home / "tmp"
    env = node.environ(cluster.region, tmp) | {
        "SPARK_CONF_DIR": str(cluster.home / "conf"),
        **cluster.classified.env,
    }

    def new_application() -> Application:
        with cluster.changed:
            cluster.applications += 1
            application = Application(cluster.applications, cluster.epoch)
            step.application = application.id
        return application

    def exclusively(call: Callable[[], int]) -> int:
        work.take(cluster.metastore)
        try:
            return call()
        finally:
            cluster.metastore.release()

    context = Context(
        Place(node, work, env, cluster.classified.spark, working),
        files.log("stdout"),
        stderr,
        files.containers,
        new_application,
        exclusively,
        default_attempts(cluster.classified.yarn),
    )
    code = step.command(context)
    if code:
        _append(stderr, f"Command exiting with ret '{code}'\n")
    return code


def applications(cluster: Cluster) -> set[str]:
    """Return the names of a cluster's applications as EMR spells them.

    Parameters
    ----------
    cluster
        The cluster.
    """
    return {str(item.get("Name", "")).capitalize() for item in cluster.request.get("Applications", [])}


def push_logs(node: Node, cluster: Cluster, step: Step) -> None:
    """Put a step's logs where the cluster's logs go, gzipped; then its files go.

    Parameters
    ----------
    node
        The machine.
    cluster, step
        Whose.
    """
    files = Files(cluster.home / "steps" / step.id)
    if cluster.log_uri:
        for name in FILES:
            if files.log(name).is_file():
                node.storage.put_log(f"{cluster.log_uri}steps/{step.id}/{name}.gz", files.log(name))
        for path in sorted(files.containers.glob("*/*/*")):
            relative = path.relative_to(files.containers).as_posix()
            node.storage.put_log(f"{cluster.log_uri}containers/{relative}.gz", path)
    shutil.rmtree(files.folder, ignore_errors=True)


def why(cluster: Cluster, step: Step) -> dict[str, str]:
    """Return a failed step's ``FailureDetails``, taken from its stderr as EMR takes them.

    Parameters
    ----------
    cluster, step
        Whose.
    """
    stderr = Files(cluster.home / "steps" / step.id).log("stderr")
    found: dict[str, str] = {"Reason": "Unknown Error."}
    text = stderr.read_text(encoding="utf-8", errors="replace") if stderr.is_file() else ""
    lines = [line.strip() for line in text.splitlines()]
    thrown = [line for line in lines if line.startswith(("Exception in thread", "Caused by:"))]
    if thrown:
        found["Message"] = thrown[-1][:1024]
    if cluster.log_uri:
        folder = f"{cluster.log_uri}steps/{step.id}/"
        found["LogFile"] = f"{folder}stderr.gz" if thrown else folder
    return found


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
