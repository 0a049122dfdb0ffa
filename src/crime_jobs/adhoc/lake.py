"""Asks the lake itself: DuckDB in this process over the published files, on disk or on S3, without Spark."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from crime_jobs.adhoc import _said
from crime_jobs.adhoc._files import FIRS, Place, firs_table, open_place, table_of
from crime_jobs.adhoc.asking import Answer, AnswerColumn
from crime_jobs.errors import Interrupted, WrongUsage
from crime_jobs.model.tables import TABLES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from sqlglot import exp

#: Rows of one batch.
ROWS = 50_000

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
    """

    def __init__(self, lake: str, history: str | None = None) -> None:
        import duckdb

        self._lake, self._history = lake, history
        self._place: Place | None = None
        self._opened: set[str] = set()
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
        began = time.monotonic()
        statement = _parsed(sql)
        for table in _tables_of(statement):
            self._open(table)
        import duckdb
        import pyarrow as pa

        try:
            translated = _translated(statement, sql)
            found = self._duckdb.execute(translated, [*parameters])
            columns = tuple(AnswerColumn(c[0], _athena(str(c[1]))) for c in found.description or ())
            reader = found.to_arrow_reader(ROWS)
            schema = pa.schema(
                [pa.field(f.name, _plain(f.type, c)) for f, c in zip(reader.schema, columns, strict=True)]
            )
            batches = self._cast(reader, schema, sql)
            first = next(batches, None)
        except KeyboardInterrupt as error:
            raise Interrupted("Interrupted: the query was ended.") from error
        except duckdb.Error as error:
            raise _explained(error, sql) from error
        rows = _from(first, batches)
        return Answer(columns, schema, rows, seconds=time.monotonic() - began)

    def close(self) -> None:
        """Close the connection."""
        self._duckdb.close()

    def _open(self, table: str) -> None:
        if table in self._opened:
            return
        if table == FIRS:
            found = firs_table(self._history)
        elif table in TABLES:
            self._place = self._place or open_place(self._lake)
            found = table_of(self._place, TABLES[table], _said.job_of(table))
        else:
            raise _said.missing_table(table, f"the lake {self._lake}", [*TABLES, FIRS])
        self._duckdb.register(table, found)
        self._opened.add(table)

    def _cast(self, reader: pa.RecordBatchReader, schema: pa.Schema, sql: str) -> Iterator[pa.RecordBatch]:
        """Read on, with sums as Athena has them; what fails on the way fails in our words."""
        import duckdb

        try:
            for batch in reader:
                yield batch if batch.schema == schema else batch.cast(schema)
        except duckdb.Error as error:
            raise _explained(error, sql) from error


def _from(first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
        yield from rest


def _parsed(sql: str) -> exp.Expression:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, TokenError

    try:
        found = [one for one in sqlglot.parse(sql, dialect="athena") if one is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        reason = first.get("description") or str(error)
        reason = re.sub(r"Required keyword: .*", "something is missing after this", reason)
        column = first.get("col")
        if column is not None:  # sqlglot says where the word ends
            column -= max(len(first.get("highlight") or "") - 1, 0)
        raise _said.wrong_sql(sql, reason, first.get("line"), column) from error
    except TokenError as error:
        raise _said.wrong_sql(sql, str(error)) from error
    if len(found) != 1:
        raise _said.wrong_sql(sql, f"one statement is asked at a time, these are {len(found)}")
    if not isinstance(found[0], exp.Query):
        word = (sql.split() or [""])[0].upper()
        raise _said.wrong_sql(
            sql, f"the lake is only read: {word} is no SELECT", *_said.place_of(sql, word)
        )
    return found[0]


def _tables_of(statement: exp.Expression) -> list[str]:
    """Name the tables that a statement reads, without those that it names itself."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    found = {
        source.name.lower()
        for scope in traverse_scope(statement)
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and source.name
    }
    return sorted(found)


def _translated(statement: exp.Expression, sql: str) -> str:
    from sqlglot import exp

    try:
        from crime_jobs.adhoc.dialect import Unsupported, translate
    except ImportError:
        return statement.sql(dialect="duckdb")

    for table in statement.find_all(exp.Table):  # crime.hot_spots is the lake's hot_spots
        table.set("db", None)
        table.set("catalog", None)
    try:
        return translate(statement)
    except Unsupported as error:
        raise _said.wrong_sql(sql, error.what, error.line, error.column) from error


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


def _plain(kind: pa.DataType, column: AnswerColumn) -> pa.DataType:
    import pyarrow as pa

    return pa.int64() if column.type == "bigint" else kind
