"""The tables of the lake: names, types, keys and comments, written once.

Spark schemas, the Hive DDL and the docs are all made from here. No column is a reserved word of Hive,
Athena or Redshift.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """A column: its name, its Hive type (``string``, ``int``, ``bigint``, ``double``) and its meaning."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """A table of the lake, Parquet under ``<lake>/<name>/``.

    Parameters
    ----------
    name
        Name of the table and of its folder.
    comment
        What one row is.
    columns
        All columns in order; those in `partition_by` come last.
    key
        Columns that tell rows apart; empty where the source itself has two rows of one key.
    partition_by
        Columns that are folders (``year=2001/``).
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = field(default=())

    @property
    def ddl(self) -> str:
        """The columns as a DDL string that Spark and Hive both read: ``state_code string, …``."""
        return ", ".join(f"{c.name} {c.type}" for c in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(c.name for c in self.columns)


_STATE_CODE = Column("state_code", "string", "code as in india_states.geojson, IN-TN")
_STATE = Column("state", "string", "name of the state or union territory")
_YEAR = Column("year", "int", "calendar year")
_DISTRICT = Column("district", "string", "district or police unit, one name in all years")
_KIND = Column("district_kind", "string", "district, railway (railway police) or unit (CID and the like)")
_SOURCE = Column("source_file", "string", "landing file the figure comes from")
_CASES = Column("cases", "bigint", "cases registered")
_HEAD = Column("crime_head", "string", "crime head, a leaf: no head here is part of another")
_GROUP = Column("crime_group", "string", "crime group, see crime_group_heads")
_LEVEL = Column("level", "string", "country, state, combined (Andhra Pradesh with Telangana) or district")
_POPULATION = Column("population", "bigint", "persons, estimated between and after the censuses")
_RATE = Column("rate_per_lakh", "double", "cases per 100,000 persons, two decimals; null without population")
_CHANGE = Column("change_pct", "double", "change on the year before in percent, one decimal; null at a break")
_TREND = Column("trend", "string", "rising, steady, falling, series break or no base")
_SHARE = Column("share_pct", "double", "share of the year's accidents in percent, two decimals")

_TABLES = (
    Table(
        "crime_facts",
        "One district, year and leaf crime head; a plain SUM(cases) counts each case once",
        (_STATE_CODE, _STATE, _DISTRICT, _KIND, _HEAD, _CASES, _SOURCE, _YEAR),
        partition_by=("year",),
    ),
    Table(
        "women_facts",
        "Crimes against women: one district, year and leaf head, within the scope of its source",
        (
            _STATE_CODE,
            _STATE,
            _DISTRICT,
            _KIND,
            _HEAD,
            _CASES,
            Column("scope", "string", "ipc_seven_heads (to 2013) or ipc_and_special_laws (2014)"),
            _SOURCE,
            _YEAR,
        ),
        partition_by=("year",),
    ),
    Table(
        "traffic_facts",
        "Road accidents: one state, year and slot or month; Andhra Pradesh undivided in all years",
        (
            _STATE_CODE,
            _STATE,
            _YEAR,
            Column("breakdown", "string", "slot (three hours of the day) or month"),
            Column("bucket", "string", "00-03 to 21-24, or 01 to 12"),
            _CASES,
            _SOURCE,
        ),
        key=("state_code", "year", "breakdown", "bucket"),
    ),
    Table(
        "population_census",
        "Census population: one state and census year; Andhra Pradesh undivided",
        (_STATE_CODE, _STATE, _YEAR, _POPULATION, _SOURCE),
        key=("state_code", "year"),
    ),
    Table(
        "quarantine",
        "A landing row that could not be used, with the reason",
        (
            _SOURCE,
            Column("line", "int", "line in the file, the header is 1"),
            Column("reason", "string", "what is wrong with it, the column named"),
            Column("record", "string", "the row as it stands in the file"),
        ),
    ),
    Table(
        "crime_group_heads",
        "Which heads make up which crime group",
        (
            Column("fact_table", "string", "crime_facts or women_facts"),
            _GROUP,
            Column("group_label", "string", "name of the group for people"),
            _HEAD,
            Column("head_label", "string", "name of the head for people"),
            Column("defined_by", "string", "NCRB table that defines the group"),
            Column("break_2014", "string", "why 2014 does not compare with 2013; empty if it does"),
        ),
        key=("fact_table", "crime_group", "crime_head"),
    ),
    Table(
        "population_by_year",
        "Population of each state for every year of the facts",
        (
            _LEVEL,
            _STATE_CODE,
            _STATE,
            _YEAR,
            _POPULATION,
            Column("basis", "string", "census, interpolated or extrapolated"),
        ),
        key=("level", "state_code", "year"),
    ),
    Table(
        "data_quality",
        "One comparison of the sources with each other, with themselves or with the facts",
        (
            Column("check_name", "string", "what was compared"),
            _SOURCE,
            Column("scope", "string", "state, district, year and head that were compared"),
            Column("expected", "bigint", "the figure it should be"),
            Column("found", "bigint", "the figure it is"),
            Column("difference", "bigint", "found minus expected"),
            Column("status", "string", "ok, or what is wrong"),
        ),
    ),
    Table(
        "crime_by_region",
        "Cases, rate, rank and magnitude of one place, year and crime group",
        (
            _LEVEL,
            _STATE_CODE,
            _STATE,
            Column("district", "string", "district or police unit; null above districts"),
            _YEAR,
            _GROUP,
            _CASES,
            _POPULATION,
            _RATE,
            Column("rank_in_year", "int", "1 = most cases of its level and year; ties share a rank"),
            Column(
                "magnitude",
                "string",
                "very high, high, medium, low, very low (fifths by cases) or none",
            ),
        ),
        key=("level", "state_code", "district", "year", "crime_group"),
    ),
    Table(
        "crime_by_period",
        "Cases of one place and crime group over the years, breaks marked",
        (_LEVEL, _STATE_CODE, _STATE, _YEAR, _GROUP, _CASES, _CHANGE, _TREND),
        key=("level", "state_code", "year", "crime_group"),
    ),
    Table(
        "crimes_against_women",
        "Crimes against women of one place, year and group, with the scope of the year's table",
        (
            _LEVEL,
            _STATE_CODE,
            _STATE,
            _YEAR,
            Column("women_group", "string", "group of heads, see crime_group_heads (women_facts)"),
            Column("scope", "string", "scope of the year's source table"),
            _CASES,
            _POPULATION,
            _RATE,
            _CHANGE,
            _TREND,
        ),
        key=("level", "state_code", "year", "women_group"),
    ),
    Table(
        "traffic_by_time_of_day",
        "Road accidents of one place and year by three hours of the day",
        (
            _LEVEL,
            _STATE_CODE,
            _STATE,
            _YEAR,
            Column("slot", "string", "00-03 to 21-24"),
            _CASES,
            _SHARE,
        ),
        key=("level", "state_code", "year", "slot"),
    ),
    Table(
        "traffic_by_month",
        "Road accidents of one place and year by month",
        (
            _LEVEL,
            _STATE_CODE,
            _STATE,
            _YEAR,
            Column("month_number", "int", "1 to 12"),
            _CASES,
            _SHARE,
            Column("cases_per_day", "double", "cases by the days of that month, two decimals"),
        ),
        key=("level", "state_code", "year", "month_number"),
    ),
    Table(
        "hot_spots",
        "A district that is high, or rising, in a year and crime group, with the rule that says so",
        (
            _STATE_CODE,
            _STATE,
            _DISTRICT,
            _YEAR,
            _GROUP,
            _CASES,
            Column("percentile", "double", "share of districts with fewer cases, 0 to 1, four decimals"),
            Column("base_cases", "bigint", "cases three years before; null without a comparable year"),
            Column("growth_pct", "double", "growth since then in percent, one decimal"),
            Column("hot_spot", "string", "high, rising, or high and rising"),
            Column("rule", "string", "the rule that says so"),
        ),
        key=("state_code", "district", "year", "crime_group"),
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
