"""The datasets in SPICE: one for each question that is shown, asked with every parameter at ``all``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from crime_jobs.adhoc import questions
from crime_jobs.model import heads, places
from crime_jobs.model.tables import TABLES, Column

#: What a parameter of a question is told so that it keeps every row.
EVERYTHING = "all"
#: Types of the tables, and what SPICE calls them.
_TYPES = {
    "string": {"Type": "STRING"},
    "int": {"Type": "INTEGER"},
    "bigint": {"Type": "INTEGER"},
    # FIXED keeps four decimals only: https://docs.aws.amazon.com/quicksight/latest/user/supported-data-types-and-values.html
    "double": {"Type": "DECIMAL", "SubType": "FLOAT"},
}
#: The column that rules are about; every dataset has it.
RULED = "state_code"
#: Where the database's name goes in the statement: the template fills it in.
DATABASE = "${Database}"


@dataclass(frozen=True)
class Derived:
    """A column that the dataset adds to its question's.

    Parameters
    ----------
    column
        The column.
    sql
        Its expression, in Athena's dialect, over the question's columns as ``q``.
    """

    column: Column
    sql: str


@dataclass(frozen=True)
class DataSet:
    """A dataset: a question's answer, kept in SPICE.

    Parameters
    ----------
    question
        Name of the question; also the dataset's identifier in the definitions.
    title
        Name shown to people.
    columns
        The question's columns.
    derived
        Columns that are added.
    roles
        Geographic roles by column: ``COUNTRY`` or ``STATE``.
    """

    question: str
    title: str
    columns: tuple[Column, ...]
    derived: tuple[Derived, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def suffix(self) -> str:
        """The end of the dataset's id."""
        return self.question.replace("_", "-")

    @property
    def resource(self) -> str:
        """The resource's name in the template."""
        return "".join(part.capitalize() for part in self.question.split("_"))

    @property
    def types(self) -> dict[str, str]:
        """Type of each column in SPICE, derived ones included."""
        listed = (*self.columns, *(d.column for d in self.derived))
        return {c.name: _TYPES[c.type]["Type"] for c in listed}

    @property
    def input_columns(self) -> list[dict[str, str]]:
        """The columns as a custom SQL's schema."""
        listed = (*self.columns, *(d.column for d in self.derived))
        return [{"Name": c.name, **_TYPES[c.type]} for c in listed]


def _cases(column: str, labels: Mapping[str, str]) -> str:
    whens = " ".join(
        f"WHEN '{code}' THEN '{label.replace(chr(39), chr(39) * 2)}'" for code, label in labels.items()
    )
    return f"CASE q.{column} {whens} ELSE q.{column} END"


_COUNTRY = Derived(Column("country", "string", "name of the country"), f"'{places.COUNTRY}'")
_GROUP = Derived(
    Column("group_label", "string", "name of the crime group"),
    _cases("crime_group", {code: group.label for code, group in heads.crime_groups().items()}),
)
_WOMEN_GROUP = Derived(
    Column("group_label", "string", "name of the group of heads"),
    _cases("women_group", {code: group.label for code, group in heads.women_groups().items()}),
)
#: A comparison's scope begins with the state that it is about; those about the whole country have none.
_SCOPE_STATE = Derived(
    Column(RULED, "string", "state that the comparison is about, IN for the country"),
    f"CASE WHEN q.scope LIKE '{places.COUNTRY_CODE}-%' "
    f"THEN split_part(q.scope, ' / ', 1) ELSE '{places.COUNTRY_CODE}' END",
)
_WHOLE = Derived(
    Column(RULED, "string", "IN: these are figures of the whole country"), f"'{places.COUNTRY_CODE}'"
)
_ROLES = {"country": "COUNTRY", "state": "STATE"}


def _of(table: str) -> tuple[Column, ...]:
    return TABLES[table].columns


