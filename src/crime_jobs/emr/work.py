"""What is to be run, and the requests it becomes: steps of EMR on EC2 and job runs of EMR Serverless.

Every argument is an element of a list from the command line to the driver: nothing is joined and split again,
so blanks, commas, quotes and letters of any script arrive as typed. Spark's properties go as ``--conf``
elements to EMR on EC2, and as a ``spark-defaults`` classification to EMR Serverless, whose
``sparkSubmitParameters`` is one string that the service splits at blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from crime_jobs import hive_scripts, registry
from crime_jobs.errors import WrongUsage
from crime_jobs.model.names import database_of

if TYPE_CHECKING:
    from crime_jobs.emr.package import Manifest
    from crime_jobs.settings import Settings

#: Between the parts of a chain: the next runs if the one before is done, or whatever became of it.
THEN, THEN_ANYWAY = "--then", "--then-anyway"
#: Marks a Hive script among the names of jobs.
HIVE = "hive:"

#: The environment's archive is unpacked to a folder of this name, beside the driver and each executor.
ENVIRONMENT = "environment"

#: An argument ends at a null; YARN starts a driver by a shell script, where line breaks were not tried.
_UNSENDABLE = ("\0", "\n", "\r")

#: Reads the words of ``run`` or ``hive`` as that command will, into the NAME=VALUE that they give.
Read = Callable[[str, Sequence[str]], Mapping[str, str]]

OnFailure = Literal["CONTINUE", "CANCEL_AND_WAIT", "TERMINATE_CLUSTER"]


@dataclass(frozen=True)
class Work:
    """A job or a Hive script with its arguments.

    Parameters
    ----------
    name
        A job of `crime-jobs list`, ``all``, or ``hive:`` and the name of a script.
    arguments
        As `crime-jobs run` or `crime-jobs hive` takes them.
    go_on
        Whether what follows in a chain runs even if this fails.
    script
        For a script of the user's own: the URI it was uploaded to.
    given
        The NAME=VALUE that the arguments give: a job's options, a script's variables.
    """

    name: str
    arguments: tuple[str, ...] = ()
    go_on: bool = False
    script: str | None = None
    given: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def kind(self) -> Literal["job", "hive"]:
        """``job`` runs as a Spark application of ours, ``hive`` as a script of Hive."""
        return "hive" if self.name.startswith(HIVE) and self.name != f"{HIVE}stage" else "job"

    @property
    def script_name(self) -> str:
        """Name of the Hive script."""
        return self.name.removeprefix(HIVE)


def parse(tokens: Sequence[str], settings: Settings, read: Read) -> list[Work]:
    """Read and check what a user typed: ``NAME [argument…] [--then NAME [argument…]]…``.

    Parameters
    ----------
    tokens
        The words, as the shell gave them.
    settings
        Where some options of jobs come from when they are not given.
    read
        Reads a part's words as the step's own command line will, so that a typing error costs no cluster.

    Returns
    -------
    list of Work
        ``hive:setup`` stands for several.

    Raises
    ------
    WrongUsage
        If a job, a script, an option or a value is not known.
    """
    parts: list[list[str]] = [[]]
    go_on: list[bool] = []
    for token in tokens:
        if token in (THEN, THEN_ANYWAY):
            go_on.append(token == THEN_ANYWAY)
            parts.append([])
        else:
            parts[-1].append(token)
    found: list[Work] = []
    for words, anyway in zip(parts, [*go_on, False], strict=True):
        if not words or words[0].startswith("-"):
            raise WrongUsage(
                f"Here the name of a job is expected: {' '.join(words) or 'nothing'}.",
                hint=f"NAME [arguments] [{THEN} NAME [arguments]]; `crime-jobs list` shows the names.",
            )
        _check_sendable(words)
        if any(word.partition("=")[0] == "--outcome" for word in words):
            raise WrongUsage("--outcome is told by submit itself.", hint="--logs says below which folder.")
        is_hive = words[0].startswith(HIVE)
        given = read("hive" if is_hive else "run", [words[0].removeprefix(HIVE), *words[1:]])
        work = Work(words[0], tuple(words[1:]), anyway, given=given)
        if not is_hive:
            registry.check_options(registry.find(work.name), given, settings)
        found += _scripts(work) if is_hive else [work]
    return found


def _check_sendable(words: Iterable[str]) -> None:
    for word in words:
        if any(sign in word for sign in _UNSENDABLE):
            raise WrongUsage(
                f"The argument {word!r} has a line break or a null in it, which a step can't carry.",
                hint="Put it into a file on S3 and pass its URI.",
            )


def _scripts(work: Work) -> list[Work]:
    if work.script_name == hive_scripts.STAGE:
        return [work]
    scripts = hive_scripts.find(work.script_name)
    used = {name for script in scripts for name in script.variables}
    for name in work.given:
        if name not in used:
            takes = ", ".join(sorted(used)) or "none"
            raise WrongUsage(f"{work.name}: there is no variable {name!r}.", hint=f"It takes: {takes}.")
    if work.script_name != hive_scripts.SETUP:
        script = scripts[0]
        own = str(script.path) if script.number is None else None
        if own and not own.endswith((".hql", ".sql")):  # what is not a script must not be uploaded
            raise WrongUsage(f"{own} is not a script by its name.", hint="It ends in .hql or .sql.")
        return [replace(work, name=f"{HIVE}{script.name}", script=own)]
    stage = Work(f"{HIVE}{hive_scripts.STAGE}", go_on=work.go_on)
    return [stage, *(replace(work, name=f"{HIVE}{script.name}") for script in scripts)]


def _places(settings: Settings) -> dict[str, str]:
    places = {"landing": settings.landing, "lake": settings.lake}
    for option, value in places.items():
        if "://" not in value:
            raise WrongUsage(
                f"The {option} {value!r} (from {settings.sources.get(option)}) is a folder of this machine, "
                "which EMR can't read.",
                hint=f"Give --{option} s3://…, or an environment (--env) that has it.",
            )
    return {name: value.rstrip("/") for name, value in places.items()}


def _entry_arguments(work: Work, settings: Settings, outcome: str | None) -> list[str]:
    name = ["hive", work.script_name] if work.name.startswith(HIVE) else [work.name]
    places = [word for option, value in _places(settings).items() for word in (f"--{option}", value)]
    told = ["--outcome", outcome] if outcome else []
    return [*name, *work.arguments, *_from_settings(work, settings), *places, *told]


def _from_settings(work: Work, settings: Settings) -> list[str]:
    """Return what a job of the registry takes from settings, which a step does not have: said as options."""
    if work.name.startswith(HIVE):
        return []
    taking = [job for job in registry.find(work.name) if job.settings]
    if not taking:
        return []
    found = {name: value for job in taking for name, value in job.options_from(settings, {}).items()}
    missing = {name: value for name, value in found.items() if name not in work.given}
    told = [word for name, value in missing.items() for word in ("--set", f"{name}={value}")]
    # They speak to AWS themselves, and a step's environment names no region.
    return [*told, *(["--region", settings.region] if settings.region else [])]


def _hive_variables(work: Work, settings: Settings) -> dict[str, str]:
    places = _places(settings)
    warehouse = f"{places['lake']}_warehouse"  # beside the lake: a table made without a location goes there
    database = database_of({**settings.sql, **work.given})
    return {**places, "warehouse": warehouse, "database": database, **work.given}


def _script_uri(work: Work, manifest: Manifest) -> str:
    return work.script or manifest.hive[work.script_name]


def _driver_python(prefix: str) -> dict[str, str]:
    """Return the properties that let a driver and its executors find Python and our environment."""
    return {
        f"{prefix}PYSPARK_PYTHON": "python3.11",
        f"{prefix}PYTHONPATH": f"./{ENVIRONMENT}",
        "spark.executorEnv.PYSPARK_PYTHON": "python3.11",
        "spark.executorEnv.PYTHONPATH": f"./{ENVIRONMENT}",
    }


def step(
    work: Work,
    manifest: Manifest,
    settings: Settings,
    outcome: str | None,
    on_failure: OnFailure = "CONTINUE",
    *,
    token: str = "",
    conf: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the step that runs something on EMR on EC2.

    Parameters
    ----------
    work
        What to run.
    manifest
        The package.
    settings
        Landing and lake.
    outcome
        Folder URI for the outcome, or ``None``.
    on_failure
        What EMR does with the cluster and its pending steps when this one fails.
    token
        Tells this submission from others of the same job; part of the step's name.
    conf
        Further Spark properties.

    Returns
    -------
    dict
        A ``StepConfig`` of ``AddJobFlowSteps``
        (https://docs.aws.amazon.com/emr/latest/APIReference/API_StepConfig.html).

    Raises
    ------
    WrongUsage
        If the landing or the lake is a folder of this machine.
    """
    if work.kind == "hive":
        variables = _hive_variables(work, settings).items()
        told = [word for name, value in variables for word in ("--hivevar", f"{name}={value}")]
        arguments = ["hive-script", "--run-hive-script", "--args", "-f", _script_uri(work, manifest), *told]
    else:
        properties = {
            "spark.archives": f"{manifest.environment}#{ENVIRONMENT}",
            "spark.pyspark.python": "python3.11",
            # What failed would fail again: a second attempt costs as much, and hides the first one's log.
            "spark.yarn.maxAppAttempts": "1",
            **_driver_python("spark.yarn.appMasterEnv."),
            **(conf or {}),
        }
        arguments = ["spark-submit", "--deploy-mode", "cluster", "--name", f"crime-jobs {work.name}"]
        arguments += [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
        arguments += ["--py-files", manifest.code, manifest.entry]
        arguments += _entry_arguments(work, settings, outcome)
    return {
        "Name": f"{work.name} {token}".strip(),
        "ActionOnFailure": on_failure,
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": arguments},
    }


def job_run(
    work: Work,
    manifest: Manifest,
    settings: Settings,
    outcome: str | None,
    *,
    token: str = "",
    conf: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the job run that runs something on EMR Serverless.

    Parameters
    ----------
    work, manifest, settings, outcome, token, conf
        As for `step`.

    Returns
    -------
    dict
        ``StartJobRun`` without ``applicationId`` and ``clientToken``
        (https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_StartJobRun.html).

    Raises
    ------
    WrongUsage
        If no runtime role or no log folder is set, or the landing or the lake is a folder of this machine.
    """
    if not settings.runtime_role:
        raise WrongUsage(
            "Nothing says which role a job run has on EMR Serverless.",
            hint="Set CRIME_JOBS_RUNTIME_ROLE, or write runtime_role into crime-jobs.toml.",
        )
    if work.kind == "hive":
        driver: dict[str, Any] = {"hive": {"query": _script_uri(work, manifest)}}
        variables = _hive_variables(work, settings).items()
        driver["hive"]["parameters"] = " ".join(
            f"--hivevar {name}={_plain(value)}" for name, value in variables
        )
        overrides: dict[str, Any] = {}
    else:
        properties = {
            "spark.archives": f"{manifest.environment}#{ENVIRONMENT}",
            "spark.submit.pyFiles": manifest.code,
            **_driver_python("spark.emr-serverless.driverEnv."),
            **(conf or {}),
        }
        driver = {
            "sparkSubmit": {
                "entryPoint": manifest.entry,
                "entryPointArguments": _entry_arguments(work, settings, outcome),
            }
        }
        overrides = {
            "applicationConfiguration": [{"classification": "spark-defaults", "properties": properties}]
        }
    if settings.logs:
        uri = f"{settings.logs.rstrip('/')}/"
        overrides["monitoringConfiguration"] = {"s3MonitoringConfiguration": {"logUri": uri}}
    return {
        "name": f"{work.name} {token}".strip(),
        "executionRoleArn": settings.runtime_role,
        "jobDriver": driver,
        "configurationOverrides": overrides,
    }


def _plain(value: str) -> str:
    """Refuse what a Hive job run can't carry: its parameters are one string, split at blanks."""
    if any(sign in value for sign in " \t'\"\\"):
        raise WrongUsage(
            f"The value {value!r} has a blank or a quote, which a Hive job run can't carry.",
            hint="Run the script on a cluster.",
        )
    return value
