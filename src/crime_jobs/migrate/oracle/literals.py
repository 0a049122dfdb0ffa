"""Values as literals of Oracle's SQL, for scripts that sqlplus, SQLcl and H2's RunScript take as they are.

sqlplus reads lines, not SQL: it ends a statement at a ``;`` that ends a line, takes ``&`` for a variable,
and refuses lines of 2,500 bytes. So no literal holds a line end, another control character or an ``&``, and
long ones are cut.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

#: What a column's value is in Python; ``None`` is NULL.
Value = str | int | Decimal | datetime | bytes | None

#: Bytes of a line at most.
MAX_LINE = 2400
#: Bytes of one quoted piece of a text: several fit into what TO_CLOB takes, which is 4,000.
_PIECE = 1000
#: What VARCHAR2 holds.
_MAX_TEXT = 4000

_PARTS = re.compile(r"[\x00-\x1f\x7f&]|[^\x00-\x1f\x7f&]+")


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"a text has half of a surrogate pair at {error.start}, which no database can hold"
        ) from error


def _cut(run: str) -> list[str]:
    """Cut a text into pieces of at most `_PIECE` bytes once its quotes are doubled."""
    pieces: list[str] = []
    piece, size = "", 0
    for letter in run:
        width = 2 if letter == "'" else len(letter.encode())
        if size + width > _PIECE:
            pieces.append(piece)
            piece, size = "", 0
        piece, size = piece + letter, size + width
    return [*pieces, piece] if piece else pieces


def _pieces(text: str) -> list[str]:
    found = []
    for part in _PARTS.findall(text):
        if len(part) == 1 and (ord(part) < ord(" ") or part in "\x7f&"):
            found.append(f"CHR({ord(part)})")
        else:
            found += ["'" + piece.replace("'", "''") + "'" for piece in _cut(part)]
    return found


def text_literal(text: str) -> str:
    """Return a text as a VARCHAR2 expression.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    str
        Lines of at most `MAX_LINE` bytes. An empty text is NULL, as everywhere in Oracle.

    Raises
    ------
    ValueError
        If it is no valid text, or has more bytes than VARCHAR2 holds.
    """
    if (size := len(_encoded(text))) > _MAX_TEXT:
        raise ValueError(
            f"a text has {size} bytes, and VARCHAR2 holds {_MAX_TEXT}: its column must be a CLOB"
        )
    return wrapped(_pieces(text), " ||") or "NULL"


def clob_literal(text: str) -> str:
    """Return a text as a CLOB expression.

    Parameters
    ----------
    text
        The text, of any length.

    Returns
    -------
    str
        Lines of at most `MAX_LINE` bytes.

    Raises
    ------
    ValueError
        If it is no valid text.
    """
    _encoded(text)
    chunks: list[list[str]] = [[]]
    size = 0
    for piece in _pieces(text):
        # Counted by its length in the script, which is never less than the text's own.
        width = len(piece.encode()) + len(" || ")
        if chunks[-1] and size + width > 2 * _PIECE:
            chunks.append([])
            size = 0
        chunks[-1].append(piece)
        size += width
    made = [f"TO_CLOB({' || '.join(chunk)})" for chunk in chunks if chunk]
    return wrapped(made, " ||") or "NULL"


def literal(value: Value, kind: str) -> str:
    """Return a value as the literal of a column.

    Parameters
    ----------
    value
        The value.
    kind
        The column's type in Oracle.

    Returns
    -------
    str
        An expression of Oracle's SQL.

    Raises
    ------
    ValueError
        If the column can't hold the value.
    """
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return clob_literal(value) if kind == "CLOB" else text_literal(value)
    if isinstance(value, bytes):
        return f"HEXTORAW('{value.hex().upper()}')" if value else "NULL"
    if isinstance(value, datetime):
        return _moment(value, kind)
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"{value} is no number of Oracle's")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _moment(value: datetime, kind: str) -> str:
    seconds = value.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
    if kind == "DATE":
        if value.microsecond or value.tzinfo:
            raise ValueError("DATE has no fraction of a second and no zone")
        return f"TO_DATE('{seconds}', 'YYYY-MM-DD HH24:MI:SS')"
    exact = f"{seconds}.{value.microsecond:06d}"
    if value.tzinfo is None:
        return f"TO_TIMESTAMP('{exact}', 'YYYY-MM-DD HH24:MI:SS.FF6')"
    offset = f"{value:%z}"
    if len(offset) > len("+hhmm"):
        raise ValueError("a time zone of Oracle's has no seconds")
    return f"TO_TIMESTAMP_TZ('{exact} {offset[:3]}:{offset[3:5]}', 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM')"


def wrapped(parts: list[str], between: str) -> str:
    """Join parts, with a new line wherever the line would get too long.

    Parameters
    ----------
    parts
        The parts; each alone fits a line, or has its own line ends.
    between
        What stands after each but the last, for example a comma.

    Returns
    -------
    str
        Lines of at most `MAX_LINE` bytes, none empty.
    """
    lines: list[str] = []
    text: list[str] = []
    size = 0
    for number, part in enumerate(parts):
        piece = part + between if number < len(parts) - 1 else part
        width = max(len(line.encode()) for line in piece.split("\n")) + 1
        if text and size + width > MAX_LINE:
            lines.append(" ".join(text))
            text, size = [], 0
        text.append(piece)
        size = len(piece.rpartition("\n")[2].encode()) + 1 if "\n" in piece else size + width
    return "\n".join([*lines, " ".join(text)] if text else lines)
