"""What a job is, and the shell around every job: read, transform, publish, report."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from crime_jobs import lake
from crime_jobs.model.operations import ALL_TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from crime_jobs.settings import Settings


class Config(BaseModel):
    """The typed, frozen configuration of a job; subclasses add fields with defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass
class Run:
    """One run of one or more jobs in one Spark session.

    Parameters
    ----------
    spark
        The session.
    landing, lake
        Folders or URIs.
    settings
        All settings, for jobs that speak to AWS services themselves.
    run_id
        Tells this run's staging folders from another's.
    reports
        What has been published so far, a dictionary a table (also written as ``_report.json``).
    shared
        DataFrames that two jobs of this run both need, by name.
    """

    spark: SparkSession
    landing: str
    lake: str
    settings: Settings | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    reports: list[dict[str, Any]] = field(default_factory=list)
    shared: dict[str, DataFrame] = field(default_factory=dict)

    def release(self) -> None:
        """Give back the memory of what the jobs shared."""
        while self.shared:
            self.shared.popitem()[1].unpersist()

    def has(self, table: str) -> bool:
        """Whether a table was ever published in the lake."""
        return lake.has_table(self.spark, self.lake, ALL_TABLES[table])

    def read(self, table: str) -> DataFrame:
        """Read a table of the lake; see `crime_jobs.lake.read_table`."""
        return lake.read_table(self.spark, self.lake, ALL_TABLES[table])

    def publish(self, job: str, table: str, rows: DataFrame, **facts: Any) -> dict[str, Any]:
        """Publish a table and keep its report.

        Parameters
        ----------
        job
            The job's name.
        table
            The table's name.
        rows
            Its rows.
        facts
            What else the report says, for example ``rows_read``.

        Returns
        -------
        dict
            The report.
        """
        started, clock = datetime.now(UTC), time.monotonic()
        given = {
            "job": job,
            "run_id": self.run_id,
            "started": started.isoformat(timespec="seconds"),
        }
        report = lake.publish(self.spark, self.lake, ALL_TABLES[table], rows, {**given, **facts})
        report["seconds"] = round(time.monotonic() - clock, 2)
        self.reports.append(report)
        return report


@dataclass(frozen=True)
class Job:
    """A job, as the registry, the CLI, the EMR step and the docs know it.

    Parameters
    ----------
    name
        Name on the command line.
    summary
        One line for people.
    writes
        Tables it publishes.
    work
        Does it: takes the run and the configuration.
    reads
        Tables it needs; the order of ``run all`` follows from these.
    config
        Type of its configuration.
    settings
        Options that, when not given, come from a setting: option to the setting's name.
    in_all
        Whether ``all`` includes it.
    """

    name: str
    summary: str
    writes: tuple[str, ...]
    work: Callable[[Run, Any], None]
    reads: tuple[str, ...] = ()
    config: type[Config] = Config
    settings: Mapping[str, str] = field(default_factory=dict)
    in_all: bool = True

    def options_from(self, settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
        """Return the options that were given, with those that come from settings.

        Parameters
        ----------
        settings
            The settings.
        given
            Options by name, of this and of other jobs.

        Returns
        -------
        dict
            Options of this job.
        """
        found = {option: getattr(settings, setting) for option, setting in self.settings.items()}
        # A table of the environment's section is told as JSON, so that a step can carry it too.
        told = {
            option: json.dumps(value) if isinstance(value, Mapping) else value
            for option, value in found.items()
            if value is not None
        }
        return told | {name: value for name, value in given.items() if name in self.config.model_fields}

    def run(self, run: Run, options: Mapping[str, str] | None = None) -> None:
        """Run the job.

        Parameters
        ----------
        run
            The run it is part of.
        options
            Values for its configuration, by field name.
        """
        self.work(run, self.config.model_validate(dict(options or {})))


def mart(
    name: str,
    summary: str,
    reads: tuple[str, ...],
    transform: Callable[..., DataFrame],
    config: type[Config] = Config,
) -> Job:
    """Make the job of a mart: one table out, from tables of the lake through a pure transform.

    Parameters
    ----------
    name
        Name of the job and of the table it publishes.
    summary
        One line for people.
    reads
        The tables that `transform` takes, in that order.
    transform
        Takes a DataFrame for each of `reads` and the configuration; returns the mart.
    config
        Type of the configuration.

    Returns
    -------
    Job
    """

    def work(run: Run, config: Config) -> None:
        inputs = [run.read(table) for table in reads]
        run.publish(name, name, transform(*inputs, config))

    return Job(name=name, summary=summary, writes=(name,), work=work, reads=reads, config=config)
