"""The job `export`: tables of DynamoDB to the landing folder, as CSV and Parquet.

Each run of a table lies in a folder of its own (`crime_jobs.model.exports`), so that landing is only ever
added to. A run that was stopped goes on when its name is given again: a segment whose file is durable is not
read a second time.

*Consistency.* A scan reads each item as it stands at that moment (``ConsistentRead``). It is no snapshot: an
item that changes while the scan runs may be there as it was before or after, and of two that change together
one may be old and the other new. ``via=service`` is a snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.errors import BadInput, CrimeJobsError, JobFailed
from crime_jobs.executors import raised_on_executors
from crime_jobs.job import Job, Run
from crime_jobs.migrate import _convert, _service_export, runs
from crime_jobs.migrate._columns import columns_of
from crime_jobs.migrate._executors import side_by_side
from crime_jobs.migrate._itemfiles import Staged
from crime_jobs.migrate._place import S3Place, open_place
from crime_jobs.migrate._plan import ExportConfig, Planned, new_run, plan
from crime_jobs.migrate._runlog import RunLog
from crime_jobs.migrate._segments import Segments, segment_entry
from crime_jobs.migrate.ledger import now, open_ledger
from crime_jobs.model import exports
from crime_jobs.model.exports import ExportedFile, KeyAttribute, Manifest

if TYPE_CHECKING:
    from crime_jobs.budget import Budget
    from crime_jobs.migrate._place import Place


_CONSISTENCY = {
    "scan": "each item as it stood when it was read, between started and ended; not a snapshot of the table",
    "service": "a snapshot: the table as it was at {time}",
}


class Export:
    """One run of the job.

    Parameters
    ----------
    run
        The job's run.
    config
        What it is told.
    """

    def __init__(self, run: Run, config: ExportConfig) -> None:
        assert run.settings is not None  # noqa: S101 - the runner gives them
        self._run, self._config, self._settings = run, config, run.settings
        self._context = run.spark.sparkContext
        self._id = config.run or new_run()
        self._landing = open_place(run.landing.rstrip("/"), run.settings)
        self._ledger = open_ledger(run.settings, config.task, config.ledger)
        self._log = RunLog(run.settings, config.logs, self._id)

    def work(self) -> None:
        """Export what is not exported yet, and tell how it ended.

        Raises
        ------
        CrimeJobsError
            If a table could not be exported. What was staged stays, and the run can go on.
        """
        again, topic = self._again, self._config.topic
        with runs.recorded(self._settings, self._ledger, "export", topic, again=again) as record:
            try:
                self._work(record)
            except Exception as error:
                known = isinstance(error, CrimeJobsError)
                self._log.note("run failed", error=str(error) if known else type(error).__name__)
                raise
            self._log.note("run ended", **record.facts)

    def _work(self, record: runs.Record) -> None:
        tables = plan(self._ledger.client, self._config, self._context.defaultParallelism)
        self._log.note("run began", tables=[table.name for table in tables], via=self._config.via)
        done, failed = self._export_all(tables)
        record.facts.update(
            export=self._id,
            tables=len(done),
            items=sum(one.items for one in done),
            bytes=sum(file.bytes for one in done for file in one.files),
        )
        if failed:
            record.facts["failed"] = sorted(failed)
            raise self._summed_up(failed)

    @property
    def _again(self) -> str:
        return f"Run it again with run={self._id}: it goes on, what is done is not read again."

    def _export_all(self, tables: Sequence[Planned]) -> tuple[list[Manifest], dict[str, CrimeJobsError]]:
        done: list[Manifest] = []
        failed: dict[str, CrimeJobsError] = {}

        def export(table: Planned, budget: Budget | None) -> None:
            try:
                done.append(self._export(table, budget))
            except CrimeJobsError as error:
                failed[table.name] = error
                self._log.note("table failed", table=table.name, error=error.message, hint=error.hint)

        side_by_side(self._run.spark, tables, self._config.read_units, export)
        return done, failed

    def _export(self, table: Planned, budget: Budget | None) -> Manifest:
        began = time.monotonic()
        place = self._landing.child(exports.run_folder(self._bare(table), self._id))
        if (text := place.read_text(exports.MANIFEST)) is not None:
            manifest = exports.read_manifest(text)
        else:
            begun = self._begun(table, place)
            staged, consistency = self._staged(table, place, begun, budget)
            self._log.note(
                "items staged", table=table.name, files=len(staged), items=sum(s.items for s in staged)
            )
            manifest = self._converted(table, place, staged, str(begun["started"]), consistency)
        seconds = round(time.monotonic() - began, 2)
        size = sum(file.bytes for file in manifest.files)
        self._log.note("table done", table=table.name, items=manifest.items, bytes=size, seconds=seconds)
        self._run.reports.append(
            {
                "table": table.name,
                "rows_read": manifest.items,
                "rows_quarantined": 0,
                "rows_written": manifest.items,
                "seconds": seconds,
                "job": "export",
                "run_id": self._id,
                "folder": str(place),
                "bytes": size,
                "files": [file.path for file in manifest.files],
            }
        )
        return manifest

    def _bare(self, table: Planned) -> str:
        """Return the name that a table has in every environment: what jobs know it by."""
        return table.name.removeprefix(self._config.prefix)

    def _begun(self, table: Planned, place: Place) -> Mapping[str, Any]:
        """Return what the ledger knows of this table's export; noted now, if this is its beginning."""
        name = f"export#{table.name}#{self._id}"
        told = {"via": self._config.via, "place": str(place)}
        if known := self._ledger.get(name):
            differs = [what for what, value in told.items() if known.get(what) != value]
            if self._config.segments and self._config.segments != known.get("segments"):
                differs.append("segments")
            if differs:
                raise BadInput(
                    f"The run {self._id} of {table.name} was begun with another {' and '.join(differs)}: "
                    f"via={known.get('via')}, segments={known.get('segments')}, in {known.get('place')}.",
                    hint="Go on with the same, or begin a new run by leaving out its name.",
                )
            return known
        facts = {**told, "segments": table.segments, "started": now()}
        self._ledger.put(name, facts)
        return facts

    def _staged(
        self, table: Planned, place: Place, begun: Mapping[str, Any], budget: Budget | None
    ) -> tuple[list[Staged], str]:
        """Bring the items into the run's folder; say as of when they are."""
        if self._config.via == "scan":
            return self._scanned(table, place, int(begun["segments"]), budget), _CONSISTENCY["scan"]
        arn = begun.get("arn")
        if not arn:
            arn = _service_export.begin(self._ledger.client, table.arn, place)
            self._ledger.update(f"export#{table.name}#{self._id}", {"arn": arn})
        about = _service_export.wait(aws.client("dynamodb", self._settings, attempts=1), arn)
        prefix = place.prefix if isinstance(place, S3Place) else ""
        found = _service_export.read(place, prefix, arn, about["ExportManifest"])
        return list(found.files), _CONSISTENCY["service"].format(time=found.time)

    def _scanned(self, table: Planned, place: Place, total: int, budget: Budget | None) -> list[Staged]:
        done = self._segments_done(table, place)
        todo = [number for number in range(total) if number not in done]
        if todo:
            ledger = (self._config.task, self._config.ledger)
            rate_ = self._config.read_units
            read = Segments(table.name, self._id, total, place, self._settings, ledger, budget, rate_)
            with raised_on_executors(f"{table.name} could not be read"):
                new = self._context.parallelize(todo, len(todo)).map(read).collect()
            done |= dict(zip(todo, new, strict=True))
        return [done[number] for number in range(total)]

    def _segments_done(self, table: Planned, place: Place) -> dict[int, Staged]:
        """Return the segments that an earlier attempt finished, and whose files are there."""
        start = segment_entry(table.name, self._id)
        known = {name: facts for name, facts in self._ledger.entries(start) if facts.get("done")}
        sizes = place.sizes() if known else {}
        return {
            int(name.removeprefix(start)): Staged(f["path"], f["items"], f["bytes"], sha256=f["sha256"])
            for name, f in known.items()
            if sizes.get(f["path"]) == f["bytes"]
        }

    def _converted(
        self, table: Planned, place: Place, staged: Sequence[Staged], started: str, consistency: str
    ) -> Manifest:
        """Make CSV and Parquet, prove that they are whole, and write the manifest: from then on it counts."""
        _clear(place)
        with raised_on_executors(f"The items of {table.name} could not be read"):
            found = self._context.parallelize(staged, len(staged)).map(_convert.Survey(place)).collect()
        columns = columns_of(self._bare(table), [key for key, _ in table.keys], _convert.merged(found))
        parts = list(enumerate(_convert.parts(one.file for one in found)))
        with raised_on_executors(f"{table.name} could not be converted"):
            tasks = self._context.parallelize(parts, len(parts)).map(_convert.Convert(place, columns))
            made = [file for files in tasks.collect() for file in files]
        items = sum(one.file.rows for one in found)
        _check(table.name, items, place, made)
        manifest = Manifest(
            table=table.name,
            run=self._id,
            via=self._config.via,
            started=started,
            ended=now(),
            key_schema=tuple(KeyAttribute(name=name, kind=kind) for name, kind in table.keys),
            columns=columns,
            items=items,
            consistency=consistency,
            files=(*(one.file for one in found), *made),
        )
        place.write_text(exports.MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        return manifest

    def _summed_up(self, failed: Mapping[str, CrimeJobsError]) -> CrimeJobsError:
        """Return one error for all tables that failed: the first one's kind, every one's words."""
        first = next(iter(failed.values()))
        said = " ".join(f"{name}: {error.message}" for name, error in sorted(failed.items()))
        return type(first)(f"Export {self._id}: {said}", hint=first.hint or self._again)


def _clear(place: Place) -> None:
    """Remove what a killed attempt left: without a manifest, nobody counts on it."""
    for name in place.sizes():
        if name.startswith((f"{exports.CSV}/", f"{exports.PARQUET}/")) or "/.unfinished-" in name:
            place.delete(name)


def _check(table: str, items: int, place: Place, made: Iterable[ExportedFile]) -> None:
    """Refuse an export of which CSV or Parquet has another number of rows than there are items."""
    files = list(made)
    in_csv = sum(file.rows for file in files if file.path.startswith(f"{exports.CSV}/"))
    footers = [file for file in files if file.path.startswith(f"{exports.PARQUET}/")]
    in_parquet = _convert.rows_of_parquet(place, footers)
    if not items == in_csv == in_parquet:
        raise JobFailed(
            f"{table}: {items} items were read, its CSV has {in_csv} rows and its Parquet {in_parquet}.",
            hint="The run was left without a manifest, so that nobody reads it.",
        )


def _work(run: Run, config: ExportConfig) -> None:
    Export(run, config).work()


JOB = Job(
    name="export",
    summary="DynamoDB to the landing folder, as CSV and Parquet; goes on where it was stopped",
    writes=(),
    work=_work,
    config=ExportConfig,
    settings={"topic": "topic", "logs": "logs", "ledger": "ledger", "prefix": "table_prefix"},
    in_all=False,
)
