-- How crime moves: cases of a place by year, the change on the year before, the trend
-- Variables, all optional: state_code (else IN, the country, IN-AP+TS is Andhra Pradesh with Telangana),
-- crime_group (all_ipc).
-- A series breaks in 2014 where its heads changed, and for the two states that were one before: a break
-- is marked, not bridged. A change of less than 5 percent either way is steady.
-- Computed from crime_counts, so from the facts, the mart crime_by_period has the same figures.
USE ${hivevar:database};

-- Cases, change and trend by year
SELECT
  state_code, year, crime_group, cases,
  CASE WHEN comparable = 1 THEN change END AS change_pct,
  CASE
    WHEN breaks = 1 THEN 'series break'
    WHEN comparable = 0 THEN 'no base'
    WHEN change >= 5 THEN 'rising'
    WHEN change <= -5 THEN 'falling'
    ELSE 'steady'
  END AS trend
FROM (
  SELECT
    state_code, year, crime_group, cases, breaks,
    round((cases - cases_before) * 100 / cases_before, 1) AS change,
    CASE WHEN breaks = 0 AND cases_before > 0 AND year_before = year - 1 THEN 1 ELSE 0 END AS comparable
  FROM (
    SELECT
      series.state_code, series.year, series.crime_group, series.cases,
      lag(series.cases) OVER (ORDER BY series.year) AS cases_before,
      lag(series.year) OVER (ORDER BY series.year) AS year_before,
      CASE
        WHEN series.year = 2014 AND (marks.breaks = 1 OR series.state_code IN ('IN-AP', 'IN-TS')) THEN 1
        ELSE 0
      END AS breaks
    FROM (
      SELECT asked.state_code, counts.year, counts.crime_group, sum(counts.cases) AS cases
      FROM crime_counts counts
      JOIN (
        SELECT
          CASE WHEN '${hivevar:state_code}' RLIKE '^IN[-+A-Z]*$' THEN '${hivevar:state_code}'
            ELSE 'IN' END AS state_code,
          CASE WHEN '${hivevar:crime_group}' RLIKE '^[a-z_]+$' THEN '${hivevar:crime_group}'
            ELSE 'all_ipc' END AS crime_group,
          max(year) AS last_year
        FROM crime_counts
      ) asked ON asked.crime_group = counts.crime_group
      WHERE asked.state_code = 'IN'
        OR asked.state_code = counts.state_code
        OR (asked.state_code = 'IN-AP+TS' AND counts.state_code IN ('IN-AP', 'IN-TS'))
      GROUP BY asked.state_code, counts.year, counts.crime_group
    ) series
    JOIN (
      SELECT crime_group, max(CASE WHEN break_2014 <> '' THEN 1 ELSE 0 END) AS breaks
      FROM crime_group_heads
      WHERE fact_table = 'crime_facts'
      GROUP BY crime_group
    ) marks ON marks.crime_group = series.crime_group
  ) marked
) changed
ORDER BY year;
