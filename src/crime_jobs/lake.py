"""Reads and publishes the lake's tables, on any file system that Hadoop knows (``file``, ``s3``, ``hdfs``).

How a table becomes visible: it is written whole under ``<lake>/_staging/`` first. Where a rename is atomic
(disk, HDFS) the folder is then exchanged by two renames. An object store has no rename: there the new files
are put beside the old ones, ``_report.json`` with the list of the new ones is written (from here on
`read_table` sees the new table, whole), and the old files are deleted. A reader that lists the folder
itself may see old and new rows together for that moment; one that goes by ``_report.json`` never does.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import AwsRefused, BadInput, JobFailed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from crime_jobs.model.tables import Table

REPORT = "_report.json"
STAGING = "_staging"

#: A staging folder without a write for so long belongs to a run that was killed.
LEFTOVER_HOURS = 6

#: Ending of the folder that holds a table's old files between the two renames.
_OLD = "-old"

#: Schemes on which a rename of a folder is atomic.
_ATOMIC = {"file", "hdfs"}


class Folder:
    """A folder on a Hadoop file system.

    Parameters
    ----------
    spark
        The session.
    uri
        Path or URI; a path without a scheme is on the session's default file system.
    """

    def __init__(self, spark: SparkSession, uri: str) -> None:
        self._spark = spark
        conf = spark._jsc.hadoopConfiguration()
        jvm: Any = spark._jvm
        self._jvm = jvm
        self.path: Any = jvm.org.apache.hadoop.fs.Path(uri)
        self.fs: Any = self.path.getFileSystem(conf)
        self.path = self.fs.makeQualified(self.path)

    def __str__(self) -> str:
        return str(self.path.toString())

    def child(self, name: str) -> Folder:
        """Return a file or folder below this one."""
        return Folder(self._spark, f"{self}/{name}")

    @property
    def atomic_rename(self) -> bool:
        """Whether a rename of a folder here happens at once and whole."""
        return str(self.path.toUri().getScheme()) in _ATOMIC

    def exists(self) -> bool:
        """Whether it is there."""
        return bool(self.fs.exists(self.path))

    def delete(self) -> None:
        """Remove it with all below it; nothing happens when it is not there."""
        self.fs.delete(self.path, True)

    def rename(self, target: Folder) -> None:
        """Move it to a place where nothing is.

        Raises
        ------
        JobFailed
            If something is there already, or the file system refuses.
        """
        if target.exists() or not self.fs.rename(self.path, target.path):
            raise JobFailed(
                f"{self} could not be moved to {target}: another run writes there, or it may not be written.",
                hint="Run the job again when no other run is under way.",
            )

    def files(self) -> Iterator[str]:
        """Yield the files below, as paths relative to this folder, leaving out hidden ones."""
        if not self.exists():
            return
        found = self.fs.listFiles(self.path, True)
        while found.hasNext():
            relative = str(found.next().getPath().toString()).removeprefix(f"{self}/")
            if not any(part.startswith(("_", ".")) for part in PurePosixPath(relative).parts):
                yield relative

    def glob(self) -> Iterator[tuple[str, int]]:
        """Yield name and length in bytes of the files that this path, as a pattern, matches."""
        for status in self.fs.globStatus(self.path) or ():
            name = str(status.getPath().getName())
            if status.isFile() and not name.startswith(("_", ".")):
                yield name, int(status.getLen())

    def children(self) -> list[str]:
        """Return the names right below."""
        found = self.fs.listStatus(self.path) if self.exists() else ()
        return [str(status.getPath().getName()) for status in found]

    def last_written(self) -> float:
        """When the newest file below was written, in seconds since 1970; its own time if there is none."""
        newest = int(self.fs.getFileStatus(self.path).getModificationTime())
        found, times = self.fs.listFiles(self.path, True), list[int]()
        while found.hasNext():
            times.append(int(found.next().getModificationTime()))
        # An object store has no time of its own for a folder, so files come first.
        return max(times, default=newest) / 1000

    def read_text(self) -> str:
        """Read it as UTF-8 text."""
        stream = self.fs.open(self.path)
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def write_text(self, text: str) -> None:
        """Write it as UTF-8 text, replacing what is there; on S3 one object, so all or nothing."""
        stream = self.fs.create(self.path, True)
        try:
            stream.write(bytearray(text.encode("utf-8")))
        finally:
            stream.close()


def check_writable(spark: SparkSession, lake: str) -> None:
    """Write and remove a small file, so that a lake that can't be written is known before any work.

    Parameters
    ----------
    spark
        The session.
    lake
        The lake's folder or URI.

    Raises
    ------
    JobFailed, AwsRefused
        If it can't be written; the message says why.
    """
    what = f"The lake {lake} can't be written"
    try:
        staging = Folder(spark, lake).child(STAGING)
        if staging.path.toUri().getScheme() == "file":
            # Hadoop says only that it failed; the operating system says why.
            Path(str(staging.path.toUri().getPath())).mkdir(parents=True, exist_ok=True)
        probe = staging.child(f".probe-{uuid.uuid4().hex}")
        probe.write_text("x" * 4096)
        probe.delete()
    except Exception as error:
        raise explain(error, what) from error


def read_table(spark: SparkSession, lake: str, table: Table) -> DataFrame:
    """Read a table as it was last published, whole.

    Parameters
    ----------
    spark
        The session.
    lake
        The lake's folder or URI.
    table
        Which table.

    Returns
    -------
    DataFrame
        The columns and types of `table`.

    Raises
    ------
    BadInput
        If the table was never published there.
    """
    folder = Folder(spark, lake).child(table.name)
    report = folder.child(REPORT)
    again = "Run the job that makes it first (`crime-jobs list` shows which), or `crime-jobs run all`."
    if not report.exists():
        raise BadInput(f"Table {table.name} is not in the lake {lake}.", hint=again)
    try:
        said = json.loads(report.read_text())
        names, columns = said["files"], said["columns"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{report} is damaged.", hint=again) from error
    if columns != table.ddl:
        raise BadInput(
            f"Table {table.name} in the lake {lake} was made by another release: it has {columns}.",
            hint=again,
        )
    files = [f"{folder}/{name}" for name in names]
    reader = spark.read.schema(table.ddl).option("basePath", str(folder))
    found = reader.parquet(*files) if files else spark.createDataFrame([], table.ddl)
    return found.select(*table.names)


def has_table(spark: SparkSession, lake: str, table: Table) -> bool:
    """Tell whether a table was ever published.

    Parameters
    ----------
    spark
        The session.
    lake
        The lake's folder or URI.
    table
        Which table.

    Returns
    -------
    bool
    """
    return Folder(spark, lake).child(table.name).child(REPORT).exists()


def publish(
    spark: SparkSession, lake: str, table: Table, rows: DataFrame, report: dict[str, Any]
) -> dict[str, Any]:
    """Write a table whole and make it visible (see the module's text for what a reader can see).

    Parameters
    ----------
    spark
        The session.
    lake
        The lake's folder or URI.
    table
        What is written; `rows` must have just its columns.
    rows
        The rows.
    report
        What to say in ``_report.json`` besides the files and their rows; holds at least ``run_id``.

    Returns
    -------
    dict
        The report, with ``rows_written`` and ``files``.
    """
    if set(rows.columns) != set(table.names):
        raise ValueError(f"{table.name}: columns {rows.columns}, not {table.names}")
    final = Folder(spark, lake).child(table.name)
    staged = Folder(spark, lake).child(f"{STAGING}/{table.name}-{report['run_id']}")
    typed = rows.selectExpr(*(f"CAST({c.name} AS {c.type}) AS {c.name}" for c in table.columns))
    # Files of a good size whatever the number of tasks, and one file a partition folder.
    if table.partition_by:
        writer = typed.repartition(*table.partition_by).write.partitionBy(*table.partition_by)
    else:
        writer = typed.hint("rebalance").write
    try:
        writer.parquet(str(staged))
        files = sorted(staged.files())
        # Counted from the files' own footers: what a reader will find, not what was meant.
        written = spark.read.parquet(str(staged)).count() if files else 0
        about = {"table": table.name, "columns": table.ddl, "rows_written": written, "files": files}
        report = {**report, **about}
        text = json.dumps(report, indent=2, ensure_ascii=False)
        if final.atomic_rename:
            _exchange(staged, final, text)
        else:
            _put_beside(staged, final, files, text)
    except Exception:
        # Not after Ctrl-C: the session then may wait for an answer that never comes. A later run clears up.
        with suppress(Exception):
            staged.delete()
        raise
    staged.delete()
    return report


def clear_leftovers(spark: SparkSession, lake: str) -> None:
    """Remove the staging folders of runs that were killed.

    Parameters
    ----------
    spark
        The session.
    lake
        The lake's folder or URI. Folders in which nothing was written for `LEFTOVER_HOURS` are
        removed; younger ones may belong to a run that is under way. A table whose run was killed
        between its two renames is put back.
    """
    staging = Folder(spark, lake).child(STAGING)
    for name in staging.children():
        folder, table = staging.child(name), Folder(spark, lake).child(name.split("-")[0])
        try:
            if name.endswith(_OLD) and not table.exists():
                folder.rename(table)
            elif time.time() - folder.last_written() > LEFTOVER_HOURS * 3600:
                folder.delete()
        except Exception as error:
            if folder.exists():  # else another run has cleared it, or has gone on
                raise explain(error, f"{folder} could not be cleared") from error


def _exchange(staged: Folder, final: Folder, report: str) -> None:
    staged.child(REPORT).write_text(report)
    old = Folder(staged._spark, f"{staged}{_OLD}")
    if final.exists():
        final.rename(old)
    try:
        staged.rename(final)
    except Exception:
        if old.exists() and not final.exists():
            old.rename(final)
        raise
    old.delete()


def _put_beside(staged: Folder, final: Folder, files: list[str], report: str) -> None:
    old = set(final.files()) - set(files)
    for name in files:
        target = final.child(name)
        target.fs.mkdirs(target.path.getParent())
        staged.child(name).rename(target)
    final.child(REPORT).write_text(report)
    for name in sorted(old):
        final.child(name).delete()


#: What to look for in an error's text, what it means, what to do, and whose error it is.
_CAUSES = (
    (r"No space left on device", "the disk is full", "Free some space and run it again.", JobFailed),
    (r"Read-only file system", "it is read-only", "Choose another folder with --lake.", JobFailed),
    (r"Permission denied", "permission denied", "Choose another folder with --lake.", JobFailed),
    (r"(?i)not a directory|File exists", "a file stands where a folder must be",
     "Choose another folder with --lake.", JobFailed),
    (r"Mkdirs failed", "its folder can't be made", "Choose another folder with --lake.", JobFailed),
    (r"is not a Parquet file|Could not read footer|FAILED_READ_FILE|FileNotFoundException",
     "a file of the lake is damaged or gone", "Run the job that makes that table again.", JobFailed),
    (r"No FileSystem for scheme|Class org.apache.hadoop.fs.s3a\S* not found",
     "Spark has no driver for such a URI on its class path",
     "On EMR it is there; here see docs/localstack.md.", JobFailed),
    (r"NoSuchBucket|[Bb]ucket \S* ?does not exist", "there is no such bucket",
     "Make it, or correct the URI.", AwsRefused),
    (r"AccessDenied|Access Denied|Status Code: 403", "access denied",
     "Check the credentials, the role's policy and the bucket's.", AwsRefused),
    (r"Connection refused", "nothing answers there",
     "Is its server up, and AWS_ENDPOINT_URL right?", AwsRefused),
    (r"No AWS Credentials|Unable to load (AWS )?credentials", "no credentials were found",
     "Set them as for any AWS tool.", AwsRefused),
)  # fmt: skip

_FILE = re.compile(r"\S+\.parquet")


def explain(error: BaseException, what: str) -> JobFailed | AwsRefused:
    """Turn an error of the file system into a sentence.

    Parameters
    ----------
    error
        What was raised, mostly a ``Py4JJavaError``.
    what
        What was being done: ``The lake … can't be written``.

    Returns
    -------
    JobFailed or AwsRefused
        Ready to raise.
    """
    text = str(error)
    for sign, why, hint, kind in _CAUSES:
        if re.search(sign, text):
            file = _FILE.search(text) if "file of the lake" in why else None
            return kind(f"{what}: {why}{f' ({file.group()})' if file else ''}.", hint=hint)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((line for line in lines if re.search(r"Exception|Error", line)), lines[0] if lines else "")
    return JobFailed(f"{what}: {first[:300]}", hint="CRIME_JOBS_DEBUG=1 shows all of it.")
