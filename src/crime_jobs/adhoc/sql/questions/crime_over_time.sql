-- How is crime moving: cases of a place and crime group over the years, with the change on the year before
-- Where a year can't be compared with the one before, the change is empty and the trend says series break.
-- @param state_code IN: a code as IN-TN, IN (the country), or all
-- @param crime_group all_ipc: a group of crime_groups, or all
WITH asked AS (
  SELECT
    CAST(? AS varchar) AS state_code,
    CAST(? AS varchar) AS crime_group
)
SELECT r.level, r.state_code, r.state, r.year, r.crime_group, r.cases, r.change_pct, r.trend
FROM crime_by_period r
CROSS JOIN asked
WHERE asked.state_code IN ('all', r.state_code)
  AND asked.crime_group IN ('all', r.crime_group)
ORDER BY r.level, r.state_code, r.crime_group, r.year
