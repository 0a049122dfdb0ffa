"""The Spark jobs, one module each; a module here with a ``JOB`` is a job, and nothing else has to know it."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from crime_jobs.errors import WrongUsage

if TYPE_CHECKING:
    from crime_jobs.job import Job


#: Jobs that belong to another room: the room's module, which has a ``JOB``.
_ELSEWHERE = (
    "crime_jobs.migrate.load",
    "crime_jobs.migrate.validate",
    "crime_jobs.migrate.export",
    "crime_jobs.faces.expiry",
    "crime_jobs.faces.match",
)


@cache
def registry() -> dict[str, Job]:
    """Find the jobs.

    Returns
    -------
    dict
        Name to `Job`, in an order in which each finds its inputs made: the order of ``run all``.
    """
    here = (f"{__name__}.{m.name}" for m in iter_modules(__path__) if not m.name.startswith("_"))
    jobs: dict[str, Job] = {}
    for module in (*sorted(here), *_ELSEWHERE):
        job: Job = import_module(module).JOB
        jobs[job.name] = job
    makers = {table: job.name for job in jobs.values() for table in job.writes}
    needs = {job.name: [makers[table] for table in job.reads] for job in jobs.values()}
    return {name: jobs[name] for name in TopologicalSorter(needs).static_order()}


def find(name: str) -> list[Job]:
    """Find a job by its name.

    Parameters
    ----------
    name
        A job's name, or ``all``: those that make tables from the landing folder.

    Returns
    -------
    list of Job
        In the order to run them.

    Raises
    ------
    WrongUsage
        If there is no such job.
    """
    if name == "all":
        return [job for job in registry().values() if job.in_all]
    if name not in registry():
        known = ["all", *sorted(registry())]
        close = get_close_matches(name, known, n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise WrongUsage(f"There is no job {name!r}.", hint=f"{meant}Known are: {', '.join(known)}.")
    return [registry()[name]]
