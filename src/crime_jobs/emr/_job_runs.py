"""Job runs of an application of EMR Serverless."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.emr import work as requests
from crime_jobs.emr.runs import Phase, Run, Status, bare_name, outcome_folder, outcome_in
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.emr.package import Manifest
    from crime_jobs.emr.targets import Target
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings

#: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html
_PHASES = {
    "SUBMITTED": Phase.WAITING,
    "PENDING": Phase.WAITING,
    "SCHEDULED": Phase.WAITING,
    "QUEUED": Phase.WAITING,
    "RUNNING": Phase.RUNNING,
    "CANCELLING": Phase.RUNNING,
    "SUCCESS": Phase.DONE,
    "FAILED": Phase.FAILED,
    "CANCELLED": Phase.CANCELLED,
}


class JobRuns:
    """The job runs of an application; see `crime_jobs.emr.runs.Service`.

    Parameters
    ----------
    settings
        Region, profile, runtime role, where logs and outcomes go.
    target
        The application.
    """

    def __init__(self, settings: Settings, target: Target) -> None:
        self.target = target
        self._settings = settings
        self._emr = aws.client("emr-serverless", settings)

    def request(
        self, work: Work, manifest: Manifest, token: str, conf: Mapping[str, str]
    ) -> tuple[str, dict[str, Any]]:
        """Return ``StartJobRun`` and what it is sent."""
        wanted = "Hive" if work.kind == "hive" else "Spark"
        if wanted != self.target.engine:
            raise WrongUsage(
                f"{work.name} needs an application of type {wanted}; {self.target} is {self.target.engine}.",
                hint="Choose another with --on.",
            )
        outcome = outcome_folder(self._settings, token) if work.kind == "job" else None
        sent = requests.job_run(work, manifest, self._settings, outcome, token=token, conf=conf)
        # The service takes a second request with the same token for the first: boto3 may repeat it.
        return "StartJobRun", {"applicationId": self.target.id, "clientToken": token, **sent}

    def submit(self, work: Work, manifest: Manifest, token: str, conf: Mapping[str, str]) -> Run:
        """Start the job run."""
        return self._start(self.request(work, manifest, token, conf)[1])

    def again(self, run_id: str, token: str) -> Run:
        """Start a job run with what another was given, but for the folder of its outcome."""
        old = self._get(run_id)
        driver = copy.deepcopy(old["jobDriver"])
        arguments = driver.get("sparkSubmit", {}).get("entryPointArguments", [])
        if outcome_in(arguments):
            arguments[arguments.index("--outcome") + 1] = outcome_folder(self._settings, token)
        sent = {
            "applicationId": self.target.id,
            "clientToken": token,
            "name": f"{bare_name(old.get('name', run_id))} {token}",
            "executionRoleArn": old["executionRole"],
            "jobDriver": driver,
            "configurationOverrides": old.get("configurationOverrides", {}),
        }
        return self._start(sent)

    def _start(self, sent: dict[str, Any]) -> Run:
        with aws.refusals(f"Submitting {sent['name']} to {self.target}"):
            run_id = str(self._emr.start_job_run(**sent)["jobRunId"])
        return Run(run_id, sent["name"], _outcome_in(sent["jobDriver"]))

    def look(self, run_id: str) -> Status:
        """Get the job run."""
        return _status(self._get(run_id))

    def _get(self, run_id: str) -> dict[str, Any]:
        with aws.refusals(f"Looking at job run {run_id} of {self.target}"):
            answer = self._emr.get_job_run(applicationId=self.target.id, jobRunId=run_id)
        found: dict[str, Any] = answer["jobRun"]
        return found

    def recent(self, most: int) -> list[Status]:
        """List the newest job runs."""
        with aws.refusals(f"Listing the job runs of {self.target}"):
            pages = self._emr.get_paginator("list_job_runs").paginate(
                applicationId=self.target.id, PaginationConfig={"MaxItems": most}
            )
            found = [run for page in pages for run in page["jobRuns"]]
        return [_status({**run, "jobRunId": run["id"]}) for run in found]

    def cancel(self, run_id: str) -> None:
        """Cancel the job run."""
        if self.look(run_id).phase.over:
            return
        with aws.refusals(f"Cancelling job run {run_id} of {self.target}"):
            self._emr.cancel_job_run(applicationId=self.target.id, jobRunId=run_id)

    def log_folders(self, status: Status) -> dict[str, str]:
        """Return the folder of the driver's logs."""
        watched = (
            self._get(status.run.id).get("configurationOverrides", {}).get("monitoringConfiguration", {})
        )
        uri = watched.get("s3MonitoringConfiguration", {}).get("logUri")
        if not uri:
            return {}
        driver = f"{self.target.engine.upper()}_DRIVER"
        return {
            "driver": f"{uri.rstrip('/')}/applications/{self.target.id}/jobs/{status.run.id}/{driver}/",
        }

    def why_ended(self) -> str:
        """Return nothing: an application can't be stopped while it has runs."""
        return ""


def _outcome_in(driver: Mapping[str, Any]) -> str | None:
    return outcome_in(driver.get("sparkSubmit", {}).get("entryPointArguments", []))


def _status(found: dict[str, Any]) -> Status:
    phase = _PHASES.get(found["state"], Phase.RUNNING)
    return Status(
        Run(
            found["jobRunId"], found.get("name") or found["jobRunId"], _outcome_in(found.get("jobDriver", {}))
        ),
        found["state"],
        phase,
        found["createdAt"],
        # The service says when a run was made and when it last changed; while it waits, it has not begun.
        None if phase is Phase.WAITING else found.get("startedAt", found["createdAt"]),
        found.get("endedAt", found["updatedAt"]) if phase.over else None,
        found.get("stateDetails", "") if phase is not Phase.DONE else "",
    )
