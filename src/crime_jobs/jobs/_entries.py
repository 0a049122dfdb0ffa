"""The landing folder as one DataFrame of entries, read by `crime_jobs.model.landing` on the executors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from crime_jobs.errors import BadInput
from crime_jobs.lake import Folder
from crime_jobs.model import exports, heads, legacy
from crime_jobs.model.landing import BadFile, Entry, parse, read_header
from crime_jobs.model.layouts import MONTHS, SLOTS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from crime_jobs.job import Run

ENTRY_DDL = (
    "source_file string, line int, row_number int, fact string, layout string, row_kind string, "
    "state_code string, state string, district string, district_kind string, year int, head string, "
    "leaf boolean, cases bigint, reason string, record string"
)

#: Enough for any header line.
_HEAD_BYTES = 1 << 16
#: A file is read by one task, whole. NCRB's are below 1 MB; a file past this belongs split.
MAX_FILE_BYTES = 512 << 20
_ROWS_A_BATCH = 20_000


def _exported(run: Run) -> dict[str, int]:
    """Find the CSV of the newest whole export of each table that holds figures: path to bytes.

    Other tables (records of cases, districts) are not looked at: clean_ncrb has no use for them.
    """
    root = Folder(run.spark, run.landing).child(exports.FOLDER)
    if not root.exists():
        return {}
    found: dict[str, int] = {}
    for table in legacy.tables().values():
        folder = root.child(legacy.target_name(table))
        if table.layout is None or not folder.exists():
            continue
        newest = exports.latest(_whole_runs(folder))
        if newest is not None:
            place = folder.child(f"{exports.RUN}{newest.run}")
            found |= {str(place.child(file.path)): file.bytes for file in newest.below(exports.CSV)}
    for path, size in found.items():
        _check_size(run, path, size)
    return found


def _check_size(run: Run, path: str, size: int) -> None:
    found = [length for _, length in Folder(run.spark, path).glob()]
    if found != [size]:
        what = f"has {found[0]} bytes where its manifest has {size}" if found else "is gone"
        raise BadInput(
            f"The export's file {path} {what}.",
            hint="Put it back, or export the table anew. Nothing was written.",
        )


def _whole_runs(folder: Folder) -> Iterator[exports.Manifest]:
    """Yield the manifests of a table's exports; a run without one was stopped, and is passed over."""
    for name in folder.children():
        manifest = folder.child(name).child(exports.MANIFEST)
        if not name.startswith(exports.RUN) or not manifest.exists():
            continue
        try:
            yield exports.read_manifest(manifest.read_text())
        except exports.BadManifest as error:
            raise BadInput(
                f"The manifest {manifest} of an export can't be used: {error}.",
                hint="Remove that run's folder, or export the table anew.",
            ) from error


def read_files(run: Run) -> DataFrame:
    """Find the landing files and refuse those that can't be used at all.

    Parameters
    ----------
    run
        The run; its landing folder is looked in, and below it only for exports (`crime_jobs.model.exports`).

    Returns
    -------
    DataFrame
        ``path string, length bigint, content binary``, a row a file.

    Raises
    ------
    BadInput
        If there is no file, or a file is empty, not UTF-8, too large, of an unknown layout, or the
        same as another; all such files are named.
    """
    pattern = f"{run.landing.rstrip('/')}/*.[cC][sS][vV]"
    exported = _exported(run)
    delivered = dict(Folder(run.spark, pattern).glob())
    lengths = delivered | {exports.source_name(path): size for path, size in exported.items()}
    if not lengths:
        folder = Folder(run.spark, run.landing)
        what = "No CSV file is in the landing folder" if folder.exists() else "There is no landing folder"
        raise BadInput(f"{what} {folder}.", hint="Name another with --landing.")
    # Spark passes over files of no bytes without a word, so they are looked for here.
    problems = [f"{name}: it is empty" for name, length in sorted(lengths.items()) if not length]
    problems += [
        f"{name}: it has {length} bytes; split it, {MAX_FILE_BYTES} are the most"
        for name, length in sorted(lengths.items())
        if length > MAX_FILE_BYTES
    ]
    if problems:
        raise _unusable(run.landing, problems)
    paths = [*([pattern] if delivered else []), *exported]
    files = run.spark.read.format("binaryFile").load(paths).select("path", "length", "content")
    rows = files.select(
        "path",
        "length",
        F.sha2("content", 256).alias("digest"),
        F.expr(f"substring(content, 1, {_HEAD_BYTES})").alias("beginning"),
    ).collect()
    same = defaultdict(list)
    for row in sorted(rows, key=lambda r: str(r.path)):
        name = exports.source_name(row.path)
        same[row.digest].append(name)
        try:
            read_header(_first_line(bytes(row.beginning)))
        except BadFile as error:
            problems.append(f"{name}: {error}")
    problems += [f"{' and '.join(names)} are the same file" for names in same.values() if len(names) > 1]
    if problems:
        raise _unusable(run.landing, problems)
    return files


