"""Tables that a query names: found in the catalogue, views put in their place."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from crime_engines.athena.kinds import trino_type
from crime_engines.athena.wrong import table_not_found
from crime_engines.glue.catalog import Catalog, Table
from crime_engines.protocol import Refusal
from crime_jobs.adhoc._refused import place
from crime_jobs.adhoc.dialect import SqlWrong, analyse, parse

CATALOG = "awsdatacatalog"
_VIEW, _END = "/* Presto View: ", " */"
#: Views in views.
_DEEPEST = 20


@dataclass(frozen=True)
class Context:
    """What a query's names are looked up in.

    Parameters
    ----------
    catalog
        The catalogue.
    region
        Of the call.
    database
        That of names without one.
    """

    catalog: Catalog
    region: str
    database: str


@dataclass
class Resolved:
    """A query whose names are known.

    Parameters
    ----------
    tree
        The query, analysed; each table has a mark in its ``meta``.
    tables
        The tables by mark.
    """

    tree: exp.Query
    tables: dict[str, Table]


def resolve(statement: exp.Query, context: Context) -> Resolved:
    """Find a query's tables and check its names.

    Parameters
    ----------
    statement
        The query, bound.
    context
        Where to look.

    Raises
    ------
    SqlWrong
        For what is not there.
    """
    tree = statement.copy()
    tree.meta.update(statement.meta)
    sql = str(statement.meta.get("sql", ""))
    tables: dict[str, Table] = {}
    schema: dict[str, dict[str, dict[str, str]]] = {}
    _put(tree, context, sql, tables, schema, 0)
    return Resolved(analyse(tree, schema), tables)


def _put(
    tree: exp.Query, context: Context, sql: str, tables: dict[str, Table], schema: dict[str, Any], depth: int
) -> None:
    if depth > _DEEPEST:
        raise SqlWrong("VIEW_IS_RECURSIVE", "views are nested too deeply", 1, 1)
    sources = [
        of for scope in traverse_scope(tree) for of in scope.sources.values() if isinstance(of, exp.Table)
    ]
    for node in {id(of): of for of in sources}.values():
        if not isinstance(node.this, exp.Identifier):
            name = node.this.sql("trino").partition("(")[0].lower()
            raise SqlWrong("FUNCTION_NOT_FOUND", f"Table function '{name}' not registered", *_at(node, sql))
        table = find(node, context, sql)
        if table.is_view:
            inner = parse(view_text(table))
            base = Context(context.catalog, context.region, table.database)
            _put(inner, base, str(inner.meta.get("sql", "")), tables, schema, depth + 1)
            for part in inner.walk():  # places in the view's text are none in this one
                part.meta.pop("start", None)
            alias = node.alias or table.name
            made = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(alias)))
            for key in ("joins", "pivots", "laterals"):
                made.set(key, node.args.get(key))
            node.replace(made)
            continue
        mark = f"__scan_{uuid.uuid4().hex}"
        tables[mark] = table
        node.meta["mark"] = mark
        node.set("db", exp.to_identifier(table.database))
        node.set("catalog", None)
        schema.setdefault(table.database, {})[table.name] = {
            str(column["Name"]): trino_type(str(column["Type"])) for column in [*table.columns, *table.keys]
        }


def find(node: exp.Table, context: Context, sql: str) -> Table:
    """Return the table that a node names.

    Parameters
    ----------
    node
        The node.
    context
        Where to look.
    sql
        The query's text.

    Raises
    ------
    SqlWrong
        If there is no such catalogue, database or table.
    """
    catalog, database = node.catalog.lower(), (node.db or context.database).lower()
    at = _at(node, sql)
    if catalog not in ("", CATALOG):
        raise SqlWrong("CATALOG_NOT_FOUND", f"Catalog '{catalog}' does not exist", *at)
    try:
        base = context.catalog.database(context.region, database)
    except Refusal as refusal:
        raise SqlWrong("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", *at) from refusal
    table = base.tables.get(node.name.lower())
    if table is None:
        raise table_not_found(f"{database}.{node.name.lower()}", *at)
    return table


def _at(node: exp.Table, sql: str) -> tuple[int, int]:
    first = node.args.get("catalog") or node.args.get("db") or node.this
    start = node.meta.get("start", first.meta.get("start"))
    start = first.meta.get("start", start)
    return place(sql, start) if start is not None else (1, 1)


def view_text(table: Table) -> str:
    """Return the query of a view.

    Parameters
    ----------
    table
        The view.
    """
    held = str(table.told.get("ViewOriginalText", ""))
    told = json.loads(base64.b64decode(held.removeprefix(_VIEW).removesuffix(_END)))
    return str(told["originalSql"])


def view_held(sql: str, database: str, columns: list[dict[str, Any]]) -> str:
    """Return what Glue keeps of a view, as Athena writes it.

    Parameters
    ----------
    sql
        Its query.
    database
        That of names without one.
    columns
        ``Name`` and ``Type`` of each.
    """
    told = {
        "originalSql": sql,
        "catalog": CATALOG,
        "schema": database,
        "columns": [{"name": c["Name"], "type": trino_type(str(c["Type"]))} for c in columns],
    }
    return _VIEW + base64.b64encode(json.dumps(told).encode()).decode() + _END
