"""Names in a query: which column is meant, what the output columns are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from crime_jobs.adhoc._refused import SqlWrong, place

_UNNAMED = "__unnamed__"


def named(tree: exp.Query) -> dict[str, str]:
    """Mark the output columns that have no name, and note how the others are written.

    Parameters
    ----------
    tree
        The query; changed in place.

    Returns
    -------
    dict
        From the name in small letters to the name as it was written.
    """
    written: dict[str, str] = {}
    for values in tree.find_all(exp.Values):
        _number(values)
    for nth, select in enumerate(list(tree.find_all(exp.Select))):
        items: list[exp.Expr] = []
        starred = False
        for number, item in enumerate(select.expressions):
            starred = starred or item.is_star
            if isinstance(item, exp.Alias):
                written.setdefault(item.alias.lower(), item.alias)
            elif not isinstance(item, exp.Column | exp.Star | exp.Dot | exp.Aliases) and not item.is_star:
                # how many columns a star before it has, only the tables know
                name = f"{_UNNAMED}{nth}_{number}" if starred else f"_col{number}"
                items.append(exp.Alias(this=item, alias=exp.to_identifier(name)))
                continue
            items.append(item)
        select.set("expressions", items)
    return written


def _number(values: exp.Values) -> None:
    """Give rows that have no names for their columns Athena's."""
    alias = values.args.get("alias")
    first = values.expressions[0] if values.expressions else None
    if first is None or (alias is not None and alias.columns):
        return
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = [exp.to_identifier(f"_col{at}", quoted=True) for at in range(width)]
    named = alias.this if alias is not None else None
    values.set("alias", exp.TableAlias(this=named or exp.to_identifier("given"), columns=columns))


def qualified(
    tree: exp.Query, schema: Mapping[str, Any] | None, sql: str, names: Mapping[str, str]
) -> exp.Query:
    """Put each column under its table, and give every node its type.

    Parameters
    ----------
    tree
        The query, through `named`; used up.
    schema
        Tables, columns and types; ``None`` if they are not known.
    sql
        The text.
    names
        From `named`.

    Returns
    -------
    exp.Query

    Raises
    ------
    SqlWrong
        For a column that is not there or could be of two tables.
    """
    if schema is not None:
        known = MappingSchema(dict(schema), dialect="trino")
        tree = qualify(
            tree,
            dialect="trino",
            schema=known,
            expand_alias_refs=False,
            allow_partial_qualification=True,
            validate_qualify_columns=False,
        )
        _check_columns(tree, known, sql)
        tree = annotate_types(tree, schema=known, dialect="trino")
    else:
        tree = annotate_types(tree, dialect="trino")
    _name_outputs(tree, names)
    return tree


def _name_outputs(tree: exp.Query, names: Mapping[str, str]) -> None:
    found = {
        item.alias: f"_col{number}"
        for select in tree.find_all(exp.Select)
        for number, item in enumerate(select.expressions)
        if isinstance(item, exp.Alias)
        and item.alias.startswith(_UNNAMED)
        and not (isinstance(item.this, exp.Column) and item.this.name == item.alias)
    }
    for identifier in tree.find_all(exp.Identifier):
        if identifier.name in found:
            identifier.set("this", found[identifier.name])
    top: Any = tree
    while isinstance(top, exp.SetOperation | exp.Subquery):
        top = top.this
    if isinstance(top, exp.Select):
        for item in top.expressions:
            if isinstance(item, exp.Alias) and (name := names.get(item.alias)) and name != item.alias:
                item.set("alias", exp.to_identifier(name, quoted=True))


def _check_columns(tree: exp.Query, schema: MappingSchema, sql: str) -> None:
    for scope in traverse_scope(tree):
        for column in scope.columns:
            if not column.table:
                if not _is_of_the_output(column, scope, schema):
                    raise _not_found(column, scope, schema, sql)
            elif (source := _source(scope, column.table)) is not None:
                known = _columns_of(source, schema)
                if known is not None and column.name not in known:
                    raise _not_found(column, scope, schema, sql)
            else:
                raise _not_found(column, scope, schema, sql)


def _is_of_the_output(column: exp.Column, scope: Scope, schema: MappingSchema) -> bool:
    """``ORDER BY`` may name an output column; a lambda's parameter is no column."""
    if any(column.name in {a.name for a in found.expressions} for found in _lambdas(column)):
        return True
    if any(_columns_of(source, schema) is None for source in scope.sources.values()):
        return True  # a source whose columns nobody knows may have it
    order = column.find_ancestor(exp.Order, exp.Query)
    if isinstance(order, exp.Order) and isinstance(order.parent, exp.Query):
        return column.name in order.parent.named_selects
    return False


def _lambdas(column: exp.Column) -> Iterator[exp.Lambda]:
    node: Any = column.find_ancestor(exp.Lambda)
    while node is not None:
        yield node
        node = node.find_ancestor(exp.Lambda)


def _source(scope: Scope | None, name: str) -> Any:
    while scope is not None:
        if name in scope.sources:
            return scope.sources[name]
        scope = scope.parent
    return None


def _columns_of(source: Any, schema: MappingSchema) -> set[str] | None:
    if isinstance(source, exp.Table):
        return set(schema.column_names(source)) or None
    if isinstance(source, Scope):
        found = source.expression
        alias = found.args.get("alias")
        if isinstance(alias, exp.TableAlias) and alias.columns:
            offset = found.args.get("offset")
            ordinal = {offset.name} if isinstance(offset, exp.Expr) else set()
            return {column.name for column in alias.columns} | ordinal
        if isinstance(found, exp.Query) and not isinstance(found, exp.Values):
            named = source.outer_columns or found.named_selects
            return None if "*" in named else set(named)
    return None


def _not_found(column: exp.Column, scope: Scope, schema: MappingSchema, sql: str) -> SqlWrong:
    first = column.args.get("table") or column.this
    at = place(sql, first.meta["start"]) if "start" in first.meta else (1, 1)
    holders = [
        name for name, source in scope.sources.items() if column.name in (_columns_of(source, schema) or ())
    ]
    written = ".".join(part.name for part in column.parts)
    if not column.table and len(holders) > 1:
        return SqlWrong("AMBIGUOUS_NAME", f"Column '{written}' is ambiguous", *at)
    return SqlWrong(
        "COLUMN_NOT_FOUND",
        f"Column '{written}' cannot be resolved or requester is not authorized to access requested resources",
        *at,
    )
