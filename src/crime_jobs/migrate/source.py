"""The old database over JDBC: what tables it has, how they are read in parts, and as what text.

The database itself writes every number and every moment as text: Spark would read a NUMBER without precision
as decimal(38,10), and a DATE in the session's time zone. So each value arrives as the database has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crime_jobs.errors import JobFailed, WrongUsage
from crime_jobs.model.tablemapping import Kind, SourceColumn, SourceTable, TableMapping
from crime_jobs.secret import read_secret

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from crime_jobs.settings import Settings

#: Rows that one round trip brings.
FETCH_SIZE = 500

#: JDBC's and Oracle's own type codes (java.sql.Types; oracle.jdbc.OracleTypes) to what the type rules know.
_KINDS: dict[int, Kind] = {
    **dict.fromkeys((2, 3, 4, 5, -5, -6, 6, 7, 8, 100, 101), "number"),
    **dict.fromkeys((1, 12, -9, -15), "text"),
    91: "date",
    93: "timestamp",
    **dict.fromkeys((2014, -101), "timestamptz"),
    -102: "timestampltz",
    **dict.fromkeys((2005, 2011), "clob"),
    **dict.fromkeys((-2, -3, 2004), "raw"),
}

#: SYYYY: years before Christ have a sign; the others have a blank in its place, or nothing.
_MOMENT = 'SYYYY-MM-DD"T"HH24:MI:SS'
_FORMATS: dict[Kind, str] = {
    "date": f"TO_CHAR({{}}, '{_MOMENT}')",
    "timestamp": f"TO_CHAR({{}}, '{_MOMENT}.FF9')",
    "timestamptz": f"TO_CHAR({{}}, '{_MOMENT}.FF9TZH:TZM')",
    # It has the zone of whoever looks: in UTC it is the same from everywhere.
    "timestampltz": f"TO_CHAR(SYS_EXTRACT_UTC({{}}), '{_MOMENT}.FF9') || '+00:00'",
}

#: What Oracle calls tables that were dropped and are in its recycle bin.
_DROPPED = "BIN$"

#: A user name and password in Oracle's thin URL: ``jdbc:oracle:thin:scott/tiger@…``.
_CREDENTIALS = re.compile(r"(?i)^jdbc:oracle:\w+:[^@]+@|[;?&](user|password)=")
#: Where an error of a driver begins to say something.
_SAID = re.compile(r"ORA-\d+[^\n]*|\w*SQL\w*Exception[^\n]*")
#: Errors about a value, which drivers quote: of these the code alone is told.
_ABOUT_DATA = re.compile(r"(ORA-0(?:17|18|12|14)\d\d)|SQLDataException")


@dataclass(frozen=True)
class Source:
    """A database and who reads it.

    Parameters
    ----------
    url
        JDBC URL, without credentials.
    user, password
        The credentials; never shown.
    """

    url: str
    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def options(self) -> dict[str, str]:
        """The options of Spark's JDBC reader."""
        # Drivers register themselves, but not where Spark loads them from --jars.
        driver = {"driver": "oracle.jdbc.OracleDriver"} if self.url.startswith("jdbc:oracle:") else {}
        fetch = {"fetchsize": str(FETCH_SIZE)}
        return {"url": self.url, "user": self.user, "password": self.password, **fetch, **driver}


def connect(settings: Settings, url: str, secret: str) -> Source:
    """Read the credentials of the old database.

    Parameters
    ----------
    settings
        Region and profile.
    url
        JDBC URL.
    secret
        Name or ARN of a secret: JSON with ``username`` and ``password``, as RDS keeps them.

    Returns
    -------
    Source

    Raises
    ------
    WrongUsage
        If the URL is none or holds credentials.
    AwsRefused
        If the secret can't be read.
    BadInput
        If the secret is not such JSON.
    """
    if not url.startswith("jdbc:"):
        raise WrongUsage(
            "The URL of the source is not a JDBC URL.", hint="jdbc:oracle:thin:@//host:1521/ORCL"
        )
    if _CREDENTIALS.search(url):
        raise WrongUsage(
            "The URL of the source holds credentials.",
            hint=f"Keep them in the secret {secret}: what is in a URL ends in logs.",
        )
    return read_secret(
        settings,
        secret,
        ("username", "password"),
        lambda user, password: Source(url, str(user), str(password)),
        called="The secret",
        hint="Secrets that RDS manages are; write one of your own like them.",
    )


