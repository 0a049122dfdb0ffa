"""Athena's SQL for DuckDB: a query is parsed as Athena parses it, checked, and written as DuckDB takes it.

Athena's engine version 3 has Trino's SQL, so queries are read as Trino's
(https://docs.aws.amazon.com/athena/latest/ug/engine-versions-reference-0003.html). What DuckDB's SQL
can't say with the same meaning is refused by name, with line and column, never guessed. Nothing here reads
or runs anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import OptimizeError, ParseError, SqlglotError, TokenError

from crime_jobs.adhoc._functions import check_functions
from crime_jobs.adhoc._names import named, qualified
from crime_jobs.adhoc._refused import SqlWrong, Unsupported, place
from crime_jobs.adhoc._rewriting import rewritten

__all__ = ["SqlWrong", "Unsupported", "analyse", "bind", "count_parameters", "generate", "parse", "translate"]

_PARAMETER = "__parameter_"

#: Tables and their columns with Athena's types: ``{table: {column: type}}``, or one level more for databases.
Schema = Mapping[str, Any]


def parse(sql: str) -> exp.Query:
    """Parse one query (``SELECT``, ``WITH``, ``VALUES``, set operations).

    Parameters
    ----------
    sql
        The query in Athena's SQL; each ``?`` stands for a parameter, to be given its value by `bind`.

    Returns
    -------
    exp.Query
        The query. Its nodes know where in the text they stood.

    Raises
    ------
    SqlWrong
        If it is no query; the message has line and column.
    """
    trino = Dialect.get_or_raise("trino")
    try:
        tokens = trino.tokenize(sql)
    except TokenError as error:
        # an apostrophe or quote that is never closed
        raise SqlWrong("", "mismatched input: " + str(error).splitlines()[0], 1, 1) from error
    _check_backticks(sql, tokens)
    try:
        trees = trino.parser().parse(_sized(_numbered(tokens)), sql)
    except ParseError as error:
        raise _mismatch(sql, error) from error
    except (SqlglotError, IndexError, ValueError, RecursionError) as error:
        raise Unsupported(f"this query ({type(error).__name__} while it was parsed)", 1, 1) from error
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1:
        raise SqlWrong("", "Only one sql statement is allowed. Got: " + sql[:200], 1, 1)
    if isinstance(found[0], exp.Values):
        found = [_selected(found[0])]
    if not isinstance(found[0], exp.Query):
        first = tokens[0].text if tokens else "<EOF>"
        raise SqlWrong("", f"mismatched input '{first}'. Expecting: <query>", *place(sql, 0))
    tree = found[0]
    tree.meta["sql"] = sql
    return tree


def count_parameters(statement: exp.Expr) -> int:
    """Return how many parameters a query has.

    Parameters
    ----------
    statement
        The query, from `parse`.
    """
    return len(_parameters(statement))


def bind(statement: exp.Query, values: Sequence[str]) -> exp.Query:
    """Put values in the places of a query's parameters.

    Parameters
    ----------
    statement
        The query, from `parse`; left as it is.
    values
        The values in the order of the ``?``, each as a literal of Athena's SQL: ``'IN-TN'``, ``2013``,
        ``DATE '2026-11-24'``. They become nodes of the tree: nothing in them is read as anything else.

    Returns
    -------
    exp.Query

    Raises
    ------
    SqlWrong
        If the number is not the number of parameters, or a value is not a literal.
    """
    bound = statement.copy()
    bound.meta.update(statement.meta)
    places = _parameters(bound)
    if len(places) != len(values):
        raise SqlWrong(
            "INVALID_PARAMETER_USAGE",
            f"Incorrect number of parameters: expected {len(places)} but found {len(values)}",
            1, 1,
        )  # fmt: skip
    literals = [_literal(value, number) for number, value in enumerate(values, 1)]
    for node in places:
        at = int(node.name.removeprefix(_PARAMETER))
        node.replace(literals[at].copy())
    return bound


def analyse(statement: exp.Query, schema: Schema | None = None) -> exp.Query:
    """Resolve names and types, and refuse what Athena would refuse.

    Parameters
    ----------
    statement
        The query, from `parse` or `bind`; left as it is.
    schema
        The tables that it may read, with their columns and Athena's types. Without it nothing is resolved:
        the query is only checked for functions, and what depends on types (integer division) follows what
        the query itself says of them.

    Returns
    -------
    exp.Query
        The query with each column under its table's name, ``*`` spelt out, and a name for each output column.

    Raises
    ------
    SqlWrong
        For a column, table or function that is not there, or operands that do not go together.
    Unsupported
        For what is Athena's but has no equal in DuckDB.
    """
    sql = statement.meta.get("sql", "")
    if left := _parameters(statement):
        raise SqlWrong(
            "INVALID_PARAMETER_USAGE",
            f"Incorrect number of parameters: expected {len(left)} but found 0",
            1, 1,
        )  # fmt: skip
    tree = statement.copy()
    check_functions(tree, sql)
    names = named(tree)
    try:
        tree = qualified(tree, schema, sql, names)
    except OptimizeError as error:
        raise SqlWrong("SYNTAX_ERROR", str(error).splitlines()[0], 1, 1) from error
    tree.meta["sql"] = sql
    return tree


def generate(analysed: exp.Query) -> str:
    """Write an analysed query in DuckDB's SQL.

    Parameters
    ----------
    analysed
        From `analyse`; left as it is.

    Returns
    -------
    str

    Raises
    ------
    Unsupported
        For what DuckDB's SQL can't say.
    """
    tree = rewritten(analysed.copy(), analysed.meta.get("sql", ""))
    return tree.sql(dialect="duckdb", comments=False)


def translate(statement: exp.Query, schema: Schema | None = None) -> str:
    """Write a query of Athena's in DuckDB's SQL.

    Parameters
    ----------
    statement
        The query, from `parse` or `bind`.
    schema
        As for `analyse`.

    Returns
    -------
    str

    Raises
    ------
    SqlWrong
        As `analyse` and `generate`.
    """
    return generate(analyse(statement, schema))


def _selected(values: exp.Values) -> exp.Query:
    """Make a query of rows that are given: their columns have Athena's names."""
    first = values.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = [exp.to_identifier(f"_col{at}", quoted=True) for at in range(width)]
    values.set("alias", exp.TableAlias(this=exp.to_identifier("given"), columns=columns))
    return exp.select("*").from_(values, copy=False)


