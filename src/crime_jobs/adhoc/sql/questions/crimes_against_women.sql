-- Crimes against women: cases, rate per lakh and change of a place and group over the years
-- The table of 2014 also counts special laws: scope says what a year's figures cover.
-- @param state_code IN: a code as IN-TN, IN (the country), or all
-- @param women_group all: a group of crime_groups (fact_table women_facts), or all
-- @param year all: a year, latest, or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS state_code,
    CAST(? AS varchar) AS women_group,
    CAST(? AS varchar) AS year
),
latest AS (
  SELECT max(year) AS year FROM crimes_against_women
)
SELECT
  r.level, r.state_code, r.state, r.year, r.women_group, r.scope, r.cases, r.population,
  r.rate_per_lakh, r.change_pct, r.trend
FROM crimes_against_women r
CROSS JOIN asked
CROSS JOIN latest
WHERE asked.state_code IN ('all', r.state_code)
  AND asked.women_group IN ('all', r.women_group)
  AND (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
ORDER BY r.level, r.state_code, r.women_group, r.year
