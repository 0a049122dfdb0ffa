-- Single crime heads: cases, rate and change on the year before of each place
-- A head is a column of NCRB's table that is part of no other. In 2014 NCRB renamed and split its heads: no change is
-- given from 2013 to 2014, and most heads stand on one side only. Districts have no figures by head here.
-- @param level all: country, combined (Andhra Pradesh with Telangana), state, or all
-- @param year latest: a year, latest, or all
-- @param crime_head all: a head of crime_groups, or all
-- @param crime_group all: only heads of this group of crime_groups, or all
-- @param state_code IN: a code as IN-TN, IN (the country), or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS level,
    CAST(? AS varchar) AS year,
    CAST(? AS varchar) AS crime_head,
    CAST(? AS varchar) AS crime_group,
    CAST(? AS varchar) AS state_code
),
latest AS (
  SELECT max(year) AS year FROM crime_facts
),
states AS (
  SELECT f.state_code, f.year, f.crime_head, sum(f.cases) AS cases
  FROM crime_facts f
  CROSS JOIN asked
  WHERE asked.crime_head IN ('all', f.crime_head)
  GROUP BY f.state_code, f.year, f.crime_head
),
levels AS (
  SELECT 'state' AS level, state_code, year, crime_head, cases FROM states
  UNION ALL
  SELECT 'country' AS level, 'IN' AS state_code, year, crime_head, sum(cases) AS cases
  FROM states
  GROUP BY year, crime_head
  UNION ALL
  SELECT 'combined' AS level, 'IN-AP+TS' AS state_code, year, crime_head, sum(cases) AS cases
  FROM states
  WHERE state_code IN ('IN-AP', 'IN-TS')
  GROUP BY year, crime_head
),
moved AS (
  SELECT
    level, state_code, year, crime_head, cases,
    lag(cases) OVER (PARTITION BY level, state_code, crime_head ORDER BY year) AS before,
    lag(year) OVER (PARTITION BY level, state_code, crime_head ORDER BY year) AS year_before
  FROM levels
),
heads AS (
  SELECT g.crime_head, max(g.head_label) AS head_label
  FROM crime_group_heads g
  CROSS JOIN asked
  WHERE g.fact_table = 'crime_facts' AND asked.crime_group IN ('all', g.crime_group)
  GROUP BY g.crime_head
)
SELECT
  m.level, m.state_code, m.year, m.crime_head, h.head_label, CAST(m.cases AS bigint) AS cases, p.population,
  round(m.cases * 100000.0e0 / p.population, 2) AS rate_per_lakh,
  CASE WHEN m.year <> 2014 AND m.year_before = m.year - 1 AND m.before > 0
    THEN round((m.cases - m.before) * 100.0e0 / m.before, 1) END AS change_pct,
  CASE WHEN m.year = 2014 THEN 'series break'
    WHEN m.year_before = m.year - 1 AND m.before > 0 THEN
      CASE WHEN (m.cases - m.before) * 100.0e0 / m.before >= 5 THEN 'rising'
        WHEN (m.cases - m.before) * 100.0e0 / m.before <= -5 THEN 'falling'
        ELSE 'steady' END
    ELSE 'no base' END AS trend
FROM moved m
CROSS JOIN asked
CROSS JOIN latest
JOIN heads h ON h.crime_head = m.crime_head
LEFT JOIN population_by_year p
  ON p.level = m.level AND p.state_code = m.state_code AND p.year = m.year
WHERE asked.level IN ('all', m.level)
  AND (asked.year IN ('all', CAST(m.year AS varchar)) OR (asked.year = 'latest' AND m.year = latest.year))
  AND asked.state_code IN ('all', m.state_code)
ORDER BY m.level, m.state_code, m.crime_head, m.year
