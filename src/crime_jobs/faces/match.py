"""The job `match_faces`: the photographs below a prefix against a watch list. What it finds are leads.

The driver lists the photographs and leaves out those that the ledger has as matched with the same list,
engine and threshold; the executors do the rest, all within one rate of calls. A photograph's leads are
durable before the ledger has it: whatever kills the run, the next one finishes it, and no lead is lost or
there twice (`crime_jobs.model.faces.lead_id`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from crime_jobs.budget import Served
from crime_jobs.errors import BadInput, CrimeJobsError
from crime_jobs.executors import raised_on_executors
from crime_jobs.faces import cost, purpose
from crime_jobs.faces._matcher import Matcher, Tally, fingerprint
from crime_jobs.faces._telling import Telling
from crime_jobs.faces.audit import Audit
from crime_jobs.faces.engine import Engine, Identity
from crime_jobs.faces.matching import Asked, Bar
from crime_jobs.faces.people import People
from crime_jobs.faces.photographs import BATCH, Found, Photographs, batches, listed
from crime_jobs.job import Config, Job, Run
from crime_jobs.model.faces import NAME, FaceSettings, Purpose, WatchList

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: A core has at least so many batches, so that the last of them is not waited for alone.
_BATCHES_A_CORE = 4
#: Photographs of a batch at least, where each core has some.
_LEAST = 10


class MatchConfig(Config):
    """What `match_faces` is told.

    Parameters
    ----------
    photographs
        ``s3://`` URI of a folder; all objects below it are looked at.
    watch_list
        Name of the watch list.
    purpose
        What for: it must be the list's.
    threshold
        Least similarity of a lead, in per cent, 80 to 100; by default the environment's.
    least_confidence
        That it is a face, in per cent: others are counted, and not searched for.
    least_side
        Pixels of the shorter side of a face that is searched for.
    most_unreadable
        Share of the photographs that may be unreadable before the job counts as failed; the rest is matched
        either way.
    faces
        The table ``faces`` of the environment's section, as JSON; from the settings, if it is not given.
    """

    photographs: str
    watch_list: Annotated[str, Field(pattern=NAME)]
    purpose: Purpose
    threshold: Annotated[float | None, Field(ge=80, le=100)] = None
    least_confidence: Annotated[float, Field(ge=0, le=100)] = 90.0
    least_side: Annotated[float, Field(ge=0)] = 40.0
    most_unreadable: Annotated[float, Field(ge=0, le=1)] = 0.5
    faces: FaceSettings = FaceSettings()


@dataclass(frozen=True)
class Plan:
    """What a match would do.

    Parameters
    ----------
    watch_list, identity, asked
        What photographs are held against, who compares, and how.
    matched_as
        Fingerprint of these.
    listed
        How many photographs there are.
    todo
        Those that are not matched yet.
    estimate
        What it takes, about.
    """

    watch_list: WatchList
    identity: Identity
    asked: Asked
    matched_as: str
    listed: int
    todo: tuple[Found, ...] = field(repr=False)
    estimate: cost.Estimate

    def row(self) -> dict[str, Any]:
        """Return it for people."""
        return {
            "watch_list": self.watch_list.name,
            "engine": f"{self.identity.name} {self.identity.version}",
            "photographs": self.listed,
            "to_match": len(self.todo),
            "calls_about": sum(self.estimate.calls.values()),
            "usd_about": round(self.estimate.usd, 2),
            "seconds_at_least": round(self.estimate.seconds),
        }


def plan(settings: Settings, config: MatchConfig, assumed: float = cost.ASSUMED_FACES) -> Plan:
    """Find out what is to be matched, and whether it may be; no photograph is read.

    Parameters
    ----------
    settings
        Region and profile.
    config
        What the job would be told.
    assumed
        Faces of a photograph, for the estimate.

    Returns
    -------
    Plan

    Raises
    ------
    WrongUsage
        If there is no such list, the purpose is not the list's or is barred for whoever answers, or the list
        was enrolled with another engine.
    BadInput
        If there is no photograph.
    AwsRefused
        If something refuses or can't be reached.
    """
    faces = config.faces
    watch_list = People(settings, faces).watch_list(config.watch_list)
    audit = Audit(settings, faces)
    purpose.demand_same(watch_list, config.purpose, audit)
    identity = Engine(settings, faces).identity(watch_list.collection)
    purpose.demand(config.purpose, identity, audit, watch_list.name)
    purpose.check_engine(watch_list, identity)
    threshold = faces.threshold if config.threshold is None else config.threshold
    bar = Bar(config.least_confidence, config.least_side)
    asked = Asked(watch_list.collection, threshold, bar)
    found = list(listed(settings, config.photographs))
    if not found:
        raise BadInput(
            "No photograph is in that folder.",
            hint="It stands for a folder of S3: s3://bucket/folder. Nothing was matched.",
        )
    matched_as = fingerprint(watch_list, asked, identity)
    done = Photographs(settings, faces, watch_list.name).done(matched_as)
    todo = tuple(one for one in found if one.photograph not in done)
    estimate = cost.estimate(len(todo), faces, assumed)
    return Plan(watch_list, identity, asked, matched_as, len(found), todo, estimate)


class Matching:
    """One run of the job.

    Parameters
    ----------
    run
        The job's run.
    config
        What it is told.
    """

    def __init__(self, run: Run, config: MatchConfig) -> None:
        assert run.settings is not None  # noqa: S101 - the runner gives them
        self._run, self._config, self._settings = run, config, run.settings
        self._audit = Audit(run.settings, config.faces)

    def work(self) -> None:
        """Match what is not matched yet, and report.

        Raises
        ------
        CrimeJobsError
            If it could not be begun or finished, or too many photographs are unreadable. What was matched
            stays, and the next run goes on.
        """
        began = time.monotonic()
        planned = plan(self._settings, self._config)
        told = {
            "run": self._run.run_id,
            "watch_list": planned.watch_list.name,
            "purpose": self._config.purpose.value,
        }
        engine = f"{planned.identity.name} {planned.identity.version}"
        # The line comes first: what can't be audited is not done.
        self._audit.write(
            "match",
            **told,
            photographs=planned.listed,
            todo=len(planned.todo),
            threshold=planned.asked.threshold,
            engine=engine,
        )
        try:
            tally = self._matched(planned)
        except BaseException as error:
            self._audit.write("match-failed", **told, error=type(error).__name__)
            raise
        report = self._report(planned, tally, time.monotonic() - began)
        self._run.reports.append(report)
        counts = ("rows_read", "rows_quarantined", "faces", "searched", "leads_new", "leads_known")
        self._audit.write("matched", **told, **{name: report[name] for name in counts})
        self._check_share(planned, tally)

    def _matched(self, planned: Plan) -> Tally:
        total = Tally(already=planned.listed - len(planned.todo))
        if not planned.todo:
            return total
        context = self._run.spark.sparkContext
        host = self._run.spark.conf.get("spark.driver.host") or "127.0.0.1"
        served = Served(self._config.faces.calls_per_second, host)
        try:
            matcher = Matcher(
                self._settings,
                self._config.faces,
                planned.watch_list,
                planned.asked,
                planned.identity,
                self._run.run_id,
                planned.matched_as,
                served.budget,
            )
            parts = list(batches(planned.todo, _batch_size(len(planned.todo), context.defaultParallelism)))
            telling = Telling(context, len(planned.todo))
            work = telling.counting(matcher)
            with _going_on(), raised_on_executors("Not all photographs were matched"), telling:
                for tally in context.parallelize(parts, len(parts)).map(work).collect():
                    total.add(tally)
        finally:
            served.close()
        return total

    def _report(self, planned: Plan, tally: Tally, seconds: float) -> dict[str, Any]:
        return {
            "table": self._config.faces.leads_table,
            "job": JOB.name,
            "run_id": self._run.run_id,
            "rows_read": planned.listed,
            "rows_quarantined": tally.unreadable.total(),
            "rows_written": tally.new,
            "seconds": round(seconds, 2),
            "matched": tally.photographs,
            "already": tally.already,
            "faces": tally.faces,
            "searched": tally.searched,
            "crowded": tally.crowded,
            "leads_new": tally.new,
            "leads_known": tally.known,
            "leads_over": tally.over,
            "candidates_dropped": tally.dropped,
            "skipped": _plain(tally.skipped),
            "unreadable": _plain(tally.unreadable),
            "same": tally.same,
            "calls": _plain(tally.calls),
            "calls_spared": tally.spared,
            "usd": round(cost.usd(tally.calls, self._config.faces), 6),
            "threshold": planned.asked.threshold,
            "engine": planned.identity.name,
            "engine_version": planned.identity.version,
        }

    def _check_share(self, planned: Plan, tally: Tally) -> None:
        bad = tally.unreadable.total()
        if bad <= self._config.most_unreadable * planned.listed:
            return
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(_plain(tally.unreadable).items()))
        raise BadInput(
            f"{bad} of {planned.listed} photographs can't be read ({reasons}); "
            f"{planned.listed - bad} are matched.",
            hint=f"`crime-jobs faces unreadable --watch-list {planned.watch_list.name}` says which. Allow "
            "more with most_unreadable=…, up to 1.",
        )


def _batch_size(photographs: int, cores: int) -> int:
    """Return how many photographs a batch has: every core has some, and each batch is worth its beginning."""
    spread = math.ceil(photographs / (cores * _BATCHES_A_CORE))
    return min(BATCH, max(spread, min(_LEAST, math.ceil(photographs / cores))))


def _plain(counts: Any) -> dict[str, int]:
    return {str(name): int(count) for name, count in sorted(counts.items())}


@contextmanager
def _going_on() -> Iterator[None]:
    """Say of what stops a run that the next one goes on."""
    try:
        yield
    except CrimeJobsError as error:
        error.hint = error.hint or "Run it again: it goes on, what is matched is not looked at again."
        raise


def summary(reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pick from the job's reports what people want to see.

    Parameters
    ----------
    reports
        As `crime_jobs.jobs._runner.run_jobs` returns them.

    Returns
    -------
    list of dict
    """
    return [
        {
            "run": one["run_id"],
            "photographs": one["rows_read"],
            "matched": one["matched"],
            "before": one["already"],
            "unreadable": one["rows_quarantined"],
            "faces": one["faces"],
            "searched": one["searched"],
            "leads_new": one["leads_new"],
            "leads_known": one["leads_known"],
            "calls": sum(one["calls"].values()),
            "usd": one["usd"],
            "seconds": one["seconds"],
        }
        for one in reports
    ]


def remarks(reports: Sequence[dict[str, Any]]) -> list[str]:
    """Say of a run what was passed over, and why: nothing is silent.

    Parameters
    ----------
    reports
        As for `summary`.

    Returns
    -------
    list of str
        Sentences.
    """
    found = []
    for one in reports:
        found += [f"Photographs not read: {count} {reason}." for reason, count in one["unreadable"].items()]
        found += [f"Faces not searched for: {count} {reason}." for reason, count in one["skipped"].items()]
        if one["same"]:
            found.append(
                f"{one['same']} photographs are the same as another that nobody was found in: "
                f"{one['calls_spared']} calls spared."
            )
        if one["crowded"]:
            found.append(f"{one['crowded']} photographs may have more faces than the 100 that are told of.")
        if dropped := one["candidates_dropped"] + one["leads_over"]:
            found.append(
                f"{dropped} likenesses of people who are not, or no longer, on the list: passed over."
            )
    return found


def _work(run: Run, config: MatchConfig) -> None:
    Matching(run, config).work()


JOB = Job(
    name="match_faces",
    summary="Photographs against a watch list; what is alike waits in a queue for a person's decision",
    writes=(),
    work=_work,
    config=MatchConfig,
    settings={"faces": "faces"},
    in_all=False,
)