def _numbered(tokens: list[Token]) -> list[Token]:
    """Give each ``?`` a name: the tree does not keep the order in which they stood."""
    found, number = [], 0
    for token in tokens:
        if token.token_type is TokenType.PLACEHOLDER:
            found.append(
                Token(TokenType.VAR, f"{_PARAMETER}{number}", token.line, token.col, token.start, token.end)
            )
            number += 1
        else:
            found.append(token)
    return found


def _sized(tokens: list[Token]) -> list[Token]:
    """Give ``DECIMAL '1.50'`` the size of its digits, which the tree does not tell from a cast to decimal."""
    found: list[Token] = []
    for token, following in zip_longest(tokens, tokens[1:]):
        found.append(token)
        if token.token_type is TokenType.DECIMAL and following and following.token_type is TokenType.STRING:
            whole, _, part = following.text.lstrip("+-").partition(".")
            sizes = (str(len(whole.lstrip("0") + part) or 1), str(len(part)))
            found += [
                Token(kind, text, token.line, token.col, token.start, token.end)
                for kind, text in (
                    (TokenType.L_PAREN, "("),
                    (TokenType.NUMBER, sizes[0]),
                    (TokenType.COMMA, ","),
                    (TokenType.NUMBER, sizes[1]),
                    (TokenType.R_PAREN, ")"),
                )
            ]
    return found


def _parameters(statement: exp.Expr) -> list[exp.Expr]:
    return [node for node in statement.find_all(exp.Column) if node.name.startswith(_PARAMETER)]


def _literal(value: str, number: int) -> exp.Expr:
    try:
        found = Dialect.get_or_raise("trino").parse(f"SELECT {value}")
    except (SqlglotError, IndexError, ValueError):
        found = []
    if len(found) == 1 and isinstance(found[0], exp.Select):
        [*parts] = found[0].expressions
        others = [key for key, part in found[0].args.items() if part and key not in ("expressions", "kind")]
        if len(parts) == 1 and not others and _is_literal(parts[0]):
            return exp.paren(parts[0]) if isinstance(parts[0], exp.Neg) else parts[0]
    raise SqlWrong("INVALID_PARAMETER_USAGE", f"parameter {number} is not a literal: {value[:100]!r}", 1, 1)


def _is_literal(node: exp.Expr) -> bool:
    if isinstance(node, exp.Literal | exp.Boolean | exp.Null | exp.Interval):
        return True
    return isinstance(node, exp.Neg | exp.Cast | exp.Paren) and _is_literal(node.this)


def _mismatch(sql: str, error: ParseError) -> SqlWrong:
    said = error.errors[0] if error.errors else {}
    word = str(said.get("highlight") or "")
    line, end = int(said.get("line") or 1), int(said.get("col") or 1)
    if line == 1 and word and sql.rstrip().endswith(word) and word in "(,":
        return SqlWrong("", "mismatched input '<EOF>'", line, end + 1)  # something has to follow
    if not word:
        return SqlWrong("", "mismatched input '<EOF>'", *place(sql, len(sql.rstrip())))
    return SqlWrong("", f"mismatched input '{word}'", line, max(1, end - len(word) + 1))


def _check_backticks(sql: str, tokens: list[Token]) -> None:
    for token in tokens:
        if sql[token.start : token.start + 1] == "`":
            what = "backquoted identifiers are not supported; use double quotes to quote identifiers"
            raise SqlWrong("", what, *place(sql, token.start))
