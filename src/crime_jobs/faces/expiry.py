"""Expiry: people whose last day has passed, and leads that nobody decided on in time.

It is a job of the registry too, so that it can be scheduled as any other (`crime-jobs schedule`, faces.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from crime_jobs.errors import CrimeJobsError, JobFailed, WrongUsage
from crime_jobs.faces.leads import Leads
from crime_jobs.faces.people import OVER, State
from crime_jobs.faces.withdraw import Withdrawal, Withdrawn
from crime_jobs.job import Config, Job, Run
from crime_jobs.model.faces import NAME, FaceSettings, is_over
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
    JobFailed
        If somebody could not be taken off; the others are.
    AwsRefused
        If nothing can be read: run it again.
    """
    leads = Leads(settings, faces)
    withdrawal = Withdrawal(settings, faces, name, leads)
    ended, swept, failed = [], 0, list[CrimeJobsError]()
    # First the collection: of a face that is there, the row said before that its person is on the list.
    there, left = withdrawal.faces(), list[str]()
    for person in list(withdrawal.people.everyone(name)):
        if person.state in OVER:
            swept += leads.forget(name, person.person_id)
            left += there.get(person.person_id, ())
        elif person.state is State.WITHDRAWING or is_over(person.expires, now):
            reason = "its last day has passed"
            try:
                ended.append(withdrawal.end(person, State.EXPIRED, reason, keep_photographs=keep_photographs))
            except CrimeJobsError as error:  # the next person has his right too
                failed.append(error)
    if removed := withdrawal.remove_faces(left):
        withdrawal.audit.write("faces-removed", watch_list=name, faces=removed)
    old = leads.drop_older(faces.lead_days)
    if swept or old:
        withdrawal.audit.write("leads-dropped", watch_list=name, swept=swept, old=old, days=faces.lead_days)
    if failed:
        raise JobFailed(
            f"{len(failed)} people could not be taken off, {len(ended)} were; the first: {failed[0].message}",
            hint=failed[0].hint or "Run it again: it goes on where this run stopped.",
        ) from failed[0]
    return Expired(tuple(ended), swept, old)


class ExpireConfig(Config):
    """What the job is told.

    Parameters
    ----------
    watch_list
        Name of the watch list.
    keep_photographs
        Whether photographs stay where they are.
    faces
        The table ``faces`` of the environment's section, as JSON; from the settings, if it is not given.
    """

    watch_list: Annotated[str, Field(pattern=NAME)]
    keep_photographs: bool = False
    faces: FaceSettings = FaceSettings()


def _work(run: Run, config: ExpireConfig) -> None:
    if run.settings is None:
        raise WrongUsage("The job speaks to AWS, and was given no settings.")
    done = expire(
        run.settings,
        config.faces,
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
    settings={"faces": "faces"},
    in_all=False,
)
