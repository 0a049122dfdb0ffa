# ruff: noqa: E501 - SQL reads better in long lines
"""The marts in SQL, as a DuckDB user would write them: one scan, then everything from the counts."""

from __future__ import annotations

from pathlib import Path

import duckdb

#: The bounds of the magnitudes and the rules of the hot spots are those of the jobs' defaults.
_HIGH = "10 cases or more, and 95 % of the districts have fewer"
_RISING = "up 50 % or more in 3 years from 50 cases or more, no year of decline"

_LEVELS = """
    SELECT 'state' AS level, state_code, state, year, crime_group, cases FROM by_state
    UNION ALL
    SELECT 'country', 'IN', 'India', year, crime_group, sum(cases)::BIGINT FROM by_state GROUP BY ALL
    UNION ALL
    SELECT 'combined', 'IN-AP+TS', 'Andhra Pradesh and Telangana (together)', year, crime_group, sum(cases)::BIGINT
    FROM by_state WHERE state_code IN ('IN-AP', 'IN-TS') GROUP BY ALL
"""

_REGION = """
    WITH placed AS (
        SELECT level, state_code, state, NULL AS district, year, crime_group, cases, level = 'state' AS ranked FROM series
        UNION ALL
        SELECT 'district', state_code, state, district, year, crime_group, cases, district_kind = 'district' FROM by_district
    ), ranks AS (
        SELECT *, rank() OVER (place ORDER BY cases DESC) AS r, percent_rank() OVER (place ORDER BY cases) AS p
        FROM placed WINDOW place AS (PARTITION BY level, year, crime_group, ranked)
    )
    SELECT ranks.level, ranks.state_code, state, district, ranks.year, crime_group, cases, population,
           round(cases * 100000 / population, 2) AS rate_per_lakh, CASE WHEN ranked THEN r::INT END AS rank_in_year,
           CASE WHEN NOT ranked THEN NULL WHEN cases = 0 THEN 'none' WHEN p >= 0.8 THEN 'very high'
                WHEN p >= 0.6 THEN 'high' WHEN p >= 0.4 THEN 'medium' WHEN p >= 0.2 THEN 'low' ELSE 'very low' END AS magnitude
    FROM ranks LEFT JOIN population USING (level, state_code, year)
"""

_PERIOD = """
    WITH before AS (
        SELECT *, lag(cases) OVER series AS cases_before, lag(year) OVER series AS year_before,
               year = 2014 AND (breaks OR level = 'state' AND state_code IN ('IN-AP', 'IN-TS')) AS broken
        FROM series JOIN broken USING (crime_group)
        WINDOW series AS (PARTITION BY level, state_code, crime_group ORDER BY year)
    ), changed AS (
        SELECT *, CASE WHEN NOT broken AND cases_before > 0 AND year_before = year - 1
                       THEN (cases - cases_before) * 100e0 / cases_before END AS change FROM before
    )
    SELECT level, state_code, state, year, crime_group, cases, round(change, 1) AS change_pct,
           CASE WHEN broken THEN 'series break' WHEN change IS NULL THEN 'no base' WHEN change >= 5 THEN 'rising'
                WHEN change <= -5 THEN 'falling' ELSE 'steady' END AS trend
    FROM changed
"""

_HOT = f"""
    WITH lagged AS (
        SELECT *, percent_rank() OVER (PARTITION BY year, crime_group ORDER BY cases) AS p, lag(year, 3) OVER s AS y3,
               lag(cases, 1) OVER s AS n1, lag(cases, 2) OVER s AS n2, lag(cases, 3) OVER s AS n3
        FROM by_district JOIN broken USING (crime_group) WHERE district_kind = 'district'
        WINDOW s AS (PARTITION BY state_code, district, crime_group ORDER BY year)
    ), based AS (
        SELECT *, CASE WHEN y3 = year - 3 AND NOT (breaks AND year = 2014) THEN n3 END AS base_cases
        FROM lagged
    ), grown AS (
        SELECT *, CASE WHEN base_cases > 0 THEN (cases - base_cases) * 100e0 / base_cases END AS growth FROM based
    ), marked AS (
        SELECT *, coalesce(p >= 0.95 AND cases >= 10, false) AS high,
               coalesce(base_cases >= 50 AND growth >= 50 AND cases >= n1 AND n1 >= n2 AND n2 >= n3, false) AS rising FROM grown
    )
    SELECT state_code, state, district, year, crime_group, cases, round(p, 4) AS percentile, base_cases, round(growth, 1) AS growth_pct,
           concat_ws(' and ', IF(high, 'high', NULL), IF(rising, 'rising', NULL)) AS hot_spot,
           concat_ws('; ', IF(high, '{_HIGH}', NULL), IF(rising, '{_RISING}', NULL)) AS rule
    FROM marked WHERE high OR rising
"""


def run(lake: Path, out: Path) -> None:
    """Compute the marts.

    Parameters
    ----------
    lake
        A lake of `benchmarks.incidents`.
    out
        Folder to write ``<mart>/part.parquet`` to.
    """
    facts = f"read_parquet('{lake}/crime_facts/*/*.parquet', hive_partitioning = true, hive_types = {{'year': INT}})"
    con = duckdb.connect()
    con.execute(f"""
        CREATE TEMP TABLE heads AS SELECT DISTINCT crime_group, crime_head, break_2014 <> '' AS breaks
        FROM '{lake}/crime_group_heads/*.parquet' WHERE fact_table = 'crime_facts'
    """)
    con.execute("CREATE TEMP TABLE broken AS SELECT DISTINCT crime_group, breaks FROM heads")
    con.execute(
        f"CREATE TEMP TABLE population AS SELECT level, state_code, year, population FROM '{lake}/population_by_year/*.parquet'"
    )
    con.execute(f"""
        CREATE TEMP TABLE by_district AS
        WITH counts AS (SELECT state_code, state, district, district_kind, year, crime_head, sum(cases)::BIGINT AS cases
                        FROM {facts} GROUP BY ALL)
        SELECT state_code, state, district, district_kind, year, crime_group, sum(cases)::BIGINT AS cases
        FROM counts JOIN heads USING (crime_head) GROUP BY ALL
    """)
    con.execute(
        "CREATE TEMP TABLE by_state AS SELECT state_code, state, year, crime_group, sum(cases)::BIGINT AS cases FROM by_district GROUP BY ALL"
    )
    con.execute(f"CREATE TEMP TABLE series AS {_LEVELS}")
    for mart, sql in {"crime_by_region": _REGION, "crime_by_period": _PERIOD, "hot_spots": _HOT}.items():
        (out / mart).mkdir(parents=True)
        con.execute(f"COPY ({sql}) TO '{out}/{mart}/part.parquet' (FORMAT parquet, COMPRESSION zstd)")
    con.close()