def _unusable(landing: str, problems: list[str]) -> BadInput:
    return BadInput(
        f"The landing folder {landing} has files that can't be used: {'; '.join(problems)}.",
        hint="Correct or remove them; nothing was written.",
    )


def _first_line(beginning: bytes) -> bytes:
    ends = [i for i in (beginning.find(b"\n"), beginning.find(b"\r")) if i >= 0]
    # A UTF-16 file is kept whole, so that it is named as such.
    return beginning if not ends or beginning[:2] in (b"\xff\xfe", b"\xfe\xff") else beginning[: min(ends)]


def _arrow(rows: list[Entry]) -> pa.RecordBatch:
    import pyarrow as pa

    kinds = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "boolean": pa.bool_()}
    types = [kinds[column.split()[1]] for column in ENTRY_DDL.split(", ")]
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, type=t) for c, t in zip(columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(Entry._fields))


def _parse_named(name: str, content: bytes) -> Iterator[Entry]:
    try:
        yield from parse(name, content)
    except BadFile as error:
        raise BadFile(f"{name}: {error}") from error


def _parse_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    rows: list[Entry] = []
    for batch in batches:
        for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
            for entry in _parse_named(exports.source_name(path.as_py()), content.as_py()):
                rows.append(entry)
                if len(rows) == _ROWS_A_BATCH:
                    yield _arrow(rows)
                    rows = []
    if rows:
        yield _arrow(rows)


def read_entries(run: Run) -> DataFrame:
    """Read all landing files; once a run, whoever asks.

    Parameters
    ----------
    run
        The run.

    Returns
    -------
    DataFrame
        The columns of `crime_jobs.model.landing.Entry`.

    Raises
    ------
    BadInput
        See `read_files`; also if a file's bytes turn out not to be UTF-8 further down.
    """
    if "entries" not in run.shared:
        files = read_files(run)
        # A task a file: their sizes differ less than what it costs to hold two in memory.
        spread = files.repartition(files.count())
        run.shared["entries"] = spread.mapInArrow(_parse_batches, ENTRY_DDL).persist()
    return run.shared["entries"]


def _parts(entries: DataFrame) -> DataFrame:
    """Every ``layout, head, whole`` of the vocabulary; leaf heads of a layout are parts of its total."""
    rows = []
    for layout in (*heads.CRIME_LAYOUTS, *heads.WOMEN_LAYOUTS):
        rows += [(layout, part, whole) for whole, parts in heads.parts(layout).items() for part in parts]
        rows += [(layout, leaf, heads.TOTAL) for leaf in heads.leaves(layout)]
    for layout, buckets in (("traffic_slot", SLOTS), ("traffic_month", MONTHS)):
        rows += [(layout, bucket, heads.TOTAL) for bucket in buckets.values()]
    return entries.sparkSession.createDataFrame(rows, "layout string, head string, whole string")


def wholes_and_parts(entries: DataFrame) -> DataFrame:
    """Put each whole that a source row gives beside the sum of the parts that the same row gives.

    Parameters
    ----------
    entries
        See `crime_jobs.model.landing.Entry`.

    Returns
    -------
    DataFrame
        ``source_file, row_number, row_kind, state_code, district, year, whole, expected, found``:
        ``expected`` is the whole, ``found`` the sum of its parts, null if it has none. The district
        is an empty string in files by state.
    """
    row = ["file_of_row", "row_number", "row_kind", "state_code", "district", "year"]
    # Not null, so that rows of files by state meet in the join. An export in the long layout comes in
    # several files, and a district's year may be spread over them.
    file = F.when(F.col("row_number") == 0, F.lit("")).otherwise(F.col("source_file"))
    given = entries.where("cases IS NOT NULL").withColumns(
        {"district": F.coalesce("district", F.lit("")), "file_of_row": file}
    )
    vocabulary = _parts(entries)
    parts = (
        given.join(F.broadcast(vocabulary), ["layout", "head"])
        .groupBy(*row, "whole")
        .agg(F.sum("cases").alias("found"))
    )
    known = F.broadcast(vocabulary.selectExpr("layout", "whole AS head").distinct())
    wholes = given.join(known, ["layout", "head"]).groupBy(*row, F.col("head").alias("whole"))
    whole = wholes.agg(F.min("source_file").alias("source_file"), F.sum("cases").alias("expected"))
    return whole.join(parts, [*row, "whole"], "left")
