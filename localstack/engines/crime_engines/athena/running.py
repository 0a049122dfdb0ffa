"""A query execution, run: in a thread and a DuckDB connection of its own."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from botocore.exceptions import BotoCoreError, ClientError
from sqlglot import exp

from crime_engines.athena.acting import Actions
from crime_engines.athena.kinds import described, info
from crime_engines.athena.model import CANCELLED, Query
from crime_engines.athena.resolving import Context, resolve
from crime_engines.athena.results import write_metadata, write_rows
from crime_engines.athena.scanning import Scanner, scans_of
from crime_engines.athena.statements import (
    CreateView,
    Ctas,
    Deallocate,
    Explain,
    Insert,
    Prepare,
    Select,
    Unload,
)
from crime_engines.athena.store import Store
from crime_engines.athena.viewing import keep_view
from crime_engines.athena.writing import Writer
from crime_engines.athena.wrong import QueryFailed, explained
from crime_engines.glue.catalog import Catalog
from crime_engines.protocol import Refusal
from crime_jobs.adhoc.dialect import SqlWrong, bind, generate

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("crime_engines")

#: Queries that run at a time; the others are QUEUED.
AT_A_TIME = 8
#: Rows that are held at a time.
_BATCH = 20_000
_MEMORY = "2GB"
_READING = (Select, Explain, Ctas, Insert, Unload, CreateView)


class Runner:
    """Runs queries.

    Parameters
    ----------
    store
        Where data is.
    catalog
        The catalogue.
    folder
        For files that are on their way.
    """

    def __init__(self, store: Store, catalog: Catalog, folder: Path) -> None:
        self._store, self._catalog, self._folder = store, catalog, folder
        self._slots = threading.Semaphore(AT_A_TIME)
        self._scanner = Scanner(store)
        self._actions = Actions(catalog, store)
        self._writer = Writer(store, catalog)
        self._lock = threading.Lock()
        self._buckets: set[str] = set()
        self._made: duckdb.DuckDBPyConnection | None = None

    def run(self, query: Query) -> None:
        """Run a query to its end, whatever that is.

        Parameters
        ----------
        query
            The query.
        """
        with self._slots:
            query.passes("start")
            if query.stopped:
                _end(query, "CANCELLED")
                return
            query.becomes("RUNNING")
            try:
                self._run(query)
            except QueryFailed as error:
                _end(query, "CANCELLED" if error.cancelled else "FAILED", error.reason)
            except SqlWrong as error:
                _end(query, "FAILED", str(error))
            except Refusal as refusal:
                _end(query, "FAILED", f"FAILED: {refusal.message}")
            except duckdb.Error as error:
                _end(query, "FAILED", explained(error).reason)
            except (ClientError, BotoCoreError) as error:
                _end(query, "FAILED", f"S3: {error}")
            except Exception:
                log.exception("query %s", query.id)
                _end(query, "FAILED", "GENERIC_INTERNAL_ERROR: the engine broke; its log says where")
            else:
                _end(query, "SUCCEEDED")

    def stop(self, query: Query) -> None:
        """Stop a query that has not ended.

        Parameters
        ----------
        query
            The query.
        """
        query.stopped = True
        if (connection := query.connection) is not None:
            connection.interrupt()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._made is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                made = duckdb.connect(config={"autoinstall_known_extensions": "false"})
                made.execute(f"SET memory_limit = '{_MEMORY}'")
                made.execute(f"SET temp_directory = '{self._folder / 'spill'}'")
                self._store.prepare(made)
                self._made = made
            connection = self._made.cursor()
        for setting in (
            "TimeZone = 'UTC'",
            "ieee_floating_point_ops = true",
            "preserve_insertion_order = true",
        ):
            connection.execute(f"SET {setting}")
        return connection

    def _run(self, query: Query) -> None:
        bucket = query.output.split("/")[2]
        if bucket not in self._buckets:  # asked once: a question more for each query would be a tenth of it
            if not self._store.has_bucket(query.output):
                raise QueryFailed(f"Unable to verify/create output bucket {bucket}")
            self._buckets.add(bucket)
        with tempfile.TemporaryDirectory(dir=self._prepared()) as name:
            folder = Path(name)
            statement = query.statement
            if isinstance(statement, _READING):
                with self._connect() as connection:
                    query.connection = connection
                    try:
                        self._read(query, connection, folder)
                    finally:
                        query.connection = None
            else:
                done = isinstance(statement, Prepare | Deallocate)  # when the statement was taken
                lines, columns = (
                    ([], []) if done else self._actions.act(statement, query.region, query.database)
                )
                query.result.lines, query.result.columns = lines, columns
                query.passes("rows")
                path = folder / "result"
                path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
                self._store.upload(path, query.location, query.encryption)
                write_metadata(path, columns)
                self._store.upload(path, f"{query.location}.metadata", query.encryption)

    def _prepared(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def _read(self, query: Query, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        statement: Any = query.statement
        tree = bind(statement.tree, query.request.get("ExecutionParameters") or [])
        context = Context(self._catalog, query.region, query.database)
        resolved = resolve(tree, context)
        scans = scans_of(resolved.tree, resolved.tables, self._scanner, connection)
        query.scanned = sum(scan.bytes for scan in scans.values())
        if query.cutoff is not None and query.scanned > query.cutoff and not isinstance(statement, Explain):
            query.scanned = query.cutoff
            raise QueryFailed("Bytes scanned limit was exceeded", cancelled=True)
        for table in resolved.tree.find_all(exp.Table):
            if (mark := table.meta.get("mark")) in scans:
                table.set("this", exp.to_identifier(mark, quoted=True))
                table.set("db", None)
        sql = generate(resolved.tree)
        for mark, scan in scans.items():
            sql = sql.replace(f'"{mark}"', f"({scan.sql})")
        query.passes("planned")
        if query.stopped:
            raise QueryFailed(CANCELLED, cancelled=True)
        if isinstance(statement, Select):
            self._select(query, connection, sql, folder)
        elif isinstance(statement, Explain):
            query.scanned = 0
            plan = connection.execute(f"EXPLAIN {sql}").fetchall()
            query.result.lines = [line for _, text in plan for line in str(text).splitlines()]
            query.result.columns = [described("Query Plan", "varchar")]
            query.passes("rows")
            path = folder / "result"
            path.write_text("".join(f"{line}\n" for line in query.result.lines), encoding="utf-8")
            self._store.upload(path, query.location, query.encryption)
        elif isinstance(statement, CreateView):
            query.scanned = 0
            keep_view(statement, query, self._catalog, connection, sql)
            query.result.lines = []
        else:
            self._writer.write(query, statement, connection, sql, folder)

    def _select(self, query: Query, connection: duckdb.DuckDBPyConnection, sql: str, folder: Path) -> None:
        found = connection.execute(sql)
        said = [str(column[1]) for column in found.description or ()]
        reader = found.to_arrow_reader(_BATCH)
        result = query.result
        result.columns = [info(f.name, f.type, kind) for f, kind in zip(reader.schema, said, strict=True)]
        path = folder / "result"
        write_rows(path, _until_stopped(reader, query), result, said)
        query.passes("rows")
        self._store.upload(path, query.location, query.encryption)
        write_metadata(path, result.columns)
        self._store.upload(path, f"{query.location}.metadata", query.encryption)


def _end(query: Query, state: str, reason: str | None = None) -> None:
    """End a query; one that was stopped has no other end."""
    if query.stopped:
        state, reason = "CANCELLED", CANCELLED
    query.becomes(state, reason)


def _until_stopped(reader: pa.RecordBatchReader, query: Query) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        if query.stopped:
            raise QueryFailed(CANCELLED, cancelled=True)
        yield batch
