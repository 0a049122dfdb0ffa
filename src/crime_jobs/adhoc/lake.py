"""Asks the lake itself: DuckDB in this process over the published files, on disk or on S3, without Spark."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crime_jobs.adhoc import _said
from crime_jobs.adhoc._files import Place, firs_table, open_place, table_of
from crime_jobs.adhoc.asking import Answer, AnswerColumn, quoted
from crime_jobs.adhoc.ddl import FIRS
from crime_jobs.errors import Interrupted, WrongUsage
from crime_jobs.model.tables import TABLES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from sqlglot import exp

#: Rows of one batch.
ROWS = 50_000

#: Athena's types by Arrow's, for the columns of tables.
_ARROW = {"string": "varchar", "int32": "integer", "int64": "bigint", "double": "double", "bool": "boolean"}

#: DuckDB's types by Athena's names; ``DECIMAL(10,2)`` and the like are told apart by their first word.
_TYPES = {
    "VARCHAR": "varchar",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",  # what DuckDB adds up: Athena's sum is a bigint
    "FLOAT": "real",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp(3)",
    "TIMESTAMP WITH TIME ZONE": "timestamp(3) with time zone",
}


class LakeAsker:
    """Answers from the lake, in this process; each table is opened when it is first asked for.

    Parameters
    ----------
    lake
        The lake's folder, or its URI (``file:``, ``s3:``; ``s3a:`` is taken for ``s3:``). For S3 the region,
        credentials and endpoint come from the variables that every AWS tool reads.
    history
        Folder or URI of the stream's history, which is the table ``firs``; ``None``: it is not there.
    database
        What SQL may call the lake.
    """

    def __init__(self, lake: str, history: str | None = None, database: str = "crime") -> None:
        import duckdb

        self._database = database
        self._lake, self._history = lake, history
        self._place: Place | None = None
        self._opened: dict[str, dict[str, str]] = {}
        # SQL is asked of the lake's tables and of nothing else on this machine.
        self._duckdb = duckdb.connect(config={"enable_external_access": "false"})
        self._duckdb.execute("SET TimeZone = 'UTC'")

    def ask(self, sql: str, parameters: Sequence[str] = ()) -> Answer:
        """Ask; see `crime_jobs.adhoc.asking.Asker.ask`.

        Parameters
        ----------
        sql
            One SELECT in Athena's SQL.
        parameters
            Text for each ``?`` of it, in order.

        Returns
        -------
        Answer

        Raises
        ------
        WrongUsage
            If the SQL is wrong or does more than read.
        BadInput
            If a table is missing or not whole.
        AwsRefused
            If the lake is on S3, which refuses or can't be reached.
        Interrupted
            If Ctrl-C ended it.
        """
        import duckdb

        began = time.monotonic()
        translated = self._translated(sql, parameters)
        try:
            found = self._run(translated)
            columns = tuple(AnswerColumn(c[0], _athena(str(c[1]))) for c in found.description or ())
            schema, batches = _read(found.to_arrow_reader(ROWS), columns, sql)
            first = next(batches, None)
        except KeyboardInterrupt as error:
            raise Interrupted("Interrupted: the query was ended.") from error
        except duckdb.Error as error:
            raise _explained(error, sql) from error
        rows = _from(first, batches)
        return Answer(columns, schema, rows, seconds=time.monotonic() - began)

    def _run(self, translated: str) -> duckdb.DuckDBPyConnection:
        """Run in a thread: DuckDB keeps Ctrl-C to itself until it has ended."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(self._duckdb.execute, translated)
            try:
                return found.result()
            except KeyboardInterrupt:
                self._duckdb.interrupt()
                raise

    def close(self) -> None:
        """Close the connection."""
        self._duckdb.close()

    def _translated(self, sql: str, parameters: Sequence[str]) -> str:
        from sqlglot import exp

        from crime_jobs.adhoc import dialect

        try:
            statement = dialect.bind(dialect.parse(sql), [quoted(one) for one in parameters])
            for table in statement.find_all(exp.Table):  # crime.hot_spots is the lake's hot_spots
                if (table.db or self._database).lower() != self._database:
                    raise WrongUsage(
                        f"There is no {exp.table_name(table)} here: the lake is database {self._database}.",
                        hint="Other databases are asked through Athena, in an environment with a workgroup.",
                    )
                table.set("db", None)
                table.set("catalog", None)
            names = _tables_of(statement)
            schema = {name: self._open(name) for name in names}
            return dialect.translate(statement, schema)
        except dialect.SqlWrong as error:
            raise _said.wrong_sql(sql, error.what, error.line, error.column) from error

    def _open(self, table: str) -> dict[str, str]:
        """Open a table and return its columns with Athena's types."""
        if table not in self._opened:
            if table == FIRS:
                found: Any = firs_table(self._history)
            elif table in TABLES:
                self._place = self._place or open_place(self._lake)
                found = table_of(self._place, TABLES[table], _said.job_of(table))
            else:
                raise _said.missing_table(table, f"the lake {self._lake}", [*TABLES, FIRS])
            self._duckdb.register(table, found)
            self._opened[table] = {field.name: _ARROW[str(field.type)] for field in found.schema}
        return self._opened[table]


def _read(
    reader: pa.RecordBatchReader, columns: tuple[AnswerColumn, ...], sql: str
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Read on, with sums as Athena has them; what fails on the way fails in our words."""
    import duckdb
    import pyarrow as pa

    schema = pa.schema(
        [
            (f.name, pa.int64() if c.type == "bigint" else f.type)
            for f, c in zip(reader.schema, columns, strict=True)
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                yield batch if batch.schema == schema else batch.cast(schema)
        except duckdb.Error as error:
            raise _explained(error, sql) from error

    return schema, batches()


def _from(first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
        yield from rest


def _tables_of(statement: exp.Query) -> list[str]:
    """Name the tables that a statement reads, without those that it names itself."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    return sorted(
        {
            source.name.lower()
            for scope in traverse_scope(statement)
            for source in scope.sources.values()
            if isinstance(source, exp.Table) and source.name
        }
    )


def _explained(error: duckdb.Error, sql: str) -> WrongUsage:
    """Say in terms of the statement what DuckDB says of its translation, whose lines nobody knows."""
    said = str(error).partition("\n\nLINE ")[0]
    said = re.sub(r"^[A-Za-z ]+ Error: ", "", said)
    named = re.search(r'"([^"]+)"|with name (\w+)', said)
    place = _said.place_of(sql, named[1] or named[2]) if named else (None, None)
    return _said.wrong_sql(sql, said, *place)


def _athena(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return kind.lower()
    return _TYPES.get(kind, "varchar" if "(" in kind else kind.lower())
