"""The SQL of the history: its tables, and one load as one transaction.

Names of tables and columns come from here and from the model, values are bound. COPY takes no bound values:
what it names are URIs that the loader has made.
"""

# ruff: noqa: S608 - what is put into a statement is a name of the model, or checked
from __future__ import annotations

import re

from crime_jobs.model.fir_event import SCHEMA_VERSION, SQL_COLUMNS, Column

#: Redshift counts a VARCHAR's bytes, the columns count characters, of which UTF-8 makes up to four bytes.
_BYTES_OF_A_CHARACTER, _LONGEST = 4, 65_535
_TYPES = {"int": "INTEGER", "double": "DOUBLE PRECISION", "boolean": "BOOLEAN", "timestamp(3)": "TIMESTAMP"}

#: Bad lines that a load may have: as many as Redshift allows.
MAX_ERRORS = 100_000

_URI = re.compile(r"s3://[a-z0-9.-]+/[A-Za-z0-9!_.*()/=-]+")

NAMES = ", ".join(column.name for column in SQL_COLUMNS)


def sql_type(column: Column) -> str:
    """Return the type that a column has in Redshift.

    Parameters
    ----------
    column
        The column.
    """
    length = re.fullmatch(r"string\((\d+)\)", column.type)
    if length is None:
        return _TYPES[column.type]
    return f"VARCHAR({min(int(length[1]) * _BYTES_OF_A_CHARACTER, _LONGEST)})"


def _defined() -> str:
    return ", ".join(
        f"{column.name} {sql_type(column)}{'' if column.nullable else ' NOT NULL'}" for column in SQL_COLUMNS
    )


#: By key, so that a load finds what is there already without moving rows between nodes, and no state's FIRs
#: are all on one; sorted by the event time, which is what one asks by.
SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS firs ({_defined()}, load_id VARCHAR(32) NOT NULL) "
    "DISTSTYLE KEY DISTKEY (fir_key) COMPOUND SORTKEY (reported_at)",
    "CREATE TABLE IF NOT EXISTS fir_loads (object VARCHAR(2048) NOT NULL, etag VARCHAR(80), bytes BIGINT, "
    "state VARCHAR(16) NOT NULL, load_id VARCHAR(32) NOT NULL, noted BOOLEAN NOT NULL, "
    "loaded_at TIMESTAMP NOT NULL) DISTSTYLE ALL SORTKEY (object)",
    "CREATE TABLE IF NOT EXISTS fir_load_errors (object VARCHAR(2048) NOT NULL, line_number BIGINT NOT NULL, "
    "column_name VARCHAR(128), code INTEGER, error VARCHAR(400) NOT NULL, fir_key VARCHAR(800), "
    "content_hash VARCHAR(256), load_id VARCHAR(32) NOT NULL) DISTSTYLE ALL SORTKEY (object)",
)

#: Which statement of a load fails tells what is wrong.
TAKEN, COPIED, VERSION = "taken", "copied", "version"


