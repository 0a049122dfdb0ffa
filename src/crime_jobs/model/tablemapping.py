"""AWS DMS's table-mapping JSON: which tables move, to which DynamoDB table, under which keys.

The same file drives our own migration and AWS DMS
(https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TableMapping.html and
https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Target.DynamoDB.html, object mapping). What we do not do
is refused by the number of its rule, never passed over.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal

from crime_jobs.model._rules import (
    AttributeRule,
    BadMapping,
    Locator,
    ObjectMapping,
    Selection,
    TableSettings,
    read_rule,
)

__all__ = [
    "NUMBER",
    "Attribute",
    "BadMapping",
    "Kind",
    "Mappings",
    "SourceColumn",
    "SourceTable",
    "TableMapping",
]

_COLUMN = re.compile(r"\$\{([^}]+)\}")
#: A number as text. Decimal would also take 1_000, digits of any script, and words.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


#: What a source column holds, as far as the type rules tell columns apart; see `crime_jobs.model.items`.
#: There is no rule for ``other``: such a column may stand in the source, and is refused where it is used.
Kind = Literal["other", "timestampltz", "number", "text", "date", "timestamp", "timestamptz", "clob", "raw"]


@dataclass(frozen=True)
class SourceColumn:
    """A column of the source.

    Parameters
    ----------
    name
        As the database spells it.
    kind
        What it holds.
    type_name
        Its type as the database calls it, for messages.
    """

    name: str
    kind: Kind
    type_name: str


@dataclass(frozen=True)
class SourceTable:
    """A table of the source.

    Parameters
    ----------
    schema, name
        As the database spells them.
    columns
        In their order.
    primary_key
        Names of its columns in their order; empty if there is none.
    """

    schema: str
    name: str
    columns: tuple[SourceColumn, ...]
    primary_key: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Attribute:
    """An attribute of an item and where it comes from.

    Parameters
    ----------
    name
        Its name in DynamoDB.
    template
        Text with ``${COLUMN}`` in it; a column carried over as it is has only that.
    kind
        What it holds: the column's kind, or what the mapping says of a text that it makes.
    """

    name: str
    template: str
    kind: Kind

    @cached_property
    def parts(self) -> tuple[tuple[str, bool], ...]:
        """The template in pieces: text, and whether it is the name of a column."""
        pieces = _COLUMN.split(self.template)
        return tuple((text, number % 2 == 1) for number, text in enumerate(pieces) if text)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that it takes."""
        return tuple(text for text, is_column in self.parts if is_column)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is one column, unchanged."""
        return len(self.parts) == 1 and self.parts[0][1]


@dataclass(frozen=True)
class TableMapping:
    """Where the rows of one table go.

    Parameters
    ----------
    source
        The table.
    target
        Name of the DynamoDB table.
    partition_key, sort_key
        Names of the key attributes.
    attributes
        Every attribute of an item, the keys first.
    ranges
        Column and upper boundaries of ``parallel-load``, where the mapping says how to read in parts.
    """

    source: SourceTable
    target: str
    partition_key: str
    sort_key: str | None
    attributes: tuple[Attribute, ...]
    ranges: tuple[str, tuple[str, ...]] | None = None

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What each column of the source holds."""
        return {column.name: column.kind for column in self.source.columns}

    def attribute(self, name: str) -> Attribute:
        """Return an attribute by its name."""
        return next(one for one in self.attributes if one.name == name)

    @property
    def keys(self) -> tuple[Attribute, ...]:
        """The key attributes."""
        names = (self.partition_key, self.sort_key)
        return tuple(self.attribute(name) for name in names if name)

    @property
    def may_collide(self) -> bool:
        """Whether two rows of different primary keys might get one key.

        So it is if columns are left out, run together, or texts read as numbers (``01`` and ``1``).
        """
        joined = any(len(key.columns) > 1 for key in self.keys)
        read = any(
            key.kind == "number" and self.kinds[name] != "number" for key in self.keys for name in key.columns
        )
        used = {name for key in self.keys for name in key.columns}
        return joined or read or not set(self.source.primary_key) <= used


