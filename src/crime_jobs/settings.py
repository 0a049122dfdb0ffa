"""One frozen `Settings` object, which knows where each of its values came from."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from crime_jobs.errors import WrongUsage

CONFIG_NAME = "crime-jobs.toml"

#: What `crime-jobs deploy` writes: where the parts are that it made, a section an environment.
OUTPUTS_NAME = "crime-jobs.outputs.toml"

#: The environment variable behind each setting; options come before them, the file after them.
VARIABLES = {
    "region": "AWS_REGION",
    "account": "CRIME_JOBS_ACCOUNT",
    "landing": "CRIME_JOBS_LANDING",
    "lake": "CRIME_JOBS_LAKE",
    "spark_conf": "CRIME_JOBS_SPARK_CONF",
    "profile": "AWS_PROFILE",
    "artifacts": "CRIME_JOBS_ARTIFACTS",
    "logs": "CRIME_JOBS_LOGS",
    "on": "CRIME_JOBS_ON",
    "runtime_role": "CRIME_JOBS_RUNTIME_ROLE",
    "oracle_url": "CRIME_JOBS_ORACLE_URL",
    "oracle_secret": "CRIME_JOBS_ORACLE_SECRET",
    "topic": "CRIME_JOBS_TOPIC",
    "ledger": "CRIME_JOBS_LEDGER",
    "table_prefix": "CRIME_JOBS_TABLE_PREFIX",
}

#: The tables of a section; what may stand in them is said by the room that reads them.
TABLES = ("cluster", "schedule", "stream", "sql", "quicksight", "faces", "deploy")


class Section(BaseModel):
    """A section of ``crime-jobs.toml``: one environment.

    Parameters
    ----------
    region
        AWS region, for example ``us-east-1``.
    account
        Number of the AWS account, 12 digits: what names another one is refused.
    landing, lake
        Folder or URI of the landing files and of the lake.
    spark_conf
        A Spark properties file (``spark.key value`` lines) for sessions started in this environment.
    profile
        Profile of the AWS configuration that credentials come from.
    artifacts, logs
        URIs: where packages are uploaded, and where steps' logs and outcomes go.
    on
        What `crime-jobs submit` runs on when not told: a cluster or an application.
    runtime_role
        ARN of the role that jobs run as.
    oracle_url, oracle_secret
        JDBC URL of the old Oracle, and name or ARN of its secret (user name and password) in Secrets Manager.
    topic
        ARN of the SNS topic that is told how migrations and exports end.
    ledger
        Name of the DynamoDB table that knows of migrations and exports.
    table_prefix
        What begins the names of the tables that the legacy schema moves to; nothing in a first environment.
    env_file
        ``KEY=VALUE`` lines that come in as environment variables, before all others.
    cluster, schedule
        What `crime-jobs cluster` and `crime-jobs schedule` are told; see `crime_jobs.emr`.
    stream
        Names of the FIR streams' parts; see `crime_jobs.model.streams`.
    sql
        Where questions are asked; see `crime_jobs.adhoc.asking`.
    quicksight
        Who sees the dashboard in QuickSight; see `crime_jobs.adhoc.quicksight.settings`.
    faces
        What compares faces, and where leads are kept; see `crime_jobs.model.faces`.
    deploy
        How the stacks are made; see `crime_jobs.cloud.stacks`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str | None = None
    account: str | None = None
    landing: str | None = None
    lake: str | None = None
    spark_conf: str | None = None
    profile: str | None = None
    artifacts: str | None = None
    logs: str | None = None
    on: str | None = None
    runtime_role: str | None = None
    oracle_url: str | None = None
    oracle_secret: str | None = None
    topic: str | None = None
    ledger: str | None = None
    table_prefix: str | None = None
    env_file: str | None = None
    cluster: dict[str, Any] = {}
    schedule: dict[str, Any] = {}
    stream: dict[str, Any] = {}
    sql: dict[str, Any] = {}
    quicksight: dict[str, Any] = {}
    faces: dict[str, Any] = {}
    deploy: dict[str, Any] = {}


