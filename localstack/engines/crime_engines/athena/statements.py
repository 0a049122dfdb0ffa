"""Statements: what each of them asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

Name = tuple[str | None, str]


@dataclass(frozen=True)
class Statement:
    """Any statement."""

    #: ``StatementType`` and ``SubstatementType`` of the query execution.
    type = "DDL"
    substatement = ""


@dataclass(frozen=True)
class Select(Statement):
    """A query."""

    tree: exp.Query
    type = "DML"
    substatement = "SELECT"


@dataclass(frozen=True)
class Explain(Statement):
    """EXPLAIN of a query."""

    tree: exp.Query
    type = "UTILITY"
    substatement = "EXPLAIN"


@dataclass(frozen=True)
class Ctas(Statement):
    """CREATE TABLE … AS."""

    name: Name
    tree: exp.Query
    options: Mapping[str, Any]
    if_not_exists: bool
    with_data: bool
    substatement = "CREATE_TABLE_AS_SELECT"


@dataclass(frozen=True)
class Insert(Statement):
    """INSERT INTO … a query."""

    name: Name
    columns: tuple[str, ...]
    tree: exp.Query
    type = "DML"
    substatement = "INSERT"


@dataclass(frozen=True)
class Unload(Statement):
    """UNLOAD (a query) TO a place."""

    tree: exp.Query
    target: str
    options: Mapping[str, Any]
    type = "DML"
    substatement = "UNLOAD"


@dataclass(frozen=True)
class CreateView(Statement):
    """CREATE [OR REPLACE] VIEW."""

    name: Name
    text: str
    tree: exp.Query
    replace: bool
    substatement = "CREATE_VIEW"


@dataclass(frozen=True)
class CreateTable(Statement):
    """CREATE EXTERNAL TABLE; `given` is Glue's ``TableInput``."""

    name: Name
    given: dict[str, Any]
    if_not_exists: bool
    substatement = "CREATE_TABLE"


@dataclass(frozen=True)
class CreateDatabase(Statement):
    """CREATE DATABASE."""

    given: dict[str, Any]
    if_not_exists: bool
    substatement = "CREATE_DATABASE"


@dataclass(frozen=True)
class Drop(Statement):
    """DROP DATABASE, TABLE or VIEW."""

    what: str
    name: Name
    if_exists: bool
    cascade: bool = False
    substatement = "DROP"


@dataclass(frozen=True)
class Partition:
    """A partition of ALTER TABLE: its values by key, and where it is."""

    values: dict[str, str]
    location: str | None = None


@dataclass(frozen=True)
class AlterPartitions(Statement):
    """ALTER TABLE … ADD or DROP PARTITION."""

    name: Name
    add: bool
    partitions: tuple[Partition, ...]
    lenient: bool
    substatement = "ALTER_TABLE"


@dataclass(frozen=True)
class AlterProperties(Statement):
    """ALTER TABLE … SET TBLPROPERTIES, or SET LOCATION."""

    name: Name
    properties: dict[str, str] = field(default_factory=dict)
    location: str | None = None
    substatement = "ALTER_TABLE"


@dataclass(frozen=True)
class Repair(Statement):
    """MSCK REPAIR TABLE."""

    name: Name
    substatement = "MSCK_REPAIR"


@dataclass(frozen=True)
class Show(Statement):
    """SHOW and DESCRIBE."""

    what: str
    name: Name | None = None
    pattern: str | None = None
    type = "UTILITY"
    substatement = "SHOW"


@dataclass(frozen=True)
class Prepare(Statement):
    """PREPARE … FROM."""

    name: str
    text: str
    type = "UTILITY"
    substatement = "PREPARE"


@dataclass(frozen=True)
class Execute(Statement):
    """EXECUTE … USING."""

    name: str
    values: tuple[str, ...]
    type = "DML"
    substatement = "EXECUTE"


@dataclass(frozen=True)
class Deallocate(Statement):
    """DEALLOCATE PREPARE."""

    name: str
    type = "UTILITY"
    substatement = "DEALLOCATE"
