"""Makes the input: one row an incident, from the real counts and a fixed seed, as a small lake a size."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import duckdb

from crime_jobs import settings as settings_module
from crime_jobs.model.tables import TABLES

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"

#: Decides every incident's date and which incidents are in the smaller file.
SEED = 20010101

#: Sizes by name: one incident in so many is kept.
SIZES = {"2.9m": 10, "29m": 1}

#: Tables the marts need besides the facts.
SMALL_TABLES = ("crime_group_heads", "population_by_year")

#: Raise it when the recipe below changes, so that what is cached is made anew.
RECIPE = 1

_KEYS = "state_code, state, district, district_kind, crime_head, source_file"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _stamp() -> str:
    digest = hashlib.sha256(f"{RECIPE} {SEED} {duckdb.__version__}".encode())
    for table in ("crime_facts", *SMALL_TABLES):
        digest.update(TABLES[table].ddl.encode())
    for path in sorted(DATA.glob("*.csv")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _make_facts(folder: Path) -> None:
    """Run the real jobs that the input is made from, into a lake of the benchmark's own."""
    from crime_jobs.jobs._runner import run_jobs
    from crime_jobs.registry import registry

    needed = {"crime_facts", "population_census", *SMALL_TABLES}
    jobs = [job for job in registry().values() if needed & set(job.writes)]
    given = {"landing": str(DATA), "lake": str(folder)}
    run_jobs(jobs, settings_module.load("local", given, environ={}, folder=ROOT))


def _write_year(
    con: duckdb.DuckDBPyConnection, facts: Path, year: int, first: int, out: dict[int, Path]
) -> int:
    """Write one year in the order in which the incidents happened.

    Returns
    -------
    int
        How many incidents the year has.
    """
    read = f"read_parquet('{facts}/crime_facts/year={year}/*.parquet')"
    con.execute(f"CREATE OR REPLACE TEMP TABLE fact AS SELECT row_number() OVER () AS fact_id, * FROM "
                f"(FROM {read} SELECT {_KEYS}, cases WHERE cases > 0 ORDER BY ALL)")  # fmt: skip
    # Every draw is a hash of seed, fact and number, so that the number of threads does not matter.
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE drawn AS
        SELECT fact_id, make_date({year}, 1, 1) + (draw % {366 if year % 4 == 0 else 365})::INT AS day, draw
        FROM (SELECT fact_id, hash({SEED}, {year}, fact_id, n) AS draw
              FROM (SELECT fact_id, unnest(range(cases)) AS n FROM fact))
        ORDER BY day, draw
    """)
    for one_in, folder in out.items():
        target = folder / "crime_facts" / f"year={year}"
        target.mkdir(parents=True)
        con.execute(f"""
            COPY (SELECT state_code, state, district, district_kind, crime_head,
                         1::BIGINT AS cases, source_file,
                         {first} + drawn.rowid AS incident_id, day AS incident_date
                  FROM drawn JOIN fact USING (fact_id) WHERE draw // 366 % {one_in} = 0 ORDER BY drawn.rowid)
            TO '{target}/part-00000.parquet' (FORMAT parquet, COMPRESSION zstd)
        """)
    found = con.execute("SELECT count(*) FROM drawn").fetchone()
    return int(found[0]) if found else 0


def _publish(con: duckdb.DuckDBPyConnection, facts: Path, lake: Path) -> None:
    """Add what makes a folder a lake that the jobs can read."""
    for table in SMALL_TABLES:
        shutil.copytree(facts / table, lake / table)
    found = lake / "crime_facts"
    files = sorted(str(path.relative_to(found)) for path in found.rglob("*.parquet"))
    rows = con.execute(f"SELECT count(*) FROM '{found}/*/*.parquet'").fetchone()
    report = {
        "table": "crime_facts",
        "columns": TABLES["crime_facts"].ddl,
        "rows_written": rows[0] if rows else 0,
        "files": files,
    }
    (found / "_report.json").write_text(json.dumps(report, indent=2), encoding="utf-8")


def make(bench: Path) -> dict[str, Path]:
    """Make the lakes of all sizes, unless they are there.

    Parameters
    ----------
    bench
        Folder to keep them in.

    Returns
    -------
    dict
        Name of the size to its lake: ``crime_facts`` with one row an incident by year and in order of
        date, and the small tables.
    """
    lakes = {size: bench / "lakes" / size for size in SIZES}
    stamp = bench / "lakes" / "stamp"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == _stamp():
        return lakes
    shutil.rmtree(bench / "lakes", ignore_errors=True)
    facts = bench / "lakes" / "facts"
    _say("Making the facts from data/ …")
    _make_facts(facts)
    with duckdb.connect() as con:
        con.execute("SET threads = 2; SET memory_limit = '3GB'")
        con.execute(f"SET temp_directory = '{bench / 'lakes' / 'spill'}'")
        years = sorted(
            int(path.name.removeprefix("year=")) for path in (facts / "crime_facts").glob("year=*")
        )
        done = 0
        for year in years:
            done += _write_year(con, facts, year, done, {SIZES[size]: lake for size, lake in lakes.items()})
            _say(f"Incidents to the end of {year}: {done:,}")
        for lake in lakes.values():
            _publish(con, facts, lake)
    stamp.write_text(_stamp(), encoding="utf-8")
    return lakes


def rows_of(lake: Path) -> int:
    """Return how many incidents a lake holds."""
    report = json.loads((lake / "crime_facts" / "_report.json").read_text(encoding="utf-8"))
    return int(report["rows_written"])
