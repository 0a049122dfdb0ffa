-- Crimes against women of a place by group and year, with rate and trend
-- Variables, all optional: state_code (else IN, the country, IN-AP+TS is Andhra Pradesh with Telangana),
-- women_group (else every group).
-- The group core_seven compares over all years. The source table of 2014 is wider (see scope), so
-- all_in_scope breaks there. The rate is for 100,000 persons, not women: the census file has persons.
-- Computed from women_counts, so from the facts, the mart crimes_against_women has the same figures.
USE ${hivevar:database};

-- Cases, rate, change and trend by group and year
SELECT
  changed.state_code, changed.women_group, changed.year, changed.scope, changed.cases,
  persons.population,
  round(changed.cases * 100000 / persons.population, 2) AS rate_per_lakh,
  CASE WHEN changed.comparable = 1 THEN changed.change END AS change_pct,
  CASE
    WHEN changed.breaks = 1 THEN 'series break'
    WHEN changed.comparable = 0 THEN 'no base'
    WHEN changed.change >= 5 THEN 'rising'
    WHEN changed.change <= -5 THEN 'falling'
    ELSE 'steady'
  END AS trend
FROM (
  SELECT
    state_code, women_group, year, scope, cases, breaks,
    round((cases - cases_before) * 100 / cases_before, 1) AS change,
    CASE WHEN breaks = 0 AND cases_before > 0 AND year_before = year - 1 THEN 1 ELSE 0 END AS comparable
  FROM (
    SELECT
      series.state_code, series.women_group, series.year, series.scope, series.cases,
      lag(series.cases) OVER (PARTITION BY series.women_group ORDER BY series.year) AS cases_before,
      lag(series.year) OVER (PARTITION BY series.women_group ORDER BY series.year) AS year_before,
      CASE
        WHEN series.year = 2014 AND (marks.breaks = 1 OR series.state_code IN ('IN-AP', 'IN-TS')) THEN 1
        ELSE 0
      END AS breaks
    FROM (
      SELECT
        CASE WHEN '${hivevar:state_code}' RLIKE '^IN[-+A-Z]*$' THEN '${hivevar:state_code}'
          ELSE 'IN' END AS state_code,
        women_group, year, scope, sum(cases) AS cases
      FROM women_counts
      WHERE (
          '${hivevar:state_code}' = state_code
          OR NOT '${hivevar:state_code}' RLIKE '^IN[-+A-Z]+$'
          OR ('${hivevar:state_code}' = 'IN-AP+TS' AND state_code IN ('IN-AP', 'IN-TS'))
        )
        AND (
          '${hivevar:women_group}' = women_group OR NOT '${hivevar:women_group}' RLIKE '^[a-z_]+$'
        )
      GROUP BY women_group, year, scope
    ) series
    JOIN (
      SELECT crime_group AS women_group, max(CASE WHEN break_2014 <> '' THEN 1 ELSE 0 END) AS breaks
      FROM crime_group_heads
      WHERE fact_table = 'women_facts'
      GROUP BY crime_group
    ) marks ON marks.women_group = series.women_group
  ) marked
) changed
LEFT JOIN (
  SELECT state_code, year, max(population) AS population
  FROM population_by_year
  GROUP BY state_code, year
) persons ON persons.state_code = changed.state_code AND persons.year = changed.year
ORDER BY women_group, year;
