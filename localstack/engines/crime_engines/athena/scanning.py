"""What a query reads: tables resolved, partitions pruned, files named, bytes counted.

Bytes are those that Athena would count: of CSV and JSON each needed object whole, as it is stored; of Parquet
the column chunks of the columns that the query reads, as they are stored, in the partitions that are left.
Statistics inside a Parquet file are not used, so a row group that Athena could skip counts here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_predicates import pushdown_predicates
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.scope import traverse_scope

from crime_engines.athena.formats import PARQUET, identifier, kind_of, literal, source
from crime_engines.athena.kinds import duckdb_type
from crime_engines.athena.projection import is_projected, projected
from crime_engines.athena.store import Found, Store
from crime_engines.glue.catalog import Table
from crime_engines.glue.expressions import matching
from crime_jobs.adhoc.dialect import generate

if TYPE_CHECKING:
    import duckdb

#: Files whose columns are remembered.
_REMEMBERED = 20_000


@dataclass
class Need:
    """What a query needs of a table.

    Parameters
    ----------
    columns
        The columns that it reads.
    conditions
        What it asks of partition keys, in DuckDB's SQL.
    fixed
        Values of partition keys that it asks for by ``=`` or ``IN``.
    """

    columns: set[str]
    conditions: list[str] = field(default_factory=list)
    fixed: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scan:
    """A table, as it is read.

    Parameters
    ----------
    sql
        A SELECT of its columns, in DuckDB's SQL.
    bytes
        What is read of it.
    partitions
        How many partitions.
    """

    sql: str
    bytes: int
    partitions: int


class Footers:
    """Columns of Parquet files: name to bytes. A file is looked at once.

    Parameters
    ----------
    store
        Where the files are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], dict[str, int]] = {}
        self._lock = threading.Lock()

    def of(self, files: Sequence[Found], connection: duckdb.DuckDBPyConnection) -> list[dict[str, int]]:
        """Return each file's columns.

        Parameters
        ----------
        files
            The files.
        connection
            Reads those that are not known.
        """
        new = [file for file in files if (file.uri, file.tag) not in self._known]
        if new:
            paths = {self._store.path(file.uri): file for file in new}
            names = "[" + ", ".join(map(literal, paths)) + "]"
            found: dict[str, dict[str, int]] = {path: {} for path in paths}
            # A file without rows has no row groups: its columns are in the schema alone.
            query = (
                f"SELECT file_name, name, 0 FROM parquet_schema({names}) WHERE name <> 'schema' UNION ALL "
                "SELECT file_name, split_part(path_in_schema, ', ', 1), total_compressed_size "
                f"FROM parquet_metadata({names})"
            )
            for path, name, size in connection.execute(query).fetchall():
                found[path][name] = found[path].get(name, 0) + size
            with self._lock:
                if len(self._known) > _REMEMBERED:
                    self._known.clear()
                self._known |= {
                    (paths[path].uri, paths[path].tag): columns for path, columns in found.items()
                }
        return [self._known[file.uri, file.tag] for file in files]


def needs(analysed: exp.Query, tables: Mapping[str, Table]) -> dict[str, Need]:
    """Return what a query needs of each table that it names.

    Parameters
    ----------
    analysed
        The query; each table has a mark in its ``meta``.
    tables
        The tables by mark.
    """
    tree = analysed.copy()
    try:
        tree = pushdown_projections(pushdown_predicates(tree, dialect="trino"))
    except (SqlglotError, KeyError, AttributeError, ValueError):
        tree = analysed.copy()  # then all that is named counts as needed
    found: dict[str, Need] = {}
    for scope in traverse_scope(tree):
        for alias, of in scope.sources.items():
            mark = of.meta.get("mark") if isinstance(of, exp.Table) else None
            if mark is None or mark not in tables:
                continue
            need = found.setdefault(mark, Need(set()))
            need.columns |= {column.name for column in scope.columns if column.table == alias}
            where = scope.expression.args.get("where")
            if where is not None:
                _conditions(where.this, alias, tables[mark], need)
    for mark in tables:
        found.setdefault(mark, Need(set()))  # not needed after all
    return found


def _conditions(tree: exp.Expr, alias: str, table: Table, need: Need) -> None:
    keys = {str(key["Name"]) for key in table.keys}
    for part in tree.flatten() if isinstance(tree, exp.And) else [tree]:
        inner = part.unnest()
        columns = list(inner.find_all(exp.Column))
        if isinstance(inner, exp.And):
            _conditions(inner, alias, table, need)
        elif (
            columns
            and all(column.table == alias and column.name in keys for column in columns)
            and not inner.find(exp.Query, exp.AggFunc, exp.Window)
        ):
            plain = inner.copy()
            for column in plain.find_all(exp.Column):
                column.set("table", None)
            probe = exp.select("1").where(plain, copy=False)
            need.conditions.append(generate(probe).partition(" WHERE ")[2])
            _fixed(plain, need)


def _fixed(part: exp.Expr, need: Need) -> None:
    if (
        isinstance(part, exp.EQ)
        and isinstance(part.this, exp.Column)
        and isinstance(part.expression, exp.Literal)
    ):
        need.fixed[part.this.name] = [part.expression.name]
    elif isinstance(part, exp.In) and isinstance(part.this, exp.Column):
        values = part.expressions
        if values and all(isinstance(one, exp.Literal) for one in values):
            need.fixed[part.this.name] = [one.name for one in values]


