-- Hot spots: districts that are high, or rising, with the rule that says so
-- Growth is on three years before; empty where that year can't be compared.
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
  SELECT max(year) AS year FROM hot_spots
)
SELECT
  r.state_code, r.state, r.district, r.year, r.crime_group, r.cases, r.percentile, r.base_cases,
  r.growth_pct, r.hot_spot, r.rule
FROM hot_spots r
CROSS JOIN asked
CROSS JOIN latest
WHERE (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
  AND asked.crime_group IN ('all', r.crime_group)
  AND asked.state_code IN ('all', r.state_code)
ORDER BY r.year, r.crime_group, r.cases DESC, r.state_code, r.district