def _matches(pattern: str, name: str) -> bool:
    """Match as DMS does: ``%`` stands for any text, ``_`` for one sign, case counts."""
    signs = {"%": ".*", "_": "."}
    return bool(re.fullmatch("".join(signs.get(sign, re.escape(sign)) for sign in pattern), name))


def _names(locator: Locator, table: SourceTable) -> bool:
    return _matches(locator.schema_name, table.schema) and _matches(locator.table_name, table.name)


class Mappings:
    """A table-mapping document.

    Parameters
    ----------
    text
        The JSON.

    Raises
    ------
    BadMapping
        If it is not one, or asks for something that is not done here.
    """

    def __init__(self, text: str) -> None:
        try:
            document = json.loads(text)
            rules = document["rules"]
            if not isinstance(rules, list):
                raise TypeError("rules is not a list")  # noqa: TRY301 - told below with the others
        except (ValueError, TypeError, KeyError) as error:
            raise BadMapping(f"it is not a table mapping of DMS: {type(error).__name__}: {error}") from error
        self._rules = [read_rule(rule) for rule in rules]
        ids = [rule.rule_id for rule in self._rules]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise BadMapping(f"rule-id {', '.join(twice)} is there twice")

    @property
    def schemas(self) -> tuple[str, ...]:
        """Patterns of the schemas that rules include."""
        rules = (r for r in self._rules if isinstance(r, Selection) and r.rule_action != "exclude")
        return tuple(sorted({rule.object_locator.schema_name for rule in rules}))

    def selects(self, table: SourceTable) -> bool:
        """Tell whether a table moves: included by a rule and excluded by none."""
        rules = [r for r in self._rules if isinstance(r, Selection) and _names(r.object_locator, table)]
        actions = {rule.rule_action for rule in rules}
        return bool(actions) and "exclude" not in actions

    def resolve(self, tables: Iterable[SourceTable]) -> list[TableMapping]:
        """Apply the rules to what the source has.

        Parameters
        ----------
        tables
            The source's tables.

        Returns
        -------
        list of TableMapping
            One for each table that moves, by name.

        Raises
        ------
        BadMapping
            If no table is selected, a rule names a table or column that is not there, a table has no key, or
            two tables go to one.
        """
        known = sorted(set(tables), key=str)  # two patterns of schemas may both have found one
        chosen = [table for table in known if self.selects(table)]
        for rule in self._rules:
            wildcards = any(sign in rule.object_locator.table_name for sign in "%")
            if not wildcards and not any(_names(rule.object_locator, table) for table in known):
                where = f"{rule.object_locator.schema_name}.{rule.object_locator.table_name}"
                raise BadMapping(f"rule {rule.rule_id}: the source has no table {where}")
        if not chosen:
            raise BadMapping("no table of the source is selected")
        found = [_ruled(self._resolved(table)) for table in chosen]
        targets = [one.target for one in found]
        if twice := sorted({one for one in targets if targets.count(one) > 1}):
            raise BadMapping(f"two source tables go to {', '.join(twice)}")
        return found

    def _resolved(self, table: SourceTable) -> TableMapping:
        if not table.primary_key:
            raise BadMapping(
                f"{table} has no primary key, so nothing could be proven of its rows: add one, or exclude it"
            )
        rules = [r for r in self._rules if isinstance(r, ObjectMapping) and _names(r.object_locator, table)]
        if len(rules) > 1:
            raise BadMapping(f"{table}: rules {', '.join(r.rule_id for r in rules)} both map it")
        columns = {column.name: column for column in table.columns}
        ranges = self._ranges(table, columns)
        if not rules:
            if len(table.primary_key) > 1:
                raise BadMapping(
                    f"{table} has a primary key of {len(table.primary_key)} columns: "
                    "an object-mapping rule must say what its partition key is"
                )
            attributes = [_carried(column) for column in table.columns]
            (key,) = table.primary_key
            return TableMapping(table, table.name, key, None, _keys_first(attributes, (key,)), ranges)
        return _mapped(rules[0], table, columns, ranges)

    def _ranges(
        self, table: SourceTable, columns: Mapping[str, SourceColumn]
    ) -> tuple[str, tuple[str, ...]] | None:
        rules = [r for r in self._rules if isinstance(r, TableSettings) and _names(r.object_locator, table)]
        loads = [rule for rule in rules if rule.parallel_load.type == "ranges"]
        if not loads:
            return None
        rule, load = loads[0], loads[0].parallel_load
        if len(loads) > 1 or len(load.columns) != 1 or any(len(bound) != 1 for bound in load.boundaries):
            raise BadMapping(f"rule {rule.rule_id}: ranges are taken over one column, by one rule")
        column = _column(columns, load.columns[0], rule.rule_id, table)
        if column.kind not in ("number", "text"):
            raise BadMapping(f"rule {rule.rule_id}: {column.name} is {column.type_name}, not number or text")
        bounds = tuple(bound[0] for bound in load.boundaries)
        numeric = column.kind == "number"
        if numeric and not all(NUMBER.fullmatch(bound) for bound in bounds):
            raise BadMapping(f"rule {rule.rule_id}: a boundary of {column.name} is not a number")
        order = [Decimal(bound) if numeric else bound for bound in bounds]
        if any(a >= b for a, b in itertools.pairwise(order)):  # type: ignore[operator]  # rows were in two
            raise BadMapping(f"rule {rule.rule_id}: the boundaries of {column.name} do not rise")
        return column.name, bounds


