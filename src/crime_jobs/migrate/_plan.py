"""What an export will do, found out without reading an item: tables, segments, read units and their price."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import Field

from crime_jobs import aws
from crime_jobs.errors import BadInput, WrongUsage
from crime_jobs.job import Config
from crime_jobs.migrate._segments import READ_UNIT_BYTES
from crime_jobs.migrate.config import shipped_mapping
from crime_jobs.migrate.ledger import TABLE
from crime_jobs.model.exports import RUN_ID

if TYPE_CHECKING:
    from crime_jobs.settings import Settings

#: Items and bytes that a segment should have: what is read again, at most, after a kill.
SEGMENT_ITEMS, SEGMENT_BYTES = 100_000, 64 << 20
#: Segments of a table at most.
MOST_SEGMENTS = 99_999

#: US dollars a million read request units, and a gigabyte of DynamoDB's own export, in us-east-1
#: (https://aws.amazon.com/dynamodb/pricing/on-demand/, as of 2025).
PRICE_MILLION_READS, PRICE_EXPORTED_GB = 0.125, 0.10


class ExportConfig(Config):
    """What `export` is told.

    Parameters
    ----------
    tables
        Names of DynamoDB tables, with commas between them; one that ends with ``*`` stands for all that
        begin so. By default those that the migration of the legacy schema fills.
    run
        Name of the run; by default a new one. That of a run which was stopped: it goes on.
    segments
        Segments of a table; 0 for as many as it takes.
    read_units
        Read capacity units a second, over all executors; 0 for no limit of ours.
    via
        ``scan`` reads the tables, ``service`` asks for DynamoDB's own export.
    task
        Name of the ledger's entries.
    ledger
        Name of the ledger's table.
    topic
        ARN of the SNS topic that is told how it ended.
    logs
        Folder or URI below which the run's log is kept; by default none is.
    prefix
        What begins the names of the migrated tables; their folders in the landing have the names without it,
        so that jobs find them there in every environment.
    """

    tables: str = ""
    run: Annotated[str, Field(pattern=rf"^$|{RUN_ID}")] = ""
    segments: Annotated[int, Field(ge=0, le=MOST_SEGMENTS)] = 0
    read_units: Annotated[float, Field(ge=0)] = 0
    via: Literal["scan", "service"] = "scan"
    task: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")] = "export"
    ledger: str = TABLE
    topic: str | None = None
    logs: str | None = None
    prefix: str = ""


@dataclass(frozen=True)
class Planned:
    """A table that is to be exported.

    Parameters
    ----------
    name, arn
        Which.
    keys
        Attribute and kind (``HASH``, ``RANGE``) of its key.
    items, bytes
        What DynamoDB says of it, up to six hours old.
    segments
        In how many it is read.
    """

    name: str
    arn: str
    keys: tuple[tuple[str, str], ...]
    items: int
    bytes: int
    segments: int

    @property
    def read_units(self) -> int:
        """About as many read units as it takes to scan it."""
        return max(self.segments, math.ceil(self.bytes / READ_UNIT_BYTES))


def new_run() -> str:
    """Return the name of a new run: the time, and enough that two of one second differ."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:4]}"


def shipped_tables(prefix: str = "") -> list[str]:
    """Return the tables that the migration of the legacy schema fills.

    Parameters
    ----------
    prefix
        As for `crime_jobs.migrate.config.shipped_mapping`.
    """
    rules = json.loads(shipped_mapping(prefix))["rules"]
    return sorted(rule["target-table-name"] for rule in rules if "target-table-name" in rule)


def plan(client: Any, config: ExportConfig, parallelism: int) -> list[Planned]:
    """Find out what is to be exported.

    Parameters
    ----------
    client
        A boto3 client of DynamoDB.
    config
        Which tables.
    parallelism
        How many segments are read at once.

    Returns
    -------
    list of Planned
        By name.

    Raises
    ------
    BadInput
        If a table is not there; all such tables are named.
    WrongUsage
        If no table is meant.
    """
    names = _names(client, config)
    found = [_described(client, name, config.segments, parallelism) for name in names]
    if missing := [name for name, one in zip(names, found, strict=True) if one is None]:
        raise BadInput(
            f"DynamoDB has no table {', '.join(missing)}.",
            hint="Name those that are there with --tables, or tables=…. Nothing was read.",
        )
    return [one for one in found if one is not None]


def _names(client: Any, config: ExportConfig) -> list[str]:
    asked = [name.strip() for name in config.tables.split(",") if name.strip()]
    asked = asked or shipped_tables(config.prefix)
    names: set[str] = set()
    for one in asked:
        if not one.endswith("*"):
            names.add(one)
            continue
        with aws.refusals("Listing the tables of DynamoDB"):
            pages = client.get_paginator("list_tables").paginate()
            known = [name for page in pages for name in page["TableNames"]]
        # The ledger may begin like the tables that it is about.
        names |= {name for name in known if name.startswith(one[:-1]) and name != config.ledger}
    if not names:
        raise WrongUsage(f"No table of DynamoDB begins as {config.tables} says.", hint="See --tables.")
    return sorted(names)


def _described(client: Any, name: str, segments: int, parallelism: int) -> Planned | None:
    with aws.refusals(f"Looking at the table {name}"):
        try:
            about = client.describe_table(TableName=name)["Table"]
        except ClientError as error:
            if aws.code_of(error) == "ResourceNotFoundException":
                return None
            raise
    items, size = about["ItemCount"], about["TableSizeBytes"]
    wanted = max(parallelism, math.ceil(items / SEGMENT_ITEMS), math.ceil(size / SEGMENT_BYTES))
    keys = tuple((one["AttributeName"], one["KeyType"]) for one in about["KeySchema"])
    return Planned(name, about["TableArn"], keys, items, size, segments or min(MOST_SEGMENTS, wanted))


def rows(planned: Sequence[Planned], config: ExportConfig) -> list[dict[str, Any]]:
    """Return a plan as people are shown it.

    Parameters
    ----------
    planned
        The tables.
    config
        How they are read.

    Returns
    -------
    list of dict
        Table, items, bytes, segments, read units, seconds at the limit if there is one, US dollars.
    """
    scans = config.via == "scan"
    return [
        {
            "table": one.name,
            "items": one.items,
            "bytes": one.bytes,
            "segments": one.segments if scans else None,
            "read_units": one.read_units if scans else 0,
            "seconds_at_least": round(one.read_units / config.read_units)
            if scans and config.read_units
            else None,
            "usd": f"{_usd(one, scans=scans):.6f}",
        }
        for one in planned
    ]


def _usd(one: Planned, *, scans: bool) -> float:
    return one.read_units * PRICE_MILLION_READS / 1e6 if scans else one.bytes / 1e9 * PRICE_EXPORTED_GB


def dry_run(settings: Settings, config: ExportConfig, parallelism: int) -> list[dict[str, Any]]:
    """Say what an export would do; no item is read.

    Parameters
    ----------
    settings
        Region and profile.
    config
        What it would be told.
    parallelism
        How many segments are read at once.

    Returns
    -------
    list of dict
        See `rows`.
    """
    return rows(plan(aws.client("dynamodb", settings), config, parallelism), config)
