"""COPY, done: texts into a raw table, what is wrong with each found by the database, the good ones loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from crime_engines.redshift.copying import Copy
from crime_engines.redshift.reading import Column, LoadFailed, lines_of, objects_of
from crime_engines.redshift.system import REASONS, SCHEMA
from crime_engines.storage import Storage

Connection = psycopg.Connection[Any]

#: What is wrong with a text that is no value of a type.
_CODES = {
    "smallint": 1207,
    "integer": 1207,
    "bigint": 1207,
    "real": 1208,
    "double precision": 1208,
    "numeric": 1209,
    "boolean": 1210,
    "date": 1205,
    "timestamp without time zone": 1206,
    "timestamp with time zone": 1206,
    "jsonb": 1216,
}
_TOO_LONG, _MISSING = 1204, 1213
_TIMESTAMP = "timestamp without time zone"


@dataclass(frozen=True)
class Bad:
    """A line that was not loaded."""

    uri: str
    line: int
    code: int
    column: Column | None = None
    value: str | None = None


def load(copy: Copy, connection: Connection, owner: Connection, storage: Storage, query: int) -> int:
    """Do a COPY within the transaction of a connection.

    Parameters
    ----------
    copy
        The COPY.
    connection
        Whose transaction it is part of.
    owner
        Another connection, in autocommit: errors stay noted whatever becomes of the transaction.
    storage
        S3.
    query
        Number of the statement.

    Returns
    -------
    int
        How many rows were loaded.

    Raises
    ------
    LoadFailed
        If it fails as a whole.
    """
    table, number, columns = _target(copy, connection)
    uris = objects_of(copy, storage)
    raw = sql.Identifier(f"copy_raw_{query}")
    fields = [sql.Identifier(f"c{at}") for at in range(len(columns))]
    make = "CREATE TEMP TABLE {} (object int, line bigint, {})"
    texts = sql.SQL(", ").join(sql.SQL("{} text").format(field) for field in fields)
    connection.execute(sql.SQL(make).format(raw, texts))
    bad: list[Bad] = []
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(raw)) as sink:
        for at, uri in enumerate(uris):
            for line, found in lines_of(uri, copy, columns, storage):
                if isinstance(found, int):
                    bad.append(Bad(uri, line, found))
                else:
                    sink.write_row((at, line, *found))
    bad += _judge(connection, raw, columns, uris, truncate=copy.truncate)
    if bad:
        _note(owner, bad, number, query)
    if len(bad) >= max(copy.max_errors, 1):
        raise LoadFailed(
            f"Load into table '{copy.table}' failed.  Check 'sys_load_error_detail' system table for details."
        )
    into = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE wrong IS NULL").format(
        table,
        sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
        sql.SQL(", ").join(_value(f, c) for f, c in zip(fields, columns, strict=True)),
        raw,
    )
    count = connection.execute(into).rowcount
    connection.execute(sql.SQL("DROP TABLE {}").format(raw))
    for name, value in (("copy_count", count), ("copy_id", query)):
        connection.execute("SELECT set_config(%s, %s, false)", (f"redshift.{name}", str(value)))
    return count


def _target(copy: Copy, connection: Connection) -> tuple[sql.Composable, int, list[Column]]:
    parts = [part for part in (copy.schema, copy.table) if part]
    table = sql.Identifier(*parts)
    row = connection.execute("SELECT to_regclass(%s)::oid::bigint", (table.as_string(connection),)).fetchone()
    if row is None or row[0] is None:
        raise LoadFailed(f"Cannot COPY into nonexistent table {'.'.join(parts)}")
    there = {
        name: (Column(name, base, length if base == "character varying" else None, not_null), identity)
        for name, base, length, not_null, identity in connection.execute(
            """SELECT attname::text, format_type(atttypid, NULL), atttypmod - 4,
                attnotnull AND NOT atthasdef, attidentity <> ''
            FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum""",
            (row[0],),
        )
    }
    names = copy.columns or [name for name, (_, identity) in there.items() if not identity]
    for name in names:
        if name not in there:
            raise LoadFailed(f'column "{name}" of relation "{copy.table}" does not exist')
        if there[name][1]:
            raise LoadFailed(f'cannot set an identity column to a value: "{name}"')
    return table, row[0], [there[name][0] for name in names]


def _value(field: sql.Composable, column: Column) -> sql.Composable:
    if column.type == _TIMESTAMP:  # a zone in the text counts
        return sql.SQL("({}::timestamptz AT TIME ZONE 'UTC')").format(field)
    return sql.SQL("{}::{}").format(field, sql.SQL(column.type))


def _judge(
    connection: Connection, raw: sql.Identifier, columns: list[Column], uris: list[str], *, truncate: bool
) -> list[Bad]:
    connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN wrong int").format(raw))
    tests: list[sql.Composable] = []
    for at, column in enumerate(columns):
        field = sql.Identifier(f"c{at}")
        if column.not_null:
            tests.append(_case(sql.SQL("{} IS NULL").format(field), at, _MISSING))
        if column.length is not None and column.length > 0:
            if truncate:
                connection.execute(
                    sql.SQL("UPDATE {0} SET {1} = left({1}, {2}) WHERE octet_length({1}) > {2}").format(
                        raw, field, sql.Literal(column.length)
                    )
                )
            too_long = sql.SQL("octet_length({}) > {}").format(field, sql.Literal(column.length))
            tests.append(_case(too_long, at, _TOO_LONG))
        if code := _CODES.get(column.type):
            invalid = sql.SQL("NOT pg_input_is_valid({}, {})").format(field, sql.Literal(column.type))
            tests.append(_case(invalid, at, code))
    if not tests:
        return []
    whole = sql.SQL("CASE {} END").format(sql.SQL(" ").join(tests))
    mark = sql.SQL("UPDATE {} SET wrong = {} WHERE {} IS NOT NULL").format(raw, whole, whole)
    connection.execute(mark)
    values = sql.SQL(", ").join(sql.Identifier(f"c{at}") for at in range(len(columns)))
    rows = connection.execute(
        sql.SQL("SELECT object, line, wrong, ARRAY[{}] FROM {} WHERE wrong IS NOT NULL ORDER BY 1, 2").format(
            values, raw
        )
    )
    return [
        Bad(uris[at], line, wrong % 10_000, columns[wrong // 10_000], texts[wrong // 10_000])
        for at, line, wrong, texts in rows
    ]


def _case(test: sql.Composable, at: int, code: int) -> sql.Composable:
    return sql.SQL("WHEN {} THEN {}").format(test, sql.Literal(at * 10_000 + code))


def _note(owner: Connection, bad: list[Bad], table: int, query: int) -> None:
    statement = sql.SQL(
        """INSERT INTO {}.stl_load_errors (userid, slice, tbl, starttime, session, query, filename,
        line_number, colname, type, col_length, position, raw_field_value, err_code, err_reason) VALUES
        (100, 0, %s, now() AT TIME ZONE 'UTC', pg_backend_pid(), %s, %s, %s, %s, %s, %s, 0, %s, %s, %s)"""
    ).format(sql.Identifier(SCHEMA))
    rows = [
        (
            *(table, query, one.uri, one.line),
            *((one.column.name, one.column.type) if one.column else ("", "")),
            str(one.column.length or 0) if one.column else "0",
            *(one.value, one.code, _reason(one)),
        )
        for one in bad
    ]
    with owner.cursor() as cursor:
        cursor.executemany(statement, rows)


def _reason(one: Bad) -> str:
    reason = REASONS.get(one.code, "Unknown parse error")
    if one.column is None or one.value is None:
        return reason
    return f"{reason}, Value '{one.value[:100]}', Pos 0, Type: {one.column.type}"
