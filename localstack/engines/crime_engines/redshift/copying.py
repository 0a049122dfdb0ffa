"""COPY from S3, as it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from crime_engines.redshift.refused import Unsupported
from crime_engines.redshift.words import Token, Words

#: The most that MAXERROR takes.
_MOST_ERRORS = 100_000
#: Options that change nothing here, and those of them that take a value.
_PASSED_OVER = {"ACCEPTANYDATE", "COMPUPDATE", "STATUPDATE", "REGION", "ENCODING"}
_WITH_VALUE = {"COMPUPDATE", "STATUPDATE", "REGION", "ENCODING"}


@dataclass
class Copy:
    """A COPY.

    Parameters
    ----------
    schema, table
        Of the table.
    source
        ``s3://`` prefix, or manifest.
    columns
        Those that are loaded; empty for all.
    format
        ``json`` or ``csv``.
    jsonpaths
        ``auto``, ``auto ignorecase``, or URI of a file.
    delimiter, skip_header
        Of CSV.
    gzip, manifest, truncate
        Whether given.
    max_errors
        Lines that may be bad.
    replace
        What stands for a character that is none; ``None`` if such a line is bad.
    """

    schema: str | None
    table: str
    source: str = ""
    columns: tuple[str, ...] = ()
    format: str = ""
    jsonpaths: str = "auto"
    delimiter: str = ","
    skip_header: int = 0
    gzip: bool = False
    manifest: bool = False
    truncate: bool = False
    max_errors: int = 0
    replace: str | None = None


def parse_copy(text: str, tokens: list[Token]) -> Copy:
    """Read a COPY.

    Parameters
    ----------
    text, tokens
        The statement.

    Raises
    ------
    Unsupported
        If something of it is not taken here.
    """
    words = Words(text, tokens)
    words.need("COPY")
    schema, table = words.table()
    copy = Copy(schema, table)
    if words.word == "(":
        copy.columns = tuple(words.names())
    words.need("FROM")
    copy.source = words.string()
    if not copy.source.startswith("s3://"):
        raise Unsupported(f"COPY from {copy.source!r} is not supported here, only from s3://")
    while words.word:
        _option(copy, words)
    if not copy.format:
        raise Unsupported("COPY without FORMAT is not supported here: name JSON or CSV")
    return copy


def _option(copy: Copy, words: Words) -> None:
    option = words.take().upper()
    if option == "FORMAT":
        words.skip("AS")
        option = words.take().upper()
    words.skip("AS")
    if option in _FLAGS:
        setattr(copy, _FLAGS[option], True)
    elif option in _TAKEN:
        _TAKEN[option](copy, words)
    elif option in _WITH_VALUE and (words.is_string or words.word in ("ON", "OFF", "TRUE", "FALSE")):
        words.take()
    elif option not in _PASSED_OVER:
        raise Unsupported(f"COPY {option} is not supported here")


def _take_json(copy: Copy, words: Words) -> None:
    copy.format, copy.jsonpaths = "json", words.string() if words.is_string else "auto"


def _take_csv(copy: Copy, _: Words) -> None:
    copy.format = "csv"


def _take_delimiter(copy: Copy, words: Words) -> None:
    copy.delimiter = words.string()


def _take_header(copy: Copy, words: Words) -> None:
    copy.skip_header = words.number()


def _take_errors(copy: Copy, words: Words) -> None:
    copy.max_errors = words.number()
    if copy.max_errors > _MOST_ERRORS:
        raise Unsupported(f"MAXERROR must be between 0 and {_MOST_ERRORS}")


def _take_replacement(copy: Copy, words: Words) -> None:
    copy.replace = words.string() if words.is_string else "?"


def _take_role(_: Copy, words: Words) -> None:
    words.take()


def _take_auto(_: Copy, words: Words) -> None:
    if (given := words.string()).lower() != "auto":
        raise Unsupported(f"A format {given!r} of times is not supported here, only 'auto'")


_FLAGS = {"GZIP": "gzip", "MANIFEST": "manifest", "TRUNCATECOLUMNS": "truncate"}
_TAKEN = {
    "JSON": _take_json,
    "CSV": _take_csv,
    "DELIMITER": _take_delimiter,
    "IGNOREHEADER": _take_header,
    "MAXERROR": _take_errors,
    "ACCEPTINVCHARS": _take_replacement,
    "IAM_ROLE": _take_role,
    "CREDENTIALS": _take_role,
    "TIMEFORMAT": _take_auto,
    "DATEFORMAT": _take_auto,
}
