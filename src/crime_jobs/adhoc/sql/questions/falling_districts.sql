-- Districts that fall: down by a third or more in three years, with no year of rise between
-- The mirror of hot_spots' rising: from 50 cases or more three years before, no year missing. No fall is seen across a
-- break of the series (2014, where the group's heads changed). Railway police and special units are left out.
-- @param year latest: a year, latest, or all
-- @param crime_group all_ipc: a group of crime_groups, or all
-- @param state_code all: a code as IN-TN, or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS year,
    CAST(? AS varchar) AS crime_group,
    CAST(? AS varchar) AS state_code
),
latest AS (
  SELECT max(year) AS year FROM crime_by_region
),
broken AS (
  SELECT DISTINCT crime_group
  FROM crime_group_heads
  WHERE fact_table = 'crime_facts' AND break_2014 <> ''
),
districts AS (
  SELECT
    r.state_code, r.state, r.district, r.year, r.crime_group, r.cases,
    lag(r.cases, 1) OVER (PARTITION BY r.state_code, r.district, r.crime_group ORDER BY r.year) AS cases_1,
    lag(r.cases, 2) OVER (PARTITION BY r.state_code, r.district, r.crime_group ORDER BY r.year) AS cases_2,
    lag(r.cases, 3) OVER (PARTITION BY r.state_code, r.district, r.crime_group ORDER BY r.year) AS base_cases,
    lag(r.year, 3) OVER (PARTITION BY r.state_code, r.district, r.crime_group ORDER BY r.year) AS base_year
  FROM crime_by_region r
  WHERE r.level = 'district' AND r.rank_in_year IS NOT NULL
)
SELECT
  r.state_code, r.state, r.district, r.year, r.crime_group, r.cases, r.base_cases,
  round((r.cases - r.base_cases) * 100.0e0 / r.base_cases, 1) AS growth_pct
FROM districts r
CROSS JOIN asked
CROSS JOIN latest
LEFT JOIN broken b ON b.crime_group = r.crime_group
WHERE r.base_year = r.year - 3
  AND r.base_cases >= 50
  AND r.cases * 3 <= r.base_cases * 2
  AND r.cases <= r.cases_1 AND r.cases_1 <= r.cases_2 AND r.cases_2 <= r.base_cases
  AND (b.crime_group IS NULL OR r.year < 2014 OR r.base_year >= 2014)
  AND (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
  AND asked.crime_group IN ('all', r.crime_group)
  AND asked.state_code IN ('all', r.state_code)
ORDER BY r.year, r.crime_group, growth_pct, r.cases DESC, r.state_code, r.district
