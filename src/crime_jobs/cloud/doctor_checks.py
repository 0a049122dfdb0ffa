"""The doctor's checks, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crime_jobs.cloud import doctor, doctor_buckets, doctor_here, doctor_services, doctor_stores, doctor_watch
from crime_jobs.cloud.doctor import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crime_jobs.settings import Settings

CREDENTIALS = Check("credentials", "who asks, until when, in which account", doctor_here.credentials)

#: In the order that they are shown.
CHECKS = (
    CREDENTIALS,
    Check("clock", "this machine's clock beside AWS's", doctor_here.clock),
    Check("region", "all that is named is in one region", doctor_here.regions),
    Check("versions", "Python, boto3, Spark, Java", doctor_here.versions, needs_aws=False),
    Check(
        "folders",
        "landing and lake on this machine",
        doctor_here.folders,
        "Landing and lake are not on this machine.",
        needs_aws=False,
    ),
    Check(
        "certificates",
        "TLS of endpoints, and what ACM keeps",
        doctor_here.certificates,
        "No endpoint is named.",
        needs_aws=False,
    ),
    Check("buckets", "region, public access, encryption, versions, TLS", doctor_buckets.buckets),
    Check("tables", "DynamoDB: there, encrypted, protected, with backups", doctor_stores.tables),
    Check("streams", "Kinesis: active, encrypted", doctor_stores.kinesis),
    Check("lag", "how late the consumer is", doctor_services.lag),
    Check("queues", "dead letters that wait", doctor_stores.queues),
    Check("keys", "KMS: enabled, rotated", doctor_stores.keys),
    Check("secrets", "there, rotated; never read", doctor_stores.secrets),
    Check("subscriptions", "somebody hears of it, and has confirmed", doctor_services.topics),
    Check(
        "trail", "who reads FIRs and photographs is written down", doctor_watch.trail, doctor_watch.NO_TRAIL
    ),
    Check("alarms", "on, told to somebody, and measured", doctor_watch.alarms, doctor_watch.NO_ALARMS),
    Check("budget", "there, and somebody hears of it", doctor_watch.budget, doctor_watch.NO_BUDGET),
    Check("schedules", "they start what they should", doctor_services.schedules, "There are none."),
    Check("roles", "those that are handed on are there", doctor_services.roles),
    Check("emr", "the cluster or application of `on`", doctor_services.emr, "The settings name no `on`."),
    Check("package", "what was shipped is of this version", doctor_stores.package),
    Check("athena", "the workgroup answers, and has a limit", doctor_services.athena),
    Check("redshift", "the workgroup answers, not to the internet", doctor_services.redshift),
    Check("quotas", "how near the account is to its limits", doctor_services.quotas),
)


def examine(settings: Settings, only: Sequence[str] = ()) -> list[Finding]:
    """Look an environment over.

    Parameters
    ----------
    settings
        The environment.
    only
        Names of checks; all when empty.

    Returns
    -------
    list of Finding

    Raises
    ------
    WrongUsage
        If there is no check of a name, or the settings themselves are wrong.
    """
    return doctor.examine(settings, doctor.chosen(CHECKS, only), let_in=CREDENTIALS)
