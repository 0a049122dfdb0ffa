"""The job `migrate`: tables of the old Oracle, part by part, to DynamoDB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import BadInput, CrimeJobsError, JobFailed
from crime_jobs.executors import raised_on_executors
from crime_jobs.job import Job, Run
from crime_jobs.migrate import runs, statistics
from crime_jobs.migrate._executors import side_by_side
from crime_jobs.migrate._part import Loader, key_and_source
from crime_jobs.migrate.config import FROM_SETTINGS, LoadConfig, mappings_of, unusable
from crime_jobs.migrate.ledger import entry_of, now, open_ledger, table_in
from crime_jobs.migrate.partitions import Part, cut
from crime_jobs.migrate.source import Source, catalogue, connect, read, refusals
from crime_jobs.migrate.target import create_table
from crime_jobs.model.operations import ALL_TABLES
from crime_jobs.model.tablemapping import BadMapping, TableMapping

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from crime_jobs.budget import Budget
    from crime_jobs.migrate.config import MigrationConfig
    from crime_jobs.settings import Settings

#: Keys that collide at most; more of them say that the mapping's keys are wrong.
MOST_COLLISIONS = 10_000
#: So many are kept in the ledger, where an entry may have 400 KB; more are looked for again after a kill.
KEPT_COLLISIONS = 50


def plan(
    spark: SparkSession, settings: Settings, config: MigrationConfig
) -> tuple[Source, list[TableMapping]]:
    """Find out what is to be moved where.

    Parameters
    ----------
    spark
        The session.
    settings
        Region and profile.
    config
        Source and mapping.

    Returns
    -------
    tuple
        The database, and the tables with where they go.

    Raises
    ------
    CrimeJobsError
        If the secret, the mapping or the database can't be used.
    """
    mappings = mappings_of(config, settings)
    source = connect(settings, config.url, config.secret)
    tables = catalogue(spark, source, mappings.schemas, mappings.selects)
    try:
        return source, mappings.resolve(tables)
    except BadMapping as error:
        raise unusable(config.mappings, error) from error


class Load:
    """One run of the job.

    Parameters
    ----------
    run
        The job's run.
    config
        What it is told.
    """

    def __init__(self, run: Run, config: LoadConfig) -> None:
        assert run.settings is not None  # noqa: S101 - the runner gives them
        self._run, self._config, self._settings = run, config, run.settings
        self._spark = run.spark
        self._ledger = open_ledger(run.settings, config.task, config.ledger)
        self._moved = 0

    def work(self) -> None:
        """Move what is not moved yet, publish the statistics, tell how it ended.

        Raises
        ------
        CrimeJobsError
            If a table could not be moved, or rows of it do not fit. What was moved stays.
        """
        # Killed, it must not begin anew when it is run again.
        again = (
            "Run it again without again=true: it goes on from the part it was at."
            if self._config.again
            else ""
        )
        topic = self._config.topic
        with runs.recorded(self._settings, self._ledger, "migrate", topic, again=again) as record:
            source, mappings = plan(self._spark, self._settings, self._config)
            if self._config.again:
                # The tables first: without them nothing counts as done, also if this is killed half-way.
                for prefix in ("table#", "partition#", "exception#"):
                    self._ledger.forget(prefix)
            failed = self._load_all(source, mappings)
            found = statistics.read(self._ledger.client, self._config.task, self._config.ledger)
            publish_statistics(self._run, self._config.task, found)
            self._publish_exceptions(mappings)
            record.facts.update(
                tables=len(mappings),
                parts_moved_now=self._moved,
                rows=sum(one.FullLoadRows for one in found),
                error_rows=sum(one.FullLoadErrorRows + one.FullLoadCondtnlChkFailedRows for one in found),
            )
            if failed:
                record.facts["failed"] = sorted(failed)
                raise _summed_up(failed)

    def _load_all(self, source: Source, mappings: Sequence[TableMapping]) -> dict[str, CrimeJobsError]:
        failed: dict[str, CrimeJobsError] = {}

        def load(mapping: TableMapping, budget: Budget | None) -> None:
            try:
                self._load(source, mapping, budget)
            except CrimeJobsError as error:
                failed[str(mapping.source)] = error
                self._set(mapping, TableState=statistics.ERROR, LastUpdateTime=now())

        side_by_side(self._spark, mappings, self._config.write_units, load)
        return failed

    def _load(self, source: Source, mapping: TableMapping, budget: Budget | None) -> None:
        parts, done = self._parts(source, mapping)
        todo = [part for part in parts if part.number not in done]
        if todo:
            create_table(self._ledger.client, mapping, self._config.environment)
            self._set(mapping, TableState=statistics.FULL_LOAD, LastUpdateTime=now())
            loader = Loader(
                mapping,
                self._settings,
                (self._config.task, self._config.ledger),
                tuple(part.number for part in todo),
                self._collided(source, mapping),
                budget,
                self._config.max_error_rows,
            )
            rows = read(self._spark, source, mapping, [part.predicate for part in todo])
            doing = f"{mapping.source} could not be moved"
            with raised_on_executors(doing), refusals(source, doing):
                self._moved += len(rows.rdd.mapPartitionsWithIndex(loader).collect())
        self._complete(mapping, len(parts))

    def _parts(self, source: Source, mapping: TableMapping) -> tuple[list[Part], set[int]]:
        """Return the parts of a table, those of an earlier run if there was one, and which are done."""
        known = self._ledger.get(entry_of("table", mapping.source)) or {}
        print_, url = fingerprint(mapping), self._config.url
        if known.get("url", url) != url and not self._config.same_source:
            raise BadInput(
                f"{mapping.source} was begun from another database, {known['url']}.",
                hint="Give this one a name of its own with task=…; or say again=true to load it anew; or, if "
                "the same database has moved to this URL, same_source=true.",
            )
        if known.get("mapping", print_) != print_:  # without one, only a validation has noted something
            raise BadInput(
                f"{mapping.source} was begun under another mapping, or its columns have changed since.",
                hint="Say again=true to load it anew, or give the migration another name with task=….",
            )
        entries = dict(self._ledger.entries(entry_of("partition", mapping.source, "")))
        if known and len(entries) == known.get("parts"):
            found = [Part(int(name.rpartition("#")[2]), e["predicate"]) for name, e in entries.items()]
            return found, {p.number for p, e in zip(found, entries.values(), strict=True) if e.get("done")}
        parts = cut(self._spark, source, mapping, self._config.part_rows)
        for kind in ("partition", "exception"):  # of a cut, or of a forgetting, that was interrupted
            self._ledger.forget(entry_of(kind, mapping.source, ""))
        for part in parts:
            self._ledger.put(_part_entry(mapping, part.number), {"predicate": part.predicate, "done": False})
        self._set(
            mapping,
            TargetTable=mapping.target,
            TableState=statistics.BEFORE_LOAD,
            FullLoadStartTime=now(),
            mapping=print_,
            url=url,
            parts=len(parts),
        )
        return parts, set()

    def _collided(self, source: Source, mapping: TableMapping) -> dict[str, str]:
        """Return the keys of several rows, from the ledger if an earlier run looked for them already."""
        if not mapping.may_collide:
            return {}
        known = (self._ledger.get(entry_of("table", mapping.source)) or {}).get("collisions")
        if known is not None:
            return dict(known)
        found = collisions(self._spark, source, mapping)
        if len(found) <= KEPT_COLLISIONS:
            self._set(mapping, collisions=found)
        return found

    def _complete(self, mapping: TableMapping, parts: int) -> None:
        entries = list(self._ledger.entries(entry_of("partition", mapping.source, "")))
        if len(entries) != parts or not all(facts.get("done") for _, facts in entries):
            raise JobFailed(f"{mapping.source}: not every part is done.", hint="Run it again.")
        bad = sum(facts.get("error_rows", 0) + facts.get("collided_rows", 0) for _, facts in entries)
        if bad > self._config.max_error_rows:
            raise BadInput(
                f"{mapping.source}: {bad} rows do not fit, or have a key that another row has.",
                hint=f"They are listed in the table migration_exceptions of {self._run.lake}; all others "
                "were moved. Mend them at the source or in the mapping, then again=true; or allow them with "
                "max_error_rows=….",
            )
        state = self._ledger.get(entry_of("table", mapping.source)) or {}
        if state.get("TableState") != statistics.COMPLETED:
            self._set(mapping, TableState=statistics.COMPLETED, FullLoadEndTime=now(), LastUpdateTime=now())

    def _set(self, table: TableMapping, **facts: Any) -> None:
        named = {"SchemaName": table.source.schema, "TableName": table.source.name}
        self._ledger.update(entry_of("table", table.source), named | facts)

    def _publish_exceptions(self, mappings: Iterable[TableMapping]) -> None:
        targets = {str(mapping.source): mapping.target for mapping in mappings}
        rows = []
        for name, facts in self._ledger.entries("exception#"):
            table = table_in(name)
            about = (facts["source_key"], facts["kind"], facts["attribute"], facts["reason"])
            rows.append((self._config.task, table, targets.get(table, ""), *about))
        frame = self._spark.createDataFrame(rows, ALL_TABLES["migration_exceptions"].ddl)
        publish_of(self._run, "migrate", "migration_exceptions", self._config.task, frame)


def _part_entry(mapping: TableMapping, number: int) -> str:
    return entry_of("partition", mapping.source, f"{number:05d}")


def fingerprint(mapping: TableMapping) -> str:
    """Return what changes when a mapping, or the table it is about, does.

    Parameters
    ----------
    mapping
        The mapping.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    told = (mapping.source, mapping.target, mapping.partition_key, mapping.sort_key, mapping.attributes)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def collisions(spark: SparkSession, source: Source, mapping: TableMapping) -> dict[str, str]:
    """Find the keys that several rows would have, by reading all rows' keys.

    Parameters
    ----------
    spark
        The session.
    source
        The database.
    mapping
        The mapping.

    Returns
    -------
    dict
        The item's key to the primary key of the row that gets it: the least. Both as JSON.

    Raises
    ------
    BadInput
        If there are more than `MOST_COLLISIONS`.
    """
    from pyspark.sql import functions as F

    keys = replace(mapping, attributes=mapping.keys)
    doing = f"The keys of {mapping.source} could not be read"
    with raised_on_executors(doing), refusals(source, doing):
        pairs = read(spark, source, keys, ["1 = 1"]).rdd.mapPartitions(key_and_source(keys))
        found = (
            spark.createDataFrame(pairs, "item_key string, source_key string")
            .groupBy("item_key")
            .agg(F.count("*").alias("n"), F.min("source_key").alias("first"))
            .where("n > 1")
            .limit(MOST_COLLISIONS + 1)
            .collect()
        )
    if len(found) > MOST_COLLISIONS:
        raise BadInput(
            f"More than {MOST_COLLISIONS} keys of {mapping.source} would each have several rows.",
            hint="Its keys in the mapping leave out what tells its rows apart. Nothing of it was written.",
        )
    return {row.item_key: row.first for row in found}


