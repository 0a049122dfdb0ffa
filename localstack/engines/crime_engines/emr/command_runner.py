"""``command-runner.jar``: what a step's arguments ask for, checked when it is added, done when it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crime_engines.hive import OPTIONS, hive_arguments
from crime_engines.protocol import invalid
from crime_engines.spark_conf import MASTER, check_master
from crime_engines.spark_submit import Submission, parse, rebuilt
from crime_engines.yarn import ATTEMPTS, Application, Place

#: The application of the cluster that brings each command; None for what every node has.
COMMANDS = {"spark-submit": "Spark", "spark-sql": "Spark", "hive-script": "Hive", "bash": None}


@dataclass(frozen=True)
class Context:
    """What a command runs with.

    Parameters
    ----------
    place
        The machine, the processes, the environment, the step's folder.
    stdout, stderr
        Of the step.
    containers
        Folder of the containers' logs.
    new_application
        Makes an application of the cluster's YARN.
    exclusively
        Calls a function while no other step uses the metastore.
    attempts
        How often YARN starts a driver, where the step says nothing.
    """

    place: Place
    stdout: Path
    stderr: Path
    containers: Path
    new_application: Callable[[], Application]
    exclusively: Callable[[Callable[[], int]], int]
    attempts: int

    def run(self, *command: str) -> int:
        """Run a program in the step's folder, with the step's output.

        Parameters
        ----------
        *command
            Program and arguments.
        """
        place = self.place
        return place.work.run(
            command, env=place.env, cwd=place.folder, stdout=self.stdout, stderr=self.stderr
        )


#: From a step's context to its exit code.
Command = Callable[[Context], int]


def command_of(arguments: Sequence[str], properties: dict[str, str]) -> Command:
    """Read the arguments of ``command-runner.jar``.

    Parameters
    ----------
    arguments
        The step's arguments.
    properties
        Spark properties of the cluster.

    Returns
    -------
    Command

    Raises
    ------
    Refusal
        If they ask for what can't be done here.
    """
    if not arguments:
        raise invalid("command-runner.jar needs a command as its first argument.")
    program, *rest = arguments
    if program == "spark-submit":
        return _spark_submit_of(rest, properties)
    if program == "spark-sql":
        return functools.partial(_spark_sql, _without_master(rest))
    if program == "hive-script":
        return functools.partial(_spark_sql, _hive_script(rest))
    if program == "bash":
        return lambda context: context.run(program, *rest)
    raise invalid(f"command-runner.jar {program!r} is not supported here, only {', '.join(COMMANDS)}.")


def _spark_submit_of(arguments: list[str], properties: dict[str, str]) -> Command:
    submission = parse(arguments, properties)
    if submission.wrong is not None:
        wrong = submission.wrong
        return lambda context: context.run("spark-submit", *wrong)
    if submission.deploy_mode == "cluster" and submission.entry:
        attempts = {**properties, **submission.conf}.get("spark.yarn.maxAppAttempts")
        if attempts is not None and not attempts.isdecimal():
            raise invalid(f"spark.yarn.maxAppAttempts should be int, but was {attempts}.")
        return functools.partial(_cluster_mode, submission, int(attempts) if attempts else None)
    entry = [submission.entry] if submission.entry else []
    return lambda context: context.run(
        "spark-submit", *rebuilt(submission, MASTER), *entry, *submission.arguments
    )


def _cluster_mode(submission: Submission, attempts: int | None, context: Context) -> int:
    # The lesser of the two, as YARN takes it.
    most = max(1, min(attempts, context.attempts) if attempts is not None else context.attempts)
    application = context.new_application()
    return application.run(context.place, submission, context.stderr, context.containers, most)


def _spark_sql(arguments: list[str], context: Context) -> int:
    return context.exclusively(lambda: context.run("spark-sql", *arguments))


def _without_master(arguments: list[str]) -> list[str]:
    """Leave out what says that YARN is the master: here its stand-in is, by the cluster's defaults."""
    kept, rest = [], iter(arguments)
    for argument in rest:
        if argument in ("--master", "--deploy-mode"):
            if (value := next(rest, "")) not in ("yarn", "client"):
                raise invalid(f"spark-sql {argument} {value} is not supported here.")
            continue
        if argument not in OPTIONS and argument != "--conf":
            kept.append(argument)
            continue
        following = next(rest, None)
        if argument == "--conf" and following and following.startswith("spark.master="):
            check_master({"spark.master": following.partition("=")[2]})
            continue
        kept += [argument] if following is None else [argument, following]
    return kept


def _hive_script(arguments: list[str]) -> list[str]:
    """Turn ``--run-hive-script --args -f …`` into what Spark SQL's command line takes."""
    if arguments[:1] != ["--run-hive-script"] or "--args" not in arguments:
        raise invalid("hive-script needs --run-hive-script --args, then the arguments of hive.")
    start = arguments.index("--args")
    if extra := [item for item in arguments[1:start] if not item.startswith("--hive-versions")]:
        raise invalid(f"hive-script {extra[0]} is not supported here.")
    return hive_arguments(arguments[start + 1 :])


def default_attempts(yarn_site: dict[str, str]) -> int:
    """Return how often YARN starts a driver.

    Parameters
    ----------
    yarn_site
        Properties of the classification ``yarn-site``.
    """
    return int(yarn_site.get("yarn.resourcemanager.am.max-attempts", ATTEMPTS))
