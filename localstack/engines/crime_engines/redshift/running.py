"""A statement, run: in a thread and a session of its own, in one transaction."""

from __future__ import annotations

import logging
import re
from typing import Any

import psycopg
from psycopg import sql

from crime_engines.redshift.copying import Copy
from crime_engines.redshift.creating import BYTES, Made
from crime_engines.redshift.database import Database, NoDatabase
from crime_engines.redshift.loading import load
from crime_engines.redshift.model import Part, Statement
from crime_engines.redshift.reading import LoadFailed
from crime_engines.redshift.refused import Unsupported
from crime_engines.redshift.results import Result, metadata
from crime_engines.redshift.sql import Action, Nothing, Plain, names_in, translate
from crime_engines.redshift.system import SCHEMA
from crime_engines.redshift.unloading import Unload, written
from crime_engines.storage import Storage

log = logging.getLogger("crime_engines")

Connection = psycopg.Connection[Any]


class Session:
    """What a statement runs in.

    Parameters
    ----------
    database
        The server.
    name
        Of the database on it.
    storage
        S3.
    """

    def __init__(self, database: Database, name: str, storage: Storage) -> None:
        self._database, self._name, self._storage = database, name, storage

    def run(self, statement: Statement) -> None:
        """Run a statement to its end, whatever that is.

        Parameters
        ----------
        statement
            The statement.
        """
        try:
            statement.becomes("PICKED")
            with self._database.connect(self._name) as connection:
                statement.connection, statement.pid = connection, connection.info.backend_pid
                statement.becomes("STARTED")
                self._parts(statement, connection)
        except (psycopg.Error, NoDatabase, OSError) as error:
            statement.becomes("ABORTED" if statement.cancelled else "FAILED", f"ERROR: {error}")
        except Exception:
            log.exception("Statement %s", statement.id)
            statement.becomes("FAILED", "ERROR: The engine broke; its log says where.")
        finally:
            statement.connection = None

    def _parts(self, statement: Statement, connection: Connection) -> None:
        alone = statement.request.get("ExecutionMode") == "AUTO_COMMIT"
        failed = None
        connection.execute("BEGIN")
        for number, part in enumerate(statement.parts, 1):
            if statement.cancelled or (failed and not alone):
                part.becomes("ABORTED")
                continue
            error = self._part(statement, part, connection)
            if error:
                connection.execute("ROLLBACK")
                failed = failed or (f"Query #{number} failed with {error}" if statement.is_batch else error)
                connection.execute("BEGIN")
            elif alone or _commits(part.sql):
                connection.execute("COMMIT")
                connection.execute("BEGIN")
        connection.execute("ROLLBACK" if statement.cancelled or (failed and not alone) else "COMMIT")
        end = "ABORTED" if statement.cancelled else "FAILED" if failed else "FINISHED"
        statement.becomes(end, failed)

    def _part(self, statement: Statement, part: Part, connection: Connection) -> str | None:
        part.becomes("STARTED")
        try:
            action = translate(
                part.sql, {n: v for n, v in statement.values.items() if n in names_in(part.sql)}
            )
            number = connection.execute(f"SELECT nextval('{SCHEMA}.queries')").fetchone()
            part.query = number[0] if number else 0
            self._act(action, part, connection)
        except (psycopg.Error, Unsupported, LoadFailed) as error:
            said = (
                "ERROR: Query cancelled on user's request"
                if statement.cancelled
                else f"ERROR: {_said(error)}"
            )
            part.becomes("ABORTED" if statement.cancelled else "FAILED", said)
            return said
        part.becomes("FINISHED")
        return None

    def _act(self, action: Action, part: Part, connection: Connection) -> None:
        if isinstance(action, Copy):
            with self._database.connect(self._name, owner=True) as owner:
                part.rows = load(action, connection, owner, self._storage, part.query)
        elif isinstance(action, Unload):
            part.rows = self._unload(action, connection)
        elif isinstance(action, Made):
            connection.execute(action.sql.encode())
            _note_keys(action, connection)
        elif isinstance(action, Plain):
            with psycopg.RawCursor(connection) as cursor:
                cursor.execute(action.sql.encode(), action.parameters or None)
                part.rows = cursor.rowcount
                if action.returns_rows and cursor.description:
                    part.result = Result(metadata(cursor.description), cursor.fetchall())
        elif not isinstance(action, Nothing):
            raise TypeError(type(action))

    def _unload(self, unload: Unload, connection: Connection) -> int:
        if not unload.overwrite and self._storage.list(unload.target):
            raise LoadFailed(
                "Specified unload destination on S3 is not empty. Consider using a different bucket / "
                "prefix, manually removing the target files in S3, or using the ALLOWOVERWRITE option."
            )
        query = translate(unload.query, {})
        if not isinstance(query, Plain) or not query.returns_rows:
            raise Unsupported("UNLOAD takes a SELECT")
        cursor = connection.execute(query.sql.encode())
        rows, description = cursor.fetchall(), cursor.description or []
        self._storage.put(unload.key, written(unload, [column.name for column in description], rows))
        return len(rows)


def _note_keys(made: Made, connection: Connection) -> None:
    if made.is_temporary:
        return
    style = made.diststyle or ("KEY" if made.distkey else "AUTO(ALL)")
    note = (
        "INSERT INTO {}.keys VALUES (coalesce(%s, current_schema()), %s, %s, %s, %s) ON CONFLICT DO NOTHING"
    )
    connection.execute(
        sql.SQL(note).format(sql.Identifier(SCHEMA)),
        (made.schema, made.table, style, made.distkey, made.sortkeys),
    )


def _commits(text: str) -> bool:
    """TRUNCATE commits the transaction that it is in."""
    return text.lstrip()[:8].upper() == "TRUNCATE"


def _said(error: Exception) -> str:
    if isinstance(error, psycopg.errors.CheckViolation) and BYTES in (error.diag.constraint_name or ""):
        length = (error.diag.constraint_name or "").removeprefix(BYTES).partition("_")[0]
        return f"value too long for type character varying({length})"
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or re.sub(r"\s+", " ", str(error)).strip()
    return str(error)
