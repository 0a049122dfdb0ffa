"""clean_ncrb: each case counted once, both layouts and the long one, bad input refused or kept apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chispa import assert_df_equality

from crime_jobs.errors import BadInput
from crime_jobs.job import Run
from crime_jobs.jobs._runner import run_in
from crime_jobs.jobs.clean_ncrb import facts
from crime_jobs.model.landing import parse
from crime_jobs.model.published import NATIONAL_IPC_TOTALS
from crime_jobs.registry import find
from tests.conftest import DATA, make_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

IPC_2013 = "01_District_wise_crimes_committed_IPC_2013.csv"
IPC_2014 = "01_District_wise_crimes_committed_IPC_2014.csv"
WOMEN_2013 = "42_District_wise_crimes_committed_against_women_2013.csv"
CENSUS = "population_by_state_2001_2011.csv"

Landing = Callable[..., Path]


def clean(spark: SparkSession, landing: Path, lake: Path, **options: str) -> Run:
    reports = run_in(spark, find("clean_ncrb"), make_settings(landing, lake), options)
    return Run(spark, str(landing), str(lake), reports=reports)


def total(run: Run, table: str = "crime_facts") -> int:
    return int(run.read(table).groupBy().sum("cases").first()[0] or 0)  # type: ignore[index]


def test_a_plain_sum_by_year_is_the_source_total(spark: SparkSession, built_lake: Path) -> None:
    run = Run(spark, str(DATA), str(built_lake))
    sums = {
        row.year: row.n
        for row in run.read("crime_facts").groupBy("year").agg({"cases": "sum"}).toDF("year", "n").collect()
    }
    # The two years in which the district files differ from NCRB's published national figure.
    assert sums == NATIONAL_IPC_TOTALS | {2004: 1_832_010, 2014: 2_858_939}


def test_no_totals_and_no_wholes_among_the_facts(spark: SparkSession, built_lake: Path) -> None:
    run = Run(spark, str(DATA), str(built_lake))
    facts = run.read("crime_facts")
    assert facts.where("lower(district) LIKE '%total%'").count() == 0
    assert facts.where("year < 2014 AND crime_head IN ('rape', 'theft', 'kidnapping_abduction')").count() == 0
    assert (
        facts.where("year = 2014 AND crime_head IN ('rape', 'riots', 'riots_caste', 'burglary')").count() == 0
    )
    assert facts.where("year < 2014 AND crime_head = 'riots'").count() > 9000


def test_both_rows_of_the_double_key_count(spark: SparkSession, built_lake: Path) -> None:
    run = Run(spark, str(DATA), str(built_lake))
    rows = run.read("crime_facts").where("state_code = 'IN-JK' AND district = 'Railways' AND year = 2010")
    assert rows.where("crime_head = 'murder'").count() == 2
    state = (
        run.read("crime_facts").where("state_code = 'IN-JK' AND year = 2010").groupBy().sum("cases").first()
    )
    assert state is not None
    assert state[0] == 23_223


def test_the_transform_alone(spark: SparkSession) -> None:
    months = [
        "JANUARY",
        "FEBRUARY",
        "MARCH",
        "APRIL",
        "MAY",
        "JUNE",
        "JULY",
        "AUGUST",
        "SEPTEMBER",
        "OCTOBER",
        "NOVEMBER",
        "DECEMBER",
    ]
    content = f"STATE/UT,YEAR,{','.join(months)},TOTAL\nDelhi (Ut),2014,{','.join('123456789' + '123')},0\nAtlantis,2014{',1' * 13}\n"
    from crime_jobs.jobs._entries import ENTRY_DDL

    entries = spark.createDataFrame(list(parse("m.csv", content.encode())), ENTRY_DDL)
    expected = spark.createDataFrame(
        [
            ("IN-DL", "Delhi", 2014, "month", f"{m:02d}", int("123456789123"[m - 1]), "m.csv")
            for m in range(1, 13)
        ],
        "state_code string, state string, year int, breakdown string, bucket string, cases bigint, source_file string",
    )
    assert_df_equality(facts(entries, "traffic"), expected, ignore_nullable=True, ignore_row_order=True)


def long_layout(*names: str) -> str:
    """The wide files as the long layout has them: a row a figure, leaf heads and all others."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["STATE", "DISTRICT", "YEAR", "HEAD", "CASES"])
    for name in names:
        header, *rows = list(csv.reader((DATA / name).open(encoding="utf-8", newline="")))
        for row in rows:
            writer.writerows([*row[:3], head, n] for head, n in zip(header[3:-1], row[3:-1], strict=True))
    return out.getvalue()


