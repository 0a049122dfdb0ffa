"""What it is to ask: the settings, an answer, and what whoever is asked can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from crime_jobs.model.names import CATALOGUE_NAME, DATABASE
from crime_jobs.model.sections import read_table

if TYPE_CHECKING:
    import pyarrow as pa

    from crime_jobs.settings import Settings

#: Athena bills no query for less (https://aws.amazon.com/athena/pricing/).
LEAST_BYTES = 10 * 1000 * 1000
#: Bytes that the price is for: the smaller of the two terabytes, so that no price is told too low.
TERABYTE = 10**12


class SqlSettings(BaseModel):
    """The table ``[<environment>.sql]`` of ``crime-jobs.toml``; every value has a default.

    Parameters
    ----------
    workgroup
        Athena's workgroup; without one the lake is asked directly, in this process.
    database
        Name of the database in the Glue catalogue.
    catalog
        Name of the data catalogue.
    results
        ``s3://`` URI that results are written under, where the workgroup says none.
    price_per_tb
        USD for a terabyte scanned, as in us-east-1 (https://aws.amazon.com/athena/pricing/).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workgroup: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9._-]{1,128}$")
    database: str = Field(default=DATABASE, pattern=CATALOGUE_NAME)
    catalog: str = Field(default="AwsDataCatalog", min_length=1, max_length=256)
    results: str | None = Field(default=None, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$")
    price_per_tb: float = Field(default=5.0, ge=0)

    def price(self, scanned_bytes: int) -> float:
        """Return what a query costs in USD.

        Parameters
        ----------
        scanned_bytes
            What it scanned. Athena bills 10 MB at least, and nothing for statements that scan nothing.
        """
        return max(scanned_bytes, LEAST_BYTES) / TERABYTE * self.price_per_tb if scanned_bytes else 0.0


def of(settings: Settings) -> SqlSettings:
    """Read the table of an environment.

    Parameters
    ----------
    settings
        The settings.

    Returns
    -------
    SqlSettings

    Raises
    ------
    WrongUsage
        If it has a name that nothing is called by, or a value that can't be.
    """
    return read_table(SqlSettings, "sql", settings.sql)


def quoted(text: str) -> str:
    """Return text as a literal of SQL, which is how the value of a ``?`` is given.

    Parameters
    ----------
    text
        Any text.
    """
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class AnswerColumn:
    """A column of an answer: its name, and its type as Athena calls it (``varchar``, ``bigint``)."""

    name: str
    type: str


@dataclass
class Answer:
    """The rows of a question, read as they are taken.

    Parameters
    ----------
    columns
        Names and types.
    schema
        The same for Arrow; two columns may have one name.
    read
        The rows, once.
    query_id
        Athena's id of the query; ``None`` from the lake.
    scanned_bytes
        What Athena bills; ``None`` where nobody counts.
    seconds
        From asking until the first row could be read.
    """

    columns: tuple[AnswerColumn, ...]
    schema: pa.Schema
    read: Iterator[pa.RecordBatch]
    query_id: str | None = None
    scanned_bytes: int | None = None
    seconds: float = 0.0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows; they can be taken once."""
        return self.read

    def table(self) -> pa.Table:
        """Return all rows that were not taken yet."""
        import pyarrow as pa

        return pa.Table.from_batches(self.read, schema=self.schema)


class Asker(Protocol):
    """Whoever answers SQL."""

    def ask(self, sql: str, parameters: Sequence[str] = ()) -> Answer:
        """Ask.

        Parameters
        ----------
        sql
            One statement in Athena's SQL.
        parameters
            Text for each ``?`` of it, in order.

        Returns
        -------
        Answer

        Raises
        ------
        WrongUsage
            If the SQL is wrong; line, column and that line are told.
        BadInput
            If a table is not there.
        AwsRefused
            If AWS refuses or can't be reached.
        JobFailed
            If the query failed, or scanned more than the workgroup allows.
        Interrupted
            If Ctrl-C ended it; the query is cancelled.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


#: Athena's types as Arrow has them, by their name without ``(…)``; all others stay text.
_ARROW = {
    "boolean": "bool_",
    "tinyint": "int8",
    "smallint": "int16",
    "integer": "int32",
    "int": "int32",
    "bigint": "int64",
    "real": "float32",
    "float": "float32",
    "double": "float64",
    "date": "date32",
}


def arrow_type(kind: str, precision: int = 38, scale: int = 0) -> Any:
    """Return the Arrow type of a column of Athena's.

    Parameters
    ----------
    kind
        Athena's name of the type, for example ``varchar`` or ``timestamp(3)``.
    precision, scale
        Of a decimal.

    Returns
    -------
    pyarrow.DataType
        Text for what Arrow would read otherwise than Athena writes it (arrays, times with a zone).
    """
    import pyarrow as pa

    name = kind.lower().partition("(")[0].strip()
    if name in _ARROW:
        return getattr(pa, _ARROW[name])()
    if name == "decimal":
        return pa.decimal128(precision, scale)
    if name == "timestamp" and "zone" not in kind.lower():
        return pa.timestamp("ms")
    return pa.string()
