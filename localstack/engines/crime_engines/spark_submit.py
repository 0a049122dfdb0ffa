"""The arguments of ``spark-submit`` (Spark 3.5: org.apache.spark.launcher.SparkSubmitOptionParser)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from crime_engines.protocol import invalid

#: Options with a value that Spark itself honours without YARN.
_PASSED = frozenset(
    {"--class", "--name", "--driver-memory", "--driver-java-options", "--driver-library-path"}
    | {"--driver-class-path", "--packages", "--exclude-packages", "--repositories", "--conf", "-c"}
)
#: Sizes of what one machine has once.
_SIZES = frozenset({"--executor-memory", "--executor-cores", "--num-executors", "--driver-cores"})
#: What YARN does: see `yarn`.
_LOCALISED = frozenset({"--archives", "--files", "--py-files", "--jars"})
_OURS = frozenset({"--master", "--deploy-mode", "--queue"})
_REFUSED = {
    "--properties-file": "a node has no such file; give --conf or the classification spark-defaults",
    "--proxy-user": "there is no Kerberos here",
    "--principal": "there is no Kerberos here",
    "--keytab": "there is no Kerberos here",
    "--total-executor-cores": "the master is yarn",
    "--kill": "there is nothing to kill; use CancelSteps",
    "--status": "there is no master to ask",
    "--remote": "there is no Spark Connect server here",
}
_REFUSED_FLAGS = {"--supervise": "the master is yarn"}
_FLAGS = frozenset({"--verbose", "-v", "--help", "-h", "--usage-error", "--version"})

#: Properties that stand for an option of another name.
SAME = {
    "spark.master": "--master",
    "spark.submit.deployMode": "--deploy-mode",
    "spark.yarn.queue": "--queue",
    "spark.archives": "--archives",
    "spark.yarn.dist.archives": "--archives",
    "spark.files": "--files",
    "spark.yarn.dist.files": "--files",
    "spark.submit.pyFiles": "--py-files",
    "spark.yarn.dist.pyFiles": "--py-files",
    "spark.jars": "--jars",
    "spark.yarn.dist.jars": "--jars",
}


@dataclass
class Submission:
    """A ``spark-submit`` taken apart.

    Parameters
    ----------
    options
        Option and value, for Spark to read: all but those below.
    flags
        ``--verbose`` and the like.
    conf
        The properties of ``--conf``.
    deploy_mode
        ``client`` or ``cluster``.
    archives, files, py_files, jars
        URIs, with their ``#name``.
    entry
        The program, ``None`` if there is none.
    arguments
        Its arguments, untouched.
    wrong
        The whole line, if Spark will say that it is wrong.
    """

    options: list[tuple[str, str]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    conf: dict[str, str] = field(default_factory=dict)
    deploy_mode: str = "client"
    archives: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    py_files: list[str] = field(default_factory=list)
    jars: list[str] = field(default_factory=list)
    entry: str | None = None
    arguments: list[str] = field(default_factory=list)
    wrong: list[str] | None = None


def parse(arguments: Sequence[str], defaults: dict[str, str] | None = None) -> Submission:
    """Take the arguments of ``spark-submit`` apart.

    Parameters
    ----------
    arguments
        All that follows ``spark-submit``.
    defaults
        Properties of the cluster, which come after the step's own.

    Returns
    -------
    Submission
        With ``wrong`` set where Spark itself is to say what is wrong, as on EMR.

    Raises
    ------
    Refusal
        If something is asked for that can't be honoured here.
    """
    found = Submission()
    given: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, sign, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        if argument in _REFUSED_FLAGS:
            raise invalid(f"spark-submit {argument} is not supported here: {_REFUSED_FLAGS[argument]}.")
        if argument in _FLAGS:
            found.flags.append(argument)
            continue
        if name not in _PASSED | _SIZES | _LOCALISED | _OURS | _REFUSED.keys():
            if argument.startswith("-"):  # Spark says what it thinks of it
                found.wrong = list(arguments)
                return found
            found.entry, found.arguments = argument, list(rest)
            break
        if not sign:
            following = next(rest, None)
            if following is None:
                found.wrong = list(arguments)
                return found
            value = following
        _take(name, value, found, given)
    if found.entry is None and not found.flags:
        found.wrong = list(arguments)
    _settle(found, given, defaults or {})
    return found


def _take(name: str, value: str, found: Submission, given: dict[str, str]) -> None:
    if name in _REFUSED:
        raise invalid(f"spark-submit {name} is not supported here: {_REFUSED[name]}.")
    if name in ("--conf", "-c"):
        key, sign, text = value.partition("=")
        if not sign:
            found.options.append((name, value))  # Spark says that it is wrong
        else:
            found.conf[key] = text
    elif name in _LOCALISED | _OURS:
        given[name] = value
    else:
        found.options.append((name, value))


def _settle(found: Submission, given: dict[str, str], defaults: dict[str, str]) -> None:
    """Bring options and the properties that mean the same together: an option comes first."""
    for properties in (found.conf, defaults):
        for key, option in SAME.items():
            if key in properties:
                given.setdefault(option, properties[key])
    for key in SAME:
        found.conf.pop(key, None)
    if (master := given.get("--master", "yarn")) != "yarn":
        raise invalid(f"spark-submit --master {master} is not supported here: a cluster's master is yarn.")
    if (queue := given.get("--queue", "default")) != "default":
        raise invalid(f"spark-submit --queue {queue} is not supported here: YARN's one queue is 'default'.")
    found.deploy_mode = given.get("--deploy-mode", "client")
    if found.deploy_mode not in ("client", "cluster"):
        raise invalid(f"--deploy-mode must be client or cluster, not {found.deploy_mode!r}.")
    if {**defaults, **found.conf}.get("spark.yarn.submit.waitAppCompletion", "true").lower() != "true":
        raise invalid("spark.yarn.submit.waitAppCompletion=false is not supported here.")
    found.archives, found.files = _list(given.get("--archives")), _list(given.get("--files"))
    found.py_files, found.jars = _list(given.get("--py-files")), _list(given.get("--jars"))


def _list(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]


def rebuilt(submission: Submission, master: str) -> Iterator[str]:
    """Return the arguments with which Spark runs it here, up to the program.

    Parameters
    ----------
    submission
        The submission.
    master
        The master that stands for YARN.

    Yields
    ------
    str
    """
    yield from ("--master", master)
    yield from submission.flags
    for option, value in submission.options:
        yield from (option, value)
    for key, value in submission.conf.items():
        yield from ("--conf", f"{key}={value}")
    localised = (submission.archives, submission.files, submission.py_files, submission.jars)
    for option, values in zip(("--archives", "--files", "--py-files", "--jars"), localised, strict=True):
        if values:
            yield from (option, ",".join(values))
