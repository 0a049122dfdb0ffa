"""UNLOAD: a query's rows as objects in S3."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crime_engines.redshift.refused import Unsupported
from crime_engines.redshift.words import Token, Words


@dataclass
class Unload:
    """An UNLOAD.

    Parameters
    ----------
    query
        The query, in Redshift's SQL.
    target
        What the objects' names begin with.
    format
        ``csv`` or ``parquet``.
    header, gzip, overwrite
        Whether given.
    """

    query: str
    target: str
    format: str = ""
    header: bool = False
    gzip: bool = False
    overwrite: bool = False

    @property
    def key(self) -> str:
        """URI of the one object that is written: there is one slice here."""
        ending = ".parquet" if self.format == "parquet" else ".gz" if self.gzip else ""
        return f"{self.target}0000_part_00{ending}"


def parse_unload(text: str, tokens: list[Token]) -> Unload:
    """Read an UNLOAD.

    Parameters
    ----------
    text, tokens
        What stands behind the word UNLOAD.

    Raises
    ------
    Unsupported
        If something of it is not taken here.
    """
    words = Words(text, tokens)
    words.need("(")
    query = words.string()
    words.need(")")
    words.need("TO")
    unload = Unload(query, words.string())
    while words.word:
        option = words.take().upper()
        if option == "FORMAT":
            words.skip("AS")
            option = words.take().upper()
        if option in ("CSV", "PARQUET"):
            unload.format = option.lower()
        elif option == "IAM_ROLE":
            words.take()
        elif option == "HEADER":
            unload.header = True
        elif option == "GZIP":
            unload.gzip = True
        elif option == "ALLOWOVERWRITE":
            unload.overwrite = True
        elif option == "PARALLEL":
            words.take()
        else:
            raise Unsupported(f"UNLOAD {option} is not supported here")
    if not unload.format:
        raise Unsupported("UNLOAD without FORMAT is not supported here: name CSV or PARQUET")
    return unload


def written(unload: Unload, names: list[str], rows: list[tuple[Any, ...]]) -> bytes:
    """Return the object.

    Parameters
    ----------
    unload
        How it is to be.
    names, rows
        What is in it.
    """
    if unload.format == "parquet":
        sink = io.BytesIO()
        columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
        pq.write_table(pa.table(dict(zip(names, map(pa.array, columns), strict=True))), sink)
        return sink.getvalue()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if unload.header:
        writer.writerow(names)
    writer.writerows(rows)
    data = text.getvalue().encode()
    return gzip.compress(data) if unload.gzip else data
