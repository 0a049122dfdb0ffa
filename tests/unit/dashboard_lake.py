"""A small lake as the jobs publish one: two states, two years, one group of crimes; and a map of the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crime_jobs.model.tables import TABLES

BOUNDARIES = Path(__file__).resolve().parents[2] / "data" / "india_states.geojson"
TYPES = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
PLACES = (("country", "IN", "India"), ("state", "IN-GA", "Goa"), ("state", "IN-SK", "Sikkim"))
#: The tables that the page's questions read, with the job that makes each.
MAKERS = {
    "crime_group_heads": "crime_group_heads",
    "population_by_year": "population_by_year",
    "data_quality": "reconcile",
    "crime_by_region": "crime_by_region",
    "crime_by_period": "crime_by_period",
    "crime_facts": "clean_ncrb",
    "crimes_against_women": "crimes_against_women",
    "traffic_by_time_of_day": "traffic_by_time_of_day",
    "traffic_by_month": "traffic_by_month",
    "hot_spots": "hot_spots",
}


def rows_of(name: str) -> list[dict[str, Any]]:
    """Rows of a table: two years, one group of crimes, a rate that one place does not have."""
    common = [
        {"level": level, "state_code": code, "state": state, "year": year, "cases": 1000 + year + len(code)}
        for level, code, state in PLACES
        for year in (2013, 2014)
    ]
    rate = {"population": 100_000, "rate_per_lakh": 12.5}
    no_rate = {"population": None, "rate_per_lakh": None}
    rated = [row | (no_rate if row["state_code"] == "IN-SK" else rate) for row in common]
    trend = {"change_pct": -1.5, "trend": "steady"}
    of_group = {"crime_group": "murder"}
    spot = {"state_code": "IN-GA", "state": "Goa", "district": "North Goa", "year": 2014, "cases": 90}
    district = spot | of_group | no_rate | {"level": "district"}
    found: dict[str, list[dict[str, Any]]] = {
        "crime_by_region": [
            *(r | of_group | {"district": None, "rank_in_year": 1, "magnitude": "high"} for r in rated),
            district | {"rank_in_year": 1, "magnitude": "high"},
            district | {"district": "South Goa", "cases": 40, "rank_in_year": 2, "magnitude": "low"},
            district | {"district": "Railways", "cases": 60},
        ],
        "crime_by_period": [r | of_group | trend for r in common],
        "crime_facts": [
            {"state_code": code, "state": state, "district": "A", "district_kind": "district",
             "crime_head": "murder", "cases": 40 + year - 2013, "source_file": "a.csv", "year": year}
            for _, code, state in PLACES[1:]
            for year in (2013, 2014)
        ],
        "crimes_against_women": [r | trend | {"women_group": "core_seven", "scope": "s"} for r in rated],
        "traffic_by_time_of_day": [r | {"slot": "00-03", "share_pct": 100.0} for r in common],
        "traffic_by_month": [r | {"month_number": 1, "share_pct": 100.0, "cases_per_day": 3.1} for r in common],
        "population_by_year": [r | {"basis": "census"} for r in rated if r["population"]],
        "hot_spots": [
            spot
            | of_group
            | {"percentile": 0.97, "base_cases": None, "growth_pct": None, "hot_spot": "high", "rule": "many"}
        ],
        "data_quality": [
            {"check_name": "rows_used", "source_file": "a.csv", "scope": "rows", "expected": 5, "found": 4,
             "difference": -1, "status": "rows are in quarantine"}
        ],
        "crime_group_heads": [
            {"fact_table": facts, "crime_group": group, "group_label": group, "crime_head": "murder",
             "head_label": "Murder", "defined_by": "a table", "break_2014": ""}
            for facts, group in (("crime_facts", "murder"), ("women_facts", "core_seven"))
        ],
    }  # fmt: skip
    return found[name]


def table_of(name: str, rows: list[dict[str, Any]] | None = None) -> pa.Table:
    """Make a table of rows; columns that they lack are null."""
    schema = pa.schema([(column.name, TYPES[column.type]) for column in TABLES[name].columns])
    rows = rows_of(name) if rows is None else rows
    return pa.Table.from_pylist([{key: row.get(key) for key in schema.names} for row in rows], schema)


def write_table(lake: Path, name: str, rows: list[dict[str, Any]] | None = None) -> None:
    """Publish a table as a job does: a file, and the report that names it."""
    (lake / name).mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(name, rows), lake / name / "part-0.parquet")
    (lake / name / "_report.json").write_text(json.dumps({"files": ["part-0.parquet"]}))


def write_lake(lake: Path) -> Path:
    """Publish every table that the page's questions read."""
    for name in MAKERS:
        write_table(lake, name)
    return lake


def write_map(path: Path, *codes: str) -> Path:
    """Write the boundaries of some states alone."""
    whole = json.loads(BOUNDARIES.read_text(encoding="utf-8"))
    kept = [feature for feature in whole["features"] if feature["id"] in codes]
    path.write_text(json.dumps(whole | {"features": kept}), encoding="utf-8")
    return path