class Settings(BaseModel):
    """Everything a job or command is told from outside.

    Parameters
    ----------
    env
        Name of the environment.
    region
        AWS region or ``None`` where nothing says one.
    account
        Number of the AWS account, or ``None``: any.
    landing, lake
        Folder or URI of the landing files and of the lake.
    spark_conf
        Path of a Spark properties file, or ``None``.
    profile
        AWS profile, or ``None`` for the usual chain of credentials.
    artifacts, logs
        URIs of packages, and of steps' logs and outcomes; ``None`` where nothing says one.
    on
        Cluster or application to submit to by default.
    runtime_role
        ARN of the role that jobs run as.
    oracle_url, oracle_secret, topic, ledger, table_prefix
        See `Section`.
    cluster, schedule, stream, sql, quicksight, faces, deploy
        The tables of that name in the environment's section.
    others
        The other environments that the files have sections of.
    sources
        For each value, what it was read from: shown by ``crime-jobs settings``.
    environ
        Variables for this process and what it starts: those of the environment's ``env_file``, and its
        region, which whatever reads ``AWS_REGION`` or ``AWS_DEFAULT_REGION`` then keeps to.
    overruled
        Variables of the process that said another region, and what they said.
    """

    model_config = ConfigDict(frozen=True)

    env: str
    region: str | None
    landing: str
    lake: str
    spark_conf: str | None
    account: str | None = None
    profile: str | None = None
    artifacts: str | None = None
    logs: str | None = None
    on: str | None = None
    runtime_role: str | None = None
    oracle_url: str | None = None
    oracle_secret: str | None = None
    topic: str | None = None
    ledger: str | None = None
    table_prefix: str | None = None
    cluster: dict[str, Any] = {}
    schedule: dict[str, Any] = {}
    stream: dict[str, Any] = {}
    sql: dict[str, Any] = {}
    quicksight: dict[str, Any] = {}
    faces: dict[str, Any] = {}
    deploy: dict[str, Any] = {}
    others: tuple[str, ...] = ()
    sources: dict[str, str]
    environ: dict[str, str]
    overruled: dict[str, str] = {}


#: The variables that say a region to what reads the AWS configuration itself: boto3, Arrow, the SDK for Java.
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")

_VARIABLE = "environment variable"

#: What Spark takes for a pattern in a path.
_PATTERN = re.compile(r"[\[\]{}*?]")


def _refuse_odd(options: Mapping[str, str | None]) -> None:
    for name, value in options.items():
        if value == "":
            raise WrongUsage(f"--{name} is empty.", hint="Is a variable of the shell not set?")


