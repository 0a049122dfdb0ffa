"""Workgroups: where results go, and how much a query may read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from crime_engines.athena.model import ENGINE
from crime_engines.athena.refusals import page_of, refused
from crime_engines.protocol import Call, Handler

PRIMARY = "primary"
#: Of a workgroup's configuration, what an update takes away and what it takes it from.
_REMOVALS = {
    "RemoveOutputLocation": "OutputLocation",
    "RemoveEncryptionConfiguration": "EncryptionConfiguration",
    "RemoveExpectedBucketOwner": "ExpectedBucketOwner",
    "RemoveAclConfiguration": "AclConfiguration",
}


class Workgroups:
    """The workgroups of each region."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], dict[str, Any]] = {}
        self._lock = threading.RLock()
        self.handlers: dict[str, Handler] = {
            "CreateWorkGroup": self.create,
            "GetWorkGroup": self.get,
            "ListWorkGroups": self.list,
            "UpdateWorkGroup": self.update,
            "DeleteWorkGroup": self.delete,
        }

    def find(self, region: str, name: str) -> dict[str, Any]:
        """Return a workgroup; ``primary`` is always there.

        Parameters
        ----------
        region, name
            Which.

        Raises
        ------
        Refusal
            If it is not there.
        """
        with self._lock:
            if name == PRIMARY and (region, name) not in self._groups:
                self._add(
                    region, {"Name": PRIMARY, "Configuration": {"EnforceWorkGroupConfiguration": False}}
                )
            found = self._groups.get((region, name))
        if found is None:
            raise refused(f"WorkGroup {name} is not found.", "INVALID_INPUT")
        return found

    def create(self, call: Call) -> None:
        """Make a workgroup."""
        name = call.params["Name"]
        with self._lock:
            if name == PRIMARY or (call.region, name) in self._groups:
                raise refused("WorkGroup is already created")
            _check(call.params.get("Configuration") or {})
            self._add(call.region, call.params)

    def _add(self, region: str, given: dict[str, Any]) -> None:
        asked = given.get("Configuration") or {}
        configuration = {
            "EnforceWorkGroupConfiguration": True,
            "PublishCloudWatchMetricsEnabled": False,
            "RequesterPaysEnabled": False,
            "ResultConfiguration": {},
            **asked,
            "EngineVersion": ENGINE,
        }
        self._groups[region, given["Name"]] = {
            "Name": given["Name"],
            "State": "ENABLED",
            "Description": given.get("Description", ""),
            "CreationTime": datetime.now(UTC),
            "Configuration": configuration,
        }

    def get(self, call: Call) -> dict[str, Any]:
        """Tell of a workgroup."""
        return {"WorkGroup": self.find(call.region, call.params["WorkGroup"])}

    def list(self, call: Call) -> dict[str, Any]:
        """List the workgroups."""
        self.find(call.region, PRIMARY)
        with self._lock:
            found = [group for (region, _), group in sorted(self._groups.items()) if region == call.region]
        short = [
            {key: one[key] for key in ("Name", "State", "Description", "CreationTime")}
            | {"EngineVersion": ENGINE}
            for one in found
        ]
        page, token = page_of(short, call)
        return {"WorkGroups": page, "NextToken": token}

    def update(self, call: Call) -> None:
        """Change a workgroup."""
        params = call.params
        group = self.find(call.region, params["WorkGroup"])
        changes = dict(params.get("ConfigurationUpdates") or {})
        results = dict(changes.pop("ResultConfigurationUpdates", None) or {})
        _check({**changes, "ResultConfiguration": results})
        with self._lock:
            configuration = dict(group["Configuration"])
            held = dict(configuration.get("ResultConfiguration") or {})
            for removal, name in _REMOVALS.items():
                if results.pop(removal, False):
                    held.pop(name, None)
            if changes.pop("RemoveBytesScannedCutoffPerQuery", False):
                configuration.pop("BytesScannedCutoffPerQuery", None)
            changes.pop("EngineVersion", None)
            group["Configuration"] = {**configuration, **changes, "ResultConfiguration": {**held, **results}}
            for name in ("Description", "State"):
                if name in params:
                    group[name] = params[name]

    def delete(self, call: Call) -> None:
        """Remove a workgroup."""
        name = call.params["WorkGroup"]
        if name == PRIMARY:
            raise refused("The primary workgroup cannot be deleted.")
        self.find(call.region, name)
        with self._lock:
            self._groups.pop((call.region, name), None)


def _check(configuration: dict[str, Any]) -> None:
    results = configuration.get("ResultConfiguration") or {}
    check_results(results)
    if configuration.get("CustomerContentEncryptionConfiguration") or configuration.get(
        "IdentityCenterConfiguration"
    ):
        raise refused("Spark workgroups and Identity Center are not supported here.")
    if (configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled"):
        raise refused("Managed query results are not supported here.")


def check_results(results: dict[str, Any]) -> None:
    """Refuse a result configuration that can't be followed.

    Parameters
    ----------
    results
        ``ResultConfiguration``.

    Raises
    ------
    Refusal
        If it can't.
    """
    if (place := results.get("OutputLocation")) and not place.startswith("s3://"):
        raise refused(f"outputLocation is not a valid S3 path: {place}")
    encryption = results.get("EncryptionConfiguration") or {}
    option = encryption.get("EncryptionOption")
    if option == "CSE_KMS":
        raise refused("CSE_KMS is not supported here: there is no client-side key.")
    if option == "SSE_KMS" and not encryption.get("KmsKey"):
        raise refused("KmsKey is required for SSE_KMS")
