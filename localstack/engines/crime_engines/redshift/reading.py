"""What a COPY reads: objects of S3, line by line, as texts for columns."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from crime_engines.redshift.copying import Copy
from crime_engines.storage import Storage, split

#: A line as COPY reads it: the texts of its columns, or the number of what is wrong with it.
Line = tuple[int, list[str | None] | int]

_PATH = re.compile(r"\$((?:\.[A-Za-z_]\w*|\['[^']+'\])+)")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\['([^']+)'\]")


class LoadFailed(Exception):  # noqa: N818 - reads as what happened
    """A COPY that can't go on; the message is the statement's error."""


@dataclass(frozen=True)
class Column:
    """A column that is loaded.

    Parameters
    ----------
    name, type
        As the database has them.
    length
        Bytes of a VARCHAR.
    not_null
        Whether it must have a value.
    """

    name: str
    type: str
    length: int | None
    not_null: bool


def objects_of(copy: Copy, storage: Storage) -> list[str]:
    """Return the URIs of what is loaded, in order.

    Parameters
    ----------
    copy
        The COPY.
    storage
        S3.

    Raises
    ------
    LoadFailed
        If there are none, or one that must be there is not.
    """
    if not copy.manifest:
        found = storage.list(copy.source)
        if not found:
            raise LoadFailed(f"The specified S3 prefix '{split(copy.source)[1]}' does not exist")
        return found
    try:
        entries = json.loads(storage.read(copy.source))["entries"]
        named = [(str(entry["url"]), bool(entry.get("mandatory", False))) for entry in entries]
    except ClientError as error:
        raise LoadFailed(f"Problem reading manifest file - {_s3(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LoadFailed("Invalid manifest file: it has no list of entries with a url each") from error
    found = []
    for url, mandatory in named:
        if storage.has(url):
            found.append(url)
        elif mandatory:
            raise LoadFailed(
                f"Problem reading manifest file - mandatory file {url} does not exist (Error NoSuchKey, 404)"
            )
    return found


def _s3(error: ClientError) -> str:
    said = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return f"S3ServiceException:{said.get('Message')},Status {status},Error {said.get('Code')}"


def lines_of(uri: str, copy: Copy, columns: Sequence[Column], storage: Storage) -> Iterator[Line]:
    """Read an object.

    Parameters
    ----------
    uri
        The object.
    copy
        How it is to be read.
    columns
        What each line has to give.
    storage
        S3.

    Raises
    ------
    LoadFailed
        If it can't be read at all: not there, or not compressed as was said.
    """
    try:
        body = storage.open(uri)
    except ClientError as error:
        raise LoadFailed(f"{_s3(error)} (S3 key being read : {uri})") from error
    lines: Iterator[bytes] = gzip.GzipFile(fileobj=body) if copy.gzip else body.iter_lines(1 << 20)
    try:
        if copy.format == "json":
            yield from _read_json(lines, copy, columns, storage)
        else:
            yield from _read_csv(lines, copy, columns)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise LoadFailed(
            f"incorrect header check. zlib error code: -3 (S3 key being read : {uri})"
        ) from error
    except EOFError as error:
        raise LoadFailed(
            f"unexpected end of file. zlib error code: -5 (S3 key being read : {uri})"
        ) from error


def _decoded(raw: bytes, copy: Copy) -> str | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        if copy.replace is None:
            return None
        text = raw.decode(errors="replace").replace("\ufffd", copy.replace)
    return text


def _read_json(
    lines: Iterator[bytes], copy: Copy, columns: Sequence[Column], storage: Storage
) -> Iterator[Line]:
    ways = _ways(copy, columns, storage)
    decoder = json.JSONDecoder(parse_constant=_no_number)
    for number, raw in enumerate(lines, 1):
        text = _decoded(raw, copy)
        if text is None:
            yield number, 1220
            continue
        at, end = 0, len(text)
        while True:  # objects may follow one another without a line end
            while at < end and text[at].isspace():
                at += 1
            if at == end:
                break
            try:
                value, at = decoder.raw_decode(text, at)
            except ValueError:
                yield number, 1216
                break
            if isinstance(value, dict):
                yield number, _picked(value, ways, columns, ignore_case=copy.jsonpaths == "auto ignorecase")
            else:
                yield number, 1216


def _no_number(text: str) -> None:
    """Refuse NaN and infinities: Python takes them, JSON has none."""
    raise ValueError(text)


def _ways(copy: Copy, columns: Sequence[Column], storage: Storage) -> list[list[str]]:
    """Where in an object each column's value is."""
    if not copy.jsonpaths.startswith("s3://"):
        return [[column.name] for column in columns]
    try:
        paths = json.loads(storage.read(copy.jsonpaths))["jsonpaths"]
    except ClientError as error:
        raise LoadFailed(f"Problem reading jsonpaths file - {_s3(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LoadFailed("Invalid JSONPaths file: it has no list of jsonpaths") from error
    if len(paths) != len(columns):
        raise LoadFailed("Number of jsonpaths and the number of columns should match")
    ways = []
    for path in paths:
        found = _PATH.fullmatch(path)
        if found is None:
            raise LoadFailed(f"Invalid JSONPath format: {path}")
        ways.append([first or second for first, second in _STEP.findall(found[1])])
    return ways


def _picked(
    value: dict[str, Any], ways: list[list[str]], columns: Sequence[Column], *, ignore_case: bool
) -> list[str | None] | int:
    if ignore_case:
        value = {key.lower(): item for key, item in value.items()}
    texts: list[str | None] = []
    for way, column in zip(ways, columns, strict=True):
        item: Any = value
        for step in way:
            item = item.get(step) if isinstance(item, dict) else None
        text = _text(item, column)
        if text is not None and "\x00" in text:
            return 1220
        texts.append(text)
    return texts


def _text(item: Any, column: Column) -> str | None:
    if item is None:
        return None
    if column.type == "jsonb":
        return json.dumps(item)
    if isinstance(item, bool):
        return "true" if item else "false"
    return item if isinstance(item, str) else json.dumps(item)


def _read_csv(lines: Iterator[bytes], copy: Copy, columns: Sequence[Column]) -> Iterator[Line]:
    texts = (_decoded(raw, copy) or "\x00" for raw in lines)
    reader = csv.reader(texts, delimiter=copy.delimiter)
    for row in reader:
        number = reader.line_num
        if number <= copy.skip_header:
            continue
        if any("\x00" in cell for cell in row):
            yield number, 1220
        elif len(row) != len(columns):
            yield number, 1202 if len(row) > len(columns) else 1203
        else:
            yield (
                number,
                [
                    cell if cell or column.length is not None else None
                    for cell, column in zip(row, columns, strict=True)
                ],
            )
