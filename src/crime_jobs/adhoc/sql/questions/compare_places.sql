-- Two places beside each other: cases and rate per lakh of every crime group
-- Rates compare places, cases do not. A rate is empty where the population of that year is not known
-- (Andhra Pradesh and Telangana from 2014 on).
-- @param state_a IN-TN: a code as IN-TN, or IN (the country)
-- @param state_b IN-KL: a code as IN-TN, or IN (the country)
-- @param year latest: a year, latest, or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS state_a,
    CAST(? AS varchar) AS state_b,
    CAST(? AS varchar) AS year
),
latest AS (
  SELECT max(year) AS year FROM crime_by_region
),
places AS (
  SELECT r.state_code, r.state, r.year, r.crime_group, r.cases, r.rate_per_lakh
  FROM crime_by_region r
  CROSS JOIN asked
  CROSS JOIN latest
  WHERE r.level <> 'district'
    AND r.state_code IN (asked.state_a, asked.state_b)
    AND (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
),
a AS (
  SELECT places.* FROM places CROSS JOIN asked WHERE places.state_code = asked.state_a
),
b AS (
  SELECT places.* FROM places CROSS JOIN asked WHERE places.state_code = asked.state_b
)
SELECT
  coalesce(a.crime_group, b.crime_group) AS crime_group,
  coalesce(a.year, b.year) AS year,
  a.state AS state_a,
  a.cases AS cases_a,
  a.rate_per_lakh AS rate_a,
  b.state AS state_b,
  b.cases AS cases_b,
  b.rate_per_lakh AS rate_b
FROM a
FULL OUTER JOIN b ON a.crime_group = b.crime_group AND a.year = b.year
ORDER BY 1, 2
