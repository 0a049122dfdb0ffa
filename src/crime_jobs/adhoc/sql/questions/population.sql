-- Population of each place and year, which the rates are made with
-- Counted in 2001 and 2011, else estimated: basis says how.
-- @param state_code all: a code as IN-TN, IN (the country), or all
-- @param year all: a year, latest, or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS state_code,
    CAST(? AS varchar) AS year
),
latest AS (
  SELECT max(year) AS year FROM population_by_year
)
SELECT r.level, r.state_code, r.state, r.year, r.population, r.basis
FROM population_by_year r
CROSS JOIN asked
CROSS JOIN latest
WHERE asked.state_code IN ('all', r.state_code)
  AND (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
ORDER BY r.level, r.state_code, r.year