@contextmanager
def refusals(source: Source, doing: str) -> Iterator[None]:
    """Turn a driver's error into a sentence that names the database and what it said.

    Parameters
    ----------
    source
        The database.
    doing
        What was being done, as the start of the sentence.

    Raises
    ------
    JobFailed
        If the database refused, or can't be reached.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        text = str(error)
        said = _SAID.search(text)
        if not said and "No suitable driver" not in text:
            raise
        words = said.group() if said else ""
        if found := _ABOUT_DATA.search(words):
            words = f"a value could not be read ({found[1] or 'SQLDataException'}; it is not shown)"
        if "No suitable driver" in text:
            words = "no JDBC driver for such a URL is on Spark's class path"
        for hidden in (source.password, source.user):
            words = words.replace(hidden, "***") if hidden else words
        raise JobFailed(
            f"{doing}: {words[:300].strip()}",
            hint="Is the database up and reached from here, and are URL and secret right? "
            "What was moved stays; run it again and it goes on from there.",
        ) from None  # the driver's error may quote rows


@contextmanager
def _connection(spark: SparkSession, source: Source) -> Iterator[Any]:
    jvm: Any = spark._jvm
    if driver := source.options.get("driver"):
        jvm.org.apache.spark.sql.execution.datasources.jdbc.DriverRegistry.register(driver)
    properties = jvm.java.util.Properties()
    properties.setProperty("user", source.user)
    properties.setProperty("password", source.password)
    connection = jvm.java.sql.DriverManager.getConnection(source.url, properties)
    try:
        yield connection
    finally:
        connection.close()


def _rows(found: Any, *columns: str) -> Iterator[tuple[str, ...]]:
    while found.next():
        yield tuple(str(found.getString(column)) for column in columns)


def catalogue(
    spark: SparkSession, source: Source, schemas: Sequence[str], wanted: Callable[[SourceTable], bool]
) -> list[SourceTable]:
    """Ask the database for its tables.

    Parameters
    ----------
    spark
        The session, in whose JVM the driver is.
    source
        The database.
    schemas
        Patterns of schema names, ``%`` for any text.
    wanted
        Says of which tables the columns are asked for.

    Returns
    -------
    list of SourceTable
        Those that are not wanted have no columns.

    Raises
    ------
    JobFailed
        If the database refuses or can't be reached.
    """
    with refusals(source, "The source can't be read"), _connection(spark, source) as connection:
        about = connection.getMetaData()
        types = spark.sparkContext._gateway.new_array(spark._jvm.java.lang.String, 2)  # type: ignore[union-attr]
        types[0], types[1] = "TABLE", "BASE TABLE"  # Oracle's name for tables, and the SQL standard's
        found = []
        for schema in schemas:
            named = _rows(about.getTables(None, schema, "%", types), "TABLE_SCHEM", "TABLE_NAME")
            for owner, name in [pair for pair in named if not pair[1].startswith(_DROPPED)]:
                if not wanted(SourceTable(owner, name, (), ())):
                    found.append(SourceTable(owner, name, (), ()))
                    continue
                keys = _rows(about.getPrimaryKeys(None, owner, name), "KEY_SEQ", "COLUMN_NAME")
                key = tuple(column for _, column in sorted((int(n), c) for n, c in keys))
                found.append(SourceTable(owner, name, tuple(_columns(about, owner, name)), key))
        return found


def _columns(about: Any, schema: str, table: str) -> Iterator[SourceColumn]:
    # In a name, _ stands for itself; as a pattern it would stand for any sign.
    escape = about.getSearchStringEscape()
    patterns = [name.replace("_", f"{escape}_") for name in (schema, table)]
    found = about.getColumns(None, *patterns, "%")
    for name, code, type_name in list(_rows(found, "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME")):
        kind = _KINDS.get(int(code), "other")
        if kind == "timestamp" and type_name == "DATE":  # Oracle's DATE has a time, so it calls itself that
            kind = "date"
        yield SourceColumn(name, kind, type_name)


def quoted(name: str) -> str:
    """Return an identifier as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL quotes it."""
    return "'" + text.replace("'", "''") + "'"


def exact(expression: str) -> str:
    """Return the SQL that gives a number as text, with the fewest digits that give it exactly.

    Parameters
    ----------
    expression
        An expression that is a number.

    Returns
    -------
    str
        Oracle's ``TM9``, with a point for the decimal sign whatever the session's is
        (https://docs.oracle.com/en/database/oracle/oracle-database/19/sqlrf/Format-Models.html).
    """
    return f"TO_CHAR({expression}, 'TM9', 'NLS_NUMERIC_CHARACTERS = ''.,''')"


def text_of(column: SourceColumn) -> str:
    """Return the SQL that gives a column as the text the type rules take.

    Parameters
    ----------
    column
        The column.

    Returns
    -------
    str
        An expression of Oracle's SQL; binary columns stay as they are.
    """
    name = quoted(column.name)
    if column.kind == "number":
        return exact(name)
    return _FORMATS[column.kind].format(name) if column.kind in _FORMATS else name


def aliases(mapping: TableMapping) -> dict[str, str]:
    """Return the names under which a query gives, beside their text, the columns that parts are told by.

    Parameters
    ----------
    mapping
        The mapping.

    Returns
    -------
    dict
        Column name to the quoted name: the primary key's and that of ``parallel-load``.
    """
    columns = dict.fromkeys([*mapping.source.primary_key, *([mapping.ranges[0]] if mapping.ranges else [])])
    return {name: quoted(f"K#{number}") for number, name in enumerate(columns)}


def query(mapping: TableMapping) -> str:
    """Return the query for those columns that a mapping uses.

    Parameters
    ----------
    mapping
        The mapping.

    Returns
    -------
    str
        ``SELECT … FROM …`` without a semicolon; the columns of `aliases` stand at its end.
    """
    used = _used(mapping)
    known = {column.name: column for column in mapping.source.columns}
    columns = [f"{text_of(known[name])} AS {quoted(name)}" for name in known if name in used]
    columns += [f"{_comparable(known[name])} AS {alias}" for name, alias in aliases(mapping).items()]
    table = f"{quoted(mapping.source.schema)}.{quoted(mapping.source.name)}"
    return f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - names, quoted


def _comparable(column: SourceColumn) -> str:
    """Numbers and texts as they are, so that their index serves; others as text that no session changes."""
    if column.kind in ("number", "text"):
        return quoted(column.name)
    return f"RAWTOHEX({quoted(column.name)})" if column.kind == "raw" else text_of(column)


def _used(mapping: TableMapping) -> set[str]:
    used = {name for attribute in mapping.attributes for name in attribute.columns}
    return used | set(mapping.source.primary_key)


def read(spark: SparkSession, source: Source, mapping: TableMapping, predicates: Sequence[str]) -> DataFrame:
    """Read parts of a table, each by a task of its own.

    Parameters
    ----------
    spark
        The session.
    source
        The database.
    mapping
        The table.
    predicates
        Conditions on the columns of `aliases`; each row of the parts meets just one of them.

    Returns
    -------
    DataFrame
        A string column for each column that the mapping uses, binary for RAW; a partition a condition.
    """
    with refusals(source, f"{mapping.source} can't be read"):
        found = spark.read.jdbc(
            source.url, f"({query(mapping)}) t", predicates=list(predicates), properties=source.options
        )
        used = _used(mapping)
        return found.select(*(f"`{c.name}`" for c in mapping.source.columns if c.name in used))


def ask(spark: SparkSession, source: Source, sql: str) -> tuple[str | None, ...]:
    """Ask a question whose answer is one row.

    Parameters
    ----------
    spark
        The session.
    source
        The database.
    sql
        The query.

    Returns
    -------
    tuple
        The row's values as text.
    """
    with refusals(source, "The source can't be read"), _connection(spark, source) as connection:
        statement = connection.createStatement()
        found = statement.executeQuery(sql)
        found.next()
        number = found.getMetaData().getColumnCount()
        return tuple(found.getString(n) for n in range(1, number + 1))
