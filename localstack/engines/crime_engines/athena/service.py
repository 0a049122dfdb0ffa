"""Athena's operations on query executions."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from crime_engines.athena.metadata import Metadata
from crime_engines.athena.model import CANCELLED, ENDED, Query
from crime_engines.athena.parsing import statement_of
from crime_engines.athena.refusals import page_of, refused
from crime_engines.athena.results import STEP
from crime_engines.athena.running import Runner
from crime_engines.athena.saved import Saved
from crime_engines.athena.statements import Deallocate, Execute, Prepare, Select, Show, Statement
from crime_engines.athena.store import S3Store, Store
from crime_engines.athena.workgroups import PRIMARY, Workgroups, check_results
from crime_engines.control import Control
from crime_engines.glue.catalog import Catalog
from crime_engines.node import Node
from crime_engines.protocol import Call, Handler, ServiceModel
from crime_jobs.adhoc.dialect import SqlWrong, count_parameters

#: Bytes of a query (https://docs.aws.amazon.com/athena/latest/ug/service-limits.html).
LONGEST = 262_144
#: Query executions that are remembered; Athena keeps them for 45 days.
_REMEMBERED = 10_000


class Athena:
    """The service.

    Parameters
    ----------
    node
        The machine.
    control
        Faults to order.
    catalog
        The catalogue, which Glue has too.
    store
        Where data is; S3 at the node's address if not given.
    """

    def __init__(self, node: Node, control: Control, catalog: Catalog, store: Store | None = None) -> None:
        del control  # faults are answered before a handler is asked
        self.model = ServiceModel("athena")
        self._store = store or S3Store(node.storage, node.localstack)
        self._runner = Runner(self._store, catalog, node.state / "athena")
        self._workgroups = Workgroups()
        self._saved = Saved(self._workgroups)
        self._queries: dict[str, Query] = {}
        self._by_token: dict[tuple[str, str], Query] = {}
        self._lock = threading.Lock()
        self.handlers: Mapping[str, Handler] = {
            "StartQueryExecution": self.start,
            "GetQueryExecution": self.get,
            "BatchGetQueryExecution": self.batch_get,
            "ListQueryExecutions": self.list,
            "GetQueryResults": self.results,
            "StopQueryExecution": self.stop,
            "GetQueryRuntimeStatistics": self.statistics,
            **self._workgroups.handlers,
            **self._saved.handlers,
            **Metadata(catalog).handlers,
        }

    def start(self, call: Call) -> dict[str, Any]:
        """Take a statement."""
        request = dict(call.params)
        token = request.pop("ClientRequestToken", None)
        query = self._query(request, call)
        with self._lock:
            there = self._by_token.get((call.region, token)) if token else None
            if there is None:
                self._remember(query)
                if token:
                    self._by_token[call.region, token] = query
            elif there.request != request:
                raise refused("Idempotent parameters do not match", "INVALID_INPUT")
        if there is None:
            threading.Thread(target=self._runner.run, args=(query,), daemon=True).start()
        return {"QueryExecutionId": (there or query).id}

    def _query(self, request: dict[str, Any], call: Call) -> Query:
        text = request["QueryString"]
        if len(text.encode()) > LONGEST:
            raise refused(f"Query string is too long: at most {LONGEST} bytes", "QUERY_STRING_TOO_LONG")
        name = request.get("WorkGroup", PRIMARY)
        group = self._workgroups.find(call.region, name)
        if group["State"] == "DISABLED":
            raise refused(f"WorkGroup {name} is disabled.")
        configuration = group["Configuration"]
        held = dict(configuration.get("ResultConfiguration") or {})
        given = dict(request.get("ResultConfiguration") or {})
        check_results(given)
        results = held if configuration["EnforceWorkGroupConfiguration"] else {**held, **given}
        if not (output := results.get("OutputLocation")):
            raise refused(
                "No output location provided. An output location is required either through the Workgroup "
                "result configuration setting or as an API input."
            )
        context = request.get("QueryExecutionContext") or {}
        if (catalog := context.get("Catalog", "AwsDataCatalog")).lower() != "awsdatacatalog":
            raise refused(f"Catalog {catalog} is not found.")
        return Query(
            request,
            call.region,
            self._statement(request, call.region, name),
            output.rstrip("/") + "/",
            results.get("EncryptionConfiguration"),
            name,
            context.get("Database", "default").lower(),
            configuration.get("BytesScannedCutoffPerQuery"),
        )

    def _statement(self, request: dict[str, Any], region: str, group: str) -> Statement:
        try:
            found = statement_of(request["QueryString"])
            if isinstance(found, Prepare):
                self._saved.prepare(region, group, found.name, found.text)
            elif isinstance(found, Deallocate):
                self._saved.deallocate(region, group, found.name)
            elif isinstance(found, Execute):
                if found.values:
                    request["ExecutionParameters"] = list(found.values)
                found = statement_of(self._saved.prepared(region, group, found.name)["QueryStatement"])
        except SqlWrong as error:
            raise refused(str(error), "MALFORMED_QUERY") from error
        if (parameters := request.get("ExecutionParameters")) and isinstance(found, Select | Show):
            wanted = count_parameters(found.tree) if isinstance(found, Select) else 0
            if wanted != len(parameters):
                raise refused(
                    f"Incorrect number of parameters: expected {wanted} but found {len(parameters)}"
                )
        return found

    def _remember(self, query: Query) -> None:
        self._queries[query.id] = query
        while len(self._queries) > _REMEMBERED:
            oldest = next(iter(self._queries))
            if self._queries[oldest].state not in ENDED:
                break
            self._queries.pop(oldest)

    def get(self, call: Call) -> dict[str, Any]:
        """Tell all about a query execution."""
        return {"QueryExecution": self._find(call).told()}

    def batch_get(self, call: Call) -> dict[str, Any]:
        """Tell all about several query executions."""
        asked = call.params["QueryExecutionIds"]
        return {
            "QueryExecutions": [self._queries[one].told() for one in asked if one in self._queries],
            "UnprocessedQueryExecutionIds": [
                {
                    "QueryExecutionId": one,
                    "ErrorCode": "404",
                    "ErrorMessage": f"QueryExecution {one} was not found",
                }
                for one in asked
                if one not in self._queries
            ],
        }

    def list(self, call: Call) -> dict[str, Any]:
        """List the query executions of a workgroup, the newest first."""
        group = call.params.get("WorkGroup", PRIMARY)
        self._workgroups.find(call.region, group)
        with self._lock:
            found = [
                one.id
                for one in reversed(self._queries.values())
                if (one.region, one.workgroup) == (call.region, group)
            ]
        page, token = page_of(found, call)
        return {"QueryExecutionIds": page, "NextToken": token}

    def results(self, call: Call) -> dict[str, Any]:
        """Return rows: read back from the result in the output location."""
        query = self._find(call)
        if query.state != "SUCCEEDED":
            why = "Query did not finish successfully. Final query state: " + query.state
            if query.state not in ENDED:
                why = f"Query has not yet finished. Current state: {query.state}"
            raise refused(why, "INVALID_QUERY_EXECUTION_STATE")
        result, size = query.result, call.params.get("MaxResults") or STEP
        if size > STEP:
            raise refused(f"MaxResults is more than maximum allowed length {STEP}.", "INVALID_INPUT")
        try:
            begin = int(call.params.get("NextToken", "0"))
        except ValueError as error:
            raise refused("Invalid NextToken.", "INVALID_NEXT_TOKEN") from error
        rows = result.page(begin, size, lambda low, high: self._store.read(query.location, low, high))
        end = begin + len(rows)
        return {
            "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": result.columns}},
            "UpdateCount": result.updated or 0,
            "NextToken": str(end) if rows and end < result.total else None,
        }

    def stop(self, call: Call) -> None:
        """Stop a query that has not ended; one that has stays as it is."""
        query = self._find(call)
        if query.state not in ENDED:
            self._runner.stop(query)
            if query.state == "QUEUED":
                query.becomes("CANCELLED", CANCELLED)

    def statistics(self, call: Call) -> dict[str, Any]:
        """Tell how long a query took, and how many rows it returned."""
        query = self._find(call)
        told = query.statistics()
        names = ("QueryQueueTimeInMillis", "QueryPlanningTimeInMillis", "EngineExecutionTimeInMillis",
                 "ServiceProcessingTimeInMillis", "TotalExecutionTimeInMillis")  # fmt: skip
        return {
            "QueryRuntimeStatistics": {
                "Timeline": {name: told[name] for name in names},
                "Rows": {
                    "InputBytes": query.scanned,
                    "OutputRows": query.result.rows,
                    "OutputBytes": query.result.size,
                },
            }
        }

    def close(self) -> None:
        """Stop all queries and close the database."""
        for query in list(self._queries.values()):
            if query.state not in ENDED:
                self._runner.stop(query)
        self._runner.close()

    def _find(self, call: Call) -> Query:
        found = self._queries.get(call.params["QueryExecutionId"])
        if found is None or found.region != call.region:
            raise refused(f"QueryExecution {call.params['QueryExecutionId']} was not found")
        return found
