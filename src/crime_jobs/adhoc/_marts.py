"""Reads the lake's published tables with pyarrow, from a folder or S3: drawing needs no Spark."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from crime_jobs.errors import AwsRefused, BadInput
from crime_jobs.model.tables import TABLES, Table

#: The tables that the dashboard shows, each with the job that makes it.
MARTS = {
    "crime_group_heads": "crime_group_heads",
    "population_by_year": "population_by_year",
    "data_quality": "reconcile",
    "crime_by_region": "crime_by_region",
    "crime_by_period": "crime_by_period",
    "crimes_against_women": "crimes_against_women",
    "traffic_by_time_of_day": "traffic_by_time_of_day",
    "traffic_by_month": "traffic_by_month",
    "hot_spots": "hot_spots",
}

REPORT = "_report.json"

_TYPES = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}


def read_marts(lake: str) -> dict[str, pa.Table]:
    """Read every table that the dashboard shows.

    Parameters
    ----------
    lake
        The lake's folder, or its URI (``file:``, ``s3:``; ``s3a:`` is taken for ``s3:``). For S3
        the region, credentials and endpoint (``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``) come
        from the variables that every AWS tool reads.

    Returns
    -------
    dict
        Table name to its rows, with the columns and types of `crime_jobs.model.tables.TABLES`.

    Raises
    ------
    BadInput
        If a table is not in the lake, a file of it is missing, or it has other columns; the message
        names the table, its folder and the job to run.
    AwsRefused
        If S3 refuses or can't be reached.
    """
    system, root = _open(lake)
    return {name: _read(system, root, lake, TABLES[name], job) for name, job in MARTS.items()}


def _open(lake: str) -> tuple[fs.FileSystem, str]:
    scheme, separator, rest = lake.partition("://")
    if separator and scheme in ("s3", "s3a"):
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        options = {"region": region} if region else {}
        if endpoint:
            way, _, address = endpoint.rpartition("://")
            options |= {"endpoint_override": address.rstrip("/"), "scheme": way or "https"}
        return fs.S3FileSystem(**options), rest.rstrip("/")
    if separator and scheme != "file":
        raise BadInput(
            f"The lake {lake} can't be read: {scheme}:// is not known here.",
            hint="Give a folder, file:// or s3://.",
        )
    path = lake.removeprefix("file://").removeprefix("file:")
    return fs.LocalFileSystem(), str(Path(path).absolute())


def _read(system: fs.FileSystem, root: str, lake: str, table: Table, job: str) -> pa.Table:
    folder = f"{root}/{table.name}"
    hint = f"Run `crime-jobs run {job}` first, or `crime-jobs run all`."
    try:
        files = _files(system, folder)
        if files is None:
            raise BadInput(
                f"Table {table.name} is not in the lake: {lake}/{table.name} is missing.", hint=hint
            )
        return _load(system, folder, files, table)
    except FileNotFoundError as error:
        raise BadInput(
            f"Table {table.name} is not whole: a file of {lake}/{table.name} is missing ({error}).",
            hint=hint,
        ) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError, json.JSONDecodeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"Table {table.name} in {lake}/{table.name} is not the table it should be: {said}.",
            hint=hint,
        ) from error
    except OSError as error:
        said = str(error).splitlines()[0]
        kind = AwsRefused if isinstance(system, fs.S3FileSystem) else BadInput
        raise kind(
            f"Table {table.name} in {lake}/{table.name} can't be read: {said}",
            hint="Check the address, the region and the credentials." if kind is AwsRefused else hint,
        ) from error


def _files(system: fs.FileSystem, folder: str) -> list[str] | None:
    """Name the table's files: those its report commits, else all below; ``None`` if none is."""
    try:
        with system.open_input_stream(f"{folder}/{REPORT}") as stream:
            committed = json.loads(stream.read())["files"]
        return [f"{folder}/{name}" for name in committed]
    except FileNotFoundError:
        pass
    listed = system.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    found = sorted(info.path for info in listed if info.is_file and info.path.endswith(".parquet"))
    return [p for p in found if not any(mark in p[len(folder) :] for mark in ("/_", "/."))] or None


def _load(system: fs.FileSystem, folder: str, files: list[str], table: Table) -> pa.Table:
    schema = pa.schema([(column.name, _TYPES[column.type]) for column in table.columns])
    if not files:
        return schema.empty_table()
    found = ds.dataset(
        files,
        filesystem=system,
        format="parquet",
        partitioning=ds.partitioning(flavor="hive"),
        partition_base_dir=folder,
    )
    if missing := [name for name in schema.names if name not in found.schema.names]:
        raise KeyError(f"column {', '.join(missing)} is missing")
    return found.to_table(columns=schema.names).cast(schema)