REGION = DataSet(
    "crime_by_region", "Crime by region", _of("crime_by_region"), (_COUNTRY, _GROUP), roles=_ROLES
)
PERIOD = DataSet(
    "crime_over_time", "Crime over time", _of("crime_by_period"), (_COUNTRY, _GROUP), roles=_ROLES
)
WOMEN = DataSet(
    "crimes_against_women",
    "Crimes against women",
    _of("crimes_against_women"),
    (_COUNTRY, _WOMEN_GROUP),
    roles=_ROLES,
)
HOURS = DataSet(
    "traffic_by_hour", "Road accidents by hour", _of("traffic_by_time_of_day"), (_COUNTRY,), roles=_ROLES
)
MONTHS = DataSet(
    "traffic_by_month", "Road accidents by month", _of("traffic_by_month"), (_COUNTRY,), roles=_ROLES
)
SPOTS = DataSet("hot_spots", "Hot spots", _of("hot_spots"), (_COUNTRY, _GROUP), roles=_ROLES)
QUALITY = DataSet("data_quality", "Data quality", _of("data_quality"), (_SCOPE_STATE,))
FIRS = DataSet(
    "firs_by_hour_and_month",
    "FIRs by hour and month",
    (
        Column("hour_of_day", "int", "hour of the offence, 0 to 23, India's time"),
        Column("month_number", "int", "1 to 12"),
        Column("firs", "bigint", "FIRs"),
    ),
    (_WHOLE,),
)

SHOWN: dict[str, DataSet] = {
    d.question: d for d in (REGION, PERIOD, WOMEN, HOURS, MONTHS, SPOTS, QUALITY, FIRS)
}


@cache
def statement(dataset: DataSet) -> str:
    """Return the dataset's SQL: its question, whole, with the derived columns beside it.

    Parameters
    ----------
    dataset
        The dataset.

    Returns
    -------
    str
        One SELECT in Athena's dialect. Tables stand under ``"${Database}"``, since a custom SQL runs
        without a database of its own; CloudFormation fills the name in.
    """
    import sqlglot
    from sqlglot import exp

    question = questions.find(dataset.question)
    asked = question.text({parameter.name: EVERYTHING for parameter in question.parameters})
    tree = sqlglot.parse_one(asked, read="athena")
    ours = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name not in ours and not table.db:
            table.set("db", exp.to_identifier(DATABASE, quoted=True))
    tree.set("order", None)  # SPICE keeps no order
    columns = ", ".join(f"q.{column.name}" for column in dataset.columns)
    derived = "".join(f", {d.sql} AS {d.column.name}" for d in dataset.derived)
    body = tree.sql(dialect="athena", comments=False)
    return f"SELECT {columns}{derived} FROM ({body}) AS q"  # noqa: S608 - no word of it is a user's


def physical_table(dataset: DataSet, source_arn: object) -> dict[str, Any]:
    """Return the dataset's physical table, as CloudFormation takes it.

    Parameters
    ----------
    dataset
        The dataset.
    source_arn
        The data source's ARN, or what CloudFormation makes it from.
    """
    return {
        "CustomSql": {
            "DataSourceArn": source_arn,
            "Name": dataset.question,
            "SqlQuery": {"Fn::Sub": statement(dataset)},
            "Columns": dataset.input_columns,
        }
    }


def logical_table(dataset: DataSet, physical_id: str) -> dict[str, Any]:
    """Return the logical table: every column said for people, those of a place with their role.

    Parameters
    ----------
    dataset
        The dataset.
    physical_id
        Key of its physical table.
    """
    comments = {c.name: c.comment for c in (*dataset.columns, *(d.column for d in dataset.derived))}
    tags: list[dict[str, Any]] = []
    for name, comment in comments.items():
        said: list[dict[str, Any]] = [{"ColumnDescription": {"Text": comment}}]
        if name in dataset.roles:
            said.append({"ColumnGeographicRole": dataset.roles[name]})
        tags.append({"TagColumnOperation": {"ColumnName": name, "Tags": said}})
    kept = {"ProjectOperation": {"ProjectedColumns": list(comments)}}
    return {
        "Alias": dataset.title,
        "Source": {"PhysicalTableId": physical_id},
        "DataTransforms": [*tags, kept],
    }


def column_groups(dataset: DataSet) -> list[dict[str, Any]]:
    """Return the geographic hierarchy, country before state; none where there is no place."""
    if not dataset.roles:
        return []
    # A group may name a country, and the API knows the United States only: none is named.
    return [{"GeoSpatialColumnGroup": {"Name": "Place", "Columns": list(dataset.roles)}}]