def test_the_long_layout_gives_the_same_facts(spark: SparkSession, tmp_path: Path, landing: Landing) -> None:
    folder = landing()
    (folder / "export.csv").write_text(long_layout(IPC_2013, IPC_2014), newline="")
    long = clean(spark, folder, tmp_path / "long")
    (folder / "export.csv").unlink()
    wide = clean(spark, landing(IPC_2013, IPC_2014), tmp_path / "wide")
    assert total(long) == 2_647_722 + 2_858_939
    assert_df_equality(
        long.read("crime_facts").drop("source_file"),
        wide.read("crime_facts").drop("source_file"),
        ignore_row_order=True,
    )


def test_a_whole_without_its_parts_is_refused_not_lost(
    spark: SparkSession, tmp_path: Path, landing: Landing
) -> None:
    text = "state,district,year,head,cases\nOdisha,Puri,2014,Riots,7\nOdisha,Puri,2014,Murder,1\n"
    said = refused(spark, landing(export=text), tmp_path / "lake")
    assert "export.csv: IN-OD Puri 2014 riots (7)" in said
    ok = landing(export=text + "Odisha,Puri,2014,Riots_Communal,7\n")
    assert total(clean(spark, ok, tmp_path / "lake")) == 8


def refused(spark: SparkSession, landing: Path, lake: Path, **options: str) -> str:
    with pytest.raises(BadInput) as caught:
        clean(spark, landing, lake, **options)
    assert not (lake / "crime_facts").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "bad.csv: it is empty"),
        ("STATE/UT,DISTRICT\n".encode("utf-16"), "bad.csv: it is UTF-16"),
        (b"a,b,c\n1,2,3\n", "bad.csv: line 1: its header (a, b, c"),
        ((DATA / WOMEN_2013).read_bytes().replace(b"Rape", b"Rape,Witchcraft", 1), "unknown column 'Witchcraft'"),
        ((DATA / WOMEN_2013).read_bytes().replace(b"Rape,", b"", 1), "missing column 'rape'"),
        ((DATA / WOMEN_2013).read_bytes() + "Odisha,Café,2013,1,1,1,1,1,1,1\n".encode("latin-1"),
         "bad.csv: line 825: byte 0xE9 is not UTF-8"),
    ],
    ids=["empty", "utf-16", "no layout", "new column", "missing column", "latin-1"],
)  # fmt: skip
def test_a_file_that_can_not_be_used_refuses_all(
    spark: SparkSession, tmp_path: Path, landing: Landing, content: bytes, said: str
) -> None:
    assert said in refused(spark, landing(IPC_2013, bad=content), tmp_path / "lake")


def test_a_missing_folder_and_an_empty_one(spark: SparkSession, tmp_path: Path, landing: Landing) -> None:
    assert "There is no landing folder" in refused(spark, tmp_path / "nowhere", tmp_path / "lake")
    assert "No CSV file is in the landing folder" in refused(spark, landing(), tmp_path / "lake")


def test_the_same_file_twice(spark: SparkSession, tmp_path: Path, landing: Landing) -> None:
    folder = landing(IPC_2013, copy=(DATA / IPC_2013).read_bytes())
    said = refused(spark, folder, tmp_path / "lake")
    assert f"{IPC_2013} and copy.csv are the same file" in said


def test_two_files_with_the_same_figures(spark: SparkSession, tmp_path: Path, landing: Landing) -> None:
    lines = (DATA / WOMEN_2013).read_text().splitlines()
    changed = "\n".join([lines[0], *lines[10:12], "Odisha,New Place,2013,1,1,1,1,1,1,1"])
    said = refused(spark, landing(WOMEN_2013, second=changed), tmp_path / "lake", max_bad_share="1")
    assert f"{WOMEN_2013} and second.csv (14 figures)" in said


def broken(text: str) -> str:
    lines = text.splitlines()
    lines[1] = lines[1].replace("2013,61", "2013,sixty-one")
    lines[4] = "Atlantis,X,2013,1,1,1,1,1,1,1"
    lines[9] = lines[9] + ",7"
    return "\n".join(lines)[:-3]


