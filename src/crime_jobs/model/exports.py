"""Exports of DynamoDB tables in the landing folder: where they lie, and the manifest that makes one whole.

``<landing>/dynamodb/<table>/run=<id>/`` holds

``items/``
    The items as DynamoDB's own export has them: gzipped, an item a line,
    ``{"Item": {"YEAR": {"N": "2014"}, …}}``.
``csv/``, ``parquet/``
    The same as tables.
``_manifest.json``
    Written last. A run without one is not whole, and whoever reads exports passes over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

FOLDER, ITEMS, CSV, PARQUET = "dynamodb", "items", "csv", "parquet"
MANIFEST = "_manifest.json"

#: Begins the name of a run's folder.
RUN = "run="
RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

_CSV_PATH = re.compile(rf"/{FOLDER}/([^/]+)/{RUN}[^/]+/{CSV}/([^/]+)$")


def run_folder(table: str, run: str) -> str:
    """Return where a run of a table lies below the landing folder."""
    return f"{FOLDER}/{table}/{RUN}{run}"


def source_name(path: str) -> str:
    """Return how a landing file is named where its rows are spoken of.

    Parameters
    ----------
    path
        Its path or URI.

    Returns
    -------
    str
        The file's name; for a file of an export the table too, since each table has a first part.
    """
    found = _CSV_PATH.search(path)
    return f"{FOLDER}/{found[1]}/{found[2]}" if found else path.rsplit("/", 1)[-1]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class ExportedFile(_Model):
    """A file of an export.

    Parameters
    ----------
    path
        Below the run's folder.
    rows, bytes, sha256
        What is in it.
    """

    path: str
    rows: int
    bytes: int
    sha256: str


class ExportedColumn(_Model):
    """A column of an export: an attribute.

    Parameters
    ----------
    name
        The attribute's name.
    type
        Its type in Parquet: ``string``, ``bigint``, ``decimal(38,s)`` or ``binary``.
    dynamodb
        DynamoDB's types that it was seen with; none if no item has it.
    """

    name: str
    type: str
    dynamodb: tuple[str, ...]


class KeyAttribute(_Model):
    """An attribute of a table's key.

    Parameters
    ----------
    name
        Its name.
    kind
        ``HASH`` or ``RANGE``.
    """

    name: str
    kind: str


class Manifest(_Model):
    """What an export holds.

    Parameters
    ----------
    table, run
        Which export.
    via
        ``scan``, or ``service`` for DynamoDB's own export.
    started, ended
        ISO 8601, UTC.
    key_schema
        The table's key.
    columns
        The columns of CSV and Parquet in their order.
    items
        How many items: lines of ``items``, rows of ``csv`` and rows of ``parquet`` each.
    consistency
        As of when the items are.
    files
        Every file.
    """

    table: str
    run: str
    via: Literal["scan", "service"]
    started: str
    ended: str
    key_schema: tuple[KeyAttribute, ...]
    columns: tuple[ExportedColumn, ...]
    items: int
    consistency: str
    files: tuple[ExportedFile, ...]

    def below(self, folder: str) -> tuple[ExportedFile, ...]:
        """Return the files of one kind: of ``items``, ``csv`` or ``parquet``."""
        return tuple(file for file in self.files if file.path.startswith(f"{folder}/"))


class BadManifest(ValueError):  # noqa: N818 - reads as what it is
    """A manifest that can't be read; the message says why."""


def read_manifest(text: str) -> Manifest:
    """Read a manifest.

    Parameters
    ----------
    text
        The JSON.

    Returns
    -------
    Manifest

    Raises
    ------
    BadManifest
        If it is not one.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadManifest(f"{where}: {first['msg']}" if where else first["msg"]) from error


def latest(manifests: Iterable[Manifest]) -> Manifest | None:
    """Return the newest of a table's whole runs: that which ended last."""
    return max(manifests, key=lambda manifest: (manifest.ended, manifest.run), default=None)
