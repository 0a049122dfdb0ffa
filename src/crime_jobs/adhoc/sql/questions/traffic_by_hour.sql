-- Road accidents by three hours of the day
-- Shares are of the place's accidents in that year. Andhra Pradesh is undivided in all years.
-- @param state_code IN: a code as IN-TN, IN (the country), or all
-- @param year latest: a year, latest, or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS state_code,
    CAST(? AS varchar) AS year
),
latest AS (
  SELECT max(year) AS year FROM traffic_by_time_of_day
)
SELECT r.level, r.state_code, r.state, r.year, r.slot, r.cases, r.share_pct
FROM traffic_by_time_of_day r
CROSS JOIN asked
CROSS JOIN latest
WHERE asked.state_code IN ('all', r.state_code)
  AND (asked.year IN ('all', CAST(r.year AS varchar)) OR (asked.year = 'latest' AND r.year = latest.year))
ORDER BY r.level, r.state_code, r.year, r.slot
