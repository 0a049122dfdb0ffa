"""Where the FIR streams' parts are: one name each, said once for the producer, the consumer and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from crime_jobs.model.sections import read_table


class StreamSettings(BaseModel):
    """The table ``[<environment>.stream]`` of ``crime-jobs.toml``; every name has a default.

    Parameters
    ----------
    name, counts
        Kinesis streams: of FIRs, and of what the analytics find.
    application
        Name of the consumer: its lease table in DynamoDB is called so.
    events_table, identities_table, alerts_table, runs_table
        DynamoDB tables: FIRs, their sealed identities, alerts, and runs of the producer.
    dead_letters
        Name of the SQS queue of records that can't be processed.
    topic
        Name of the SNS topic that alerts go to; with ``.fifo`` at its end the topic drops what comes twice.
    alert_rules, baseline
        Files: the rules of the alerts, and what each district has as a rule; those of the package when not
        given.
    key
        Alias of the KMS key that identities and dead letters are sealed with.
    history
        Where Firehose writes the FIRs.
    redshift_workgroup, redshift_database
        Where their history is loaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="fir-stream", pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    counts: str = Field(default="fir-counts", pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    application: str = "crime-jobs-fir-consumer"
    events_table: str = "fir_events"
    identities_table: str = "fir_identities"
    alerts_table: str = "fir_alerts"
    runs_table: str = "fir_producer_runs"
    dead_letters: str = "crime-jobs-fir-dead-letters"
    topic: str = "crime-jobs-fir-alerts.fifo"
    alert_rules: str | None = None
    baseline: str | None = None
    key: str = "alias/crime-jobs-fir"
    history: str = "s3://crime-firs/history"
    redshift_workgroup: str = "crime-jobs"
    redshift_database: str = "crime"


def of(table: Mapping[str, Any]) -> StreamSettings:
    """Read the table of that name of an environment.

    Parameters
    ----------
    table
        `crime_jobs.settings.Settings.stream`.

    Returns
    -------
    StreamSettings

    Raises
    ------
    WrongUsage
        If it has a name that nothing is called by, or a value that can't be.
    """
    return read_table(StreamSettings, "stream", table)
