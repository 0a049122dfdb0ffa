-- The figures of a place: cases, rate, rank, magnitude, change on the year before and trend
-- Joins crime_by_region and crime_by_period; the trend is empty where the two do not hold the same cases.
-- @param level all: country, combined (Andhra Pradesh with Telangana), state, or all
-- @param year latest: a year, latest, or all
-- @param crime_group all: a group of crime_groups, or all
-- @param state_code IN: a code as IN-TN, IN (the country), or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS level,
    CAST(? AS varchar) AS year,
    CAST(? AS varchar) AS crime_group,
    CAST(? AS varchar) AS state_code
),
latest AS (
  SELECT max(year) AS year FROM crime_by_region
)
SELECT
  r.level, r.state_code, r.state, r.year, r.crime_group, r.cases, r.population, r.rate_per_lakh,
  r.rank_in_year, r.magnitude, p.change_pct, p.trend
FROM crime_by_region r
CROSS JOIN asked
CROSS JOIN latest
LEFT JOIN crime_by_period p
  ON p.level = r.level
  AND p.state_code = r.state_code
  AND p.year = r.year
  AND p.crime_group = r.crime_group
  AND p.cases = r.cases
WHERE r.level <> 'district'
  AND asked.level IN ('all', r.level)
  AND (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
  AND asked.crime_group IN ('all', r.crime_group)
  AND asked.state_code IN ('all', r.state_code)
ORDER BY r.level, r.state_code, r.crime_group, r.year