class Scanner:
    """Finds files.

    Parameters
    ----------
    store
        Where they are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._footers = Footers(store)

    def scan(self, table: Table, need: Need, connection: duckdb.DuckDBPyConnection) -> Scan:
        """Return how a table is read.

        Parameters
        ----------
        table
            The table.
        need
            What is needed of it.
        connection
            For a look into Parquet files.
        """
        groups: dict[tuple[str, ...], list[Found]] = (
            self._partitions(table, need, connection) if table.keys else {(): self._files(table.location)}
        )
        files = [file for some in groups.values() for file in some]
        columns = [*table.columns, *table.keys]
        if not files:
            empty = ", ".join(
                f"CAST(NULL AS {duckdb_type(str(c['Type']))}) AS {identifier(str(c['Name']))}"
                for c in columns
            )
            return Scan(f"SELECT {empty} WHERE false", 0, len(groups))
        if kind_of(table.storage) == PARQUET:
            told = self._footers.of(files, connection)
            present = {name.lower(): name for one in told for name in one}
            mixed = any(set(one) != set(told[0]) for one in told)
            size = sum(held for one in told for name, held in one.items() if name.lower() in need.columns)
        else:
            present, mixed, size = {}, False, sum(file.size for file in files)
        paths = [self._store.path(file.uri) for file in files]
        inner = source(table.storage, table.parameters, table.columns, paths, present, mixed=mixed)
        return Scan(self._keyed(table, inner, groups), size, len(groups))

    def _keyed(self, table: Table, inner: str, groups: Mapping[tuple[str, ...], Sequence[Found]]) -> str:
        """Add the values of the partition keys, which are in the files' places and not in the files."""
        own = [f"r.{identifier(str(column['Name']))}" for column in table.columns]
        if not table.keys:
            return f"SELECT {', '.join(own)} FROM ({inner}) AS r"
        kinds = [duckdb_type(str(key["Type"])) for key in table.keys]
        names = [identifier(str(key["Name"])) for key in table.keys]
        held = [values for values, files in groups.items() if files]
        if len(held) == 1:
            keys = [
                f"CAST({literal(v)} AS {k}) AS {n}" for v, k, n in zip(held[0], kinds, names, strict=True)
            ]
            return f"SELECT {', '.join([*own, *keys])} FROM ({inner}) AS r"
        keys = [f"CAST(p.v{at} AS {kind}) AS {names[at]}" for at, kind in enumerate(kinds)]
        rows = ", ".join(
            "(" + ", ".join(map(literal, (self._store.path(file.uri), *values))) + ")"
            for values in held
            for file in groups[values]
        )
        columns = ", ".join(["f", *(f"v{at}" for at in range(len(kinds)))])
        return (
            f"SELECT {', '.join([*own, *keys])} FROM ({inner}) AS r "
            f"JOIN (VALUES {rows}) AS p({columns}) ON r.__file = p.f"
        )

    def _partitions(
        self, table: Table, need: Need, connection: duckdb.DuckDBPyConnection
    ) -> dict[tuple[str, ...], list[Found]]:
        if is_projected(table):
            places = projected(table, need.fixed)
        else:
            places = {
                values: str(told["StorageDescriptor"]["Location"]).rstrip("/") + "/"
                for values, told in list(table.partitions.items())
            }
        left = list(places)
        if need.conditions:
            condition = " AND ".join(f"({one})" for one in need.conditions)
            left = matching(left, table.keys, condition, connection)
        return self._sorted(table, {values: places[values] for values in left})

    def _sorted(
        self, table: Table, places: Mapping[tuple[str, ...], str]
    ) -> dict[tuple[str, ...], list[Found]]:
        """Find each partition's files, with one list where they are under one place."""
        by_place: dict[str, tuple[str, ...]] = {place: values for values, place in places.items()}
        groups: dict[tuple[str, ...], list[Found]] = {values: [] for values in places}
        roots = {_common(list(by_place))} if _close(table, by_place) else set(by_place)
        for root in sorted(roots):
            if not root:
                continue
            for file in self._files(root):
                folder = file.uri
                while (folder := folder.rstrip("/").rpartition("/")[0] + "/").count("/") > 2:  # noqa: PLR2004 - s3://
                    if folder in by_place:
                        groups[by_place[folder]].append(file)
                        break
        return groups

    def _files(self, place: str) -> list[Found]:
        """Return the files under a place; those whose name begins with _ or . are none."""
        return [
            file
            for file in self._store.list(place)
            if file.size
            and not any(part[:1] in ("_", ".") for part in file.uri[len(place) :].split("/") if part)
        ]


def _close(table: Table, by_place: Iterable[str]) -> bool:
    """Say whether one list finds all: they are under one place, and no bucket is listed whole."""
    places = list(by_place)
    root = _common(places)
    inside = root.count("/") > 3 or root.startswith(table.location)  # noqa: PLR2004 - deeper than the bucket
    return len(places) > 1 and inside


def _common(places: Sequence[str]) -> str:
    if not places:
        return ""
    low, high = min(places), max(places)
    at = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[: low.rfind("/", 0, at) + 1] if len(places) > 1 else low


def scans_of(
    analysed: exp.Query, tables: Mapping[str, Table], scanner: Scanner, connection: Any
) -> dict[str, Scan]:
    """Return how each table of a query is read.

    Parameters
    ----------
    analysed
        The query.
    tables
        Its tables by mark.
    scanner
        Finds the files.
    connection
        For a look into Parquet files.
    """
    wanted = needs(analysed, tables)
    return {mark: scanner.scan(table, wanted[mark], connection) for mark, table in tables.items()}
