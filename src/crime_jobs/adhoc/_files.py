"""Opens published tables of the lake, and the stream's history, with pyarrow: from a folder or from S3."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs
from pyarrow import json as arrow_json

from crime_jobs.adhoc.ddl import DELIVERED_ON, FIRS
from crime_jobs.errors import AwsRefused, BadInput, WrongUsage
from crime_jobs.model.fir_event import SQL_COLUMNS
from crime_jobs.model.tables import Table
from crime_jobs.region import RULE, of_url

REPORT = "_report.json"

_TYPES = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
#: Times are text in the files, as they are in Athena's table.
_JSON_TYPES = {**_TYPES, "boolean": pa.bool_(), "timestamp": pa.string()}
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Place:
    """A folder on disk or under S3.

    Parameters
    ----------
    system
        The file system.
    root
        The folder, as the file system names it.
    uri
        As the user named it.
    """

    system: fs.FileSystem
    root: str
    uri: str


def open_place(uri: str) -> Place:
    """Open a folder.

    Parameters
    ----------
    uri
        Folder, or URI (``file:``, ``s3:``; ``s3a:`` is taken for ``s3:``). For S3 the region, credentials and
        endpoint (``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``) come from the variables that every AWS tool
        reads.

    Returns
    -------
    Place

    Raises
    ------
    BadInput
        If it has another scheme.
    WrongUsage
        If the endpoint is in another region.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme in ("s3", "s3a"):
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        options = {"region": region} if region else {}
        if endpoint:
            if region and of_url(endpoint) not in (None, region):
                raise WrongUsage(f"The endpoint of S3 {endpoint} is not in region {region}.", hint=RULE)
            way, _, address = endpoint.rpartition("://")
            options |= {"endpoint_override": address.rstrip("/"), "scheme": way or "https"}
        return Place(fs.S3FileSystem(**options), rest.rstrip("/"), uri)
    if separator and scheme != "file":
        raise BadInput(
            f"{uri} can't be read: {scheme}:// is not known here.", hint="Give a folder, file:// or s3://."
        )
    path = uri.removeprefix("file://").removeprefix("file:")
    return Place(fs.LocalFileSystem(), str(Path(path).absolute()), uri)


def table_of(place: Place, table: Table, job: str) -> ds.Dataset:
    """Open a published table; its rows are read when they are asked for.

    Parameters
    ----------
    place
        The lake.
    table
        The table.
    job
        The job that makes it, for the message.

    Returns
    -------
    pyarrow.dataset.Dataset
        With the columns and types of the model.

    Raises
    ------
    BadInput
        If the table is not in the lake, a file of it is missing, or it has other columns; the message
        names the table, its folder and the job to run.
    AwsRefused
        If S3 refuses or can't be reached.
    """
    folder = f"{place.root}/{table.name}"
    hint = f"Run `crime-jobs run {job}` first, or `crime-jobs run all`."
    with _refusals(place, table.name, hint):
        files = _files(place.system, folder)
        if files is None:
            raise BadInput(
                f"Table {table.name} is not in the lake: {place.uri}/{table.name} is missing.", hint=hint
            )
        return _dataset(place.system, folder, files, table)


def _files(system: fs.FileSystem, folder: str) -> list[str] | None:
    """Name the table's files: those its report commits, else all below; ``None`` if none is."""
    listed = system.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    there = {info.path for info in listed if info.is_file}
    if f"{folder}/{REPORT}" in there:
        with system.open_input_stream(f"{folder}/{REPORT}") as stream:
            committed = [f"{folder}/{name}" for name in json.loads(stream.read())["files"]]
        if missing := [path for path in committed if path not in there]:
            raise FileNotFoundError(missing[0])
        return committed
    found = sorted(path for path in there if path.endswith(".parquet"))
    return [p for p in found if not any(mark in p[len(folder) :] for mark in ("/_", "/."))] or None


def _dataset(system: fs.FileSystem, folder: str, files: list[str], table: Table) -> ds.Dataset:
    schema = pa.schema([(column.name, _TYPES[column.type]) for column in table.columns])
    if not files:
        return ds.dataset(schema.empty_table())
    partitions = [(name, schema.field(name).type) for name in table.partition_by]
    options = {
        "filesystem": system,
        "format": "parquet",
        "partitioning": ds.partitioning(pa.schema(partitions), flavor="hive") if partitions else None,
        "partition_base_dir": folder,
    }
    found = ds.dataset(files, **options).schema.names
    if missing := [name for name in schema.names if name not in found]:
        raise KeyError(f"column {', '.join(missing)} is missing")
    return ds.dataset(files, schema=schema, **options)


def firs_table(history: str | None) -> pa.Table:
    """Read the stream's history.

    Parameters
    ----------
    history
        Folder or URI that Firehose writes under, in folders ``yyyy/MM/dd/HH``; ``None`` where there is none.

    Returns
    -------
    pyarrow.Table
        `SQL_COLUMNS`, times as text, and the day of delivery. The sealed identity is not read.

    Raises
    ------
    BadInput
        If there is no history, or a file has a line that is no FIR; the file is named, never the line.
    AwsRefused
        If S3 refuses or can't be reached.
    """
    if not history:
        raise BadInput(
            f"There are no FIRs here: this environment has no history of the stream (table {FIRS}).",
            hint="Ask with an environment that has a stream: --env localstack after `make up`.",
        )
    place = open_place(history)
    with _refusals(place, FIRS, "Firehose makes it: see docs/history.md."):
        selector = fs.FileSelector(place.root, recursive=True, allow_not_found=True)
        paths = sorted(info.path for info in place.system.get_file_info(selector) if info.is_file)
        parts = [_firs_of(place, path) for path in paths]
    return pa.concat_tables([_firs_schema().empty_table(), *parts])


def _firs_schema() -> pa.Schema:
    fields = [(c.name, _JSON_TYPES[c.type.partition("(")[0]]) for c in SQL_COLUMNS]
    return pa.schema([*fields, (DELIVERED_ON, pa.string())])


def _firs_of(place: Place, path: str) -> pa.Table:
    with place.system.open_input_file(path) as stream:
        zipped = stream.read(len(_GZIP)) == _GZIP  # neither name nor header says so reliably
    schema = _firs_schema()
    options = arrow_json.ParseOptions(
        explicit_schema=schema.remove(len(schema) - 1), unexpected_field_behavior="ignore"
    )
    day = "/".join(path.removeprefix(place.root).strip("/").split("/")[:3])
    with place.system.open_input_stream(path, compression="gzip" if zipped else None) as stream:
        try:
            found = arrow_json.read_json(stream, parse_options=options)
        except pa.ArrowInvalid as error:
            raise BadInput(f"{path} has a line that is no FIR.", hint="See docs/history.md.") from error
    delivered = pa.array([day] * len(found), pa.string())
    return found.select(schema.names[:-1]).append_column(DELIVERED_ON, delivered)


@contextmanager
def _refusals(place: Place, name: str, hint: str) -> Iterator[None]:
    where = f"{place.uri}/{name}" if name != FIRS else place.uri
    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(
            f"Table {name} is not whole: a file of {where} is missing ({error}).", hint=hint
        ) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError, json.JSONDecodeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(
            f"Table {name} in {where} is not the table it should be: {said}.", hint=hint
        ) from error
    except OSError as error:
        said = str(error).splitlines()[0]
        if isinstance(place.system, fs.S3FileSystem):
            raise AwsRefused(
                f"Table {name} in {where} can't be read: {said}",
                hint="Check the address, the region and the credentials.",
            ) from error
        raise BadInput(f"Table {name} in {where} can't be read: {said}", hint=hint) from error