def _column(columns: Mapping[str, SourceColumn], name: str, rule: str, table: SourceTable) -> SourceColumn:
    if name not in columns:
        raise BadMapping(f"rule {rule}: {table} has no column {name!r}")
    return columns[name]


def _ruled(mapping: TableMapping) -> TableMapping:
    """Refuse a mapping that uses a column for whose type there is no rule."""
    used = {name for attribute in mapping.attributes for name in attribute.columns}
    used |= set(mapping.source.primary_key)
    for column in mapping.source.columns:
        if column.kind == "other" and column.name in used:
            raise BadMapping(
                f"{mapping.source}: column {column.name} is {column.type_name}, for which there is no type "
                "rule; exclude it (exclude-columns), or convert it at the source"
            )
    return mapping


def _carried(column: SourceColumn) -> Attribute:
    return Attribute(column.name, f"${{{column.name}}}", column.kind)


def _made_kind(rule: AttributeRule, columns: Mapping[str, SourceColumn]) -> Kind:
    plain = _COLUMN.fullmatch(rule.value)
    if plain and plain[1] in columns:
        column = columns[plain[1]]
        if rule.attribute_sub_type == "string" and column.kind != "number":
            return column.kind
    return "number" if rule.attribute_sub_type == "number" else "text"


def _keys_first(attributes: Sequence[Attribute], keys: tuple[str, ...]) -> tuple[Attribute, ...]:
    first = [next(one for one in attributes if one.name == key) for key in keys]
    return (*first, *(one for one in attributes if one.name not in keys))


def _mapped(
    rule: ObjectMapping,
    table: SourceTable,
    columns: Mapping[str, SourceColumn],
    ranges: tuple[str, tuple[str, ...]] | None,
) -> TableMapping:
    given = rule.mapping_parameters
    for name in given.exclude_columns:
        _column(columns, name, rule.rule_id, table)
    made = [
        Attribute(one.target_attribute_name, one.value, _made_kind(one, columns))
        for one in given.attribute_mappings
    ]
    for name in (name for attribute in made for name in attribute.columns):
        _column(columns, name, rule.rule_id, table)
    names = [attribute.name for attribute in made]
    # As DMS has it: a column is carried over also when a mapping uses it, unless it is excluded.
    left_out = {*given.exclude_columns, *names}
    attributes = [*made, *(_carried(column) for column in table.columns if column.name not in left_out)]
    if len(set(names)) < len(names):
        raise BadMapping(f"rule {rule.rule_id}: two attributes of {table} have one name")
    keys = tuple(name for name in (given.partition_key_name, given.sort_key_name) if name)
    for key in keys:
        if key not in {attribute.name for attribute in attributes}:
            raise BadMapping(f"rule {rule.rule_id}: no attribute is called {key!r}, the key of {table}")
    return TableMapping(
        table,
        rule.target_table_name,
        given.partition_key_name,
        given.sort_key_name,
        _keys_first(attributes, keys),
        ranges,
    )
