"""What the verbs of the command do, each one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crime_jobs import aws, output
from crime_jobs.emr import _bar, targets
from crime_jobs.emr import logs as driver_logs
from crime_jobs.emr import submit as submitting
from crime_jobs.emr._job_runs import JobRuns
from crime_jobs.emr._steps import Steps
from crime_jobs.emr._upload import Part, digest, upload
from crime_jobs.emr.package import ship
from crime_jobs.emr.runs import bare_name, new_token
from crime_jobs.emr.screen import live, show_cause
from crime_jobs.errors import JobFailed, WrongUsage

if TYPE_CHECKING:
    from crime_jobs.emr._wheels import Architecture
    from crime_jobs.emr.logs import Log
    from crime_jobs.emr.package import Manifest
    from crime_jobs.emr.runs import Service, Status
    from crime_jobs.emr.submit import Ended
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings

#: So many of the newest runs are looked at for one that is under way.
_LOOKED_AT = 50


@dataclass(frozen=True)
class Wanted:
    """What is to be submitted.

    Parameters
    ----------
    works
        The parts of the chain, mostly one.
    architecture
        Of the target's processors.
    conf
        Further Spark properties.
    log_wait
        How long to wait for the logs of a failure, in seconds.
    """

    works: list[Work]
    architecture: Architecture
    conf: Mapping[str, str]
    log_wait: float


def service_of(settings: Settings, *, ended: bool = False) -> Service:
    """Return the service of the target that the settings name; with `ended` also of one that has ended."""
    if settings.on == targets.TRANSIENT:
        raise WrongUsage(
            "A transient cluster has ended with its steps.", hint="Give --on with the cluster's id."
        )
    return _service(settings, targets.find(settings, ended=ended))


def _service(settings: Settings, target: targets.Target) -> Service:
    return Steps(settings, target) if target.kind == "cluster" else JobRuns(settings, target)


def requests(settings: Settings, wanted: Wanted) -> list[dict[str, Any]]:
    """Return what would be sent, operation by operation; nothing is uploaded or submitted.

    The tokens are those of this moment: each submission has its own.
    """
    manifest = _packed(settings, wanted, dry_run=True)
    works = [with_script(settings, work, dry_run=True) for work in wanted.works]
    if settings.on == targets.TRANSIENT:
        from crime_jobs.emr import transient

        return [{"RunJobFlow": transient.request(settings, works, manifest, wanted.conf)}]
    service = service_of(settings)
    sent = [service.request(work, manifest, new_token(), wanted.conf) for work in works]
    return [{operation: body} for operation, body in sent]


def send(settings: Settings, wanted: Wanted) -> Status:
    """Submit one part and don't wait.

    Raises
    ------
    WrongUsage
        For a chain, which somebody must walk.
    """
    if len(wanted.works) > 1 or settings.on == targets.TRANSIENT:
        raise WrongUsage(
            "A chain, or a transient cluster, needs this command to wait for it.",
            hint="Leave out --no-wait; or put the chain on a schedule: `crime-jobs schedule`.",
        )
    service = service_of(settings)
    _refuse_two_writers(service, [work.name for work in wanted.works])
    manifest = _packed(settings, wanted)
    return submitting.send(service, with_script(settings, wanted.works[0]), manifest, wanted.conf)


def _refuse_two_writers(service: Service, names: list[str]) -> None:
    """Refuse a job while another run writes the same tables: a table has one writer at a time.

    A cluster that runs one step at a time puts them in turn by itself.
    """
    if service.target.kind == "cluster" and service.target.concurrency == 1:
        return
    mine = {table for name in names for table in _writes(name)}
    for status in service.recent(_LOOKED_AT):
        shared = mine & _writes(bare_name(status.run.name))
        if shared and not status.phase.over:
            raise WrongUsage(
                f"{status.run.name} ({status.run.id}, {status.state}) writes {', '.join(sorted(shared))} "
                f"too, at the same time, in {service.target}.",
                hint=f"`crime-jobs watch {status.run.id} --on {service.target.id}` waits for it.",
            )


def _writes(name: str) -> set[str]:
    from crime_jobs import registry

    try:
        return {table for job in registry.find(name) for table in job.writes}
    except WrongUsage:  # a Hive script, or something that others submitted
        return set()


def run(settings: Settings, wanted: Wanted) -> list[Ended]:
    """Submit the chain and wait for its end; what failed is shown as soon as it is known."""
    submitting.end_as_ctrl_c()
    # The target first: that it is not there should not cost an upload.
    service = None if settings.on == targets.TRANSIENT else service_of(settings)
    if service:
        _refuse_two_writers(service, [work.name for work in wanted.works])
    manifest = _packed(settings, wanted)
    works = [with_script(settings, work) for work in wanted.works]
    with live() as tell:
        if service is None:
            from crime_jobs.emr import transient

            ended = transient.run(settings, works, manifest, wanted.conf, tell, wanted.log_wait, _shown)
            return _told(works, ended)

        def one(work: Work) -> Ended:
            return submitting.submit(
                settings, service, work, manifest, wanted.conf, tell, patience=wanted.log_wait
            )

        ended = submitting.chain(works, one, _shown)
    return _told(works, ended)


def _told(works: list[Work], ended: list[Ended]) -> list[Ended]:
    if not_run := works[len(ended) :]:
        output.note(f"Not run: {', '.join(work.name for work in not_run)}.")
    return ended


def _shown(ended: Ended) -> Ended:
    if ended.cause:
        show_cause(ended.status, ended.cause)
    return ended


def watch(settings: Settings, run_id: str, log_wait: float) -> Ended:
    """Wait for a run that is under way."""
    submitting.end_as_ctrl_c()
    service = service_of(settings, ended=True)
    with live() as tell:
        found = service.look(run_id).run
        return _shown(submitting.watch(settings, service, found, tell, patience=log_wait))


def retry(settings: Settings, run_id: str, log_wait: float) -> Ended:
    """Submit once more what a run was given, and wait for it."""
    submitting.end_as_ctrl_c()
    service = service_of(settings)
    _refuse_two_writers(service, [bare_name(service.look(run_id).run.name)])
    with submitting.held_back() as held:
        again = service.again(run_id, new_token())
    with live() as tell:
        return _shown(submitting.watch(settings, service, again, tell, patience=log_wait, cancel=bool(held)))


def cancel(settings: Settings, run_id: str) -> Status:
    """Cancel a run and wait until it is over.

    Raises
    ------
    WrongUsage
        If it is over already.
    Interrupted
        After Ctrl-C; it is cancelled nevertheless.
    """
    service = service_of(settings)
    before = service.look(run_id)
    if before.phase.over:
        raise WrongUsage(f"{before.run.name} ({run_id}) is over already: {before.state}.")
    submitting.end_as_ctrl_c()
    with submitting.held_back():
        service.cancel(run_id)
    try:
        with live() as tell:
            return submitting.wait(settings, service, before.run, tell, "Cancelling")
    except KeyboardInterrupt:
        raise submitting.left(service, before.run) from None


def logs(settings: Settings, run_id: str, only: str | None, patience: float) -> list[Log]:
    """Fetch the logs of a run.

    Raises
    ------
    JobFailed
        If there are none yet; the message says where they will be.
    """
    service = service_of(settings, ended=True)
    status = service.look(run_id)
    with live() as tell:
        found = driver_logs.await_logs(
            settings, service, status, patience, lambda note: tell(submitting.View(status, None, note))
        )
    wanted = [log for log in found if only in (None, log.name)]
    if not wanted:
        folders = service.log_folders(status)
        where = "; ".join(folders.values()) or "nowhere: it was made without a place for logs"
        raise JobFailed(
            f"There is no {only or 'log'} of {run_id} ({status.state}) yet.",
            hint=f"EMR uploads logs every few minutes, to {where}. `--wait 300` waits for them.",
        )
    return wanted


def _packed(settings: Settings, wanted: Wanted, *, dry_run: bool = False) -> Manifest:
    with _bar.progress() as progress:
        return ship(settings, wanted.architecture, progress, dry_run=dry_run).manifest


def with_script(settings: Settings, work: Work, *, dry_run: bool = False) -> Work:
    """Upload a script of the user's own, under a key made of its content."""
    if not work.script:
        return work
    path = Path(work.script)
    body = path.read_bytes()
    sha256 = digest(body)
    bucket, prefix = aws.split_uri(settings.artifacts or "", "artifacts")
    key = "/".join(filter(None, (prefix, "hive", sha256[:16], path.name)))
    if not dry_run:
        part = Part(path.name, key, body, sha256, len(body))
        upload(aws.client("s3", settings), bucket, [part], lambda *_: None)
    return replace(work, script=f"s3://{bucket}/{key}")
