-- Where is crime worst: cases, rate per lakh, rank and magnitude of each place
-- Districts are ranked among districts: railway police and special units are listed without a rank.
-- @param level state: country, combined (Andhra Pradesh with Telangana), state, district, or all
-- @param year latest: a year, latest, or all
-- @param crime_group all_ipc: a group of crime_groups, or all
-- @param state_code all: a code as IN-TN, or all
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
  r.level, r.state_code, r.state, r.district, r.year, r.crime_group, r.cases, r.population,
  r.rate_per_lakh, r.rank_in_year, r.magnitude
FROM crime_by_region r
CROSS JOIN asked
CROSS JOIN latest
WHERE asked.level IN ('all', r.level)
  AND (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
  AND asked.crime_group IN ('all', r.crime_group)
  AND asked.state_code IN ('all', r.state_code)
ORDER BY r.level, r.year, r.crime_group, r.cases DESC, r.state_code, r.district
