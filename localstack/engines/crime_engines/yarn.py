"""YARN's part of ``--deploy-mode cluster``: a container for the driver, and what the client says meanwhile.

The words are those of org.apache.spark.deploy.yarn.Client (Spark 3.5): programs look for the application's
id, its state and its final status in a step's stderr.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from crime_engines.archives import BadArchive
from crime_engines.localise import Fetched, fetch_all, lay_out
from crime_engines.node import Node
from crime_engines.spark_conf import MASTER
from crime_engines.spark_submit import Submission, rebuilt
from crime_engines.storage import Missing
from crime_engines.work import Work

#: yarn.resourcemanager.am.max-attempts in yarn-default.xml: a driver that fails is started a second time.
ATTEMPTS = 2

#: The exit code of a container whose files could not be put in place (ContainerExitStatus.INVALID).
NOT_LOCALISED = -1000


@dataclass(frozen=True)
class Place:
    """Where a submission runs.

    Parameters
    ----------
    node
        The machine.
    work
        Its processes.
    env
        Their environment.
    properties
        Spark properties of the cluster, which come after the step's own.
    folder
        For what is fetched and for containers.
    """

    node: Node
    work: Work
    env: Mapping[str, str]
    properties: Mapping[str, str]
    folder: Path


def run_driver(
    place: Place,
    fetched: Fetched,
    submission: Submission,
    container: Path,
    prefixes: tuple[str, ...],
    stdout: Path,
    stderr: Path,
    *,
    timeout: float | None = None,
) -> int:
    """Run a driver in a container of its own.

    Parameters
    ----------
    place
        Where.
    fetched
        What it brings along.
    submission
        What to run.
    container
        The container's working folder; it goes at the end, as YARN removes it.
    prefixes
        Of properties that are variables of the driver: ``spark.yarn.appMasterEnv.``.
    stdout, stderr
        Files for its output.
    timeout
        Seconds after which it is ended.

    Returns
    -------
    int
        Exit code, or `NOT_LOCALISED`.
    """
    try:
        try:
            local = lay_out(fetched, submission, container)
        except BadArchive as error:
            stderr.write_text(f"{error}\n", encoding="utf-8")
            return NOT_LOCALISED
        merged = {**place.properties, **submission.conf}
        variables = {
            key.removeprefix(prefix): value.replace("{{PWD}}", str(container)).replace("$PWD", str(container))
            for prefix in prefixes
            for key, value in merged.items()
            if key.startswith(prefix)
        }
        # As YARN sets them; Spark that sees a CONTAINER_ID takes its folders from LOCAL_DIRS.
        own = {"CONTAINER_ID": container.name, "LOCAL_DIRS": place.env["SPARK_LOCAL_DIRS"]}
        env = {**place.env, **variables, **own, "PWD": str(container)}
        program = str(place.node.spark_home / "bin" / "spark-submit")
        command = [program, *rebuilt(local, MASTER), local.entry or "", *local.arguments]
        return place.work.run(command, env=env, cwd=container, stdout=stdout, stderr=stderr, timeout=timeout)
    finally:
        shutil.rmtree(container, ignore_errors=True)


class Application:
    """A submission on YARN.

    Parameters
    ----------
    number
        Which application of the cluster it is.
    epoch
        When the cluster's YARN started, milliseconds since 1970.
    """

    def __init__(self, number: int, epoch: int) -> None:
        self.id = f"application_{epoch}_{number:04}"
        self._suffix = f"{epoch}_{number:04}"
        self.started = int(time.time() * 1000)

    def container(self, attempt: int) -> str:
        """Return the id of an attempt's first container, in which the driver runs.

        Parameters
        ----------
        attempt
            1 for the first.
        """
        return f"container_{self._suffix}_{attempt:02}_000001"

    def run(
        self, place: Place, submission: Submission, client: Path, logs: Path, attempts: int = ATTEMPTS
    ) -> int:
        """Run it as ``spark-submit --deploy-mode cluster`` does: wait for its end and say how it goes.

        Parameters
        ----------
        place
            Where.
        submission
            What to run.
        client
            The client's stderr.
        logs
            Folder for the containers' logs, one folder each.
        attempts
            How often it is started at most.

        Returns
        -------
        int
            Exit code of the client.
        """

        def say(text: str, level: str = "INFO", source: str = "Client") -> None:
            stamp = datetime.now(UTC).strftime("%y/%m/%d %H:%M:%S")
            _append(client, f"{stamp} {level} {source}: {text}\n")

        try:
            staging = place.folder / "staging"
            fetched = fetch_all(submission, place.node.storage, staging, place.work)
        except Missing as error:
            _append(client, f'Exception in thread "main" java.io.FileNotFoundException: {error}\n')
            return 1
        say(f"Submitting application {self.id} to ResourceManager")
        say(f"Submitted application {self.id}", source="YarnClientImpl")
        code = self._attempt_all(place, fetched, submission, logs, attempts, say)
        shutil.rmtree(staging, ignore_errors=True)
        if code:
            _append(
                client,
                'Exception in thread "main" org.apache.spark.SparkException: '
                f"Application {self.id} finished with failed status\n"
                "\tat org.apache.spark.deploy.yarn.Client.run(Client.scala:1321)\n",
            )
        return 1 if code else 0

    def _attempt_all(
        self,
        place: Place,
        fetched: Fetched,
        submission: Submission,
        logs: Path,
        attempts: int,
        say: Callable[..., None],
    ) -> int:
        code = 0
        for attempt in range(1, attempts + 1):
            say(f"Application report for {self.id} (state: ACCEPTED)")
            name = self.container(attempt)
            out = logs / self.id / name
            out.mkdir(parents=True)
            for stream in ("stdout", "stderr"):
                (out / stream).touch()
            say(f"Application report for {self.id} (state: RUNNING)")
            code = run_driver(
                place,
                fetched,
                submission,
                place.folder / name,
                ("spark.yarn.appMasterEnv.",),
                out / "stdout",
                out / "stderr",
            )
            if not code:
                break
        self._report_end(code, attempts, say)
        return code

    def _report_end(self, code: int, attempts: int, say: Callable[..., None]) -> None:
        if not code:
            state, final, diagnostics = "FINISHED", "SUCCEEDED", "N/A"
        elif 0 < code < 128:  # noqa: PLR2004 - the driver ended by itself
            state, final = "FINISHED", "FAILED"
            diagnostics = f"User application exited with status {code}"
        else:
            state, final = "FAILED", "FAILED"
            shown = code if code == NOT_LOCALISED or code > 0 else 128 - code
            diagnostics = (
                f"Application {self.id} failed {attempts} times due to AM Container for "
                f"{self.id.replace('application', 'appattempt')}_{attempts:06} exited with exitCode: {shown}"
            )
        say(f"Application report for {self.id} (state: {state})")
        say(
            "\n"
            "\t client token: N/A\n"
            f"\t diagnostics: {diagnostics}\n"
            "\t ApplicationMaster host: 127.0.0.1\n"
            "\t ApplicationMaster RPC port: -1\n"
            "\t queue: default\n"
            f"\t start time: {self.started}\n"
            f"\t final status: {final}\n"
            "\t tracking URL: N/A\n"
            "\t user: hadoop"
        )
        if code:
            say(f"Application diagnostics message: {diagnostics}", level="ERROR")


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
