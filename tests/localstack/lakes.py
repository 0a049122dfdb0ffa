"""A small lake of made-up rows, with all that is awkward in them: nulls, quotes, line ends, letters of India."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from crime_jobs.model.tables import TABLES, Table

TYPES = {"string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
YEARS = (2012, 2013, 2014)
#: Values of columns that questions choose by; all others are made up.
CHOSEN: dict[str, tuple[Any, ...]] = {
    "level": ("country", "state", "district"),
    "state_code": ("IN", "IN-TN", "IN-KL"),
    "year": YEARS,
    "crime_group": ("all_ipc", "violent"),
    "women_group": ("all_in_scope", "rape"),
    "fact_table": ("crime_facts", "women_facts"),
    "status": ("ok", "differs"),
    "population": (100_000, 7_650_000, None),
}
AWKWARD = (
    "it's",
    'a "quoted", one',
    "two\nlines",
    "",
    None,
    "தமிழ்நாடு",
    "back\\slash",
    " blank ",
    "NULL",
    "-",
)


def value(name: str, kind: str, chance: random.Random) -> Any:
    if name in CHOSEN:
        return chance.choice(CHOSEN[name])
    if kind == "string":
        return chance.choice(AWKWARD)
    if kind == "double":
        return chance.choice((None, round(chance.uniform(-50, 500), 2), 0.0, 1e-7, 12345678.25))
    return chance.choice((None, 0, 1, chance.randrange(10**6)))


def rows(table: Table, chance: random.Random, many: int = 60) -> pa.Table:
    made = {c.name: [value(c.name, c.type, chance) for _ in range(many)] for c in table.columns}
    return pa.table(made, schema=pa.schema([(c.name, TYPES[c.type]) for c in table.columns]))


def make(lake: Path) -> Path:
    """Write every table of the model as a job would publish it."""
    chance = random.Random(7)  # noqa: S311 - rows, no secrets
    for table in TABLES.values():
        found, folder = rows(table, chance), lake / table.name
        parts = {"": found}
        if table.partition_by:
            parts = {f"year={year}/": found.filter(pa.compute.equal(found["year"], year)) for year in YEARS}
            parts = {name: part.drop_columns(["year"]) for name, part in parts.items()}
        for name, part in parts.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            parquet.write_table(part, folder / name / "part-0.parquet")
        (folder / "_report.json").write_text(
            json.dumps({"files": [f"{name}part-0.parquet" for name in parts]})
        )
    return lake
