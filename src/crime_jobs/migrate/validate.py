"""The job `validate`: every row of the source against its item in DynamoDB, by key and checksum, uncapped.

*What it proves.* Each row is read from the source once more and made into the item it should be; each item is
read back from DynamoDB, consistently. So whatever happened between the two (a row not read, a write lost or
done twice, an item changed or put there by somebody else, a value that DynamoDB gives back otherwise than it
was sent) is found, for every attribute of every row.

*What it does not.* Both sides know the same type rules: a rule that is itself wrong would make the same wrong
item twice. The rules are held by tests of their own against Oracle's and DynamoDB's documents. Nor is it a
snapshot: of a source that goes on changing, a row that changed since it was moved shows as different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from crime_jobs.errors import CrimeJobsError, JobFailed
from crime_jobs.executors import raised_on_executors
from crime_jobs.job import Job, Run
from crime_jobs.migrate import runs, statistics
from crime_jobs.migrate._compare import (
    DIFFERENT,
    MISSING,
    SAME,
    SOURCE_SIDE,
    SURPLUS,
    SUSPENDED,
    TARGET_SIDE,
    SourceSide,
    TargetSide,
    compare,
)
from crime_jobs.migrate._executors import side_by_side
from crime_jobs.migrate.config import FROM_SETTINGS, MigrationConfig
from crime_jobs.migrate.ledger import entry_of, now, open_ledger
from crime_jobs.migrate.load import (
    fingerprint,
    plan,
    publish_of,
    publish_statistics,
)
from crime_jobs.migrate.partitions import cut
from crime_jobs.migrate.source import Source, ask, quoted, read, refusals
from crime_jobs.model.operations import ALL_TABLES
from crime_jobs.model.tablemapping import TableMapping

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from crime_jobs.budget import Budget

#: Characters of key and of attributes' names that the ledger keeps of a difference: its entry must fit.
_SHOWN_KEY, _SHOWN_NAMES = 1000, 500


class ValidateConfig(MigrationConfig):
    """What `validate` is told besides.

    Parameters
    ----------
    read_units
        Read capacity units a second, over all executors; 0 for no limit of ours.
    part_rows
        Rows of the source that one task reads.
    segments
        Segments of the scan of a target table; 0 for one a part of the source, and at least one a processor.
    max_shown
        Differences of a table that the ledger keeps, to be shown; all of them are in the lake.
    moved_elsewhere
        Compare also tables of which the ledger knows no load: those that AWS DMS itself has moved.
    """

    read_units: Annotated[float, Field(ge=0)] = 0
    part_rows: Annotated[int, Field(ge=1)] = 50_000
    segments: Annotated[int, Field(ge=0, le=100_000)] = 0
    max_shown: Annotated[int, Field(ge=0, le=50)] = 20
    moved_elsewhere: bool = False


@dataclass
class _Found:
    """What became of one table."""

    table: TableMapping
    counts: dict[str, int] = field(default_factory=dict)
    differences: DataFrame | None = None
    pending: str = ""
    error: CrimeJobsError | None = None

    @property
    def failed(self) -> int:
        return sum(self.counts.get(kind, 0) for kind in (MISSING, SURPLUS, DIFFERENT))

    @property
    def compared(self) -> int:
        return sum(self.counts.get(kind, 0) for kind in (SAME, MISSING, DIFFERENT))

    @property
    def words(self) -> str:
        """How many keys differ in which way: ``2 missing, 1 different``."""
        kinds = (kind for kind in (MISSING, SURPLUS, DIFFERENT) if self.counts.get(kind))
        return ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds)


class Validation:
    """One run of the job.

    Parameters
    ----------
    run
        The job's run.
    config
        What it is told.
    """

    def __init__(self, run: Run, config: ValidateConfig) -> None:
        assert run.settings is not None  # noqa: S101 - the runner gives them
        self._run, self._config, self._settings = run, config, run.settings
        self._spark = run.spark
        self._ledger = open_ledger(run.settings, config.task, config.ledger)

    def work(self) -> None:
        """Compare all tables, publish what differs, tell how it ended.

        Raises
        ------
        CrimeJobsError
            If anything differs, or a table could not be compared.
        """
        with runs.recorded(self._settings, self._ledger, "validate", self._config.topic) as record:
            source, mappings = plan(self._spark, self._settings, self._config)
            found = self._all(source, mappings)
            try:
                self._publish(found)
            finally:
                for one in found:
                    if one.differences is not None:
                        one.differences.unpersist()
            record.facts.update(
                tables=len(found),
                rows=sum(one.compared for one in found),
                failed_records=sum(one.failed for one in found),
                rows_never_moved=sum(one.counts.get(SUSPENDED, 0) for one in found),
            )
            if bad := sorted(
                str(one.table.source) for one in found if one.failed or one.pending or one.error
            ):
                record.facts["failed"] = bad
                raise _summed_up(found, self._run.lake)

    def _all(self, source: Source, mappings: Sequence[TableMapping]) -> list[_Found]:
        def compared(mapping: TableMapping, budget: Budget | None) -> _Found:
            return self._table(source, mapping, budget)

        return side_by_side(self._spark, mappings, self._config.read_units, compared)

    def _table(self, source: Source, mapping: TableMapping, budget: Budget | None) -> _Found:
        found = _Found(mapping)
        try:
            known = self._ledger.get(entry_of("table", mapping.source)) or {}
            found.pending = self._why_not(mapping, known)
            self._begin(source, found)
            if not found.pending:
                self._compare(source, found, budget)
                self._end(found)
        except CrimeJobsError as error:
            found.error = error
            self._note(mapping, statistics.VALIDATION_ERROR, ValidationStateDetails=error.message)
        return found

    def _why_not(self, mapping: TableMapping, known: dict[str, Any]) -> str:
        """Say why a table can't be compared yet; an empty text if it can."""
        if not known.get("mapping"):
            return "" if self._config.moved_elsewhere else "it was not loaded yet"
        if known["mapping"] != fingerprint(mapping):
            return "it was loaded under another mapping, or its columns have changed since"
        parts = [facts for _, facts in self._ledger.entries(entry_of("partition", mapping.source, ""))]
        done = sum(bool(facts.get("done")) for facts in parts)
        if done < known.get("parts", 1):
            return f"its load is not complete: {done} of {known.get('parts')} parts are done"
        return ""

    def _begin(self, source: Source, found: _Found) -> None:
        name = f"{quoted(found.table.source.schema)}.{quoted(found.table.source.name)}"
        (rows,) = ask(self._spark, source, f"SELECT COUNT(*) FROM {name}")  # noqa: S608 - names, quoted
        self._note(
            found.table,
            statistics.PENDING,
            ValidationPendingRecords=int(rows or 0),
            ValidationFailedRecords=0,
            ValidationSuspendedRecords=0,
            ValidationStateDetails=f"not compared: {found.pending}" if found.pending else f"since {now()}",
            differences=[],
        )

    def _compare(self, source: Source, found: _Found, budget: Budget | None) -> None:
        from pyspark import StorageLevel
        from pyspark.sql import functions as F

        mapping, config, spark = found.table, self._config, self._spark
        doing = f"{mapping.source} and {mapping.target} could not be compared"
        with raised_on_executors(doing), refusals(source, doing):
            parts = cut(spark, source, mapping, config.part_rows)
            rows = read(spark, source, mapping, [part.predicate for part in parts])
            # By way of RDDs: the sessions of our jobs give Arrow's batches one row each.
            expected = rows.rdd.mapPartitions(SourceSide(mapping))
            total = config.segments or max(len(parts), spark.sparkContext.defaultParallelism)
            side = TargetSide(mapping, self._settings, total, budget, config.read_units)
            there = spark.sparkContext.parallelize(range(total), total).mapPartitions(side)
            compared = compare(
                spark.createDataFrame(expected, SOURCE_SIDE, verifySchema=False),
                spark.createDataFrame(there, TARGET_SIDE, verifySchema=False),
                self._listed(mapping),
            ).persist(StorageLevel.DISK_ONLY)  # else publishing would read both sides once more
            found.differences = compared
            counts = compared.groupBy("kind").agg(F.count("*").alias("n")).collect()
        found.counts = {row["kind"]: row["n"] for row in counts}

    def _listed(self, mapping: TableMapping) -> DataFrame | None:
        """Return the primary keys of the rows that the load has listed as not moved."""
        entries = self._ledger.entries(entry_of("exception", mapping.source, ""))
        rows = [(facts["source_key"],) for _, facts in entries]
        return self._spark.createDataFrame(rows, "source_key string") if rows else None

    def _end(self, found: _Found) -> None:
        self._note(
            found.table,
            statistics.MISMATCHED if found.failed else statistics.VALIDATED,
            ValidationPendingRecords=0,
            ValidationFailedRecords=found.failed,
            ValidationSuspendedRecords=found.counts.get(SUSPENDED, 0),
            ValidationStateDetails=found.words,
            differences=self._first(found),
        )

    def _first(self, found: _Found) -> list[list[str]]:
        """Return the first differences, as the ledger keeps them."""
        if not found.failed or found.differences is None:
            return []
        shown = found.differences.where("item_key IS NOT NULL").orderBy("item_key")
        return [
            [row["kind"], row["item_key"][:_SHOWN_KEY], row["attributes"][:_SHOWN_NAMES]]
            for row in shown.limit(self._config.max_shown).collect()
        ]

    def _note(self, mapping: TableMapping, state: str, **facts: Any) -> None:
        named = {
            "SchemaName": mapping.source.schema,
            "TableName": mapping.source.name,
            "TargetTable": mapping.target,
            "LastUpdateTime": now(),
            "ValidationState": state,
        }
        self._ledger.update(entry_of("table", mapping.source), named | facts)

    def _publish(self, found: Sequence[_Found]) -> None:
        from pyspark.sql import functions as F

        table = ALL_TABLES["validation_differences"]
        frames = [self._spark.createDataFrame([], table.ddl)]
        for one in found:
            if one.differences is not None and one.failed:
                told = one.differences.where("item_key IS NOT NULL")
                # Rows that came since, of one key: each differs from the item, which is one.
                told = told.dropDuplicates(["item_key"])
                named = (
                    F.lit(self._config.task).alias("task"),
                    F.lit(str(one.table.source)).alias("source_table"),
                    F.lit(one.table.target).alias("target_table"),
                )
                frames.append(told.select(*named, "item_key", "kind", "attributes"))
        rows = reduce(lambda a, b: a.unionByName(b), frames)
        read = sum(one.compared for one in found)
        publish_of(self._run, "validate", table.name, self._config.task, rows, rows_read=read)
        known = statistics.read(self._ledger.client, self._config.task, self._config.ledger)
        publish_statistics(self._run, self._config.task, known)


