"""The Hive scripts run for real: against the marts, twice, over an old warehouse, and by spark-sql itself."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crime_jobs.hive_scripts import list_scripts
from crime_jobs.hivesql import session_conf

pytestmark = pytest.mark.hive

DATA = Path(__file__).resolve().parents[2] / "data"
INSIGHTS = [s for s in list_scripts() if s.name.split("_")[1] == "insight"]

#: A process of its own: a Spark session has a metastore from its start or not at all.
CHILD = """
import json, sys
from pathlib import Path
from crime_jobs import settings
from crime_jobs.errors import CrimeJobsError
from crime_jobs.hivesql import run_script
answers = []
for step in json.load(sys.stdin):
    found = settings.load("local", {"landing": step["landing"], "lake": step["lake"], "spark_conf": "spark.conf"}, environ={})
    try:
        results = run_script(step["script"], found, step["variables"])
        answers.append({"results": [[r.title, r.rows] for r in results]})
    except CrimeJobsError as error:
        answers.append({"error": str(error), "kind": type(error).__name__, "code": error.exit_code})
Path("answers.json").write_text(json.dumps(answers))
"""

OWN_SCRIPT = """-- A script of an analyst's own; it fails
USE crime;

SELECT 'it''s; fine' AS said;

-- No such table
SELECT *
FROM nosuch_table;
"""

COUNTS = """USE crime;
-- Partitions
SELECT DISTINCT year FROM crime_counts ORDER BY year;
"""


def landing_counts() -> str:
    layouts = (
        "ipc_2001",
        "ipc_2014",
        "women_2001",
        "women_2014",
        "traffic_slot",
        "traffic_month",
        "long",
        "census",
    )
    views = " UNION ALL ".join(
        f"SELECT '{layout}' AS layout, count(*) AS n, "
        f"sum(CASE WHEN upper(state) LIKE 'STATE%' THEN 1 ELSE 0 END) AS headers, "
        f"sum(CASE WHEN length(state) = 0 OR state LIKE '%\"%' THEN 1 ELSE 0 END) AS spoilt "
        f"FROM landing_{layout}"
        for layout in layouts
    )
    return f"USE crime;\n{views};\n"


@dataclass
class Runs:
    """What the child process answered, by the step's name."""

    folder: Path
    lake: Path
    answers: dict[str, dict[str, Any]]

    def rows(self, step: str, query: int = 0) -> list[dict[str, Any]]:
        answer = self.answers[step]
        assert "results" in answer, answer
        rows: list[dict[str, Any]] = answer["results"][query][1]
        return rows