class Load:
    """One load, as statements of one transaction.

    Parameters
    ----------
    claims
        URI of the list of its objects, as JSON lines.
    manifests
        URI of each manifest, and whether its objects are compressed.
    """

    def __init__(self, claims: str, manifests: list[tuple[str, bool]]) -> None:
        self._steps: list[tuple[str, str]] = [
            # Loads wait here for one another. It is the first statement: what others have
            # committed until it is granted is seen by those that follow.
            ("", "LOCK TABLE fir_loads"),
            (
                "",
                "CREATE TEMP TABLE fir_claims "
                "(object VARCHAR(2048) NOT NULL, etag VARCHAR(80), bytes BIGINT)",
            ),
            (
                "",
                f"COPY fir_claims (object, etag, bytes) FROM '{checked(claims)}' "
                "IAM_ROLE default JSON 'auto'",
            ),
            (TAKEN, _stop("fir_loads l JOIN fir_claims c ON c.object = l.object")),
            ("", f"CREATE TEMP TABLE fir_staging ({_defined()}) DISTSTYLE KEY DISTKEY (fir_key)"),
            *((COPIED, _copy(uri, compressed)) for uri, compressed in manifests),
            (VERSION, _stop(f"fir_staging WHERE schema_version <> {SCHEMA_VERSION}")),
            (
                "",
                f"INSERT INTO firs ({NAMES}, load_id) SELECT {_of('s')}, :load FROM (SELECT {NAMES}, "
                "ROW_NUMBER() OVER (PARTITION BY fir_key ORDER BY sent_at, content_hash) AS place "
                "FROM fir_staging) s LEFT JOIN firs f ON f.fir_key = s.fir_key "
                "WHERE s.place = 1 AND f.fir_key IS NULL",
            ),
            # The same key with another content is not the same FIR: a person has to look.
            (
                "",
                "INSERT INTO fir_load_errors (object, line_number, error, fir_key, content_hash, load_id) "
                "SELECT DISTINCT 'load', 0, 'another FIR has this key', s.fir_key, s.content_hash, :load "
                "FROM fir_staging s "
                "JOIN firs f ON f.fir_key = s.fir_key AND f.content_hash <> s.content_hash "
                "LEFT JOIN fir_load_errors e ON e.fir_key = s.fir_key AND e.content_hash = s.content_hash "
                "WHERE e.fir_key IS NULL",
            ),
            (
                "",
                "INSERT INTO fir_loads (object, etag, bytes, state, load_id, noted, loaded_at) "
                "SELECT object, etag, bytes, 'loaded', :load, false, GETDATE() FROM fir_claims",
            ),
        ]

    @property
    def sqls(self) -> list[str]:
        """The statements, in order."""
        return [sql for _, sql in self._steps]

    def meaning(self, number: int | None) -> str:
        """Say what it means that a statement fails.

        Parameters
        ----------
        number
            Of the statement, from 0.
        """
        return self._steps[number][0] if number is not None else ""

    def count(self, rows: tuple[int, ...], begin: str) -> int:
        """Add up the rows of the statements that begin so.

        Parameters
        ----------
        rows
            Of each statement.
        begin
            ``COPY fir_staging`` or ``INSERT INTO firs``.
        """
        return sum(
            max(count, 0)
            for (_, sql), count in zip(self._steps, rows, strict=True)
            if sql.startswith(f"{begin} ")
        )


def _stop(where: str) -> str:
    """Return a query that fails if there is such a row, and the transaction with it: SQL has no `if`."""
    return f"SELECT 1 / CASE WHEN COUNT(*) > 0 THEN 0 ELSE 1 END AS passed FROM {where}"


def _copy(manifest: str, compressed: bool) -> str:
    return (
        f"COPY fir_staging ({NAMES}) FROM '{checked(manifest)}' IAM_ROLE default MANIFEST JSON 'auto' "
        f"TIMEFORMAT 'auto' MAXERROR {MAX_ERRORS}{' GZIP' if compressed else ''}"
    )


def _of(alias: str) -> str:
    return ", ".join(f"{alias}.{column.name}" for column in SQL_COLUMNS)


def checked(uri: str) -> str:
    """Return a URI that can stand in quotes in a COPY.

    Parameters
    ----------
    uri
        The URI; ours.

    Raises
    ------
    ValueError
        If it has a character that no name of ours has.
    """
    if not _URI.fullmatch(uri):
        raise ValueError("not a URI of the loader's")
    return uri


#: Noting an object that can't be loaded: fails if somebody has loaded, or noted, it meanwhile.
REFUSE = (
    "LOCK TABLE fir_loads",
    _stop("fir_loads WHERE object = :object"),
    "INSERT INTO fir_load_errors (object, line_number, error, load_id) VALUES (:object, 0, :error, :load)",
    "INSERT INTO fir_loads (object, etag, bytes, state, load_id, noted, loaded_at) "
    "VALUES (:object, :etag, :bytes, 'refused', :load, true, GETDATE())",
)
REFUSE_TAKEN = 1

FORGET = (
    "LOCK TABLE fir_loads",
    "DELETE FROM fir_load_errors WHERE line_number = 0 AND object IN "
    "(SELECT object FROM fir_loads WHERE state = 'refused')",
    "DELETE FROM fir_loads WHERE state = 'refused'",
)


def note(errors: str | None) -> list[str]:
    """Return the statements that note a load's bad lines, once however often they are run.

    Parameters
    ----------
    errors
        URI of the list of them, as JSON lines; ``None`` if there are none.
    """
    names = "object, line_number, column_name, code, error, load_id"
    copied = (
        [f"COPY fir_load_errors ({names}) FROM '{checked(errors)}' IAM_ROLE default JSON 'auto'"]
        if errors
        else []
    )
    return [
        "LOCK TABLE fir_loads",
        "DELETE FROM fir_load_errors WHERE load_id = :load AND line_number > 0",
        *copied,
        "UPDATE fir_loads SET noted = true WHERE load_id = :load",
    ]
