"""The jobs: a module of `crime_jobs.jobs` with a ``JOB`` is one, and nothing else has to know it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from pydantic import ValidationError

from crime_jobs import jobs as own
from crime_jobs.errors import WrongUsage
from crime_jobs.settings import VARIABLES, Settings

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
    here = (f"{own.__name__}.{m.name}" for m in iter_modules(own.__path__) if not m.name.startswith("_"))
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


def check_options(jobs: list[Job], options: Mapping[str, str], settings: Settings) -> None:
    """Refuse options that no job takes, before Spark starts.

    Parameters
    ----------
    jobs
        The jobs to run.
    options
        Configuration values by field name.
    settings
        Where some options come from when they are not given.

    Raises
    ------
    WrongUsage
        If a name is unknown or a value does not fit.
    """
    known = {name for job in jobs for name in job.config.model_fields}
    for name in options:
        if name not in known:
            names = ", ".join(j.name for j in jobs)
            takes = f"They take: {', '.join(sorted(known))}." if known else "They take none."
            raise WrongUsage(f"{names}: there is no option {name!r}.", hint=takes)
    for job in jobs:
        try:
            job.config.model_validate(job.options_from(settings, options))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            variable = VARIABLES.get(job.settings.get(where, ""))
            hint = f"--set {where}=… gives it, or {variable}." if variable else ""
            raise WrongUsage(f"{job.name}: option {where}: {first['msg']}.", hint=hint) from error
