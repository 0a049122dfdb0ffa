"""What `crime-jobs schedule` does with the words that were typed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crime_jobs.emr import _bar, _cron, _planned, _verbs, cluster, schedule, targets
from crime_jobs.emr._schedule_table import needed, table_of
from crime_jobs.emr.package import ship
from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.emr._planned import Plan
    from crime_jobs.emr._wheels import Architecture
    from crime_jobs.emr.work import Work
    from crime_jobs.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """A schedule, as it was typed.

    Parameters
    ----------
    works
        A job, or a chain of them.
    cron, timezone
        When.
    name
        The schedule's name; by default the first job's.
    notify
        Whether SNS is to hear of a single job's end too.
    conf
        Further Spark properties.
    architecture
        Of the target's processors; by default that of ``[ENV.cluster]``.
    """

    works: Sequence[Work]
    cron: str
    timezone: str | None
    name: str | None
    notify: bool
    conf: Mapping[str, str]
    architecture: Architecture | None = None


def add(settings: Settings, wanted: Wanted) -> dict[str, Any]:
    """Make or change the schedule.

    Returns
    -------
    dict
        Its row.
    """
    return schedule.add(settings, _plan(settings, wanted, dry_run=False))


def requests(settings: Settings, wanted: Wanted) -> list[dict[str, Any]]:
    """Return what would be sent; nothing is uploaded or made."""
    plan = _plan(settings, wanted, dry_run=True)
    sent: list[dict[str, Any]] = [{"CreateSchedule": schedule.wanted(settings, table_of(settings), plan)}]
    if plan.definition:
        role = table_of(settings).machine_role
        sent.insert(0, {"CreateStateMachine": {"definition": plan.definition, "roleArn": role}})
    return sent


def next_runs(row: Mapping[str, Any], number: int) -> list[datetime]:
    """Return when a schedule is due next; paused, never."""
    if row["state"] != "on":
        return []
    return schedule.next_runs(f"cron({row['cron']})", row["timezone"], number)


def _plan(settings: Settings, wanted: Wanted, *, dry_run: bool) -> Plan:
    """Check all that can be checked before anything is uploaded."""
    cron = _cron.parse(wanted.cron)
    table = table_of(settings)
    zone = _cron.zone(wanted.timezone or table.timezone)
    for key in (
        "role",
        "dead_letter_queue",
        *(("topic", "machine_role") if len(wanted.works) > 1 or wanted.notify else ()),
    ):
        needed(settings, table, key)
    if not settings.on:
        raise WrongUsage(
            "Nothing says where the schedule runs.",
            hint="Give --on with a cluster, an application or transient; or set CRIME_JOBS_ON.",
        )
    transient = settings.on == targets.TRANSIENT
    target = None if transient else targets.find(settings)
    architecture = wanted.architecture or cluster.spec_of(settings).architecture
    with _bar.progress() as progress:
        manifest = ship(settings, architecture, progress, dry_run=dry_run).manifest
    if transient and not dry_run:
        cluster.prepare(settings)
    works = [_verbs.with_script(settings, work, dry_run=dry_run) for work in wanted.works]
    name = wanted.name or re.sub(r"[^\w.-]", "-", works[0].name)
    what = _planned.What(works, manifest, target, wanted.conf)
    return _planned.make(settings, table, what, (cron, zone), name, notify=wanted.notify)
