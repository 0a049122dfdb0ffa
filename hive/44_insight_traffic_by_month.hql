-- When in the year do road accidents happen: a place and year by month, and by day of that month
-- Variables, both optional: state_code (else IN, the country), year (else the latest).
-- Months differ in length: cases_per_day compares them.
-- Computed from traffic_counts, so from the facts, the mart traffic_by_month has the same figures.
USE ${hivevar:database};

-- Accidents, share and accidents a day by month
SELECT
  counts.state_code, counts.state, counts.year, CAST(counts.bucket AS int) AS month_number,
  counts.cases, counts.share_pct,
  round(
    counts.cases / day(last_day(concat(CAST(counts.year AS string), '-', counts.bucket, '-01'))), 2
  ) AS cases_per_day
FROM traffic_counts counts
JOIN (
  SELECT
    CASE WHEN '${hivevar:state_code}' RLIKE '^IN[-A-Z]*$' THEN '${hivevar:state_code}'
      ELSE 'IN' END AS state_code,
    coalesce(CAST('${hivevar:year}' AS int), max(year)) AS year
  FROM traffic_counts
) asked ON asked.state_code = counts.state_code AND asked.year = counts.year
WHERE counts.breakdown = 'month'
ORDER BY month_number;
