"""Redshift's SQL in PostgreSQL's words, and what neither knows refused by its name."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crime_engines.redshift.copying import Copy, parse_copy
from crime_engines.redshift.creating import Made, parse_create
from crime_engines.redshift.refused import Unsupported
from crime_engines.redshift.unloading import Unload, parse_unload
from crime_engines.redshift.words import Token, TokenType


@dataclass(frozen=True)
class Plain:
    """A statement that PostgreSQL runs.

    Parameters
    ----------
    sql
        In its words, parameters as ``$1``.
    parameters
        Their values.
    returns_rows
        Whether it gives a result set.
    """

    sql: str
    parameters: tuple[str, ...] = ()
    returns_rows: bool = False


@dataclass(frozen=True)
class Nothing:
    """A statement that means nothing here: VACUUM, ANALYZE."""


Action = Plain | Copy | Unload | Made | Nothing

# It says at each statement that it does not know that it does not know it; so does the refusal.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

#: Statements that are rewritten by their tree; what else begins a statement is below, or refused.
_TREES = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge)
_AS_THEY_ARE = ("DROP", "ALTER", "TRUNCATE", "LOCK", "COMMENT")
_NOTHING = ("VACUUM", "ANALYZE")
#: What PostgreSQL would understand otherwise than Redshift, or what reaches beyond the database.
_NEVER = re.compile(
    r"\b(?:pg_read_file|pg_ls_dir|lo_import|lo_export|dblink|pg_sleep_until)\b", re.IGNORECASE
)


def tokens_of(text: str) -> list[Token]:
    """Part a statement into tokens.

    Parameters
    ----------
    text
        The statement.

    Raises
    ------
    Unsupported
        If it can't be.
    """
    try:
        return sqlglot.tokenize(text, read="redshift")
    except SqlglotError as error:
        raise Unsupported(f"syntax error: {str(error).splitlines()[0]}") from error


def single(text: str) -> str:
    """Return the one statement of a text, without the semicolon at its end.

    Parameters
    ----------
    text
        What was given.

    Raises
    ------
    Unsupported
        If there is none, or there are several.
    """
    tokens = tokens_of(text)
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise Unsupported("syntax error: there is no statement")
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise Unsupported("cannot insert multiple commands into a prepared statement")
    return text[tokens[0].start : tokens[-1].end + 1]


def names_in(text: str) -> set[str]:
    """Return the names of the parameters that a statement has.

    Parameters
    ----------
    text
        The statement.
    """
    return {name for _, _, name in _parameters(text)}


def _parameters(text: str) -> list[tuple[int, int, str]]:
    """Where parameters are, a colon and a name; not the two colons of a cast, and nothing in quotes."""
    found, tokens = [], tokens_of(text)
    for before, token in pairwise(tokens):
        is_name = re.fullmatch(r"[A-Za-z0-9_]+", text[token.start : token.end + 1])
        if before.token_type is TokenType.COLON and is_name and before.end + 1 == token.start:
            found.append((before.start, token.end + 1, text[token.start : token.end + 1]))
    return found


@dataclass
class Binding:
    """Values of parameters, put in where a statement names them.

    Parameters
    ----------
    values
        By name.
    """

    values: Mapping[str, str]
    used: list[str] = field(default_factory=list)

    def number(self, name: str) -> int:
        """Return the number of a parameter in PostgreSQL's statement."""
        if name not in self.values:
            raise Unsupported(f"Cannot find parameter: {name}")
        if name not in self.used:
            self.used.append(name)
        return self.used.index(name) + 1


def translate(text: str, values: Mapping[str, str]) -> Action:
    """Say what a statement is to do.

    Parameters
    ----------
    text
        One statement of Redshift's SQL.
    values
        Of its parameters.

    Returns
    -------
    Action

    Raises
    ------
    Unsupported
        If it is not taken here; the message has it by name.
    """
    text = single(text)
    if _NEVER.search(text):
        raise Unsupported("permission denied for function")
    if re.match(r"UNLOAD\b", text, re.IGNORECASE):  # which is one token to sqlglot
        return parse_unload(text[len("UNLOAD") :], tokens_of(text[len("UNLOAD") :]))
    tokens = tokens_of(text)
    words = [token.text.upper() for token in tokens[:3]]
    if words[0] == "COPY":
        return parse_copy(text, tokens)
    if words[0] in _NOTHING:
        return Nothing()
    if words[0] == "CREATE" and "TABLE" in words[:3]:
        return parse_create(text, tokens)
    if words[0] in _AS_THEY_ARE or (words[0] == "CREATE" and words[1] in ("SCHEMA", "VIEW", "OR")):
        return _as_it_is(text, words)
    return _rewritten(text, Binding(values), words[0])


def _as_it_is(text: str, words: Sequence[str]) -> Plain:
    if "PROCEDURE" in words or "FUNCTION" in words:
        raise Unsupported(f"{words[0]} {words[-1]} is not supported here")
    return Plain(re.sub(r"\s+WITH\s+NO\s+SCHEMA\s+BINDING\s*$", "", text, flags=re.IGNORECASE))


def _rewritten(text: str, binding: Binding, word: str) -> Plain:
    try:
        tree = sqlglot.parse_one(text, read="redshift")
    except SqlglotError as error:
        said = str(error).splitlines()[0]
        raise Unsupported(f"syntax error: {said}") from error
    if not isinstance(tree, _TREES):
        raise Unsupported(f"{word} is not supported here")
    for place in list(tree.find_all(exp.Placeholder)):
        number = exp.Parameter(this=exp.Literal.number(binding.number(str(place.this))))
        place.replace(number)
    for moment in list(tree.find_all(exp.CurrentTimestamp)):  # GETDATE, SYSDATE: without a zone
        moment.replace(exp.Anonymous(this="getdate"))
    written = tree.sql(dialect="postgres")
    values = tuple(binding.values[name] for name in binding.used)
    return Plain(written, values, isinstance(tree, exp.Query))
