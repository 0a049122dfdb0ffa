"""Copies landing files into one folder a layout, because a Hive table is a folder and reads by position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pyspark.errors import AnalysisException

from crime_jobs import spark as spark_module
from crime_jobs.errors import BadInput
from crime_jobs.hivesql._ddl import STAGED, LandingColumn, landing_columns
from crime_jobs.lake import Folder
from crime_jobs.model.landing import BadFile, read_header
from crime_jobs.model.layouts import Header
from crime_jobs.outcome import Recorder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from crime_jobs.settings import Settings

#: Enough for any header line.
_BEGINNING = 1 << 16


def check_order(header: Header, columns: tuple[LandingColumn, ...]) -> None:
    """Hold a file's header against the table that will read it by position.

    Parameters
    ----------
    header
        The file's header, as recognised by name.
    columns
        The table's columns, in order.

    Raises
    ------
    BadFile
        If a column is missing, one too many or in another place.
    """
    at = {index: (role, role) for role, index in header.keys.items()}
    at |= {index: (code, source) for index, source, code in header.measures}
    for index in range(max(header.width, len(columns))):
        code, source = at.get(index, ("", "nothing"))
        wanted = columns[index] if index < len(columns) else None
        if wanted is None or code != wanted.code:
            expects = wanted.name if wanted else "no such column"
            raise BadFile(
                f"column {index + 1} of its header is {source!r} where table landing_{header.layout} "
                f"has {expects}; a Hive table reads a CSV by position"
            )


def stage(settings: Settings, outcome: str | None = None) -> dict[str, list[str]]:
    """Copy the landing files in a session of its own; see `stage_landing`.

    Parameters
    ----------
    settings
        Landing, lake and Spark configuration.
    outcome
        Folder or URI where the outcome is written; see `crime_jobs.outcome`.

    Returns
    -------
    dict
        Layout to the names of its files.
    """
    spark = spark_module.start(settings, "crime-jobs hive stage")
    recorder = Recorder(spark, outcome, lambda _: None) if outcome else None
    try:
        copied = stage_landing(spark, settings.landing, settings.lake)
    except Exception as error:
        if recorder:
            recorder.failed(error)
        raise
    if recorder:
        recorder.done([])
    return copied


def stage_landing(spark: SparkSession, landing: str, lake: str) -> dict[str, list[str]]:
    """Copy the landing files to ``<lake>/landing_by_layout/<layout>/``; the landing folder is left as it is.

    Parameters
    ----------
    spark
        The session, whose file systems are used: local, HDFS or S3.
    landing, lake
        Folders or URIs.

    Returns
    -------
    dict
        Layout to the names of its files, also for layouts without any.

    Raises
    ------
    BadInput
        If there is no file, or a header is unknown or not in the order of its table. Nothing is
        copied then.
    """
    found = _sort(spark, landing)
    copied: dict[str, list[str]] = {}
    for layout in landing_columns():
        folder = Folder(spark, lake).child(STAGED).child(layout)
        folder.fs.mkdirs(folder.path)
        wanted = {_name(path): path for path in found.get(layout, [])}
        for name in set(folder.files()) - set(wanted):
            folder.child(name).delete()
        for name, path in wanted.items():
            _copy(spark, path, folder, name)
        copied[layout] = sorted(wanted)
    return copied


def _name(path: str) -> str:
    return unquote(path.rsplit("/", 1)[-1])


def _sort(spark: SparkSession, landing: str) -> dict[str, list[str]]:
    pattern = f"{landing.rstrip('/')}/*.[cC][sS][vV]"
    try:
        files = spark.read.format("binaryFile").load(pattern)
        rows = files.selectExpr("path", f"substring(content, 1, {_BEGINNING}) AS beginning").collect()
    except AnalysisException as error:
        raise BadInput(
            f"No CSV file is in the landing folder {landing}.", hint="Name another with --landing."
        ) from error
    columns = landing_columns()
    found: dict[str, list[str]] = {}
    problems = []
    for row in sorted(rows, key=lambda r: str(r.path)):
        try:
            header = read_header(bytes(row.beginning).splitlines()[0] if row.beginning else b"")
            check_order(header, columns[header.layout])
            found.setdefault(header.layout, []).append(row.path)
        except BadFile as error:
            problems.append(f"{_name(row.path)}: {error}")
    if problems:
        raise BadInput(
            f"The landing folder {landing} has files that the Hive tables can't read: {'; '.join(problems)}.",
            hint="Correct or remove them; nothing was copied.",
        )
    return found


def _copy(spark: SparkSession, path: str, folder: Folder, name: str) -> None:
    # Written under a name that Hive and Spark both pass over, then renamed: seen whole or not at all.
    jvm: Any = spark._jvm
    source = Folder(spark, unquote(path))
    part, target = folder.child(f"_{name}.part"), folder.child(name)
    conf = spark._jsc.hadoopConfiguration()
    jvm.org.apache.hadoop.fs.FileUtil.copy(source.fs, source.path, folder.fs, part.path, False, True, conf)
    target.delete()
    part.rename(target)
