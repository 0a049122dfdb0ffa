"""Redshift's Data API: statements taken, told of and cancelled."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from crime_engines.control import Control
from crime_engines.node import Node
from crime_engines.protocol import Call, Handler, Refusal, ServiceModel, invalid
from crime_engines.redshift.catalog import Catalog, place_of
from crime_engines.redshift.database import Database
from crime_engines.redshift.model import ENDED, Part, Statement
from crime_engines.redshift.refused import Unsupported
from crime_engines.redshift.running import Session
from crime_engines.redshift.sql import names_in

#: Statements at a time: the service takes 500, this machine's PostgreSQL fewer.
ACTIVE = 100
#: Bytes of a statement (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html).
LONGEST = 102_400
_NOT_HERE = ("SessionId", "SessionKeepAliveSeconds")


class RedshiftData:
    """The service.

    Parameters
    ----------
    node
        The machine.
    control
        Faults to order.
    """

    def __init__(self, node: Node, control: Control) -> None:
        del control  # faults are answered before a handler is asked
        self.model = ServiceModel("redshift-data")
        self._storage = node.storage
        self._database = Database(node.state / "redshift")
        self._statements: dict[str, Statement] = {}
        self._by_token: dict[tuple[str, str], Statement] = {}
        self._lock = threading.Lock()
        catalog = Catalog(self._database)
        self.handlers: Mapping[str, Handler] = {
            "ExecuteStatement": self.execute,
            "BatchExecuteStatement": self.execute_batch,
            "DescribeStatement": self.describe,
            "GetStatementResult": self.result,
            "CancelStatement": self.cancel,
            "ListStatements": self.list,
            **catalog.handlers,
        }

    def execute(self, call: Call) -> dict[str, Any]:
        """Take a statement."""
        return self._take(call, is_batch=False)

    def execute_batch(self, call: Call) -> dict[str, Any]:
        """Take several statements as one transaction."""
        return self._take(call, is_batch=True)

    def _take(self, call: Call, *, is_batch: bool) -> dict[str, Any]:
        request = dict(call.params)
        wait = request.pop("WaitTimeSeconds", 0)
        _check(request)
        statement = Statement(request, call.region, is_batch)
        _check_parameters(statement)
        token = request.get("ClientToken")
        with self._lock:
            there = self._by_token.get((call.region, token)) if token else None
            if there is None:
                active = sum(known.status not in ENDED for known in self._statements.values())
                if active >= ACTIVE:
                    raise Refusal(
                        "ActiveStatementsExceededException",
                        f"Active statements exceeded the allowed quota ({ACTIVE}).",
                    )
                self._statements[statement.id] = statement
                if token:
                    self._by_token[call.region, token] = statement
            elif there.request != request:
                raise invalid(f"Client token {token} was used for another statement.")
        if there is None:
            session = Session(self._database, place_of(request), self._storage)
            threading.Thread(target=session.run, args=(statement,), daemon=True).start()
        found = there or statement
        if wait:
            found.wait(wait)
        return {"Id": found.id, "CreatedAt": found.created, **found.place(), "DbGroups": []}

    def describe(self, call: Call) -> dict[str, Any]:
        """Tell all about a statement."""
        statement, part = self._find(call)
        statement.wait(call.params.get("WaitTimeSeconds", 0))
        if part is not None and statement.is_batch:
            return {**statement.full(), **part.shown(), "SubStatements": None}
        return statement.full()

    def result(self, call: Call) -> dict[str, Any]:
        """Return rows of a statement."""
        statement, part = self._find(call)
        statement.wait(call.params.get("WaitTimeSeconds", 0))
        if part is None or part.result is None or statement.status != "FINISHED":
            raise Refusal(
                "ResourceNotFoundException",
                "Query does not have result. Please check query status with DescribeStatement.",
            )
        try:
            begin = int(call.params.get("NextToken", "0"))
        except ValueError as error:
            raise invalid("Invalid NextToken.") from error
        return part.result.page(begin)

    def cancel(self, call: Call) -> dict[str, Any]:
        """Cancel a statement that has not ended."""
        statement, _ = self._find(call)
        if statement.status in ENDED:
            raise invalid(f"Could not cancel a query that is already in {statement.status} state.")
        statement.cancelled = True
        if (connection := statement.connection) is not None:
            connection.cancel()
        return {"Status": True}

    def list(self, call: Call) -> dict[str, Any]:
        """List statements, the newest first; those that have finished, unless told otherwise."""
        params = call.params
        wanted, name = params.get("Status", "FINISHED"), params.get("StatementName", "")
        found = [
            one
            for one in reversed(list(self._statements.values()))
            if one.region == call.region
            and wanted in ("ALL", one.status)
            and one.request.get("StatementName", "").startswith(name)
            and all(one.request.get(key) == params[key] for key in _PLACES if key in params)
        ]
        begin, size = int(params.get("NextToken", "0")), params.get("MaxResults") or 100
        more = str(begin + size) if begin + size < len(found) else None
        return {"Statements": [one.summary() for one in found[begin : begin + size]], "NextToken": more}

    def close(self) -> None:
        """End the database."""
        self._database.close()

    def _find(self, call: Call) -> tuple[Statement, Part | None]:
        given = call.params["Id"]
        statement = self._statements.get(given.partition(":")[0])
        part = next((p for p in statement.parts if p.id == given), None) if statement else None
        if statement is None or (part is None and ":" in given):
            raise Refusal("ResourceNotFoundException", "Query does not exist.")
        return statement, part


_PLACES = ("ClusterIdentifier", "WorkgroupName", "Database")


def _check(request: Mapping[str, Any]) -> None:
    for name in _NOT_HERE:
        if name in request:
            raise invalid(f"{name} is not supported here.")
    if request.get("WithEvent"):
        raise invalid("WithEvent is not supported here: there is nobody who would send the event.")
    if request.get("ResultFormat", "JSON") != "JSON":
        raise invalid("ResultFormat CSV is not supported here.")
    for text in request.get("Sqls", [request.get("Sql", "")]):
        if len(text.encode()) > LONGEST:
            raise invalid(f"Cannot process a SQL statement of more than {LONGEST} bytes.")
    place_of(request)


def _check_parameters(statement: Statement) -> None:
    used = {name for part in statement.parts for name in _names(part.sql)}
    if unused := sorted(statement.values.keys() - used):
        raise invalid(f"Parameters list contains unused parameters. Unused parameters: [{', '.join(unused)}]")


def _names(text: str) -> set[str]:
    try:
        return names_in(text)
    except Unsupported:
        return set()  # what is wrong with it, the statement's state says
