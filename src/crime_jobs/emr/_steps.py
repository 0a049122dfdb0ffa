"""Steps of a cluster of EMR on EC2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crime_jobs import aws
from crime_jobs.emr import work as requests
from crime_jobs.emr._once import once
from crime_jobs.emr.runs import Phase, Run, Status, bare_name, outcome_folder, outcome_in
from crime_jobs.errors import AwsRefused

if TYPE_CHECKING:
    from crime_jobs.emr.package import Manifest
    from crime_jobs.emr.targets import Target
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings

#: https://docs.aws.amazon.com/emr/latest/APIReference/API_StepStatus.html
_PHASES = {
    "PENDING": Phase.WAITING,
    "CANCEL_PENDING": Phase.RUNNING,
    "RUNNING": Phase.RUNNING,
    "COMPLETED": Phase.DONE,
    "CANCELLED": Phase.CANCELLED,
    "FAILED": Phase.FAILED,
    "INTERRUPTED": Phase.FAILED,
}

#: https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterStateChangeReason.html
_OF_STEPS = ("ALL_STEPS_COMPLETED", "STEP_FAILURE")


class Steps:
    """The steps of a cluster; see `crime_jobs.emr.runs.Service`.

    Parameters
    ----------
    settings
        Region, profile, where outcomes go.
    target
        The cluster.
    """

    def __init__(self, settings: Settings, target: Target) -> None:
        self.target = target
        self._settings = settings
        self._emr = aws.client("emr", settings)

    def request(
        self, work: Work, manifest: Manifest, token: str, conf: Mapping[str, str]
    ) -> tuple[str, dict[str, Any]]:
        """Return ``AddJobFlowSteps`` and what it is sent."""
        outcome = outcome_folder(self._settings, token) if work.kind == "job" else None
        step = requests.step(work, manifest, self._settings, outcome, token=token, conf=conf)
        return "AddJobFlowSteps", self._adding(step)

    def _adding(self, step: dict[str, Any]) -> dict[str, Any]:
        sent: dict[str, Any] = {"JobFlowId": self.target.id, "Steps": [step]}
        if self._settings.runtime_role and self.target.runtime_roles:
            sent["ExecutionRoleArn"] = self._settings.runtime_role
        return sent

    def submit(self, work: Work, manifest: Manifest, token: str, conf: Mapping[str, str]) -> Run:
        """Add the step."""
        return self._add(self.request(work, manifest, token, conf)[1], token)

    def again(self, run_id: str, token: str) -> Run:
        """Add a step with the arguments of another, but for the folder of its outcome."""
        old = self._describe(run_id)
        config = old["Config"]
        arguments = list(config["Args"])
        if outcome_in(arguments):
            arguments[arguments.index("--outcome") + 1] = outcome_folder(self._settings, token)
        step = {
            "Name": f"{bare_name(old['Name'])} {token}",
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": config["Jar"], "Args": arguments},
        }
        return self._add(self._adding(step), token)

    def _add(self, sent: dict[str, Any], token: str) -> Run:
        step = sent["Steps"][0]

        def send(client: Any) -> str:
            return str(client.add_job_flow_steps(**sent)["StepIds"][0])

        def look() -> str | None:
            return next((s["Id"] for s in self._list(20) if s["Name"].endswith(f" {token}")), None)

        with aws.refusals(f"Submitting {step['Name']} to {self.target}"):
            step_id = once(self._settings, "emr", send, look)
        return Run(step_id, step["Name"], outcome_in(step["HadoopJarStep"]["Args"]))

    def look(self, run_id: str) -> Status:
        """Describe the step."""
        return _status(self._describe(run_id))

    def _describe(self, step_id: str) -> dict[str, Any]:
        with aws.refusals(f"Looking at step {step_id} of {self.target}"):
            found: dict[str, Any] = self._emr.describe_step(ClusterId=self.target.id, StepId=step_id)["Step"]
        return found

    def _list(self, most: int) -> list[dict[str, Any]]:
        pages = self._emr.get_paginator("list_steps").paginate(
            ClusterId=self.target.id, PaginationConfig={"MaxItems": most}
        )
        return [step for page in pages for step in page["Steps"]]

    def recent(self, most: int) -> list[Status]:
        """List the newest steps."""
        with aws.refusals(f"Listing the steps of {self.target}"):
            return [_status(step) for step in self._list(most)]

    def cancel(self, run_id: str) -> None:
        """Cancel the step; a running one is ended at once, so that nothing of it goes on."""
        with aws.refusals(f"Cancelling step {run_id} of {self.target}"):
            answer = self._emr.cancel_steps(
                ClusterId=self.target.id, StepIds=[run_id], StepCancellationOption="TERMINATE_PROCESS"
            )
        for told in answer.get("CancelStepsInfoList", []):
            if told["Status"] != "SUBMITTED" and not self.look(run_id).phase.over:
                raise AwsRefused(
                    f"Step {run_id} could not be cancelled: {told.get('Reason', 'no reason given')}."
                )

    def log_folders(self, status: Status) -> dict[str, str]:
        """Return the step's folder, and that of the cluster's containers."""
        if not self.target.log_uri:
            return {}
        base = f"{self.target.log_uri}{self.target.id}"
        return {"step": f"{base}/steps/{status.run.id}/", "containers": f"{base}/containers/"}

    def why_ended(self) -> str:
        """Return the state and the reason of a cluster that was ended."""
        with aws.refusals(f"Looking at {self.target}"):
            status = self._emr.describe_cluster(ClusterId=self.target.id)["Cluster"]["Status"]
        reason = status.get("StateChangeReason", {})
        # A cluster that ends because it has done all its steps, or because one failed, is not the cause.
        if not status["State"].startswith("TERMINAT") or reason.get("Code") in _OF_STEPS:
            return ""
        return f"{status['State']}: {reason.get('Message') or reason.get('Code') or 'no reason given'}"


def _status(step: dict[str, Any]) -> Status:
    said, times = step["Status"], step["Status"].get("Timeline", {})
    config = step.get("Config", {})
    failure, change = said.get("FailureDetails", {}), said.get("StateChangeReason", {})
    parts = [failure.get("Reason"), failure.get("Message"), change.get("Message")]
    return Status(
        Run(step["Id"], step["Name"], outcome_in(config.get("Args", []))),
        said["State"],
        _PHASES.get(said["State"], Phase.RUNNING),
        times.get("CreationDateTime"),
        times.get("StartDateTime"),
        times.get("EndDateTime"),
        " ".join(dict.fromkeys(part for part in parts if part)),
    )
