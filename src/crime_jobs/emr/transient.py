"""A cluster that is made for some work, runs it and ends: the chain is in EMR's hands, not this machine's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, output
from crime_jobs.emr import cluster, targets
from crime_jobs.emr import work as requests
from crime_jobs.emr._once import once
from crime_jobs.emr._steps import Steps
from crime_jobs.emr.runs import Phase, new_token, outcome_folder
from crime_jobs.emr.submit import chain, held_back, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from crime_jobs.emr.package import Manifest
    from crime_jobs.emr.runs import Status
    from crime_jobs.emr.submit import Ended, Tell
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings


class OwnCluster(Steps):
    """The steps of a cluster that is there for them alone: to cancel one is to end the cluster."""

    _ended = False

    def look(self, run_id: str) -> Status:
        """Describe the step; one that was interrupted since its cluster was ended here was cancelled."""
        status = super().look(run_id)
        if self._ended and status.state == "INTERRUPTED":
            return replace(status, phase=Phase.CANCELLED)
        return status

    def cancel(self, run_id: str) -> None:  # noqa: ARG002 - whichever it is
        """End the cluster with all its steps."""
        self._ended = True
        with aws.refusals(f"Ending {self.target}"):
            aws.client("emr", self._settings).terminate_job_flows(JobFlowIds=[self.target.id])


def request(
    settings: Settings, works: Sequence[Work], manifest: Manifest, conf: Mapping[str, str]
) -> dict[str, Any]:
    """Return what ``RunJobFlow`` is sent.

    Parameters
    ----------
    settings
        Also says how clusters are made (``[ENV.cluster]``).
    works
        The parts; one that fails ends the cluster, unless it says to go on.
    manifest, conf
        The package, and further Spark properties.

    Returns
    -------
    dict
    """
    steps = []
    for work in works:
        token = new_token()
        outcome = outcome_folder(settings, token) if work.kind == "job" else None
        on_failure: requests.OnFailure = "CONTINUE" if work.go_on else "TERMINATE_CLUSTER"
        steps.append(requests.step(work, manifest, settings, outcome, on_failure, token=token, conf=conf))
    # In turn, whatever the clusters that stay do: a part may need what the one before has published.
    spec = cluster.spec_of(settings).model_copy(update={"concurrency": 1})
    sent = cluster.request(settings, spec, steps, transient=True)
    return {**sent, "Name": f"{sent['Name']} {new_token()}"}


def run(
    settings: Settings,
    works: Sequence[Work],
    manifest: Manifest,
    conf: Mapping[str, str],
    tell: Tell,
    patience: float,
    between: Callable[[Ended], object],
) -> list[Ended]:
    """Make the cluster and watch its steps, one after the other.

    Parameters
    ----------
    settings, works, manifest, conf
        As for `request`.
    tell
        Told what is to be seen.
    patience
        How long to wait for the logs of a failed step, in seconds.
    between
        Told of each part that has ended.

    Returns
    -------
    list of Ended
        Of the parts that ran.

    Raises
    ------
    Interrupted
        After Ctrl-C: the cluster is ended.
    AwsRefused
        If EMR refuses.
    """
    sent = request(settings, works, manifest, conf)
    cluster.prepare(settings)
    names = [step["Name"] for step in sent["Steps"]]

    def find() -> str | None:
        return next((str(found["Id"]) for found in targets.alive(settings, sent["Name"])), None)

    with held_back() as held, aws.refusals(f"Making cluster {sent['Name']}"):
        cluster_id = once(settings, "emr", lambda client: str(client.run_job_flow(**sent)["JobFlowId"]), find)
        # Still held back: until it is known which steps to watch, Ctrl-C could not end the cluster.
        output.note(f"Cluster {cluster_id} was made for this, and ends with it.")
        service = OwnCluster(settings, targets.find(settings, cluster_id, ended=True))
        ids = {status.run.name: status.run for status in service.recent(len(names))}
    in_order = iter(names)

    def one(_work: Work) -> Ended:
        step = ids[next(in_order)]
        return watch(settings, service, step, tell, patience=patience, cancel=bool(held))

    return chain(works, one, between)
