"""reconcile: every discrepancy of the files, and nothing else; a planted one of each kind is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crime_jobs.job import Run
from crime_jobs.registry import find
from tests.conftest import DATA

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

IPC_2013 = "01_District_wise_crimes_committed_IPC_2013.csv"
WOMEN_2013 = "42_District_wise_crimes_committed_against_women_2013.csv"
ROADS = ("road_accidents_by_month_2001_2014.csv", "road_accidents_by_time_of_day_2001_2014.csv")

#: North Goa's crimes against women in 2013, as the file has them.
NORTH_GOA = {
    "rape": 48,
    "kidnapping_women_girls": 31,
    "dowry_death": 0,
    "assault_on_women": 103,
    "insult_to_modesty": 36,
    "cruelty_by_husband": 17,
    "importation_of_girls": 0,
}

KNOWN = {
    ("heads_against_row_total", "IN-TN / Perambalur / 2001 / total of the row / line 555", -9),
    ("heads_against_row_total", "IN-TN / Virudhunagar / 2001 / total of the row / line 574", 9),
    ("heads_against_row_total", "IN-AS / Bongaigaon / 2014 / total of the row / line 45", -1),
    ("heads_against_row_total", "IN-AS / Guwahati City / 2014 / total of the row / line 55", 1),
    ("one_row_per_key", "IN-JK / Railways / 2010", 1),
    ("same_districts_in_women_table", "IN-AS / GRP / 2014", -1),
    ("women_table_against_ipc_table", "IN-AS / Karimganj / 2014 / rape", 1),
    ("years_against_published", "IN / 2004", -5),
    ("years_against_published", "IN / 2014", 7_376),
}


def wrong(run: Run) -> set[tuple[str, str, int]]:
    rows = run.read("data_quality").where("status <> 'ok'").collect()
    return {(row.check_name, row.scope, row.difference) for row in rows}


def test_the_real_discrepancies_and_nothing_else(spark: SparkSession, built_lake: Path) -> None:
    run = Run(spark, str(DATA), str(built_lake))
    assert wrong(run) == KNOWN
    # The double key stands in the crime file and in that of crimes against women.
    assert run.read("data_quality").where("status <> 'ok'").count() == len(KNOWN) + 1


def test_the_comparisons_were_made(spark: SparkSession, built_lake: Path) -> None:
    counted = Run(spark, "", str(built_lake)).read("data_quality").groupBy("check_name").count().collect()
    assert {row["check_name"]: row["count"] for row in counted} == {
        "districts_against_totals": (420 + 35) * (30 + 7) + 36 * (88 + 59),
        "facts_against_state_totals": 420 + 35 + 36,
        "heads_against_row_total": 9017 + 823 + 838 + 837 + 2 * 490,
        "one_row_per_key": 10_186 + 10_185 + 2 * 490,
        "parts_against_whole": (9017 + 823) * 3 + 838 * 17 + 837 * 9,
        "rows_used": 9,
        "same_districts_in_women_table": 10_186,
        "slots_against_months": 490,
        "states_in_census": 70,
        "women_table_against_ipc_table": 71_960 - 135 + 271,
        "years_against_published": 14,
    }


#: File, what stands in it, what is planted instead, and the comparisons that must find it.
PLANTED = [
    (IPC_2013, "Andhra Pradesh,ADILABAD,2013,96,", "Andhra Pradesh,ADILABAD,2013,97,", {
        ("districts_against_totals", "IN-AP / 2013 / murder", 1),
        ("heads_against_row_total", "IN-AP / Adilabad / 2013 / total of the row / line 2", 1),
        ("facts_against_state_totals", "IN-AP / 2013", 1),
    }),
    (IPC_2013, "Odisha,ANGUL,2013,58,134,0,64,0,64", "Odisha,ANGUL,2013,58,134,0,63,0,64", {
        ("districts_against_totals", "IN-OD / 2013 / rape", -1),
        ("parts_against_whole", "IN-OD / Angul / 2013 / rape / line 504", 1),
        ("women_table_against_ipc_table", "IN-OD / Angul / 2013 / rape", 1),
    }),
    (WOMEN_2013, "Andhra Pradesh,ADILABAD,2013,61,", "Andhra Pradesh,ADILABAD,2013,60,", {
        ("districts_against_totals", "IN-AP / 2013 / rape", -1),
        ("women_table_against_ipc_table", "IN-AP / Adilabad / 2013 / rape", -1),
    }),
    (ROADS[0], "A & N Islands,2001,8,23,15,15,14,19,14,19,7,12,13,22,181",
     "A & N Islands,2001,8,23,15,15,14,19,14,19,7,12,13,23,182", {
        ("slots_against_months", "IN-AN / 2001", -1),
    }),
    (ROADS[1], "West Bengal,2014,1455,", "West Bengal,2014,1454,", {
        ("heads_against_row_total", "IN-WB / 2014 / total of the row / line 491", -1),
    }),
    # A row in quarantine: its state's total row says what is missing.
    (WOMEN_2013, "Goa,NORTH GOA,2013,", "Goa,NORTH GOA,20l3,", {
        ("rows_used", "rows", -1),
        ("same_districts_in_women_table", "IN-GA / North Goa / 2013", -1),
        *(("districts_against_totals", f"IN-GA / 2013 / {head}", -n) for head, n in NORTH_GOA.items() if n),
    }),
]  # fmt: skip


def test_planted_errors_are_found_and_nothing_else(
    spark: SparkSession, tmp_path: Path, landing: Callable[..., Path]
) -> None:
    folder = landing(IPC_2013, WOMEN_2013, *ROADS)
    for file, old, new, _ in PLANTED:
        text = (folder / file).read_text()
        assert text.count(old) == 1, old
        (folder / file).write_text(text.replace(old, new))
    run = Run(spark, str(folder), str(tmp_path / "lake"))
    for name in ("clean_ncrb", "reconcile"):
        find(name)[0].run(run)
    run.shared["entries"].unpersist()
    expected = set().union(*(found for *_, found in PLANTED))
    assert wrong(run) == expected | {("years_against_published", "IN / 2013", 1)}
