"""Named queries and prepared statements."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from crime_engines.athena.refusals import page_of, refused
from crime_engines.athena.workgroups import PRIMARY, Workgroups
from crime_engines.protocol import Call, Handler, Refusal
from crime_jobs.adhoc.dialect import SqlWrong, parse


class Saved:
    """What is kept of SQL, apart for each region.

    Parameters
    ----------
    workgroups
        The workgroups.
    """

    def __init__(self, workgroups: Workgroups) -> None:
        self._workgroups = workgroups
        self._named: dict[tuple[str, str], dict[str, Any]] = {}
        self._by_token: dict[tuple[str, str], str] = {}
        self._prepared: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._lock = threading.RLock()
        self.handlers: dict[str, Handler] = {
            "CreateNamedQuery": self.create_named,
            "GetNamedQuery": self.get_named,
            "BatchGetNamedQuery": self.batch_get_named,
            "ListNamedQueries": self.list_named,
            "UpdateNamedQuery": self.update_named,
            "DeleteNamedQuery": self.delete_named,
            "CreatePreparedStatement": self.create_prepared,
            "GetPreparedStatement": self.get_prepared,
            "BatchGetPreparedStatement": self.batch_get_prepared,
            "ListPreparedStatements": self.list_prepared,
            "UpdatePreparedStatement": self.update_prepared,
            "DeletePreparedStatement": self.delete_prepared,
        }

    def create_named(self, call: Call) -> dict[str, Any]:
        """Keep a query under a name; the same token keeps one."""
        params = dict(call.params)
        token = params.pop("ClientRequestToken", None)
        group = params.get("WorkGroup", PRIMARY)
        self._workgroups.find(call.region, group)
        with self._lock:
            if token and (there := self._by_token.get((call.region, token))):
                return {"NamedQueryId": there}
            made = str(uuid.uuid4())
            self._named[call.region, made] = {**params, "WorkGroup": group, "NamedQueryId": made}
            if token:
                self._by_token[call.region, token] = made
        return {"NamedQueryId": made}

    def _find_named(self, call: Call) -> dict[str, Any]:
        found = self._named.get((call.region, call.params["NamedQueryId"]))
        if found is None:
            raise refused(f"NamedQuery with NamedQueryId {call.params['NamedQueryId']} not found")
        return found

    def get_named(self, call: Call) -> dict[str, Any]:
        """Tell of a named query."""
        return {"NamedQuery": self._find_named(call)}

    def batch_get_named(self, call: Call) -> dict[str, Any]:
        """Tell of several named queries."""
        asked = [(call.region, one) for one in call.params["NamedQueryIds"]]
        return {
            "NamedQueries": [self._named[one] for one in asked if one in self._named],
            "UnprocessedNamedQueryIds": [
                {"NamedQueryId": one[1], "ErrorCode": "404", "ErrorMessage": "NamedQuery not found"}
                for one in asked
                if one not in self._named
            ],
        }

    def list_named(self, call: Call) -> dict[str, Any]:
        """List the named queries of a workgroup."""
        group = call.params.get("WorkGroup", PRIMARY)
        self._workgroups.find(call.region, group)
        with self._lock:
            found = [
                one
                for (region, one), told in self._named.items()
                if region == call.region and told["WorkGroup"] == group
            ]
        page, token = page_of(found, call)
        return {"NamedQueryIds": page or None, "NextToken": token}  # the model knows no empty list

    def update_named(self, call: Call) -> None:
        """Change a named query."""
        found = self._find_named(call)
        found |= {
            key: call.params[key] for key in ("Name", "Description", "QueryString") if key in call.params
        }

    def delete_named(self, call: Call) -> None:
        """Forget a named query."""
        self._find_named(call)
        self._named.pop((call.region, call.params["NamedQueryId"]), None)

    def prepare(self, region: str, group: str, name: str, text: str, description: str = "") -> None:
        """Keep a prepared statement.

        Parameters
        ----------
        region, group, name
            Where, and its name.
        text
            The query.
        description
            What it is for.
        """
        self._workgroups.find(region, group)
        _check(text)
        with self._lock:
            if (region, group, name) in self._prepared:
                raise refused(f"Prepared Statement {name} already exists in WorkGroup {group}")
            self._prepared[region, group, name] = {
                "StatementName": name,
                "QueryStatement": text,
                "WorkGroupName": group,
                "Description": description or None,
                "LastModifiedTime": datetime.now(UTC),
            }

    def prepared(self, region: str, group: str, name: str) -> dict[str, Any]:
        """Return a prepared statement.

        Parameters
        ----------
        region, group, name
            Which.
        """
        found = self._prepared.get((region, group, name))
        if found is None:
            raise Refusal(
                "ResourceNotFoundException",
                f"PreparedStatement {name} was not found in workGroup {group}",
                members={"ResourceName": name},
            )
        return found

    def deallocate(self, region: str, group: str, name: str) -> None:
        """Forget a prepared statement.

        Parameters
        ----------
        region, group, name
            Which.
        """
        self.prepared(region, group, name)
        self._prepared.pop((region, group, name), None)

    def create_prepared(self, call: Call) -> None:
        """Keep a prepared statement."""
        p = call.params
        self.prepare(
            call.region, p["WorkGroup"], p["StatementName"], p["QueryStatement"], p.get("Description", "")
        )

    def get_prepared(self, call: Call) -> dict[str, Any]:
        """Tell of a prepared statement."""
        self._workgroups.find(call.region, call.params["WorkGroup"])
        found = self.prepared(call.region, call.params["WorkGroup"], call.params["StatementName"])
        return {"PreparedStatement": found}

    def batch_get_prepared(self, call: Call) -> dict[str, Any]:
        """Tell of several prepared statements."""
        group = call.params["WorkGroup"]
        asked = [(call.region, group, name) for name in call.params["PreparedStatementNames"]]
        return {
            "PreparedStatements": [self._prepared[one] for one in asked if one in self._prepared],
            "UnprocessedPreparedStatementNames": [
                {"StatementName": one[2], "ErrorCode": "404", "ErrorMessage": "PreparedStatement not found"}
                for one in asked
                if one not in self._prepared
            ],
        }

    def list_prepared(self, call: Call) -> dict[str, Any]:
        """List the prepared statements of a workgroup."""
        group = call.params["WorkGroup"]
        self._workgroups.find(call.region, group)
        with self._lock:
            found = [
                {"StatementName": name, "LastModifiedTime": told["LastModifiedTime"]}
                for (region, of, name), told in sorted(self._prepared.items())
                if (region, of) == (call.region, group)
            ]
        page, token = page_of(found, call)
        return {"PreparedStatements": page, "NextToken": token}

    def update_prepared(self, call: Call) -> None:
        """Change a prepared statement."""
        p = call.params
        found = self.prepared(call.region, p["WorkGroup"], p["StatementName"])
        _check(p["QueryStatement"])
        found |= {"QueryStatement": p["QueryStatement"], "LastModifiedTime": datetime.now(UTC)}
        if "Description" in p:
            found["Description"] = p["Description"]

    def delete_prepared(self, call: Call) -> None:
        """Forget a prepared statement."""
        self.deallocate(call.region, call.params["WorkGroup"], call.params["StatementName"])


def _check(text: str) -> None:
    try:
        parse(text)
    except SqlWrong as error:
        raise refused(str(error), "MALFORMED_QUERY") from error
