"""Asks Athena: starts the query, waits, reads the result from where Athena wrote it, cancels on Ctrl-C."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.adhoc import _said
from crime_jobs.adhoc.asking import Answer, AnswerColumn, SqlSettings, arrow_type, quoted
from crime_jobs.errors import AwsRefused, CrimeJobsError, Interrupted, JobFailed, WrongUsage

if TYPE_CHECKING:
    import pyarrow as pa

    from crime_jobs.settings import Settings

#: Seconds between two looks at a query: at first, and at most.
FIRST_LOOK, LONGEST_LOOK = 0.03, 1.0
#: What a value may have at most
#: (https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html, ExecutionParameters).
LONGEST_VALUE = 1024
#: Bytes of the result that are parsed at once; no value can be longer.
BLOCK = 4 << 20

_ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
_PLACE = re.compile(r"line (?P<line>\d+):(?P<column>\d+): (?P<reason>.*)", flags=re.DOTALL)
_NO_TABLE = re.compile(r"[Tt]able '?(?:[\w-]+\.)*(?P<table>\w+)'? (?:does not exist|not found)")
#: Errors of the statement for which Athena may name no place.
_OF_THE_SQL = (
    "SYNTAX_ERROR",
    "NOT_SUPPORTED",
    "FUNCTION_NOT_FOUND",
    "COLUMN_NOT_FOUND",
    "TYPE_MISMATCH",
    "INVALID_PARAMETER_USAGE",
    "INVALID_CAST_ARGUMENT",
    "DIVISION_BY_ZERO",
)
_LIMIT = re.compile(r"[Bb]ytes scanned limit")
_DENIED = re.compile(r"\b(access denied|not authorized|forbidden|insufficient.*permission)", re.IGNORECASE)


def literal(value: str) -> str:
    """Write a text as Athena takes it for a parameter.

    Parameters
    ----------
    value
        Any text.

    Returns
    -------
    str
        A string literal: it can be nothing else, whatever is in it.

    Raises
    ------
    WrongUsage
        If Athena takes none so long.
    """
    found = quoted(value)
    if len(found) > LONGEST_VALUE:
        raise WrongUsage(
            f"A parameter's value has {len(value)} characters, Athena takes {LONGEST_VALUE - 2}.",
            hint="Give a shorter one.",
        )
    return found


class Athena:
    """Answers through Athena.

    Parameters
    ----------
    settings
        Region and profile.
    sql
        Workgroup, database and the rest.
    """

    def __init__(self, settings: Settings, sql: SqlSettings) -> None:
        self._settings, self._sql = settings, sql
        self._athena = aws.client("athena", settings)
        self._s3: Any = None

    def ask(self, sql: str, parameters: Sequence[str] = ()) -> Answer:
        """Ask; see `crime_jobs.adhoc.asking.Asker.ask`.

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
            If the SQL is wrong.
        BadInput
            If a table is not there.
        AwsRefused
            If Athena or S3 refuses or can't be reached.
        JobFailed
            If the query failed, was cancelled by another, or scanned more than the workgroup allows.
        Interrupted
            If Ctrl-C ended it; the query is cancelled.
        """
        began = time.monotonic()
        done = self.run(sql, parameters)
        scanned = done.get("Statistics", {}).get("DataScannedInBytes")
        columns, schema, rows = self._result(done)
        return Answer(columns, schema, rows, done["QueryExecutionId"], scanned, time.monotonic() - began)

    def run(self, sql: str, parameters: Sequence[str] = ()) -> dict[str, Any]:
        """Run a statement to its end, without its result.

        Parameters
        ----------
        sql, parameters
            As for `ask`.

        Returns
        -------
        dict
            As ``GetQueryExecution`` describes it.

        Raises
        ------
        CrimeJobsError
            As for `ask`.
        """
        query = self._start(sql, [literal(value) for value in parameters])
        try:
            done = self._wait(query)
        except KeyboardInterrupt as error:
            raise self._stopped(query) from error
        if done["Status"]["State"] != "SUCCEEDED":
            raise self._failed(done, sql)
        return done

    def close(self) -> None:
        """Close the connections."""
        self._athena.close()
        if self._s3:
            self._s3.close()

    def _start(self, sql: str, values: Sequence[str]) -> str:
        request: dict[str, Any] = {
            "QueryString": sql,
            "ClientRequestToken": uuid.uuid4().hex,  # asked twice with one token is once
            "WorkGroup": self._sql.workgroup,
            "QueryExecutionContext": {"Database": self._sql.database, "Catalog": self._sql.catalog},
        }
        if values:
            request["ExecutionParameters"] = [*values]
        if self._sql.results:
            request["ResultConfiguration"] = {"OutputLocation": self._sql.results}
        try:
            return self._started(request, sql)
        except KeyboardInterrupt as error:  # it may be on its way: ask for its id, to cancel it
            raise self._stopped(self._started(request, sql)) from error

    def _started(self, request: dict[str, Any], sql: str) -> str:
        from botocore.exceptions import ClientError

        with aws.refusals(f"Asking Athena (workgroup {self._sql.workgroup})"):
            try:
                return str(self._athena.start_query_execution(**request)["QueryExecutionId"])
            except ClientError as error:
                said = str(error.response.get("Error", {}).get("Message", ""))
                if aws.code_of(error) == "InvalidRequestException" and "orkGroup" in said:
                    raise AwsRefused(
                        f"Asking Athena: {said.rstrip('.')}.", hint=self._no_workgroup()
                    ) from error
                if aws.code_of(error) == "InvalidRequestException" and (found := self._meant(said, sql)):
                    raise found from error
                raise

    def _no_workgroup(self) -> str:
        where = f"{self._sql.workgroup} in {self._settings.region}"
        return f"Is there a workgroup {where}? cloud/adhoc.yaml makes it."

    def _wait(self, query: str) -> dict[str, Any]:
        pause = FIRST_LOOK
        while True:
            with aws.refusals(f"Waiting for query {query}"):
                found: dict[str, Any] = self._athena.get_query_execution(QueryExecutionId=query)[
                    "QueryExecution"
                ]
            if found["Status"]["State"] in _ENDED:
                return found
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK)

    def _stopped(self, query: str) -> Interrupted:
        try:
            with aws.refusals(f"Cancelling query {query}"):
                self._athena.stop_query_execution(QueryExecutionId=query)
        except CrimeJobsError as error:
            return Interrupted(
                f"Interrupted, but query {query} may go on: {error.message}",
                hint=f"aws athena stop-query-execution --query-execution-id {query}",
            )
        return Interrupted(
            f"Interrupted: query {query} is cancelled.", hint="What it has scanned until then is billed."
        )

    def _failed(self, done: dict[str, Any], sql: str) -> CrimeJobsError:
        query, status = done["QueryExecutionId"], done["Status"]
        said = status.get("StateChangeReason") or status.get("AthenaError", {}).get("ErrorMessage") or ""
        if _LIMIT.search(said):
            return self._over_limit(done, said)
        if found := self._meant(said, sql):  # of a column, too, Athena says that it may be forbidden
            return found
        if _DENIED.search(said):
            return AwsRefused(
                f"Query {query}: {_line(said)}.",
                hint="Whoever runs this needs to read the tables' files and write results: the output "
                "AnalystPolicy of cloud/adhoc.yaml.",
            )
        if status["State"] == "CANCELLED":
            return JobFailed(
                f"Query {query} was cancelled by somebody else: {_line(said) or 'no reason given'}."
            )
        return JobFailed(f"Query {query} failed: {_line(said) or 'Athena gives no reason'}.")

    def _over_limit(self, done: dict[str, Any], said: str) -> JobFailed:
        scanned = done.get("Statistics", {}).get("DataScannedInBytes")
        limit = None
        try:
            with aws.refusals("Asking for the workgroup's limit"):
                group = self._athena.get_work_group(WorkGroup=self._sql.workgroup)["WorkGroup"]
                limit = group["Configuration"].get("BytesScannedCutoffPerQuery")
        except CrimeJobsError:
            pass  # an analyst need not be allowed to see it
        told = (
            f"{_line(said)}; the limit of workgroup {self._sql.workgroup} is {limit:,} bytes"
            if limit
            else said
        )
        return JobFailed(
            f"Query {done['QueryExecutionId']} was stopped, it scanned too much: {told}"
            f"{f', it had scanned {scanned:,}' if scanned else ''}.",
            hint="Name the columns instead of *, and the years: WHERE year = 2014 reads one year's files.",
        )

    def _meant(self, said: str, sql: str) -> CrimeJobsError | None:
        """Say what Athena's message means, if it is about the statement."""
        if found := _NO_TABLE.search(said):
            from crime_jobs.adhoc.ddl import table_names

            env = self._settings.env
            return _said.missing_table(
                found["table"],
                f"database {self._sql.database}",
                table_names(),
                f"Make the tables: `crime-jobs sql setup --env {env}`.",
            )
        if found := _PLACE.search(said):
            return _said.wrong_sql(sql, found["reason"], int(found["line"]), int(found["column"]))
        if said.startswith(_OF_THE_SQL) or "parameter" in said.lower():
            return _said.wrong_sql(sql, said)
        return None

    def _result(
        self, done: dict[str, Any]
    ) -> tuple[tuple[AnswerColumn, ...], pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow as pa

        query = done["QueryExecutionId"]
        with aws.refusals(f"Reading the result of query {query}"):
            first = self._athena.get_query_results(QueryExecutionId=query, MaxResults=1)
        info = first["ResultSet"].get("ResultSetMetadata", {}).get("ColumnInfo", [])
        columns = tuple(AnswerColumn(c["Name"], c["Type"]) for c in info)
        location = done.get("ResultConfiguration", {}).get("OutputLocation", "")
        if done.get("StatementType") == "DML" and location.endswith(".csv"):
            types = [arrow_type(c["Type"], c.get("Precision", 38), c.get("Scale", 0)) for c in info]
            schema = pa.schema([(c.name, kind) for c, kind in zip(columns, types, strict=True)])
            return columns, schema, self._from_csv(location, schema, query)
        schema = pa.schema([(c.name, pa.string()) for c in columns])
        return columns, schema, self._from_pages(query, schema)

    def _from_csv(self, location: str, schema: pa.Schema, query: str) -> Iterator[pa.RecordBatch]:
        """Read the file that Athena wrote, a block at a time; the first block is read at once."""
        import pyarrow as pa
        from pyarrow import csv

        self._s3 = self._s3 or aws.client("s3", self._settings)
        bucket, key = aws.split_uri(location, "Athena's output location")
        names = [f"c{number}" for number in range(len(schema))]  # two columns may have one name
        with aws.refusals(f"Reading the result of query {query} from {location}"):
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        try:
            reader = csv.open_csv(
                pa.PythonFile(body, mode="r"),
                read_options=csv.ReadOptions(
                    column_names=names, skip_rows=1, block_size=BLOCK, use_threads=False
                ),
                # A row whose only column is null is an empty line.
                parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                convert_options=csv.ConvertOptions(
                    column_types=dict(zip(names, schema.types, strict=True)),
                    null_values=[""],  # a null is empty, an empty text is ""
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" not in str(error):
                raise _unreadable(query, error) from error
            return iter(())
        return _batches(reader, schema, query)

    def _from_pages(self, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Read what Athena writes as text: what SHOW, DESCRIBE and EXPLAIN say, always little."""
        import pyarrow as pa

        with aws.refusals(f"Reading the result of query {query}"):
            pages = self._athena.get_paginator("get_query_results").paginate(QueryExecutionId=query)
            rows = [row.get("Data", []) for page in pages for row in page["ResultSet"].get("Rows", [])]
        if rows and schema.names:
            values = [[row[at].get("VarCharValue") if at < len(row) else None for row in rows]
                      for at in range(len(schema.names))]  # fmt: skip
            yield pa.RecordBatch.from_arrays([pa.array(one, pa.string()) for one in values], schema=schema)


def _batches(reader: Any, schema: pa.Schema, query: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    try:
        for batch in reader:
            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(query, error) from error


def _unreadable(query: str, error: Exception) -> AwsRefused:
    return AwsRefused(
        f"The result of query {query} can't be read to its end: {_line(str(error))}.",
        hint="Ask again; the query itself succeeded.",
    )


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
