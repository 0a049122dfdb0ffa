"""Runs scripts statement by statement in a Spark session with a Hive metastore."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from rich.console import Console

from crime_jobs import output as out
from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.hive_scripts import SETUP, Script, Statement, find
from crime_jobs.hivesql._ddl import STAGED
from crime_jobs.hivesql._stage import stage_landing
from crime_jobs.model.names import database_of
from crime_jobs.spark import prepare

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from rich.status import Status

    from crime_jobs.settings import Settings

METASTORE = Path("build/metastore")
WAREHOUSE = Path("build/warehouse")

#: Variables that every script may use, besides the database; each has a default from the settings.
_PLACES = ("landing", "lake", "warehouse")
_SILENT = re.compile(r"\s*(SET|USE)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """The rows of a query.

    Parameters
    ----------
    script
        Name of the script.
    line
        Line of the statement.
    title
        The comment above the statement.
    rows
        The rows, column name to value.
    """

    script: str
    line: int
    title: str
    rows: list[dict[str, Any]]


def session_conf(metastore: Path = METASTORE, warehouse: Path = WAREHOUSE) -> dict[str, str]:
    """Return what a session needs besides `crime_jobs.spark.prepare` to have a metastore of its own.

    Parameters
    ----------
    metastore, warehouse
        Folders for the Derby database and for tables made without a location.

    Returns
    -------
    dict
        Spark properties; under ``spark-submit`` only that Hive is wanted, since the cluster has a metastore.
    """
    conf = {"spark.sql.catalogImplementation": "hive"}
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return conf
    database = metastore.resolve() / "derby"
    return conf | {
        "spark.sql.warehouse.dir": _uri(str(warehouse)),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={database};create=true",
        # By default Hive tries ten times, over 20 seconds, to open a database that is locked.
        "spark.hadoop.hive.hmshandler.retry.attempts": "1",
    }


def _uri(place: str) -> str:
    """Make a folder absolute; not percent-encoded, since Hadoop takes a LOCATION as it is written."""
    return place if "://" in place else f"file://{Path(place).resolve()}"


def _session(settings: Settings, metastore: Path, warehouse: Path) -> SparkSession:
    conf = prepare(settings)
    if importlib.util.find_spec("pyspark") is None:
        raise WrongUsage(
            "The package pyspark is missing.", hint="Install it with `pip install 'crime-jobs[spark]'`."
        )
    from pyspark.sql import SparkSession

    own = session_conf(metastore, warehouse)
    if log := conf.get("spark.driver.extraJavaOptions"):
        metastore.mkdir(parents=True, exist_ok=True)
        own["spark.driver.extraJavaOptions"] = f"{log} -Dderby.stream.error.file={_log_file(metastore)}"
    builder = SparkSession.builder.appName("crime-jobs hive")
    for key, value in {**conf, **own}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    if session.conf.get("spark.sql.catalogImplementation") != "hive":
        raise JobFailed("This process has a Spark session without Hive.", hint="Stop it first.")
    # What fails comes as an exception; what the metastore and Spark's Hive commands log besides is noise.
    log4j: Any = session._jvm.org.apache.logging.log4j  # type: ignore[union-attr]
    log4j.core.config.Configurator.setAllLevels("", log4j.Level.OFF)
    return session


def _log_file(metastore: Path) -> Path:
    # Java options are split at blanks: with one in the path, Derby's log is not kept.
    path = metastore.resolve() / "derby.log"
    return Path(os.devnull) if " " in str(path) else path


def _variables(
    scripts: Sequence[Script], settings: Settings, given: Mapping[str, str], warehouse: Path
) -> dict[str, str]:
    used = {name for script in scripts for name in script.variables}
    for name in given:
        if name not in used and name not in (*_PLACES, "database"):
            takes = ", ".join(sorted(used)) or "none"
            named = ", ".join(script.name for script in scripts)
            raise WrongUsage(f"{named}: there is no variable {name!r}.", hint=f"It takes: {takes}.")
    places = {"landing": settings.landing, "lake": settings.lake, "warehouse": str(warehouse)}
    found = {name: _uri(given.get(name, place)).rstrip("/") for name, place in places.items()}
    return {**given, "database": database_of({**settings.sql, **given}), **found}


def run_script(
    path: str | Path,
    settings: Settings,
    variables: Mapping[str, str] | None = None,
    output: out.Format | None = None,
    *,
    metastore: Path = METASTORE,
    warehouse: Path = WAREHOUSE,
) -> list[Result]:
    """Run a script, or with ``setup`` all scripts that make and fill tables, and show what queries find.

    Parameters
    ----------
    path
        Path of a ``.hql`` file, the name or number of a script that comes with the package, or ``setup``.
    settings
        Landing, lake and Spark configuration.
    variables
        Values of ``${hivevar:name}``. ``landing``, ``lake``, ``warehouse`` and ``database`` have defaults.
    output
        How results are written to stdout; by default a table on a terminal, JSON lines in a pipe.
    metastore, warehouse
        Folders of the Derby metastore and of the tables that scripts fill.

    Returns
    -------
    list of Result
        The rows of each query, in order.

    Raises
    ------
    WrongUsage
        If there is no such script or variable, or the tables stand for another lake.
    BadInput
        If a landing file's columns are not in the order of its table.
    JobFailed
        If a statement fails, naming file and line, or another process has the metastore.
    """
    scripts = find(str(path))
    values = _variables(scripts, settings, variables or {}, warehouse)
    console = Console(stderr=True, soft_wrap=True)
    with _status(console) as status:
        session = _session(settings, metastore, warehouse)
        for name, value in values.items():
            session.conf.set(name, _quoted(value) if name in _PLACES else value)
        try:
            _check_metastore(session, metastore, values["database"])
            return [
                result
                for script in scripts
                for result in _run(session, script, values, status, output, of_setup=len(scripts) > 1)
            ]
        finally:
            for name in values:
                session.conf.unset(name)


def _quoted(value: str) -> str:
    """Make a place fit to stand between quotes, as it does in the scripts."""
    return re.sub(r"([\\'])", r"\\\1", value)


def _status(console: Console) -> AbstractContextManager[Status]:
    return console.status("Starting Spark …")


def _run(
    session: SparkSession,
    script: Script,
    values: Mapping[str, str],
    status: Status,
    output: out.Format | None,
    *,
    of_setup: bool,
) -> list[Result]:
    if STAGED in script.text and "lake" in script.variables:
        status.update(f"{script.name}: copying the landing files …")
        stage_landing(session, values["landing"], values["lake"])
    elif not of_setup and "lake" not in script.variables:
        _check_lake(session, values["lake"], values["database"])
    results = []
    for number, statement in enumerate(script.statements, start=1):
        status.update(f"{script.name}: statement {number} of {len(script.statements)} …")
        try:
            frame = session.sql(statement.text)
            if not frame.columns or _SILENT.match(statement.text):
                continue
            rows = [{n: _plain(v) for n, v in row.asDict().items()} for row in frame.collect()]
        except (PySparkException, Py4JError) as error:
            raise _failed(script, statement, error) from error
        results.append(Result(script.name, statement.line, statement.title, rows))
        status.stop()
        out.show(rows, output, title=statement.title)
        status.start()
    if of_setup:
        status.console.print(f"{script.name}: {script.summary}", highlight=False)
    return results


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _failed(script: Script, statement: Statement, error: BaseException) -> JobFailed:
    reason = _reason(error)
    hint = ""
    if "TABLE_OR_VIEW_NOT_FOUND" in reason or "SCHEMA_NOT_FOUND" in reason:
        hint = f"Make the tables first: `crime-jobs hive {SETUP}`."
    elif "PATH_NOT_FOUND" in reason or "does not exist" in reason:
        hint = "Fill the lake first: `crime-jobs run all`."
    text = statement.text if len(statement.text) < 500 else f"{statement.text[:500]} …"  # noqa: PLR2004
    return JobFailed(f"{script.path}, line {statement.line}: {reason}\n{text}\n", hint=hint)


def _reason(error: BaseException) -> str:
    java = getattr(error, "java_exception", None)
    lines = str(java if java is not None else error).strip().splitlines()
    # The plan, the caret under the SQL and the Java stack follow; the statement is shown anyway.
    kept = []
    for line in lines:
        if line.startswith(("== SQL", "'", "+-", ":", "\tat ", "JVM stacktrace")):
            break
        kept.append(line.strip())
    return " ".join(filter(None, kept))[:1000]


def _check_metastore(session: SparkSession, metastore: Path, database: str) -> None:
    try:
        session.catalog.databaseExists(database)
    except (PySparkException, Py4JError) as error:
        text = str(error)
        if "Another instance of Derby" in text or "XSDB6" in text or "SessionHiveMetaStoreClient" in text:
            raise JobFailed(
                f"The metastore {metastore} can't be opened: another process has it, "
                "and Derby serves one at a time.",
                hint="Wait until the other `crime-jobs hive` or `spark-sql` has ended, and run it again.",
            ) from error
        raise JobFailed(f"The metastore {metastore} can't be opened: {_reason(error)}") from error


def _check_lake(session: SparkSession, lake: str, database: str) -> None:
    """Refuse to answer from another lake than the one that was asked for."""
    name = f"{database}.crime_facts"
    if not session.catalog.tableExists(name):
        return
    described = session.sql(f"DESCRIBE FORMATTED {name}").where("col_name = 'Location'").first()
    location = str(described.data_type) if described else ""
    if _bare(location) != _bare(f"{lake}/crime_facts"):
        raise WrongUsage(
            "The tables of this metastore stand for the lake "
            f"{location.removesuffix('/crime_facts')}, not {lake}.",
            hint=f"Give that one with --lake, or make the tables anew: `crime-jobs hive {SETUP}`.",
        )


def _bare(uri: str) -> str:
    return re.sub(r"^file:/+", "/", uri).rstrip("/")