def publish_of(run: Run, job: str, table: str, task: str, rows: DataFrame, **facts: Any) -> None:
    """Publish a task's rows of a table that several tasks share; those of the others stay.

    Parameters
    ----------
    run, job, table
        As `crime_jobs.job.Run.publish` takes them.
    task
        Name of the migration.
    rows
        All that the table shall have of it.
    **facts
        What else the report says.
    """
    from pyspark.sql import functions as F

    others = run.read(table).where(F.col("task") != task) if run.has(table) else None
    run.publish(job, table, rows if others is None else others.unionByName(rows), **facts)


def publish_statistics(run: Run, task: str, found: Sequence[statistics.TableStatistics]) -> None:
    """Publish the statistics of a migration as a table of the lake.

    Parameters
    ----------
    run
        The job's run.
    task
        Name of the migration.
    found
        As `statistics.read` returns them.
    """
    names = ALL_TABLES["migration_statistics"].names[3:]
    rows = [
        (
            task,
            f"{one.SchemaName}.{one.TableName}",
            one.TargetTable,
            *(getattr(one, _DMS_NAMES[name]) for name in names),
        )
        for one in found
    ]
    frame = run.spark.createDataFrame(rows, ALL_TABLES["migration_statistics"].ddl)
    publish_of(run, "migrate", "migration_statistics", task, frame)


#: A column of `migration_statistics` to DMS's name: ``full_load_rows`` is ``FullLoadRows``.
_DMS_NAMES = {
    name: "".join(part.title() for part in name.split("_"))
    for name in ALL_TABLES["migration_statistics"].names[3:]
}


def _summed_up(failed: Mapping[str, CrimeJobsError]) -> CrimeJobsError:
    """Return one error for all tables that failed: the first one's kind, every one's words."""
    first = next(iter(failed.values()))
    if len(failed) == 1:
        return first
    said = " ".join(error.message for error in failed.values())
    return type(first)(f"{len(failed)} tables failed. {said}", hint=first.hint)


def _work(run: Run, config: LoadConfig) -> None:
    Load(run, config).work()


JOB = Job(
    name="migrate",
    summary="Oracle to DynamoDB, by DMS's table mapping; goes on where it was stopped",
    writes=("migration_statistics", "migration_exceptions"),
    work=_work,
    config=LoadConfig,
    settings=FROM_SETTINGS,
    in_all=False,
)
