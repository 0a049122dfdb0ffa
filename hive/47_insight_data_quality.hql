-- How far the figures can be trusted: every check, every discrepancy, and the facts against the files
-- Needs the landing tables of 10_landing_tables besides the lake.
USE ${hivevar:database};

-- Checks and how many comparisons each made
SELECT check_name, status, count(*) AS comparisons
FROM data_quality
GROUP BY check_name, status
ORDER BY check_name, status;

-- Every discrepancy
SELECT check_name, source_file, scope, expected, found, difference, status
FROM data_quality
WHERE status <> 'ok'
ORDER BY check_name, scope;

-- The facts against the files as they came: total rows of the states, and rows of districts
SELECT
  files.year, files.state_totals, files.districts, facts.in_facts,
  facts.in_facts - files.state_totals AS difference
FROM (
  SELECT
    year,
    sum(CASE WHEN upper(district) LIKE '%TOTAL%' THEN total_cases END) AS state_totals,
    sum(CASE WHEN NOT upper(district) LIKE '%TOTAL%' THEN total_cases END) AS districts
  FROM (
    SELECT year, district, total_cases FROM landing_ipc_2001
    UNION ALL
    SELECT year, district, total_cases FROM landing_ipc_2014
  ) landed
  GROUP BY year
) files
LEFT JOIN (
  SELECT year, sum(cases) AS in_facts FROM crime_facts GROUP BY year
) facts ON facts.year = files.year
ORDER BY year;
