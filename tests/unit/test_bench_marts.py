"""The benchmark's own judgement: engines that differ are found, ratios and growth are what they say."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks import compare, marts, report
from benchmarks.measure import EngineFailedError, Measure, measure
from crime_jobs.model.tables import TABLES


def write_marts(folder: Path, cases: int, growth: str = "NULL") -> Path:
    """Three marts of one row each."""
    given = {"cases": str(cases), "level": "'country'", "crime_group": "'all_ipc'", "growth_pct": growth}
    with duckdb.connect() as con:
        for mart in compare.MARTS:
            (folder / mart).mkdir(parents=True)
            cells = ", ".join(
                f"{given.get(c.name, 'NULL')}::{'VARCHAR' if c.type == 'string' else c.type} AS {c.name}"
                for c in TABLES[mart].columns
            )
            con.execute(f"COPY (SELECT {cells}) TO '{folder / mart}/part.parquet' (FORMAT parquet)")
    return folder


def test_equal_marts_pass(tmp_path: Path) -> None:
    first, second = write_marts(tmp_path / "a", 7), write_marts(tmp_path / "b", 7)
    compare.check(first, second)
    compare.check_total(first, 7)
    assert compare.rows_of(first) == dict.fromkeys(compare.MARTS, 1)


def test_one_other_count_is_found(tmp_path: Path) -> None:
    first, second = write_marts(tmp_path / "a", 7), write_marts(tmp_path / "b", 8)
    with pytest.raises(compare.EnginesDisagreeError, match="crime_by_region"):
        compare.check(first, second)


def test_a_number_where_the_other_has_none_is_found(tmp_path: Path) -> None:
    first, second = write_marts(tmp_path / "a", 7), write_marts(tmp_path / "b", 7, growth="50.0")
    with pytest.raises(compare.EnginesDisagreeError, match="hot_spots"):
        compare.check(first, second)


def test_a_lost_incident_is_found(tmp_path: Path) -> None:
    with pytest.raises(compare.EnginesDisagreeError, match="8 incidents"):
        compare.check_total(write_marts(tmp_path / "a", 7), 8)


def one(engine: str, size: str, work: float, peak: int = 1) -> Measure:
    return Measure(
        engine, size, wall=work + 1, start=0.5, work=work, cpu=work, work_cpu=work, peak=peak, load=0.1
    )


def test_ratio_to_duckdb_is_of_medians_and_growth_is_for_each_time_more_rows() -> None:
    runs = [one("duckdb", "small", 1), one("spark", "small", 4), one("duckdb", "large", 2)]
    runs += [one("spark", "large", work, peak) for work, peak in ((90, 1), (20, 5), (6, 2))]
    summary = report.summarise(runs, {"small": 100, "large": 1000})
    spark = next(row for row in summary if (row["engine"], row["size"]) == ("spark", "large"))
    assert spark["work"] == 20
    assert spark["peak"] == 5
    assert spark["work_ratio"] == 10
    assert spark["wall_ratio"] == 7
    assert spark["growth"] == pytest.approx(0.5)
    assert next(row for row in summary if row["size"] == "small")["growth"] is None


def test_the_page_names_what_is_past_the_memory_aim() -> None:
    summary = report.summarise([one("duckdb", "small", 1), one("pandas", "small", 9, 2**33)], {"small": 100})
    document = {
        "machine": report.machine(),
        "summary": summary,
        "runs": [{"load": 0.1, "size": "small"}],
        "left_out": [],
    }
    page = report.page(document, "make bench")
    assert "More than 4 GiB: pandas at 100 incidents." in page
    assert "| pandas |   10.0 |" in page


def test_an_engine_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineFailedError, match=r"No module named 'benchmarks\.marts_nosuch'"):
        measure("nosuch", "small", tmp_path, tmp_path / "out")


@pytest.mark.parametrize("wrong", [["--engines", "duckdb,sqlite"], ["--runs", "0"], ["--rows", "5"]])
def test_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        marts.main(wrong)
    assert end.value.code == 2
    assert "error" in capsys.readouterr().err