def _summed_up(found: Sequence[_Found], lake: str) -> CrimeJobsError:
    """Return one error for all tables that differ or could not be compared."""
    differ = [one for one in found if one.failed]
    pending = [one for one in found if one.pending and not one.error]
    errors = [one.error for one in found if one.error]
    said, hints = [], []
    if differ:
        keys = sum(one.failed for one in differ)
        tables = "; ".join(f"{one.table.source} {one.failed} ({one.words})" for one in differ)
        differs = "1 key differs" if keys == 1 else f"{keys} keys differ"
        said.append(f"{differs} between source and target: {tables}.")
        hints.append(
            f"All of them are in the table validation_differences of {lake}, by key and attribute. Mend them "
            "at their cause, or load the tables anew (`crime-jobs migrate --again`), and validate again; "
            "a surplus item is not of the source and stays until it is deleted."
        )
    if pending:
        said.append(f"Not compared: {'; '.join(f'{one.table.source}, {one.pending}' for one in pending)}.")
        hints.append("Run `crime-jobs migrate` to its end, then validate again.")
    said += [error.message for error in errors]
    hints += list(dict.fromkeys(error.hint for error in errors if error.hint))
    kind = type(errors[0]) if errors and not (differ or pending) else JobFailed
    return kind(" ".join(said), hint=" ".join(hints))


def _work(run: Run, config: ValidateConfig) -> None:
    Validation(run, config).work()


JOB = Job(
    name="validate",
    summary="Every row of Oracle against its item in DynamoDB, by key and checksum",
    writes=("validation_differences", "migration_statistics"),
    work=_work,
    config=ValidateConfig,
    settings=FROM_SETTINGS,
    in_all=False,
)