def test_bad_rows_go_to_quarantine_and_all_others_count(
    spark: SparkSession, tmp_path: Path, landing: Landing
) -> None:
    text = broken((DATA / WOMEN_2013).read_text())
    run = clean(spark, landing(women=text), tmp_path / "lake", max_bad_share="0.01")
    rows = [(r.source_file, r.line, r.reason) for r in run.read("quarantine").orderBy("line").collect()]
    assert [(line, why.split(" (")[0]) for _, line, why in rows] == [
        (2, "column 'Rape': 'sixty-one' is not a whole number"),
        (5, "unknown state 'Atlantis'"),
        (10, "11 fields where the header has 10"),
        (824, "9 fields where the header has 10"),
    ]
    lines = text.splitlines()
    assert [r.record for r in run.read("quarantine").orderBy("line").collect()] == [
        lines[i] for i in (1, 4, 9, 823)
    ]
    report = run.reports[0]
    assert (report["rows_read"], report["rows_quarantined"]) == (823, 4)
    kept = [ln.split(",") for i, ln in enumerate(lines) if i not in (0, 1, 4, 9, 823) and "TOTAL" not in ln]
    assert total(run, "women_facts") == sum(int(n) for row in kept for n in row[3:])


def test_too_many_bad_rows_fail_the_job_and_leave_the_facts(
    spark: SparkSession, tmp_path: Path, landing: Landing
) -> None:
    folder, lake = landing(WOMEN_2013), tmp_path / "lake"
    before = total(clean(spark, folder, lake), "women_facts")
    (folder / WOMEN_2013).write_text(broken((DATA / WOMEN_2013).read_text()))
    with pytest.raises(BadInput, match="4 of 823 rows are bad, more than the share allowed") as caught:
        clean(spark, folder, lake, max_bad_share="0.001")
    assert f"{WOMEN_2013}, line 2: column 'Rape'" in str(caught.value)
    run = Run(spark, str(folder), str(lake))
    assert total(run, "women_facts") == before
    assert run.read("quarantine").count() == 4


@pytest.mark.parametrize("spelling", ["Grand-Total (State)", "ZZ_TOTAL", "SUBTOTAL", "All Districts"])
def test_a_total_row_of_another_spelling_is_still_no_district(
    spark: SparkSession, tmp_path: Path, landing: Landing, spelling: str
) -> None:
    text = (DATA / WOMEN_2013).read_text()
    run = clean(spark, landing(women=text.replace("ZZ TOTAL", spelling)), tmp_path / "lake")
    assert total(run, "women_facts") == 295_896


def test_a_landing_without_rows_does_not_empty_the_facts(
    spark: SparkSession, tmp_path: Path, landing: Landing
) -> None:
    folder, lake = landing(WOMEN_2013), tmp_path / "lake"
    clean(spark, folder, lake)
    header = (DATA / WOMEN_2013).read_text().splitlines()[0]
    (folder / WOMEN_2013).write_text(header + "\n")
    with pytest.raises(BadInput, match="has no row for women_facts, which has rows in"):
        clean(spark, folder, lake)
    assert total(Run(spark, str(folder), str(lake)), "women_facts") == 295_896
    assert total(clean(spark, folder, lake, allow_empty="true"), "women_facts") == 0


def test_file_names_are_taken_as_they_are(spark: SparkSession, tmp_path: Path, landing: Landing) -> None:
    folder = landing()
    (folder / "women 2013, ä.csv").write_bytes((DATA / WOMEN_2013).read_bytes())
    (folder / "women%202013, ä.csv").write_bytes((DATA / WOMEN_2013).read_bytes() + b"\r\n")
    said = refused(spark, folder, tmp_path / "lake")
    assert "women 2013, ä.csv and women%202013, ä.csv (" in said


def test_an_export_in_parts_is_one_source(spark: SparkSession, tmp_path: Path, landing: Landing) -> None:
    head = "state,district,year,head,cases\n"
    folder = landing(part1=head + "Goa,North Goa,2013,THEFT,10\n", part2=head + "Goa,North Goa,2013,AUTO THEFT,4\n"
                     "Goa,North Goa,2013,OTHER THEFT,6\nGoa,मडगांव,2013,OTHER THEFT,1\n")  # fmt: skip
    run = clean(spark, folder, tmp_path / "lake")
    assert total(run) == 11
    assert {row.district for row in run.read("crime_facts").collect()} == {"North Goa", "मडगांव"}


def test_run_twice_the_result_is_the_same(spark: SparkSession, tmp_path: Path, landing: Landing) -> None:
    folder, lake = landing(WOMEN_2013, CENSUS), tmp_path / "lake"

    def rows() -> list[Any]:
        run = clean(spark, folder, lake)
        return sorted(map(tuple, run.read("women_facts").collect()))

    assert rows() == rows()
    assert not list((lake / "_staging").glob("*"))