def run(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environ = {
        k: v for k, v in os.environ.items() if k not in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET")
    }
    return subprocess.run(
        arguments,
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
        env=environ,
        check=False,
    )


#: Insight, its variables, and what of the mart it must equal.
QUESTIONS: dict[str, tuple[str, dict[str, str], str]] = {
    "region": ("40", {}, "crime_by_region WHERE level = 'state' AND year = 2014 AND crime_group = 'all_ipc'"),
    "region theft 2009": (
        "40", {"year": "2009", "crime_group": "theft"},
        "crime_by_region WHERE level = 'state' AND year = 2009 AND crime_group = 'theft'",
    ),
    "region districts": (
        "40", {"year": "2010", "crime_group": "dowry_death", "place_level": "district"},
        "crime_by_region WHERE level = 'district' AND year = 2010 AND crime_group = 'dowry_death'",
    ),
    "time": ("41", {}, "crime_by_period WHERE state_code = 'IN' AND crime_group = 'all_ipc'"),
    "time hurt": (
        "41", {"state_code": "IN-WB", "crime_group": "hurt"},
        "crime_by_period WHERE state_code = 'IN-WB' AND crime_group = 'hurt'",
    ),
    "time together": (
        "41", {"state_code": "IN-AP+TS", "crime_group": "theft"},
        "crime_by_period WHERE state_code = 'IN-AP+TS' AND crime_group = 'theft'",
    ),
    "time split": (
        "41", {"state_code": "IN-AP", "crime_group": "theft"},
        "crime_by_period WHERE state_code = 'IN-AP' AND crime_group = 'theft'",
    ),
    "women": ("42", {}, "crimes_against_women WHERE state_code = 'IN'"),
    "women together": ("42", {"state_code": "IN-AP+TS"}, "crimes_against_women WHERE state_code = 'IN-AP+TS'"),
    "women rape": (
        "42", {"state_code": "IN-LD", "women_group": "rape"},
        "crimes_against_women WHERE state_code = 'IN-LD' AND women_group = 'rape'",
    ),
    "hour": ("43", {}, "traffic_by_time_of_day WHERE state_code = 'IN' AND year = 2014"),
    "hour state": (
        "43", {"state_code": "IN-AP", "year": "2014"},
        "traffic_by_time_of_day WHERE state_code = 'IN-AP' AND year = 2014",
    ),
    "month": ("44", {"year": "2012"}, "traffic_by_month WHERE state_code = 'IN' AND year = 2012"),
    "month none": (
        "44", {"state_code": "IN-LD", "year": "2008"},
        "traffic_by_month WHERE state_code = 'IN-LD' AND year = 2008",
    ),
    "hot": ("45", {}, "hot_spots WHERE year = 2014 AND crime_group = 'all_ipc'"),
    "hot riots": (
        "45", {"year": "2012", "crime_group": "riots"}, "hot_spots WHERE year = 2012 AND crime_group = 'riots'",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lake(built_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: the landing files are staged in it."""
    # A blank and a quote in its name, which the DDL must survive.
    return Path(shutil.copytree(built_lake, tmp_path_factory.mktemp("hive") / "the lake's"))


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landing folder with two columns of one file exchanged."""
    folder = Path(shutil.copytree(DATA, tmp_path_factory.mktemp("swapped") / "landing"))
    path = folder / "01_District_wise_crimes_committed_IPC_2013.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*row[:3], row[4], row[3], *row[5:]] for row in rows)
    return folder


@pytest.fixture(scope="module")
def runs(lake: Path, swapped: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    # Tables this small are one task's work.
    (folder / "spark.conf").write_text("spark.sql.shuffle.partitions 1\nspark.sql.adaptive.enabled false\n")
    (folder / "own.hql").write_text(OWN_SCRIPT)
    (folder / "counts.hql").write_text(COUNTS)
    (folder / "landing.hql").write_text(landing_counts())
    (folder / "databases.hql").write_text("SHOW DATABASES;\n")
    fewer = Path(shutil.copytree(lake, folder / "fewer"))
    for year in range(2001, 2012):
        shutil.rmtree(fewer / "crime_facts" / f"year={year}")
    one = folder / "one"
    one.mkdir()
    (one / "census.csv").write_bytes((DATA / "population_by_state_2001_2011.csv").read_bytes())

    def step(script: str, at: Path = lake, landing: Path = DATA, **variables: str) -> dict[str, Any]:
        return {"script": script, "landing": str(landing), "lake": str(at), "variables": variables}

    plan = {
        "too early": step("own.hql"),
        "setup": step("setup"),
        "fewer years": step("20", at=fewer),
        "fewer years, tables": step("30", at=fewer),
        "fewer years, load": step("31", at=fewer),
        "fewer years, found": step("counts.hql", at=fewer),
        "one file": step("10", at=fewer, landing=one),
        "one file, landing": step("landing.hql", at=fewer),
        "again": step("setup"),
        "years": step("counts.hql"),
        **{name: step(script) | {"variables": given} for name, (script, given, _) in QUESTIONS.items()},
        "two states": step("46", state_a="IN-AP", state_b="IN-GJ", year="2013"),
        "two states now": step("46"),
        "quality": step("47"),
        "landing": step("landing.hql"),
        "own": step("own.hql"),
        "swapped": step("10", landing=swapped),
        "second database": step("00", database="pune_crime"),
        "databases": step("databases.hql"),
        "landing after swapped": step("landing.hql"),
        "no csv": step("10", landing=folder / "runs"),
        "unknown variable": step("41", yaer="2012"),
        "another lake": step("40", at=folder / "elsewhere"),
    }
    # Java's second compiler pays off later than these statements last.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        done = run(folder, sys.executable, "-c", CHILD, stdin=json.dumps(list(plan.values())))
    assert done.returncode == 0, done.stderr
    answers = json.loads((folder / "answers.json").read_text())
    return Runs(folder, lake, dict(zip(plan, answers, strict=True)))


def mart(lake: Path, query: str) -> list[dict[str, Any]]:
    name, _, where = query.partition(" ")
    with duckdb.connect() as con:
        place = str(lake / name).replace("'", "''")
        found = con.execute(
            f"SELECT * FROM read_parquet('{place}/**/*.parquet', hive_partitioning = true) {where}"
        )
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def ordered(rows: list[dict[str, Any]], names: list[str]) -> list[tuple[Any, ...]]:
    return sorted((tuple(row[n] for n in names) for row in rows), key=repr)


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_insight_equals_its_mart_cell_for_cell(runs: Runs, question: str) -> None:
    found = runs.rows(question)
    expected = mart(runs.lake, QUESTIONS[question][2])
    assert expected
    names = [n for n in found[0] if n in expected[0]]
    missed = set(expected[0]) - set(found[0]) - {"level", "state", "rule", "population", "source_file"}
    assert not missed, f"columns of the mart that the insight lacks: {missed}"
    assert ordered(found, names) == ordered(expected, names)


def counted(runs: Runs, table: str) -> str:
    place = runs.folder / "build" / "warehouse" / "crime.db" / table
    return f"read_parquet('{place}/**/*.parquet', hive_partitioning = true)"


def parquet(runs: Runs, table: str) -> str:
    place = str(runs.lake / table).replace("'", "''")
    return f"read_parquet('{place}/*.parquet')"


DISTRICTS = "state_code, state, district, year, crime_group, cases"
STATES = "state_code, state, year, crime_group"


@pytest.mark.parametrize(
    ("loaded", "columns", "table", "where"),
    [
        (f"SELECT {DISTRICTS} FROM crime_counts", DISTRICTS, "crime_by_region", "level = 'district'"),
        (
            f"SELECT {STATES}, sum(cases)::BIGINT AS cases FROM crime_counts GROUP BY {STATES}",
            f"{STATES}, cases", "crime_by_period", "level = 'state'",
        ),
        (
            "SELECT state_code, state, year, women_group, scope, cases FROM women_counts",
            "state_code, state, year, women_group, scope, cases", "crimes_against_women", "level = 'state'",
        ),
        (
            "SELECT place_level, state_code, state, year, bucket, cases, share_pct "
            "FROM traffic_counts WHERE breakdown = 'slot'",
            "level, state_code, state, year, slot, cases, share_pct", "traffic_by_time_of_day", "true",
        ),
        (
            "SELECT place_level, state_code, state, year, bucket::INT, cases, share_pct "
            "FROM traffic_counts WHERE breakdown = 'month'",
            "level, state_code, state, year, month_number, cases, share_pct", "traffic_by_month", "true",
        ),
    ],
    ids=["region", "period", "women", "hour", "month"],
)  # fmt: skip
def test_a_load_equals_its_mart_row_for_row(
    runs: Runs, loaded: str, columns: str, table: str, where: str
) -> None:
    with duckdb.connect() as con:
        for name in ("crime_counts", "women_counts", "traffic_counts"):
            con.execute(f"CREATE VIEW {name} AS SELECT * FROM {counted(runs, name)}")
        con.execute(f"CREATE VIEW own AS {loaded}")
        con.execute(f"CREATE VIEW mart AS SELECT {columns} FROM {parquet(runs, table)} WHERE {where}")
        sizes = con.execute("SELECT (SELECT count(*) FROM own), (SELECT count(*) FROM mart)").fetchone() or (
            0,
            0,
        )
        assert sizes[0] == sizes[1] > 3000
        for here, there in (("own", "mart"), ("mart", "own")):
            assert con.execute(f"FROM {here} EXCEPT ALL FROM {there} LIMIT 3").fetchall() == []


def test_running_everything_again_changes_nothing(runs: Runs) -> None:
    assert runs.answers["setup"] == runs.answers["again"] == {"results": []}


def test_a_second_environment_has_a_database_of_its_own(runs: Runs) -> None:
    names = {row["namespace"] for row in runs.rows("databases")}
    assert {"crime", "pune_crime"} <= names
    assert [row["year"] for row in runs.rows("years")] == list(range(2001, 2015))


def test_no_header_line_is_ever_a_row(runs: Runs) -> None:
    rows = {path.name: len(path.read_bytes().splitlines()) - 1 for path in DATA.glob("*.csv")}
    expected = {
        "ipc_2001": sum(n for f, n in rows.items() if f.startswith("01_") and "2014" not in f),
        "ipc_2014": sum(n for f, n in rows.items() if f.startswith("01_") and "2014" in f),
        "women_2001": sum(n for f, n in rows.items() if f.startswith("42_") and "2014" not in f),
        "women_2014": sum(n for f, n in rows.items() if f.startswith("42_") and "2014" in f),
        "traffic_slot": rows["road_accidents_by_time_of_day_2001_2014.csv"],
        "traffic_month": rows["road_accidents_by_month_2001_2014.csv"],
        "long": 0,
        "census": rows["population_by_state_2001_2011.csv"],
    }
    found = runs.rows("landing")
    assert {row["layout"]: row["n"] for row in found} == expected
    assert {row["headers"] for row in found if row["n"]} == {0}
    assert {row["spoilt"] for row in found if row["n"]} == {0}


def test_the_landing_tables_hold_the_files_own_figures(runs: Runs) -> None:
    checks, wrong, facts = (runs.rows("quality", query) for query in range(3))
    assert sum(row["comparisons"] for row in checks) > 100_000
    assert sum(row["comparisons"] for row in checks if row["status"] != "ok") == len(wrong) > 0
    by_year = {row["year"]: row for row in facts}
    assert by_year[2001]["districts"] == 1_769_308
    assert by_year[2014]["districts"] == by_year[2014]["in_facts"] == 2_858_939
    assert {row["difference"] for row in facts} == {0}


def test_two_states_are_set_beside_each_other(runs: Runs) -> None:
    for step, a, b, year in (
        ("two states", "IN-AP", "IN-GJ", 2013),
        ("two states now", "IN-TN", "IN-KL", 2014),
    ):
        found = {row["crime_group"]: row for row in runs.rows(step)}
        for side, code in (("a", a), ("b", b)):
            expected = mart(
                runs.lake,
                f"crime_by_region WHERE level = 'state' AND year = {year} AND state_code = '{code}'",
            )
            assert len(expected) == len(found)
            for row in expected:
                mine = found[row["crime_group"]]
                assert (mine[f"state_{side}"], mine[f"cases_{side}"]) == (row["state"], row["cases"])
                assert mine[f"rate_{side}"] == row["rate_per_lakh"]


def test_a_failing_statement_names_file_and_line(runs: Runs) -> None:
    answer = runs.answers["own"]
    assert (answer["kind"], answer["code"]) == ("JobFailed", 1)
    assert "own.hql, line 7:" in answer["error"]
    assert "SELECT *\nFROM nosuch_table" in answer["error"]


def test_before_setup_the_message_says_what_to_run(runs: Runs) -> None:
    assert "own.hql, line 2:" in runs.answers["too early"]["error"]
    assert "crime-jobs hive setup" in runs.answers["too early"]["error"]


def test_swapped_columns_are_refused_and_nothing_is_copied(runs: Runs) -> None:
    answer = runs.answers["swapped"]
    assert (answer["kind"], answer["code"]) == ("BadInput", 3)
    for part in ("IPC_2013.csv", "column 4", "'ATTEMPT TO MURDER'", "landing_ipc_2001 has murder"):
        assert part in answer["error"]
    assert runs.rows("landing after swapped") == runs.rows("landing")


def test_wrong_places_and_names_are_refused(runs: Runs) -> None:
    assert runs.answers["no csv"]["kind"] == "BadInput"
    assert "there is no variable 'yaer'" in runs.answers["unknown variable"]["error"]
    other = runs.answers["another lake"]
    assert other["kind"] == "WrongUsage"
    assert str(runs.lake) in other["error"]
    assert "elsewhere" in other["error"]


def test_a_year_that_the_facts_lost_is_lost_from_the_loads(runs: Runs) -> None:
    assert [row["year"] for row in runs.rows("fewer years, found")] == [2012, 2013, 2014]


def test_a_file_taken_from_the_landing_folder_leaves_its_table(runs: Runs) -> None:
    found = {row["layout"]: row["n"] for row in runs.rows("one file, landing")}
    assert found.pop("census") == 35
    assert set(found.values()) == {0}


@pytest.fixture(scope="module")
def spark_sql(runs: Runs) -> subprocess.CompletedProcess[str]:
    """Every script by the real ``spark-sql -f``, with a new metastore over the old warehouse."""
    import pyspark

    folder = runs.folder
    text = "".join(script.text + "\nSELECT 'end of', '" + script.name + "';\n" for script in list_scripts())
    (folder / "all.hql").write_text(text)
    conf = session_conf(folder / "second", folder / "build" / "warehouse")
    lake = str(runs.lake).replace("'", "\\'")
    places = {
        "landing": f"file://{DATA}",
        "lake": f"file://{lake}",
        "warehouse": f"file://{folder}/build/warehouse",
        "database": "crime",
    }
    return run(
        folder,
        str(Path(pyspark.__file__).parent / "bin" / "spark-sql"),
        *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
        *(word for key, value in places.items() for word in ("--hivevar", f"{key}={value}")),
        "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.ui.enabled=false",
        # As in `runs`: one task is enough, and the second compiler pays off later than this lasts.
        "--conf", "spark.sql.shuffle.partitions=1", "--conf", "spark.sql.adaptive.enabled=false",
        "--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m",
        "--driver-memory", "1g", "-f", "all.hql",
    )  # fmt: skip


@pytest.mark.faults
def test_the_real_spark_sql_runs_every_script_over_an_old_warehouse(
    runs: Runs, spark_sql: subprocess.CompletedProcess[str]
) -> None:
    assert (runs.folder / "build" / "warehouse" / "crime.db" / "crime_counts" / "year=2014").is_dir()
    assert spark_sql.returncode == 0, spark_sql.stderr[-3000:]
    assert [s.name for s in list_scripts() if f"end of\t{s.name}" not in spark_sql.stdout] == []


@pytest.mark.faults
@pytest.mark.parametrize(
    ("step", "script"), [("region", "40"), ("time", "41"), ("women", "42"), ("hour", "43"), ("hot", "45")]
)
def test_the_real_spark_sql_finds_the_same(
    runs: Runs, spark_sql: subprocess.CompletedProcess[str], step: str, script: str
) -> None:
    name = next(s.name for s in INSIGHTS if s.name.startswith(script))
    lines = spark_sql.stdout.splitlines()
    end = lines.index(f"end of\t{name}")
    expected = [["NULL" if v is None else str(v) for v in row.values()] for row in runs.rows(step)]
    assert [line.split("\t") for line in lines[end - len(expected) : end]] == expected


HOLDER = """
import sys
from crime_jobs import settings
from crime_jobs.hivesql import run_script
run_script("00", settings.load("local", environ={}))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.faults
def test_a_second_process_gets_a_sentence(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        second = run(tmp_path, sys.executable, "-m", "crime_jobs.cli", "hive", "00")
        holder.communicate("")
    assert second.returncode == 1
    assert "another process has it" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 2, second.stderr
    third = run(tmp_path, sys.executable, "-m", "crime_jobs.cli", "hive", "00")
    assert (third.returncode, third.stdout) == (0, "")
