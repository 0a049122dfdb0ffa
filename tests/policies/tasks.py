"""Whose call it is: each function that the code is entered by is a task, and each task has its policies.

A call is the task's whose mark is the first of `MARKS` to be found among the functions that led to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: What a task runs with.
POLICIES: dict[str, tuple[str, ...]] = {
    "producer": ("firs.ProducerPolicy",),
    "consumer": ("firs.ConsumerPolicy",),
    "replay": ("firs.ReplayPolicy",),
    "loader": ("firs.LoaderPolicy",),
    "history setup": ("firs.HistorySetupPolicy",),
    "watcher": ("firs.WatchPolicy",),
    "reconciler": ("firs.ReconcilePolicy",),
    "enroller": ("faces.EnrollerPolicy",),
    "matcher": ("faces.MatcherPolicy",),
    "reviewer": ("faces.ReviewerPolicy",),
    "custodian": ("faces.CustodianPolicy",),
    "night's expiry": ("faces.CustodianPolicy", "faces.ExpiryRole"),
    "night's expiry, its start": ("faces.ExpiryStarterRole",),
    "flow logs": ("network.FlowRole",),
    "Firehose": ("firs.FirehoseRole",),
    "Redshift": ("firs.RedshiftRole",),
    "job": ("emr.RuntimeRole",),
    "migration": ("emr.RuntimeRole", "migration.MigrationPolicy"),
    "submitter": ("emr.SubmitterPolicy",),
    "cluster keeper": ("emr.ClusterPolicy",),
    "submitter with a cluster of his own": ("emr.SubmitterPolicy", "emr.ClusterPolicy"),
    "EMR": ("emr.ServiceRole",),
    "EMR node": ("emr.NodeRole",),
    "DMS, its secret": ("migration.DmsSecretRole",),
    "DMS, its target": ("migration.DmsTargetRole",),
    "analyst": ("adhoc.Analyst",),
    "SQL setup": ("adhoc.Analyst", "adhoc.Setup"),
    "Flink": ("analytics.Role",),
    "QuickSight": ("quicksight.ReaderRole",),
    "Scheduler": ("schedules.SchedulerRole",),
    "Step Functions": ("schedules.MachineRole",),
    "CloudFormation": tuple(
        f"deployment.Makes{what}" for what in ("Networks", "Stores", "Flows", "Work", "Roles")
    ),
    "deployer": ("deployment.Deployer",),
    "auditor": ("access.Auditor", "access.AuditorLooks"),
    "remover": ("access.Auditor", "access.AuditorLooks", "access.Remover", "access.RemoverByTags"),
    "restorer": ("access.Restorer",),
    "scheduler": ("emr.SubmitterPolicy", "emr.ClusterPolicy", "access.Scheduler"),
    "DMS operator": ("access.DmsOperator",),
    "publisher": ("access.Publisher",),
    "packager": ("access.Packager",),
}

#: Tasks of the people who run an environment. Their calls are held by what kind of thing they are about, since its
#: name is by chance in a test (tests/policies/places.py).
PEOPLE = frozenset(
    {"deployer", "auditor", "remover", "restorer", "scheduler", "DMS operator", "publisher", "packager"}
)

#: But of these services their calls keep names: there the settings say which bucket, application or cluster it is.
_BY_NAME = {"scheduler": ("emr", "emr-serverless", "s3"), "publisher": ("s3",), "packager": ("s3",)}

#: Of whom a call is that tests alone make.
NOBODY = "nobody"

#: Modules that are of no task, but of those that call them.
SHARED = ("crime_jobs.sealing:", "crime_jobs.aws:", "crime_jobs.guard:", "crime_jobs.executors:")

MARKS: Sequence[tuple[str, str]] = (
    ("fir_producer.lambda_handler", "producer"),
    ("fir_producer.", "producer"),
    ("crime_jobs.stream.watch:", "watcher"),
    ("crime_jobs.stream.reconcile:", "reconciler"),
    ("crime_jobs.stream.hops:", "reconciler"),
    ("crime_jobs.stream.replay:", "replay"),
    *(
        (f"crime_jobs.stream.deadletters:{name}", "replay")
        for name in ("receive", "open", "delete", "put_back")
    ),
    ("crime_jobs.stream.deadletters:put_back_all", "replay"),
    ("crime_jobs.stream._firehose:", "history setup"),
    ("crime_jobs.cli_stream_history:setup", "history setup"),
    ("crime_jobs.stream.history:setup", "history setup"),
    ("crime_jobs.stream.history:", "loader"),
    ("crime_jobs.stream._objects:", "loader"),
    ("crime_jobs.stream._redshift:setup", "history setup"),
    ("crime_jobs.stream._redshift:", "loader"),
    ("crime_jobs.stream.analytics.", "packager"),
    *(
        (f"crime_jobs.stream.{name}:", "consumer")
        for name in ("leases", "skip", "supervisor", "record_processor")
    ),
    ("crime_jobs.stream.reading:", NOBODY),  # as the watcher and the reconciler do, which come above
    ("crime_jobs.stream.", "consumer"),
    ("crime_jobs.migrate.dms:", "DMS operator"),
    ("crime_jobs.migrate._dms_", "DMS operator"),
    ("crime_jobs.migrate.", "migration"),
    ("crime_jobs.adhoc.setup:", "SQL setup"),
    ("crime_jobs.adhoc.quicksight.", "publisher"),
    ("crime_jobs.adhoc.", "analyst"),
    ("crime_jobs.faces.withdraw:", "custodian"),
    ("crime_jobs.faces.expiry:", "custodian"),
    ("crime_jobs.cli_faces:audit", "custodian"),
    ("crime_jobs.faces.watchlist:", "enroller"),
    ("crime_jobs.faces._enrolling:", "enroller"),
    ("crime_jobs.faces.match:", "matcher"),
    ("crime_jobs.faces._matcher:", "matcher"),
    ("crime_jobs.faces._reconcile:", "enroller"),
    ("crime_jobs.faces.compare:", "matcher"),
    ("crime_jobs.cli_faces_match:", "matcher"),
    ("crime_jobs.faces.review.", "reviewer"),
    ("crime_jobs.faces.decisions:", "reviewer"),
    ("crime_jobs.faces.listing:", "reviewer"),
    ("crime_jobs.faces.", NOBODY),  # parts that the four share, which tests try alone
    ("crime_jobs.jobs.reconcile:", "job"),
    ("crime_jobs.job:", "job"),
    ("crime_jobs.outcome:", "job"),
    *(
        (f"crime_jobs.emr.{name}:", "scheduler")
        for name in ("schedule", "_scheduling", "_machines", "_planned")
    ),
    *((f"crime_jobs.emr.{name}:", "cluster keeper") for name in ("clusters", "interfaces")),
    ("crime_jobs.emr.transient:", "submitter with a cluster of his own"),
    ("crime_jobs.emr.", "submitter"),
    ("crime_jobs.cloud.restore:", "restorer"),
    ("crime_jobs.cloud.destroy:", "remover"),
    ("crime_jobs.cloud.destroy_", "remover"),
    ("crime_jobs.cloud.inventory:", "auditor"),
    ("crime_jobs.cloud.inventory_", "auditor"),
    ("crime_jobs.cloud.doctor:", "auditor"),
    ("crime_jobs.cloud.doctor_", "auditor"),
    ("crime_jobs.cloud.kinds_", NOBODY),  # as inventory and destroy do, which come above
    ("crime_jobs.cloud.", "deployer"),
    ("crime_jobs.formation.", NOBODY),  # as whoever has a stack, who comes above
)


def task(via: Sequence[str], made: Sequence[str] = ()) -> str | None:
    """Return whose call it is.

    Parameters
    ----------
    via
        The functions that led to the call, as ``module:function``.
    made
        Those that led to the making of its client, asked if the others say nothing.
    """
    for functions in (via, made):
        for mark, name in MARKS:
            if any(one == mark or (mark[-1] in ".:_" and one.startswith(mark)) for one in functions):
                return name
    return None


def is_by_kind(task: str | None, service: str) -> bool:
    """Say whether a call is held by the kind of thing that it is about, not by names."""
    return task in PEOPLE and service not in _BY_NAME.get(task, ())


def is_the_guards(said: Mapping[str, object], via: Sequence[str]) -> bool:
    """Say whether a call only asks where a bucket is.

    That is answered when it is refused, too
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html), so that it needs no permission.
    """
    return said["operation"] == "HeadBucket" and any(one.startswith("crime_jobs.guard:") for one in via)


def is_nobodys(via: Sequence[str], made: Sequence[str]) -> bool:
    """Say whether a test called itself, with a client of ours, or a part that every task shares."""
    return not via or all(one.startswith(SHARED) for one in (*made, *via))
