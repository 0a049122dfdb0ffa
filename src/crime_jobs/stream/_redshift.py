"""Redshift through its Data API: statements handed in, waited for, and their rows fetched in pages."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.errors import JobFailed
from crime_jobs.model.streams import StreamSettings

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Seconds between two looks: the first pause, what it grows by, and the longest.
FIRST, GROWTH, LONGEST = 0.03, 1.5, 5.0

_WORKING = ("SUBMITTED", "PICKED", "STARTED")

Row = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """How a batch has ended.

    Parameters
    ----------
    ok
        Whether all of it was done; if not, nothing was.
    rows
        Of each statement how many rows it gave or changed.
    failed
        Which statement failed, counted from 0; ``None`` if none did.
    error
        What Redshift said. It may quote what is in a row: not for anybody's eyes as it is.
    """

    ok: bool
    rows: tuple[int, ...] = ()
    failed: int | None = None
    error: str = ""


class Redshift:
    """A database of a workgroup.

    Parameters
    ----------
    client
        Of the Data API.
    stream
        Names of the workgroup and the database.
    """

    def __init__(self, client: Any, stream: StreamSettings) -> None:
        self._client = client
        self._where = {"WorkgroupName": stream.redshift_workgroup, "Database": stream.redshift_database}

    def batch(
        self, sqls: Sequence[str], values: Mapping[str, str] | None = None, *, name: str = "crime-jobs"
    ) -> Done:
        """Run statements as one transaction, and wait for its end.

        Parameters
        ----------
        sqls
            The statements.
        values
            Of their parameters, by name.
        name
            That the statements are listed by.

        Returns
        -------
        Done

        Raises
        ------
        AwsRefused
            If Redshift can't be asked. What was handed in may yet be done.
        """
        with aws.refusals("Handing statements to Redshift"):
            given = self._client.batch_execute_statement(
                **self._where, Sqls=list(sqls), StatementName=name, **_parameters(values)
            )
        said = self._wait(given["Id"])
        parts = said.get("SubStatements", [])
        failed = next((at for at, part in enumerate(parts) if part["Status"] == "FAILED"), None)
        error = str(parts[failed].get("Error", "")) if failed is not None else str(said.get("Error", ""))
        return Done(
            said["Status"] == "FINISHED",
            tuple(int(part.get("ResultRows", -1)) for part in parts),
            failed,
            error,
        )

    def query(self, sql: str, values: Mapping[str, str] | None = None) -> list[Row]:
        """Run a query.

        Parameters
        ----------
        sql
            The query.
        values
            Of its parameters, by name.

        Returns
        -------
        list of dict
            Its rows.

        Raises
        ------
        JobFailed
            If Redshift can't do it.
        AwsRefused
            If Redshift can't be asked.
        """
        with aws.refusals("Asking Redshift"):
            given = self._client.execute_statement(**self._where, Sql=sql, **_parameters(values))
        said = self._wait(given["Id"])
        if said["Status"] != "FINISHED":
            raise JobFailed(
                f"Redshift could not answer: {without_values(str(said.get('Error', said['Status'])))}.",
                hint="Is its schema there? `crime-jobs stream history setup` makes it.",
            )
        rows: list[Row] = []
        token: dict[str, str] = {}
        while True:
            with aws.refusals("Fetching rows from Redshift"):
                page = self._client.get_statement_result(Id=given["Id"], **token)
            names = [column["name"] for column in page["ColumnMetadata"]]
            rows += [dict(zip(names, map(_value, record), strict=True)) for record in page["Records"]]
            if not page.get("NextToken"):
                return rows
            token = {"NextToken": page["NextToken"]}

    def _wait(self, statement: str) -> dict[str, Any]:
        pause = FIRST
        while True:
            with aws.refusals("Asking Redshift how far it is"):
                said: dict[str, Any] = self._client.describe_statement(Id=statement)
            if said["Status"] not in _WORKING:
                return said
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - a pause, no secret
            pause = min(pause * GROWTH, LONGEST)


def without_values(message: str) -> str:
    """Cut from an error of Redshift what may be of a row: all from the first quote, or the word Value.

    Parameters
    ----------
    message
        The error.
    """
    for sign in ("'", '"', ", Value", "Detail", "\n"):
        message = message.partition(sign)[0]
    return message.removeprefix("ERROR: ").strip(" .:,(")[:200]


def _parameters(values: Mapping[str, str] | None) -> dict[str, Any]:
    return {"Parameters": [{"name": k, "value": v} for k, v in values.items()]} if values else {}


def _value(field: dict[str, Any]) -> Any:
    return None if field.get("isNull") else next(iter(field.values()))


def open_redshift(settings: Settings, stream: StreamSettings) -> Redshift:
    """Open the database that the FIRs' history is in.

    Parameters
    ----------
    settings
        Region and profile.
    stream
        Names of the workgroup and the database.
    """
    return Redshift(aws.client("redshift-data", settings), stream)
