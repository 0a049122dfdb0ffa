"""UNNEST of several arrays, of maps and with ordinality, as DuckDB's SQL has it."""

from __future__ import annotations

from sqlglot import exp


def unnested(node: exp.Unnest, sql: str) -> exp.Expr | None:
    """Rewrite an UNNEST in FROM that is of more than one array.

    Parameters
    ----------
    node
        The UNNEST.
    sql
        The text; not looked at.

    Returns
    -------
    exp.Expr or None
        A subquery with a column for each of its own; ``None`` where DuckDB's UNNEST does.
    """
    del sql
    alias = node.args.get("alias")
    offset = node.args.get("offset")
    is_plain = len(node.expressions) == 1 and not offset and not _is_map(node.expressions[0])
    if is_plain or not isinstance(node.parent, exp.From | exp.Join):
        return None
    parts: list[exp.Expr] = []
    for one in node.expressions:
        if _is_map(one):
            parts += [_call("unnest", _call(name, one.copy())) for name in ("map_keys", "map_values")]
        else:
            parts.append(_call("unnest", one.copy()))
    if offset:
        first = node.expressions[0]
        of = _call("map_keys", first.copy()) if _is_map(first) else first.copy()
        parts.append(_call("generate_subscripts", of, exp.Literal.number(1)))
    made = exp.TableAlias(this=exp.to_identifier("unnested"))
    if isinstance(alias, exp.TableAlias):
        made = alias.copy()
        if isinstance(offset, exp.Expr) and made.columns:
            made.append("columns", offset.copy())
    return exp.Subquery(this=exp.select(*parts), alias=made)


def _is_map(node: exp.Expr) -> bool:
    return isinstance(node, exp.Map | exp.VarMap) or node.is_type(exp.DType.MAP)


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def size(node: exp.ArraySize, sql: str) -> exp.Expr | None:
    """Rewrite the number of a map's entries; that of an array is DuckDB's own.

    Parameters
    ----------
    node
        The call.
    sql
        The text; not looked at.

    Returns
    -------
    exp.Expr or None
    """
    del sql
    return _call("cardinality", node.this.copy()) if _is_map(node.this) else None