def _read_sections(path: Traversable) -> dict[str, Section]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Section.model_validate(values) for name, values in document.items()}
    except OSError as error:
        raise WrongUsage(f"{path} can't be read: {error.strerror}.", hint="Correct its rights.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{path} is not valid TOML: {error}.", hint="Correct the file.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "a value outside any section"
        raise WrongUsage(f"{path}: {where}: {first['msg']}.", hint="Correct the file.") from error


def read_env_file(path: Path) -> dict[str, str]:
    """Read ``KEY=VALUE`` lines, as a shell would source them.

    Parameters
    ----------
    path
        The file; comments, empty lines and ``export`` are allowed, values may be quoted.

    Returns
    -------
    dict
        The variables.

    Raises
    ------
    WrongUsage
        If the file is not there, or can't be read.
    """
    if not path.is_file():
        raise WrongUsage(
            f"This environment's servers are not up: {path} is missing.",
            hint="Run `make up` first.",
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WrongUsage(f"{path} can't be read: {why}.", hint="Correct it, or its rights.") from error
    found = {}
    for line in lines:
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("'\"")
    return found


def load(
    env: str | None = None,
    options: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    needs: Collection[str] = ("landing", "lake"),
) -> Settings:
    """Put the settings together: options, then environment variables, then the file's section.

    What `crime-jobs deploy` has written comes after the user's own file and before the shipped one.

    Parameters
    ----------
    env
        Environment name; by default ``CRIME_JOBS_ENV`` or ``local``.
    options
        Values given on the command line by setting name; ``None`` means not given.
    environ
        The process's environment; by default ``os.environ``.
    folder
        Where a ``crime-jobs.toml`` of the user's may stand; by default the working folder.
    needs
        Of landing and lake what must be known; what makes them can't know them yet, and gets ``""``.

    Returns
    -------
    Settings

    Raises
    ------
    WrongUsage
        If the environment is unknown, the file is not valid, an option names another region than the
        environment is in, or a value is missing: the message says every place that was looked in.
    """
    environ = os.environ if environ is None else environ
    folder = folder or Path.cwd()
    env = env or environ.get("CRIME_JOBS_ENV") or "local"

    shipped = files("crime_jobs") / CONFIG_NAME  # in a zip when it runs on EMR
    places: tuple[Traversable, ...] = (folder / CONFIG_NAME, folder / OUTPUTS_NAME, shipped)
    paths = [path for path in places if path.is_file()]
    sections = [(path, _read_sections(path)) for path in paths]
    if not any(env in found for _, found in sections):
        known = sorted({name for _, found in sections for name in found})
        raise WrongUsage(
            f"No environment is called {env!r}.",
            hint=f"Known are {', '.join(known)}; add a section [{env}] to {CONFIG_NAME} for another.",
        )
    layers: list[tuple[str, dict[str, Any]]] = [("option", dict(options or {}))]
    # A user's section adds to the shipped one of that name: its servers stay those of the shipped one.
    env_file = next((f for _, found in sections if env in found and (f := found[env].env_file)), None)
    extra = read_env_file(folder / env_file) if env_file else {}
    _refuse_odd(options or {})
    for source, variables in (("environment file", extra), (_VARIABLE, environ)):
        layers.append((source, {key: variables.get(name) for key, name in VARIABLES.items()}))
    for path, found in sections:
        if env in found:
            layers.append((str(path), found[env].model_dump()))

    layers = _with_own_region_first(layers, env)
    values: dict[str, str | None] = {}
    sources: dict[str, str] = {}
    for key, variable in VARIABLES.items():
        values[key] = next((str(given[key]) for _, given in layers if given.get(key)), None)
        sources[key] = next((name for name, given in layers if given.get(key)), "nowhere")
        if values[key] is None and key in ("landing", "lake"):
            if key not in needs:
                values[key] = ""
                continue
            raise WrongUsage(
                f"Nothing says where the {key} of environment {env!r} is.",
                hint=f"Looked for --{key}, {variable}, and {key} in [{env}] of "
                f"{', '.join(str(p) for p in paths)}.",
            )
        if key in ("landing", "lake") and _PATTERN.search(values[key] or ""):
            raise WrongUsage(
                f"The {key} {values[key]!r} has a character that Spark takes for a pattern.",
                hint="Choose a folder without any of []{}*? in its path.",
            )
    # The user's file comes first in `sections`: its values stand, the shipped ones fill the rest.
    tables = {
        name: {
            key: value
            for _, found in reversed(sections)
            if env in found
            for key, value in getattr(found[env], name).items()
        }
        for name in TABLES
    }
    overruled = {}
    if values["region"]:
        said = {name: environ.get(name) for name in REGION_VARIABLES}
        overruled = {name: value for name, value in said.items() if value and value != values["region"]}
        extra |= dict.fromkeys(REGION_VARIABLES, values["region"])
    others = sorted({name for _, found in sections for name in found} - {env})
    told = {"env": env, "others": others, "sources": sources, "environ": extra, "overruled": overruled}
    return Settings.model_validate({**told, **values, **tables})


def _with_own_region_first(
    layers: list[tuple[str, dict[str, Any]]], env: str
) -> list[tuple[str, dict[str, Any]]]:
    """Let an environment that says its region keep it, whatever a variable says; an option may only agree."""
    own = next(
        ((name, given["region"]) for name, given in layers[1:] if name != _VARIABLE and given.get("region")),
        None,
    )
    asked = layers[0][1].get("region")
    if own and asked and asked != own[1]:
        raise WrongUsage(
            f"--region says {asked}, and environment {env!r} is in {own[1]} (from the {own[0]}).",
            hint="An environment is in one region: give another one a section of its own in crime-jobs.toml. "
            "`crime-jobs inventory --all-regions` looks elsewhere.",
        )
    return [(own[0], {"region": own[1]}), *layers] if own else layers
