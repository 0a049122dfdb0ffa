"""Expiry: people whose last day has passed, and leads that nobody decided on in time.

It is a job of the registry too, so that it can be scheduled as any other (`crime-jobs schedule`, faces.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from crime_jobs.errors import WrongUsage
from crime_jobs.faces.leads import Leads
from crime_jobs.faces.people import OVER, State
from crime_jobs.faces.withdraw import Withdrawal, Withdrawn
from crime_jobs.job import Config, Job, Run
from crime_jobs.model.faces import FaceSettings, is_over, of
from crime_jobs.settings import Settings


@dataclass(frozen=True)
class Expired:
    """What a run of `expire` removed.

    Parameters
    ----------
    people
        Those whose day had passed, and those whose withdrawal was not finished.
    swept
        Leads of people who are off the list: of a match that was under way when they went.
    old_leads
        Leads that were older than the settings allow.
    """

    people: tuple[Withdrawn, ...]
    swept: int
    old_leads: int


def expire(
    settings: Settings,
    faces: FaceSettings,
    name: str,
    *,
    keep_photographs: bool = False,
    now: datetime | None = None,
) -> Expired:
    """End what has had its day; what a killed withdrawal left is finished too.

    Parameters
    ----------
    settings
        The environment.
    faces
        What it says of faces.
    name
        The watch list.
    keep_photographs
        Whether photographs stay where they are.
    now
        By default the present.

    Returns
    -------
    Expired

    Raises
    ------
    WrongUsage
        If there is no such list.
    AwsRefused
        If something can't be removed: run it again.
    """
    leads = Leads(settings, faces)
    withdrawal = Withdrawal(settings, faces, name, leads)
    ended, swept = [], 0
    for person in list(withdrawal.people.everyone(name)):
        if person.state in OVER:
            swept += leads.forget(name, person.person_id)
        elif person.state is State.WITHDRAWING or is_over(person.expires, now):
            reason = "its last day has passed"
            ended.append(withdrawal.end(person, State.EXPIRED, reason, keep_photographs=keep_photographs))
    old = leads.drop_older(faces.lead_days)
    if swept or old:
        withdrawal.audit.write("leads-dropped", watch_list=name, swept=swept, old=old, days=faces.lead_days)
    return Expired(tuple(ended), swept, old)


class ExpireConfig(Config):
    """What the job is told; what is not, comes from the environment.

    Parameters
    ----------
    watch_list
        Name of the watch list.
    keep_photographs
        Whether photographs stay where they are.
    engine, people_table, leads_table, audit_table, key, lead_days
        See `crime_jobs.model.faces.FaceSettings`: a step on EMR has no crime-jobs.toml.
    """

    watch_list: str = ""
    keep_photographs: bool = False
    engine: Literal["rekognition", "on-premises"] | None = None
    people_table: str | None = None
    leads_table: str | None = None
    audit_table: str | None = None
    key: str | None = None
    lead_days: int | None = None


def _work(run: Run, config: ExpireConfig) -> None:
    if not config.watch_list or run.settings is None:
        raise WrongUsage("Which watch list?", hint="--set watch_list=NAME")
    told = config.model_dump(exclude={"watch_list", "keep_photographs"}, exclude_none=True)
    done = expire(
        run.settings,
        of({**run.settings.faces, **told}),
        config.watch_list,
        keep_photographs=config.keep_photographs,
    )
    run.reports.append(
        {
            "job": JOB.name,
            "table": "face_people",
            "rows_written": len(done.people),
            "faces": sum(one.faces for one in done.people),
            "leads": sum(one.leads for one in done.people) + done.swept + done.old_leads,
        }
    )


JOB = Job(
    name="expire_faces",
    summary="ends what has had its day on a watch list: people, their faces and photographs, old leads",
    writes=(),
    work=_work,
    config=ExpireConfig,
    in_all=False,
)
