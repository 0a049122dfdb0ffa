"""The SQL of QuickSight's datasets, run: it gives the columns that are declared, and each row is ruled as it should."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from crime_jobs.adhoc import dialect
from crime_jobs.adhoc.quicksight.datasets import DATABASE, QUALITY, REGION, SHOWN, WOMEN, DataSet, statement
from crime_jobs.model.fir_event import SQL_COLUMNS
from crime_jobs.model.tables import TABLES

TYPES = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE"}
SPICE = {"VARCHAR": "STRING", "INTEGER": "INTEGER", "BIGINT": "INTEGER", "DOUBLE": "DECIMAL"}


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """The database of the tables, empty, with their types."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA crime")
    for table in TABLES.values():
        columns = ", ".join(f"{c.name} {TYPES[c.type]}" for c in table.columns)
        connection.execute(f"CREATE TABLE crime.{table.name} ({columns})")
    columns = ", ".join(f"{column.name} VARCHAR" for column in SQL_COLUMNS)
    connection.execute(f"CREATE TABLE crime.firs ({columns}, delivered_on VARCHAR)")
    yield connection
    connection.close()


def asked(lake: duckdb.DuckDBPyConnection, dataset: DataSet) -> duckdb.DuckDBPyConnection:
    sql = statement(dataset).replace(DATABASE, "crime")
    return lake.execute(dialect.translate(dialect.parse(sql)))


@pytest.mark.parametrize("name", SHOWN)
def test_the_sql_gives_the_columns_that_are_declared(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    found = asked(lake, SHOWN[name]).description or []
    assert {column[0]: SPICE[str(column[1])] for column in found} == SHOWN[name].types
    assert [c["Name"] for c in SHOWN[name].input_columns] == [column[0] for column in found]


def test_a_comparison_is_ruled_by_the_state_that_it_is_about(lake: duckdb.DuckDBPyConnection) -> None:
    scopes = {
        "IN-TN / Chennai / 2012": "IN-TN",
        "IN-AP+TS / 2014 / murder": "IN-AP+TS",
        "2013 / all": "IN",
        "IN / 2013": "IN",
    }
    lake.execute("BEGIN")
    for scope in scopes:
        lake.execute("INSERT INTO crime.data_quality VALUES ('c', 'f', ?, 1, 1, 0, 'ok')", [scope])
    place, code = (list(QUALITY.types).index(name) for name in ("scope", "state_code"))
    assert {row[place]: row[code] for row in asked(lake, QUALITY).fetchall()} == scopes
    lake.execute("ROLLBACK")


def test_groups_have_their_names_and_a_new_one_its_code(lake: duckdb.DuckDBPyConnection) -> None:
    lake.execute("BEGIN")
    for code in ("murder", "unheard_of"):
        lake.execute(
            "INSERT INTO crime.crime_by_region (level, year, crime_group) VALUES ('state', 2014, ?)", [code]
        )
    lake.execute("INSERT INTO crime.crimes_against_women (year, women_group) VALUES (2014, 'all_in_scope')")
    label = list(REGION.types).index("group_label")
    assert {row[label] for row in asked(lake, REGION).fetchall()} == {"Murder", "unheard_of"}
    label = list(WOMEN.types).index("group_label")
    assert [row[label] for row in asked(lake, WOMEN).fetchall()] == ["All heads of the year's table"]
    lake.execute("ROLLBACK")
