"""What the jobs of a migration are told."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from crime_jobs import aws
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.job import Config
from crime_jobs.migrate.ledger import TABLE
from crime_jobs.model.tablemapping import BadMapping, Mappings

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Options that come from settings when they are not given.
FROM_SETTINGS = {
    "url": "oracle_url",
    "secret": "oracle_secret",
    "topic": "topic",
    "ledger": "ledger",
    "prefix": "table_prefix",
    "environment": "env",
}

#: The mapping that is used when none is named: every table of the legacy schema, one to one.
SHIPPED = "oracle/table-mappings.json"


class MigrationConfig(Config):
    """What `migrate` and `validate` are told.

    Parameters
    ----------
    url
        JDBC URL of the source: ``jdbc:oracle:thin:@//host:1521/ORCL``.
    secret
        Name or ARN of the secret with its user name and password.
    mappings
        Path or ``s3://`` URI of a table-mapping JSON; by default that of the legacy schema.
    task
        Name of the migration: its ledger entries, its notifications.
    ledger
        Name of the ledger's table.
    topic
        ARN of the SNS topic that is told how it ended.
    prefix
        What begins the names of the tables that the shipped mapping names; a mapping of one's own names them
        in full.
    environment
        The tag ``environment`` of what is made.
    """

    url: str
    secret: str
    mappings: str = ""
    task: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")] = "oracle"
    ledger: str = TABLE
    topic: str | None = None
    prefix: str = ""
    environment: str = ""


class LoadConfig(MigrationConfig):
    """What `migrate` is told besides.

    Parameters
    ----------
    write_units
        Write capacity units a second, over all executors; 0 for no limit of ours.
    part_rows
        Rows of a part: what is read again, at most, after a kill.
    max_error_rows
        Rows of a table that may not fit before the table counts as failed; they are listed either way.
    again
        Forget what was done, and load everything again.
    same_source
        Go on although the URL is another than the one it was begun with: the same database has moved.
    """

    write_units: Annotated[float, Field(ge=0)] = 0
    part_rows: Annotated[int, Field(ge=1)] = 50_000
    max_error_rows: Annotated[int, Field(ge=0)] = 0
    again: bool = False
    same_source: bool = False


def shipped_mapping(prefix: str = "") -> str:
    """Return the mapping of the legacy schema.

    Parameters
    ----------
    prefix
        What begins the names of its target tables: two environments of one account and region have two.
    """
    text = (files("crime_jobs.migrate") / SHIPPED).read_text(encoding="utf-8")
    if not prefix:
        return text
    document = json.loads(text)
    for rule in document["rules"]:
        if "target-table-name" in rule:
            rule["target-table-name"] = f"{prefix}{rule['target-table-name']}"
    return json.dumps(document)


def mapping_text(place: str, settings: Settings, prefix: str = "") -> str:
    """Read a mapping's file.

    Parameters
    ----------
    place
        Path or ``s3://`` URI; empty for that of the legacy schema.
    settings
        Region and profile, for one on S3.
    prefix
        As for `shipped_mapping`.

    Returns
    -------
    str

    Raises
    ------
    WrongUsage
        If it is not there.
    BadInput
        If it is not UTF-8.
    """
    try:
        if not place:
            return shipped_mapping(prefix)
        if "://" in place:
            bucket, key = aws.split_uri(place, "mappings")
            with aws.refusals(f"Reading the mapping {place}"):
                body = aws.client("s3", settings).get_object(Bucket=bucket, Key=key)["Body"]
                return str(body.read().decode())
        return Path(place).read_text(encoding="utf-8")
    except OSError as error:
        raise WrongUsage(
            f"The mapping {place} can't be read: {error.strerror}.", hint="Name another with --mappings."
        ) from error
    except UnicodeDecodeError as error:
        raise unusable(place, BadMapping("it is not UTF-8")) from error


def mappings_of(config: MigrationConfig, settings: Settings) -> Mappings:
    """Read the mapping.

    Parameters
    ----------
    config
        Where it is.
    settings
        Region and profile, for one on S3.

    Returns
    -------
    Mappings

    Raises
    ------
    WrongUsage
        If it is not there.
    BadInput
        If it is not one, or asks for something that is not done.
    """
    try:
        return Mappings(mapping_text(config.mappings, settings, config.prefix))
    except BadMapping as error:
        raise unusable(config.mappings, error) from error


def unusable(place: str, error: BadMapping) -> BadInput:
    """Return the error for a mapping that can't be used."""
    return BadInput(f"The mapping {place or SHIPPED} can't be used: {error}.", hint="Nothing was written.")
